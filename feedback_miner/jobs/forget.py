"""A customer's deletion: their responses, the vectors only they had, and every place their words were quoted in."""

from dataclasses import replace

from sqlalchemy.orm import Session

from feedback_miner.domain import Theme, ThemeSet
from feedback_miner.errors import ConflictError
from feedback_miner.jobs.living import fitted_theme_set, keep_fitted
from feedback_miner.jobs.workshop import Workshop
from feedback_miner.stages.clean import matching_text
from feedback_miner.stages.redact import redact_value
from feedback_miner.store import findings, projects, responses
from feedback_miner.theme_set import theme_set_version

__all__ = ["forget_customer"]


def forget_customer(shop: Workshop, project: str, customer: str) -> tuple[int, str | None]:
    """Delete a customer by the key they have in the uploaded files; return how many responses went, and the job that counts the rest anew.

    Figures vanish with the customer and come back with the job: none of them may go on quoting who is gone. Raises ConflictError while a
    batch waits to be read: it may hold more of the customer.
    """
    pseudonym = redact_value(customer, key=shop.pseudonym_key())
    with shop.database.transaction() as session:
        row = projects.lock_project(session, project)
        if projects.is_reading(session, project):
            raise ConflictError(f"a batch of project {project} is still to be read; delete the customer when its job has ended")
        deleted = responses.delete_customer(session, project, pseudonym)
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
    """Drop exemplars that are gone, and keyphrases and hidden names that nobody says any more."""
    documents = responses.load_documents(session, project)
    languages = {document.id: document.language for document in documents}
    opinions, _ = responses.load_opinions(session, project)
    said = "\n".join(document.text for document in documents).casefold()
    matched = "\n".join(matching_text(opinion.text, languages[opinion.document]) for opinion in opinions).casefold()
    present = {opinion.id for opinion in opinions}

    def kept(theme: Theme) -> Theme:
        phrases = {
            language: tuple(phrase for phrase in phrases if phrase.casefold() in said) for language, phrases in theme.keyphrases.items()
        }
        return replace(theme, keyphrases=phrases, exemplars=tuple(quote for quote in theme.exemplars if quote.opinion in present))

    masks = tuple(name for name in theme_set.masks if name.casefold() in matched)
    changed = replace(theme_set, themes=tuple(kept(theme) for theme in theme_set.themes), masks=masks)
    return replace(changed, version=theme_set_version(changed))
