"""``POST /v1/classify``: texts in, readings out, in milliseconds."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse

from feedback_miner.answers import answer_of
from feedback_miner.web.access import Caller, GuardedRoute, require
from feedback_miner.web.problems import RefusalError, responses
from feedback_miner.web.service import service_of
from feedback_miner.web.wire import ClassifyIn, ClassifyOut

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["classify"], route_class=GuardedRoute)


@router.post("/classify", response_model=ClassifyOut, responses=responses(404, 409, body=True))
async def classify(body: ClassifyIn, request: Request, caller: Annotated[Caller, Depends(require("classify"))]) -> Any:
    """Read each text's language, sentiment, type, themes and root causes, or say why not. The same text gets the same answer in a batch."""
    service = service_of(request)
    if len(body.texts) > service.settings.max_batch_texts:
        raise RefusalError(413, f"{len(body.texts)} texts in one call; send at most {service.settings.max_batch_texts}")
    project = body.project if body.project is None else caller.check_project(body.project)
    classifier, found = await service.desk.classify(body.texts, project)
    return JSONResponse({"results": [answer_of(reading, classifier, body.language) for reading in found]})
