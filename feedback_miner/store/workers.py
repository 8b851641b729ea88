"""Workers and their leases: a worker that goes on saying it is there keeps its jobs, one that does not loses them."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from feedback_miner.store.projects import now
from feedback_miner.store.tables import WorkerRow

__all__ = ["beat", "list_workers", "lock_expired", "remove_worker"]


def beat(session: Session, worker: str) -> None:
    """Say that a worker is there."""
    row = session.get(WorkerRow, worker)
    if row is None:
        session.add(WorkerRow(id=worker, seen_at=now()))
    else:
        row.seen_at = now()


def list_workers(session: Session) -> Mapping[str, datetime]:
    """Return each worker and its latest sign of life, by its own clock."""
    return {row.id: row.seen_at for row in session.execute(select(WorkerRow.id, WorkerRow.seen_at))}


def lock_expired(session: Session, worker: str, seen_at: datetime) -> bool:
    """Tell whether a worker is still as it was last seen, and keep everybody else from asking before this transaction ends."""
    query = select(WorkerRow).where(WorkerRow.id == worker, WorkerRow.seen_at == seen_at)
    return session.scalar(query.with_for_update(skip_locked=True)) is not None


def remove_worker(session: Session, worker: str) -> None:
    """Forget a worker; should it come back, it says so with its next sign of life."""
    session.delete(session.get_one(WorkerRow, worker))
