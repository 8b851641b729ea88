"""Whether one text quotes another: what figures are reported on must not have been taught."""

import re

_LETTERS = {"zh": 10, "en": 20}
"""As many letters in a row, punctuation and spaces left out, are a quotation. Chinese says about twice as much in a letter."""


def letters_of(text: str) -> str:
    """Return a text without case, punctuation and spaces."""
    return re.sub(r"[\W_]+", "", text.casefold())


def quotes(text: str, language: str, known: str) -> bool:
    """Return whether a text shares a quotation with ``known``, which is letters alone."""
    letters, length = letters_of(text), _LETTERS[language]
    return any(letters[at : at + length] in known for at in range(len(letters) - length + 1))
