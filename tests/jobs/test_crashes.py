"""Workers killed, frozen and cut off: what is found in the end is what is found undisturbed."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from front_desk import Desk, as_csv, comments, wait_for
from sqlalchemy import event, make_url, select, text

from feedback_miner.jobs.engine import Engine
from feedback_miner.jobs.workshop import Workshop
from feedback_miner.store import Database, projects
from feedback_miner.store.tables import WorkerRow

ROOT = Path(__file__).parents[2]


@contextmanager
def worker(desk: Desk, name: str = "first", *, lease: float = 600, gate: Path | None = None) -> Iterator[subprocess.Popen[bytes]]:
    """``gate``: a file that its encoder waits at for as long as it is there."""
    words = [desk.database.url, str(desk.shop.folder), name, str(lease), *([] if gate is None else [str(gate)])]
    process = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("worker.py")), *words],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


def started(process: subprocess.Popen[bytes]) -> bool:
    assert process.stdout is not None
    return process.stdout.readline() == b"started\n"


def kill_again_and_again(desk: Desk, job: str, *, times: int, seed: int, most: float) -> int:
    """Kill the worker at random moments of a job, start it again each time; return how often it was in the middle of it."""
    draw, hits = random.Random(seed), 0
    for _ in range(times):
        with worker(desk) as process:
            assert started(process)
            before = desk.job(job)
            if before.state in projects.ENDED:
                break
            time.sleep(draw.uniform(0, most))
        hits += desk.job(job).state == "running"
    with worker(desk):
        wait_for(lambda: desk.job(job).state in projects.ENDED, seconds=600)
    return hits


class _PowerCutError(BaseException):
    """The power went."""


class Power:
    """Cuts a job's thread off before the n-th statement of the store from now on, whatever it is."""

    def __init__(self, desk: Desk) -> None:
        self._left: int | None = None
        self.cuts = 0
        event.listen(desk.database.engine, "before_cursor_execute", self._count)

    def cut_after(self, statements: int) -> None:
        self._left = statements

    def _count(self, *_: Any) -> None:
        if self._left is None or not threading.current_thread().name.startswith("dbos-executor"):
            return
        self._left -= 1
        if self._left < 0:
            self._left = None
            self.cuts += 1
            raise _PowerCutError


@contextmanager
def running(desk: Desk, name: str = "first", *, lease: float = 600) -> Iterator[Engine]:
    engine = Engine(desk.shop, worker=name, lease_seconds=lease)
    engine.start()
    try:
        yield engine
    finally:
        engine.stop()


def test_a_job_cut_off_anywhere_goes_on_where_it_was(desk):
    rows = comments(120)
    project, undisturbed = desk.add_project(), desk.add_project()
    desk.mine(undisturbed, rows)
    job = desk.upload(project, as_csv(rows))
    power, draw = Power(desk), random.Random(1)
    for cut in range(1, 6):
        power.cut_after(draw.randrange(25))
        with running(desk):
            wait_for(lambda cut=cut: power.cuts == cut or desk.job(job).state in projects.ENDED)
        if desk.job(job).state in projects.ENDED:
            break
    assert power.cuts >= 3
    with running(desk):
        wait_for(lambda: desk.job(job).state in projects.ENDED)
    assert desk.job(job).state == "succeeded"
    assert desk.analysis(project) == desk.analysis(undisturbed)


def test_the_jobs_of_a_worker_that_never_comes_back_are_done_by_another(desk):
    project = desk.add_project()
    job = desk.upload(project, as_csv(comments(60)))
    power = Power(desk)
    power.cut_after(12)
    with running(desk, "first"):
        wait_for(lambda: power.cuts)
    with running(desk, "second", lease=0.5):
        wait_for(lambda: desk.job(job).state in projects.ENDED)
        wait_for(lambda: _workers(desk) == ["second"])
    assert (desk.job(job).state, desk.job(job).takeovers) == ("succeeded", 1)


def test_a_job_that_workers_die_over_comes_to_an_end(desk):
    job = desk.upload(desk.add_project(), as_csv(comments(60)))
    power = Power(desk)
    power.cut_after(12)
    with running(desk, "first"):
        wait_for(lambda: power.cuts)
    with desk.database.transaction() as session:
        projects.get_job(session, job).takeovers = 5
    with running(desk, "second", lease=0.5):
        wait_for(lambda: desk.job(job).state in projects.ENDED)
        wait_for(lambda: not desk.shop.spool_path(desk.job(job).batch).exists())
    assert desk.job(job).state == "failed"
    assert "5 workers died over this job" in desk.job(job).reason


@pytest.mark.slow
def test_a_killed_worker_goes_on_where_it_was(desk):
    rows = comments(300)
    project, undisturbed = desk.add_project(), desk.add_project()
    job = desk.upload(project, as_csv(rows))
    assert kill_again_and_again(desk, job, times=3, seed=4, most=2.5) > 0
    assert desk.job(job).state == "succeeded"
    desk.mine(undisturbed, rows)
    assert desk.analysis(project) == desk.analysis(undisturbed)


@pytest.mark.slow
def test_kills_of_a_job_of_5000_comments_change_nothing(desk):
    """Twenty on SQLite; fewer on PostgreSQL, where each costs as long and the code is the same. A life is an eighth of the job at most."""
    times = 20 if desk.database.engine.dialect.name == "sqlite" else 6
    rows = comments(5_000)
    project, undisturbed = desk.add_project(), desk.add_project()
    began = time.monotonic()
    desk.mine(undisturbed, rows)
    seconds = time.monotonic() - began
    job = desk.upload(project, as_csv(rows))
    assert kill_again_and_again(desk, job, times=times, seed=20, most=seconds / 8) >= times // 2
    assert desk.job(job).state == "succeeded"
    assert desk.analysis(project) == desk.analysis(undisturbed)


