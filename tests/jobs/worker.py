"""A worker process: its database, its folder, its name and its lease on the command line; works until it is killed."""

import sys
import time
from pathlib import Path

from feedback_miner.jobs.engine import Engine
from feedback_miner.jobs.workshop import Workshop
from feedback_miner.store import Database


def main() -> None:
    url, folder, worker, lease = sys.argv[1:]
    engine = Engine(Workshop(Database(url), Path(folder)), worker=worker, lease_seconds=float(lease))
    engine.start()
    sys.stdout.write("started\n")
    sys.stdout.flush()
    while True:
        time.sleep(60)


if __name__ == "__main__":
    main()
