"""What a theme might be split into, before anybody splits it: by its sub-clusters, or by a query."""

from collections.abc import Sequence
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, Request
from numpy.typing import NDArray

from feedback_miner.domain import ThemeSet, Vectors
from feedback_miner.edits import choose_examples, cluster_parts, count_sides, part_by_similarity
from feedback_miner.errors import ConflictError, InputError
from feedback_miner.jobs.living import fitted_theme_set, living_theme_set, places_of
from feedback_miner.store import access, findings
from feedback_miner.store.opinions import FoundOpinion, OpinionFilter, find_rows, load_opinions, stream_vectors
from feedback_miner.web.access import Caller, GuardedRoute, require
from feedback_miner.web.meaning import Phrase, compare
from feedback_miner.web.opinions import leaves_of
from feedback_miner.web.problems import responses
from feedback_miner.web.service import Service, service_of
from feedback_miner.web.wire import SplitByClustersIn, SplitByQueryIn, SplitPartOut, SplitPreviewIn, SplitPreviewOut

__all__ = ["router"]

router = APIRouter(prefix="/v1/projects/{project}", tags=["edits"], route_class=GuardedRoute)
_ALL = 2**31 - 1
_MOST = 5_000
"""Opinions that are compared; of a larger theme, evenly spaced ones."""
_EXAMPLES = 10


@router.post("/themes/{theme}/split-preview", response_model=SplitPreviewOut, responses=responses(404, 409, body=True))
def preview_split(
    project: str, theme: str, body: SplitPreviewIn, request: Request, caller: Annotated[Caller, Depends(require("review"))]
) -> Any:
    """Propose the parts of a theme: examples of each, to be sent as the `examples` of a `split`, and how many opinions each would get."""
    service = service_of(request)
    phrase = None
    with service.database.reading() as session:
        if leaves_of(findings.get_figures(session, caller.check_project(project)), theme) != (theme,):
            raise InputError(f"theme {theme!r} is a parent, and what is split is a single theme; name one of those under it")
        prototypes = _prototypes(living_theme_set(session, project), theme)
    if isinstance(body, SplitByQueryIn) and body.meaning:
        phrase = service.desk.align_phrase(body.meaning, project)
    total, opinions, rows = _load(service, project, theme)
    labels = _label(service, project, theme, body, phrase, opinions, rows)
    examples = choose_examples(rows, labels, [_said(opinion) for opinion in opinions], limit=_EXAMPLES)
    counts = count_sides(rows, examples, prototypes)
    with service.database.transaction() as session:
        access.note(session, caller.id, "read opinions", project=project, subject=theme)
    return SplitPreviewOut(
        theme=theme,
        opinions=total,
        compared=len(opinions),
        parts=[
            SplitPartOut(opinions=count, examples=[opinions[at].id for at in places], texts=[_said(opinions[at]) for at in places])
            for count, places in zip(counts, examples, strict=True)
        ],
    )


def _prototypes(theme_set: ThemeSet, leaf: str) -> Vectors:
    """Return those of a leaf, but for what it learned from moves: a split is of the others."""
    return theme_set.prototypes[[row for row, owner in enumerate(theme_set.prototype_themes) if owner == leaf and row >= theme_set.learned]]


def _load(service: Service, project: str, theme: str) -> tuple[int, list[FoundOpinion], Vectors]:
    """Return how many opinions a leaf has, those that are compared, by id, and their rows in the theme space."""
    with service.database.reading() as session:
        every = find_rows(session, project, OpinionFilter(themes=(theme,)), limit=_ALL)
        chosen = [every[at] for at in np.unique(np.linspace(0, len(every) - 1, min(_MOST, len(every))).astype(int))] if every else []
        found = {opinion.id: opinion for opinion in load_opinions(session, project, chosen)}
        try:
            places = places_of(service.shop, session, project, fitted_theme_set(session, project), found)
        except KeyError:
            raise ConflictError(
                f"the opinions of theme {theme!r} are being encoded anew; try again when the project's job has ended"
            ) from None
    if not places:
        raise InputError(f"theme {theme!r} has no opinion to split")
    ids = sorted(places)
    return len(every), [found[id_] for id_ in ids], np.stack([places[id_] for id_ in ids])


def _label(
    service: Service,
    project: str,
    theme: str,
    body: SplitByClustersIn | SplitByQueryIn,
    phrase: Phrase | None,
    opinions: Sequence[FoundOpinion],
    rows: Vectors,
) -> NDArray[np.int32]:
    """Tell the part of each opinion; of a query, those that it is about come first."""
    if isinstance(body, SplitByClustersIn):
        return cluster_parts(rows, body.parts)
    if phrase is not None:
        similarities: dict[int, float] = {}
        with service.database.reading() as session:
            for numbers, languages, vectors in stream_vectors(session, project, OpinionFilter(themes=(theme,)), phrase.encoder):
                similarities.update(zip(numbers.tolist(), compare(phrase, vectors, languages).tolist(), strict=True))
        return part_by_similarity(np.array([similarities.get(opinion.row, -1.0) for opinion in opinions]))
    wanted = body.words.casefold()
    labels = np.array([0 if wanted in _said(opinion).casefold() else 1 for opinion in opinions], np.int32)
    if len(set(labels.tolist())) < 2:
        raise InputError(f"{'none' if labels[0] else 'every one'} of the theme's opinions contains these words; choose others")
    return labels


def _said(opinion: FoundOpinion) -> str:
    return opinion.document[opinion.start : opinion.end]
