"""What every request passes through: timed, counted and logged by its route, bounded, its answer hardened, its errors made safe to show."""

import logging
import re
import secrets
import time
import traceback

from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from feedback_miner.metrics import Metrics
from feedback_miner.web.problems import problem

__all__ = ["BODY_LIMIT", "MOST_JSON", "Edge"]

MOST_JSON = 64 << 20
"""Bytes of a body that is held in memory."""
BODY_LIMIT = "feedback_miner.body_limit"
"""Key in a request's scope: what a path allows instead."""
_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"no-referrer",
    b"cache-control": b"no-store",
    # The report is one page with its own style and script inside, and nothing from anywhere else.
    b"content-security-policy": b"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    b"frame-ancestors 'none'",
}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
"""What a proxy may call a request; anything else is given a name of ours: it is written down."""
_log = logging.getLogger(__name__)


class Edge:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status, name = time.perf_counter(), 0, _request_id(scope)

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                ours = {**_HEADERS, b"x-request-id": name.encode(), **scope.get("state", {}).get("limits", {})}
                given = {header for header, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(pair for pair in ours.items() if pair[0] not in given)]
            await send(message)

        try:
            await self._app(scope, _bounded(scope, receive), answer)
        except ClientDisconnect:
            pass  # nobody is there to be answered
        except Exception as error:  # noqa: BLE001 - the outermost loop of a request
            # Without the message: it may quote what was being read.
            places = "".join(traceback.format_tb(error.__traceback__))
            _log.error("%s: %s\n%s", _route(scope), type(error).__name__, places, extra={"fields": {"request": name}})
            if status:
                raise ConnectionError("the answer broke off") from None
            await problem(500, f"internal error ({type(error).__name__}); the log has more")(scope, receive, answer)
        finally:
            self._note(scope, name, status, time.perf_counter() - start)

    def _note(self, scope: Scope, name: str, status: int, seconds: float) -> None:
        """Count a request that is over, and log it: its route and who asked, never what was asked for."""
        method, route = scope["method"] if scope["method"] in _METHODS else "other", _route(scope)
        self._metrics.requests.labels(method, route, status).inc()
        self._metrics.request_seconds.labels(method, route).observe(seconds)
        if _log.isEnabledFor(logging.INFO):
            caller = getattr(scope.get("state", {}).get("caller"), "id", None)
            took = round(seconds * 1_000, 1)
            fields = {"request": name, "method": method, "route": route, "status": status, "ms": took, "caller": caller}
            _log.info("request", extra={"fields": fields})


def _request_id(scope: Scope) -> str:
    sent = Headers(scope=scope).get("x-request-id", "")
    return sent if _REQUEST_ID.fullmatch(sent) else f"req_{secrets.token_hex(8)}"


def _route(scope: Scope) -> str:
    """Return the pattern that was matched, never what somebody typed."""
    return str(getattr(scope.get("route"), "path", "none"))


def _bounded(scope: Scope, receive: Receive) -> Receive:
    """Read no more than allowed, and nothing of what says beforehand that it is more."""
    declared = Headers(scope=scope).get("content-length", "")
    expected = int(declared) if declared.isascii() and declared.isdecimal() else 0
    received = 0

    async def bounded() -> Message:
        nonlocal received
        limit = scope.get(BODY_LIMIT, MOST_JSON)
        if expected <= limit:
            message = await receive()
            received += len(message.get("body", b""))
            if received <= limit:
                return message
        raise HTTPException(413, f"the body has more than {limit >> 20} MB")

    return bounded
