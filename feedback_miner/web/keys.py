"""Keys, and the audit of what was done with them."""

from datetime import UTC
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from feedback_miner.errors import InputError
from feedback_miner.store import access, projects
from feedback_miner.store.people_tables import KeyRow
from feedback_miner.web.access import Caller, GuardedRoute, check_scopes, require
from feedback_miner.web.problems import responses
from feedback_miner.web.projects import Limit
from feedback_miner.web.service import service_of
from feedback_miner.web.wire import AuditOut, KeyIn, KeyOut, NewKeyOut, Page

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["access"], route_class=GuardedRoute)
Admin = Annotated[Caller, Depends(require("admin"))]


@router.post("/keys", status_code=201, response_model=NewKeyOut, responses=responses(404, body=True))
def create_key(body: KeyIn, request: Request, caller: Admin) -> Any:
    """Create a key. It is shown this once; only its hash is kept."""
    expires_at = body.expires_at
    if expires_at is not None and expires_at.tzinfo is not None:
        try:
            expires_at = expires_at.astimezone(UTC).replace(tzinfo=None)
        except OverflowError:
            raise InputError("expires_at lies beyond all calendars; leave it out for a key without end") from None
    project = body.project
    if project is None and caller.projects is not None:  # a project's admin makes keys for that project
        if len(caller.projects) > 1:
            raise InputError(f"name the project the key is for; you administer {', '.join(sorted(caller.projects))}")
        (project,) = caller.projects
    with service_of(request).database.transaction() as session:
        if project is not None:
            projects.get_project(session, caller.check_project(project))
        row, key = access.add_key(session, body.name, check_scopes(body.scopes), project=project, expires_at=expires_at)
        # Who may read customers' own keys is what one looks for in an audit.
        action = "create key with contact" if "contact" in row.scopes else "create key"
        access.note(session, caller.id, action, project=project, subject=row.id)
    return NewKeyOut(**_key_out(row).model_dump(), key=key)


@router.get("/keys", response_model=Page[KeyOut], responses=responses())
def list_keys(request: Request, caller: Admin, cursor: Annotated[str, Query(max_length=40)] = "", limit: Limit = 50) -> Any:
    """List keys, without themselves."""
    with service_of(request).database.reading() as session:
        rows = access.list_keys(session, after=cursor, limit=limit + 1, only=caller.projects)
    return {"items": [_key_out(row) for row in rows[:limit]], "next": rows[limit - 1].id if len(rows) > limit else None}


@router.delete("/keys/{key}", status_code=204, responses=responses(404))
def revoke_key(key: str, request: Request, caller: Admin) -> None:
    """Revoke a key, by its id."""
    with service_of(request).database.transaction() as session:
        access.remove_key(session, key, only=caller.projects)
        access.note(session, caller.id, "revoke key", subject=key)
    request.app.state.known.forget()


@router.get("/audit", response_model=Page[AuditOut], responses=responses())
def list_audit(request: Request, caller: Admin, cursor: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0, limit: Limit = 50) -> Any:
    """List who did what, oldest first."""
    with service_of(request).database.reading() as session:
        rows = access.list_audit(session, after=cursor, limit=limit + 1, only=caller.projects)
    items = [
        AuditOut(id=row.id, at=row.at, actor=row.actor, action=row.action, project=row.project, subject=row.subject) for row in rows[:limit]
    ]
    return {"items": items, "next": str(items[-1].id) if len(rows) > limit else None}


def _key_out(row: KeyRow) -> KeyOut:
    return KeyOut(
        id=row.id,
        name=row.name,
        scopes=row.scopes,
        project=row.project,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
    )
