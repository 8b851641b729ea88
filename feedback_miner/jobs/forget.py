"""Deletion, of a customer and of what is too old: responses, the vectors only they had, and every place their words were quoted in."""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, time, timedelta
from functools import partial

from sqlalchemy.orm import Session

from feedback_miner.domain import Theme, ThemeSet
from feedback_miner.errors import ConflictError, NotFoundError
from feedback_miner.jobs.living import fitted_theme_set, keep_fitted
from feedback_miner.jobs.workshop import Workshop
from feedback_miner.stages.clean import matching_text
from feedback_miner.stages.redact import pseudonymise
from feedback_miner.stages.words import read_clauses
from feedback_miner.store import access, findings, people, projects, responses, webhooks
from feedback_miner.store.people_tables import AuditRow
from feedback_miner.theme_set import theme_set_version

__all__ = ["forget_again", "forget_customer", "forget_expired"]

_CUSTOMER, _EXPIRED = "delete customer", "delete expired"
"""Actions as the audit calls them."""
_APOSTROPHES = re.compile("['’]")
_REMOVALS: Mapping[str, Callable[[Session, AuditRow], None]] = {
    "delete project": lambda session, entry: session.delete(projects.get_project(session, str(entry.project))),
    "delete webhook": lambda session, entry: webhooks.remove_webhook(session, str(entry.project), str(entry.subject)),
    "remove person": lambda session, entry: people.remove_person(session, str(entry.subject)),
    "revoke key": lambda session, entry: access.remove_key(session, str(entry.subject)),
}
"""What is removed with a row, by the audit's name for it."""


def forget_customer(shop: Workshop, project: str, customer: str, *, actor: str = "somebody") -> tuple[int, str | None]:
    """Delete a customer by the key they have in the uploaded files; return how many responses went, and the job that counts the rest anew.

    Figures vanish with the customer and come back with the job: none of them may go on quoting who is gone. The audit keeps a keyed hash of
    the customer, so that a restored backup can be told to forget them again. Raises ConflictError while a batch waits to be read: it may
    hold more of the customer.
    """
    pseudonym = pseudonymise(customer, key=shop.pseudonym_key())

    def delete(session: Session) -> int:
        if projects.is_reading(session, project):
            raise ConflictError(f"a batch of project {project} is still to be read; delete the customer when its job has ended")
        access.note(session, actor, _CUSTOMER, project=project, subject=_mark(shop, pseudonym))
        return responses.delete_customer(session, project, pseudonym)

    return _forget(shop, project, delete)


def forget_expired(shop: Workshop, project: str, *, actor: str = "retention") -> tuple[int, str | None]:
    """Delete the responses that are older than their project keeps them, as ``forget_customer`` does a customer's.

    A response is as old as its own date, or else as its upload. What is counted are whole days (UTC), so that a second run on the same day
    has nothing left to do. Raises ConflictError where the project keeps its responses for ever.
    """

    def delete(session: Session) -> int:
        before = _kept_since(projects.get_project(session, project).retention_days)
        if before is None:
            raise ConflictError(f"project {project} keeps its responses for ever; give it retention_days first")
        deleted = responses.delete_expired(session, project, before)
        if deleted:
            access.note(session, actor, _EXPIRED, project=project, subject=str(deleted))
        return deleted

    return _forget(shop, project, delete)


def forget_again(shop: Workshop, since: Sequence[AuditRow]) -> int:
    """Delete again what was deleted after a backup was made, by the audit's entries since; return how many things that were.

    Customers, projects, webhooks, people and keys: none of them may come back with a restored backup.
    """
    again = 0
    for entry in since:
        if entry.action == _CUSTOMER and entry.project is not None and entry.subject is not None:
            again += _forget_marked(shop, entry.project, entry.subject)
        elif entry.action in _REMOVALS:
            try:
                with shop.database.transaction() as session:
                    _REMOVALS[entry.action](session, entry)
            except (NotFoundError, ConflictError):
                continue  # it was made after the backup; or they are the only admin that the backup knows
            again += 1
    shop.database.empty_log()
    return again


def _forget_marked(shop: Workshop, project: str, mark: str) -> int:
    with shop.database.reading() as session:
        found = [customer for customer in responses.list_customers(session, project) if _mark(shop, customer) == mark]
    for customer in found:
        _forget(shop, project, partial(_delete_customer, project, customer))
    return len(found)


def _delete_customer(project: str, customer: str, session: Session) -> int:
    return responses.delete_customer(session, project, customer)


def _mark(shop: Workshop, pseudonym: str) -> str:
    """Return what the audit may know of a customer: nobody without the key can tell who it was."""
    return hashlib.blake2b(pseudonym.encode("utf-8", "surrogatepass"), key=shop.pseudonym_key(), digest_size=16).hexdigest()


def _kept_since(days: int | None) -> datetime | None:
    return None if days is None else datetime.combine(projects.now().date() - timedelta(days=days), time.min)


def _forget(shop: Workshop, project: str, delete: Callable[[Session], int]) -> tuple[int, str | None]:
    """Delete responses, and all that was made of them; return how many went, and the job that counts the rest anew."""
    with shop.database.transaction() as session:
        row = projects.lock_project(session, project)
        deleted = delete(session)
        if not deleted:
            return 0, None
        findings.remove_analysis(session, project)
        job = None
        if row.theme_set is not None:
            kept = _without_quotes(session, project, fitted_theme_set(session, project))
            findings.remove_theme_sets(session, project, before=keep_fitted(shop, session, project, kept))
            row.masks = list(kept.masks)
            job = projects.add_job(session, project, None).id
    shop.database.empty_log()
    return deleted, job


def _without_quotes(session: Session, project: str, theme_set: ThemeSet) -> ThemeSet:
    """Drop exemplars that are gone, keyphrases and hidden names that nobody says any more, and names of themes with such a word."""
    documents = responses.load_documents(session, project)
    languages = {document.id: document.language for document in documents}
    opinions, _ = responses.load_opinions(session, project)
    matched = "\n".join(matching_text(opinion.text, languages[opinion.document]) for opinion in opinions).casefold()
    said = "\n".join(document.text for document in documents).casefold() + "\n" + matched
    plain = _APOSTROPHES.sub("", said)
    present = {opinion.id for opinion in opinions}

    def kept(theme: Theme) -> Theme:
        phrases = {
            language: tuple(phrase for phrase in phrases if phrase.casefold() in said) for language, phrases in theme.keyphrases.items()
        }
        names = {
            language: name if _is_said(name, language, plain) else next(iter(phrases.get(language, ())), theme.id)
            for language, name in theme.names.items()
        }
        exemplars = tuple(quote for quote in theme.exemplars if quote.opinion in present)
        return replace(theme, names=names, keyphrases=phrases, exemplars=exemplars)

    masks = tuple(name for name in theme_set.masks if name.casefold() in matched)
    changed = replace(theme_set, themes=tuple(kept(theme) for theme in theme_set.themes), masks=masks)
    return replace(changed, version=theme_set_version(changed))


def _is_said(name: str, language: str, said: str) -> bool:
    """Tell whether somebody says every word of a name. Not the name: its words may come from several texts."""
    words = [token.surface for clause in read_clauses(name, language) for token in clause]
    return all(_APOSTROPHES.sub("", word.casefold()) in said for word in words)
