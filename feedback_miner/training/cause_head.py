"""The causes of the shipped packs, fitted on their own sentences and on labelled comments, through a written crosswalk.

In: taxonomies, labelled sets, an encoder. Out: for each pack the columns and weights of `stages.causes`. ``crosswalk.toml`` says which
causes a label of somebody else's may mean: a comment with it is about one of them, and training asks no more than that (partial labels,
Jin and Ghahramani 2002). A pack of the user's own is fitted on its sentences alone, when it is first needed.
"""

import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax

from feedback_miner.domain import Vectors
from feedback_miner.errors import TaxonomyError
from feedback_miner.reading import read_text
from feedback_miner.stages.causes import UNMAPPED, add_facets, score_causes, taxonomy_utterances
from feedback_miner.stages.clean import matching_text
from feedback_miner.stages.space import align_vectors, half_precision
from feedback_miner.taxonomy import Taxonomy
from feedback_miner.training.sets import LabelledSet

__all__ = ["Gold", "fit_cause_head", "read_crosswalk", "read_gold", "score_gold"]

_MOST_OPINIONS = 3
"""A comment of more says other things beside its label."""
_LABEL_WEIGHT = 0.5
"""What one label's comments weigh beside all sentences of one cause: the most that costs a family of sets nothing which it was fitted
without (.586 of the likeliest causes are right there on training rows, at .1 .588, at 1 .578)."""
_RIDGE = 1e-4
"""Chosen in the same way."""
_FEW_ROWS = 20
"""A label of fewer comments weighs less."""

Encode = Callable[[Sequence[str]], Vectors]


@dataclass(frozen=True, slots=True)
class Gold:
    """A labelled comment, and what it may be about."""

    source: str
    label: str
    text: str
    """As the encoder sees it."""
    language: str
    causes: frozenset[str]


def read_crosswalk() -> Mapping[str, tuple[str, Mapping[str, frozenset[str]]]]:
    """Return set -> (its column, label -> causes of the default pack)."""
    tables = tomllib.loads(Path(__file__).with_name("crosswalk.toml").read_text("utf-8"))
    return {
        name: (column, {label: frozenset(causes) for label, causes in labels.items()})
        for name, columns in tables.items()
        for column, labels in columns.items()
    }


def read_gold(sets: Mapping[str, LabelledSet], *, validation: bool) -> list[Gold]:
    """Return the comments of one part that carry one label, of the crosswalk, and hardly more than one opinion."""
    return [
        gold
        for name, (column, causes_of) in read_crosswalk().items()
        if name in sets
        for row in sets[name].part(validation=validation)
        for gold in _gold_of_row(name, row, column, causes_of)
    ]


def fit_cause_head(
    taxonomy: Taxonomy, gold: Sequence[Gold], encode: Encode, means: Mapping[str, Vectors]
) -> tuple[tuple[str, ...], Vectors]:
    """Return what `stages.causes.fit_causes` does: columns, ``unmapped`` last, and weights ``(d + 1, columns, facets)``.

    Every cause's sentences weigh the same together. Where the pack refines a cause, a label that may mean the cause may mean its parts too.
    """
    said = taxonomy_utterances(taxonomy)
    columns = (*sorted({cause for cause, _, _ in said} - {UNMAPPED}), UNMAPPED)
    place = {cause: at for at, cause in enumerate(columns)}
    parts = _parts(taxonomy)
    allowed = np.zeros((len(said) + len(gold), len(columns)), bool)
    for row, (cause, _, _) in enumerate(said):
        allowed[row, place[cause]] = True
    for row, comment in enumerate(gold, start=len(said)):
        for cause in comment.causes:
            if cause not in parts:
                raise TaxonomyError(f"the crosswalk names {cause!r}, which is no cause of taxonomy {taxonomy.id!r}")
            allowed[row, [place[part] for part in parts[cause] if part in place]] = True
    texts, languages = [text for _, _, text in said], [language for _, language, _ in said]
    texts += [comment.text for comment in gold]
    languages += [comment.language for comment in gold]
    vectors = align_vectors(half_precision(encode(texts)), texts, languages, means)
    weights = _fit(vectors, allowed, np.concatenate([_weights_said(said), _weights_gold(gold)]))
    return columns, add_facets(weights, vectors[: len(said)], np.array([place[cause] for cause, _, _ in said]))


