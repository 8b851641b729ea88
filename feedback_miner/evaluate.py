"""Score the miner against labelled files: themes, sentiment, behaviour, causes, strength. A labelled file in, one JSON-able mapping out.

Rows whose label is empty are never scored; how many were is said. Nothing here is tuned on the file it scores: themes and sentiment are
run as they ship, causes and strength fit a linear head on file A (regularisation and thresholds by cross-validation inside A) and score
it on file B.
"""

import csv
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feedback_miner.classify import fold_polarity, load_heads_for
from feedback_miner.config import MiningConfig
from feedback_miner.domain import Coding, ContentStatus, Document, Opinion
from feedback_miner.embedders import Embedder, load_embedder
from feedback_miner.errors import ColumnError, InputError
from feedback_miner.ingest import IngestOptions, read_feedback
from feedback_miner.pipeline import mine_items
from feedback_miner.progress import Progress
from feedback_miner.reading import Reading, read_text
from feedback_miner.stages.clean import matching_text
from feedback_miner.stages.lexical import design_matrix
from feedback_miner.stages.sentiment import SENTIMENT_CLASSES, Heads

__all__ = [
    "comment_sentiments",
    "evaluate_behaviour",
    "evaluate_causes",
    "evaluate_sentiment",
    "evaluate_strength",
    "evaluate_themes",
    "expected_calibration_error",
    "sentiment_metrics",
]

_POLARITIES = {
    **dict.fromkeys(("neg", "negative"), 0),
    **dict.fromkeys(("neu", "neutral"), 1),
    **dict.fromkeys(("pos", "positive"), 2),
}
_EXPECTED = {"mft": SENTIMENT_CLASSES, "inv": SENTIMENT_CLASSES, "dir": ("worse", "better")}
_FELT = 0.05
"""The least change of sentiment, -1 to 1, that counts as one."""
_FEWEST_ROWS = 20
"""Labels with fewer rows in the training file are left out of ``evaluate_causes``."""
_CALIBRATION_BINS = 15


@dataclass(frozen=True, slots=True)
class _LabelledRow:
    item: str
    text: str
    label: str


