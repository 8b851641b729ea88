import itertools
import sqlite3
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from front_desk import Desk, as_csv, comments, wait_for
from sqlalchemy import event, make_url, text
from sqlalchemy.exc import OperationalError

from feedback_miner.errors import ConflictError
from feedback_miner.jobs.engine import Engine
from feedback_miner.jobs.forget import forget_customer
from feedback_miner.store import projects


@pytest.fixture
def engine(desk: Desk):
    engine = Engine(desk.shop, worker="first", lease_seconds=600)
    engine.start()
    yield engine
    engine.stop()


def test_a_job_handed_in_is_done(desk, engine):
    project = desk.add_project()
    job = desk.upload(project, as_csv(comments(60)))
    engine.enqueue(job)
    engine.enqueue(job)
    assert _end_of(desk, job).state == "succeeded"
    assert desk.job(job).finished_at >= desk.job(job).started_at >= desk.job(job).created_at
    again = desk.add_project()
    desk.mine(again, comments(60))
    assert desk.analysis(project) == desk.analysis(again)


def test_jobs_of_a_project_are_done_in_their_order(desk, engine):
    project = desk.add_project()
    jobs = [desk.upload(project, as_csv(comments(30, seed=seed))) for seed in (1, 2, 3)]
    for job in jobs:
        engine.enqueue(job)
    ended = [_end_of(desk, job) for job in jobs]
    assert [row.state for row in ended] == ["succeeded"] * 3
    assert all(before.finished_at <= after.started_at for before, after in itertools.pairwise(ended))
    assert desk.analysis(project)["counts"]["rows"] == 90


@pytest.mark.parametrize("content", [b"", b"a,b\n1,2\n3,4\n", b"the walrus sang\n" * 3 + b"\x89PNG\r\n\x1a\n\x00\x00" * 40])
def test_a_file_that_cannot_be_read_fails_with_a_reason(desk, engine, content, caplog):
    job = desk.upload(desk.add_project(), content, source="survey.csv")
    engine.enqueue(job)
    ended = _end_of(desk, job)
    assert ended.state == "failed"
    assert "survey.csv" in ended.reason
    assert "walrus" not in ended.reason + caplog.text
    wait_for(lambda: not desk.shop.spool_path(ended.batch).exists())


def test_what_nobody_thought_of_fails_without_a_verbatim(desk, engine, caplog):
    def fail(_connection, _cursor, statement, *_rest) -> None:
        if "INSERT INTO documents" in statement:
            raise ValueError(said)

    said = "The walrus in the lobby sang all night"
    event.listen(desk.database.engine, "before_cursor_execute", fail)
    job = desk.upload(desk.add_project(), as_csv([(said, "1", "c", "2026-01-10")] * 3))
    engine.enqueue(job)
    ended = _end_of(desk, job)
    assert ended.state == "failed"
    assert ended.reason == f"internal error (ValueError); the log has more under {job}"
    assert job in caplog.text
    assert "walrus" not in caplog.text


def test_a_job_cancelled_while_queued_is_never_begun(desk):
    job = desk.upload(desk.add_project(), as_csv(comments(30)))
    with desk.database.transaction() as session:
        projects.request_cancel(session, job)
    engine = Engine(desk.shop, worker="first")
    engine.start()
    try:
        engine.enqueue(job)
        wait_for(lambda: not desk.shop.spool_path(desk.job(job).batch).exists())
    finally:
        engine.stop()
    assert (desk.job(job).state, desk.job(job).started_at) == ("cancelled", None)


def test_a_job_cancelled_while_it_runs_stops(desk, engine):
    def cancel() -> None:
        with desk.database.transaction() as session:
            projects.request_cancel(session, job)

    _once(desk, "FROM vectors", cancel)
    job = desk.upload(desk.add_project(), as_csv(comments(30)))
    engine.enqueue(job)
    ended = _end_of(desk, job)
    assert (ended.state, ended.stage, ended.reason) == ("cancelled", "encode", None)


def test_a_fault_that_passes_is_tried_again(desk, engine):
    def fail() -> None:
        raise OperationalError("", None, Exception("the server is restarting"))

    faults = _once(desk, "INSERT INTO vectors", fail)
    job = desk.upload(desk.add_project(), as_csv(comments(30)))
    engine.enqueue(job)
    assert _end_of(desk, job).state == "succeeded"
    assert faults


def test_a_job_never_handed_in_is_found(desk):
    job = desk.upload(desk.add_project(), as_csv(comments(30)))
    engine = Engine(desk.shop, worker="first")
    engine.start()
    try:
        assert _end_of(desk, job).state == "succeeded"
    finally:
        engine.stop()


def test_a_process_without_work_only_hands_in(desk):
    job = desk.upload(desk.add_project(), as_csv(comments(30)))
    front = Engine(desk.shop, worker="first", works=False)
    front.start()
    front.enqueue(job)
    front.stop()
    assert desk.job(job).state == "queued"
    back = Engine(desk.shop, worker="first")
    back.start()
    try:
        assert _end_of(desk, job).state == "succeeded"
    finally:
        back.stop()


