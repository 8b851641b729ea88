"""What is written serves what was trained: both parts of a vector, at the lengths they are promised."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the [train] extra is not installed")

from feedback_miner.embedders.e5_weights import graph_weights  # noqa: E402
from feedback_miner.embedders.one_by_one import open_session  # noqa: E402
from feedback_miner.errors import InputError  # noqa: E402
from feedback_miner.training.backbone import Backbone, Encoder, layer_weights, pad_tokens  # noqa: E402
from feedback_miner.training.e5_graph import build_graph  # noqa: E402
from feedback_miner.training.export import add_sentiment, read_student, with_weights  # noqa: E402

SIZES = {"hidden": 48, "layers": 2, "heads": 3, "feed_forward": 96, "epsilon": 1e-12}
ROWS = [[1, 2, 3, 4, 5, 6, 7], [8, 9], [10, 11, 12, 13]]


def make_student(seed: int) -> Encoder:
    torch.manual_seed(seed)
    return Encoder(Backbone(vocabulary=50, positions=16, **SIZES), sentiment_dimensions=8).eval()


def test_what_is_served_can_be_trained_on(tmp_path: Path) -> None:
    student = make_student(5)
    weight, bias = student.sentiment.weight.detach().numpy(), student.sentiment.bias.detach().numpy()
    floats = layer_weights(student.backbone)
    arrays = graph_weights(floats, {"up": [[(3, 4.0)], []], "down": [[], [(7, 2.0)]]})
    (tmp_path / "encoder.onnx").write_bytes(add_sentiment(with_weights(build_graph(**SIZES), arrays), weight.T, bias, share=0.1))
    np.savez(tmp_path / "learned.npz", small=np.ones((2, 48), np.float16), places=np.ones((4, 48), np.float16))
    read = read_student(tmp_path)
    assert read.keys() == {*floats, "sentiment.weight", "sentiment.bias", "small"}
    assert np.array_equal(read["sentiment.weight"], weight)
    for name, array in floats.items():
        assert np.abs(read[name] - array).max() <= 0.04 * np.abs(array).max(), name


def test_says_that_an_older_student_cannot_be_trained_on(tmp_path: Path) -> None:
    arrays = graph_weights(layer_weights(make_student(5).backbone), {"up": [[], []], "down": [[], []]})
    (tmp_path / "encoder.onnx").write_bytes(with_weights(build_graph(**SIZES), arrays))
    with pytest.raises(InputError, match="without a reading of sentiment"):
        read_student(tmp_path)


def test_both_parts_serve_as_trained() -> None:
    student = make_student(3)
    backbone, reading = student.backbone, student.sentiment
    with torch.no_grad():
        about, sentiments, _ = (part.numpy() for part in student(pad_tokens(ROWS)))
        inputs = [(backbone.words(torch.tensor(row)) + backbone.positions[: len(row)])[None].numpy() for row in ROWS]
    arrays = graph_weights(layer_weights(backbone), {"up": [[], []], "down": [[], []]})
    bare = with_weights(build_graph(**SIZES), arrays)
    session = open_session(add_sentiment(bare, reading.weight.detach().numpy().T, reading.bias.detach().numpy(), share=0.1), {})
    served = np.concatenate([session.run(["vector"], {"embeddings": given})[0] for given in inputs])
    assert served.shape == (3, 56)
    assert np.linalg.norm(served, axis=1) == pytest.approx(1.0, abs=1e-5)
    assert (served[:, 48:] ** 2).sum(axis=1) == pytest.approx(0.1, abs=1e-5)
    assert ((served[:, :48] / np.sqrt(0.9)) * about).sum(axis=1).min() > 0.99
    assert ((served[:, 48:] / np.sqrt(0.1)) * sentiments).sum(axis=1).min() > 0.99
