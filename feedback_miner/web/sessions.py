"""Signing in and out: a person's name and password become a cookie, and a one-time link becomes a password."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute
from sqlalchemy.orm import Session

from feedback_miner.errors import NotFoundError
from feedback_miner.store import access, people
from feedback_miner.store.people_tables import PersonRow, SessionRow
from feedback_miner.web.access import (
    COOKIE,
    ROLES,
    Caller,
    GuardedRoute,
    RequestCounter,
    address_of,
    check_json,
    check_origin,
    csrf_token_of,
    require,
)
from feedback_miner.web.edge import BODY_LIMIT
from feedback_miner.web.passwords import Passwords, check_password
from feedback_miner.web.problems import RefusalError, responses
from feedback_miner.web.service import service_of
from feedback_miner.web.wire_people import AcceptIn, PasswordIn, SessionOut, SignInIn

__all__ = ["open_router", "router"]

_MOST = 1 << 20
"""Bytes of a body from somebody nobody knows."""
Anybody = Annotated[Caller, Depends(require(None))]


class OpenRoute(APIRoute):
    """A path for those who have no session yet: it counts their attempts before it reads a byte of what they send."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the path's handler, behind the count."""
        handle = super().get_route_handler()

        async def counted(request: Request) -> Response:
            _count_attempt(request, f"from {address_of(request)}")
            check_origin(request)  # or a page could sign a visitor in as somebody else
            check_json(request)
            request.scope[BODY_LIMIT] = _MOST
            return await handle(request)

        return counted


router = APIRouter(prefix="/v1/session", tags=["access"], route_class=GuardedRoute)
open_router = APIRouter(prefix="/v1", tags=["access"], route_class=OpenRoute)


@open_router.post("/session", response_model=SessionOut, responses=responses(body=True))
def sign_in(body: SignInIn, request: Request, response: Response) -> Any:
    """Sign in. The session is in the cookie `fm_session`; whatever changes something needs the `csrf_token` besides."""
    _count_attempt(request, f"as {people.spell_name(body.name)}")
    service, passwords = service_of(request), _passwords_of(request)
    with service.database.reading() as session:
        person = people.find_person(session, body.name)
    digest = None if person is None else person.digest
    if not passwords.check(digest, body.password) or person is None or digest is None:
        raise _wrong()
    fresh = passwords.hash(body.password) if passwords.is_outdated(digest) else None
    with service.database.transaction() as session:
        row = _unchanged(session, person, digest)
        if fresh is not None:
            row.digest = fresh
        access.note(session, row.id, "sign in")
        return _begin_session(session, request, response, row)


@open_router.post("/people/accept", response_model=SessionOut, responses=responses(404, body=True))
def accept_invitation(body: AcceptIn, request: Request, response: Response) -> Any:
    """Set a password with the token of a one-time link, and sign in."""
    service = service_of(request)
    with service.database.reading() as session:
        person = people.find_invited(session, body.token)
    # Hashing is dear: it is for those who have a link.
    digest = "" if person is None else _passwords_of(request).hash(check_password(body.password, person.name))
    with service.database.transaction() as session:
        row = people.accept_invitation(session, body.token, digest)
        access.note(session, row.id, "accept invitation")
        return _begin_session(session, request, response, row)


@router.get("", response_model=SessionOut, responses=responses())
def get_session(request: Request, caller: Anybody) -> Any:
    """Show who asks, with a key or a session, and what they may."""
    with service_of(request).database.reading() as session:
        found = None if caller.session is None else people.find_session(session, caller.session)
        if found is not None and caller.session is not None:
            row, person = found
            return _session_out(session, person, row, caller.session)
    return SessionOut(
        id=caller.id,
        name=caller.name,
        role=None,
        grants={},
        scopes=sorted(caller.everywhere),
        projects={project: sorted(scopes) for project, scopes in caller.granted.items()},
        csrf_token=None,
        expires_at=None,
    )


@router.delete("", status_code=204, responses=responses())
def sign_out(request: Request, response: Response, caller: Anybody) -> None:
    """Sign out."""
    token = _token_of(caller)
    with service_of(request).database.transaction() as session:
        people.close_session(session, token)
        access.note(session, caller.id, "sign out")
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=_is_secure(request))


@router.put("/password", response_model=SessionOut, responses=responses(body=True))
def change_password(body: PasswordIn, request: Request, response: Response, caller: Anybody) -> Any:
    """Change one's own password. Every session ends, and a new one begins."""
    _token_of(caller)
    _count_attempt(request, f"as {caller.name}")
    service, passwords = service_of(request), _passwords_of(request)
    with service.database.reading() as session:
        person = people.get_person(session, caller.id)
    if not passwords.check(person.digest, body.current):
        raise RefusalError(403, "the current password is another one")
    digest = passwords.hash(check_password(body.password, person.name))
    with service.database.transaction() as session:
        row = _unchanged(session, person, person.digest)
        people.set_password(session, row, digest)
        access.note(session, row.id, "change password")
        return _begin_session(session, request, response, row)


def _wrong() -> RefusalError:
    return RefusalError(401, "the name or the password is wrong", WWW_Authenticate="Bearer")


def _count_attempt(request: Request, what: str) -> None:
    counter: RequestCounter = request.app.state.attempts
    remaining, reset = counter.count(what)
    if remaining < 0:
        raise RefusalError(429, f"more than {counter.limit} attempts to sign in in this minute", Retry_After=str(reset))


def _passwords_of(request: Request) -> Passwords:
    passwords: Passwords = request.app.state.passwords
    return passwords


def _token_of(caller: Caller) -> str:
    if caller.session is None:
        raise RefusalError(403, "a key has no session and no password; DELETE /v1/keys/{key} revokes it")
    return caller.session


def _unchanged(session: Session, person: PersonRow, digest: str | None) -> PersonRow:
    """Return the person, locked, if the password is the one that was checked: it may have changed while that was done."""
    try:
        row = people.lock_person(session, person.id)
    except NotFoundError:
        raise _wrong() from None
    if row.digest != digest:
        raise _wrong()
    return row


def _begin_session(session: Session, request: Request, response: Response, person: PersonRow) -> SessionOut:
    """Open a session in the place of one that the browser may have, and hand its cookie out."""
    before = request.cookies.get(COOKIE)
    if before:
        people.close_session(session, before)
    row, token = people.open_session(session, person.id)
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(people.SESSION_LASTS.total_seconds()),
        path="/",
        secure=_is_secure(request),
        httponly=True,
        samesite="strict",
    )
    return _session_out(session, person, row, token)


def _is_secure(request: Request) -> bool:
    return request.url.scheme == "https" or service_of(request).settings.public_url.startswith("https:")


def _session_out(session: Session, person: PersonRow, row: SessionRow, token: str) -> SessionOut:
    grants = people.grants_of(session, [person.id])[person.id]
    return SessionOut(
        id=person.id,
        name=person.name,
        role=person.role,  # type: ignore[arg-type]
        grants=grants,  # type: ignore[arg-type]
        scopes=sorted(ROLES[person.role]) if person.role else [],
        projects={project: sorted(ROLES[role]) for project, role in grants.items()},
        csrf_token=csrf_token_of(token),
        expires_at=row.expires_at,
    )
