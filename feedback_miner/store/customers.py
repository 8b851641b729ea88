"""Customers: the key each has in the uploaded files, sealed, beside the pseudonym that responses know; and whom to call back."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, delete, exists, select
from sqlalchemy.orm import Session

from feedback_miner.store.opinions import OpinionFilter, conditions_of, in_theme
from feedback_miner.store.tables import CodingRow, CustomerRow, DocumentRow, OpinionRow, ResponseRow, insert_rows, opinion_id

__all__ = ["Caller", "Spoken", "add_customers", "find_callers", "load_callers", "remove_unnamed", "unknown_customers"]

_PART = 500


@dataclass(frozen=True, slots=True)
class Spoken:
    """An opinion that was asked for, in its response."""

    id: str
    text: str
    score: float | None
    created_at: datetime | None
    channel: str | None


@dataclass(frozen=True, slots=True)
class Caller:
    """A customer who holds an opinion that was asked for."""

    pseudonym: str
    sealed: bytes | None
    """``None`` where the pseudonym is the key itself: it holds no personal data."""
    spoken: tuple[Spoken, ...]
    """In the order of their row numbers."""


def unknown_customers(session: Session, project: str, pseudonyms: Iterable[str]) -> list[str]:
    """Return which pseudonyms have no sealed key yet, ascending."""
    asked, known = sorted(set(pseudonyms)), set[str]()
    for start in range(0, len(asked), _PART):
        part = asked[start : start + _PART]
        known.update(session.scalars(select(CustomerRow.pseudonym).where(CustomerRow.project == project, CustomerRow.pseudonym.in_(part))))
    return [pseudonym for pseudonym in asked if pseudonym not in known]


def add_customers(session: Session, project: str, sealed: Mapping[str, bytes]) -> None:
    """Keep the sealed keys of customers that are not known yet, by pseudonym."""
    insert_rows(session, CustomerRow, [{"project": project, "pseudonym": name, "sealed": key} for name, key in sealed.items()])


def remove_unnamed(session: Session, project: str) -> None:
    """Forget the keys of customers that no response of the project names any more."""
    named = exists().where(ResponseRow.project == CustomerRow.project, ResponseRow.customer == CustomerRow.pseudonym)
    session.execute(delete(CustomerRow).where(CustomerRow.project == project, ~named))


def find_callers(session: Session, project: str, wanted: OpinionFilter, *, after: str = "", limit: int | None = None) -> list[str]:
    """Return the pseudonyms of customers with an opinion that is wanted, in their order, after a pseudonym."""
    query = (
        select(ResponseRow.customer)
        .select_from(CodingRow)
        .join(OpinionRow, CodingRow.opinion == OpinionRow.id)
        .join(DocumentRow, OpinionRow.document == DocumentRow.id)
        .join(ResponseRow, DocumentRow.response == ResponseRow.id)
        .where(CodingRow.project == project, ResponseRow.customer > after, in_theme(wanted), *conditions_of(session, wanted))
        .distinct()
        .order_by(ResponseRow.customer)
        .limit(limit)
    )
    return [str(name) for name in session.scalars(query)]


def load_callers(session: Session, project: str, wanted: OpinionFilter, names: Sequence[str]) -> list[Caller]:
    """Return customers by their pseudonyms, in the order asked, each with all their opinions that are wanted."""
    conditions = [CodingRow.project == project, in_theme(wanted), *conditions_of(session, wanted)]
    spoken: dict[str, list[Spoken]] = {}
    sealed: dict[str, bytes | None] = {}
    for start in range(0, len(names), _PART):
        query = (
            select(ResponseRow, DocumentRow, OpinionRow, CustomerRow.sealed)
            .join(DocumentRow, DocumentRow.response == ResponseRow.id)
            .join(OpinionRow, OpinionRow.document == DocumentRow.id)
            .join(CodingRow, CodingRow.opinion == OpinionRow.id)
            .outerjoin(CustomerRow, and_(CustomerRow.project == project, CustomerRow.pseudonym == ResponseRow.customer))
            .where(ResponseRow.project == project, ResponseRow.customer.in_(names[start : start + _PART]), *conditions)
            .order_by(OpinionRow.id)
        )
        for response, document, opinion, key in session.execute(query):
            name = str(response.customer)
            sealed[name] = key
            id_ = opinion_id(response.item, document.number, opinion.start)
            text = document.text[opinion.start : opinion.end]
            spoken.setdefault(name, []).append(Spoken(id_, text, response.score, response.created_at, response.channel))
    return [Caller(name, sealed[name], tuple(spoken[name])) for name in names if name in spoken]
