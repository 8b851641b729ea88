"""The living theme set: the fitted one, with the analysts' log replayed on it.

What codes, serves and is shown is the living one; what later waves extend, and what a log is replayed on again, is the fitted one.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from feedback_miner.domain import ThemeSet
from feedback_miner.edits import Edit, Replay, check_edit, check_reversal, learn_prototypes, named_opinions, replay
from feedback_miner.errors import ConflictError
from feedback_miner.jobs.workshop import Models, Workshop
from feedback_miner.pipeline import hash_of_text
from feedback_miner.stages.clean import matching_text
from feedback_miner.store import findings, projects, responses
from feedback_miner.store.tables import EditRow
from feedback_miner.theme_set import read_theme_set, theme_set_files

__all__ = [
    "KEY_BYTES",
    "add_edit",
    "fitted_theme_set",
    "keep_fitted",
    "living_theme_set",
    "load_log",
    "places_of",
    "replay_log",
    "text_key",
]

KEY_BYTES = 16
_REVERSALS = ("undo", "redo")


def living_theme_set(session: Session, project: str) -> ThemeSet:
    """Return the theme set a project codes with."""
    return _read(findings.get_theme_set(session, project), project)


def fitted_theme_set(session: Session, project: str) -> ThemeSet:
    """Return the theme set as it was fitted, and extended by later waves: without edits."""
    return _read(findings.get_fitted_theme_set(session, project), project)


def keep_fitted(shop: Workshop, session: Session, project: str, theme_set: ThemeSet) -> int:
    """Keep a theme set that was fitted or extended, and replay the log on it; return its number."""
    number = findings.add_theme_set(session, project, theme_set.version, theme_set_files(theme_set))
    _keep_living(session, project, replay_log(shop, session, project))
    return number


def load_log(session: Session, project: str) -> tuple[Edit, ...]:
    """Return a project's log of edits."""
    return tuple(Edit(row.number, row.kind, row.values, row.author, row.created_at) for row in findings.list_edits(session, project))


def replay_log(shop: Workshop, session: Session, project: str) -> Replay:
    """Replay a project's log on its fitted theme set."""
    fitted, log = fitted_theme_set(session, project), load_log(session, project)
    return replay(fitted, log, places=places_of(shop, session, project, fitted, named_opinions(log)))


def add_edit(
    shop: Workshop, session: Session, project: str, kind: str, values: Mapping[str, Any], author: str, *, expected: int | None = None
) -> tuple[EditRow, str]:
    """Add an edit to the log, bring the living theme set up to date, and return the entry and the job that codes and counts anew.

    ``expected`` is the number of the newest edit that the author had seen. Raises ConflictError where there is a newer one, and what
    ``check_edit`` and ``check_reversal`` raise; the transaction must then be rolled back.
    """
    projects.lock_project(session, project)
    log = load_log(session, project)
    newest = log[-1].number if log else 0
    if expected is not None and expected != newest:
        raise ConflictError(f"somebody else has edited meanwhile (the newest edit is {newest}, not {expected}); read again, then edit")
    checked = check_reversal(kind, values, log) if kind in _REVERSALS else check_edit(kind, values, living_theme_set(session, project))
    row = findings.add_edit(session, project, kind, checked, author)
    done = replay_log(shop, session, project)
    if conflict := next((conflict for conflict in done.conflicts if conflict.number == row.number), None):
        raise ConflictError(conflict.reason)
    _keep_living(session, project, done)
    edited = {edit.number: edit for edit in load_log(session, project)}
    touched = edited[int(str(checked["edit"])) if kind in _REVERSALS else row.number]
    named = responses.load_named(session, project, named_opinions([touched]))
    findings.mark_stale(session, [number for number, _, _ in named.values()])
    return row, projects.add_job(session, project, None).id


def text_key(text: str, language: str) -> bytes:
    """Return the key under which the vector of what the encoder sees is kept."""
    return hash_of_text(text, language)[:KEY_BYTES]


def _keep_living(session: Session, project: str, done: Replay) -> None:
    """Make what the log makes of the fitted theme set the living one. Where it codes as the one before, nothing is coded anew."""
    before, fitted = findings.get_theme_set(session, project), findings.get_fitted_theme_set(session, project)
    theme_set = learn_prototypes(done.theme_set, done.moved)
    if theme_set.version == fitted.version:
        findings.make_living(session, project, fitted.number)
    else:
        findings.add_theme_set(session, project, theme_set.version, theme_set_files(theme_set), fitted=fitted.number)
    after = findings.get_theme_set(session, project)
    if after.number != before.number and _codes_alike(_read(before, project), theme_set):
        findings.adopt_codings(session, project, after.number, of=before.number)


def _codes_alike(one: ThemeSet, other: ThemeSet) -> bool:
    """Tell whether two theme sets differ in names and parents alone."""
    same = (one.prototype_themes, one.wave_starts, one.learned) == (other.prototype_themes, other.wave_starts, other.learned)
    return same and np.array_equal(one.prototypes, other.prototypes) and np.array_equal(one.thresholds, other.thresholds)


def places_of(shop: Workshop, session: Session, project: str, fitted: ThemeSet, opinions: Iterable[str]) -> dict[str, NDArray[np.float32]]:
    """Return the rows in the theme space of opinions, by id; those that are gone are left out."""
    named = [
        (id_, matching_text(text, language), language)
        for id_, (_, text, language) in sorted(responses.load_named(session, project, opinions).items())
    ]
    if not named:
        return {}
    models: Models = shop.models(fitted.encoder)
    coder = models.coder(fitted)
    keys = [text_key(coder.hide_entities(matching), language) for _, matching, language in named]
    vectors, head_vectors = (
        responses.load_vectors(session, project, embedder.version, keys) for embedder in (models.embedder, models.heads_embedder)
    )
    rows = coder.place(named, vectors=vectors, head_vectors=head_vectors)
    return {id_: row for (id_, _, _), row in zip(named, rows, strict=True)}


def _read(row: Any, project: str) -> ThemeSet:
    files = {"theme_set.json": row.description, "theme_set.npz": row.arrays}
    return read_theme_set(files, place=f"project {project}")
