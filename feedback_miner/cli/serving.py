"""The commands of whoever runs the service: serve, worker, db. Settings from options, then the environment; computes nothing itself."""

import json
import logging
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from feedback_miner.cli.edge import guarded
from feedback_miner.errors import StoreError

__all__ = ["db_app", "serve", "worker"]

db_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="The service's database.")

_Data = Annotated[Path | None, typer.Option(metavar="DIR", help="Data folder. [default: feedback-miner-data]", show_default=False)]
_Database = Annotated[
    str | None, typer.Option(metavar="URL", help="postgresql://user@host/name; SQLite in the data folder if not given.", show_default=False)
]
_Encoder = Annotated[str | None, typer.Option(metavar="NAME", help="Embedder of new projects. [default: e5-small]", show_default=False)]
_Worker = Annotated[str | None, typer.Option("--name", metavar="NAME", help="This worker's name. [default: host name]", show_default=False)]


@guarded
def serve(
    data: _Data = None,
    database: _Database = None,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="[default: 127.0.0.1]", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(metavar="NUMBER", help="[default: 8080]", show_default=False)] = None,
    encoder: _Encoder = None,
    name: _Worker = None,
    worker: Annotated[bool, typer.Option("--worker/--no-worker", help="Whether this process also mines batches.")] = True,
    print_key: Annotated[bool, typer.Option("--print-key", help="Create an admin key where there is none yet, and print it once.")] = False,
) -> None:
    """Serve the API, and mine what is uploaded."""
    import uvicorn

    from feedback_miner.config import Settings
    from feedback_miner.store import access
    from feedback_miner.web.app import create_app, open_service

    _log_to_stderr()
    settings = Settings.from_environment(data=data, database=database, host=host, port=port, encoder=encoder, worker=name)
    with _reaching_the_database():
        service = open_service(settings, works=worker)
    with service.database.transaction() as session:
        fresh = not access.has_keys(session)
        if fresh and print_key:
            typer.echo(access.add_key(session, "first admin", ["admin"])[1])
    if fresh and not print_key:
        typer.echo("nobody has a key yet: start once with --print-key", err=True)
    sys.stdout.flush()
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn, once it has stopped as asked, sends it to itself again: that is no failure
    uvicorn.run(
        create_app(service),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=10,
    )


@guarded
def worker(data: _Data = None, database: _Database = None, name: _Worker = None) -> None:
    """Mine what is uploaded elsewhere; serves no API."""
    from feedback_miner.config import Settings
    from feedback_miner.web.app import open_service

    _log_to_stderr()
    with _reaching_the_database():
        service = open_service(Settings.from_environment(data=data, database=database, worker=name))
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    service.engine.start()
    stopped.wait()
    service.engine.stop()
    service.database.close()


@db_app.command("upgrade")
@guarded
def upgrade(data: _Data = None, database: _Database = None) -> None:
    """Bring the database to this version's schema."""
    from feedback_miner.config import Settings
    from feedback_miner.store import Database

    settings = Settings.from_environment(data=data, database=database)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _reaching_the_database():
        Database(settings.database_url).upgrade()


@db_app.command("check")
@guarded
def check(data: _Data = None, database: _Database = None) -> None:
    """Say whether the database has this version's schema."""
    from feedback_miner.config import Settings
    from feedback_miner.store import Database

    with _reaching_the_database():
        Database(Settings.from_environment(data=data, database=database).database_url).check()
    typer.echo("the database is up to date")


@contextmanager
def _reaching_the_database() -> Iterator[None]:
    from sqlalchemy.exc import OperationalError

    try:
        yield
    except OperationalError as error:
        reason = str(error.orig).strip().partition("\n")[0]
        raise StoreError(f"the database cannot be used: {reason}") from None


class _JsonLines(logging.Formatter):
    """One JSON object a line. Of an exception its kind and its places, never its message: it may quote a customer."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry = {"at": at, "level": record.levelname, "from": record.name, "message": record.getMessage()}
        if record.exc_info and record.exc_info[0]:
            entry |= {"error": record.exc_info[0].__name__, "places": "".join(traceback.format_tb(record.exc_info[2]))}
        return json.dumps(entry, ensure_ascii=False)


def _log_to_stderr() -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    engine = logging.getLogger("dbos")  # brings a handler of its own, which shows exceptions whole, unless it finds one
    engine.handlers[:], engine.propagate = [handler], False
