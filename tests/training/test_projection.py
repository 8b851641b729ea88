"""The theme projection: what shares a label comes together, whichever set it is from, the same map twice."""

import numpy as np
import pytest

from feedback_miner.stages.space import unit_rows
from feedback_miner.training.heads import SENTIMENT_SETS
from feedback_miner.training.projection import THEME_LABELS, LabelledVectors, fit_projection
from feedback_miner.training.sets import LEFT_OUT

pytest.importorskip("torch", reason="the [train] extra is not installed")

WIDTH, CLASSES = 24, 4


def labelled(count: int, *, seed: int) -> tuple[LabelledVectors, np.ndarray]:
    """Rows whose label lies in three axes, drowned in noise on all the others."""
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, CLASSES, count)
    signal = np.random.default_rng(0).normal(size=(CLASSES, 3))[classes]
    rows = np.hstack([signal, rng.normal(scale=2.0, size=(count, WIDTH - 3))])
    return LabelledVectors(unit_rows(rows.astype(np.float32)), [frozenset({f"label {at}"}) for at in classes]), classes


def nearest_shares_label(vectors: np.ndarray, classes: np.ndarray) -> float:
    cosines = vectors @ vectors.T
    np.fill_diagonal(cosines, -2.0)
    return float((classes[cosines.argmax(axis=1)] == classes).mean())


@pytest.fixture(scope="module")
def tasks() -> list[LabelledVectors]:
    return [labelled(300, seed=1)[0], labelled(150, seed=2)[0]]


@pytest.fixture(scope="module")
def projection(tasks: list[LabelledVectors]) -> np.ndarray:
    return fit_projection(tasks)


def test_brings_unseen_rows_of_one_label_together(projection: np.ndarray) -> None:
    unseen, classes = labelled(200, seed=3)
    before = nearest_shares_label(unseen.vectors, classes)
    after = nearest_shares_label(unit_rows(unseen.vectors @ projection), classes)
    assert before < 0.5
    assert after > before + 0.2


def test_has_the_shape_and_type_that_is_served(projection: np.ndarray) -> None:
    assert projection.dtype == np.float32
    assert projection.shape == (WIDTH, 128)
    assert np.isfinite(projection).all()


@pytest.mark.slow
def test_fits_the_same_bits_twice(tasks: list[LabelledVectors], projection: np.ndarray) -> None:
    assert fit_projection(tasks).tobytes() == projection.tobytes()


def test_leaves_the_unseen_families_out() -> None:
    assert not {"clinc150", *LEFT_OUT} & {*THEME_LABELS, *SENTIMENT_SETS}
