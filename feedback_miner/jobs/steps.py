"""The steps of a job. Each takes a claim on it; each may be cut off anywhere and run again from its start.

ingest   spool file -> responses, documents, opinions (redacted); the spool file is gone afterwards
mask     the first wave -> the names to hide from the encoder
encode   a shard of opinions -> their vectors
themes   all vectors -> the project's theme set, and what became of each theme
encode   once more, where a theme set mined anew hides other names from the encoder
code     every opinion not coded with the theme set yet -> what it reads in it
measure  everything, texts of several opinions also as a whole -> the project's analysis

What is computed from stored text is written only if no customer was deleted meanwhile; else the step begins again.
"""

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Concatenate, ParamSpec, TypeVar

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from feedback_miner.classify import OpinionCoder
from feedback_miner.config import MiningConfig
from feedback_miner.corpus import read_corpus
from feedback_miner.domain import Coding, ColumnMapping, FeedbackItem, LineageEvent, LineageKind, RowIssue, Run, Vectors
from feedback_miner.edits import Edit, apply_to_coding
from feedback_miner.errors import InputError
from feedback_miner.ingest import IngestOptions, read_feedback
from feedback_miner.jobs.claim import Claim, DeletedMeanwhile
from feedback_miner.jobs.fitting import Fitting
from feedback_miner.jobs.living import fitted_theme_set, keep_fitted, living_theme_set, replay_log, text_key
from feedback_miner.jobs.stored import build_corpus, load_encoded, load_rows
from feedback_miner.jobs.workshop import Workshop
from feedback_miner.pipeline import find_wholes, gather_findings, read_wholes
from feedback_miner.progress import report_to_nobody
from feedback_miner.report import findings_to_json
from feedback_miner.stages.clean import matching_text
from feedback_miner.stages.mask import EntityMask, find_entities
from feedback_miner.store import customers, findings, outbox, projects, responses
from feedback_miner.taxonomy import parse_taxonomy

__all__ = ["ORDER", "abandon", "code", "encode", "ingest", "living_theme_set", "mapping_to_values", "mask", "measure", "sweep", "themes"]

ORDER = ("ingest", "mask", "encode", "themes", "encode", "code", "measure")
"""In which a job's steps are run. ``encode`` is asked again until nothing is left."""
_P = ParamSpec("_P")
_R = TypeVar("_R")

_CHUNK = 2_000
_REPORT_EVERY = 1.0
_AFTER_THEMES = ("code", "measure")
_MOST_BATCHES = 100_000
_MAPPING = TypeAdapter(ColumnMapping)
_OPTIONS = TypeAdapter(IngestOptions)


def _unless_deleted(step: Callable[Concatenate[Claim, _P], _R]) -> Callable[Concatenate[Claim, _P], _R]:
    """Begin a step again as often as a customer is deleted while it runs."""

    @functools.wraps(step)
    def run(claim: Claim, /, *args: _P.args, **named: _P.kwargs) -> _R:
        while True:
            try:
                return step(claim, *args, **named)
            except DeletedMeanwhile:
                continue

    return run


def ingest(claim: Claim) -> None:
    """Read a job's batch into the store, chunk by chunk, and delete its spool file."""
    shop = claim.shop
    with claim.writing() as session:
        projects.begin_job(session, claim.job)
    if claim.batch is None:
        return
    spool = shop.spool_path(claim.batch)
    with claim.writing() as session:
        batch = projects.get_batch(session, claim.project, claim.batch)
        source, read = batch.source, batch.columns is not None
        # Scores of one project are on one scale: what the first wave's were, the next one's are, unless its owner says otherwise.
        options = {**batch.options, "score_kind": batch.options.get("score_kind") or projects.score_kind(session, claim.project)}
        if not read:
            responses.remove_batch_responses(session, claim.batch)
    if read:  # to its end, before a crash or by an earlier job
        spool.unlink(missing_ok=True)
        return
    if not spool.exists():
        raise InputError(f"the upload of {source} is gone; upload it again")
    try:
        _ingest_file(claim, source, options)
    except InputError as error:
        raise type(error)(str(error).replace(spool.name, source)) from None  # the owner knows the file by its own name
    spool.unlink(missing_ok=True)


