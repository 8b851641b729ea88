"""The tables. Texts in them are redacted; vectors are float16; times are UTC without a zone.

projects ─┬─ batches ── responses ─┬─ documents ── opinions ── codings
          │                        └─ cases           │
          ├─ jobs                                     │
          ├─ vectors <──────── by text_key ───────────┘  (of documents, too)
          ├─ theme_sets, lineage
          ├─ analyses
          ├─ edits
          ├─ customers
          └─ webhooks ── deliveries
workers

Who may come in, and what they did: ``people_tables.py``.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, UniqueConstraint, insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

__all__ = [
    "AnalysisRow",
    "Base",
    "BatchRow",
    "CaseRow",
    "CodingRow",
    "CustomerRow",
    "DeliveryRow",
    "DocumentRow",
    "EditRow",
    "JobRow",
    "LineageRow",
    "OpinionRow",
    "ProjectRow",
    "ResponseRow",
    "ThemeSetRow",
    "VectorRow",
    "WebhookRow",
    "WorkerRow",
    "insert_rows",
    "opinion_id",
]


class Base(DeclarativeBase):
    """What all tables share."""

    type_annotation_map = {dict[str, Any]: JSON, list[Any]: JSON}  # noqa: RUF012 - SQLAlchemy's own way to say it


_BYTEWISE = String(40).with_variant(String(40, collation="C"), "postgresql")
"""Compared byte by byte on both databases, whatever a server's language thinks of hyphens."""


def _project(*, index: bool = False) -> Mapped[str]:
    return mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), index=index)


class ProjectRow(Base):
    """A body of feedback that is mined together, wave after wave."""

    __tablename__ = "projects"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str]
    created_at: Mapped[datetime]
    config: Mapped[dict[str, Any]]
    masks: Mapped[list[Any] | None] = mapped_column(JSON)
    """Names hidden from the encoder; found once, with the first wave."""
    theme_set: Mapped[int | None]
    """Number of the living theme set."""
    deletions: Mapped[int] = mapped_column(default=0)
    """How often customers were deleted: what was computed from an earlier state must not be written any more."""
    retention_days: Mapped[int | None]
    """Responses older than this are deleted; ``None``: kept."""


class BatchRow(Base):
    """One upload."""

    __tablename__ = "batches"
    __table_args__ = (UniqueConstraint("project", "number"), UniqueConstraint("project", "sha256"))
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    project: Mapped[str] = _project()
    number: Mapped[int]
    created_at: Mapped[datetime]
    source: Mapped[str]
    sha256: Mapped[str] = mapped_column(String(64))
    options: Mapped[dict[str, Any]]
    columns: Mapped[dict[str, Any] | None] = mapped_column(JSON)
    """Set once the batch has been read to its end."""
    rows: Mapped[int] = mapped_column(default=0)
    issues: Mapped[list[Any]] = mapped_column(default=list)


class JobRow(Base):
    """Long work, as its owner sees it. The engine's own tables know how to resume it; they hold nothing but its id."""

    __tablename__ = "jobs"
    __table_args__ = (UniqueConstraint("project", "number"),)
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    project: Mapped[str] = _project()
    number: Mapped[int]
    """The order in which a project's jobs are done."""
    kind: Mapped[str] = mapped_column(String(8))
    """``batch``: mine an upload; ``count``: code and count anew; ``remine``: find the themes anew."""
    batch: Mapped[str | None] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(16))
    stage: Mapped[str] = mapped_column(String(16), default="queued")
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None]
    reason: Mapped[str | None]
    attempt: Mapped[int] = mapped_column(default=0)
    """Rises with every step begun. A step writes only while it is its own: a worker thought dead that was only slow cannot."""
    takeovers: Mapped[int] = mapped_column(default=0)
    """How many workers died over it."""
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class WorkerRow(Base):
    """A worker's lease: while ``seen_at`` moves, its jobs are its own."""

    __tablename__ = "workers"
    id: Mapped[str] = mapped_column(primary_key=True)
    seen_at: Mapped[datetime]
    """By the worker's own clock; compared with nothing but its earlier self."""


