"""``train heads``: sentiment, type and causes on a frozen encoder, with their baselines, from labelled sets by the split rule.

In: a folder of labelled sets (``sets.py``), the type examples of our own, an encoder. Out: ``heads.npz``, and ``heads.json`` with every
score on validation rows beside a character TF-IDF + linear SVM that is fitted here on the same rows. The model card quotes that file.

    feedback-miner train heads --data ../shared/data
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.svm import LinearSVC
from threadpoolctl import threadpool_limits

from feedback_miner.config import DEFAULT_ENCODER
from feedback_miner.domain import Vectors
from feedback_miner.embedders import Embedder, load_embedder
from feedback_miner.errors import InputError
from feedback_miner.evaluate import comment_sentiments, sentiment_metrics
from feedback_miner.progress import Progress
from feedback_miner.reading import read_text
from feedback_miner.stages.causes import pack_name
from feedback_miner.stages.clean import matching_text
from feedback_miner.stages.lexical import ngram_matrix
from feedback_miner.stages.sentiment import SENTIMENT_CLASSES, TYPE_CLASSES, cause_arrays, load_heads
from feedback_miner.stages.space import align_vectors
from feedback_miner.taxonomy import available_packs, load_taxonomy
from feedback_miner.training.cause_head import fit_cause_head, read_gold, score_gold
from feedback_miner.training.fit_head import Comments, fit_head
from feedback_miner.training.own_sentences import own_examples, read_type_examples
from feedback_miner.training.projection import THEME_LABELS, LabelledVectors, fit_projection
from feedback_miner.training.sets import LEFT_OUT, LabelledSet, load_sets
from feedback_miner.training.split import calibrates

__all__ = ["REPORTED_SETS", "SENTIMENT_SETS", "train_heads"]

SENTIMENT_SETS: Mapping[str, tuple[int, str]] = {
    # Name: (most rows, labels used). NPS passives and three-star reviews are no neutral texts: those sets teach the poles only.
    "airline_tweets": (10_000, "neg neu pos"),
    "car_complaints_zh": (500, "neg"),
    "ccf_car": (6_000, "neg neu pos"),
    "dimabsa2026": (2_500, "neg neu pos"),
    "mabsa_en_zh": (2_500, "neg neu pos"),
    "mams_acsa": (1_500, "neg pos"),
    "nhs_fft": (3_000, "neg neu pos"),
    "nhs_fft_phase1": (5_000, "neg neu pos"),
    "nps_telecom_uk": (1_200, "neg pos"),
    "online_shopping_zh": (4_000, "neg pos"),
    "semeval14_restaurant": (2_000, "neg neu pos"),
    "sst2": (1_500, "neg pos"),
    "tweeteval_sentiment": (8_000, "neg neu pos"),
    "umsab": (15_000, "neg neu pos"),
    "waimai_10k": (6_000, "neg pos"),
    "weibo_emotion_smp2020": (10_000, "neg neu pos"),
}
REPORTED_SETS = (
    "airline_tweets",
    "nhs_fft",
    "weibo_emotion_smp2020",
    "waimai_10k",
    "ccf_car",
    "tweeteval_sentiment",
    "umsab en",
    "umsab de es fr it pt",
)
"""One set of eight languages is reported as three."""
_CODES = {"neg": 0, "neu": 1, "pos": 2}
_OWN_COPIES = 3
"""How often our own sentences are repeated among tens of thousands of reviews and tweets, so as not to drown in them."""
_FEWEST_FOR_MEAN = 200
_FEWEST_EXAMPLES = 20
_MOST_THEME_ROWS = 6_000


@dataclass(frozen=True, slots=True)
class _Examples:
    """Texts as the encoder sees them, with labels."""

    raw: list[str]
    texts: list[str]
    opinions: list[list[tuple[str, int]]]
    """Of each text: matching text and length of what it is split into."""
    languages: list[str]
    labels: NDArray[np.int64]
    sets: NDArray[np.str_]
    validation: NDArray[np.bool_]

    def select(self, mask: NDArray[np.bool_]) -> "_Examples":
        """Keep the rows where the mask is true."""
        rows = np.flatnonzero(mask).tolist()
        return _Examples(
            [self.raw[row] for row in rows],
            [self.texts[row] for row in rows],
            [self.opinions[row] for row in rows],
            [self.languages[row] for row in rows],
            self.labels[mask],
            self.sets[mask],
            self.validation[mask],
        )


def train_heads(
    folder: Path,
    *,
    encoder: str = DEFAULT_ENCODER,
    output: Path,
    share: float = 1.0,
    progress: Progress | None = None,
    cache: Path | None = None,
) -> dict[str, Any]:
    """Fit the heads, write ``heads.npz`` and ``heads.json`` into ``output`` and return what ``heads.json`` holds.

    ``share`` of the rows labelled with a sentiment, drawn by hash, is trained on: for learning curves. ``cache``, a folder outside the
    project, keeps vectors between runs (encoding is nearly all of the time). The manifest is not touched: ``python -m
    feedback_miner.weights`` prints the hashes to paste.
    """
    if not 0.0 < share <= 1.0:
        raise InputError(f"share is {share}; give a number above 0, at most 1")
    embedder = load_embedder(encoder)
    sets = load_sets(folder, without=LEFT_OUT)
    examples = _sentiment_examples(sets)
    examples = examples.select(examples.validation | np.array([_is_drawn(text, share) for text in examples.raw], bool))
    _check_examples(examples, folder)
    examples = _add_own_sentences(examples)
    known = ~examples.validation
    training = examples.select(known)

    def encode(texts: Sequence[str]) -> Vectors:
        return _encode(embedder, texts, progress, cache)

    means = _language_means(encode(training.texts), training.languages)
    arrays: dict[str, Any] = {f"mean_{name}": mean for name, mean in means.items()}
    types = _type_examples()
    for name, taught, classes in (("sentiment", training, SENTIMENT_CLASSES), ("type", types, TYPE_CLASSES)):
        comments = _comments(taught, encode)
        with threadpool_limits(1), _one_thread():  # sums in one order, however many cores the machine has
            head = fit_head(comments, np.array([calibrates(text) for text in taught.texts]), len(classes))
        arrays |= {f"{name}_{part}": array for part, array in head.items()}
    causes, of_causes = _fit_causes(sets, encode, means)
    arrays |= causes
    arrays["theme_projection"] = _fit_theme_projection(sets, embedder, progress, cache, means)
    version = hashlib.sha256(b"".join(np.ascontiguousarray(arrays[key]).tobytes() for key in sorted(arrays))).hexdigest()[:12]
    output.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(output / "heads.npz", encoder_version=embedder.version, version=version, **arrays)
    report = {
        "encoder": embedder.version,
        "version": version,
        "share": share,
        "training_rows": int((training.sets != "own").sum()),
        "own_sentences": int((training.sets == "own").sum()) // _OWN_COPIES,
        "type_examples": len(types.texts),
        "sets": sorted(SENTIMENT_SETS),
        "causes": of_causes,
        "validation": _score(examples.select(~known), training, output / "heads.npz", embedder, progress),
    }
    (output / "heads.json").write_text(json.dumps(report, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    return report


def _fit_causes(
    sets: Mapping[str, LabelledSet], encode: Callable[[Sequence[str]], Vectors], means: Mapping[str, Vectors]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fit the causes of every pack that ships; return their arrays, and how often those of the default pack are right on validation rows,
    beside what its own sentences alone would have been."""
    known, asked = (read_gold(sets, validation=side) for side in (False, True))
    arrays: dict[str, Any] = {}
    with threadpool_limits(1):
        fitted = {pack: fit_cause_head(load_taxonomy(pack), known, encode, means) for pack in available_packs()}
        alone = fit_cause_head(load_taxonomy("default"), [], encode, means)
    for pack, found in fitted.items():
        arrays |= cause_arrays(pack_name(load_taxonomy(pack)), *found)
    if not asked:
        return arrays, {}
    after, before = (score_gold(asked, *found, encode, means) for found in (fitted["default"], alone))
    return arrays, {source: {**score, "sentences_alone": before[source]["right"]} for source, score in after.items()}


