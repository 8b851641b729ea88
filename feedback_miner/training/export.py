"""A trained student in, the folder it is served from out: ``encoder.onnx`` (int8), ``words.npy``, ``places.npy``, ``tokenizer.json``."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import tokenizers
from numpy.typing import NDArray

from feedback_miner.embedders.e5_weights import PackedModel, graph_weights
from feedback_miner.embedders.one_by_one import sum_embeddings
from feedback_miner.training.backbone import Backbone, layer_weights
from feedback_miner.training.e5_graph import build_graph, find_outliers, model_sizes
from feedback_miner.training.vocabulary import pack_blocks

__all__ = ["MAX_TOKENS", "export_student"]

MAX_TOKENS = 192
"""Of one text: about 130 English words or 250 Chinese characters."""


def export_student(student: Backbone, tokenizer: bytes, model: PackedModel, kept: Sequence[int], output: Path) -> None:
    """Quantise and write; words keep the four bits that ``model`` has them in."""
    small = student.words.small.detach().numpy()
    words = np.concatenate([pack_blocks(small), model.blocks("emb.word", columns=model.hidden)[list(kept)]])
    places = student.positions.detach().numpy()[:MAX_TOKENS].astype(np.float16)
    reader = tokenizers.Tokenizer.from_buffer(tokenizer)

    def embed(text: str) -> NDArray[np.float32]:
        return sum_embeddings(words[reader.encode(text).ids], places.astype(np.float32))

    sizes = {**model_sizes(model), "layers": len(student.layers)}
    floats = layer_weights(student)
    graph = with_weights(build_graph(**sizes), graph_weights(floats, find_outliers(floats, sizes, embed)))
    output.mkdir(parents=True, exist_ok=True)
    (output / "encoder.onnx").write_bytes(graph)
    (output / "tokenizer.json").write_bytes(tokenizer)
    np.save(output / "words.npy", words)
    np.save(output / "places.npy", places)


def with_weights(graph: bytes, arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Return the graph with its external arrays inside."""
    import onnx

    model = onnx.load_model_from_string(graph)
    for tensor in model.graph.initializer:
        if tensor.name in arrays:
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(arrays[tensor.name]), tensor.name))
    return bytes(model.SerializeToString(deterministic=True))
