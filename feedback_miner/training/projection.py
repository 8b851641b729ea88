"""The theme projection: a linear map of aligned vectors in which opinions with the same theme or aspect label lie together.

In: labelled sets, vectors of their comments. Out: a ``(d, 128)`` matrix. Supervised contrastive loss (Khosla et al. 2020) over batches
from one set at a time, so that it learns what makes two complaints the same theme rather than one set's labels. Serving puts the
projected vector *beside* the encoder's own: what no training set knew is still told apart by the latter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from feedback_miner.domain import Vectors

__all__ = ["THEME_LABELS", "LabelledVectors", "fit_projection"]

THEME_LABELS: Mapping[str, tuple[str, ...]] = {
    # Set: its columns of theme labels (several in a cell are joined by ``|``). clinc150 and the sets in ``LEFT_OUT`` stay unseen.
    "airline_tweets": ("theme",),
    "app_reviews_type": ("label",),
    "car_complaints_zh": ("components",),
    "ccf_car": ("themes",),
    "dimabsa2026": ("themes",),
    "mabsa_en_zh": ("themes",),
    "mams_acsa": ("themes",),
    "nhs_fft": ("themes",),
    "nhs_fft_phase1": ("label", "subcategory"),
    "semeval14_restaurant": ("themes",),
}
_WIDTH = 128
_STEPS = 3_000
_BATCH = 192
_TEMPERATURE = 0.1
_RATE = 2e-3
_DECAY = 1e-2


@dataclass(frozen=True, slots=True, eq=False)
class LabelledVectors:
    """One label column of one set: aligned vectors of training rows that carry a label."""

    vectors: Vectors
    labels: Sequence[frozenset[str]]


def fit_projection(tasks: Sequence[LabelledVectors], *, seed: int = 7) -> NDArray[np.float32]:
    """Fit the map on every task in turn, larger ones more often (by the square root of their rows). Needs torch ([train] extra)."""
    import torch

    torch.manual_seed(seed)
    torch.set_num_threads(1)  # the same sums in the same order wherever it is fitted
    draw = np.random.default_rng(seed)
    chances = np.sqrt([len(task.labels) for task in tasks])
    chances /= chances.sum()
    prepared = [(torch.from_numpy(task.vectors), _indicator(task.labels)) for task in tasks]
    projection = torch.nn.Linear(tasks[0].vectors.shape[1], _WIDTH, bias=False)
    optimizer = torch.optim.AdamW(projection.parameters(), lr=_RATE, weight_decay=_DECAY)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.05, _STEPS)
    for _ in range(_STEPS):
        vectors, indicator = prepared[int(draw.choice(len(prepared), p=chances))]
        rows = np.sort(draw.choice(len(vectors), min(_BATCH, len(vectors)), replace=False))
        projected = torch.nn.functional.normalize(projection(vectors[rows]), dim=1)
        loss = _contrast(projected @ projected.T / _TEMPERATURE, torch.from_numpy(_shared_labels(indicator[rows])))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return cast(NDArray[np.float32], np.ascontiguousarray(projection.weight.detach().numpy().T))


def _contrast(similarity: "torch.Tensor", shared: "torch.Tensor") -> "torch.Tensor":  # type: ignore[name-defined]  # noqa: F821
    """Mean over rows of how unlikely a softmax over the others finds those that share a label, weighted by how much they share."""
    import torch

    others = similarity.masked_fill(torch.eye(len(similarity), dtype=torch.bool), float("-inf"))
    chances = (others - torch.logsumexp(others, dim=1, keepdim=True)).masked_fill(torch.isinf(others), 0.0)
    weight = shared.sum(dim=1)
    known = weight > 0
    return -((shared * chances).sum(dim=1)[known] / weight[known]).mean()


def _indicator(labels: Sequence[frozenset[str]]) -> NDArray[np.float32]:
    names = {name: at for at, name in enumerate(sorted(frozenset().union(*labels)))}
    indicator = np.zeros((len(labels), len(names)), np.float32)
    for row, carried in enumerate(labels):
        indicator[row, [names[name] for name in carried]] = 1.0
    return indicator


def _shared_labels(indicator: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how much two rows share, 0..1: common labels over the larger number of labels; nothing with oneself."""
    counts = indicator.sum(axis=1)
    shared = (indicator @ indicator.T) / np.maximum(1.0, np.maximum(counts[:, None], counts[None, :]))
    np.fill_diagonal(shared, 0.0)
    return np.asarray(shared, np.float32)
