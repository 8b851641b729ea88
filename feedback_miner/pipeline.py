"""``mine()``: the only file that knows the order of the stages.

    ingest -> read (clean, redact, language, content, segment) -> encode -> cluster -> label -> freeze a ThemeSet
           -> code every opinion with it, read wholes -> measure

Whatever is fitted sees distinct opinions sorted by hash, so the order of rows cannot matter; whatever is assigned goes through the same
``OpinionCoder`` that serves ``classify``.
"""

import hashlib
import platform
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import UTC, datetime

from threadpoolctl import threadpool_limits

from feedback_miner import __version__
from feedback_miner.analysis import Analysis
from feedback_miner.classify import OpinionCoder, fold_polarity, load_heads_for
from feedback_miner.config import MiningConfig
from feedback_miner.corpus import Corpus, read_corpus
from feedback_miner.domain import (
    Coding,
    ColumnMapping,
    ContentStatus,
    Counts,
    Document,
    FeedbackItem,
    Findings,
    ItemRecord,
    Opinion,
    Run,
    ThemeSet,
    WholeReading,
)
from feedback_miner.embedders import Embedder, load_embedder
from feedback_miner.errors import InputError
from feedback_miner.ingest import IngestOptions, read_feedback
from feedback_miner.insight.measures import measure
from feedback_miner.labeller import LlmLabeller
from feedback_miner.progress import Progress, report_to_nobody
from feedback_miner.report import ANALYSIS_SCHEMA
from feedback_miner.stages.clean import matching_text, text_key
from feedback_miner.stages.mask import EntityMask, find_entities
from feedback_miner.stages.sentiment import Heads
from feedback_miner.stages.space import half_precision
from feedback_miner.taxonomy import Taxonomy, load_taxonomy
from feedback_miner.theming import EncodedOpinions, fit_theme_set

__all__ = ["code_corpus", "distinct_texts", "encode_texts", "find_wholes", "gather_findings", "hash_of_text", "mine_items", "read_wholes"]

_WHOLES_AT_A_TIME = 2_000


def mine_items(
    source: object,
    *,
    options: IngestOptions,
    config: MiningConfig,
    embedder: Embedder | None = None,
    progress: Progress | None = None,
) -> Analysis:
    """Run the whole pipeline over a source of feedback; see ``feedback_miner.mine`` for the public door."""
    progress = progress or report_to_nobody
    clock = _Stopwatch()
    started = datetime.now(UTC)
    taxonomy = load_taxonomy(config.taxonomy)  # a broken taxonomy or address should fail before minutes of work
    labeller = LlmLabeller(config.labeller_url, config.labeller_model or "") if config.labeller_url else None
    ingested = read_feedback(source, options=options)  # and so should a file that cannot be used
    with clock.stage("load"):
        embedder = embedder or load_embedder(config.encoder)
        heads, heads_embedder = load_heads_for(embedder)
    with clock.stage("read"):
        corpus = read_corpus(ingested.items(), progress)
        if not corpus.items:
            raise InputError(f"{ingested.source} has no rows to mine")
    with clock.stage("encode"):
        masks = find_entities(corpus.matching)
        mask = EntityMask(masks)
        encoded = encode_texts(corpus.matching, corpus.languages, mask, embedder, heads_embedder, progress)
        documents, texts, languages = find_wholes(corpus)
        encoded_wholes = encode_texts(texts, languages, mask, embedder, heads_embedder, progress, stage="encode whole texts")
    with clock.stage("themes"), threadpool_limits(1):  # sums in one order, however many cores the machine has
        theme_set = fit_theme_set(
            encoded,
            corpus.opinions,
            masks=masks,
            taxonomy=taxonomy,
            config=config,
            embedder=embedder,
            heads=heads,
            heads_embedder=heads_embedder,
            labeller=labeller,
            progress=progress,
        )
    with clock.stage("code"):
        coder = OpinionCoder(theme_set, embedder, heads, heads_embedder)
        codings = code_corpus(corpus, encoded, coder, progress)
        wholes = read_wholes(documents, encoded_wholes, corpus.opinions, codings, coder)
    with clock.stage("measure"):
        progress("measure", 0, 1)
        findings = gather_findings(
            corpus,
            codings,
            wholes,
            theme_set,
            taxonomy=taxonomy,
            config=config,
            columns=ingested.mapping,
            rows=ingested.rows,
            heads=heads,
        )
        progress("measure", 1, 1)
    run = Run(
        started_at=started.replace(tzinfo=None),
        seconds=clock.seconds,
        source=ingested.source,
        source_sha256=ingested.sha256,
        rows=corpus.rows,
        issues=tuple(ingested.issues),
        machine=f"{platform.machine()} {platform.system()} Python {platform.python_version()}",
        notes=() if labeller is None else tuple(labeller.notes),
    )
    return Analysis(findings, theme_set, run)


