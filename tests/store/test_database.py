import traceback

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from feedback_miner.errors import StoreError
from feedback_miner.store import Database, projects
from feedback_miner.store.tables import Base, DocumentRow, insert_rows


def test_upgrade_makes_what_the_models_describe(database):
    with database.engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        assert set(inspect(connection).get_table_names()) == {*Base.metadata.tables, "alembic_version"}


def test_upgrade_twice_is_upgrade_once(database):
    with database.transaction() as session:
        project = projects.add_project(session, "kept", {}).id
    database.upgrade()
    database.check()
    with database.reading() as session:
        assert projects.get_project(session, project).name == "kept"


def test_check_refuses_another_revision(database):
    with database.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"revision 9999, .* db upgrade"):
        database.check()


def test_check_refuses_an_empty_database(tmp_path):
    with pytest.raises(StoreError, match="revision None"):
        Database(f"sqlite:///{tmp_path / 'empty.sqlite'}").check()


@pytest.mark.parametrize("url", ["no address", "mysql://root@host/name"])
def test_other_addresses_are_refused(url):
    with pytest.raises(StoreError, match="sqlite:///path or postgresql://"):
        Database(url)


def test_a_failed_transaction_leaves_nothing(database):
    def fail() -> None:
        with database.transaction() as session:
            projects.add_project(session, "gone", {})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with database.reading() as session:
        assert projects.list_projects(session) == []


def test_reading_sees_one_moment_and_waits_for_no_writer(database):
    with database.transaction() as writing:
        projects.add_project(writing, "first", {})
        with database.reading() as session:
            assert projects.list_projects(session) == []
    with database.reading() as session:
        assert len(projects.list_projects(session)) == 1
        with database.transaction() as writing:
            projects.add_project(writing, "second", {})
        assert len(projects.list_projects(session)) == 1


def test_deleting_a_project_leaves_no_row_behind(database):
    with database.transaction() as session:
        project = projects.add_project(session, "gone", {}).id
        batch = projects.add_batch(session, project, source="a.csv", sha256="0" * 64, options={})
        projects.add_job(session, project, batch.id)
    with database.transaction() as session:
        session.delete(projects.get_project(session, project))
    with database.engine.connect() as connection:
        tables = [table for table in Base.metadata.sorted_tables if table.name not in {"audit", "alembic_version"}]
        assert {table.name: len(connection.execute(table.select()).all()) for table in tables} == {table.name: 0 for table in tables}


def test_an_error_of_the_database_quotes_no_row(database, caplog):
    def fail() -> None:
        with database.transaction() as session:
            insert_rows(session, DocumentRow, [{"text": said, "response": 1}])

    said = "the walrus sang"
    with pytest.raises(IntegrityError) as caught:
        fail()
    told = "".join(traceback.format_exception(caught.value))
    assert "walrus" not in told + repr(caught.value.orig) + caplog.text
    assert "constraint" in told
