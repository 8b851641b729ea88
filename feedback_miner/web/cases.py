"""Cases: customers whom somebody follows up with, from the opinion it began with to how it ended."""

from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from feedback_miner.reading import read_text
from feedback_miner.store import access, cases, projects
from feedback_miner.web.access import Caller, GuardedRoute, require
from feedback_miner.web.etags import IfMatch, etag, expected_version
from feedback_miner.web.problems import responses
from feedback_miner.web.projects import Limit
from feedback_miner.web.service import service_of
from feedback_miner.web.wire import Page
from feedback_miner.web.wire_cases import CaseChangeIn, CaseIn, CaseOut

__all__ = ["router"]

router = APIRouter(prefix="/v1/projects/{project}/cases", tags=["cases"], route_class=GuardedRoute)
Reviewer = Annotated[Caller, Depends(require("review"))]
Reader = Annotated[Caller, Depends(require("read"))]
Number = Annotated[int, Path(ge=0, le=2**31 - 1)]


@router.post("", status_code=201, response_model=CaseOut, responses={200: {"model": CaseOut}, **responses(404, body=True)})
def open_case(project: str, body: CaseIn, request: Request, response: Response, caller: Reviewer) -> Any:
    """Open a case for the response an opinion stands in. A response has one: if it is there already, it is answered as it is, with 200."""
    note = _redacted(body.note)
    with service_of(request).database.transaction() as session:
        case, new = cases.open_case(
            session, caller.check_project(project), body.opinion, actor=caller.id, owner=body.owner, due=body.due, note=note
        )
        access.note(session, caller.id, "open case" if new else "read case", project=project, subject=str(case.row.id))
    response.status_code = 201 if new else 200
    response.headers["Location"] = f"/v1/projects/{project}/cases/{case.row.id}"
    return _answer(case, response)


@router.get("", response_model=Page[CaseOut], responses=responses(404))
def list_cases(
    project: str,
    request: Request,
    caller: Reader,
    state: cases.State | None = None,
    owner: Annotated[str | None, Query(max_length=120)] = None,
    due_before: Annotated[date | None, Query(description="Only what was to be closed before this day, and is not.")] = None,
    cursor: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Limit = 50,
) -> Any:
    """List cases, oldest first."""
    database = service_of(request).database
    with database.reading() as session:
        projects.get_project(session, caller.check_project(project))
        found = cases.list_cases(session, project, state=state, owner=owner, due_before=due_before, after=cursor, limit=limit + 1)
    with database.transaction() as session:
        access.note(session, caller.id, "read cases", project=project)
    return {"items": [_case_out(case) for case in found[:limit]], "next": str(found[limit - 1].row.id) if len(found) > limit else None}


@router.get("/{case}", response_model=CaseOut, responses=responses(404))
def get_case(project: str, case: Number, request: Request, response: Response, caller: Reader) -> Any:
    """Show a case."""
    database = service_of(request).database
    with database.reading() as session:
        found = cases.get_case(session, caller.check_project(project), case)
    with database.transaction() as session:
        access.note(session, caller.id, "read case", project=project, subject=str(case))
    return _answer(found, response)


@router.patch("/{case}", response_model=CaseOut, responses=responses(404, 409, body=True))
def change_case(
    project: str, case: Number, body: CaseChangeIn, request: Request, response: Response, caller: Reviewer, if_match: IfMatch = None
) -> Any:
    """Hand a case over, put it off, note what was said, close it or open it again."""
    values = body.values()
    if "note" in values:
        values["note"] = _redacted(str(values["note"]))
    with service_of(request).database.transaction() as session:
        found = cases.change_case(session, caller.check_project(project), case, values, expected=expected_version(if_match))
        access.note(session, caller.id, "change case", project=project, subject=str(case))
    return _answer(found, response)


def _redacted(note: str) -> str:
    return read_text(note).verbatim.text


def _answer(case: cases.Case, response: Response) -> CaseOut:
    response.headers["ETag"] = etag(case.row.version)
    return _case_out(case)


def _case_out(case: cases.Case) -> CaseOut:
    row = case.row
    return CaseOut(
        id=row.id,
        opinion=case.opinion,
        text=case.text,
        customer=case.customer,
        score=case.score,
        created_at=None if case.created_at is None else case.created_at.isoformat(),
        channel=case.channel,
        state=row.state,  # type: ignore[arg-type]
        outcome=row.outcome,  # type: ignore[arg-type]
        owner=row.owner,
        due=row.due,
        note=row.note,
        version=row.version,
        opened_by=row.opened_by,
        opened_at=row.opened_at,
        changed_at=row.changed_at,
        closed_at=row.closed_at,
    )
