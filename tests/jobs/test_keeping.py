"""What is too old goes, what is backed up comes back, what was deleted in between stays deleted."""

import os
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from front_desk import Desk, as_csv, comments, wait_for
from sqlalchemy import event, make_url, select, text

from feedback_miner.errors import ConflictError
from feedback_miner.jobs.engine import Engine
from feedback_miner.jobs.forget import forget_again, forget_customer, forget_expired
from feedback_miner.jobs.retention import Housekeeper, keep_house
from feedback_miner.jobs.workshop import JOBS_FILE, KEY_FILES, Workshop
from feedback_miner.store import Database, access, projects
from feedback_miner.store.backup import Restored, back_up, restore
from feedback_miner.store.people_tables import AuditRow
from feedback_miner.store.tables import BatchRow, CustomerRow, JobRow, ResponseRow

OLD, NEW = "2020-01-10", projects.now().date().isoformat()


def keep_for(desk: Desk, project: str, days: int | None) -> None:
    with desk.database.transaction() as session:
        projects.get_project(session, project).retention_days = days


def count(desk: Desk, project: str) -> int:
    with desk.database.reading() as session:
        return len(session.scalars(select(ResponseRow.id).where(ResponseRow.project == project)).all())


def dated(number: int, dates: list[str]) -> list[tuple[str, str, str, str]]:
    return [(said, score, customer, date) for (said, score, customer, _), date in zip(comments(number), dates, strict=True)]


def save(desk: Desk, target: Path) -> None:
    back_up(desk.database, target, folder=desk.shop.folder, books=JOBS_FILE, keys=KEY_FILES, version="1.2.3")


def put_back(database: Database, source: Path, folder: Path, **options) -> Restored:
    return restore(database, source, folder=folder, books=JOBS_FILE, keys=KEY_FILES, wait=lambda _: None, **options)


class TestRetention:
    def test_deletes_what_is_older_and_nothing_else(self, desk):
        project = desk.add_project()
        desk.mine(project, dated(40, [OLD] * 15 + [NEW] * 25))
        keep_for(desk, project, 30)
        deleted, job = forget_expired(desk.shop, project)
        assert (deleted, count(desk, project)) == (15, 25)
        desk.run(job)
        assert desk.analysis(project)["counts"]["documents"] == 25
        assert forget_expired(desk.shop, project) == (0, None)

    def test_leaves_nothing_of_what_it_deletes(self, desk):
        rows = dated(33, [NEW] * 30 + [OLD] * 3)
        rows[30:] = [("The walrus in the lobby sang all night", "1", "walrus-keeper", OLD)] * 3
        project = desk.add_project()
        desk.mine(project, rows)
        with desk.database.transaction() as session:
            session.add(CustomerRow(project=project, pseudonym="walrus-keeper", sealed=b"sealed"))
            kept = session.scalars(select(ResponseRow.customer).where(ResponseRow.created_at > projects.now() - timedelta(days=9))).first()
            session.add(CustomerRow(project=project, pseudonym=kept, sealed=b"sealed"))
        keep_for(desk, project, 30)
        _, job = forget_expired(desk.shop, project)
        desk.run(job)
        with desk.database.reading() as session:
            assert session.scalars(select(CustomerRow.pseudonym)).all() == [kept]
            used = " UNION ".join(f"SELECT text_key FROM {table} WHERE text_key IS NOT NULL" for table in ("opinions", "documents"))
            unused = f"SELECT count(*) FROM vectors WHERE text_key NOT IN ({used})"
            assert session.scalar(text(unused)) == 0
            for row in session.execute(text("SELECT description FROM theme_sets")):
                assert b"walrus" not in bytes(row[0])
        if desk.database.kind == "sqlite":
            assert all(b"walrus" not in path.read_bytes() for path in desk.shop.folder.rglob("*") if path.is_file())

    def test_goes_by_the_upload_where_a_response_has_no_date(self, desk):
        project = desk.add_project()
        job = desk.upload(project, b"comment\n" + b"the parcel came late\n" * 12)
        desk.run(job)
        keep_for(desk, project, 30)
        assert forget_expired(desk.shop, project)[0] == 0
        with desk.database.transaction() as session:
            session.scalars(select(BatchRow)).one().created_at -= timedelta(days=32)
        assert forget_expired(desk.shop, project)[0] == 12

    def test_that_leaves_nothing_at_all_leaves_a_project_that_goes_on(self, desk):
        project = desk.add_project()
        desk.mine(project, dated(40, [OLD] * 40))
        keep_for(desk, project, 30)
        deleted, job = forget_expired(desk.shop, project)
        assert deleted == 40
        desk.run(job)
        desk.mine(project, dated(30, [NEW] * 30))
        assert desk.analysis(project)["counts"]["documents"] == 30

    def test_for_ever_is_not_run_out_of(self, desk):
        project = desk.add_project()
        with pytest.raises(ConflictError, match="keeps its responses for ever"):
            forget_expired(desk.shop, project)

    def test_is_written_into_the_audit_once(self, desk):
        project = desk.add_project()
        desk.mine(project, dated(20, [OLD] * 20))
        keep_for(desk, project, 30)
        handed_in: list[str] = []
        for _ in range(3):
            keep_house(desk.shop, handed_in.append)
        with desk.database.reading() as session:
            entries = session.scalars(select(AuditRow).where(AuditRow.action == "delete expired")).all()
        assert [(entry.actor, entry.project, entry.subject) for entry in entries] == [("retention", project, "20")]
        assert len(handed_in) == 1

    def test_is_seen_to_by_every_worker_that_starts(self, desk):
        project = desk.add_project()
        desk.mine(project, dated(20, [OLD] * 10 + [NEW] * 10))
        keep_for(desk, project, 30)
        engine = Engine(desk.shop, worker="first", lease_seconds=600)
        engine.start()
        try:
            wait_for(lambda: count(desk, project) == 10 and _last_job(desk, project).state == "succeeded")
        finally:
            engine.stop()


