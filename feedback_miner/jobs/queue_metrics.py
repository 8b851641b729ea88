"""What waits, for Prometheus: asked of the database whenever somebody reads the figures, so that it is the same from every process."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy.exc import SQLAlchemyError

from feedback_miner.store import Database, queues

__all__ = ["QueueMetrics"]

_STATES = ("queued", "running", "cancelling", "succeeded", "failed", "cancelled")


class QueueMetrics(Collector):
    """Jobs by state, deliveries on their way, and whether the database answers at all: without it the other figures still come."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def describe(self) -> list[GaugeMetricFamily]:
        """Name nothing beforehand: being registered asks no database."""
        return []

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Ask the database."""
        try:
            with self._database.reading() as session:
                counted, deliveries = queues.count_jobs(session), queues.count_waiting_deliveries(session)
        except SQLAlchemyError:
            yield GaugeMetricFamily("feedback_miner_database_up", "Whether the database answers", 0)
            return
        yield GaugeMetricFamily("feedback_miner_database_up", "Whether the database answers", 1)
        jobs = GaugeMetricFamily("feedback_miner_jobs", "Jobs by state", labels=("state",))
        for state in _STATES:
            jobs.add_metric((state,), counted.get(state, 0))
        yield jobs
        yield GaugeMetricFamily("feedback_miner_deliveries_waiting", "Deliveries to webhooks that have yet to arrive", deliveries)
