"""A backup: the database and the key files in one archive, and back.

The archive is a ZIP file that only its owner may read:

    manifest.json   version, kind of database, revision, and the size and SHA-256 of every part
    database        SQLite: a copy of the file; PostgreSQL: what ``pg_dump --format=custom`` writes
    jobs            SQLite only: the engine's own books
    *.key           the secrets behind pseudonyms and sealed columns

Uploads that wait to be read are in no backup: they are the raw texts. Both kinds of database are read as of one moment, while the service
runs, and are replaced in one transaction: a restore that fails leaves everything as it was.
"""

import hashlib
import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from sqlalchemy import delete, func, inspect, select
from sqlalchemy.engine import URL, make_url

from feedback_miner.errors import FileFormatError, OutputError, StoreError
from feedback_miner.store.database import Database
from feedback_miner.store.people_tables import AuditRow, InvitationRow, SessionRow
from feedback_miner.store.tables import Base, WorkerRow, insert_rows

__all__ = ["Manifest", "Part", "Restored", "back_up", "restore"]

_FORMAT = 1
_DATABASE, _JOBS, _MANIFEST = "database", "jobs", "manifest.json"
_BLOCK = 1 << 20
_MOST_MANIFEST = 1 << 20
_MOST_KEY = 1 << 16
_WATCHED_SECONDS = 13.0
"""Two signs of life of a worker, and a little."""
_OVERLAP = 1_000
"""Entries of the audit before the backup that may have been written, but not committed, when it was made."""
_SAYS = ("at", "actor", "action", "project", "subject")
_TOOLS = ("pg_dump", "pg_restore", "psql")


@dataclass(frozen=True, slots=True)
class Part:
    """A file in the archive."""

    name: str
    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What an archive says of itself."""

    format: int
    version: str
    """Of the program that made it."""
    kind: str
    """``sqlite`` or ``postgresql``."""
    revision: str
    """Of the schema."""
    created_at: datetime
    """UTC, without a zone."""
    audit: int
    """The newest entry of the audit; 0: none."""
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Restored:
    """What came of a restore."""

    manifest: Manifest
    since: tuple[AuditRow, ...] | None
    """The audit's entries after the backup, kept over the restore; ``None`` where nobody knows: there was no database, or another's."""


def back_up(
    database: Database, target: Path, *, folder: Path, books: str, keys: Sequence[str], version: str, force: bool = False
) -> Manifest:
    """Write a backup of a database and of the ``keys`` in the data folder; the service may run meanwhile.

    ``books`` names the engine's own file beside SQLite, ``version`` is the program's. The archive appears whole or not at all. Raises
    OutputError where there is a file of that name (unless ``force``) or it cannot be written, and StoreError where the database or its
    tools cannot be used.
    """
    if target.exists() and not force:
        raise OutputError(f"{target} is there already; choose another name, or give --force")
    revision = database.revision()
    if revision is None:
        raise StoreError("the database is empty: there is nothing to back up")
    with database.reading() as session:
        audit = session.scalar(select(func.max(AuditRow.id))) or 0
    unfinished = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    parts: list[Part] = []
    try:
        with (
            tempfile.TemporaryDirectory(prefix=".backup-", dir=target.parent) as scratch,  # as large as the database, and never in /tmp
            os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file,
        ):
            with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for name, path in _dump(database, folder / books, Path(scratch)):
                    parts.append(_pack(archive, name, path, stored=database.kind == "postgresql"))
                    path.unlink()
                parts += [_pack(archive, name, folder / name) for name in keys if (folder / name).exists()]
                manifest = Manifest(_FORMAT, version, database.kind, revision, _now(), audit, tuple(parts))
                archive.writestr(_MANIFEST, json.dumps(asdict(manifest), default=datetime.isoformat, indent=2))
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(target)
    except OSError as error:
        raise OutputError(f"{target} could not be written: {error.strerror or type(error).__name__}") from None
    finally:
        unfinished.unlink(missing_ok=True)
    return manifest


def restore(
    database: Database,
    source: Path,
    *,
    folder: Path,
    books: str,
    keys: Sequence[str],
    replace: bool = False,
    wait: Callable[[float], None] = time.sleep,
) -> Restored:
    """Fill an empty database and data folder from a backup, and bring its schema to this version.

    With ``replace`` they need not be empty: what they hold is gone afterwards, but for the audit's entries since the backup where it is a
    backup of this very database. Everybody has to sign in again. ``wait`` waits so many seconds for a sign of life of a worker.

    Raises FileFormatError where the archive is not whole or no backup, and StoreError where it is of another kind of database or of a newer
    version, where there is something already, where a worker is at work, and where the database or its tools cannot be used.
    """
    with _opened(source) as archive:
        manifest = _read_manifest(archive, source, keys)
        if manifest.kind != database.kind:
            raise StoreError(
                f"{source} is a backup of a {manifest.kind} database, and this is {database.kind}; name such a one by --database"
            )
        database.check_known(manifest.revision)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".restore-", dir=folder) as scratch:
            if (needed := sum(part.size for part in manifest.parts)) > shutil.disk_usage(scratch).free:
                raise StoreError(f"{source} needs {needed >> 20} MB of room in {folder} while it is restored")
            paths = {part.name: _unpack(archive, part, Path(scratch), source) for part in manifest.parts}
            differing = [name for name in keys if name in paths and _differ(paths[name], folder / name)]
            found = _find(database)
            if found or (folder / books).exists():
                if not replace:
                    raise StoreError("there is a database already; give --replace to have what it holds replaced")
                if (revision := database.revision() if found else None) is not None:
                    database.check_known(revision)  # a newer one has tables that would stay
                _refuse_workers(database, found, wait)
            if differing and not replace:
                raise StoreError(f"{folder / differing[0]} is another key than the backup's; give --replace to have it replaced")
            before = _audit_after(database, manifest.audit - _OVERLAP) if found else None
            _load(database, manifest, paths, folder / books, found)
            for name in keys:  # after the database: where that fails, the keys are still those of what is there
                if name in paths:
                    paths[name].replace(folder / name)
    database.upgrade()
    return Restored(manifest, _carry_over(database, manifest.audit, before))


def _dump(database: Database, books: Path, scratch: Path) -> Iterator[tuple[str, Path]]:
    """Copy the database, part by part. The engine's books come first: what they lack is done again, what they are ahead would be lost."""
    url = make_url(database.url)
    if database.kind == "postgresql":
        path = scratch / _DATABASE
        _run("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={path}", database=database)
        yield _DATABASE, path
        return
    for name, origin in ((_JOBS, books), (_DATABASE, Path(str(url.database)))):
        if origin.exists():
            path = scratch / name
            _copy_sqlite(origin, path)
            yield name, path


