"""A trained student in, the folder it is served from out: ``encoder.onnx`` (int8), ``words.npy``, ``learned.npz``, ``tokenizer.json``.

Words are frozen and in a file of their own: a student that is trained again shares its largest file with the one before.
"""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import nn

from feedback_miner.embedders.e5_weights import PackedModel, graph_weights
from feedback_miner.embedders.feedback_small import TokenEmbeddings
from feedback_miner.errors import InputError
from feedback_miner.training.backbone import Backbone, layer_weights
from feedback_miner.training.e5_graph import build_graph, find_outliers, model_sizes

__all__ = ["MAX_TOKENS", "SENTIMENT_SHARE", "add_sentiment", "average_students", "export_student", "read_student"]

MAX_TOKENS = 192
"""Of one text: about 130 English words or 250 Chinese characters."""
SENTIMENT_SHARE = 0.02
"""Of a vector's squared length: heads can read it well, nearness in themes hardly feels it."""


def export_student(
    backbone: Backbone, sentiment: nn.Linear, tokenizer: bytes, model: PackedModel, kept: Sequence[int], output: Path
) -> None:
    """Quantise and write; words keep the four bits that ``model`` has them in, the reading of sentiment all of its own."""
    words = model.blocks("emb.word", columns=model.hidden)[list(kept)]
    small, places = (table.detach().numpy().astype(np.float16) for table in (backbone.words.small, backbone.positions[:MAX_TOKENS]))
    reading = {f"sentiment.{name}": value.detach().numpy() for name, value in sentiment.named_parameters()}
    _write_student({**layer_weights(backbone), **reading}, tokenizer, words, small, places, model, output)


def average_students(folders: Sequence[Path], model: PackedModel, output: Path) -> None:
    """Write a student whose weights are the mean of those of several, and whose reading of sentiment is all of theirs, side by side.

    Students that began as the same layers and learned apart often lie in one valley, and their mean is better on texts that none has seen
    than either (model soups, Wortsman et al. 2022, https://arxiv.org/abs/2203.05482). What their begin markers read has no common
    directions, so it is not averaged.

    Raises InputError where they differ in their words or their shape.
    """
    first = folders[0]
    tokenizer, words = (first / "tokenizer.json").read_bytes(), np.load(first / "words.npy", allow_pickle=False)
    students = [read_student(folder) for folder in folders]
    shapes = [{name: array.shape for name, array in student.items() if name != "sentiment.weight"} for student in students]
    if any(shape != shapes[0] for shape in shapes) or any((folder / "tokenizer.json").read_bytes() != tokenizer for folder in folders):
        raise InputError(f"{', '.join(map(str, folders))} differ in their words or their shape; average students of one kind")
    floats = {
        name: (np.concatenate if name.startswith("sentiment.") else _mean)([student[name] for student in students]) for name in students[0]
    }
    with np.load(first / "learned.npz", allow_pickle=False) as learned:
        places = learned["places"]
    _write_student(floats, tokenizer, words, floats.pop("small").astype(np.float16), places, model, output)


