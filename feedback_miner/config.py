"""Every knob, once, with its default: of a mining run (the filled config is saved with every result), and of a serving process."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from feedback_miner.errors import InputError

__all__ = ["MiningConfig", "Settings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MiningConfig:
    """What a run depends on besides its input. Same input, config and version: same result."""

    encoder: str = "e5-small"
    """An embedder: ``e5-small`` (embedded default), ``tiny`` (tests), or a sentence-transformers name or folder."""
    taxonomy: str = "default"
    """A shipped taxonomy pack's id, or the path of a YAML file."""

    max_fit_opinions: int = 20_000
    """Themes are fitted on at most this many distinct opinions (drawn by hash); every row is coded all the same."""
    umap_neighbors: int = 15
    umap_dimensions: int = 5
    min_theme_opinions: int | None = None
    """Smallest cluster of distinct opinions; ``None`` scales it with the square root of their number."""
    assign_quantile: float = 0.02
    """An opinion less similar to its nearest theme than this quantile of the theme's own members stays residual."""
    parent_similarity: float = 0.5
    """Leaves whose centres are closer than this (cosine, average linkage) share a parent."""
    max_leaves: int = 200
    seed: int = 7

    cause_threshold: float = 0.25
    """A cause is mapped at this calibrated score or above; below it the opinion is honestly unmapped."""

    min_group_people: int = 5
    """Groups under this many people are not broken down (privacy)."""
    bootstrap_samples: int = 400
    labeller_url: str | None = None
    """An OpenAI-compatible endpoint that renames themes from redacted exemplars; off by default."""
    labeller_model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a serving process depends on. Each may come from the environment: ``FEEDBACK_MINER_<NAME>``."""

    data: Path = Path("feedback-miner-data")
    """Spool files, keys, and the databases unless ``database`` says otherwise."""
    database: str = ""
    """``postgresql://user@host/name``; empty: SQLite in ``data``."""
    host: str = "127.0.0.1"
    port: int = 8080
    worker: str = platform.node()
    """Name of this process among workers; the same after a restart, different from every other."""
    encoder: str = "e5-small"
    """Of new projects, and of ``/v1/classify`` without a project."""
    max_upload_mb: int = 1_024
    max_batch_texts: int = 512
    """Texts in one call of ``/v1/classify``."""
    classify_queue: int = 32
    """Calls of ``/v1/classify`` that may wait for the model; more are sent away with 503."""
    requests_per_minute: int = 1_200
    """For each key."""

    @property
    def database_url(self) -> str:
        """The database's address."""
        return self.database or f"sqlite:///{self.data / 'feedback-miner.sqlite'}"

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, **given: Any) -> "Settings":
        """Fill settings: what is given and not ``None`` first, then the environment, then defaults."""
        settings = cls()
        for field in fields(cls):
            name = f"FEEDBACK_MINER_{field.name.upper()}"
            value = given.get(field.name)
            if value is None and name in environment:
                kind = type(getattr(settings, field.name))
                try:
                    value = Path(environment[name]) if issubclass(kind, Path) else kind(environment[name])
                except ValueError:
                    raise InputError(f"{name} is {environment[name]!r}; give a whole number") from None
            if value is not None:
                settings = replace(settings, **{field.name: value})
        return settings
