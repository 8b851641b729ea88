"""``python -m feedback_miner``: the command line, where the ``feedback-miner`` script is not on the path."""

from feedback_miner.cli import main

if __name__ == "__main__":
    main()