def test_a_stopped_engine_goes_on_where_it_was(desk):
    def stop() -> None:
        desk.shop.stopping.set()

    stopped = _once(desk, "INSERT INTO codings", stop)
    job = desk.upload(desk.add_project(), as_csv(comments(60)))
    engine = Engine(desk.shop, worker="first")
    engine.start()
    engine.enqueue(job)
    wait_for(lambda: stopped)
    engine.stop()
    assert desk.job(job).state == "running"
    engine = Engine(desk.shop, worker="first")
    engine.start()
    try:
        assert _end_of(desk, job).state == "succeeded"
    finally:
        engine.stop()
    assert desk.job(job).attempt < 10


def test_whoever_loses_the_claim_but_not_the_job_begins_its_step_again(desk, engine):
    def steal() -> None:
        with desk.database.transaction() as session:
            projects.claim_job(session, job)

    stolen = _once(desk, "FROM vectors", steal)
    job = desk.upload(desk.add_project(), as_csv(comments(30)))
    engine.enqueue(job)
    assert _end_of(desk, job).state == "succeeded"
    assert stolen


def test_a_project_deleted_under_its_job_takes_the_job_with_it(desk, engine):
    def delete() -> None:
        with desk.database.transaction() as session:
            session.delete(projects.get_project(session, project))

    deleted = _once(desk, "FROM vectors", delete)
    project = desk.add_project()
    engine.enqueue(desk.upload(project, as_csv(comments(30))))
    wait_for(lambda: deleted)
    other = desk.upload(desk.add_project(), as_csv(comments(30)))
    engine.enqueue(other)
    assert _end_of(desk, other).state == "succeeded"


def test_a_job_whose_end_was_never_noted_gets_one(desk):
    job = desk.upload(desk.add_project(), b"")
    engine = Engine(desk.shop, worker="first")
    engine.start()
    engine.enqueue(job)
    _end_of(desk, job)
    engine.stop()
    with desk.database.transaction() as session:
        projects.get_job(session, job).state = "running"  # as where the database went away at the very end
    engine = Engine(desk.shop, worker="first", lease_seconds=1)
    engine.start()
    try:
        assert "upload the batch again" in _end_of(desk, job).reason
    finally:
        engine.stop()


def test_a_deletion_waits_for_an_upload_to_be_read(desk):
    project = desk.add_project()
    desk.mine(project, comments(30, customers=1))
    desk.upload(project, as_csv(comments(30, seed=2)))
    with pytest.raises(ConflictError, match="still to be read"):
        forget_customer(desk.shop, project, "customer-0")


def test_a_deletion_leaves_no_trace(desk, engine, tmp_path, database_url):
    customers = ["somebody-else"] * 30 + ["walrus-keeper-77"] * 3
    rows = [(said, score, customer, date) for (said, score, _, date), customer in zip(comments(33), customers, strict=True)]
    rows[30:] = [("The walrus in the lobby sang all night. Breakfast was cold and late", "1", rows[32][2], "2026-01-10")] * 3
    project = desk.add_project()
    job = desk.upload(project, as_csv(rows))
    engine.enqueue(job)
    assert _end_of(desk, job).state == "succeeded"
    with desk.database.reading() as session:
        found = session.execute(
            text(
                "SELECT vectors.text_key, vectors.vector FROM documents JOIN opinions ON opinions.document = documents.id "
                "JOIN vectors ON vectors.text_key IN (opinions.text_key, documents.text_key) WHERE documents.text LIKE '%walrus%'"
            )
        ).all()
    assert len(set(found)) == 3  # two opinions and the whole
    keys, vectors = [bytes(key) for key, _ in found], [bytes(vector) for _, vector in found]
    needles = [b"walrus", b"sang all night", *vectors, *keys]
    assert all(_holds(database_url, tmp_path, needle) for needle in (b"walrus", *vectors[:1], *keys[:1]))
    deleted, again = forget_customer(desk.shop, project, "walrus-keeper-77")
    assert deleted == 3
    assert [needle for needle in needles if _holds(database_url, tmp_path, needle)] == []
    engine.enqueue(again)
    assert _end_of(desk, again).state == "succeeded"
    assert [needle for needle in needles if _holds(database_url, tmp_path, needle)] == []
    assert desk.analysis(project)["counts"]["documents"] == 30
    assert forget_customer(desk.shop, project, "walrus-keeper-77") == (0, None)


def _holds(url: str, folder: Path, needle: bytes) -> bool:
    """Search every byte that is kept: the files of SQLite, or a dump of PostgreSQL."""
    if make_url(url).get_backend_name() == "sqlite":
        with sqlite3.connect(folder / "jobs.sqlite") as jobs:
            jobs.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return any(needle in path.read_bytes() for path in folder.rglob("*") if path.is_file())
    address = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    dump = subprocess.run(["pg_dump", "--inserts", address], check=True, capture_output=True).stdout
    return (
        needle in dump or needle.hex().encode() in dump or any(needle in path.read_bytes() for path in folder.rglob("*") if path.is_file())
    )


def _once(desk: Desk, words: str, act: Callable[[], None]) -> list[bool]:
    """Do something before the first statement with these words; the list is filled when it was done."""
    done: list[bool] = []

    def before(_connection, _cursor, statement, *_rest) -> None:
        if words in statement and not done:
            done.append(True)
            act()

    event.listen(desk.database.engine, "before_cursor_execute", before)
    return done


def _end_of(desk: Desk, job: str):
    return wait_for(lambda: (row := desk.job(job)).state in projects.ENDED and row)
