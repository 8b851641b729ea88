"""What customers said, page by page: of a theme, in no theme, of a whole project; as JSON, or as a page where a browser asks."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response

from feedback_miner.errors import NotFoundError
from feedback_miner.report.opinions import OpinionRecord, render_opinions
from feedback_miner.store import access, findings
from feedback_miner.store.opinions import FoundOpinion, find_opinions, load_opinions
from feedback_miner.web.access import Caller, GuardedRoute, require
from feedback_miner.web.filters import Filters, filters, living_causes, make_filter
from feedback_miner.web.meaning import nearest_opinions, similarity_of
from feedback_miner.web.problems import responses
from feedback_miner.web.projects import Limit
from feedback_miner.web.service import service_of
from feedback_miner.web.wire import OpinionOut, Page

__all__ = ["find_theme", "leaves_of", "prefers_html", "router"]

router = APIRouter(prefix="/v1/projects/{project}", tags=["findings"], route_class=GuardedRoute)
_AS_PAGE: dict[int | str, dict[str, Any]] = {200: {"content": {"text/html": {"schema": {"type": "string"}}}, "description": "A page"}}


@dataclass(frozen=True, slots=True)
class Listing:
    """Which page of which opinions, in which order."""

    asked: Filters
    meaning: str
    cursor: int
    limit: int


def listing(
    asked: Annotated[Filters, Depends(filters)],
    meaning: Annotated[
        str,
        Query(max_length=300, description="A phrase: opinions nearest to it in meaning first. Reads every vector that the filters leave."),
    ] = "",
    cursor: Annotated[int, Query(ge=0, le=2**53 - 1)] = 0,
    limit: Limit = 50,
) -> Listing:
    """Return what a request for opinions asks for."""
    return Listing(asked, meaning.strip(), cursor, limit)


Asked = Annotated[Listing, Depends(listing)]
Reader = Annotated[Caller, Depends(require("read"))]


@router.get("/opinions", response_model=Page[OpinionOut], responses={**responses(404, 409), **_AS_PAGE})
def list_opinions(project: str, request: Request, caller: Reader, asked: Asked) -> Any:
    """List the opinions of a project, those in no theme included."""
    return _answer(request, caller, project, asked, None, None)


@router.get("/themes/{theme}/opinions", response_model=Page[OpinionOut], responses={**responses(404, 409), **_AS_PAGE})
def list_theme_opinions(project: str, theme: str, request: Request, caller: Reader, asked: Asked) -> Any:
    """List the opinions of a theme, or of all leaves of a parent."""
    figures = _figures(request, caller, project)
    return _answer(request, caller, project, asked, leaves_of(figures, theme), theme)


@router.get("/residual", response_model=Page[OpinionOut], responses={**responses(404, 409), **_AS_PAGE})
def list_residual(project: str, request: Request, caller: Reader, asked: Asked) -> Any:
    """List the opinions that belong to no theme, each with its reason and the themes it is nearest to."""
    return _answer(request, caller, project, asked, (), "residual")


def find_theme(figures: dict[str, Any], theme: str) -> dict[str, Any]:
    """Return a theme of an analysis, or raise NotFoundError."""
    found: dict[str, Any] | None = next((found for found in figures["themes"] if found["id"] == theme), None)
    if found is None:
        raise NotFoundError(f"there is no theme {theme!r} in this project")
    return found


def leaves_of(figures: dict[str, Any], theme: str) -> tuple[str, ...]:
    """Return the leaves under a theme; a leaf is its own. Raises NotFoundError."""
    find_theme(figures, theme)
    return tuple(found["id"] for found in figures["themes"] if found["parent"] == theme) or (theme,)


def prefers_html(accept: str) -> bool:
    """Tell whether an Accept header asks for a page rather than for data: it names text/html, and nothing of JSON as much."""
    qualities: dict[str, float] = {}
    for entry in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in entry.split(";"))
        weight = next((value.removeprefix("q=") for value in parameters if value.startswith("q=")), "1")
        qualities[kind] = float(weight) if weight.replace(".", "", 1).isdecimal() else 0.0
    return qualities.get("text/html", 0.0) > qualities.get("application/json", 0.0)


def _answer(
    request: Request, caller: Caller, project: str, asked: Listing, leaves: tuple[str, ...] | None, subject: str | None
) -> Response | dict[str, Any]:
    service = service_of(request)
    figures = _figures(request, caller, project)
    phrase = service.desk.align_phrase(asked.meaning, project) if asked.meaning else None
    with service.database.reading() as session:
        wanted = make_filter(session, project, asked.asked, leaves)
        places: Sequence[tuple[int, int]] = ()
        if phrase is None:
            rows = find_opinions(session, project, wanted, after=asked.cursor, limit=asked.limit + 1)
            following = rows[asked.limit - 1].row if len(rows) > asked.limit else None
        else:
            places = nearest_opinions(session, project, wanted, phrase, after=asked.cursor, limit=asked.limit + 1)
            rows = load_opinions(session, project, [row for _, row in places[: asked.limit]])
            following = places[asked.limit - 1][0] if len(places) > asked.limit else None
    with service.database.transaction() as session:
        access.note(session, caller.id, "read opinions", project=project, subject=subject)
    similarities = {row: similarity_of(place) for place, row in places}
    if prefers_html(request.headers.get("Accept", "")):
        return _page(request, project, figures, rows[: asked.limit], following, subject)
    return {
        "items": [_opinion_out(row, similarities.get(row.row)) for row in rows[: asked.limit]],
        "next": None if following is None else str(following),
    }


def _figures(request: Request, caller: Caller, project: str) -> dict[str, Any]:
    with service_of(request).database.reading() as session:
        return findings.get_figures(session, caller.check_project(project))


def _page(
    request: Request, project: str, figures: dict[str, Any], rows: Sequence[FoundOpinion], following: int | None, subject: str | None
) -> Response:
    """Return the opinions as a page; its links keep the filters, and stay on this server whatever it is called from outside."""
    with service_of(request).database.reading() as session:
        causes = living_causes(session, project)
    here = request.url.remove_query_params(["sentiment", "cursor"])
    same_filter = request.url.remove_query_params("cursor")
    records = [
        OpinionRecord(
            document=row.document,
            start=row.start,
            end=row.end,
            language=row.language,
            score=row.score,
            day=None if row.created_at is None else row.created_at.date().isoformat(),
            channel=row.channel,
            sentiment=row.coding.sentiment.label,
            theme=row.coding.themes[0].theme if row.coding.themes else None,
            causes=tuple(cause.cause for cause in row.coding.causes),
        )
        for row in rows
    ]
    content = render_opinions(
        records,
        names={theme["id"]: theme["names"] for theme in figures["themes"]},
        causes=causes,
        subject=subject,
        language="zh" if request.headers.get("Accept-Language", "").lower().startswith("zh") else "en",
        report=f"{request.scope.get('root_path', '')}/v1/projects/{project}/report.html",
        sentiments={
            name: f"?{(here if name is None else here.include_query_params(sentiment=name)).query}"
            for name in (None, "negative", "neutral", "positive")
        },
        shown=request.query_params.get("sentiment"),
        following=None if following is None else f"?{same_filter.include_query_params(cursor=following).query}",
    )
    return Response(content.encode("utf-8", "replace"), media_type="text/html; charset=utf-8", headers={"Vary": "Accept, Accept-Language"})


def _opinion_out(row: FoundOpinion, similarity: float | None) -> OpinionOut:
    coding = row.coding
    return OpinionOut(
        id=row.id,
        text=row.document[row.start : row.end],
        span=(row.start, row.end),
        document=row.document,
        language=row.language,
        score=row.score,
        created_at=None if row.created_at is None else row.created_at.isoformat(),
        channel=row.channel,
        attributes=row.attributes,
        sentiment={
            "label": coding.sentiment.label,
            "score": round(coding.sentiment.score, 6),
            "negative": coding.sentiment.negative,
            "neutral": coding.sentiment.neutral,
            "positive": coding.sentiment.positive,
        },
        type=coding.type,
        theme=coding.themes[0].theme if coding.themes else None,
        strength=coding.themes[0].strength if coding.themes else None,
        residual=coding.residual,
        nearest=[{"theme": near.theme, "strength": near.strength} for near in coding.nearest],
        causes=[{"cause": cause.cause, "score": cause.score, "runner_up": cause.runner_up} for cause in coding.causes],
        similarity=similarity,
    )
