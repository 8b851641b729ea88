"""A crosswalk: somebody else's labels -> the causes of a taxonomy that a comment with this label is about.

A TOML file of one table::

    [labels]
    "Lost Luggage" = ["process.delivery", "communication.transparency"]
    "Damaged Luggage" = ["process.delivery + product.quality"]

A label means any of what it lists; causes joined by ``+`` it means together. Two labels may share a cause. With one, a taxonomy is measured
on labels that it was not made for.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path

from feedback_miner.errors import TaxonomyError
from feedback_miner.taxonomy.model import Taxonomy

__all__ = ["load_crosswalk"]


def load_crosswalk(path: Path | str, taxonomy: Taxonomy) -> Mapping[str, tuple[tuple[str, ...], ...]]:
    """Return label -> what it may mean, each one cause id or several together, labels in the file's order.

    Raises TaxonomyError where the file is no crosswalk to this taxonomy.
    """
    try:
        labels = tomllib.loads(Path(path).read_text("utf-8")).get("labels")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise TaxonomyError(f"{path} is no TOML: {error}") from error
    if not isinstance(labels, dict) or len(labels) < 2:
        raise TaxonomyError(f"{path} has no table [labels] of two labels or more, each with a list of causes")
    known = {cause.id for cause in taxonomy.causes}
    meanings = {}
    for label, causes in labels.items():
        if not isinstance(causes, list) or not causes or not all(isinstance(cause, str) for cause in causes):
            raise TaxonomyError(f"{path}: label {label!r} needs a list of causes, not {causes!r}")
        meanings[label] = tuple(tuple(cause.strip() for cause in joined.split("+")) for joined in causes)
        if strangers := [cause for meant in meanings[label] for cause in meant if cause not in known]:
            raise TaxonomyError(f"{path}: {strangers[0]!r} of label {label!r} is no cause of taxonomy {taxonomy.id!r}")
    return meanings
