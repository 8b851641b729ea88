"""The nouns. Frozen values that every stage takes and returns; imports nothing of ours.

    FeedbackItem --> Document --> Opinion --> Coding
    (a response)    (a text cell) (a span)   (what was read in it)

    Theme, ThemeSet     found in the data, frozen: all that is needed to code new text
    LineageEvent        what became of a theme from one theme set to the next
    Measure             a theme or cause, counted: people, share, polarity, score, impact, trend
    Findings            everything a run learned, equal for equal input: what analysis.json holds
    Run                 what may differ between two runs over the same input: times, names, row numbers

Spans are half-open ``[start, end)`` in Unicode code points. Shares are 0..1. Vectors are bare ``float32 (n, d)`` arrays,
row i belonging to opinions[i].
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Aspect",
    "CauseScore",
    "Coding",
    "ColumnMapping",
    "ContentStatus",
    "Counts",
    "Document",
    "Exemplar",
    "FeedbackItem",
    "FeedbackType",
    "Findings",
    "Impact",
    "Interval",
    "ItemRecord",
    "LineageEvent",
    "LineageKind",
    "Measure",
    "Opinion",
    "Polarity",
    "ResidualReason",
    "RowIssue",
    "Run",
    "ScoreKind",
    "ScoreSummary",
    "Sentiment",
    "Theme",
    "ThemeScore",
    "ThemeSet",
    "Trend",
    "Vectors",
]

Vectors = NDArray[np.float32]
"""Shape ``(n, d)``, unit rows unless said otherwise."""


class ScoreKind(StrEnum):
    """What a number in the score column means."""

    NPS = "nps"  # 0..10, likelihood to recommend
    CSAT = "csat"  # 1..5, satisfaction
    CES = "ces"  # 1..7, agreement that it was easy: higher is better
    STARS = "stars"  # 1..5


class Polarity(StrEnum):
    """Sentiment as a class. A comment, not an opinion, may also be mixed."""

    NEGATIVE = "negative"
    NEUTRAL = "neutral"
    POSITIVE = "positive"
    MIXED = "mixed"


class FeedbackType(StrEnum):
    """What the customer does with the sentence."""

    COMPLAINT = "complaint"
    PRAISE = "praise"
    SUGGESTION = "suggestion"
    QUESTION = "question"
    STATEMENT = "statement"  # none of the four: reported, never hidden


class ContentStatus(StrEnum):
    """Where a document ended up. Every document has exactly one."""

    THEMED = "themed"  # at least one opinion belongs to a theme
    RESIDUAL = "residual"  # mined, no opinion fits a theme; each opinion says why
    NO_CONTENT = "no_content"  # "n/a", "nothing", dots, only links or emoji without meaning


class ResidualReason(StrEnum):
    """Why an opinion belongs to no theme."""

    TOO_SHORT = "too_short"
    BETWEEN = "between"  # about as close to two themes, and far from both
    ALONE = "alone"  # too few others say anything like it
    MOVED_OUT = "moved_out"  # an analyst took it out of its theme
    NO_CONTENT = "no_content"  # an analyst: it says nothing


@dataclass(frozen=True, slots=True)
class FeedbackItem:
    """One response as it arrived. Raw: it lives only between ingest and redaction."""

    id: str
    """Content hash; the n-th identical response gets the suffix ``-n``. Independent of file name and row order."""
    row: int
    """Line (text formats) or record number (others) in the source, counted from 1 with the header as line 1."""
    texts: tuple[tuple[str, str], ...]
    """(column, raw text) of each non-blank text cell."""
    score: float | None = None
    created_at: datetime | None = None
    customer: str | None = None
    channel: str | None = None
    weight: float = 1.0
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """Which column plays which role, and why it was taken to."""

    texts: tuple[str, ...]
    score: str | None = None
    score_kind: ScoreKind | None = None
    date: str | None = None
    customer: str | None = None
    channel: str | None = None
    weight: str | None = None
    attributes: tuple[str, ...] = ()
    format: str = "plain"
    """``plain``, ``qualtrics``, ``surveymonkey``, ``delighted``, ``wjx``, ``tencent``, ``chat``, …"""
    reasons: tuple[tuple[str, str], ...] = ()
    """(column, one sentence) for every role given or refused."""


@dataclass(frozen=True, slots=True)
class RowIssue:
    """A row, or one of its cells, that could not be used as it was. Never carries the cell's text."""

    row: int
    column: str | None
    reason: str
    kept: bool
    """True: the row was mined without that cell's value. False: the row was rejected."""


