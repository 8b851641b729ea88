"""A process that begins to send what is due: its database and its folder on the command line; killed by whoever receives it."""

import sys
from pathlib import Path

from feedback_miner.jobs.dispatcher import Dispatcher
from feedback_miner.jobs.workshop import Workshop
from feedback_miner.outbound import Poster
from feedback_miner.store import Database


def main() -> None:
    url, folder = sys.argv[1:]
    dispatcher = Dispatcher(Workshop(Database(url), Path(folder)), Poster(allow_private=True))
    for sending in dispatcher.send_due():
        sending.result()


if __name__ == "__main__":
    main()
