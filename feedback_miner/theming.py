"""Distinct encoded opinions in, a frozen ``ThemeSet`` out: cluster, fit the causes, name, hash.

What is fitted here is everything that coding will need; what is assigned is left to ``classify.OpinionCoder``. A theme set is fitted once
on a whole corpus; later waves extend it with what is born among the opinions that fit none of its themes, and one fitted anew can keep
themes of the one before.
"""

import hashlib
import itertools
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from feedback_miner.config import MiningConfig
from feedback_miner.domain import Exemplar, Opinion, Theme, ThemeSet, Vectors
from feedback_miner.embedders import Embedder
from feedback_miner.labeller import LlmLabeller
from feedback_miner.progress import Progress
from feedback_miner.stages.causes import cause_prior, find_causes, score_causes
from feedback_miner.stages.cluster import Clusters, assign_in_waves, fit_clusters, fit_more_clusters
from feedback_miner.stages.label import ThemeLabel, ThemeMembers, label_parents, label_themes
from feedback_miner.stages.sentiment import Heads
from feedback_miner.stages.space import align_vectors, blend_means, theme_space, unit_rows
from feedback_miner.taxonomy import Taxonomy, taxonomy_to_mapping
from feedback_miner.theme_set import theme_set_version

__all__ = ["EncodedOpinions", "extend_theme_set", "fit_theme_set", "keep_themes"]

_MOST_MEMBERS_TO_LABEL = 2_000


@dataclass(frozen=True, slots=True)
class EncodedOpinions:
    """The distinct (hidden text, language) pairs of a corpus, sorted by hash, and their vectors: of its opinions, or of whole texts."""

    texts: list[str]
    languages: list[str]
    opinion_row: list[int]
    """Row of each opinion of the corpus."""
    vectors: Vectors
    head_vectors: Vectors

    def select(self, opinions: Sequence[int]) -> "EncodedOpinions":
        """Return what these opinions, by their place in the corpus, were encoded as; its ``opinion_row[i]`` is that of ``opinions[i]``."""
        rows = sorted({self.opinion_row[at] for at in opinions})
        place = {row: at for at, row in enumerate(rows)}
        return EncodedOpinions(
            [self.texts[row] for row in rows],
            [self.languages[row] for row in rows],
            [place[self.opinion_row[at]] for at in opinions],
            self.vectors[rows],
            self.head_vectors[rows],
        )


def fit_theme_set(
    encoded: EncodedOpinions,
    opinions: Sequence[Opinion],
    *,
    masks: tuple[str, ...],
    taxonomy: Taxonomy,
    config: MiningConfig,
    embedder: Embedder,
    heads: Heads,
    heads_embedder: Embedder,
    labeller: LlmLabeller | None,
    progress: Progress,
) -> ThemeSet:
    """Find, name and freeze the themes of a corpus; ``opinions[i]`` was encoded as row ``encoded.opinion_row[i]``."""
    progress("themes", 0, 4)
    own = heads.encoder_version == embedder.version  # heads that read this very encoder
    prior = heads.language_means if own else {}
    projection = heads.theme_projection if own else np.zeros((embedder.dimensions, 0), np.float32)
    means = blend_means(encoded.vectors, encoded.languages, prior)

    themes_in = _ThemeSpace(means, projection, embedder, heads, heads_embedder)
    space = themes_in.place(encoded.texts, encoded.languages, encoded.vectors, encoded.head_vectors)
    fitted = fit_clusters(space[: config.max_fit_opinions], config)  # rows are in hash order: a prefix is a fair draw
    progress("themes", 1, 4)
    members = _members(space, fitted.centres, fitted.thresholds)
    columns, cause_weights = find_causes(taxonomy, heads.causes, heads_embedder.encode, heads.language_means)
    cause_priors = _cause_priors(encoded, members, heads, cause_weights)
    progress("themes", 2, 4)
    leaves, parents, names = _name_themes(encoded, opinions, members, fitted, masks, themes_in.place_phrases, labeller)
    progress("themes", 3, 4)
    theme_set = ThemeSet(
        version="",
        themes=tuple(sorted([*leaves, *parents], key=lambda theme: theme.id)),
        encoder=embedder.name,
        encoder_version=embedder.version,
        heads_version=heads.version,
        prototypes=fitted.centres,
        prototype_themes=tuple(names),
        thresholds=fitted.thresholds,
        language_means=means,
        projection=projection,
        masks=masks,
        taxonomy=taxonomy_to_mapping(taxonomy),
        cause_ids=columns,
        cause_weights=cause_weights,
        cause_priors=cause_priors,
        cause_threshold=config.cause_threshold,
    )
    progress("themes", 4, 4)
    return replace(theme_set, version=theme_set_version(theme_set))


