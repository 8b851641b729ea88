"""Edits: an analyst's changes, in a log that can be undone."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from feedback_miner.errors import InputError
from feedback_miner.jobs.living import add_edit, load_log, replay_log
from feedback_miner.store import access, projects
from feedback_miner.store.tables import EditRow
from feedback_miner.web.access import Caller, GuardedRoute, require
from feedback_miner.web.etags import IfMatch, etag, expected_version
from feedback_miner.web.idempotency import IdempotencyKey, answer_once
from feedback_miner.web.problems import responses
from feedback_miner.web.service import service_of
from feedback_miner.web.wire import EditIn, EditOut, LogOut

__all__ = ["router"]

router = APIRouter(prefix="/v1/projects/{project}/edits", tags=["edits"], route_class=GuardedRoute)
Reviewer = Annotated[Caller, Depends(require("review"))]


@dataclass(slots=True)
class _Editing:
    """Who edits what, and what they knew of it."""

    project: str
    request: Request
    response: Response
    caller: Reviewer
    if_match: IfMatch = None
    key: IdempotencyKey = None

    def add(self, kind: str, values: dict[str, Any]) -> dict[str, Any]:
        """Add an edit to the log, once."""
        service, project = service_of(self.request), self.caller.check_project(self.project)
        expected = expected_version(self.if_match)

        def make() -> tuple[int, dict[str, Any]]:
            row, job = add_edit(service.shop, session, project, kind, values, self.caller.id, expected=expected)
            access.note(session, self.caller.id, f"edit: {kind}", project=project, subject=str(row.number))
            return 201, _edit_out(row, job).model_dump(mode="json")

        with service.database.transaction() as session:
            asked = ["edit", project, kind, values, self.if_match]
            answer = answer_once(session, self.caller, self.key, asked, self.response, make)
        service.engine.enqueue(answer["job"])
        self.response.headers["ETag"] = etag(answer["number"])
        self.response.headers["Location"] = f"/v1/jobs/{answer['job']}"
        return answer


@router.get("", response_model=LogOut, responses=responses(404, 409))
def list_edits(project: str, request: Request, response: Response, caller: Annotated[Caller, Depends(require("read"))]) -> Any:
    """Show the log of edits, and which of them no longer hold because what they name is gone."""
    service = service_of(request)
    with service.database.reading() as session:
        projects.get_project(session, caller.check_project(project))
        log = load_log(session, project)
        conflicts = replay_log(service.shop, session, project).conflicts if log else ()
    response.headers["ETag"] = etag(log[-1].number if log else 0)
    return LogOut(
        items=[
            EditOut(number=edit.number, kind=edit.kind, values=dict(edit.values), author=edit.author, created_at=edit.created_at, job=None)
            for edit in log
        ],
        conflicts=[{"edit": conflict.number, "kind": conflict.kind, "reason": conflict.reason} for conflict in conflicts],
        next=None,
    )


@router.post("", status_code=201, response_model=EditOut, responses=responses(404, 409, body=True))
def create_edit(body: EditIn, editing: Annotated[_Editing, Depends()]) -> Any:
    """Rename, merge, split, nest, hide or pin themes; move or correct opinions; plan. The job codes and counts anew."""
    if body.kind in ("undo", "redo"):
        raise InputError(f"send {body.kind} to …/edits/{{number}}/{body.kind}")
    return editing.add(body.kind, body.values)


@router.post("/{number}/undo", status_code=201, response_model=EditOut, responses=responses(404, 409))
def undo_edit(number: int, editing: Annotated[_Editing, Depends()]) -> Any:
    """Take an edit back."""
    return editing.add("undo", {"edit": number})


@router.post("/{number}/redo", status_code=201, response_model=EditOut, responses=responses(404, 409))
def redo_edit(number: int, editing: Annotated[_Editing, Depends()]) -> Any:
    """Put an edit on again that was taken back."""
    return editing.add("redo", {"edit": number})


def _edit_out(row: EditRow, job: str) -> EditOut:
    return EditOut(number=row.number, kind=row.kind, values=row.values, author=row.author, created_at=row.created_at, job=job)
