"""What every request passes through: timed and counted by its route, bounded, its answer hardened, its errors made safe to show."""

import logging
import time
import traceback

from fastapi import HTTPException
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from feedback_miner.web.problems import problem

__all__ = ["BODY_LIMIT", "MOST_JSON", "Edge"]

MOST_JSON = 64 << 20
"""Bytes of a body that is held in memory."""
BODY_LIMIT = "feedback_miner.body_limit"
"""Key in a request's scope: what a path allows instead."""
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    # The report is one page with its own style and script inside, and nothing from anywhere else.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:; "
    "frame-ancestors 'none'",
}
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_log = logging.getLogger(__name__)


class Edge:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, *, registry: CollectorRegistry) -> None:
        self._app = app
        self._requests = Counter("feedback_miner_requests", "Requests answered", ("method", "route", "status"), registry=registry)
        self._seconds = Histogram("feedback_miner_request_seconds", "Time to answer", ("method", "route"), registry=registry)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start, status = time.perf_counter(), 0

        async def answer(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in {**_HEADERS, **scope.get("state", {}).get("limits", {})}.items():
                    headers.setdefault(name, value)
            await send(message)

        try:
            await self._app(scope, _bounded(scope, receive), answer)
        except ClientDisconnect:
            pass  # nobody is there to be answered
        except Exception as error:  # noqa: BLE001 - the outermost loop of a request
            # Without the message: it may quote what was being read.
            _log.error("%s: %s\n%s", _route(scope), type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
            if status:
                raise ConnectionError("the answer broke off") from None
            await problem(500, f"internal error ({type(error).__name__}); the log has more")(scope, receive, answer)
        finally:
            method = scope["method"] if scope["method"] in _METHODS else "other"
            self._requests.labels(method, _route(scope), status).inc()
            self._seconds.labels(method, _route(scope)).observe(time.perf_counter() - start)


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
