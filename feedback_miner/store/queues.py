"""How much waits: jobs and deliveries, counted."""

from collections.abc import Mapping

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from feedback_miner.store.tables import DeliveryRow, JobRow

__all__ = ["count_jobs", "count_waiting_deliveries"]


def count_jobs(session: Session) -> Mapping[str, int]:
    """Return how many jobs there are in each state; a state without any is left out."""
    query = select(JobRow.state, func.count()).group_by(JobRow.state)
    return {row[0]: row[1] for row in session.execute(query)}


def count_waiting_deliveries(session: Session) -> int:
    """Return how many deliveries have yet to arrive, or to be given up."""
    return session.scalar(select(func.count()).select_from(DeliveryRow).where(DeliveryRow.next_at.is_not(None))) or 0
