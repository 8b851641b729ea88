"""The page as one value: findings in, a ``ReportView`` out, everything chosen, ordered, rounded and in both languages. Knows no HTML.

The template only lays out what it finds here, so that what a board reads can be tested without reading a page.
"""

from dataclasses import dataclass

from markupsafe import Markup

from feedback_miner.domain import Findings, Run, ScoreKind, ScoreSummary
from feedback_miner.report import figures
from feedback_miner.report.aside import AsideView, ColumnRow, Contradictions, view_aside, view_columns, view_contradictions
from feedback_miner.report.causes import CauseBook
from feedback_miner.report.charts import IntervalRow, draw_intervals, draw_score_trend
from feedback_miner.report.headlines import view_headlines
from feedback_miner.report.reasons import (
    CrossTable,
    DriverView,
    OwnerView,
    StrengthRow,
    view_crossing,
    view_drivers,
    view_owners,
    view_strengths,
)
from feedback_miner.report.sources import Sources, open_sources
from feedback_miner.report.texts import Both, text
from feedback_miner.report.themes import ThemeView, hurting_themes, loved_themes, view_hurts, view_loves, view_moves, view_themes

__all__ = ["Chart", "ReportView", "ScoreView", "view_report"]

_CHARTED = 6
_COLOURS = {
    "detractors": "negative",
    "passives": "neutral",
    "promoters": "positive",
    "unsatisfied": "negative",
    "satisfied": "positive",
}


@dataclass(frozen=True, slots=True)
class Chart:
    """A drawing in both languages (the same one where it has no words), and what it shows."""

    zh: Markup
    en: Markup
    caption: Both


@dataclass(frozen=True, slots=True)
class ScoreView:
    """The score as it is shown."""

    name: Both
    value: str
    interval: Both
    people: Both
    few: bool
    notes: tuple[Both, ...]
    groups: tuple[tuple[Both, int, str, float, str], ...]
    """(group, people, share, percent, colour class)."""
    trend: Chart | None
    weighted: bool


@dataclass(frozen=True, slots=True)
class ReportView:
    """Everything on the page, section by section."""

    language: str
    title: Both
    source: str
    rows: int
    people: int
    dates: Both
    made: str
    headlines: tuple[Both, ...]
    score: ScoreView | None
    kind: str | None
    impact_unit: Both
    overview: Chart | None
    hurts: tuple[ThemeView, ...]
    loves: tuple[ThemeView, ...]
    loves_title: Both
    strengths: tuple[StrengthRow, ...]
    crossing: CrossTable | None
    crossing_title: Both
    owners: tuple[OwnerView, ...]
    drivers: tuple[DriverView, ...]
    moves: tuple[ThemeView, ...]
    comparable: bool
    themes: tuple[ThemeView, ...]
    contradictions: Contradictions | None
    aside: AsideView
    columns: tuple[ColumnRow, ...]
    format: str
    minimum: object
    versions: tuple[tuple[str, str], ...]


def view_report(findings: Findings, run: Run, *, language: str, causes: CauseBook) -> ReportView:
    """Choose and word everything that the page shows; ``language`` is the one shown first."""
    sources = open_sources(findings, run, causes)
    counts, kind = findings.counts, sources.kind
    return ReportView(
        language=language,
        title=text("page.title"),
        source=run.source,
        rows=counts.rows,
        people=counts.themed + counts.residual,
        dates=_view_dates(findings),
        made=run.started_at.date().isoformat(),
        headlines=view_headlines(sources),
        score=_view_score(findings),
        kind=kind.value if kind else None,
        impact_unit=text("unit.pp" if kind is ScoreKind.CSAT else "unit.points"),
        overview=_draw_overview(sources),
        hurts=view_hurts(sources),
        loves=view_loves(sources),
        loves_title=text("section.loves" if kind is ScoreKind.NPS else "section.praised"),
        strengths=view_strengths(sources),
        crossing=view_crossing(sources),
        crossing_title=text(f"section.{'detractors' if kind is ScoreKind.NPS else 'unhappy' if kind else 'negatives'}"),
        owners=view_owners(sources),
        drivers=view_drivers(sources),
        moves=view_moves(sources),
        comparable=any(found.trend is not None for found in findings.theme_measures),
        themes=view_themes(sources),
        contradictions=view_contradictions(sources),
        aside=view_aside(sources),
        columns=view_columns(sources),
        format=findings.columns.format,
        minimum=findings.config.get("min_group_people", 5),
        versions=(("feedback-miner", findings.version), *sorted((name, str(value)) for name, value in findings.versions.items())),
    )


