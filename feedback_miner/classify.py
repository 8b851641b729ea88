"""The classify path: one text in, its opinions, sentiment, themes and causes out, in milliseconds.

Everything it compares with is frozen in the ``ThemeSet`` and the heads; it never looks from one text to another. ``mine()`` fits a theme
set and then codes every row through the same ``OpinionCoder``, so that a text classified alone, in a batch and in an analysis gets the
same answer by construction.
"""

import re
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from feedback_miner.config import DEFAULT_ENCODER
from feedback_miner.domain import (
    CauseScore,
    Coding,
    FeedbackType,
    Opinion,
    Polarity,
    ResidualReason,
    Sentiment,
    ThemeScore,
    ThemeSet,
    Vectors,
    WholeReading,
)
from feedback_miner.embedders import SHIPPED_ENCODERS, Embedder, load_embedder
from feedback_miner.embedders.one_by_one import available_cpus
from feedback_miner.errors import InputError, ThemeSetError
from feedback_miner.reading import ReadOpinion, read_text
from feedback_miner.stages.causes import adjust_to_prior, read_aspects, score_causes
from feedback_miner.stages.clean import matching_text
from feedback_miner.stages.cluster import assign_in_waves
from feedback_miner.stages.mask import EntityMask
from feedback_miner.stages.sentiment import Heads, fold_sentiments, load_heads
from feedback_miner.stages.space import align_vectors, half_precision, theme_space
from feedback_miner.taxonomy import Cause, Taxonomy, parse_taxonomy
from feedback_miner.weights import model_path

__all__ = ["Classification", "ClassifiedOpinion", "Classifier", "OpinionCoder", "check_texts", "fold_polarity", "load_heads_for"]

_LONGEST_TEXT = 10_000
_WORD = re.compile(r"[^\W\d_]+")
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")
_BETWEEN_MARGIN = 0.05
"""Two themes whose cosines differ by less are about equally near."""


@dataclass(frozen=True, slots=True)
class ClassifiedOpinion:
    """One opinion of a classified text; the span counts code points of the text as it was sent."""

    start: int
    end: int
    text: str
    """Redacted."""
    sentiment: Sentiment
    type: FeedbackType
    themes: tuple[ThemeScore, ...]
    residual: ResidualReason | None
    causes: tuple[CauseScore, ...]
    """Evidence spans count code points of the text as it was sent."""


@dataclass(frozen=True, slots=True)
class Classification:
    """What was read in one text."""

    language: str
    polarity: Polarity | None
    """``mixed`` where praise and blame stand side by side; ``None`` without content."""
    sentiment: Sentiment | None
    theme: str | None
    """Of its opinions' themes the one that the text as a whole is about."""
    opinions: tuple[ClassifiedOpinion, ...]
    urgent: tuple[str, ...]
    """Causes mapped here that somebody should look at today."""
    abstained: str | None
    """Why nothing was assigned: ``no_content``, or ``no_theme`` where no opinion fits any theme."""