def extend_theme_set(
    living: ThemeSet,
    residual: EncodedOpinions,
    opinions: Sequence[Opinion],
    *,
    corpus: int,
    config: MiningConfig,
    embedder: Embedder,
    heads: Heads,
    heads_embedder: Embedder,
    labeller: LlmLabeller | None,
    progress: Progress,
    retired: Collection[str] = (),
) -> ThemeSet:
    """Return ``living`` with the themes born among opinions that it leaves residual; ``living`` itself where none is.

    ``residual`` holds opinions that ``living`` codes as ``ALONE`` or ``BETWEEN`` (names hidden with ``living.masks``), of the last wave or
    of all waves so far; ``opinions[i]`` was encoded as its row ``residual.opinion_row[i]``. ``corpus`` counts the distinct opinions of all
    waves, coded ones included: a theme is born at the size at which fitting them all would have found it. ``retired`` are ids of themes
    past, never to be given again. The caller holds numerical libraries to one thread, as for ``fit_theme_set``.

    Nothing that was there changes: themes, prototypes, thresholds, means, projection, masks and causes stay bit for bit. New prototypes
    come last, as a wave of their own (``wave_starts``), and ``OpinionCoder`` asks a wave only about opinions that all before it refused: an
    opinion that had a theme keeps its whole coding, here and when serving. What the new themes leave is searched again until nothing more
    is born, so that the same wave once more gives the same theme set. Names and brands first met in a later wave are not hidden, and
    parents keep their names whoever joins them: that is for fitting anew. So is a living set without any theme: it has nothing to measure a
    new one by.
    """
    themes_in = _ThemeSpace(living.language_means, living.projection, embedder, heads, heads_embedder)
    space = themes_in.place(residual.texts, residual.languages, residual.vectors, residual.head_vectors)
    rounds = 0
    while True:
        progress("themes", rounds, None)
        rounds += 1
        _, _, taken = assign_in_waves(space, living.prototypes, living.thresholds, living.wave_starts, learned=living.learned)
        rows = np.flatnonzero(~taken)
        room = config.max_leaves - len(set(living.prototype_themes))
        born = fit_more_clusters(
            space[rows][: config.max_fit_opinions],
            living.prototypes[living.learned :],  # single opinions that analysts moved say nothing of how wide a theme is
            living.thresholds[living.learned :],
            replace(config, max_leaves=max(0, room)),
            corpus=corpus,
        )
        if not len(born.centres):
            return living
        living = _with_born(living, born, residual, opinions, space, themes_in, config, labeller, retired)


