"""The sections about themes as values: which hurt, which are loved, which move, and the whole tree. Chooses and rounds; knows no HTML."""

from collections.abc import Iterable
from dataclasses import dataclass

from markupsafe import Markup

from feedback_miner.domain import Measure, Polarity, Trend
from feedback_miner.report import figures
from feedback_miner.report.charts import draw_sparkline
from feedback_miner.report.quotes import Quote
from feedback_miner.report.sources import Sources
from feedback_miner.report.texts import Both, both_names, text

__all__ = [
    "CauseShare",
    "ThemeView",
    "TrendView",
    "hurting_themes",
    "loved_themes",
    "view_hurts",
    "view_loves",
    "view_moves",
    "view_themes",
    "view_trend",
]

_CARDS = 6
_CARD_QUOTES = 3
_TREE_QUOTES = 5
_MOVES = 12


@dataclass(frozen=True, slots=True)
class TrendView:
    """How a share moved."""

    direction: str
    name: Both
    change: Both
    p: str
    line: Markup
    periods: str
    summary: Both
    """Said where the line cannot be seen."""


@dataclass(frozen=True, slots=True)
class CauseShare:
    """A cause behind a theme."""

    name: Both
    people: int
    width: float
    """Percent of the theme's most frequent cause."""
    owner: Both | None
    stage: Both | None
    urgent: bool


@dataclass(frozen=True, slots=True)
class ThemeView:
    """A theme as it is shown."""

    id: str
    anchor: str
    name: Both
    parent: Both | None
    people: int
    customers: int | None
    opinions: int
    share: str
    interval: str
    polarity: tuple[tuple[str, int, float], ...]
    """(polarity, opinions, percent)."""
    polarity_label: Both
    score: str | None
    impact: str | None
    impact_interval: str | None
    impact_sure: bool
    trend: TrendView | None
    phrases: str
    causes: tuple[CauseShare, ...]
    quotes: tuple[Quote, ...]
    children: tuple["ThemeView", ...]


def hurting_themes(sources: Sources) -> list[Measure]:
    """Return the leaf themes that are mainly negative, worst first:
    by what they take from the score, and without a score by negative opinions.
    """
    chosen = [found for found in _leaves(sources) if found.polarity["negative"] > found.polarity["positive"]]
    return sorted(chosen, key=lambda found: (_leave_out(found), -found.polarity["negative"], found.subject))


def loved_themes(sources: Sources) -> list[Measure]:
    """Return the leaf themes that are mainly positive, most people first."""
    chosen = [found for found in _leaves(sources) if found.polarity["positive"] > found.polarity["negative"]]
    return sorted(chosen, key=lambda found: (-found.polarity["positive"], -found.people, found.subject))


def view_hurts(sources: Sources) -> tuple[ThemeView, ...]:
    """View the worst themes, with their causes and their complaints."""
    return tuple(
        _view(sources, found, sources.quotes.pick_theme(found.subject, _CARD_QUOTES, polarity=Polarity.NEGATIVE), causes=True)
        for found in hurting_themes(sources)[:_CARDS]
    )


def view_loves(sources: Sources) -> tuple[ThemeView, ...]:
    """View the best themes, in the words of those who gave the highest scores."""
    return tuple(
        _view(sources, found, sources.quotes.pick_theme(found.subject, _CARD_QUOTES, polarity=Polarity.POSITIVE, high_first=True))
        for found in loved_themes(sources)[:_CARDS]
    )


def view_moves(sources: Sources) -> tuple[ThemeView, ...]:
    """View the leaf themes whose share moved, the biggest change first."""
    moved = [found for found in _leaves(sources) if found.trend is not None and found.trend.direction != "steady"]
    moved.sort(key=lambda found: (-abs(found.trend.change) if found.trend else 0.0, found.subject))
    return tuple(_view(sources, found, ()) for found in moved[:_MOVES])


