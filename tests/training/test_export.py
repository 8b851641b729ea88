"""What is written serves what was trained: both parts of a vector, at the lengths they are promised."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the [train] extra is not installed")

from feedback_miner.embedders.e5_weights import graph_weights  # noqa: E402
from feedback_miner.embedders.one_by_one import open_session  # noqa: E402
from feedback_miner.training.backbone import Backbone, layer_weights, pad_tokens  # noqa: E402
from feedback_miner.training.e5_graph import build_graph  # noqa: E402
from feedback_miner.training.export import add_sentiment, with_weights  # noqa: E402
from feedback_miner.training.student import Student  # noqa: E402

SIZES = {"hidden": 48, "layers": 2, "heads": 3, "feed_forward": 96, "epsilon": 1e-12}
ROWS = [[1, 2, 3, 4, 5, 6, 7], [8, 9], [10, 11, 12, 13]]


def test_both_parts_serve_as_trained() -> None:
    torch.manual_seed(3)
    student = Student(Backbone(vocabulary=50, positions=16, **SIZES), sentiment_dimensions=8).eval()
    backbone, reading = student.backbone, student.sentiment
    with torch.no_grad():
        about, sentiments = (part.numpy() for part in student(*pad_tokens(ROWS)))
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
