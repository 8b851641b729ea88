"""How a text file tells its cells apart, found from its first lines.

Comes in: the first characters of a file and what its extension suggests. Goes out: a ``Dialect``, and whether the file has a header at
all. Decides by how evenly each separator cuts the records, quotes respected; a comment with commas in it does not make a table.
"""

import io
import re
from collections import Counter
from dataclasses import dataclass

from .delimited import Dialect, Lines, read_records
from .tables import FILE, ignore_issue

__all__ = ["Layout", "find_layout", "looks_like_sentence"]

_SEPARATORS = {",": "comma", "\t": "tab", ";": "semicolon", "|": "vertical bar"}
_SAMPLE_RECORDS = 300
_LEAST_FIT = 0.45
_SENTENCE_END = re.compile(r"[.!?…。！？～~][\"'”’)）]*$")
_ADDRESSED = re.compile(r"\b(?:you|your|please|us)\b|[您你请]", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Layout:
    """How to read a text file."""

    dialect: Dialect
    header: bool
    """False: each line is a comment, the first one too."""
    skip_lines: int
    """Lines before the header that are no data (``sep=;``)."""
    notes: tuple[tuple[str, str], ...]


def looks_like_sentence(text: str) -> bool:
    """Tell whether the only cell of a first line is a comment rather than a column's name.

    A question to the customer (``Why did you choose this score?``) is a name: surveys use it as the header.
    """
    text = text.strip()
    ideographs = sum("\u4e00" <= char <= "\u9fff" for char in text)
    words = len(text.split()) + ideographs / 2
    if text.endswith(("?", "？", ":", "：")) and _ADDRESSED.search(text):
        return False
    return words > 12 or (words >= 3 and bool(_SENTENCE_END.search(text)))


def find_layout(sample: str, *, extension: str, plain_lines: bool) -> Layout:
    """Find how the sample, which ends with a whole line, is laid out. ``plain_lines``: the file calls itself text, not a table."""
    skip_lines = 0
    declared = re.match(r"\ufeff?sep=([^\r\n])\r?\n", sample, re.IGNORECASE)
    if declared:
        return Layout(_refine(declared[1], sample), True, 1, ((FILE, "the separator is the one that its first line declares"),))
    fits = {separator: _fit(sample, separator) for separator in _SEPARATORS}
    if plain_lines:
        if fits["\t"][0] == 1 and sample.count("\n") >= 2:
            return Layout(_refine("\t", sample), True, 0, ((FILE, "read as a table: tabs cut every line evenly"),))
        return Layout(Dialect("", quoted=False), False, skip_lines, ((FILE, "read as one comment per line, the first line too"),))
    favoured = {"tsv": "\t", "tab": "\t", "psv": "|"}.get(extension)
    best = max(
        _SEPARATORS,
        key=lambda separator: (fits[separator][0] + 0.3 * (separator == favoured and fits[separator][1] > 1), fits[separator][1]),
    )
    if fits[best][0] >= _LEAST_FIT:
        note = () if best == "," else ((FILE, f"cells are separated by {_SEPARATORS[best]}"),)
        return Layout(_refine(best, sample), True, 0, note)
    dialect = Dialect("")
    first = next(read_records(Lines(io.StringIO(sample, newline=""), ""), dialect, ignore_issue), (1, [""]))[1][0]
    if looks_like_sentence(first):
        return Layout(dialect, False, 0, ((FILE, "one column without a header: its first line is a comment"),))
    return Layout(dialect, True, 0, ())


def _fit(sample: str, separator: str) -> tuple[float, int]:
    """(how evenly 0..1, number of columns) a separator cuts the sample."""
    records = read_records(Lines(io.StringIO(sample, newline=""), ""), _refine(separator, sample), ignore_issue)
    widths: list[int] = []
    header: list[str] = []
    for _, cells in records:
        header = header or cells
        beyond = any(cell.strip() for cell in cells[len(header) :])  # a separator at the end of each row is no cell
        widths.append(len(cells) if beyond else min(len(cells), len(header)))
        if len(widths) == _SAMPLE_RECORDS:
            break
    columns = len(header)
    if columns < 2:
        return 0.0, columns
    # Data rows decide; ragged ones (an unquoted comma in a comment, blank cells left out) still speak half for the separator.
    rows = widths[1:] or widths
    fit = sum(1.0 if width == columns else 0.5 if width > 1 else 0.0 for width in rows) / len(rows)
    prose = sum(cell.startswith(" ") or len(cell) > 80 for cell in header) > len(header) / 3 and len(Counter(widths)) > 1
    return round(fit - 0.5 * prose, 3), columns


def _refine(separator: str, sample: str) -> Dialect:
    first = sample.split("\n", 1)[0]
    mark = re.escape(separator)
    spaced = f"{separator} " in first and not re.search(rf"{mark}(?! )", first.rstrip("\r")) and f'{separator}"' not in sample
    escaped = bool(re.search(rf'\\"(?!["{mark}\r\n]|\Z)', sample)) and '""' not in re.sub(rf'(?:^|{mark})""(?={mark}|\r?\n|\Z)', "", sample)
    return Dialect(separator, escape=escaped, skip_space=spaced and f'{separator} "' in sample)
