"""Phrases ranked by how well they would name a theme among the other themes of its run.

In come the texts of themes by language; out come, for each theme and language, phrases with their worth, best first. Words are weighed by
class-based TF-IDF (Grootendorst 2022, arXiv:2203.05794), with the share of a theme's texts that say a word in place of its count, so that
no long text outvotes the others; phrases by their words, by how many texts say them in one clause, and by their form: aspect and opinion
together come first. Never chooses between themes, never calls a model.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from feedback_miner.stages.phrases import Phrase, content_keys, find_phrases, fits_as_name, shared_runs
from feedback_miner.stages.words import Clause, count_han, is_unspaced

__all__ = ["Candidate", "Part", "Voice", "rank_phrases", "read_part", "sum_valence"]

_KEPT_WORDS = 40  # of a theme and language: what phrases are made of
_WEIGHED_PHRASES = 200
_KEPT_PHRASES = 60
_SMOOTHING = 0.05  # added to a word's share elsewhere
_WEAK = 0.3  # a word like "get" or "time" counts this much of its worth
_CONTRADICTION = 0.1  # a phrase that praises what its theme blames, denies what most of it says, or the other way round
_JOINED_FORM = 0.25  # a form put together by us against one read off in one piece
_ATTRIBUTIVE = 1.5  # a form with its adjective first against one with it last
_LEAST_SAID = 0.15  # of the texts must praise or blame before a theme counts as either
_SAID_BY_LEAF = 0.1  # a leaf says a phrase if this share of its texts does, and half says it if half that share does


@dataclass(frozen=True, slots=True)
class Part:
    """The texts of one leaf theme in one language, read."""

    texts: tuple[tuple[Clause, ...], ...]
    weights: tuple[float, ...]
    places: Mapping[str, frozenset[tuple[int, int]]]
    """Key -> (text, clause) where it is said."""
    shares: Mapping[str, float]
    """Key -> weighted share of the texts that say it."""
    weak: frozenset[str]
    polarities: tuple[int, ...]
    """Of each text: words of praise minus words of blame."""

    def coverage(self, keys: Collection[str]) -> float:
        """Return the weighted share of texts that say all keys in one clause."""
        sets = [self.places.get(key, frozenset()) for key in sorted(keys)]
        said = {text for text, _ in frozenset.intersection(*sets)} if sets else set()
        return math.fsum(self.weights[text] for text in sorted(said)) / math.fsum(self.weights)


@dataclass(frozen=True, slots=True)
class Voice:
    """What a theme says in one language. A leaf has one part, a parent one for each leaf that speaks the language."""

    theme: int
    language: str
    parts: tuple[Part, ...]
    valence: float
    """-1..1: how one-sidedly the theme's members, of all languages, blame or praise."""
    named: bool
    """Enough members speak the language for a name in it."""

    def shares(self) -> dict[str, float]:
        """Return key -> share of the texts that say it, every leaf counting alike."""
        sums: dict[str, list[float]] = defaultdict(list)
        for part in self.parts:
            for key, share in part.shares.items():
                sums[key].append(share)
        return {key: math.fsum(sums[key]) / len(self.parts) for key in sorted(sums)}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A phrase that could name a theme."""

    name: str
    keys: frozenset[str]
    score: float
    full: bool = True
    """It reads like a name: not a lone noun or adjective."""
    aspect_only: bool = False
    joined: bool = False
    """Nobody wrote it in one piece."""
    coverage: float = 1.0
    """Share of the texts that say it."""
    spread: float = 1.0
    """Share of the leaves that say it, those that hardly do counting for less."""


@dataclass(slots=True)
class _Tally:
    """The forms in which a phrase occurs."""

    phrase: Phrase
    weights: dict[str, float] = field(default_factory=dict)


def read_part(texts: Sequence[tuple[Clause, ...]], weights: Sequence[float], language: str) -> Part:
    """Collect where each key is said."""
    places: dict[str, set[tuple[int, int]]] = defaultdict(set)
    weak: set[str] = set()
    polarities: list[int] = []
    for text, clauses in enumerate(texts):
        polarities.append(0)
        for place, clause in enumerate(clauses):
            weak.update(token.key for token in clause if token.weak)
            for key, polarity in content_keys(clause, language):
                places[key].add((text, place))
                polarities[-1] += polarity
    total = math.fsum(weights)
    shares = {key: math.fsum(weights[text] for text in sorted({text for text, _ in places[key]})) / total for key in sorted(places)}
    frozen = {key: frozenset(places[key]) for key in sorted(places)}
    return Part(tuple(texts), tuple(weights), frozen, shares, frozenset(weak), tuple(polarities))


def sum_valence(parts: Iterable[Part]) -> float:
    """Return -1..1: texts that praise minus texts that blame, over the texts that do either; 0 where hardly any does."""
    rows = [(polarity, weight) for part in parts for polarity, weight in zip(part.polarities, part.weights, strict=True)]
    praise = math.fsum(weight for polarity, weight in rows if polarity > 0)
    blame = math.fsum(weight for polarity, weight in rows if polarity < 0)
    said = praise + blame
    return (praise - blame) / said if said > _LEAST_SAID * math.fsum(weight for _, weight in rows) else 0.0


def rank_phrases(voices: Sequence[Voice]) -> list[list[Candidate]]:
    """Rank each voice's phrases against the other voices of its language, best first; a voice without words has none."""
    shares = [voice.shares() for voice in voices]
    sums: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    themes: Counter[str] = Counter(voice.language for voice in voices)
    for voice, own in zip(voices, shares, strict=True):
        for key, share in own.items():
            sums[voice.language][key].append(share)
    ranked: list[list[Candidate]] = []
    for voice, own in zip(voices, shares, strict=True):
        others = max(1, themes[voice.language] - 1)
        # fsum rounds once, so that the sum does not depend on the order of the themes.
        elsewhere = {key: max(0.0, math.fsum(sums[voice.language][key]) - share) / others for key, share in own.items()}
        ranked.append(_rank(voice, own, elsewhere) if voice.named else [])
    return ranked


