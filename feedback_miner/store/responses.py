"""What was read: a corpus into rows and back, in the same order and to the same bit; and the vectors of its texts."""

from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import numpy as np
from sqlalchemy import ColumnElement, between, delete, func, select, union_all, update
from sqlalchemy.orm import Session

from feedback_miner.domain import ContentStatus, Document, FeedbackItem, Opinion, Vectors
from feedback_miner.store.customers import remove_unnamed
from feedback_miner.store.projects import lock_project
from feedback_miner.store.tables import BatchRow, DocumentRow, OpinionRow, ResponseRow, VectorRow, insert_rows, opinion_id

__all__ = [
    "StoredOpinions",
    "add_responses",
    "add_vectors",
    "count_encoded",
    "delete_customer",
    "delete_expired",
    "forget_text_keys",
    "last_numbers",
    "list_customers",
    "load_documents",
    "load_items",
    "load_named",
    "load_opinions",
    "load_rows",
    "load_shard",
    "load_vectors",
    "missing_vectors",
    "remove_batch_responses",
    "set_text_keys",
    "stream_texts",
]

_T = TypeVar("_T")
_PART = 1_000
StoredOpinions = tuple[list[Opinion], list[int]]
"""Opinions in the order of their ids, and the number of the row of each."""


def remove_batch_responses(session: Session, batch: str) -> None:
    """Forget what was read of a batch, so that reading it again starts from nothing."""
    project = session.scalar(select(BatchRow.project).where(BatchRow.id == batch))
    gone = session.scalar(select(ResponseRow.id).where(ResponseRow.batch == batch).limit(1))
    if project is not None and gone is not None:
        session.execute(delete(ResponseRow).where(ResponseRow.batch == batch))
        remove_unnamed(session, project)


def last_numbers(session: Session, project: str, contents: Iterable[str], *, other_than: str) -> dict[str, int]:
    """Tell of each content hash the last number that an identical response in the project's other batches has; none: left out.

    Their count would not do: where one of several was deleted, the numbers of the others stay.
    """
    numbers: dict[str, int] = {}
    ours = select(ResponseRow.item).where(ResponseRow.project == project, ResponseRow.batch != other_than)
    for part in _parts(sorted(set(contents)), 100):
        # "abc" itself and "abc-2", "abc-3" ...: a range of the unique index for each. Joined by OR, SQLite would read the whole project.
        ranges = [ours.where(between(ResponseRow.item, content, f"{content}-:")) for content in part]
        for item in session.scalars(union_all(*ranges)):
            content, _, number = item.partition("-")
            numbers[content] = max(numbers.get(content, 0), int(number or 1))
    return numbers


def add_responses(
    session: Session,
    project: str,
    batch: str,
    items: Sequence[FeedbackItem],
    rows: Mapping[str, int],
    documents: Sequence[Document],
    opinions: Sequence[Opinion],
) -> None:
    """Add what was read. Documents and opinions belong to these items."""
    if not items:
        return
    values: list[dict[str, Any]] = [
        {
            "project": project,
            "batch": batch,
            "item": item.id,
            "row": rows[item.id],
            "score": item.score,
            "created_at": item.created_at,
            "customer": item.customer,
            "channel": item.channel,
            "weight": item.weight,
            "attributes": dict(item.attributes),
        }
        for item in items
    ]
    insert_rows(session, ResponseRow, values)
    # Asked for afterwards: inserting with RETURNING in order is a statement for each row on SQLite.
    response_ids: dict[str, int] = {}
    for names in _parts([item.id for item in items], _PART):
        found = session.execute(select(ResponseRow.item, ResponseRow.id).where(ResponseRow.project == project, ResponseRow.item.in_(names)))
        response_ids |= {row.item: row.id for row in found}
    values = [
        {
            "response": response_ids[document.item],
            "number": int(document.id.rpartition(".")[2]),
            "column": document.column,
            "text": document.text,
            "language": document.language,
            "status": document.status.value,
            "repost": document.repost,
            "redactions": dict(document.redactions),
        }
        for document in documents
    ]
    insert_rows(session, DocumentRow, values)
    document_ids: dict[str, int] = {}
    names_of = {row: item for item, row in response_ids.items()}
    for rows_part in _parts(list(names_of), _PART):
        query = select(DocumentRow.response, DocumentRow.number, DocumentRow.id).where(DocumentRow.response.in_(rows_part))
        document_ids |= {f"{names_of[response]}.{number}": row for response, number, row in session.execute(query)}
    values = [{"document": document_ids[opinion.document], "start": opinion.start, "end": opinion.end} for opinion in opinions]
    insert_rows(session, OpinionRow, values)


