"""Causes fitted on a taxonomy's own sentences: few classes or many, unmapped where nothing fits, evidence with every cause."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from feedback_miner.domain import Aspect, CauseScore, Sentiment, Vectors
from feedback_miner.embedders.tiny import TinyEmbedder
from feedback_miner.stages.causes import (
    UNMAPPED,
    add_facets,
    adjust_to_prior,
    cause_prior,
    find_causes,
    fit_causes,
    pack_name,
    read_aspects,
    score_causes,
    taxonomy_utterances,
)
from feedback_miner.stages.space import align_vectors, unit_rows
from feedback_miner.taxonomy import Taxonomy, load_taxonomy, parse_taxonomy

ANGRY, CALM, GLAD = Sentiment(0.8, 0.1, 0.1), Sentiment(0.1, 0.8, 0.1), Sentiment(0.1, 0.1, 0.8)
MEANS = {"und": np.zeros(TinyEmbedder.dimensions, np.float32)}
SENTENCES = {
    "late": ["the parcel came late", "delivery took too long", "two weeks late again"],
    "rude": ["the staff were rude", "she shouted at me", "rude people on the phone"],
    "dear": ["far too expensive", "the price went up again", "not worth the price"],
}
CHATTER = ["hello there", "my sister told me about this", "nothing in particular"]


def small_taxonomy(causes: Sequence[str], *, chatter: bool = True) -> Taxonomy:
    pack: dict[str, Any] = {
        "id": "small",
        "version": "1",
        "names": {"en": "Small"},
        "drivers": [{"id": "all", "names": {"en": "All"}}],
        "stages": [{"id": "use", "names": {"en": "Use"}}],
        "owners": [{"id": "us", "names": {"en": "Us"}}],
        "causes": [
            {
                "id": cause,
                "driver": "all",
                "stage": "use",
                "owner": "us",
                "names": {"en": cause},
                "aspects": {"en": cause},
                "definitions": {"en": f"It is {cause}."},
                "utterances": {"en": SENTENCES[cause]},
                "praise": {"en": [f"never {cause}"]},
            }
            for cause in causes
        ],
    }
    if chatter:
        pack["unmapped_utterances"] = {"en": CHATTER}
    return parse_taxonomy(pack, source="small")


def score(texts: Sequence[str], weights: Vectors) -> np.ndarray:
    return score_causes(align_vectors(TinyEmbedder().encode(texts), texts, ["en"] * len(texts), MEANS), weights)


@pytest.mark.parametrize(
    ("causes", "chatter"), [(["late"], True), (["late", "rude"], True), (["late", "rude"], False), (list(SENTENCES), True)]
)
def test_tells_its_own_sentences_apart(causes: list[str], chatter: bool) -> None:
    taxonomy = small_taxonomy(causes, chatter=chatter)
    columns, weights = fit_causes(taxonomy, TinyEmbedder().encode, MEANS)
    assert columns == (*sorted(causes), UNMAPPED)
    utterances = Counter(cause for cause, _, _ in taxonomy_utterances(taxonomy))
    assert weights.shape == (TinyEmbedder.dimensions + 1, len(columns), max(utterances.values()))
    for cause, _, text in taxonomy_utterances(taxonomy):
        (row,) = score([text], weights)
        assert columns[row.argmax()] == cause
        assert row.sum() == pytest.approx(1.0, abs=1e-5)


def test_finds_what_came_with_the_heads_for_this_very_taxonomy_and_fits_any_other() -> None:
    taxonomy, other = small_taxonomy(["late"]), small_taxonomy(["late", "rude"])
    kept = {pack_name(taxonomy): (("late", UNMAPPED), np.ones((TinyEmbedder.dimensions + 1, 2, 1), np.float32))}
    assert find_causes(taxonomy, kept, TinyEmbedder().encode, MEANS) is kept[pack_name(taxonomy)]
    columns, weights = find_causes(other, kept, TinyEmbedder().encode, MEANS)
    assert columns == ("late", "rude", UNMAPPED)
    assert np.array_equal(weights, fit_causes(other, TinyEmbedder().encode, MEANS)[1])


def test_two_classes_are_pulled_apart_by_the_regression_alike() -> None:
    """scikit-learn keeps one row for two classes; what is made of it must favour either by half of the regression's log-odds."""
    from sklearn.linear_model import LogisticRegression

    taxonomy = small_taxonomy(["late", "rude"], chatter=False)
    _, weights = fit_causes(taxonomy, TinyEmbedder().encode, MEANS)
    examples = taxonomy_utterances(taxonomy)
    vectors = TinyEmbedder().encode([text for _, _, text in examples])
    labels = np.array([("late", "rude").index(cause) for cause, _, _ in examples])
    model = LogisticRegression(C=10.0, max_iter=1000, class_weight="balanced").fit(vectors, labels)
    apart = add_facets(np.zeros((len(weights), 3)), vectors, labels)
    asked = TinyEmbedder().encode(["the parcel", "so rude"])
    odds, without = (np.log(score_causes(asked, some)[:, :2]) @ [-1.0, 1.0] for some in (weights, apart))
    np.testing.assert_allclose(odds - without, 0.5 * model.decision_function(asked), atol=1e-3)