def view_themes(sources: Sources) -> tuple[ThemeView, ...]:
    """View all themes as a tree, parents with most people first, each leaf with some of its opinions."""
    views = []
    for found in sources.findings.theme_measures:
        theme = sources.themes[found.subject]
        if theme.parent is not None:
            continue
        leaves = tuple(
            _view(sources, sources.measures[leaf], sources.quotes.pick_theme(leaf, _TREE_QUOTES))
            for leaf in sources.children.get(found.subject, ())
        )
        # A theme without leaves has members of its own.
        quotes = () if leaves else sources.quotes.pick_theme(found.subject, _TREE_QUOTES)
        views.append(_view(sources, found, quotes, children=leaves))
    return tuple(views)


def view_trend(trend: Trend | None) -> TrendView | None:
    """View a trend; ``None`` stays ``None``."""
    if trend is None:
        return None
    name = text(f"moves.{trend.direction}")
    change = text("moves.points", change=figures.signed(100 * trend.change, 1))
    periods = f"{trend.periods[0]} – {trend.periods[-1]}"
    p = "<0.001" if trend.p_adjusted < 0.001 else f"{trend.p_adjusted:.3f}"
    summary = Both(f"{name.zh}，{periods}，{change.zh}", f"{name.en}, {periods}, {change.en}")
    return TrendView(trend.direction, name, change, p, Markup(draw_sparkline(trend)), periods, summary)  # noqa: S704 - numbers only


def _leaves(sources: Sources) -> Iterable[Measure]:
    for found in sources.findings.theme_measures:
        if found.people and not sources.children.get(found.subject):
            yield found


def _leave_out(found: Measure) -> float:
    return found.impact.leave_out if found.impact else 0.0


def _view(
    sources: Sources, found: Measure, quotes: tuple[Quote, ...], *, causes: bool = False, children: tuple[ThemeView, ...] = ()
) -> ThemeView:
    theme = sources.themes[found.subject]
    kind = sources.kind
    impact = found.impact if kind is not None else None
    counts = [(name, found.polarity.get(name, 0)) for name in ("negative", "neutral", "positive")]
    whole = sum(number for _, number in counts) or 1
    phrases = dict.fromkeys(phrase for language in sorted(theme.keyphrases) for phrase in theme.keyphrases[language])
    return ThemeView(
        id=theme.id,
        anchor=f"theme-{theme.id}",
        name=both_names(theme.names, theme.id),
        parent=sources.theme_name(theme.parent) if theme.parent is not None else None,
        people=found.people,
        customers=found.customers,
        opinions=found.opinions,
        share=figures.percent(found.share),
        interval=figures.percent_interval(found.interval),
        polarity=tuple((name, number, 100 * number / whole) for name, number in counts),
        polarity_label=text("polarity.bar", **{name: figures.count(number) for name, number in counts}),
        score=figures.score_value(found.score.value, found.score.kind) if found.score else None,
        impact=figures.impact_points(impact.leave_out, kind) if impact and kind else None,
        impact_interval=(
            f"{figures.impact_points(impact.interval.low, kind)} … {figures.impact_points(impact.interval.high, kind)}"
            if impact and kind
            else None
        ),
        impact_sure=impact is not None and (impact.interval.low > 0 or impact.interval.high < 0),
        trend=view_trend(found.trend),
        phrases=", ".join(list(phrases)[:8]),
        causes=_view_causes(sources, theme.id) if causes else (),
        quotes=quotes,
        children=children,
    )


def _view_causes(sources: Sources, theme: str) -> tuple[CauseShare, ...]:
    crossed = sources.theme_causes.get(theme, {})
    most = max(crossed.values(), default=1)
    shares = []
    for cause, people in list(crossed.items())[:5]:
        known = sources.book.causes.get(cause)
        shares.append(
            CauseShare(
                name=sources.cause_name(cause),
                people=people,
                width=100 * people / most,
                owner=sources.owner_name(known.owner) if known else None,
                stage=sources.stage_name(known.stage) if known else None,
                urgent=known is not None and known.urgent,
            )
        )
    return tuple(shares)