class _Stopwatch:
    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        yield
        self.seconds[name] = round(time.perf_counter() - start, 3)


def encode_texts(
    matching: Sequence[str],
    languages: Sequence[str],
    mask: EntityMask,
    embedder: Embedder,
    heads_embedder: Embedder,
    progress: Progress,
    *,
    stage: str = "encode",
) -> EncodedOpinions:
    """Encode each distinct text once, as the encoder may see it: without names."""
    distinct, rows = distinct_texts(matching, languages, mask)
    texts = [text for text, _ in distinct]
    vectors = embedder.encode(texts, progress=lambda done: progress(stage, done, len(texts)))
    same = heads_embedder.version == embedder.version
    head_vectors = (
        vectors if same else heads_embedder.encode(texts, progress=lambda done: progress(f"{stage} for sentiment", done, len(texts)))
    )
    return EncodedOpinions(texts, [language for _, language in distinct], rows, half_precision(vectors), half_precision(head_vectors))


def distinct_texts(matching: Iterable[str], languages: Iterable[str], mask: EntityMask) -> tuple[list[tuple[str, str]], list[int]]:
    """Return the distinct (text, language) pairs that the encoder may see of opinions, in hash order, and the place of each opinion's."""
    pairs = [(mask.hide(text), language) for text, language in zip(matching, languages, strict=True)]
    distinct = sorted(set(pairs), key=lambda pair: hash_of_text(*pair))
    place = {pair: row for row, pair in enumerate(distinct)}
    return distinct, [place[pair] for pair in pairs]


def hash_of_text(text: str, language: str) -> bytes:
    """Return the key by which distinct opinions are ordered wherever something is fitted on them."""
    return hashlib.sha256(f"{text}\0{language}".encode("utf-8", "surrogatepass")).digest()


def code_corpus(corpus: Corpus, encoded: EncodedOpinions, coder: OpinionCoder, progress: Progress) -> list[Coding]:
    """Code each distinct opinion once and hand the result to all its copies."""
    total = len(encoded.texts)
    progress("code", 0, total)
    # The texts are hidden already; hiding twice changes nothing, so they stand for the matching texts they came from.
    distinct = coder.code(
        [(str(row), text, language) for row, (text, language) in enumerate(zip(encoded.texts, encoded.languages, strict=True))],
        vectors=encoded.vectors,
        head_vectors=encoded.head_vectors,
    )
    progress("code", total, total)
    codings = []
    for opinion, row in zip(corpus.opinions, encoded.opinion_row, strict=True):
        coding = distinct[row]
        causes = tuple(replace(cause, start=opinion.start, end=opinion.end) for cause in coding.causes)
        codings.append(replace(coding, opinion=opinion.id, causes=causes))
    return codings


def find_wholes(corpus: Corpus) -> tuple[list[str], list[str], list[str]]:
    """Return id, matching text and language of each document of several opinions."""
    said = Counter(opinion.document for opinion in corpus.opinions)
    wholes = [document for document in corpus.documents if said[document.id] > 1]
    languages = [document.language for document in wholes]
    return [document.id for document in wholes], [matching_text(document.text, document.language) for document in wholes], languages


def read_wholes(
    documents: Sequence[str], encoded: EncodedOpinions, opinions: Sequence[Opinion], codings: Sequence[Coding], coder: OpinionCoder
) -> dict[str, WholeReading]:
    """Read documents of several opinions as wholes.

    Row ``encoded.opinion_row[i]`` is what ``documents[i]`` was encoded as; ``codings[i]`` belongs to ``opinions[i]``.
    """
    themes: dict[str, dict[str, None]] = {}
    for opinion, coding in zip(opinions, codings, strict=True):
        themes.setdefault(opinion.document, {}).update(dict.fromkeys(theme.theme for theme in coding.themes))
    found: dict[str, WholeReading] = {}
    for start in range(0, len(documents), _WHOLES_AT_A_TIME):
        part = documents[start : start + _WHOLES_AT_A_TIME]
        rows = encoded.opinion_row[start : start + _WHOLES_AT_A_TIME]
        read = coder.read_wholes(
            [(encoded.texts[row], encoded.languages[row]) for row in rows],
            [themes[document] for document in part],
            vectors=encoded.vectors[rows],
            head_vectors=encoded.head_vectors[rows],
        )
        found |= dict(zip(part, read, strict=True))
    return found