def _ingest_file(claim: Claim, source: str, options: Mapping[str, Any]) -> None:
    batch_id = str(claim.batch)
    ingested = read_feedback(claim.shop.spool_path(batch_id), options=_OPTIONS.validate_python(options))
    key, done = claim.shop.pseudonym_key(), 0
    with closing(ingested):
        for chunk in _chunks(ingested.items(), _CHUNK):
            claim.note("ingest", done, None)
            items = _renumbered(claim, batch_id, chunk)
            corpus = read_corpus(items, report_to_nobody, key=key)
            done += len(chunk)
            with claim.writing() as session:
                responses.add_responses(session, claim.project, batch_id, corpus.items, corpus.rows, corpus.documents, corpus.opinions)
                _keep_customers(claim, session, items, corpus.items)
    if not done:
        raise InputError(f"{source} has no rows to mine")
    with claim.writing() as session:
        batch = projects.get_batch(session, claim.project, batch_id)
        batch.rows = ingested.rows
        batch.columns = mapping_to_values(ingested.mapping)
        batch.issues = [[issue.row, issue.column, issue.reason, issue.kept] for issue in ingested.issues]


def _keep_customers(claim: Claim, session: Session, items: Iterable[FeedbackItem], read: Iterable[FeedbackItem]) -> None:
    """Seal the keys of new customers. A key that is its own pseudonym holds nothing to seal."""
    pseudonyms = {item.id: item.customer for item in read}
    keys = {str(pseudonyms[item.id]): item.customer for item in items if item.customer not in (None, pseudonyms[item.id])}
    unknown = customers.unknown_customers(session, claim.project, keys)
    customers.add_customers(session, claim.project, {name: claim.shop.seal(str(keys[name])) for name in unknown})


def abandon(claim: Claim, state: str, reason: str | None) -> None:
    """End a job that goes no further. What was read of a batch half-way goes with it, and so does its upload."""
    with claim.writing() as session:
        projects.end_job(session, claim.job, state, reason)
    sweep(claim.shop, claim.job)


def sweep(shop: Workshop, job: str) -> None:
    """Clear away what an ended job left of a batch that was not read to its end."""
    with shop.database.transaction() as session:
        row = projects.get_job(session, job)
        if row.batch is None or projects.get_batch(session, row.project, row.batch).columns is not None:
            return
        responses.remove_batch_responses(session, row.batch)
    shop.spool_path(row.batch).unlink(missing_ok=True)


@_unless_deleted
def mask(claim: Claim) -> None:
    """Find the names to hide from the encoder, once in a project's life: with its first wave."""
    with claim.shop.database.reading() as session:
        project = projects.get_project(session, claim.project)
        if project.masks is not None:
            return
        rows = projects.get_job(session, claim.job).done

        def matching_texts(texts: Iterable[tuple[str, str]]) -> Iterator[str]:
            for number, (text, language) in enumerate(texts):
                if number % _CHUNK == 0:
                    claim.note("ingest", rows, None)  # of a million opinions it takes minutes
                yield matching_text(text, language)

        with closing(responses.stream_texts(session, project.id)) as texts:
            found = find_entities(matching_texts(texts))
    with claim.writing(deletions=project.deletions) as session:
        projects.get_project(session, claim.project).masks = list(found)


@_unless_deleted
def encode(claim: Claim, after: int) -> int | None:
    """Encode the opinions of the next rows after a row number; return the last row done, ``None`` where none is left."""
    with claim.shop.database.reading() as session:
        project = projects.get_project(session, claim.project)
        row = projects.get_job(session, claim.job)
        # Counted once: for a million opinions it takes a second.
        done, total = (row.done, row.total) if after and row.stage == "encode" else responses.count_encoded(session, project.id)
        shard = responses.load_shard(session, project.id, after, _CHUNK)
        models = claim.shop.models(str(project.config["encoder"]))
        hide = EntityMask(tuple(project.masks or ())).hide
        texts: dict[bytes, str] = {}
        keys: dict[int, bytes] = {}
        for number, text, language in shard:
            hidden = hide(matching_text(text, language))
            keys[number] = text_key(hidden, language)
            texts[keys[number]] = hidden
        encoders = models.encoders
        missing = {name: responses.missing_vectors(session, project.id, name, texts) for name in encoders}
    if not shard:
        return None
    claim.note("encode", done, total)
    fresh = {
        name: dict(zip(missing[name], embedder.encode([texts[key] for key in missing[name]]), strict=True))
        for name, embedder in encoders.items()
        if missing[name]
    }
    with claim.writing(deletions=project.deletions) as session:
        for name, vectors in fresh.items():
            responses.add_vectors(session, project.id, name, vectors)
        responses.set_text_keys(session, keys)
        projects.note_progress(session, claim.job, "encode", done + len(shard), total)
    return shard[-1][0]


