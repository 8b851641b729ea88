"""The commands that users run: analyze, demo, classify.

Options in; a call of the front door, and its result printed, out. Computes nothing itself.
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from feedback_miner import __version__
from feedback_miner.cli.database import db_app
from feedback_miner.cli.edge import guarded, prepare_process
from feedback_miner.cli.evaluation import evaluate_app, train_app
from feedback_miner.cli.options import AsJson, Encoder, Language, Quiet, ScoreKindName
from feedback_miner.cli.progress import show_progress
from feedback_miner.cli.serving import invite, serve, worker
from feedback_miner.config import DEFAULT_ENCODER
from feedback_miner.errors import InputError, OutputError

if TYPE_CHECKING:
    from feedback_miner.analysis import Analysis

__all__ = ["app", "main"]

_DEMO_FOLDER = Path("feedback-miner-demo")

app = typer.Typer(
    name="feedback-miner",
    help="What customers write in; themes, sentiment, root causes and scores out.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,  # they can print local variables, and those hold customers' words
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(train_app, name="train")
app.add_typer(evaluate_app, name="evaluate")
app.add_typer(db_app, name="db")
app.command()(serve)
app.command()(worker)
app.command()(invite)


def main() -> None:
    """Run the command line of this process."""
    prepare_process()
    app(prog_name="feedback-miner")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"feedback-miner {__version__}")
        raise typer.Exit


@app.callback()
def feedback_miner(
    version: Annotated[bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")] = False,
) -> None:
    """What customers write in; themes, sentiment, root causes and scores out."""


@app.command()
@guarded
def analyze(
    file: Annotated[str, typer.Argument(metavar="FILE", help="CSV, XLSX, JSON, Parquet or text; - reads stdin.", show_default=False)],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the report and the data.", show_default=False)],
    text: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="A column of comments; may be repeated. Guessed if not given.")
    ] = None,
    score: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of scores.")] = None,
    score_kind: Annotated[ScoreKindName | None, typer.Option(help="What the scores mean.")] = None,
    date: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of dates.")] = None,
    customer: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of customer keys.")] = None,
    channel: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of channels.")] = None,
    weight: Annotated[str | None, typer.Option(metavar="COLUMN", help="The column of survey weights.")] = None,
    attribute: Annotated[
        list[str] | None, typer.Option(metavar="COLUMN", help="A column to break results down by; may be repeated.")
    ] = None,
    sheet: Annotated[str | None, typer.Option(metavar="NAME", help="The sheet of a workbook.")] = None,
    encoding: Annotated[
        str | None, typer.Option(metavar="NAME", help="The file's encoding, such as gb18030. Guessed if not given.")
    ] = None,
    taxonomy: Annotated[str, typer.Option(metavar="PACK_OR_FILE", help="Root causes: a shipped pack or a YAML file.")] = "default",
    encoder: Encoder = DEFAULT_ENCODER,
    language: Language = "en",
    labeller_url: Annotated[str | None, typer.Option(metavar="URL", help="An OpenAI-compatible endpoint that names the themes.")] = None,
    labeller_model: Annotated[str | None, typer.Option(metavar="NAME", help="The model to ask there.")] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Mine a file of comments into themes, sentiment and root causes.

    Writes report.html, analysis.json, three CSV tables and the theme set that `classify` reads.
    """
    if (labeller_url is None) != (labeller_model is None):
        raise typer.BadParameter("--labeller-url and --labeller-model go together: give both, or neither")
    options: dict[str, Any] = {
        "text": text,
        "score": score,
        "score_kind": score_kind,
        "date": date,
        "customer": customer,
        "channel": channel,
        "weight": weight,
        "attributes": attribute or (),
        "sheet": sheet,
        "encoding": encoding,
    }
    settings = {"encoder": encoder, "taxonomy": taxonomy, "labeller_url": labeller_url, "labeller_model": labeller_model}
    source = sys.stdin.buffer if file == "-" else Path(file)
    analysis = _mine_and_save(source, options, settings, output, language, quiet)

    from feedback_miner.cli.summary import summary_lines, summary_object

    if as_json:
        _print_json(summary_object(analysis, output))
    else:
        _print_lines(summary_lines(analysis, output, language))