@dataclass(frozen=True, slots=True)
class Document:
    """One text cell after repair and redaction: the verbatim that everything downstream quotes."""

    id: str
    """``<item id>.<cell number>``."""
    item: str
    column: str
    text: str
    language: str
    """ISO 639-1 code, or ``und`` where it cannot be told."""
    status: ContentStatus
    copies: int = 1
    """How many documents of this run carry this very text (itself included)."""
    repost: bool = False
    """A retweet or forwarded copy of somebody else's words."""
    redactions: tuple[tuple[str, int], ...] = ()
    """(placeholder kind, count), sorted."""
    theme: str | None = None
    """Of its opinions' themes the one that the text as a whole is about; ``None`` where none has any."""


@dataclass(frozen=True, slots=True)
class Opinion:
    """One span of a document that says one thing: ``document.text[start:end] == text``."""

    id: str
    """``<document id>#<start>``."""
    document: str
    start: int
    end: int
    text: str


@dataclass(frozen=True, slots=True)
class Sentiment:
    """Calibrated probabilities; ``score`` is positive minus negative, in -1..1."""

    negative: float
    neutral: float
    positive: float

    @property
    def score(self) -> float:
        """Positive minus negative, -1..1."""
        return self.positive - self.negative

    @property
    def label(self) -> Polarity:
        """The most probable class; ties go to the less emotional one."""
        ranked = ((self.neutral, 2, Polarity.NEUTRAL), (self.negative, 1, Polarity.NEGATIVE), (self.positive, 0, Polarity.POSITIVE))
        return max(ranked)[2]


@dataclass(frozen=True, slots=True)
class ThemeScore:
    """Membership of an opinion in a leaf theme; strength 0..1."""

    theme: str
    strength: float


@dataclass(frozen=True, slots=True)
class Aspect:
    """What an opinion is about, polarity-free: a cause's aspect, praised or blamed."""

    cause: str
    score: float


@dataclass(frozen=True, slots=True)
class CauseScore:
    """A root cause read in a negative opinion, with its evidence."""

    cause: str
    score: float
    """Calibrated, 0..1."""
    runner_up: str | None
    runner_up_score: float
    start: int
    end: int
    """The evidence: ``document.text[start:end]``."""


@dataclass(frozen=True, slots=True)
class Coding:
    """What was read in one opinion."""

    opinion: str
    themes: tuple[ThemeScore, ...]
    """Strongest first; empty for the residual."""
    residual: ResidualReason | None
    nearest: tuple[ThemeScore, ...]
    """The two closest themes, whether assigned or not."""
    sentiment: Sentiment
    type: FeedbackType
    aspects: tuple[Aspect, ...]
    causes: tuple[CauseScore, ...]
    """Empty: unmapped, or not negative."""
    edited: tuple[str, ...] = ()
    """Which of ``themes``, ``sentiment``, ``type`` and ``causes`` an analyst said, not the theme set."""


@dataclass(frozen=True, slots=True)
class WholeReading:
    """What was read in all of a text of several opinions."""

    sentiment: Sentiment
    theme: str | None
    """Of its opinions' themes the one it is closest to; ``None`` where none has any."""


