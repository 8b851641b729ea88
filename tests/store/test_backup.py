"""Into one file and back: what is in it, what is refused, what a failure leaves behind."""

import hashlib
import json
import os
import sqlite3
import stat
import zipfile
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import make_url, select, text

from feedback_miner.errors import FileFormatError, OutputError, StoreError
from feedback_miner.store import Database, access, people, projects, workers
from feedback_miner.store.backup import Manifest, Restored, back_up, restore
from feedback_miner.store.people_tables import AuditRow, InvitationRow, SessionRow

KEYS = ("pseudonym.key", "sealing.key")
BOOKS = "jobs.sqlite"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A data folder with keys, an upload, and the engine's books."""
    folder = tmp_path / "data"
    (folder / "spool").mkdir(parents=True)
    (folder / "spool" / "bat_1").write_text("a raw upload with a walrus")
    for name in KEYS:
        (folder / name).write_bytes(name.encode())
    with sqlite3.connect(folder / BOOKS) as books:
        books.execute("CREATE TABLE workflows (id TEXT)")
    books.close()
    return folder


@pytest.fixture
def bare(bare_url: str):
    database = Database(bare_url)
    if make_url(bare_url).get_backend_name() == "sqlite":
        Path(str(make_url(bare_url).database)).parent.mkdir()
    yield database
    database.close()


def save(database: Database, target: Path, folder: Path, **options) -> Manifest:
    return back_up(database, target, folder=folder, books=BOOKS, keys=KEYS, version="1.2.3", **options)


def put_back(database: Database, source: Path, folder: Path, **options) -> Restored:
    return restore(database, source, folder=folder, books=BOOKS, keys=KEYS, **{"wait": lambda _: None, **options})


def names_of(database: Database) -> list[str]:
    with database.reading() as session:
        return [row.name for row in projects.list_projects(session)]