def load_items(session: Session, project: str) -> list[FeedbackItem]:
    """Return the responses of a project by id, without texts; ``row`` counts in their own batch."""
    columns = (
        ResponseRow.item,
        ResponseRow.row,
        ResponseRow.score,
        ResponseRow.created_at,
        ResponseRow.customer,
        ResponseRow.channel,
        ResponseRow.weight,
        ResponseRow.attributes,
    )
    items = [
        FeedbackItem(item, row, (), score, created_at, customer, channel, weight, tuple(sorted(attributes.items())))
        for item, row, score, created_at, customer, channel, weight, attributes in session.execute(
            select(*columns).where(ResponseRow.project == project)
        )
    ]
    return sorted(items, key=lambda item: item.id)


def load_rows(session: Session, project: str) -> tuple[int, Mapping[str, int]]:
    """Return how many rows the project's batches had, and the row of each response in its batch."""
    total = session.scalar(select(func.sum(BatchRow.rows)).where(BatchRow.project == project)) or 0
    query = select(ResponseRow.item, ResponseRow.row).where(ResponseRow.project == project)
    return total, {found.item: found.row for found in session.execute(query)}


def load_documents(session: Session, project: str) -> list[Document]:
    """Return the documents of a project in the order of their responses; ``copies`` is left at one."""
    columns = (
        ResponseRow.item,
        DocumentRow.number,
        DocumentRow.column,
        DocumentRow.text,
        DocumentRow.language,
        DocumentRow.status,
        DocumentRow.repost,
        DocumentRow.redactions,
    )
    query = select(*columns).join(DocumentRow, DocumentRow.response == ResponseRow.id).where(ResponseRow.project == project)
    found = sorted(session.execute(query), key=lambda row: (row[0], row[1]))
    return [
        Document(f"{item}.{number}", item, column, text, language, ContentStatus(status), 1, repost, tuple(sorted(redactions.items())))
        for item, number, column, text, language, status, repost, redactions in found
    ]


def load_opinions(session: Session, project: str) -> StoredOpinions:
    """Return the opinions of a project in the order of their documents, and their row numbers."""
    columns = (ResponseRow.item, DocumentRow.number, OpinionRow.start, OpinionRow.end, OpinionRow.id, DocumentRow.text)
    query = (
        select(*columns)
        .join(DocumentRow, DocumentRow.response == ResponseRow.id)
        .join(OpinionRow, OpinionRow.document == DocumentRow.id)
        .where(ResponseRow.project == project)
    )
    found = sorted(session.execute(query), key=lambda row: (row[0], row[1], row[2]))
    opinions = [
        Opinion(opinion_id(item, number, start), f"{item}.{number}", start, end, text[start:end])
        for item, number, start, end, _, text in found
    ]
    return opinions, [row[4] for row in found]


def stream_texts(session: Session, project: str) -> Generator[tuple[str, str]]:
    """Yield text and language of every opinion of a project, in no order, a thousand in memory at a time. To be closed."""
    query = (
        select(OpinionRow.start, OpinionRow.end, DocumentRow.text, DocumentRow.language)
        .join(DocumentRow, OpinionRow.document == DocumentRow.id)
        .join(ResponseRow, DocumentRow.response == ResponseRow.id)
        .where(ResponseRow.project == project)
    )
    with session.connection().execute(query, execution_options={"yield_per": _PART}) as found:
        for start, end, text, language in found:
            yield text[start:end], language


