"""The commands that developers run: train, evaluate. Options in, one call each, its mapping printed; computes nothing itself."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from feedback_miner.cli.edge import guarded, one_line
from feedback_miner.cli.options import AsJson, Encoder, Quiet
from feedback_miner.cli.progress import show_progress
from feedback_miner.config import DEFAULT_ENCODER
from feedback_miner.errors import MissingExtraError
from feedback_miner.progress import Progress

__all__ = ["evaluate_app", "train_app"]

train_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Fit what ships with the package.")
evaluate_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Score the miner against labelled files.")

_File = Annotated[Path, typer.Argument(metavar="FILE", help="A labelled file.", show_default=False)]
_Text = Annotated[str, typer.Option(metavar="COLUMN", help="The column of texts.")]
_Label = Annotated[str, typer.Option(metavar="COLUMN", help="The column of labels; rows without one are not scored.")]
_Train = Annotated[Path, typer.Option(metavar="FILE", help="The file to fit on.", show_default=False)]
_Test = Annotated[Path, typer.Option(metavar="FILE", help="The file to score.", show_default=False)]


_Data = Annotated[Path, typer.Option(metavar="PATH", help="A folder of labelled sets, or one CSV of your own.", show_default=False)]
_Checkpoints = Annotated[
    Path | None, typer.Option(metavar="DIR", help="Keep the state here every hundred steps, and go on from it.", show_default=False)
]
_Device = Annotated[str, typer.Option(metavar="NAME", help="cpu, or cuda: batches are larger there.")]
_Workers = Annotated[int, typer.Option(metavar="N", min=0, help="Processes that read texts ahead; a GPU wants eight.")]
_Steps = Annotated[int | None, typer.Option(metavar="N", min=1, help="How long to train.", show_default=False)]


@train_app.callback()
def train() -> None:
    """Fit what ships with the package."""


@train_app.command("encoder")
@guarded
def encoder(
    data: _Data,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where adapters.npz goes.")] = Path("models/teacher"),
    checkpoints: _Checkpoints = None,
    steps: _Steps = None,
    device: _Device = "cpu",
    workers: _Workers = 0,
    quiet: Quiet = False,
) -> None:
    """Teach multilingual-e5-small themes, sentiment and translation; prints the losses as JSON. Three quarters of an hour on two cores."""
    with _needs_training():
        from feedback_miner.training.teacher import TeacherConfig, train_encoder

    config = TeacherConfig.for_gpu() if device.startswith("cuda") else TeacherConfig()
    config = config if steps is None else replace(config, steps=steps)
    with show_progress(quiet=quiet) as progress:
        report = train_encoder(
            data, output=output, checkpoints=checkpoints, config=config, device=device, workers=workers, progress=progress
        )
    typer.echo(json.dumps(report, ensure_ascii=False, indent=1, sort_keys=True))


@train_app.command("student")
@guarded
def student(
    data: _Data,
    teacher: Annotated[Path | None, typer.Option(metavar="DIR", help="Where adapters.npz is. [default: ours]", show_default=False)] = None,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where the encoder goes.")] = Path("models/feedback-small"),
    start: Annotated[Path | None, typer.Option(metavar="DIR", help="An earlier student to go on from.", show_default=False)] = None,
    checkpoints: _Checkpoints = None,
    steps: _Steps = None,
    device: _Device = "cpu",
    workers: _Workers = 0,
    quiet: Quiet = False,
) -> None:
    """Distil the teacher into the encoder feedback-small; prints the losses as JSON. Half an hour on two cores."""
    with _needs_training():
        from feedback_miner.training.student import StudentConfig, train_student
    from feedback_miner.weights import model_path

    config = StudentConfig.for_gpu() if device.startswith("cuda") else StudentConfig()
    config = config if steps is None else replace(config, steps=steps)
    with show_progress(quiet=quiet) as progress:
        report = train_student(
            data,
            teacher or model_path("teacher"),
            output=output,
            start=start,
            checkpoints=checkpoints,
            config=config,
            device=device,
            workers=workers,
            progress=progress,
        )
    typer.echo(json.dumps(report, ensure_ascii=False, indent=1, sort_keys=True))


@train_app.command("average")
@guarded
def average(
    students: Annotated[list[Path], typer.Argument(metavar="DIR...", help="Where `train student` wrote them.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Where the encoder goes.")] = Path("models/feedback-small"),
) -> None:
    """Write the encoder whose weights are the mean of several students'; prints what it is made of as JSON."""
    with _needs_training():
        from feedback_miner.training.student import average
    typer.echo(json.dumps(average(students, output=output), ensure_ascii=False, indent=1, sort_keys=True))


