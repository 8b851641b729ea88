"""Webhooks' deliveries: a thread that sends what is due in the outbox, signed, and notes what came of it.

At least once: a delivery is leased, sent outside of any transaction, then noted. A worker that dies in between leaves it to whoever looks
when the lease is over; its ``Webhook-Id`` stays the same. One receiver gets one delivery at a time from each worker, so that a slow one
holds up nobody else. Why it is done this way: docs/decisions/0011-webhooks.md.
"""

import base64
import hashlib
import hmac
import json
import logging
import threading
import traceback
import zlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

from feedback_miner.errors import FeedbackMinerError
from feedback_miner.jobs.workshop import Workshop
from feedback_miner.outbound import Poster, TargetError, host_of
from feedback_miner.store import outbox, projects, webhooks

__all__ = ["SECRET_PREFIX", "Dispatcher", "next_attempt", "sign"]

SECRET_PREFIX = "whsec_"  # noqa: S105 - what secrets begin with, not one
_LOOK_EVERY = 1.0
_AT_ONCE = 16
"""Deliveries under way in a process, each to another receiver."""
_LEASE = timedelta(seconds=60)
"""Well over what a delivery takes, the noting included."""
_WAITS = tuple(timedelta(seconds=seconds) for seconds in (10, 60, 5 * 60, 30 * 60, 2 * 60 * 60, 6 * 60 * 60, 12 * 60 * 60, 24 * 60 * 60))
_SPREAD = 0.2
_KEPT = timedelta(days=30)
_CLEAR_EVERY = timedelta(hours=1)
_GONE = 410
_log = logging.getLogger(__name__)


class Dispatcher:
    """Sends what is due, as many receivers at a time as there are threads."""

    def __init__(self, shop: Workshop, poster: Poster, *, clock: Callable[[], datetime] = projects.now) -> None:
        """``clock`` answers UTC without a zone, as the store has it."""
        self._shop, self._poster, self._clock = shop, poster, clock
        self._threads = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="webhook")
        self._busy: set[str] = set()
        """Receivers that are being sent something; added to by the thread that looks, taken from by those that send."""
        self._cleared: datetime | None = None
        self._stop = threading.Event()
        self._looking: threading.Thread | None = None

    def start(self) -> None:
        """Go on in a thread."""
        self._looking = threading.Thread(target=self._go_on, name="dispatcher", daemon=True)
        self._looking.start()

    def stop(self) -> None:
        """Send nothing more, and wait for what is under way: seconds, as each has its time limit."""
        self._stop.set()
        if self._looking is not None:
            self._looking.join()
        self._threads.shutdown()

    def send_due(self) -> list["Future[None]"]:
        """Begin to send what is due, to each receiver that is sent nothing yet, and clear away what is old."""
        at = self._clock()
        with self._shop.database.reading() as session:
            due = outbox.list_due(session, at)
        begun = []
        for webhook, url in due:
            host = host_of(url)
            if host in self._busy or len(self._busy) >= _AT_ONCE or self._stop.is_set():
                continue
            with self._shop.database.transaction() as session:
                delivery = outbox.take(session, webhook, at, _LEASE)
            if delivery is not None:
                self._busy.add(host)
                begun.append(self._threads.submit(self._send, delivery, host))
        if self._cleared is None or at - self._cleared >= _CLEAR_EVERY:
            with self._shop.database.transaction() as session:
                outbox.remove_old(session, at - _KEPT)
            self._cleared = at
        return begun

    def _go_on(self) -> None:
        failing = False
        while not self._stop.wait(_LOOK_EVERY):
            try:
                self.send_due()
                failing = False
            except Exception as error:  # noqa: BLE001 - whatever it is, the next look must come
                if not failing:  # once, not every second
                    _log.warning("deliveries cannot be sent: %s", type(error).__name__)
                failing = True

    def _send(self, delivery: outbox.Delivery, host: str) -> None:
        try:
            self._note(delivery, *self._attempt(delivery))
        except Exception as error:  # noqa: BLE001 - it is tried again when its lease is over
            _log.warning("delivery %d: what came of it could not be noted: %s", delivery.id, type(error).__name__)
        finally:
            self._busy.discard(host)

    def _attempt(self, delivery: outbox.Delivery) -> tuple[int | None, str]:
        """Send a delivery; return the status of the answer, ``None`` where none came, and what is wrong with it."""
        body = json.dumps(delivery.body, ensure_ascii=False, separators=(",", ":")).encode()
        try:
            secret = self._shop.unseal(delivery.secret)
            status = self._poster.post(delivery.url, sign(secret, str(delivery.body["id"]), self._clock(), body), body)
        except TargetError as error:
            return None, str(error)
        except FeedbackMinerError:
            return None, "the secret it is signed with cannot be read; the operator must restore sealing.key"
        except Exception as error:  # noqa: BLE001 - a delivery that breaks the sending must be given up some day, as any other
            _log.error("delivery %d: %s\n%s", delivery.id, type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
            return None, f"internal error ({type(error).__name__}); the log has more"
        if 300 <= status < 400:
            return status, f"the answer was {status}, a redirect, and none is followed; give the final address"
        return status, f"the answer was {status}; 2xx is success"

    def _note(self, delivery: outbox.Delivery, status: int | None, reason: str) -> None:
        at = self._clock()
        with self._shop.database.transaction() as session:
            if status is not None and 200 <= status < 300:
                outbox.note_delivered(session, delivery, status, at=at)
            elif status == _GONE:
                webhooks.switch_off(session, delivery, status, f"the answer was {status}, gone: the webhook was switched off")
            else:
                again = next_attempt(str(delivery.body["id"]), delivery.attempt, at)
                outbox.note_failure(session, delivery, status, reason, next_at=again)


def next_attempt(event: str, attempt: int, at: datetime) -> datetime | None:
    """Return when an event whose ``attempt`` (from 1) failed is tried again; ``None``: never.

    Up to a fifth is added to each wait, so that what failed together does not come back together; how much follows from the event's id.
    """
    if attempt > len(_WAITS):
        return None
    spread = zlib.crc32(f"{event}.{attempt}".encode()) / 2**32
    return at + _WAITS[attempt - 1] * (1 + _SPREAD * spread)


def sign(secret: str, event: str, at: datetime, body: bytes) -> Mapping[str, str]:
    """Return the headers of a delivery: who sends it, what it is, when it is sent, and the proof, as Standard Webhooks have it."""
    timestamp = str(int(at.replace(tzinfo=UTC).timestamp()))
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    proof = hmac.new(key, f"{event}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "Content-Type": "application/json",
        "User-Agent": "feedback-miner",
        "Webhook-Id": event,
        "Webhook-Timestamp": timestamp,
        "Webhook-Signature": f"v1,{base64.b64encode(proof).decode()}",
    }
