"""``train heads`` from a file of the user's own: the sentiment head that ships, corrected by what analysts corrected.

In: one CSV with ``text`` and ``sentiment`` (neg, neu, pos), as ``corrections.csv`` of a project. Out: a folder that is an encoder with
heads of its own, for ``--encoder FOLDER``: vectors stay those of the encoder it is made from, so what is stored stays comparable.

A few hundred rows are too few to start from nothing. The head stays as it is, and a linear reading of the vector is added to its odds,
held close to zero by a ridge that cross-validation chooses; where no correction helps, none is made.
"""

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import softmax

from feedback_miner.classify import load_heads_for
from feedback_miner.domain import Vectors
from feedback_miner.embedders import load_embedder
from feedback_miner.embedders.feedback_small import FILES, SHIPPED, is_student
from feedback_miner.errors import InputError
from feedback_miner.evaluate import sentiment_metrics
from feedback_miner.progress import Progress, report_to_nobody
from feedback_miner.stages.lexical import hash_ngrams
from feedback_miner.stages.sentiment import Head
from feedback_miner.training.examples import SENTIMENTS, Example, read_examples
from feedback_miner.training.sets import load_sets
from feedback_miner.weights import model_path

__all__ = ["FEWEST_CORRECTIONS", "correct_heads"]