class ResponseRow(Base):
    """One response; ``item`` is its id by content, unique in the project."""

    __tablename__ = "responses"
    __table_args__ = (UniqueConstraint("project", "item"), Index("responses_by_customer", "project", "customer"))
    id: Mapped[int] = mapped_column(primary_key=True)
    project: Mapped[str] = _project()
    batch: Mapped[str] = mapped_column(ForeignKey("batches.id", ondelete="CASCADE"), index=True)
    item: Mapped[str] = mapped_column(_BYTEWISE)
    row: Mapped[int]
    score: Mapped[float | None]
    created_at: Mapped[datetime | None]
    customer: Mapped[str | None]
    channel: Mapped[str | None]
    weight: Mapped[float]
    attributes: Mapped[dict[str, Any]]


class DocumentRow(Base):
    """One text cell, redacted."""

    __tablename__ = "documents"
    __table_args__ = (UniqueConstraint("response", "number"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    response: Mapped[int] = mapped_column(ForeignKey("responses.id", ondelete="CASCADE"))
    number: Mapped[int]
    column: Mapped[str]
    text: Mapped[str]
    language: Mapped[str] = mapped_column(String(8))
    status: Mapped[str] = mapped_column(String(16))
    repost: Mapped[bool]
    redactions: Mapped[dict[str, Any]]
    text_key: Mapped[bytes | None] = mapped_column(LargeBinary(16), index=True)
    """Hash of what the encoder sees of all of it; names its vector. Of documents of several opinions, once they were counted."""


class OpinionRow(Base):
    """A span of a document."""

    __tablename__ = "opinions"
    __table_args__ = (UniqueConstraint("document", "start"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    document: Mapped[int] = mapped_column(ForeignKey("documents.id", ondelete="CASCADE"))
    start: Mapped[int]
    end: Mapped[int]
    text_key: Mapped[bytes | None] = mapped_column(LargeBinary(16), index=True)
    """Hash of what the encoder sees of it; names its vector."""


class VectorRow(Base):
    """A text's vector under one encoder."""

    __tablename__ = "vectors"
    project: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    encoder: Mapped[str] = mapped_column(primary_key=True)
    text_key: Mapped[bytes] = mapped_column(LargeBinary(16), primary_key=True)
    vector: Mapped[bytes]
    """float16, little-endian."""


class ThemeSetRow(Base):
    """A frozen theme set, as the two files it would be saved in."""

    __tablename__ = "theme_sets"
    project: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    fitted: Mapped[int]
    """Number of the theme set that edits were replayed on to make this one; its own where it was fitted."""
    version: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime]
    description: Mapped[bytes]
    arrays: Mapped[bytes]


class CaseRow(Base):
    """A response that somebody follows up with the customer."""

    __tablename__ = "cases"
    __table_args__ = (Index("cases_by_state", "project", "state", "id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    project: Mapped[str] = _project()
    response: Mapped[int] = mapped_column(ForeignKey("responses.id", ondelete="CASCADE"), unique=True)
    opinion: Mapped[int] = mapped_column(ForeignKey("opinions.id", ondelete="CASCADE"), index=True)
    """What it was opened for."""
    state: Mapped[str] = mapped_column(String(8))
    outcome: Mapped[str | None] = mapped_column(String(12))
    """Of a closed one."""
    owner: Mapped[str | None]
    due: Mapped[date | None]
    note: Mapped[str]
    version: Mapped[int]
    opened_by: Mapped[str]
    opened_at: Mapped[datetime]
    changed_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class LineageRow(Base):
    """What became of a theme when a theme set was made from the one before, and the overlap that proves it."""

    __tablename__ = "lineage"
    project: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    """The order of events in a project."""
    theme_set: Mapped[int]
    """Number of the fitted theme set that was made. It may be gone."""
    created_at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(16))
    old: Mapped[str | None] = mapped_column(String(16))
    new: Mapped[str | None] = mapped_column(String(16))
    shared: Mapped[int]
    old_opinions: Mapped[int]
    new_opinions: Mapped[int]


class CodingRow(Base):
    """What was read in an opinion with a theme set: the living one, unless a job is about to do it anew."""

    __tablename__ = "codings"
    __table_args__ = (
        Index("codings_by_theme", "project", "theme", "opinion"),  # a theme's opinions, page by page, without a sort
        Index("codings_by_project", "project", "opinion"),  # and all of a project's
    )
    opinion: Mapped[int] = mapped_column(ForeignKey("opinions.id", ondelete="CASCADE"), primary_key=True)
    project: Mapped[str] = _project()
    theme_set: Mapped[int]
    """Number of the theme set."""
    theme: Mapped[str | None] = mapped_column(String(16))
    strength: Mapped[float]
    residual: Mapped[str | None] = mapped_column(String(16))
    nearest: Mapped[list[Any]]
    negative: Mapped[float]
    neutral: Mapped[float]
    positive: Mapped[float]
    type: Mapped[str] = mapped_column(String(16))
    aspects: Mapped[list[Any]]
    causes: Mapped[list[Any]]
    edited: Mapped[list[Any]]
    """What an analyst said, not the theme set."""


class AnalysisRow(Base):
    """The current analysis of a project: its figures, and the whole of it packed."""

    __tablename__ = "analyses"
    project: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    theme_set: Mapped[int]
    created_at: Mapped[datetime]
    figures: Mapped[dict[str, Any]]
    """What analysis.json holds beside items, documents, opinions and codings."""
    packed: Mapped[bytes]
    """analysis.json, gzipped."""


class EditRow(Base):
    """An analyst's change; the log is only ever added to. An edit is off while the newest row about it is an ``undo``."""

    __tablename__ = "edits"
    project: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str] = mapped_column(String(24))
    values: Mapped[dict[str, Any]]
    author: Mapped[str]
    created_at: Mapped[datetime]


class CustomerRow(Base):
    """The key a customer has in the uploaded files, sealed; responses know only its pseudonym."""

    __tablename__ = "customers"
    project: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)
    pseudonym: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[bytes]


class WebhookRow(Base):
    """An address that is told what happens."""

    __tablename__ = "webhooks"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    project: Mapped[str] = _project(index=True)
    url: Mapped[str]
    events: Mapped[list[Any]]
    secret: Mapped[bytes]
    """What deliveries are signed with, sealed."""
    created_at: Mapped[datetime]


class DeliveryRow(Base):
    """An event on its way to a webhook, and what came of each attempt. Its body holds ids and counts, never text."""

    __tablename__ = "deliveries"
    __table_args__ = (Index("deliveries_due", "next_at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    webhook: Mapped[str] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"), index=True)
    event: Mapped[str] = mapped_column(String(32))
    body: Mapped[dict[str, Any]]
    created_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)
    next_at: Mapped[datetime | None]
    """When it is tried next; ``None`` once it arrived or was given up."""
    status: Mapped[int | None]
    """HTTP status of the latest attempt; ``None`` where none came back."""
    reason: Mapped[str | None]
    """Why the latest attempt failed."""
    delivered_at: Mapped[datetime | None]


def opinion_id(item: str, document: int, start: int) -> str:
    """Return an opinion's id: its response's, the number of the document in it, and where in that it starts."""
    return f"{item}.{document}#{start}"


def insert_rows(session: Session, kind: type[Base], values: Sequence[dict[str, Any]]) -> None:
    """Insert rows that all name the same columns, in one go."""
    # Through the table: the mapped class would begin another statement wherever one row has a None that its neighbour has not.
    if values:
        session.execute(insert(Base.metadata.tables[kind.__tablename__]), values)
