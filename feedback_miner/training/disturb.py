"""What must not change a vector: a clean text in, the same text as someone hurried, playful or bilingual might have sent it.

The student sees the disturbed text and is asked for the vector of the clean one. One thing at a time, drawn by the caller's generator.
What a text feels like may change with an emoji or a question mark: `Disturbance.misspell` leaves both alone.
"""

from collections.abc import Callable, Sequence
from functools import cache

import emoji
import numpy as np

__all__ = ["Disturbance"]

_Way = Callable[[str, str, np.random.Generator], str]


@cache
def _emojis() -> tuple[str, ...]:
    """Every single-character emoji, newer ones than the vocabulary knows among them."""
    return tuple(sorted(symbol for symbol in emoji.EMOJI_DATA if len(symbol) == 1))


class Disturbance:
    """``words`` are what may turn up as a foreign word: (word, language)."""

    def __init__(self, words: Sequence[tuple[str, str]]) -> None:
        self._words = words
        appended = (self._append_emoji, self._append_word)
        self._ways: tuple[_Way, ...] = (*appended, *appended, *_MISSPELLINGS, _drop_marks, _stretch_marks)

    def apply(self, text: str, language: str, draw: np.random.Generator) -> str:
        """Disturb ``text`` in one way."""
        return self._ways[int(draw.integers(len(self._ways)))](text, language, draw) or text

    def misspell(self, text: str, language: str, draw: np.random.Generator) -> str:
        """Disturb only how ``text`` is spelled."""
        return _MISSPELLINGS[int(draw.integers(len(_MISSPELLINGS)))](text, language, draw) or text

    def _append_emoji(self, text: str, _language: str, draw: np.random.Generator) -> str:
        symbols = _emojis()
        chosen = symbols[int(draw.integers(len(symbols)))] * int(draw.integers(1, 4))
        return f"{chosen} {text}" if draw.random() < 0.2 else text + (" " if draw.random() < 0.5 else "") + chosen

    def _append_word(self, text: str, language: str, draw: np.random.Generator) -> str:
        for _ in range(8):
            word, of = self._words[int(draw.integers(len(self._words)))]
            if of != language:
                return f"{text} {word}"
        return text


def _swap_letters(text: str, _language: str, draw: np.random.Generator) -> str:
    at = int(draw.integers(max(1, len(text) - 1)))
    return text[:at] + text[at + 1 : at + 2] + text[at : at + 1] + text[at + 2 :]


def _drop_letter(text: str, _language: str, draw: np.random.Generator) -> str:
    at = int(draw.integers(len(text)))
    return text[:at] + text[at + 1 :] if len(text) > 8 else text


def _double_letter(text: str, _language: str, draw: np.random.Generator) -> str:
    at = int(draw.integers(len(text)))
    return text[:at] + text[at] * int(draw.integers(2, 5)) + text[at + 1 :]


def _change_case(text: str, _language: str, draw: np.random.Generator) -> str:
    return (text.upper, text.lower, text.title)[int(draw.integers(3))]()


def _drop_marks(text: str, _language: str, _draw: np.random.Generator) -> str:
    return "".join(letter for letter in text if letter.isalnum() or letter.isspace() or letter in "'’-<>%")


def _stretch_marks(text: str, _language: str, draw: np.random.Generator) -> str:
    return text.rstrip(".。!！~") + ("!", "。", "...", "~", "！！！", "??")[int(draw.integers(6))] * int(draw.integers(1, 4))


_MISSPELLINGS: tuple[_Way, ...] = (_swap_letters, _drop_letter, _double_letter, _change_case)
