"""The commands that developers run: train heads, evaluate. Options in, one call each, its mapping printed; computes nothing itself."""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from feedback_miner.cli.edge import guarded, one_line
from feedback_miner.cli.options import AsJson, Encoder, Quiet
from feedback_miner.cli.progress import show_progress
from feedback_miner.progress import Progress

__all__ = ["evaluate_app", "train_app"]

train_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Fit what ships with the package.")
evaluate_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Score the miner against labelled files.")

_File = Annotated[Path, typer.Argument(metavar="FILE", help="A labelled file.", show_default=False)]
_Text = Annotated[str, typer.Option(metavar="COLUMN", help="The column of texts.")]
_Label = Annotated[str, typer.Option(metavar="COLUMN", help="The column of labels; rows without one are not scored.")]
_Train = Annotated[Path, typer.Option(metavar="FILE", help="The file to fit on.", show_default=False)]
_Test = Annotated[Path, typer.Option(metavar="FILE", help="The file to score.", show_default=False)]


@train_app.callback()
def train() -> None:
    """Fit what ships with the package."""


@train_app.command("heads")
@guarded
def heads(
    data: Annotated[Path, typer.Option(metavar="FOLDER", help="A folder of labelled sets.", show_default=False)],
    encoder: Annotated[str, typer.Option(metavar="NAME", help="e5-small or tiny.")] = "e5-small",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Where heads.npz goes. [default: models/ENCODER]")
    ] = None,
    quiet: Quiet = False,
) -> None:
    """Fit the sentiment and type heads of an encoder; prints their scores as JSON."""
    from feedback_miner.training.heads import train_heads

    with show_progress(quiet=quiet) as progress:
        report = train_heads(data, encoder=encoder, output=output or Path("models") / encoder, progress=progress)
    typer.echo(json.dumps(report, ensure_ascii=False, indent=1, sort_keys=True))


@evaluate_app.command("themes")
@guarded
def themes(
    file: _File,
    text: _Text = "text",
    label: _Label = "label",
    encoder: Encoder = "e5-small",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Mine a file and compare its themes with labels."""
    from feedback_miner.config import MiningConfig
    from feedback_miner.evaluate import evaluate_themes

    _show(
        lambda progress: evaluate_themes(file, text=text, label=label, config=MiningConfig(encoder=encoder), progress=progress),
        as_json=as_json,
        quiet=quiet,
    )


@evaluate_app.command("sentiment")
@guarded
def sentiment(
    file: _File,
    text: _Text = "text",
    label: _Label = "label",
    binary: Annotated[bool, typer.Option("--binary", help="Leave neutral rows out.")] = False,
    encoder: Encoder = "e5-small",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Compare comment-level sentiment with labels neg, neu, pos."""
    from feedback_miner.evaluate import evaluate_sentiment

    _show(
        lambda progress: evaluate_sentiment(file, text=text, label=label, binary=binary, encoder=encoder, progress=progress),
        as_json=as_json,
        quiet=quiet,
    )


@evaluate_app.command("causes")
@guarded
def causes(
    train: _Train,
    test: _Test,
    text: _Text = "text",
    label: _Label = "label",
    encoder: Encoder = "e5-small",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Fit a head for labels (joined by |) on one file, score it on another."""
    from feedback_miner.evaluate import evaluate_causes

    _show(
        lambda progress: evaluate_causes(train, test, text=text, label=label, encoder=encoder, progress=progress),
        as_json=as_json,
        quiet=quiet,
    )


@evaluate_app.command("strength")
@guarded
def strength(
    train: _Train,
    test: _Test,
    text: _Text = "text",
    target: Annotated[str, typer.Option(metavar="COLUMN", help="The column of numbers.")] = "target",
    encoder: Encoder = "e5-small",
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Fit a regression for a number on one file, score it on another."""
    from feedback_miner.evaluate import evaluate_strength

    _show(
        lambda progress: evaluate_strength(train, test, text=text, target=target, encoder=encoder, progress=progress),
        as_json=as_json,
        quiet=quiet,
    )


def _show(evaluate: Callable[[Progress], Mapping[str, Any]], *, as_json: bool, quiet: bool) -> None:
    with show_progress(quiet=quiet) as progress:
        metrics = evaluate(progress)
    if as_json:
        typer.echo(json.dumps(metrics))
        return
    rows = list(_flatten(metrics, ""))
    width = max(len(name) for name, _ in rows)
    for name, value in rows:
        typer.echo(f"{name:<{width}}  {value}")


def _flatten(metrics: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, str]]:
    for name, value in metrics.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", f"{value:.4f}" if isinstance(value, float) else one_line(str(value))
