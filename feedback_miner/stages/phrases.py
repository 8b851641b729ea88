"""Clauses into phrases that could name a theme: two or three words that belong together, shown as somebody wrote them.

In come clauses of tokens and the keys that matter for a theme; out come phrases, each with the keys it stands for and the form in
which it reads as a name. A negation is part of its phrase always: no phrase says the opposite of its clause. Never scores anything.
"""

from collections.abc import Collection, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

from feedback_miner.stages.lexicon import Role
from feedback_miner.stages.words import Clause, Token, count_han, join_words

__all__ = ["Phrase", "content_keys", "find_phrases", "fits_as_name", "mark_negations", "shared_runs"]

MAX_WORDS = 6
MAX_HAN = 10
_MAX_CONTENT = 4  # in one phrase
_MAX_GAP = 3  # dropped or linking words between two words of a phrase
_MAX_DISTANCE = 8  # between an aspect and an opinion of one clause that are joined over other words
_MAX_CHARACTERS = 48
_LONGEST_WORD = 24


class Phrase(NamedTuple):
    """A possible name."""

    keys: tuple[str, ...]
    """What it stands for, sorted; ``¬`` in front of what is denied."""
    surface: str
    aspect: bool
    """It says what it is about."""
    opinion: bool
    """It says what is thought of it."""
    polarity: int
    joined: bool
    """Put together over words in between, not read off in one piece."""
    size: int
    """Content words."""
    weak: bool = False
    """It begins or ends with a word that says little."""
    attributive: bool = False
    """English with its adjective first, as a name likes it: "late delivery" rather than "delivery late"."""


class _Word(NamedTuple):
    """A content token in its clause, with the negation that governs it."""

    at: int
    start: int
    """Where its negation begins, else ``at``."""
    end: int
    """One after the word, or after a negation that follows it."""
    token: Token
    negated: bool

    @property
    def key(self) -> str:
        return "¬" + self.token.key if self.negated else self.token.key

    @property
    def polarity(self) -> int:
        if not self.negated:
            return self.token.polarity
        return -self.token.polarity if self.token.polarity else -1


def mark_negations(clause: Clause, language: str) -> list[_Word]:
    """Return the content words of a clause with their negations."""
    words: list[_Word] = []
    pending: int | None = None
    for at, token in enumerate(clause):
        if token.role is Role.NEGATOR:
            # "marche pas", "funktioniert nicht": the verb comes first.
            if words and words[-1].end == at and _follows_its_verb(clause, at, language):
                words[-1] = words[-1]._replace(end=at + 1, negated=True)
            elif pending is None or at - pending > 1:
                pending = at
        elif token.role is Role.BREAK:
            pending = None
        elif token.content:
            near = pending is not None and at - pending <= _MAX_GAP
            start = pending if near and pending is not None else at
            if near and start > 0 and clause[start - 1].role is Role.AUXILIARY and clause[start].surface == "not":
                start -= 1
            words.append(_Word(at, start, at + 1, token, near))
            pending = None
    return words


def _follows_its_verb(clause: Clause, at: int, language: str) -> bool:
    if language == "fr":
        return (at >= 2 and clause[at - 2].key in ("ne", "n")) or not any(token.content for token in clause[at + 1 : at + 3])
    return language == "de" and not any(token.content for token in clause[at + 1 : at + 3])


def content_keys(clause: Clause, language: str) -> list[tuple[str, int]]:
    """Return (key, polarity) of each content word of a clause, denied ones marked."""
    return [(word.key, word.polarity) for word in mark_negations(clause, language)]


