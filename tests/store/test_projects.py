import pytest

from feedback_miner.errors import ConflictError, NotFoundError
from feedback_miner.store import projects, workers
from feedback_miner.store.tables import JobRow


@pytest.fixture
def job(database, project, batch) -> str:
    with database.transaction() as session:
        return projects.add_job(session, project, batch).id


def test_batches_and_jobs_are_numbered(database, project, job, batch):
    with database.transaction() as session:
        assert projects.get_job(session, job).number == 1
        assert projects.add_job(session, project, None).number == 2
        assert projects.add_batch(session, project, source="b.csv", sha256="1" * 64, options={}).number == 2
        assert [row.number for row in projects.list_batches(session, project, after=1)] == [2]


def test_the_same_content_twice_is_found(database, project, job, batch):
    with database.reading() as session:
        known = projects.find_batch(session, project, "0" * 64)
        assert known is not None
        assert (known[0].id, known[1].id) == (batch, job)
        assert projects.find_batch(session, project, "1" * 64) is None


def test_a_job_waits_runs_and_ends(database, job):
    with database.transaction() as session:
        assert (projects.get_job(session, job).state, projects.list_open(session)) == ("queued", [job])
        projects.begin_job(session, job)
        assert (projects.get_job(session, job).state, projects.list_open(session)) == ("running", [job])
        first = projects.get_job(session, job).started_at
        projects.begin_job(session, job)
        assert projects.get_job(session, job).started_at == first
        assert not projects.note_progress(session, job, "encode", 3, 9)
        projects.end_job(session, job, "failed", "a reason")
        projects.end_job(session, job, "succeeded")
        row = projects.get_job(session, job)
        assert (row.state, row.reason, row.stage, row.done, row.total) == ("failed", "a reason", "encode", 3, 9)
        assert projects.list_open(session) == []


def test_a_waiting_job_is_cancelled_at_once_and_stays_so(database, job):
    with database.transaction() as session:
        assert projects.request_cancel(session, job).state == "cancelled"
        projects.begin_job(session, job)
        assert projects.get_job(session, job).state == "cancelled"
        with pytest.raises(ConflictError, match="has cancelled already|cancelled"):
            projects.request_cancel(session, job)


def test_a_running_job_is_told_at_its_next_note(database, job):
    with database.transaction() as session:
        projects.begin_job(session, job)
        assert projects.request_cancel(session, job).state == "cancelling"
        assert projects.note_progress(session, job, "encode", 0, None)
        projects.end_job(session, job, "cancelled")
        assert projects.get_job(session, job).state == "cancelled"


def test_a_claim_stands_until_the_next(database, job):
    with database.transaction() as session:
        first = projects.claim_job(session, job)
        assert projects.lock_claimed(session, job, first) is not None
        second = projects.claim_job(session, job)
        assert projects.lock_claimed(session, job, first) is None
        assert projects.lock_claimed(session, job, second) is not None


def test_a_batch_is_being_read_until_it_was_or_its_job_ended(database, project, batch, job):
    with database.transaction() as session:
        assert projects.is_reading(session, project)
        projects.get_batch(session, project, batch).columns = {}
        session.flush()
        assert not projects.is_reading(session, project)
        projects.get_batch(session, project, batch).columns = None
        projects.end_job(session, job, "failed", "a reason")
        session.flush()
        assert not projects.is_reading(session, project)


def test_takeovers_are_counted(database, job):
    with database.transaction() as session:
        assert [projects.count_takeover(session, job) for _ in range(2)] == [1, 2]
        assert projects.count_takeover(session, "job_that_is_gone") == 0


@pytest.mark.parametrize(
    "ask", [projects.get_job, projects.claim_job, projects.request_cancel, projects.get_project, projects.lock_project]
)
def test_what_is_not_there_is_not_found(database, ask):
    with database.transaction() as session, pytest.raises(NotFoundError, match="nothing-like-it"):
        ask(session, "nothing-like-it")


def test_deleting_a_batch_deletes_its_jobs(database, project, batch, job):
    with database.transaction() as session:
        session.delete(projects.get_batch(session, project, batch))
    with database.reading() as session:
        assert session.get(JobRow, job) is None


def test_a_worker_is_expired_only_as_it_was_last_seen(database):
    with database.transaction() as session:
        workers.beat(session, "first")
    with database.reading() as session:
        seen = workers.list_workers(session)["first"]
    with database.transaction() as session:
        assert workers.lock_expired(session, "first", seen)
    with database.transaction() as session:
        workers.beat(session, "first")
    with database.transaction() as session:
        assert not workers.lock_expired(session, "first", seen)
        workers.remove_worker(session, "first")
    with database.reading() as session:
        assert workers.list_workers(session) == {}
