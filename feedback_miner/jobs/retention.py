"""Once a day: responses that are older than their project keeps them, answers to repeated requests, uploads that belong to nothing."""

import logging
import threading
import time
from collections.abc import Callable
from datetime import date
from pathlib import Path

from feedback_miner.errors import FeedbackMinerError
from feedback_miner.jobs.forget import forget_expired
from feedback_miner.jobs.workshop import Workshop
from feedback_miner.store import access, projects

__all__ = ["Housekeeper", "keep_house"]

_LOOKS_EVERY = 600.0
"""Seconds. By the calendar and not by a day's length: a laptop sleeps."""
_LEFT_BEHIND = 86_400.0
"""Seconds after which a spool file that belongs to no upload is nobody's."""
_log = logging.getLogger(__name__)


class Housekeeper:
    """A thread in every worker that keeps house when it starts and whenever a day begins. Others find done what the first one did."""

    def __init__(self, shop: Workshop, hand_in: Callable[[str], None]) -> None:
        self._shop, self._hand_in = shop, hand_in
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin in a thread."""
        self._stop.clear()
        self._thread = threading.Thread(target=self._go_on, name="housekeeper", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End after what is at hand."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()

    def _go_on(self) -> None:
        done: date | None = None
        while True:
            today = projects.now().date()
            if today != done:
                try:
                    keep_house(self._shop, self._hand_in)
                    done = today
                except Exception as error:  # noqa: BLE001 - whatever it is, the next day must come
                    _log.warning("the house could not be kept: %s", type(error).__name__)
            if self._stop.wait(_LOOKS_EVERY):
                return


def keep_house(shop: Workshop, hand_in: Callable[[str], None]) -> None:
    """Delete what is too old in every project that says so, hand in the jobs that count the rest anew, clear away what was left behind."""
    with shop.database.reading() as session:
        expiring = projects.list_expiring(session)
    for project in expiring:
        try:
            deleted, job = forget_expired(shop, project)
        except FeedbackMinerError as error:
            _log.warning("project %s could not be kept to its retention: %s", project, error)
            continue
        if deleted:
            _log.info("responses expired", extra={"fields": {"project": project, "responses": deleted, "job": job}})
        if job is not None:
            hand_in(job)
    with shop.database.transaction() as session:
        access.forget_answers(session)
    _clear_spool(shop)


def _clear_spool(shop: Workshop) -> None:
    """Remove uploads of which nothing came: their request broke off, or their job ended while the folder could not be reached."""
    old = [path for path in shop.spool_path("any").parent.iterdir() if _age(path) > _LEFT_BEHIND]
    if not old:
        return
    with shop.database.reading() as session:
        wanted = projects.list_unread(session)
    for path in old:
        if path.name not in wanted:
            path.unlink(missing_ok=True)
            _log.info("a spool file was left behind and is removed", extra={"fields": {"file": path.name}})


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except FileNotFoundError:  # read, and gone, this very moment
        return 0.0
