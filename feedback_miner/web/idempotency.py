"""The same request twice is one request: ``Idempotency-Key`` on POSTs that create something."""

import hashlib
import json
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import Header, Response
from sqlalchemy.orm import Session

from feedback_miner.store import access
from feedback_miner.web.access import Caller
from feedback_miner.web.problems import RefusalError

__all__ = ["IdempotencyKey", "answer_once"]

IdempotencyKey = Annotated[
    str | None, Header(alias="Idempotency-Key", max_length=128, description="Send a request again under the same key: it is done once.")
]


def answer_once(
    session: Session, caller: Caller, key: str | None, request: Any, response: Response, make: Callable[[], tuple[int, dict[str, Any]]]
) -> dict[str, Any]:
    """Return what ``make`` answers (status, body); under a key used before, what it answered then.

    ``request`` is what makes the request this one. The answer is kept in the same transaction as what it created. Raises RefusalError (422)
    where the key was used for another request.
    """
    digest = hashlib.sha256(json.dumps(request, sort_keys=True, default=str).encode()).hexdigest()
    if key is not None and (before := access.recall_answer(session, caller.id, key)) is not None:
        if before.digest != digest:
            raise RefusalError(422, "this Idempotency-Key was used for another request; choose a fresh one")
        response.status_code = before.status
        return before.answer
    status, answer = make()
    response.status_code = status
    if key is not None:
        access.remember_answer(session, caller.id, key, digest, status, answer)
    return answer
