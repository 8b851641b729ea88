"""A worker process: its database, its folder, its name and its lease on the command line; works until it is killed.

A fifth word names a file: its encoder waits, outside of any transaction, for as long as there is one.
"""

import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from feedback_miner.embedders.tiny import TinyEmbedder
from feedback_miner.jobs.engine import Engine
from feedback_miner.jobs.workshop import Workshop
from feedback_miner.store import Database


def main() -> None:
    url, folder, worker, lease, *gates = sys.argv[1:]
    for gate in gates:
        _wait_at(Path(gate))
    engine = Engine(Workshop(Database(url), Path(folder)), worker=worker, lease_seconds=float(lease))
    engine.start()
    sys.stdout.write("started\n")
    sys.stdout.flush()
    while True:
        time.sleep(60)


def _wait_at(gate: Path) -> None:
    encode = TinyEmbedder.encode

    def encode_later(self: TinyEmbedder, texts: Sequence[str], **options: Any) -> Any:
        while gate.exists():
            time.sleep(0.02)
        return encode(self, texts, **options)

    TinyEmbedder.encode = encode_later  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
