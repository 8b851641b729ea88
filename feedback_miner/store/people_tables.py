"""The tables of people and keys, and of what they did. Of passwords, tokens and keys they hold hashes, never themselves.

people ── grants, sessions, invitations
keys, audit, idempotency
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from feedback_miner.store.tables import Base

__all__ = ["AuditRow", "GrantRow", "IdempotencyRow", "InvitationRow", "KeyRow", "PersonRow", "SessionRow"]


class PersonRow(Base):
    """Somebody who signs in."""

    __tablename__ = "people"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    """What they sign in with, in lower case."""
    digest: Mapped[str | None]
    """Argon2 of the password; ``None`` until they have set one."""
    role: Mapped[str | None] = mapped_column(String(8))
    """In every project: viewer, analyst or admin; ``None``: only where granted."""
    created_at: Mapped[datetime]
    last_seen_at: Mapped[datetime | None]


class GrantRow(Base):
    """A person's role in one project."""

    __tablename__ = "grants"
    person: Mapped[str] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), primary_key=True)
    project: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True, index=True)
    role: Mapped[str] = mapped_column(String(8))


class SessionRow(Base):
    """A signed-in browser: the hash of its token, never itself."""

    __tablename__ = "sessions"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    person: Mapped[str] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime]


class InvitationRow(Base):
    """A one-time link to set a password: the hash of its token. Gone once used."""

    __tablename__ = "invitations"
    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    person: Mapped[str] = mapped_column(ForeignKey("people.id", ondelete="CASCADE"), index=True)
    expires_at: Mapped[datetime]


class KeyRow(Base):
    """An API key: its hash, never itself."""

    __tablename__ = "keys"
    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str]
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    scopes: Mapped[list[Any]]
    project: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]


class AuditRow(Base):
    """Who did what to which thing: ids, never text."""

    __tablename__ = "audit"
    id: Mapped[int] = mapped_column(primary_key=True)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str]
    action: Mapped[str]
    project: Mapped[str | None] = mapped_column(String(32), index=True)
    subject: Mapped[str | None]


class IdempotencyRow(Base):
    """An answer that was given to a key's request, to be given again."""

    __tablename__ = "idempotency"
    actor: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    status: Mapped[int]
    answer: Mapped[dict[str, Any]]
