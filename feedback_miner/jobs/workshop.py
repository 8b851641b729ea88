"""What every step works with: the database, the spool folder, the models, and the keys that make pseudonyms and seal secrets."""

import os
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from feedback_miner.classify import OpinionCoder, load_heads_for
from feedback_miner.domain import ThemeSet
from feedback_miner.embedders import Embedder, load_embedder
from feedback_miner.errors import StoreError
from feedback_miner.metrics import Metrics
from feedback_miner.stages.sentiment import Heads
from feedback_miner.store import Database

__all__ = ["JOBS_FILE", "KEY_FILES", "Models", "Workshop"]

_PSEUDONYM_KEY = "pseudonym.key"
_SEALING_KEY = "sealing.key"
JOBS_FILE = "jobs.sqlite"
"""Where the engine keeps its books beside SQLite, in the data folder."""
KEY_FILES = (_PSEUDONYM_KEY, _SEALING_KEY)
"""Names of the files in the data folder that no backup may lack."""


@dataclass(frozen=True, slots=True)
class Models:
    """An encoder with the heads that go with it."""

    embedder: Embedder
    heads: Heads
    heads_embedder: Embedder

    @property
    def encoders(self) -> dict[str, Embedder]:
        """Each encoder once, by version: the heads may have one of their own."""
        return {embedder.version: embedder for embedder in (self.embedder, self.heads_embedder)}

    def coder(self, theme_set: ThemeSet) -> OpinionCoder:
        """Return what codes opinions with a theme set."""
        return OpinionCoder(theme_set, self.embedder, self.heads, self.heads_embedder)


@dataclass(slots=True)
class Workshop:
    """One of each for a process; safe to share between its threads."""

    database: Database
    folder: Path
    """The data folder: spool files, and the keys. Workers on several machines share it."""
    stopping: threading.Event = field(default_factory=threading.Event)
    """Set where the process is to end: steps at hand stop at their next report."""
    metrics: Metrics = field(default_factory=Metrics)
    _models: dict[str, Models] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def models(self, encoder: str) -> Models:
        """Return an encoder's models, loaded once for the process."""
        with self._lock:
            if encoder not in self._models:
                embedder = load_embedder(encoder)
                self._models[encoder] = Models(embedder, *load_heads_for(embedder))
            return self._models[encoder]

    def spool_path(self, batch: str) -> Path:
        """Where a batch's upload lies until it is read."""
        folder = self.folder / "spool"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder / batch

    def pseudonym_key(self) -> bytes:
        """Return the secret behind customers' pseudonyms; made on first use, and needed to find them again."""
        return self._secret(_PSEUDONYM_KEY, lambda: secrets.token_bytes(32))

    def seal(self, text: str) -> bytes:
        """Return a text so that only who has the data folder can read it."""
        return Fernet(self._secret(_SEALING_KEY, Fernet.generate_key)).encrypt(text.encode())

    def unseal(self, sealed: bytes) -> str:
        """Return what was sealed. Raises StoreError where the key is not the one it was sealed with."""
        try:
            return Fernet(self._secret(_SEALING_KEY, Fernet.generate_key)).decrypt(sealed).decode()
        except InvalidToken:
            raise StoreError(f"{self.folder / _SEALING_KEY} is not the key that this was sealed with; restore it from the backup") from None

    def _secret(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Return what a key file holds; whoever asks first makes it."""
        path = self.folder / name
        with self._lock:
            if not path.exists():
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                fresh = path.with_name(f"{name}.{secrets.token_hex(4)}")
                fresh.touch(mode=0o600)
                fresh.write_bytes(make())
                try:
                    os.link(fresh, path)  # whoever is first wins, whole
                except FileExistsError:
                    pass
                finally:
                    fresh.unlink()
            return path.read_bytes()
