"""The committed graph is what the script builds: nobody edits it by hand."""

import numpy as np
import pytest

from feedback_miner.training.e5_graph import build_graph, choose_outliers, main
from feedback_miner.weights import model_path

pytest.importorskip("onnx", reason="building the graph needs the [train] extra")


def test_main_writes_the_committed_files(tmp_path):
    main(tmp_path)
    for name in ("graph.onnx", "outliers.json"):
        assert (tmp_path / name).read_bytes() == (model_path("e5-small") / name).read_bytes()


def test_build_graph_carries_no_weights():
    small = build_graph(hidden=8, layers=1, heads=2, feed_forward=16, epsilon=1e-12)
    large = build_graph(hidden=800, layers=1, heads=2, feed_forward=1600, epsilon=1e-12)
    assert abs(len(large) - len(small)) < 200


def test_choose_outliers_divides_by_powers_of_two_until_tame():
    peaks = [np.array([5.9, 8.1, 100.0, 0.0], np.float32), np.array([7.9], np.float32)]
    assert choose_outliers({"up": peaks}) == {"up": [[(1, 2.0), (2, 32.0)], []]}
