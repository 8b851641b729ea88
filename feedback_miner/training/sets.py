"""Labelled sets as training reads them: a folder with ``<name>/dev.csv.gz``, or one CSV of the user's own; divided by the split rule."""

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


def load_sets(path: Path, *, without: Collection[str] = ()) -> dict[str, LabelledSet]:
    """Load every ``<name>/dev.csv.gz`` below ``path``, or the one CSV it is, divide all at once by the split rule, return those not in
    ``without``.

    A CSV (UTF-8, with a header) needs the column ``text``; `feedback_miner.training.examples` says which others teach something.
    """
    csv.field_size_limit(min(sys.maxsize, 2**31 - 1))
    files = {path.stem: path} if path.is_file() else {file.parent.name: file for file in sorted(path.glob("*/dev.csv.gz"))}
    if not files:
        raise InputError(f"no <name>/dev.csv.gz below {path}; pass the folder of labelled sets, or one CSV file, with --data")
    rows = {name: _read_rows(file) for name, file in files.items()}
    masks = validation_mask(rows)
    return {name: LabelledSet(name, tuple(rows[name]), tuple(masks[name])) for name in rows if name not in without}


def _read_rows(file: Path) -> list[dict[str, str]]:
    opened = gzip.open if file.suffix == ".gz" else open
    try:
        with opened(file, "rt", encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            if "text" not in (reader.fieldnames or ()):
                raise InputError(f"{file} has no column 'text' (its columns: {', '.join(reader.fieldnames or ()) or 'none'})")
            return [{key: value or "" for key, value in row.items() if key is not None} for row in reader]
    except UnicodeDecodeError as error:
        raise InputError(f"{file} is not UTF-8 (byte {error.start}); save it as CSV UTF-8") from error