def keep_themes(
    fitted: ThemeSet,
    old: ThemeSet,
    lost: Collection[str],
    members: Mapping[str, Sequence[int]],
    encoded: EncodedOpinions,
    *,
    config: MiningConfig,
    embedder: Embedder,
    heads: Heads,
    heads_embedder: Embedder,
) -> ThemeSet:
    """Return ``fitted`` with themes of ``old`` that it has ``lost``, leaves or parents by id, beside those that it found.

    A leaf comes back with its names and under its parent, and vies with all others for opinions: by its own prototypes and thresholds if
    the models are the same, else by the centre of its ``members`` (their rows in ``encoded``) and what most of them reach. A parent comes
    back over those of its leaves that are there. A leaf without members under other models is not kept, nor is a parent
    without leaves. A theme that was found and is called like one that comes back gets a number.
    """
    themes_in = _ThemeSpace(fitted.language_means, fitted.projection, embedder, heads, heads_embedder)
    space = themes_in.place(encoded.texts, encoded.languages, encoded.vectors, encoded.head_vectors)
    if (old.encoder_version, old.heads_version) == (fitted.encoder_version, fitted.heads_version):
        places = [at for at, leaf in enumerate(old.prototype_themes) if leaf in lost]
        owners = [old.prototype_themes[at] for at in places]
        centres, thresholds = old.prototypes[places], old.thresholds[places]
    else:
        owners = [leaf for leaf in dict.fromkeys(old.prototype_themes) if leaf in lost and members.get(leaf)]
        own = [space[members[leaf]] for leaf in owners]
        centres = unit_rows(np.array([rows.mean(axis=0) for rows in own], np.float32).reshape(-1, space.shape[1]))
        reached = [np.quantile(rows @ centre, config.assign_quantile) for rows, centre in zip(own, centres, strict=True)]
        thresholds = np.array(reached, np.float32)
    prototypes, least = np.vstack([fitted.prototypes, centres]), np.concatenate([fitted.thresholds, thresholds])
    joined = _members(space, prototypes, least)[len(fitted.prototypes) :]
    priors = np.vstack([fitted.cause_priors, _cause_priors(encoded, joined, heads, fitted.cause_weights)])
    together = replace(
        fitted,
        themes=_beside(fitted.themes, old.themes, {*owners, *(id_ for id_ in lost if id_ not in old.prototype_themes)}),
        prototypes=prototypes,
        prototype_themes=(*fitted.prototype_themes, *owners),
        thresholds=least,
        cause_priors=priors,
    )
    return replace(together, version=theme_set_version(together))


def _beside(found: Sequence[Theme], old: Sequence[Theme], kept: Collection[str]) -> tuple[Theme, ...]:
    """Return themes found, and those kept: leaves under the parent they had, parents over the leaves that they had and that are there."""
    known = {theme.id: theme for theme in old}
    held = {theme.id: theme.parent for theme in old if theme.parent in kept}
    leaves = [replace(theme, parent=held.get(theme.id, theme.parent)) for theme in found if theme.parent is not None]
    leaves += [theme for theme in old if theme.parent is not None and theme.id in kept]
    parents = known | {theme.id: theme for theme in found}
    themes = [*leaves, *(parents[id_] for id_ in sorted({str(leaf.parent) for leaf in leaves}))]
    back = {theme.id for theme in themes} - {theme.id for theme in found}
    taken = {name.casefold() for theme in themes if theme.id in back for name in theme.names.values()}
    others = {name.casefold() for theme in themes for name in theme.names.values()}
    named = (
        theme
        if theme.id in back
        else replace(theme, names={language: _free_name(name, taken, others) for language, name in theme.names.items()})
        for theme in themes
    )
    return tuple(sorted(named, key=lambda theme: theme.id))


def _free_name(name: str, taken: Collection[str], others: Collection[str]) -> str:
    """Return a name itself, or where it is taken with the first number that makes it like no other."""
    if name.casefold() not in taken:
        return name
    return next(free for free in (f"{name} {turn}" for turn in itertools.count(2)) if free.casefold() not in others)


