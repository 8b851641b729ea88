"""The sentences a board reads first, made from the figures: honest about intervals, few answers and what is not known. Knows no HTML."""

from math import sqrt

from feedback_miner.domain import ScoreKind, ScoreSummary
from feedback_miner.report import figures
from feedback_miner.report.causes import pick_name
from feedback_miner.report.sources import Sources
from feedback_miner.report.texts import Both, text
from feedback_miner.report.themes import hurting_themes, loved_themes

__all__ = ["view_headlines"]


def view_headlines(sources: Sources) -> tuple[Both, ...]:
    """Return the sentences in the order to read them."""
    sentences = [*_about_score(sources)]
    if not sources.findings.themes:
        sentences.append(text("headline.no_themes"))
    sentences += [*_about_themes(sources), *_about_causes(sources), *_about_moves(sources), *_about_outside(sources)]
    return tuple(sentences)


def _about_score(sources: Sources) -> list[Both]:
    score = sources.findings.score
    if score is None:
        return []
    sentences = [
        text(
            "headline.score",
            name=text(f"score.{score.kind.value}"),
            value=figures.score_value(score.value, score.kind),
            low=figures.score_value(score.interval.low, score.kind),
            high=figures.score_value(score.interval.high, score.kind),
            people=figures.count(score.people),
        )
    ]
    if score.few:
        sentences.append(text("headline.few", people=score.people))
    trend = [entry for entry in sources.findings.score_trend if not entry[1].few]
    if len(trend) > 1:
        (first, before), (last, after) = trend[0], trend[-1]
        key = "not_moved" if not _differ(before, after) else "moved_up" if after.value > before.value else "moved_down"
        sentences.append(
            text(
                f"headline.{key}",
                first=first,
                last=last,
                before=figures.score_value(before.value, before.kind),
                after=figures.score_value(after.value, after.kind),
            )
        )
    return sentences


def _differ(before: ScoreSummary, after: ScoreSummary) -> bool:
    """Tell whether two waves differ at the 5 % level:
    the difference against the root of the squared half-widths (z = delta / sqrt(se1^2 + se2^2)).
    """
    half = sqrt(_half_width(before) ** 2 + _half_width(after) ** 2)
    return abs(after.value - before.value) > half


def _half_width(score: ScoreSummary) -> float:
    return (score.interval.high - score.interval.low) / 2


def _about_themes(sources: Sources) -> list[Both]:
    sentences = []
    kind = sources.kind
    worst = hurting_themes(sources)
    if worst:
        top = worst[0]
        name = sources.theme_name(top.subject)
        sentences.append(
            text(
                "headline.hurts",
                theme=name,
                people=figures.count(top.people),
                share=figures.percent(top.share),
                low=figures.percent(top.interval.low),
                high=figures.percent(top.interval.high),
            )
        )
        # Only where the interval leaves no doubt about the direction; the card shows it in any case.
        if kind is not None and top.impact is not None and top.impact.interval.high < 0:
            sentences.append(
                text(
                    "headline.impact",
                    theme=name,
                    unit=text("unit.pp" if kind is ScoreKind.CSAT else "unit.points"),
                    points=figures.impact_points(-top.impact.leave_out, kind).lstrip("+"),
                    low=figures.impact_points(-top.impact.interval.high, kind).lstrip("+"),
                    high=figures.impact_points(-top.impact.interval.low, kind).lstrip("+"),
                )
            )
    best = loved_themes(sources)
    if best:
        sentences.append(
            text(
                "headline.loves",
                theme=sources.theme_name(best[0].subject),
                people=figures.count(best[0].people),
                share=figures.percent(best[0].share),
            )
        )
    return sentences


def _about_causes(sources: Sources) -> list[Both]:
    book = sources.book
    causes = [found for found in sources.findings.cause_measures if found.subject in book.causes and found.people]
    sentences = []
    if causes:
        top = causes[0]
        owner = book.causes[top.subject].owner
        sentences.append(
            text(
                "headline.cause" if pick_name(book.owners.get(owner, {}), "en", "") else "headline.cause_unowned",
                cause=sources.cause_name(top.subject),
                people=figures.count(top.people),
                share=figures.percent(top.share),
                owner=sources.owner_name(owner),
            )
        )
    sentences += [
        text("headline.urgent", people=figures.count(found.people), cause=sources.cause_name(found.subject))
        for found in causes
        if book.causes[found.subject].urgent
    ]
    return sentences


def _about_moves(sources: Sources) -> list[Both]:
    rising = [
        (found.trend.change, found.subject)
        for found in hurting_themes(sources)
        if found.trend is not None and found.trend.direction in {"rising", "new"}
    ]
    return [
        text("headline.rising", theme=sources.theme_name(theme), change=figures.signed(100 * change, 1))
        for change, theme in sorted(rising, key=lambda entry: (-entry[0], entry[1]))[:2]
    ]


def _about_outside(sources: Sources) -> list[Both]:
    counts = sources.findings.counts
    negative = sum(coding.sentiment.label.value == "negative" for coding in sources.findings.codings)
    residual = sum(counts.residual_opinions.values())
    if not counts.opinions:
        return []
    return [
        text(
            "headline.outside",
            residual=figures.percent(residual / counts.opinions),
            unmapped=figures.percent(counts.unmapped_opinions / negative if negative else 0.0),
            section=text("section.aside"),
        )
    ]
