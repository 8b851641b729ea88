"""Themes against labels: agreement at both levels, and how many rows have a theme at all."""

import time
from pathlib import Path
from typing import Any

from feedback_miner.config import MiningConfig
from feedback_miner.evaluate.rows import labelled_options, read_labelled
from feedback_miner.pipeline import mine_items
from feedback_miner.progress import Progress

__all__ = ["evaluate_themes"]


def evaluate_themes(
    path: Path | str, *, text: str, label: str, config: MiningConfig | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Mine the file's texts and compare each labelled row's theme with its label.

    A row's theme is `Document.theme`; residual and no-content rows are one cluster each. ``coverage`` is themed rows over mined rows with
    content, labelled or not.
    """
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, normalized_mutual_info_score

    labels = {row.item: row.label for row in read_labelled(path, text=text, label=label)}
    options = labelled_options(text, label)
    start = time.perf_counter()
    analysis = mine_items(path, options=options, config=config or MiningConfig(), progress=progress)
    seconds = time.perf_counter() - start
    parents = {theme.id: theme.parent for theme in analysis.themes if theme.parent is not None}
    leaf_of = {document.item: document.theme or document.status.value for document in analysis.documents}
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
