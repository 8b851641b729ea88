from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from sqlalchemy import text

from feedback_miner.domain import ContentStatus, Document, FeedbackItem, Opinion
from feedback_miner.store import projects, responses

ODD = "late \U0001f620 \U00020bb7 e\u0301 \u2028 \ufffd 'quoted' %s :name \\"
NIGHT = datetime(2026, 1, 31, 23, 59, 59, 999999, UTC).replace(tzinfo=None)
ITEMS = [
    FeedbackItem("00000000000000aa", 2, (), 9.0, NIGHT, "c-1", "web", 0.1, (("region", "北方"), ("tier", ODD))),
    FeedbackItem("00000000000000aa-2", 3, (), 9.0, NIGHT, "c-1", "web", 0.1, ()),
    FeedbackItem("00000000000000bb", 4, (), 1 / 3, None, "c-2", None, 5e-324, (("a", ""),)),
    FeedbackItem("00000000000000cc", 5, (), None, None, None, None, 1.7976931348623157e308, ()),
]
DOCUMENTS = [
    Document("00000000000000aa.0", "00000000000000aa", "q1", ODD, "en", ContentStatus.RESIDUAL, 1, False, (("EMAIL", 2), ("NAME", 1))),
    Document("00000000000000aa.1", "00000000000000aa", "q2", "n/a", "und", ContentStatus.NO_CONTENT, 1, True, ()),
    Document("00000000000000bb.0", "00000000000000bb", "q1", "送货太慢了。态度差", "zh", ContentStatus.RESIDUAL, 1, False, ()),
]
OPINIONS = [
    Opinion("00000000000000aa.0#0", "00000000000000aa.0", 0, len(ODD), ODD),
    Opinion("00000000000000bb.0#0", "00000000000000bb.0", 0, 5, "送货太慢了"),
    Opinion("00000000000000bb.0#6", "00000000000000bb.0", 6, 9, "态度差"),
]
VECTORS = {bytes([number]) * 16: np.float32([number / 7, -1e-7, 65504.0]) for number in range(1, 4)}


@pytest.fixture
def stored(database, project, batch):
    with database.transaction() as session:
        # The order of adding is not the order of reading.
        for item in reversed(ITEMS):
            documents = [document for document in DOCUMENTS if document.item == item.id]
            opinions = [opinion for opinion in OPINIONS if opinion.document.startswith(f"{item.id}.")]
            responses.add_responses(session, project, batch, [item], {item.id: item.row}, documents, opinions)
        rows = responses.load_opinions(session, project)[1]
        responses.set_text_keys(session, dict(zip(rows, VECTORS, strict=True)))
        responses.add_vectors(session, project, "tiny", VECTORS)
        responses.add_vectors(session, project, "other", VECTORS)
    return project


def test_a_corpus_comes_back_to_the_bit(database, stored):
    with database.reading() as session:
        assert responses.load_items(session, stored) == ITEMS
        assert responses.load_documents(session, stored) == DOCUMENTS
        assert responses.load_opinions(session, stored)[0] == OPINIONS
        assert responses.load_rows(session, stored) == (0, {item.id: item.row for item in ITEMS})


def test_all_at_once_is_one_by_one(database, stored, batch):
    with database.transaction() as session:
        other = projects.add_project(session, "other", {}).id
        again = projects.add_batch(session, other, source="a.csv", sha256="0" * 64, options={}).id
        responses.add_responses(session, other, again, ITEMS, {item.id: item.row for item in ITEMS}, DOCUMENTS, OPINIONS)
        responses.add_responses(session, other, again, [], {}, [], [])
    with database.reading() as session:
        assert responses.load_items(session, other) == ITEMS
        assert responses.load_documents(session, other) == DOCUMENTS
        assert responses.load_opinions(session, other)[0] == OPINIONS


def test_the_same_response_twice_is_refused(database, stored, batch):
    with pytest.raises(Exception, match="UNIQUE|unique"), database.transaction() as session:
        responses.add_responses(session, stored, batch, [replace(ITEMS[0], row=9)], {ITEMS[0].id: 9}, [], [])


def test_vectors_come_back_in_the_order_asked(database, stored):
    keys = [*reversed(VECTORS), next(iter(VECTORS))]
    with database.reading() as session:
        loaded = responses.load_vectors(session, stored, "tiny", keys)
        assert responses.load_vectors(session, stored, "tiny", []).shape[0] == 0
        with pytest.raises(KeyError):
            responses.load_vectors(session, stored, "tiny", [b"x" * 16])
    assert loaded.dtype == np.float32
    assert loaded.tolist() == np.stack([VECTORS[key] for key in keys]).astype(np.float16).astype(np.float32).tolist()