def _mean(arrays: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
    return np.asarray(np.mean(arrays, axis=0), np.float32)


def _write_student(
    floats: Mapping[str, NDArray[np.float32]],
    tokenizer: bytes,
    words: NDArray[np.void],
    small: NDArray[np.float16],
    places: NDArray[np.float16],
    model: PackedModel,
    output: Path,
) -> None:
    """``floats`` are the arrays of the layers, and the reading of sentiment as `read_student` names it."""
    layers = {name: array for name, array in floats.items() if not name.startswith("sentiment.")}
    sizes = {**model_sizes(model), "layers": 1 + max(int(name.split(".")[0]) for name in layers if name[0].isdigit())}
    inputs = TokenEmbeddings(tokenizer, words, small, places)
    arrays = graph_weights(layers, find_outliers(layers, sizes, inputs.embed))
    reading = floats["sentiment.weight"].T, floats["sentiment.bias"]
    graph = add_sentiment(with_weights(build_graph(**sizes), arrays), *reading, share=SENTIMENT_SHARE)
    output.mkdir(parents=True, exist_ok=True)
    (output / "encoder.onnx").write_bytes(graph)
    (output / "tokenizer.json").write_bytes(tokenizer)
    np.save(output / "words.npy", words)
    np.savez(output / "learned.npz", small=small, places=places)


def read_student(folder: Path) -> dict[str, NDArray[np.float32]]:
    """Return a served folder's weights, to train on from there: those of the layers by the names `layer_weights` gives them,
    ``sentiment.weight`` (dimensions, hidden), ``sentiment.bias`` and ``small``. What eight bits cannot hold is gone.

    Raises InputError where the folder holds no student of this kind.
    """
    import onnx

    graph = onnx.load(str(folder / "encoder.onnx")).graph
    arrays = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in graph.initializer}
    if "sentiment.weight" not in arrays:
        raise InputError(f"{folder} holds a student without a reading of sentiment; start from one of today's kind, or from the teacher")
    floats = {"sentiment.weight": arrays["sentiment.weight"].T, "sentiment.bias": arrays["sentiment.bias"]}
    for name, array in arrays.items():
        product = name.removesuffix(".weight")
        if array.dtype == np.int8:
            scaled = array.T * arrays[f"{product}.scale"][:, None]
            floats[name] = scaled * arrays.get(f"{product}.shrink", np.float32(1.0))
        elif name.endswith((".weight", ".bias")):
            floats.setdefault(name, array)
    with np.load(folder / "learned.npz", allow_pickle=False) as learned:
        floats["small"] = learned["small"].astype(np.float32)
    return floats


def with_weights(graph: bytes, arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Return the graph with its external arrays inside."""
    import onnx

    model = onnx.load_model_from_string(graph)
    for tensor in model.graph.initializer:
        if tensor.name in arrays:
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(arrays[tensor.name]), tensor.name))
    return bytes(model.SerializeToString(deterministic=True))


def add_sentiment(graph: bytes, weight: NDArray[np.float32], bias: NDArray[np.float32], *, share: float) -> bytes:
    """Return the graph with a longer ``vector``: what `build_graph` says of a text, then the begin marker's reading, together of length 1.

    ``weight`` (hidden, sentiment dimensions) and ``bias`` read the last layer; ``share`` is that part's of the squared length.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    model = onnx.load_model_from_string(graph)
    (mean,) = (node for node in model.graph.node if node.op_type == "ReduceMean")
    (about,) = (node for node in model.graph.node if "vector" in node.output)
    about.output[0] = "about"
    constants = {
        "first": np.array([0], np.int64),
        "sentiment.weight": weight,
        "sentiment.bias": bias,
        "about.share": np.array(math.sqrt(1.0 - share), np.float32),
        "sentiment.share": np.array(math.sqrt(share), np.float32),
        "token": np.array([1], np.int64),
    }
    model.graph.initializer.extend(numpy_helper.from_array(np.ascontiguousarray(array), name) for name, array in constants.items())
    model.graph.node.extend(
        [
            helper.make_node("Gather", [mean.input[0], "first"], ["begin"], axis=1),
            helper.make_node("Squeeze", ["begin", "token"], ["begin.row"]),
            helper.make_node("Gemm", ["begin.row", "sentiment.weight", "sentiment.bias"], ["reading"]),
            helper.make_node("LpNormalization", ["reading"], ["sentiment"], axis=-1, p=2),
            helper.make_node("Mul", ["about", "about.share"], ["about.part"]),
            helper.make_node("Mul", ["sentiment", "sentiment.share"], ["sentiment.part"]),
            helper.make_node("Concat", ["about.part", "sentiment.part"], ["vector"], axis=1),
        ]
    )
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, sum(weight.shape)]))
    return bytes(model.SerializeToString(deterministic=True))
