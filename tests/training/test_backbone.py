"""The model opened for training is the model that serves, and adapters change it only where they say so."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the [train] extra is not installed")

from feedback_miner.embedders.e5 import E5Embedder, InputEmbeddings  # noqa: E402
from feedback_miner.embedders.e5_weights import find_packed_file, float_weights, read_packed_model  # noqa: E402
from feedback_miner.training.backbone import (  # noqa: E402
    Adapter,
    Backbone,
    adapters_off,
    add_adapters,
    attend,
    first_of_tokens,
    layer_weights,
    mean_of_tokens,
    open_backbone,
    pad_tokens,
    reads_halves,
)

TEXTS = ("I waited forty minutes and nobody could tell me where my parcel was.", "快递员态度很差，打电话也不接。", "ok")


@pytest.fixture(scope="module")
def model():
    return read_packed_model(find_packed_file())


def small(seed: int = 0) -> Backbone:
    torch.manual_seed(seed)
    backbone = Backbone(vocabulary=50, positions=16, hidden=24, layers=2, heads=3, feed_forward=48, epsilon=1e-12)
    return backbone.requires_grad_(requires_grad=False)


def test_answers_as_the_graph_that_serves(model) -> None:
    backbone = open_backbone(model)
    inputs = InputEmbeddings(model, max_tokens=192)
    vectors = backbone(pad_tokens([inputs.token_ids(text) for text in TEXTS])).numpy()
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1.0] * 3, abs=1e-5)
    assert (vectors * E5Embedder().encode(TEXTS)).sum(axis=1).min() > 0.998
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    floats = float_weights(model)
    mine = layer_weights(backbone)
    assert mine.keys() == floats.keys()
    assert all(np.array_equal(mine[name], floats[name]) for name in floats)


def test_company_and_padding_do_not_matter() -> None:
    backbone = small()
    rows = [[1, 2, 3, 4, 5, 6, 7], [8, 9], [10, 11, 12]]
    together = backbone(pad_tokens(rows))
    alone = torch.cat([backbone(pad_tokens([row])) for row in rows])
    assert torch.allclose(together, alone, atol=1e-6)


def test_a_kernel_of_torch_sees_what_is_written_out() -> None:
    torch.manual_seed(2)
    query, key, value = torch.randn(3, 2, 4, 8, 6)
    present = torch.arange(8) < torch.tensor([[8], [3]])
    written, fused = (attend(query, key, value, present, fused=fused) for fused in (False, True))
    assert torch.allclose(written, fused, atol=1e-5)
    assert torch.allclose(written[1], attend(query[1:], key[1:, :, :3], value[1:, :, :3], present[1:, :3], fused=False)[0], atol=1e-5)


def test_some_words_are_a_table_of_their_own(model) -> None:
    rows = [0, 2, 777, 5_000]
    assert torch.equal(open_backbone(model, rows).words.weight, open_backbone(model).words.weight[rows])


def test_readings_of_tokens() -> None:
    states = torch.tensor([[3.0, 0.0], [0.0, 4.0], [5.0, 12.0]])  # a text of two tokens, one of one
    present = torch.tensor([[True, True], [True, False]])
    assert mean_of_tokens(states, present).numpy() == pytest.approx(np.array([[0.6, 0.8], [5 / 13, 12 / 13]]))
    assert first_of_tokens(states, present).tolist() == [[3.0, 0.0], [5.0, 12.0]]


def test_adapters_start_as_nothing_train_alone_and_merge() -> None:
    backbone, tokens = small(), pad_tokens([[1, 2, 3], [4, 5]])
    before = backbone(tokens)
    trainable = list(add_adapters(backbone, rank=4, strength=8.0))
    assert len(trainable) == 2 * 4 * 2
    assert torch.allclose(backbone(tokens), before, atol=1e-6)
    with torch.no_grad():
        for parameter in trainable:
            parameter.normal_(std=0.2)
    after = backbone(tokens)
    assert not torch.allclose(after, before, atol=1e-2)
    with adapters_off():
        assert torch.allclose(backbone(tokens), before, atol=1e-6)
    assert torch.allclose(backbone(tokens), after)
    for layer in backbone.layers:
        for name, part in list(layer.named_children()):
            if isinstance(part, Adapter):
                setattr(layer, name, part.merged())
    assert torch.allclose(backbone(tokens), after, atol=1e-5)


@pytest.mark.parametrize(
    ("device", "instructions", "halves"),
    [("cpu", "avx512_bf16", True), ("cpu", "amx_bf16", True), ("cpu", "bf16", True), ("cpu", "avx512_f", False), ("cuda", "avx2", True)],
)
def test_halves_only_where_they_are_faster(device: str, instructions: str, halves: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True, instructions: True})
    assert reads_halves(torch.device(device)) is halves
