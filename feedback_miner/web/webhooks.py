"""Webhooks: addresses of a project that are told what happens, and what became of each delivery."""

import base64
import secrets
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request

from feedback_miner.jobs.dispatcher import SECRET_PREFIX
from feedback_miner.outbound import check_target
from feedback_miner.store import access, outbox, projects, webhooks
from feedback_miner.store.tables import DeliveryRow, WebhookRow
from feedback_miner.web.access import Caller, GuardedRoute, require
from feedback_miner.web.problems import responses
from feedback_miner.web.projects import Limit
from feedback_miner.web.service import Service, service_of
from feedback_miner.web.wire import DeliveryOut, NewWebhookOut, Page, WebhookChangeIn, WebhookIn, WebhookOut

__all__ = ["router"]

router = APIRouter(prefix="/v1/projects/{project}/webhooks", tags=["webhooks"], route_class=GuardedRoute)
Admin = Annotated[Caller, Depends(require("admin"))]
_SECRET_BYTES = 32


@router.post("", status_code=201, response_model=NewWebhookOut, responses=responses(404, 409, body=True))
def create_webhook(project: str, body: WebhookIn, request: Request, caller: Admin) -> Any:
    """Create a webhook. The secret that its deliveries are signed with is shown this once."""
    service = service_of(request)
    caller.check_project(project)
    url = _checked(service, body.url)
    secret = SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
    sealed = service.shop.seal(secret)
    with service.database.transaction() as session:
        row = webhooks.add_webhook(session, project, url, body.events, sealed)
        access.note(session, caller.id, "create webhook", project=project, subject=row.id)
    return NewWebhookOut(**_webhook_out(row).model_dump(), secret=secret)


@router.get("", response_model=Page[WebhookOut], responses=responses(404))
def list_webhooks(
    project: str, request: Request, caller: Admin, cursor: Annotated[str, Query(max_length=40)] = "", limit: Limit = 50
) -> Any:
    """List a project's webhooks, without their secrets."""
    with service_of(request).database.reading() as session:
        projects.get_project(session, caller.check_project(project))
        rows = webhooks.list_webhooks(session, project, after=cursor, limit=limit + 1)
    return {"items": [_webhook_out(row) for row in rows[:limit]], "next": rows[limit - 1].id if len(rows) > limit else None}


@router.patch("/{webhook}", response_model=WebhookOut, responses=responses(404, body=True))
def change_webhook(project: str, webhook: str, body: WebhookChangeIn, request: Request, caller: Admin) -> Any:
    """Change what a webhook is told, or where; the secret stays. One that was switched off is told again."""
    service = service_of(request)
    caller.check_project(project)
    url = None if body.url is None else _checked(service, body.url)
    with service.database.transaction() as session:
        row = webhooks.change_webhook(session, project, webhook, url=url, events=body.events)
        access.note(session, caller.id, "change webhook", project=project, subject=webhook)
    return _webhook_out(row)


@router.delete("/{webhook}", status_code=204, responses=responses(404))
def delete_webhook(project: str, webhook: str, request: Request, caller: Admin) -> None:
    """Delete a webhook and the list of its deliveries; what waits is not delivered any more."""
    with service_of(request).database.transaction() as session:
        webhooks.remove_webhook(session, caller.check_project(project), webhook)
        access.note(session, caller.id, "delete webhook", project=project, subject=webhook)


@router.post("/{webhook}/test", status_code=202, response_model=DeliveryOut, responses=responses(404))
def ping_webhook(project: str, webhook: str, request: Request, caller: Admin) -> Any:
    """Have a ``ping`` delivered. What came of it stands among the deliveries."""
    with service_of(request).database.transaction() as session:
        row = webhooks.get_webhook(session, caller.check_project(project), webhook)
        return _delivery_out(outbox.tell_one(session, row, "ping", {"project": project, "webhook": webhook}, at=projects.now()))


@router.get("/{webhook}/deliveries", response_model=Page[DeliveryOut], responses=responses(404))
def list_deliveries(
    project: str,
    webhook: str,
    request: Request,
    caller: Admin,
    cursor: Annotated[int | None, Query(ge=0, le=2**31 - 1)] = None,
    limit: Limit = 50,
    state: outbox.State | None = None,
) -> Any:
    """List a webhook's deliveries of the last 30 days, newest first."""
    with service_of(request).database.reading() as session:
        webhooks.get_webhook(session, caller.check_project(project), webhook)
        rows = outbox.list_deliveries(session, webhook, before=cursor, limit=limit + 1, state=state)
    return {"items": [_delivery_out(row) for row in rows[:limit]], "next": str(rows[limit - 1].id) if len(rows) > limit else None}


@router.post("/{webhook}/deliveries/{delivery}/retry", status_code=202, response_model=DeliveryOut, responses=responses(404))
def retry_delivery(project: str, webhook: str, delivery: Annotated[int, Path(ge=0, le=2**31 - 1)], request: Request, caller: Admin) -> Any:
    """Have a delivery tried again at once, under the same ``Webhook-Id``: one that was given up, waits, or arrived and was lost there."""
    with service_of(request).database.transaction() as session:
        webhooks.get_webhook(session, caller.check_project(project), webhook)
        return _delivery_out(outbox.send_again(session, webhook, delivery, at=projects.now()))


def _checked(service: Service, url: str) -> str:
    return check_target(url, allow_private=service.settings.allow_private_targets)


def _webhook_out(row: WebhookRow) -> WebhookOut:
    return WebhookOut(
        id=row.id, project=row.project, url=row.url, events=row.events, switched_off=not row.events, created_at=row.created_at
    )


def _delivery_out(row: DeliveryRow) -> DeliveryOut:
    return DeliveryOut(
        id=row.id,
        event=row.event,
        event_id=row.body["id"],
        body=row.body,
        state=outbox.state_of(row),
        attempts=row.attempts,
        status=row.status,
        reason=row.reason,
        created_at=row.created_at,
        next_at=row.next_at,
        delivered_at=row.delivered_at,
    )
