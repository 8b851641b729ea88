"""A serving process of its own, as it is started in production, and what it leaves behind in files and tables."""

import os
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

import feedback_miner

ROOT = Path(feedback_miner.__file__).parent.parent
PATIENCE = 300


@dataclass
class Server:
    """A serving process."""

    process: subprocess.Popen
    url: str
    key: str
    data: Path
    database: str | None
    log: Path
    """What it and its worker write to stderr: a file, since nobody would empty a pipe."""

    def stop(self) -> tuple[int, str]:
        """Ask it to end; return its exit code and what it wrote to stderr."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, self.log.read_text(encoding="utf-8")

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()


def start_server(data: Path, database: str | None, *options: str) -> Server:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    log = data.parent / f"stderr-{port}.txt"
    given = ["--data", str(data), "--port", str(port), "--encoder", "tiny", *options]
    with log.open("w") as stderr:
        process = subprocess.Popen(
            [sys.executable, "-m", "feedback_miner", "serve", *given, *([] if database is None else ["--database", database])],
            env={**os.environ, "PYTHONPATH": str(ROOT), "FEEDBACK_MINER_ALLOW_PRIVATE_TARGETS": "yes"},
            cwd=data.parent,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        )
    key = process.stdout.readline().strip() if "--print-key" in options else ""
    server = Server(process, f"http://127.0.0.1:{port}", key, data, database, log)
    for _ in range(PATIENCE * 10):
        if process.poll() is not None:
            raise AssertionError(log.read_text())
        try:
            if httpx.get(f"{server.url}/readyz").status_code == 200:
                return server
        except httpx.TransportError:
            pass
        time.sleep(0.1)
    server.kill()
    raise AssertionError(log.read_text())


def everything_kept(server: Server) -> Iterator[tuple[str, str]]:
    """Every file below the data folder, every table, and the log."""
    for path in [*server.data.rglob("*"), server.log]:
        if path.is_file():
            yield str(path), path.read_bytes().decode("utf-8", "replace")
    if server.database is not None:
        with psycopg.connect(server.database) as connection:
            tables = connection.execute(
                "SELECT format('%I.%I', table_schema, table_name) FROM information_schema.tables "
                "WHERE table_type = 'BASE TABLE' AND table_schema NOT IN ('pg_catalog', 'information_schema')"
            ).fetchall()
            for (table,) in tables:
                yield table, "\n".join(row for (row,) in connection.execute(f"SELECT row::text FROM {table} AS row"))


def places_of(words: str, server: Server) -> list[str]:
    """Name the files and the tables that hold the words."""
    return [place for place, text in everything_kept(server) if words.casefold() in text.casefold()]
