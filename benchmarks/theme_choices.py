"""The choices of the theme stage, one at a time, on rows that no reported figure uses and with nothing learned from their own family.

In: the folder of labelled sets. Out: one JSON line for each set and choice. Only training rows are read; the theme projection is fitted
without the set and its family, so that it helps no more here than on a stranger's file.

Needs `pip install '.[train]'` and about twenty minutes.

    python benchmarks/theme_choices.py ../shared/data > choices.jsonl
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from theme_stage import Opinions, read_opinions, score

from feedback_miner.classify import load_heads_for
from feedback_miner.config import MiningConfig
from feedback_miner.domain import Vectors
from feedback_miner.embedders import Embedder, load_embedder
from feedback_miner.pipeline import hash_of_text
from feedback_miner.reading import read_text
from feedback_miner.stages.clean import matching_text
from feedback_miner.stages.sentiment import Heads
from feedback_miner.stages.space import align_vectors, unit_rows
from feedback_miner.training.projection import THEME_LABELS, LabelledVectors, fit_projection
from feedback_miner.training.sets import LabelledSet, load_sets

REPORTED = {
    "airline_tweets": "theme",
    "nhs_fft": "main_theme",
    "nhs_fft_phase1": "label",
    "ccf_car": "main_theme",
    "clinc150": "label",
    "cfpb_complaints": "theme",
}
FAMILIES = ({"nhs_fft", "nhs_fft_phase1"}, {"dimabsa2026", "mabsa_en_zh", "mams_acsa", "semeval14_restaurant"})
CHOICES: tuple[Mapping[str, float], ...] = (
    {},
    {"polarity": 0.0},
    {"polarity": 0.15},
    {"polarity": 0.5},
    {"projection": 0.6},
    {"projection": 1.5},
    {"smallest": 0.2},
    {"smallest": 0.25},
    {"smallest": 0.5},
    {"neighbors": 10},
)
"""Against the defaults: polarity .3, projection 1, smallest cluster .35 times the root of the number of opinions, 15 neighbours."""
MOST_ROWS = 6_000


def main() -> None:
    sets = load_sets(Path(sys.argv[1]))
    embedder = load_embedder("e5-small")
    heads, _ = load_heads_for(embedder)
    tasks = [(name, task) for name in THEME_LABELS for task in labelled_vectors(sets[name], name, embedder, heads)]
    for name, column in REPORTED.items():
        family = {name}.union(*(family for family in FAMILIES if name in family))
        projection = fit_projection([task for owner, task in tasks if owner not in family])
        opinions = read_opinions(sets[name].part(validation=False), column, embedder, heads.language_means)
        for choice in CHOICES:
            print(json.dumps({"set": name, **choice, **score_choice(opinions, heads, projection, choice)}), flush=True)


def labelled_vectors(labelled: LabelledSet, name: str, embedder: Embedder, heads: Heads) -> list[LabelledVectors]:
    rows = sorted(labelled.part(validation=False), key=lambda row: hash_of_text(row["text"], ""))[:MOST_ROWS]
    readings = [read_text(row["text"]) for row in rows]
    texts = [matching_text(reading.verbatim.text, reading.language) for reading in readings]
    aligned = align_vectors(embedder.encode(texts), texts, [reading.language for reading in readings], heads.language_means)
    tasks = []
    for column in THEME_LABELS[name]:
        labels = [frozenset(part for part in row[column].split("|") if part) for row in rows]
        known = [at for at, carried in enumerate(labels) if carried]
        tasks.append(LabelledVectors(aligned[known], [labels[at] for at in known]))
    return tasks


def score_choice(opinions: Opinions, heads: Heads, projection: Vectors, choice: Mapping[str, float]) -> dict[str, float]:
    def place(aligned: Vectors, vectors: Vectors, texts: list[str]) -> Vectors:
        projected = choice.get("projection", 1.0) * unit_rows(aligned @ projection)
        sentiments = heads.read_sentiments(vectors, texts)
        polarity = choice.get("polarity", 0.3) * np.array([sentiment.score for sentiment in sentiments])[:, None]
        return unit_rows(np.hstack([aligned, projected, polarity]).astype(np.float32))

    space = place(opinions.aligned, opinions.vectors, opinions.texts)
    whole_space = place(opinions.whole_aligned, opinions.whole_vectors, opinions.whole_texts)
    smallest = max(3, round(choice.get("smallest", 0.35) * len(space) ** 0.5))
    return score(opinions, space, whole_space, MiningConfig(min_theme_opinions=smallest, umap_neighbors=int(choice.get("neighbors", 15))))


if __name__ == "__main__":
    main()