def _fit_theme_projection(
    sets: Mapping[str, LabelledSet], embedder: Embedder, progress: Progress | None, cache: Path | None, means: Mapping[str, Vectors]
) -> Vectors:
    """Fit the projection on the training rows of every set with theme labels.

    None for the tiny embedder, which knows no meaning, nor for encoders of ours, which were trained so that vectors themselves lie right.
    """
    if embedder.name != "e5-small":
        return np.zeros((embedder.dimensions, 0), np.float16)
    tasks = []
    for name, columns in THEME_LABELS.items():
        rows = sorted(sets[name].part(validation=False), key=lambda row: _draw_key(row["text"]))[:_MOST_THEME_ROWS] if name in sets else []
        readings = [read_text(row["text"]) for row in rows]
        texts = [matching_text(reading.verbatim.text, reading.language) for reading in readings]
        vectors = _encode(embedder, texts, progress, cache) if texts else np.zeros((0, embedder.dimensions), np.float32)
        aligned = align_vectors(vectors, texts, [reading.language for reading in readings], means)
        for column in columns:
            labels = [frozenset(part for part in row[column].split("|") if part) for row in rows]
            labelled = [at for at, carried in enumerate(labels) if carried]
            if len(labelled) >= _FEWEST_FOR_MEAN:
                tasks.append(LabelledVectors(aligned[labelled], [labels[at] for at in labelled]))
    return fit_projection(tasks).astype(np.float16) if tasks else np.zeros((embedder.dimensions, 0), np.float16)


