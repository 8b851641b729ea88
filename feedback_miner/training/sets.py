"""Labelled sets as training reads them: a folder with ``<name>/dev.csv.gz``, every set divided by the split rule."""

import csv
import gzip
import sys
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from feedback_miner.errors import InputError
from feedback_miner.training.split import validation_mask

__all__ = ["LEFT_OUT", "LabelledSet", "load_sets"]

LEFT_OUT = frozenset({"cfpb_complaints", "ecom_cosmetics_zh", "womens_clothing"})
"""Whole families that no encoder of ours is trained on, labels or texts: what their figures say holds for a stranger's file.

English letters of complaint and Chinese reviews of cosmetics (themes), English reviews of clothing (sentiment). Named before training.
"""


@dataclass(frozen=True, slots=True)
class LabelledSet:
    """Rows of one set and which of them are validation."""

    name: str
    rows: tuple[dict[str, str], ...]
    validation: tuple[bool, ...]

    def part(self, *, validation: bool) -> list[dict[str, str]]:
        """Return the rows of one part."""
        return [row for row, held_back in zip(self.rows, self.validation, strict=True) if held_back == validation]


def load_sets(folder: Path, *, without: Collection[str] = ()) -> dict[str, LabelledSet]:
    """Load every ``<name>/dev.csv.gz`` below ``folder``, divide all of them at once by the split rule, and return those not in ``without``."""
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    rows: dict[str, list[dict[str, str]]] = {}
    for path in sorted(folder.glob("*/dev.csv.gz")):
        with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
            rows[path.parent.name] = list(csv.DictReader(lines))
    if not rows:
        raise InputError(f"no <name>/dev.csv.gz below {folder}; pass the folder of labelled sets with --data")
    masks = validation_mask(rows)
    return {name: LabelledSet(name, tuple(rows[name]), tuple(masks[name])) for name in rows if name not in without}
