from datetime import datetime
from typing import Any

import numpy as np
import pytest

from feedback_miner.domain import (
    CauseScore,
    Coding,
    ContentStatus,
    Document,
    FeedbackItem,
    FeedbackType,
    Opinion,
    Polarity,
    ResidualReason,
    Sentiment,
    ThemeScore,
)
from feedback_miner.store import findings, opinions, responses
from feedback_miner.store.opinions import OpinionFilter, find_opinions, find_rows, load_opinions, stream_vectors

SAID = ["The parcel came late", "100% rude_staff", "送货太慢了", "Fine"]
LANGUAGES = ["en", "en", "zh", "en"]
moment = datetime.fromisoformat
ODD = 'a "quoted".name'
ITEMS = [
    FeedbackItem("0" * 16, 2, (), 3.0, moment("2026-05-01"), "ann", "web", 1.0, (("region", "north"), (ODD, "it's"))),
    FeedbackItem("1" * 16, 3, (), 6.0, moment("2026-05-31T23:59"), "bob", "shop", 1.0, (("region", "south"),)),
    FeedbackItem("2" * 16, 4, (), 9.5, moment("2026-06-01"), "ann", None, 1.0, (("region", "north"),)),
    FeedbackItem("3" * 16, 5, ()),
]
DOCUMENTS = [
    Document(f"{item.id}.0", item.id, "q", said, language, ContentStatus.RESIDUAL)
    for item, said, language in zip(ITEMS, SAID, LANGUAGES, strict=True)
]
OPINIONS = [Opinion(f"{document.id}#0", document.id, 0, len(document.text), document.text) for document in DOCUMENTS]
LATE, RUDE = CauseScore("late", 0.9, "rude", 0.05, 0, 20), CauseScore("rude", 0.8, None, 0.0, 0, 15)
CODINGS = [
    Coding(OPINIONS[0].id, (ThemeScore("t-1", 0.5),), None, (), Sentiment(0.7, 0.2, 0.1), FeedbackType.COMPLAINT, (), (LATE, RUDE)),
    Coding(OPINIONS[1].id, (), ResidualReason.ALONE, (), Sentiment(0.4, 0.2, 0.4), FeedbackType.COMPLAINT, (), ()),
    Coding(OPINIONS[2].id, (ThemeScore("t-2", 1.0),), None, (), Sentiment(0.4, 0.4, 0.2), FeedbackType.QUESTION, (), (RUDE,)),
    Coding(OPINIONS[3].id, (), ResidualReason.TOO_SHORT, (), Sentiment(0.1, 0.2, 0.7), FeedbackType.PRAISE, (), (), ("type",)),
]


@pytest.fixture
def rows(database, project, batch):
    """The row numbers of four coded opinions."""
    with database.transaction() as session:
        responses.add_responses(session, project, batch, ITEMS, {item.id: item.row for item in ITEMS}, DOCUMENTS, OPINIONS)
        rows = responses.load_opinions(session, project)[1]
        findings.save_codings(session, project, 1, dict(zip(rows, CODINGS, strict=True)))
    return rows


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [0, 1, 2, 3]),
        ({"themes": ("t-1",)}, [0]),
        ({"themes": ("t-2", "t-1")}, [0, 2]),
        ({"themes": ()}, [1, 3]),
        ({"themes": ("t-9",)}, []),
        ({"themes": ("t-9", "t-8")}, []),
        ({"since": moment("2026-05-31")}, [1, 2]),
        ({"until": moment("2026-06-01")}, [0, 1]),
        ({"since": moment("2026-05-01"), "until": moment("2026-05-31")}, [0]),
        ({"scores": (-np.inf, 6.0)}, [0]),
        ({"scores": (6.0, 9.0)}, [1]),
        ({"scores": (9.0, np.inf)}, [2]),
        ({"sentiment": Polarity.NEGATIVE}, [0, 1]),
        ({"sentiment": Polarity.NEUTRAL}, [2]),
        ({"sentiment": Polarity.POSITIVE}, [3]),
        ({"type": FeedbackType.QUESTION}, [2]),
        ({"causes": ("late",)}, [0]),
        ({"causes": ("late", "rude")}, [0, 2]),
        ({"causes": ("rud",)}, []),
        ({"unmapped": True}, [1]),
        ({"reason": ResidualReason.TOO_SHORT}, [3]),
        ({"channel": "shop"}, [1]),
        ({"language": "zh"}, [2]),
        ({"attributes": (("region", "north"),)}, [0, 2]),
        ({"attributes": (("region", "north"), (ODD, "it's"))}, [0]),
        ({"attributes": (("region", "nort"),)}, []),
        ({"attributes": (('no"such', "x"),)}, []),
        ({"words": "PARCEL"}, [0]),
        ({"corrected": True}, [3]),
        ({"words": "0% RUDE_"}, [1]),
        ({"words": "1_0"}, []),
        ({"words": "太慢"}, [2]),
        ({"themes": ("t-1", "t-2"), "causes": ("rude",), "scores": (0.0, 5.0), "words": "late", "language": "en"}, [0]),
    ],
)
def test_opinions_are_found_by_what_is_asked(database, project, rows, asked, found):
    with database.reading() as session:
        answer = find_opinions(session, project, OpinionFilter(**asked))
    assert [(one.row, one.id, one.coding) for one in answer] == [(rows[at], OPINIONS[at].id, CODINGS[at]) for at in found]


