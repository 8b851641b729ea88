"""The commands of whoever runs the service: serve, worker, invite. Settings from options, then the environment; computes nothing itself."""

import gc
import json
import logging
import os
import signal
import sys
import threading
import traceback
from datetime import UTC, datetime
from typing import Annotated, NoReturn

import typer

from feedback_miner.cli.child import ChildWorker, call_when_orphaned
from feedback_miner.cli.database import reaching_the_database
from feedback_miner.cli.edge import guarded
from feedback_miner.cli.options import DatabaseUrl, DataFolder
from feedback_miner.errors import InputError, NotFoundError

__all__ = ["invite", "serve", "worker"]

_Encoder = Annotated[
    str | None, typer.Option(metavar="NAME", help="Embedder of new projects. [default: feedback-small]", show_default=False)
]
_LogLevel = Annotated[
    str | None,
    typer.Option(metavar="LEVEL", help="error, warning, info or debug; info logs requests, jobs. [default: warning]", show_default=False),
]
_MetricsPort = Annotated[
    int | None, typer.Option(metavar="NUMBER", help="Show the worker's figures to Prometheus on this port.", show_default=False)
]
_Worker = Annotated[str | None, typer.Option("--name", metavar="NAME", help="This worker's name. [default: host name]", show_default=False)]
_log = logging.getLogger(__name__)
_LEVELS = ("error", "warning", "info", "debug")


@guarded
def serve(
    data: DataFolder = None,
    database: DatabaseUrl = None,
    host: Annotated[str | None, typer.Option(metavar="ADDRESS", help="[default: 127.0.0.1]", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(metavar="NUMBER", help="[default: 8080]", show_default=False)] = None,
    encoder: _Encoder = None,
    name: _Worker = None,
    log_level: _LogLevel = None,
    worker: Annotated[bool, typer.Option("--worker/--no-worker", help="Whether a process beside this one mines batches.")] = True,
    metrics_port: _MetricsPort = None,
    print_key: Annotated[bool, typer.Option("--print-key", help="Create an admin key where there is none yet, and print it once.")] = False,
) -> None:
    """Serve the API, and mine what is uploaded."""
    import uvicorn

    from feedback_miner.config import Settings
    from feedback_miner.store import access, people
    from feedback_miner.web.app import create_app, open_service
    from feedback_miner.web.people import invitation_link

    settings = Settings.from_environment(
        data=data, database=database, host=host, port=port, encoder=encoder, worker=name, log_level=log_level
    )
    _log_to_stderr(settings.log_level)
    with reaching_the_database():
        service = open_service(settings, works=False)
    with service.database.transaction() as session:
        keyless = not access.has_keys(session)
        invited = people.invite_first_admin(session, create=keyless)
        key = access.add_key(session, "first admin", ["admin"])[1] if keyless and print_key else None
    if invited is not None:
        name, token = invited
        typer.echo(f"no admin can sign in yet; {name!r} sets a password here: {invitation_link(settings.origin, token)}", err=True)
    if key is not None:
        typer.echo(key)
    elif keyless:
        typer.echo("nobody has a key yet; for the first one, start once with --print-key", err=True)
    sys.stdout.flush()
    signal.signal(signal.SIGTERM, lambda *_: None)  # uvicorn, once it has stopped as asked, sends it to itself again: that is no failure
    child = ChildWorker(settings.to_environment(), () if metrics_port is None else ("--metrics-port", str(metrics_port)))
    if worker:
        child.start()
    gc.freeze()  # what was imported stays: looking through it for garbage would hold up all callers for a third of a second
    try:
        uvicorn.run(
            create_app(service),
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=10,
        )
    finally:
        child.stop()


@guarded
def invite(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of a person there is.", show_default=False)],
    data: DataFolder = None,
    database: DatabaseUrl = None,
) -> None:
    """Print a one-time link with which a person sets a new password: for the admin who lost theirs. The old one ends at once."""
    from feedback_miner.config import Settings
    from feedback_miner.store import Database, access, people
    from feedback_miner.web.people import invitation_link

    settings = Settings.from_environment(data=data, database=database)
    with reaching_the_database():
        store = Database(settings.database_url)
        store.check()
        with store.transaction() as session:
            person = people.find_person(session, name)
            if person is None:
                raise NotFoundError(f"nobody is named {name!r}; POST /v1/people makes people")
            token = people.invite(session, person.id)[1]
            access.note(session, "command line", "invite person", subject=person.id)
    store.close()
    typer.echo(invitation_link(settings.origin, token))


@guarded
def worker(
    data: DataFolder = None,
    database: DatabaseUrl = None,
    name: _Worker = None,
    log_level: _LogLevel = None,
    metrics_port: _MetricsPort = None,
    metrics_host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where it listens for Prometheus.")] = "127.0.0.1",
    with_parent: Annotated[bool, typer.Option("--with-parent", hidden=True)] = False,
) -> None:
    """Mine what is uploaded elsewhere; serves no API."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):  # before the imports: an exception raised amid one may be swallowed, and the signal lost
        signal.signal(number, lambda *_: stopped.set())

    from prometheus_client import start_http_server

    from feedback_miner.config import Settings
    from feedback_miner.web.app import open_service

    settings = Settings.from_environment(data=data, database=database, worker=name, log_level=log_level)
    _log_to_stderr(settings.log_level)
    with reaching_the_database():
        service = open_service(settings)
    if metrics_port is not None:
        shown, _ = start_http_server(metrics_port, metrics_host, service.shop.metrics.registry)
        _log.info("figures are shown", extra={"fields": {"port": shown.server_port}})
    if with_parent:
        call_when_orphaned(stopped.set)
    if stopped.is_set():
        return
    service.engine.start()
    stopped.wait()
    service.engine.stop()
    service.database.close()
    _leave()


def _leave() -> NoReturn:
    """End the process now that all is put away.

    The interpreter's own end would wait for a step that computes on, for minutes, and may stumble over the libraries' threads.
    """
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)


class _JsonLines(logging.Formatter):
    """One JSON object a line. Of an exception its kind and its places, never its message: it may quote a customer."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry = {"at": at, "level": record.levelname, "from": record.name, "message": record.getMessage()}
        if record.exc_info and record.exc_info[0]:
            entry |= {"error": record.exc_info[0].__name__, "places": "".join(traceback.format_tb(record.exc_info[2]))}
        entry |= getattr(record, "fields", {})
        return json.dumps(entry, ensure_ascii=False)


def _log_to_stderr(level: str) -> None:
    """Log JSON lines: ours from a level on, everybody else's (uvicorn's, the libraries') from warnings on."""
    if level not in _LEVELS:
        raise InputError(f"there is no log level {level!r}; choose among {', '.join(_LEVELS)}")
    handler = logging.StreamHandler()
    handler.setFormatter(_JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("feedback_miner").setLevel(level.upper())
    engine = logging.getLogger("dbos")  # brings a handler of its own, which shows exceptions whole, unless it finds one
    engine.handlers[:], engine.propagate = [handler], False
