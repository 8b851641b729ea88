"""Members of themes to names, keyphrases and exemplars, as an analyst would write them: aspect + opinion, 物流太慢, "late delivery".

In come, for each theme, its redacted texts with language, weight and closeness to the theme's centre; out come a name and keyphrases in
each language that matters there, and the indices of typical, varied, readable members. The same members give the same labels in whatever
order they come, and no two themes of a run share a name. Never calls a language model, never shows a placeholder, never turns a meaning
round, never leaves a theme without a name.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from feedback_miner.domain import Vectors
from feedback_miner.stages.letters import drop_salutation
from feedback_miner.stages.phrases import fits_as_name
from feedback_miner.stages.ranking import Candidate, Part, Voice, rank_phrases, read_part, sum_valence
from feedback_miner.stages.words import Clause, compile_masks, count_han, find_opinion_words, read_clauses, take_as_opinions

__all__ = ["ThemeLabel", "ThemeMembers", "label_parents", "label_themes"]

_Encode = Callable[[Sequence[str]], Vectors]

_READ_TEXTS = 500  # of a theme and language, the most typical ones: more do not change a name
_READ_CHARACTERS = 1_000
_LEAST_READ_TEXTS = 60  # of each leaf, for a parent
_ENCODED_PHRASES = 10
_KEYPHRASES = 8
_LEAST_SHARE = 0.2
_LEAST_TEXTS = 5
_SHARED_SPREAD = 0.5  # a parent is named after what more than this share of its leaves, and
_SHARED_TEXTS = 0.25  # of their texts, say; else after two aspects
_LEAST_NAMED, _LEAST_NAMED_OF_FEW, _LEAST_NAMING = 0.05, 0.1, 3
"""A name is said by a twentieth of the texts and by three of them, or by a tenth, while there is such a phrase."""
_EXEMPLAR_SHARE = 0.15
_EXEMPLAR_POOL = 60
_UNCLEAR = {
    "zh": "其他意见",
    "en": "other comments",
    "es": "otros comentarios",
    "fr": "autres commentaires",
    "de": "andere Kommentare",
    "it": "altri commenti",
    "pt": "outros comentários",
    "ja": "その他の意見",
}


@dataclass(frozen=True, slots=True)
class ThemeMembers:
    """What a theme is named after: one entry for each distinct text, all four of equal length."""

    texts: tuple[str, ...]
    """Redacted opinion spans, distinct."""
    languages: tuple[str, ...]
    """One for each text: zh, en, …"""
    weights: tuple[int, ...]
    """How many documents say exactly this."""
    closeness: tuple[float, ...]
    """Cosine to the theme's centre."""


@dataclass(frozen=True, slots=True)
class ThemeLabel:
    """How a theme is shown."""

    names: dict[str, str]
    """Language -> 2-6 words (Chinese: 2-10 characters); fewer only where nobody wrote more."""
    keyphrases: dict[str, tuple[str, ...]]
    """Language -> up to 8, the best first."""
    exemplars: tuple[int, ...]
    """Indices into the members' texts, the most typical first; for a parent, into its leaves' texts one after the other."""


def label_themes(
    members: Sequence[ThemeMembers],
    *,
    encode: _Encode | None = None,
    centres: Vectors | None = None,
    masks: Collection[str] = (),
    taken: Collection[str] = (),
) -> list[ThemeLabel]:
    """Name the themes of one run.

    ``encode`` gives unit rows in the space of ``centres``, whose row i belongs to ``members[i]``; without either, closeness plays no part.
    ``masks`` are brand, product and handle names that must not appear in a label; ``taken``, names that other themes have already.
    """
    groups = [(theme,) for theme in members]
    return _label(groups, encode=encode, centres=centres, masks=masks, taken={name.casefold(): -1 for name in taken})


