"""What the values of a column look like, measured.

Comes in: a header and a sample of rows. Goes out: a ``Profile`` of each column. Depends on the set of rows, never on their order.
"""

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

from .dates import is_date, parse_date
from .exports import Header
from .headers import Hints, read_hints
from .values import is_missing, is_number

__all__ = ["Profile", "near_copies", "profile_columns"]

_MARKS = frozenset('{}[]"_|=<>\\#┋')
"""Signs that machines write and people seldom do."""
_WORD = re.compile(r"[^\W\d_\u2e80-\u9fff]+")
_IDEOGRAPH = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")
_LINK = re.compile(r"\s*(?:https?://|www\.)\S+\s*")
_FRACTION = re.compile(r"[.,]\d*[1-9]")
_CHECKED = 300


@dataclass(frozen=True, slots=True, eq=False)
class Profile:
    """A column, measured on the sample. Shares are of its cells that are not blank, lengths in characters."""

    name: str
    hints: Hints
    values: tuple[str, ...]
    """The cells that are not blank, sorted."""
    distinct: int
    longest: int
    mean_length: float
    mean_words: float
    """A word is a run of letters, or 1.6 ideographs: about what a Chinese word takes."""
    letters: float
    """Share of letters among characters that are not spaces."""
    marks: float
    """Share of signs written by machines and seldom by people."""
    numbers: float
    decimals: float
    dates: float
    serials: float
    """Share of numbers that can be unix seconds or a spreadsheet's day number."""
    links: float

    @property
    def filled(self) -> int:
        """How many cells are not blank."""
        return len(self.values)

    def is_words(self, *, lenient: bool) -> bool:
        """Tell whether the values read as what people write; lenient where the name says they do."""
        if self.numbers > 0.5 or self.dates > 0.5 or self.links > 0.5 or self.marks > (0.15 if lenient else 0.06):
            return False
        if lenient:
            varied = self.distinct >= 0.3 * self.filled or self.distinct > 60
            return self.letters >= 0.5 and self.mean_words >= 1 and varied
        varied = self.distinct >= 0.5 * self.filled and (self.distinct > 1 or self.filled == 1)
        return self.letters >= 0.7 and self.mean_words >= 4 and varied


def profile_columns(header: Header, rows: Sequence[Sequence[str]]) -> dict[str, Profile]:
    """Profile every column, by name."""
    profiles: dict[str, Profile] = {}
    for index, (name, question) in enumerate(zip(header.names, header.questions, strict=True)):
        values = sorted(
            cell for row in rows if index < len(row) and (cell := row[index]).strip() and cell not in header.blanks and not is_missing(cell)
        )
        hints = read_hints(question) if question == name else _merge(read_hints(name), read_hints(question))
        profiles[name] = _profile(name, hints, tuple(values))
    return profiles


def _merge(name: Hints, question: Hints) -> Hints:
    """A question tells more than the field's id, except about groups."""
    return question if not name.group else name


def _profile(name: str, hints: Hints, values: tuple[str, ...]) -> Profile:
    checked = values[:: max(1, len(values) // _CHECKED)]
    text = "".join(checked)
    solid = "".join(text.split())
    numbers = [is_number(value) for value in checked]
    count = max(1, len(checked))
    size = max(1, len(solid))
    return Profile(
        name=name,
        hints=hints,
        values=values,
        distinct=len(set(values)),
        longest=max(map(len, values), default=0),
        mean_length=len(text) / count,
        mean_words=sum(len(_WORD.findall(value)) + len(_IDEOGRAPH.findall(value)) / 1.6 for value in checked) / count,
        letters=sum(char.isalpha() for char in solid) / size,
        marks=sum(char in _MARKS for char in solid) / size,
        numbers=sum(numbers) / count,
        decimals=sum(number and bool(_FRACTION.search(value)) for number, value in zip(numbers, checked, strict=True)) / count,
        dates=sum(map(is_date, checked)) / count,
        serials=sum(_is_serial(value) for value in checked) / count,
        links=sum(bool(_LINK.fullmatch(value)) for value in checked) / count,
    )


def _is_serial(value: str) -> bool:
    if not value.strip().replace(".", "", 1).isdigit():
        return False
    try:
        return parse_date(value).year >= 1990
    except ValueError:
        return False


def near_copies(names: Sequence[str], header: Header, rows: Sequence[Sequence[str]]) -> list[tuple[str, str]]:
    """Find columns whose cells are nearly those of another in the same row (a cleaned or masked text): (copy, original)."""
    copies: list[tuple[str, str]] = []
    indices = [header.names.index(name) for name in names]
    for later in indices:
        for other in indices:
            if other == later or any(header.names[other] == copy for copy, _ in copies):
                continue
            # The longer of the two is the original; between equals the one on the left.
            inside, around = _overlap(rows, later, other), _overlap(rows, other, later)
            if inside >= 0.8 and around >= 0.5 and (inside > around or (inside == around and other < later)):
                copies.append((header.names[later], header.names[other]))
                break
    return copies


def _overlap(rows: Sequence[Sequence[str]], part: int, whole: int) -> float:
    """Mean share of one column's character pairs that the other column has in the same row."""
    shares: list[float] = []
    for row in rows[:_CHECKED]:
        pairs, others = _pairs(row[part]), _pairs(row[whole])
        if pairs and others:
            shares.append(len(pairs & others) / len(pairs))
    return sum(shares) / len(shares) if len(shares) >= 3 else 0.0


def _pairs(text: str) -> frozenset[str]:
    solid = "".join(text.split()).casefold()
    return frozenset(map("".join, itertools.pairwise(solid)))
