"""Who may: API keys, kept as hashes; what was done: the audit; what was answered: idempotency records."""

import hashlib
import secrets
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from feedback_miner.errors import NotFoundError
from feedback_miner.store.people_tables import AuditRow, IdempotencyRow, KeyRow
from feedback_miner.store.projects import now

__all__ = [
    "KEY_PREFIX",
    "add_key",
    "find_key",
    "forget_answers",
    "has_keys",
    "hash_token",
    "list_audit",
    "list_keys",
    "note",
    "note_use",
    "recall_answer",
    "remember_answer",
    "remove_key",
    "was_used_lately",
]

KEY_PREFIX = "fm_"
_SEEN_EVERY = timedelta(minutes=1)
_ANSWERS_KEPT = timedelta(days=1)


def add_key(
    session: Session, name: str, scopes: Collection[str], *, project: str | None = None, expires_at: datetime | None = None
) -> tuple[KeyRow, str]:
    """Create a key; return its row and the key itself, which is not kept and cannot be shown again."""
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    row = KeyRow(
        id=f"key_{secrets.token_hex(10)}",
        name=name,
        digest=hash_token(key),
        scopes=sorted(scopes),
        project=project,
        created_at=now(),
        expires_at=expires_at,
    )
    session.add(row)
    session.flush()
    return row, key


def find_key(session: Session, key: str) -> KeyRow | None:
    """Return the row of a valid key; ``None`` where there is none or it has expired."""
    row = session.scalar(select(KeyRow).where(KeyRow.digest == hash_token(key)))
    return None if row is None or (row.expires_at is not None and row.expires_at <= now()) else row


def was_used_lately(row: KeyRow) -> bool:
    """Tell whether a key's use in the last minute is noted already."""
    return row.last_used_at is not None and now() - row.last_used_at <= _SEEN_EVERY


def note_use(session: Session, key: str) -> None:
    """Note that a key is used now."""
    session.execute(update(KeyRow).where(KeyRow.id == key).values(last_used_at=now()))


def has_keys(session: Session) -> bool:
    """Tell whether anybody can come in yet."""
    return session.scalar(select(KeyRow.id).limit(1)) is not None


def list_keys(session: Session, *, after: str = "", limit: int = 50, only: Collection[str] | None = None) -> Sequence[KeyRow]:
    """Return keys by id, after an id; ``only`` those of some projects."""
    query = select(KeyRow).where(KeyRow.id > after).order_by(KeyRow.id).limit(limit)
    return session.scalars(query if only is None else query.where(KeyRow.project.in_(only))).all()


def remove_key(session: Session, key: str, *, only: Collection[str] | None = None) -> None:
    """Revoke a key by its id; ``only`` one of these projects."""
    row = session.get(KeyRow, key)
    if row is None or (only is not None and row.project not in only):
        raise NotFoundError(f"there is no key {key!r}")
    session.delete(row)


def note(session: Session, actor: str, action: str, *, project: str | None = None, subject: str | None = None) -> None:
    """Write into the audit. ``subject`` is an id, never text."""
    session.add(AuditRow(at=now(), actor=actor, action=action, project=project, subject=subject))


def list_audit(session: Session, *, after: int = 0, limit: int = 50, only: Collection[str] | None = None) -> Sequence[AuditRow]:
    """Return the audit, oldest first, after a number; ``only`` of some projects."""
    query = select(AuditRow).where(AuditRow.id > after).order_by(AuditRow.id).limit(limit)
    return session.scalars(query if only is None else query.where(AuditRow.project.in_(only))).all()


def recall_answer(session: Session, actor: str, key: str) -> IdempotencyRow | None:
    """Return what an actor was answered under an idempotency key in the last day."""
    row = session.get(IdempotencyRow, (actor, key))
    return None if row is None or row.created_at < now() - _ANSWERS_KEPT else row


def remember_answer(session: Session, actor: str, key: str, digest: str, status: int, answer: Mapping[str, Any]) -> None:
    """Keep an answer for a day, and forget older ones."""
    forget_answers(session)
    session.add(IdempotencyRow(actor=actor, key=key, digest=digest, created_at=now(), status=status, answer=dict(answer)))


def forget_answers(session: Session) -> None:
    """Forget answers that are older than a day."""
    session.execute(delete(IdempotencyRow).where(IdempotencyRow.created_at < now() - _ANSWERS_KEPT))


def hash_token(token: str) -> str:
    """Return what is kept of a key or a token. Each has 256 random bits: a plain hash is as safe as a slow one, and costs nothing."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
