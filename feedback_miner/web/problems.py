"""Errors as problem documents (RFC 9457). What the package raises becomes a status here and nowhere else."""

import re
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.exceptions import HTTPException

from feedback_miner.errors import ConflictError, FeedbackMinerError, InputError, NotFoundError, StoreError, ThemeSetError

__all__ = ["PROBLEM", "RefusalError", "install", "place_of", "problem", "responses"]

PROBLEM = "application/problem+json"
_STATUS: tuple[tuple[type[FeedbackMinerError], int], ...] = (
    (NotFoundError, 404),
    (ConflictError, 409),
    (ThemeSetError, 409),
    (InputError, 422),
    (StoreError, 503),
)
_EVERYWHERE = frozenset({401, 403, 422, 429, 500, 503})
_PLAIN_NAME = re.compile(r"[\w-]{1,40}")


class RefusalError(FeedbackMinerError):
    """A request that is refused for reasons of HTTP alone: who asks, how often, how much."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def install(app: FastAPI) -> None:
    """Answer every error with a problem document."""

    @app.exception_handler(RefusalError)
    async def refuse(_request: Request, refusal: RefusalError) -> JSONResponse:
        return problem(refusal.status, str(refusal), headers=refusal.headers)

    @app.exception_handler(FeedbackMinerError)
    async def translate(_request: Request, error: FeedbackMinerError) -> JSONResponse:
        return problem(next((status for kind, status in _STATUS if isinstance(error, kind)), 500), str(error))

    @app.exception_handler(RequestValidationError)
    async def validate(_request: Request, error: RequestValidationError) -> JSONResponse:
        # Where and what, never the value: it may be a customer's text.
        errors = [{"at": place_of(entry["loc"]), "reason": entry["msg"]} for entry in error.errors()]
        return problem(422, f"{errors[0]['at']}: {errors[0]['reason']}" if errors else "the request is not valid", errors=errors)

    @app.exception_handler(OperationalError)
    async def wait(_request: Request, _error: OperationalError) -> JSONResponse:
        return problem(503, "the database cannot be reached or is busy; try again in a few seconds", headers={"Retry-After": "5"})

    @app.exception_handler(HTTPException)
    async def pass_on(_request: Request, error: HTTPException) -> JSONResponse:
        return problem(error.status_code, str(error.detail), headers=dict(error.headers or {}))


def responses(*statuses: int, body: bool = False) -> dict[int | str, dict[str, Any]]:
    """Return the OpenAPI description of a path's problems, those that every path has (and every ``body``) included."""
    return {
        status: {"description": HTTPStatus(status).phrase, "content": {PROBLEM: {"schema": {"$ref": "#/components/schemas/Problem"}}}}
        for status in sorted({*statuses, *_EVERYWHERE, *((400, 413, 415) if body else ())})
    }


def place_of(steps: tuple[int | str, ...]) -> str:
    """Return where in a request something is wrong. A name that looks like no field's is left out: it may be somebody's words."""
    return ".".join(str(step) if isinstance(step, int) or _PLAIN_NAME.fullmatch(step) else "…" for step in steps)


def problem(status: int, detail: str, *, headers: dict[str, str] | None = None, **more: object) -> JSONResponse:
    """Return a problem document as an answer."""
    values = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail, **more}
    return JSONResponse(values, status, headers=headers, media_type=PROBLEM)
