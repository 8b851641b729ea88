"""Cases: responses somebody follows up with the customer. One for a response, and gone with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Literal

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from feedback_miner.errors import ConflictError, NotFoundError
from feedback_miner.store.projects import lock_project, now
from feedback_miner.store.responses import load_named
from feedback_miner.store.tables import CaseRow, DocumentRow, OpinionRow, ResponseRow, opinion_id

__all__ = ["Case", "Outcome", "State", "change_case", "get_case", "list_cases", "open_case"]

State = Literal["open", "waiting", "closed"]
Outcome = Literal["resolved", "unreachable", "no_action"]


@dataclass(frozen=True, slots=True)
class Case:
    """A case, with what the customer said."""

    row: CaseRow
    opinion: str
    """Its id."""
    text: str
    score: float | None
    created_at: datetime | None
    channel: str | None
    customer: str | None
    """Their pseudonym."""


def open_case(
    session: Session, project: str, opinion: str, *, actor: str, owner: str | None, due: date | None, note: str
) -> tuple[Case, bool]:
    """Open a case for the response that holds an opinion; return it, and whether it is new. One that there is stays as it is.

    ``note`` comes redacted. Raises NotFoundError where the project has no such opinion.
    """
    lock_project(session, project)  # two who open at once open one
    found = load_named(session, project, [opinion])
    if opinion not in found:
        raise NotFoundError(f"there is no opinion {opinion!r} in project {project!r}")
    row, _, _ = found[opinion]
    response = session.scalar(select(DocumentRow.response).join(OpinionRow).where(OpinionRow.id == row))
    known = session.scalar(select(CaseRow.id).where(CaseRow.response == response))
    if known is not None:
        return get_case(session, project, known), False
    moment = now()
    case = CaseRow(project=project, response=response, opinion=row, state="open", owner=owner, due=due, note=note, version=1)
    case.opened_by, case.opened_at, case.changed_at = actor, moment, moment
    session.add(case)
    session.flush()
    return get_case(session, project, case.id), True


def get_case(session: Session, project: str, case: int) -> Case:
    """Return a case of a project, or raise NotFoundError."""
    found = session.execute(_select(project).where(CaseRow.id == case)).one_or_none()
    if found is None:
        raise NotFoundError(f"there is no case {case} in project {project!r}")
    return _read(found)


def list_cases(
    session: Session,
    project: str,
    *,
    state: State | None = None,
    owner: str | None = None,
    due_before: date | None = None,
    after: int = 0,
    limit: int = 50,
) -> list[Case]:
    """Return a project's cases by number, after a number; with ``due_before``, those that were to be closed before that day and are not."""
    query = _select(project).where(CaseRow.id > after)
    if state is not None:
        query = query.where(CaseRow.state == state)
    if owner is not None:
        query = query.where(CaseRow.owner == owner)
    if due_before is not None:
        query = query.where(CaseRow.state != "closed", CaseRow.due < due_before)
    return [_read(found) for found in session.execute(query.order_by(CaseRow.id).limit(limit))]


def change_case(session: Session, project: str, case: int, values: Mapping[str, object], *, expected: int | None = None) -> Case:
    """Change ``state``, ``outcome``, ``owner``, ``due`` or ``note`` (redacted already) of a case; what is not named stays as it was.

    ``expected`` is the version the caller has seen. Raises NotFoundError, and ConflictError where somebody changed it since.
    """
    lock_project(session, project)
    row = get_case(session, project, case).row
    if expected is not None and expected != row.version:
        raise ConflictError(f"case {case} was changed since you read it (version {row.version}, not {expected}); read it again")
    for name, value in values.items():
        setattr(row, name, value)
    row.version, row.changed_at = row.version + 1, now()
    row.closed_at = (row.closed_at or row.changed_at) if row.state == "closed" else None
    session.flush()
    return get_case(session, project, case)


def _select(project: str) -> Select[CaseRow, OpinionRow, DocumentRow, ResponseRow]:
    return (
        select(CaseRow, OpinionRow, DocumentRow, ResponseRow)
        .join(OpinionRow, CaseRow.opinion == OpinionRow.id)
        .join(DocumentRow, OpinionRow.document == DocumentRow.id)
        .join(ResponseRow, CaseRow.response == ResponseRow.id)
        .where(CaseRow.project == project)
    )


def _read(found: Sequence[Any]) -> Case:
    row, opinion, document, response = found
    return Case(
        row=row,
        opinion=opinion_id(response.item, document.number, opinion.start),
        text=document.text[opinion.start : opinion.end],
        score=response.score,
        created_at=response.created_at,
        channel=response.channel,
        customer=response.customer,
    )