def load_named(session: Session, project: str, opinions: Iterable[str]) -> dict[str, tuple[int, str, str]]:
    """Return (row number, text, language) of opinions by their ids; those that are not there are left out."""
    places = [(id_, *_parse(id_)) for id_ in sorted(set(opinions))]
    found: dict[str, tuple[int, str, str]] = {}
    for part in _parts(places, _PART):
        query = (
            select(
                ResponseRow.item,
                DocumentRow.number,
                OpinionRow.start,
                OpinionRow.end,
                OpinionRow.id,
                DocumentRow.text,
                DocumentRow.language,
            )
            .join(DocumentRow, OpinionRow.document == DocumentRow.id)
            .join(ResponseRow, DocumentRow.response == ResponseRow.id)
            .where(ResponseRow.project == project, ResponseRow.item.in_([item for _, item, _, _ in part]))
        )
        there = {
            (item, number, start): (row, text[start:end], language)
            for item, number, start, end, row, text, language in session.execute(query)
        }
        found |= {id_: there[item, number, start] for id_, item, number, start in part if (item, number, start) in there}
    return found


def _parse(opinion: str) -> tuple[str, int, int]:
    """Take an opinion's id apart: item, number of the document, start."""
    document, _, start = opinion.rpartition("#")
    item, _, number = document.rpartition(".")
    return item, int(number), int(start)


def load_shard(session: Session, project: str, after: int, limit: int) -> list[tuple[int, str, str]]:
    """Return (row number, text, language) of the next opinions without a text key, after a row number."""
    query = (
        select(OpinionRow.id, OpinionRow.start, OpinionRow.end, DocumentRow.text, DocumentRow.language)
        .join(DocumentRow, OpinionRow.document == DocumentRow.id)
        .join(ResponseRow, DocumentRow.response == ResponseRow.id)
        .where(ResponseRow.project == project, OpinionRow.id > after, OpinionRow.text_key.is_(None))
        .order_by(OpinionRow.id)
        .limit(limit)
    )
    return [(row, text[start:end], language) for row, start, end, text, language in session.execute(query)]


def count_encoded(session: Session, project: str) -> tuple[int, int]:
    """Return how many of a project's opinions have a text key, and how many there are."""
    query = (
        select(func.count(OpinionRow.text_key), func.count())
        .select_from(OpinionRow)
        .join(DocumentRow, OpinionRow.document == DocumentRow.id)
        .join(ResponseRow, DocumentRow.response == ResponseRow.id)
        .where(ResponseRow.project == project)
    )
    done, total = session.execute(query).one()
    return done, total


def set_text_keys(session: Session, keys: Mapping[int, bytes]) -> None:
    """Note, by row number of an opinion, which text the encoder sees of it."""
    values = [{"id": row, "text_key": key} for row, key in keys.items()]
    if values:
        session.execute(update(OpinionRow), values)


def set_whole_keys(session: Session, project: str, keys: Mapping[str, bytes]) -> None:
    """Note, by id of a document, which text the encoder sees of all of it."""
    query = (
        select(ResponseRow.item, DocumentRow.number, DocumentRow.id, DocumentRow.text_key)
        .join(DocumentRow, DocumentRow.response == ResponseRow.id)
        .where(ResponseRow.project == project)
    )
    noted = ((f"{item}.{number}", row, known) for item, number, row, known in session.execute(query))
    values = [{"id": row, "text_key": keys[name]} for name, row, known in noted if name in keys and keys[name] != known]
    if values:
        session.execute(update(DocumentRow), values)


def forget_text_keys(session: Session, project: str) -> None:
    """Let every opinion of a project be encoded again; vectors stay."""
    documents = select(DocumentRow.id).join(ResponseRow, DocumentRow.response == ResponseRow.id).where(ResponseRow.project == project)
    session.execute(update(OpinionRow).where(OpinionRow.document.in_(documents)).values(text_key=None))