def test_missing_vectors_are_those_of_the_encoder(database, stored):
    fresh = b"\xff" * 16
    with database.reading() as session:
        assert responses.missing_vectors(session, stored, "tiny", [*VECTORS, fresh]) == [fresh]
        assert responses.missing_vectors(session, stored, "third", VECTORS) == sorted(VECTORS)


def test_more_keys_than_a_statement_names_are_asked_for_in_parts(database, project):
    vectors = {number.to_bytes(16, "big"): np.float32([number]) for number in range(1, 2_501)}
    with database.transaction() as session:
        responses.add_vectors(session, project, "tiny", vectors)
        responses.add_vectors(session, project, "tiny", vectors)
    with database.reading() as session:
        assert responses.missing_vectors(session, project, "tiny", vectors) == []
        assert responses.load_vectors(session, project, "tiny", list(vectors))[:, 0].tolist() == [*range(1, 2_049), *_halved(2_049, 2_501)]


def test_the_last_number_of_identical_responses_is_told_by_other_batches(database, stored, batch):
    contents = ["00000000000000aa", "00000000000000bb", "00000000000000dd"]
    with database.reading() as session:
        assert responses.last_numbers(session, stored, contents, other_than="none") == {"00000000000000aa": 2, "00000000000000bb": 1}
        assert responses.last_numbers(session, stored, contents, other_than=batch) == {}


def test_texts_are_streamed_with_their_languages(database, stored):
    languages = {document.id: document.language for document in DOCUMENTS}
    with database.reading() as session:
        streamed = sorted(responses.stream_texts(session, stored))
    assert streamed == sorted((opinion.text, languages[opinion.document]) for opinion in OPINIONS)


def test_a_shard_holds_what_has_no_text_key_yet(database, stored):
    with database.transaction() as session:
        assert responses.load_shard(session, stored, 0, 10) == []
        assert responses.count_encoded(session, stored) == (3, 3)
        session.execute(text("UPDATE opinions SET text_key = NULL"))
    with database.reading() as session:
        shard = responses.load_shard(session, stored, 0, 2)
        rest = responses.load_shard(session, stored, shard[-1][0], 10)
        assert responses.count_encoded(session, stored) == (0, 3)
    assert sorted(said for _, said, _ in [*shard, *rest]) == sorted(opinion.text for opinion in OPINIONS)
    assert (len(shard), len(rest)) == (2, 1)


def test_a_customer_goes_with_everything_only_they_had(database, stored):
    with database.transaction() as session:
        rows = responses.load_opinions(session, stored)[1]
        shared = next(iter(VECTORS))  # says the first, whose customer stays
        responses.set_text_keys(session, {rows[2]: shared})
    with database.transaction() as session:
        assert responses.delete_customer(session, stored, "nobody") == 0
        assert projects.get_project(session, stored).deletions == 0
        assert responses.delete_customer(session, stored, "c-2") == 1
        assert projects.get_project(session, stored).deletions == 1
    with database.reading() as session:
        assert [item.id for item in responses.load_items(session, stored)] == [item.id for item in ITEMS if item.customer != "c-2"]
        left = {(row.encoder, bytes(row.text_key)) for row in session.execute(text("SELECT encoder, text_key FROM vectors"))}
    assert left == {("tiny", shared), ("other", shared)}


def test_a_deletion_takes_the_vector_of_a_whole_text_with_it(database, stored):
    whole, others = bytes([9]) * 16, bytes([8]) * 16
    with database.transaction() as session:
        responses.add_vectors(session, stored, "tiny", {whole: VECTORS[bytes([1]) * 16], others: VECTORS[bytes([2]) * 16]})
        responses.set_whole_keys(session, stored, {"00000000000000bb.0": whole, "00000000000000aa.0": others, "not there": whole})
    with database.transaction() as session:
        responses.set_whole_keys(session, stored, {"00000000000000bb.0": whole})  # once more changes nothing
        assert responses.delete_customer(session, stored, "c-2") == 1
    with database.reading() as session:
        left = {bytes(key) for key in session.scalars(text("SELECT text_key FROM vectors"))}
    assert others in left
    assert whole not in left


def test_another_project_keeps_its_customer_of_that_name(database, stored):
    with database.transaction() as session:
        other = projects.add_project(session, "other", {}).id
        assert responses.delete_customer(session, other, "c-1") == 0
    with database.reading() as session:
        assert len(responses.load_items(session, stored)) == len(ITEMS)


def _halved(start: int, end: int) -> list[float]:
    return np.arange(start, end).astype(np.float16).astype(np.float32).tolist()
