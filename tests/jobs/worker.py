"""A worker process: its database, its folder, its name and its lease on the command line; works until it is killed.

The fifth word is how many seconds longer each call of the encoder takes than it would: time outside of any transaction.
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
    url, folder, worker, lease, longer = sys.argv[1:]
    _take_longer(float(longer))
    engine = Engine(Workshop(Database(url), Path(folder)), worker=worker, lease_seconds=float(lease))
    engine.start()
    sys.stdout.write("started\n")
    sys.stdout.flush()
    while True:
        time.sleep(60)


def _take_longer(seconds: float) -> None:
    encode = TinyEmbedder.encode

    def encode_slowly(self: TinyEmbedder, texts: Sequence[str], **options: Any) -> Any:
        time.sleep(seconds)
        return encode(self, texts, **options)

    TinyEmbedder.encode = encode_slowly  # type: ignore[method-assign]


if __name__ == "__main__":
    main()
