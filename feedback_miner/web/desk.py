"""The desk where texts are classified: as many at a time as there are processors, some callers waiting, the rest sent away."""

import asyncio
import logging
import threading
import time
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from feedback_miner.classify import Classification, Classifier, check_texts
from feedback_miner.config import MiningConfig
from feedback_miner.domain import ThemeSet
from feedback_miner.embedders.one_by_one import available_cpus
from feedback_miner.errors import FeedbackMinerError, NotFoundError
from feedback_miner.jobs.living import living_theme_set
from feedback_miner.jobs.workshop import Models, Workshop
from feedback_miner.stages.causes import find_causes
from feedback_miner.store import findings
from feedback_miner.taxonomy import load_taxonomy, taxonomy_to_mapping
from feedback_miner.theme_set import theme_set_version
from feedback_miner.web.meaning import Phrase
from feedback_miner.web.problems import RefusalError

__all__ = ["ClassifyDesk"]

_T = TypeVar("_T")
_MOST_LIVING = 32
"""Theme sets held at a time; the one not asked for longest goes first."""
_SURE_SECONDS = 0.1
"""A theme set that was the living one so lately still is: or each call would spend a tenth of its time on asking the database."""
_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Living:
    """What a project's texts are classified with."""

    classifier: Classifier
    asked: float
    """When the database was asked that last said so."""
    doubted: float
    """Since when it may be so no more."""


class ClassifyDesk:
    """One for a process. ``queue`` callers at most are served or wait.

    Each text goes through the model on one thread. A caller's texts are handed in a few at a time, so that a call of hundreds and a call
    of one take turns.
    """

    def __init__(self, shop: Workshop, *, encoder: str, queue: int) -> None:
        self._shop, self._encoder = shop, encoder
        self._places = threading.BoundedSemaphore(queue)
        self._at_once = available_cpus()
        self._readers = ThreadPoolExecutor(self._at_once, thread_name_prefix="classify")
        self._general: Classifier | None = None
        self._living: OrderedDict[str, _Living] = OrderedDict()
        self._held = threading.Lock()
        self._reason = "the model is still loading"

    @property
    def unready(self) -> str | None:
        """Why nothing can be classified yet; ``None`` once the model is loaded and has coded its first text."""
        return self._reason if self._general is None else None

    def warm_up(self) -> None:
        """Load the model and fit the default taxonomy's causes: seconds, before the first caller comes."""
        try:
            models = self._shop.models(self._encoder)
            general = _classifier(_themeless(models), models)
        except FeedbackMinerError as error:
            self._reason = str(error)
            _log.error("the model cannot be loaded: %s", error)
            return
        general.classify(["the parcel came late, 客服态度很好"])
        self._general = general

    async def classify(self, texts: Sequence[str], project: str | None) -> tuple[Classifier, list[Classification]]:
        """Classify with a project's living theme set, or without themes. Raises RefusalError (503) where too many wait already."""
        check_texts(texts)
        with self._place():
            first, *rest = texts
            classifier, reading = await self._hand_in(self._find_and_read, project, first)
            found, under_way = [reading], deque[asyncio.Future[Classification]]()
            for text in rest:
                if len(under_way) == self._at_once:
                    found.append(await under_way.popleft())
                under_way.append(self._hand_in(self._read, classifier, text))
            found += [await reading for reading in under_way]
        self._count(found, themed=project is not None)
        return classifier, found

    def align_phrase(self, phrase: str, project: str) -> Phrase:
        """Encode a phrase as the project's opinions were. It takes its turn as a text does."""
        with self._place():
            classifier = self._living_classifier(project)
            vector = self._readers.submit(classifier.align_phrase, phrase).result()
        return Phrase(vector, classifier.theme_set.language_means, classifier.theme_set.encoder_version)

    def look_again(self, project: str) -> None:
        """Ask the database at the next call which theme set is the living one: somebody may know that it is another now."""
        with self._held:
            if project in self._living:
                self._living[project].doubted = time.monotonic()

    def forget(self, project: str) -> None:
        """Let go of a project's theme set: it quotes customers."""
        with self._held:
            self._living.pop(project, None)

    @contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise RefusalError(503, "too many calls wait for the model; try again in a second", Retry_After="1")
        try:
            with self._shop.metrics.classify_calls.track_inprogress():
                yield
        finally:
            self._places.release()

    def _hand_in(self, work: Callable[..., _T], *given: Any) -> "asyncio.Future[_T]":
        """Let a reader do something as soon as one is free."""
        asked = time.perf_counter()

        def take_turn() -> _T:
            self._shop.metrics.classify_waits.observe(time.perf_counter() - asked)
            with self._shop.metrics.classify_seconds.time():
                return work(*given)

        return asyncio.get_running_loop().run_in_executor(self._readers, take_turn)

    def _find_and_read(self, project: str | None, text: str) -> tuple[Classifier, Classification]:
        # In one turn: each costs a caller two changes of threads, and most calls are of one text.
        classifier = self._themeless_classifier() if project is None else self._living_classifier(project)
        return classifier, self._read(classifier, text)

    def _read(self, classifier: Classifier, text: str) -> Classification:
        return classifier.classify([text])[0]

    def _count(self, found: Sequence[Classification], *, themed: bool) -> None:
        """Count texts, and those that got no theme; where no themes were asked for, only what says nothing got none."""
        themes, metrics = "project" if themed else "none", self._shop.metrics
        metrics.classified.labels(themes).inc(len(found))
        for reason, count in Counter(reading.abstained for reading in found).items():
            if reason is not None and (themed or reason != "no_theme"):
                metrics.abstained.labels(themes, reason).inc(count)

    def _themeless_classifier(self) -> Classifier:
        if self._general is None:
            raise RefusalError(503, self._reason, Retry_After="5")
        return self._general

    def _living_classifier(self, project: str) -> Classifier:
        with self._held:
            held = self._living.get(project)
            asked = time.monotonic()
            if held is not None and held.doubted < held.asked > asked - _SURE_SECONDS:
                return held.classifier
        with self._shop.database.reading() as session:
            try:
                version = findings.living_version(session, project)
            except NotFoundError:
                self.forget(project)  # deleted by another process
                raise
            if held is not None and held.classifier.theme_set.version == version:
                classifier = held.classifier
            else:
                theme_set = living_theme_set(session, project)
                classifier = _classifier(theme_set, self._shop.models(theme_set.encoder))
        with self._held:  # swapped whole: nobody ever sees half a theme set
            before = self._living.get(project)
            self._living[project] = _Living(classifier, asked, 0.0 if before is None else before.doubted)
            self._living.move_to_end(project)
            if len(self._living) > _MOST_LIVING:
                self._living.popitem(last=False)
        return classifier