@train_app.command("heads")
@guarded
def heads(
    data: _Data,
    encoder: Annotated[str, typer.Option(metavar="NAME", help="feedback-small, e5-small, tiny, or a folder.")] = DEFAULT_ENCODER,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Where they go. [default: models/ENCODER; from a file: own-encoder]"),
    ] = None,
    share: Annotated[float, typer.Option(help="Of a folder's rows labelled with a sentiment: for learning curves.")] = 1.0,
    quiet: Quiet = False,
) -> None:
    """Fit the sentiment and type heads of an encoder; prints their scores as JSON.

    From a folder of labelled sets, anew. From a file of your own (text, sentiment), as a project's corrections.csv: the sentiment head that
    ships, corrected; the output is a folder for --encoder.
    """
    with show_progress(quiet=quiet) as progress:
        if data.is_file():
            from feedback_miner.training.own_heads import correct_heads

            report = correct_heads(data, encoder=encoder, output=output or Path("own-encoder"), progress=progress)
        else:
            with _needs_training():
                from feedback_miner.training.heads import train_heads

            report = train_heads(data, encoder=encoder, output=output or Path("models") / encoder, share=share, progress=progress)
    typer.echo(json.dumps(report, ensure_ascii=False, indent=1, sort_keys=True))


@contextmanager
def _needs_training() -> Iterator[None]:
    """Say what to install where training is asked of a plain installation."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"training needs {error.name}; run `pip install 'feedback-miner[train]'`") from error


@evaluate_app.command("themes")
@guarded
def themes(
    file: _File,
    text: _Text = "text",
    label: _Label = "label",
    encoder: Encoder = DEFAULT_ENCODER,
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
    encoder: Encoder = DEFAULT_ENCODER,
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


@evaluate_app.command("behaviour")
@guarded
def behaviour(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Cases: group, kind, language, text, other, expect.", show_default=False)],
    encoder: Encoder = DEFAULT_ENCODER,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Read sentences with the sentiment a person hears in them; say which groups fail."""
    from feedback_miner.evaluate import evaluate_behaviour

    _show(lambda progress: evaluate_behaviour(file, encoder=encoder, progress=progress), as_json=as_json, quiet=quiet)


@evaluate_app.command("causes")
@guarded
def causes(
    train: _Train,
    test: _Test,
    text: _Text = "text",
    label: _Label = "label",
    encoder: Encoder = DEFAULT_ENCODER,
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


@evaluate_app.command("zero-shot")
@guarded
def zero_shot(
    file: _File,
    crosswalk: Annotated[Path, typer.Option(metavar="TOML", help="Which causes each label is about.", show_default=False)],
    text: _Text = "text",
    label: _Label = "label",
    taxonomy: Annotated[str, typer.Option(metavar="PACK_OR_FILE", help="The causes, and all that is learned from.")] = "default",
    encoder: Encoder = DEFAULT_ENCODER,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Predict labels (joined by |) from a taxonomy's causes, without having seen one."""
    from feedback_miner.config import MiningConfig
    from feedback_miner.evaluate import evaluate_zero_shot

    config = MiningConfig(encoder=encoder, taxonomy=taxonomy)
    _show(
        lambda progress: evaluate_zero_shot(file, crosswalk, text=text, label=label, config=config, progress=progress),
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
    encoder: Encoder = DEFAULT_ENCODER,
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
