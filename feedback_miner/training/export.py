"""A trained student in, the folder it is served from out: ``encoder.onnx`` (int8), ``words.npy``, ``learned.npz``, ``tokenizer.json``.

Words are frozen and in a file of their own: a student that is trained again shares its largest file with the one before.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from feedback_miner.embedders.e5_weights import PackedModel, graph_weights
from feedback_miner.embedders.feedback_small import TokenEmbeddings
from feedback_miner.training.backbone import Backbone, layer_weights
from feedback_miner.training.e5_graph import build_graph, find_outliers, model_sizes

__all__ = ["MAX_TOKENS", "export_student"]

MAX_TOKENS = 192
"""Of one text: about 130 English words or 250 Chinese characters."""


def export_student(student: Backbone, tokenizer: bytes, model: PackedModel, kept: Sequence[int], output: Path) -> None:
    """Quantise and write; words keep the four bits that ``model`` has them in."""
    words = model.blocks("emb.word", columns=model.hidden)[list(kept)]
    small, places = (table.detach().numpy().astype(np.float16) for table in (student.words.small, student.positions[:MAX_TOKENS]))
    inputs = TokenEmbeddings(tokenizer, words, small, places)

    sizes = {**model_sizes(model), "layers": len(student.layers)}
    floats = layer_weights(student)
    graph = with_weights(build_graph(**sizes), graph_weights(floats, find_outliers(floats, sizes, inputs.embed)))
    output.mkdir(parents=True, exist_ok=True)
    (output / "encoder.onnx").write_bytes(graph)
    (output / "tokenizer.json").write_bytes(tokenizer)
    np.save(output / "words.npy", words)
    np.savez(output / "learned.npz", small=small, places=places)


def with_weights(graph: bytes, arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Return the graph with its external arrays inside."""
    import onnx

    model = onnx.load_model_from_string(graph)
    for tensor in model.graph.initializer:
        if tensor.name in arrays:
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(arrays[tensor.name]), tensor.name))
    return bytes(model.SerializeToString(deterministic=True))
