"""Passwords, hashed with Argon2: on purpose slow, and so done for one at a time, outside of any transaction."""

import base64
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import contextmanager

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from feedback_miner.errors import InputError
from feedback_miner.store.people import spell_name
from feedback_miner.web.problems import RefusalError

__all__ = ["LONGEST", "SHORTEST", "Passwords", "check_password"]

SHORTEST = 12
LONGEST = 200
_QUEUE = 8


def check_password(password: str, name: str) -> str:
    """Return the password, or say why it is none for the person of this name. Its length is the wire's business."""
    if spell_name(password) == name:
        raise InputError("a password that is the name keeps nobody out; choose another")
    return password


class Passwords:
    """Hashes and checks. Each takes 64 MiB and every core for a moment, so they take turns, and of many who wait some are sent away."""

    def __init__(self, hasher: PasswordHasher | None = None, *, queue: int = _QUEUE) -> None:
        self._hasher = hasher or PasswordHasher()
        self._places = threading.BoundedSemaphore(queue)
        self._turn = threading.Lock()
        # What nobody's password has: checked where there is nobody to check, so that both take the same time.
        salt, digest = (base64.b64encode(bytes(size)).decode().rstrip("=") for size in (self._hasher.salt_len, self._hasher.hash_len))
        costs = f"m={self._hasher.memory_cost},t={self._hasher.time_cost},p={self._hasher.parallelism}"
        self._nobody = f"$argon2id$v=19${costs}${salt}${digest}"

    def hash(self, password: str) -> str:
        """Return what is kept of a password."""
        with self._one_at_a_time():
            return self._hasher.hash(_spell(password))

    def check(self, digest: str | None, password: str) -> bool:
        """Tell whether this is the password; in the same time where there is none to compare it with."""
        with self._one_at_a_time():
            try:
                return self._hasher.verify(digest or self._nobody, _spell(password)) and digest is not None
            except (VerificationError, InvalidHashError):
                return False

    def is_outdated(self, digest: str) -> bool:
        """Tell whether a password was hashed with other costs than today's."""
        return self._hasher.check_needs_rehash(digest)

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):  # every one that waits holds a thread that others need
            raise RefusalError(503, "too many people are signing in; try again in a few seconds", Retry_After="3")
        try:
            with self._turn:
                yield
        finally:
            self._places.release()


def _spell(password: str) -> bytes:
    """Return the bytes of a password: the same ones, whichever way a keyboard composes its letters."""
    return unicodedata.normalize("NFKC", password).encode()
