"""Clusters of planted blobs: found, refined, limited, joined under parents; and every input too small or too plain to hold any."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import feedback_miner
from feedback_miner.config import MiningConfig
from feedback_miner.stages.cluster import Clusters, assign_in_waves, assign_to_centres, fit_clusters, fit_more_clusters
from feedback_miner.stages.space import unit_rows

DIMENSIONS = 32


def directions(count: int, *, seed: int = 0) -> np.ndarray:
    """Orthogonal unit rows."""
    square = np.random.default_rng(seed).normal(size=(DIMENSIONS, DIMENSIONS))
    return np.linalg.qr(square)[0][:count].astype(np.float32)


def blobs(centres: np.ndarray, sizes: list[int], *, spread: float = 0.06, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Unit rows scattered round centres, shuffled, and the blob each belongs to."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(len(centres)), sizes)
    order = rng.permutation(len(truth))
    rows = centres[truth] + rng.normal(scale=spread, size=(len(truth), DIMENSIONS))
    return unit_rows(rows.astype(np.float32))[order], truth[order]


def noise(count: int, *, seed: int = 2) -> np.ndarray:
    return unit_rows(np.random.default_rng(seed).normal(size=(count, DIMENSIONS)).astype(np.float32))


def check_shapes(clusters: Clusters, count: int) -> None:
    """What holds for any answer: shapes, ranges, every parent in use, labels that keep to their thresholds."""
    leaves = len(clusters.centres)
    assert clusters.labels.shape == (count,)
    assert clusters.centres.shape == (leaves, DIMENSIONS)
    assert clusters.thresholds.shape == clusters.parents.shape == (leaves,)
    assert clusters.labels.min(initial=-1) >= -1
    assert clusters.labels.max(initial=-1) < leaves
    assert set(clusters.parents.tolist()) == set(range(int(clusters.parents.max(initial=-1)) + 1))
    assert np.isfinite(clusters.centres).all()
    assert np.isfinite(clusters.thresholds).all()
    np.testing.assert_allclose(np.linalg.norm(clusters.centres, axis=1), 1.0, rtol=1e-5)


@pytest.fixture(scope="module")
def planted() -> tuple[np.ndarray, np.ndarray, Clusters]:
    vectors, truth = blobs(directions(6), [40, 35, 30, 30, 25, 20])
    return vectors, truth, fit_clusters(vectors, MiningConfig())


def test_recovers_planted_blobs(planted: tuple[np.ndarray, np.ndarray, Clusters]) -> None:
    vectors, truth, clusters = planted
    check_shapes(clusters, len(vectors))
    kept = clusters.labels >= 0
    assert kept.mean() > 0.8
    for leaf in range(len(clusters.centres)):  # a blob may be split, never mixed
        assert len(set(truth[clusters.labels == leaf].tolist())) == 1
    assert {int(truth[clusters.labels == leaf][0]) for leaf in range(len(clusters.centres))} == set(range(6))


@pytest.mark.parametrize(("size", "count", "usual"), [pytest.param(6, 80, 8, id="fine"), pytest.param(100, 8, 10, id="coarse")])
def test_leaves_are_as_fine_as_what_was_planted(size: int, count: int, usual: int) -> None:
    """Blobs smaller than the usual leaf are not mixed, nor are large ones broken into as many."""
    centres = unit_rows(np.random.default_rng(3).normal(size=(count, DIMENSIONS)).astype(np.float32))
    vectors, truth = blobs(centres, [size] * count, spread=0.03 if size < 20 else 0.06)
    clusters = fit_clusters(vectors, MiningConfig())
    assert all(len(set(truth[clusters.labels == leaf].tolist())) == 1 for leaf in range(len(clusters.centres)))
    assert set(truth[clusters.labels >= 0].tolist()) == set(range(count))
    as_usual = fit_clusters(vectors, MiningConfig(min_theme_opinions=usual))
    assert abs(len(as_usual.centres) - count) > 2 * abs(len(clusters.centres) - count)


@pytest.mark.parametrize("spread", [0.06, 0.09])
def test_large_and_small_themes_of_one_corpus_are_each_one_leaf(spread: float) -> None:
    sizes = [120] * 6 + [8] * 30
    centres = unit_rows(np.random.default_rng(3).normal(size=(len(sizes), DIMENSIONS)).astype(np.float32))
    vectors, truth = blobs(centres, sizes, spread=spread)
    clusters = fit_clusters(vectors, MiningConfig())
    pairs = {(int(blob), int(leaf)) for blob, leaf in zip(truth, clusters.labels, strict=True) if leaf >= 0}
    assert len(clusters.centres) == len(pairs) == len(sizes), "no blob is broken, none mixed, none missed"


def test_complaints_that_hardly_part_are_not_gathered_by_subject() -> None:
    """Four subjects of five complaints: of all that density sees the four stand apart most clearly, and tell an analyst least."""
    subjects = np.repeat(directions(4), 5, axis=0)
    complaints = unit_rows(subjects + 0.3 * unit_rows(np.random.default_rng(5).normal(size=subjects.shape).astype(np.float32)))
    vectors, truth = blobs(complaints, [30] * len(complaints), spread=0.09)
    clusters = fit_clusters(vectors, MiningConfig())
    assert abs(len(clusters.centres) - len(complaints)) <= 4
    for leaf in range(len(clusters.centres)):
        inside = np.bincount(truth[clusters.labels == leaf])
        assert inside.max() > 0.5 * inside.sum()


def test_keeps_far_strangers_out(planted: tuple[np.ndarray, np.ndarray, Clusters]) -> None:
    _, _, clusters = planted
    strangers = directions(12)[6:]  # orthogonal to every blob
    nearest, cosines = assign_to_centres(strangers, clusters.centres)
    assert (cosines[:, 0] < clusters.thresholds[nearest[:, 0]]).all()


def test_labels_are_what_the_frozen_centres_say(planted: tuple[np.ndarray, np.ndarray, Clusters]) -> None:
    vectors, _, clusters = planted
    nearest, cosines = assign_to_centres(vectors, clusters.centres)
    served = np.where(cosines[:, 0] >= clusters.thresholds[nearest[:, 0]], nearest[:, 0], -1)
    np.testing.assert_array_equal(served, clusters.labels)


def test_fits_the_same_bits_twice(planted: tuple[np.ndarray, np.ndarray, Clusters]) -> None:
    vectors, _, clusters = planted
    again = fit_clusters(vectors.copy(), MiningConfig())
    for name in ("labels", "centres", "thresholds", "parents"):
        assert getattr(again, name).tobytes() == getattr(clusters, name).tobytes()


@pytest.mark.parametrize("most", [1, 2, 4])
def test_merges_down_to_the_most_leaves_allowed(planted: tuple[np.ndarray, np.ndarray, Clusters], most: int) -> None:
    vectors, _, _ = planted
    clusters = fit_clusters(vectors, MiningConfig(max_leaves=most))
    check_shapes(clusters, len(vectors))
    assert len(clusters.centres) == most


def test_gives_close_leaves_one_parent() -> None:
    """Four blobs in two pairs: cosine .8 within a pair, 0 between."""
    axes = directions(4)
    centres = np.stack([axes[0], 0.8 * axes[0] + 0.6 * axes[1], axes[2], 0.8 * axes[2] + 0.6 * axes[3]])
    vectors, truth = blobs(centres, [30] * 4, spread=0.03)
    clusters = fit_clusters(vectors, MiningConfig())
    check_shapes(clusters, len(vectors))
    pair_of = {leaf: {int(blob) // 2 for blob in truth[clusters.labels == leaf]} for leaf in range(len(clusters.centres))}
    assert all(len(pair) == 1 for pair in pair_of.values())
    by_parent = {(int(clusters.parents[leaf]), *pair) for leaf, pair in pair_of.items()}
    assert len(by_parent) == 2
    assert len({parent for parent, _ in by_parent}) == 2


@pytest.mark.parametrize(("similarity", "parents"), [(-0.9, 1), (0.9999, 6)])
def test_joins_parents_at_the_similarity_asked_for(similarity: float, parents: int) -> None:
    vectors, _ = blobs(directions(6), [5] * 6, spread=0.01)
    clusters = fit_clusters(vectors, MiningConfig(parent_similarity=similarity, min_theme_opinions=3))
    assert len(clusters.centres) == 6
    assert len(set(clusters.parents.tolist())) == parents


@pytest.mark.parametrize("count", [0, 1, 3, 5])
def test_finds_no_leaves_in_too_few_rows(count: int) -> None:
    clusters = fit_clusters(noise(6)[:count], MiningConfig())
    check_shapes(clusters, count)
    assert len(clusters.centres) == 0
    assert (clusters.labels == -1).all()


@pytest.mark.parametrize("count", [10, 39, 40, 41])
def test_takes_few_rows_on_either_side_of_the_change_of_method(count: int) -> None:
    vectors, truth = blobs(directions(2), [count // 2, count - count // 2], spread=0.02)
    clusters = fit_clusters(vectors, MiningConfig())
    check_shapes(clusters, count)
    assert len(clusters.centres) >= 2
    for leaf in range(len(clusters.centres)):
        assert len(set(truth[clusters.labels == leaf].tolist())) == 1


@pytest.mark.parametrize("count", [10, 39, 40, 120])
def test_takes_all_distinct_noise(count: int) -> None:
    check_shapes(fit_clusters(noise(count), MiningConfig()), count)


def test_finds_no_leaves_where_a_handful_have_nothing_in_common() -> None:
    clusters = fit_clusters(directions(12), MiningConfig())
    assert len(clusters.centres) == 0


@pytest.mark.parametrize("count", [10, 39, 40, 100])
def test_puts_identical_rows_together(count: int) -> None:
    clusters = fit_clusters(np.repeat(noise(1), count, axis=0), MiningConfig())
    check_shapes(clusters, count)
    assert len(set(clusters.labels.tolist())) == 1


@pytest.mark.parametrize("count", [10, 60])
def test_takes_rows_of_zeros(count: int) -> None:
    """A vector that is exactly its language's mean is nothing once aligned."""
    vectors, _ = blobs(directions(2), [count // 2, count // 2], spread=0.02)
    vectors[:4] = 0.0
    check_shapes(fit_clusters(vectors, MiningConfig()), count)


@pytest.mark.parametrize("smallest", [1, 2, 7])
@pytest.mark.parametrize("count", [30, 60])
def test_obeys_the_smallest_theme_asked_for(smallest: int, count: int) -> None:
    vectors, _ = blobs(directions(3), [count // 3] * 3, spread=0.02)
    clusters = fit_clusters(vectors, MiningConfig(min_theme_opinions=smallest))
    check_shapes(clusters, count)
    assert len(clusters.centres) >= 1
    assert np.bincount(clusters.labels[clusters.labels >= 0]).max() >= smallest


def test_lets_in_all_but_the_quantile_of_a_leafs_own() -> None:
    vectors, _ = blobs(directions(2), [100, 100])
    loose, strict = (fit_clusters(vectors, MiningConfig(assign_quantile=quantile)) for quantile in (0.0, 0.3))
    np.testing.assert_array_equal(loose.centres, strict.centres)
    assert (loose.thresholds < strict.thresholds).all()
    assert (strict.labels >= 0).mean() < (loose.labels >= 0).mean() - 0.1
    assert (loose.labels >= 0).mean() > 0.85


def test_assigns_a_row_alone_as_in_company() -> None:
    vectors, centres = noise(200), noise(50, seed=3)
    nearest, cosines = assign_to_centres(vectors, centres)
    for row in range(0, 200, 7):
        alone, cosine = assign_to_centres(vectors[row : row + 1].copy(), centres)
        assert alone.tobytes() == nearest[row].tobytes()
        assert cosine.tobytes() == cosines[row].tobytes()


def test_assigns_the_two_nearest_first_one_first() -> None:
    centres = np.array([[1, 0], [0, 1], [0.6, 0.8]], np.float32)
    nearest, cosines = assign_to_centres(np.array([[0, 1]], np.float32), centres)
    assert nearest.tolist() == [[1, 2]]
    np.testing.assert_allclose(cosines, [[1.0, 0.8]])


def test_breaks_ties_by_the_number_of_the_centre() -> None:
    centres = np.array([[0, 1], [1, 0], [1, 0]], np.float32)
    assert assign_to_centres(np.array([[1, 0]], np.float32), centres)[0].tolist() == [[1, 2]]


def test_says_there_is_no_second_centre_or_none_at_all() -> None:
    one = assign_to_centres(np.array([[1, 0]], np.float32), np.array([[0.6, 0.8]], np.float32))
    assert one[0].tolist() == [[0, -1]]
    np.testing.assert_allclose(one[1], [[0.6, -1.0]])
    none = assign_to_centres(np.array([[1, 0]], np.float32), np.zeros((0, 2), np.float32))
    assert none[0].tolist() == [[-1, -1]]
    assert assign_to_centres(np.zeros((0, 2), np.float32), np.zeros((0, 2), np.float32))[0].shape == (0, 2)


LIVING = directions(6)
ASKED = np.linspace(0.7, 0.9, 6, dtype=np.float32)


def refused(*new: np.ndarray) -> np.ndarray:
    """Noise and whatever is new, less what the living leaves take in."""
    vectors = np.concatenate([noise(60), *new])
    return vectors[~assign_in_waves(vectors, LIVING, ASKED, ())[2]]


def find_more(vectors: np.ndarray, *, corpus: int = 400, **config: int | None) -> Clusters:
    return fit_more_clusters(vectors, LIVING, ASKED, MiningConfig(**config), corpus=corpus)


@pytest.mark.parametrize("size", [25, 80])
def test_finds_one_more_leaf_among_the_refused(size: int) -> None:
    newcomers, _ = blobs(directions(7)[6:], [size], seed=5)
    vectors = refused(newcomers)
    found = find_more(vectors)
    check_shapes(found, len(vectors))
    assert len(found.centres) == 1
    assert found.centres[0] @ directions(7)[6] > 0.95
    assert found.thresholds.tolist() == [np.median(ASKED)]
    assert (assign_to_centres(newcomers, found.centres)[1][:, 0] >= found.thresholds[0]).mean() > 0.95


def test_finds_two_more_leaves_under_a_parent_each() -> None:
    newcomers, _ = blobs(directions(8)[6:], [40, 40], seed=5)
    found = find_more(refused(newcomers))
    assert sorted((found.centres @ directions(8)[6:].T).argmax(axis=1).tolist()) == [0, 1]
    assert len(set(found.parents.tolist())) == 2


def test_sees_one_leaf_where_nothing_else_is_refused() -> None:
    """Density tells clusters from each other, and here is only one."""
    newcomers, _ = blobs(directions(7)[6:], [60], seed=5)
    found = find_more(newcomers)
    assert len(found.centres) == 1
    assert (found.labels == 0).mean() > 0.95


@pytest.mark.parametrize("count", [0, 5, 39, 120])
def test_finds_no_more_leaves_in_noise(count: int) -> None:
    found = find_more(noise(120)[:count])
    check_shapes(found, count)
    assert len(found.centres) == 0


def test_takes_the_rim_of_a_leaf_for_no_new_one() -> None:
    """A crowd that only a stricter threshold keeps out of a leaf is that leaf over again."""
    crowd, _ = blobs(directions(1), [60], seed=5)
    crowd = crowd[crowd @ directions(1)[0] < 0.95]
    strict = np.array([0.95, 0.6], np.float32)
    assert len(fit_more_clusters(crowd, directions(2), strict, MiningConfig(), corpus=400).centres) == 0
    assert len(fit_more_clusters(crowd, directions(2)[1:], strict[1:], MiningConfig(), corpus=400).centres) == 1, "there is a crowd"


@pytest.mark.parametrize(("most", "smallest", "expected"), [(1, None, [1]), (0, None, []), (9, 35, [1]), (9, 60, [])])
def test_keeps_the_largest_of_the_new_leaves(most: int, smallest: int | None, expected: list[int]) -> None:
    newcomers, _ = blobs(directions(8)[6:], [30, 50], seed=5)
    found = find_more(refused(newcomers), max_leaves=most, min_theme_opinions=smallest)
    assert (found.centres @ directions(8)[6:].T).argmax(axis=1).tolist() == expected


@pytest.mark.parametrize(("corpus", "leaves"), [(400, 1), (20_000, 0)])
def test_asks_more_leaves_for_the_size_that_all_would_ask(corpus: int, leaves: int) -> None:
    newcomers, _ = blobs(directions(7)[6:], [30], seed=5)
    assert len(find_more(refused(newcomers), corpus=corpus).centres) == leaves


def test_finds_no_more_leaves_without_any_before() -> None:
    newcomers, _ = blobs(directions(7)[6:], [60], seed=5)
    assert len(fit_more_clusters(newcomers, LIVING[:0], ASKED[:0], MiningConfig(), corpus=400).centres) == 0


def test_asks_later_waves_only_about_what_earlier_ones_refuse() -> None:
    centres = np.array([[1, 0], [0, 1], [0.8, 0.6]], np.float32)
    thresholds = np.array([0.7, 0.99, 0.9], np.float32)
    vectors = np.array([[0.8, 0.6], [0.6, 0.8], [0, 1], [-1, 0]], np.float32)
    nearest, cosines, taken = assign_in_waves(vectors, centres, thresholds, (2,))
    assert nearest[:, 0].tolist() == [0, 2, 1, 1]  # the first goes to where it went when there was no third centre
    assert taken.tolist() == [True, True, True, False]
    np.testing.assert_allclose(cosines[:, 0], [0.8, 0.96, 1.0, 0.0], atol=1e-6)
    alone, _, _ = assign_in_waves(vectors, centres, thresholds, ())
    assert alone[0].tolist() == [2, 0]


def test_takes_a_first_wave_without_centres() -> None:
    centres = np.array([[1, 0]], np.float32)
    nearest, _, taken = assign_in_waves(np.eye(2, dtype=np.float32), centres, np.array([0.5], np.float32), (0,))
    assert (nearest[:, 0].tolist(), taken.tolist()) == ([0, 0], [True, False])
    assert assign_in_waves(np.eye(2, dtype=np.float32), centres[:0], np.zeros(0, np.float32), ())[2].tolist() == [False, False]


def test_assigns_in_waves_as_the_first_wave_did_alone() -> None:
    vectors, centres = noise(200), noise(53, seed=3)
    thresholds = np.full(53, 0.3, np.float32)
    first, cosines, taken = assign_in_waves(vectors, centres[:41].copy(), thresholds[:41], ())
    later, closer, _ = assign_in_waves(vectors, centres, thresholds, (41, 47))
    assert 0 < taken.sum() < len(taken)
    assert later[taken].tobytes() == first[taken].tobytes()
    assert closer[taken].tobytes() == cosines[taken].tobytes()


FIT = """
import sys
import numpy as np
from feedback_miner.config import MiningConfig
from feedback_miner.stages.cluster import fit_clusters
sys.stdout.write(fit_clusters(np.load(sys.argv[1]), MiningConfig()).centres.tobytes().hex())
"""


@pytest.mark.slow
def test_a_process_takes_over_what_another_compiled(planted: tuple[np.ndarray, np.ndarray, Clusters], tmp_path: Path) -> None:
    np.save(tmp_path / "vectors.npy", planted[0])
    root, compiled = Path(feedback_miner.__file__).parent.parent, tmp_path / "compiled"
    found, kept = [], []
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "-c", FIT, str(tmp_path / "vectors.npy")],
            env={**os.environ, "PYTHONPATH": str(root), "NUMBA_CACHE_DIR": str(compiled)},
            capture_output=True,
            text=True,
            check=True,
            timeout=300,
        )
        found.append(done.stdout)
        kept.append({path: path.stat().st_mtime_ns for path in compiled.rglob("*.nbc")})
    assert any("smooth_knn_dist" in path.name for path in kept[0])
    assert kept[0] == kept[1]
    assert found == [planted[2].centres.tobytes().hex()] * 2