@_unless_deleted
def themes(claim: Claim) -> None:
    """Fit the project's theme set: where it has none, where a batch may bring new themes, and where it is to be mined anew."""
    with claim.shop.database.reading() as session:
        job = projects.get_job(session, claim.job)
        project = projects.get_project(session, claim.project)
        fitted = None if project.theme_set is None else fitted_theme_set(session, project.id)
        if job.stage in _AFTER_THEMES or (fitted is not None and job.kind == "count"):
            return  # kept before a crash: on what this very wave made, another might be born
    claim.note("themes", 0, None)
    with claim.shop.database.reading() as session:
        rows = load_rows(session, project.id)
    fitting = Fitting(claim, MiningConfig(**project.config), build_corpus(rows), tuple(project.masks or ()), project.deletions)
    found = fitting.mine(fitted) if fitted is None or job.kind == "remine" else fitting.extend(fitted)
    if found is None:
        return
    with claim.writing(deletions=project.deletions) as session:
        number = keep_fitted(claim.shop, session, project.id, found.theme_set)
        findings.add_lineage(session, project.id, number, found.lineage)
        _tell_births(session, claim, found.lineage)
        if found.theme_set.masks != tuple(project.masks or ()):
            projects.get_project(session, project.id).masks = list(found.theme_set.masks)
            responses.forget_text_keys(session, project.id)  # the encoder sees other texts now; their vectors are there
        projects.note_progress(session, claim.job, _AFTER_THEMES[0], 0, None)


def _tell_births(session: Session, claim: Claim, lineage: Iterable[LineageEvent]) -> None:
    """Tell webhooks which themes are new: their ids, since names are made of what customers wrote."""
    if born := [event.new for event in lineage if event.kind is LineageKind.BORN]:
        version = findings.living_version(session, claim.project)
        told = {"job": claim.job, "project": claim.project, "themes": born, "theme_set_version": version}
        outbox.tell(session, claim.project, "theme.born", told, at=projects.now())


@_unless_deleted
def code(claim: Claim) -> None:
    """Code every opinion of the project that its living theme set has not coded yet."""
    with claim.shop.database.reading() as session:
        deletions = projects.get_project(session, claim.project).deletions
        number = findings.get_theme_set(session, claim.project).number
        theme_set = living_theme_set(session, claim.project)
        total = findings.count_uncoded(session, claim.project, number)
        corrections = _corrections_by_row(claim, session)
    models = claim.shop.models(theme_set.encoder)
    coder = models.coder(theme_set)
    after, done = 0, 0
    while True:
        claim.note("code", done, total)
        with claim.shop.database.reading() as session:
            shard = findings.load_uncoded(session, claim.project, number, after, _CHUNK)
            keys = [bytes(opinion.text_key or b"") for opinion in shard]
            vectors = {name: responses.load_vectors(session, claim.project, name, keys) for name in models.encoders}
        if not shard:
            return
        codings = _code_shard(shard, coder, vectors[models.embedder.version], vectors[models.heads_embedder.version])
        for row in corrections.keys() & codings.keys():
            id_, edits = corrections[row]
            place = next((opinion.start, opinion.end) for opinion in shard if opinion.row == row)
            codings[row] = apply_to_coding(replace(codings[row], opinion=id_), edits, span=place)
        with claim.writing(deletions=deletions) as session:
            findings.save_codings(session, claim.project, number, codings)
        after, done = shard[-1].row, done + len(shard)


def _corrections_by_row(claim: Claim, session: Session) -> dict[int, tuple[str, tuple[Edit, ...]]]:
    """Return the id of each opinion that an analyst corrected, and how, by row number."""
    corrections = replay_log(claim.shop, session, claim.project).corrections
    named = responses.load_named(session, claim.project, corrections)
    return {row: (id_, corrections[id_]) for id_, (row, _, _) in named.items()}