def rewrite(source: Path, target: Path, changes: dict[str, bytes]) -> Path:
    """Copy an archive with some of its parts replaced or added."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in dict.fromkeys([*old.namelist(), *changes]):
            new.writestr(name, changes.get(name) if name in changes else old.read(name))
    return target


def test_comes_back_as_it_was(database, project, folder, bare, tmp_path):
    manifest = save(database, tmp_path / "a.backup", folder)
    restored = put_back(bare, tmp_path / "a.backup", tmp_path / "new")
    assert restored.manifest == manifest
    assert restored.since is None
    assert names_of(bare) == ["test"]
    bare.check()
    for name in KEYS:
        assert (tmp_path / "new" / name).read_bytes() == name.encode()
        assert stat.S_IMODE((tmp_path / "new" / name).stat().st_mode) == 0o600
    assert not (tmp_path / "new" / "spool").exists()
    assert (tmp_path / "new" / BOOKS).exists() == (database.kind == "sqlite")
    assert [path.name for path in (tmp_path / "new").iterdir() if path.name.startswith(".")] == []


def test_is_for_its_owner_alone_and_holds_no_upload(database, project, folder, tmp_path):
    save(database, tmp_path / "a.backup", folder)
    assert stat.S_IMODE((tmp_path / "a.backup").stat().st_mode) == 0o600
    with zipfile.ZipFile(tmp_path / "a.backup") as archive:
        assert set(archive.namelist()) == {"manifest.json", "database", *KEYS} | ({"jobs"} if database.kind == "sqlite" else set())
        assert all(b"walrus" not in archive.read(name) for name in archive.namelist())
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


def test_is_of_one_moment_while_somebody_writes(database, project, folder, bare, tmp_path):
    with database.transaction() as session:
        projects.add_project(session, "not yet", {})
        session.flush()
        save(database, tmp_path / "a.backup", folder)
    put_back(bare, tmp_path / "a.backup", tmp_path / "new")
    assert names_of(bare) == ["test"]


def test_a_file_that_is_there_stays_unless_forced(database, project, folder, tmp_path):
    (tmp_path / "a.backup").write_text("precious")
    with pytest.raises(OutputError, match=r"a\.backup is there already"):
        save(database, tmp_path / "a.backup", folder)
    assert (tmp_path / "a.backup").read_text() == "precious"
    save(database, tmp_path / "a.backup", folder, force=True)
    assert zipfile.is_zipfile(tmp_path / "a.backup")


def test_a_folder_that_is_not_there_is_said_to_be_missing(database, project, folder, tmp_path):
    with pytest.raises(OutputError, match="could not be written: No such file"):
        save(database, tmp_path / "nowhere" / "a.backup", folder)


def test_nothing_is_made_of_a_database_without_tables(bare, folder, tmp_path):
    with pytest.raises(StoreError, match="nothing to back up"):
        save(bare, tmp_path / "a.backup", folder)


class TestWhatIsThere:
    def test_is_not_replaced_unasked(self, database, project, folder, tmp_path):
        save(database, tmp_path / "a.backup", folder)
        with database.transaction() as session:
            projects.add_project(session, "since", {})
        with pytest.raises(StoreError, match="give --replace"):
            put_back(database, tmp_path / "a.backup", folder)
        assert len(names_of(database)) == 2

    def test_is_replaced_where_asked(self, database, project, folder, tmp_path):
        save(database, tmp_path / "a.backup", folder)
        with database.transaction() as session:
            projects.add_project(session, "since", {})
        put_back(database, tmp_path / "a.backup", folder, replace=True)
        assert names_of(database) == ["test"]

    def test_stays_where_another_key_lies(self, database, project, folder, bare, tmp_path):
        save(database, tmp_path / "a.backup", folder)
        other = tmp_path / "new"
        other.mkdir()
        (other / KEYS[0]).write_bytes(b"of another service")
        with pytest.raises(StoreError, match=r"pseudonym\.key is another key"):
            put_back(bare, tmp_path / "a.backup", other)
        assert (other / KEYS[0]).read_bytes() == b"of another service"

    def test_stays_where_the_restore_fails(self, database, project, folder, tmp_path):
        save(database, tmp_path / "a.backup", folder)
        with zipfile.ZipFile(tmp_path / "a.backup") as archive:
            manifest, broken = json.loads(archive.read("manifest.json")), archive.read("database")[:-200] + b"\xff" * 200
        for part in manifest["parts"]:
            if part["name"] == "database":
                broken = broken if database.kind == "postgresql" else b"no database at all"
                part |= {"sha256": hashlib.sha256(broken).hexdigest(), "size": len(broken)}
        changed = {"database": broken, "manifest.json": json.dumps(manifest).encode()}
        (folder / KEYS[0]).write_bytes(b"newer")
        with pytest.raises(StoreError):
            put_back(database, rewrite(tmp_path / "a.backup", tmp_path / "b.backup", changed), folder, replace=True)
        assert names_of(database) == ["test"]
        assert (folder / KEYS[0]).read_bytes() == b"newer"

    def test_stays_while_a_worker_is_at_work(self, database, project, folder, tmp_path):
        with database.transaction() as session:
            workers.beat(session, "first")
            workers.beat(session, "long gone")
        save(database, tmp_path / "a.backup", folder)

        def beat(_seconds: float) -> None:
            with database.transaction() as session:
                workers.beat(session, "first")

        with pytest.raises(StoreError, match="worker 'first' is at work"):
            put_back(database, tmp_path / "a.backup", folder, replace=True, wait=beat)
        assert put_back(database, tmp_path / "a.backup", folder, replace=True).since is None


class TestWhatHappenedSince:
    def test_is_told_and_stays_in_the_audit(self, database, project, folder, tmp_path):
        self.note(database, "before")
        save(database, tmp_path / "a.backup", folder)
        self.note(database, "after")
        restored = put_back(database, tmp_path / "a.backup", folder, replace=True)
        assert [entry.action for entry in restored.since] == ["after"]
        assert self.audit(database) == ["before", "after"]

    def test_is_unknown_where_the_database_is_anothers(self, database, project, folder, bare, tmp_path):
        self.note(database, "before")
        save(database, tmp_path / "a.backup", folder)
        bare.upgrade()
        self.note(bare, "of another service")
        assert put_back(bare, tmp_path / "a.backup", tmp_path / "new", replace=True).since is None
        assert self.audit(bare) == ["before"]

    def test_ends_every_session_and_invitation(self, database, project, folder, bare, tmp_path):
        with database.transaction() as session:
            person = people.add_person(session, "ada", role="admin").id
            people.invite(session, person)
            people.open_session(session, person)
        save(database, tmp_path / "a.backup", folder)
        put_back(bare, tmp_path / "a.backup", tmp_path / "new")
        with bare.reading() as session:
            assert people.find_person(session, "ada") is not None
            assert session.scalars(select(SessionRow)).all() == []
            assert session.scalars(select(InvitationRow)).all() == []

    @staticmethod
    def note(database: Database, action: str) -> None:
        with database.transaction() as session:
            access.note(session, "somebody", action)

    @staticmethod
    def audit(database: Database) -> list[str]:
        with database.reading() as session:
            return list(session.scalars(select(AuditRow.action).order_by(AuditRow.id)))


class TestAnArchive:
    @pytest.fixture
    def archive(self, database, project, folder, tmp_path) -> Path:
        save(database, tmp_path / "a.backup", folder)
        return tmp_path / "a.backup"

    def test_that_was_cut_off_is_refused(self, archive, bare, tmp_path):
        content = archive.read_bytes()
        archive.write_bytes(content[: len(content) // 2])
        with pytest.raises(FileFormatError, match="cut off"):
            put_back(bare, archive, tmp_path / "new")

    def test_whose_part_is_not_what_was_backed_up_is_refused(self, archive, bare, tmp_path):
        forged = rewrite(archive, tmp_path / "b.backup", {KEYS[0]: b"another"})
        with pytest.raises(FileFormatError, match=r"part pseudonym\.key is not what was backed up"):
            put_back(bare, forged, tmp_path / "new")
        assert not (tmp_path / "new" / KEYS[0]).exists()

    @pytest.mark.parametrize("name", ["../outside", "/etc/passwd", "database/../../outside", "spool"])
    def test_that_names_a_part_we_do_not_know_is_refused(self, archive, bare, tmp_path, name):
        with zipfile.ZipFile(archive) as old:
            manifest = json.loads(old.read("manifest.json"))
        manifest["parts"].append({"name": name, "size": 1, "sha256": ""})
        forged = rewrite(archive, tmp_path / "b.backup", {"manifest.json": json.dumps(manifest).encode(), name: b"x"})
        with pytest.raises(FileFormatError, match="has a part"):
            put_back(bare, forged, tmp_path / "new")

    def test_that_unpacks_to_more_than_it_says_is_stopped(self, archive, bare, tmp_path):
        forged = rewrite(archive, tmp_path / "b.backup", {"database": b"\0" * (8 << 20)})
        with pytest.raises(FileFormatError, match="part database is not what was backed up"):
            put_back(bare, forged, tmp_path / "new")

    @pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"format": 1, "parts": 3}'])
    def test_without_a_manifest_is_none(self, archive, bare, tmp_path, content):
        with pytest.raises(FileFormatError, match="is no backup"):
            put_back(bare, rewrite(archive, tmp_path / "b.backup", {"manifest.json": content}), tmp_path / "new")

    @pytest.mark.parametrize(
        ("change", "says"),
        [
            ({"format": 2}, "format 2; restore it with version"),
            ({"revision": "9999"}, "knows no revision '9999'"),
            ({"kind": "oracle"}, "oracle"),
        ],
    )
    def test_of_another_world_is_refused(self, archive, bare, tmp_path, change, says):
        with zipfile.ZipFile(archive) as old:
            manifest = json.loads(old.read("manifest.json")) | change
        with pytest.raises((StoreError, FileFormatError), match=says):
            put_back(bare, rewrite(archive, tmp_path / "b.backup", {"manifest.json": json.dumps(manifest).encode()}), tmp_path / "new")


class TestPostgresTools:
    @pytest.fixture
    def postgres(self, database) -> Database:
        if database.kind != "postgresql":
            pytest.skip("SQLite needs none")
        return database

    def test_that_are_missing_are_named(self, postgres, folder, tmp_path, monkeypatch):
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(StoreError, match="pg_dump is not installed"):
            save(postgres, tmp_path / "a.backup", folder)
        assert not (tmp_path / "a.backup").exists()

    def test_that_are_older_than_the_server_are_refused(self, postgres, folder, tmp_path, monkeypatch):
        self.pretend(tmp_path, monkeypatch, 'echo "pg_dump (PostgreSQL) 9.6.1"')
        with pytest.raises(StoreError, match="pg_dump is of version 9 and the server of"):
            save(postgres, tmp_path / "a.backup", folder)

    def test_get_the_password_by_their_environment(self, postgres, folder, tmp_path, monkeypatch):
        said = tmp_path / "said"
        self.pretend(
            tmp_path,
            monkeypatch,
            f'test "$1" = --version && echo "pg_dump (PostgreSQL) 99.1" && exit; echo "$@ $PGPASSWORD" > {said}; exit 1',
        )
        url = make_url(postgres.url).set(password="hunter2")
        with closing(Database(url.render_as_string(hide_password=False))) as database, pytest.raises(StoreError, match="pg_dump failed"):
            save(database, tmp_path / "a.backup", folder)
        arguments, _, password = said.read_text().strip().rpartition(" ")
        assert password == "hunter2"
        assert "hunter2" not in arguments
        assert str(url.database) in arguments

    @staticmethod
    def pretend(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
        (folder / "bin").mkdir()
        (folder / "bin" / "pg_dump").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "bin" / "pg_dump").chmod(0o700)
        monkeypatch.setenv("PATH", f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}")


def test_an_older_revision_is_brought_up_to_date(database, project, folder, bare, tmp_path, monkeypatch):
    save(database, tmp_path / "a.backup", folder)
    upgraded: list[str] = []
    monkeypatch.setattr(bare, "upgrade", lambda: upgraded.append("upgrade"))
    put_back(bare, tmp_path / "a.backup", tmp_path / "new")
    assert upgraded == ["upgrade"]


def test_a_newer_database_is_left_alone(database, project, folder, tmp_path):
    save(database, tmp_path / "a.backup", folder)
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match="knows no revision '9999'"):
        put_back(database, tmp_path / "a.backup", folder, replace=True)
