"""Connections, transactions, and the schema's version."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, event, func, select
from sqlalchemy.engine import ExceptionContext, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.orm import Session, sessionmaker

from feedback_miner.errors import StoreError

__all__ = ["Database"]

_MIGRATIONS = Path(__file__).with_name("migrations")
_BUSY_SECONDS = 30
_SNAPSHOT = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
_PATIENCE = f"-c lock_timeout={_BUSY_SECONDS}s -c idle_in_transaction_session_timeout=300s"
"""What a frozen or unplugged process holds is let go of."""
_UPGRADE_LOCK = 7_300_211_518
"""Of this program among all that use the PostgreSQL server; any number that nobody else thought of."""


class Database:
    """One database. ``url`` is SQLAlchemy's: ``sqlite:///path`` or ``postgresql://user@host/name``; safe to share between threads."""

    def __init__(self, url: str) -> None:
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise StoreError("the database address is no URL; give sqlite:///path or postgresql://user@host/name") from None
        if parsed.get_backend_name() not in {"sqlite", "postgresql"}:
            raise StoreError(f"no support for {parsed.get_backend_name()!r}; give sqlite:///path or postgresql://user@host/name")
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        self.url = parsed.render_as_string(hide_password=False)
        options = {} if "options" in parsed.query or parsed.get_backend_name() == "sqlite" else {"options": _PATIENCE}
        # Parameters are customers' words.
        self.engine: Engine = create_engine(parsed, pool_pre_ping=True, hide_parameters=True, connect_args=options)
        event.listen(self.engine, "handle_error", _drop_details)
        if parsed.get_backend_name() == "sqlite":
            _configure_sqlite(self.engine)
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        reads = self.engine.execution_options(reads=True, **({} if self._is_sqlite else _SNAPSHOT))
        self._readings = sessionmaker(reads, expire_on_commit=False, autoflush=False)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a session; commit at the end, roll back on any error."""
        with self._sessions.begin() as session:
            yield session

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """Open a session that only reads, and sees one moment however long it takes; it waits for no writer, and no writer for it."""
        with self._readings.begin() as session:
            yield session

    def upgrade(self, revision: str = "head") -> None:
        """Bring the schema to a revision. Does nothing where it is there already; of several at once, one does it."""
        with self.engine.begin() as connection:
            if not self._is_sqlite:
                connection.execute(select(func.pg_advisory_xact_lock(_UPGRADE_LOCK)))
            config = _alembic()
            config.attributes["connection"] = connection
            command.upgrade(config, revision)

    def check(self) -> None:
        """Raise StoreError where the schema is not the one this version works with."""
        found = self.revision()
        wanted = ScriptDirectory.from_config(_alembic()).get_current_head()
        if found != wanted:
            raise StoreError(f"the database is at revision {found}, this version needs {wanted}; run `feedback-miner db upgrade`")

    def revision(self) -> str | None:
        """Return the schema's revision; ``None`` where it was never made."""
        with self.reading() as session:
            return MigrationContext.configure(session.connection()).get_current_revision()

    @staticmethod
    def check_known(revision: str) -> None:
        """Raise StoreError where a revision is none that this version can work with or bring up to date."""
        if revision not in {script.revision for script in ScriptDirectory.from_config(_alembic()).walk_revisions()}:
            raise StoreError(f"this version knows no revision {revision!r}; it was made by a newer one: install that")

    def empty_log(self) -> None:
        """Move SQLite's log into its file and empty it: what was deleted would stay legible there. PostgreSQL vacuums by itself."""
        if self._is_sqlite:
            connection = self.engine.raw_connection()  # outside any transaction
            try:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.close()

    @property
    def kind(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.engine.dialect.name

    @property
    def _is_sqlite(self) -> bool:
        return self.engine.dialect.name == "sqlite"

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()


def _drop_details(context: ExceptionContext) -> None:
    """Cut off what PostgreSQL adds to an error: it quotes the row, and the row holds a customer's words."""
    for error in (context.original_exception, context.sqlalchemy_exception):
        if error is not None:
            error.args = tuple(str(part).partition("\nDETAIL:")[0] for part in error.args)


def _alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    return config


def _configure_sqlite(engine: Engine) -> None:
    """Readers beside one writer, references kept, patience with each other; and transactions that begin when we say so."""

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # or the driver opens transactions in its own way, and late
        cursor = connection.cursor()
        for pragma in (
            "journal_mode=WAL",
            "foreign_keys=ON",
            "synchronous=NORMAL",
            f"busy_timeout={_BUSY_SECONDS * 1000}",
            "secure_delete=ON",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer that began as a reader can be refused at its first write, whatever its patience.
        connection.exec_driver_sql("BEGIN" if connection.get_execution_options().get("reads") else "BEGIN IMMEDIATE")
