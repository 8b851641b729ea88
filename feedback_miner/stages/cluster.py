"""Themes out of vectors: UMAP, HDBSCAN leaves, centres refined in the full space, parents by merging centres.

Comes in: aligned unit vectors of distinct opinions in canonical order (the caller sorts by hash: UMAP follows row order). Goes out: centres
with a membership threshold each and a parent for every leaf. HDBSCAN only finds where the themes are; membership is always
decided by the frozen centres, here and when serving (``hdbscan.approximate_predict`` is known to disagree with the fit). Later waves
leave these centres as they are and add some among what they refuse.
"""

import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from feedback_miner.config import MiningConfig
from feedback_miner.domain import Vectors
from feedback_miner.stages.space import unit_rows

__all__ = ["Clusters", "assign_in_waves", "assign_to_centres", "fit_clusters", "fit_more_clusters"]

_FEWEST_FOR_UMAP = 40
"""Below this UMAP's neighbour graph is all noise; centres then come from average linkage alone."""
_USUAL_SIZE, _OTHER_SIZES, _CLEARER = 0.35, (0.2, 0.1, 0.5), 0.02
"""The smallest leaf, times the root of the number of opinions, and what it is instead where leaves then stand apart by so much more."""
_LARGEST = 0.125
"""HDBSCAN's most persistent clusters are no leaves where one holds a larger share of the opinions: it is several complaints."""
_ONE_THEME = 0.75
"""Centres this close are one theme: about as close as the closest two leaves that a whole corpus was parted into."""
_TIGHT = 0.9
"""Later leaves are found among vectors as close to each other as this quantile of the leaves before asks. What is refused is mostly noise:
at the median, a survey gave a leaf when nothing had been added to it; here it gave none, and subjects planted in it were still found."""


@dataclass(frozen=True, slots=True)
class Clusters:
    """``k`` leaves found in ``n`` vectors."""

    labels: NDArray[np.int32]
    """(n,): the leaf of each vector by nearest centre, -1 where it is below the leaf's threshold."""
    centres: Vectors
    """(k, d), unit rows."""
    thresholds: NDArray[np.float32]
    """(k,): least cosine with the centre for membership."""
    parents: NDArray[np.int32]
    """(k,): parent number of each leaf, 0..p-1."""


def fit_clusters(vectors: Vectors, config: MiningConfig) -> Clusters:
    """Find leaves and parents. Deterministic for equal rows in equal order; no leaves at all is a valid answer."""
    count, dimensions = vectors.shape
    sizes = _sizes(count, config)
    if count < 2 * sizes[0]:
        return _no_clusters(count, dimensions)
    core = _core(vectors, sizes, config)
    if core.max(initial=-1) < 0:
        return _no_clusters(count, dimensions)
    centres, labels = _refine(vectors, core)
    centres, labels = _limit(vectors, centres, labels, config.max_leaves)
    thresholds = _calibrate(vectors, centres, labels, core, config.assign_quantile)
    similarity = np.einsum("nd,nd->n", vectors, centres[labels])
    labels = np.where(similarity >= thresholds[labels], labels, -1).astype(np.int32)
    return Clusters(labels, centres, thresholds, _merge_parents(centres, config.parent_similarity))


def fit_more_clusters(
    vectors: Vectors, centres: Vectors, thresholds: NDArray[np.float32], config: MiningConfig, *, corpus: int
) -> Clusters:
    """Find leaves among vectors that the leaves found before (``centres``, ``thresholds``) refuse.

    A later leaf is as large as one found in ``corpus`` distinct opinions would have to be, counting only what is as close to it as the
    tight leaves before it ask; once found it asks no more than they do in the middle. It is not one of them over again. Without any leaf
    before it there is nothing to go by, and no leaf is found.
    """
    count, dimensions = vectors.shape
    smallest = _sizes(min(corpus, config.max_fit_opinions), config)[0]
    if not len(centres) or count < smallest:
        return _no_clusters(count, dimensions)
    usual, tight = np.quantile(thresholds, [0.5, _TIGHT]).astype(np.float32)
    nearer = (vectors @ centres.T).max(axis=1)
    labels = _core(vectors, [smallest], config)
    if labels.max() < 0:
        labels = np.zeros(count, np.int32)  # density tells clusters from each other: one alone it cannot see
    labels = _join_close(vectors, labels)
    found = np.zeros((0, dimensions), np.float32)
    for _ in range(4):
        found = _centres(vectors, labels)
        found = found[(found @ centres.T).max(axis=1) < _ONE_THEME]
        sizes = np.bincount(1 + _members(vectors, found, np.maximum(nearer, tight)), minlength=1 + len(found))[1:]
        largest = np.argsort(-sizes, kind="stable")[: config.max_leaves]
        found = found[np.sort(largest[sizes[largest] >= smallest])]
        if not len(found):
            return _no_clusters(count, dimensions)
        labels = _members(vectors, found, np.maximum(nearer, tight))  # no leaf is smaller for the others' leaving
    labels = _members(vectors, found, np.maximum(nearer, usual))
    return Clusters(labels, found, np.full(len(found), usual, np.float32), _merge_parents(found, config.parent_similarity))


