"""Edits of the themes themselves, on a fitted theme set: renamed, merged, split, nested, and taught by what was moved.

Comes in: a theme set, edits, and the places of opinions in its theme space; goes out: a theme set with a version of its own. Nothing is
refitted: rows of themes that no edit names stay as they are, bit for bit.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from feedback_miner.domain import Theme, ThemeSet, Vectors
from feedback_miner.edits.checks import THEME_KINDS, check_edit
from feedback_miner.edits.log import Edit
from feedback_miner.errors import ConflictError, InputError, NotFoundError
from feedback_miner.stages.space import unit_rows
from feedback_miner.theme_set import theme_set_version

__all__ = [
    "LEARNED_THRESHOLD",
    "Places",
    "apply_edits",
    "apply_theme_edit",
    "lean_apart",
    "lean_of",
    "learn_prototypes",
    "nearest_part",
    "part_ids",
    "with_version",
]

Places = Mapping[str, NDArray[np.float32]]
"""Opinion id -> its unit row in the theme space."""

LEARNED_THRESHOLD = 0.95
"""A moved opinion speaks for its near-copies alone. What is worded alike but means the opposite is never one: turning the polarity of a row
around leaves it a cosine of (2 - w^2) / (2 + w^2) = .91 with itself (w = .3, ``stages/space.py``), .84 in a space without projection."""
_LEAN = 1 / 32
"""How far the parts of a split lean apart. Far enough to tell them apart in float32 and in the rounded hash; so little that hardly an
opinion of a neighbour comes nearer."""


def apply_edits(theme_set: ThemeSet, edits: Sequence[Edit], *, places: Places | None = None) -> ThemeSet:
    """Return the fitted set with the edits of kind ``rename``, ``merge``, ``split`` and ``nest`` applied, in the order given.

    Other kinds are passed over. The result has the version of what it holds; where nothing changed, ``theme_set`` itself comes back.
    ``places`` must hold the examples of splits. Raises what ``check_edit`` raises, and NotFoundError where a part of a split has no
    example left; ``replay`` turns these into conflicts instead.
    """
    edited = theme_set
    for edit in edits:
        if edit.kind in THEME_KINDS:
            edited = apply_theme_edit(edited, edit, places or {})
    return with_version(theme_set, edited)


def with_version(before: ThemeSet, edited: ThemeSet) -> ThemeSet:
    """Give an edited set the version of what it holds; one that holds what it held before is the one before."""
    if edited is before:
        return before
    version = theme_set_version(edited)
    return before if version == before.version else replace(edited, version=version)


def apply_theme_edit(theme_set: ThemeSet, edit: Edit, places: Places) -> ThemeSet:
    """Return the set with one edit of its themes applied; its version is left as it was. Raises as ``apply_edits`` does."""
    if theme_set.learned:
        raise InputError(f"theme set {theme_set.version} has learned from edits already; replay them on the one that was fitted")
    values = check_edit(edit.kind, edit.values, theme_set)
    if edit.kind == "split":
        return _split(theme_set, replace(edit, values=values), places)
    return _WITHOUT_VECTORS[edit.kind](theme_set, replace(edit, values=values))


def part_ids(edit: Edit) -> tuple[str, ...]:
    """Return the ids of the leaves that a split makes: the same on every replay."""
    return tuple(_new_id("t", edit, str(part)) for part in range(len(edit.examples)))


def nearest_part(edit: Edit, opinion: str, places: Places) -> str:
    """Return the leaf that an opinion of a split theme goes to: that of its list where it is an example, else of the nearest examples."""
    for part, examples in zip(part_ids(edit), edit.examples, strict=True):
        if opinion in examples:
            return part
    return part_ids(edit)[int((_leanings(edit, places) @ places[opinion]).argmax())]


def lean_of(examples: Sequence[Sequence[NDArray[np.float32]] | Vectors]) -> Vectors:
    """Return ``(parts, d)``: how the unit rows of each part's examples lean, the centre of a part less the mean of all centres."""
    centres = unit_rows(np.stack([np.mean(rows, axis=0, dtype=np.float64) for rows in examples]))
    return np.asarray(centres - centres.mean(axis=0), np.float32)


