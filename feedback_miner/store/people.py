"""People who sign in: their roles, the one-time links with which they set a password, their sessions. Tokens are kept as hashes only."""

import secrets
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from feedback_miner.errors import ConflictError, NotFoundError
from feedback_miner.store.access import hash_token
from feedback_miner.store.people_tables import GrantRow, InvitationRow, PersonRow, SessionRow
from feedback_miner.store.projects import lock_project, new_id, now

__all__ = [
    "INVITATION_LASTS",
    "INVITATION_PREFIX",
    "SESSION_IDLES",
    "SESSION_LASTS",
    "accept_invitation",
    "add_person",
    "close_session",
    "end_sessions",
    "find_invited",
    "find_person",
    "find_session",
    "get_person",
    "grants_of",
    "has_people",
    "invite",
    "invite_first_admin",
    "list_admins",
    "list_people",
    "lock_person",
    "note_session_use",
    "open_session",
    "remove_person",
    "set_grants",
    "set_password",
    "set_role",
    "spell_name",
    "was_seen_lately",
]

INVITATION_PREFIX = "fmi_"
INVITATION_LASTS = timedelta(hours=72)
SESSION_LASTS = timedelta(days=7)
SESSION_IDLES = timedelta(hours=12)
"""A session that is not used for so long ends before its time."""
_SEEN_EVERY = timedelta(minutes=1)


def spell_name(name: str) -> str:
    """Return a name as it is stored and looked up: however it is typed, it is one name."""
    return unicodedata.normalize("NFKC", name).strip().lower()


def add_person(session: Session, name: str, *, role: str | None, grants: Mapping[str, str] | None = None) -> PersonRow:
    """Create a person, who cannot sign in yet. ``grants`` are roles by project. Raises ConflictError where the name is taken."""
    row = PersonRow(id=new_id("per"), name=spell_name(name), role=role, created_at=now())
    try:
        with session.begin_nested():  # two may choose the same name at once
            session.add(row)
    except IntegrityError:
        raise ConflictError(f"somebody is named {row.name!r} already; choose another name") from None
    set_grants(session, row.id, grants or {})
    return row


def get_person(session: Session, person: str) -> PersonRow:
    """Return a person by id, or raise NotFoundError."""
    row = session.get(PersonRow, person)
    if row is None:
        raise NotFoundError(f"there is no person {person!r}")
    return row


def lock_person(session: Session, person: str) -> PersonRow:
    """Return a person whom nobody else changes before this transaction ends."""
    row = session.get(PersonRow, person, with_for_update={"key_share": True}, populate_existing=True)
    if row is None:
        raise NotFoundError(f"there is no person {person!r}")
    return row


def find_person(session: Session, name: str) -> PersonRow | None:
    """Return a person by the name they sign in with."""
    return session.scalar(select(PersonRow).where(PersonRow.name == spell_name(name)))


def has_people(session: Session) -> bool:
    """Tell whether there is anybody."""
    return session.scalar(select(PersonRow.id).limit(1)) is not None


def list_people(session: Session, *, after: str = "", limit: int = 50) -> Sequence[PersonRow]:
    """Return people by id, after an id."""
    return session.scalars(select(PersonRow).where(PersonRow.id > after).order_by(PersonRow.id).limit(limit)).all()


def list_admins(session: Session) -> Sequence[PersonRow]:
    """Return the admins of everything, the first one first."""
    return session.scalars(select(PersonRow).where(PersonRow.role == "admin").order_by(PersonRow.created_at, PersonRow.id)).all()


def grants_of(session: Session, people: Collection[str]) -> dict[str, dict[str, str]]:
    """Return the grants of each of these people: roles by project."""
    grants: dict[str, dict[str, str]] = {person: {} for person in people}
    for row in session.scalars(select(GrantRow).where(GrantRow.person.in_(people)).order_by(GrantRow.project)):
        grants[row.person][row.project] = row.role
    return grants


def set_grants(session: Session, person: str, grants: Mapping[str, str]) -> None:
    """Put these grants in the place of all that a person, locked before, has. Raises NotFoundError where a project is none."""
    session.execute(delete(GrantRow).where(GrantRow.person == person))
    for project in sorted(grants):  # everybody locks in one order
        lock_project(session, project)
        session.add(GrantRow(person=person, project=project, role=grants[project]))


def set_role(session: Session, person: str, role: str | None) -> None:
    """Give a person another role in every project. Raises ConflictError where nobody would be left to administer."""
    if role != "admin":
        _keep_an_admin(session, person)
    lock_person(session, person).role = role


def remove_person(session: Session, person: str) -> None:
    """Remove a person with grants, sessions and links. Raises ConflictError where nobody would be left to administer."""
    _keep_an_admin(session, person)
    session.delete(lock_person(session, person))