def label_parents(
    children: Sequence[Sequence[int]],
    members: Sequence[ThemeMembers],
    leaf_labels: Sequence[ThemeLabel],
    *,
    encode: _Encode | None = None,
    centres: Vectors | None = None,
    masks: Collection[str] = (),
    taken: Collection[str] = (),
) -> list[ThemeLabel]:
    """Name parents by what their leaves share; a parent of one leaf carries the leaf's label.

    ``children[i]`` are the leaves of parent i, as indices into ``members`` and ``leaf_labels``; row i of ``centres`` belongs to parent i.
    No parent of several leaves is called like a leaf, or by a name in ``taken``.
    """
    groups = [tuple(members[leaf] for leaf in leaves) for leaves in children]
    used = [*taken, *(name for label in leaf_labels for name in label.names.values())]
    labels = _label(groups, encode=encode, centres=centres, masks=masks, taken={name.casefold(): -1 for name in used})
    return [leaf_labels[leaves[0]] if len(leaves) == 1 else label for leaves, label in zip(children, labels, strict=True)]


def _label(
    groups: Sequence[tuple[ThemeMembers, ...]],
    *,
    encode: _Encode | None,
    centres: Vectors | None,
    masks: Collection[str],
    taken: dict[str, int],
) -> list[ThemeLabel]:
    voices = _read_voices(groups, masks)
    ranked = rank_phrases(voices)
    if encode is not None and centres is not None:
        ranked = _weigh_closeness(voices, ranked, encode, centres)
    names, keys = _choose_names(groups, voices, ranked, taken)
    labels: list[ThemeLabel] = []
    for theme, group in enumerate(groups):
        own = [index for index, voice in enumerate(voices) if voice.theme == theme and voice.named]
        labels.append(
            ThemeLabel(
                {voices[index].language: names[index] for index in own} or {"und": _number(_UNCLEAR["en"], theme, taken)},
                {voices[index].language: _choose_keyphrases(names[index], keys[index], ranked[index]) for index in own},
                _choose_exemplars(group, [names[index] for index in own]),
            )
        )
    return labels


