"""Projects, their batches, and the jobs that mine them, as their owners see them."""

import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from feedback_miner.errors import ConflictError, NotFoundError
from feedback_miner.store import outbox
from feedback_miner.store.tables import BatchRow, JobRow, ProjectRow

__all__ = [
    "ENDED",
    "add_batch",
    "add_job",
    "add_project",
    "begin_job",
    "check_deletions",
    "claim_job",
    "count_takeover",
    "end_job",
    "find_batch",
    "get_batch",
    "get_job",
    "get_project",
    "is_reading",
    "list_batches",
    "list_expiring",
    "list_open",
    "list_projects",
    "list_unread",
    "lock_claimed",
    "lock_project",
    "new_id",
    "note_progress",
    "now",
    "request_cancel",
    "score_kind",
]

ENDED = frozenset({"succeeded", "failed", "cancelled"})
_FOR_CHANGE: dict[str, Any] = {"key_share": True}
"""The key is left alone: rows that refer to the locked one may be added meanwhile."""


def now() -> datetime:
    """Return the time as it is stored: UTC, without a zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def add_project(session: Session, name: str, config: Mapping[str, Any]) -> ProjectRow:
    """Create a project."""
    row = ProjectRow(id=new_id("prj"), name=name, created_at=now(), config=dict(config))
    session.add(row)
    session.flush()
    return row


def get_project(session: Session, project: str) -> ProjectRow:
    """Return a project, or raise NotFoundError."""
    row = session.get(ProjectRow, project)
    if row is None:
        raise NotFoundError(f"there is no project {project!r}")
    return row


def lock_project(session: Session, project: str) -> ProjectRow:
    """Return a project that nobody else changes before this transaction ends."""
    row = session.get(ProjectRow, project, with_for_update=_FOR_CHANGE, populate_existing=True)
    if row is None:
        raise NotFoundError(f"there is no project {project!r}")
    return row


def check_deletions(session: Session, project: str, deletions: int) -> bool:
    """Tell whether no customer was deleted since ``deletions`` was read, and keep it so until this transaction ends."""
    return lock_project(session, project).deletions == deletions


def list_projects(session: Session, *, after: str = "", limit: int = 50, only: Collection[str] | None = None) -> Sequence[ProjectRow]:
    """Return projects by id, after an id; ``only`` these where the caller may see no other."""
    query = select(ProjectRow).where(ProjectRow.id > after).order_by(ProjectRow.id).limit(limit)
    return session.scalars(query if only is None else query.where(ProjectRow.id.in_(only))).all()


def add_batch(session: Session, project: str, *, source: str, sha256: str, options: Mapping[str, Any]) -> BatchRow:
    """Create a batch with the next number of its project."""
    lock_project(session, project)
    number = (session.scalar(select(func.max(BatchRow.number)).where(BatchRow.project == project)) or 0) + 1
    row = BatchRow(
        id=new_id("bat"), project=project, number=number, created_at=now(), source=source, sha256=sha256, options=dict(options), issues=[]
    )
    session.add(row)
    session.flush()
    return row


def find_batch(session: Session, project: str, sha256: str) -> tuple[BatchRow, JobRow] | None:
    """Return the batch that holds this very content, and its latest job."""
    batch = session.scalar(select(BatchRow).where(BatchRow.project == project, BatchRow.sha256 == sha256))
    if batch is None:
        return None
    job = session.scalar(select(JobRow).where(JobRow.batch == batch.id).order_by(JobRow.created_at.desc(), JobRow.id).limit(1))
    return None if job is None else (batch, job)


def get_batch(session: Session, project: str, batch: str) -> BatchRow:
    """Return a batch of a project, or raise NotFoundError."""
    row = session.get(BatchRow, batch)
    if row is None or row.project != project:
        raise NotFoundError(f"there is no batch {batch!r} in project {project!r}")
    return row


def list_batches(session: Session, project: str, *, after: int = 0, limit: int = 50) -> Sequence[BatchRow]:
    """Return a project's batches by number, after a number."""
    query = select(BatchRow).where(BatchRow.project == project, BatchRow.number > after)
    return session.scalars(query.order_by(BatchRow.number).limit(limit)).all()


def score_kind(session: Session, project: str) -> str | None:
    """Return the scale of a project's scores: that of the first batch that has any."""
    read = select(BatchRow.columns).where(BatchRow.project == project).order_by(BatchRow.number)
    return next((columns["score_kind"] for columns in session.scalars(read) if columns and columns.get("score_kind")), None)


def add_job(session: Session, project: str, batch: str | None, *, remine: bool = False) -> JobRow:
    """Create a job in the state ``queued``, the last of its project: to mine a batch, else to code and count anew, or to mine anew."""
    lock_project(session, project)
    number = (session.scalar(select(func.max(JobRow.number)).where(JobRow.project == project)) or 0) + 1
    kind = "remine" if remine else "count" if batch is None else "batch"
    row = JobRow(id=new_id("job"), project=project, number=number, kind=kind, batch=batch, state="queued", created_at=now())
    session.add(row)
    session.flush()
    return row


