"""Rows into feedback items.

Comes in: the cells of one row and a ``ColumnMapping``. Goes out: a ``FeedbackItem`` whose id depends on its content alone. A cell that
cannot be used costs itself, never its row, and is reported; no report ever holds the cell.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from feedback_miner.domain import ColumnMapping, FeedbackItem, RowIssue

from .chat import customer_words
from .columns import MAX_ATTRIBUTE_LENGTH
from .dates import follows_order, parse_date
from .exports import Header
from .tables import Report
from .values import is_missing, parse_score, parse_weight

__all__ = ["Draft", "ItemIds", "RowReader", "fit_cells"]

_ENCODER = json.JSONEncoder(separators=(",", ":"))


def fit_cells(row: int, cells: list[str], width: int, *, joiner: str, report: Report) -> list[str]:
    """Bring a row to the width of its header. ``joiner``: joins surplus cells back into the last column; empty if that is no text."""
    if len(cells) == width:
        return cells
    if len(cells) < width:
        report(RowIssue(row, None, f"{width - len(cells)} cells too few: the missing ones are blank", kept=True))
        return cells + [""] * (width - len(cells))
    surplus = len(cells) - width
    if not any(cell.strip() for cell in cells[width:]):
        return cells[:width]
    if joiner:
        report(RowIssue(row, None, f"{surplus} cells too many: joined back into the last column", kept=True))
        return [*cells[: width - 1], joiner.join(cells[width - 1 :])]
    report(RowIssue(row, None, f"{surplus} cells too many: those beyond the last column were dropped", kept=True))
    return cells[:width]


@dataclass(slots=True)
class Draft:
    """An item before it has an id: turns of one conversation may still join it."""

    row: int
    texts: tuple[tuple[str, str], ...]
    score: float | None
    created_at: datetime | None
    customer: str | None
    channel: str | None
    weight: float
    attributes: tuple[tuple[str, str], ...]

    def join(self, other: "Draft") -> None:
        """Add the same customer's next turn: texts line by line; whatever this turn lacked is taken from it."""
        texts = dict(self.texts)
        for column, text in other.texts:
            texts[column] = f"{texts[column]}\n{text}" if column in texts else text
        self.texts = tuple(texts.items())
        self.score = other.score if self.score is None else self.score
        self.created_at = self.created_at or other.created_at
        self.customer = self.customer or other.customer
        self.channel = self.channel or other.channel
        self.attributes = tuple({**dict(other.attributes), **dict(self.attributes)}.items())


