"""The nouns of a taxonomy of root causes. Values only: reads no file, knows no YAML.

    Driver ──< Cause ──< Cause of an industry pack (``parent`` names the cause it rolls up to)
    View ──< dimension ──< Cause         another way to sort the same causes (RATER, A-11)

Every cause has a polarity-free aspect: any opinion may get the aspect, only a negative one the cause.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from feedback_miner.errors import TaxonomyError

__all__ = [
    "Cause",
    "Driver",
    "Localized",
    "Taxonomy",
    "Utterances",
    "View",
    "get_cause",
    "is_moment_of_truth",
    "roll_up",
    "taxonomy_to_mapping",
]

Localized = Mapping[str, str]
"""Language (ISO 639-1) -> text."""
Utterances = Mapping[str, tuple[str, ...]]
"""Language (ISO 639-1) -> short example sentences."""


@dataclass(frozen=True, slots=True)
class Driver:
    """A group of causes: product, service, …"""

    id: str
    names: Localized


@dataclass(frozen=True, slots=True)
class Cause:
    """A reason why customers are unhappy, and how they say it."""

    id: str
    driver: str
    parent: str | None
    """The cause it refines and rolls up to; ``None`` for a cause of its own."""
    names: Localized
    aspects: Localized
    """What it is about without blame or praise: "delivery", not "late delivery"."""
    definitions: Localized
    """One sentence."""
    confused_with: tuple[str, ...]
    """Its nearest neighbours, closest first."""
    contrast: Localized
    """One sentence that tells it from them."""
    utterances: Utterances
    """Complaints."""
    praise: Utterances
    """Praise of the same aspect."""
    stage: str
    owner: str
    urgent: bool
    """Safety, fraud, privacy, a legal threat: somebody should look today."""


@dataclass(frozen=True, slots=True)
class View:
    """Another way to sort the same causes."""

    id: str
    names: Localized
    dimensions: tuple[tuple[str, Localized], ...]
    """(dimension id, names), in the order to show them."""
    members: Mapping[str, str]
    """Cause id -> dimension id, for every cause."""


@dataclass(frozen=True, slots=True)
class Taxonomy:
    """A whole pack, with everything it inherits."""

    id: str
    version: str
    """``<declared version>+<8 hex digits of the content's hash>``."""
    names: Localized
    extends: str | None
    """The shipped pack that it refines; its causes are in here too."""
    drivers: tuple[Driver, ...]
    causes: tuple[Cause, ...]
    """Inherited ones first."""
    stages: Mapping[str, Localized]
    """Stage id -> names, in journey order."""
    owners: Mapping[str, Localized]
    moments_of_truth: tuple[str, ...]
    """Stage ids and cause ids."""
    views: tuple[View, ...]
    unmapped_utterances: Utterances
    """Small talk, praise or anger without a reason, other subjects: no cause at all."""


def get_cause(taxonomy: Taxonomy, cause_id: str) -> Cause:
    """Return the cause with this id.

    Raises:
        TaxonomyError: the taxonomy has no such cause.
    """
    for cause in taxonomy.causes:
        if cause.id == cause_id:
            return cause
    known = ", ".join(cause.id for cause in taxonomy.causes)
    raise TaxonomyError(f"cause '{cause_id}' is not in taxonomy '{taxonomy.id}' {taxonomy.version}; it has: {known}")


def roll_up(taxonomy: Taxonomy, cause_id: str) -> str:
    """Return the id of the cause that this one counts towards in the pack all others build on.

    Raises:
        TaxonomyError: the taxonomy has no such cause.
    """
    cause = get_cause(taxonomy, cause_id)
    while cause.parent is not None:  # ends: a loaded taxonomy has no cycles
        cause = get_cause(taxonomy, cause.parent)
    return cause.id


def is_moment_of_truth(taxonomy: Taxonomy, cause_id: str) -> bool:
    """Tell whether the cause, a cause it refines or its journey stage decides the whole relation.

    Raises:
        TaxonomyError: the taxonomy has no such cause.
    """
    cause = get_cause(taxonomy, cause_id)
    if cause.stage in taxonomy.moments_of_truth or cause.id in taxonomy.moments_of_truth:
        return True
    return cause.parent is not None and is_moment_of_truth(taxonomy, cause.parent)


def taxonomy_to_mapping(taxonomy: Taxonomy) -> dict[str, object]:
    """Turn a taxonomy into JSON-able data that stands alone: ``parse_taxonomy`` of it needs no other pack.

    Whatever has an order is a list, so that sorting the keys of the JSON loses nothing.
    """
    return {
        "id": taxonomy.id,
        "version": taxonomy.version,
        "names": dict(taxonomy.names),
        "extends": taxonomy.extends,
        "complete": True,
        "drivers": [{"id": driver.id, "names": dict(driver.names)} for driver in taxonomy.drivers],
        "stages": [{"id": stage, "names": dict(names)} for stage, names in taxonomy.stages.items()],
        "owners": [{"id": owner, "names": dict(names)} for owner, names in taxonomy.owners.items()],
        "moments_of_truth": list(taxonomy.moments_of_truth),
        "views": [
            {
                "id": view.id,
                "names": dict(view.names),
                "dimensions": [{"id": dimension, "names": dict(names)} for dimension, names in view.dimensions],
                "members": dict(view.members),
            }
            for view in taxonomy.views
        ],
        "causes": [_cause_to_mapping(cause) for cause in taxonomy.causes],
        "unmapped_utterances": _lists(taxonomy.unmapped_utterances) or None,
    }


def _cause_to_mapping(cause: Cause) -> dict[str, object]:
    return {
        "id": cause.id,
        "driver": cause.driver,
        "parent": cause.parent,
        "stage": cause.stage,
        "owner": cause.owner,
        "urgent": cause.urgent,
        "names": dict(cause.names),
        "aspects": dict(cause.aspects),
        "definitions": dict(cause.definitions),
        "confused_with": list(cause.confused_with) or None,
        "contrast": dict(cause.contrast) or None,
        "utterances": _lists(cause.utterances),
        "praise": _lists(cause.praise) or None,
    }


def _lists(utterances: Utterances) -> dict[str, list[str]]:
    return {language: list(texts) for language, texts in utterances.items()}
