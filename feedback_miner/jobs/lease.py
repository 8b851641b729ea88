"""A worker's sign of life, and what the living do about the others' jobs.

DBOS resumes what a worker was at when that very worker starts again; nobody takes over for one that never does. So every worker notes in
the store that it is there, watches the notes of the others, and hands the jobs of one whose note has stood still back to the queue.
"""

import logging
import threading
import time
from collections.abc import Callable
from datetime import datetime

from dbos import DBOS

from feedback_miner.store import Database, projects, workers

__all__ = ["Lease"]

_BEATS = 5
"""Signs of life in the time of a lease."""
_MOST_TAKEOVERS = 5
_OVER = frozenset({"SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"})
_log = logging.getLogger(__name__)


class Lease:
    """A thread that keeps one worker's lease and watches the others'."""

    def __init__(
        self,
        database: Database,
        worker: str,
        *,
        queue: str,
        seconds: float,
        hand_in: Callable[[str], None],
        give_up: Callable[[str, str], None],
    ) -> None:
        self._database, self._worker, self._queue, self._seconds = database, worker, queue, seconds
        self._hand_in, self._give_up = hand_in, give_up
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._watched: dict[str, tuple[datetime, float]] = {}
        """Of each other worker: its latest sign of life, and when we first saw it, by our own clock. Clocks are never compared."""

    def start(self) -> None:
        """Give the first sign of life, put right what needs it, and go on in a thread."""
        self._stop.clear()
        self._beat()
        self._thread = threading.Thread(target=self._go_on, name="lease", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Give no more signs. What this worker leaves undone falls to the others once its lease is over."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _go_on(self) -> None:
        while not self._stop.wait(self._seconds / _BEATS):
            try:
                self._beat()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next beat must come
                # Those who could not say that they are there are not to be held against it.
                self._watched.clear()
                _log.warning("no sign of life could be given: %s", type(error).__name__)

    def _beat(self) -> None:
        with self._database.transaction() as session:
            workers.beat(session, self._worker)
            others = {worker: seen_at for worker, seen_at in workers.list_workers(session).items() if worker != self._worker}
        moment = time.monotonic()
        for worker in self._watched.keys() - others.keys():
            del self._watched[worker]
        for worker, seen_at in others.items():
            before, since = self._watched.get(worker, (None, moment))
            if before != seen_at:
                self._watched[worker] = (seen_at, moment)
            elif moment - since > self._seconds:
                self._take_over(worker, seen_at)
        self._put_right()

    def _take_over(self, worker: str, seen_at: datetime) -> None:
        """Hand a dead worker's jobs back to the queue. The lock sees to it that one of the living does so, once."""
        with self._database.transaction() as session:
            if not workers.lock_expired(session, worker, seen_at):
                return
            left = DBOS.list_workflows(executor_id=worker, status="PENDING", queue_name=self._queue, load_input=False, load_output=False)
            for job in (workflow.workflow_id for workflow in left):
                _log.warning("job %s is taken over from worker %s", job, worker)
                if projects.count_takeover(session, job) > _MOST_TAKEOVERS:
                    projects.end_job(
                        session, job, "failed", f"{_MOST_TAKEOVERS} workers died over this job; it may need more memory than they have"
                    )
                DBOS.resume_workflow(job, queue_name=self._queue)  # an ended one too: it has only its end to find
            workers.remove_worker(session, worker)

    def _put_right(self) -> None:
        """See to jobs that the store says are open and DBOS does not know (hand them in), or says are over (end them)."""
        with self._database.reading() as session:
            jobs = projects.list_open(session)
        if not jobs:
            return
        known = DBOS.list_workflows(workflow_ids=list(jobs), load_input=False, load_output=False)
        states = {workflow.workflow_id: workflow.status for workflow in known}
        for job in jobs:
            if job not in states:
                self._hand_in(job)
            elif states[job] in _OVER:
                self._give_up(job, "it was cut off too often, or the database was away for too long; upload the batch again")
