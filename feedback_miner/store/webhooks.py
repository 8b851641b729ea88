"""Webhooks: the addresses of a project that are told what happens."""

from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from feedback_miner.errors import ConflictError, NotFoundError
from feedback_miner.store import outbox
from feedback_miner.store.projects import lock_project, new_id, now
from feedback_miner.store.tables import WebhookRow

__all__ = ["add_webhook", "change_webhook", "get_webhook", "list_webhooks", "remove_webhook", "switch_off"]

_MOST = 20
"""In a project: each event is written once for each."""


def add_webhook(session: Session, project: str, url: str, events: Sequence[str], secret: bytes) -> WebhookRow:
    """Create a webhook; ``secret`` is sealed. Raises ConflictError where the project has as many as it can."""
    lock_project(session, project)
    if (session.scalar(select(func.count()).where(WebhookRow.project == project)) or 0) >= _MOST:
        raise ConflictError(f"project {project} has {_MOST} webhooks, and can have no more; delete one")
    row = WebhookRow(id=new_id("whk"), project=project, url=url, events=sorted(set(events)), secret=secret, created_at=now())
    session.add(row)
    session.flush()
    return row


def get_webhook(session: Session, project: str, webhook: str) -> WebhookRow:
    """Return a webhook of a project, or raise NotFoundError."""
    row = session.get(WebhookRow, webhook)
    if row is None or row.project != project:
        raise NotFoundError(f"there is no webhook {webhook!r} in project {project!r}")
    return row


def change_webhook(
    session: Session, project: str, webhook: str, *, url: str | None = None, events: Sequence[str] | None = None
) -> WebhookRow:
    """Change where a webhook is, or what it is told; ``None``: as it was."""
    row = get_webhook(session, project, webhook)
    row.url = row.url if url is None else url
    row.events = row.events if events is None else sorted(set(events))
    return row


def list_webhooks(session: Session, project: str, *, after: str = "", limit: int = 50) -> Sequence[WebhookRow]:
    """Return a project's webhooks by id, after an id."""
    query = select(WebhookRow).where(WebhookRow.project == project, WebhookRow.id > after)
    return session.scalars(query.order_by(WebhookRow.id).limit(limit)).all()


def remove_webhook(session: Session, project: str, webhook: str) -> None:
    """Delete a webhook with its deliveries."""
    session.delete(get_webhook(session, project, webhook))


def switch_off(session: Session, delivery: outbox.Delivery, status: int, reason: str) -> None:
    """Note that a receiver wants to be told nothing any more: until somebody subscribes it again, it is not; what waits is given up."""
    row = session.get(WebhookRow, delivery.webhook, with_for_update={"key_share": True}, populate_existing=True)
    if row is not None:  # locked before its deliveries, by everybody
        outbox.note_failure(session, delivery, status, reason, next_at=None)
        outbox.give_up_all(session, delivery.webhook, reason)
        row.events = []
