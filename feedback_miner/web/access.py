"""Who asks, what they may, and how often. Every path under ``/v1`` has ``GuardedRoute`` for its class and depends on ``require``."""

import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.routing import APIRoute
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi.security.utils import get_authorization_scheme_param

from feedback_miner.errors import InputError
from feedback_miner.store import access
from feedback_miner.web.problems import RefusalError
from feedback_miner.web.service import service_of

__all__ = ["SCOPES", "Caller", "GuardedRoute", "RequestCounter", "check_scopes", "require"]

SCOPES = ("ingest", "classify", "read", "review", "admin")
"""``admin`` holds all the others."""
_bearer = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer fm_…`")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks."""

    id: str
    scopes: frozenset[str]
    project: str | None
    """The only project the key is for; ``None`` for all."""

    def check_project(self, project: str) -> str:
        """Return the project, or refuse it as if it were not there: a key for one tells nothing of others."""
        if self.project not in (None, project):
            raise RefusalError(404, f"there is no project {project!r}")
        return project


class GuardedRoute(APIRoute):
    """A path that knows who asks before it reads a byte of what they send."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the path's handler, behind the guard."""
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            request.state.caller = await run_in_threadpool(_admit, request)
            if self.body_field is not None:
                _check_json(request)
            return await handle(request)

        return guarded


def require(scope: str) -> Callable[..., Coroutine[Any, Any, Caller]]:
    """Return a dependency that lets in who has the scope."""

    async def caller(request: Request, _: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]) -> Caller:
        admitted: Caller = request.state.caller
        if not admitted.scopes & {scope, "admin"}:
            raise RefusalError(403, f"this key lacks the scope {scope!r}; it has {', '.join(sorted(admitted.scopes))}")
        return admitted

    return caller


def check_scopes(scopes: list[str]) -> list[str]:
    """Return the scopes, or say which is none."""
    if unknown := sorted(set(scopes) - set(SCOPES)):
        raise InputError(f"there is no scope {unknown[0]!r}; choose among {', '.join(SCOPES)}")
    return scopes


class RequestCounter:
    """How many requests each key made in the minute that runs."""

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


def _admit(request: Request) -> Caller:
    service = service_of(request)
    scheme, token = get_authorization_scheme_param(request.headers.get("Authorization"))
    if scheme.lower() != "bearer" or not token:
        raise RefusalError(401, "a key is needed: send Authorization: Bearer fm_…", WWW_Authenticate="Bearer")
    with service.database.reading() as session:  # most requests write nothing, and need not wait for who does
        key = access.find_key(session, token)
    if key is None:
        raise RefusalError(401, "this key is not known, or has expired", WWW_Authenticate='Bearer error="invalid_token"')
    if not access.was_used_lately(key):
        with service.database.transaction() as session:
            access.note_use(session, key.id)
    counter: RequestCounter = request.app.state.counter
    remaining, reset = counter.count(key.id)
    request.state.limits = {
        "RateLimit-Limit": str(counter.limit),
        "RateLimit-Remaining": str(max(0, remaining)),
        "RateLimit-Reset": str(reset),
    }
    if remaining < 0:
        raise RefusalError(429, f"more than {counter.limit} requests in this minute", Retry_After=str(reset))
    if "\0" in request.url.path or "%00" in request.url.query:
        raise RefusalError(422, "the address holds a NUL character")
    return Caller(key.id, frozenset(key.scopes), key.project)


def _check_json(request: Request) -> None:
    kind = request.headers.get("content-type", "application/json").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise RefusalError(415, f"no support for {kind!r}; send application/json")
