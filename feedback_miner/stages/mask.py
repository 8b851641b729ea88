"""Names that would pull comments together by who they speak of rather than by what they say: found in the data, hidden from the encoder.

Comes in: the matching texts of a corpus; goes out: the names of brands, products and people in it, and texts without them. There
is no list of names: a Latin word is a name if it is almost always capitalised where its sentence does not ask for it, or mixes letters
and digits like a model number; a Chinese word if the segmenter's dictionary calls it a transliterated name. Chinese brands spelled with
everyday characters are not found: a known gap.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

__all__ = ["EntityMask", "find_entities"]

_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_SENTENCE = re.compile(r"[^.!?。！？\n…:\"“”()]+")
_LATIN = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-&][A-Za-z0-9]+)*")
_MODEL_NUMBER = re.compile(r"[A-Za-z]{1,8}-?\d{1,4}[A-Za-z]?$")
_VERSION = re.compile(r"[gv]\d$", re.IGNORECASE)
"""Looks like a model number, and is a version or a generation of a network."""
_TRANSLITERATION = "nrt"
"""The one tag of the segmenter's dictionary that means a foreign name; its other proper-noun tags hold petrol stations and filters too."""
# Capitalised wherever they stand, and no names of anybody.
_ALWAYS_CAPITAL = frozenset(
    [
        "i",
        "ok",
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "january",
        "february",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
        "christmas",
        "easter",
        "english",
        "chinese",
    ]
)

_FEWEST = 3
_SHARE = 0.0005
_CAPITALISED = 0.9
_MOST = 500


def find_entities(texts: Iterable[str]) -> tuple[str, ...]:
    """Return the names in texts, sorted; at most the 500 most frequent. Order of the texts does not matter."""
    import rjieba

    capital: Counter[str] = Counter()
    everywhere: Counter[str] = Counter()
    documents: Counter[str] = Counter()
    total = 0
    for text in texts:
        total += 1
        seen: set[str] = set()
        shouting = text.isupper()
        for sentence in _SENTENCE.findall(text):
            for at, match in enumerate(_LATIN.finditer(sentence)):
                word = match.group()
                key = word.casefold()
                everywhere[key] += 1
                seen.add(key)
                if at and not shouting and word[0].isupper() and not word.isupper():
                    capital[key] += 1
                elif not at:
                    everywhere[key] -= word[0].isupper()  # the first word of a sentence proves nothing
        if _HAN.search(text):
            seen.update(word for word, tag in rjieba.tag(text) if tag == _TRANSLITERATION and len(word) > 1 and _HAN.match(word))
        documents.update(seen)
    fewest = max(_FEWEST, round(_SHARE * total))
    names = Counter(
        {word: count for word, count in documents.items() if count >= fewest and _is_name(word, capital[word], everywhere[word])}
    )
    return tuple(sorted(sorted(names, key=lambda word: (-names[word], word))[:_MOST]))


def _is_name(word: str, capitalised: int, occurrences: int) -> bool:
    if _HAN.match(word):
        return True
    if word in _ALWAYS_CAPITAL or _VERSION.match(word):
        return False
    return bool(_MODEL_NUMBER.match(word)) or (capitalised >= _FEWEST and capitalised >= _CAPITALISED * occurrences)


class EntityMask:
    """Takes names out of texts; one compiled pattern, linear in the text."""

    def __init__(self, names: Sequence[str]) -> None:
        latin = sorted((re.escape(name) for name in names if not _HAN.match(name)), key=lambda name: (-len(name), name))
        han = sorted((re.escape(name) for name in names if _HAN.match(name)), key=lambda name: (-len(name), name))
        parts = []
        if latin:
            parts.append(rf"(?<![A-Za-z0-9])(?:{'|'.join(latin)})(?![A-Za-z0-9])(?:['’]s(?![A-Za-z0-9]))?")
        if han:
            parts.append("|".join(han))
        self._pattern = re.compile("|".join(parts), re.IGNORECASE) if parts else None

    def hide(self, text: str) -> str:
        """Return the text without the names; a text of nothing but names stays as it is."""
        if self._pattern is None:
            return text
        hidden = " ".join(self._pattern.sub(" ", text).split())
        return hidden if re.search(r"\w", hidden) else text
