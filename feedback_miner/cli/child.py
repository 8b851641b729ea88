"""The worker beside ``serve``: a process of its own, so that mining takes neither the interpreter nor the priority from who is answered.

It ends with its parent, however that ends: its standard input is a pipe that only the parent holds open.
"""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence

__all__ = ["ChildWorker", "call_when_orphaned"]

_NICE = 10
"""How far behind the API a worker stands where both want the processor."""
_PATIENCE = 75.0
"""Seconds for a step to come to its next report."""
_LONGEST_PAUSE = 60.0
_log = logging.getLogger(__name__)


class ChildWorker:
    """Keeps ``feedback-miner worker`` running: started again, after a pause that doubles, whenever it ends by itself."""

    def __init__(self, settings: Mapping[str, str], arguments: Sequence[str] = ()) -> None:
        """``settings``: its whole environment of ours; ``arguments``: what else comes after ``feedback-miner worker``."""
        self._command = [sys.executable, "-m", "feedback_miner", "worker", "--with-parent", *arguments]
        others = {name: value for name, value in os.environ.items() if not name.startswith("FEEDBACK_MINER_")}
        self.environment = {**others, **settings}
        self._stopping = threading.Event()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread = threading.Thread(target=self._keep, name="child worker", daemon=True)

    def start(self) -> None:
        """Start it, and watch it in a thread."""
        self._process = self._spawn()
        self._thread.start()

    def stop(self) -> None:
        """Ask it to end; kill it where it does not within a minute or so. Nothing is lost: its step is repeated at the next start."""
        self._stopping.set()
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
        self._thread.join()

    def _keep(self) -> None:
        pause = 1.0
        while self._process is not None:
            status = self._process.wait()
            if self._stopping.is_set():
                return
            _log.error("the worker ended by itself (status %d); it is started again in %.0f s", status, pause)
            if self._stopping.wait(pause):
                return
            pause = min(2 * pause, _LONGEST_PAUSE)
            self._process = self._spawn()

    def _spawn(self) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - ourselves
            self._command, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True
        )
        os.setpriority(os.PRIO_PROCESS, process.pid, _NICE)
        return process


def call_when_orphaned(call: Callable[[], None]) -> None:
    """Call once standard input ends: the parent is gone."""

    def wait() -> None:
        while os.read(0, 1):  # not through sys.stdin, whose lock an ending interpreter asks for
            pass
        call()

    threading.Thread(target=wait, name="parent", daemon=True).start()