def assign_in_waves(
    vectors: Vectors, centres: Vectors, thresholds: NDArray[np.float32], starts: Sequence[int], *, learned: int = 0
) -> tuple[NDArray[np.int32], Vectors, NDArray[np.bool_]]:
    """Return what ``assign_to_centres`` does, and ``(n,)`` whether the nearest centre takes the vector in.

    ``starts`` are the rows at which the centres of later waves begin. A vector belongs to the nearest of the first wave's centres if that
    reaches its threshold; else to the nearest of the first two waves', and so on. Whatever the first waves take, later ones cannot take
    away. The first ``learned`` centres are of no wave: what the nearest of them takes in is its own, the nearest of the others coming
    second; to all other vectors it is as if they were not there. (Were they asked together, each would turn away what is nearest to it and
    yet not near enough, though another centre had taken it.)
    """
    taken = np.zeros(len(vectors), np.bool_)
    nearest, cosines = np.full((len(vectors), 2), -1, np.int32), np.full((len(vectors), 2), -1.0, np.float32)
    for end in (*starts, len(centres)):
        rows = np.flatnonzero(~taken)
        # Products of the same shape as when these were all the centres there were: the same bits.
        near, cosines[rows] = assign_to_centres(vectors[rows], centres[learned:end])
        nearest[rows] = np.where(near >= 0, near + learned, -1)
        if end > learned:
            taken[rows] = cosines[rows, 0] >= thresholds[nearest[rows, 0]]
    if learned:
        copied, closeness = assign_to_centres(vectors, centres[:learned])
        rows = np.flatnonzero(closeness[:, 0] >= thresholds[copied[:, 0]])
        nearest[rows] = np.column_stack([copied[rows, 0], nearest[rows, 0]])
        cosines[rows] = np.column_stack([closeness[rows, 0], cosines[rows, 0]])
        taken[rows] = True
    return nearest, cosines, taken


def assign_to_centres(vectors: Vectors, centres: Vectors) -> tuple[NDArray[np.int32], Vectors]:
    """Return the two nearest centres of each vector, ``(n, 2)``, and their cosines ``(n, 2)``, nearest first.

    Each row is computed by itself, not by one matrix product over all, so that a vector gets the same bits alone and in company. With a
    single centre the second column is -1 with cosine -1.
    """
    nearest = np.full((len(vectors), 2), -1, np.int32)
    cosines = np.full((len(vectors), 2), -1.0, np.float32)
    width = min(2, len(centres))
    for row, vector in enumerate(vectors):
        similarity = centres @ vector
        order = np.argsort(-similarity, kind="stable")[:width]
        nearest[row, :width] = order
        cosines[row, :width] = similarity[order]
    return nearest, cosines


def _sizes(count: int, config: MiningConfig) -> list[int]:
    """Return what the smallest leaf among ``count`` opinions may hold: the usual first, then what is tried beside it."""
    if config.min_theme_opinions:
        return [config.min_theme_opinions]
    return list(dict.fromkeys(max(3, round(share * count**0.5)) for share in (_USUAL_SIZE, *_OTHER_SIZES)))


def _no_clusters(count: int, dimensions: int) -> Clusters:
    return Clusters(np.full(count, -1, np.int32), np.zeros((0, dimensions), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32))