def score_gold(
    gold: Sequence[Gold], columns: Sequence[str], weights: Vectors, encode: Encode, means: Mapping[str, Vectors]
) -> dict[str, dict[str, float]]:
    """Return, for each set, how often the likeliest cause is one that the label may mean: the mean over its labels, and the rows."""
    texts = [comment.text for comment in gold]
    vectors = align_vectors(half_precision(encode(texts)), texts, [comment.language for comment in gold], means)
    likeliest = score_causes(vectors, weights)[:, :-1].argmax(axis=1)
    right = np.array([columns[at] in comment.causes for at, comment in zip(likeliest, gold, strict=True)])
    scores = {}
    for source in sorted({comment.source for comment in gold}):
        of_label = [
            right[[comment.source == source and comment.label == label for comment in gold]].mean()
            for label in sorted({comment.label for comment in gold if comment.source == source})
        ]
        scores[source] = {"right": float(np.mean(of_label)), "n": sum(comment.source == source for comment in gold)}
    return scores


def _gold_of_row(source: str, row: Mapping[str, str], column: str, causes_of: Mapping[str, frozenset[str]]) -> Iterator[Gold]:
    labels = [label for label in (row.get(column) or "").split("|") if label]
    if len(labels) != 1 or labels[0] not in causes_of:
        return
    reading = read_text(row["text"])
    if 0 < len(reading.opinions) <= _MOST_OPINIONS:
        text = matching_text(reading.verbatim.text, reading.language)
        yield Gold(source, labels[0], text, reading.language, causes_of[labels[0]])


def _parts(taxonomy: Taxonomy) -> Mapping[str, frozenset[str]]:
    """Return cause -> itself and the causes that refine it."""
    return {
        cause.id: frozenset({cause.id, *(other.id for other in taxonomy.causes if other.parent == cause.id)}) for cause in taxonomy.causes
    }


def _weights_said(said: Sequence[tuple[str, str, str]]) -> NDArray[np.float64]:
    sentences = Counter(cause for cause, _, _ in said)
    return np.array([1.0 / sentences[cause] for cause, _, _ in said])


def _weights_gold(gold: Sequence[Gold]) -> NDArray[np.float64]:
    rows = Counter((comment.source, comment.label) for comment in gold)
    counts = np.array([rows[comment.source, comment.label] for comment in gold], np.float64)
    return np.asarray(_LABEL_WEIGHT * np.minimum(1.0, counts / _FEW_ROWS) / np.maximum(counts, 1.0))


def _fit(vectors: Vectors, allowed: NDArray[np.bool_], weights: NDArray[np.float64]) -> Vectors:
    """Minimise the weighted mean of -ln P(one of the allowed causes), plus the ridge."""
    design = np.hstack([vectors, np.ones((len(vectors), 1))]).astype(np.float64)
    shares = weights / weights.sum()
    free = np.append(np.ones(vectors.shape[1]), 0.0)[:, None]  # the intercept is not held back

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        table = flat.reshape(design.shape[1], -1)
        likely = softmax(design @ table, axis=1)
        meant = likely * allowed
        total = np.maximum(meant.sum(axis=1, keepdims=True), 1e-12)
        gradient = design.T @ (shares[:, None] * (likely - meant / total)) + 2.0 * _RIDGE * free * table
        return float(-(shares * np.log(total[:, 0])).sum() + _RIDGE * (free * table**2).sum()), gradient.ravel()

    start = np.zeros(design.shape[1] * allowed.shape[1])
    fitted = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    return np.asarray(fitted.reshape(design.shape[1], -1), np.float32)
