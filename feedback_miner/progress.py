"""How long work says where it is, and how it is stopped."""

from typing import Protocol

__all__ = ["Progress", "report_to_nobody"]


class Progress(Protocol):
    """Told where a run is; may raise to stop it."""

    def __call__(self, stage: str, done: int, total: int | None) -> None:
        """``total`` is None where it is not known yet."""


def report_to_nobody(stage: str, done: int, total: int | None) -> None:
    """Say nothing, stop nothing."""
