"""The application: its parts put together, its start and its stop."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool

from feedback_miner import __version__
from feedback_miner.config import Settings
from feedback_miner.jobs.engine import Engine
from feedback_miner.jobs.queue_metrics import QueueMetrics
from feedback_miner.jobs.workshop import Workshop
from feedback_miner.store import Database
from feedback_miner.web import (
    batches,
    cases,
    classify,
    corrections,
    customers,
    edits,
    keys,
    lineage,
    operations,
    opinions,
    people,
    problems,
    projects,
    sessions,
    splits,
    themes,
    webhooks,
)
from feedback_miner.web.access import CSRF_HEADER, KnownCallers, RequestCounter
from feedback_miner.web.desk import ClassifyDesk
from feedback_miner.web.edge import Edge
from feedback_miner.web.passwords import Passwords
from feedback_miner.web.service import Service
from feedback_miner.web.wire import ItemsIn, Problem

__all__ = ["create_app", "open_service"]


def open_service(settings: Settings, *, works: bool = True) -> Service:
    """Open the data folder and the database (brought up to date) of a serving process; nothing runs yet."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.database_url)
    database.upgrade()
    shop = Workshop(database, settings.data)
    shop.metrics.build.info({"version": __version__, "database": database.kind})
    shop.metrics.registry.register(QueueMetrics(database))
    desk = ClassifyDesk(shop, encoder=settings.encoder, queue=settings.classify_queue)
    engine = Engine(shop, worker=settings.worker, works=works, allow_private_targets=settings.allow_private_targets)
    return Service(settings, database, shop, engine, desk)


def create_app(service: Service) -> FastAPI:
    """Return the application. It starts the engine and warms the model up when it starts, and stops both when it stops."""

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await run_in_threadpool(service.engine.start)
        warming = threading.Thread(target=service.desk.warm_up, name="warm-up", daemon=True)
        warming.start()
        yield
        await run_in_threadpool(service.engine.stop)
        service.database.close()

    app = FastAPI(
        title="Feedback Miner",
        version=__version__,
        summary="What customers write in; themes, sentiment, root causes and scores out.",
        lifespan=lifespan,
        docs_url=None,  # the page would load its scripts from elsewhere
        redoc_url=None,
    )
    app.state.service = service
    app.state.known = KnownCallers()
    app.state.counter = RequestCounter(service.settings.requests_per_minute)
    app.state.strangers = RequestCounter(max(1, service.settings.requests_per_minute // 20))
    app.state.attempts = RequestCounter(max(1, service.settings.requests_per_minute // 60))
    app.state.passwords = Passwords()
    app.add_middleware(Edge, metrics=service.shop.metrics)
    problems.install(app)
    parts = (
        classify,  # asked most, and found first
        projects,
        batches,
        themes,
        opinions,
        customers,
        cases,
        lineage,
        splits,
        edits,
        corrections,
        webhooks,
        keys,
        people,
        sessions,
        operations,
    )
    for part in parts:
        app.include_router(part.router)
    app.include_router(sessions.open_router)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """Name in the OpenAPI document what no signature names."""
    document = app.openapi()  # made once, and kept by the application
    schemas = document["components"]["schemas"]
    for shape in (Problem, ItemsIn):
        described = shape.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(described.pop("$defs", {}))
        schemas[shape.__name__] = described
    document["components"]["securitySchemes"]["CsrfToken"] = {
        "type": "apiKey",
        "in": "header",
        "name": CSRF_HEADER,
        "description": "The csrf_token of GET /v1/session",
    }
    for path in document["paths"].values():
        for method, operation in path.items():
            if "security" in operation and method != "get":
                operation["security"] = [{"HTTPBearer": []}, {"Session": [], "CsrfToken": []}]
