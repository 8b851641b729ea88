"""The outbox: events on their way to webhooks, written in the same transaction as what they tell.

    tell  ──>  waiting (next_at: when it is tried)  ──>  delivered (delivered_at)
                  ▲  │ take: next_at moves ahead, so that nobody else tries it meanwhile
                  └──┘ note_failure: a later next_at; none: given up

Whoever takes a delivery and dies leaves it waiting: it is tried again when its lease is over. Times are the caller's.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from sqlalchemy import ColumnElement, and_, delete, func, select, update
from sqlalchemy.orm import Session

from feedback_miner.errors import NotFoundError
from feedback_miner.store.tables import DeliveryRow, WebhookRow

__all__ = [
    "Delivery",
    "Event",
    "State",
    "give_up_all",
    "list_deliveries",
    "list_due",
    "note_delivered",
    "note_failure",
    "remove_old",
    "send_again",
    "state_of",
    "take",
    "tell",
    "tell_one",
]

Event = Literal["job.finished", "theme.born"]
"""What can be subscribed to."""
State = Literal["waiting", "delivered", "given_up"]
_STATES: Mapping[State, ColumnElement[bool]] = {
    "waiting": DeliveryRow.next_at.is_not(None),
    "delivered": DeliveryRow.delivered_at.is_not(None),
    "given_up": and_(DeliveryRow.next_at.is_(None), DeliveryRow.delivered_at.is_(None)),
}


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery that was taken, and all that sending it needs."""

    id: int
    webhook: str
    url: str
    secret: bytes
    """Sealed."""
    body: Mapping[str, Any]
    attempt: int
    """Counted from 1."""
    leased_until: datetime
    """Whoever finds another time here has no say in it any more."""


def tell(session: Session, project: str, event: Event, data: Mapping[str, Any], *, at: datetime) -> None:
    """Write an event for every webhook of the project that subscribes to it. ``data`` holds ids and counts, never text.

    ``at`` is when it happened. Does nothing where nobody subscribes.
    """
    # Nobody may delete a webhook between this look at it and the end of the transaction: that would fail what is told of.
    query = select(WebhookRow).where(WebhookRow.project == project).order_by(WebhookRow.id)
    subscribed = [row for row in session.scalars(query.with_for_update(read=True, key_share=True)) if event in row.events]
    body = _body(event, data, at)
    session.add_all(_row(webhook, event, body, at) for webhook in subscribed)


def tell_one(session: Session, webhook: WebhookRow, event: str, data: Mapping[str, Any], *, at: datetime) -> DeliveryRow:
    """Write an event for one webhook, whatever it subscribes to."""
    row = _row(webhook, event, _body(event, data, at), at)
    session.add(row)
    session.flush()
    return row


def list_due(session: Session, at: datetime) -> Sequence[tuple[str, str]]:
    """Return the id and URL of each webhook that has something due, longest waiting first."""
    query = select(WebhookRow.id, WebhookRow.url).join(DeliveryRow, DeliveryRow.webhook == WebhookRow.id).where(DeliveryRow.next_at <= at)
    return [
        (webhook, url)
        for webhook, url in session.execute(query.group_by(WebhookRow.id, WebhookRow.url).order_by(func.min(DeliveryRow.next_at)))
    ]


def take(session: Session, webhook: str, at: datetime, lease: timedelta) -> Delivery | None:
    """Take the delivery of a webhook that is due longest; ``None`` where there is none, or others have it."""
    query = select(DeliveryRow).where(DeliveryRow.webhook == webhook, DeliveryRow.next_at <= at)
    row = session.scalar(query.order_by(DeliveryRow.next_at, DeliveryRow.id).limit(1).with_for_update(skip_locked=True))
    if row is None:
        return None
    to = session.get_one(WebhookRow, webhook)
    until = at + lease
    row.next_at, row.attempts = until, row.attempts + 1
    return Delivery(row.id, webhook, to.url, to.secret, row.body, row.attempts, until)


def note_delivered(session: Session, delivery: Delivery, status: int, *, at: datetime) -> None:
    """Note that a delivery arrived."""
    row = _lock_taken(session, delivery)
    if row is not None:
        row.status, row.reason, row.next_at, row.delivered_at = status, None, None, at


def note_failure(session: Session, delivery: Delivery, status: int | None, reason: str, *, next_at: datetime | None) -> None:
    """Note that a delivery did not arrive, why, and when it is tried again; ``None``: it is given up."""
    row = _lock_taken(session, delivery)
    if row is not None:
        row.status, row.reason, row.next_at = status, reason, next_at


def send_again(session: Session, webhook: str, delivery: int, *, at: datetime) -> DeliveryRow:
    """Let a delivery be tried at once, with all its attempts before it, whatever came of it so far."""
    row = session.get(DeliveryRow, delivery, with_for_update=True, populate_existing=True)
    if row is None or row.webhook != webhook:
        raise NotFoundError(f"there is no delivery {delivery} of webhook {webhook!r}; deliveries are removed after 30 days")
    row.attempts, row.next_at, row.delivered_at = 0, at, None
    return row


def state_of(row: DeliveryRow) -> State:
    """Return where a delivery is."""
    if row.delivered_at is not None:
        return "delivered"
    return "given_up" if row.next_at is None else "waiting"


def list_deliveries(
    session: Session, webhook: str, *, before: int | None = None, limit: int = 50, state: State | None = None
) -> Sequence[DeliveryRow]:
    """Return a webhook's deliveries, newest first, before an id."""
    query = select(DeliveryRow).where(DeliveryRow.webhook == webhook).order_by(DeliveryRow.id.desc()).limit(limit)
    query = query if before is None else query.where(DeliveryRow.id < before)
    return session.scalars(query if state is None else query.where(_STATES[state])).all()


def give_up_all(session: Session, webhook: str, reason: str) -> None:
    """Give up whatever of a webhook waits."""
    waiting = update(DeliveryRow).where(DeliveryRow.webhook == webhook, DeliveryRow.next_at.is_not(None))
    session.execute(waiting.values(next_at=None, reason=reason))


def remove_old(session: Session, before: datetime) -> None:
    """Remove deliveries that arrived or were given up, of events from before a time."""
    session.execute(delete(DeliveryRow).where(DeliveryRow.next_at.is_(None), DeliveryRow.created_at < before))


def _lock_taken(session: Session, delivery: Delivery) -> DeliveryRow | None:
    """Return a taken delivery's row; ``None`` where it is gone, or somebody else has it since."""
    query = select(DeliveryRow).where(DeliveryRow.id == delivery.id, DeliveryRow.next_at == delivery.leased_until)
    return session.scalar(query.with_for_update())


def _body(event: str, data: Mapping[str, Any], at: datetime) -> dict[str, Any]:
    timestamp = at.replace(tzinfo=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {"id": f"evt_{secrets.token_hex(10)}", "type": event, "timestamp": timestamp, "data": dict(data)}


def _row(webhook: WebhookRow, event: str, body: dict[str, Any], at: datetime) -> DeliveryRow:
    return DeliveryRow(webhook=webhook.id, event=event, body=body, created_at=at, next_at=at)
