"""What a user may say about a file. Everything left unsaid is guessed, with a reason; nothing here reads anything."""

from dataclasses import dataclass

from feedback_miner.domain import ScoreKind

__all__ = ["IngestOptions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestOptions:
    """Column names, and what cannot be told from the values. A name that the file lacks is a ``ColumnError``."""

    texts: tuple[str, ...] = ()
    score: str | None = None
    score_kind: ScoreKind | None = None
    date: str | None = None
    customer: str | None = None
    channel: str | None = None
    weight: str | None = None
    attributes: tuple[str, ...] = ()
    sheet: str | None = None
    encoding: str | None = None
