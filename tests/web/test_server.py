"""The real thing: the server as a process of its own, asked through the client, on both kinds of database."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import pytest
from service_stage import made_up_items
from sqlalchemy import make_url

import feedback_miner
from feedback_miner.client import Client, JobFailedError, ServiceError
from feedback_miner.demo import demo_path

POSTGRES = os.environ.get("FEEDBACK_MINER_TEST_POSTGRES", "postgresql://postgres@127.0.0.1:5432/test")
ROOT = Path(feedback_miner.__file__).parent.parent
PATIENCE = 120
WORDS = "zebrafinch wainscot"

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]


@dataclass
class Server:
    """A serving process."""

    process: subprocess.Popen
    url: str
    key: str
    data: Path
    database: str | None

    def stop(self) -> tuple[int, str]:
        """Ask it to end; return its exit code and what it wrote to stderr."""
        self.process.send_signal(signal.SIGTERM)
        _, err = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, err


def start_server(data: Path, database: str | None, *options: str) -> Server:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    given = ["--data", str(data), "--port", str(port), "--encoder", "tiny", *options]
    process = subprocess.Popen(
        [sys.executable, "-m", "feedback_miner", "serve", *given, *([] if database is None else ["--database", database])],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        cwd=data.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    key = process.stdout.readline().strip() if "--print-key" in options else ""
    server = Server(process, f"http://127.0.0.1:{port}", key, data, database)
    for _ in range(PATIENCE * 10):
        if process.poll() is not None:
            raise AssertionError(process.communicate()[1])
        try:
            if httpx.get(f"{server.url}/readyz").status_code == 200:
                return server
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    process.kill()
    raise AssertionError(process.communicate()[1])


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def database(request: pytest.FixtureRequest) -> Iterator[str | None]:
    """The address of an empty database; ``None``: SQLite in the data folder."""
    if request.param == "sqlite":
        yield None
        return
    try:
        connection = psycopg.connect(POSTGRES, autocommit=True, connect_timeout=5)
    except psycopg.OperationalError as error:
        pytest.skip(f"no PostgreSQL server: {error}".strip())
    name = f"feedback_miner_test_{secrets.token_hex(6)}"
    with connection:
        connection.execute(f"CREATE DATABASE {name}")
    yield make_url(POSTGRES).set(database=name).render_as_string(hide_password=False)
    with psycopg.connect(POSTGRES, autocommit=True, connect_timeout=5) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def server(database: str | None, tmp_path: Path) -> Iterator[Server]:
    server = start_server(tmp_path / "data", database, "--print-key")
    yield server
    if server.process.poll() is None:
        server.process.kill()
        server.process.communicate()


def places_of(words: str, server: Server) -> list[str]:
    """Name the files and the tables that hold the words."""
    found = [str(path) for path in server.data.rglob("*") if path.is_file() and words.encode() in path.read_bytes()]
    if server.database is not None:
        with psycopg.connect(server.database) as connection:
            tables = connection.execute(
                "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables "
                "WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
            ).fetchall()
            for (table,) in tables:
                (count,) = connection.execute(f"SELECT count(*) FROM {table} AS row WHERE row::text ILIKE %s", (f"%{words}%",)).fetchone()
                found += [table] if count else []
    return found


def test_a_projects_life(server: Server) -> None:
    assert server.key.startswith("fm_")
    with Client(server.url, server.key) as client:
        project = client.create_project("Demo")
        stages: list[str] = []
        job = client.upload(project, demo_path())
        client.wait(job, progress=lambda stage, done, total: stages.append(stage), every=0.1, timeout=PATIENCE)
        assert client.job(job)["percent"] == 100.0
        assert stages

        themes = client.themes(project)
        assert len(themes) > 3
        assert themes["people"].is_sorted(descending=True)
        opinions = list(client.opinions(project, themes["id"][0]))
        assert len(opinions) == themes["opinions"][0]

        (found,) = client.classify([opinions[0]["document"]], project=project)
        assert opinions[0]["theme"] in [theme["id"] for opinion in found["opinions"] for theme in opinion["themes"]]

        assert client.upload(project, demo_path()) == job  # the same again

        wave = [*made_up_items(20), {"text": f"The {WORDS} in the lobby was rude to me.", "score": 1, "customer": "buyer/of zebras"}]
        client.wait(client.upload(project, wave, score_kind="nps"), every=0.1, timeout=PATIENCE)
        assert places_of(WORDS, server)
        assert set(themes["id"]) & set(client.themes(project)["id"])

        renamed = client.edit(project, "rename", theme=themes["id"][0], names={"en": "Renamed by hand"})
        client.wait(renamed["job"], every=0.1, timeout=PATIENCE)
        assert "Renamed by hand" in client.themes(project)["name_en"]
        client.wait(client.undo(project, renamed["number"])["job"], every=0.1, timeout=PATIENCE)
        assert "Renamed by hand" not in client.themes(project)["name_en"]

        assert client.report(project, "html").lstrip().startswith(b"<!DOCTYPE html>")
        assert WORDS in client.report(project, "csv").decode()

        gone = client.delete_customer(project, "buyer/of zebras")
        assert gone["responses"] == 1
        client.wait(gone["job"], every=0.1, timeout=PATIENCE)
        assert WORDS not in client.report(project, "csv").decode()

        with pytest.raises(JobFailedError, match="no such column"):
            client.wait(client.upload(project, __file__, texts=["no such column"]), every=0.1, timeout=PATIENCE)
        with pytest.raises(ServiceError, match="no project") as refused:
            client.themes("prj_none")
        assert refused.value.status == 404
        client.upload(project, made_up_items(50, seed=2), score_kind="nps")  # and stop in the middle of it
    code, err = server.stop()
    assert code == 0
    for line in err.splitlines():
        assert set(json.loads(line)) <= {"at", "level", "from", "message", "error", "places"}
    assert WORDS not in err
    assert places_of(WORDS, server) == []
