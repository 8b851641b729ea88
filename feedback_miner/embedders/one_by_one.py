"""How an int8 graph is run: one text a call, on single-threaded sessions side by side.

int8 takes its scale from everything in a call, so a text's vector is the same bits alone, in any batch, order or process only if it is
alone in its call. That costs nothing: a short text fills a core.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from feedback_miner.domain import Vectors
from feedback_miner.embedders.protocol import Progress

__all__ = ["add_places", "available_cpus", "encode_each", "open_session"]

_SLICE = 16  # texts a thread takes at a time: small, so that threads finish together; large, so that futures cost nothing


def encode_each(
    encode_one: Callable[[str], Vectors], texts: Sequence[str], dimensions: int, *, workers: int, name: str, progress: Progress | None
) -> Vectors:
    """Return one row for each text; ``progress`` is called every few texts and may raise to stop the rest."""
    vectors = np.empty((len(texts), dimensions), np.float32)

    def encode_slice(start: int) -> int:
        end = min(start + _SLICE, len(texts))
        for row in range(start, end):
            vectors[row] = encode_one(texts[row])
        return end

    starts = range(0, len(texts), _SLICE)
    if workers == 1 or len(starts) <= 1:
        _report(map(encode_slice, starts), progress)
        return vectors
    pool = ThreadPoolExecutor(min(workers, len(starts)), thread_name_prefix=name)
    try:
        _report(pool.map(encode_slice, starts), progress)
    finally:
        # Whoever interrupts waits for a few texts at most, not for the rest of the batch.
        pool.shutdown(cancel_futures=True)
    return vectors


def add_places(words: Vectors, places: Vectors) -> Vectors:
    """Return float32 ``(1, tokens, hidden)``: each word's row plus the row of its place."""
    sums = _aligned_empty(*words.shape)
    np.add(words, places[: len(words)], out=sums)
    return sums[None]


def open_session(graph: bytes, weights: Mapping[str, NDArray[np.generic]]) -> Any:
    """Open an ONNX Runtime session of one thread; any number of callers may run it at once, each on its own thread.

    ``weights`` are the graph's external arrays by name; none where it carries its own.
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(np.ascontiguousarray(array)) for name, array in weights.items()}
    options.add_external_initializers(list(values), list(values.values()))
    return onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def available_cpus() -> int:
    """Return how many CPUs this process may use, which in a container is fewer than there are."""
    affinity: Callable[[int], set[int]] | None = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


def _report(ends: Iterator[int], progress: Progress | None) -> None:
    for end in ends:
        if progress is not None:
            progress(end)


def _aligned_empty(rows: int, columns: int) -> Vectors:
    """Return an array on a 64-byte boundary: vectorised sums may group numbers by address, and the bits must not."""
    size = rows * columns * 4
    buffer = np.empty(size + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size].view(np.float32).reshape(rows, columns)
