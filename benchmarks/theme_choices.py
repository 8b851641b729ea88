"""The choices of the theme stage, one at a time, on rows that no reported figure uses and with nothing learned from their own family.

In: the folder of labelled sets. Out: one JSON line for each set and choice. Only training rows are read; the theme projection is fitted
without the set and its family, so that it helps no more here than on a stranger's file.

Needs `pip install '.[train]'` and about twenty minutes.

    python benchmarks/theme_choices.py ../shared/data > choices.jsonl
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score
from threadpoolctl import threadpool_limits

from feedback_miner.classify import load_heads_for
from feedback_miner.config import MiningConfig
from feedback_miner.domain import Vectors
from feedback_miner.embedders import Embedder, load_embedder
from feedback_miner.pipeline import distinct_texts, hash_of_text
from feedback_miner.reading import read_text
from feedback_miner.stages.clean import matching_text
from feedback_miner.stages.cluster import fit_clusters
from feedback_miner.stages.mask import EntityMask, find_entities
from feedback_miner.stages.sentiment import Heads
from feedback_miner.stages.space import align_vectors, blend_means, unit_rows
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


@dataclass(frozen=True)
class Opinions:
    """Opinions of labelled rows, and their distinct (text, language) pairs in hash order."""

    gold: list[str]
    owners: list[int]
    lengths: list[int]
    rows: list[int]
    aligned: Vectors
    polarity: np.ndarray


def main() -> None:
    sets = load_sets(Path(sys.argv[1]))
    embedder = load_embedder("e5-small")
    heads, _ = load_heads_for(embedder)
    tasks = [(name, task) for name in THEME_LABELS for task in labelled_vectors(sets[name], name, embedder, heads)]
    for name, column in REPORTED.items():
        family = {name}.union(*(family for family in FAMILIES if name in family))
        projection = fit_projection([task for owner, task in tasks if owner not in family])
        opinions = read_opinions(sets[name], column, embedder, heads)
        for choice in CHOICES:
            print(json.dumps({"set": name, **choice, **score(opinions, projection, choice)}), flush=True)


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


def read_opinions(labelled: LabelledSet, column: str, embedder: Embedder, heads: Heads) -> Opinions:
    """One label a row: rows of several themes, and clinc150's ``oos``, are left out."""
    rows = [row for row in labelled.part(validation=False) if row[column] not in ("", "oos") and row.get("n_themes", "1") in ("", "1")]
    readings = [read_text(row["text"]) for row in rows]
    read = [(owner, reading, opinion) for owner, reading in enumerate(readings) for opinion in reading.opinions]
    matching = [opinion.matching for _, _, opinion in read]
    distinct, places = distinct_texts(matching, [reading.language for _, reading, _ in read], EntityMask(find_entities(matching)))
    texts, languages = [text for text, _ in distinct], [language for _, language in distinct]
    vectors = embedder.encode(texts)
    return Opinions(
        gold=[row[column] for row in rows],
        owners=[owner for owner, _, _ in read],
        lengths=[opinion.end - opinion.start for _, _, opinion in read],
        rows=places,
        aligned=align_vectors(vectors, texts, languages, blend_means(vectors, languages, heads.language_means)),
        polarity=np.array([sentiment.score for sentiment in heads.read_sentiments(vectors, texts)]),
    )


def score(opinions: Opinions, projection: Vectors, choice: Mapping[str, float]) -> dict[str, float]:
    projected = choice.get("projection", 1.0) * unit_rows(opinions.aligned @ projection)
    polarity = choice.get("polarity", 0.3) * opinions.polarity[:, None]
    space = unit_rows(np.hstack([opinions.aligned, projected, polarity]).astype(np.float32))
    smallest = max(3, round(choice.get("smallest", 0.35) * len(space) ** 0.5))
    config = MiningConfig(min_theme_opinions=smallest, umap_neighbors=int(choice.get("neighbors", 15)))
    with threadpool_limits(1):
        clusters = fit_clusters(space, config)
    strength = (space @ clusters.centres.T).max(axis=1)
    best: list[tuple[float, int]] = [(0.0, -1)] * len(opinions.gold)
    for owner, length, row in zip(opinions.owners, opinions.lengths, opinions.rows, strict=True):
        if clusters.labels[row] >= 0:
            best[owner] = max(best[owner], (float(strength[row]) * length**0.5, int(clusters.labels[row])))
    leaves = [leaf for _, leaf in best]
    parents = [int(clusters.parents[leaf]) if leaf >= 0 else -1 for leaf in leaves]
    return {
        "leaf": round(float(adjusted_mutual_info_score(opinions.gold, leaves)), 4),
        "parent": round(float(adjusted_mutual_info_score(opinions.gold, parents)), 4),
        "coverage": round(sum(leaf >= 0 for leaf in leaves) / len(leaves), 4),
        "leaves": len(clusters.centres),
    }


if __name__ == "__main__":
    main()
