"""Parts proposed for a split: a leaf's opinions in, groups of examples out, with what a split by them would do. Deterministic.

A proposal is only ever shown. What is then split is said by the examples in the edit itself, so that a replay needs no proposal.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import KMeans
from threadpoolctl import threadpool_limits

from feedback_miner.domain import Vectors
from feedback_miner.edits.themes import LEARNED_THRESHOLD, lean_apart, lean_of
from feedback_miner.errors import InputError
from feedback_miner.stages.space import unit_rows

__all__ = ["choose_examples", "cluster_parts", "count_sides", "part_by_similarity"]

_RUNS = 10
"""Of k-means, from different starts; the tightest counts."""


def cluster_parts(rows: Vectors, parts: int) -> NDArray[np.int32]:
    """Return ``(n,)``: which of the parts each unit row belongs to, the largest part first. Equal rows in equal order give equal parts.

    Raises InputError where fewer rows differ than there are to be parts.
    """
    if len(np.unique(rows, axis=0)) < parts:
        raise InputError(f"{len(rows)} opinions do not differ enough to make {parts} parts of them; ask for fewer")
    with threadpool_limits(1):  # sums in one order
        found: NDArray[np.int32] = KMeans(parts, n_init=_RUNS, random_state=0).fit_predict(rows)
    ranks = np.argsort(np.argsort(-np.bincount(found, minlength=parts), kind="stable"))
    return np.asarray(ranks[found], np.int32)


def part_by_similarity(similarities: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return ``(n,)``: 0 for those most like what was asked for, 1 for the rest, parted where the two groups are tightest."""
    found = cluster_parts(similarities[:, None].astype(np.float32), 2)
    nearer = int(similarities[found == 1].mean() > similarities[found == 0].mean())
    return np.asarray(found != nearer, np.int32)


def choose_examples(rows: Vectors, labels: NDArray[np.int32], texts: Sequence[str], *, limit: int) -> list[list[int]]:
    """Return for each part the places of the opinions nearest to its centre, nearest first; the same text is no second example."""
    examples = []
    for part in range(int(labels.max()) + 1):
        members = np.flatnonzero(labels == part)
        centre = rows[members].mean(axis=0)
        order = members[np.argsort(-(rows[members] @ centre), kind="stable")]
        distinct = {texts[at]: int(at) for at in reversed(order)}  # of those that say the same, the nearest
        examples.append([int(at) for at in order if distinct[texts[at]] == at][:limit])
    return examples


def count_sides(rows: Vectors, examples: Sequence[Sequence[int]], prototypes: Vectors) -> list[int]:
    """Return how many of the rows a split of a leaf with these ``prototypes`` by these examples gives to each part.

    Examples and their near-copies stay where they were put (``learn_prototypes``), the others go to the nearer side.
    """
    leanings = lean_of([rows[list(part)] for part in examples])
    leaned = [unit_rows(lean_apart(prototype, leanings)) for prototype in prototypes]
    sides = np.max([rows @ parts.T for parts in leaned], axis=0).argmax(axis=1)
    likeness = rows @ rows[[at for part in examples for at in part]].T
    parts_of_examples = np.repeat(np.arange(len(examples)), [len(part) for part in examples])
    sides = np.where(likeness.max(axis=1) >= LEARNED_THRESHOLD, parts_of_examples[likeness.argmax(axis=1)], sides)
    return [int(count) for count in np.bincount(sides, minlength=len(examples))]