@pytest.mark.slow
def test_a_worker_that_never_comes_back_is_taken_over_from(desk):
    rows = comments(200)
    project, undisturbed = desk.add_project(), desk.add_project()
    job = desk.upload(project, as_csv(rows))
    with worker(desk, "first", lease=1):
        wait_for(lambda: desk.job(job).state == "running")
    with worker(desk, "second", lease=1):
        wait_for(lambda: desk.job(job).state in projects.ENDED)
        assert (desk.job(job).state, desk.job(job).takeovers) == ("succeeded", 1)
        wait_for(lambda: _workers(desk) == ["second"])
    desk.mine(undisturbed, rows)
    assert desk.analysis(project) == desk.analysis(undisturbed)


@pytest.mark.slow
def test_a_worker_thought_dead_that_was_only_frozen_does_no_harm(desk, tmp_path):
    rows = comments(200)
    gate = tmp_path / "gate"
    gate.touch()
    project, undisturbed = desk.add_project(), desk.add_project()
    job = desk.upload(project, as_csv(rows))
    with worker(desk, "first", lease=1, gate=gate) as slow:
        wait_for(lambda: desk.job(job).stage == "encode")
        wait_for(lambda: _freeze_outside_of_transactions(desk, slow))
        gate.unlink()
        with worker(desk, "second", lease=1):
            wait_for(lambda: desk.job(job).takeovers == 1)
            slow.send_signal(signal.SIGCONT)
            wait_for(lambda: desk.job(job).state in projects.ENDED)
            wait_for(lambda: _workers(desk) == ["first", "second"])
            assert slow.poll() is None
    assert desk.job(job).state == "succeeded"
    desk.mine(undisturbed, rows)
    assert desk.analysis(project) == desk.analysis(undisturbed)


BINARIES = Path("/usr/lib/postgresql/15/bin")


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[tuple[str, Any]]:
    """A PostgreSQL server of this test's own: its address, and what runs pg_ctl on it."""
    if not BINARIES.exists() or os.geteuid() != 0 or shutil.which("runuser") is None:
        pytest.skip(f"needs {BINARIES}, and root to run it as postgres")
    folder = Path(tempfile.mkdtemp(prefix="feedback-miner-postgres-"))
    shutil.chown(folder, "postgres")
    number = random.SystemRandom().randrange(20_000, 30_000)  # sockets are off here, so none can be asked for

    def control(*words: str) -> None:
        command = ["runuser", "-u", "postgres", "--", *words]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=folder)

    data = str(folder / "data")
    control(str(BINARIES / "initdb"), "-D", data, "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8")

    def pg_ctl(action: str) -> None:
        options = ["-o", f"-p {number} -h 127.0.0.1 -k {folder}"] if action == "start" else ["-m", "fast"]
        control(str(BINARIES / "pg_ctl"), "-D", data, "-w", *options, action)

    pg_ctl("start")
    try:
        yield f"postgresql://postgres@127.0.0.1:{number}/postgres", pg_ctl
    finally:
        pg_ctl("stop")
        shutil.rmtree(folder)


@pytest.mark.slow
def test_a_job_outlives_a_restart_of_the_database(own_server, quick_config, tmp_path):
    url, pg_ctl = own_server
    database = Database(url)
    database.upgrade()
    desk = Desk(Workshop(database, tmp_path), quick_config)
    rows = comments(2_000)
    project, undisturbed = desk.add_project(), desk.add_project()
    desk.mine(undisturbed, rows)
    want = desk.analysis(undisturbed)
    job = desk.upload(project, as_csv(rows))
    with worker(desk) as process:
        for stage in ("ingest", "themes"):
            wait_for(lambda stage=stage: desk.job(job).stage == stage, seconds=120)
            pg_ctl("stop")
            time.sleep(3)
            pg_ctl("start")
        wait_for(lambda: desk.job(job).state in projects.ENDED, seconds=300)
        assert process.poll() is None
    assert (desk.job(job).state, desk.job(job).takeovers) == ("succeeded", 0)
    assert desk.analysis(project) == want
    database.close()


def _freeze_outside_of_transactions(desk: Desk, process: subprocess.Popen[bytes]) -> bool:
    """Freeze a process; let it go on where it is inside a transaction, whose locks nobody could wait for."""
    process.send_signal(signal.SIGSTOP)
    if _holds_no_lock(desk):
        time.sleep(0.3)  # what it had sent before it froze, the server may only be reading now
        if _holds_no_lock(desk):
            return True
    process.send_signal(signal.SIGCONT)
    return False


def _holds_no_lock(desk: Desk) -> bool:
    url = make_url(desk.database.url)
    if url.get_backend_name() == "postgresql":
        # PostgreSQL lets go of what a frozen process holds, but only after minutes.
        with desk.database.reading() as session:
            idle = text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = :name AND backend_type = 'client backend'"
                " AND pid <> pg_backend_pid() AND xact_start IS NOT NULL"
            )
            return session.execute(idle, {"name": url.database}).scalar_one() == 0
    for path in (str(url.database), desk.shop.folder / "jobs.sqlite"):
        connection = sqlite3.connect(path, timeout=0.2, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
        finally:
            connection.close()
    return True


def _workers(desk: Desk) -> list[str]:
    with desk.database.reading() as session:
        return sorted(session.scalars(select(WorkerRow.id)))
