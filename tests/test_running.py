"""Running the service: settings from files, log levels, backups by command, the container file."""

import json
import logging
import os
import re
import shlex
import sqlite3
import tomllib
from pathlib import Path

import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner, Result

import feedback_miner
from feedback_miner.cli import app
from feedback_miner.cli.serving import _log_to_stderr
from feedback_miner.config import Settings
from feedback_miner.errors import InputError
from feedback_miner.store import access, projects
from feedback_miner.web.app import create_app, open_service

ROOT = Path(feedback_miner.__file__).parent.parent
needs_checkout = pytest.mark.skipif(not (ROOT / "Containerfile").exists(), reason="installed without its repository")


@pytest.fixture(autouse=True)
def _as_it_was(monkeypatch):
    """Leave no handlers and no settings behind, and take none over."""
    for name in os.environ:
        if name.startswith("FEEDBACK_MINER_"):
            monkeypatch.delenv(name)
    loggers = [logging.getLogger(name) for name in (None, "dbos", "feedback_miner")]
    before = [(list(logger.handlers), logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers[:], logger.propagate = handlers, propagate
        logger.setLevel(level)


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


class TestASettingFromAFile:
    def test_is_read_without_its_last_line_break(self, tmp_path):
        (tmp_path / "address").write_text("postgresql://miner:hunter2@db/feedback\n")
        settings = Settings.from_environment({"FEEDBACK_MINER_DATABASE_FILE": str(tmp_path / "address")})
        assert settings.database_url == "postgresql://miner:hunter2@db/feedback"

    def test_may_be_a_number(self, tmp_path):
        (tmp_path / "port").write_text("9000\n")
        assert Settings.from_environment({"FEEDBACK_MINER_PORT_FILE": str(tmp_path / "port")}).port == 9000

    def test_gives_way_to_an_option(self, tmp_path):
        environment = {"FEEDBACK_MINER_DATABASE_FILE": str(tmp_path / "nowhere")}
        assert Settings.from_environment(environment, database="postgresql://db/given").database == "postgresql://db/given"

    def test_beside_the_setting_itself_is_one_too_many(self, tmp_path):
        environment = {"FEEDBACK_MINER_HOST": "::1", "FEEDBACK_MINER_HOST_FILE": str(tmp_path / "host")}
        with pytest.raises(InputError, match="FEEDBACK_MINER_HOST and FEEDBACK_MINER_HOST_FILE are both set"):
            Settings.from_environment(environment)

    def test_that_cannot_be_read_says_so_and_quotes_nothing(self, tmp_path):
        (tmp_path / "bytes").write_bytes(b"\xffsecret")
        for name, reason in (("nowhere", "No such file"), ("bytes", "it is no text")):
            with pytest.raises(InputError, match=f"FEEDBACK_MINER_DATABASE_FILE names .*{name}.*: {reason}") as error:
                Settings.from_environment({"FEEDBACK_MINER_DATABASE_FILE": str(tmp_path / name)})
            assert "secret" not in str(error.value)


class TestTheLog:
    @pytest.mark.parametrize(("level", "said"), [("warning", []), ("info", ["step finished"])])
    def test_tells_more_where_asked(self, capsys, level, said):
        logging.getLogger().handlers.clear()  # as in a process of its own
        _log_to_stderr(level)
        logging.getLogger("feedback_miner.jobs.engine").info("step finished", extra={"fields": {"job": "job_1", "seconds": 0.5}})
        for name in ("dbos", "uvicorn.error", "alembic"):
            logging.getLogger(name).info("a library's own")
        lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
        assert [line["message"] for line in lines] == said
        assert all((line["job"], line["seconds"]) == ("job_1", 0.5) for line in lines)

    def test_knows_no_other_levels(self, tmp_path, monkeypatch):
        monkeypatch.setenv("FEEDBACK_MINER_LOG_LEVEL", "loud")
        result = run("worker", "--data", tmp_path / "data")
        assert result.exit_code == 1
        assert "no log level 'loud'; choose among error, warning, info, debug" in result.stderr


class TestBackup:
    @pytest.fixture
    def data(self, tmp_path) -> Path:
        """A data folder with a project, and an upload that waits."""
        data = tmp_path / "data"
        service = open_service(Settings(data=data))
        with service.database.transaction() as session:
            projects.add_project(session, "before", {})
            access.note(session, "key_1", "create project")
        service.shop.pseudonym_key()
        service.shop.spool_path("bat_1").write_text("a walrus")
        service.database.close()
        return data

    def test_comes_back_by_command(self, data, tmp_path):
        saved = run("db", "backup", tmp_path / "monday.backup", "--data", data)
        assert saved.exit_code == 0, saved.output
        assert "monday.backup: 2 parts" in saved.stdout
        restored = run("db", "restore", tmp_path / "monday.backup", "--data", tmp_path / "new")
        assert restored.exit_code == 0, restored.output
        assert "delete it again" in restored.stdout
        assert (tmp_path / "new" / "pseudonym.key").read_bytes() == (data / "pseudonym.key").read_bytes()
        assert names_in(tmp_path / "new") == ["before"]
        assert run("db", "check", "--data", tmp_path / "new").exit_code == 0

    def test_is_refused_where_something_is(self, data, tmp_path):
        run("db", "backup", tmp_path / "monday.backup", "--data", data)
        again = run("db", "backup", tmp_path / "monday.backup", "--data", data)
        assert (again.exit_code, "--force" in again.stderr) == (1, True)
        assert run("db", "backup", tmp_path / "monday.backup", "--data", data, "--force").exit_code == 0
        onto = run("db", "restore", tmp_path / "monday.backup", "--data", data)
        assert (onto.exit_code, "--replace" in onto.stderr) == (1, True)

    def test_replaced_deletes_again_what_was_deleted_since(self, data, tmp_path):
        run("db", "backup", tmp_path / "monday.backup", "--data", data)
        service = open_service(Settings(data=data))
        with service.database.transaction() as session:
            (project,) = projects.list_projects(session)
            session.delete(project)
            access.note(session, "key_1", "delete project", project=project.id)
        service.database.close()
        result = run("db", "restore", tmp_path / "monday.backup", "--data", data, "--replace")
        assert result.exit_code == 0, result.output
        assert "deleted again what was deleted after it: 1" in result.stdout
        assert names_in(data) == []

    @pytest.mark.parametrize("command", ["backup", "restore"])
    def test_of_nothing_says_so(self, tmp_path, command):
        result = run("db", command, tmp_path / "a.backup", "--data", tmp_path / "nowhere")
        assert result.exit_code == 1
        assert result.stderr.startswith("error: ")
        assert result.stderr.count("\n") == 1


def names_in(data: Path) -> list[str]:
    with sqlite3.connect(data / "feedback-miner.sqlite") as connection:
        names = [name for (name,) in connection.execute("SELECT name FROM projects")]
    connection.close()
    return names


@needs_checkout
class TestTheContainerFile:
    """No image is built here: what the file names must exist."""

    @pytest.fixture
    def steps(self) -> list[tuple[str, str]]:
        text = re.sub(r"\\\n", " ", (ROOT / "Containerfile").read_text(encoding="utf-8"))
        lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
        return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines]

    def test_copies_what_is_there_and_all_that_the_package_is_built_from(self, steps):
        copied = [name for step, rest in steps if step == "COPY" and "--from" not in rest for name in rest.split()[:-1]]
        assert [name for name in copied if not (ROOT / name).exists()] == []
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        hatch = project["tool"]["hatch"]["build"]["targets"]["wheel"]
        needed = {*hatch["packages"], *hatch["force-include"], project["project"]["readme"], *project["project"]["license-files"]}
        assert needed <= set(copied)

    def test_is_on_a_python_that_the_package_wants(self, steps):
        wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["requires-python"]
        images = [rest.split()[0] for step, rest in steps if step == "FROM"]
        assert len(set(images)) == 1
        assert images[0].rpartition(":")[2].startswith(f"{wanted.removeprefix('>=')}-slim")

    def test_runs_a_command_that_exists_as_nobody_special(self, steps):
        said = dict(steps)
        entry, command = json.loads(said["ENTRYPOINT"]), json.loads(said["CMD"])
        scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
        assert entry[0] in scripts
        assert command[0] in get_command(app).commands
        assert said["USER"] == "10001:10001"
        assert [step for step, _ in steps].index("USER") < [step for step, _ in steps].index("ENTRYPOINT")

    def test_sets_settings_that_exist(self, steps):
        set_here = dict(pair.split("=", 1) for step, rest in steps if step == "ENV" for pair in shlex.split(rest))
        ours = {name: value for name, value in set_here.items() if name.startswith("FEEDBACK_MINER_")}
        settings = Settings.from_environment(ours)
        assert {name.removeprefix("FEEDBACK_MINER_").lower() for name in ours} <= set(Settings.__dataclass_fields__)
        said = dict(steps)
        assert json.loads(said["VOLUME"]) == [str(settings.data)]
        assert said["EXPOSE"] == str(settings.port)

    def test_is_composed_in_the_documentation_with_what_exists(self):
        (shown,) = re.findall(r"```yaml\n(services:.*?)```", (ROOT / "docs" / "operating.md").read_text(encoding="utf-8"), flags=re.DOTALL)
        composed = yaml.safe_load(shown)
        commands = get_command(app).commands
        for service in (composed["services"]["api"], composed["services"]["worker"]):
            name, *options = service["command"]
            known = {option for parameter in commands[name].params for option in (*parameter.opts, *parameter.secondary_opts)}
            assert {option for option in options if option.startswith("--")} <= known
            assert (ROOT / service["build"]["dockerfile"]).exists()
            settings = {setting.removeprefix("FEEDBACK_MINER_").removesuffix("_FILE").lower() for setting in service["environment"]}
            assert settings <= set(Settings.__dataclass_fields__)
            assert set(service["secrets"]) <= set(composed["secrets"])
        assert composed["services"]["worker"]["ports"] == []

    def test_asks_a_path_that_exists_whether_it_is_ready(self, steps, tmp_path):
        said = dict(steps)
        port, path = re.search(r"http://127\.0\.0\.1:(\d+)(/\w+)", said["HEALTHCHECK"]).groups()
        assert port == said["EXPOSE"]
        service = open_service(Settings(data=tmp_path / "data"))
        assert path in create_app(service).openapi()["paths"]
        service.database.close()
