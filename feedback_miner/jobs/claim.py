"""The right to write for a job. Whoever begins a step takes it; whoever had it before, and was only slow, writes nothing any more."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy.orm import Session

from feedback_miner.jobs.workshop import Workshop
from feedback_miner.store import projects

__all__ = ["Claim", "ClaimLost", "DeletedMeanwhile", "JobCancelled", "WorkerStopping", "claim_job"]


class JobCancelled(Exception):  # noqa: N818 - nothing went wrong
    """Somebody asked for the job to be stopped."""


class ClaimLost(Exception):  # noqa: N818 - nothing went wrong
    """Another run of the job has begun a step: this one has no say any more."""


class DeletedMeanwhile(Exception):  # noqa: N818 - nothing went wrong
    """A customer was deleted while this was computed: it may hold their words, and must be computed again."""


class WorkerStopping(BaseException):
    """This process is to end: the step at hand is left as it is. No ``Exception``: the engine would take it for the job's end."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One step's claim on its job. Every transaction that writes asks it first."""

    shop: Workshop
    job: str
    project: str
    batch: str | None
    attempt: int

    @contextmanager
    def writing(self, *, deletions: int | None = None) -> Iterator[Session]:
        """Open a transaction that commits only while the claim stands.

        ``deletions`` is the project's count at the time what is written was read. Raises ClaimLost, or DeletedMeanwhile.
        """
        with self.shop.database.transaction() as session:
            if projects.lock_claimed(session, self.job, self.attempt) is None:
                raise ClaimLost
            if deletions is not None and not projects.check_deletions(session, self.project, deletions):
                raise DeletedMeanwhile
            yield session

    def note(self, stage: str, done: int, total: int | None) -> None:
        """Note how far a stage is. Raises JobCancelled or WorkerStopping where it should go no further."""
        if self.shop.stopping.is_set():
            raise WorkerStopping
        with self.writing() as session:
            cancelled = projects.note_progress(session, self.job, stage, done, total)
        if cancelled:
            raise JobCancelled


def claim_job(shop: Workshop, job: str) -> Claim | None:
    """Begin a step of a job; ``None`` where it has ended. Raises NotFoundError where it is gone."""
    with shop.database.transaction() as session:
        attempt = projects.claim_job(session, job)
        row = projects.get_job(session, job)
        return None if row.state in projects.ENDED else Claim(shop, job, row.project, row.batch, attempt)