FEWEST_CORRECTIONS = 50
"""Fewer training rows teach nothing that can be told from chance."""
_RIDGES = (0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
_FOLDS = 5


def correct_heads(file: Path, *, encoder: str, output: Path, progress: Progress = report_to_nobody) -> dict[str, Any]:
    """Fit the correction on the file's training part, write the encoder with its heads into ``output``; return macro-F1 of its
    validation part before and after (see `feedback_miner.training.split`), and the ridge, None where nothing was corrected.

    Raises InputError where fewer than `FEWEST_CORRECTIONS` training rows have a sentiment, or the encoder is none of ours.
    """
    if encoder != SHIPPED and not is_student(Path(encoder)):
        raise InputError(f"heads of your own go with {SHIPPED} or a folder that `train student` wrote, not with {encoder!r}")
    sets = load_sets(file)
    known, asked = (_judged(read_examples(sets, validation=side, progress=progress)) for side in (False, True))
    if len(known) < FEWEST_CORRECTIONS:
        raise InputError(
            f"{file} has {len(known)} training rows with a sentiment ({', '.join(SENTIMENTS)}); at least {FEWEST_CORRECTIONS} are needed"
        )
    heads, embedder = load_heads_for(own := load_embedder(encoder))
    if embedder is not own:
        way_out = f"`feedback-miner train heads --data FOLDER --encoder {encoder} --output {encoder}`"
        raise InputError(f"{encoder} has no heads to correct; fit them first, from a folder of labelled sets: {way_out}")
    vectors = embedder.encode([example.text for example in known])
    labels = _labels(known)
    odds = _log_odds(heads.sentiment, vectors, known)
    scale = 1.0 / np.maximum(vectors.std(axis=0), 1e-4)
    inputs = (vectors - heads.sentiment.centre) * scale
    ridge = _choose_ridge(inputs, odds, labels, [example.text for example in known])
    head = heads.sentiment
    if ridge is not None:
        weights = _fit(inputs, odds, labels, ridge)
        weights[:-1] *= scale[:, None]
        head = _add_reading(head, weights)
    version = hashlib.sha256(f"{heads.version} {ridge}".encode() + head.hidden.tobytes() + head.output.tobytes()).hexdigest()[:12]
    report = {
        "heads": version,
        "corrects": heads.version,
        "encoder": embedder.version,
        "ridge": ridge,
        "training_rows": len(known),
        "labels": dict(sorted(Counter(SENTIMENTS[label] for label in labels.tolist()).items())),
        "validation": _score(asked, embedder.encode([example.text for example in asked]), heads.sentiment, head) if asked else None,
    }
    _write(output, encoder, head, version, report)
    return report


def _judged(examples: Sequence[Example]) -> list[Example]:
    return [example for example in examples if example.sentiment is not None]


def _labels(examples: Sequence[Example]) -> NDArray[np.int64]:
    return np.array([SENTIMENTS.index(str(example.sentiment)) for example in examples])


def _log_odds(head: Head, vectors: Vectors, examples: Sequence[Example]) -> NDArray[np.float64]:
    return np.log(np.maximum(head.probabilities(vectors, [hash_ngrams(example.text) for example in examples]), 1e-9))


def _fit(inputs: Vectors, odds: NDArray[np.float64], labels: NDArray[np.int64], ridge: float) -> NDArray[np.float64]:
    """Return ``(d + 1, 3)``: what added to ``odds`` makes the labels likeliest, less ``ridge`` times its squared length a row."""
    design = np.hstack([inputs, np.ones((len(inputs), 1))]).astype(np.float64)
    truth = np.eye(len(SENTIMENTS))[labels]

    def loss(flat: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        weights = flat.reshape(design.shape[1], -1)
        likely = softmax(odds + design @ weights, axis=1)
        surprise = -np.log(np.maximum((likely * truth).sum(axis=1), 1e-12)).mean()
        gradient = design.T @ (likely - truth) / len(design) + 2.0 * ridge * weights
        return float(surprise + ridge * (weights**2).sum()), gradient.ravel()

    start = np.zeros(design.shape[1] * len(SENTIMENTS))
    fitted = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": 300}).x
    return np.asarray(fitted.reshape(design.shape[1], -1))


def _choose_ridge(inputs: Vectors, odds: NDArray[np.float64], labels: NDArray[np.int64], texts: Sequence[str]) -> float | None:
    """Return the ridge under which rows that were not fitted on are least surprising; None where they are hardly less so than before.

    Hardly: the gain is within its standard error, as it is for one ridge of many where labels are noise.
    """
    fold = np.array([hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[1] % _FOLDS for text in texts])

    def surprise(ridge: float) -> NDArray[np.float64]:
        rows = np.zeros(len(labels))
        for at in range(_FOLDS):
            inside, outside = fold != at, fold == at
            if outside.any() and inside.any():
                weights = _fit(inputs[inside], odds[inside], labels[inside], ridge)
                likely = softmax(odds[outside] + inputs[outside] @ weights[:-1] + weights[-1], axis=1)
                rows[outside] = -np.log(np.maximum(likely[np.arange(int(outside.sum())), labels[outside]], 1e-12))
        return rows

    surprises = {ridge: surprise(ridge) for ridge in _RIDGES}
    best = min(_RIDGES, key=lambda ridge: float(surprises[ridge].mean()))
    gains = -odds[np.arange(len(labels)), labels] - surprises[best]
    return best if gains.mean() > gains.std() / np.sqrt(len(gains)) else None


def _add_reading(head: Head, weights: NDArray[np.float64]) -> Head:
    """Return a head whose odds are ``head``'s plus a linear reading ``(d + 1, 3)`` of the centred vector.

    A head is the mean of networks of rectified units: the reading is one more, its positive and its negative half a unit each.
    """
    networks, rows, units = head.hidden.shape
    classes = weights.shape[1]
    hidden = np.zeros((1, rows, units), np.float32)
    hidden[0, :, : 2 * classes] = np.hstack([weights, -weights])
    output = np.zeros((1, units + 1, classes), np.float32)
    output[0, : 2 * classes] = np.vstack([np.eye(classes), -np.eye(classes)])
    share = np.float32((networks + 1) / networks)
    return replace(
        head,
        hidden=np.concatenate([head.hidden, hidden]).astype(np.float16).astype(np.float32),
        output=np.concatenate([head.output * share, output * (networks + 1)]).astype(np.float16).astype(np.float32),
    )


def _score(asked: Sequence[Example], vectors: Vectors, before: Head, after: Head) -> dict[str, Any]:
    spellings = [hash_ngrams(example.text) for example in asked]
    metrics = [sentiment_metrics(_labels(asked), head.probabilities(vectors, spellings)) for head in (before, after)]
    return {"n": len(asked), "macro_f1_before": metrics[0]["macro_f1"], "macro_f1_after": metrics[1]["macro_f1"]}


def _write(output: Path, encoder: str, head: Head, version: str, report: dict[str, Any]) -> None:
    source = model_path(SHIPPED) if encoder == SHIPPED else Path(encoder)
    output.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        if (source / name).resolve() != (output / name).resolve():
            shutil.copyfile(source / name, output / name)
    with np.load(source / "heads.npz", allow_pickle=False) as arrays:
        kept = {key: arrays[key] for key in arrays.files}
    kept |= {"version": version, "sentiment_hidden": head.hidden.astype(np.float16), "sentiment_output": head.output.astype(np.float16)}
    np.savez_compressed(output / "heads.npz", **kept)
    (output / "heads.json").write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")