def _view_dates(findings: Findings) -> Both:
    days = [item.created_at.date() for item in findings.items if item.created_at is not None]
    if not days:
        return text("page.no_dates")
    return text("page.dates", first=min(days).isoformat(), last=max(days).isoformat())


def _view_score(findings: Findings) -> ScoreView | None:
    score = findings.score
    if score is None:
        return None
    notes = []
    if score.kind in {ScoreKind.NPS, ScoreKind.CSAT}:
        notes.append(text("score.mean", mean=f"{score.mean:.2f}"))
    if score.top_box is not None:
        notes.append(text("score.top_box", share=figures.percent(score.top_box)))
    trend = None
    if len(findings.score_trend) > 1:
        scale = figures.points(1.0, score.kind)
        drawn = Markup(draw_score_trend(findings.score_trend, scale=scale, key="trend"))  # noqa: S704 - drawn by us, no customer's words
        trend = Chart(drawn, drawn, text("score.trend"))
    return ScoreView(
        name=text(f"score.{score.kind.value}"),
        value=figures.score_value(score.value, score.kind),
        interval=text(
            "score.interval",
            low=figures.score_value(score.interval.low, score.kind),
            high=figures.score_value(score.interval.high, score.kind),
        ),
        people=text("score.people", people=figures.count(score.people)),
        few=score.few,
        notes=tuple(notes),
        groups=_view_groups(score),
        trend=trend,
        weighted=any(item.weight != 1.0 for item in findings.items),
    )


def _view_groups(score: ScoreSummary) -> tuple[tuple[Both, int, str, float, str], ...]:
    order = [name for name in _COLOURS if name in score.groups] or sorted(score.groups, key=int)
    rows = []
    for place, name in enumerate(order):
        share = score.groups[name] / score.people
        label = text(f"group.{name}") if name in _COLOURS else Both(name, name)
        colour = _COLOURS.get(name, f"step{round(6 * place / max(1, len(order) - 1))}")
        rows.append((label, score.groups[name], figures.percent(share), 100 * share, colour))
    return tuple(rows)


def _draw_overview(sources: Sources) -> Chart | None:
    """Draw the themes that move the score most, in both directions; without a score, the complaints most people raise."""
    kind = sources.kind
    bad = hurting_themes(sources)[:_CHARTED]
    good = sorted(loved_themes(sources)[:_CHARTED], key=lambda found: found.impact.leave_out if found.impact else 0.0)
    if kind is not None:
        scale = figures.points(1.0, kind)
        chosen = [(found, found.impact) for found in [*bad, *good] if found.impact is not None]
        figured = [
            (found.subject, impact.leave_out * scale, impact.interval.low * scale, impact.interval.high * scale) for found, impact in chosen
        ]
        caption, unit = text("theme.chart_impact"), text("unit.pp" if kind is ScoreKind.CSAT else "unit.points")
    else:
        ranked = sorted(bad, key=lambda found: (-found.people, found.subject))
        figured = [(found.subject, 100 * found.share, 100 * found.interval.low, 100 * found.interval.high) for found in ranked]
        caption, unit = text("theme.chart_share"), Both("%", "%")
    if len(figured) < 2:
        return None
    drawn = {
        language: Markup(  # noqa: S704 - vl-convert escapes the names
            draw_intervals(
                [IntervalRow(sources.theme_name(subject).pick(language), value, low, high) for subject, value, low, high in figured],
                title=unit.pick(language),
                key=f"overview-{language}",
                red_below_zero=kind is not None,
            )
        )
        for language in ("zh", "en")
    }
    return Chart(drawn["zh"], drawn["en"], caption)
