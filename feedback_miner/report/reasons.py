"""The sections about root causes as values: themes by causes, causes by driver, owners, strengths. Chooses and rounds; knows no HTML."""

from dataclasses import dataclass

from feedback_miner.domain import Measure, ScoreKind
from feedback_miner.report import figures
from feedback_miner.report.sources import UNMAPPED, Sources
from feedback_miner.report.texts import Both, both_names, text
from feedback_miner.report.themes import TrendView, view_trend

__all__ = [
    "CauseRow",
    "CrossTable",
    "DriverView",
    "OwnerView",
    "StrengthRow",
    "view_crossing",
    "view_drivers",
    "view_owners",
    "view_strengths",
]

_CROSSED_THEMES, _CROSSED_CAUSES = 12, 7
_OTHER = "other"


@dataclass(frozen=True, slots=True)
class CrossTable:
    """Themes x causes, people in the cells."""

    scope: Both
    columns: tuple[tuple[Both, Both | None], ...]
    """(cause, its owner)."""
    rows: tuple[tuple[Both, tuple[tuple[int, float], ...]], ...]
    """Theme and, for each column, (people, shade 0..1)."""


@dataclass(frozen=True, slots=True)
class CauseRow:
    """A root cause, counted."""

    name: Both
    urgent: bool
    people: int
    share: str
    interval: str
    impact: str | None
    impact_interval: str | None
    praised: int
    stage: Both | None
    owner: Both | None
    trend: TrendView | None


@dataclass(frozen=True, slots=True)
class DriverView:
    """One of the drivers, with its causes; also when nobody blames it."""

    name: Both
    people: int
    share: str
    interval: str
    width: float
    """Percent of the driver with most people."""
    causes: tuple[CauseRow, ...]


@dataclass(frozen=True, slots=True)
class OwnerView:
    """Who should act, on what."""

    name: Both
    people: int
    causes: tuple[tuple[Both, int, bool], ...]
    """(cause, people, urgent)."""
    stages: tuple[Both, ...]
    themes: tuple[tuple[Both, int], ...]


@dataclass(frozen=True, slots=True)
class StrengthRow:
    """An aspect that people praise."""

    name: Both
    people: int
    share: str
    interval: str


def view_crossing(sources: Sources) -> CrossTable | None:
    """View detractors' themes by root causes; ``None`` where there is nothing to cross. The rarest causes share one column."""
    crossed = sources.findings.detractor_causes
    by_theme: dict[str, int] = {}
    by_cause: dict[str, int] = {}
    for theme, cause, people in crossed:
        by_theme[theme] = by_theme.get(theme, 0) + people
        if cause != UNMAPPED:
            by_cause[cause] = by_cause.get(cause, 0) + people
    if not by_theme:
        return None
    themes = sorted(by_theme, key=lambda theme: (-by_theme[theme], theme))[:_CROSSED_THEMES]
    causes = sorted(by_cause, key=lambda cause: (-by_cause[cause], cause))
    shown = causes[:_CROSSED_CAUSES]
    columns = [*shown, *([_OTHER] if len(causes) > len(shown) else []), UNMAPPED]
    cells: dict[tuple[str, str], int] = {}
    for theme, cause, people in crossed:
        column = cause if cause in columns else _OTHER
        cells[theme, column] = cells.get((theme, column), 0) + people
    most = max(cells[key] for key in cells if key[0] in themes)
    return CrossTable(
        scope=_scope(sources.kind),
        columns=tuple((_column_name(sources, column), _owner_of(sources, column)) for column in columns),
        rows=tuple(
            (sources.theme_name(theme), tuple((cells.get((theme, column), 0), cells.get((theme, column), 0) / most) for column in columns))
            for theme in themes
        ),
    )


