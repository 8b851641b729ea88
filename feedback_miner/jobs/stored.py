"""A project's corpus as it lies in the store: loaded whole, and encoded."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from feedback_miner.corpus import Corpus, count_copies
from feedback_miner.domain import Document, FeedbackItem
from feedback_miner.jobs.claim import Claim
from feedback_miner.jobs.living import text_key
from feedback_miner.jobs.workshop import Models
from feedback_miner.pipeline import distinct_texts
from feedback_miner.stages.clean import matching_text
from feedback_miner.stages.mask import EntityMask
from feedback_miner.store import responses
from feedback_miner.theming import EncodedOpinions

__all__ = ["build_corpus", "load_encoded", "load_rows"]

_CHUNK = 2_000
Rows = tuple[list[FeedbackItem], list[Document], responses.StoredOpinions]


def load_rows(session: Session, project: str) -> Rows:
    """Return everything read of a project. What takes time is left to ``build_corpus``: no transaction need wait for it."""
    return responses.load_items(session, project), responses.load_documents(session, project), responses.load_opinions(session, project)


def build_corpus(rows: Rows) -> Corpus:
    """Return what ``read_corpus`` would of one file."""
    items, stored, (opinions, _) = rows
    documents = count_copies(stored)
    language = {document.id: document.language for document in documents}
    languages = [language[opinion.document] for opinion in opinions]
    matching = [matching_text(opinion.text, language) for opinion, language in zip(opinions, languages, strict=True)]
    return Corpus(items, documents, opinions, matching, languages, {item.id: item.row for item in items})


def load_encoded(
    claim: Claim,
    matching: Sequence[str],
    languages: Sequence[str],
    masks: Sequence[str],
    models: Models,
    *,
    deletions: int,
    stage: str = "encode",
) -> EncodedOpinions:
    """Return the vectors of a project's texts under these names to hide. Those the store lacks are made, and kept, part by part, and
    reported as a part of ``stage``."""
    distinct, rows = distinct_texts(matching, languages, EntityMask(tuple(masks)))
    texts = {text_key(text, language): text for text, language in distinct}
    keys = list(texts)
    vectors = {}
    for name, embedder in models.encoders.items():
        with claim.shop.database.reading() as session:
            missing = responses.missing_vectors(session, claim.project, name, keys)
        for start in range(0, len(missing), _CHUNK):
            claim.note(stage, start, len(missing))
            part = missing[start : start + _CHUNK]
            fresh = dict(zip(part, embedder.encode([texts[key] for key in part]), strict=True))
            with claim.writing(deletions=deletions) as session:
                responses.add_vectors(session, claim.project, name, fresh)
        with claim.shop.database.reading() as session:
            vectors[name] = responses.load_vectors(session, claim.project, name, keys)
    return EncodedOpinions(
        texts=[text for text, _ in distinct],
        languages=[language for _, language in distinct],
        opinion_row=rows,
        vectors=vectors[models.embedder.version],
        head_vectors=vectors[models.heads_embedder.version],
    )
