"""The commands of whoever runs the service, without a service: settings, keys, exit codes, what goes to stdout and what to stderr."""

import json
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from feedback_miner.cli import app
from feedback_miner.cli.serving import _JsonLines
from feedback_miner.config import Settings
from feedback_miner.errors import InputError, NotFoundError
from feedback_miner.store import Database, access, people


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch):
    """Leave no handlers and no settings behind, and take none over."""
    for name in os.environ:
        if name.startswith("FEEDBACK_MINER_"):
            monkeypatch.delenv(name)
    loggers, on_signal = [logging.getLogger(), logging.getLogger("dbos")], signal.getsignal(signal.SIGTERM)
    before = [(list(logger.handlers), logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers[:], logger.propagate = handlers, propagate  # those of the command write to a file that is closed now
        logger.setLevel(level)
    signal.signal(signal.SIGTERM, on_signal)


@pytest.fixture
def served(monkeypatch) -> list[dict[str, Any]]:
    """What the server would have been started with."""
    calls: list[dict[str, Any]] = []

    def run(served_app, **options):
        served_app.state.service.database.close()
        calls.append({"service": served_app.state.service, **options})

    monkeypatch.setattr("uvicorn.run", run)
    monkeypatch.setattr("feedback_miner.cli.child.ChildWorker.start", lambda child: calls.append({"worker": child}))
    return calls


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


class TestSettings:
    def test_are_defaults_where_nothing_is_said(self):
        settings = Settings.from_environment({})
        assert settings == Settings()
        assert settings.host == "127.0.0.1"
        assert settings.database_url == "sqlite:///feedback-miner-data/feedback-miner.sqlite"

    def test_come_from_the_environment(self):
        environment = {
            "FEEDBACK_MINER_DATA": "/srv/feedback",
            "FEEDBACK_MINER_PORT": "9000",
            "FEEDBACK_MINER_DATABASE": "postgresql://db/fm",
            "FEEDBACK_MINER_MAX_UPLOAD_MB": "5",
            "FEEDBACK_MINER_UNKNOWN": "1",
            "PORT": "1",
        }
        settings = Settings.from_environment(environment)
        assert settings == Settings(data=Path("/srv/feedback"), port=9000, database="postgresql://db/fm", max_upload_mb=5)
        assert settings.database_url == "postgresql://db/fm"

    def test_that_are_given_win(self):
        environment = {"FEEDBACK_MINER_PORT": "nonsense", "FEEDBACK_MINER_HOST": "0.0.0.0"}
        settings = Settings.from_environment(environment, port=1234, host=None)
        assert (settings.port, settings.host) == (1234, "0.0.0.0")

    def test_of_no_number_say_so(self):
        with pytest.raises(InputError, match="FEEDBACK_MINER_PORT is 'http'; give a whole number"):
            Settings.from_environment({"FEEDBACK_MINER_PORT": "http"})

    @pytest.mark.parametrize(("said", "meant"), [("yes", True), ("1", True), ("TRUE", True), ("no", False), ("0", False), ("", False)])
    def test_of_yes_or_no_are_one_of_them(self, said, meant):
        assert Settings.from_environment({"FEEDBACK_MINER_ALLOW_PRIVATE_TARGETS": said}).allow_private_targets is meant

    def test_of_neither_yes_nor_no_say_so(self):
        with pytest.raises(InputError, match="FEEDBACK_MINER_ALLOW_PRIVATE_TARGETS is 'perhaps'; give yes or no"):
            Settings.from_environment({"FEEDBACK_MINER_ALLOW_PRIVATE_TARGETS": "perhaps"})


class TestServe:
    def test_prints_the_first_key_once(self, served, tmp_path):
        first = run("serve", "--data", tmp_path / "data", "--encoder", "tiny", "--print-key")
        again = run("serve", "--data", tmp_path / "data", "--encoder", "tiny", "--print-key")
        assert (first.exit_code, again.exit_code) == (0, 0)
        assert first.stdout.startswith("fm_")
        assert len(first.stdout.split()) == 1
        assert again.stdout == ""
        assert first.stdout.strip().encode() not in (tmp_path / "data" / "feedback-miner.sqlite").read_bytes()

    def test_says_how_to_get_a_key_where_nobody_has_one(self, served, tmp_path):
        result = run("serve", "--data", tmp_path / "data")
        assert result.exit_code == 0
        assert result.stdout == ""
        assert "--print-key" in result.stderr

    def test_invites_the_first_admin_until_one_has_come(self, served, tmp_path):
        def start() -> str:
            return run("serve", "--data", tmp_path / "data", "--host", "0.0.0.0", "--port", "9001", "--print-key").stderr

        lines = [start(), start()]
        links = [line.split()[-1] for line in lines]
        assert all(line.startswith("no admin can sign in yet; 'admin' sets a password here: ") for line in lines)
        assert all(link.startswith("http://localhost:9001/accept#fmi_") for link in links)
        database = Database(f"sqlite:///{tmp_path / 'data' / 'feedback-miner.sqlite'}")
        with database.transaction() as session:
            with pytest.raises(NotFoundError):
                people.accept_invitation(session, links[0].partition("#")[2], "digest")
            assert people.accept_invitation(session, links[1].partition("#")[2], "digest").role == "admin"
        assert start() == ""
        database.close()

    def test_invites_nobody_where_keys_are_all_there_is(self, served, tmp_path):
        run("db", "upgrade", "--data", tmp_path / "data")
        database = Database(f"sqlite:///{tmp_path / 'data' / 'feedback-miner.sqlite'}")
        with database.transaction() as session:
            access.add_key(session, "the only one", ["admin"])
        result = run("serve", "--data", tmp_path / "data", "--print-key")
        assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
        database.close()

    def test_listens_where_it_is_told_to(self, served, tmp_path, monkeypatch):
        monkeypatch.setenv("FEEDBACK_MINER_PORT", "9001")
        run("serve", "--data", tmp_path / "data", "--host", "0.0.0.0")
        (*_, call) = served
        assert (call["host"], call["port"]) == ("0.0.0.0", 9001)
        assert not call["access_log"]

    def test_mines_beside_itself_unless_told_otherwise(self, served, tmp_path):
        run("serve", "--data", tmp_path / "data", "--port", "9001", "--name", "north")
        run("serve", "--data", tmp_path / "data", "--no-worker")
        child, *others = [call["worker"] for call in served if "worker" in call]
        assert others == []
        assert child.environment["FEEDBACK_MINER_WORKER"] == "north"
        assert Settings.from_environment(child.environment) == Settings(data=tmp_path / "data", port=9001, worker="north")

    def test_keeps_its_data_from_other_users(self, served, tmp_path):
        run("serve", "--data", tmp_path / "data")
        assert (tmp_path / "data").stat().st_mode & 0o077 == 0


class TestInvite:
    def test_prints_a_link_for_who_lost_the_password(self, served, tmp_path, monkeypatch):
        monkeypatch.setenv("FEEDBACK_MINER_PUBLIC_URL", "https://feedback.example.com/")
        first = run("serve", "--data", tmp_path / "data", "--print-key").stderr.split()[-1].partition("#")[2]
        database = Database(f"sqlite:///{tmp_path / 'data' / 'feedback-miner.sqlite'}")
        with database.transaction() as session:
            person = people.accept_invitation(session, first, "digest").id
        result = run("invite", "Admin", "--data", tmp_path / "data")
        assert result.exit_code == 0
        assert result.stdout.startswith("https://feedback.example.com/accept#fmi_")
        with database.transaction() as session:
            assert people.get_person(session, person).digest is None
            assert people.accept_invitation(session, result.stdout.strip().partition("#")[2], "another").id == person
            assert access.list_audit(session)[-1].actor == "command line"
        database.close()

    def test_knows_no_one_else(self, tmp_path):
        run("db", "upgrade", "--data", tmp_path / "data")
        result = run("invite", "ada", "--data", tmp_path / "data")
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith("error: nobody is named 'ada'")

    def test_makes_no_database(self, tmp_path):
        (tmp_path / "data").mkdir()
        result = run("invite", "ada", "--data", tmp_path / "data")
        assert result.exit_code == 1
        assert "db upgrade" in result.stderr


class TestErrors:
    @pytest.mark.parametrize("command", [("serve",), ("worker",), ("db", "upgrade"), ("db", "check")])
    def test_an_address_that_is_none(self, tmp_path, command):
        result = run(*command, "--data", tmp_path / "data", "--database", "not an address")
        assert result.exit_code == 1
        assert result.stderr.startswith("error: the database address is no URL")

    @pytest.mark.parametrize("command", [("serve",), ("db", "upgrade")])
    def test_another_kind_of_database(self, tmp_path, command):
        result = run(*command, "--data", tmp_path / "data", "--database", "mysql://user:hunter2@host/name")
        assert result.exit_code == 1
        assert "mysql" in result.stderr
        assert "hunter2" not in result.stderr

    @pytest.mark.parametrize("command", [("serve",), ("worker",), ("db", "upgrade"), ("db", "check")])
    def test_a_server_that_is_not_there(self, tmp_path, command):
        result = run(*command, "--data", tmp_path / "data", "--database", "postgresql://user:hunter2@127.0.0.1:1/name")
        assert result.exit_code == 1
        assert result.stderr.startswith("error: the database cannot be used: ")
        assert result.stderr.count("\n") == 1
        assert "hunter2" not in result.stderr

    @pytest.mark.parametrize("command", [("serve",), ("worker",), ("db", "upgrade")])
    def test_a_data_folder_that_is_a_file(self, tmp_path, command):
        (tmp_path / "data").write_text("")
        result = run(*command, "--data", tmp_path / "data")
        assert result.exit_code == 1
        assert str(tmp_path / "data") in result.stderr

    def test_a_setting_of_no_number(self, tmp_path, monkeypatch):
        monkeypatch.setenv("FEEDBACK_MINER_PORT", "http")
        result = run("serve", "--data", tmp_path / "data")
        assert result.exit_code == 1
        assert "FEEDBACK_MINER_PORT" in result.stderr

    def test_an_option_of_no_number(self, tmp_path):
        assert run("serve", "--data", tmp_path / "data", "--port", "http").exit_code == 2


class TestDatabase:
    def test_is_checked_and_upgraded(self, tmp_path):
        data = tmp_path / "data"
        assert run("db", "upgrade", "--data", data).exit_code == 0
        assert run("db", "upgrade", "--data", data).exit_code == 0
        result = run("db", "check", "--data", data)
        assert (result.exit_code, result.stdout) == (0, "the database is up to date\n")

    def test_that_was_never_made_is_not_up_to_date(self, tmp_path):
        (tmp_path / "data").mkdir()
        result = run("db", "check", "--data", tmp_path / "data")
        assert result.exit_code == 1
        assert "db upgrade" in result.stderr

    def test_without_a_folder_is_said_to_be_missing(self, tmp_path):
        result = run("db", "check", "--data", tmp_path / "nowhere")
        assert result.exit_code == 1
        assert "the database cannot be used" in result.stderr
        assert not (tmp_path / "nowhere").exists()


def test_a_line_of_the_log_is_json_and_quotes_no_exception():
    try:
        raise ValueError("a customer's words")
    except ValueError:
        record = logging.LogRecord("web", logging.ERROR, __file__, 1, 'it said "%s"\nand broke', ("no",), sys.exc_info())
    (line,) = _JsonLines().format(record).splitlines()
    entry = json.loads(line)
    assert (entry["level"], entry["from"], entry["message"], entry["error"]) == ("ERROR", "web", 'it said "no"\nand broke', "ValueError")
    assert "test_serving.py" in entry["places"]
    assert "a customer's words" not in [value for name, value in entry.items() if name != "places"]