def find_phrases(clause: Clause, language: str, keys: Collection[str]) -> Iterator[Phrase]:
    """Yield every phrase of one clause whose content words are all among ``keys``."""
    words = mark_negations(clause, language)
    seen: set[frozenset[str]] = set()
    for first in range(len(words)):
        for last in range(first, min(first + _MAX_CONTENT, len(words))):
            window = words[first : last + 1]
            if window[-1].key not in keys or (last > first and not _adjacent(clause, words[last - 1], words[last])):
                break
            if len({word.key for word in window}) < len(window):
                continue
            phrase = _make(_render(clause, window, language), window, weak=_has_weak_edge(clause, window))
            if phrase is not None:
                seen.add(frozenset(phrase.keys))
                yield phrase
    for first, word in enumerate(words):
        for other in words[first + 1 :]:
            if other.at - word.at > _MAX_DISTANCE:
                break
            pair = (word, other)
            if _joins(clause, pair, keys) and frozenset((word.key, other.key)) not in seen and not _crosses(clause, word.at, other.at):
                phrase = _make(_join(clause, word, other, language), pair, joined=True)
                if phrase is not None:
                    yield phrase


def fits_as_name(name: str) -> bool:
    """Tell whether a phrase keeps to the limits of a name: 6 words, 10 Chinese characters, no endless word."""
    pieces = name.split()
    return (
        0 < len(pieces) <= MAX_WORDS
        and count_han(name) <= MAX_HAN
        and len(name) <= _MAX_CHARACTERS
        and max(map(len, pieces)) <= _LONGEST_WORD
    )


def shared_runs(texts: Sequence[Sequence[Clause]], *, shortest: int = 4, longest: int = 12) -> dict[str, int]:
    """Count in how many texts each stretch of an unsegmented script occurs, for stretches that two texts share.

    Thai has no spaces and we have no dictionary for it: a stretch that different people wrote is most likely a word or a phrase.
    Stretches begin and end where a reader may put a cursor.
    """
    counts: dict[str, int] = {}
    for clauses in texts:
        found: set[str] = set()
        for clause in clauses:
            for token in clause:
                units = _graphemes(token.surface[:200])
                for start in range(len(units)):
                    stretch = "".join(units[start : start + shortest - 1])
                    for unit in units[start + shortest - 1 : start + longest]:
                        stretch += unit
                        found.add(stretch)
        for stretch in found:
            counts[stretch] = counts.get(stretch, 0) + 1
    return {stretch: count for stretch, count in counts.items() if count > 1}


def _graphemes(run: str) -> list[str]:
    units: list[str] = []
    for character in run:
        above_or_after = not character.isalpha() or character in "ะาำๅ"
        if units and (above_or_after or units[-1] in "เแโใไ"):
            units[-1] += character
        else:
            units.append(character)
    return units


def _adjacent(clause: Clause, left: _Word, right: _Word) -> bool:
    """Tell whether only a few words of no weight lie between."""
    gap = clause[left.end : right.start]
    if len(gap) > _MAX_GAP or any(token.role in (Role.BREAK, Role.NEGATOR) or token.surface == "as" for token in gap):
        return False
    if sum(token.role is Role.LINK for token in gap) > 1:
        return False
    # "rude and unhelpful" is one thought; "slow and staff", "staff and doctors" are two.
    return not any(token.surface in _AND for token in gap) or left.token.role is right.token.role is Role.OPINION


_AND = frozenset({"and", "or", "y", "o", "et", "ou", "und", "oder", "e", "和", "与", "及"})


def _crosses(clause: Clause, start: int, end: int) -> bool:
    """Tell whether another thought lies between: 价格实惠性价比高 does not say 价格高."""
    return any(token.role in (Role.BREAK, Role.OPINION) for token in clause[start + 1 : end])


def _joins(clause: Clause, pair: Sequence[_Word], keys: Collection[str]) -> bool:
    """Tell whether two words are an aspect and an opinion that may stand side by side."""
    first, second = pair
    if {first.token.role, second.token.role} != {Role.ASPECT, Role.OPINION}:
        return False
    if any(word.key not in keys or word.token.weak for word in pair):
        return False
    # "how long does it take to answer" is no long answer.
    gap = clause[first.end : second.start]
    return first.token.role is Role.ASPECT or not any(token.role in (Role.LINK, Role.AUXILIARY) for token in gap)