class RowReader:
    """Reads the cells of one row after another under one mapping."""

    def __init__(self, mapping: ColumnMapping, header: Header, *, day_first: bool, attributes_guessed: bool) -> None:
        self._mapping = mapping
        self._blanks = header.blanks
        self._day_first = day_first
        self._attributes_guessed = attributes_guessed
        place = {name: index for index, name in enumerate(header.names)}
        self._texts = tuple((name, place[name]) for name in mapping.texts)
        self._attributes = tuple((name, place[name]) for name in mapping.attributes)
        self._place = {
            role: place[name]
            for role, name in (
                ("score", mapping.score),
                ("date", mapping.date),
                ("customer", mapping.customer),
                ("channel", mapping.channel),
                ("weight", mapping.weight),
            )
            if name is not None
        }
        self._transcripts = {name for name, reason in mapping.reasons if reason.startswith("holds whole conversations")}

    def read(self, row: int, cells: Sequence[str], report: Report) -> Draft:
        """Read one row; whatever cannot be used is reported and left out."""
        return Draft(
            row=row,
            texts=self._read_texts(row, cells, report),
            score=self._read_score(row, cells, report),
            created_at=self._read_date(row, cells, report),
            customer=self._read_key("customer", cells),
            channel=self._read_key("channel", cells),
            weight=self._read_weight(row, cells, report),
            attributes=self._read_attributes(row, cells, report),
        )

    def _cell(self, role: str, cells: Sequence[str]) -> str | None:
        """The cell that plays a role; ``None`` where no column does or the cell says that it is blank."""
        if role not in self._place:
            return None
        cell = cells[self._place[role]]
        return None if cell in self._blanks or is_missing(cell) else cell

    def _read_texts(self, row: int, cells: Sequence[str], report: Report) -> tuple[tuple[str, str], ...]:
        texts: list[tuple[str, str]] = []
        for name, index in self._texts:
            text = cells[index]
            if not text or text.isspace() or text in self._blanks:
                continue
            words = customer_words(text)
            if words is not None:
                if name not in self._transcripts:
                    report(RowIssue(row, name, "a whole conversation: only the customer's lines are mined", kept=True))
                text = words
            if text:
                texts.append((name, text))
        return tuple(texts)

    def _read_score(self, row: int, cells: Sequence[str], report: Report) -> float | None:
        cell = self._cell("score", cells)
        if cell is None or self._mapping.score_kind is None:
            return None
        try:
            return parse_score(cell, self._mapping.score_kind)
        except ValueError as error:
            report(RowIssue(row, self._mapping.score, str(error), kept=True))
            return None

    def _read_date(self, row: int, cells: Sequence[str], report: Report) -> datetime | None:
        cell = self._cell("date", cells)
        if cell is None:
            return None
        try:
            moment = parse_date(cell, day_first=self._day_first)
        except ValueError as error:
            report(RowIssue(row, self._mapping.date, str(error), kept=True))
            return None
        if not follows_order(cell, day_first=self._day_first):
            report(
                RowIssue(row, self._mapping.date, "day and month are in the other order than elsewhere in this column; read so", kept=True)
            )
        return moment

    def _read_key(self, role: str, cells: Sequence[str]) -> str | None:
        cell = self._cell(role, cells)
        return None if cell is None else cell.strip()

    def _read_weight(self, row: int, cells: Sequence[str], report: Report) -> float:
        if self._mapping.weight is None:
            return 1.0
        try:
            return parse_weight(cells[self._place["weight"]])
        except ValueError as error:
            report(RowIssue(row, self._mapping.weight, f"{error}; counted as 1", kept=True))
            return 1.0

    def _read_attributes(self, row: int, cells: Sequence[str], report: Report) -> tuple[tuple[str, str], ...]:
        attributes: list[tuple[str, str]] = []
        for name, index in self._attributes:
            value = cells[index].strip()
            if value in self._blanks or is_missing(value):
                continue
            if "┋" in value:
                value = " | ".join(part.strip() for part in value.split("┋"))
            if self._attributes_guessed and len(value) > MAX_ATTRIBUTE_LENGTH:
                report(RowIssue(row, name, f"longer than {MAX_ATTRIBUTE_LENGTH} characters: no attribute", kept=True))
                continue
            attributes.append((name, value))
        return tuple(attributes)


class ItemIds:
    """Gives ids by content; the n-th identical response gets the suffix ``-n``."""

    def __init__(self) -> None:
        self._seen: dict[int, int] = {}

    def finish(self, draft: Draft) -> FeedbackItem:
        """Turn a draft into an item."""
        content = (
            draft.texts,
            draft.score,
            draft.created_at.isoformat() if draft.created_at else None,
            draft.customer,
            draft.channel,
            draft.weight,
            draft.attributes,
        )
        digest = hashlib.sha256(_ENCODER.encode(content).encode()).digest()[:8]
        key = int.from_bytes(digest, "big")  # a number takes half the memory of its text, once for each response
        count = self._seen[key] = self._seen.get(key, 0) + 1
        return FeedbackItem(
            id=digest.hex() if count == 1 else f"{digest.hex()}-{count}",
            row=draft.row,
            texts=draft.texts,
            score=draft.score,
            created_at=draft.created_at,
            customer=draft.customer,
            channel=draft.channel,
            weight=draft.weight,
            attributes=draft.attributes,
        )
