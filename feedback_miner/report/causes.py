"""What the report must know of a taxonomy:
names, owners and stages as plain mappings. Imports no loader; a saved analysis brings its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from feedback_miner.errors import TaxonomyError

__all__ = ["CauseBook", "CauseInfo", "Localized", "Taxonomy", "pick_name", "read_causes"]

Localized: TypeAlias = Mapping[str, str]
"""Language (ISO 639-1) -> text."""


@dataclass(frozen=True, slots=True)
class CauseInfo:
    """A root cause as it is shown."""

    id: str
    driver: str
    names: Localized
    aspects: Localized
    """The same subject without blame: what a strength is called."""
    stage: str
    owner: str
    urgent: bool


@dataclass(frozen=True, slots=True)
class CauseBook:
    """A taxonomy as the report needs it. Empty is fine: ids are then shown instead of names."""

    causes: Mapping[str, CauseInfo] = field(default_factory=dict)
    drivers: Mapping[str, Localized] = field(default_factory=dict)
    """Driver id -> names, in the order to show them."""
    stages: Mapping[str, Localized] = field(default_factory=dict)
    owners: Mapping[str, Localized] = field(default_factory=dict)

    def cause_name(self, cause: str, language: str) -> str:
        """Return the cause's name, or its id where it is unknown."""
        found = self.causes.get(cause)
        return pick_name(found.names, language, cause) if found else cause

    def aspect_name(self, cause: str, language: str) -> str:
        """Return the name of the cause's aspect, or its id where it is unknown."""
        found = self.causes.get(cause)
        return pick_name(found.aspects, language, cause) if found else cause

    def owner_name(self, owner: str, language: str) -> str:
        """Return the owner's name, or its id."""
        return pick_name(self.owners.get(owner, {}), language, owner)

    def stage_name(self, stage: str, language: str) -> str:
        """Return the journey stage's name, or its id."""
        return pick_name(self.stages.get(stage, {}), language, stage)


Taxonomy: TypeAlias = CauseBook | Mapping[str, Any]
"""A cause book, or a taxonomy as data: what ``ThemeSet.taxonomy`` holds."""


def read_causes(taxonomy: Taxonomy) -> CauseBook:
    """Read a taxonomy given as data; a cause book is returned as it is, and an empty mapping is an empty book.

    Raises:
        TaxonomyError: the data has not the shape of a taxonomy.
    """
    if isinstance(taxonomy, CauseBook):
        return taxonomy
    try:
        return CauseBook(
            causes={
                cause["id"]: CauseInfo(
                    id=cause["id"],
                    driver=cause["driver"],
                    names=cause["names"],
                    aspects=cause["aspects"],
                    stage=cause["stage"],
                    owner=cause["owner"],
                    urgent=bool(cause["urgent"]),
                )
                for cause in taxonomy.get("causes", ())
            },
            drivers={driver["id"]: driver["names"] for driver in taxonomy.get("drivers", ())},
            stages={stage["id"]: stage["names"] for stage in taxonomy.get("stages", ())},
            owners={owner["id"]: owner["names"] for owner in taxonomy.get("owners", ())},
        )
    except (KeyError, TypeError) as error:
        raise TaxonomyError(f"the taxonomy of the analysis is damaged ({type(error).__name__}: {error}); mine the source again") from error


def pick_name(names: Localized, language: str, otherwise: str) -> str:
    """Return the name in this language, else in English, else in the first language there is, else ``otherwise``."""
    for candidate in (language, "en", *sorted(names)):
        name = names.get(candidate)
        if name:
            return name
    return otherwise
