"""What a job asks for each chunk takes no longer in a large project than in a small one. Counted in SQLite's own instructions, not timed."""

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest
from sqlalchemy import insert
from sqlalchemy.orm import Session

from feedback_miner.store import Database, customers, findings, projects, responses
from feedback_miner.store.tables import CodingRow, DocumentRow, OpinionRow, ResponseRow

FEW, MANY = 400, 8_000
CHUNK = [f"{number:016x}" for number in range(0, 1 << 63, 1 << 57)]
ASKED: dict[str, Callable[[Session, str], object]] = {
    "numbers of identical responses": lambda session, project: responses.last_numbers(session, project, CHUNK, other_than="none"),
    "customers not known yet": lambda session, project: customers.unknown_customers(session, project, CHUNK),
    "opinions to encode": lambda session, project: responses.load_shard(session, project, 100, 50),
    "opinions to code": lambda session, project: findings.load_uncoded(session, project, 2, 100, 50),
    "opinions by their ids": lambda session, project: responses.load_named(session, project, [f"{item}.0#0" for item in CHUNK]),
}


def filled(path: Path, rows: int) -> tuple[Database, str]:
    """Make a project of one-opinion responses that nobody has encoded."""
    database = Database(f"sqlite:///{path}")
    database.upgrade()
    with database.transaction() as session:
        project = projects.add_project(session, "large", {}).id
        batch = projects.add_batch(session, project, source="a.csv", sha256="0" * 64, options={}).id
        numbers = range(1, rows + 1)
        response = {"project": project, "batch": batch, "weight": 1.0, "attributes": {}, "created_at": datetime.fromisoformat("2026-05-01")}
        items = [
            {**response, "id": number, "item": f"{number * 0x9E3779B97F4A7C15 % (1 << 64):016x}", "row": number, "customer": f"c-{number}"}
            for number in numbers
        ]
        document = {"number": 0, "column": "text", "text": "late", "language": "en", "status": "ok", "repost": False, "redactions": {}}
        coding = {
            "project": project, "theme_set": 1, "theme": "t-1", "strength": 0.5, "nearest": [], "negative": 1.0, "neutral": 0.0,
            "positive": 0.0, "type": "complaint", "aspects": [], "causes": [], "edited": [],
        }  # fmt: skip
        session.execute(insert(ResponseRow), items)
        session.execute(insert(DocumentRow), [{**document, "id": number, "response": number} for number in numbers])
        session.execute(insert(OpinionRow), [{"id": number, "document": number, "start": 0, "end": 4} for number in numbers])
        session.execute(insert(CodingRow), [{**coding, "opinion": number} for number in numbers])
    return database, project


def instructions(database: Database, ask: Callable[[Session], object]) -> int:
    """Return how much SQLite does for a question, in hundreds of instructions of its machine."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    with database.reading() as session:
        session.connection().connection.driver_connection.set_progress_handler(count, 100)
        ask(session)
        session.connection().connection.driver_connection.set_progress_handler(None, 0)
    return counted


@pytest.fixture(scope="module")
def small_and_large(tmp_path_factory):
    folder = tmp_path_factory.mktemp("growth")
    made = [filled(folder / f"{rows}.sqlite", rows) for rows in (FEW, MANY)]
    yield made
    for database, _ in made:
        database.close()


@pytest.mark.parametrize("what", ASKED)
def test_a_chunk_costs_the_same_in_a_large_project(small_and_large, what):
    small, large = (
        instructions(database, lambda session, project=project: ASKED[what](session, project)) for database, project in small_and_large
    )
    assert large <= 2 * small + 20
