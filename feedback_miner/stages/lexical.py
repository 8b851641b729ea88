"""Spelling as features: hashed character n-grams of a text, the lexical half of every linear head. No vocabulary, no state."""

import zlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix, hstack

from feedback_miner.domain import Vectors

__all__ = ["BUCKETS", "DENSE_SCALE", "design_matrix", "hash_ngrams", "ngram_matrix"]

BUCKETS = 1 << 17
"""Rows of a hashed n-gram table; part of the format of ``heads.npz``."""
DENSE_SCALE = 12.0
"""Vectors enter a regression this much longer than n-grams: a unit row spread over 384 axes would be regularised away."""

_LONGEST = 4
_LONGEST_TEXT = 2_000
"""Characters of a text that are looked at: beyond that n-grams say nothing new and cost time."""


def hash_ngrams(text: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the buckets of a text's character 1-4-grams, ascending, and their values (1 + ln count, length 1 in all)."""
    characters = [character.encode("utf-8", "surrogatepass") for character in f" {text.casefold()[:_LONGEST_TEXT]} "]
    hashes: list[int] = []
    for at in range(len(characters)):
        value = 0
        for character in characters[at : at + _LONGEST]:
            value = zlib.crc32(character, value)  # of all characters so far
            hashes.append(value)
    buckets, counts = np.unique(np.array(hashes, np.int64) % BUCKETS, return_counts=True)
    values = 1.0 + np.log(counts.astype(np.float64))
    return buckets, (values / np.sqrt(values @ values)).astype(np.float32)


def ngram_matrix(texts: Sequence[str]) -> csr_matrix:
    """Return ``(n, BUCKETS)``: each text's hashed n-grams."""
    hashed = [hash_ngrams(text) for text in texts]
    starts = np.concatenate([[0], np.cumsum([len(buckets) for buckets, _ in hashed])])
    columns = np.concatenate([buckets for buckets, _ in hashed])
    values = np.concatenate([values for _, values in hashed])
    return csr_matrix((values, columns, starts), shape=(len(texts), BUCKETS))


def design_matrix(vectors: Vectors, texts: Sequence[str]) -> csr_matrix:
    """Return ``(n, d + BUCKETS)``: scaled vectors beside n-grams, what a linear head over both is fitted on."""
    return hstack([csr_matrix(vectors * np.float32(DENSE_SCALE)), ngram_matrix(texts)], format="csr")
