import gzip
import json

import pytest
from sqlalchemy import text

from feedback_miner.domain import (
    Aspect,
    CauseScore,
    Coding,
    ContentStatus,
    Document,
    FeedbackItem,
    FeedbackType,
    Opinion,
    ResidualReason,
    Sentiment,
    ThemeScore,
)
from feedback_miner.errors import NotFoundError
from feedback_miner.store import Database, findings, responses

NEAR = (ThemeScore("t-1", 0.1), ThemeScore("t-2", 1 / 3))
SAID = ["The parcel came late", "100% rude_staff", "送货太慢了"]
ITEMS = [FeedbackItem(f"{number:016x}", number, ()) for number in range(3)]
DOCUMENTS = [Document(f"{item.id}.0", item.id, "q", said, "en", ContentStatus.RESIDUAL) for item, said in zip(ITEMS, SAID, strict=True)]
OPINIONS = [Opinion(f"{document.id}#0", document.id, 0, len(document.text), document.text) for document in DOCUMENTS]
CODINGS = [
    Coding(
        OPINIONS[0].id,
        (ThemeScore("t-1", 0.1),),
        None,
        NEAR,
        Sentiment(0.7, 0.2, 0.1),
        FeedbackType.COMPLAINT,
        (Aspect("late", 0.123456),),
        (CauseScore("late", 0.9, None, 5e-324, 0, 20),),
    ),
    Coding(OPINIONS[1].id, (), ResidualReason.ALONE, NEAR, Sentiment(0.1, 0.2, 0.7), FeedbackType.PRAISE, (), ()),
    Coding(OPINIONS[2].id, (ThemeScore("t-2", 1.0),), None, (), Sentiment(0.4, 0.4, 0.2), FeedbackType.STATEMENT, (), ()),
]


@pytest.fixture
def rows(database, project, batch):
    """The row numbers of three coded opinions."""
    with database.transaction() as session:
        responses.add_responses(session, project, batch, ITEMS, {item.id: item.row for item in ITEMS}, DOCUMENTS, OPINIONS)
        rows = responses.load_opinions(session, project)[1]
        findings.save_codings(session, project, 1, dict(zip(rows, CODINGS, strict=True)))
    return rows


def test_codings_come_back_to_the_bit(database, project, rows):
    with database.reading() as session:
        loaded = findings.load_codings(session, project, dict(zip(rows, (opinion.id for opinion in OPINIONS), strict=True)))
    assert [loaded[row] for row in rows] == CODINGS


def test_a_later_coding_takes_the_place_of_an_earlier_one(database, project, rows):
    with database.transaction() as session:
        assert findings.count_uncoded(session, project, 1) == 0
        assert findings.count_uncoded(session, project, 2) == 3
        findings.save_codings(session, project, 2, {rows[0]: CODINGS[0]})
        assert [opinion.row for opinion in findings.load_uncoded(session, project, 2, 0, 10)] == rows[1:]
        assert [opinion.row for opinion in findings.load_uncoded(session, project, 2, rows[1], 10)] == rows[2:]
        assert [opinion.row for opinion in findings.load_uncoded(session, project, 1, 0, 10)] == rows[:1]


def test_a_page_of_a_theme_is_read_from_its_index(tmp_path):
    database = Database(f"sqlite:///{tmp_path / 'plan.sqlite'}")  # PostgreSQL plans by statistics, and tables of tests are tiny
    database.upgrade()
    statement = "EXPLAIN QUERY PLAN SELECT opinion FROM codings WHERE project = 'p' AND {} AND opinion > 7 ORDER BY opinion LIMIT 50"
    for condition in ("theme IS NULL", "theme = 't-1'"):
        with database.engine.connect() as connection:
            plan = " ".join(row.detail for row in connection.execute(text(statement.format(condition))))
        assert "codings_by_theme" in plan
        assert "TEMP B-TREE" not in plan


def test_an_analysis_is_kept_whole_and_its_figures_apart(database, project):
    analysis = {
        "schema": "x",
        "counts": {"rows": 3},
        "items": [1],
        "documents": [2],
        "opinions": [3],
        "codings": [4],
        "run": {"rows": {"a": 1}, "source": "s"},
    }
    with database.transaction() as session:
        findings.save_analysis(session, project, 1, b"{}")
        findings.save_analysis(session, project, 2, json.dumps(analysis).encode())
    with database.reading() as session:
        row = findings.get_analysis(session, project)
    assert row.figures == {"schema": "x", "counts": {"rows": 3}, "run": {"source": "s"}}
    assert json.loads(gzip.decompress(row.packed)) == analysis
    assert row.theme_set == 2
    with database.transaction() as session:
        findings.remove_analysis(session, project)
    with database.reading() as session, pytest.raises(NotFoundError):
        findings.get_analysis(session, project)