def _load(database: Database, manifest: Manifest, paths: dict[str, Path], books: Path, found: Sequence[str]) -> None:
    """Put the parts in their places."""
    url = make_url(database.url)
    if manifest.kind == "sqlite":
        database.close()
        for name, place in ((_JOBS, books), (_DATABASE, Path(str(url.database)))):
            if name in paths:
                _copy_sqlite(paths[name], place)
            else:
                for rest in ("", "-wal", "-shm"):
                    place.with_name(place.name + rest).unlink(missing_ok=True)
        return
    database.close()
    script = paths[_DATABASE].with_name("script.sql")
    with script.open("wb") as file:
        # psql and not pg_restore puts it in: so that what was there goes, and what comes comes, in one transaction.
        file.write("".join(f'DROP TABLE IF EXISTS "{name}" CASCADE;\n' for name in found).encode())
        file.write(b"DROP SCHEMA IF EXISTS dbos CASCADE;\n")
        file.flush()
        _run("pg_restore", url, "--no-owner", "--no-privileges", "--file=-", str(paths[_DATABASE]), database=database, into=file)
    _run("psql", url, "--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1", f"--file={script}", database=database)


def _copy_sqlite(origin: Path, place: Path) -> None:
    """Copy a SQLite database as of one moment into another, in one transaction: whoever has either open sees nothing half done."""
    uri = f"{origin.absolute().as_uri()}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as reads, closing(sqlite3.connect(place, timeout=30)) as writes:
        try:
            reads.backup(writes)
        except sqlite3.Error as error:
            raise StoreError(f"{origin.name} could not be copied: {error}") from None
    place.chmod(0o600)