def test_a_cause_is_as_likely_as_its_nearest_utterances_make_it() -> None:
    """Without a regression: a kernel density estimate over unit vectors, each cause's utterances together of weight one."""
    rng = np.random.default_rng(3)
    vectors = unit_rows(rng.normal(size=(7, 5)).astype(np.float32))
    labels = np.array([0, 0, 0, 0, 0, 2, 2])
    asked = unit_rows(rng.normal(size=(4, 5)).astype(np.float32))
    weights = add_facets(np.zeros((6, 4)), vectors, labels)
    kernel = np.exp(asked.astype(np.float64) @ vectors.T / 0.08)
    density = np.stack([kernel[:, labels == column].mean(axis=1) if column in labels else np.zeros(4) for column in range(4)], axis=1)
    np.testing.assert_allclose(score_causes(asked, weights), density / density.sum(axis=1, keepdims=True), atol=2e-5)


def test_weights_without_facets_are_a_regression() -> None:
    rng = np.random.default_rng(5)
    vectors, weights = rng.normal(size=(3, 5)).astype(np.float32), rng.normal(size=(6, 4)).astype(np.float32)
    odds = np.exp(vectors @ weights[:-1] + weights[-1])
    np.testing.assert_allclose(score_causes(vectors, weights), odds / odds.sum(axis=1, keepdims=True), atol=1e-6)
    np.testing.assert_array_equal(score_causes(vectors, weights), score_causes(vectors, weights[:, :, None]))


def test_many_utterances_share_facets() -> None:
    vectors = unit_rows(np.random.default_rng(4).normal(size=(90, 8)).astype(np.float32))
    labels = np.repeat([0, 1, 2], [40, 49, 1])
    weights = add_facets(np.zeros((9, 3)), vectors, labels)
    assert weights.shape == (9, 3, 16)
    shares = np.exp(weights[-1]).round(4)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, atol=1e-3)
    assert (shares[2] > 0).sum() == 1


def test_never_chooses_a_class_without_examples() -> None:
    columns, weights = fit_causes(small_taxonomy(["late", "rude"], chatter=False), TinyEmbedder().encode, MEANS)
    assert score(["hello there", "", "????"], weights)[:, columns.index(UNMAPPED)].max() == 0.0


def test_calls_everything_the_only_class_there_is() -> None:
    columns, weights = fit_causes(small_taxonomy(["late"], chatter=False), TinyEmbedder().encode, MEANS)
    assert columns == ("late", UNMAPPED)
    assert score(["anything at all"], weights)[0, 0] > 0.99


def test_fits_every_cause_of_the_shipped_pack() -> None:
    taxonomy = load_taxonomy("default")
    columns, weights = fit_causes(taxonomy, TinyEmbedder().encode, MEANS)
    assert set(columns) == {cause.id for cause in taxonomy.causes} | {UNMAPPED}
    assert columns[-1] == UNMAPPED
    examples = taxonomy_utterances(taxonomy)
    texts = [text for _, _, text in examples]
    aligned = align_vectors(TinyEmbedder().encode(texts), texts, [language for _, language, _ in examples], MEANS)
    found = score_causes(aligned, weights).argmax(axis=1)
    assert np.mean([columns[at] == cause for at, (cause, _, _) in zip(found, examples, strict=True)]) > 0.95


