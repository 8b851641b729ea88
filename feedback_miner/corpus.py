"""Everything a run reads: responses, their documents and opinions, raw texts gone.

Comes in: feedback items as ingest yields them; goes out: a ``Corpus`` in canonical order, so that the order of rows cannot matter to
anything that follows. Personal data in texts, customer keys, channels and attributes is replaced here, before anybody else sees a value.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from feedback_miner.domain import ContentStatus, Document, FeedbackItem, Opinion
from feedback_miner.progress import Progress
from feedback_miner.reading import Reading, read_text
from feedback_miner.stages.clean import text_key
from feedback_miner.stages.redact import pseudonymise, redact_value

__all__ = ["Corpus", "count_copies", "read_corpus"]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Everything read, sorted by item id."""

    items: list[FeedbackItem]
    """Redacted and without their texts."""
    documents: list[Document]
    opinions: list[Opinion]
    matching: list[str]
    """matching[i] belongs to opinions[i]."""
    languages: list[str]
    """Of the document that opinions[i] stands in."""
    rows: Mapping[str, int]
    """Item id -> row number in its source."""


def read_corpus(items: Iterable[FeedbackItem], progress: Progress, *, key: bytes = b"") -> Corpus:
    """Read every item, each distinct raw text once. ``key`` makes pseudonyms of customers that nobody without it can work out."""
    readings: dict[str, Reading] = {}
    read: list[tuple[FeedbackItem, list[tuple[str, Reading]]]] = []
    rows: dict[str, int] = {}
    for item in items:
        cells = []
        for column, raw in item.texts:
            if raw not in readings:
                readings[raw] = read_text(raw)
            cells.append((column, readings[raw]))
        rows[item.id] = item.row
        read.append((_redacted(item, key), cells))
        if len(read) % 200 == 0:
            progress("read", len(read), None)
    progress("read", len(read), len(read))
    read.sort(key=lambda pair: pair[0].id)
    documents, opinions, matching, languages = [], [], [], []
    for item, cells in read:
        for number, (column, reading) in enumerate(cells):
            document = Document(
                id=f"{item.id}.{number}",
                item=item.id,
                column=column,
                text=reading.verbatim.text,
                language=reading.language,
                status=ContentStatus.RESIDUAL if reading.opinions else ContentStatus.NO_CONTENT,
                repost=reading.repost,
                redactions=reading.redactions,
            )
            documents.append(document)
            for opinion in reading.opinions:
                opinions.append(Opinion(f"{document.id}#{opinion.start}", document.id, opinion.start, opinion.end, opinion.text))
                matching.append(opinion.matching)
                languages.append(reading.language)
    return Corpus([item for item, _ in read], count_copies(documents), opinions, matching, languages, rows)


def count_copies(documents: list[Document]) -> list[Document]:
    """Tell each document how many of them carry its very text."""
    keys = [text_key(document.text) for document in documents]
    copies = Counter(keys)
    return [replace(document, copies=copies[key]) for document, key in zip(documents, keys, strict=True)]


def _redacted(item: FeedbackItem, key: bytes) -> FeedbackItem:
    """Return the item without its texts, every other value redacted."""
    return replace(
        item,
        texts=(),
        customer=None if item.customer is None else pseudonymise(item.customer, key=key),
        channel=None if item.channel is None else redact_value(item.channel, key=key),
        attributes=tuple((name, redact_value(value, key=key)) for name, value in item.attributes),
    )
