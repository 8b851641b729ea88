"""What a process measures of itself, by the names that Prometheus reads it under. Labels come from this program, never from a caller."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Info, PlatformCollector, ProcessCollector

__all__ = ["Metrics"]

_REQUEST_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""From a warm call of ``/v1/classify`` to an upload."""
_STEP_BUCKETS = (0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 14_400.0)


class Metrics:
    """One for a process; safe to share between its threads. Times are in seconds."""

    def __init__(self) -> None:
        registry = self.registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        PlatformCollector(registry=registry)
        self.build = Info("feedback_miner_build", "What runs", registry=registry)
        self.requests = Counter("feedback_miner_requests", "Requests answered", ("method", "route", "status"), registry=registry)
        self.request_seconds = Histogram(
            "feedback_miner_request_seconds", "Time to answer", ("method", "route"), buckets=_REQUEST_BUCKETS, registry=registry
        )
        self.classified = Counter("feedback_miner_classified_texts", "Texts classified", ("themes",), registry=registry)
        self.abstained = Counter("feedback_miner_abstained_texts", "Texts that got no theme", ("themes", "reason"), registry=registry)
        self.classify_calls = Gauge("feedback_miner_classify_calls", "Calls that are served or wait for the model", registry=registry)
        self.classify_waits = Histogram(
            "feedback_miner_classify_wait_seconds", "Time a text waited for the model", buckets=_REQUEST_BUCKETS, registry=registry
        )
        self.classify_seconds = Histogram(
            "feedback_miner_classify_seconds", "Time the model took for a text", buckets=_REQUEST_BUCKETS, registry=registry
        )
        self.step_seconds = Histogram(
            "feedback_miner_step_seconds", "Time of a job's step in this process", ("step",), buckets=_STEP_BUCKETS, registry=registry
        )
