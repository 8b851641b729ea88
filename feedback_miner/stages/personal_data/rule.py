"""The shape of a rule, and the plain writing that every rule reads.

In comes a text as a customer typed it; out comes the same text, character for character, in the plain forms that the patterns are written
in. It finds nothing by itself and changes no offset.
"""

import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

__all__ = ["HAN", "Kind", "Rule", "count_digits", "fold", "rule", "words"]

Kind = Literal["EMAIL", "PHONE", "ID", "CARD", "IBAN", "PLATE", "ACCOUNT", "ORDER", "URL", "HANDLE", "NAME", "ADDRESS", "IP"]

HAN = "\u3400-\u9fff〇"
"""For use inside a character class."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One way in which one kind of personal data is written."""

    kind: Kind
    pattern: re.Pattern[str]
    """The personal data is the group ``it`` where there is one, so that the label before it survives; else the whole match."""
    check: Callable[[str], int] | None = None
    """How many leading characters of the candidate are personal data; 0 for none."""
    needs: tuple[str, ...] = ()
    """In lower case. The pattern is tried only on texts with one of these, in any case: most texts have none, and looking is cheap."""
    digits: int = 0
    """The pattern is tried only on texts with at least this many digits."""


_TRADITIONAL = dict(
    zip(
        "張劉陳楊趙黃吳孫馬鄭謝韓馮鄧許蕭蘇盧蔣賈呂鐘譚鄒陸龍葉閻賴龔師經醫護總號樓棟單區縣訂運電話機車證",
        "张刘陈杨赵黄吴孙马郑谢韩冯邓许萧苏卢蒋贾吕钟谭邹陆龙叶阎赖龚师经医护总号楼栋单区县订运电话机车证",
        strict=True,
    )
)
_SPECIAL = dict.fromkeys("‐‑‒–—―−﹣", "-") | {"，": "，"}
"""The full-width comma ends clauses; the plain one also stands inside figures (1,299)."""


class _Folding(dict[int, int]):
    """One character for one, so that offsets hold; filled as characters turn up."""

    def __missing__(self, code: int) -> int:
        character = chr(code)
        folded = _SPECIAL.get(character) or _TRADITIONAL.get(character) or unicodedata.normalize("NFKC", character)
        if character.isdecimal():
            folded = str(unicodedata.decimal(character))
        # Circled and raised digits number lists and notes: "①13800138000" must not become a longer number.
        keep = len(folded) != 1 or unicodedata.category(character) == "No"
        self[code] = code if keep else ord(folded)
        return self[code]


_FOLDING = _Folding()


def fold(text: str) -> str:
    """Write full-width, traditional and exotic characters the plain way, one for one: offsets stay what they were."""
    return text if text.isascii() else text.translate(_FOLDING)


_DIGIT = re.compile("[0-9]")


def count_digits(text: str) -> int:
    """Count the ASCII digits of a folded text."""
    return len(_DIGIT.findall(text))


def rule(kind: Kind, pattern: str, check: Callable[[str], int] | None = None, *, needs: tuple[str, ...] = (), digits: int = 0) -> Rule:
    """Compile one line of a rule table."""
    return Rule(kind, re.compile(pattern), check, needs, digits)


def words(text: str) -> frozenset[str]:
    """Read a word list written as running text."""
    return frozenset(text.split())
