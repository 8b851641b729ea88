"""Edits: an analyst's changes, in a log that can be undone."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request, Response

from feedback_miner.errors import InputError
from feedback_miner.jobs.living import add_edit, load_log, replay_log
from feedback_miner.store import access, projects
from feedback_miner.store.tables import EditRow
from feedback_miner.web.access import Caller, GuardedRoute, require
from feedback_miner.web.problems import responses
from feedback_miner.web.service import Service, service_of
from feedback_miner.web.wire import EditIn, EditOut, LogOut

__all__ = ["router"]

router = APIRouter(prefix="/v1/projects/{project}/edits", tags=["edits"], route_class=GuardedRoute)
Reviewer = Annotated[Caller, Depends(require("review"))]
IfMatch = Annotated[
    str | None, Header(alias="If-Match", max_length=40, description="The ETag of the log as it was read; a newer edit since is a conflict.")
]


@router.get("", response_model=LogOut, responses=responses(404, 409))
def list_edits(project: str, request: Request, response: Response, caller: Annotated[Caller, Depends(require("read"))]) -> Any:
    """Show the log of edits, and which of them no longer hold because what they name is gone."""
    service = service_of(request)
    with service.database.reading() as session:
        projects.get_project(session, caller.check_project(project))
        log = load_log(session, project)
        conflicts = replay_log(service.shop, session, project).conflicts if log else ()
    response.headers["ETag"] = _etag(log[-1].number if log else 0)
    return LogOut(
        items=[
            EditOut(number=edit.number, kind=edit.kind, values=dict(edit.values), author=edit.author, created_at=edit.created_at, job=None)
            for edit in log
        ],
        conflicts=[{"edit": conflict.number, "kind": conflict.kind, "reason": conflict.reason} for conflict in conflicts],
        next=None,
    )


@router.post("", status_code=201, response_model=EditOut, responses=responses(404, 409, body=True))
def create_edit(project: str, body: EditIn, request: Request, response: Response, caller: Reviewer, if_match: IfMatch = None) -> Any:
    """Rename, merge, split, nest, hide or pin themes; move or correct opinions; plan. The job codes and counts anew."""
    if body.kind in ("undo", "redo"):
        raise InputError(f"send {body.kind} to …/edits/{{number}}/{body.kind}")
    return _edit(service_of(request), caller, project, body.kind, body.values, if_match, response)


@router.post("/{number}/undo", status_code=201, response_model=EditOut, responses=responses(404, 409))
def undo_edit(project: str, number: int, request: Request, response: Response, caller: Reviewer, if_match: IfMatch = None) -> Any:
    """Take an edit back."""
    return _edit(service_of(request), caller, project, "undo", {"edit": number}, if_match, response)


@router.post("/{number}/redo", status_code=201, response_model=EditOut, responses=responses(404, 409))
def redo_edit(project: str, number: int, request: Request, response: Response, caller: Reviewer, if_match: IfMatch = None) -> Any:
    """Put an edit on again that was taken back."""
    return _edit(service_of(request), caller, project, "redo", {"edit": number}, if_match, response)


def _edit(
    service: Service, caller: Caller, project: str, kind: str, values: dict[str, Any], if_match: str | None, response: Response
) -> EditOut:
    expected = None
    if if_match is not None and if_match.strip() != "*":
        number = if_match.strip().strip('"')
        if not number.isascii() or not number.isdecimal():
            raise InputError("If-Match is no ETag of a log of edits; send the ETag of GET …/edits")
        expected = int(number)
    row, job = add_edit(service.shop, caller.check_project(project), kind, values, caller.id, expected=expected)
    with service.database.transaction() as session:
        access.note(session, caller.id, f"edit: {kind}", project=project, subject=str(row.number))
    service.engine.enqueue(job)
    response.headers["ETag"] = _etag(row.number)
    response.headers["Location"] = f"/v1/jobs/{job}"
    return _edit_out(row, job)


def _etag(number: int) -> str:
    return f'"{number}"'


def _edit_out(row: EditRow, job: str) -> EditOut:
    return EditOut(number=row.number, kind=row.kind, values=row.values, author=row.author, created_at=row.created_at, job=job)
