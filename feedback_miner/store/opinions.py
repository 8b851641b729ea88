"""Opinions as they are asked for: a filter in, pages of opinions out, each with what was read in it; and their vectors, part by part."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Select, String, and_, cast, exists, func, literal_column, not_, select, true, union_all
from sqlalchemy.orm import Session

from feedback_miner.domain import Coding, FeedbackType, Polarity, ResidualReason, Vectors
from feedback_miner.store.findings import read_coding
from feedback_miner.store.tables import CodingRow, DocumentRow, OpinionRow, ResponseRow, VectorRow, opinion_id

__all__ = ["FoundOpinion", "OpinionFilter", "conditions_of", "find_opinions", "find_rows", "in_theme", "load_opinions", "stream_vectors"]

_PART = 500
_FEW = 20_000
_KEY_BYTES = 16
_KEY = np.dtype(f"S{_KEY_BYTES}")
_VECTORS = 4_000
"""Vectors in memory at a time: 1.5 KB each once they are float32."""


@dataclass(frozen=True, slots=True)
class OpinionFilter:
    """Which opinions are wanted. What is left as it is asks for nothing; all that is given must hold."""

    themes: tuple[str, ...] | None = None
    """In one of these leaves; empty: in none, the residual."""
    since: datetime | None = None
    """The response's date is this or later; responses without a date are left out, as with ``until``."""
    until: datetime | None = None
    """The response's date is earlier than this."""
    scores: tuple[float, float] | None = None
    """``[low, high)``; responses without a score are left out."""
    sentiment: Polarity | None = None
    type: FeedbackType | None = None
    causes: tuple[str, ...] = ()
    """One of these was read in it."""
    unmapped: bool = False
    """Negative, and no cause was read in it."""
    reason: ResidualReason | None = None
    """Why it belongs to no theme."""
    channel: str | None = None
    language: str | None = None
    """Of the document."""
    attributes: tuple[tuple[str, str], ...] = ()
    """(name, value) of the response, each."""
    words: str = ""
    """The document contains this, in whatever case."""
    corrected: bool = False
    """An analyst said what it is about, how it feels, or both."""


@dataclass(frozen=True, slots=True)
class FoundOpinion:
    """An opinion in its document and its response: ``document[start:end]`` is what it says."""

    row: int
    id: str
    document: str
    start: int
    end: int
    language: str
    score: float | None
    created_at: datetime | None
    channel: str | None
    attributes: dict[str, Any]
    coding: Coding


def find_opinions(session: Session, project: str, wanted: OpinionFilter, *, after: int = 0, limit: int = 50) -> list[FoundOpinion]:
    """Return the opinions of a project that are wanted, by row number, after a row number."""
    return load_opinions(session, project, find_rows(session, project, wanted, after=after, limit=limit))


def find_rows(session: Session, project: str, wanted: OpinionFilter, *, after: int = 0, limit: int = 50) -> list[int]:
    """Return the row numbers of opinions that are wanted, ascending, after a row number."""

    def page(*leaf: ColumnElement[bool]) -> Select[tuple[int]]:
        query = _select_wanted(session, project, wanted, CodingRow.opinion).where(CodingRow.opinion > after, *leaf)
        return query.order_by(CodingRow.opinion).limit(limit)

    if wanted.themes is None:
        return list(session.scalars(page()))
    if len(wanted.themes) < 2:
        return list(session.scalars(page(in_theme(wanted))))
    # A page of each leaf comes in the order of codings_by_theme; all of them at once would be read to their end, and sorted.
    pages = [select(page(CodingRow.theme == leaf).subquery()) for leaf in wanted.themes]
    every = union_all(*pages).subquery()
    return list(session.scalars(select(every.c.opinion).order_by(every.c.opinion).limit(limit)))


def load_opinions(session: Session, project: str, rows: Sequence[int]) -> list[FoundOpinion]:
    """Return coded opinions of a project by their row numbers, in the order asked; those that are gone are left out."""
    found: dict[int, FoundOpinion] = {}
    for start in range(0, len(rows), _PART):
        query = (
            select(CodingRow, OpinionRow, DocumentRow, ResponseRow)
            .join(OpinionRow, CodingRow.opinion == OpinionRow.id)
            .join(DocumentRow, OpinionRow.document == DocumentRow.id)
            .join(ResponseRow, DocumentRow.response == ResponseRow.id)
            .where(CodingRow.project == project, CodingRow.opinion.in_(rows[start : start + _PART]))
        )
        for coding, opinion, document, response in session.execute(query):
            id_ = opinion_id(response.item, document.number, opinion.start)
            found[opinion.id] = FoundOpinion(
                row=opinion.id,
                id=id_,
                document=document.text,
                start=opinion.start,
                end=opinion.end,
                language=document.language,
                score=response.score,
                created_at=response.created_at,
                channel=response.channel,
                attributes=response.attributes,
                coding=read_coding(coding, id_),
            )
    return [found[row] for row in rows if row in found]


