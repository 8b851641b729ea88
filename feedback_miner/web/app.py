"""The application: its parts put together, its start and its stop."""

import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.concurrency import run_in_threadpool
from prometheus_client import CollectorRegistry

from feedback_miner import __version__
from feedback_miner.config import Settings
from feedback_miner.jobs.engine import Engine
from feedback_miner.jobs.workshop import Workshop
from feedback_miner.store import Database
from feedback_miner.web import batches, classify, edits, keys, operations, problems, projects, themes
from feedback_miner.web.access import RequestCounter
from feedback_miner.web.desk import ClassifyDesk
from feedback_miner.web.edge import Edge
from feedback_miner.web.service import Service
from feedback_miner.web.wire import ItemsIn, Problem

__all__ = ["create_app", "open_service"]


def open_service(settings: Settings, *, works: bool = True) -> Service:
    """Open the data folder and the database (brought up to date) of a serving process; nothing runs yet."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    database = Database(settings.database_url)
    database.upgrade()
    shop = Workshop(database, settings.data)
    desk = ClassifyDesk(shop, encoder=settings.encoder, queue=settings.classify_queue)
    return Service(settings, database, shop, Engine(shop, worker=settings.worker, works=works), desk)


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
    app.state.counter = RequestCounter(service.settings.requests_per_minute)
    app.state.registry = CollectorRegistry()
    app.add_middleware(Edge, registry=app.state.registry)
    problems.install(app)
    for part in (projects, batches, themes, edits, classify, keys, operations):
        app.include_router(part.router)
    _describe(app)
    return app


def _describe(app: FastAPI) -> None:
    """Name in the OpenAPI document what no signature names."""
    schemas = app.openapi()["components"]["schemas"]  # made once, and kept by the application
    for shape in (Problem, ItemsIn):
        described = shape.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(described.pop("$defs", {}))
        schemas[shape.__name__] = described
