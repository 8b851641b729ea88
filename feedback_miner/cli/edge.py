"""The edge: what a command raises in, an exit code and one line on stderr out. Never shows a traceback unasked: it may quote a customer.

0    fine
1    a FeedbackMinerError, an operating system error, or a bug: one line ``error: …``
2    wrong usage (the option parser's own)
130  Ctrl-C
141  whoever read stdout has gone: not a word
143  asked to end (SIGTERM)
"""

import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from functools import wraps
from types import FrameType
from typing import NoReturn, ParamSpec

import typer

from feedback_miner.errors import FeedbackMinerError

__all__ = ["DEBUG_VARIABLE", "guarded", "one_line", "prepare_process"]

DEBUG_VARIABLE = "FEEDBACK_MINER_DEBUG"

_Arguments = ParamSpec("_Arguments")


def guarded(command: Callable[_Arguments, None]) -> Callable[_Arguments, None]:
    """Turn whatever a command raises into its exit code; the outermost loop of a run."""

    @wraps(command)
    def run(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> None:
        try:
            command(*args, **kwargs)
            sys.stdout.flush()  # a reader who has gone is noticed here, not when the interpreter ends
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except FeedbackMinerError as error:
            _end(1, f"error: {error}", error)
        except KeyboardInterrupt as error:
            _end(130, "interrupted", error)
        except BrokenPipeError as error:
            _drop_output()
            raise typer.Exit(141) from error
        except OSError as error:
            if error.filename is None:
                _drop_output()  # most likely a full disk under stdout
            place = "" if error.filename is None else f": {error.filename}"
            _end(1, f"error: {error.strerror or type(error).__name__}{place}", error)
        except Exception as error:  # the outermost loop: a bug must not print a customer's words
            if os.environ.get(DEBUG_VARIABLE) == "1":
                raise
            _end(1, _bug_line(error), error)

    return run


def prepare_process() -> None:
    """Set this process up as a command: an orderly end on SIGTERM, output in any locale, no library's warnings.

    Without it SIGTERM would leave the spooled copy of the customers' words behind in the temporary folder.
    """
    signal.signal(signal.SIGTERM, _end_on_signal)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if not sys.warnoptions and os.environ.get(DEBUG_VARIABLE) != "1":
        warnings.simplefilter("ignore")


def one_line(text: str) -> str:
    """Return the text on one line and without control characters: names from a file must not steer a terminal."""
    return " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())


def _end(code: int, message: str, error: BaseException) -> NoReturn:
    typer.echo(one_line(message), err=True)
    raise typer.Exit(code) from error


def _end_on_signal(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)


def _drop_output() -> None:
    """Let the interpreter flush what is left of stdout into nothing, instead of complaining at its end."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):  # a stdout without a file behind it has nothing to flush
        return


def _bug_line(error: Exception) -> str:
    """Name the kind and the place of a bug; its message stays out, for it may quote the text being read."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if "feedback_miner" in frame.filename]
    at = f" at {os.path.basename(frames[-1].filename)}:{frames[-1].lineno}" if frames else ""  # noqa: PTH119  (a name, no path needed)
    return (
        f"error: unexpected {type(error).__name__}{at}; this is a bug: please report this line, the version and the options, "
        f"but no customer's text ({DEBUG_VARIABLE}=1 shows the traceback)"
    )
