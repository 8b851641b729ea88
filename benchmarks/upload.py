"""A large upload while another service classifies: memory and answering times, stage by stage.

    python benchmarks/upload.py [--megabytes 200] [--encode-seconds 120]

Writes a CSV of made-up comments (English and Chinese, hardly a sentence twice; score, date, customer, channel), starts the real server,
measures `POST /v1/classify` when nothing else goes on, then uploads the file and goes on measuring while it is received, read and encoded.
The job is cancelled after some time of encoding: that takes hours and holds no more than a part of the file at a time. Prints the peak
memory of the API and of the worker, and the answering times as multiples of the idle ones.
"""

import argparse
import csv
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import httpx
from classify_speed import connect, resident_mb, server, texts

from feedback_miner.client import Client
from feedback_miner.demo import demo_path

_THINGS = [
    "parcel",
    "courier",
    "invoice",
    "battery",
    "screen",
    "charger",
    "refund",
    "app",
    "hotline",
    "waiter",
    "room",
    "price",
    "delivery",
]
_VERBS = ["came late", "was broken", "never arrived", "is too expensive", "works well", "was friendly", "made me wait", "was wrong twice"]
_TIMES = ["again", "yesterday", "on Monday", "since the update", "for two weeks", "this month", "as always", "at the weekend"]
_ZH = ("快递太慢了", "客服态度很好", "屏幕坏了", "价格太贵", "退款一直没到", "包装破损", "电池不耐用", "服务员很热情")
_PAUSE = 0.05


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--encode-seconds", type=int, default=120)
    parser.add_argument("--port", type=int, default=18_090)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, server(Path(folder) / "data", given.port) as (process, key):
        file = Path(folder) / "comments.csv"
        rows = write_csv(file, given.megabytes << 20)
        print(f"{file.stat().st_size / 2**20:.0f} MB, {rows:,} rows", flush=True)
        with Client(f"http://127.0.0.1:{given.port}", key) as client:
            small = client.create_project("demo")
            client.wait(client.upload(small, demo_path()))
            watch = Watch(process.pid, given.port, key, small)
            watch.start()
            time.sleep(30)
            watch.stage = "upload"
            project = client.create_project("large")
            began = time.perf_counter()
            job = client.upload(project, file)
            print(f"uploaded in {time.perf_counter() - began:.1f} s", flush=True)
            follow(client, job, watch, given.encode_seconds)
            watch.stop()
        watch.show()


def follow(client: Client, job: str, watch: "Watch", encode_seconds: int) -> None:
    """Follow a job by its own account until it has encoded for a while, then cancel it."""
    began, encoding, seen = time.perf_counter(), 0.0, 0
    while True:
        shown = client.job(job)
        if shown["state"] not in ("queued", "running", "cancelling"):
            break
        watch.stage = shown["stage"]
        if shown["stage"] == "ingest" and shown["done"] >= seen + 100_000:
            seen = shown["done"]
            print(f"  {seen:,} rows read after {time.perf_counter() - began:.0f} s", flush=True)
        if shown["stage"] == "encode":
            encoding = encoding or time.perf_counter()
            if time.perf_counter() - encoding > encode_seconds and shown["state"] == "running":
                print(f"  encoding for {encode_seconds} s: {shown['done']:,} of {shown['total']:,}; cancelled", flush=True)
                client.request("POST", f"/v1/jobs/{job}/cancel")
        time.sleep(1)
    print(f"{shown['state']} after {time.perf_counter() - began:.0f} s: {shown['reason'] or 'no reason given'}", flush=True)


class Watch:
    """Asks for a classification twenty times a second, and looks at the memory of the server and of its children."""

    def __init__(self, process: int, port: int, key: str, project: str) -> None:
        self.stage = "idle"
        self._process, self._port, self._key, self._project = process, port, key, project
        self._seconds: dict[str, list[float]] = defaultdict(list)
        self._memory: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._ask), threading.Thread(target=self._look)]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def show(self) -> None:
        print("\n| stage | calls | p50 ms | p99 ms | p99 over idle | API, peak MB | worker, peak MB |\n|---|---|---|---|---|---|---|")
        idle = 0.0
        for stage, spent in self._seconds.items():
            if len(spent) < 20:
                continue
            cuts = statistics.quantiles(spent, n=100)
            idle = idle or cuts[98]
            api, worker = self._memory[stage]
            figures = f"{1000 * cuts[49]:.1f} | {1000 * cuts[98]:.1f} | {cuts[98] / idle:.1f} | {api:.0f} | {worker:.0f}"
            print(f"| {stage} | {len(spent)} | {figures} |")

    def _ask(self) -> None:
        with connect(self._port) as http:
            for text in texts(10**9):
                if self._stop.wait(_PAUSE):
                    return
                began, stage = time.perf_counter(), self.stage
                body = {"texts": [text], "project": self._project}
                try:
                    http.post("/v1/classify", json=body, headers={"Authorization": f"Bearer {self._key}"}).raise_for_status()
                except httpx.HTTPError as error:
                    print(f"  {stage}: {error!r}", flush=True)
                self._seconds[stage].append(time.perf_counter() - began)

    def _look(self) -> None:
        while not self._stop.wait(0.25):
            now = [resident_mb(self._process), sum(map(resident_mb, children(self._process)))]
            self._memory[self.stage] = [max(pair) for pair in zip(self._memory[self.stage], now, strict=True)]


def children(process: int) -> list[int]:
    return [int(child) for path in Path(f"/proc/{process}/task").glob("*/children") for child in path.read_text().split()]


def sentence(draw: random.Random, *, chinese: bool) -> str:
    """Return one opinion, made up; hardly ever the same twice."""
    if chinese:
        return f"{draw.randrange(10_000)}号店{draw.choice(_ZH)}。"
    return f"The {draw.choice(_THINGS)} in shop {draw.randrange(10_000)} {draw.choice(_VERBS)} {draw.choice(_TIMES)}."


def write_csv(path: Path, size: int) -> int:
    draw, rows = random.Random(7), 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["comment", "nps", "date", "customer", "channel"])
        while file.tell() < size:
            for _ in range(1_000):
                rows += 1
                text = " ".join(sentence(draw, chinese=rows % 3 == 0) for _ in range(9 if rows % 3 == 0 else 6))
                day = f"2026-{draw.randint(1, 9):02}-{draw.randint(1, 28):02}"
                writer.writerow(
                    [text, draw.randint(0, 10), day, f"customer-{draw.randrange(200_000)}", draw.choice(("web", "shop", "app"))]
                )
    return rows


if __name__ == "__main__":
    main(sys.argv[1:])
