"""The seam to whatever turns texts into vectors. No implementation here, and nothing heavy to import."""

from collections.abc import Callable, Sequence
from typing import Protocol

from feedback_miner.domain import Vectors

__all__ = ["Embedder", "Progress"]

Progress = Callable[[int], None]
"""Called now and then, from the caller's thread, with the number of texts done so far; the last call has them all."""


class Embedder(Protocol):
    """Texts in, unit rows out."""

    @property
    def name(self) -> str:
        """As in ``MiningConfig.encoder``."""
        ...

    @property
    def version(self) -> str:
        """Changes whenever the vectors of this embedder may change: part of a theme set's identity and of every cache key."""
        ...

    @property
    def dimensions(self) -> int:
        """Length of a vector."""
        ...

    def encode(self, texts: Sequence[str], *, progress: Progress | None = None) -> Vectors:
        """Return float32 ``(len(texts), dimensions)``, row i for ``texts[i]``, each of length 1.

        A text's vector never depends on the other texts, their order or their number. Any ``str`` is accepted: the empty one, NUL
        and lone surrogates included.
        """
        ...