def invite(session: Session, person: str) -> tuple[InvitationRow, str]:
    """Make a one-time link for a person; return its row and its token, which is not kept and cannot be shown again.

    Their password, their sessions and links made before end at once.
    """
    row = lock_person(session, person)
    row.digest = None
    end_sessions(session, person)
    session.execute(delete(InvitationRow).where(or_(InvitationRow.person == person, InvitationRow.expires_at <= now())))
    token = INVITATION_PREFIX + secrets.token_urlsafe(32)
    link = InvitationRow(digest=hash_token(token), person=person, expires_at=now() + INVITATION_LASTS)
    session.add(link)
    return link, token


def invite_first_admin(session: Session, *, create: bool) -> tuple[str, str] | None:
    """Make a link for the first admin where no admin can sign in; return the name and the token, or ``None`` where there is no need.

    ``create``: of a store without people, make the person ``admin``.
    """
    if create and not has_people(session):
        try:
            add_person(session, "admin", role="admin")
        except ConflictError:  # another process starts at this very moment, and prints the link
            return None
    admins = list_admins(session)
    if not admins or any(row.digest is not None for row in admins):
        return None
    return admins[0].name, invite(session, admins[0].id)[1]


def find_invited(session: Session, token: str) -> PersonRow | None:
    """Return whom a one-time link is for; ``None`` where it was used, has expired or never was."""
    query = select(PersonRow).join(InvitationRow, InvitationRow.person == PersonRow.id)
    return session.scalar(query.where(InvitationRow.digest == hash_token(token), InvitationRow.expires_at > now()))


def accept_invitation(session: Session, token: str, digest: str) -> PersonRow:
    """Set the password of whom a link is for, and use the link up; return the person. Raises NotFoundError where it is none."""
    found = find_invited(session, token)
    if found is not None:
        lock_person(session, found.id)  # of two who use it at once, one does
        found = find_invited(session, token)
    if found is None:
        raise NotFoundError("this link was used, has expired or never was; ask an admin for another")
    set_password(session, found, digest)
    return found


def set_password(session: Session, row: PersonRow, digest: str) -> None:
    """Give a person, locked before, another password; their sessions end, and links they have not used."""
    row.digest = digest
    end_sessions(session, row.id)
    session.execute(delete(InvitationRow).where(InvitationRow.person == row.id))


def open_session(session: Session, person: str) -> tuple[SessionRow, str]:
    """Sign a person in, locked before; return the session and its token, which is not kept. Sessions that are over are forgotten."""
    moment = now()
    session.execute(delete(SessionRow).where(or_(SessionRow.expires_at <= moment, SessionRow.last_used_at <= moment - SESSION_IDLES)))
    token = secrets.token_urlsafe(32)
    row = SessionRow(digest=hash_token(token), person=person, created_at=moment, expires_at=moment + SESSION_LASTS, last_used_at=moment)
    session.add(row)
    session.execute(update(PersonRow).where(PersonRow.id == person).values(last_seen_at=moment))
    return row, token


def find_session(session: Session, token: str) -> tuple[SessionRow, PersonRow] | None:
    """Return a session and whose it is; ``None`` where there is none or it is over."""
    moment = now()
    query = (
        select(SessionRow, PersonRow)
        .join(PersonRow, PersonRow.id == SessionRow.person)
        .where(SessionRow.digest == hash_token(token), SessionRow.expires_at > moment, SessionRow.last_used_at > moment - SESSION_IDLES)
    )
    found = session.execute(query).one_or_none()
    return None if found is None else (found[0], found[1])


def was_seen_lately(row: SessionRow) -> bool:
    """Tell whether a session's use in the last minute is noted already."""
    return now() - row.last_used_at <= _SEEN_EVERY


def note_session_use(session: Session, row: SessionRow) -> None:
    """Note that a session is used now."""
    moment = now()
    session.execute(update(SessionRow).where(SessionRow.digest == row.digest).values(last_used_at=moment))
    session.execute(update(PersonRow).where(PersonRow.id == row.person).values(last_seen_at=moment))


def close_session(session: Session, token: str) -> None:
    """End a session, if there is one."""
    session.execute(delete(SessionRow).where(SessionRow.digest == hash_token(token)))


def end_sessions(session: Session, person: str) -> None:
    """Sign a person out everywhere."""
    session.execute(delete(SessionRow).where(SessionRow.person == person))


def _keep_an_admin(session: Session, person: str) -> None:
    """Refuse to lose the last admin, or the last one who has a password; whoever else asks waits for this transaction."""
    query = select(PersonRow).where(PersonRow.role == "admin").order_by(PersonRow.id).with_for_update(key_share=True)
    admins = session.scalars(query, execution_options={"populate_existing": True}).all()
    gone = next((row for row in admins if row.id == person), None)
    if gone is None:
        return
    if not any(row.digest is not None or gone.digest is None for row in admins if row is not gone):
        raise ConflictError(f"{gone.name!r} is the last admin who can sign in; make somebody else an admin first")
