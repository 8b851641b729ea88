"""Labels that the miner does not know, predicted: from its vectors by a head fitted on one file, or from its causes by a crosswalk."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feedback_miner.classify import load_heads_for
from feedback_miner.config import DEFAULT_ENCODER, MiningConfig
from feedback_miner.embedders import load_embedder
from feedback_miner.errors import ColumnError, InputError
from feedback_miner.evaluate.label_head import Wholes, predict_labels
from feedback_miner.evaluate.rows import LabelledRow, counting, read_labelled
from feedback_miner.progress import Progress
from feedback_miner.reading import Reading, read_text
from feedback_miner.stages.causes import fit_causes, score_causes
from feedback_miner.stages.clean import matching_text
from feedback_miner.stages.lexical import design_matrix
from feedback_miner.stages.space import align_vectors, half_precision
from feedback_miner.taxonomy import load_crosswalk, load_taxonomy

__all__ = ["evaluate_causes", "evaluate_strength", "evaluate_zero_shot"]

_FEWEST_ROWS = 20
"""Labels with fewer rows in the training file are left out of ``evaluate_causes``."""


def evaluate_causes(
    train: Path | str, test: Path | str, *, text: str, label: str, encoder: str = DEFAULT_ENCODER, progress: Progress | None = None
) -> dict[str, Any]:
    """Fit a head for the labels (joined by ``|``) of one file and score it on another; the encoder stays frozen.

    The head is the mean, in log-odds, of two readings that err apart: small networks on the vector, a regression on characters. Only labels
    with 20 or more rows in the training file take part; rows left without any are skipped. Where every training row has exactly one label,
    the one is predicted that would be most probable if all were equally frequent; else every label over its own threshold, chosen by
    cross-validation, and at least one.
    """
    from sklearn.metrics import f1_score

    known, names = _label_matrix(list(read_labelled(train, text=text, label=label)), None)
    asked, _ = _label_matrix(list(read_labelled(test, text=text, label=label)), names)
    if not names:
        raise InputError(f"column {label!r} of {train} has no label with {_FEWEST_ROWS} or more rows")
    if not asked.texts:
        raise InputError(f"column {label!r} of {test} has none of the {len(names)} labels with {_FEWEST_ROWS} or more rows in {train}")
    inputs, questions = _read_wholes([known.texts, asked.texts], encoder, progress)
    predicted = predict_labels(inputs, known.matrix, questions)
    return {
        "micro_f1": float(f1_score(asked.matrix, predicted, average="micro", zero_division=0.0)),
        "macro_f1": float(f1_score(asked.matrix, predicted, average="macro", zero_division=0.0)),
        "n": len(asked.texts),
        "labels": len(names),
        "skipped": asked.skipped,
    }


def evaluate_zero_shot(
    path: Path | str, crosswalk: Path | str, *, text: str, label: str, config: MiningConfig | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Predict labels (joined by ``|``) from the causes of a taxonomy that was fitted on nothing but its own example sentences.

    A label is as likely as the causes that it may mean by ``crosswalk`` (see `load_crosswalk`) are in sum, in the opinion where they are
    likeliest and in the whole comment, on average; causes that it means together count by their geometric mean, times their number: one
    where all are equally likely and no other is. Where every row has one label the likeliest is predicted; else every label at the
    taxonomy's threshold, and at least one. Rows without a label of the crosswalk are skipped.
    """
    from sklearn.metrics import f1_score

    config = config or MiningConfig()
    taxonomy = load_taxonomy(config.taxonomy)
    causes_of = load_crosswalk(crosswalk, taxonomy)
    asked, names = _label_matrix(list(read_labelled(path, text=text, label=label)), list(causes_of))
    if not asked.texts:
        raise InputError(f"column {label!r} of {path} has none of the crosswalk's labels ({', '.join(names)})")
    heads, embedder = load_heads_for(load_embedder(config.encoder))
    columns, weights = fit_causes(taxonomy, embedder.encode, heads.language_means)
    places = [[[columns.index(cause) for cause in meant] for meant in causes_of[name]] for name in names]
    readings = [read_text(given) for given in asked.texts]
    spans = [(span, reading.language) for reading in readings for span in _opinions_then_whole(reading)]
    texts, languages = [span for span, _ in spans], [language for _, language in spans]
    vectors = half_precision(embedder.encode(texts, progress=counting(progress, len(texts))))
    causes = score_causes(align_vectors(vectors, texts, languages, heads.language_means), weights)
    likely = iter(np.stack([sum(_together(causes[:, meant]) for meant in meanings) for meanings in places], axis=1))
    nothing = np.zeros(asked.matrix.shape[1])
    scores = np.array([_of_comment(reading, likely, nothing) for reading in readings])
    single = bool((asked.matrix.sum(axis=1) == 1).all())
    predicted = np.zeros_like(asked.matrix) if single else (scores >= config.cause_threshold).astype(np.int64)
    predicted[np.arange(len(scores)), scores.argmax(axis=1)] = 1
    of_label = f1_score(asked.matrix, predicted, average=None, zero_division=0.0)
    return {
        "macro_f1": float(of_label.mean()),
        "micro_f1": float(f1_score(asked.matrix, predicted, average="micro", zero_division=0.0)),
        "n": len(asked.texts),
        "labels": {name: float(score) for name, score in zip(names, of_label, strict=True)},
        "skipped": asked.skipped,
    }