def test_one_project_that_cannot_be_kept_to_its_time_does_not_hold_up_the_others(desk, monkeypatch):
    first, second = sorted([desk.add_project(), desk.add_project()])
    desk.mine(second, dated(20, [OLD] * 20))
    keep_for(desk, first, 30)
    keep_for(desk, second, 30)
    real = forget_expired

    def refuse(shop, project, **options):
        if project == first:
            raise ConflictError("not now")
        return real(shop, project, **options)

    monkeypatch.setattr("feedback_miner.jobs.retention.forget_expired", refuse)
    keep_house(desk.shop, lambda _: None)
    assert count(desk, second) == 0


def test_a_fault_does_not_end_the_housekeeper(desk, monkeypatch):
    runs: list[int] = []

    def fail(*_):
        runs.append(1)
        raise OSError

    monkeypatch.setattr("feedback_miner.jobs.retention.keep_house", fail)
    monkeypatch.setattr("feedback_miner.jobs.retention._LOOKS_EVERY", 0.01)
    keeper = Housekeeper(desk.shop, lambda _: None)
    keeper.start()
    wait_for(lambda: len(runs) > 2)
    keeper.stop()


def test_uploads_that_belong_to_nothing_go_after_a_day(desk):
    job = desk.upload(desk.add_project(), as_csv(comments(10)))
    waiting = desk.shop.spool_path(desk.job(job).batch)
    gone, fresh = desk.shop.spool_path("upload_tmp_1"), desk.shop.spool_path("upload_tmp_2")
    for path in (gone, fresh):
        path.write_text("a raw upload")
    for path in (gone, waiting):
        os.utime(path, (time.time() - 90_000,) * 2)
    keep_house(desk.shop, lambda _: None)
    assert sorted(path.name for path in gone.parent.iterdir()) == sorted([fresh.name, waiting.name])