def lean_apart(prototype: NDArray[np.float32], leanings: Vectors) -> Vectors:
    """Return ``(parts, d)``, not scaled: what a prototype c of a split leaf becomes, ``c + _LEAN * leaning``; leanings at right angles."""
    aside = leanings - np.outer(leanings @ prototype, prototype)
    return np.asarray(prototype + np.float32(_LEAN) * aside, np.float32)


def learn_prototypes(theme_set: ThemeSet, moved: Iterable[tuple[str, NDArray[np.float32]]]) -> ThemeSet:
    """Return a set that takes near-copies of moved opinions (leaf, unit row in the theme space) where their original was moved to.

    Each adds a prototype of its own with ``LEARNED_THRESHOLD`` and the causes of its leaf's first. They come before all others
    (``ThemeSet.learned``), by leaf and bits: the order of the moves does not matter, but that of two moves of the same row the later one
    holds. What none of them takes is coded as if they were not there. Without moves, ``theme_set`` itself comes back. Raises
    NotFoundError for a leaf that is not there.
    """
    known = theme_set.learned
    rows = {row.tobytes(): leaf for row, leaf in zip(theme_set.prototypes[:known], theme_set.prototype_themes[:known], strict=True)}
    fitted = theme_set.prototype_themes[known:]
    for leaf, row in moved:
        if leaf not in fitted:
            raise NotFoundError(f"theme '{leaf}' is no leaf of theme set {theme_set.version} and learns nothing; replay the log first")
        rows[np.ascontiguousarray(row, np.float32).tobytes()] = leaf
    order = sorted((leaf, row) for row, leaf in rows.items())
    if not order:
        return theme_set
    learned = np.frombuffer(b"".join(row for _, row in order), np.float32).reshape(len(order), -1)
    priors = theme_set.cause_priors[known:]
    taught = replace(
        theme_set,
        prototypes=np.vstack([learned, theme_set.prototypes[known:]]),
        prototype_themes=(*(leaf for leaf, _ in order), *fitted),
        thresholds=np.concatenate([np.full(len(order), LEARNED_THRESHOLD, np.float32), theme_set.thresholds[known:]]),
        cause_priors=np.vstack([priors[[fitted.index(leaf) for leaf, _ in order]], priors]),
        wave_starts=tuple(start + len(order) - known for start in theme_set.wave_starts),
        learned=len(order),
    )
    return with_version(theme_set, taught)


def _rename(theme_set: ThemeSet, edit: Edit) -> ThemeSet:
    renamed = [
        replace(theme, names={**theme.names, **_mapping(edit, "names")}) if theme.id == edit.values["theme"] else theme
        for theme in theme_set.themes
    ]
    return replace(theme_set, themes=tuple(renamed))


def _merge(theme_set: ThemeSet, edit: Edit) -> ThemeSet:
    """Leaves: all their prototypes are the survivor's. Parents: all their leaves are."""
    going, into = edit.ids("themes"), str(edit.values["into"])
    themes = [replace(theme, parent=into) if theme.parent in going else theme for theme in theme_set.themes if theme.id not in going]
    leaves = tuple(into if leaf in going else leaf for leaf in theme_set.prototype_themes)
    return replace(theme_set, themes=_tidy(themes), prototype_themes=leaves)


def _nest(theme_set: ThemeSet, edit: Edit) -> ThemeSet:
    leaf = _theme(theme_set, str(edit.values["theme"]))
    parent = edit.values["parent"]
    new = []
    if parent is None:
        new = [Theme(_free_id("p", edit, "", theme_set), None, {**leaf.names, **_mapping(edit, "names")}, leaf.keyphrases)]
    home = new[0].id if new else str(parent)
    themes = [replace(theme, parent=home) if theme.id == leaf.id else theme for theme in theme_set.themes]
    return replace(theme_set, themes=_tidy([*themes, *new]))


