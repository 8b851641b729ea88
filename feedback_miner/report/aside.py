"""What does not fit, as values:
contradictions, residual, empty answers, rejected rows, redactions, and how the file was read. Knows no HTML.
"""

from collections import Counter
from dataclasses import dataclass

from feedback_miner.domain import ContentStatus, Polarity, ResidualReason, RowIssue, ScoreKind
from feedback_miner.report import figures
from feedback_miner.report.quotes import Quote
from feedback_miner.report.sources import Sources
from feedback_miner.report.texts import Both, text

__all__ = ["AsideView", "ColumnRow", "Contradictions", "IssueGroup", "ResidualRow", "view_aside", "view_columns", "view_contradictions"]

_EXAMPLES = 3
_CONTRADICTIONS = 6
_ISSUES = 50
_NOTHINGS = 12
_LINES = 8

# The clear ends of each scale: a middling answer with mixed words contradicts nothing. Lowest and highest answer of the middle, exclusive.
_ENDS = {ScoreKind.NPS: (4, 9), ScoreKind.CSAT: (2, 5), ScoreKind.CES: (2, 6), ScoreKind.STARS: (2, 5)}


@dataclass(frozen=True, slots=True)
class Contradictions:
    """Responses whose score and words point in opposite directions."""

    high_count: int
    high: tuple[Quote, ...]
    low_count: int
    low: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class ResidualRow:
    """Opinions outside every theme for one reason."""

    reason: Both
    count: int
    share: str
    quotes: tuple[Quote, ...]


@dataclass(frozen=True, slots=True)
class IssueGroup:
    """Kept rows that lost a cell, for one column and reason."""

    column: str
    reason: str
    count: int
    lines: str


@dataclass(frozen=True, slots=True)
class AsideView:
    """Everything that was set aside."""

    rows: tuple[tuple[Both, int, str], ...]
    """(where they went, rows, share), all rows first."""
    residual: tuple[ResidualRow, ...]
    unmapped: Both
    nothings: tuple[tuple[str, int], ...]
    """(text, times), the most frequent empty answers."""
    rejected: tuple[RowIssue, ...]
    rejected_more: Both | None
    kept: tuple[IssueGroup, ...]
    kept_more: Both | None
    redactions: tuple[tuple[str, int], ...]
    copies: Both
    languages: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class ColumnRow:
    """One column of the file and what it was taken for."""

    column: str
    role: Both
    reason: str


def view_contradictions(sources: Sources) -> Contradictions | None:
    """View the responses at the clear ends of the scale whose words say the opposite; ``None`` without a score."""
    kind = sources.kind
    if kind is None:
        return None
    low, high = _ENDS[kind]
    rated = [item for item in sources.findings.items if item.score is not None and item.sentiment is not None]
    complaining = [item for item in rated if item.score is not None and item.score >= high and item.sentiment is Polarity.NEGATIVE]
    praising = [item for item in rated if item.score is not None and item.score <= low and item.sentiment is Polarity.POSITIVE]
    complaining.sort(key=lambda item: (item.sentiment_score or 0.0, item.id))
    praising.sort(key=lambda item: (-(item.sentiment_score or 0.0), item.id))
    return Contradictions(
        high_count=len(complaining),
        high=sources.quotes.pick_items((item.id for item in complaining), _CONTRADICTIONS),
        low_count=len(praising),
        low=sources.quotes.pick_items((item.id for item in praising), _CONTRADICTIONS),
    )


def view_aside(sources: Sources) -> AsideView:
    """View everything that is in no theme, and why."""
    findings, issues = sources.findings, sources.run.issues
    counts = findings.counts
    rejected = sorted((issue for issue in issues if not issue.kept), key=lambda issue: (issue.row, issue.column or ""))
    kept = _group_issues([issue for issue in issues if issue.kept])
    nothings = Counter(document.text.strip() for document in findings.documents if document.status is ContentStatus.NO_CONTENT)
    negative = sum(coding.sentiment.label is Polarity.NEGATIVE for coding in findings.codings)
    places = (
        ("themed", counts.themed),
        ("residual", counts.residual),
        ("no_content", counts.no_content),
        ("without_text", counts.without_text),
    )
    rows = [("rows_total", counts.rows), *places, ("rejected", counts.rejected)]
    return AsideView(
        rows=tuple((text(f"aside.{name}"), number, _share(number, counts.rows)) for name, number in rows),
        residual=tuple(
            ResidualRow(
                reason=text(f"residual.{reason.value}"),
                count=counts.residual_opinions[reason.value],
                share=_share(counts.residual_opinions[reason.value], counts.opinions),
                quotes=sources.quotes.pick_residual(reason, _EXAMPLES),
            )
            for reason in ResidualReason
            if counts.residual_opinions.get(reason.value)
        ),
        unmapped=text("aside.unmapped", count=figures.count(counts.unmapped_opinions), share=_share(counts.unmapped_opinions, negative)),
        nothings=tuple(
            sorted(((words[:40], times) for words, times in nothings.items()), key=lambda entry: (-entry[1], entry[0]))[:_NOTHINGS]
        ),
        rejected=tuple(rejected[:_ISSUES]),
        rejected_more=_more(len(rejected)),
        kept=tuple(kept[:_ISSUES]),
        kept_more=_more(len(kept)),
        redactions=tuple(sorted(counts.redactions.items())),
        copies=text(
            "aside.copies",
            documents=figures.count(counts.documents),
            distinct=figures.count(counts.distinct_texts),
            copies=figures.count(max(0, counts.documents - counts.distinct_texts)),
            reposts=figures.count(counts.reposts),
        ),
        languages=tuple(sorted(counts.languages.items(), key=lambda entry: (-entry[1], entry[0]))),
    )


def view_columns(sources: Sources) -> tuple[ColumnRow, ...]:
    """View what each column was taken for, and why."""
    columns = sources.findings.columns
    reasons = dict(columns.reasons)
    roles = [*((column, "text") for column in columns.texts)]
    for role in ("score", "date", "customer", "channel", "weight"):
        column = getattr(columns, role)
        if column is not None:
            roles.append((column, role))
    roles += [(column, "attribute") for column in columns.attributes]
    told = {column for column, _ in roles}
    roles += [(column, "unused") for column in reasons if column not in told]
    return tuple(ColumnRow(column, text(f"file.{role}"), reasons.get(column, "")) for column, role in roles)


def _group_issues(issues: list[RowIssue]) -> list[IssueGroup]:
    grouped: dict[tuple[str, str], list[int]] = {}
    for issue in issues:
        grouped.setdefault((issue.column or "", issue.reason), []).append(issue.row)
    groups = []
    for (column, reason), found in sorted(grouped.items(), key=lambda entry: (-len(entry[1]), entry[0])):
        lines = sorted(found)
        groups.append(IssueGroup(column, reason, len(lines), ", ".join(map(str, lines[:_LINES])) + (" …" if len(lines) > _LINES else "")))
    return groups


def _more(number: int) -> Both | None:
    return text("aside.more", count=figures.count(number - _ISSUES)) if number > _ISSUES else None


def _share(number: int, whole: int) -> str:
    return figures.percent(number / whole) if whole else "–"
