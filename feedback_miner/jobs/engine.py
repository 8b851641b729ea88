"""DBOS: runs the steps in order, remembers which are done, and takes up after a crash where it was.

What it remembers lies in its own tables of the same PostgreSQL database; beside SQLite in a file of its own, so that its polling never
waits for a long write of ours. Everything it is told is a job's id or a row number.

Jobs of one project run one after the other, those of several side by side on as many workers as there are. Why it is done this way:
docs/decisions/0007-dbos-and-the-store.md.
"""

import logging
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import ParamSpec, TypeVar

from dbos import DBOS, DBOSConfig, SetEnqueueOptions, SetWorkflowID
from dbos import error as dbos_errors
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, OperationalError

from feedback_miner.errors import FeedbackMinerError, NotFoundError
from feedback_miner.jobs import steps
from feedback_miner.jobs.claim import Claim, ClaimLost, JobCancelled, WorkerStopping, claim_job
from feedback_miner.jobs.dispatcher import Dispatcher
from feedback_miner.jobs.lease import Lease
from feedback_miner.jobs.retention import Housekeeper
from feedback_miner.jobs.workshop import JOBS_FILE, Workshop
from feedback_miner.outbound import Poster
from feedback_miner.store import projects

__all__ = ["Engine"]

_P = ParamSpec("_P")
_R = TypeVar("_R")
_QUEUE = "mining"
_VERSION = "1"
"""Of the order of the steps. Work begun under one version is only ever resumed under the same."""
_MOST_RESTARTS = 100
"""A job that takes its process down with it each time must come to an end some day."""
_LONGEST_END = 10
"""Seconds that a stopping process gives a step to come to its next report."""
_log = logging.getLogger(__name__)
_shop: Workshop | None = None
"""The workshop of this process: DBOS finds its functions by name, and those have no other way to it."""


class Engine:
    """The engine of a process; there can be one at a time."""

    def __init__(
        self,
        shop: Workshop,
        *,
        worker: str = "local",
        works: bool = True,
        lease_seconds: float = 30.0,
        allow_private_targets: bool = False,
    ) -> None:
        """Name the process among workers: no other may have its name.

        ``works``: whether this process takes up jobs and delivers to webhooks, or only hands jobs in. A worker that gives no sign of life
        for ``lease_seconds`` loses its jobs to the others. ``allow_private_targets``: whether webhooks may be at private addresses.
        """
        self._shop, self._works, self._allow_private = shop, works, allow_private_targets
        self._dispatcher: Dispatcher | None = None
        self._worker = worker if works else f"{worker}, without work"  # or starting it would call back what the worker is at
        self._housekeeper = Housekeeper(shop, self.enqueue)
        self._lease = Lease(
            shop.database, worker, queue=_QUEUE, seconds=lease_seconds, hand_in=self.enqueue, give_up=partial(_give_up, shop)
        )

    def start(self) -> None:
        """Connect, resume what this worker was at when it died, and hand in what was never handed in."""
        global _shop
        _shop = self._shop
        self._shop.stopping.clear()
        config: DBOSConfig = {
            "name": "feedback-miner",
            "system_database_url": _system_url(self._shop.database.url, self._shop.folder),
            "executor_id": self._worker,
            "application_version": _VERSION,
            "log_level": "ERROR",
            "console_log_level": "ERROR",
        }
        DBOS(config=config)
        DBOS.listen_queues([_QUEUE] if self._works else [])
        DBOS.launch()
        # One job at a time in a process: fitting holds the numerical libraries of the whole process to one thread.
        DBOS.register_queue(_QUEUE, partition_concurrency=1, worker_concurrency=1, polling_interval_sec=0.2, on_conflict="always_update")
        if self._works:
            self._lease.start()
            self._housekeeper.start()
            self._dispatcher = Dispatcher(self._shop, Poster(allow_private=self._allow_private))
            self._dispatcher.start()

    def enqueue(self, job: str) -> None:
        """Hand a job in. Handing it in twice is handing it in once."""
        with self._shop.database.reading() as session:
            row = projects.get_job(session, job)
        # The number orders what DBOS, which counts whole seconds beside SQLite, may take for simultaneous.
        with SetWorkflowID(job), SetEnqueueOptions(queue_partition_key=row.project, priority=row.number):
            DBOS.enqueue_workflow(_QUEUE, _mine, job)

    def stop(self) -> None:
        """Stop: a step at hand ends at its next report, and is repeated at the next start."""
        self._lease.stop()
        self._housekeeper.stop()
        self._shop.stopping.set()
        if self._dispatcher is not None:
            self._dispatcher.stop()
        # A step that is still on its way would find DBOS gone under its feet when it reports its end.
        DBOS.destroy(workflow_completion_timeout_sec=_LONGEST_END if self._works else 0)


