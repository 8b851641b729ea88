"""A head for the labels of one file, fitted on its comments: two readings that err apart, and a mean of their log-odds.

In: comments as an encoder sees them, their vectors, a 0/1 matrix of labels. Out: the labels of others. One reading is of the vector (small
networks), one of the characters (a regression on TF-IDF). A single regression over both leans on whichever it was easier to fit: an encoder
that was taught with these very comments knows their labels, and its vectors are then believed too much. For the same reason networks are
fitted on vectors that have been moved at random: a comment the encoder has not seen lies further from its theme than those it was taught.

How all this is done was chosen where nothing is reported. On training rows of families that our encoder never saw, by cross-validation:
against a single regression, ecom_cosmetics_zh micro-F1 .876 (.859) of all its labels; vectors moved and networks counting half against
networks on vectors as they are, macro-F1 .611 (.587) on average of ecom_cosmetics_zh and cfpb_complaints. On validation rows of five sets
it was taught with (nhs_fft_phase1, semeval14_restaurant, ccf_car, dimabsa2026, app_reviews_type): .724 (.707). Three networks each.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.special import expit, logit
from threadpoolctl import threadpool_limits

from feedback_miner.domain import Vectors
from feedback_miner.stages.space import spread_of_dimensions

__all__ = ["Wholes", "predict_labels"]

_NETWORKS = 10
"""Five are as good on average, but a score of theirs moves by half a point of macro-F1 or so with the seeds."""
_UNITS = 256
_EPOCHS = 30
_BATCH = 64
_SPREAD = 0.4
"""Standard deviation of every dimension as networks see it: so a unit vector, spread over hundreds of axes, trains at the usual rates."""
_MOVED = 0.45
"""Standard deviation of what each of those dimensions is moved by, in every epoch anew."""
_LEAST_ODDS = 1e-5


@dataclass(frozen=True, slots=True, eq=False)
class Wholes:
    """Whole comments as an encoder sees them, and their vectors, ``(n, d)``."""

    texts: list[str]
    vectors: Vectors


def predict_labels(known: Wholes, matrix: NDArray[np.int64], asked: Wholes) -> NDArray[np.int64]:
    """Return ``(len(asked), labels)`` of 0 and 1, from ``matrix``, the labels of ``known``.

    Where every known row has exactly one of several labels, the one that would be most probable if all were equally frequent; else every
    label over its own threshold, chosen by cross-validation, and at least one.
    """
    spread = spread_of_dimensions(known.vectors) / _SPREAD
    inputs, questions = (_Inputs(part.vectors / spread, np.array(part.texts, object)) for part in (known, asked))
    with threadpool_limits(1):  # sums in one order, however many cores the machine has
        if (matrix.sum(axis=1) == 1).all() and matrix.shape[1] > 1:
            return np.asarray(np.eye(matrix.shape[1])[_most_probable(inputs, matrix.argmax(axis=1), questions)], np.int64)
        return _above_thresholds(inputs, matrix, questions)


@dataclass(frozen=True, slots=True, eq=False)
class _Inputs:
    """What the two readings read."""

    meaning: Vectors
    """(n, d)"""
    texts: NDArray[np.object_]

    def select(self, rows: NDArray[np.int64]) -> "_Inputs":
        return _Inputs(self.meaning[rows], self.texts[rows])


def _most_probable(known: _Inputs, labels: NDArray[np.int64], asked: _Inputs) -> NDArray[np.int64]:
    spelling, asked_spelling = _characters(known, asked)
    spelled = _regression(class_weight="balanced").fit(spelling, labels).predict_log_proba(asked_spelling)
    meant = np.mean([np.log(_uncertain(chances)) for chances in _chances_by_networks(known.meaning, labels, asked.meaning)], axis=0)
    prior = np.log(np.bincount(labels) / len(labels))
    return np.asarray((spelled + (meant - prior) / 2).argmax(axis=1))  # networks are the surer of the two, not the better


def _above_thresholds(known: _Inputs, matrix: NDArray[np.int64], asked: _Inputs) -> NDArray[np.int64]:
    from sklearn.model_selection import KFold

    held_back = np.zeros(matrix.shape)
    for inside, outside in KFold(4, shuffle=True, random_state=7).split(matrix):
        held_back[outside] = _chances(known.select(inside), matrix[inside], known.select(outside))
    cuts = [_best_threshold(truth, scores) for truth, scores in zip(matrix.T, held_back.T, strict=True)]
    above = _chances(known, matrix, asked) - cuts
    chosen = (above >= 0).astype(np.int64)
    chosen[np.arange(len(chosen)), above.argmax(axis=1)] = 1
    return chosen


def _chances(known: _Inputs, matrix: NDArray[np.int64], asked: _Inputs) -> NDArray[np.float64]:
    """Return how probable each label is in each row, ``(len(asked), labels)``; of one that all or no known rows carry, 1 or 0."""
    chances = np.repeat(matrix.max(axis=0)[None, :].astype(np.float64), len(asked.meaning), axis=0)
    told = np.flatnonzero(matrix.min(axis=0) < matrix.max(axis=0))
    if len(told):
        labels = matrix[:, told] if len(told) > 1 else np.hstack([matrix[:, told], 1 - matrix[:, told]])
        meant = np.mean([_log_odds(of_network) for of_network in _chances_by_networks(known.meaning, labels, asked.meaning)], axis=0)
        spelling, asked_spelling = _characters(known, asked)
        for place, column in enumerate(told):
            spelled = _regression().fit(spelling, matrix[:, column]).decision_function(asked_spelling)
            chances[:, column] = expit((spelled + meant[:, place]) / 2.0)
    return chances


def _characters(known: _Inputs, asked: _Inputs) -> tuple[csr_matrix, csr_matrix]:
    """Return TF-IDF of character 1-4-grams of both, as the known ones weigh them."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), min_df=2, sublinear_tf=True)
    return vectorizer.fit_transform(known.texts), vectorizer.transform(asked.texts)


def _regression(**options: Any) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=16.0, max_iter=300, tol=1e-3, **options)


def _chances_by_networks(inputs: Vectors, labels: NDArray[np.int64], questions: Vectors) -> list[NDArray[np.float64]]:
    """Return what each of a few networks of one hidden layer says, which differ in their seeds alone."""
    from sklearn.neural_network import MLPClassifier

    names = np.arange(labels.shape[1] if labels.ndim > 1 else labels.max() + 1)
    chances = []
    for seed in range(_NETWORKS):
        network = MLPClassifier((_UNITS,), alpha=0.1, learning_rate_init=2e-3, batch_size=min(_BATCH, len(inputs)), random_state=seed)
        draw = np.random.default_rng(seed)
        for _ in range(_EPOCHS):
            network.partial_fit(inputs + _MOVED * draw.standard_normal(inputs.shape, np.float32), labels, classes=names)
        chances.append(network.predict_proba(questions))
    return chances


def _uncertain(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep probabilities off 0 and 1, whose odds no mean would move."""
    return np.clip(chances, _LEAST_ODDS, 1.0 - _LEAST_ODDS)


def _log_odds(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(logit(_uncertain(chances)))


def _best_threshold(truth: NDArray[np.int64], scores: NDArray[np.float64]) -> float:
    """Return the cut with the best F1; among equals the lowest."""
    from sklearn.metrics import f1_score

    cuts = np.linspace(0.1, 0.6, 26)
    return float(cuts[int(np.argmax([f1_score(truth, scores >= cut, zero_division=0.0) for cut in cuts]))])
