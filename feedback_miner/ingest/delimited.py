"""Lines into records: CSV comes out unchanged if well formed, and is mended on the spot if not.

Comes in: a text stream and a ``Dialect``. Goes out: (line number of the record's first line, cells). What is mended is reported; a
quote that never closes becomes a plain character, so that it cannot swallow the rows after it. Never holds more than one record.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import TextIO

from feedback_miner.domain import RowIssue
from feedback_miner.errors import FileFormatError

from .encoding import UNDECODABLE
from .tables import Report, Row

__all__ = ["Dialect", "Lines", "read_records"]

MAX_LINE = 16 * 2**20
"""Characters. A 2 MB cell is a customer pasting a log; a longer line is no table of feedback."""
MAX_RECORD = 8 * 2**20
MAX_RECORD_LINES = 20_000
MANY_LINES = 20
"""A quoted cell with this many lines that each look like a row of the file is taken to have swallowed them."""

_NO_SEPARATOR = "\udcfd"
"""Stands for the separator of a file with one column: no decoded file can contain it."""

csv.field_size_limit(max(csv.field_size_limit(), MAX_RECORD + MAX_LINE))


@dataclass(frozen=True, slots=True)
class Dialect:
    """How cells are told apart. ``separator`` is empty where each line is one cell."""

    separator: str
    escape: bool = False
    """A quote inside a quoted cell is written ``\\"`` rather than doubled."""
    skip_space: bool = False
    """A space follows each separator and belongs to nothing."""
    quoted: bool = True
    """False: quotes mean nothing, each line is one cell as it stands."""


class Lines:
    """Numbered lines that can be given back. Drops NULs and replaces undecodable bytes, and remembers in which lines."""

    def __init__(self, stream: TextIO, name: str) -> None:
        self._stream = stream
        self._name = name
        self._returned: list[str] = []
        self._flaws: dict[int, tuple[int, int]] = {}
        self.number = 0
        """Of the line taken last, counted from 1."""

    def take(self) -> str | None:
        """Return the next line with its end, or ``None`` after the last."""
        if self._returned:
            self.number += 1
            return self._returned.pop()
        line = self._stream.readline(MAX_LINE)
        if not line:
            return None
        self.number += 1
        if len(line) == MAX_LINE:
            raise FileFormatError(f"{self._name}: line {self.number} has more than {MAX_LINE:,} characters; this is no table of comments")
        if self.number == 1:
            line = line.removeprefix("\ufeff")
        if "\x00" in line or UNDECODABLE in line:
            self._flaws[self.number] = (line.count("\x00"), line.count(UNDECODABLE))
            line = line.replace("\x00", "").replace(UNDECODABLE, "\ufffd")
        return line

    def give_back(self, lines: list[str]) -> None:
        """Undo the taking of these lines, given in their order."""
        self._returned.extend(reversed(lines))
        self.number -= len(lines)

    def report_flaws(self, row: int, report: Report) -> None:
        """Report what was dropped or replaced in the lines from ``row`` to the one taken last."""
        while self._flaws and (number := next(iter(self._flaws))) <= self.number:
            nuls, bad = self._flaws.pop(number)
            if nuls:
                report(RowIssue(row, None, f"{nuls} NUL characters dropped", kept=True))
            if bad:
                report(RowIssue(row, None, f"{bad} bytes cannot be decoded and were replaced by U+FFFD", kept=True))


def read_records(lines: Lines, dialect: Dialect, report: Report) -> Iterator[Row]:
    """Yield each record that is not a blank line."""
    separator = dialect.separator
    width = 0
    while (line := lines.take()) is not None:
        row = lines.number
        if '"' in line and dialect.quoted:
            cells = _read_quoted(line, lines, dialect, width, report)
        else:
            text = line.rstrip("\r\n")
            if not text.strip() and (not separator or separator not in text):
                lines.report_flaws(row, report)
                continue
            cells = text.split(separator) if separator else [text]
            if dialect.skip_space:
                cells = [cell.lstrip(" ") for cell in cells]
        lines.report_flaws(row, report)
        width = width or len(cells)
        yield row, cells


