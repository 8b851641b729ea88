"""``POST /v1/classify``: texts in, readings out, in milliseconds."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from feedback_miner.answers import answer_of
from feedback_miner.web.access import Caller, GuardedRoute, require
from feedback_miner.web.problems import RefusalError, responses
from feedback_miner.web.service import service_of
from feedback_miner.web.wire import ClassifyIn, ClassifyOut

__all__ = ["router"]


class _ShortRoute(GuardedRoute):
    """Takes a call that is plainly right by itself: how FastAPI finds a function's arguments costs as much as reading a short text.

    Any other goes FastAPI's way, which says what is wrong with it.
    """

    def get_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the handler of a known caller's call."""
        handle = super().get_handler()

        async def read(request: Request) -> Response:
            if "content-type" not in request.headers:
                return await handle(request)
            try:
                body = ClassifyIn.model_validate_json(await request.body())
            except ValidationError:
                return await handle(request)
            return await classify(body, request, request.state.caller.wanting("classify"))

        return read


router = APIRouter(prefix="/v1", tags=["classify"], route_class=_ShortRoute)


@router.post("/classify", response_model=ClassifyOut, responses=responses(404, 409, body=True))
async def classify(body: ClassifyIn, request: Request, caller: Annotated[Caller, Depends(require("classify"))]) -> Response:
    """Read each text's language, sentiment, type, themes and root causes, or say why not. The same text gets the same answer in a batch."""
    service = service_of(request)
    if len(body.texts) > service.settings.max_batch_texts:
        raise RefusalError(413, f"{len(body.texts)} texts in one call; send at most {service.settings.max_batch_texts}")
    project = body.project if body.project is None else caller.check_project(body.project)
    classifier, found = await service.desk.classify(body.texts, project)
    return JSONResponse({"results": [answer_of(reading, classifier, body.language) for reading in found]})
