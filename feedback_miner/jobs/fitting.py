"""A project's theme set: fitted on its first wave, extended by later ones, or mined anew with the ids of the themes it finds again."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from threadpoolctl import threadpool_limits

from feedback_miner.config import MiningConfig
from feedback_miner.corpus import Corpus
from feedback_miner.domain import Coding, LineageEvent, ResidualReason, ThemeSet
from feedback_miner.edits import named_themes
from feedback_miner.jobs.claim import Claim
from feedback_miner.jobs.living import load_log
from feedback_miner.jobs.stored import load_encoded
from feedback_miner.jobs.workshop import Models
from feedback_miner.lineage import carry_ids, trace_lineage
from feedback_miner.stages.mask import find_entities
from feedback_miner.store import findings
from feedback_miner.taxonomy import load_taxonomy
from feedback_miner.theming import EncodedOpinions, extend_theme_set, fit_theme_set, keep_themes

__all__ = ["Fitted", "Fitting"]

_REPORT_EVERY = 1.0
_LEFT_OVER = (ResidualReason.ALONE, ResidualReason.BETWEEN)
"""Why an opinion that says enough for a theme is in none."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    """A theme set that was not there before."""

    theme_set: ThemeSet
    lineage: tuple[LineageEvent, ...]
    """What became of each theme; of a wave, the births alone."""


@dataclass(frozen=True, slots=True, eq=False)
class Fitting:
    """What is fitted on. Every method may take minutes, and stops at its next report where somebody asked for it."""

    claim: Claim
    config: MiningConfig
    corpus: Corpus
    masks: tuple[str, ...]
    deletions: int

    def mine(self, old: ThemeSet | None) -> Fitted | None:
        """Fit a theme set from nothing. One that had a theme set gets the same ids where themes are the same; ``None``: all are.

        Themes that analysts have worked on and that are not found again are kept beside those that are. Names are hidden from the encoder
        as they were, or where there was a theme set, as they are found in all waves together.
        """
        before = {} if old is None else self._leaves_before(old)
        masks = self.masks if old is None else tuple(find_entities(self.corpus.matching))
        encoded = self._encode(masks)
        with threadpool_limits(1):
            new = fit_theme_set(
                encoded, self.corpus.opinions, masks=masks, taxonomy=load_taxonomy(self.config.taxonomy), **self._knowledge()
            )
        after = self._leaves(new, encoded)
        events = trace_lineage(before, after, old_leaves=() if old is None else _leaf_ids(old), new_leaves=_leaf_ids(new))
        if old is None:
            return Fitted(new, events)
        with self.claim.shop.database.reading() as session:
            ever = findings.list_leaves_ever(session, self.claim.project)
            worked_on = named_themes(load_log(session, self.claim.project))
        carried = carry_ids(old, new, events, retired=ever)
        ids = dict(zip(new.prototype_themes, carried.prototype_themes, strict=True))
        after = {opinion: ids[leaf] for opinion, leaf in after.items()}
        lost = worked_on & ({theme.id for theme in old.themes} - {theme.id for theme in carried.themes})
        if lost:
            carried = self._keep(carried, old, lost, before, encoded)
            after = self._leaves(carried, encoded)
        kept = lost & set(carried.prototype_themes)
        events = trace_lineage(before, after, old_leaves=_leaf_ids(old), new_leaves=_leaf_ids(carried), kept=kept)
        return None if carried.version == old.version else Fitted(carried, events)

    def extend(self, old: ThemeSet) -> Fitted | None:
        """Let themes be born of what a theme set leaves residual; ``None``: none was."""
        encoded = self._encode(self.masks)
        residual = frozenset(row for row, coding in enumerate(self._code(old, encoded)) if coding.residual in _LEFT_OVER)
        places = [at for at, row in enumerate(encoded.opinion_row) if row in residual]
        left, opinions = encoded.select(places), [self.corpus.opinions[at] for at in places]
        with threadpool_limits(1):
            new = extend_theme_set(old, left, opinions, corpus=len(encoded.texts), **self._knowledge())
        if new.version == old.version:
            return None
        return Fitted(new, trace_lineage({}, _leaf_of_each([opinion.id for opinion in opinions], left, self._code(new, left))))

    def _keep(
        self, fitted: ThemeSet, old: ThemeSet, lost: Collection[str], before: Mapping[str, str], encoded: EncodedOpinions
    ) -> ThemeSet:
        members: dict[str, list[int]] = {}
        for opinion, row in zip(self.corpus.opinions, encoded.opinion_row, strict=True):
            if (leaf := before.get(opinion.id)) in lost:
                members.setdefault(str(leaf), []).append(row)
        models = self._models
        return keep_themes(
            fitted,
            old,
            lost,
            members,
            encoded,
            config=self.config,
            embedder=models.embedder,
            heads=models.heads,
            heads_embedder=models.heads_embedder,
        )

    @property
    def _models(self) -> Models:
        return self.claim.shop.models(self.config.encoder)

    def _encode(self, masks: Sequence[str]) -> EncodedOpinions:
        matching, languages = self.corpus.matching, self.corpus.languages
        return load_encoded(self.claim, matching, languages, masks, self._models, deletions=self.deletions)

    def _code(self, theme_set: ThemeSet, encoded: EncodedOpinions) -> list[Coding]:
        """Code each row of what was encoded."""
        texts = [(str(row), text, language) for row, (text, language) in enumerate(zip(encoded.texts, encoded.languages, strict=True))]
        return self._models.coder(theme_set).code(texts, vectors=encoded.vectors, head_vectors=encoded.head_vectors)

    def _leaves_before(self, old: ThemeSet) -> Mapping[str, str]:
        """Return the leaves of a theme set without its edits, which are replayed on the next one by their ids.

        One that was fitted with models that are no longer there cannot be asked: of it stand the last codings, edits and all.
        """
        models = self._models
        if (old.encoder_version, old.heads_version) == (models.embedder.version, models.heads.version):
            return self._leaves(old, self._encode(self.masks))
        with self.claim.shop.database.reading() as session:
            return findings.load_leaves(session, self.claim.project)

    def _leaves(self, theme_set: ThemeSet, encoded: EncodedOpinions) -> Mapping[str, str]:
        return _leaf_of_each([opinion.id for opinion in self.corpus.opinions], encoded, self._code(theme_set, encoded))

    def _knowledge(self) -> dict[str, Any]:
        models, last = self._models, 0.0

        def report(stage: str, done: int, total: int | None) -> None:
            """Note progress about once a second."""
            nonlocal last
            if time.monotonic() - last >= _REPORT_EVERY:
                last = time.monotonic()
                self.claim.note(stage, done, total)

        return {
            "config": self.config,
            "embedder": models.embedder,
            "heads": models.heads,
            "heads_embedder": models.heads_embedder,
            "labeller": None,
            "progress": report,
        }


def _leaf_of_each(opinions: Sequence[str], encoded: EncodedOpinions, codings: Sequence[Coding]) -> Mapping[str, str]:
    """Return the leaf of each opinion, by id; what is residual is left out. ``codings[i]`` is of row i of what was encoded."""
    leaves = [coding.themes[0].theme if coding.themes else "" for coding in codings]
    found = zip(opinions, (leaves[row] for row in encoded.opinion_row), strict=True)
    return {opinion: leaf for opinion, leaf in found if leaf}


def _leaf_ids(theme_set: ThemeSet) -> list[str]:
    return [theme.id for theme in theme_set.themes if theme.parent is not None]