def _classifier(theme_set: ThemeSet, models: Models) -> Classifier:
    return Classifier(theme_set, embedder=models.embedder, heads=models.heads, heads_embedder=models.heads_embedder)


def _themeless(models: Models) -> ThemeSet:
    """Return a theme set without themes: sentiment, type and the default pack's causes are read all the same."""
    taxonomy = load_taxonomy("default")
    columns, weights = find_causes(taxonomy, models.heads.causes, models.heads_embedder.encode, models.heads.language_means)
    dimensions = models.embedder.dimensions
    own = models.heads.encoder_version == models.embedder.version
    projection = models.heads.theme_projection if own else np.zeros((dimensions, 0), np.float32)
    theme_set = ThemeSet(
        version="",
        themes=(),
        encoder=models.embedder.name,
        encoder_version=models.embedder.version,
        heads_version=models.heads.version,
        prototypes=np.zeros((0, dimensions + projection.shape[1] + 1), np.float32),
        prototype_themes=(),
        thresholds=np.zeros(0, np.float32),
        language_means=models.heads.language_means if own else {"und": np.zeros(dimensions, np.float32)},
        projection=projection,
        masks=(),
        taxonomy=taxonomy_to_mapping(taxonomy),
        cause_ids=columns,
        cause_weights=weights,
        cause_priors=np.zeros((0, len(columns)), np.float32),
        cause_threshold=MiningConfig().cause_threshold,
    )
    return replace(theme_set, version=theme_set_version(theme_set))
