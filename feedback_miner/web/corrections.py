"""What analysts said of opinions, as a table to train on: ``feedback-miner train`` reads it as it is."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import StreamingResponse

from feedback_miner.report.tables import Cell, encode_csv
from feedback_miner.store import access, findings
from feedback_miner.store.opinions import FoundOpinion, OpinionFilter, find_opinions
from feedback_miner.web.access import Caller, GuardedRoute, require
from feedback_miner.web.problems import responses
from feedback_miner.web.service import service_of

__all__ = ["router"]

router = APIRouter(prefix="/v1/projects/{project}", tags=["edits"], route_class=GuardedRoute)
_AT_A_TIME = 500
_COLUMNS = ("text", "language", "themes", "sentiment", "type", "causes", "opinion")
_SENTIMENTS = {"negative": "neg", "neutral": "neu", "positive": "pos"}
_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "A table"}}


@router.get("/corrections.csv", response_class=StreamingResponse, responses={**responses(404, 409), **_CSV})
def export_corrections(project: str, request: Request, caller: Annotated[Caller, Depends(require("read"))]) -> StreamingResponse:
    """Return every opinion that an analyst moved or corrected, with what was said of it and nothing that the machine guessed."""
    service = service_of(request)
    with service.database.reading() as session:
        figures = findings.get_figures(session, caller.check_project(project))
    with service.database.transaction() as session:
        access.note(session, caller.id, "export corrections.csv", project=project)
    names = {theme["id"]: next(iter(theme["names"].values()), theme["id"]) for theme in figures["themes"]}

    def rows() -> Iterator[list[Cell]]:
        after = 0
        while True:
            with service.database.reading() as session:
                found = find_opinions(session, project, OpinionFilter(corrected=True), after=after, limit=_AT_A_TIME)
            yield from (_row(opinion, names) for opinion in found)
            if len(found) < _AT_A_TIME:
                return
            after = found[-1].row

    return StreamingResponse(
        encode_csv(_COLUMNS, rows()),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="corrections.csv"'},
    )


def _row(opinion: FoundOpinion, names: Mapping[str, str]) -> list[Cell]:
    coding = opinion.coding
    said: dict[str, Cell] = {
        "themes": "|".join(names.get(score.theme, score.theme) for score in coding.themes),
        "sentiment": _SENTIMENTS[coding.sentiment.label.value],
        "type": coding.type.value,
        "causes": "|".join(aspect.cause for aspect in coding.aspects),
    }
    known: list[Cell] = [said[name] if name in coding.edited else "" for name in said]
    return [opinion.document[opinion.start : opinion.end], opinion.language, *known, opinion.id]
