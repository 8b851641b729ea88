"""Trends: times of people in, shares per period and whether they moved out. Pure; shares of volume, never counts, so a bigger upload
alarms nobody.

The periods are equal: months where the times span more than 75 days, ISO weeks above 14 days, else days; at most the latest 36 of them.
Shares are tested for a linear trend over the periods with each period's people as exposure (over two periods that is the plain
comparison of two shares), and the p-values are adjusted over all subjects of a kind.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from feedback_miner.domain import Trend

__all__ = ["MOST_PERIODS", "Periods", "compare_shares", "divide_time", "find_trends", "measure_trends", "trend_in_shares"]

MOST_PERIODS = 36
_SIGNIFICANCE = 0.05


@dataclass(frozen=True, slots=True)
class Periods:
    """Equal periods, oldest first, without gaps: a period in which nobody wrote is a period with 0 people."""

    unit: str
    """``month``, ``week`` or ``day``."""
    labels: tuple[str, ...]

    def locate(self, times: Iterable[datetime]) -> NDArray[np.int64]:
        """Return the position of the period that holds each time, -1 for a time before the first one."""
        positions = {label: position for position, label in enumerate(self.labels)}
        return np.fromiter((positions.get(_label(time.date(), self.unit), -1) for time in times), dtype=np.int64)


def divide_time(times: Sequence[datetime]) -> Periods | None:
    """Choose the periods that cover these times;
    ``None`` without times. Each time counts on its own calendar day, whatever its time zone.
    """
    if not times:
        return None
    days = [time.date() for time in times]
    first, last = min(days), max(days)
    span = (last - first).days
    unit = "month" if span > 75 else "week" if span > 14 else "day"
    oldest, day = _start(first, unit), _start(last, unit)
    labels = [_label(day, unit)]
    while day > oldest and len(labels) < MOST_PERIODS:
        day = _start(day - timedelta(days=1), unit)
        labels.append(_label(day, unit))
    return Periods(unit, tuple(reversed(labels)))


def measure_trends(members: Mapping[str, Sequence[datetime]], base: Sequence[datetime], *, minimum_people: int = 5) -> dict[str, Trend]:
    """Return the trend of every subject, from the times of its people and of all people with text; empty where there is only one period.

    ``new`` and ``gone`` are significant changes from or to nobody at all. Subjects with fewer than ``minimum_people`` are never tested.
    """
    periods = divide_time(base)
    if periods is None:
        return {}
    counts = {subject: _count(periods, times) for subject, times in members.items()}
    return find_trends(periods, counts, _count(periods, base), minimum_people=minimum_people)


def find_trends(
    periods: Periods, counts: Mapping[str, NDArray[np.int64]], base: NDArray[np.int64], *, minimum_people: int = 5
) -> dict[str, Trend]:
    """Return the trend of every subject from its people per period and everybody's; see ``measure_trends``."""
    middle = len(periods.labels) // 2
    if middle == 0:
        return {}
    earlier, later = int(base[:middle].sum()), int(base[middle:].sum())
    halves = {subject: (int(people[:middle].sum()), int(people[middle:].sum())) for subject, people in counts.items()}
    tested = sorted(subject for subject, half in halves.items() if sum(half) >= minimum_people and earlier and later)
    p_values = [
        compare_shares(halves[subject][0], earlier, halves[subject][1], later) if len(base) < 3 else trend_in_shares(counts[subject], base)
        for subject in tested
    ]
    # Benjamini-Hochberg keeps the share of false alarms among all alarms, however many themes there are.
    adjusted = dict(zip(tested, (float(p) for p in stats.false_discovery_control(p_values)), strict=True)) if tested else {}
    trends = {}
    for subject, people in counts.items():
        before, after = halves[subject]
        change = (after / later if later else 0.0) - (before / earlier if earlier else 0.0)
        p_adjusted = adjusted.get(subject, 1.0)
        trends[subject] = Trend(
            periods=periods.labels,
            people=tuple(int(count) for count in people),
            base=tuple(int(count) for count in base),
            direction=_direction(before, after, change, p_adjusted),
            change=change,
            p_adjusted=p_adjusted,
        )
    return trends


def compare_shares(before: int, exposed_before: int, after: int, exposed_after: int) -> float:
    """Return the two-sided p-value that two shares differ only by chance.

    The score test for two proportions with a pooled variance; Fisher's exact test where an expected count is under 5 (W. G. Cochran, 1954).
    """
    total, exposed = before + after, exposed_before + exposed_after
    pooled = total / exposed
    if pooled in {0.0, 1.0}:
        return 1.0
    least = min(pooled, 1 - pooled) * min(exposed_before, exposed_after)
    if least < 5:
        table = [[before, exposed_before - before], [after, exposed_after - after]]
        return min(1.0, float(stats.fisher_exact(table).pvalue))
    error = np.sqrt(pooled * (1 - pooled) * (1 / exposed_before + 1 / exposed_after))
    return float(2 * stats.norm.sf(abs(after / exposed_after - before / exposed_before) / error))


def trend_in_shares(people: NDArray[np.int64], base: NDArray[np.int64]) -> float:
    """Return the two-sided p-value that a share moves over equal periods only by chance (Cochran 1954, Armitage 1955).

    More powerful than halves against each other where a theme rises steadily, and blind to the order inside a period.
    """
    pooled = people.sum() / base.sum()
    time = np.arange(len(base), dtype=np.float64)
    spread = (base * time**2).sum() - (base * time).sum() ** 2 / base.sum()
    variance = pooled * (1 - pooled) * spread
    if variance <= 0:
        return 1.0
    return float(2 * stats.norm.sf(abs((time * (people - base * pooled)).sum()) / np.sqrt(variance)))


def _direction(before: int, after: int, change: float, p_adjusted: float) -> str:
    if p_adjusted >= _SIGNIFICANCE:
        return "steady"
    if before == 0:
        return "new"
    if after == 0:
        return "gone"
    return "rising" if change > 0 else "falling"


def _count(periods: Periods, times: Sequence[datetime]) -> NDArray[np.int64]:
    positions = periods.locate(times)
    return np.bincount(positions[positions >= 0], minlength=len(periods.labels)).astype(np.int64)


def _start(day: date, unit: str) -> date:
    if unit == "month":
        return day.replace(day=1)
    return day - timedelta(days=day.weekday()) if unit == "week" else day


def _label(day: date, unit: str) -> str:
    if unit == "month":
        return f"{day.year:04d}-{day.month:02d}"
    if unit == "week":
        year, week, _ = day.isocalendar()
        return f"{year:04d}-W{week:02d}"
    return day.isoformat()
