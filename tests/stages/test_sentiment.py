"""Heads that read sentiment and type: probabilities, one row at a time, folded over a comment, and refused where the file is not theirs."""

from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_miner.domain import FeedbackType, Polarity, Sentiment
from feedback_miner.errors import WeightsError
from feedback_miner.stages.lexical import BUCKETS, hash_ngrams, ngram_matrix, ngram_rarity, weigh_ngrams
from feedback_miner.stages.sentiment import SENTIMENT_CLASSES, TYPE_CLASSES, Head, Heads, cause_arrays, fold_sentiments, load_heads

WIDTH = 8


def random_head(classes: int, *, seed: int, networks: int = 2) -> Head:
    rng = np.random.default_rng(seed)
    return Head(
        centre=rng.normal(size=WIDTH).astype(np.float32),
        hidden=rng.normal(size=(networks, WIDTH + 1, 5)).astype(np.float32),
        output=rng.normal(size=(networks, 6, classes)).astype(np.float32),
        lexical=rng.integers(-127, 128, size=(BUCKETS, classes), dtype=np.int8),
        lexical_scale=np.full(classes, 0.01, np.float32),
    )


def constant_head(classes: int, chosen: int, *, certainty: float = 20.0) -> Head:
    """A head that always says the same."""
    return head_with_logits(certainty * np.eye(classes)[chosen])


def head_with_logits(logits: np.ndarray) -> Head:
    output = np.zeros((1, 2, len(logits)), np.float32)
    output[0, -1] = logits
    return Head(
        np.zeros(WIDTH, np.float32),
        np.zeros((1, WIDTH + 1, 1), np.float32),
        output,
        np.zeros((BUCKETS, len(logits)), np.int8),
        np.ones(len(logits), "f4"),
    )


def spelled(texts: list[str]) -> list[tuple[np.ndarray, np.ndarray]]:
    return [hash_ngrams(text) for text in texts]


def make_heads(sentiment: Head, type_: Head) -> Heads:
    return Heads("tiny-1", "v", sentiment, type_, {"und": np.zeros(WIDTH, np.float32)}, np.zeros((WIDTH, 0), np.float32))


@pytest.fixture(scope="module")
def heads() -> Heads:
    return make_heads(random_head(3, seed=1), random_head(5, seed=2))


@pytest.fixture(scope="module")
def rows() -> tuple[np.ndarray, list[str]]:
    texts = ["late again", "太慢了", "", "great value, really", "为什么还没到？", "a" * 3_000]
    return np.random.default_rng(3).normal(size=(len(texts), WIDTH)).astype(np.float32), texts


def test_probabilities_sum_to_one(heads: Heads, rows: tuple[np.ndarray, list[str]]) -> None:
    for head in (heads.sentiment, heads.type):
        probabilities = head.probabilities(rows[0], spelled(rows[1]))
        np.testing.assert_allclose(probabilities.sum(axis=1), 1.0)
        assert (probabilities > 0).all()
    for sentiment in heads.read_sentiments(*rows):
        assert sentiment.negative + sentiment.neutral + sentiment.positive == pytest.approx(1.0, abs=2e-6)


def test_n_grams_count_by_rarity_as_they_did_when_the_head_was_fitted(rows: tuple[np.ndarray, list[str]]) -> None:
    vectors, texts = rows
    matrix = ngram_matrix(texts)
    head = replace(head_with_logits(np.zeros(3)), lexical=random_head(3, seed=4).lexical, rarity=ngram_rarity(matrix))
    odds = np.exp(weigh_ngrams(matrix, head.rarity) @ head.lexical.astype(np.float64))
    np.testing.assert_allclose(head.probabilities(vectors, spelled(texts)), odds / odds.sum(axis=1, keepdims=True), rtol=1e-3, atol=1e-6)


def test_reads_a_row_alone_as_in_company(heads: Heads, rows: tuple[np.ndarray, list[str]]) -> None:
    vectors, texts = rows
    together = heads.sentiment.probabilities(vectors, spelled(texts))
    for at, text in enumerate(texts):
        assert heads.sentiment.probabilities(vectors[at : at + 1].copy(), spelled([text])).tobytes() == together[at].tobytes()