def _system_url(url: str, folder: Path) -> str:
    if make_url(url).get_backend_name() == "sqlite":
        return f"sqlite:///{folder / JOBS_FILE}"
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


def _is_transient(error: BaseException) -> bool:
    """A database that is restarting, a full connection pool, a locked file: worth another try. Nothing else is."""
    return isinstance(error, OperationalError) or (isinstance(error, DBAPIError) and error.connection_invalidated)


def _step(name: str) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    return DBOS.step(name=name, retries_allowed=True, interval_seconds=1.0, backoff_rate=2.0, max_attempts=9, should_retry=_is_transient)


_ENDED = -1
_AGAIN = -2
"""The step lost its claim. If it was the rightful one after all (DBOS, which notes its answer, knows), it begins anew."""
_DONE = 0


@DBOS.workflow(name="mine", max_recovery_attempts=_MOST_RESTARTS)
def _mine(job: str) -> None:
    """Run a job. A step answers whether to go on; what went wrong stands in the job's row."""
    try:
        if all(_encode_all(job) if step == "encode" else _run(step, job) for step in steps.ORDER):
            _end(job, "succeeded", None)
    except dbos_errors.DBOSMaxStepRetriesExceeded:
        _end(job, "failed", "the database could not be reached for several minutes; try again when it is back")


def _encode_all(job: str) -> bool:
    after = 0
    while (answer := _encode(job, after)) != _DONE:
        if answer == _ENDED:
            return False
        after = after if answer == _AGAIN else answer
    return True


def _run(step: str, job: str) -> bool:
    while (answer := _attempt(step, job)) == _AGAIN:
        pass
    return answer == _DONE


@_step("run")
def _attempt(step: str, job: str) -> int:
    def run(claim: Claim) -> int:
        getattr(steps, step)(claim)
        return _DONE

    return _guarded(step, job, run)


@_step("encode")
def _encode(job: str, after: int) -> int:
    """Return the last row done, or why there is none: row numbers begin at one."""
    return _guarded("encode", job, lambda claim: steps.encode(claim, after) or _DONE)


@_step("end")
def _end(job: str, state: str, reason: str | None) -> None:
    with _workshop().database.transaction() as session:
        projects.end_job(session, job, state, reason)
    _say("job ended", job, state=state)


def _give_up(shop: Workshop, job: str, reason: str) -> None:
    with shop.database.transaction() as session:
        projects.end_job(session, job, "failed", reason)
    steps.sweep(shop, job)
    _say("job ended", job, state="failed")


def _abandon(claim: Claim, state: str, reason: str | None) -> None:
    steps.abandon(claim, state, reason)
    _say("job ended", claim.job, project=claim.project, state=state)


def _guarded(name: str, job: str, step: Callable[[Claim], int]) -> int:
    """Run a step of a job that is still wanted; note why it failed, and answer ``_ENDED``. Transient faults pass, to be retried."""
    shop = _workshop()
    if shop.stopping.is_set():
        raise WorkerStopping
    try:
        claim = claim_job(shop, job)
        if claim is None:
            steps.sweep(shop, job)
            return _ENDED
        try:
            return _timed(name, claim, step)
        except JobCancelled:
            _abandon(claim, "cancelled", None)
        except FeedbackMinerError as error:
            _abandon(claim, "failed", str(error))
        except ClaimLost:
            raise
        except Exception as error:
            if _is_transient(error):
                raise
            # Without the message: it may quote what was being read.
            _log.error("job %s failed: %s\n%s", job, type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
            _abandon(claim, "failed", f"internal error ({type(error).__name__}); the log has more under {job}")
    except ClaimLost:
        return _AGAIN
    except NotFoundError:
        pass  # deleted with its project meanwhile
    return _ENDED


def _timed(name: str, claim: Claim, step: Callable[[Claim], int]) -> int:
    """Run a step that ends well, and say how long it took."""
    if claim.attempt == 1:
        _say("job started", claim.job, project=claim.project, batch=claim.batch)
    start = time.perf_counter()
    answer = step(claim)
    seconds = time.perf_counter() - start
    claim.shop.metrics.step_seconds.labels(name).observe(seconds)
    _say("step finished", claim.job, project=claim.project, step=name, seconds=round(seconds, 3))
    return answer


def _say(event: str, job: str, **fields: object) -> None:
    """Log what became of a job: ids, counts and seconds, never text."""
    _log.info(event, extra={"fields": {"job": job, **fields}})


def _workshop() -> Workshop:
    if _shop is None:  # pragma: no cover - the engine starts before it is asked
        raise RuntimeError("the engine has not been started")
    return _shop
