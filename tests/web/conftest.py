"""The application in this process: no sockets, no engine (jobs are run by hand), one project mined once for all; and a real server."""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from real_server import Server, start_server
from service_stage import Stage, made_up_items, open_mined, open_stage

from feedback_miner.jobs.workshop import Workshop
from feedback_miner.store import Database
from feedback_miner.web.desk import ClassifyDesk


@pytest.fixture(scope="session")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture(scope="session")
def mined_folder(tmp_path_factory: pytest.TempPathFactory, portal: BlockingPortal) -> Path:
    """A data folder with a project mined once, for all workers of a parallel session: the first one mines, the others wait."""
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        base = base.parent
    folder, fresh = base / "mined-service", base / "mined-service.fresh"
    with (base / "mined-service.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            stage = open_stage(fresh, portal)
            project = stage.new_project("mined")
            stage.client().upload(project, made_up_items(300), score_kind="nps")
            stage.engine.work()
            stage.service.database.empty_log()
            stage.service.database.close()
            fresh.rename(folder)
    return folder


@pytest.fixture(scope="session")
def warm_desk(tmp_path_factory: pytest.TempPathFactory) -> ClassifyDesk:
    """A desk that has fitted the default taxonomy."""
    folder = tmp_path_factory.mktemp("warm")
    desk = ClassifyDesk(Workshop(Database(f"sqlite:///{folder / 'none.sqlite'}"), folder), encoder="tiny", queue=1)
    desk.warm_up()
    return desk


@pytest.fixture(scope="module")
def stage(mined_folder: Path, warm_desk: ClassifyDesk, tmp_path_factory: pytest.TempPathFactory, portal: BlockingPortal) -> Iterator[Stage]:
    """A warm service with the mined project; what a test changes in it, the module's other tests see."""
    stage = open_mined(mined_folder, tmp_path_factory.mktemp("stage") / "data", portal)
    stage.service.desk._general = warm_desk._general
    yield stage
    stage.service.database.close()


@pytest.fixture
def empty_stage(tmp_path: Path, portal: BlockingPortal) -> Iterator[Stage]:
    """A cold service without projects."""
    stage = open_stage(tmp_path / "data", portal)
    yield stage
    stage.service.database.close()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def server_database(request: pytest.FixtureRequest) -> str | None:
    """The address of an empty database; ``None``: SQLite in the data folder."""
    return None if request.param == "sqlite" else request.getfixturevalue("bare_postgres")


@pytest.fixture
def server(server_database: str | None, tmp_path: Path) -> Iterator[Server]:
    server = start_server(tmp_path / "data", server_database, "--print-key")
    yield server
    if server.process.poll() is None:
        server.kill()