def _make(surface: str, words: Sequence[_Word], *, joined: bool = False, weak: bool = False) -> Phrase | None:
    if not fits_as_name(surface) or all(word.token.weak and not word.negated for word in words):
        return None
    aspect = any(word.token.role is Role.ASPECT and not word.token.weak for word in words)
    opinion = any(word.token.role is Role.OPINION or word.negated for word in words)
    total = sum(word.polarity for word in words if word.polarity)
    keys = tuple(sorted({word.key for word in words}))
    adjectives = [word.token.surface for word in words if word.token.adjective]
    attributive = len(words) > 1 and aspect and any(surface.lower().startswith(f"{adjective} ") for adjective in adjectives)
    return Phrase(keys, surface, aspect, opinion, (total > 0) - (total < 0), joined, len(words), weak, attributive)


def _has_weak_edge(clause: Clause, window: Sequence[_Word]) -> bool:
    """Tell whether a phrase begins or ends weakly: "crashes time", but not "hard to use"."""
    first, last = window[0], window[-1]
    return len(window) > 1 and (first.token.weak or (last.token.weak and clause[last.start - 1].role is not Role.LINK))


def _show(token: Token) -> str:
    return token.cased or token.surface


def _render(clause: Clause, window: Sequence[_Word], language: str) -> str:
    start, end = window[0].start, window[-1].end
    span = clause[start:end]
    turned = _put_adjective_first(clause, window, language)
    if turned is not None:
        return join_words(turned)
    shown: list[str] = []
    previous: Token | None = None  # the last one shown
    for at, token in enumerate(span):
        keep = (
            token.content
            or token.role is Role.NEGATOR
            or (token.role is Role.LINK and previous is not None)
            or (token.role is Role.DEGREE and token.kept)
            or (token.role is Role.ARTICLE and previous is not None and previous.role is Role.LINK)
            or (token.role is Role.AUXILIARY and at + 1 < len(span) and span[at + 1].surface == "not")
            or (token.role is Role.COPULA and previous is not None and previous is span[at - 1] and _needs_verb(previous, language))
        )
        if keep:
            shown.append(_show(token))
            previous = token
    return join_words(shown)


def _needs_verb(before: Token, language: str) -> bool:
    """Tell whether a word like "be" or "have" is missed where it is left out: "to be answered", "could not have been done"."""
    return language not in ("zh", "ja") and (before.role in (Role.NEGATOR, Role.COPULA) or before.surface == "to")


def _put_adjective_first(clause: Clause, window: Sequence[_Word], language: str) -> list[str] | None:
    """Turn "delivery was late" to "late delivery", and 很差的服务 to 服务差; ``None`` where the order stays."""
    if len(window) < 2 or any(word.negated for word in window):
        return None
    *heads, tail = window
    gap = clause[heads[-1].end : tail.start]
    nouns = all(word.token.role is Role.ASPECT for word in heads)
    contiguous = all(left.end == right.start for left, right in pairwise(heads))
    if nouns and contiguous and tail.token.adjective and gap and not any(word.token.weak for word in heads):
        if any(token.role in (Role.LINK, Role.AUXILIARY) for token in gap) or not any(token.role is Role.COPULA for token in gap):
            return None
        kept = [_show(token) for token in gap if token.kept]
        if kept:  # "price is too high" reads better in its own order
            return None
        return [_show(tail.token), *(_show(word.token) for word in heads)]
    if language == "zh" and len(window) == 2:
        opinion, aspect = window
        if opinion.token.role is Role.OPINION and aspect.token.role is Role.ASPECT and any(token.surface == "的" for token in gap):
            return [_show(aspect.token), _show(opinion.token)]
    return None


def _join(clause: Clause, first: _Word, second: _Word, language: str) -> str:
    """Put an aspect and an opinion side by side, each with its negation."""

    def show(word: _Word) -> list[str]:
        return [
            _show(token)
            for token in clause[word.start : word.end]
            if token.content or token.role in (Role.NEGATOR, Role.AUXILIARY) or (token.role is Role.DEGREE and token.kept)
        ]

    aspect, opinion = (first, second) if first.token.role is Role.ASPECT else (second, first)
    if opinion.token.adjective and not (aspect.negated or opinion.negated):
        return join_words([*show(opinion), *show(aspect)])
    if language == "zh" and not (aspect.negated or opinion.negated):
        return join_words([*show(aspect), *show(opinion)])
    return join_words([*show(first), *show(second)])
