"""What is known about words before any text is read: ``lexicon.toml``, and the stems under which words are counted.

In comes a language; out come its function words by role, and its words with a sense: the group of synonyms they belong to and whether
they praise or blame. Never reads a text.
"""

import re
import tomllib
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from importlib.resources import files
from typing import Any, NamedTuple

__all__ = [
    "SPACED_LANGUAGES",
    "FunctionWords",
    "Role",
    "Sense",
    "function_words",
    "load_lexicon",
    "senses_of",
    "stem_word",
    "stemmed_senses",
]

SPACED_LANGUAGES = ("en", "es", "fr", "de", "it", "pt")
"""Languages written with spaces that the lexicon has lists for; any other borrows the English ones."""


class Role(IntEnum):
    """What a token does inside a phrase."""

    ASPECT = 0  # content: what it is about, or anything else that carries meaning
    OPINION = 1  # content: what is thought of it
    NEGATOR = 2
    DEGREE = 3
    COPULA = 4
    AUXILIARY = 5
    LINK = 6
    ARTICLE = 7
    STOP = 8
    BREAK = 9


@dataclass(frozen=True, slots=True)
class FunctionWords:
    """The function words of one language."""

    roles: dict[str, Role]
    kept: frozenset[str]
    weak: frozenset[str]
    bare_not: frozenset[str]
    elided: dict[str, str]
    particles: frozenset[str]
    phrasal: frozenset[str]


class Sense(NamedTuple):
    """What a word of a group stands for."""

    key: str
    polarity: int
    adjective: bool
    role: Role


_ROLE_FIELDS = (  # later ones win
    ("stop", Role.STOP),
    ("articles", Role.ARTICLE),
    ("link", Role.LINK),
    ("auxiliary", Role.AUXILIARY),
    ("copula", Role.COPULA),
    ("degree", Role.DEGREE),
    ("breaks", Role.BREAK),
    ("negators", Role.NEGATOR),
)


@lru_cache(maxsize=1)
def load_lexicon() -> dict[str, Any]:
    """Return the lexicon as it is written."""
    return tomllib.loads(files(__package__).joinpath("lexicon.toml").read_text(encoding="utf-8"))


@lru_cache(maxsize=16)
def function_words(language: str) -> FunctionWords:
    """Return the lists of a language of the lexicon."""
    table = load_lexicon()[language]

    def words(name: str) -> frozenset[str]:
        return frozenset(table.get(name, "").split())

    return FunctionWords(
        {word: role for name, role in _ROLE_FIELDS for word in words(name)},
        words("kept_degree"),
        words("weak"),
        words("bare_not"),
        dict(pair.split("=") for pair in table.get("elided", "").split()),
        words("particles"),
        words("phrasal"),
    )


@lru_cache(maxsize=16)
def senses_of(language: str) -> dict[str, Sense]:
    """Return word -> sense; a word in two groups has the sense of the first."""
    senses: dict[str, Sense] = {}
    for group, table in load_lexicon()["groups"].items():
        role = Role.OPINION if table["polarity"] else Role.ASPECT
        for name in ("adj", "en") if language == "en" else (language,):
            for word in table.get(name, "").split():
                senses.setdefault(word, Sense("#" + group, table["polarity"], name == "adj" or group == "large", role))
    return senses


@lru_cache(maxsize=16)
def stemmed_senses(language: str) -> dict[str, Sense]:
    """Return stem -> sense, for other forms of the words in the groups; adjectives stand as they are."""
    return {stem_word(word, language): sense for word, sense in reversed(senses_of(language).items()) if not sense.adjective}


def stem_word(word: str, language: str) -> str:
    """Fold number, gender and the commonest verb endings; for counting only, never shown."""
    if language == "en":
        return _stem_english(word)
    if len(word) < 5:
        return word
    if language == "de":
        return re.sub("(?:en|er|es|em|e|n|s)$", "", word)
    return re.sub("[aeoé]?s?$", "", word)


def _stem_english(word: str) -> str:
    if len(word) < 4 or not word.isascii():
        return word
    for ending, replacement in (("ies", "y"), ("sses", "ss"), ("ches", "ch"), ("shes", "sh"), ("xes", "x"), ("s", "")):
        if word.endswith(ending) and not word.endswith(("ss", "us", "is")):
            word = word.removesuffix(ending) + replacement
            break
    for ending in ("ing", "ed"):
        bare = word.removesuffix(ending)
        if bare != word and len(bare) > 2 and re.search("[aeiouy]", bare):
            if len(bare) > 3 and bare[-1] == bare[-2] and bare[-1] not in "lsz":
                bare = bare[:-1]
            return bare.removesuffix("e")
    return word.removesuffix("e") if len(word) > 4 else word