class OpinionCoder:
    """Codes opinions with a theme set. The one path of assignment, shared by batch and endpoint; safe to share between threads."""

    def __init__(self, theme_set: ThemeSet, embedder: Embedder, heads: Heads, heads_embedder: Embedder) -> None:
        if theme_set.encoder_version != embedder.version:
            raise ThemeSetError(
                f"theme set {theme_set.version} was fitted with encoder {theme_set.encoder_version}, not {embedder.version}; "
                "mine again, or load it with the encoder and package version it was made with"
            )
        if heads.encoder_version != heads_embedder.version:
            raise ThemeSetError(
                f"sentiment heads {heads.version} were fitted on encoder {heads.encoder_version}, not {heads_embedder.version}; "
                "fit them again with `feedback-miner train heads`"
            )
        if theme_set.heads_version != heads.version:
            raise ThemeSetError(
                f"theme set {theme_set.version} was fitted with heads {theme_set.heads_version}, not {heads.version}; "
                "mine again, or load it with the heads and package version it was made with"
            )
        self.theme_set = theme_set
        self._embedder = embedder
        self._heads = heads
        self._heads_embedder = heads_embedder
        self._mask = EntityMask(theme_set.masks)

    def hide_entities(self, matching: str) -> str:
        """Return what the encoder will see of an opinion's matching text."""
        return self._mask.hide(matching)

    def code(
        self,
        opinions: Sequence[tuple[str, str, str]],
        *,
        vectors: Vectors | None = None,
        head_vectors: Vectors | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> list[Coding]:
        """Code ``(id, matching text, language)`` opinions. Evidence spans are left at (0, 0): the caller knows where the opinion stands.

        ``vectors`` and ``head_vectors`` may hand in what was already encoded from ``hide_entities`` of the same texts.
        """
        if not opinions:
            return []
        texts = [self.hide_entities(matching) for _, matching, _ in opinions]
        languages = [language for _, _, language in opinions]
        vectors, head_vectors = self._vectors(texts, vectors, head_vectors, progress)
        sentiments, types = self._heads.read(head_vectors, texts)
        themes = self.theme_set
        space = self._place(texts, languages, vectors, sentiments)
        nearest, cosines, taken = assign_in_waves(space, themes.prototypes, themes.thresholds, themes.wave_starts, learned=themes.learned)
        causes_in = align_vectors(head_vectors, texts, languages, self._heads.language_means)
        scores = score_causes(causes_in, self.theme_set.cause_weights)
        codings = []
        for row, (opinion, _, _) in enumerate(opinions):
            closest = self._closest(nearest[row].tolist(), cosines[row].tolist())
            member = bool(taken[row])
            likely = adjust_to_prior(scores[row], self.theme_set.cause_priors[nearest[row, 0]]) if member else scores[row]
            aspects, causes = read_aspects(likely, self.theme_set.cause_ids, self.theme_set.cause_threshold, sentiments[row], (0, 0))
            codings.append(
                Coding(
                    opinion=opinion,
                    themes=closest[:1] if member else (),
                    residual=None if member else _residual_reason(texts[row], closest),
                    nearest=closest,
                    sentiment=sentiments[row],
                    type=types[row],
                    aspects=aspects,
                    causes=causes,
                )
            )
        return codings

    def read_wholes(
        self,
        wholes: Sequence[tuple[str, str]],
        themes: Sequence[Collection[str]],
        *,
        vectors: Vectors | None = None,
        head_vectors: Vectors | None = None,
    ) -> list[WholeReading]:
        """Read (matching text, language) of whole texts; ``themes[i]`` are those of the opinions of ``wholes[i]``. Vectors as for ``code``.

        A text is about what its opinions are about: among their themes the closest is chosen, never another.
        """
        if not wholes:
            return []
        texts = [self.hide_entities(matching) for matching, _ in wholes]
        vectors, head_vectors = self._vectors(texts, vectors, head_vectors, None)
        sentiments = self._heads.read_sentiments(head_vectors, texts)
        space = self._place(texts, [language for _, language in wholes], vectors, sentiments)
        read = zip(space, themes, sentiments, strict=True)
        return [WholeReading(sentiment, self._closest_of(vector, carried)) for vector, carried, sentiment in read]

    def encode(self, matching: Sequence[str]) -> tuple[Vectors, Vectors]:
        """Return both vectors of matching texts, as ``code`` and ``read_wholes`` take them."""
        return self._vectors([self.hide_entities(text) for text in matching], None, None, None)

    def place(self, opinions: Sequence[tuple[str, str, str]], *, vectors: Vectors, head_vectors: Vectors) -> Vectors:
        """Return the rows of ``(id, matching text, language)`` opinions in the theme space; the vectors as ``code`` takes them."""
        texts = [self.hide_entities(matching) for _, matching, _ in opinions]
        vectors, head_vectors = half_precision(vectors), half_precision(head_vectors)
        sentiments = self._heads.read_sentiments(head_vectors, texts)
        return self._place(texts, [language for _, _, language in opinions], vectors, sentiments)

    def align_phrase(self, phrase: str) -> Vectors:
        """Return a phrase's aligned vector, ``(d,)``, as an opinion's would be before themes are compared.

        Raises InputError where the phrase says nothing.
        """
        reading = read_text(phrase)
        matching = self.hide_entities(matching_text(reading.verbatim.text, reading.language))
        if not any(letter.isalnum() for letter in matching):
            raise InputError("the phrase says nothing to compare opinions with; give a few words")
        vectors = half_precision(self._embedder.encode([matching]))
        aligned: Vectors = align_vectors(vectors, [matching], [reading.language], self.theme_set.language_means)[0]
        return aligned

    def _vectors(
        self, texts: Sequence[str], vectors: Vectors | None, head_vectors: Vectors | None, progress: Callable[[int], None] | None
    ) -> tuple[Vectors, Vectors]:
        """Return both vectors of texts as they are stored; those that are given are not made again."""
        vectors = half_precision(self._embedder.encode(texts, progress=progress) if vectors is None else vectors)
        if head_vectors is None and self._heads_embedder.version == self._embedder.version:
            return vectors, vectors
        return vectors, half_precision(self._heads_embedder.encode(texts) if head_vectors is None else head_vectors)

    def _closest_of(self, vector: Vectors, themes: Collection[str]) -> str | None:
        if len(themes) < 2:
            return next(iter(themes), None)
        names = self.theme_set.prototype_themes
        # One by one, and rounded: neither what other prototypes there are nor where they lie in memory may tip the scales.
        cosines = [(round(float(self.theme_set.prototypes[at] @ vector), 6), name) for at, name in enumerate(names) if name in themes]
        return min(((-cosine, name) for cosine, name in cosines), default=(0.0, min(themes)))[1]

    def _place(self, texts: Sequence[str], languages: Sequence[str], vectors: Vectors, sentiments: Sequence[Sentiment]) -> Vectors:
        aligned = align_vectors(vectors, texts, languages, self.theme_set.language_means)
        return theme_space(aligned, self.theme_set.projection, np.array([sentiment.score for sentiment in sentiments]))

    def _closest(self, nearest: list[int], cosines: list[float]) -> tuple[ThemeScore, ...]:
        names = self.theme_set.prototype_themes
        return tuple(
            ThemeScore(names[at], round(max(0.0, min(1.0, cosine)), 6)) for at, cosine in zip(nearest, cosines, strict=True) if at >= 0
        )


class Classifier:
    """A saved analysis, ready to classify."""

    def __init__(
        self,
        theme_set: ThemeSet,
        *,
        embedder: Embedder | None = None,
        heads: Heads | None = None,
        heads_embedder: Embedder | None = None,
    ) -> None:
        embedder = embedder or load_embedder(theme_set.encoder)
        heads, heads_embedder = load_heads_for(embedder) if heads is None else (heads, heads_embedder or embedder)
        self._coder = OpinionCoder(theme_set, embedder, heads, heads_embedder)
        self._taxonomy: Taxonomy = parse_taxonomy(theme_set.taxonomy, source=f"theme set {theme_set.version}")
        self._causes: dict[str, Cause] = {cause.id: cause for cause in self._taxonomy.causes}

    @classmethod
    def load(cls, directory: str | Path) -> "Classifier":
        """Load the theme set that ``analyze`` or ``Analysis.save`` left in a directory."""
        from feedback_miner.theme_set import load_theme_set

        return cls(load_theme_set(Path(directory)))

    @property
    def theme_set(self) -> ThemeSet:
        """The frozen themes it codes with."""
        return self._coder.theme_set

    @property
    def taxonomy(self) -> Taxonomy:
        """The taxonomy frozen in the theme set."""
        return self._taxonomy

    def align_phrase(self, phrase: str) -> Vectors:
        """Return a phrase's aligned vector, ``(d,)``; raises InputError where it says nothing."""
        return self._coder.align_phrase(phrase)

    def classify(self, texts: Sequence[str]) -> list[Classification]:
        """Classify texts as they come (raw). The same text gets the same answer alone, in any batch, and in ``mine()``."""
        check_texts(texts)
        return [self._classify_one(text) for text in texts]

    def _classify_one(self, text: str) -> Classification:
        reading = read_text(text)
        if not reading.opinions:
            return Classification(reading.language, None, None, None, (), (), "no_content")
        text_as_seen = reading.whole
        # A whole costs about what its opinions do: where another core is free, it is encoded there meanwhile.
        beside = None if text_as_seen is None else _other_cores().submit(self._coder.encode, [text_as_seen])
        codings = self._coder.code([(str(at), opinion.matching, reading.language) for at, opinion in enumerate(reading.opinions)])
        opinions = []
        for opinion, coding in zip(reading.opinions, codings, strict=True):
            start, end = reading.verbatim.source_span(opinion.start, opinion.end)
            causes = tuple(_at_span(cause, start, end) for cause in coding.causes)
            opinions.append(
                ClassifiedOpinion(start, end, opinion.text, coding.sentiment, coding.type, coding.themes, coding.residual, causes)
            )
        carried = dict.fromkeys(theme.theme for coding in codings for theme in coding.themes)
        theme, wholes = next(iter(carried), None), []
        if text_as_seen is not None and beside is not None:
            vectors, head_vectors = self._coder.encode([text_as_seen]) if beside.cancel() else beside.result()
            (whole,) = self._coder.read_wholes([(text_as_seen, reading.language)], [carried], vectors=vectors, head_vectors=head_vectors)
            theme, wholes = whole.theme, [(len(reading.verbatim.text), whole.sentiment)]
        polarity, sentiment = fold_polarity(reading.opinions, [coding.sentiment for coding in codings], wholes)
        urgent = {cause.cause for coding in codings for cause in coding.causes if self._causes[cause.cause].urgent}
        themed = any(coding.themes for coding in codings)
        abstained = None if themed else "no_theme"
        return Classification(reading.language, polarity, sentiment, theme, tuple(opinions), tuple(sorted(urgent)), abstained)


@cache
def _other_cores() -> ThreadPoolExecutor:
    """Return what encodes beside the threads that classify: what it has not begun when it is wanted, they take back."""
    return ThreadPoolExecutor(available_cpus(), thread_name_prefix="whole")


def check_texts(texts: Sequence[str]) -> None:
    """Raise InputError where these are no texts to classify."""
    if isinstance(texts, str):
        raise InputError("classify takes a list of texts; put the one text in a list")
    for at, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"text {at} is {type(text).__name__}, not text; classify takes a list of strings")
        if len(text) > _LONGEST_TEXT:
            raise InputError(f"text {at} has {len(text)} characters; classify takes at most {_LONGEST_TEXT}, longer ones go through mine()")


