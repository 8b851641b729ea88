"""Cells into values: blanks, numbers, scores and weights.

Comes in: the text of one cell. Goes out: a value, or a ``ValueError`` whose message says what is wrong and never holds the cell.
Never looks at another cell or at the header; columns.py decides which scale a column is on.
"""

import math
import re
import unicodedata

from feedback_miner.domain import ScoreKind

__all__ = ["SCALES", "is_missing", "is_number", "parse_number", "parse_score", "parse_weight", "without_value"]

SCALES = {ScoreKind.NPS: (0, 10), ScoreKind.CSAT: (1, 5), ScoreKind.CES: (1, 7), ScoreKind.STARS: (1, 5)}
"""Lowest and highest answer of each kind."""

_MISSING = frozenset({"", "null", "none", "nan", "nat", "n/a", "#n/a", "na", "nil", "-", "--", "—", "/", "(空)", "(跳过)", "<na>"})

_PLAIN_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d+)?|[.,]\d+)(?:[eE][+-]?\d{1,3})?%?")
_GROUPED_NUMBER = re.compile(r"[+-]?\d{1,3}(?:,\d{3})+(?:\.\d+)?")
_ANSWER = re.compile(
    r"(?P<number>[+-]?\d{1,3}(?:\.\d+|,\d{1,2})?)\s*"
    r"(?:(?:/|out of|of)\s*(?P<scale>\d{1,3})\s*(?:stars?|points?|分|星)?"
    r"|(?:(?:stars?|points?|pts?|分|颗星|颗|星)\b)?(?P<label>(?:(?<=\s)|[-–—:.,;=()、|*])\D*)?"
    r"|(?:分|颗星|颗|星)\D*)"
)
_STAR_SIGNS = frozenset("★⭐🌟✭")
_EMPTY_STAR_SIGNS = frozenset("☆✩✰")
_CHINESE_DIGITS = {"零": 0, "〇": 0, "一": 1, "二": 2, "两": 2, "三": 3, "四": 4, "五": 5, "六": 6, "七": 7, "八": 8, "九": 9, "十": 10}
_CHINESE_ANSWER = re.compile(r"([零〇一二两三四五六七八九十])(?:分|星|颗星|颗)?")

_DEGREES = ("very", "extremely", "completely", "highly", "totally")
_SATISFACTION_WORDS = {
    5: "|".join(f"{degree} satisfied" for degree in _DEGREES) + "|excellent|very good|非常满意|很满意|十分满意|非常好|很好",
    4: "satisfied|somewhat satisfied|mostly satisfied|good|满意|比较满意|较满意|好|较好",
    3: "neutral|neither|neither satisfied nor dissatisfied|neither satisfied or dissatisfied|average|fair|ok|okay"
    "|一般|一般般|中立|普通|还行",
    2: "dissatisfied|unsatisfied|not satisfied|somewhat dissatisfied|poor|bad|不满意|比较不满意|较不满意|不太满意|差|较差",
    1: "|".join(f"{degree} {word}" for degree in _DEGREES for word in ("dissatisfied", "unsatisfied"))
    + "|very poor|very bad|terrible|非常不满意|很不满意|十分不满意|很差|非常差",
}
_AGREEMENT_WORDS = {
    7: "strongly agree|completely agree|very easy|extremely easy|非常同意|非常容易|非常轻松",
    6: "agree|easy|同意|容易|轻松",
    5: "somewhat agree|slightly agree|somewhat easy|slightly easy|比较同意|有点同意|比较容易|比较轻松",
    4: "neutral|neither|neither agree nor disagree|neither easy nor difficult|中立|一般|不确定",
    3: "somewhat disagree|slightly disagree|somewhat difficult|slightly difficult|比较不同意|有点不同意|比较困难|比较费力",
    2: "disagree|difficult|hard|不同意|困难|费力",
    1: "strongly disagree|completely disagree|very difficult|extremely difficult|very hard|非常不同意|非常困难|非常费力",
}
_LIKELIHOOD_WORDS = {
    10: "extremely likely|非常可能|极有可能|非常愿意",
    0: "not at all likely|extremely unlikely|非常不可能|完全不可能|完全不愿意",
}