def test_sentiment_in_sql_is_that_of_the_coding(database, project, rows):
    with database.reading() as session:
        for label in (Polarity.NEGATIVE, Polarity.NEUTRAL, Polarity.POSITIVE):
            found = find_opinions(session, project, OpinionFilter(sentiment=label))
            assert [one.row for one in found] == [row for row, coding in zip(rows, CODINGS, strict=True) if coding.sentiment.label is label]


@pytest.mark.parametrize("themes", [None, ("t-1", "t-2"), ()])
def test_pages_hold_each_opinion_once(database, project, rows, themes):
    wanted = OpinionFilter(themes=themes)
    with database.reading() as session:
        whole = find_rows(session, project, wanted)
        pages: list[int] = []
        while part := find_rows(session, project, wanted, after=pages[-1] if pages else 0, limit=1):
            pages += part
    assert pages == whole


def test_opinions_come_with_their_response(database, project, rows):
    with database.reading() as session:
        (first,) = load_opinions(session, project, [rows[0]])
        (last,) = load_opinions(session, project, [10_000, rows[3]])
    assert (first.document[first.start : first.end], first.language, first.score) == (SAID[0], "en", 3.0)
    assert (first.created_at, first.channel, first.attributes) == (ITEMS[0].created_at, "web", {"region": "north", ODD: "it's"})
    assert (last.created_at, last.channel, last.attributes, last.score) == (None, None, {}, None)


def test_opinions_of_another_project_are_not_there(database, project, rows):
    with database.reading() as session:
        assert find_rows(session, "prj_of_somebody_else", OpinionFilter()) == []
        assert load_opinions(session, "prj_of_somebody_else", rows) == []


@pytest.mark.parametrize("few", [20_000, 0])
def test_vectors_are_streamed_with_row_and_language(database, project, rows, monkeypatch, few):
    monkeypatch.setattr(opinions, "_FEW", few)  # looked up one by one, or all read as they lie
    keys = [bytes([at]) * 16 for at in range(3)]
    vectors = np.arange(12, dtype=np.float32).reshape(3, 4)
    with database.transaction() as session:
        responses.set_text_keys(session, dict(zip(rows, keys, strict=False)))
        responses.add_vectors(session, project, "tiny-1", dict(zip(keys, vectors, strict=True)))
        responses.add_vectors(session, project, "other-1", {keys[0]: vectors[2]})

    def stream(**asked: Any) -> dict[int, tuple[str, list[float]]]:
        with database.reading() as session:
            parts = list(stream_vectors(session, project, OpinionFilter(**asked), "tiny-1"))
        return {int(row): (str(language), vector.tolist()) for part in parts for row, language, vector in zip(*part, strict=True)}

    every = {row: (language, vector.tolist()) for row, language, vector in zip(rows, LANGUAGES, vectors, strict=False)}
    assert stream() == every
    assert stream(themes=("t-1", "t-2")) == {row: every[row] for row in (rows[0], rows[2])}
    assert stream(themes=(), words="rude") == {rows[1]: every[rows[1]]}
    assert stream(words="nobody says this") == {}