def _core(vectors: Vectors, sizes: Sequence[int], config: MiningConfig) -> NDArray[np.int32]:
    """Return the cores of leaves, -1 for noise: of those of each smallest size the ones that stand apart most clearly.

    How fine its themes are is a corpus's own affair: one names a hundred things, a dozen times each, another ten things over and over. Nor
    need they be as fine throughout: beside the finest clusters of each size stand the most persistent ones, small and large together.
    """
    if len(vectors) < _FEWEST_FOR_UMAP:
        return _core_by_linkage(vectors, sizes[0])
    projected = _project(vectors, config)
    cores = [_core_by_density(projected, size, "leaf") for size in sizes]
    if len(sizes) > 1:  # one alone was asked for, or is what a later wave keeps to: its leaves are as fine as that
        persistent = [_core_by_density(projected, size, "eom") for size in sizes]
        cores += [core for core in persistent if np.bincount(core[core >= 0]).max(initial=0) <= _LARGEST * len(vectors)]
    apart = [_separation(vectors, core) for core in cores]
    apart[0] += _CLEARER  # the usual size stays where another is hardly better
    return cores[int(np.argmax(apart))]


def _separation(vectors: Vectors, labels: NDArray[np.int32]) -> float:
    """Return the mean silhouette (Rousseeuw 1987), -1..1, of the vectors, by their distances to centres; noise counts as 0.

    Their own cluster's centre is that of its other members: a small cluster is no better for lying close to itself. 0 for a single cluster.
    """
    if labels.max(initial=-1) < 1:
        return 0.0
    count, clustered = len(vectors), np.flatnonzero(labels >= 0)
    vectors, labels = vectors[clustered], labels[clustered]
    sums = np.stack([vectors[labels == leaf].sum(axis=0) for leaf in range(int(labels.max()) + 1)])
    own = 1.0 - np.einsum("nd,nd->n", vectors, unit_rows(sums[labels] - vectors))
    cosines = vectors @ unit_rows(sums).T
    cosines[np.arange(len(labels)), labels] = -1.0
    nearest = 1.0 - cosines.max(axis=1)
    return float(np.sum((nearest - own) / np.maximum(np.maximum(nearest, own), 1e-9))) / count


def _project(vectors: Vectors, config: MiningConfig) -> NDArray[np.float64]:
    """Return the vectors where density means something: a UMAP of a few dimensions."""
    with warnings.catch_warnings():
        # umap announces what it was installed without, and that a seed costs it its parallelism: the price of determinism, paid on purpose.
        warnings.simplefilter("ignore")
        projected = (
            _import_umap()
            .UMAP(
                n_neighbors=min(config.umap_neighbors, len(vectors) - 1),
                n_components=config.umap_dimensions,
                metric="cosine",
                min_dist=0.0,
                random_state=config.seed,
                n_jobs=1,
            )
            .fit_transform(vectors)
        )
    return np.asarray(projected, np.float64)


def _core_by_density(projected: NDArray[np.float64], smallest: int, selection: str) -> NDArray[np.int32]:
    """HDBSCAN's clusters, the finest (``leaf``) or the most persistent (``eom``): labels (n,), -1 for noise."""
    import hdbscan

    clusterer = hdbscan.HDBSCAN(
        min_cluster_size=max(2, smallest),  # it knows no cluster of one
        min_samples=min(5, smallest),
        cluster_selection_method=selection,
        core_dist_n_jobs=1,
    )
    return np.asarray(clusterer.fit(projected).labels_, np.int32)


@cache
def _import_umap() -> Any:
    """Return the module ``umap``, told to keep on disk what numba compiles of it: a new process takes longer for that than to mine.

    Beside the package or, where that may not be written, in the user's cache folder; ``NUMBA_CACHE_DIR`` names another. The processor and
    the source are part of the key (https://numba.readthedocs.io/en/stable/developer/caching.html), so the bits are those of compiling anew.
    Not what pynndescent compiles, with which umap looks for neighbours among more than 4,096 vectors: its functions are handed functions,
    which numba takes for others in every process, and what it kept would grow and never be found.
    """
    import umap

    for name, module in tuple(sys.modules.items()):
        if name.startswith("umap."):
            for function in vars(module).values():
                if hasattr(function, "enable_caching") and function.__module__ == name:
                    function.enable_caching()
    return umap