def fold_polarity(
    opinions: Sequence[ReadOpinion | Opinion], sentiments: Sequence[Sentiment], wholes: Sequence[tuple[int, Sentiment]] = ()
) -> tuple[Polarity, Sentiment]:
    """Derive a text's polarity from its opinions: mixed where a clearly negative and a clearly positive one stand side by side.

    ``wholes`` are (length, sentiment) of texts of several opinions read as a whole: to the fold, opinions like any other. What one opinion
    leaves open another often says.
    """
    lengths = [*(opinion.end - opinion.start for opinion in opinions), *(length for length, _ in wholes)]
    whole = fold_sentiments([*sentiments, *(sentiment for _, sentiment in wholes)], lengths)
    blamed = any(sentiment.negative > 0.5 for sentiment in sentiments)
    praised = any(sentiment.positive > 0.5 for sentiment in sentiments)
    return (Polarity.MIXED if blamed and praised else whole.label), whole


def load_heads_for(embedder: Embedder) -> tuple[Heads, Embedder]:
    """Return the heads of an embedder, and the embedder they read: its own where it has heads, else the embedded default's.

    Sentiment does not depend on which encoder finds the themes. Heads exist for the encoders we ship, and beside an encoder of the user's
    own where ``train heads`` put them. Nothing falls back in silence: the versions of both are part of every result.
    """
    if embedder.name in SHIPPED_ENCODERS:
        return load_heads(model_path(f"{embedder.name}/heads.npz")), embedder
    own = Path(embedder.name) / "heads.npz"
    if own.is_file():
        return load_heads(own), embedder
    return load_heads(model_path(f"{DEFAULT_ENCODER}/heads.npz")), load_embedder(DEFAULT_ENCODER)


def _residual_reason(matching: str, closest: Sequence[ThemeScore]) -> ResidualReason:
    if len(_HAN.findall(matching)) + len(_WORD.findall(_HAN.sub(" ", matching))) < 3:
        return ResidualReason.TOO_SHORT
    if len({near.theme for near in closest}) == 2 and closest[0].strength - closest[1].strength < _BETWEEN_MARGIN:
        return ResidualReason.BETWEEN
    return ResidualReason.ALONE


def _at_span(cause: CauseScore, start: int, end: int) -> CauseScore:
    return CauseScore(cause.cause, cause.score, cause.runner_up, cause.runner_up_score, start, end)
