"""The embedder that tests use is itself worth a test: everything else stands on it."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_miner.embedders import load_embedder
from feedback_miner.embedders.tiny import TinyEmbedder

ANY_TEXT = st.text(st.characters(codec=None), max_size=80)


def similarity(first: str, second: str) -> float:
    one, two = TinyEmbedder().encode([first, second])
    return float(one @ two)


def test_load_embedder_finds_tiny_by_name():
    embedder = load_embedder("tiny")
    assert (embedder.name, embedder.dimensions) == ("tiny", 256)


@given(st.lists(ANY_TEXT, max_size=6))
def test_encode_returns_unit_float32_rows(texts):
    vectors = TinyEmbedder().encode(texts)
    assert vectors.shape == (len(texts), 256)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-6)


@settings(max_examples=50)
@given(st.lists(ANY_TEXT, min_size=1, max_size=6))
def test_encode_ignores_company_and_order(texts):
    embedder = TinyEmbedder()
    together = embedder.encode(texts)
    assert np.array_equal(together, embedder.encode(texts[::-1])[::-1])
    assert np.array_equal(together[0], embedder.encode(texts[:1])[0])


@pytest.mark.parametrize(
    ("text", "near", "far"),
    [
        ("the parcel arrived late", "parcel late again", "lovely breakfast buffet"),
        ("快递太慢了", "快递慢", "味道很好"),
        ("late delivery", "Late Deliveries!", "friendly staff"),
        ("客服不回复", "客服一直不回复我", "屏幕碎了"),
    ],
)
def test_encode_places_shared_words_closer(text, near, far):
    assert similarity(text, near) > similarity(text, far) + 0.2


def test_encode_gives_empty_texts_one_fixed_vector():
    vectors = TinyEmbedder().encode(["", "   ", "!?"])
    assert np.array_equal(vectors, np.eye(1, 256, dtype=np.float32).repeat(3, axis=0))


def test_encode_counts_repeats_sublinearly():
    assert 0.8 < similarity("slow slow slow slow app", "slow app") < 0.9999


def test_encode_is_equal_in_another_process():
    code = (
        "import sys; from feedback_miner.embedders.tiny import TinyEmbedder;"
        "sys.stdout.buffer.write(TinyEmbedder().encode(['退款太慢 refund slow']).tobytes())"
    )
    there = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert there == TinyEmbedder().encode(["退款太慢 refund slow"]).tobytes()


def test_encode_reports_progress():
    seen: list[int] = []
    TinyEmbedder().encode(["a", "b"], progress=seen.append)
    assert seen == [2]
