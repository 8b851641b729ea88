"""The one shape every reader hands over: rows of cells that can be walked more than once.

Comes in: nothing. Goes out: ``Table``. A reader never guesses what a column means and never raises because of one row: it
reports the row and goes on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from feedback_miner.domain import RowIssue

__all__ = ["FILE", "Report", "Row", "Table", "ignore_issue"]

FILE = "(file)"
"""Stands for the column in reasons that are about the whole file: its encoding, its separator, its header."""

Row = tuple[int, list[str]]
"""(row number as a user counts it, cells). Blank cells are empty strings."""

Report = Callable[[RowIssue], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows from any source. ``walk`` starts afresh each time and reports what it had to mend."""

    walk: Callable[[Report], Iterator[Row]]
    names: tuple[str, ...] | None = None
    """The columns where the source knows them; ``None``: the first rows of the walk are the header."""
    separator: str = ""
    """Joins surplus cells back into a last text cell; empty where rows cannot have surplus cells."""
    notes: tuple[tuple[str, str], ...] = ()
    """(column or ``FILE``, sentence): what reading decided, for ``ColumnMapping.reasons``."""


def ignore_issue(issue: RowIssue) -> None:
    """Report to nobody: for the walks that only look."""