def test_fits_the_same_bits_twice() -> None:
    taxonomy = small_taxonomy(list(SENTENCES))
    first, second = (fit_causes(taxonomy, TinyEmbedder().encode, MEANS) for _ in range(2))
    assert first[0] == second[0]
    assert first[1].tobytes() == second[1].tobytes()


def test_lists_complaints_praise_and_chatter() -> None:
    examples = taxonomy_utterances(small_taxonomy(["late"]))
    assert examples == sorted(
        [("late", "en", text) for text in [*SENTENCES["late"], "never late"]] + [(UNMAPPED, "en", text) for text in CHATTER]
    )


def test_scores_a_row_alone_as_in_company() -> None:
    _, weights = fit_causes(small_taxonomy(list(SENTENCES)), TinyEmbedder().encode, MEANS)
    vectors = TinyEmbedder().encode([f"parcel number {number} was late" for number in range(30)])
    together = score_causes(vectors, weights)
    for row in range(30):
        assert score_causes(vectors[row : row + 1].copy(), weights).tobytes() == together[row].tobytes()


COLUMNS = ("a", "b", "c", UNMAPPED)


@pytest.mark.parametrize(
    ("scores", "aspects", "causes"),
    [
        ([0.6, 0.3, 0.06, 0.04], [("a", 0.6)], [("a", 0.6, "b", 0.3)]),
        ([0.35, 0.45, 0.1, 0.1], [("b", 0.45), ("a", 0.35)], [("b", 0.45, "a", 0.35), ("a", 0.35, "b", 0.45)]),
        ([0.34, 0.33, 0.23, 0.1], [], []),
        ([0.1, 0.1, 0.1, 0.7], [], []),
        ([0.36, 0.0, 0.0, 0.64], [("a", 0.36)], [("a", 0.36, "b", 0.0)]),
    ],
)
def test_maps_causes_at_the_threshold_and_names_the_runner_up(scores: list[float], aspects: list, causes: list) -> None:
    found_aspects, found_causes = read_aspects(np.array(scores), COLUMNS, 0.35, ANGRY, (3, 9))
    assert found_aspects == tuple(Aspect(*aspect) for aspect in aspects)
    assert found_causes == tuple(CauseScore(*cause, 3, 9) for cause in causes)


@pytest.mark.parametrize("sentiment", [CALM, GLAD, Sentiment(0.45, 0.45, 0.1)])
def test_maps_no_cause_without_blame_but_keeps_the_aspect(sentiment: Sentiment) -> None:
    assert read_aspects(np.array([0.6, 0.3, 0.06, 0.04]), COLUMNS, 0.35, sentiment, (0, 1)) == ((Aspect("a", 0.6),), ())


def test_has_no_runner_up_where_there_is_but_one_cause() -> None:
    _, causes = read_aspects(np.array([0.9, 0.1]), ("a", UNMAPPED), 0.35, ANGRY, (0, 1))
    assert causes == (CauseScore("a", 0.9, None, 0.0, 0, 1),)


def test_prior_is_the_mean_of_the_members_and_rules_nothing_out() -> None:
    members = np.array([[0.9, 0.1, 0.0], [0.7, 0.3, 0.0]])
    prior = cause_prior(members)
    np.testing.assert_allclose(prior, np.array([0.82, 0.22, 0.02]) / 1.06, rtol=1e-6)
    assert prior.dtype == np.float32


def test_prior_of_a_theme_without_members_leaves_everything_as_it_was() -> None:
    scores = np.array([0.6, 0.3, 0.1])
    np.testing.assert_allclose(adjust_to_prior(scores, cause_prior(np.zeros((0, 3)))), scores, atol=1e-6)


def test_prior_decides_between_causes_that_read_alike() -> None:
    scores = np.array([0.45, 0.44, 0.11])
    adjusted = adjust_to_prior(scores, cause_prior(np.array([[0.1, 0.8, 0.1]])))
    assert adjusted.argmax() == 1
    assert adjusted.sum() == pytest.approx(1.0, abs=1e-5)
    np.testing.assert_array_equal(adjusted, adjusted.round(6))