def _read_voices(groups: Sequence[tuple[ThemeMembers, ...]], masks: Collection[str]) -> list[Voice]:
    """Read the texts of every theme by language, in an order that does not depend on the members'."""
    pattern = compile_masks(masks)
    read: list[list[dict[str, tuple[list[tuple[Clause, ...]], list[float]]]]] = []
    counts: list[Counter[str]] = []
    for group in groups:
        counter: Counter[str] = Counter()
        leaves: list[dict[str, tuple[list[tuple[Clause, ...]], list[float]]]] = []
        for theme in group:
            languages = _settle_languages(theme)
            counter.update(languages)
            by_language: dict[str, tuple[list[tuple[Clause, ...]], list[float]]] = {}
            for language in sorted(set(languages)):
                rows = sorted(
                    (-round(closeness, 9), text, weight)
                    for text, own, weight, closeness in zip(theme.texts, languages, theme.weights, theme.closeness, strict=True)
                    if own == language
                )[: max(_LEAST_READ_TEXTS, _READ_TEXTS // len(group))]
                clauses = [_read_text(text, language, pattern) for _, text, _ in rows]
                # A text that many people sent counts more, but not as many times more.
                by_language[language] = (clauses, [1.0 + math.log(max(1, weight)) for _, _, weight in rows])
            leaves.append(by_language)
        read.append(leaves)
        counts.append(counter)
    graded = find_opinion_words(
        clause for leaves in read for leaf in leaves for texts, _ in leaf.values() for text in texts for clause in text
    )
    voices: list[Voice] = []
    for theme_index, (leaves, counter) in enumerate(zip(read, counts, strict=True)):
        parts: dict[str, list[Part]] = {}
        for leaf in leaves:
            for language, (texts, weights) in leaf.items():
                opinions = [tuple(take_as_opinions(clause, graded) for clause in text) for text in texts]
                parts.setdefault(language, []).append(read_part(opinions, weights, language))
        valence = sum_valence(part for language in sorted(parts) for part in parts[language])
        named = _languages_to_name(counter)
        voices += [Voice(theme_index, language, tuple(parts[language]), valence, language in named) for language in sorted(parts)]
    return voices


def _read_text(text: str, language: str, masks: re.Pattern[str] | None) -> tuple[Clause, ...]:
    """Read a text as it is compared, without its salutation; of an endless one the beginning, up to the last whole clause (or word)."""
    text = drop_salutation(text)
    if len(text) <= _READ_CHARACTERS:
        return tuple(read_clauses(text, language, masks=masks))
    clauses = read_clauses(text[:_READ_CHARACTERS], language, masks=masks)
    return tuple(clauses[:-1]) or tuple(clause[:-1] for clause in clauses)


_PLACEHOLDER = re.compile(r"<[A-Z][A-Z_]*>")
_HAN_OR_KANA = re.compile("[\u3041-\u30ff\u3400-\u4dbf\u4e00-\u9fff\U00020000-\U0003ffff]")


def _settle_languages(theme: ThemeMembers) -> tuple[str, ...]:
    """Give texts of unknown language the one their script tells, else the one that most others of the theme are in."""
    languages = [language.lower().partition("-")[0] or "und" for language in theme.languages]
    known = Counter(language for language in languages if language not in ("und", "zh", "ja", "th"))
    usual = min(known, key=lambda language: (-known[language], language)) if known else "und"
    return tuple(
        language if language != "und" else "zh" if _HAN_OR_KANA.search(text) else usual
        for text, language in zip(theme.texts, languages, strict=True)
    )


def _languages_to_name(counter: Counter[str]) -> frozenset[str]:
    """Return the languages of at least a fifth, or five, of the texts, and the commonest one; ``und`` only if it is that."""
    if not counter:
        return frozenset()
    most = min(counter, key=lambda language: (-counter[language], language))
    enough = {
        language
        for language, count in counter.items()
        if language != "und" and (count >= _LEAST_TEXTS or count >= _LEAST_SHARE * counter.total())
    }
    return frozenset(enough | {most})


def _weigh_closeness(
    voices: Sequence[Voice], ranked: Sequence[list[Candidate]], encode: _Encode, centres: Vectors
) -> list[list[Candidate]]:
    """Raise the phrases whose vectors are close to the centre, among the best of each voice; one call encodes them all."""
    phrases = sorted({candidate.name for candidates in ranked for candidate in candidates[:_ENCODED_PHRASES]})
    if not phrases:
        return [list(candidates) for candidates in ranked]
    vectors = encode(phrases)
    row = {phrase: index for index, phrase in enumerate(phrases)}
    weighed: list[list[Candidate]] = []
    for voice, candidates in zip(voices, ranked, strict=True):
        best = candidates[:_ENCODED_PHRASES]
        cosines = [float(vectors[row[candidate.name]] @ centres[voice.theme]) for candidate in best]
        low, high = min(cosines, default=0.0), max(cosines, default=0.0)
        # Only the order of cosines says something: encoders live in narrow cones.
        factors = [0.75 + 0.5 * (cosine - low) / (high - low) if high - low > 1e-6 else 1.0 for cosine in cosines]
        moved = [replace(candidate, score=candidate.score * factor) for candidate, factor in zip(best, factors, strict=True)]
        moved += [replace(candidate, score=candidate.score * 0.75) for candidate in candidates[_ENCODED_PHRASES:]]
        weighed.append(sorted(moved, key=lambda candidate: (-round(candidate.score, 6), candidate.name)))
    return weighed


def _choose_names(
    groups: Sequence[tuple[ThemeMembers, ...]], voices: Sequence[Voice], ranked: Sequence[list[Candidate]], taken: dict[str, int]
) -> tuple[dict[int, str], dict[int, frozenset[str]]]:
    """Give every voice its best name that no other theme has: who has the best claim to it goes first."""
    names: dict[int, str] = {}
    keys: dict[int, frozenset[str]] = {}
    meanings: dict[tuple[str, frozenset[str]], int] = {}
    identities = [tuple(tuple(sorted(theme.texts)) for theme in group) for group in groups]

    def claim(index: int) -> tuple[float, tuple[tuple[str, ...], ...], str]:
        best = ranked[index][0].score if ranked[index] else 0.0
        return (-round(best, 6), identities[voices[index].theme], voices[index].language)

    for index in sorted((index for index, voice in enumerate(voices) if voice.named), key=claim):
        voice = voices[index]
        for name, meaning in _proposals(voice, ranked[index]):
            free = taken.get(name.casefold(), voice.theme) == voice.theme
            if free and meanings.get((voice.language, meaning), voice.theme) == voice.theme:
                break
        else:
            base = ranked[index][0].name if ranked[index] else _UNCLEAR.get(voice.language, _UNCLEAR["en"])
            name, meaning = _number(base, voice.theme, taken), frozenset()
        names[index], keys[index] = name, meaning
        taken[name.casefold()] = voice.theme
        if meaning:
            meanings[voice.language, meaning] = voice.theme
    return names, keys


def _proposals(voice: Voice, candidates: Sequence[Candidate]) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield names, best first: good phrases, then the best one with a word that sets it apart, then whatever is left."""
    if not candidates:
        return
    best = candidates[0]
    least = max(_LEAST_NAMED, min(_LEAST_NAMED_OF_FEW, _LEAST_NAMING / sum(len(part.texts) for part in voice.parts)))
    good = [candidate for candidate in candidates if candidate.score >= 0.3 * best.score and candidate.coverage >= least]
    if len(voice.parts) > 1:
        shared = best.spread > _SHARED_SPREAD and best.coverage >= _SHARED_TEXTS
        if not shared or not (best.full or best.aspect_only):
            yield from _pairs_of_aspects(voice, candidates, best if shared else None)
        yield from ((candidate.name, candidate.keys) for candidate in good)
    # A parent may be called "delivery"; a leaf says what about it, if its members do.
    for candidate in sorted(good, key=lambda candidate: not candidate.full):
        yield candidate.name, candidate.keys
    known = {key.removeprefix("¬") for key in best.keys}
    for candidate in candidates:
        apart = {key.removeprefix("¬") for key in candidate.keys} - known
        name = f"{best.name}{_between(voice)}{candidate.name}"
        if apart and len(candidate.keys) == 1 and fits_as_name(name):
            yield name, best.keys | candidate.keys
    for candidate in candidates:
        yield candidate.name, candidate.keys


def _pairs_of_aspects(voice: Voice, candidates: Sequence[Candidate], opinion: Candidate | None) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield "delivery / refund" for a parent whose leaves share no aspect; with the opinion they share, if any."""
    aspects = [
        candidate for candidate in candidates if len(candidate.keys) == 1 and (candidate.aspect_only or (candidate.full and not opinion))
    ]
    places = {
        candidate.name: {index for index, part in enumerate(voice.parts) if part.coverage(candidate.keys) >= _SHARED_TEXTS}
        for candidate in aspects
    }
    before = after = ""
    if opinion is not None:
        before, after = ("", opinion.name) if voice.language in ("zh", "ja") else (f"{opinion.name} ", "")
    for first, second in combinations(aspects[:8], 2):
        name = f"{before}{first.name}{_between(voice)}{second.name}{after}"
        # Each of the two adds leaves that the other leaves out.
        if places[first.name] - places[second.name] and places[second.name] - places[first.name] and fits_as_name(name):
            yield name, first.keys | second.keys | (opinion.keys if opinion else frozenset())


def _between(voice: Voice) -> str:
    """Return what stands between two words that nobody wrote side by side."""
    return "、" if voice.language in ("zh", "ja") else " / "


def _number(base: str, theme: int, taken: dict[str, int]) -> str:
    """Tell apart by number what words cannot: themes whose texts say nothing, or all the same."""
    name, count = base, 1
    while taken.get(name.casefold(), theme) != theme:
        count += 1
        name = f"{base} {count}"
    taken[name.casefold()] = theme
    return name


def _choose_keyphrases(name: str, keys: frozenset[str], candidates: Sequence[Candidate]) -> tuple[str, ...]:
    """Return the name's phrase and the next best ones, none of which is part of another."""
    chosen, meanings = [name], [keys]
    least = 0.1 * candidates[0].score if candidates else 0.0
    for candidate in candidates:
        if len(chosen) == _KEYPHRASES or candidate.score < least:
            break
        repeats = any(candidate.keys <= other or other <= candidate.keys for other in meanings if other)
        inside = any(_contains(candidate.name, other) or _contains(other, candidate.name) for other in chosen)
        if not (repeats or inside or candidate.joined):
            chosen.append(candidate.name)
            meanings.append(candidate.keys)
    return tuple(chosen)


def _contains(phrase: str, other: str) -> bool:
    if count_han(phrase):
        return other.casefold() in phrase.casefold()
    return f" {other.casefold()} " in f" {phrase.casefold()} "


def _choose_exemplars(group: Sequence[ThemeMembers], names: Sequence[str]) -> tuple[int, ...]:
    """Return the indices of 3-5 members that are typical, readable and unlike each other (maximal marginal relevance)."""
    texts = [text for theme in group for text in theme.texts]
    languages = [language for theme in group for language in _settle_languages(theme)]
    closeness = [value for theme in group for value in theme.closeness]
    wanted = min(len(texts), 3 if len(texts) < 6 else 4 if len(texts) < 12 else 5)
    said = set().union(*(_features(name) for name in names))
    features: dict[int, frozenset[str]] = {}
    low, high = min(closeness, default=0.0), max(closeness, default=0.0)
    worth: dict[int, float] = {}
    for index, text in enumerate(texts):
        features[index] = _features(text)
        typical = (closeness[index] - low) / (high - low) if high > low else 1.0
        named = len(features[index] & said) / len(said) if said else 0.0
        worth[index] = 0.4 * typical + 0.3 * named + 0.3 * _readability(text)
    pool = sorted(worth, key=lambda index: (-round(worth[index], 6), texts[index], index))
    counter = Counter(languages)
    owed = [language for language, count in counter.most_common() if count >= _EXEMPLAR_SHARE * len(texts)]
    owed = sorted(owed, key=lambda language: (-counter[language], language))[:wanted]
    candidates = pool[:_EXEMPLAR_POOL] + [index for language in owed for index in [i for i in pool if languages[i] == language][:wanted]]
    candidates = list(dict.fromkeys(candidates))
    chosen: list[int] = []
    while len(chosen) < wanted:
        missing = [language for language in owed if all(languages[index] != language for index in chosen)]
        must = missing if len(missing) >= wanted - len(chosen) else None
        left = [index for index in candidates if index not in chosen and (must is None or languages[index] in must)]
        chosen.append(
            min(left, key=lambda index: (-round(worth[index] - 0.6 * _likeness(index, chosen, features), 6), texts[index], index))
        )
    return tuple(chosen)


def _likeness(index: int, chosen: Sequence[int], features: dict[int, frozenset[str]]) -> float:
    """Return the greatest Jaccard similarity to what is chosen already."""
    own = features[index]
    return max((len(own & features[other]) / max(1, len(own | features[other])) for other in chosen), default=0.0)


def _features(text: str) -> frozenset[str]:
    """Return words and, for scripts without spaces, pairs of characters."""
    lowered = text.lower()
    words = re.findall(r"\w+", lowered)
    pairs = [word[at : at + 2] for word in words if not word.isascii() for at in range(len(word) - 1)]
    return frozenset([word for word in words if word.isascii() or count_han(word) < 2] + pairs)


def _readability(text: str) -> float:
    """Return 0..1: long enough to say something, short enough to be read at a glance, not shouted, not full of placeholders."""
    bare, placeholders = _PLACEHOLDER.subn("", text)
    length = len(bare.strip()) + 2 * count_han(bare)  # a Chinese character says as much as three letters
    value = 1.0 if 20 <= length <= 160 else 0.6 if 10 <= length <= 300 else 0.2
    if text.upper() == text and text.lower() != text:
        value *= 0.4
    return float(value * 0.8**placeholders)
