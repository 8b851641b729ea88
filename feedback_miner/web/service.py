"""What every request works with: the store, the engine, the desk where texts are classified."""

from dataclasses import dataclass

from fastapi import Request

from feedback_miner.config import Settings
from feedback_miner.jobs.engine import Engine
from feedback_miner.jobs.workshop import Workshop
from feedback_miner.store import Database
from feedback_miner.web.desk import ClassifyDesk

__all__ = ["Service", "service_of"]


@dataclass(slots=True)
class Service:
    """One for a process."""

    settings: Settings
    database: Database
    shop: Workshop
    engine: Engine
    desk: ClassifyDesk


def service_of(request: Request) -> Service:
    """Return the service of this process."""
    service: Service = request.app.state.service
    return service
