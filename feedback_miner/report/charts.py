"""Charts:
figures in, SVG text out. One Altair spec for each kind of chart, drawn by vl-convert: no browser, no network, text stays text.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import vl_convert

from feedback_miner.domain import ScoreSummary, Trend

__all__ = ["NEGATIVE", "NEUTRAL", "POSITIVE", "IntervalRow", "draw_intervals", "draw_score_trend", "draw_sparkline"]

NEGATIVE, NEUTRAL, POSITIVE, INK, ACCENT = "#b3261e", "#7d8590", "#1f7a5c", "#1c2430", "#1f4e79"

_FONT = "system-ui, 'PingFang SC', 'Microsoft YaHei', 'Noto Sans CJK SC', sans-serif"
_VEGA_LITE = ".".join(alt.SCHEMA_VERSION.lstrip("v").split(".")[:2])
_NAMESPACE = re.compile(r' xmlns(?::\w+)?="[^"]*"')
_IDENTIFIER = re.compile(r'(\bid="|url\(#)')


@dataclass(frozen=True, slots=True)
class IntervalRow:
    """One line of an interval chart."""

    name: str
    value: float
    low: float
    high: float


def draw_score_trend(trend: Sequence[tuple[str, ScoreSummary]], *, scale: float, key: str) -> str:
    """Draw a score by period with its interval band.

    ``scale`` multiplies the values; ``key`` keeps the ids of two charts on a page apart.
    """
    values = [
        {"period": label, "value": summary.value * scale, "low": summary.interval.low * scale, "high": summary.interval.high * scale}
        for label, summary in trend
    ]
    base = alt.Chart(alt.Data(values=values)).encode(x=alt.X("period:O", title=None, axis=alt.Axis(labelAngle=0, labelOverlap=True)))
    band = base.mark_errorband(opacity=0.18, color=ACCENT).encode(
        y=alt.Y("low:Q", title=None, scale=alt.Scale(zero=False)), y2=alt.Y2("high:Q")
    )
    line = base.mark_line(color=ACCENT, point=alt.OverlayMarkDef(color=ACCENT, size=36), strokeWidth=2).encode(y=alt.Y("value:Q"))
    return _draw((band + line).properties(width=900, height=200), key)


def draw_intervals(rows: Sequence[IntervalRow], *, title: str, key: str, red_below_zero: bool) -> str:
    """Draw values as points with their intervals, one line for each name, in the order given.

    With ``red_below_zero`` the sign colours a point; otherwise all are red, being complaints.
    """
    values = [
        # The number leads, so that two themes of the same name stay two lines.
        {"place": place, "name": row.name, "value": row.value, "low": row.low, "high": row.high}
        for place, row in enumerate(rows)
    ]
    names = {row["place"]: _shorten(str(row["name"])) for row in values}
    labels = " : ".join(f"datum.value === {place} ? {_quote(name)}" for place, name in names.items()) + " : ''"
    # The page's fonts are the reader's and may be wider than the ones measured here, so names get room to spare.
    extent = min(300.0, 14 + max((sum(13.0 if ord(letter) > 0x2E7F else 7.8 for letter in name) for name in names.values()), default=0.0))
    axis = alt.Axis(labelExpr=labels, labelLimit=300, ticks=False, domain=False, labelPadding=8, minExtent=extent, title=None)
    colour: Any = alt.value(NEGATIVE)
    if red_below_zero:
        colour = alt.condition("datum.value < 0", alt.value(NEGATIVE), alt.value(POSITIVE))
    base = alt.Chart(alt.Data(values=values)).encode(y=alt.Y("place:O", axis=axis), color=colour)
    lines = base.mark_rule(strokeWidth=2, opacity=0.55).encode(x=alt.X("low:Q", title=title), x2=alt.X2("high:Q"))
    dots = base.mark_point(filled=True, size=70, opacity=1).encode(x=alt.X("value:Q"))
    zero = alt.Chart(alt.Data(values=[{"zero": 0}])).mark_rule(color=INK, opacity=0.5).encode(x="zero:Q")
    return _draw((zero + lines + dots).properties(width=640, height=alt.Step(26)), key)


def draw_sparkline(trend: Trend) -> str:
    """Draw shares by period as a small line. Written by hand: a page may need hundreds, and Vega's are 4 kB each."""
    width, height, pad = 120, 26, 3
    shares = [people / base if base else 0.0 for people, base in zip(trend.people, trend.base, strict=True)]
    top = max(shares, default=0.0) or 1.0
    step = (width - 2 * pad) / max(1, len(shares) - 1)
    points = [(pad + step * place, height - pad - (height - 2 * pad) * share / top) for place, share in enumerate(shares)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    x, y = points[-1]
    return (
        f'<svg class="spark" viewBox="0 0 {width} {height}" width="{width}" height="{height}" aria-hidden="true" focusable="false">'
        f'<polyline points="{path}" fill="none" stroke="{ACCENT}" stroke-width="1.5"/>'
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.5" fill="{ACCENT}"/>'
        "</svg>"
    )


def _draw(chart: Any, key: str) -> str:
    configured = (
        chart.configure(font=_FONT, background="transparent")
        .configure_view(stroke=None)
        .configure_axis(labelColor=INK, titleColor=INK, labelFontSize=12, titleFontSize=12, titleFontWeight="normal", gridColor="#e4e7eb")
    )
    svg: str = vl_convert.vegalite_to_svg(configured.to_dict(), vl_version=_VEGA_LITE)
    # Inline SVG needs no namespaces, and a page that names no address can be seen to need no network.
    return _IDENTIFIER.sub(rf"\g<1>{key}-", _NAMESPACE.sub("", svg))


def _shorten(name: str) -> str:
    return name if len(name) <= 34 else name[:33] + "…"


def _quote(name: str) -> str:
    """Write a Vega string literal; a theme's name must never become code in the expression."""
    units = name.encode("utf-16-be", errors="replace")
    return "'" + "".join(f"\\u{units[place] << 8 | units[place + 1]:04x}" for place in range(0, len(units), 2)) + "'"