def _run(tool: str, url: URL, *arguments: str, database: Database, into: IO[bytes] | None = None) -> None:
    """Run one of PostgreSQL's own tools. The password goes by its environment: a command line is for all to read."""
    program = shutil.which(tool)
    if program is None:
        raise StoreError(f"{tool} is not installed; install PostgreSQL's client tools ({', '.join(_TOOLS)})")
    said = subprocess.run([program, "--version"], check=False, capture_output=True, text=True).stdout.split()  # noqa: S603 - a fixed name
    ours = int(next((word for word in said if word[:1].isdigit()), "0").partition(".")[0])
    with database.engine.connect() as connection:
        theirs = int(str(connection.exec_driver_sql("SHOW server_version_num").scalar())) // 10_000
    if ours < theirs:
        raise StoreError(f"{tool} is of version {ours} and the server of {theirs}; install PostgreSQL's client tools of version {theirs}")
    query = dict(url.query)
    password = url.password or query.pop("password", None)
    address = URL.create("postgresql", url.username, None, url.host, url.port, url.database, query).render_as_string()
    environment = os.environ | {"PGOPTIONS": "-c lock_timeout=30s"} | ({"PGPASSWORD": str(password)} if password else {})
    where = [] if tool == "pg_restore" else [f"--dbname={address}"]
    done = subprocess.run(  # noqa: S603 - one of three names, and no shell
        [program, *where, *arguments], check=False, env=environment, stdout=into or subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    if done.returncode:
        # Its first line alone: what follows may quote a row.
        reason = done.stderr.strip().partition("\n")[0]
        raise StoreError(f"{tool} failed: {reason}")


def _pack(archive: zipfile.ZipFile, name: str, path: Path, *, stored: bool = False) -> Part:
    """Add a file to the archive."""
    digest, size = hashlib.sha256(), 0
    entry = zipfile.ZipInfo(name)
    entry.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    with path.open("rb") as file, archive.open(entry, "w", force_zip64=True) as packed:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
            packed.write(block)
    return Part(name, size, digest.hexdigest())


def _unpack(archive: zipfile.ZipFile, part: Part, folder: Path, source: Path) -> Path:
    """Copy a part out of the archive, no byte more than its manifest says, and hold it to its hash."""
    digest, size, path = hashlib.sha256(), 0, folder / part.name
    try:
        with archive.open(part.name) as packed, os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            while block := packed.read(_BLOCK):
                size += len(block)
                if size > part.size:
                    break
                digest.update(block)
                file.write(block)
    except (KeyError, zipfile.BadZipFile, zlib.error, EOFError):
        raise FileFormatError(f"{source} is damaged: its part {part.name} cannot be read") from None
    if (size, digest.hexdigest()) != (part.size, part.sha256):
        raise FileFormatError(f"{source} is damaged: its part {part.name} is not what was backed up")
    return path


@contextmanager
def _opened(source: Path) -> Iterator[zipfile.ZipFile]:
    try:
        archive = zipfile.ZipFile(source)
    except zipfile.BadZipFile:
        raise FileFormatError(f"{source} is no backup, or it was cut off") from None
    with archive:
        yield archive


def _read_manifest(archive: zipfile.ZipFile, source: Path, keys: Sequence[str]) -> Manifest:
    """Read what an archive says of itself; nothing but the names we know is ever taken out of it."""
    try:
        with archive.open(_MANIFEST) as packed:
            values: dict[str, Any] = json.loads(packed.read(_MOST_MANIFEST))
        manifest = Manifest(
            format=int(values["format"]),
            version=str(values["version"]),
            kind=str(values["kind"]),
            revision=str(values["revision"]),
            created_at=datetime.fromisoformat(values["created_at"]),
            audit=int(values["audit"]),
            parts=tuple(Part(str(part["name"]), int(part["size"]), str(part["sha256"])) for part in values["parts"]),
        )
    except (KeyError, TypeError, ValueError, AttributeError, zipfile.BadZipFile, zlib.error, EOFError):
        raise FileFormatError(f"{source} is no backup: it has no manifest that can be read") from None
    if manifest.format != _FORMAT:
        raise FileFormatError(f"{source} is a backup of format {manifest.format}; restore it with version {manifest.version}")
    names = [part.name for part in manifest.parts]
    if unknown := sorted(set(names) - {_DATABASE, _JOBS, *keys}):
        raise FileFormatError(f"{source} is no backup: it has a part {unknown[0]!r}")
    if (
        len(set(names)) != len(names)
        or _DATABASE not in names
        or any(part.name in keys and part.size > _MOST_KEY for part in manifest.parts)
    ):
        raise FileFormatError(f"{source} is no backup: its parts are not those of one")
    return manifest


def _find(database: Database) -> list[str]:
    """Return the names of our tables in a database, whichever of them there are."""
    if database.kind == "sqlite" and not Path(str(make_url(database.url).database)).exists():
        return []
    with database.engine.connect() as connection:
        there = set(inspect(connection).get_table_names())
    return sorted(there & {*Base.metadata.tables, "alembic_version"})


def _refuse_workers(database: Database, found: Sequence[str], wait: Callable[[float], None]) -> None:
    """Refuse where a worker's lease moves. By watching it: its clock need not be ours."""
    if WorkerRow.__tablename__ not in found:
        return

    def signs() -> dict[str, datetime]:
        with database.reading() as session:
            return {row.id: row.seen_at for row in session.execute(select(WorkerRow.id, WorkerRow.seen_at))}

    if before := signs():
        wait(_WATCHED_SECONDS)
        if alive := sorted(worker for worker, seen_at in signs().items() if before.get(worker) != seen_at):
            raise StoreError(f"worker {alive[0]!r} is at work on this database; stop the service first")


def _differ(key: Path, place: Path) -> bool:
    """Tell whether there is another key where one would go."""
    return place.exists() and place.read_bytes() != key.read_bytes()


def _audit_after(database: Database, number: int) -> list[AuditRow]:
    with database.reading() as session:
        return list(session.scalars(select(AuditRow).where(AuditRow.id > number).order_by(AuditRow.id)))


def _carry_over(database: Database, newest: int, before: Sequence[AuditRow] | None) -> tuple[AuditRow, ...] | None:
    """Keep the audit's entries since the backup; sessions and invitations end, since some may have ended since."""
    restored = {row.id: row for row in _audit_after(database, newest - _OVERLAP)}
    known = {row.id: _says(row) for row in before or ()}
    same = bool(restored) and all(known.get(number) == _says(row) for number, row in restored.items())
    kept = tuple(row for row in before if row.id not in restored) if before is not None and same else None
    with database.transaction() as session:
        session.execute(delete(SessionRow))
        session.execute(delete(InvitationRow))
        insert_rows(session, AuditRow, [dict(zip(_SAYS, _says(row), strict=True)) for row in kept or ()])
    return kept


def _says(row: AuditRow) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in _SAYS)


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None, microsecond=0)
