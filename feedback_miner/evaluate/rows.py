"""Labelled files as every evaluation reads them: each row with its label, empty or not, in file order."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from feedback_miner.ingest import IngestOptions, read_feedback
from feedback_miner.progress import Progress

__all__ = ["LabelledRow", "counting", "labelled_options", "read_labelled"]


@dataclass(frozen=True, slots=True)
class LabelledRow:
    """A row of the file: its id, its cells of text, its label or nothing."""

    item: str
    text: str
    label: str


def read_labelled(path: Path | str, *, text: str, label: str) -> Iterator[LabelledRow]:
    """Yield every row of a file with its label, empty or not, in file order."""
    ingested = read_feedback(path, options=labelled_options(text, label))
    for item in ingested.items():
        yield LabelledRow(item.id, "\n".join(cell for _, cell in item.texts), dict(item.attributes).get(label, ""))


def labelled_options(text: str, label: str) -> IngestOptions:
    """Say which column is the text, and which comes along."""
    return IngestOptions(texts=(text,), attributes=(label,))


def counting(progress: Progress | None, total: int) -> Any:
    """Return what an embedder calls as it encodes ``total`` texts; None where nobody asks."""
    return None if progress is None else lambda done: progress("encode", done, total)
