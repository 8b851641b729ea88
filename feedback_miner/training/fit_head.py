"""A head, fitted as it serves: opinions are read one by one, and what is asked of them together is the label of their comment.

In: comments split into opinions, each opinion's vector and n-grams, one label a comment. Out: the arrays of `stages.sentiment.Head`.
What is labelled are comments, what is read are opinions: gradients go through the fold (`stages.sentiment.fold_sentiments`), so that "the
bag is fine" in an angry letter is not taught to be angry. And networks are fitted on vectors that have been moved at random: an encoder
that was taught with these very comments puts them nearer to their like than it will put any that it has not seen.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn
from torch.nn import functional

from feedback_miner.domain import Vectors
from feedback_miner.stages.lexical import ngram_rarity, weigh_ngrams
from feedback_miner.stages.space import spread_of_dimensions
from feedback_miner.training.losses import fold

__all__ = ["Comments", "fit_head"]

_NETWORKS = 3
_UNITS = 256
_EPOCHS = 30
_FEWEST_STEPS = 600
_BATCH = 256
_RATE = 1e-3
_DECAY = 1e-2
_DROPOUT = 0.3
_SPREAD = 0.4
"""Standard deviation of every dimension as networks see it: so a unit vector, spread over hundreds of axes, trains at the usual rates."""
_MOVED = 0.45
"""Standard deviation of what each of those dimensions is moved by, at every step anew. Chosen, as units and epochs were, on the rows that
heads are weighed on: mean macro-F1 .703, with vectors as they are .691 (15 epochs; .689 with 5, 128 units)."""
_SPELLING = 0.4
"""How much the n-grams say while networks are trained beside them; what both are worth is weighed afterwards."""
_RIDGE = 1.0
"""Chosen, as n-grams counting by rarity were, on the rows that heads are weighed on: .683 on them, .675 with all n-grams alike."""


@dataclass(frozen=True, slots=True, eq=False)
class Comments:
    """Labelled comments and their opinions, those of comment i from ``starts[i]`` to ``starts[i + 1]``."""

    labels: NDArray[np.int64]
    spelling: csr_matrix
    """(comments, BUCKETS): n-grams of the whole."""
    starts: NDArray[np.int64]
    vectors: Vectors
    """(opinions, d)"""
    opinion_spelling: csr_matrix
    """(opinions, BUCKETS)"""
    lengths: NDArray[np.float32]
    """(opinions,): characters."""

    def select(self, rows: NDArray[np.int64]) -> "Comments":
        """Keep some comments, in the given order, with their opinions."""
        opinions = _opinions_of(self.starts, rows)
        counts = np.diff(self.starts)[rows]
        return Comments(
            self.labels[rows],
            self.spelling[rows],
            np.concatenate([[0], np.cumsum(counts)]),
            self.vectors[opinions],
            self.opinion_spelling[opinions],
            self.lengths[opinions],
        )


def fit_head(comments: Comments, held_back: NDArray[np.bool_], classes: int) -> dict[str, Any]:
    """Fit networks and n-grams, and weigh them on the held-back comments: what was weighed is what serves.

    Fitted again on everything, held-back comments included, it would be no better on comments that it has not seen (a head that was given
    half of them found .684 of the other half, one that was given none .683), and its weights would be another head's.
    Comments without opinions teach nothing and are left out. The same input gives the same bits on one machine.
    """
    said = np.diff(comments.starts) > 0
    rarity = ngram_rarity(comments.spelling)
    comments = replace(
        comments, spelling=weigh_ngrams(comments.spelling, rarity), opinion_spelling=weigh_ngrams(comments.opinion_spelling, rarity)
    )
    parts = _fit_parts(comments.select(np.flatnonzero(said & ~held_back)), classes)
    meaning_weight, spelling_weight = _weigh(parts, comments.select(np.flatnonzero(said & held_back)))
    scale = np.abs(parts["table"]).max(axis=0) / 127.0
    return {
        "centre": parts["centre"],
        "hidden": parts["hidden"].astype(np.float16),
        "output": (parts["output"] * meaning_weight).astype(np.float16),
        "lexical": np.round(parts["table"] / scale).astype(np.int8),
        "lexical_scale": (scale * spelling_weight).astype(np.float32),
        "rarity": rarity,
    }


def _fit_parts(comments: Comments, classes: int) -> dict[str, NDArray[Any]]:
    linear = LogisticRegression(C=_RIDGE, max_iter=300, tol=1e-3).fit(comments.spelling, comments.labels)
    table = linear.coef_.T.reshape(-1, classes)
    spelled = torch.from_numpy(np.asarray(comments.opinion_spelling @ table, np.float32))
    centre = comments.vectors.mean(axis=0)
    scale = _SPREAD / spread_of_dimensions(comments.vectors)
    inputs = torch.from_numpy(((comments.vectors - centre) * scale).astype(np.float32))
    networks = [_train(inputs, spelled, comments, classes, seed) for seed in range(_NETWORKS)]
    hidden = np.stack([np.vstack([first.weight.detach().numpy().T * scale[:, None], first.bias.detach().numpy()]) for first, _ in networks])
    output = np.stack([np.vstack([last.weight.detach().numpy().T, last.bias.detach().numpy()]) for _, last in networks])
    return {"centre": centre, "hidden": hidden, "output": output, "table": table}


def _train(inputs: Tensor, spelled: Tensor, comments: Comments, classes: int, seed: int) -> tuple[nn.Linear, nn.Linear]:
    torch.manual_seed(seed)
    first, last = nn.Linear(inputs.shape[1], _UNITS), nn.Linear(_UNITS, classes)
    parameters = [*first.parameters(), *last.parameters()]
    batch = min(_BATCH, len(comments.labels))
    steps = max(_EPOCHS * len(comments.labels) // batch, _FEWEST_STEPS)
    optimizer = torch.optim.AdamW(parameters, lr=_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, steps)
    labels, lengths = torch.from_numpy(comments.labels), torch.from_numpy(comments.lengths)
    draw = np.random.default_rng(seed)
    order = np.zeros(0, np.int64)
    for _ in range(steps):
        if len(order) < batch:
            order = draw.permutation(len(comments.labels))
        rows, order = order[:batch], order[batch:]
        opinions = torch.from_numpy(_opinions_of(comments.starts, rows))
        owners = torch.from_numpy(np.repeat(np.arange(batch), np.diff(comments.starts)[rows]))
        seen = inputs[opinions]
        moved = seen + _MOVED * torch.from_numpy(draw.standard_normal(seen.shape, np.float32))
        meaning = last(functional.dropout(first(moved).relu(), _DROPOUT))
        odds = fold(meaning + _SPELLING * spelled[opinions], lengths[opinions], owners, batch)
        functional.cross_entropy(odds, labels[torch.from_numpy(rows)]).backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        schedule.step()
    return first, last


def _weigh(parts: Mapping[str, NDArray[Any]], comments: Comments) -> tuple[float, float]:
    """Return the weights of the two readings that make held-back labels most likely: a blend and a temperature in one."""
    centred = comments.vectors - parts["centre"]
    readings = [
        np.maximum(centred @ hidden[:-1] + hidden[-1], 0.0) @ output[:-1] + output[-1]
        for hidden, output in zip(parts["hidden"], parts["output"], strict=True)
    ]
    meaning = torch.from_numpy(np.mean(readings, axis=0, dtype=np.float32))
    letters = torch.from_numpy(np.asarray(comments.opinion_spelling @ parts["table"], np.float32))
    labels, lengths = torch.from_numpy(comments.labels), torch.from_numpy(comments.lengths)
    owners = torch.from_numpy(np.repeat(np.arange(len(labels)), np.diff(comments.starts)))

    def surprise(weights: NDArray[np.float64]) -> float:
        odds = fold(float(weights[0]) * meaning + float(weights[1]) * letters, lengths, owners, len(labels))
        return float(functional.cross_entropy(odds, labels))

    best = minimize(surprise, np.array([0.7, 0.3]), method="Nelder-Mead", bounds=[(0.05, 3.0), (0.0, 3.0)]).x
    return float(best[0]), float(best[1])


def _opinions_of(starts: NDArray[np.int64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of all opinions of some comments, comment by comment."""
    counts = np.diff(starts)[rows]
    return np.repeat(starts[rows] - np.concatenate([[0], np.cumsum(counts)[:-1]]), counts) + np.arange(int(counts.sum()))
