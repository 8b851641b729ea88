"""An analysis in a few lines, or as one JSON object. Findings in, strings out; counts nothing anew and never quotes a customer."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from feedback_miner.analysis import Analysis
from feedback_miner.cli.edge import one_line
from feedback_miner.domain import Measure, RowIssue, ScoreKind, ScoreSummary
from feedback_miner.report.causes import pick_name
from feedback_miner.report.figures import count, impact_points, percent, percent_interval, score_value
from feedback_miner.taxonomy import Taxonomy, parse_taxonomy

__all__ = ["FILES", "demo_lines", "summary_lines", "summary_object"]

FILES = ("report.html", "analysis.json", "comments.csv", "opinions.csv", "codebook.csv", "theme_set.json", "theme_set.npz")
"""What ``Analysis.save`` writes."""

_THEMES_SHOWN = 5
_ISSUES_SHOWN = 3
_THINGS_TO_NOTICE = 3
_SCORE_NAMES = {ScoreKind.NPS: "NPS", ScoreKind.CSAT: "CSAT", ScoreKind.CES: "CES", ScoreKind.STARS: "Stars"}


def summary_lines(analysis: Analysis, output: Path, language: str) -> list[str]:
    """Say what was read as what, where every row went, the score, the main themes and where the files are."""
    lines = [
        *_column_lines(analysis),
        *_count_lines(analysis),
        *_score_lines(analysis.findings.score),
        *_theme_lines(analysis, "Complaints", "negative", "positive", language),
        *_theme_lines(analysis, "Praise", "positive", "negative", language),
        f"Open {output / 'report.html'} to read it; the data are beside it:",
        f"  {', '.join(FILES[1:])}",
    ]
    return [line.rstrip() for line in lines]


def summary_object(analysis: Analysis, output: Path) -> dict[str, Any]:
    """Return the summary for programs; the whole of it is in analysis.json."""
    findings = analysis.findings
    columns = {name: value for name, value in asdict(findings.columns).items() if name != "reasons"}
    return {
        "output": str(output),
        "files": [str(output / name) for name in FILES],
        "versions": dict(findings.versions),
        "columns": columns,
        "counts": asdict(findings.counts),
        "issues": len(analysis.run.issues),
        "score": None if findings.score is None else asdict(findings.score),
        "themes": [
            {
                "id": measure.subject,
                "parent": theme.parent,
                "names": dict(theme.names),
                "people": measure.people,
                "share": measure.share,
                "polarity": dict(measure.polarity),
            }
            for theme, measure in _measured_themes(analysis)
        ],
    }


def demo_lines(analysis: Analysis, output: Path, language: str) -> list[str]:
    """Say what to look at in an analysis: the report, the theme that rises, and three things that this run found."""
    things = [thing for find in _WORTH_NOTICING if (thing := find(analysis, language)) is not None]
    return [
        *_count_lines(analysis),
        *_score_lines(analysis.findings.score),
        f"Open {output / 'report.html'}: start with what hurts, then follow a number down to its verbatims.",
        _rising(analysis, language),
        "Worth noticing:",
        *(f"  {number}. {thing}" for number, thing in enumerate(things[:_THINGS_TO_NOTICE], 1)),
        f"Try it on a text of yours: feedback-miner classify {output} 'the parcel came two weeks late'",
    ]


def _column_lines(analysis: Analysis) -> Iterator[str]:
    columns = analysis.findings.columns
    reasons: dict[str, str] = {}
    for name, reason in columns.reasons:
        reasons[name] = f"{reasons[name]}; {reason}" if name in reasons else reason
    kind = "" if columns.score_kind is None else f" as {_SCORE_NAMES[columns.score_kind]}"
    taken = [
        *(("text", name) for name in columns.texts),
        (f"score{kind}", columns.score),
        ("date", columns.date),
        ("customer", columns.customer),
        ("channel", columns.channel),
        ("weight", columns.weight),
        *(("attribute", name) for name in columns.attributes),
    ]
    yield one_line(f"{analysis.run.source}, read as {columns.format}:")
    used = {name for _, name in taken}
    rows = [(role, name, reasons.get(name, "")) for role, name in taken if name is not None]
    rows += [("not used" if name != "(file)" else "", name, reason) for name, reason in reasons.items() if name not in used]
    for role, name, reason in rows:
        yield f"  {role:<13} {one_line(name):<18} {one_line(reason)}"


def _count_lines(analysis: Analysis) -> Iterator[str]:
    counts = analysis.findings.counts
    yield (
        f"{count(counts.rows)} rows = {count(counts.rejected)} rejected + {count(counts.without_text)} without text"
        f" + {count(counts.no_content)} without content + {count(counts.themed)} in a theme + {count(counts.residual)} outside every theme"
    )
    outside = ", ".join(f"{number} {reason.replace('_', ' ')}" for reason, number in counts.residual_opinions.items())
    yield f"  {count(counts.opinions)} opinions in {count(counts.documents)} texts" + (
        f"; outside every theme: {outside}" if outside else ""
    )
    aside = {
        "repeated texts": counts.documents - counts.distinct_texts,
        "reposts": counts.reposts,
        "negative opinions without a cause": counts.unmapped_opinions,
        "pieces of personal data replaced": sum(counts.redactions.values()),
    }
    if any(aside.values()):
        yield "  " + ", ".join(f"{count(number)} {what}" for what, number in aside.items() if number)
    yield from _issue_lines("rejected", [issue for issue in analysis.run.issues if not issue.kept])
    yield from _issue_lines("kept without a value", [issue for issue in analysis.run.issues if issue.kept])


def _issue_lines(fate: str, issues: list[RowIssue]) -> Iterator[str]:
    if not issues:
        return
    yield f"  {count(len(issues))} notes on rows {fate}" + (":" if len(issues) <= _ISSUES_SHOWN else ", the first:")
    for issue in sorted(issues, key=lambda issue: (issue.row, issue.column or ""))[:_ISSUES_SHOWN]:
        column = "" if issue.column is None else f", column {issue.column}"
        yield one_line(f"row {issue.row}{column}: {issue.reason}").join(("    ", ""))


def _score_lines(score: ScoreSummary | None) -> Iterator[str]:
    if score is None:
        return
    low, high = (score_value(edge, score.kind) for edge in (score.interval.low, score.interval.high))
    groups = ", ".join(f"{count(number)} {group}" for group, number in score.groups.items())
    few = "; few answers, read with care" if score.few else ""
    yield (
        f"{_SCORE_NAMES[score.kind]} {score_value(score.value, score.kind)} (95 % interval {low} to {high})"
        f" from {count(score.people)} answers: {groups}{few}"
    )


def _theme_lines(analysis: Analysis, title: str, more: str, less: str, language: str) -> Iterator[str]:
    """Themes in which one polarity outweighs the other, most people first."""
    chosen = [
        (_theme_name(theme.names, language, theme.id), measure)
        for theme, measure in _measured_themes(analysis)
        if theme.parent is not None and measure.polarity.get(more, 0) > measure.polarity.get(less, 0)
    ][:_THEMES_SHOWN]
    if not chosen:
        yield f"{title}: no theme"
        return
    yield f"{title}, by people:"
    for name, measure in chosen:
        yield f"  {count(measure.people):>6}  {percent(measure.share):>6} ({percent_interval(measure.interval)})  {name}"


def _measured_themes(analysis: Analysis) -> Iterator[tuple[Any, Measure]]:
    themes = {theme.id: theme for theme in analysis.themes}
    for measure in analysis.findings.theme_measures:
        yield themes[measure.subject], measure


def _leaves(analysis: Analysis, language: str) -> list[tuple[str, Measure]]:
    return [
        (_theme_name(theme.names, language, theme.id), measure) for theme, measure in _measured_themes(analysis) if theme.parent is not None
    ]


def _theme_name(names: Mapping[str, str], language: str, otherwise: str) -> str:
    return one_line(pick_name(names, language, otherwise))


def _rising(analysis: Analysis, language: str) -> str:
    """Name the theme whose share rose most, among those that rose by more than chance where there are any; else say that none did."""
    moves = [
        (name, measure.trend) for name, measure in _leaves(analysis, language) if measure.trend is not None and measure.trend.change > 0
    ]
    sure = [(name, trend) for name, trend in moves if trend.direction in {"rising", "new"}]
    if not moves:
        return "Rising: no theme."
    name, trend = max(sure or moves, key=lambda move: move[1].change)
    first, last = (percent(trend.people[at] / max(1, trend.base[at])) for at in (0, -1))
    move = f"'{name}', from {first} of the people in {trend.periods[0]} to {last} in {trend.periods[-1]}"
    return f"Rising: {move}." if sure else f"Rising: no theme by more than chance; the largest move is {move} (p = {trend.p_adjusted:.2f})."


def _costliest_theme(analysis: Analysis, language: str) -> str | None:
    score = analysis.findings.score
    hurting = [
        (measure.impact, name)
        for name, measure in _leaves(analysis, language)
        if measure.impact is not None and measure.impact.interval.high < 0 and measure.polarity.get("negative", 0)
    ]
    if score is None or not hurting:
        return None
    impact, name = min(hurting, key=lambda pair: (pair[0].leave_out, pair[1]))
    gain, low, high = (
        impact_points(-value, score.kind).lstrip("+") for value in (impact.leave_out, impact.interval.high, impact.interval.low)
    )
    unit = "percentage points" if score.kind is ScoreKind.CSAT else "points"
    without = f"Without the people who speak of '{name}', {_SCORE_NAMES[score.kind]} would be"
    return f"{without} {gain} {unit} higher (95 % interval {low} to {high})."


def _main_cause(analysis: Analysis, language: str) -> str | None:
    taxonomy = _taxonomy(analysis)
    causes = {cause.id: cause for cause in taxonomy.causes}
    found = next((measure for measure in analysis.findings.cause_measures if measure.subject in causes and measure.people), None)
    if found is None:
        return None
    cause = causes[found.subject]
    owner = pick_name(taxonomy.owners.get(cause.owner, {}), language, cause.owner)
    return (
        f"The root cause most people name is '{pick_name(cause.names, language, cause.id)}':"
        f" {count(found.people)} people, {percent(found.share)}; it belongs to: {owner}."
    )


def _main_strength(analysis: Analysis, language: str) -> str | None:
    causes = {cause.id: cause for cause in _taxonomy(analysis).causes}
    found = next((measure for measure in analysis.findings.strength_measures if measure.subject in causes and measure.people), None)
    if found is None:
        return None
    aspect = pick_name(causes[found.subject].aspects, language, found.subject)
    return f"What people praise most is '{aspect}': {count(found.people)} people, {percent(found.share)}."


def _personal_data(analysis: Analysis, _: str) -> str | None:
    redactions = analysis.findings.counts.redactions
    if not redactions:
        return None
    return (
        f"{count(sum(redactions.values()))} pieces of personal data of {len(redactions)} kinds were replaced before anything was analysed."
    )


_WORTH_NOTICING: tuple[Callable[[Analysis, str], str | None], ...] = (_costliest_theme, _main_cause, _main_strength, _personal_data)


def _taxonomy(analysis: Analysis) -> Taxonomy:
    return parse_taxonomy(analysis.theme_set.taxonomy, source=f"theme set {analysis.theme_set.version}")
