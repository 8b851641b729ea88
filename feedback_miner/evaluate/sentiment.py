"""Sentiment against labels, and against what a person hears in sentences written to test it."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feedback_miner.classify import fold_polarity, load_heads_for
from feedback_miner.config import DEFAULT_ENCODER
from feedback_miner.embedders import Embedder, load_embedder
from feedback_miner.errors import InputError
from feedback_miner.evaluate.rows import counting, read_labelled
from feedback_miner.progress import Progress
from feedback_miner.reading import read_text
from feedback_miner.stages.sentiment import SENTIMENT_CLASSES, Heads

__all__ = ["comment_sentiments", "evaluate_behaviour", "evaluate_sentiment", "expected_calibration_error", "sentiment_metrics"]

_POLARITIES = {
    **dict.fromkeys(("neg", "negative"), 0),
    **dict.fromkeys(("neu", "neutral"), 1),
    **dict.fromkeys(("pos", "positive"), 2),
}
_EXPECTED = {"mft": SENTIMENT_CLASSES, "inv": SENTIMENT_CLASSES, "dir": ("worse", "better")}
_FELT = 0.05
"""The least change of sentiment, -1 to 1, that counts as one."""
_CALIBRATION_BINS = 15


def evaluate_sentiment(
    path: Path | str, *, text: str, label: str, binary: bool = False, encoder: str = DEFAULT_ENCODER, progress: Progress | None = None
) -> dict[str, Any]:
    """Compare comment-level sentiment with ``neg``/``neu``/``pos`` labels; other labels are skipped and counted.

    ``binary`` leaves neutral rows out and compares P(positive) with P(negative). Texts without content are neutral.
    """
    rows = list(read_labelled(path, text=text, label=label))
    wanted = {0, 2} if binary else {0, 1, 2}
    scored = [row for row in rows if row.text and _POLARITIES.get(row.label.strip().casefold()) in wanted]
    if not scored:
        raise InputError(f"column {label!r} of {path} has no label among neg, neu, pos (or negative, neutral, positive)")
    gold = np.array([_POLARITIES[row.label.strip().casefold()] for row in scored])
    heads, embedder = load_heads_for(load_embedder(encoder))
    probabilities = comment_sentiments([row.text for row in scored], heads, embedder, progress)
    return {**sentiment_metrics(gold, probabilities, binary=binary), "n": len(scored), "skipped": len(rows) - len(scored)}


def evaluate_behaviour(path: Path | str, *, encoder: str = DEFAULT_ENCODER, progress: Progress | None = None) -> dict[str, Any]:
    """Read sentences with the sentiment a person hears in them; return the share that passes, by group, and the lines that fail.

    A CSV with the columns ``group``, ``kind``, ``language``, ``text``, ``other``, ``expect``, after CheckList (Ribeiro et al. 2020,
    https://arxiv.org/abs/2005.04118). ``mft``: ``text`` has the sentiment ``expect``. ``inv``: ``text`` and ``other`` both have it.
    ``dir``: ``other`` is ``worse`` or ``better`` than ``text``, by more than .05 on the scale from -1 to 1.
    """
    with Path(path).open(encoding="utf-8-sig", newline="") as lines:
        rows = list(csv.DictReader(lines))
    for line, row in enumerate(rows, start=2):
        if row.get("expect") not in _EXPECTED.get(row.get("kind") or "", ()):
            raise InputError(f"{path}, line {line}: kind {row.get('kind')!r} does not go with expect {row.get('expect')!r} ({_EXPECTED})")
    if not rows:
        raise InputError(f"{path} has no cases")
    heads, embedder = load_heads_for(load_embedder(encoder))
    read = comment_sentiments([text for row in rows for text in (row["text"], row["other"] or row["text"])], heads, embedder, progress)
    passed = [_behaves(row["kind"], row["expect"], *pair) for row, pair in zip(rows, read.reshape(-1, 2, 3), strict=True)]

    def rates(column: str) -> dict[str, dict[str, float]]:
        names = sorted({row[column] for row in rows})
        marks = {name: [mark for row, mark in zip(rows, passed, strict=True) if row[column] == name] for name in names}
        return {name: {"passed": float(np.mean(of_name)), "n": len(of_name)} for name, of_name in marks.items()}

    return {
        "passed": float(np.mean(passed)),
        "n": len(rows),
        "groups": rates("group"),
        "languages": rates("language"),
        "failed_lines": [line for line, mark in enumerate(passed, start=2) if not mark],
    }


def _behaves(kind: str, expect: str, text: NDArray[np.float64], other: NDArray[np.float64]) -> bool:
    if kind == "dir":
        change = float((other[2] - other[0]) - (text[2] - text[0]))
        return (change if expect == "better" else -change) > _FELT
    wanted = _POLARITIES[expect]
    return int(text.argmax()) == wanted and int(other.argmax()) == wanted


def comment_sentiments(texts: Sequence[str], heads: Heads, embedder: Embedder, progress: Progress | None = None) -> NDArray[np.float64]:
    """Return ``(n, 3)`` probabilities of negative, neutral, positive: each comment read, split, and folded from its opinions
    and the whole."""
    readings = [read_text(text) for text in texts]
    wholes = [reading.whole for reading in readings]
    spans = [opinion.matching for reading in readings for opinion in reading.opinions] + [whole for whole in wholes if whole is not None]
    sentiments = heads.read_sentiments(embedder.encode(spans, progress=counting(progress, len(spans))), spans)
    opinions = sum(len(reading.opinions) for reading in readings)
    of_opinions, of_wholes = iter(sentiments[:opinions]), iter(sentiments[opinions:])
    rows = []
    for reading, whole in zip(readings, wholes, strict=True):
        if not reading.opinions:
            rows.append((0.0, 1.0, 0.0))
            continue
        read = [] if whole is None else [(len(reading.verbatim.text), next(of_wholes))]
        _, said = fold_polarity(reading.opinions, [next(of_opinions) for _ in reading.opinions], read)
        rows.append((said.negative, said.neutral, said.positive))
    return np.array(rows)


def sentiment_metrics(gold: NDArray[np.int64], probabilities: NDArray[np.float64], *, binary: bool = False) -> dict[str, float]:
    """Return macro-F1, accuracy, Cohen's kappa and ECE of ``(n, 3)`` probabilities against classes 0 (neg), 1 (neu), 2 (pos)."""
    from sklearn.metrics import accuracy_score, f1_score

    if binary:
        poles = probabilities[:, [0, 2]]
        poles[poles.sum(axis=1) == 0.0] = 0.5  # without content: neither
        probabilities = np.zeros_like(probabilities)
        probabilities[:, [0, 2]] = poles / poles.sum(axis=1, keepdims=True)
    predicted = probabilities.argmax(axis=1)
    return {
        "macro_f1": float(f1_score(gold, predicted, average="macro", labels=sorted(set(gold.tolist())), zero_division=0.0)),
        "accuracy": float(accuracy_score(gold, predicted)),
        "kappa": _kappa(gold, predicted),
        "ece": expected_calibration_error(gold, probabilities),
    }


def _kappa(gold: NDArray[np.int64], predicted: NDArray[np.int64]) -> float:
    """Return Cohen's kappa; 0 where there is but one class to agree on, and so nothing beyond chance."""
    agreement = float((gold == predicted).mean())
    chance = float(sum((gold == at).mean() * (predicted == at).mean() for at in np.union1d(gold, predicted)))
    return (agreement - chance) / (1.0 - chance) if chance < 1.0 else 0.0


def expected_calibration_error(gold: NDArray[np.int64], probabilities: NDArray[np.float64]) -> float:
    """Return the mean gap between confidence and accuracy of the top label over 15 equal bins, weighted by rows (Guo et al. 2017)."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == gold
    bins = np.minimum((confidence * _CALIBRATION_BINS).astype(int), _CALIBRATION_BINS - 1)
    gaps = [abs(confidence[bins == at].mean() - right[bins == at].mean()) * (bins == at).mean() for at in np.unique(bins)]
    return float(sum(gaps))