@app.command()
@guarded
def demo(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder for the report and the data.")] = _DEMO_FOLDER,
    encoder: Encoder = DEFAULT_ENCODER,
    language: Language = "en",
    quiet: Quiet = False,
) -> None:
    """Mine the demo: 438 invented comments on two imaginary companies."""
    from feedback_miner.demo import demo_path

    analysis = _mine_and_save(demo_path(), {}, {"encoder": encoder}, output, language, quiet)

    from feedback_miner.cli.summary import demo_lines

    _print_lines(demo_lines(analysis, output, language))


@app.command()
@guarded
def classify(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="What `analyze` wrote.", show_default=False)],
    texts: Annotated[list[str] | None, typer.Argument(metavar="[TEXT]...", help="Texts; none, or -, reads stdin, one a line.")] = None,
    language: Language = "en",
    as_json: AsJson = False,
) -> None:
    """Code new texts with saved themes: one JSON object a text, or to be read."""
    from feedback_miner.answers import answer_of
    from feedback_miner.classify import Classifier
    from feedback_miner.cli.readings import reading_lines

    classifier = Classifier.load(directory)
    failed = total = 0
    for total, (raw, problem) in enumerate(_numbered_texts(texts), 1):
        try:
            if problem:
                raise InputError(problem)
            found = classifier.classify([raw])[0]
        except InputError as error:
            # One bad text never stops the others; it keeps its place among the answers.
            failed += 1
            answer, lines = {"error": str(error)}, [f"{total}. not classified: {error}"]
        else:
            answer, lines = answer_of(found, classifier, language), reading_lines(total, found, classifier, language)
        if as_json:
            _print_json(answer)
        else:
            _print_lines(lines)
    if failed:
        raise InputError(f"{failed} of {total} texts could not be classified; each says why in its place")


def _mine_and_save(source: Any, options: dict[str, Any], settings: dict[str, Any], output: Path, language: str, quiet: bool) -> "Analysis":
    _check_output(output)
    with show_progress(quiet=quiet) as progress:
        progress("load", 0, None)
        from feedback_miner import mine
        from feedback_miner.config import MiningConfig

        analysis = mine(source, **options, config=MiningConfig(**settings), progress=progress)
        progress("write", 0, None)
        analysis.save(output, language=language)
    return analysis


def _check_output(output: Path) -> None:
    """Refuse what can be seen now to be no place for results: before minutes of work, not after."""
    place = output
    while not place.exists() and place != place.parent:
        place = place.parent
    if not place.is_dir():
        raise OutputError(f"{output} cannot be written: {place} is a file, not a folder; give another folder with -o")
    if not os.access(place, os.W_OK | os.X_OK):
        raise OutputError(f"{output} cannot be written: no permission to write in {place}; give another folder with -o")


def _numbered_texts(texts: list[str] | None) -> Iterator[tuple[str, str | None]]:
    """Yield (text, why it cannot be used) of each text as it comes, so that a pipe gets its answers line by line."""
    if texts and texts != ["-"]:
        yield from ((text, None) for text in texts)
        return
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n"), None
        except UnicodeDecodeError:
            yield "", f"line {number} of stdin is not UTF-8; convert it, for example with iconv -f gb18030 -t utf-8"


def _print_json(value: dict[str, Any]) -> None:
    import json

    wide = (sys.stdout.encoding or "").lower().replace("-", "") == "utf8"
    typer.echo(json.dumps(value, ensure_ascii=not wide))


def _print_lines(lines: list[str]) -> None:
    for line in lines:
        typer.echo(line)
