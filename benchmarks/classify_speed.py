"""What a call of ``POST /v1/classify`` costs: beside the bare encoder, and beside an endpoint around ``SentenceTransformer.encode``.

    python benchmarks/classify_speed.py [--calls 2000] [--encoder NAME] [--peer FOLDER]  # multilingual-e5-small for sentence-transformers
    python benchmarks/classify_speed.py --memory 100000

Starts the real server on the demo's themes and asks over HTTP, one text a call: sentences of our own, made distinct by a number, of one to
three opinions. With one client, every few calls are followed by bare calls of the encoder on the opinions of the same texts, so that a
busy machine slows both alike. The peer is the least that anybody would write: FastAPI, uvicorn, one route, vectors as the answer; no
themes, no sentiment, no causes, no key. Runs for minutes.
"""

import argparse
import itertools
import json
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from feedback_miner.client import Client
from feedback_miner.config import DEFAULT_ENCODER, Settings
from feedback_miner.demo import demo_path
from feedback_miner.embedders import load_embedder
from feedback_miner.reading import read_text

SENTENCES = (
    "The parcel came four days late and the box was torn open.",
    "Booking was easy, but the confirmation mail never arrived.",
    "Staff at the desk were kind and sorted it out in minutes! I would still like a receipt.",
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
CLIENTS = 16
AT_A_TIME = 25
PEER = """
import sys
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sentence_transformers import SentenceTransformer

model = SentenceTransformer(sys.argv[1], device="cpu")
app = FastAPI()


class Texts(BaseModel):
    texts: list[str]


@app.post("/encode")
def encode(body: Texts) -> list[list[float]]:
    return model.encode(["query: " + text for text in body.texts], normalize_embeddings=True).tolist()


@app.get("/readyz")
def readyz() -> None:
    pass


uvicorn.run(app, port=int(sys.argv[2]), log_level="error")
"""


class Line:
    """A kept connection, and as little HTTP as will do: what is measured is the server."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def post(self, path: str, body: dict[str, Any], headers: dict[str, str]) -> None:
        said = json.dumps(body).encode()
        lines = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(len(said)), **headers}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self._socket.sendall(f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + said)
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += self._more()
        status, _, rest = answer.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)\r\ncontent-length: *(\d+)", status)
        assert length is not None
        while len(rest) < int(length[1]):
            rest += self._more()
        if not status.startswith(b"HTTP/1.1 200"):
            raise RuntimeError(rest.decode())

    def _more(self) -> bytes:
        if not (received := self._socket.recv(1 << 16)):
            raise ConnectionError("the server hung up")
        return received


Ask = Callable[[Line, str], None]


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=2_000)
    parser.add_argument("--encoder", default=Settings().encoder)
    parser.add_argument("--peer", type=Path)
    parser.add_argument("--memory", type=int, metavar="CALLS")
    parser.add_argument("--port", type=int, default=18_080)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, server(Path(folder), given.port, given.encoder) as (process, key):
        with Client(f"http://127.0.0.1:{given.port}", key) as client:
            project = client.create_project("demo")
            client.wait(client.upload(project, demo_path()))

        def classify(line: Line, text: str) -> None:
            line.post("/v1/classify", {"texts": [text], "project": project}, {"Authorization": f"Bearer {key}"})

        if given.memory:
            watch_memory(process, classify, given.port, given.memory)
            return
        print(f"{platform.machine()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}, {given.calls} calls of one text\n")
        print("| | clients | p50 ms | p95 | p99 | texts/s |\n|---|---|---|---|---|---|")
        paired(classify, given.port, given.calls, given.encoder)
        crowd("classify", classify, given.port, given.calls)
    if given.peer:
        with peer(given.peer, given.port + 1):
            alone("SentenceTransformer endpoint", encode_at_peer, given.port + 1, given.calls // 4)
            crowd("SentenceTransformer endpoint", encode_at_peer, given.port + 1, given.calls // 4)


def paired(ask: Ask, port: int, calls: int, name: str) -> None:
    """One client; every few calls next to the bare encoder on the same opinions."""
    encoder, served, bare = load_embedder(name), [], []
    line, coming = Line(port), texts(calls)
    while asked := list(itertools.islice(coming, AT_A_TIME)):
        for text in asked:
            began = time.perf_counter()
            ask(line, text)
            served.append(time.perf_counter() - began)
        for text in asked:
            opinions = [opinion.matching for opinion in read_text(text).opinions]
            began = time.perf_counter()
            encoder.encode(opinions)
            bare.append(time.perf_counter() - began)
    show("classify", 1, served, sum(served))
    show("bare encoder", 1, bare, sum(bare))
    over = statistics.median(one - other for one, other in zip(served, bare, strict=True))
    print(f"| classify over the bare encoder, text by text | 1 | {1000 * over:.2f} | | | |")


def alone(name: str, ask: Ask, port: int, calls: int) -> None:
    spent = []
    line = Line(port)
    for text in texts(calls):
        began = time.perf_counter()
        ask(line, text)
        spent.append(time.perf_counter() - began)
    show(name, 1, spent, sum(spent))


def crowd(name: str, ask: Ask, port: int, calls: int) -> None:
    """Many clients at once, each asking as soon as it is answered."""
    spent: list[float] = []

    def go(number: int) -> None:
        line = Line(port)
        for text in texts(calls // CLIENTS, first=number * calls):
            began = time.perf_counter()
            ask(line, text)
            spent.append(time.perf_counter() - began)

    threads = [threading.Thread(target=go, args=(number,)) for number in range(CLIENTS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    show(name, CLIENTS, spent, time.perf_counter() - began)


def show(name: str, clients: int, spent: Sequence[float], wall: float) -> None:
    cuts = statistics.quantiles(spent, n=100)
    print(
        f"| {name} | {clients} | {1000 * cuts[49]:.1f} | {1000 * cuts[94]:.1f} | {1000 * cuts[98]:.1f} | {len(spent) / wall:.0f} |",
        flush=True,
    )


def watch_memory(process: subprocess.Popen[bytes], ask: Ask, port: int, calls: int) -> None:
    """Two clients, so that one is always waiting; the server's memory at every tenth of the way."""
    print("| calls | resident MB |\n|---|---|", flush=True)
    done = 0
    for tenth in range(11):
        print(f"| {done} | {resident_mb(process.pid):.0f} |", flush=True)
        if tenth == 10:
            break
        threads = [threading.Thread(target=_ask_many, args=(ask, port, calls // 20, done + half * calls)) for half in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        done += calls // 20 * 2


def _ask_many(ask: Ask, port: int, calls: int, first: int) -> None:
    line = Line(port)
    for text in texts(calls, first=first):
        ask(line, text)


def texts(count: int, *, first: int = 0) -> Iterator[str]:
    for number in range(first, first + count):
        yield f"{SENTENCES[number % len(SENTENCES)]} ({number})"


def encode_at_peer(line: Line, text: str) -> None:
    line.post("/encode", {"texts": [text]}, {})


def connect(port: int) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False)


def resident_mb(process: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


@contextmanager
def server(folder: Path, port: int, encoder: str = DEFAULT_ENCODER) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """Our own, warm; and a key."""
    environment = {**os.environ, "FEEDBACK_MINER_REQUESTS_PER_MINUTE": "100000000"}
    served = ["serve", "--print-key", "--data", str(folder), "--port", str(port), "--encoder", encoder]
    command = [sys.executable, "-m", "feedback_miner", *served]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=environment)
    assert process.stdout is not None
    try:
        key = next(line for line in iter(process.stdout.readline, b"") if line.startswith(b"fm_")).decode().strip()
        wait_until_ready(port)
        yield process, key
    finally:
        process.terminate()
        process.wait()


@contextmanager
def peer(folder: Path, port: int) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-c", PEER, str(folder), str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(port)
        yield
    finally:
        process.terminate()
        process.wait()


def wait_until_ready(port: int) -> None:
    with connect(port) as http:
        for _ in range(600):
            try:
                if http.get("/readyz").is_success:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.2)
    raise TimeoutError(json.dumps({"port": port, "ready": False}))


if __name__ == "__main__":
    main(sys.argv[1:])