def _with_born(
    living: ThemeSet,
    born: Clusters,
    residual: EncodedOpinions,
    opinions: Sequence[Opinion],
    space: Vectors,
    themes_in: "_ThemeSpace",
    config: MiningConfig,
    labeller: LlmLabeller | None,
    retired: Collection[str],
) -> ThemeSet:
    """Add leaves as a wave of their own, each under the living parent it is close to or one of its own."""
    start = len(living.prototypes)
    prototypes = np.vstack([living.prototypes, born.centres])
    thresholds = np.concatenate([living.thresholds, born.thresholds])
    waves = (*living.wave_starts, start)
    members = _members(space, prototypes, thresholds, waves, living.learned)[start:]
    leaves, parents, names = _name_themes(
        residual,
        opinions,
        members,
        born,
        living.masks,
        themes_in.place_phrases,
        labeller,
        beside=living.themes,
        adopted=_adopt(born.centres, living, config.parent_similarity),
        retired=retired,
    )
    grown = replace(
        living,
        themes=tuple(sorted([*living.themes, *leaves, *parents], key=lambda theme: theme.id)),
        prototypes=prototypes,
        prototype_themes=(*living.prototype_themes, *names),
        thresholds=thresholds,
        cause_priors=np.vstack([living.cause_priors, _cause_priors(residual, members, themes_in.heads, living.cause_weights)]),
        wave_starts=waves,
    )
    return replace(grown, version=theme_set_version(grown))


def _adopt(centres: Vectors, living: ThemeSet, similarity: float) -> dict[int, str]:
    """Return the living parent of each new leaf that is close enough to one: by the mean cosine with its leaves, as parents are merged."""
    parent_of = {theme.id: theme.parent for theme in living.themes if theme.parent is not None}
    rows: dict[str, list[int]] = {}
    for row, name in enumerate(living.prototype_themes):
        rows.setdefault(parent_of[name], []).append(row)
    adopted = {}
    for leaf, cosines in enumerate(centres @ living.prototypes.T):
        distance, parent = min((1.0 - float(cosines[places].mean()), parent) for parent, places in rows.items())
        if distance <= 1.0 - similarity:
            adopted[leaf] = parent
    return adopted


@dataclass(frozen=True, slots=True)
class _ThemeSpace:
    """Where themes are compared: what turns texts into rows of it."""

    means: Mapping[str, Vectors]
    projection: Vectors
    embedder: Embedder
    heads: Heads
    heads_embedder: Embedder

    def place(self, texts: Sequence[str], languages: Sequence[str], vectors: Vectors, head_vectors: Vectors) -> Vectors:
        polarity = np.array([sentiment.score for sentiment in self.heads.read_sentiments(head_vectors, texts)])
        return theme_space(align_vectors(vectors, texts, languages, self.means), self.projection, polarity)

    def place_phrases(self, phrases: Sequence[str], languages: Sequence[str]) -> Vectors:
        vectors = self.embedder.encode(phrases)
        own = self.heads.encoder_version == self.embedder.version
        return self.place(phrases, languages, vectors, vectors if own else self.heads_embedder.encode(phrases))


def _members(
    space: Vectors, centres: Vectors, thresholds: NDArray[np.float32], waves: Sequence[int] = (), learned: int = 0
) -> list[list[tuple[int, float]]]:
    """Return (row, cosine with the centre) of each leaf's members in the whole corpus, the most typical first."""
    nearest, cosines, taken = assign_in_waves(space, centres, thresholds, waves, learned=learned)
    members: list[list[tuple[int, float]]] = [[] for _ in centres]
    for row in np.flatnonzero(taken).tolist():
        members[nearest[row, 0]].append((row, float(cosines[row, 0])))
    return [sorted(rows, key=lambda member: (-member[1], member[0])) for rows in members]


def _cause_priors(
    encoded: EncodedOpinions, members: Sequence[Sequence[tuple[int, float]]], heads: Heads, cause_weights: Vectors
) -> Vectors:
    """Return how often each cause occurs in each leaf, ``(leaves, causes)``."""
    causes = score_causes(align_vectors(encoded.head_vectors, encoded.texts, encoded.languages, heads.language_means), cause_weights)
    priors = [cause_prior(causes[[row for row, _ in rows]]) for rows in members]
    return np.array(priors, np.float32).reshape(-1, cause_weights.shape[1])