def _draw_key(text: str) -> bytes:
    """Order by which a cap draws rows: by hash, not by place in the file."""
    return hashlib.sha256(text.encode()).digest()


def _is_drawn(text: str, share: float) -> bool:
    """Draw by other bytes of the hash than those that `_draw_key` orders by."""
    return int.from_bytes(_draw_key(text)[-8:], "big") < share * 2**64


def _sentiment_examples(sets: Mapping[str, LabelledSet]) -> _Examples:
    raw, texts, opinions, languages, labels, names, validation = [], [], [], [], [], [], []
    for name, (most, wanted) in SENTIMENT_SETS.items():
        if name not in sets:
            continue
        rows = [
            (row["text"], row["sentiment"], held_back, _group(name, row))
            for row, held_back in zip(sets[name].rows, sets[name].validation, strict=True)
            if row.get("sentiment") in wanted.split() and row["text"].strip()
        ]
        rows.sort(key=lambda row: _draw_key(row[0]))
        for text, label, held_back, group in rows[:most]:
            reading = read_text(text)
            raw.append(text)
            texts.append(matching_text(reading.verbatim.text, reading.language))
            opinions.append([(opinion.matching, opinion.end - opinion.start) for opinion in reading.opinions])
            languages.append(reading.language)
            labels.append(_CODES[label])
            names.append(group)
            validation.append(held_back)
    return _Examples(raw, texts, opinions, languages, np.array(labels), np.array(names), np.array(validation, bool))


def _group(name: str, row: Mapping[str, str]) -> str:
    together = [languages for languages in ("en", "de es fr it pt", "ar hi") if row.get("lang") in languages.split()]
    return f"{name} {together[0]}" if name == "umsab" and together else name


def _check_examples(examples: _Examples, folder: Path) -> None:
    """Refuse sets that leave a sentiment untaught, or nothing to score on."""
    sides = list(zip(examples.labels.tolist(), examples.validation.tolist(), strict=True))
    taught = Counter(label for label, held_back in sides if not held_back)
    few = [name for name, code in _CODES.items() if taught[code] < _FEWEST_EXAMPLES]
    if few or not any(held_back for _, held_back in sides):
        what = f"under {_FEWEST_EXAMPLES} training rows labelled {', '.join(few)}" if few else "no validation rows"
        raise InputError(f"{folder} has {what} in the sets that are read ({', '.join(SENTIMENT_SETS)}); pass their folder with --data")


def _add_own_sentences(examples: _Examples) -> _Examples:
    """Add the sentences of our own whose sentiment is known, see `own_sentences`."""
    sentences = {(example.text, example.language, _CODES[str(example.sentiment)]) for example in own_examples()}
    own = sorted(sentences) * _OWN_COPIES
    texts = [text for text, _, _ in own]
    return _Examples(
        [*examples.raw, *texts],
        [*examples.texts, *texts],
        [*examples.opinions, *([(text, len(text))] for text in texts)],
        [*examples.languages, *(language for _, language, _ in own)],
        np.concatenate([examples.labels, [label for _, _, label in own]]),
        np.concatenate([examples.sets, ["own"] * len(own)]),
        np.concatenate([examples.validation, np.zeros(len(own), bool)]),
    )