def _rank(voice: Voice, shares: Mapping[str, float], elsewhere: Mapping[str, float]) -> list[Candidate]:
    weak = frozenset().union(*(part.weak for part in voice.parts))
    worth = {
        key: share * math.log1p(share / (elsewhere[key] + _SMOOTHING)) * (_WEAK if key.removeprefix("¬") in weak else 1.0)
        for key, share in shares.items()
    }
    kept = {key: worth[key] for key in sorted(worth, key=lambda key: (-round(worth[key], 9), key))[:_KEPT_WORDS]}
    tallies = _tally(voice, kept)

    def words_worth(keys: frozenset[str]) -> float:
        return math.fsum(kept[key] for key in sorted(keys)) / math.pow(len(keys), 0.7)

    order = sorted(
        tallies, key=lambda keys: (-round(words_worth(keys) * _form(tallies[keys], parent=len(voice.parts) > 1), 9), sorted(keys))
    )
    turned = {_denied(key) for key, share in shares.items() if share > shares.get(_denied(key), 0.0)}
    candidates = [_weigh(voice, keys, tallies[keys], words_worth(keys), turned) for keys in order[:_WEIGHED_PHRASES]]
    candidates += _unsegmented(voice)
    best = sorted(candidates, key=lambda candidate: (-round(candidate.score, 9), candidate.name))
    return best[:_KEPT_PHRASES]


def _tally(voice: Voice, kept: Mapping[str, float]) -> dict[frozenset[str], _Tally]:
    tallies: dict[frozenset[str], _Tally] = {}
    weights: dict[tuple[frozenset[str], bool, str], list[float]] = defaultdict(list)
    for part in voice.parts:
        for clauses, weight in zip(part.texts, part.weights, strict=True):
            for clause in clauses:
                for phrase in find_phrases(clause, voice.language, kept):
                    keys = frozenset(phrase.keys)
                    tally = tallies.setdefault(keys, _Tally(phrase))
                    if _plainness(phrase) < _plainness(tally.phrase):
                        tally.phrase = phrase
                    weights[keys, phrase.joined, phrase.surface].append(weight * (_ATTRIBUTIVE if phrase.attributive else 1.0))
    for (keys, joined, surface), values in weights.items():
        tally = tallies[keys]
        tally.weights[surface] = tally.weights.get(surface, 0.0) + math.fsum(values) * (1.0 if not joined else _JOINED_FORM)
    return tallies


def _plainness(phrase: Phrase) -> tuple[bool, bool, int, str]:
    return (phrase.joined, phrase.weak, phrase.size, phrase.surface)


def _denied(key: str) -> str:
    """Return the key of a word that is denied, and of a denied one the word's own."""
    return key[1:] if key.startswith("¬") else f"¬{key}"


def _weigh(voice: Voice, keys: frozenset[str], tally: _Tally, words_worth: float, turned: Collection[str]) -> Candidate:
    """Weigh a phrase; ``turned`` are keys whose opposite more of the theme's texts say."""
    coverages = [part.coverage(keys) for part in voice.parts]
    coverage = math.fsum(coverages) / len(coverages)
    spread = math.fsum(min(1.0, covered / _SAID_BY_LEAF) for covered in coverages) / len(coverages)
    phrase = tally.phrase
    against = (phrase.polarity * voice.valence < 0 and abs(voice.valence) > 0.2) or not keys.isdisjoint(turned)
    score = words_worth * (0.15 + math.sqrt(coverage)) * _form(tally, parent=len(voice.parts) > 1) * spread**2
    if against:
        score *= _CONTRADICTION
    surface = _best_surface(tally)
    return Candidate(
        surface,
        keys,
        score,
        full=phrase.size > 1 or (phrase.aspect and phrase.opinion) or count_han(surface) > 2,
        aspect_only=phrase.aspect and not phrase.opinion,
        joined=phrase.joined,
        coverage=coverage,
        spread=spread,
    )


def _best_surface(tally: _Tally) -> str:
    """Return the form most texts use; among equals the shorter one."""
    return min(tally.weights, key=lambda surface: (-round(tally.weights[surface], 9), len(surface), surface))


def _form(tally: _Tally, *, parent: bool) -> float:
    """Weigh how much a phrase reads like a name: 1 for aspect + opinion."""
    phrase = tally.phrase
    single = phrase.size == 1
    han = count_han(_best_surface(tally))
    if phrase.aspect and phrase.opinion:
        value = 0.8 if single or parent else 1.0
    elif phrase.opinion:
        value = 0.75 if han >= 4 else 0.7 if not single else 0.5 if han >= 2 else 0.2
    elif phrase.aspect:  # all that a parent's leaves share, often
        value = 0.9 if parent else 0.15 if single else 0.55
    else:
        value = 0.15
    if phrase.joined:
        value *= 0.7
    if phrase.weak:
        value *= 0.5
    return value


def _unsegmented(voice: Voice) -> list[Candidate]:
    """Propose stretches of Thai and its neighbours: what several texts share, and runs that are short already."""
    counts: Counter[str] = Counter()
    total = 0
    for part in voice.parts:
        texts = [clauses for clauses in part.texts if any(is_unspaced(token.surface) for clause in clauses for token in clause)]
        total += len(texts)
        counts.update(shared_runs(texts))
    return [
        Candidate(run, frozenset({run}), 0.5 * (count / total) * math.log(len(run)))
        for run, count in sorted(counts.items())
        if fits_as_name(run) and is_unspaced(run)
    ]