def _split(theme_set: ThemeSet, edit: Edit, places: Places) -> ThemeSet:
    """Divide a leaf along what tells the groups of examples apart.

    Each of its prototypes becomes one for each part (`lean_apart`, scaled to length 1). Leanings sum to zero, so before scaling every
    opinion is at least as close to one of the parts as it was to the prototype; thresholds are scaled alike. Thus whoever belonged to the
    leaf belongs to a part of it.
    """
    leaf = _theme(theme_set, str(edit.values["theme"]))
    leanings = _leanings(edit, places)
    ids = [_free_id("t", edit, str(part), theme_set) for part in range(len(leanings))]
    rows, names, thresholds, sources = [], [], [], []
    for row, owner in enumerate(theme_set.prototype_themes):
        centre, threshold = theme_set.prototypes[row], theme_set.thresholds[row]
        if owner != leaf.id:
            rows.append(centre)
            names.append(owner)
            thresholds.append(threshold)
            sources.append(row)
            continue
        leaned = lean_apart(centre, leanings)
        rows += list(unit_rows(leaned))
        names += ids
        thresholds += [threshold / np.linalg.norm(leaned, axis=1).max()] * len(ids)
        sources += [row] * len(ids)
    titles = _titles(edit, leaf, len(ids))
    parts = [Theme(id_, leaf.parent, title) for id_, title in zip(ids, titles, strict=True)]
    return replace(
        theme_set,
        themes=_tidy([*(theme for theme in theme_set.themes if theme.id != leaf.id), *parts]),
        prototypes=np.array(rows, np.float32),
        prototype_themes=tuple(names),
        thresholds=np.array(thresholds, np.float32),
        cause_priors=theme_set.cause_priors[sources],
        wave_starts=tuple(sources.index(start) if start < len(theme_set.prototypes) else len(rows) for start in theme_set.wave_starts),
    )


def _leanings(edit: Edit, places: Places) -> Vectors:
    """Return ``(parts, d)``: the centre of each part's examples less the mean of those centres. Examples that are gone do not count."""
    left = [[places[opinion] for opinion in examples if opinion in places] for examples in edit.examples]
    gone = next((part for part, rows in enumerate(left, start=1) if not rows), None)
    if gone is not None:
        raise NotFoundError(f"part {gone} of theme '{edit.values['theme']}' has no example left; split it again by other examples")
    leanings = lean_of(left)
    if len({leaning.tobytes() for leaning in leanings}) < len(leanings):
        raise ConflictError(f"two parts of theme '{edit.values['theme']}' have examples alike; choose some that differ")
    return leanings


def _titles(edit: Edit, leaf: Theme, parts: int) -> list[Mapping[str, str]]:
    names = edit.values.get("names")
    if isinstance(names, list | tuple):
        return [dict(name) for name in names]
    return [{language: f"{name} {part}" for language, name in leaf.names.items()} for part in range(1, parts + 1)]


def _tidy(themes: Iterable[Theme]) -> tuple[Theme, ...]:
    """Sort by id, without the parents that nobody is under."""
    found = list(themes)
    parents = {theme.parent for theme in found}
    return tuple(sorted((theme for theme in found if theme.parent is not None or theme.id in parents), key=lambda theme: theme.id))


def _new_id(prefix: str, edit: Edit, part: str) -> str:
    told = chr(0).join([edit.kind, str(edit.number), str(edit.values["theme"]), part])
    return f"{prefix}-{hashlib.sha256(told.encode('utf-8')).hexdigest()[:8]}"


def _free_id(prefix: str, edit: Edit, part: str, theme_set: ThemeSet) -> str:
    id_ = _new_id(prefix, edit, part)
    if any(theme.id == id_ for theme in theme_set.themes):
        raise ConflictError(f"the new theme of {edit.kind} {edit.number} would be called '{id_}', as another is; make the edit once more")
    return id_


def _theme(theme_set: ThemeSet, id_: str) -> Theme:
    return next(theme for theme in theme_set.themes if theme.id == id_)


def _mapping(edit: Edit, name: str) -> Mapping[str, str]:
    values = edit.values.get(name)
    return dict(values) if isinstance(values, Mapping) else {}


_WITHOUT_VECTORS: dict[str, Callable[[ThemeSet, Edit], ThemeSet]] = {"rename": _rename, "merge": _merge, "nest": _nest}
