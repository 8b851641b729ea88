"""The theme stage over rows with one label each: what `theme_choices.py` and `models.py` share. Not a command."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    lengths: list[int]
    places: list[int]
    texts: list[str]
    vectors: Vectors
    aligned: Vectors


def rows_of_one_label(rows: Sequence[Mapping[str, str]], column: str) -> list[Mapping[str, str]]:
    """Leave out rows of several themes, and clinc150's ``oos``."""
    return [row for row in rows if row[column] not in ("", "oos") and "|" not in row[column] and row.get("n_themes", "1") in ("", "1")]


def read_opinions(rows: Sequence[Mapping[str, str]], column: str, embedder: Embedder, means: Means) -> Opinions:
    rows = rows_of_one_label(rows, column)
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
        places=places,
        texts=texts,
        vectors=vectors,
        aligned=align_vectors(vectors, texts, languages, blend_means(vectors, languages, means)),
    )


def score(opinions: Opinions, space: Vectors, config: MiningConfig) -> dict[str, float]:
    """Find themes among ``space`` (a row a distinct opinion) and compare them with the labels; a row goes by its strongest opinion."""
    with threadpool_limits(1):
        clusters = fit_clusters(space, config)
    best: list[tuple[float, int]] = [(0.0, -1)] * len(opinions.gold)
    if len(clusters.centres):
        strength = (space @ clusters.centres.T).max(axis=1)
        for owner, length, place in zip(opinions.owners, opinions.lengths, opinions.places, strict=True):
            if clusters.labels[place] >= 0:
                best[owner] = max(best[owner], (float(strength[place]) * length**0.5, int(clusters.labels[place])))
    leaves = [leaf for _, leaf in best]
    parents = [int(clusters.parents[leaf]) if leaf >= 0 else -1 for leaf in leaves]
    return {
        "leaf": round(float(adjusted_mutual_info_score(opinions.gold, leaves)), 4),
        "parent": round(float(adjusted_mutual_info_score(opinions.gold, parents)), 4),
        "coverage": round(sum(leaf >= 0 for leaf in leaves) / len(leaves), 4),
        "leaves": len(clusters.centres),
    }
