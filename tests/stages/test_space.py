"""The theme space: each language centred by its own mean, rows by themselves, a language with few texts held by the encoder's own mean."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_miner.stages.space import (
    POLARITY_WEIGHT,
    UNKNOWN,
    align_vectors,
    blend_means,
    half_precision,
    language_weights,
    spread_of_dimensions,
    theme_space,
    unit_rows,
)


def random_rows(count: int, width: int, *, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, width)).astype(np.float32)


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("送货很慢", "zh", {"zh": 1.0}),
        ("slow delivery", "en", {"en": 1.0}),
        ("app好慢", "zh", {"zh": 2 / 5, "en": 3 / 5}),
        ("bad 差", "en", {"zh": 1 / 4, "en": 3 / 4}),
        ("zu langsam", "de", {"de": 1.0}),
        ("langsam 慢", "de", {"zh": 1 / 8, "de": 7 / 8}),
        ("配送が遅い", "ja", {"ja": 1.0}),
        ("12345 !!", "zh", {"zh": 1.0}),
        ("12345 !!", "en", {"en": 1.0}),
        ("", "und", {"und": 1.0}),
    ],
)
def test_weighs_languages_by_their_letters(text: str, language: str, expected: dict[str, float]) -> None:
    assert language_weights(text, language) == pytest.approx(expected)


@given(st.text(max_size=40), st.sampled_from(["zh", "en", "de", "ja", "und"]))
def test_weights_are_positive_and_sum_to_one(text: str, language: str) -> None:
    weights = language_weights(text, language)
    assert sum(weights.values()) == pytest.approx(1.0)
    assert min(weights.values()) > 0.0


def test_scales_rows_to_length_one_and_leaves_zero_rows_alone() -> None:
    scaled = unit_rows(np.array([[3.0, 4.0], [0.0, 0.0]], np.float32))
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled, [[0.6, 0.8], [0.0, 0.0]], atol=1e-7)


def test_takes_no_dimension_for_quite_flat() -> None:
    vectors = np.array([[1.0, 0.5, 0.2], [-1.0, 0.5, 0.2 + 1e-7]], np.float32)
    assert spread_of_dimensions(vectors).tolist() == pytest.approx([1.0, 1 / 60, 1 / 60], rel=1e-3)


def test_subtracts_the_mean_of_each_script_by_its_share() -> None:
    means = {name: np.array(mean, np.float32) for name, mean in {"zh": [1, 0, 0], "en": [0, 1, 0], UNKNOWN: [0, 0, 1]}.items()}
    vectors = np.array([[2, 2, 2]] * 3, np.float32)
    aligned = align_vectors(vectors, ["送货慢", "差bad货", "lento"], ["zh", "zh", "es"], means)
    for row, expected in zip(aligned, ([1, 2, 2], [2 - 2 / 5, 2 - 3 / 5, 2], [2, 2, 1]), strict=True):
        np.testing.assert_allclose(row, np.array(expected) / np.linalg.norm(expected), rtol=1e-6)


def test_brings_languages_apart_in_one_direction_together() -> None:
    """What e5 does: every Chinese vector is shifted one way, every English one another; their meanings are the same."""
    meanings = unit_rows(random_rows(6, 16))
    shift = {"zh": 3 * unit_rows(random_rows(1, 16, seed=2))[0], "en": 3 * unit_rows(random_rows(1, 16, seed=3))[0]}
    vectors = np.vstack([meanings + shift["zh"], meanings + shift["en"]])
    languages = ["zh"] * 6 + ["en"] * 6
    texts = ["慢"] * 6 + ["slow"] * 6
    means = {**shift, UNKNOWN: np.zeros(16, np.float32)}
    aligned = align_vectors(vectors, texts, languages, means)
    assert np.array_equal((aligned[:6] @ aligned[6:].T).argmax(axis=1), np.arange(6))


def test_aligns_and_projects_a_row_alone_as_in_company() -> None:
    vectors, projection = unit_rows(random_rows(40, 384)), random_rows(384, 128, seed=4)
    texts, languages, polarity = ["送货 late"] * 40, ["zh", "en"] * 20, np.linspace(-1.0, 1.0, 40)
    means = {"zh": vectors[0], "en": vectors[1], UNKNOWN: vectors[2]}
    together = theme_space(align_vectors(vectors, texts, languages, means), projection, polarity)
    for row in range(40):
        place = slice(row, row + 1)
        alone = theme_space(align_vectors(vectors[place].copy(), texts[:1], languages[place], means), projection, polarity[place])
        assert alone.tobytes() == together[row].tobytes()


def test_puts_the_projection_beside_the_vector_with_equal_weight() -> None:
    aligned, projection, polarity = unit_rows(random_rows(5, 8)), random_rows(8, 3, seed=5), np.array([-1.0, -0.5, 0.0, 0.25, 1.0])
    space = theme_space(aligned, projection, polarity)
    assert space.shape == (5, 12)
    assert space.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(space, axis=1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(space[:, :8], axis=1), np.linalg.norm(space[:, 8:11], axis=1), rtol=1e-6)
    projected = unit_rows(aligned @ projection)
    lengths = np.sqrt(2.0 + (POLARITY_WEIGHT * polarity) ** 2)
    products = aligned @ aligned.T + projected @ projected.T + POLARITY_WEIGHT**2 * np.outer(polarity, polarity)
    np.testing.assert_allclose(space @ space.T, products / np.outer(lengths, lengths), atol=1e-6)


def test_parts_praise_from_blame_of_one_thing_a_little() -> None:
    aligned = np.repeat(unit_rows(random_rows(1, 8)), 3, axis=0)
    blame, praise, shrug = theme_space(aligned, np.zeros((8, 0), np.float32), np.array([-0.9, 0.9, 0.0]))
    assert blame @ praise < blame @ shrug < 1.0
    assert blame @ praise > 0.5


def test_takes_a_space_without_projection_or_rows() -> None:
    assert theme_space(unit_rows(random_rows(4, 8)), np.zeros((8, 0), np.float32), np.zeros(4)).shape == (4, 9)
    assert theme_space(np.zeros((0, 8), np.float32), random_rows(8, 3), np.zeros(0)).shape == (0, 12)


def test_blends_each_mean_with_the_prior_by_number_of_texts() -> None:
    vectors = np.array([[1, 0]] * 3 + [[0, 1]] * 7, np.float32)
    languages = ["zh"] * 3 + ["en"] * 7
    prior = {"zh": np.array([5, 5], np.float32), "en": np.array([6, 6], np.float32), UNKNOWN: np.array([7, 7], np.float32)}
    means = blend_means(vectors, languages, prior, prior_weight=10.0)
    np.testing.assert_allclose(means["zh"], (np.array([3, 0]) + 10 * np.array([5, 5])) / 13, rtol=1e-6)
    np.testing.assert_allclose(means["en"], (np.array([0, 7]) + 10 * np.array([6, 6])) / 17, rtol=1e-6)
    np.testing.assert_allclose(means[UNKNOWN], (np.array([3, 7]) + 10 * np.array([7, 7])) / 20, rtol=1e-6)


def test_keeps_the_prior_of_a_language_the_corpus_lacks() -> None:
    prior = {"de": np.array([0.25, 0.5], np.float32), UNKNOWN: np.zeros(2, np.float32)}
    means = blend_means(np.ones((4, 2), np.float32), ["en"] * 4, prior)
    np.testing.assert_array_equal(means["de"], prior["de"])
    assert set(means) == {"de", "en", UNKNOWN}


def test_takes_the_unknown_prior_for_a_language_without_its_own() -> None:
    prior = {UNKNOWN: np.array([1, 1], np.float32)}
    means = blend_means(np.zeros((10, 2), np.float32), ["fr"] * 10, prior, prior_weight=10.0)
    np.testing.assert_allclose(means["fr"], [0.5, 0.5])


def test_lets_the_corpus_speak_alone_without_any_prior() -> None:
    vectors = np.array([[1, 0], [0, 1], [0, 1], [0, 1]], np.float32)
    means = blend_means(vectors, ["zh", "en", "en", "en"], {}, prior_weight=1.0)
    np.testing.assert_allclose(means[UNKNOWN], [0.25, 0.75])
    np.testing.assert_allclose(means["zh"], [(1 + 0.25) / 2, 0.75 / 2])


def test_has_a_mean_for_whatever_comes_where_there_was_nothing_to_learn_from() -> None:
    assert blend_means(np.zeros((0, 3), np.float32), [], {})[UNKNOWN].tolist() == [0.0, 0.0, 0.0]
    prior = {"de": np.array([0.1, 0.2], np.float32), UNKNOWN: np.array([0.3, 0.4], np.float32)}
    means = blend_means(np.zeros((0, 2), np.float32), [], prior)
    assert {name: mean.tobytes() for name, mean in means.items()} == {name: mean.tobytes() for name, mean in prior.items()}


@given(st.permutations(range(12)))
def test_blends_the_same_means_whatever_the_order(order: list[int]) -> None:
    vectors, languages = unit_rows(random_rows(12, 6)), ["zh", "en", "de"] * 4
    prior = {UNKNOWN: np.full(6, 0.1, np.float32)}
    expected = blend_means(vectors, languages, prior)
    shuffled = blend_means(vectors[order], [languages[at] for at in order], prior)
    assert set(expected) == set(shuffled)
    for name, mean in expected.items():
        np.testing.assert_allclose(shuffled[name], mean, atol=1e-7)


def test_half_precision_is_exact_in_sixteen_bits_and_changes_nothing_twice() -> None:
    vectors = unit_rows(np.random.default_rng(3).normal(size=(5, 384)).astype(np.float32))
    rounded = half_precision(vectors)
    assert rounded.dtype == np.float32
    np.testing.assert_array_equal(rounded.astype(np.float16).astype(np.float32), rounded)
    np.testing.assert_array_equal(half_precision(rounded), rounded)
    np.testing.assert_allclose(rounded, vectors, atol=1e-4)