def _opinions_then_whole(reading: Reading) -> list[str]:
    return [*(opinion.matching for opinion in reading.opinions), *([] if reading.whole is None else [reading.whole])]


def _of_comment(reading: Reading, likely: Iterator[NDArray[np.float64]], nothing: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how likely each label is in a comment, whose spans are the next that ``likely`` has."""
    in_an_opinion = np.asarray(np.max([nothing, *(next(likely) for _ in reading.opinions)], axis=0))
    return in_an_opinion if reading.whole is None else (in_an_opinion + next(likely)) / 2


def _together(chances: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how likely each row is about all of these causes, ``(n, causes)``, at once."""
    causes = chances.shape[1]
    return np.asarray(causes * chances.prod(axis=1) ** (1.0 / causes))


def evaluate_strength(
    train: Path | str, test: Path | str, *, text: str, target: str, encoder: str = DEFAULT_ENCODER, progress: Progress | None = None
) -> dict[str, Any]:
    """Fit a ridge regression for a number (a valence, a 0-10 score) on one file and score it on another."""
    from scipy.stats import spearmanr
    from sklearn.linear_model import Ridge
    from sklearn.model_selection import KFold, cross_val_score

    known, known_skipped = _numbers(train, text=text, target=target)
    asked, skipped = _numbers(test, text=text, target=target)
    if len(known) < _FEWEST_ROWS or len(asked) < 2:
        raise InputError(
            f"column {target!r} has {len(known)} numbers in {train} and {len(asked)} in {test}; at least {_FEWEST_ROWS} and 2 are needed"
        )
    wholes = _read_wholes([[row for row, _ in known], [row for row, _ in asked]], encoder, progress)
    inputs, questions = (design_matrix(part.vectors, part.texts) for part in wholes)
    targets, truth = np.array([value for _, value in known]), np.array([value for _, value in asked])
    folds = KFold(5, shuffle=True, random_state=7)
    strengths = (0.3, 1.0, 3.0, 10.0)
    errors = [
        -cross_val_score(
            Ridge(alpha=alpha, solver="sparse_cg", tol=1e-3), inputs, targets, cv=folds, scoring="neg_mean_squared_error"
        ).mean()
        for alpha in strengths
    ]
    model = Ridge(alpha=strengths[int(np.argmin(errors))], solver="sparse_cg", tol=1e-4).fit(inputs, targets)
    predicted = np.clip(model.predict(questions), targets.min(), targets.max())
    return {
        "spearman": float(spearmanr(truth, predicted).statistic) if np.ptp(truth) and np.ptp(predicted) else 0.0,
        "mae": float(np.abs(truth - predicted).mean()),
        "n": len(asked),
        "skipped": skipped,
        "train_n": len(known),
        "train_skipped": known_skipped,
    }


@dataclass(frozen=True, slots=True)
class _Labelled:
    texts: list[str]
    matrix: NDArray[np.int64]
    skipped: int


def _label_matrix(rows: Sequence[LabelledRow], names: list[str] | None) -> tuple[_Labelled, list[str]]:
    """Return texts and a 0/1 matrix over ``names``; without names, those with enough rows here."""
    sets = [{part for part in row.label.split("|") if part} for row in rows]
    if names is None:
        counts: dict[str, int] = {}
        for labels in sets:
            for name in labels:
                counts[name] = counts.get(name, 0) + 1
        names = sorted(name for name, count in counts.items() if count >= _FEWEST_ROWS)
    kept = [(row, labels & set(names)) for row, labels in zip(rows, sets, strict=True) if row.text and labels & set(names)]
    matrix = np.array([[int(name in labels) for name in names] for _, labels in kept], np.int64).reshape(len(kept), len(names))
    return _Labelled([row.text for row, _ in kept], matrix, len(rows) - len(kept)), names


def _numbers(path: Path | str, *, text: str, target: str) -> tuple[list[tuple[str, float]], int]:
    rows = list(read_labelled(path, text=text, label=target))
    numbers = []
    for row in rows:
        try:
            value = float(row.label)
        except ValueError:
            continue
        if row.text and np.isfinite(value):
            numbers.append((row.text, value))
    if not numbers:
        raise ColumnError(f"column {target!r} of {path} holds no numbers")
    return numbers, len(rows) - len(numbers)


def _read_wholes(parts: Sequence[Sequence[str]], encoder: str, progress: Progress | None) -> list[Wholes]:
    """Encode the comments of each part; their vectors are centred on the first part's mean."""
    embedder = load_embedder(encoder)
    matching = [[_whole_text(read_text(text)) for text in texts] for texts in parts]
    total = sum(len(texts) for texts in matching)
    vectors = embedder.encode([text for texts in matching for text in texts], progress=counting(progress, total))
    bounds = np.cumsum([0, *(len(texts) for texts in matching)])
    centre = vectors[: bounds[1]].mean(axis=0)
    return [Wholes(texts, vectors[start:end] - centre) for start, end, texts in zip(bounds, bounds[1:], matching, strict=False)]


def _whole_text(reading: Reading) -> str:
    return matching_text(reading.verbatim.text, reading.language)