def _code_shard(
    shard: Sequence[findings.UncodedOpinion], coder: OpinionCoder, vectors: Vectors, head_vectors: Vectors
) -> dict[int, Coding]:
    opinions = [
        (str(opinion.row), matching_text(opinion.document[opinion.start : opinion.end], opinion.language), opinion.language)
        for opinion in shard
    ]
    codings = coder.code(opinions, vectors=vectors, head_vectors=head_vectors)
    return {
        opinion.row: replace(coding, causes=tuple(replace(cause, start=opinion.start, end=opinion.end) for cause in coding.causes))
        for opinion, coding in zip(shard, codings, strict=True)
    }


def measure(claim: Claim) -> None:
    """Count what was coded and keep it as the project's current analysis."""
    while not _measure(claim):
        code(claim)  # an edit has made another theme set the living one meanwhile


@_unless_deleted
def _measure(claim: Claim) -> bool:
    """Tell whether everything was coded with the living theme set; only then count it."""
    started = datetime.now(UTC).replace(tzinfo=None)
    claim.note("measure", 0, None)
    with claim.shop.database.reading() as session:
        project = projects.get_project(session, claim.project)
        rows = load_rows(session, project.id)
        theme_set = living_theme_set(session, project.id)
        number = findings.get_theme_set(session, project.id).number
        if findings.count_uncoded(session, project.id, number):
            return False
        opinions, numbers = rows[2]
        stored = findings.load_codings(session, project.id, dict(zip(numbers, (opinion.id for opinion in opinions), strict=True)))
        total, item_rows = responses.load_rows(session, project.id)
        batches = [batch for batch in projects.list_batches(session, project.id, limit=_MOST_BATCHES) if batch.columns is not None]
    if not batches:
        raise InputError(f"project {project.id} has no batch that was read to its end; upload one")
    config = MiningConfig(**project.config)
    corpus, codings = build_corpus(rows), [stored[number] for number in numbers]
    models = claim.shop.models(theme_set.encoder)
    documents, texts, languages = find_wholes(corpus)
    encoded = load_encoded(claim, texts, languages, theme_set.masks, models, deletions=project.deletions, stage="measure")
    keys = [text_key(encoded.texts[row], encoded.languages[row]) for row in encoded.opinion_row]
    found = gather_findings(
        corpus,
        codings,
        read_wholes(documents, encoded, corpus.opinions, codings, models.coder(theme_set)),
        theme_set,
        taxonomy=parse_taxonomy(theme_set.taxonomy, source=f"theme set {theme_set.version}"),
        config=config,
        columns=_MAPPING.validate_python(batches[0].columns),
        rows=total,
        heads=claim.shop.models(config.encoder).heads,
    )
    issues = tuple(RowIssue(*issue) for batch in batches for issue in batch.issues)
    run = Run(started, {}, project.name, None, item_rows, issues)
    with claim.writing(deletions=project.deletions) as session:
        responses.set_whole_keys(session, project.id, dict(zip(documents, keys, strict=True)))
        findings.save_analysis(session, project.id, number, findings_to_json(found, run))
    return True


def mapping_to_values(mapping: ColumnMapping) -> dict[str, Any]:
    """Return a column mapping as JSON holds it."""
    values: dict[str, Any] = _MAPPING.dump_python(mapping, mode="json")
    return values


def _chunks(items: Iterator[FeedbackItem], size: int) -> Iterator[list[FeedbackItem]]:
    while chunk := list(itertools.islice(items, size)):
        yield chunk


def _renumbered(claim: Claim, batch: str, items: Iterable[FeedbackItem]) -> list[FeedbackItem]:
    """Count identical responses on through the project's waves: several files give the ids that one file of them all would."""
    parts = [(item, *item.id.partition("-")[::2]) for item in items]
    with claim.shop.database.reading() as session:
        before = responses.last_numbers(session, claim.project, (content for _, content, _ in parts), other_than=batch)
    numbers = [(item, content, int(number or 1) + before.get(content, 0)) for item, content, number in parts]
    return [replace(item, id=content if number == 1 else f"{content}-{number}") for item, content, number in numbers]