def _type_examples() -> _Examples:
    """Sentences of our own: ``type_examples.csv`` beside this module."""
    rows = read_type_examples()
    texts = [matching_text(row["text"], row["language"]) for row in rows]
    codes = {kind.value: at for at, kind in enumerate(TYPE_CLASSES)}
    labels = np.array([codes[row["type"]] for row in rows])
    return _Examples(
        [row["text"] for row in rows],
        texts,
        [[(text, len(text))] for text in texts],
        [row["language"] for row in rows],
        labels,
        np.array(["own"] * len(rows)),
        np.zeros(len(rows), bool),
    )


def _encode(embedder: Embedder, texts: Sequence[str], progress: Progress | None, cache: Path | None) -> Vectors:
    """Encode, remembering vectors by text in one npz for each embedder version."""
    remembered: dict[str, Vectors] = {}
    path = None if cache is None else cache / f"{embedder.version}.npz"
    if path is not None and path.is_file():
        with np.load(path, allow_pickle=False) as arrays:
            remembered = dict(zip(arrays["keys"].tolist(), arrays["vectors"], strict=True))
    keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24] for text in texts]
    missing = sorted({key: text for key, text in zip(keys, texts, strict=True) if key not in remembered}.items())
    if missing:
        report = None if progress is None else lambda done: progress("encode", done, len(missing))
        fresh = embedder.encode([text for _, text in missing], progress=report)
        remembered |= dict(zip((key for key, _ in missing), fresh, strict=True))
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, keys=np.array(list(remembered)), vectors=np.stack(list(remembered.values())))
    return np.stack([remembered[key] for key in keys])


def _comments(examples: _Examples, encode: Callable[[Sequence[str]], Vectors]) -> Comments:
    opinions = [opinion for of_row in examples.opinions for opinion in of_row]
    texts = [text for text, _ in opinions]
    return Comments(
        labels=examples.labels,
        spelling=ngram_matrix(examples.texts),
        starts=np.concatenate([[0], np.cumsum([len(of_row) for of_row in examples.opinions])]),
        vectors=encode(texts),
        opinion_spelling=ngram_matrix(texts),
        lengths=np.array([length for _, length in opinions], np.float32),
    )


def _language_means(vectors: Vectors, languages: Sequence[str]) -> dict[str, Vectors]:
    names = np.array(languages)
    means = {"und": vectors.mean(axis=0)}
    for name in sorted(set(languages) - {"und"}):
        if (names == name).sum() >= _FEWEST_FOR_MEAN:
            means[name] = vectors[names == name].mean(axis=0)
    return {name: mean.astype(np.float32) for name, mean in means.items()}


def _score(validation: _Examples, training: _Examples, path: Path, embedder: Embedder, progress: Progress | None) -> dict[str, Any]:
    """Score the written heads as they serve (opinions, folded) on validation rows, beside the SVM fitted on the same training rows."""
    characters = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), min_df=2, sublinear_tf=True)
    machine = LinearSVC(C=0.5).fit(characters.fit_transform(training.texts), training.labels)
    ours = comment_sentiments(validation.raw, load_heads(path), embedder, progress)
    margins = machine.decision_function(characters.transform(validation.texts))
    scores: dict[str, Any] = {}
    for name in sorted(set(validation.sets.tolist())):
        rows = validation.sets == name
        gold = validation.labels[rows]
        present = sorted(set(gold.tolist()))
        scores[name] = {
            "n": int(rows.sum()),
            "ours": sentiment_metrics(gold, _only(ours[rows], present)),
            "svm_macro_f1": sentiment_metrics(gold, _only(softmax(margins[rows], axis=1), present))["macro_f1"],
        }
    if reported := [name for name in REPORTED_SETS if name in scores]:
        scores["mean of " + ", ".join(reported)] = {
            "ours_macro_f1": float(np.mean([scores[name]["ours"]["macro_f1"] for name in reported])),
            "svm_macro_f1": float(np.mean([scores[name]["svm_macro_f1"] for name in reported])),
        }
    three_way = np.array([SENTIMENT_SETS[name.split()[0]][1] == "neg neu pos" for name in validation.sets.tolist()])
    if three_way.any():
        scores["pooled"] = sentiment_metrics(validation.labels[three_way], ours[three_way])
    return scores


def _only(probabilities: NDArray[np.float64], classes: Sequence[int]) -> NDArray[np.float64]:
    """Leave classes a set does not use out of the choice (a set of two labels is scored as two)."""
    kept = np.zeros_like(probabilities)
    kept[:, classes] = probabilities[:, classes]
    return np.asarray(kept / np.maximum(kept.sum(axis=1, keepdims=True), 1e-12))


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
