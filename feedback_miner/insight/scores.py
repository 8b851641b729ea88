"""Scores with their intervals: answers (and survey weights) in, a ``ScoreSummary`` out. Pure; never reads texts, never rounds.

All intervals are 95 %. Weights enter through Kish's effective sample size, ``(sum w)^2 / sum w^2`` (L. Kish, Survey Sampling, 1965, §
11.7), so that uneven weights widen every interval. Counts of people stay counts.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from feedback_miner.domain import Interval, ScoreKind, ScoreSummary
from feedback_miner.errors import InputError

__all__ = [
    "FEW_PEOPLE",
    "GROUPS",
    "SCALES",
    "Numbers",
    "effective_size",
    "is_detractor",
    "nps_interval",
    "score_contributions",
    "score_range",
    "summarise_scores",
    "wilson_interval",
]

Numbers: TypeAlias = Sequence[float] | NDArray[np.float64]

FEW_PEOPLE = 30
"""Under this many answers a score is marked ``few``, and NPS takes its adjusted interval."""

SCALES = {ScoreKind.NPS: (0.0, 10.0), ScoreKind.CSAT: (1.0, 5.0), ScoreKind.CES: (1.0, 7.0), ScoreKind.STARS: (1.0, 5.0)}
"""Lowest and highest answer of each kind of score."""

_Z = 1.959963984540054
_TOP_TWO = {ScoreKind.CSAT: 4.0, ScoreKind.CES: 6.0, ScoreKind.STARS: 4.0}
_UNHAPPY_BELOW = {ScoreKind.CSAT: 4.0, ScoreKind.CES: 5.0, ScoreKind.STARS: 4.0}

_ABOVE_SIX = float(np.nextafter(6.0, 7.0))
GROUPS: Mapping[ScoreKind, Mapping[str, tuple[float, float]]] = {
    ScoreKind.NPS: {"detractor": (-np.inf, _ABOVE_SIX), "passive": (_ABOVE_SIX, 9.0), "promoter": (9.0, np.inf)},
    ScoreKind.CSAT: {"unsatisfied": (-np.inf, 4.0), "satisfied": (4.0, np.inf)},
    ScoreKind.CES: {"low": (-np.inf, 5.0), "middle": (5.0, 6.0), "high": (6.0, np.inf)},
    ScoreKind.STARS: {"low": (-np.inf, 4.0), "high": (4.0, np.inf)},
}
"""Groups of people by their answer, ``[low, high)``, worst first. Every answer is in one of them."""


def is_detractor(value: float, kind: ScoreKind) -> bool:
    """Tell whether somebody who gave this answer counts as unhappy:
    NPS 0-6, CSAT and stars under 4, CES under 5 (not agreeing that it was easy).
    """
    return value <= 6 if kind is ScoreKind.NPS else value < _UNHAPPY_BELOW[kind]


def score_range(group: str, kind: ScoreKind) -> tuple[float, float]:
    """Return which answers, ``[low, high)``, belong to a group of ``GROUPS``. Raises InputError where the kind has no such group."""
    found = GROUPS[kind].get(group)
    if found is None:
        raise InputError(f"{kind.value} scores have no group {group!r}; choose among {', '.join(GROUPS[kind])}")
    return found


def effective_size(weights: NDArray[np.float64]) -> float:
    """Return Kish's effective sample size; 0 where nobody has any weight."""
    squares = float(np.sum(weights * weights))
    return float(np.sum(weights)) ** 2 / squares if squares > 0 else 0.0


def wilson_interval(successes: float, n: float) -> Interval:
    """Return the Wilson score interval of a share; both numbers may be fractional (weighted shares with an effective ``n``).

    E. B. Wilson, JASA 22 (1927) 209-212. Without any answers it is 0..1: nothing is known.
    """
    if n <= 0:
        return Interval(0.0, 1.0)
    share = min(max(successes / n, 0.0), 1.0)
    spread = _Z * _Z / n
    centre = (share + spread / 2) / (1 + spread)
    half = _Z * np.sqrt(share * (1 - share) / n + spread / (4 * n)) / (1 + spread)
    # Floating point may miss the exact ends 0 and 1 by an ulp, and then an interval would not hold its own value.
    return Interval(min(max(0.0, float(centre - half)), share), max(min(1.0, float(centre + half)), share))


def nps_interval(promoters: float, detractors: float, n: float, *, adjusted: bool) -> Interval:
    """Return the interval of an NPS from the two shares; ``n`` may be an effective sample size.

    The variance of the difference of two shares of one multinomial is ``(p + d - (p - d)^2) / n``. ``adjusted`` adds three pseudo-answers
    first, 3/4 promoter, 3/2 passive, 3/4 detractor: the adjusted Wald interval of B. Rocks, "Interval Estimation for the Net Promoter
    Score", The American Statistician 70 (2016) 365-372, which keeps its coverage for few answers and empty cells. It is clipped to +-100
    and, where the shrinkage would leave the score itself outside (a handful of equal answers), widened to hold it.
    """
    value = 100 * (promoters - detractors)
    if adjusted:
        promoters, detractors, n = (promoters * n + 0.75) / (n + 3), (detractors * n + 0.75) / (n + 3), n + 3
    difference = promoters - detractors
    half = _Z * np.sqrt(max(0.0, promoters + detractors - difference * difference) / n)
    low, high = 100 * float(difference - half), 100 * float(difference + half)
    return Interval(max(-100.0, min(low, value)), min(100.0, max(high, value)))