def _name_themes(
    encoded: EncodedOpinions,
    opinions: Sequence[Opinion],
    members: Sequence[Sequence[tuple[int, float]]],
    fitted: Clusters,
    masks: tuple[str, ...],
    place: Callable[[Sequence[str], Sequence[str]], Vectors],
    labeller: LlmLabeller | None,
    *,
    beside: Sequence[Theme] = (),
    adopted: Mapping[int, str] = MappingProxyType({}),
    retired: Collection[str] = (),
) -> tuple[list[Theme], list[Theme], list[str]]:
    """Label leaves and parents by their members in the whole corpus; ids hash the most typical members.

    ``place`` puts (texts, languages) into the theme space. ``beside`` are themes that are there already: no name and no id of theirs is
    given again. ``adopted`` says which leaves go under a parent among them; the others share new parents.
    """
    used_names = [name for theme in beside for name in theme.names.values()]
    used_ids = {*retired, *(theme.id for theme in beside)}
    uses = Counter(encoded.opinion_row)
    first_opinion: dict[int, Opinion] = {}
    for opinion, row in zip(opinions, encoded.opinion_row, strict=True):
        first_opinion.setdefault(row, opinion)
    members = [rows[:_MOST_MEMBERS_TO_LABEL] for rows in members]

    def encode_phrases(phrases: Sequence[str]) -> Vectors:
        languages = ["zh" if any("\u4e00" <= letter <= "\u9fff" for letter in phrase) else "en" for phrase in phrases]
        return place(phrases, languages)

    evidence = [
        ThemeMembers(
            texts=tuple(first_opinion[row].text for row, _ in rows),
            languages=tuple(encoded.languages[row] for row, _ in rows),
            weights=tuple(uses[row] for row, _ in rows),
            closeness=tuple(round(cosine, 6) for _, cosine in rows),
        )
        for rows in members
    ]
    labels = label_themes(evidence, encode=encode_phrases, centres=fitted.centres, masks=masks, taken=used_names)
    if labeller is not None:
        labels = labeller.rename(labels, evidence)
    leaf_ids = [_theme_id("t", [encoded.texts[row] for row, _ in rows[:5]], used_ids) for rows in members]
    kin = [
        [leaf for leaf in np.flatnonzero(fitted.parents == parent).tolist() if leaf not in adopted]
        for parent in set(fitted.parents.tolist())
    ]
    groups = sorted(group for group in kin if group)
    parent_labels = label_parents(groups, evidence, labels, masks=masks, taken=used_names)
    parent_ids = [_theme_id("p", sorted(leaf_ids[leaf] for leaf in group), used_ids) for group in groups]
    parent_of = {leaf: parent_ids[number] for number, group in enumerate(groups) for leaf in group} | dict(adopted)
    leaves = [
        _theme(leaf_ids[leaf], parent_of[leaf], label, evidence[leaf], [first_opinion[row] for row, _ in members[leaf]])
        for leaf, label in enumerate(labels)
    ]
    parents = [Theme(parent_ids[number], None, label.names, label.keyphrases) for number, label in enumerate(parent_labels)]
    return leaves, parents, leaf_ids


def _theme(id_: str, parent: str, label: ThemeLabel, members: ThemeMembers, opinions: Sequence[Opinion]) -> Theme:
    exemplars = tuple(Exemplar(opinions[at].id, members.texts[at], members.languages[at]) for at in label.exemplars)
    return Theme(id_, parent, label.names, label.keyphrases, exemplars)


def _theme_id(prefix: str, texts: Sequence[str], used: Collection[str]) -> str:
    """Hash what the theme is known by; once more with a number where the hash was given away."""
    told, turn = chr(0).join(texts), 0
    while True:
        id_ = f"{prefix}-{hashlib.sha256(told.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
        if id_ not in used:
            return id_
        turn += 1
        told = chr(0).join([*texts, str(turn)])