def stream_vectors(
    session: Session, project: str, wanted: OpinionFilter, encoder: str
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.str_], Vectors]]:
    """Yield the opinions that are wanted and have a vector, some thousands at a time, in no order: row numbers, languages, ``(n, d)``.

    A few vectors are looked up one by one. Of many, all that the project has are read in the order in which they lie, which is several
    times faster; what is held meanwhile is 32 bytes for each opinion that is wanted.
    """
    query = _select_wanted(session, project, wanted, CodingRow.opinion, DocumentRow.language, OpinionRow.text_key, encoded=True)
    rows, languages, keys = _read_columns(session, query.where(in_theme(wanted)))
    if len(rows) <= _FEW:
        for start in range(0, len(rows), _VECTORS):
            part = slice(start, start + _VECTORS)
            known = _look_up(session, project, encoder, keys[part])
            there = np.array([key in known for key in keys[part].tolist()], np.bool_)
            if there.any():
                vectors = np.frombuffer(b"".join(known[key] for key in keys[part][there].tolist()), "<f2").reshape(int(there.sum()), -1)
                yield rows[part][there], languages[part][there].astype(str), vectors.astype(np.float32)
        return
    order = np.argsort(keys, kind="stable")
    rows, languages, keys = rows[order], languages[order], keys[order]
    for names, packed in _scan(session, project, encoder):
        first, last = np.searchsorted(keys, names, "left"), np.searchsorted(keys, names, "right")
        times = last - first
        whose = np.repeat(np.arange(len(names)), times)
        places = np.arange(len(whose)) - np.repeat(np.cumsum(times) - times - first, times)
        if len(places):
            yield rows[places], languages[places].astype(str), packed[whose].astype(np.float32)


def _read_columns(session: Session, query: Select[Any]) -> tuple[NDArray[np.int64], NDArray[np.bytes_], NDArray[np.bytes_]]:
    """Return row numbers, languages and text keys as arrays."""
    parts = [
        (np.array(rows, np.int64), np.array(languages, "S8"), np.frombuffer(b"".join(map(bytes, keys)), _KEY))
        for rows, languages, keys in (zip(*part, strict=True) for part in _partitions(session, query))
    ]
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, "S8"), np.zeros(0, _KEY)
    rows, languages, keys = zip(*parts, strict=True)
    return np.concatenate(rows), np.concatenate(languages), np.concatenate(keys)


def _look_up(session: Session, project: str, encoder: str, keys: NDArray[np.bytes_]) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    asked = np.unique(keys)
    for start in range(0, len(asked), _PART):
        part = [key.ljust(_KEY_BYTES, bytes(1)) for key in asked[start : start + _PART].tolist()]
        query = select(VectorRow.text_key, VectorRow.vector).where(
            VectorRow.project == project, VectorRow.encoder == encoder, VectorRow.text_key.in_(part)
        )
        found |= {bytes(key).rstrip(bytes(1)): vector for key, vector in session.execute(query)}
    return found


def _scan(session: Session, project: str, encoder: str) -> Iterator[tuple[NDArray[np.bytes_], NDArray[np.float16]]]:
    """Yield all vectors of a project, some thousands at a time, as they lie."""
    # With a plus, SQLite does not go by the index, which would jump about in the table.
    owner = literal_column("+vectors.project") if session.get_bind().dialect.name == "sqlite" else VectorRow.project
    query = select(VectorRow.text_key, VectorRow.vector).where(owner == project, VectorRow.encoder == encoder)
    for part in _partitions(session, query):
        keys, vectors = zip(*part, strict=True)
        yield np.frombuffer(b"".join(map(bytes, keys)), _KEY), np.frombuffer(b"".join(vectors), "<f2").reshape(len(keys), -1)


def _partitions(session: Session, query: Select[*tuple[Any, ...]]) -> Iterator[Sequence[Any]]:
    # Past the mapper: of millions of rows, it would take half the time.
    return session.connection().execute(query, execution_options={"yield_per": _VECTORS}).partitions()


