"""Themes against labels: agreement at both levels, and how many rows have a theme at all."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from feedback_miner.config import MiningConfig
from feedback_miner.domain import Coding, ContentStatus, Document, Opinion
from feedback_miner.evaluate.rows import labelled_options, read_labelled
from feedback_miner.pipeline import mine_items
from feedback_miner.progress import Progress

__all__ = ["evaluate_themes"]


def evaluate_themes(
    path: Path | str, *, text: str, label: str, config: MiningConfig | None = None, progress: Progress | None = None
) -> dict[str, Any]:
    """Mine the file's texts and compare each labelled row's theme with its label.

    A row's theme is that of its strongest opinion; residual and no-content rows are one cluster each. ``coverage`` is themed rows over
    mined rows with content, labelled or not.
    """
    from sklearn.metrics import adjusted_mutual_info_score, adjusted_rand_score, normalized_mutual_info_score

    labels = {row.item: row.label for row in read_labelled(path, text=text, label=label)}
    options = labelled_options(text, label)
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
