"""Themes beside BERTopic's, of the same rows, on the same vectors. One JSON line a set: AMI with labels, of rows that carry one; coverage.

    pip install bertopic==0.17.4
    python benchmarks/bertopic_peer.py DATA feedback-small e5-small > peer.jsonl
    python benchmarks/bertopic_peer.py --table peer.jsonl

BERTopic gets whole comments, its defaults, and a seed, without which its layout differs in every run; ours is `evaluate themes`. Rows
are the validation part of each set; of sets in ``LEFT_OUT``, which no encoder of ours was taught with, all. ``outliers`` is BERTopic's AMI
with what it leaves out as one cluster, ``nearest`` with each of those at the centroid it is closest to.
"""

import csv
import importlib
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.metrics import adjusted_mutual_info_score
from theme_stage import rows_of_one_label
from umap import UMAP

from feedback_miner.config import MiningConfig
from feedback_miner.domain import Vectors
from feedback_miner.embedders import load_embedder
from feedback_miner.evaluate import evaluate_themes
from feedback_miner.stages.space import unit_rows
from feedback_miner.training.sets import LEFT_OUT, load_sets

SETS = {
    "airline_tweets": "theme",
    "nhs_fft": "main_theme",
    "nhs_fft_phase1": "label",
    "ccf_car": "main_theme",
    "clinc150": "label",
    "ecom_cosmetics_zh": "main_theme",
    "cfpb_complaints": "theme",
}
SEEDS = (7, 1, 2)

Rows = Sequence[tuple[str, str]]
"""Text and label, empty where the row has none or several."""


def main(arguments: Sequence[str]) -> None:
    if arguments[0] == "--table":
        print_table([json.loads(line) for line in Path(arguments[1]).read_text("utf-8").splitlines()])
        return
    sets = load_sets(Path(arguments[0]))
    for encoder in arguments[1:]:
        encode = load_embedder(encoder).encode
        for name, column in SETS.items():
            found = sets[name].rows if name in LEFT_OUT else sets[name].part(validation=True)
            rows = [(row["text"], one_label(row, column)) for row in found if row[column] != "oos"]
            vectors = encode([text for text, _ in rows])
            result = {
                "ours": [score_ours(rows, encoder, seed) for seed in SEEDS],
                "bertopic": [score_bertopic(rows, vectors, seed) for seed in SEEDS],
            }
            labelled = sum(bool(label) for _, label in rows)
            print(json.dumps({"encoder": encoder, "set": name, "rows": len(rows), "labelled": labelled, **result}), flush=True)


def one_label(row: Mapping[str, str], column: str) -> str:
    return row[column] if rows_of_one_label([row], column) else ""


def score_ours(rows: Rows, encoder: str, seed: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
        found = evaluate_themes(path, text="text", label="label", config=MiningConfig(encoder=encoder, seed=seed))
    return {
        "leaf": found["leaf"]["ami"],
        "parent": found["parent"]["ami"],
        "coverage": found["coverage"],
        "themes": found["leaf"]["themes"],
    }


def score_bertopic(rows: Rows, vectors: Vectors, seed: int) -> dict[str, float]:
    layout = UMAP(n_neighbors=15, n_components=5, min_dist=0.0, metric="cosine", random_state=seed)  # its defaults, and a seed
    topics, _ = importlib.import_module("bertopic").BERTopic(umap_model=layout).fit_transform([text for text, _ in rows], vectors)
    labels = np.array(topics)
    if labels.max() < 0:
        return {"outliers": 0.0, "nearest": 0.0, "coverage": 0.0, "themes": 0}
    centres = unit_rows(np.stack([vectors[labels == topic].mean(axis=0) for topic in range(labels.max() + 1)]))
    nearest = np.where(labels < 0, (vectors @ centres.T).argmax(axis=1), labels)
    gold = np.array([label for _, label in rows])
    asked = gold != ""
    return {
        "outliers": float(adjusted_mutual_info_score(gold[asked], labels[asked])),
        "nearest": float(adjusted_mutual_info_score(gold[asked], nearest[asked])),
        "coverage": float((labels >= 0).mean()),
        "themes": len(centres),
    }


def print_table(results: Sequence[Mapping[str, Any]]) -> None:
    """Means over seeds; of BERTopic's two figures the one that is better on the whole set."""
    print("| encoder | set | rows, labelled | BERTopic | coverage | themes | ours, leaf | parent | coverage | themes |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for result in results:
        ours, peer = ({key: np.mean([run[key] for run in result[side]]) for key in result[side][0]} for side in ("ours", "bertopic"))
        print(
            f"| {result['encoder']} | {result['set']} | {result['rows']:,}, {result['labelled']:,}"
            f" | {max(peer['outliers'], peer['nearest']):.3f} | {peer['coverage']:.2f} | {peer['themes']:.0f}"
            f" | {ours['leaf']:.3f} | {ours['parent']:.3f} | {ours['coverage']:.2f} | {ours['themes']:.0f} |"
        )


if __name__ == "__main__":
    main(sys.argv[1:])
