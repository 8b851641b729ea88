"""What a batch takes: time by stage, memory and disk, by its number of comments. Where the table in ``docs/operating.md`` comes from.

    python benchmarks/sizing.py 1000 10000 50000

For each number the real server is started on an empty data folder, SQLite in it, with its worker beside it. The comments are made up, one
to three sentences each, English and Chinese, hardly a sentence twice. Then a second wave of a tenth as many follows. Runs for minutes to
hours: an opinion takes the encoder some milliseconds.
"""

import csv
import os
import platform
import random
import sqlite3
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from classify_speed import resident_mb, server
from upload import children, sentence

from feedback_miner.client import Client

PORT = 18_095


def main(sizes: Sequence[int]) -> None:
    print(f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}\n")
    print("| comments | opinions | ingest s | encode s | themes s | code s | measure s | in all s | worker MB | API MB | disk MB |")
    print("|---|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for size in sizes:
        with tempfile.TemporaryDirectory() as folder, server(Path(folder) / "data", PORT) as (process, key):
            draw = random.Random(size)
            with Client(f"http://127.0.0.1:{PORT}", key) as client:
                project = client.create_project("sizing")
                for comments, name in ((size, f"{size:,}"), (size // 10, f"{size // 10:,} more")):
                    file = write_csv(Path(folder) / f"{comments}.csv", comments, draw)
                    watch = Memory(process.pid)
                    job = client.upload(project, file)
                    stages = follow(client, job)
                    api, worker = watch.stop()
                    spent = " | ".join(f"{stages[stage]:.0f}" for stage in ("ingest", "encode", "themes", "code", "measure"))
                    data = Path(folder) / "data"
                    opinions = count_opinions(data)
                    disk = sum(path.stat().st_size for path in data.rglob("*") if path.is_file()) / 2**20
                    print(
                        f"| {name} | {opinions:,} | {spent} | {sum(stages.values()):.0f} | {worker:.0f} | {api:.0f} | {disk:.0f} |",
                        flush=True,
                    )


def write_csv(path: Path, comments: int, draw: random.Random) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["comment", "nps", "date", "customer"])
        for number in range(comments):
            text = " ".join(sentence(draw, chinese=number % 3 == 0) for _ in range(draw.randint(1, 3)))
            day = f"2026-{draw.randint(1, 9):02}-{draw.randint(1, 28):02}"
            writer.writerow([text, draw.randint(0, 10), day, f"customer-{draw.randrange(comments)}"])
    return path


def follow(client: Client, job: str | None) -> dict[str, float]:
    """Return the seconds of each stage of a job, by what it said of itself."""
    seconds: dict[str, float] = defaultdict(float)
    before = time.perf_counter()
    while job is not None:
        shown = client.job(job)
        now = time.perf_counter()
        seconds[shown["stage"]] += now - before
        before = now
        if shown["state"] == "succeeded":
            break
        if shown["state"] not in ("queued", "running"):
            raise RuntimeError(shown["reason"])
        time.sleep(0.2)
    return seconds


def count_opinions(data: Path) -> int:
    with closing(sqlite3.connect(data / "feedback-miner.sqlite")) as connection:
        return int(connection.execute("SELECT count(*) FROM opinions").fetchone()[0])


class Memory:
    """The most that the server and its children held, looked at four times a second."""

    def __init__(self, process: int) -> None:
        self._most = (0.0, 0.0)
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, args=(process,))
        self._thread.start()

    def stop(self) -> tuple[float, float]:
        self._done.set()
        self._thread.join()
        return self._most

    def _look(self, process: int) -> None:
        while not self._done.wait(0.25):
            api, worker = self._most
            self._most = max(api, resident_mb(process)), max(worker, sum(map(resident_mb, children(process))))


if __name__ == "__main__":
    main([int(size) for size in sys.argv[1:]] or [1_000, 10_000, 50_000])