def test_adds_the_mean_of_the_networks_to_the_ngrams(heads: Heads, rows: tuple[np.ndarray, list[str]]) -> None:
    vector, text = rows[0][0], rows[1][0]
    head = heads.sentiment
    logits = np.zeros(3)
    for hidden, output in zip(head.hidden, head.output, strict=True):
        units = np.maximum(0.0, np.append(vector - head.centre, 1.0) @ hidden)
        logits += np.append(units, 1.0) @ output / 2
    for bucket, value in zip(*hash_ngrams(text), strict=True):
        logits += value * head.lexical[bucket] * head.lexical_scale
    expected = np.exp(logits) / np.exp(logits).sum()
    np.testing.assert_allclose(head.probabilities(vector[None], spelled([text]))[0], expected, rtol=1e-4)


def test_keeps_its_head_over_large_numbers() -> None:
    sure = constant_head(3, 2, certainty=2e4).probabilities(np.zeros((1, WIDTH), np.float32), spelled(["x"]))
    np.testing.assert_allclose(sure, [[0.0, 0.0, 1.0]], atol=1e-12)


def test_reads_nothing_from_nothing(heads: Heads) -> None:
    nothing = np.zeros((0, WIDTH), np.float32)
    assert heads.read_sentiments(nothing, []) == []
    assert heads.read(nothing, []) == ([], [])


@pytest.mark.parametrize(("chosen", "label"), list(enumerate(SENTIMENT_CLASSES)))
def test_names_the_classes_in_the_order_of_the_columns(chosen: int, label: str) -> None:
    heads = make_heads(constant_head(3, chosen), constant_head(5, 0))
    (sentiment,) = heads.read_sentiments(np.zeros((1, WIDTH), np.float32), ["x"])
    assert sentiment.label is Polarity(label)


@pytest.mark.parametrize(
    ("best", "sentiment", "expected"),
    [
        # Form first: whoever suggests or asks does so in any mood.
        (FeedbackType.SUGGESTION, Sentiment(0.9, 0.05, 0.05), FeedbackType.SUGGESTION),
        (FeedbackType.SUGGESTION, Sentiment(0.1, 0.1, 0.8), FeedbackType.SUGGESTION),
        (FeedbackType.QUESTION, Sentiment(0.9, 0.05, 0.05), FeedbackType.QUESTION),
        (FeedbackType.QUESTION, Sentiment(0.1, 0.8, 0.1), FeedbackType.QUESTION),
        # The rest is its sentiment, whatever the head thinks.
        (FeedbackType.COMPLAINT, Sentiment(0.9, 0.05, 0.05), FeedbackType.COMPLAINT),
        (FeedbackType.PRAISE, Sentiment(0.9, 0.05, 0.05), FeedbackType.COMPLAINT),
        (FeedbackType.STATEMENT, Sentiment(0.5, 0.4, 0.1), FeedbackType.COMPLAINT),
        (FeedbackType.COMPLAINT, Sentiment(0.05, 0.05, 0.9), FeedbackType.PRAISE),
        (FeedbackType.COMPLAINT, Sentiment(0.1, 0.8, 0.1), FeedbackType.STATEMENT),
        (FeedbackType.PRAISE, Sentiment(0.4, 0.4, 0.2), FeedbackType.STATEMENT),
    ],
)
def test_decides_the_type_by_form_and_then_by_sentiment(best: FeedbackType, sentiment: Sentiment, expected: FeedbackType) -> None:
    mood = head_with_logits(np.log([sentiment.negative, sentiment.neutral, sentiment.positive]))
    heads = make_heads(mood, constant_head(5, TYPE_CLASSES.index(best)))
    assert heads.read(np.zeros((1, WIDTH), np.float32), ["x"]) == ([sentiment], [expected])


def test_folds_by_length_and_by_how_little_neutral() -> None:
    angry, account = Sentiment(0.8, 0.15, 0.05), Sentiment(0.02, 0.95, 0.03)
    folded = fold_sentiments([angry, account], [9, 64])
    first, second = 3 * (1.05 - 0.15), 8 * (1.05 - 0.95)
    pooled = [(getattr(angry, name) ** first * getattr(account, name) ** second) ** (1.0 / (first + second)) for name in SENTIMENT_CLASSES]
    for name, part in zip(SENTIMENT_CLASSES, pooled, strict=True):
        assert getattr(folded, name) == pytest.approx(part / sum(pooled), abs=1e-6)
    assert folded.label is Polarity.NEGATIVE


def test_folds_all_neutral_opinions_to_neutral() -> None:
    folded = fold_sentiments([Sentiment(0.0, 1.0, 0.0)] * 2, [5, 9])
    assert folded.neutral == pytest.approx(1.0, abs=3e-6)