def evaluate_themes(
    path: Path | str, *, text: str, label: str, config: MiningConfig | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Mine the file's texts and compare each labelled row's theme with its label.

    A row's theme is that of its strongest opinion; residual and no-content rows are one cluster each. ``coverage`` is themed rows over
    mined rows with content, labelled or not.
    """
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, normalized_mutual_info_score

    labels = {row.item: row.label for row in _read_labelled(path, text=text, label=label)}
    options = _options(text, label)
    start = time.perf_counter()
    analysis = mine_items(path, options=options, config=config or MiningConfig(), progress=progress)
    seconds = time.perf_counter() - start
    parents = {theme.id: theme.parent for theme in analysis.themes if theme.parent is not None}
    leaf_of = _strongest_themes(analysis.findings.documents, analysis.opinions, analysis.codings)
    rows = sorted(item for item, name in labels.items() if name and item in leaf_of)
    gold = [labels[item] for item in rows]
    levels = {}
    for level, themes in (
        ("leaf", [leaf_of[item] for item in rows]),
        ("parent", [parents.get(leaf_of[item], leaf_of[item]) for item in rows]),
    ):
        levels[level] = {
            "ami": float(adjusted_mutual_info_score(gold, themes)) if rows else 0.0,
            "nmi": float(normalized_mutual_info_score(gold, themes)) if rows else 0.0,
            "ari": float(adjusted_rand_score(gold, themes)) if rows else 0.0,
            "themes": len({theme for theme in themes if theme in parents or theme in parents.values()}),
        }
    counts = analysis.findings.counts
    return {
        **levels,
        "coverage": counts.themed / max(1, counts.themed + counts.residual),
        "texts": counts.documents,
        "labelled": len(rows),
        "skipped": len(labels) - len(rows),
        "seconds": round(seconds, 3),
    }


def evaluate_sentiment(
    path: Path | str, *, text: str, label: str, binary: bool = False, encoder: str = "e5-small", progress: Progress | None = None
) -> dict[str, Any]:
    """Compare comment-level sentiment with ``neg``/``neu``/``pos`` labels; other labels are skipped and counted.

    ``binary`` leaves neutral rows out and compares P(positive) with P(negative). Texts without content are neutral.
    """
    rows = list(_read_labelled(path, text=text, label=label))
    wanted = {0, 2} if binary else {0, 1, 2}
    scored = [row for row in rows if row.text and _POLARITIES.get(row.label.strip().casefold()) in wanted]
    if not scored:
        raise InputError(f"column {label!r} of {path} has no label among neg, neu, pos (or negative, neutral, positive)")
    gold = np.array([_POLARITIES[row.label.strip().casefold()] for row in scored])
    heads, embedder = load_heads_for(load_embedder(encoder))
    probabilities = comment_sentiments([row.text for row in scored], heads, embedder, progress)
    return {**sentiment_metrics(gold, probabilities, binary=binary), "n": len(scored), "skipped": len(rows) - len(scored)}


def evaluate_behaviour(path: Path | str, *, encoder: str = "e5-small", progress: Progress | None = None) -> dict[str, Any]:
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


def evaluate_causes(
    train: Path | str, test: Path | str, *, text: str, label: str, encoder: str = "e5-small", progress: Progress | None = None
) -> dict[str, Any]:
    """Fit a linear head for the labels (joined by ``|``) of one file and score it on another; the encoder stays frozen.

    Only labels with 20 or more rows in the training file take part; rows left without any are skipped. Where every training row has exactly
    one label the most probable is predicted; else every label over its own threshold, chosen by cross-validation, and at least one.
    """
    from sklearn.metrics import f1_score

    known, names = _label_matrix(list(_read_labelled(train, text=text, label=label)), None)
    asked, _ = _label_matrix(list(_read_labelled(test, text=text, label=label)), names)
    if not names:
        raise InputError(f"column {label!r} of {train} has no label with {_FEWEST_ROWS} or more rows")
    if not asked.texts:
        raise InputError(f"column {label!r} of {test} has none of the {len(names)} labels with {_FEWEST_ROWS} or more rows in {train}")
    inputs, questions = _features([known.texts, asked.texts], encoder, progress)
    predicted = _predict_labels(inputs, known.matrix, questions)
    return {
        "micro_f1": float(f1_score(asked.matrix, predicted, average="micro", zero_division=0.0)),
        "macro_f1": float(f1_score(asked.matrix, predicted, average="macro", zero_division=0.0)),
        "n": len(asked.texts),
        "labels": len(names),
        "skipped": asked.skipped,
    }


def evaluate_strength(
    train: Path | str, test: Path | str, *, text: str, target: str, encoder: str = "e5-small", progress: Progress | None = None
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
    inputs, questions = _features([[row for row, _ in known], [row for row, _ in asked]], encoder, progress)
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


def comment_sentiments(texts: Sequence[str], heads: Heads, embedder: Embedder, progress: Progress | None = None) -> NDArray[np.float64]:
    """Return ``(n, 3)`` probabilities of negative, neutral, positive: each comment read, split, and folded from its opinions."""
    readings = [read_text(text) for text in texts]
    spans = [opinion.matching for reading in readings for opinion in reading.opinions]
    sentiments = iter(heads.read_sentiments(embedder.encode(spans, progress=_counting(progress, len(spans))), spans))
    rows = []
    for reading in readings:
        if not reading.opinions:
            rows.append((0.0, 1.0, 0.0))
            continue
        _, whole = fold_polarity(reading.opinions, [next(sentiments) for _ in reading.opinions])
        rows.append((whole.negative, whole.neutral, whole.positive))
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


def _options(text: str, label: str) -> IngestOptions:
    return IngestOptions(texts=(text,), attributes=(label,))


def _read_labelled(path: Path | str, *, text: str, label: str) -> Iterator[_LabelledRow]:
    """Yield every row of a file with its label, empty or not, in file order."""
    ingested = read_feedback(path, options=_options(text, label))
    for item in ingested.items():
        yield _LabelledRow(item.id, "\n".join(cell for _, cell in item.texts), dict(item.attributes).get(label, ""))


def _strongest_themes(documents: Sequence[Document], opinions: Sequence[Opinion], codings: Sequence[Coding]) -> dict[str, str]:
    """Return item -> the theme of its strongest opinion, ``residual`` or ``no_content``; items without text are not in it.

    An opinion is as strong as its membership times the square root of its length: a clear aside does not outweigh what a comment is about.
    """
    item_of = {document.id: document.item for document in documents}
    strongest: dict[str, tuple[float, str]] = {}
    for document in documents:
        fallback = "no_content" if document.status is ContentStatus.NO_CONTENT else "residual"
        strongest[document.item] = max(strongest.get(document.item, (-2.0, "")), (-1.0, fallback))
    for opinion, coding in zip(opinions, codings, strict=True):
        if coding.themes:
            item = item_of[opinion.document]
            best = coding.themes[0]
            strongest[item] = max(strongest[item], (best.strength * len(opinion.text) ** 0.5, best.theme))
    return {item: theme for item, (_, theme) in strongest.items()}


@dataclass(frozen=True, slots=True)
class _Labelled:
    texts: list[str]
    matrix: NDArray[np.int64]
    skipped: int


def _label_matrix(rows: Sequence[_LabelledRow], names: list[str] | None) -> tuple[_Labelled, list[str]]:
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
    rows = list(_read_labelled(path, text=text, label=target))
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


def _features(parts: Sequence[Sequence[str]], encoder: str, progress: Progress | None) -> list[Any]:
    """Return a design matrix for each part: whole comments, centred on the first part's mean."""
    embedder = load_embedder(encoder)
    matching = [[_whole_text(read_text(text)) for text in texts] for texts in parts]
    total = sum(len(texts) for texts in matching)
    vectors = embedder.encode([text for texts in matching for text in texts], progress=_counting(progress, total))
    bounds = np.cumsum([0, *(len(texts) for texts in matching)])
    centre = vectors[: bounds[1]].mean(axis=0)
    return [design_matrix(vectors[start:end] - centre, texts) for start, end, texts in zip(bounds, bounds[1:], matching, strict=False)]


def _whole_text(reading: Reading) -> str:
    return matching_text(reading.verbatim.text, reading.language)


def _counting(progress: Progress | None, total: int) -> Any:
    return None if progress is None else lambda done: progress("encode", done, total)


def _predict_labels(inputs: Any, matrix: NDArray[np.int64], questions: Any) -> NDArray[np.int64]:
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import KFold, cross_val_predict

    model = LogisticRegression(C=4.0, max_iter=300, tol=1e-3)
    if (matrix.sum(axis=1) == 1).all() and matrix.shape[1] > 1:
        best = model.set_params(class_weight="balanced").fit(inputs, matrix.argmax(axis=1)).predict(questions)
        return np.asarray(np.eye(matrix.shape[1])[best], np.int64)
    predicted = np.zeros((questions.shape[0], matrix.shape[1]))
    folds = KFold(4, shuffle=True, random_state=7)
    for column in range(matrix.shape[1]):
        truth = matrix[:, column]
        if len(truth) - truth.sum() < _FEWEST_ROWS:  # carried by nearly every row: there is nothing to tell it from
            predicted[:, column] = 0.5
            continue
        held_back = cross_val_predict(model, inputs, truth, cv=folds, method="predict_proba")[:, 1]
        threshold = _best_threshold(truth, held_back)
        predicted[:, column] = model.fit(inputs, truth).predict_proba(questions)[:, 1] - threshold
    chosen = (predicted >= 0).astype(np.int64)
    chosen[np.arange(len(chosen)), predicted.argmax(axis=1)] = 1
    return chosen


def _best_threshold(truth: NDArray[np.int64], scores: NDArray[np.float64]) -> float:
    """Return the cut with the best F1; among equals the lowest."""
    from sklearn.metrics import f1_score

    cuts = np.linspace(0.1, 0.6, 26)
    return float(cuts[int(np.argmax([f1_score(truth, scores >= cut, zero_division=0.0) for cut in cuts]))])
