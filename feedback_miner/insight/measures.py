"""Counting: responses, opinions and codings in, the measures of a run out. Pure; near-linear (index arrays); the same whatever the row
order.

The rules of counting. People are responses. A response counts once for a theme, once for its parent, once for a cause, once for its
driver, however often it says so. Shares are over the responses with minable text (themed or residual); survey weights apply to shares and
scores, counts stay counts. Scores are over all responses that gave one, also those without text. A cause counts negative opinions only, a
strength positive ones.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from feedback_miner.domain import (
    Coding,
    Document,
    FeedbackType,
    Impact,
    ItemRecord,
    Measure,
    Opinion,
    Polarity,
    ScoreKind,
    ScoreSummary,
    Theme,
    Trend,
)
from feedback_miner.insight.impact import measure_impacts
from feedback_miner.insight.scores import effective_size, is_detractor, summarise_scores, wilson_interval
from feedback_miner.insight.trends import Periods, divide_time, find_trends

__all__ = ["UNMAPPED", "Measures", "measure"]

UNMAPPED = "unmapped"
"""Stands for the cause of a negative opinion that maps to none."""

_POLARITIES = (Polarity.NEGATIVE, Polarity.NEUTRAL, Polarity.POSITIVE)
_TYPES = tuple(FeedbackType)
_POLARITY_CODES = {polarity: code for code, polarity in enumerate(_POLARITIES)}
_TYPE_CODES = {kind: code for code, kind in enumerate(_TYPES)}
_MINABLE = frozenset({"themed", "residual"})

Indices = NDArray[np.int64]
Pairs = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Measures:
    """What counting gives; the fields are those of ``Findings``."""

    score: ScoreSummary | None
    score_trend: tuple[tuple[str, ScoreSummary], ...]
    theme_measures: tuple[Measure, ...]
    cause_measures: tuple[Measure, ...]
    strength_measures: tuple[Measure, ...]
    detractor_causes: tuple[tuple[str, str, int], ...]


@dataclass(frozen=True, slots=True)
class _Ledger:
    """The responses and opinions of a run as columns, responses in the order of their ids."""

    weights: NDArray[np.float64]
    scores: NDArray[np.float64]
    """NaN: no score given."""
    scored: Indices
    """Responses with a score."""
    scored_position: Indices
    """Response -> its position in ``scored``, -1 without a score."""
    customers: Indices | None
    """Response -> customer code, -1 without one; ``None`` where no response names its customer."""
    minable: NDArray[np.bool_]
    periods: Periods | None
    period_of: Indices
    """Response -> period, -1 without a date or too old."""
    period_base: Indices
    """Responses with minable text, by period."""
    person: Indices
    """Opinion -> response."""
    polarity: Indices
    type: Indices
    kind: ScoreKind | None


def measure(
    items: Sequence[ItemRecord],
    documents: Sequence[Document],
    opinions: Sequence[Opinion],
    codings: Sequence[Coding],
    *,
    themes: Sequence[Theme],
    drivers: Mapping[str, str],
    score_kind: ScoreKind | None = None,
    min_group_people: int = 5,
    bootstrap_samples: int = 400,
    seed: int = 7,
) -> Measures:
    """Count everything. ``codings[i]`` belongs to ``opinions[i]``; ``drivers`` maps every cause of the taxonomy to its driver.

    Every theme and every driver gets a measure, also with nobody in it; causes and strengths only where somebody named them. Score,
    impact and period scores are left out for groups of fewer than ``min_group_people`` answers. ``detractor_causes`` is about the
    opinions of unhappy people (``is_detractor``) in themes; where nobody gave a score, about everybody's.
    """
    ledger = _open_ledger(items, documents, opinions, codings, score_kind)

    def count(subjects: Sequence[str], pairs: Pairs) -> tuple[Measure, ...]:
        return _measure_subjects(ledger, subjects, pairs, min_group_people=min_group_people, bootstrap_samples=bootstrap_samples, seed=seed)

    return Measures(
        score=_summarise(ledger, ledger.scored),
        score_trend=_score_periods(ledger, min_group_people),
        theme_measures=_count_themes(codings, themes, count),
        cause_measures=_count_causes(codings, drivers, count),
        strength_measures=_count_strengths(codings, drivers, count),
        detractor_causes=_cross_causes(codings, ledger),
    )


_Count = Callable[[Sequence[str], Pairs], tuple[Measure, ...]]


def _count_themes(codings: Sequence[Coding], themes: Sequence[Theme], count: _Count) -> tuple[Measure, ...]:
    subjects = [theme.id for theme in themes]
    code = {theme: position for position, theme in enumerate(subjects)}
    parents = {theme.id: theme.parent for theme in themes}
    lineage: dict[str, tuple[int, ...]] = {}
    for theme in subjects:
        line: list[int] = []
        ancestor: str | None = theme
        while ancestor is not None and code[ancestor] not in line:
            line.append(code[ancestor])
            ancestor = parents[ancestor]
        lineage[theme] = tuple(line)
    pairs = [
        (row, subject)
        for row, coding in enumerate(codings)
        for subject in {subject for membership in coding.themes for subject in lineage[membership.theme]}
    ]
    return count(subjects, pairs)


def _count_causes(codings: Sequence[Coding], drivers: Mapping[str, str], count: _Count) -> tuple[Measure, ...]:
    groups = sorted(set(drivers.values()))
    # A driver is always shown, also when nobody blames it: that is a finding.
    subjects = sorted({*drivers, *groups})
    code = {subject: position for position, subject in enumerate(subjects)}
    pairs = [
        (row, subject)
        for row, coding in enumerate(codings)
        if coding.causes and coding.sentiment.label is Polarity.NEGATIVE
        for subject in {code[name] for found in coding.causes for name in (found.cause, drivers[found.cause])}
    ]
    shown = set(groups)
    return tuple(counted for counted in count(subjects, pairs) if counted.people or counted.subject in shown)


def _count_strengths(codings: Sequence[Coding], drivers: Mapping[str, str], count: _Count) -> tuple[Measure, ...]:
    subjects = sorted(drivers)
    code = {subject: position for position, subject in enumerate(subjects)}
    pairs = [
        (row, subject)
        for row, coding in enumerate(codings)
        if coding.aspects and coding.sentiment.label is Polarity.POSITIVE
        for subject in {code[aspect.cause] for aspect in coding.aspects}
    ]
    return tuple(counted for counted in count(subjects, pairs) if counted.people)


def _cross_causes(codings: Sequence[Coding], ledger: _Ledger) -> tuple[tuple[str, str, int], ...]:
    kind = ledger.kind
    everyone = kind is None or not ledger.scored.size
    crossed: dict[tuple[str, str], set[int]] = {}
    for row, coding in enumerate(codings):
        if not coding.themes or coding.sentiment.label is not Polarity.NEGATIVE:
            continue
        person = int(ledger.person[row])
        # A missing score is NaN, and no comparison with NaN holds.
        if not everyone and kind is not None and not is_detractor(float(ledger.scores[person]), kind):
            continue
        causes = [found.cause for found in coding.causes] or [UNMAPPED]
        for membership in coding.themes:
            for cause in causes:
                crossed.setdefault((membership.theme, cause), set()).add(person)
    ranked = sorted((-len(people), theme, cause) for (theme, cause), people in crossed.items())
    return tuple((theme, cause, -people) for people, theme, cause in ranked)


def _open_ledger(
    items: Sequence[ItemRecord],
    documents: Sequence[Document],
    opinions: Sequence[Opinion],
    codings: Sequence[Coding],
    score_kind: ScoreKind | None,
) -> _Ledger:
    # Sorted by id: sums of weights must not depend on the order of the rows, not even in the last bit.
    records = sorted(items, key=lambda item: item.id)
    position = {item.id: row for row, item in enumerate(records)}
    item_of = {document.id: position[document.item] for document in documents}
    scores = np.array([np.nan if item.score is None else item.score for item in records], dtype=np.float64)
    scored = np.flatnonzero(~np.isnan(scores)).astype(np.int64)
    scored_position = np.full(len(records), -1, dtype=np.int64)
    scored_position[scored] = np.arange(scored.size)
    minable = np.array([item.status in _MINABLE for item in records], dtype=np.bool_)
    periods, period_of = _locate_periods(records)
    dated = period_of[minable & (period_of >= 0)]
    return _Ledger(
        weights=np.array([item.weight for item in records], dtype=np.float64),
        scores=scores,
        scored=scored if score_kind is not None else scored[:0],
        scored_position=scored_position,
        customers=_number_customers(records),
        minable=minable,
        periods=periods,
        period_of=period_of,
        period_base=np.bincount(dated, minlength=len(periods.labels) if periods else 0).astype(np.int64),
        person=np.fromiter((item_of[opinion.document] for opinion in opinions), dtype=np.int64, count=len(opinions)),
        polarity=np.fromiter((_POLARITY_CODES[coding.sentiment.label] for coding in codings), dtype=np.int64, count=len(codings)),
        type=np.fromiter((_TYPE_CODES[coding.type] for coding in codings), dtype=np.int64, count=len(codings)),
        kind=score_kind,
    )


def _locate_periods(records: Sequence[ItemRecord]) -> tuple[Periods | None, Indices]:
    times: list[datetime] = [item.created_at for item in records if item.created_at is not None]
    located = np.full(len(records), -1, dtype=np.int64)
    periods = divide_time(times)
    if periods is not None:
        located[np.array([item.created_at is not None for item in records])] = periods.locate(times)
    return periods, located


def _number_customers(records: Sequence[ItemRecord]) -> Indices | None:
    codes = {customer: code for code, customer in enumerate(sorted({item.customer for item in records if item.customer is not None}))}
    if not codes:
        return None
    return np.array([-1 if item.customer is None else codes[item.customer] for item in records], dtype=np.int64)


def _summarise(ledger: _Ledger, people: Indices) -> ScoreSummary | None:
    if ledger.kind is None or not people.size:
        return None
    return summarise_scores(ledger.scores[people], ledger.kind, weights=ledger.weights[people])


def _score_periods(ledger: _Ledger, minimum: int) -> tuple[tuple[str, ScoreSummary], ...]:
    if ledger.periods is None:
        return ()
    by_period = ledger.period_of[ledger.scored]
    rows = []
    for position, label in enumerate(ledger.periods.labels):
        people = ledger.scored[by_period == position]
        summary = _summarise(ledger, people) if people.size >= minimum else None
        if summary is not None:
            rows.append((label, summary))
    return tuple(rows)


def _measure_subjects(
    ledger: _Ledger, subjects: Sequence[str], pairs: Pairs, *, min_group_people: int, bootstrap_samples: int, seed: int
) -> tuple[Measure, ...]:
    """Count (opinion, subject) pairs, each once; the result has most people first, then by subject id."""
    rows, codes = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
    width = len(subjects)
    polarity = _tally(codes, ledger.polarity[rows], width, len(_POLARITIES))
    types = _tally(codes, ledger.type[rows], width, len(_TYPES))
    people = _split_people(codes, ledger.person[rows], width, len(ledger.weights))

    base_weight = float(ledger.weights[ledger.minable].sum())
    base_size = effective_size(ledger.weights[ledger.minable])
    impacts = _find_impacts(ledger, subjects, people, min_group_people, bootstrap_samples, seed)
    trends = _find_trends(ledger, subjects, people, min_group_people)

    measures = []
    for code, subject in enumerate(subjects):
        group = people[code]
        share = min(1.0, float(ledger.weights[group].sum()) / base_weight) if base_weight > 0 else 0.0
        scored = group[ledger.scored_position[group] >= 0]
        measures.append(
            Measure(
                subject=subject,
                people=int(group.size),
                customers=_count_customers(ledger.customers, group),
                opinions=int(polarity[code].sum()),
                share=share,
                interval=wilson_interval(share * base_size, base_size),
                polarity={name.value: int(polarity[code, column]) for column, name in enumerate(_POLARITIES)},
                types={name.value: int(types[code, column]) for column, name in enumerate(_TYPES)},
                score=_summarise(ledger, scored) if scored.size >= min_group_people else None,
                impact=impacts.get(subject),
                trend=trends.get(subject),
            )
        )
    return tuple(sorted(measures, key=lambda counted: (-counted.people, counted.subject)))


def _tally(codes: Indices, values: Indices, width: int, kinds: int) -> NDArray[np.int64]:
    return np.bincount(codes * kinds + values, minlength=width * kinds).reshape(width, kinds)


def _split_people(codes: Indices, persons: Indices, width: int, everyone: int) -> list[Indices]:
    """Return the distinct responses of every subject, each array sorted."""
    distinct = np.unique(codes * everyone + persons)
    subject = distinct // max(everyone, 1)
    return np.split(distinct - subject * everyone, np.searchsorted(subject, np.arange(1, width))) if width else []


def _count_customers(customers: Indices | None, group: Indices) -> int | None:
    if customers is None:
        return None
    named = customers[group]
    return int(np.unique(named[named >= 0]).size)


def _find_impacts(
    ledger: _Ledger, subjects: Sequence[str], people: Sequence[Indices], minimum: int, samples: int, seed: int
) -> Mapping[str, Impact | None]:
    if ledger.kind is None or not ledger.scored.size:
        return {}
    members = {}
    for code, subject in enumerate(subjects):
        positions = ledger.scored_position[people[code]]
        positions = positions[positions >= 0]
        if positions.size >= minimum:
            members[subject] = positions
    return measure_impacts(
        ledger.scores[ledger.scored], members, ledger.kind, samples=samples, seed=seed, weights=ledger.weights[ledger.scored]
    )


def _find_trends(ledger: _Ledger, subjects: Sequence[str], people: Iterable[Indices], minimum: int) -> dict[str, Trend]:
    if ledger.periods is None:
        return {}
    width = len(ledger.periods.labels)
    counts = {}
    for subject, group in zip(subjects, people, strict=True):
        located = ledger.period_of[group]
        counts[subject] = np.bincount(located[located >= 0], minlength=width).astype(np.int64)
    return find_trends(ledger.periods, counts, ledger.period_base, minimum_people=minimum)
