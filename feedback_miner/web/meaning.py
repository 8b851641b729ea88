"""Opinions by meaning: a phrase in, the opinions nearest to it out, best first.

The phrase takes the path of an opinion (cleaned, personal data and the project's names hidden, encoded, rounded, its language's mean
subtracted), and is compared with every stored vector that the filter leaves. Nothing is kept between requests: the vectors are read from
the store part by part, and only the page's best are held.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from feedback_miner.domain import Vectors
from feedback_miner.stages.space import UNKNOWN, unit_rows
from feedback_miner.store.opinions import OpinionFilter, stream_vectors

__all__ = ["Phrase", "compare", "nearest_opinions", "similarity_of"]

_STEPS = 1_000_000
"""Distances are told apart to a millionth, so that the place of an opinion in the order is one whole number."""
_ROW_BITS = 31


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase as it is compared with opinions."""

    vector: NDArray[np.float32]
    """``(d,)``, length 1: aligned as opinions are."""
    language_means: Mapping[str, NDArray[np.float32]]
    """What is subtracted from an opinion's vector, by its language."""
    encoder: str
    """Version of the encoder."""


def nearest_opinions(
    session: Session, project: str, wanted: OpinionFilter, phrase: Phrase, *, after: int = 0, limit: int = 50
) -> list[tuple[int, int]]:
    """Return (place, row number) of the opinions that are wanted, nearest to the phrase first, after a place.

    A place is an opinion's distance and row number in one: it depends on no other opinion, so that pages hold while opinions are added.
    Opinions that say the very same come by row number. Reads every vector that is wanted; ``benchmarks/store.md`` says what it costs.
    """
    best = np.zeros(0, np.int64)
    for rows, languages, vectors in stream_vectors(session, project, wanted, phrase.encoder):
        distances = np.rint((1.0 - compare(phrase, vectors, languages)) * _STEPS).astype(np.int64)
        places = (np.maximum(distances, 0) << _ROW_BITS) | rows
        best = np.concatenate([best, places[places > after]])
        if len(best) > limit:
            best = np.partition(best, limit - 1)[:limit]
    return [(int(place), int(place) & (1 << _ROW_BITS) - 1) for place in np.sort(best)]


def similarity_of(place: int) -> float:
    """Return the cosine, -1..1, that a place in the order stands for."""
    return round(1.0 - (place >> _ROW_BITS) / _STEPS, 6)


def compare(phrase: Phrase, vectors: Vectors, languages: Sequence[str] | NDArray[np.str_]) -> NDArray[np.float64]:
    """Return the cosine of the phrase with each vector as the encoder gave it, ``(n,)``.

    A text in two scripts is aligned by its main language alone here: telling their shares would need its words as well.
    """
    names, whose = np.unique(np.asarray(languages, np.str_), return_inverse=True)
    centres = np.stack([phrase.language_means.get(name, phrase.language_means[UNKNOWN]) for name in names.tolist()])
    aligned = unit_rows(vectors - centres[whose])
    cosines: NDArray[np.float64] = np.einsum("nd,d->n", aligned, phrase.vector).astype(np.float64)  # row by row: company changes no bit
    return cosines
