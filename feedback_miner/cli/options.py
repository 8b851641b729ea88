"""Options that several commands share, each spelled once. Imports nothing of ours."""

from pathlib import Path
from typing import Annotated, Literal

import typer

__all__ = ["AsJson", "DataFolder", "DatabaseUrl", "Encoder", "Language", "Quiet", "ScoreKindName"]

ScoreKindName = Literal["nps", "csat", "ces", "stars"]
"""The values of ``domain.ScoreKind``, spelled out: importing that would load numpy for a ``--help``."""

Language = Annotated[Literal["en", "zh"], typer.Option(help="Language of theme and cause names.")]
Encoder = Annotated[
    str,
    typer.Option(
        metavar="NAME_OR_FOLDER",
        help="feedback-small (built in), e5-small, tiny (for tests), a sentence-transformers name, or a folder.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress on stderr.")]
DataFolder = Annotated[Path | None, typer.Option(metavar="DIR", help="Data folder. [default: feedback-miner-data]", show_default=False)]
DatabaseUrl = Annotated[
    str | None, typer.Option(metavar="URL", help="postgresql://user@host/name; SQLite in the data folder if not given.", show_default=False)
]
