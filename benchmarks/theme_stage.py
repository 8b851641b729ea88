"""The theme stage over rows with one label each: what `theme_choices.py` and `models.py` share. Not a command."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score
from threadpoolctl import threadpool_limits

from feedback_miner.config import MiningConfig
from feedback_miner.domain import Vectors
from feedback_miner.embedders import Embedder
from feedback_miner.pipeline import distinct_texts
from feedback_miner.reading import read_text
from feedback_miner.stages.cluster import fit_clusters
from feedback_miner.stages.mask import EntityMask, find_entities
from feedback_miner.stages.space import align_vectors, blend_means

Means = Mapping[str, Vectors]


@dataclass(frozen=True)
class Opinions:
    """Opinions of labelled rows, and their distinct (text, language) pairs in hash order."""

    gold: list[str]
    owners: list[int]
    places: list[int]
    texts: list[str]
    vectors: Vectors
    aligned: Vectors
    whole_owners: list[int]
    """Rows of several opinions, and what they are as a whole."""
    whole_texts: list[str]
    whole_vectors: Vectors
    whole_aligned: Vectors


def rows_of_one_label(rows: Sequence[Mapping[str, str]], column: str) -> list[Mapping[str, str]]:
    """Leave out rows of several themes, and clinc150's ``oos``."""
    return [row for row in rows if row[column] not in ("", "oos") and "|" not in row[column] and row.get("n_themes", "1") in ("", "1")]


def read_opinions(rows: Sequence[Mapping[str, str]], column: str, embedder: Embedder, means: Means) -> Opinions:
    rows = rows_of_one_label(rows, column)
    readings = [read_text(row["text"]) for row in rows]
    read = [(owner, reading, opinion) for owner, reading in enumerate(readings) for opinion in reading.opinions]
    matching = [opinion.matching for _, _, opinion in read]
    mask = EntityMask(find_entities(matching))
    distinct, places = distinct_texts(matching, [reading.language for _, reading, _ in read], mask)
    texts, languages = [text for text, _ in distinct], [language for _, language in distinct]
    vectors = embedder.encode(texts)
    blended = blend_means(vectors, languages, means)
    wholes = [(owner, mask.hide(reading.whole), reading.language) for owner, reading in enumerate(readings) if reading.whole is not None]
    whole_texts = [text for _, text, _ in wholes]
    whole_vectors = embedder.encode(whole_texts) if wholes else np.zeros((0, vectors.shape[1]), np.float32)
    return Opinions(
        gold=[row[column] for row in rows],
        owners=[owner for owner, _, _ in read],
        places=places,
        texts=texts,
        vectors=vectors,
        aligned=align_vectors(vectors, texts, languages, blended),
        whole_owners=[owner for owner, _, _ in wholes],
        whole_texts=whole_texts,
        whole_vectors=whole_vectors,
        whole_aligned=align_vectors(whole_vectors, whole_texts, [language for _, _, language in wholes], blended),
    )


def score(opinions: Opinions, space: Vectors, whole_space: Vectors, config: MiningConfig) -> dict[str, float]:
    """Find themes among ``space`` (a row a distinct opinion) and compare them with the labels.

    A row goes, as `Document.theme`, by that of its opinions' themes which all of it (``whole_space``) is closest to.
    """
    with threadpool_limits(1):
        clusters = fit_clusters(space, config)
    carried: list[set[int]] = [set() for _ in opinions.gold]
    for owner, place in zip(opinions.owners, opinions.places, strict=True):
        if clusters.labels[place] >= 0:
            carried[owner].add(int(clusters.labels[place]))
    whole = dict(zip(opinions.whole_owners, whole_space, strict=True))
    leaves = [
        max(themes, key=lambda leaf: float(clusters.centres[leaf] @ whole[row]) if row in whole else 0.0, default=-1)
        for row, themes in enumerate(carried)
    ]
    parents = [int(clusters.parents[leaf]) if leaf >= 0 else -1 for leaf in leaves]
    return {
        "leaf": round(float(adjusted_mutual_info_score(opinions.gold, leaves)), 4),
        "parent": round(float(adjusted_mutual_info_score(opinions.gold, parents)), 4),
        "coverage": round(sum(leaf >= 0 for leaf in leaves) / len(leaves), 4),
        "leaves": len(clusters.centres),
    }