def conditions_of(session: Session, wanted: OpinionFilter) -> list[ColumnElement[bool]]:
    """Return what must hold of codings, documents and responses that are joined, themes aside."""
    conditions: list[ColumnElement[bool]] = []
    if wanted.since is not None:
        conditions.append(ResponseRow.created_at >= wanted.since)
    if wanted.until is not None:
        conditions.append(ResponseRow.created_at < wanted.until)
    if wanted.scores is not None:
        conditions += [ResponseRow.score >= wanted.scores[0], ResponseRow.score < wanted.scores[1]]
    if wanted.sentiment is not None:
        conditions.append(_is_sentiment(wanted.sentiment))
    if wanted.type is not None:
        conditions.append(CodingRow.type == wanted.type.value)
    if wanted.causes:
        conditions.append(_has_cause(session, CodingRow.causes, wanted.causes))
    if wanted.unmapped:
        conditions += [_is_sentiment(Polarity.NEGATIVE), not_(_has_cause(session, CodingRow.causes))]
    if wanted.reason is not None:
        conditions.append(CodingRow.residual == wanted.reason.value)
    if wanted.channel is not None:
        conditions.append(ResponseRow.channel == wanted.channel)
    if wanted.language is not None:
        conditions.append(DocumentRow.language == wanted.language)
    conditions += [_has_attribute(session, name, value) for name, value in wanted.attributes]
    if wanted.corrected:
        conditions.append(cast(CodingRow.edited, String) != "[]")
    if wanted.words:
        conditions.append(DocumentRow.text.icontains(wanted.words, autoescape=True))
    return conditions


def in_theme(wanted: OpinionFilter) -> ColumnElement[bool]:
    """Return what must hold of a coding's theme."""
    if wanted.themes is None:
        return true()
    if len(wanted.themes) == 1:
        return CodingRow.theme == wanted.themes[0]
    return CodingRow.theme.in_(wanted.themes) if wanted.themes else CodingRow.theme.is_(None)


def _select_wanted(session: Session, project: str, wanted: OpinionFilter, *columns: Any, encoded: bool = False) -> Select[Any]:
    """Select from codings and those tables that are asked for something; the theme is left to the caller. ``encoded``: with text keys."""
    query = select(*columns).select_from(CodingRow).where(CodingRow.project == project, *conditions_of(session, wanted))
    response = any(asked is not None for asked in (wanted.since, wanted.until, wanted.scores, wanted.channel)) or bool(wanted.attributes)
    if response or wanted.words or wanted.language is not None or encoded:
        query = query.join(OpinionRow, CodingRow.opinion == OpinionRow.id).join(DocumentRow, OpinionRow.document == DocumentRow.id)
    if response:
        query = query.join(ResponseRow, DocumentRow.response == ResponseRow.id)
    if encoded:
        query = query.where(OpinionRow.text_key.is_not(None))
    return query


def _is_sentiment(sentiment: Polarity) -> ColumnElement[bool]:
    """Say in SQL what ``Sentiment.label`` says: ties go to the less emotional one."""
    negative, neutral, positive = CodingRow.negative, CodingRow.neutral, CodingRow.positive
    if sentiment is Polarity.NEGATIVE:
        return and_(negative > neutral, negative >= positive)
    if sentiment is Polarity.POSITIVE:
        return and_(positive > neutral, positive > negative)
    return and_(neutral >= negative, neutral >= positive)


def _has_cause(session: Session, column: Any, causes: Sequence[str] = ()) -> ColumnElement[bool]:
    """Tell whether a list of causes names one of these, or any at all."""
    sqlite = session.get_bind().dialect.name == "sqlite"
    entries = (func.json_each if sqlite else func.json_array_elements)(column).table_valued("value", name="causes_read")
    name = func.json_extract(entries.c.value, "$.cause") if sqlite else func.json_extract_path_text(entries.c.value, "cause")
    return exists(select(1).select_from(entries).where(name.in_(causes) if causes else true()))


def _has_attribute(session: Session, name: str, value: str) -> ColumnElement[bool]:
    # By name and value as they are: a path expression would give meaning to quotes and dots in a column's name.
    sqlite = session.get_bind().dialect.name == "sqlite"
    entries = (func.json_each if sqlite else func.json_each_text)(ResponseRow.attributes).table_valued("key", "value")
    return exists(select(1).select_from(entries).where(entries.c.key == name, entries.c.value == value))
