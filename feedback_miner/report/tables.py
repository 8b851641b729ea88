"""CSV tables of a run: findings in, rows out, one at a time. Never opens a file; never lets a cell run as a formula.

Columns and rows are functions of their own, so that a data frame or a workbook can be made of the same. Text cells that a spreadsheet
would take for a formula get a leading apostrophe; numbers of our own making stay numbers. Bytes are UTF-8 with a byte-order mark, for
Excel in Chinese.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import TypeAlias

from feedback_miner.domain import Coding, Document, Findings, ItemRecord, Measure, Polarity, Run, Theme
from feedback_miner.report.causes import CauseBook, Taxonomy, pick_name, read_causes

__all__ = [
    "Cell",
    "codebook_columns",
    "codebook_rows",
    "comment_columns",
    "comment_rows",
    "encode_csv",
    "neutralise_cell",
    "opinion_columns",
    "opinion_rows",
]

Cell: TypeAlias = str | int | float | None
Rows: TypeAlias = Iterator[list[Cell]]

# Full-width forms too: Excel in Chinese and Japanese takes them for the plain ones.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_JOIN = "; "


def neutralise_cell(cell: Cell) -> Cell:
    """Return the cell made harmless: text that could start a formula gets an apostrophe in front (OWASP, CSV injection)."""
    if isinstance(cell, str) and cell.startswith(_FORMULA_STARTS):
        return "'" + cell
    return cell


def encode_csv(columns: Iterable[str], rows: Iterable[Iterable[Cell]]) -> Iterator[bytes]:
    """Encode a table as CSV (RFC 4180, UTF-8 with BOM), one chunk for each row; every cell is neutralised, the header's too."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\r\n")
    yield b"\xef\xbb\xbf"
    for row in chain([columns], rows):
        writer.writerow(["" if cell is None else neutralise_cell(cell) for cell in row])
        # A lone surrogate is no text; one bad character must not lose a table.
        yield buffer.getvalue().encode("utf-8", errors="replace")
        buffer.seek(0)
        buffer.truncate()


def comment_columns(findings: Findings) -> list[str]:
    """Return the columns of ``comment_rows``; every attribute of the file is one."""
    return [
        "row",
        "response_id",
        "document_id",
        "date",
        "customer",
        "channel",
        "score",
        "weight",
        *(f"attribute: {name}" for name in _attributes(findings)),
        "column",
        "verbatim",
        "language",
        "status",
        "sentiment",
        "sentiment_score",
        "main_theme",
        "themes",
        "causes",
        "copies",
        "repost",
    ]


def comment_rows(findings: Findings, run: Run, taxonomy: Taxonomy, *, language: str = "en") -> Rows:
    """Yield one row for each text of each response, and one for a response without text; in the order of the source."""
    book = read_causes(taxonomy)
    names = _theme_names(findings.themes, language)
    attributes = _attributes(findings)
    documents = _documents_by_item(findings.documents)
    codings = _codings_by_document(findings)
    for item in _in_source_order(findings.items, run):
        lead: list[Cell] = [run.rows.get(item.id), item.id]
        about: list[Cell] = [
            item.created_at.isoformat() if item.created_at else None,
            item.customer,
            item.channel,
            _number(item.score),
            _number(item.weight),
            *(item.attributes.get(name) for name in attributes),
        ]
        own = sorted(documents.get(item.id, []), key=lambda document: document.id)
        if not own:
            yield [*lead, None, *about, None, None, None, item.status, None, None, None, None, None, None, None]
        for document in own:
            yield [*lead, document.id, *about, *_comment_cells(document, item, codings.get(document.id, []), names, book, language)]


def _comment_cells(
    document: Document, item: ItemRecord, codings: list[Coding], names: Mapping[str, str], book: CauseBook, language: str
) -> list[Cell]:
    themes = dict.fromkeys(membership.theme for coding in codings for membership in coding.themes)
    found = dict.fromkeys(cause.cause for coding in codings for cause in coding.causes)
    # The sentiment is the whole response's; it is told beside each of its texts that was mined.
    mined = bool(codings)
    return [
        document.column,
        document.text,
        document.language,
        document.status.value,
        item.sentiment.value if mined and item.sentiment else None,
        _number(item.sentiment_score) if mined else None,
        None if document.theme is None else names.get(document.theme, document.theme),
        _JOIN.join(names.get(theme, theme) for theme in themes),
        _JOIN.join(book.cause_name(cause, language) for cause in found),
        document.copies,
        "yes" if document.repost else "no",
    ]


def opinion_columns() -> list[str]:
    """Return the columns of ``opinion_rows``."""
    return [
        "opinion_id",
        "document_id",
        "response_id",
        "start",
        "end",
        "text",
        "language",
        "sentiment",
        "negative",
        "neutral",
        "positive",
        "sentiment_score",
        "type",
        "theme_ids",
        "theme_names",
        "parent_names",
        "strengths",
        "residual_reason",
        "cause_ids",
        "cause_names",
        "cause_scores",
        "runner_up",
        "runner_up_score",
        "evidence",
        "stage",
        "owner",
    ]


