"""Spelling as features: hashed character n-grams of a text, the lexical half of every linear head. No vocabulary, no state."""

from collections.abc import Iterable, Sequence
from itertools import repeat
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from feedback_miner.domain import Vectors

__all__ = ["BUCKETS", "DENSE_SCALE", "RARITY_STEP", "design_matrix", "hash_ngrams", "ngram_matrix", "ngram_rarity", "weigh_ngrams"]

BUCKETS = 1 << 17
"""Rows of a hashed n-gram table; part of the format of ``heads.npz``."""
DENSE_SCALE = 4.0
"""Vectors enter a regression this much longer than n-grams: a unit row spread over hundreds of axes would be regularised away.

By cross-validation on training rows of a family that our encoder never saw (ecom_cosmetics_zh): micro-F1 .863 at 3, .866 at 4, .862 at 6,
.855 at 12. Rows that it was taught with would ask for more: their vectors know their labels.
"""

RARITY_STEP = 1 / 16
"""Rarities are kept in eight bits, so many to one."""

_LONGEST = 4
_LONGEST_TEXT = 2_000
"""Characters of a text that are looked at: beyond that n-grams say nothing new and cost time."""


def hash_ngrams(text: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the buckets of a text's character 1-4-grams, ascending, and their values (1 + ln count, length 1 in all)."""
    characters = [character.encode("utf-8", "surrogatepass") for character in f" {text.casefold()[:_LONGEST_TEXT]} "]
    hashes: list[int] = []
    shorter: Iterable[int] = repeat(0)
    for length in range(_LONGEST):
        shorter = list(map(crc32, characters[length:], shorter))  # each n-gram goes on from the one without its last character
        hashes += shorter
    buckets, counts = np.unique(np.array(hashes, np.int64) % BUCKETS, return_counts=True)
    values = 1.0 + np.log(counts)
    return buckets, (values / np.sqrt(values @ values)).astype(np.float32)


def ngram_matrix(texts: Sequence[str]) -> csr_matrix:
    """Return ``(n, BUCKETS)``: each text's hashed n-grams."""
    hashed = [hash_ngrams(text) for text in texts]
    starts = np.concatenate([[0], np.cumsum([len(buckets) for buckets, _ in hashed])])
    columns = np.concatenate([buckets for buckets, _ in hashed])
    values = np.concatenate([values for _, values in hashed])
    return csr_matrix((values, columns, starts), shape=(len(texts), BUCKETS))


def ngram_rarity(matrix: csr_matrix) -> NDArray[np.uint8]:
    """Return ``(BUCKETS,)``: 1 + ln((1 + texts) / (1 + texts with a bucket)), the inverse document frequency, in steps of `RARITY_STEP`."""
    texts = np.bincount(matrix.indices, minlength=matrix.shape[1])
    rarity = 1.0 + np.log((1.0 + matrix.shape[0]) / (1.0 + texts))
    return np.asarray(np.clip(np.round(rarity / RARITY_STEP), 1, 255), np.uint8)


def weigh_ngrams(matrix: csr_matrix, rarity: NDArray[np.uint8]) -> csr_matrix:
    """Return the rows of ``matrix`` with each value times its bucket's rarity, of length 1 again."""
    weighed = matrix.multiply(rarity.astype(np.float32)[None, :]).tocsr()
    lengths = np.sqrt(np.asarray(weighed.multiply(weighed).sum(axis=1)).ravel())
    weighed.data /= np.repeat(np.maximum(lengths, 1e-12), np.diff(weighed.indptr))
    return weighed


def design_matrix(vectors: Vectors, texts: Sequence[str]) -> csr_matrix:
    """Return ``(n, d + BUCKETS)``: scaled vectors beside n-grams, what a linear head over both is fitted on."""
    return hstack([csr_matrix(vectors * np.float32(DENSE_SCALE)), ngram_matrix(texts)], format="csr")
