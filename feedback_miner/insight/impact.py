"""Leave-out impact: answers and a theme's people in, the points that the score owes them out. Pure, seeded, the same whatever the row
order.

``impact = score(all) - score(all without the theme's people)``. Book-keeping, not effect: a theme that merely rides along with another
one gets some of the other's impact. The interval is a percentile bootstrap over people (B. Efron and R. Tibshirani,
1993, § 13.3).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feedback_miner.domain import Impact, Interval, ScoreKind
from feedback_miner.insight.scores import Numbers, score_contributions

__all__ = ["measure_impacts"]

_MOST_CELLS = 512
"""Up to here people are redrawn as counts of equal cells;
beyond it (continuous weights) the redrawn sums are taken at their normal limit.
"""


@dataclass(frozen=True, slots=True)
class _Cells:
    """Equal people (same contribution, same weight) counted together: a bootstrap over a handful of counts instead of over people."""

    moments: NDArray[np.float64]
    """One row for each cell: w, wc, w^2, w^2 c, w^2 c^2 of weight w and contribution c."""
    people: NDArray[np.int64]
    cell_of: NDArray[np.int64]
    """The cell of each person."""
    total: NDArray[np.float64]
    """The moments, summed over all people."""


def measure_impacts(
    scores: Numbers,
    members: Mapping[str, Iterable[int] | NDArray[np.int64]],
    kind: ScoreKind,
    *,
    samples: int,
    seed: int,
    weights: Numbers | None = None,
) -> dict[str, Impact | None]:
    """Return the leave-out impact of every subject; ``members`` holds the positions of its people in ``scores``.

    Every subject is redrawn from the same seed, so its interval does not depend on which other subjects there are.
    """
    answers = np.asarray(scores, dtype=np.float64)
    if answers.size == 0:
        return dict.fromkeys(members)
    given = np.ones_like(answers) if weights is None else np.asarray(weights, dtype=np.float64)
    cells = _group_people(score_contributions(answers, kind), given)
    return {subject: _leave_out(cells, np.asarray(positions, dtype=np.int64), samples, seed) for subject, positions in members.items()}


def _group_people(contributions: NDArray[np.float64], weights: NDArray[np.float64]) -> _Cells:
    """Group people by (contribution, weight); the cells come out sorted, so the order of the rows is forgotten here."""
    _, by_contribution = np.unique(contributions, return_inverse=True)
    distinct_weights, by_weight = np.unique(weights, return_inverse=True)
    _, first, cell_of, people = np.unique(
        by_contribution.astype(np.int64) * distinct_weights.size + by_weight, return_index=True, return_inverse=True, return_counts=True
    )
    weight, contribution = weights[first], contributions[first]
    weighted = weight * contribution
    moments = np.column_stack([weight, weighted, weight * weight, weight * weighted, weighted * weighted])
    return _Cells(moments, people.astype(np.int64), cell_of.astype(np.int64), people @ moments)


def _leave_out(cells: _Cells, positions: NDArray[np.int64], samples: int, seed: int) -> Impact | None:
    # Sorted, so that the sum does not depend on the order of the rows, not even in its last bit.
    members = np.sort(cells.cell_of[positions])
    rest = cells.total - cells.moments[members].sum(axis=0)
    left = int(cells.people.sum()) - members.size
    if not members.size or not left or rest[0] <= 1e-9 * cells.total[0] or rest[0] >= cells.total[0]:
        return None
    value = float(cells.total[1] / cells.total[0] - rest[1] / rest[0])
    generator = np.random.default_rng(seed)
    if cells.people.size <= _MOST_CELLS:
        sums = _redraw_people(cells, np.bincount(members, minlength=cells.people.size), samples, generator)
    else:
        sums = _redraw_sums(cells, rest, samples, generator)
    sums = sums[sums[:, 2] > 0]
    if not len(sums):
        return Impact(value, Interval(value, value))
    low, high = np.quantile(sums[:, 1] / sums[:, 0] - sums[:, 3] / sums[:, 2], [0.025, 0.975])
    # With very few people the percentiles may miss the value itself.
    return Impact(value, Interval(min(float(low), value), max(float(high), value)))


def _redraw_people(cells: _Cells, inside: NDArray[np.int64], samples: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Draw as many people as there are, with replacement, ``samples`` times.

    Returns ``(samples, 4)``: weight and weighted contributions of all, the same two of those outside the theme.
    """
    sums = cells.moments[:, :2]
    rows = np.concatenate([np.hstack([sums, np.zeros_like(sums)]), np.hstack([sums, sums])])
    counts = np.concatenate([inside, cells.people - inside])
    kept = counts > 0
    people = int(counts.sum())
    return np.asarray(generator.multinomial(people, counts[kept] / people, size=samples) @ rows[kept], dtype=np.float64)


def _redraw_sums(cells: _Cells, rest: NDArray[np.float64], samples: int, generator: np.random.Generator) -> NDArray[np.float64]:
    """Draw what ``_redraw_people`` returns from its normal limit, for which sums over people are enough."""
    whole = cells.total
    sums = np.array([whole[0], whole[1], rest[0], rest[1]])
    second = np.array(
        [
            [whole[2], whole[3], rest[2], rest[3]],
            [whole[3], whole[4], rest[3], rest[4]],
            [rest[2], rest[3], rest[2], rest[3]],
            [rest[3], rest[4], rest[3], rest[4]],
        ]
    )
    covariance = second - np.outer(sums, sums) / int(cells.people.sum())
    return np.asarray(generator.multivariate_normal(sums, covariance, size=samples, method="eigh", check_valid="ignore"), dtype=np.float64)