def view_drivers(sources: Sources) -> tuple[DriverView, ...]:
    """View every driver in the taxonomy's order, its causes with most people first.

    Causes unknown to the taxonomy come last, under their id.
    """
    book = sources.book
    measured = {found.subject: found for found in sources.findings.cause_measures}
    praised = {found.subject: found.people for found in sources.findings.strength_measures}
    causes: dict[str, list[Measure]] = {}
    for found in sources.findings.cause_measures:
        known = book.causes.get(found.subject)
        if found.subject in book.drivers or not found.people:
            continue
        # An unknown cause still tells its driver, by the way ids are written: ``driver.cause``.
        driver = known.driver if known else found.subject.partition(".")[0]
        if found.subject != driver:
            causes.setdefault(driver, []).append(found)
    order = [*book.drivers, *sorted(causes.keys() - book.drivers.keys())]
    most = max((measured[driver].people for driver in order if driver in measured), default=0) or 1
    views = []
    for driver in order:
        own = measured.get(driver)
        views.append(
            DriverView(
                name=both_names(book.drivers.get(driver, {}), driver),
                people=own.people if own else 0,
                share=figures.percent(own.share) if own else figures.percent(0.0),
                interval=figures.percent_interval(own.interval) if own else "–",
                width=100 * own.people / most if own else 0.0,
                causes=tuple(_cause_row(sources, found, praised.get(found.subject, 0)) for found in causes.get(driver, [])),
            )
        )
    return tuple(views)


def view_owners(sources: Sources) -> tuple[OwnerView, ...]:
    """View who should act, those with most people first."""
    book = sources.book
    views = []
    for owner, people in sorted(sources.owner_people.items(), key=lambda entry: (-entry[1], entry[0])):
        own = [
            (found, book.causes[found.subject])
            for found in sources.findings.cause_measures
            if found.people and found.subject in book.causes and book.causes[found.subject].owner == owner
        ]
        views.append(
            OwnerView(
                name=sources.owner_name(owner),
                people=people,
                causes=tuple((sources.cause_name(found.subject), found.people, cause.urgent) for found, cause in own),
                stages=tuple(sources.stage_name(stage) for stage in dict.fromkeys(cause.stage for _, cause in own)),
                themes=tuple(
                    (sources.theme_name(theme), number) for theme, number in list(sources.owner_themes.get(owner, {}).items())[:3]
                ),
            )
        )
    return tuple(views)


def view_strengths(sources: Sources) -> tuple[StrengthRow, ...]:
    """View what is praised, most people first."""
    return tuple(
        StrengthRow(
            sources.aspect_name(found.subject), found.people, figures.percent(found.share), figures.percent_interval(found.interval)
        )
        for found in sources.findings.strength_measures[:10]
    )


def _cause_row(sources: Sources, found: Measure, praised: int) -> CauseRow:
    known = sources.book.causes.get(found.subject)
    kind, impact = sources.kind, found.impact
    return CauseRow(
        name=sources.cause_name(found.subject),
        urgent=known is not None and known.urgent,
        people=found.people,
        share=figures.percent(found.share),
        interval=figures.percent_interval(found.interval),
        impact=figures.impact_points(impact.leave_out, kind) if impact and kind else None,
        impact_interval=(
            f"{figures.impact_points(impact.interval.low, kind)} … {figures.impact_points(impact.interval.high, kind)}"
            if impact and kind
            else None
        ),
        praised=praised,
        stage=sources.stage_name(known.stage) if known else None,
        owner=sources.owner_name(known.owner) if known else None,
        trend=view_trend(found.trend),
    )


def _scope(kind: ScoreKind | None) -> Both:
    if kind is None:
        return text("cause.matrix_scope_all")
    return text("cause.matrix_scope_detractors" if kind is ScoreKind.NPS else "cause.matrix_scope_unhappy")


def _column_name(sources: Sources, column: str) -> Both:
    return text("cause.other") if column == _OTHER else sources.cause_name(column)


def _owner_of(sources: Sources, column: str) -> Both | None:
    known = sources.book.causes.get(column)
    return sources.owner_name(known.owner) if known else None
