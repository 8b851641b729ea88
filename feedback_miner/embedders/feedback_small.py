"""Our own encoder, embedded: four layers that learned from customer feedback, texts in, unit vectors of 512 dimensions out.

``models/feedback-small/`` holds all of it (21 MB): an int8 graph, a table of words at four bits a weight, a tokenizer. Run by ONNX Runtime
and `tokenizers`, one text a call (see `one_by_one`). 384 of the dimensions say what a text is about, 128 how it feels about it; these are
a fiftieth of the squared length. The mean of two that ``feedback-miner train student`` made; its card says on what.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from feedback_miner.domain import Vectors
from feedback_miner.embedders.characters import replace_unencodable
from feedback_miner.embedders.e5_weights import expand_blocks
from feedback_miner.embedders.one_by_one import add_places, available_cpus, encode_each, open_session
from feedback_miner.embedders.protocol import Progress
from feedback_miner.errors import InputError
from feedback_miner.weights import model_path

__all__ = ["FILES", "SHIPPED", "FeedbackSmallEmbedder", "TokenEmbeddings", "is_student"]

SHIPPED = "feedback-small"
FILES = ("encoder.onnx", "words.npy", "learned.npz", "tokenizer.json")
"""All that a folder needs to be served."""

# Raise by one whenever this code changes the vectors; the files' hashes speak for themselves.
_SCHEME = 1


class FeedbackSmallEmbedder:
    """About 60 MB resident. Safe to share between threads. A text is cut after 192 tokens, markers included."""

    def __init__(self, folder: Path | None = None, *, workers: int | None = None) -> None:
        """``folder`` is where ``train student`` wrote one of the user's own; without it, the one that ships, verified."""
        if workers is not None and workers < 1:
            raise InputError(f"workers is {workers}; give at least 1, or nothing for one on each CPU")
        self.name = SHIPPED if folder is None else str(folder)
        folder = folder or model_path(SHIPPED)
        graph, spelling = ((folder / file).read_bytes() for file in ("encoder.onnx", "tokenizer.json"))
        words = np.load(folder / "words.npy", mmap_mode="r", allow_pickle=False)
        with np.load(folder / "learned.npz", allow_pickle=False) as learned:
            small, places = learned["small"], learned["places"]
        self._inputs = TokenEmbeddings(spelling, words, small, places)
        self._session = open_session(graph, {})
        self._workers = workers or available_cpus()
        self.dimensions = int(self._session.get_outputs()[0].shape[1])
        identity = hashlib.sha256(b"\0".join([graph, spelling, words.tobytes(), small.tobytes(), places.tobytes()])).hexdigest()[:12]
        self.version = f"{SHIPPED}-{_SCHEME}-{identity}"

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """Return one unit row for each text; ``progress`` is called every few texts and may raise to stop the rest."""
        return encode_each(self._encode_one, texts, self.dimensions, workers=self._workers, name=self.name, progress=progress)

    def _encode_one(self, text: str) -> Vectors:
        (vector,) = self._session.run(["vector"], {"embeddings": self._inputs.embed(text)})
        return np.asarray(vector[0], np.float32)


class TokenEmbeddings:
    """Text -> the sums that enter the first layer: each token's row, packed (words) or learned (markers, bytes), plus its place's."""

    def __init__(self, tokenizer: bytes, words: NDArray[np.void], small: NDArray[np.float16], places: NDArray[np.float16]) -> None:
        """``words`` as `expand_blocks` reads them; ``small`` are the rows of the tokens before them; ``places`` (most tokens, hidden)."""
        import tokenizers

        self._words = words
        self._small = small.astype(np.float32)
        self._places = places.astype(np.float32)
        self._tokenizer = tokenizers.Tokenizer.from_buffer(tokenizer)
        self._tokenizer.enable_truncation(len(places))

    def embed(self, text: str) -> Vectors:
        """Return float32 ``(1, tokens, hidden)``."""
        tokens = np.array(self._tokenizer.encode(replace_unencodable(text)).ids)
        rows = expand_blocks(self._words[np.maximum(tokens - len(self._small), 0)])
        learned = tokens < len(self._small)
        rows[learned] = self._small[tokens[learned]]
        return add_places(rows, self._places)


def is_student(folder: Path) -> bool:
    """Tell whether ``train student`` wrote this folder."""
    return all((folder / file).is_file() for file in FILES)