def get_job(session: Session, job: str) -> JobRow:
    """Return a job, or raise NotFoundError."""
    row = session.get(JobRow, job)
    if row is None:
        raise NotFoundError(f"there is no job {job!r}")
    return row


def is_reading(session: Session, project: str) -> bool:
    """Tell whether a job of the project has yet to read its batch, or is about to."""
    query = select(JobRow.id).join(BatchRow, JobRow.batch == BatchRow.id)
    query = query.where(JobRow.project == project, JobRow.state.not_in(ENDED), BatchRow.columns.is_(None))
    return session.scalar(query.limit(1)) is not None


def claim_job(session: Session, job: str) -> int:
    """Begin a step of a job; return its attempt, under which ``lock_claimed`` knows it until the next one begins."""
    row = _lock_job(session, job)
    row.attempt += 1
    return row.attempt


def lock_claimed(session: Session, job: str, attempt: int) -> JobRow | None:
    """Return a job that nobody else changes before this transaction ends; ``None`` where another attempt has begun."""
    row = _lock_job(session, job)
    return row if row.attempt == attempt else None


def count_takeover(session: Session, job: str) -> int:
    """Note that a worker died over a job; return how many did (none where the job is gone)."""
    row = session.get(JobRow, job, with_for_update=_FOR_CHANGE, populate_existing=True)
    if row is None:
        return 0
    row.takeovers += 1
    return row.takeovers


def begin_job(session: Session, job: str) -> None:
    """Say that a worker took the job up; again after a crash, the first time stands."""
    row = _lock_job(session, job)
    if row.state == "queued":
        row.state, row.started_at = "running", now()


def note_progress(session: Session, job: str, stage: str, done: int, total: int | None) -> bool:
    """Note where a job is; return whether somebody wants it stopped."""
    row = _lock_job(session, job)
    row.stage, row.done, row.total = stage, done, total
    return row.state == "cancelling"


def end_job(session: Session, job: str, state: str, reason: str | None = None) -> None:
    """End a job; once ended it stays as it ended."""
    row = _lock_job(session, job)
    if row.state not in ENDED:
        _end(session, row, state, reason)


def list_expiring(session: Session) -> Sequence[str]:
    """Return the ids of projects that keep their responses for a time only."""
    return session.scalars(select(ProjectRow.id).where(ProjectRow.retention_days.is_not(None)).order_by(ProjectRow.id)).all()


def list_unread(session: Session) -> frozenset[str]:
    """Return the ids of batches, in all projects, that a job has yet to read."""
    query = select(JobRow.batch).join(BatchRow, JobRow.batch == BatchRow.id).where(JobRow.state.not_in(ENDED), BatchRow.columns.is_(None))
    return frozenset(batch for batch in session.scalars(query) if batch is not None)


def list_open(session: Session) -> Sequence[str]:
    """Return the ids of jobs that have not ended, oldest first."""
    return session.scalars(select(JobRow.id).where(JobRow.state.not_in(ENDED)).order_by(JobRow.created_at, JobRow.id)).all()


def request_cancel(session: Session, job: str) -> JobRow:
    """Ask for a job to be stopped: at once where it waits, after the step at hand where it runs."""
    row = _lock_job(session, job)
    if row.state in ENDED:
        raise ConflictError(f"job {job} has {row.state} already")
    if row.state == "queued":
        _end(session, row, "cancelled", None)
    else:
        row.state = "cancelling"
    return row


def new_id(prefix: str) -> str:
    """Return an id that says what it is of: 80 random bits behind a prefix."""
    return f"{prefix}_{secrets.token_hex(10)}"


def _end(session: Session, row: JobRow, state: str, reason: str | None) -> None:
    """End a job, and tell whoever wants to know. The reason stays with the job: it may name files and columns."""
    at = now()
    row.state, row.reason, row.finished_at = state, reason, at
    batch = None if row.batch is None else session.get(BatchRow, row.batch)
    counts = {} if batch is None else {"rows": batch.rows, "rejected": sum(not kept for _, _, _, kept in batch.issues)}
    links = {"job": f"/v1/jobs/{row.id}", "themes": f"/v1/projects/{row.project}/themes"}
    told = {"job": row.id, "project": row.project, "kind": row.kind, "state": state, "batch": row.batch, "counts": counts, "links": links}
    outbox.tell(session, row.project, "job.finished", told, at=at)


def _lock_job(session: Session, job: str) -> JobRow:
    row = session.get(JobRow, job, with_for_update=_FOR_CHANGE, populate_existing=True)
    if row is None:
        raise NotFoundError(f"there is no job {job!r}")
    return row