def score_contributions(scores: NDArray[np.float64], kind: ScoreKind) -> NDArray[np.float64]:
    """Return what each answer adds to the score, so that the score is their (weighted) mean:
    NPS -100, 0 or 100; CSAT 0 or 1; else the answer.
    """
    if kind is ScoreKind.NPS:
        return 100.0 * ((scores >= 9).astype(np.float64) - (scores <= 6))
    if kind is ScoreKind.CSAT:
        return (scores >= _TOP_TWO[kind]).astype(np.float64)
    return scores


def summarise_scores(scores: Numbers, kind: ScoreKind, *, weights: Numbers | None = None) -> ScoreSummary | None:
    """Summarise answers of one kind; ``None`` without any (or where all weights are 0).

    ``interval`` is about ``value``: see ``nps_interval`` (adjusted under 30 answers or with an empty group), Wilson for CSAT, Student's t
    for the means.

    Raises:
        InputError: an answer lies outside the scale, or a weight is negative or not a number.
    """
    answers = np.asarray(scores, dtype=np.float64)
    if answers.size == 0:
        return None
    given = np.ones_like(answers) if weights is None else np.asarray(weights, dtype=np.float64)
    _check_answers(answers, kind, given)
    total = float(given.sum())
    if total <= 0:
        return None
    people = int(answers.size)
    size = effective_size(given)
    value = float(np.dot(score_contributions(answers, kind), given)) / total
    mean = float(np.dot(answers, given)) / total
    groups = _count_groups(answers, kind)
    top_box: float | None = None
    if kind is ScoreKind.NPS:
        promoters = float(given[answers >= 9].sum()) / total
        detractors = float(given[answers <= 6].sum()) / total
        interval = nps_interval(promoters, detractors, size, adjusted=people < FEW_PEOPLE or 0 in groups.values())
    elif kind is ScoreKind.CSAT:
        interval = wilson_interval(value * size, size)
    else:
        top_box = float(given[answers >= _TOP_TWO[kind]].sum()) / total
        interval = _mean_interval(answers, given, mean, size, kind)
    return ScoreSummary(
        kind=kind, value=value, interval=interval, people=people, few=people < FEW_PEOPLE, groups=groups, mean=mean, top_box=top_box
    )


def _check_answers(answers: NDArray[np.float64], kind: ScoreKind, weights: NDArray[np.float64]) -> None:
    low, high = SCALES[kind]
    outside = answers[~((answers >= low) & (answers <= high))]
    if outside.size:
        raise InputError(
            f"{outside.size} answers lie outside the {kind.value} scale {low:g}..{high:g}, such as {outside[0]:g}; drop or rescale them"
        )
    if weights.shape != answers.shape:
        raise InputError(f"{weights.size} weights for {answers.size} answers; give one weight for each answer")
    if not bool(np.all(np.isfinite(weights) & (weights >= 0))):
        raise InputError("weights must be finite numbers of 0 or more; mend the weight column")


def _count_groups(answers: NDArray[np.float64], kind: ScoreKind) -> dict[str, int]:
    if kind is ScoreKind.NPS:
        promoters, detractors = int((answers >= 9).sum()), int((answers <= 6).sum())
        return {"detractors": detractors, "passives": int(answers.size) - promoters - detractors, "promoters": promoters}
    if kind is ScoreKind.CSAT:
        satisfied = int((answers >= _TOP_TWO[kind]).sum())
        return {"satisfied": satisfied, "unsatisfied": int(answers.size) - satisfied}
    low, high = SCALES[kind]
    counts = np.bincount(np.floor(answers).astype(np.int64), minlength=int(high) + 1)
    return {str(number): int(counts[number]) for number in range(int(low), int(high) + 1)}


def _mean_interval(answers: NDArray[np.float64], weights: NDArray[np.float64], mean: float, size: float, kind: ScoreKind) -> Interval:
    """Return Student's t interval of a weighted mean, within the scale.

    Equal answers (one answer always is) have no spread, and an interval without width would claim certainty. A mean on a bounded scale
    varies at most like a share of people at the upper end, so Wilson's interval of the rescaled mean is the honest bound there.
    """
    low, high = SCALES[kind]
    squares = float(np.dot(weights, (answers - mean) ** 2)) / float(weights.sum())
    if size <= 1 + 1e-9 or squares <= 1e-12:
        share = wilson_interval((mean - low) / (high - low) * size, size)
        return Interval(low + share.low * (high - low), low + share.high * (high - low))
    half = float(stats.t.ppf(0.975, size - 1)) * np.sqrt(squares / (size - 1))
    return Interval(max(low, float(mean - half)), min(high, float(mean + half)))