def test_answers_to_repeated_requests_go_after_a_day(desk):
    with desk.database.transaction() as session:
        access.remember_answer(session, "key_1", "once", "digest", 201, {})
        session.execute(text("UPDATE idempotency SET created_at = '2020-01-01 00:00:00'"))
    keep_house(desk.shop, lambda _: None)
    with desk.database.reading() as session:
        assert session.scalar(text("SELECT count(*) FROM idempotency")) == 0


class TestABackup:
    @pytest.fixture
    def bare(self, bare_url: str):
        if make_url(bare_url).get_backend_name() == "sqlite":
            Path(str(make_url(bare_url).database)).parent.mkdir()
        with closing(Database(bare_url)) as database:
            yield database

    def test_made_while_a_job_runs_is_gone_on_with_elsewhere(self, desk, bare, tmp_path):
        rows = comments(60)
        undisturbed, project = desk.add_project(), desk.add_project()
        desk.mine(undisturbed, rows)
        job, archive, made = desk.upload(project, as_csv(rows)), tmp_path / "a.backup", []

        def back_up_now(_connection, _cursor, statement, *_rest) -> None:
            if "INSERT INTO codings" in statement and not made:  # in the midst of a transaction of the worker's
                made.append(True)
                save(desk, archive)

        event.listen(desk.database.engine, "before_cursor_execute", back_up_now)
        self.work(desk, job)
        assert made
        assert put_back(bare, archive, tmp_path / "new").since is None
        again = Desk(Workshop(bare, tmp_path / "new"), desk.config)
        assert again.job(job).state == "running"
        self.work(again, job)
        assert again.analysis(project) == desk.analysis(undisturbed) == again.analysis(undisturbed)

    def test_whose_upload_was_not_read_yet_says_so(self, desk, bare, tmp_path):
        job = desk.upload(desk.add_project(), as_csv(comments(30)))
        save(desk, tmp_path / "a.backup")
        put_back(bare, tmp_path / "a.backup", tmp_path / "new")
        again = Desk(Workshop(bare, tmp_path / "new"), desk.config)
        self.work(again, job)
        assert (again.job(job).state, again.job(job).reason) == ("failed", "the upload of answers.csv is gone; upload it again")

    def test_does_not_bring_back_what_was_deleted_since(self, desk, tmp_path):
        project, dropped = desk.add_project(), desk.add_project()
        desk.mine(project, comments(60, customers=4))
        with desk.database.transaction() as session:
            kept, revoked = (access.add_key(session, name, ["read"])[0].id for name in ("kept", "revoked"))
            access.note(session, "key_1", "create project", project=project)
        save(desk, tmp_path / "a.backup")
        deleted, _ = forget_customer(desk.shop, project, "customer-1", actor="key_1")
        with desk.database.transaction() as session:
            session.delete(projects.get_project(session, dropped))
            access.note(session, "key_1", "delete project", project=dropped)
            access.remove_key(session, revoked)
            access.note(session, "key_1", "revoke key", subject=revoked)
        left = count(desk, project)
        restored = put_back(desk.database, tmp_path / "a.backup", desk.shop.folder, replace=True)
        assert count(desk, project) == left + deleted
        assert forget_again(desk.shop, restored.since) == 3
        assert count(desk, project) == left
        with desk.database.reading() as session:
            assert [row.id for row in access.list_keys(session)] == [kept]
            assert [row.id for row in projects.list_projects(session)] == [project]
            assert "customer-1" not in str([row.subject for row in access.list_audit(session)])
        self.work(desk, _last_job(desk, project).id)
        assert desk.analysis(project)["counts"]["documents"] == left
        assert forget_again(desk.shop, restored.since) == 0

    @staticmethod
    def work(desk: Desk, job: str) -> None:
        engine = Engine(desk.shop, worker="first", lease_seconds=600)
        engine.start()
        try:
            wait_for(lambda: desk.job(job).state in projects.ENDED)
        finally:
            engine.stop()


def _last_job(desk: Desk, project: str) -> JobRow:
    with desk.database.reading() as session:
        return session.scalars(select(JobRow).where(JobRow.project == project).order_by(JobRow.number.desc())).first()