def _read_quoted(line: str, lines: Lines, dialect: Dialect, width: int, report: Report) -> list[str]:
    row = lines.number
    taken = [line]
    size = len(line)

    def feed() -> Iterator[str]:
        nonlocal size
        yield line
        while size < MAX_RECORD and len(taken) < MAX_RECORD_LINES and (more := lines.take()) is not None:
            taken.append(more)
            size += len(more)
            yield more

    # A reader for each record is what tells where one ends, and the dialect is strict so that a stray quote is an error at once.
    reader = csv.reader(
        feed(),
        delimiter=dialect.separator or _NO_SEPARATOR,
        escapechar="\\" if dialect.escape else None,
        doublequote=True,
        skipinitialspace=dialect.skip_space,
        strict=True,
    )
    reason = "quotes inside a quoted cell are not doubled"
    try:
        cells = next(reader)
    except csv.Error:
        text = "".join(taken)
    else:
        if _swallowed_rows(taken, dialect.separator, width):
            text = taken[0]
        elif dialect.escape:  # csv would also eat the backslashes that escape nothing
            text, reason = "".join(taken), ""
        else:
            return cells
    cells, length, unclosed = _mend(text, dialect)
    used = 1
    while length > len(taken[used - 1].rstrip("\r\n")):
        length -= len(taken[used - 1])
        used += 1
    lines.give_back(taken[used:])
    if unclosed:
        reason = "a quote is opened and never closed; it was read as a plain character"
    if reason:
        report(RowIssue(row, None, reason, kept=True))
    return cells


def _swallowed_rows(taken: list[str], separator: str, width: int) -> bool:
    if len(taken) < MANY_LINES + 2 or width < 2:
        return False
    alike = sum(line.count(separator) == width - 1 for line in taken[1:-1])
    return alike >= 0.9 * (len(taken) - 2)


@cache
def _patterns(separator: str, escape: bool) -> tuple[re.Pattern[str], re.Pattern[str], re.Pattern[str]]:
    mark = re.escape(separator) if separator else "(?!)"
    end = rf"(?={mark}|[\r\n]|\Z)"
    inside = r'[^"\\]*+(?:(?:""|\\.)[^"\\]*+)*+' if escape else r'[^"]*+(?:""[^"]*+)*+'
    closed = re.compile(rf'"({inside})"{end}', re.DOTALL)
    loose = re.compile(rf'"([^\r\n]*?)"{end}')
    bare = re.compile(rf"[^{mark}\r\n]*" if separator else r"[^\r\n]*")
    return closed, loose, bare


def _mend(text: str, dialect: Dialect) -> tuple[list[str], int, bool]:
    """Read the first record of a text leniently: each cell closed, else closed on its line, else plain.

    Returns the cells, how many characters they took (line end excluded), and whether a quote was left open.
    """
    closed, loose, bare = _patterns(dialect.separator, dialect.escape)
    cells: list[str] = []
    position = 0
    unclosed = False
    while True:
        while dialect.skip_space and text.startswith(" ", position):
            position += 1
        match = None
        if text.startswith('"', position):
            if match := closed.match(text, position):
                cell = match[1].replace('""', '"')
                cells.append(re.sub(r'\\(["\\])', r"\1", cell) if dialect.escape else cell)
            # Where no quote closed a cell before the end of the line, none will: asking again would take quadratic time.
            elif not unclosed and (match := loose.match(text, position)):
                cells.append(match[1].replace('""', '"'))
            else:
                unclosed = True
        if match is None:
            match = bare.match(text, position)
            cells.append(match[0] if match else "")
        position = match.end() if match else position
        if not dialect.separator or not text.startswith(dialect.separator, position):
            return cells, position, unclosed
        position += 1
