"""Sentiment and type of an opinion: small heads over the encoder's vector and hashed character n-grams.

Comes in: an encoder's vector (raw, as encoded), and the matching text it was encoded from; goes out: calibrated probabilities. Reads one
text at a time. The heads are fitted by ``feedback-miner train heads`` and live in ``models/<encoder>/heads.npz``; nothing here learns.
"""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feedback_miner.domain import FeedbackType, Sentiment, Vectors
from feedback_miner.errors import WeightsError
from feedback_miner.stages.lexical import hash_ngrams

__all__ = ["SENTIMENT_CLASSES", "TYPE_CLASSES", "Head", "Heads", "cause_arrays", "fold_sentiments", "fold_weights", "load_heads"]

SENTIMENT_CLASSES = ("negative", "neutral", "positive")
TYPE_CLASSES = (FeedbackType.COMPLAINT, FeedbackType.PRAISE, FeedbackType.SUGGESTION, FeedbackType.QUESTION, FeedbackType.STATEMENT)

_LEAST = 1e-6
"""No probability counts as less in a fold: six decimals are what is kept."""

_CAUSES, _WEIGHTS = "causes ", " weights"
"""Arrays ``causes <pack> columns`` and ``causes <pack> weights``."""

_Spelling = tuple[NDArray[np.int64], NDArray[np.float32]]
"""Buckets and values of ``hash_ngrams``."""


