"""Themes over time: mined anew on demand, and what became of each."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from feedback_miner.store import access, findings, projects
from feedback_miner.store.tables import LineageRow
from feedback_miner.web.access import Caller, GuardedRoute, require
from feedback_miner.web.idempotency import IdempotencyKey, answer_once
from feedback_miner.web.problems import responses
from feedback_miner.web.projects import Limit, job_out
from feedback_miner.web.service import service_of
from feedback_miner.web.wire import JobOut, LineageOut, Page

__all__ = ["router"]

router = APIRouter(prefix="/v1/projects/{project}", tags=["findings"], route_class=GuardedRoute)


@router.post("/remine", status_code=202, response_model=JobOut, responses=responses(404, 409))
def remine(
    project: str,
    request: Request,
    response: Response,
    caller: Annotated[Caller, Depends(require("review"))],
    key: IdempotencyKey = None,
) -> Any:
    """Find the themes of all waves together anew. Those found again keep their ids, and the log of edits is replayed."""
    service = service_of(request)

    def make() -> tuple[int, dict[str, Any]]:
        findings.living_version(session, project)
        job = projects.add_job(session, project, None, remine=True)
        access.note(session, caller.id, "remine", project=project, subject=job.id)
        return 202, job_out(job).model_dump(mode="json")

    with service.database.transaction() as session:
        answer = answer_once(session, caller, key, ["remine", caller.check_project(project)], response, make)
    service.engine.enqueue(answer["id"])
    response.headers["Location"] = f"/v1/jobs/{answer['id']}"
    return answer


@router.get("/lineage", response_model=Page[LineageOut], responses=responses(404))
def list_lineage(
    project: str,
    request: Request,
    caller: Annotated[Caller, Depends(require("read"))],
    cursor: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Limit = 50,
    theme: Annotated[str | None, Query(max_length=16, description="Only what this theme had part in.")] = None,
) -> Any:
    """List which themes were born, continued, merged, split or retired, when, and the overlap that proves it."""
    with service_of(request).database.reading() as session:
        projects.get_project(session, caller.check_project(project))
        rows = findings.list_lineage(session, project, theme=theme, after=cursor, limit=limit + 1)
    return {"items": [_lineage_out(row) for row in rows[:limit]], "next": str(rows[limit - 1].number) if len(rows) > limit else None}


def _lineage_out(row: LineageRow) -> LineageOut:
    return LineageOut(
        at=row.created_at,
        theme_set=row.theme_set,
        kind=row.kind,  # type: ignore[arg-type]
        old=row.old,
        new=row.new,
        shared=row.shared,
        old_opinions=row.old_opinions,
        new_opinions=row.new_opinions,
    )
