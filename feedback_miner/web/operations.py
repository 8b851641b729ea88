"""For whoever runs it: alive, ready, measured. Open to all, and telling nothing of any customer."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from feedback_miner.web.problems import RefusalError, responses
from feedback_miner.web.service import service_of

__all__ = ["router"]

router = APIRouter(tags=["operations"])


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process is alive, even where every thread is busy."""
    return {"status": "alive"}


@router.get("/readyz", responses={503: responses()[503]})
def readyz(request: Request) -> dict[str, str]:
    """Say whether requests can be served: the database answers, the model is warm."""
    service = service_of(request)
    service.database.check()
    if (reason := service.desk.unready) is not None:
        raise RefusalError(503, reason, Retry_After="5")
    return {"status": "ready"}


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}, "description": "Figures"}})
def metrics(request: Request) -> Response:
    """Return figures for Prometheus."""
    return Response(generate_latest(service_of(request).shop.metrics.registry), media_type=CONTENT_TYPE_LATEST)