@dataclass(frozen=True, slots=True)
class Exemplar:
    """An opinion that shows what a theme is about."""

    opinion: str
    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Theme:
    """A theme as it is named and shown. Parents have ``parent is None`` and no prototype of their own."""

    id: str
    parent: str | None
    """Id of the parent theme; ``None`` for a parent itself. Every leaf has one."""
    names: Mapping[str, str]
    """Language -> 2-6 words. Has at least the language most of its members are written in."""
    keyphrases: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    exemplars: tuple[Exemplar, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class ThemeSet:
    """All that is needed to code new text with these themes. Frozen; saved as JSON + npz, never pickle."""

    version: str
    """Hash over everything below."""
    themes: tuple[Theme, ...]
    """Leaves and parents, sorted by id."""
    encoder: str
    """Name of the embedder, as in the config."""
    encoder_version: str
    heads_version: str
    """Of the heads whose polarity is part of the theme space."""
    prototypes: Vectors
    """(prototypes, d + p + 1): unit rows in the theme space (see ``stages/space.py``), one or more for each leaf."""
    prototype_themes: tuple[str, ...]
    """The leaf that each prototype row belongs to."""
    thresholds: NDArray[np.float32]
    """Least similarity for membership, one for each prototype row."""
    language_means: Mapping[str, NDArray[np.float32]]
    """What is subtracted before comparison, by language; key ``und`` is the global mean."""
    projection: Vectors
    """(d, p): the theme projection they were fitted with; p may be 0."""
    masks: tuple[str, ...]
    """Brand, product and handle names found in the data; hidden from the encoder."""
    taxonomy: Mapping[str, object]
    """The taxonomy pack used, as data (id, version, …), so that a saved theme set stands alone."""
    cause_ids: tuple[str, ...]
    """Columns of ``cause_weights``; the last one is ``unmapped``."""
    cause_weights: Vectors
    """(d + 1, causes, facets): see `stages.causes`; the last row is the intercept."""
    cause_priors: Vectors
    """(prototypes, causes): how often each cause occurs in the leaf of each prototype; rows sum to 1."""
    cause_threshold: float
    wave_starts: tuple[int, ...] = ()
    """Rows of ``prototypes`` at which those born in later waves begin, rising. They are asked only where all rows before them refuse."""
    learned: int = 0
    """How many rows of ``prototypes``, the first ones, are opinions that analysts moved. They are asked before all others, and have no
    part in what they do not take."""


class LineageKind(StrEnum):
    """What became of a theme, or where it came from."""

    CONTINUED = "continued"  # the same theme: keeps its id
    MERGED = "merged"  # most of an old theme went into a new one that holds more than that
    SPLIT = "split"  # most of a new theme came out of an old one that held more than that
    BORN = "born"  # a new theme that came out of none
    RETIRED = "retired"  # an old theme that went into none


@dataclass(frozen=True, slots=True)
class LineageEvent:
    """One tie between the leaves of two theme sets over the same opinions, with the overlap that proves it."""

    kind: LineageKind
    old: str | None
    """Leaf of the old set. Of a birth: the leaf that shares most with it, if any does, to show how little that is."""
    new: str | None
    """Leaf of the new set. Of a retirement: the leaf that shares most with it, if any does."""
    shared: int
    """Opinions in both."""
    old_opinions: int
    """Opinions in the old leaf; 0 without one."""
    new_opinions: int

    @property
    def jaccard(self) -> float:
        """Shared opinions among those in either, 0..1."""
        return self.shared / max(1, self.old_opinions + self.new_opinions - self.shared)

    @property
    def share_of_old(self) -> float:
        """How much of the old leaf is in the new one, 0..1."""
        return self.shared / max(1, self.old_opinions)

    @property
    def share_of_new(self) -> float:
        """How much of the new leaf is from the old one, 0..1."""
        return self.shared / max(1, self.new_opinions)


@dataclass(frozen=True, slots=True)
class Interval:
    """A 95 % interval, in the unit of its value."""

    low: float
    high: float


@dataclass(frozen=True, slots=True)
class ScoreSummary:
    """A score over some responses: NPS -100..100; CSAT, share 0..1 of top-2 answers; CES and stars, mean in scale units."""

    kind: ScoreKind
    value: float
    interval: Interval
    people: int
    few: bool
    """Under 30 answers: read with care."""
    groups: Mapping[str, int]
    """NPS: detractors, passives, promoters; CSAT: satisfied, unsatisfied; CES and stars: answers by whole number."""
    mean: float
    top_box: float | None = None
    """CES and stars: share of answers in the top two boxes, 0..1."""


@dataclass(frozen=True, slots=True)
class Impact:
    """Leave-out: score of all minus score without these people, in points of the score."""

    leave_out: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Trend:
    """Share of each period's people, and whether it moved."""

    periods: tuple[str, ...]
    """ISO labels of equal periods, oldest first: ``2026-05``, ``2026-W21`` or ``2026-05-17``."""
    people: tuple[int, ...]
    base: tuple[int, ...]
    """All people with text in the period."""
    direction: str
    """``rising``, ``falling``, ``steady``, ``new`` or ``gone``."""
    change: float
    """Share in the later half minus share in the earlier half."""
    p_adjusted: float
    """Benjamini-Hochberg over all subjects of one kind."""


@dataclass(frozen=True, slots=True)
class Measure:
    """One theme, cause or driver, counted."""

    subject: str
    people: int
    """Responses with at least one opinion on it."""
    customers: int | None
    """Distinct customers among them, where the file has a key."""
    opinions: int
    share: float
    """Of the responses with minable text, survey weights applied."""
    interval: Interval
    polarity: Mapping[str, int]
    """Opinions by negative / neutral / positive: kept apart, never netted."""
    types: Mapping[str, int]
    score: ScoreSummary | None
    """Of its people; ``None`` without a score or under the minimum group size."""
    impact: Impact | None
    trend: Trend | None


@dataclass(frozen=True, slots=True)
class Counts:
    """Every row accounted for: rows = rejected + without_text + no_content + themed + residual."""

    rows: int
    rejected: int
    without_text: int
    no_content: int
    themed: int
    residual: int
    documents: int
    opinions: int
    distinct_texts: int
    reposts: int
    redactions: Mapping[str, int]
    languages: Mapping[str, int]
    """Documents by language."""
    residual_opinions: Mapping[str, int]
    """Opinions outside every theme, by reason."""
    unmapped_opinions: int
    """Negative opinions without a cause."""


@dataclass(frozen=True, slots=True)
class ItemRecord:
    """What is kept of a response after redaction."""

    id: str
    status: str
    """``themed``, ``residual``, ``no_content`` or ``without_text``: the best of its documents."""
    score: float | None
    created_at: datetime | None
    customer: str | None
    channel: str | None
    weight: float
    attributes: Mapping[str, str]
    sentiment: Polarity | None
    """Of the whole response; ``None`` without minable text."""
    sentiment_score: float | None


@dataclass(frozen=True, slots=True)
class Findings:
    """Everything a run learned. Two runs over the same rows, in whatever order, are equal here."""

    schema: str
    version: str
    """Of this package."""
    versions: Mapping[str, str]
    """taxonomy_version, theme_set_version, model_version."""
    config: Mapping[str, object]
    columns: ColumnMapping
    counts: Counts
    score: ScoreSummary | None
    score_trend: tuple[tuple[str, ScoreSummary], ...]
    """(period, score) oldest first; empty without dates or score."""
    themes: tuple[Theme, ...]
    theme_measures: tuple[Measure, ...]
    """One for every theme, leaf and parent, most people first."""
    cause_measures: tuple[Measure, ...]
    """Causes and drivers: people with at least one *negative* opinion mapped to it."""
    strength_measures: tuple[Measure, ...]
    """Aspects praised: people with at least one *positive* opinion on the cause's aspect."""
    detractor_causes: tuple[tuple[str, str, int], ...]
    """(leaf theme id, cause id or ``unmapped``, people): detractors' negative opinions; without a score, everyone's."""
    items: tuple[ItemRecord, ...]
    documents: tuple[Document, ...]
    opinions: tuple[Opinion, ...]
    codings: tuple[Coding, ...]
    """codings[i] belongs to opinions[i]."""


@dataclass(frozen=True, slots=True)
class Run:
    """What may differ between two runs over the same rows; analysis.json keeps it apart under ``run``."""

    started_at: datetime
    seconds: Mapping[str, float]
    """By stage."""
    source: str
    source_sha256: str | None
    rows: Mapping[str, int]
    """Item id -> row number in the source."""
    issues: tuple[RowIssue, ...]
    machine: str = ""
    notes: tuple[str, ...] = ()
    """What went differently than asked, and how it was dealt with."""
