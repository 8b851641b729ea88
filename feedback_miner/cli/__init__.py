"""The command line: words in, files and lines out.

    app.py         the commands that users run: analyze, demo, classify
    evaluation.py  the commands that developers run: train, evaluate
    edge.py        the one place where errors, signals and closed pipes become exit codes
    progress.py    where a run is, on stderr
    summary.py     an analysis in a few lines, or one JSON object
    readings.py    classified texts, as JSON Lines or to be read

Results go to stdout, everything else to stderr. Light to import: every command imports what it runs when it runs, so ``--help`` is instant.
"""

from feedback_miner.cli.app import app, main

__all__ = ["app", "main"]