def gather_findings(
    corpus: Corpus,
    codings: Sequence[Coding],
    wholes: Mapping[str, WholeReading],
    theme_set: ThemeSet,
    *,
    taxonomy: Taxonomy,
    config: MiningConfig,
    columns: ColumnMapping,
    rows: int,
    heads: Heads,
) -> Findings:
    """Count what was coded; ``codings[i]`` belongs to ``corpus.opinions[i]``, ``wholes`` to documents of several opinions by their ids,
    ``rows`` includes those that were rejected."""
    by_document: dict[str, list[int]] = {}
    for at, opinion in enumerate(corpus.opinions):
        by_document.setdefault(opinion.document, []).append(at)
    documents = [
        _with_theme(document, [codings[at] for at in by_document.get(document.id, ())], wholes.get(document.id))
        for document in corpus.documents
    ]
    by_item: dict[str, list[Document]] = {}
    for document in documents:
        by_item.setdefault(document.item, []).append(document)
    items = [_record(item, by_item.get(item.id, []), by_document, corpus.opinions, codings, wholes) for item in corpus.items]
    measures = measure(
        items,
        documents,
        corpus.opinions,
        codings,
        themes=theme_set.themes,
        drivers={cause.id: cause.driver for cause in taxonomy.causes},
        score_kind=columns.score_kind,
        min_group_people=config.min_group_people,
        bootstrap_samples=config.bootstrap_samples,
        seed=config.seed,
    )
    return Findings(
        schema=ANALYSIS_SCHEMA,
        version=__version__,
        versions={
            "taxonomy_version": taxonomy.version,
            "theme_set_version": theme_set.version,
            "model_version": f"{theme_set.encoder_version}+{heads.version}",
        },
        config=asdict(config),
        columns=columns,
        counts=_count(items, documents, corpus.opinions, codings, rows),
        score=measures.score,
        score_trend=measures.score_trend,
        themes=theme_set.themes,
        theme_measures=measures.theme_measures,
        cause_measures=measures.cause_measures,
        strength_measures=measures.strength_measures,
        detractor_causes=measures.detractor_causes,
        items=tuple(items),
        documents=tuple(documents),
        opinions=tuple(corpus.opinions),
        codings=tuple(codings),
    )


_BEST_FIRST = (ContentStatus.THEMED, ContentStatus.RESIDUAL, ContentStatus.NO_CONTENT)


def _with_theme(document: Document, codings: Sequence[Coding], whole: WholeReading | None) -> Document:
    themes = [theme.theme for coding in codings for theme in coding.themes]
    if not themes:
        return document
    return replace(document, status=ContentStatus.THEMED, theme=themes[0] if whole is None else whole.theme)


def _record(
    item: FeedbackItem,
    documents: Sequence[Document],
    by_document: Mapping[str, list[int]],
    opinions: Sequence[Opinion],
    codings: Sequence[Coding],
    wholes: Mapping[str, WholeReading],
) -> ItemRecord:
    statuses = {document.status for document in documents}
    status = next((best.value for best in _BEST_FIRST if best in statuses), "without_text")
    places = [at for document in documents for at in by_document.get(document.id, ())]
    # Where an analyst has corrected an opinion, the whole as the model read it has no say any more.
    read = [
        (len(document.text), wholes[document.id].sentiment)
        for document in documents
        if document.id in wholes and not any("sentiment" in codings[at].edited for at in by_document[document.id])
    ]
    polarity, sentiment = (
        fold_polarity([opinions[at] for at in places], [codings[at].sentiment for at in places], read) if places else (None, None)
    )
    return ItemRecord(
        id=item.id,
        status=status,
        score=item.score,
        created_at=item.created_at,
        customer=item.customer,
        channel=item.channel,
        weight=item.weight,
        attributes=dict(item.attributes),
        sentiment=polarity,
        sentiment_score=None if sentiment is None else round(sentiment.score, 6),
    )


def _count(
    items: Sequence[ItemRecord], documents: Sequence[Document], opinions: Sequence[Opinion], codings: Sequence[Coding], rows: int
) -> Counts:
    statuses = Counter(item.status for item in items)
    redactions: Counter[str] = Counter()
    for document in documents:
        redactions.update(dict(document.redactions))
    negative = [coding for coding in codings if coding.sentiment.negative > max(coding.sentiment.neutral, coding.sentiment.positive)]
    return Counts(
        rows=rows,
        rejected=rows - len(items),
        without_text=statuses["without_text"],
        no_content=statuses["no_content"],
        themed=statuses["themed"],
        residual=statuses["residual"],
        documents=len(documents),
        opinions=len(opinions),
        distinct_texts=len({text_key(document.text) for document in documents}),
        reposts=sum(document.repost for document in documents),
        redactions=dict(sorted(redactions.items())),
        languages=dict(sorted(Counter(document.language for document in documents).items())),
        residual_opinions=dict(sorted(Counter(coding.residual.value for coding in codings if coding.residual).items())),
        unmapped_opinions=sum(not coding.causes for coding in negative),
    )
