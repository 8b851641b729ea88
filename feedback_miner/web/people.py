"""People: who there is, what they may, and the links with which they set their passwords."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from sqlalchemy.orm import Session

from feedback_miner.store import access, people
from feedback_miner.store.people_tables import PersonRow
from feedback_miner.web.access import Caller, GuardedRoute, require
from feedback_miner.web.problems import responses
from feedback_miner.web.projects import Limit
from feedback_miner.web.service import service_of
from feedback_miner.web.wire import Page
from feedback_miner.web.wire_people import InvitationOut, InvitedOut, PersonChangeIn, PersonIn, PersonOut

__all__ = ["invitation_link", "router"]

router = APIRouter(prefix="/v1/people", tags=["access"], route_class=GuardedRoute)


def _admin_of_all(caller: Annotated[Caller, Depends(require("admin"))]) -> Caller:
    caller.check_everywhere()
    return caller


Admin = Annotated[Caller, Depends(_admin_of_all)]


@router.post("", status_code=201, response_model=InvitedOut, responses=responses(404, 409, body=True))
def create_person(body: PersonIn, request: Request, caller: Admin) -> Any:
    """Create a person. The one-time link with which they set their password is shown this once."""
    with service_of(request).database.transaction() as session:
        row = people.add_person(session, body.name, role=body.role, grants=body.grants)
        access.note(session, caller.id, "create person", subject=row.id)
        invitation = _invite(session, request, row.id)
        return InvitedOut(**_person_out(row, body.grants).model_dump(), invitation=invitation)


@router.get("", response_model=Page[PersonOut], responses=responses(), dependencies=[Depends(_admin_of_all)])
def list_people(request: Request, cursor: Annotated[str, Query(max_length=40)] = "", limit: Limit = 50) -> Any:
    """List people with their roles."""
    with service_of(request).database.reading() as session:
        rows = people.list_people(session, after=cursor, limit=limit + 1)
        grants = people.grants_of(session, [row.id for row in rows])
    return {"items": [_person_out(row, grants[row.id]) for row in rows[:limit]], "next": rows[limit - 1].id if len(rows) > limit else None}


@router.patch("/{person}", response_model=PersonOut, responses=responses(404, 409, body=True))
def change_person(person: str, body: PersonChangeIn, request: Request, caller: Admin) -> Any:
    """Change a person's role, or put other grants in the place of theirs. It holds from their next request on."""
    with service_of(request).database.transaction() as session:
        if "role" in body.model_fields_set:
            people.set_role(session, person, body.role)
        row = people.lock_person(session, person)
        if body.grants is not None:
            people.set_grants(session, person, body.grants)
        access.note(session, caller.id, "change person", subject=person)
        session.flush()
        return _person_out(row, people.grants_of(session, [person])[person])


@router.delete("/{person}", status_code=204, responses=responses(404, 409))
def delete_person(person: str, request: Request, caller: Admin) -> None:
    """Remove a person; their sessions end at once. Keys they made, and what the audit says of them, stay."""
    with service_of(request).database.transaction() as session:
        people.remove_person(session, person)
        access.note(session, caller.id, "remove person", subject=person)


@router.post("/{person}/invitations", status_code=201, response_model=InvitationOut, responses=responses(404))
def create_invitation(person: str, request: Request, caller: Admin) -> Any:
    """Make a new one-time link, for who forgot their password. Their password, sessions and earlier links end at once."""
    with service_of(request).database.transaction() as session:
        invitation = _invite(session, request, person)
        access.note(session, caller.id, "invite person", subject=person)
    return invitation


def invitation_link(origin: str, token: str) -> str:
    """Return the address of a one-time link. The token stands behind the ``#``, which browsers send nowhere and proxies never log."""
    return f"{origin.rstrip('/')}/accept#{token}"


def _invite(session: Session, request: Request, person: str) -> InvitationOut:
    row, token = people.invite(session, person)
    origin = service_of(request).settings.public_url or str(request.base_url)
    return InvitationOut(token=token, link=invitation_link(origin, token), expires_at=row.expires_at)


def _person_out(row: PersonRow, grants: dict[str, Any]) -> PersonOut:
    return PersonOut(
        id=row.id,
        name=row.name,
        role=row.role,  # type: ignore[arg-type]
        grants=grants,
        has_password=row.digest is not None,
        created_at=row.created_at,
        last_seen_at=row.last_seen_at,
    )
