"""Every knob, once, with its default: of a mining run (the filled config is saved with every result), and of a serving process."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from feedback_miner.errors import InputError

__all__ = ["DEFAULT_ENCODER", "MiningConfig", "Settings"]

DEFAULT_ENCODER = "feedback-small"


@dataclass(frozen=True, slots=True, kw_only=True)
class MiningConfig:
    """What a run depends on besides its input. Same input, config and version: same result."""

    encoder: str = DEFAULT_ENCODER
    """An embedder, as `feedback_miner.embedders` lists them."""
    taxonomy: str = "default"
    """A shipped taxonomy pack's id, or the path of a YAML file."""

    max_fit_opinions: int = 20_000
    """Themes are fitted on at most this many distinct opinions (drawn by hash); every row is coded all the same."""
    umap_neighbors: int = 15
    umap_dimensions: int = 5
    min_theme_opinions: int | None = None
    """Smallest cluster of distinct opinions; ``None``: a share of the root of their number, the one that parts themes most clearly."""
    assign_quantile: float = 0.02
    """An opinion less similar to its nearest theme than this quantile of the theme's own members stays residual."""
    parent_similarity: float = 0.5
    """Leaves whose centres are closer than this (cosine, average linkage) share a parent."""
    max_leaves: int = 200
    seed: int = 7

    cause_threshold: float = 0.25
    """A cause is mapped at this score or above; below it the opinion is honestly unmapped. Chosen on labelled comments that causes were
    fitted without: there two in three of those mapped are right."""

    min_group_people: int = 5
    """Groups under this many people are not broken down (privacy)."""
    bootstrap_samples: int = 400
    labeller_url: str | None = None
    """An OpenAI-compatible endpoint that renames themes from redacted exemplars; off by default."""
    labeller_model: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a serving process depends on. Each may come from the environment: ``FEEDBACK_MINER_<NAME>``, or ``FEEDBACK_MINER_<NAME>_FILE``,
    the path of a file that holds it."""

    data: Path = Path("feedback-miner-data")
    """Spool files, keys, and the databases unless ``database`` says otherwise."""
    database: str = ""
    """``postgresql://user@host/name``; empty: SQLite in ``data``."""
    host: str = "127.0.0.1"
    port: int = 8080
    public_url: str = ""
    """Where people reach the service, as ``https://feedback.example.com``; of links and cookies. Empty: as each request says."""
    worker: str = platform.node()
    """Name of this process among workers; the same after a restart, different from every other."""
    encoder: str = DEFAULT_ENCODER
    """Of new projects, and of ``/v1/classify`` without a project."""
    max_upload_mb: int = 1_024
    max_batch_texts: int = 512
    """Texts in one call of ``/v1/classify``."""
    classify_queue: int = 32
    """Calls of ``/v1/classify`` that may wait for the model; more are sent away with 503."""
    requests_per_minute: int = 1_200
    """For each key and each person; a small part of it for an address whose keys are unknown, or that tries passwords."""
    allow_private_targets: bool = False
    """Webhooks may be at private and local addresses, and speak plain http. Projects' admins then reach into the operator's network."""
    log_level: str = "warning"
    """``info`` also logs each request, and each step of each job."""

    @property
    def database_url(self) -> str:
        """The database's address."""
        return self.database or f"sqlite:///{self.data / 'feedback-miner.sqlite'}"

    @property
    def origin(self) -> str:
        """Where people reach the service, as far as can be told without one of their requests."""
        host = {"0.0.0.0": "localhost", "::": "localhost"}.get(self.host, f"[{self.host}]" if ":" in self.host else self.host)  # noqa: S104
        return self.public_url or f"http://{host}:{self.port}"

    def to_environment(self) -> dict[str, str]:
        """Return what ``from_environment`` makes these settings of."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return {f"FEEDBACK_MINER_{name.upper()}": str(value) for name, value in values.items()}

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ, **given: Any) -> "Settings":
        """Fill settings: what is given and not ``None`` first, then the environment, then defaults."""
        settings = cls()
        for field in fields(cls):
            name = f"FEEDBACK_MINER_{field.name.upper()}"
            value = given.get(field.name)
            if value is None and (said := _from_environment(environment, name)) is not None:
                kind = type(getattr(settings, field.name))
                try:
                    value = _yes_or_no(said) if kind is bool else Path(said) if issubclass(kind, Path) else kind(said)
                except ValueError:
                    raise InputError(f"{name} is {said!r}; give {'yes or no' if kind is bool else 'a whole number'}") from None
            if value is not None:
                settings = replace(settings, **{field.name: value})
        return settings


def _yes_or_no(said: str) -> bool:
    known = {"1": True, "true": True, "yes": True, "on": True, "0": False, "false": False, "no": False, "off": False, "": False}
    if (answer := known.get(said.strip().lower())) is None:
        raise ValueError
    return answer


def _from_environment(environment: Mapping[str, str], name: str) -> str | None:
    """Return what a variable says, or the file it names: a password is better kept where no listing of processes shows it."""
    file = environment.get(f"{name}_FILE")
    if file is None:
        return environment.get(name)
    if name in environment:
        raise InputError(f"{name} and {name}_FILE are both set; leave one of them out")
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InputError(f"{name}_FILE names {file}, which cannot be read: {reason}") from None