@dataclass(frozen=True, slots=True, eq=False)
class Head:
    """Softmax over the sum of two readings: small networks over the vector (their mean), and a linear one over the n-grams.

    The vector knows meaning; the n-grams know spelling and local negation. How much each counts, and how sure the sum may be, was
    calibrated on rows that neither was fitted on, and is multiplied into the arrays.
    """

    centre: NDArray[np.float32]
    """(d,): subtracted from every vector."""
    hidden: NDArray[np.float32]
    """(networks, d + 1, units), the last row the bias; rectified."""
    output: NDArray[np.float32]
    """(networks, units + 1, classes), the last row the bias."""
    lexical: NDArray[np.int8]
    """(BUCKETS, classes), times ``lexical_scale``."""
    lexical_scale: NDArray[np.float32]
    """(classes,)"""
    rarity: NDArray[np.uint8] | None = None
    """(BUCKETS,): what an n-gram counts, as `lexical.ngram_rarity`; all alike where there is none."""
    _network: tuple[NDArray[np.float32], ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_network", _side_by_side(self.centre, self.hidden, self.output))

    def probabilities(self, vectors: Vectors, spellings: Sequence[_Spelling]) -> NDArray[np.float64]:
        """Return ``(n, classes)``; each row by itself, so a text gets the same bits alone and in company.

        ``spellings`` are the texts' ``hash_ngrams``.
        """
        result = np.empty((len(spellings), self.lexical.shape[1]), np.float64)
        hidden, hidden_bias, output, output_bias = self._network
        for row, (vector, (buckets, values)) in enumerate(zip(vectors, spellings, strict=True)):
            meaning = np.maximum(vector @ hidden + hidden_bias, 0.0) @ output + output_bias
            logits = (meaning + self._spelling_odds(buckets, values)).astype(np.float64)
            odds = np.exp(logits - logits.max())
            result[row] = odds / odds.sum()
        return result

    def _spelling_odds(self, buckets: NDArray[np.int64], values: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.rarity is not None:
            values = values * self.rarity[buckets]
            values = values / np.sqrt(values @ values)
        return np.asarray((values @ self.lexical[buckets].astype(np.float32)) * self.lexical_scale, np.float32)


def _side_by_side(centre: NDArray[np.float32], hidden: NDArray[np.float32], output: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    """Return the mean of a head's networks as one network with all their units: weights and bias, twice. Two products a text, not ten."""
    networks, rows, units = hidden.shape
    weights = hidden.transpose(1, 0, 2).reshape(rows, networks * units).astype(np.float64)
    bias = weights[-1] - centre @ weights[:-1]
    mixed = output[:, :-1].reshape(networks * units, -1) / networks
    return tuple(np.ascontiguousarray(part, np.float32) for part in (weights[:-1], bias, mixed, output[:, -1].mean(axis=0)))


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """What is read off one encoder's vectors."""

    encoder_version: str
    """The ``version`` of the embedder they were fitted on: no other will do."""
    version: str
    sentiment: Head
    type: Head
    language_means: Mapping[str, Vectors]
    """The encoder's mean vector of each language over its training texts; the prior of every theme set's means."""
    theme_projection: Vectors
    """(d, p): what themes are compared in beside the vector itself; p is 0 where none was fitted."""
    causes: Mapping[str, tuple[tuple[str, ...], Vectors]] = field(default_factory=dict)
    """Of each taxonomy fitted beside the heads, by `stages.causes.pack_name`: columns, and weights ``(d + 1, columns, facets)``."""

    def read(self, vectors: Vectors, texts: Sequence[str]) -> tuple[list[Sentiment], list[FeedbackType]]:
        """Return each text's sentiment, and what it does.

        A suggestion or a question says so in its form; complaint and praise are its sentiment.
        """
        spellings = [hash_ngrams(text) for text in texts]
        sentiments = self._sentiments(vectors, spellings)
        rows = self.type.probabilities(vectors, spellings)
        return sentiments, [_decide_type(row, sentiment) for row, sentiment in zip(rows, sentiments, strict=True)]

    def read_sentiments(self, vectors: Vectors, texts: Sequence[str]) -> list[Sentiment]:
        """Return calibrated sentiments, rounded to six decimals as they are written."""
        return self._sentiments(vectors, [hash_ngrams(text) for text in texts])

    def _sentiments(self, vectors: Vectors, spellings: Sequence[_Spelling]) -> list[Sentiment]:
        rows = self.sentiment.probabilities(vectors, spellings).round(6).tolist()
        return [Sentiment(negative, neutral, positive) for negative, neutral, positive in rows]


def _decide_type(probabilities: NDArray[np.float64], sentiment: Sentiment) -> FeedbackType:
    """Form first (suggestion, question), then polarity: a complaint that the type head missed is still a complaint."""
    best = TYPE_CLASSES[int(probabilities.argmax())]
    if best in (FeedbackType.SUGGESTION, FeedbackType.QUESTION):
        return best
    by_polarity = {"negative": FeedbackType.COMPLAINT, "positive": FeedbackType.PRAISE, "neutral": FeedbackType.STATEMENT}
    return by_polarity[sentiment.label.value]


def fold_sentiments(sentiments: Sequence[Sentiment], lengths: Sequence[int]) -> Sentiment:
    """Derive a comment's sentiment from its opinions: the mean of their log-probabilities (a logarithmic pool), see `fold_weights`.

    Sure opinions outweigh hesitant ones, and a long neutral account around one angry sentence is a negative comment, not a neutral one.
    """
    rows = np.array([(sentiment.negative, sentiment.neutral, sentiment.positive) for sentiment in sentiments])
    weights = fold_weights(np.array(lengths, np.float64), rows[:, 1])
    odds = weights @ np.log(np.maximum(rows, _LEAST)) / weights.sum()
    likely = np.exp(odds - odds.max())
    negative, neutral, positive = (likely / likely.sum()).round(6).tolist()
    return Sentiment(negative, neutral, positive)


def fold_weights(lengths: Any, neutral: Any) -> Any:
    """Return how much each opinion counts: the root of its length in characters, times how little neutral it is. Arrays or tensors."""
    return lengths**0.5 * (1.05 - neutral)


def load_heads(path: Path) -> Heads:
    """Load heads written by ``train heads``; the caller has verified the file (``weights.model_path``)."""
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            means = {key.removeprefix("mean_"): arrays[key] for key in arrays.files if key.startswith("mean_")}
            sentiment, type_ = (
                Head(
                    centre=arrays[f"{name}_centre"].astype(np.float32),
                    hidden=arrays[f"{name}_hidden"].astype(np.float32),
                    output=arrays[f"{name}_output"].astype(np.float32),
                    lexical=arrays[f"{name}_lexical"],
                    lexical_scale=arrays[f"{name}_lexical_scale"].astype(np.float32),
                    rarity=arrays[f"{name}_rarity"] if f"{name}_rarity" in arrays.files else None,
                )
                for name in ("sentiment", "type")
            )
            projection = arrays["theme_projection"].astype(np.float32)
            causes = {name: (tuple(arrays[f"{_CAUSES}{name} columns"].tolist()), weights) for name, weights in _cause_weights(arrays)}
            return Heads(str(arrays["encoder_version"]), str(arrays["version"]), sentiment, type_, means, projection, causes)
    except (OSError, EOFError, KeyError, TypeError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error) as error:
        raise WeightsError(f"{path} does not hold sentiment and type heads: {error}; fit them with `feedback-miner train heads`") from error


def cause_arrays(name: str, columns: Sequence[str], weights: Vectors) -> dict[str, NDArray[Any]]:
    """Return a taxonomy's causes as `load_heads` finds them among the arrays of heads."""
    return {f"{_CAUSES}{name} columns": np.array(columns), f"{_CAUSES}{name}{_WEIGHTS}": weights.astype(np.float16)}


def _cause_weights(arrays: Any) -> list[tuple[str, Vectors]]:
    names = [key.removeprefix(_CAUSES).removesuffix(_WEIGHTS) for key in arrays.files if key.startswith(_CAUSES) and key.endswith(_WEIGHTS)]
    return [(name, arrays[f"{_CAUSES}{name}{_WEIGHTS}"].astype(np.float32)) for name in names]
