"""How fine leaves should be, and how fine they come out: draws of training rows of known grain, leaves as chosen and of each fixed size.

In: the folder of labelled sets. Out: one JSON line for each draw and seed: AMI of leaves with the labels for each smallest leaf, times the
root of the number of opinions, and for what `fit_clusters` chooses by itself. clinc150 is drawn at several grains: as it comes, with few
labels of many texts, many labels of six, labels of uneven size.

    python benchmarks/theme_sizes.py ../shared/data > sizes.jsonl
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from theme_stage import read_opinions, rows_of_one_label, score

from feedback_miner.classify import load_heads_for
from feedback_miner.config import MiningConfig
from feedback_miner.domain import Vectors
from feedback_miner.embedders import load_embedder
from feedback_miner.pipeline import hash_of_text
from feedback_miner.stages.space import theme_space
from feedback_miner.training.sets import LabelledSet, load_sets
from models import THEMES

AS_THEY_COME = (
    ("clinc150", 600),
    ("clinc150", 1_000),
    ("clinc150", 2_250),
    ("clinc150", 9_000),
    ("airline_tweets", 1_500),
    ("car_complaints_zh", 600),
    ("ccf_car", 1_000),
    ("nhs_fft", 600),
    ("semeval14_restaurant", 900),
    ("ecom_cosmetics_zh", 1_288),
)
OF_ONE_GRAIN = ((10, 62, 0.0), (15, 62, 0.0), (30, 40, 0.0), (40, 60, 0.7), (100, 62, 0.7), (150, 6, 0.0))
"""Labels, texts of the largest, and how fast they get smaller: the power of the label's rank."""
SIZES = (0.1, 0.2, 0.35, 0.5)
SEEDS = (7, 1, 2)

Rows = Sequence[Mapping[str, str]]


def main() -> None:
    sets = load_sets(Path(sys.argv[1]))
    embedder = load_embedder("feedback-small")
    heads, _ = load_heads_for(embedder)

    def place(aligned: Vectors, vectors: Vectors, texts: Sequence[str]) -> Vectors:
        polarity = np.array([sentiment.score for sentiment in heads.read_sentiments(vectors, texts)])
        return theme_space(aligned, heads.theme_projection, polarity)

    for name, column, rows in draws(sets):
        opinions = read_opinions(rows, column, embedder, heads.language_means)
        space = place(opinions.aligned, opinions.vectors, opinions.texts)
        wholes = place(opinions.whole_aligned, opinions.whole_vectors, opinions.whole_texts)
        for seed in SEEDS:
            asked = {str(share): max(3, round(share * len(space) ** 0.5)) for share in SIZES} | {"chosen": None}
            found = {
                share: score(opinions, space, wholes, MiningConfig(seed=seed, min_theme_opinions=smallest))
                for share, smallest in asked.items()
            }
            row = {share: {"leaf": scores["leaf"], "leaves": scores["leaves"]} for share, scores in found.items()}
            print(json.dumps({"draw": name, "opinions": len(space), "seed": seed, **row}), flush=True)


def draws(sets: Mapping[str, LabelledSet]) -> Iterator[tuple[str, str, Rows]]:
    """Yield name, label column and rows of each draw, by the hash of the text."""
    for name, count in AS_THEY_COME:
        rows = rows_of_one_label(by_hash(sets[name]), THEMES[name])[:count]
        yield f"{name}, {len(rows)} rows", THEMES[name], rows
    intents: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    for row in rows_of_one_label(by_hash(sets["clinc150"]), "label"):
        intents[row["label"]].append(row)
    names = sorted(intents, key=lambda name: hash_of_text(name, ""))
    for labels, largest, falling in OF_ONE_GRAIN:
        drawn = [row for rank, name in enumerate(names[:labels], 1) for row in intents[name][: max(4, int(largest / rank**falling))]]
        yield f"clinc150, {labels} labels of {'at most ' if falling else ''}{largest}", "label", drawn


def by_hash(labelled: LabelledSet) -> Rows:
    return sorted(labelled.part(validation=False), key=lambda row: hash_of_text(row["text"], ""))


if __name__ == "__main__":
    main()
