"""Projects and jobs."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from feedback_miner.config import MiningConfig
from feedback_miner.embedders import SHIPPED_ENCODERS
from feedback_miner.errors import InputError
from feedback_miner.jobs.forget import forget_customer, forget_expired
from feedback_miner.store import access, projects
from feedback_miner.store.tables import JobRow, ProjectRow
from feedback_miner.web.access import Caller, GuardedRoute, require
from feedback_miner.web.idempotency import IdempotencyKey, answer_once
from feedback_miner.web.problems import RefusalError, responses
from feedback_miner.web.service import Service, service_of
from feedback_miner.web.wire import ForgottenOut, JobOut, Page, ProjectChange, ProjectIn, ProjectOut

__all__ = ["Limit", "job_out", "router"]

router = APIRouter(prefix="/v1", tags=["projects"], route_class=GuardedRoute)
_ALL = 1_000_000
Limit = Annotated[int, Query(ge=1, le=500)]


@router.post("/projects", status_code=201, response_model=ProjectOut, responses=responses(body=True))
def create_project(
    body: ProjectIn, request: Request, response: Response, caller: Annotated[Caller, Depends(require("ingest"))], key: IdempotencyKey = None
) -> Any:
    """Create a project."""
    service = service_of(request)
    caller.check_everywhere()
    encoders = sorted({*SHIPPED_ENCODERS, service.settings.encoder})
    if body.encoder is not None and body.encoder not in encoders:  # a name could be any folder of the server's
        raise InputError(f"this server has no encoder of that name; choose among {', '.join(encoders)}")
    config = MiningConfig(encoder=body.encoder or service.settings.encoder, taxonomy=body.taxonomy)

    def make() -> tuple[int, dict[str, Any]]:
        row = projects.add_project(session, body.name, asdict(config))
        access.note(session, caller.id, "create project", project=row.id)
        return 201, _project_out(row).model_dump(mode="json")

    with service.database.transaction() as session:
        answer = answer_once(session, caller, key, ["project", body.model_dump()], response, make)
    response.headers["Location"] = f"/v1/projects/{answer['id']}"
    return answer


@router.get("/projects", response_model=Page[ProjectOut], responses=responses())
def list_projects(
    request: Request,
    caller: Annotated[Caller, Depends(require("read"))],
    cursor: Annotated[str, Query(max_length=40)] = "",
    limit: Limit = 50,
) -> Any:
    """List projects."""
    with service_of(request).database.reading() as session:
        rows = projects.list_projects(session, after=cursor, limit=limit + 1, only=caller.projects)
    return {"items": [_project_out(row) for row in rows[:limit]], "next": rows[limit - 1].id if len(rows) > limit else None}


@router.get("/projects/{project}", response_model=ProjectOut, responses=responses(404))
def get_project(project: str, request: Request, caller: Annotated[Caller, Depends(require("read"))]) -> Any:
    """Show a project."""
    with service_of(request).database.reading() as session:
        return _project_out(projects.get_project(session, caller.check_project(project)))


@router.patch("/projects/{project}", response_model=ProjectOut, responses=responses(404, body=True))
def change_project(project: str, body: ProjectChange, request: Request, caller: Annotated[Caller, Depends(require("admin"))]) -> Any:
    """Rename a project, or say how long it keeps responses. Those that are too old go once a day, or by ``…/retention``."""
    changes = body.model_dump(exclude_unset=True)
    if "name" in changes and changes["name"] is None:
        raise InputError("a project has a name; leave it out where it is to stay")
    with service_of(request).database.transaction() as session:
        row = projects.lock_project(session, caller.check_project(project))
        for field, value in changes.items():
            setattr(row, field, value)
        access.note(session, caller.id, "change project", project=project, subject=", ".join(sorted(changes)) or None)
        return _project_out(row)


@router.post("/projects/{project}/retention", response_model=ForgottenOut, responses=responses(404, 409))
def expire_responses(project: str, request: Request, caller: Annotated[Caller, Depends(require("admin"))]) -> Any:
    """Delete the responses that are older than the project keeps them, now, and count the rest anew."""
    service = service_of(request)
    return _forgotten(service, project, *forget_expired(service.shop, caller.check_project(project), actor=caller.id))


@router.delete("/projects/{project}", status_code=204, responses=responses(404))
def delete_project(project: str, request: Request, caller: Annotated[Caller, Depends(require("admin"))]) -> None:
    """Delete a project and everything in it."""
    service = service_of(request)
    with service.database.transaction() as session:
        row = projects.get_project(session, caller.check_project(project))
        batches = [batch.id for batch in projects.list_batches(session, project, limit=_ALL)]
        session.delete(row)
        access.note(session, caller.id, "delete project", project=project)
    for batch in batches:
        service.shop.spool_path(batch).unlink(missing_ok=True)
    service.desk.forget(project)
    request.app.state.known.forget()  # its keys went with it
    service.database.empty_log()


@router.delete("/projects/{project}/customers/{customer:path}", response_model=ForgottenOut, responses=responses(404, 409))
def delete_customer(project: str, customer: str, request: Request, caller: Annotated[Caller, Depends(require("admin"))]) -> Any:
    """Delete everything a customer said, and count the rest anew."""
    service = service_of(request)
    return _forgotten(service, project, *forget_customer(service.shop, caller.check_project(project), customer, actor=caller.id))


@router.get("/jobs/{job}", response_model=JobOut, responses=responses(404))
def get_job(job: str, request: Request, caller: Annotated[Caller, Depends(require("read"))]) -> Any:
    """Show where a job is."""
    service = service_of(request)
    with service.database.reading() as session:
        row = _job(session, job, caller)
    if row.finished_at is not None:
        service.desk.look_again(row.project)  # who is told that it is done sees in classify what it did
    return job_out(row)


@router.post("/jobs/{job}/cancel", status_code=202, response_model=JobOut, responses=responses(404, 409))
def cancel_job(job: str, request: Request, caller: Annotated[Caller, Depends(require("ingest"))]) -> Any:
    """Ask for a job to be stopped."""
    with service_of(request).database.transaction() as session:
        _job(session, job, caller)
        row = projects.request_cancel(session, job)
        access.note(session, caller.id, "cancel job", project=row.project, subject=job)
        return job_out(row)


def _forgotten(service: Service, project: str, deleted: int, job: str | None) -> ForgottenOut:
    service.desk.forget(project)
    if job is not None:
        service.engine.enqueue(job)
    return ForgottenOut(responses=deleted, job=job)


def job_out(row: JobRow) -> JobOut:
    """Return a job as it is shown: with its percentage, and the time left where the stage tells."""
    share = row.done / row.total if row.total else 0.0
    stages = ("queued", "ingest", "encode", "themes", "code", "measure")
    place = stages.index(row.stage) if row.stage in stages else 0
    percent = 100.0 if row.state == "succeeded" else round(100.0 * (place + share) / len(stages), 1)
    left = None
    if row.state == "running" and row.started_at and percent > 0:
        spent = (projects.now() - row.started_at).total_seconds()
        left = round(spent * (100.0 - percent) / percent, 1)
    return JobOut(
        id=row.id,
        project=row.project,
        kind=row.kind,  # type: ignore[arg-type]
        batch=row.batch,
        state=row.state,  # type: ignore[arg-type]
        stage=row.stage,
        done=row.done,
        total=row.total,
        percent=percent,
        seconds_left=left,
        reason=row.reason,
        created_at=row.created_at,
        started_at=row.started_at,
        finished_at=row.finished_at,
    )


def _job(session: Any, job: str, caller: Caller) -> JobRow:
    row = projects.get_job(session, job)
    if not caller.sees(row.project):
        raise RefusalError(404, f"there is no job {job!r}")
    caller.check_project(row.project)
    return row


def _project_out(row: ProjectRow) -> ProjectOut:
    return ProjectOut(
        id=row.id,
        name=row.name,
        created_at=row.created_at,
        config=row.config,
        theme_set=row.theme_set,
        retention_days=row.retention_days,
    )
