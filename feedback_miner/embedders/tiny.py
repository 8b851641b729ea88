"""A tiny embedder for tests: hashed characters and words, no weights, instant.

It knows spelling, not meaning: texts that share words or characters are close. Deterministic everywhere: integer hashes and
float64 sums in a fixed order, no Python ``hash()``.
"""

import math
import re
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from feedback_miner.domain import Vectors
from feedback_miner.embedders.protocol import Progress

__all__ = ["TinyEmbedder"]

# Runs of scripts written without spaces: kana, Han (with extensions) and compatibility ideographs.
_UNSPACED = re.compile("[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]+")
_WORD = re.compile(r"\w+")


class TinyEmbedder:
    """256 dimensions of signed feature hashing."""

    name = "tiny"
    version = "tiny-1"
    dimensions = 256

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """Hash each text's features into a unit row; a text without any gets the first axis."""
        vectors = np.zeros((len(texts), self.dimensions), np.float32)
        for row, text in enumerate(texts):
            vectors[row] = self._encode_one(text)
        if progress is not None:
            progress(len(texts))
        return vectors

    def _encode_one(self, text: str) -> Vectors:
        sums = np.zeros(self.dimensions, np.float64)
        for feature, count in sorted(Counter(_features(text)).items()):
            # "surrogatepass": a lone surrogate is a character like any other here.
            code = zlib.crc32(feature.encode("utf-8", "surrogatepass"))
            sign = 1.0 if code & 0x80000000 else -1.0
            sums[code % self.dimensions] += sign * (1.0 + math.log(count))
        length = math.sqrt(math.fsum(value * value for value in sums))
        if length == 0.0:  # no features, or all of them cancelled
            sums[0] = length = 1.0
        return (sums / length).astype(np.float32)


def _features(text: str) -> Iterator[str]:
    """Yield words and their character trigrams; in scripts without spaces, characters and bigrams."""
    lowered = text.lower()
    for run in _UNSPACED.findall(lowered):
        yield from run
        yield from (run[at : at + 2] for at in range(len(run) - 1))
    for word in _WORD.findall(_UNSPACED.sub(" ", lowered)):
        yield f" {word} "
        padded = f" {word} "
        if len(word) > 1:
            yield from ("3" + padded[at : at + 3] for at in range(len(padded) - 2))
