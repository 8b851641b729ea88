"""The space themes and causes live in: each language's own mean subtracted, rows of length 1.

e5-like encoders put every text into a narrow cone, and each language into a corner of it: unrelated Chinese complaints are closer than a
complaint and its translation. Subtracting the mean of the language undoes most of both. Texts that mix scripts get the mean of each by
their share. Comes in: raw vectors, languages, the texts; goes out: aligned vectors. Never looks at other rows.
"""

import re
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from feedback_miner.domain import Vectors

__all__ = [
    "POLARITY_WEIGHT",
    "UNKNOWN",
    "align_vectors",
    "blend_means",
    "half_precision",
    "language_weights",
    "spread_of_dimensions",
    "theme_space",
    "unit_rows",
]

UNKNOWN = "und"
POLARITY_WEIGHT = 0.3
"""Enough to part praise from blame within a subject. At twice as much, parents gather polarities, not subjects."""
_HAN = re.compile("[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_LETTER = re.compile(r"[^\W\d_]")


def unit_rows(vectors: Vectors) -> Vectors:
    """Scale every row to length 1; a zero row stays zero."""
    lengths = np.sqrt((vectors * vectors).sum(axis=1, keepdims=True))  # as np.linalg.norm, to the bit, at half its price for a row
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def spread_of_dimensions(vectors: Vectors) -> Vectors:
    """Return the standard deviation of each dimension, ``(d,)``, no less than a twentieth of their mean.

    Whoever divides by it: what hardly varied here may vary widely in vectors to come.
    """
    deviations = vectors.std(axis=0)
    return np.asarray(np.maximum(deviations, max(deviations.mean() / 20, 1e-4)))


def language_weights(text: str, language: str) -> dict[str, float]:
    """Share of each language's mean in a text: Chinese by its share of Han letters, the rest the text's own language.

    A Latin word in a Chinese sentence counts as English. Japanese keeps its own mean, kanji or not.
    """
    if language == "ja" or not (language == "zh" or _HAN.search(text)):
        return {language: 1.0}
    letters = len(_LETTER.findall(text))
    han = len(_HAN.findall(text)) / letters if letters else float(language == "zh")
    other = "en" if language == "zh" else language
    return {name: share for name, share in (("zh", han), (other, 1.0 - han)) if share > 0.0}


def half_precision(vectors: Vectors) -> Vectors:
    """Round to what 16 bits hold, as vectors are stored: what is coded from a stored vector is what is coded from a fresh one."""
    return np.asarray(vectors, np.float16).astype(np.float32)


def align_vectors(vectors: Vectors, texts: Sequence[str], languages: Sequence[str], means: Mapping[str, Vectors]) -> Vectors:
    """Subtract from each row the mean of its languages and rescale to length 1.

    ``means`` maps a language to a row ``(d,)``; languages it lacks share its ``und`` row.
    """
    centres = np.zeros_like(vectors)
    for row, (text, language) in enumerate(zip(texts, languages, strict=True)):
        for name, share in language_weights(text, language).items():
            centres[row] += np.float32(share) * means.get(name, means[UNKNOWN])
    return unit_rows(vectors - centres)


def theme_space(aligned: Vectors, projection: Vectors, polarity: NDArray[np.float64]) -> Vectors:
    """Return what themes are compared in, ``(n, d + p + 1)`` unit rows: aligned vector, its projection, and a little of its polarity.

    Vector and projection weigh the same; ``polarity`` (positive minus negative, -1..1) keeps "late delivery" and "fast delivery" apart,
    which encoders put side by side. Rows are projected one by one, so that company never changes a bit; p may be 0.
    """
    projected = np.empty((len(aligned), projection.shape[1]), np.float32)
    for row, vector in enumerate(aligned):
        projected[row] = vector @ projection
    return unit_rows(np.concatenate([aligned, unit_rows(projected), POLARITY_WEIGHT * polarity[:, None]], axis=1, dtype=np.float32))


def blend_means(
    vectors: Vectors, languages: Sequence[str], prior: Mapping[str, Vectors], *, prior_weight: float = 100.0
) -> dict[str, Vectors]:
    """Means of this corpus, pulled towards the encoder's own where a language has few texts.

    A language's mean is (n x corpus mean + ``prior_weight`` x prior) / (n + ``prior_weight``), so that three comments do not move the
    space and thirty thousand define it. ``prior`` may be empty (an encoder we know nothing about): the corpus speaks alone.
    """
    corpus = vectors.mean(axis=0, dtype=np.float64) if len(vectors) else np.zeros(vectors.shape[1])
    names = np.array(languages)
    blended: dict[str, Vectors] = {}
    for name in sorted({*languages, *prior, UNKNOWN}):
        members = vectors if name == UNKNOWN else vectors[names == name]
        anchor = prior.get(name, prior.get(UNKNOWN, corpus)).astype(np.float64)
        total = members.sum(axis=0, dtype=np.float64) + prior_weight * anchor
        blended[name] = (total / (len(members) + prior_weight)).astype(np.float32)
    return blended
