import pytest

from feedback_miner.store import Database, projects


@pytest.fixture
def project(database: Database) -> str:
    with database.transaction() as session:
        return projects.add_project(session, "test", {"encoder": "tiny"}).id


@pytest.fixture
def batch(database: Database, project: str) -> str:
    with database.transaction() as session:
        return projects.add_batch(session, project, source="a.csv", sha256="0" * 64, options={}).id