def _core_by_linkage(vectors: Vectors, smallest: int) -> NDArray[np.int32]:
    """Average linkage for a handful of texts, cut where cosine falls under one half; small groups are noise."""
    groups = fcluster(_average_linkage(vectors), 0.5, "distance") - 1
    sizes = np.bincount(groups)
    kept = np.flatnonzero(sizes >= smallest)
    renumber = np.full(len(sizes), -1, np.int32)
    renumber[kept] = np.arange(len(kept), dtype=np.int32)
    return np.asarray(renumber[groups], np.int32)


def _refine(vectors: Vectors, labels: NDArray[np.int32], *, rounds: int = 3) -> tuple[Vectors, NDArray[np.int32]]:
    """Turn cores into centres and let every vector join its nearest, a few times over (spherical k-means from a good start)."""
    centres = _centres(vectors, labels)
    for _ in range(rounds):
        labels = (vectors @ centres.T).argmax(axis=1).astype(np.int32)
        labels = np.unique(labels, return_inverse=True)[1].astype(np.int32)  # a centre that attracts nobody is gone
        centres = _centres(vectors, labels)
    return centres, (vectors @ centres.T).argmax(axis=1).astype(np.int32)


def _centres(vectors: Vectors, labels: NDArray[np.int32]) -> Vectors:
    count = int(labels.max()) + 1
    return unit_rows(np.stack([vectors[labels == leaf].mean(axis=0) for leaf in range(count)]))


def _join_close(vectors: Vectors, labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Give clusters whose centres are about the same one label."""
    centres = _centres(vectors, labels)
    if len(centres) == 1:
        return labels
    groups = fcluster(_average_linkage(centres), 1.0 - _ONE_THEME, "distance") - 1
    return np.where(labels >= 0, groups[labels], -1).astype(np.int32)


def _members(vectors: Vectors, centres: Vectors, least: NDArray[np.float32]) -> NDArray[np.int32]:
    """Return the nearest centre of each vector, -1 where it is not as close as ``least``."""
    if not len(centres):
        return np.full(len(vectors), -1, np.int32)
    similarity = vectors @ centres.T
    return np.where(similarity.max(axis=1) >= least, similarity.argmax(axis=1), -1).astype(np.int32)


def _limit(vectors: Vectors, centres: Vectors, labels: NDArray[np.int32], most: int) -> tuple[Vectors, NDArray[np.int32]]:
    """Merge the closest leaves until at most ``most`` are left: nobody reads a report of a thousand themes."""
    if len(centres) <= most:
        return centres, labels
    groups = fcluster(_average_linkage(centres), most, "maxclust") - 1
    merged = np.unique(groups[labels], return_inverse=True)[1].astype(np.int32)
    centres = _centres(vectors, merged)
    return centres, (vectors @ centres.T).argmax(axis=1).astype(np.int32)


def _calibrate(
    vectors: Vectors, centres: Vectors, labels: NDArray[np.int32], core: NDArray[np.int32], quantile: float
) -> NDArray[np.float32]:
    """Least similarity for membership: what all but the ``quantile`` least typical core members of the leaf reach.

    Noise is thus let in exactly where it resembles a theme as much as the theme's own members do. Leaves that kept fewer than five
    core members borrow the quantile of all leaves.
    """
    similarity = np.einsum("nd,nd->n", vectors, centres[labels])
    dense = core >= 0
    common = float(np.quantile(similarity[dense], quantile))
    thresholds = np.full(len(centres), common, np.float32)
    for leaf in range(len(centres)):
        own = similarity[dense & (labels == leaf)]
        if len(own) >= 5:
            thresholds[leaf] = min(float(np.quantile(own, quantile)), common + 0.1)
    return thresholds


def _average_linkage(vectors: Vectors) -> NDArray[np.float64]:
    """Return the tree of average linkage by cosine; a row of zeros lies at right angles to everything."""
    return np.asarray(linkage(np.nan_to_num(pdist(vectors.astype(np.float64), "cosine"), nan=1.0), "average"))


def _merge_parents(centres: Vectors, similarity: float) -> NDArray[np.int32]:
    if len(centres) == 1:
        return np.zeros(1, np.int32)
    tree = _average_linkage(centres)
    return np.asarray(fcluster(tree, 1.0 - similarity, "distance") - 1, np.int32)