def opinion_rows(findings: Findings, taxonomy: Taxonomy, *, language: str = "en") -> Rows:
    """Yield one row for each opinion, in the order of the findings.

    Where it has several themes or causes, the cells list them in parallel.
    """
    book = read_causes(taxonomy)
    names = _theme_names(findings.themes, language)
    parents = {theme.id: theme.parent for theme in findings.themes}
    documents = {document.id: document for document in findings.documents}
    for opinion, coding in zip(findings.opinions, findings.codings, strict=True):
        document = documents[opinion.document]
        sentiment = coding.sentiment
        themes = [membership.theme for membership in coding.themes]
        known = [book.causes[found.cause] for found in coding.causes if found.cause in book.causes]
        top = coding.causes[0] if coding.causes else None
        yield [
            opinion.id,
            opinion.document,
            document.item,
            opinion.start,
            opinion.end,
            opinion.text,
            document.language,
            sentiment.label.value,
            _number(sentiment.negative),
            _number(sentiment.neutral),
            _number(sentiment.positive),
            _number(sentiment.score),
            coding.type.value,
            _JOIN.join(themes),
            _JOIN.join(names.get(theme, theme) for theme in themes),
            _JOIN.join(names.get(parent, parent) for parent in dict.fromkeys(parents.get(theme) for theme in themes) if parent),
            _JOIN.join(f"{membership.strength:.3f}" for membership in coding.themes),
            coding.residual.value if coding.residual else None,
            _JOIN.join(found.cause for found in coding.causes),
            _JOIN.join(book.cause_name(found.cause, language) for found in coding.causes),
            _JOIN.join(f"{found.score:.3f}" for found in coding.causes),
            top.runner_up if top else None,
            _number(top.runner_up_score) if top and top.runner_up else None,
            _JOIN.join(dict.fromkeys(document.text[found.start : found.end] for found in coding.causes)),
            _JOIN.join(dict.fromkeys(book.stage_name(cause.stage, language) for cause in known)),
            _JOIN.join(dict.fromkeys(book.owner_name(cause.owner, language) for cause in known)),
        ]


def codebook_columns() -> list[str]:
    """Return the columns of ``codebook_rows``."""
    return [
        "theme_id",
        "parent_id",
        "name_zh",
        "name_en",
        "keyphrases",
        "people",
        "customers",
        "opinions",
        "share",
        "share_low",
        "share_high",
        "negative",
        "neutral",
        "positive",
        "score",
        "score_low",
        "score_high",
        "impact",
        "impact_low",
        "impact_high",
        "direction",
        "exemplars",
    ]


def codebook_rows(findings: Findings) -> Rows:
    """Yield one row for each theme, most people first."""
    themes = {theme.id: theme for theme in findings.themes}
    for measure in findings.theme_measures:
        theme = themes[measure.subject]
        phrases = dict.fromkeys(phrase for language in sorted(theme.keyphrases) for phrase in theme.keyphrases[language])
        yield [
            theme.id,
            theme.parent,
            theme.names.get("zh"),
            theme.names.get("en"),
            _JOIN.join(phrases),
            *_measure_cells(measure),
            "\n".join(exemplar.text for exemplar in theme.exemplars),
        ]


def _measure_cells(measure: Measure) -> list[Cell]:
    score, impact = measure.score, measure.impact
    return [
        measure.people,
        measure.customers,
        measure.opinions,
        _number(measure.share),
        _number(measure.interval.low),
        _number(measure.interval.high),
        *(measure.polarity.get(polarity.value, 0) for polarity in (Polarity.NEGATIVE, Polarity.NEUTRAL, Polarity.POSITIVE)),
        *([_number(score.value), _number(score.interval.low), _number(score.interval.high)] if score else [None] * 3),
        *([_number(impact.leave_out), _number(impact.interval.low), _number(impact.interval.high)] if impact else [None] * 3),
        measure.trend.direction if measure.trend else None,
    ]


def _attributes(findings: Findings) -> list[str]:
    return sorted({name for item in findings.items for name in item.attributes})


def _number(value: float | None) -> Cell:
    if value is None:
        return None
    rounded = round(value, 6)
    return int(rounded) if rounded == int(rounded) else rounded


def _theme_names(themes: Iterable[Theme], language: str) -> dict[str, str]:
    return {theme.id: pick_name(theme.names, language, theme.id) for theme in themes}


def _in_source_order(items: Iterable[ItemRecord], run: Run) -> list[ItemRecord]:
    last = len(run.rows) + max(run.rows.values(), default=0)
    return sorted(items, key=lambda item: (run.rows.get(item.id, last), item.id))


def _documents_by_item(documents: Iterable[Document]) -> dict[str, list[Document]]:
    grouped: dict[str, list[Document]] = {}
    for document in documents:
        grouped.setdefault(document.item, []).append(document)
    return grouped


def _codings_by_document(findings: Findings) -> dict[str, list[Coding]]:
    grouped: dict[str, list[Coding]] = {}
    for opinion, coding in zip(findings.opinions, findings.codings, strict=True):
        grouped.setdefault(opinion.document, []).append(coding)
    return grouped
