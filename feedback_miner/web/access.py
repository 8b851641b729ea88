"""Who asks, what they may where, and how often. Every path under ``/v1`` has ``GuardedRoute`` for its class and depends on ``require``."""

import hmac
import ipaddress
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from fastapi.security import APIKeyCookie, HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from feedback_miner.errors import InputError
from feedback_miner.store import access, people
from feedback_miner.web.problems import RefusalError
from feedback_miner.web.service import service_of

__all__ = [
    "COOKIE",
    "CSRF_HEADER",
    "ROLES",
    "SCOPES",
    "Caller",
    "GuardedRoute",
    "KnownCallers",
    "RequestCounter",
    "address_of",
    "check_json",
    "check_origin",
    "check_scopes",
    "csrf_token_of",
    "require",
]

SCOPES = ("ingest", "classify", "read", "review", "contact", "admin")
"""``admin`` holds all the others but ``contact``, reading customers' own keys: that is only ever given by its name."""
ROLES: Mapping[str, frozenset[str]] = {
    "viewer": frozenset({"read"}),
    "analyst": frozenset({"read", "review", "ingest", "classify"}),
    "admin": frozenset({"admin"}),
}
"""What people may; none of them reads customers' own keys without a key made for it."""
COOKIE = "fm_session"
CSRF_HEADER = "X-CSRF-Token"
_MOST_KNOWN = 10_000
_SAFE = frozenset({"GET", "HEAD"})
_bearer = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer fm_…`")
_cookie = APIKeyCookie(name=COOKIE, scheme_name="Session", auto_error=False, description="A person's session: `POST /v1/session`")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and what they may: a key, or a person with a session."""

    id: str
    name: str
    everywhere: frozenset[str] = frozenset()
    """Scopes in every project, and in what belongs to none."""
    granted: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Scopes in single projects, by project."""
    wanted: str | None = None
    """The scope of the path that is asked; ``None``: any will do."""
    session: str | None = field(default=None, repr=False)
    """The token of a person's session; ``None``: a key."""

    @property
    def projects(self) -> frozenset[str] | None:
        """The only projects in which they may do what the path is for; ``None``: in every one."""
        if _holds(self.everywhere, self.wanted):
            return None
        return frozenset(project for project, scopes in self.granted.items() if _holds(scopes, self.wanted))

    def sees(self, project: str) -> bool:
        """Tell whether they may know that a project exists."""
        return bool(self.everywhere) or project in self.granted

    def check_project(self, project: str) -> str:
        """Return the project, or refuse it: as if it were not there, to those who have no part in it."""
        if not self.sees(project):
            raise RefusalError(404, f"there is no project {project!r}")
        if self.projects is not None and project not in self.projects:
            raise _lacking(self.wanted, f"in project {project}", self.everywhere | self.granted.get(project, frozenset()))
        return project

    def check_everywhere(self) -> None:
        """Refuse those who may do what the path is for in single projects only."""
        if self.projects is not None:
            raise _lacking(self.wanted, "for all projects", self.everywhere)

    def wanting(self, scope: str | None) -> "Caller":
        """Return the caller as the asker of a path of this scope; refuse those who have it nowhere."""
        caller = replace(self, wanted=scope)
        if scope is not None and caller.projects == frozenset():
            raise _lacking(scope, "for this", self.everywhere.union(*self.granted.values()))
        return caller


class GuardedRoute(APIRoute):
    """A path that knows who asks before it reads a byte of what they send."""

    def get_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers those whom the guard lets in."""
        return super().get_route_handler()

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the path's handler, behind the guard."""
        handle = self.get_handler()

        async def guarded(request: Request) -> Response:
            known: KnownCallers = request.app.state.known
            caller = known.find(_key_of(request))
            if caller is None:
                caller = await run_in_threadpool(_identify, request)
            request.state.caller = _admit(request, caller)
            if self.body_field is not None:
                check_json(request)
            return await handle(request)

        return guarded


def require(scope: str | None) -> Callable[..., Coroutine[Any, Any, Caller]]:
    """Return a dependency that lets in who has the scope, somewhere at least; ``None``: whoever has a key or a session."""

    async def caller(
        request: Request,
        _key: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)],
        _session: Annotated[str | None, Depends(_cookie)],
    ) -> Caller:
        admitted: Caller = request.state.caller
        return admitted.wanting(scope)

    return caller


def check_scopes(scopes: list[str]) -> list[str]:
    """Return the scopes, or say which is none."""
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise InputError(f"there is no scope {unknown[0]!r}; choose among {', '.join(SCOPES)}")
    return scopes


def check_json(request: Request) -> None:
    """Refuse a body that says to be anything but JSON."""
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusalError(415, f"no support for {kind!r}; send application/json")


def check_origin(request: Request) -> None:
    """Refuse what a page of another site made a browser send. What is no browser says nothing of this, and is let through."""
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    # Where a browser says the one, it is right whatever a proxy made of the Host; older ones say only the other.
    foreign = origin is not None and not _is_ours(request, origin) if site is None else site not in {"same-origin", "none"}
    if foreign:
        raise RefusalError(403, "this request comes from a page of another site")


def csrf_token_of(session: str) -> str:
    """Return what must come with a session's changes: to be had by whoever may read our answers, and not to be made without the cookie."""
    return hmac.digest(session.encode(), b"csrf", "sha256").hex()


def address_of(request: Request) -> str:
    """Return where a request comes from, to count by: an IPv4 address, or the /64 that is one household's in IPv6."""
    host = "" if request.client is None else request.client.host
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a socket's path
        return host
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)


class RequestCounter:
    """How many requests each key, person or address made in the minute that runs."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._minute = 0
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()

    def count(self, key: str) -> tuple[int, int]:
        """Count one more; return how many remain (negative: one too many) and the seconds to the next minute."""
        moment = time.time()
        with self._lock:
            if int(moment // 60) != self._minute:
                self._minute, self._counts = int(moment // 60), {}
            self._counts[key] = self._counts.get(key, 0) + 1
            return self.limit - self._counts[key], 60 - int(moment % 60)


class KnownCallers:
    """Whose key was looked up in the last seconds: the next of their requests needs no database, and no other thread.

    A key that is revoked in another process is let in for as long; in this one, whoever revokes calls ``forget``.
    """

    def __init__(self, seconds: float = 2.0) -> None:
        self._seconds = seconds
        self._known: dict[str, tuple[Caller, float]] = {}

    def find(self, key: str | None) -> Caller | None:
        """Return the caller of a key that was looked up lately."""
        caller, until = self._known.get(key or "", (None, 0.0))
        return caller if time.monotonic() < until else None

    def remember(self, key: str, caller: Caller) -> None:
        """Note whose key it is."""
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[key] = (caller, time.monotonic() + self._seconds)

    def forget(self) -> None:
        """Look every key up again."""
        self._known.clear()


def _key_of(request: Request) -> str | None:
    scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    return token if scheme.lower() == "bearer" and token else None


def _identify(request: Request) -> Caller:
    key, cookie = _key_of(request), request.cookies.get(COOKIE)
    if key is not None:
        return _caller_by_key(request, key)
    if cookie:  # whatever else a proxy's own sign-in may have put into Authorization
        return _caller_by_session(request, cookie)
    raise RefusalError(
        401, "a key is needed, or a session: send Authorization: Bearer fm_…, or sign in (POST /v1/session)", WWW_Authenticate="Bearer"
    )


def _admit(request: Request, caller: Caller) -> Caller:
    counter: RequestCounter = request.app.state.counter
    remaining, reset = counter.count(caller.id)
    request.state.limits = {
        b"ratelimit-limit": b"%d" % counter.limit,
        b"ratelimit-remaining": b"%d" % max(0, remaining),
        b"ratelimit-reset": b"%d" % reset,
    }
    if remaining < 0:
        raise RefusalError(429, f"more than {counter.limit} requests in this minute", Retry_After=str(reset))
    if "\0" in request.scope["path"] or b"%00" in request.scope["query_string"]:
        raise RefusalError(422, "the address holds a NUL character")
    return caller


def _caller_by_key(request: Request, token: str) -> Caller:
    database = service_of(request).database
    with database.reading() as session:  # most requests write nothing, and need not wait for who does
        key = access.find_key(session, token)
    if key is None:
        raise _stranger(request, "this key is not known, or has expired", 'Bearer error="invalid_token"')
    if not access.was_used_lately(key):
        with database.transaction() as session:
            access.note_use(session, key.id)
    scopes = frozenset(key.scopes)
    caller = Caller(key.id, key.name, scopes) if key.project is None else Caller(key.id, key.name, granted={key.project: scopes})
    known: KnownCallers = request.app.state.known
    known.remember(token, caller)
    return caller


def _caller_by_session(request: Request, token: str) -> Caller:
    database = service_of(request).database
    with database.reading() as session:
        found = people.find_session(session, token)
        grants = people.grants_of(session, [found[1].id])[found[1].id] if found is not None else {}
    if found is None:
        raise _stranger(request, "this session has ended; sign in again (POST /v1/session)", "Bearer")
    if request.method not in _SAFE:
        check_origin(request)
        if not hmac.compare_digest(csrf_token_of(token).encode(), request.headers.get(CSRF_HEADER, "").encode()):
            raise RefusalError(403, f"a session's changes need the header {CSRF_HEADER}: the csrf_token of GET /v1/session")
    row, person = found
    if not people.was_seen_lately(row):
        with database.transaction() as session:
            people.note_session_use(session, row)
    everywhere = frozenset[str]() if person.role is None else ROLES[person.role]
    return Caller(person.id, person.name, everywhere, {project: ROLES[role] for project, role in grants.items()}, session=token)


def _stranger(request: Request, detail: str, challenge: str) -> RefusalError:
    """Return the refusal of a key or session that is none, of which an address may try only so many."""
    counter: RequestCounter = request.app.state.strangers
    remaining, reset = counter.count(address_of(request))
    if remaining < 0:
        return RefusalError(429, f"more than {counter.limit} requests with unknown keys in this minute", Retry_After=str(reset))
    return RefusalError(401, detail, WWW_Authenticate=challenge)


def _holds(scopes: frozenset[str], wanted: str | None) -> bool:
    return wanted is None or wanted in scopes or ("admin" in scopes and wanted != "contact")


def _lacking(wanted: str | None, where: str, scopes: frozenset[str]) -> RefusalError:
    return RefusalError(403, f"the scope {wanted!r} is needed {where}; you have {', '.join(sorted(scopes)) or 'none'}")


def _is_ours(request: Request, origin: str) -> bool:
    host = origin.partition("://")[2].lower()
    public = service_of(request).settings.public_url.partition("://")[2]
    return host in {request.headers.get("host", "").lower(), public.rstrip("/").lower()} - {""}
