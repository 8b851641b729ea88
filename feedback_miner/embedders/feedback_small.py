"""Our own encoder, embedded: four layers that learned from customer feedback, texts in, unit vectors of 384 dimensions out.

``models/feedback-small/`` holds all of it (21 MB): an int8 graph, a table of words at four bits a weight, a tokenizer. Run by ONNX Runtime
and `tokenizers`, one text a call (see `one_by_one`). Trained by ``feedback-miner train student``; its card says on what.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from feedback_miner.domain import Vectors
from feedback_miner.embedders.characters import replace_unencodable
from feedback_miner.embedders.one_by_one import available_cpus, encode_each, open_session, sum_embeddings
from feedback_miner.embedders.protocol import Progress
from feedback_miner.errors import InputError
from feedback_miner.weights import model_path

__all__ = ["SHIPPED", "FeedbackSmallEmbedder", "is_student"]

SHIPPED = "feedback-small"

# Raise by one whenever this code changes the vectors; the files' hashes speak for themselves.
_SCHEME = 1


class FeedbackSmallEmbedder:
    """About 60 MB resident. Safe to share between threads. A text is cut after 192 tokens, markers included."""

    def __init__(self, folder: Path | None = None, *, workers: int | None = None) -> None:
        """``folder`` is where ``train student`` wrote one of the user's own; without it, the one that ships, verified."""
        import tokenizers

        if workers is not None and workers < 1:
            raise InputError(f"workers is {workers}; give at least 1, or nothing for one on each CPU")
        self.name = SHIPPED if folder is None else str(folder)
        folder = folder or model_path(SHIPPED)
        graph, spelling = ((folder / file).read_bytes() for file in ("encoder.onnx", "tokenizer.json"))
        self._words = np.load(folder / "words.npy", mmap_mode="r", allow_pickle=False)
        self._places = np.load(folder / "places.npy", allow_pickle=False).astype(np.float32)
        self._tokenizer = tokenizers.Tokenizer.from_buffer(spelling)
        self._tokenizer.enable_truncation(len(self._places))
        self._session = open_session(graph, {})
        self._workers = workers or available_cpus()
        self.dimensions = int(self._places.shape[1])
        identity = hashlib.sha256(b"\0".join([graph, spelling, self._words.tobytes(), self._places.tobytes()])).hexdigest()[:12]
        self.version = f"{SHIPPED}-{_SCHEME}-{identity}"

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """Return one unit row for each text; ``progress`` is called every few texts and may raise to stop the rest."""
        return encode_each(self._encode_one, texts, self.dimensions, workers=self._workers, name=self.name, progress=progress)

    def _encode_one(self, text: str) -> Vectors:
        tokens = self._tokenizer.encode(replace_unencodable(text)).ids
        (vector,) = self._session.run(["vector"], {"embeddings": sum_embeddings(self._words[tokens], self._places)})
        return np.asarray(vector[0], np.float32)


def is_student(folder: Path) -> bool:
    """Tell whether ``train student`` wrote this folder."""
    return all((folder / file).is_file() for file in ("encoder.onnx", "words.npy", "places.npy", "tokenizer.json"))