def _by_word(table: dict[int, str]) -> dict[str, float]:
    return {word: float(value) for value, words in table.items() for word in words.split("|")}


_WORDS = {
    ScoreKind.NPS: _by_word(_LIKELIHOOD_WORDS),
    ScoreKind.CSAT: _by_word(_SATISFACTION_WORDS),
    ScoreKind.CES: _by_word(_AGREEMENT_WORDS),
    ScoreKind.STARS: _by_word(_SATISFACTION_WORDS),
}


def is_missing(cell: str) -> bool:
    """Tell whether a cell of a score, date, key or attribute column says that there is no value."""
    return len(cell) < 8 and _fold(cell) in _MISSING


def is_number(cell: str) -> bool:
    """Tell whether a cell is one number and nothing else, ``9,5`` and ``1,234.5`` included."""
    text = cell.strip()
    return len(text) < 40 and bool(_PLAIN_NUMBER.fullmatch(text) or _GROUPED_NUMBER.fullmatch(text))


def parse_number(cell: str) -> float | None:
    """Read the number that an answer states (``9``, ``9,5``, ``9 - Very likely``, ``4/5``, ``★★★★☆``, ``十``), whatever its scale."""
    answer = _read_answer(cell)
    return None if answer is None else answer[0]


def parse_score(cell: str, kind: ScoreKind) -> float:
    """Read one answer on the scale of ``kind``. Raises ``ValueError`` where it cannot be read or is outside the scale."""
    low, high = SCALES[kind]
    answer = _read_answer(cell)
    if answer is None:
        value = _WORDS[kind].get(_fold(cell)) if len(cell) < 60 else None
        if value is None:
            raise ValueError(f"unreadable as a {kind.value} score ({low}-{high})")
        return value
    value, scale = answer
    if scale is not None and scale != high:
        raise ValueError(f"score out of {scale:g} in a column of {kind.value} scores ({low}-{high})")
    if not low <= value <= high:
        raise ValueError(f"score outside {low}-{high}, the scale of {kind.value}")
    return value


def without_value(cell: str, kind: ScoreKind) -> bool:
    """Tell whether a cell is no answer of ``kind``: for measuring how much of a column can be read."""
    try:
        parse_score(cell, kind)
    except ValueError:
        return True
    return False


def parse_weight(cell: str) -> float:
    """Read a survey weight: finite and not negative. Raises ``ValueError``."""
    if not is_number(cell) or cell.strip().endswith("%"):
        raise ValueError("weight is not a number")
    text = cell.strip()
    weight = float(text.replace(",", "") if _GROUPED_NUMBER.fullmatch(text) and "." in text else text.replace(",", "."))
    if not math.isfinite(weight) or weight < 0:
        raise ValueError("weight is not a finite number of 0 or more")
    return weight + 0.0  # "-0" becomes 0: one weight, one id


def _fold(cell: str) -> str:
    return " ".join(unicodedata.normalize("NFKC", cell).casefold().split())


def _read_answer(cell: str) -> tuple[float, float | None] | None:
    """(number, scale stated with it). ``None``: the cell states no number. Cells beyond 80 characters are no answers."""
    if len(cell) > 80:
        return None
    text = _fold(cell)
    signs = text.replace("\ufe0f", "").replace(" ", "")
    if signs and all(sign in _STAR_SIGNS or sign in _EMPTY_STAR_SIGNS for sign in signs):
        return float(sum(sign in _STAR_SIGNS for sign in signs)), None
    if match := _CHINESE_ANSWER.fullmatch(text):
        return float(_CHINESE_DIGITS[match[1]]), None
    match = _ANSWER.fullmatch(text)
    if not match:
        return None
    scale = match["scale"]
    return float(match["number"].replace(",", ".")) + 0.0, float(scale) if scale else None