_PARTS = st.tuples(*[st.integers(1, 1000)] * 3).map(lambda parts: Sentiment(*(part / sum(parts) for part in parts)))


@given(st.lists(st.tuples(_PARTS, st.integers(1, 200)), min_size=1, max_size=8), st.randoms())
def test_folded_probabilities_sum_to_one_in_any_order(opinions: list[tuple[Sentiment, int]], random) -> None:
    folded = fold_sentiments(*zip(*opinions, strict=True))
    assert folded.negative + folded.neutral + folded.positive == pytest.approx(1.0, abs=3e-6)
    random.shuffle(opinions)
    again = fold_sentiments(*zip(*opinions, strict=True))
    for name in SENTIMENT_CLASSES:
        assert getattr(again, name) == pytest.approx(getattr(folded, name), abs=2e-6)


@given(_PARTS, st.integers(1, 300))
def test_one_opinion_is_the_comment(sentiment: Sentiment, length: int) -> None:
    folded = fold_sentiments([sentiment], [length])
    assert folded.score == pytest.approx(sentiment.score, abs=3e-6)


# Files


def write_heads(path: Path, heads: Heads, **changes) -> Path:
    arrays = {f"mean_{name}": mean for name, mean in heads.language_means.items()}
    for name, head in (("sentiment", heads.sentiment), ("type", heads.type)):
        fields = {
            "centre": head.centre,
            "hidden": head.hidden,
            "output": head.output,
            "lexical": head.lexical,
            "lexical_scale": head.lexical_scale,
        }
        arrays |= {f"{name}_{field}": array for field, array in fields.items()}
    arrays |= {"theme_projection": heads.theme_projection, "encoder_version": heads.encoder_version, "version": heads.version}
    np.savez_compressed(path, **{name: array for name, array in (arrays | changes).items() if array is not None})
    return path


def test_loads_what_was_written(tmp_path: Path, heads: Heads, rows: tuple[np.ndarray, list[str]]) -> None:
    loaded = load_heads(write_heads(tmp_path / "heads.npz", heads))
    assert (loaded.encoder_version, loaded.version) == ("tiny-1", "v")
    assert loaded.read_sentiments(*rows) == heads.read_sentiments(*rows)
    assert set(loaded.language_means) == {"und"}
    assert loaded.theme_projection.shape == (WIDTH, 0)
    assert loaded.causes == {}


def test_loads_the_causes_of_the_packs_that_were_fitted_beside(tmp_path: Path, heads: Heads) -> None:
    kept = cause_arrays("small 1+abcd", ["late", "unmapped"], np.full((WIDTH + 1, 2), 0.5, np.float32))
    ((name, (columns, weights)),) = load_heads(write_heads(tmp_path / "heads.npz", heads, **kept)).causes.items()
    assert (name, columns) == ("small 1+abcd", ("late", "unmapped"))
    assert weights.dtype == np.float32
    assert weights.tolist() == np.full((WIDTH + 1, 2), 0.5).tolist()


@pytest.mark.parametrize("missing", ["sentiment_hidden", "type_lexical", "encoder_version", "theme_projection"])
def test_refuses_a_file_without_one_of_its_arrays(tmp_path: Path, heads: Heads, missing: str) -> None:
    with pytest.raises(WeightsError, match="feedback-miner train heads"):
        load_heads(write_heads(tmp_path / "heads.npz", heads, **{missing: None}))


def test_refuses_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"heads\.npz"):
        load_heads(tmp_path / "heads.npz")


@pytest.mark.parametrize("content", [b"", b"not an archive", b"PK\x03\x04 cut short"])
def test_refuses_a_file_that_is_no_archive(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "heads.npz"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="feedback-miner train heads"):
        load_heads(path)


def test_refuses_a_file_with_any_flipped_byte_in_an_array(tmp_path: Path, heads: Heads) -> None:
    path = write_heads(tmp_path / "heads.npz", heads)
    content = path.read_bytes()
    with ZipFile(path) as archive:
        entries = [(entry.header_offset + 60, entry.compress_size) for entry in archive.infolist()]
    for start, size in entries:
        at = start + size // 2
        path.write_bytes(content[:at] + bytes([content[at] ^ 0xFF]) + content[at + 1 :])
        with pytest.raises(WeightsError):
            load_heads(path)
