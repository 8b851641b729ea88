"""Hashed n-grams: what they count, that they are of length one, and that a matrix of many rows holds each row as it is alone."""

import zlib
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_miner.stages.lexical import (
    BUCKETS,
    DENSE_SCALE,
    RARITY_STEP,
    design_matrix,
    hash_ngrams,
    ngram_matrix,
    ngram_rarity,
    weigh_ngrams,
)


def bucket_of(ngram: str) -> int:
    return zlib.crc32(ngram.encode()) % BUCKETS


def test_counts_every_ngram_of_one_to_four_characters() -> None:
    buckets, values = hash_ngrams("ab")  # padded: " ab "
    ngrams = [" ", "a", "b", " a", "ab", "b ", " ab", "ab ", " ab "]
    raw = {bucket_of(ngram): 1.0 + log(2.0 if ngram == " " else 1.0) for ngram in ngrams}
    length = sum(value**2 for value in raw.values()) ** 0.5
    assert dict(zip(buckets.tolist(), values.tolist(), strict=True)) == pytest.approx({key: raw[key] / length for key in raw})


@given(st.text(max_size=60))
def test_values_have_length_one_and_buckets_ascend(text: str) -> None:
    buckets, values = hash_ngrams(text)
    assert float(values.astype(np.float64) @ values) == pytest.approx(1.0, abs=1e-5)
    assert (np.diff(buckets) > 0).all()
    assert buckets.min() >= 0
    assert buckets.max() < BUCKETS


@pytest.mark.parametrize(("one", "other"), [("Late", "late"), ("STRASSE", "straße")])
def test_knows_no_case(one: str, other: str) -> None:
    np.testing.assert_array_equal(hash_ngrams(one)[0], hash_ngrams(other)[0])


def test_takes_the_empty_text_and_half_a_surrogate_pair() -> None:
    assert len(hash_ngrams("")[0]) == 2  # " " and "  "
    assert len(hash_ngrams("\ud83d")[0]) > 2


def test_looks_at_the_beginning_of_a_long_text_only() -> None:
    beginning = "a parcel " * 222 + "xy"
    assert len(beginning) == 2_000
    np.testing.assert_array_equal(hash_ngrams(beginning)[1], hash_ngrams(beginning + "never read")[1])


def test_matrix_holds_each_text_as_it_is_alone() -> None:
    texts = ["late again", "太慢了", "", "late"]
    matrix = ngram_matrix(texts)
    assert matrix.shape == (4, BUCKETS)
    for row, text in enumerate(texts):
        buckets, values = hash_ngrams(text)
        np.testing.assert_array_equal(matrix[[row]].indices, buckets)
        np.testing.assert_array_equal(matrix[[row]].data, values)


def test_puts_scaled_vectors_before_the_ngrams() -> None:
    vectors = np.array([[0.5, 0.0, -0.5], [1.0, 0.0, 0.0]], np.float32)
    matrix = design_matrix(vectors, ["late", "早"])
    assert matrix.shape == (2, 3 + BUCKETS)
    np.testing.assert_allclose(matrix[:, :3].toarray(), vectors * DENSE_SCALE)
    assert (matrix[:, 3:] != ngram_matrix(["late", "早"])).nnz == 0


def test_a_rare_n_gram_counts_more_and_rows_keep_their_length() -> None:
    matrix = ngram_matrix(["slow parcel", "slow refund", "slow hotline"])
    rarity = ngram_rarity(matrix)
    common, rare = (hash_ngrams(word)[0] for word in ("slow", "parcel"))
    assert rarity.dtype == np.uint8
    assert rarity.min() * RARITY_STEP == pytest.approx(1.0, abs=RARITY_STEP), "in every text"
    assert np.median(rarity[common]) < np.median(rarity[rare])
    weighed = weigh_ngrams(matrix, rarity)
    assert np.sqrt(weighed.multiply(weighed).sum(axis=1)) == pytest.approx(1.0, abs=1e-6)
    assert (weighed != 0).nnz == (matrix != 0).nnz
