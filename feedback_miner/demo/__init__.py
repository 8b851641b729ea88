"""Our own demo comments and their known answers.

In: nothing but the three CSV files beside this module. Out: the path of the comments (a file like any user's), the opinions planted
in them and the personal data planted in them. Never mines anything, and knows no real company, person or number: see README.md here.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from feedback_miner.domain import FeedbackType, Polarity

__all__ = ["Answer", "PlantedPersonalData", "demo_path", "load_answers", "load_personal_data"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One opinion as it was planted."""

    response_id: str
    quote: str
    """Occurs exactly once in the comment."""
    theme: str | None
    """A short id; ``no_content`` for an empty phrase; ``None`` for an opinion that fits no theme."""
    cause: str | None
    """An id of the default taxonomy pack. For praise: the cause whose aspect is praised."""
    sentiment: Polarity
    type: FeedbackType


@dataclass(frozen=True, slots=True)
class PlantedPersonalData:
    """One piece of (invented) personal data, exactly as it stands in the comment. No output may contain it."""

    response_id: str
    kind: str
    """``email``, ``phone``, ``id_card``, ``bank_card``, ``iban``, ``order_number``, ``wechat``, ``qq``, ``handle``, ``name``, ``address``,
    ``licence_plate`` or ``url``."""
    value: str


def demo_path() -> Path:
    """Return the path of ``comments.csv``: UTF-8, one row a response."""
    return _path("comments.csv")


def load_answers() -> tuple[Answer, ...]:
    """Return the planted opinions in file order."""
    return tuple(
        Answer(
            response_id=row["response_id"],
            quote=row["quote"],
            theme=row["theme"] or None,
            cause=row["cause"] or None,
            sentiment=Polarity(row["sentiment"]),
            type=FeedbackType(row["type"]),
        )
        for row in _rows("answers.csv")
    )


def load_personal_data() -> tuple[PlantedPersonalData, ...]:
    """Return the planted personal data in file order."""
    return tuple(PlantedPersonalData(**row) for row in _rows("personal_data.csv"))


def _path(name: str) -> Path:
    # Installed packages lie on disk, so the resource is a file that every reader can open by its path.
    return Path(str(resources.files(__name__).joinpath(name)))


def _rows(name: str) -> Iterator[dict[str, str]]:
    with _path(name).open(encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)
