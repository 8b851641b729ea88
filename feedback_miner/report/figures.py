"""Figures as people read them: numbers in, short strings out. The one place that rounds for the page; never computes a measure."""

from feedback_miner.domain import Interval, ScoreKind

__all__ = ["count", "impact_points", "percent", "percent_interval", "points", "score_value", "signed"]

_MINUS = "−"
_POINTS = {ScoreKind.NPS: (1.0, 1), ScoreKind.CSAT: (100.0, 1), ScoreKind.CES: (1.0, 2), ScoreKind.STARS: (1.0, 2)}


def count(number: int) -> str:
    """Write a count with thousands separated."""
    return f"{number:,}"


def percent(share: float) -> str:
    """Write a share; one decimal, but a share above nothing never reads 0%."""
    if 0 < share < 0.0005:
        return "<0.1%"
    return f"{100 * share:.1f}%"


def percent_interval(interval: Interval) -> str:
    """Write an interval of shares."""
    return f"{100 * interval.low:.1f}–{100 * interval.high:.1f}%"


def signed(value: float, decimals: int) -> str:
    """Write a number with its sign; what rounds to nothing has none."""
    written = f"{abs(value):.{decimals}f}"
    if float(written) == 0:
        return written
    return (_MINUS if value < 0 else "+") + written


def score_value(value: float, kind: ScoreKind) -> str:
    """Write a score: NPS with its sign, CSAT as a percentage, CES and stars as a mean."""
    if kind is ScoreKind.NPS:
        return signed(value, 1)
    return percent(value) if kind is ScoreKind.CSAT else f"{value:.2f}"


def points(value: float, kind: ScoreKind) -> float:
    """Return an impact in the points that the page speaks of: CSAT in percentage points, else unchanged."""
    return value * _POINTS[kind][0]


def impact_points(value: float, kind: ScoreKind) -> str:
    """Write an impact in points, with its sign."""
    return signed(points(value, kind), _POINTS[kind][1])
