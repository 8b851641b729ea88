"""Where a run is: ``(stage, done, total)`` in; on stderr a bar, or a line every few seconds where it is no terminal, out.

Never touches stdout.
"""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

__all__ = ["LineProgress", "Reporter", "show_progress"]

_SECONDS_BETWEEN_LINES = 3.0


class Reporter(Protocol):
    """Told where a run is; the shape of ``feedback_miner.pipeline.Progress``."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """``total`` is None where it is not known yet."""


@contextmanager
def show_progress(*, quiet: bool) -> Iterator[Reporter]:
    """Show progress on stderr while the block runs; nothing at all where ``quiet``."""
    if quiet:
        yield _report_nothing
        return
    from rich.console import Console

    console = Console(stderr=True)
    # Not console.is_terminal: FORCE_COLOR makes that true for a log file.
    if not sys.stderr.isatty() or console.is_dumb_terminal:
        yield LineProgress(sys.stderr)
        return
    with _open_bars(console) as bars:
        yield _BarProgress(bars)


class LineProgress:
    """``stage done/total``, at most one line every few seconds."""

    def __init__(self, stream: TextIO, *, every_s: float = _SECONDS_BETWEEN_LINES, now: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._every_s = every_s
        self._now = now
        self._last = now()

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """Write a line if the last one is long enough ago."""
        if self._now() - self._last < self._every_s:
            return
        self._last = self._now()
        self._stream.write(f"{stage} {done}\n" if total is None else f"{stage} {done}/{total}\n")
        self._stream.flush()


class _BarProgress:
    """One bar at a time: the stage that runs."""

    def __init__(self, bars: "Progress") -> None:
        self._bars = bars
        self._stage = ""
        self._task: TaskID | None = None

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        if self._task is None or stage != self._stage:
            if self._task is not None:
                self._bars.remove_task(self._task)
            self._stage, self._task = stage, self._bars.add_task(stage, total=total)
        self._bars.update(self._task, completed=done, total=total)


def _open_bars(console: "Console") -> "Progress":
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), TimeElapsedColumn())
    return Progress(*columns, console=console, transient=True)


def _report_nothing(stage: str, done: int, total: int | None) -> None:
    """Report to nobody."""