def missing_vectors(session: Session, project: str, encoder: str, wanted: Iterable[bytes]) -> list[bytes]:
    """Return which text keys have no vector under this encoder yet, ascending."""
    asked = sorted(set(wanted))
    known = _known_keys(session, project, encoder, asked)
    return [key for key in asked if key not in known]


def add_vectors(session: Session, project: str, encoder: str, vectors: Mapping[bytes, Vectors]) -> None:
    """Keep vectors as float16; ones that are kept already stay."""
    known = _known_keys(session, project, encoder, list(vectors))
    values = [
        {"project": project, "encoder": encoder, "text_key": key, "vector": vector.astype("<f2").tobytes()}
        for key, vector in vectors.items()
        if key not in known
    ]
    insert_rows(session, VectorRow, values)


def load_vectors(session: Session, project: str, encoder: str, keys: Sequence[bytes]) -> Vectors:
    """Return the vectors of text keys, ``(n, d)`` float32, in the order asked. A missing one is a KeyError."""
    places: dict[bytes, list[int]] = {}
    for place, key in enumerate(keys):
        places.setdefault(key, []).append(place)
    found: Vectors | None = None
    for part in _parts(list(places), _PART):
        query = select(VectorRow.text_key, VectorRow.vector).where(
            VectorRow.project == project, VectorRow.encoder == encoder, VectorRow.text_key.in_(part)
        )
        known = {key: np.frombuffer(vector, "<f2") for key, vector in session.execute(query)}
        for key in part:
            if found is None:
                found = np.empty((len(keys), len(known[key])), np.float32)
            found[places[key]] = known[key]
    return np.zeros((0, 0), np.float32) if found is None else found


def list_customers(session: Session, project: str) -> Sequence[str]:
    """Return the pseudonyms of everybody who has a response in the project."""
    query = select(ResponseRow.customer).where(ResponseRow.project == project, ResponseRow.customer.is_not(None)).distinct()
    return [customer for customer in session.scalars(query) if customer is not None]


def delete_customer(session: Session, project: str, customer: str) -> int:
    """Delete a customer's responses and what nobody else has of them; return how many responses went."""
    return _delete_responses(session, project, ResponseRow.customer == customer)


def delete_expired(session: Session, project: str, before: datetime) -> int:
    """Delete the responses from before a moment, by their own date or else their upload's; return how many went."""
    uploaded = select(BatchRow.created_at).where(BatchRow.id == ResponseRow.batch).scalar_subquery()
    return _delete_responses(session, project, func.coalesce(ResponseRow.created_at, uploaded) < before)


def _delete_responses(session: Session, project: str, condition: ColumnElement[bool]) -> int:
    """Delete responses, every vector that no text has any more, and the sealed keys of customers who have no response left."""
    row = lock_project(session, project)
    these = (ResponseRow.project == project, condition)
    count = session.scalar(select(func.count()).select_from(ResponseRow).where(*these)) or 0
    if not count:
        return 0
    row.deletions += 1
    session.execute(delete(ResponseRow).where(*these))
    remove_unnamed(session, project)
    documents = select(DocumentRow.id).join(ResponseRow, DocumentRow.response == ResponseRow.id).where(ResponseRow.project == project)
    of_opinion = documents.join(OpinionRow, OpinionRow.document == DocumentRow.id).where(OpinionRow.text_key == VectorRow.text_key)
    of_whole = documents.where(DocumentRow.text_key == VectorRow.text_key)
    session.execute(delete(VectorRow).where(VectorRow.project == project, ~of_opinion.exists(), ~of_whole.exists()))
    return count


def _known_keys(session: Session, project: str, encoder: str, keys: Sequence[bytes]) -> set[bytes]:
    known: set[bytes] = set()
    for part in _parts(keys, _PART):
        query = select(VectorRow.text_key).where(VectorRow.project == project, VectorRow.encoder == encoder, VectorRow.text_key.in_(part))
        known.update(session.scalars(query))
    return known


def _parts(values: Sequence[_T], size: int) -> Iterator[Sequence[_T]]:
    """Cut what is asked for into pieces that a statement can name one by one."""
    return (values[start : start + size] for start in range(0, len(values), size))
