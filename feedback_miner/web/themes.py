"""What was found: themes, scores, causes, trends, the report."""

import gzip
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response

from feedback_miner.edits import ThemeNotes, active_edits, theme_notes
from feedback_miner.jobs.living import living_theme_set, load_log
from feedback_miner.report import findings_from_json, opinion_columns, opinion_rows
from feedback_miner.report.causes import read_causes
from feedback_miner.report.html import render_report
from feedback_miner.report.tables import encode_csv
from feedback_miner.store import access, findings
from feedback_miner.web.access import Caller, GuardedRoute, require
from feedback_miner.web.opinions import find_theme
from feedback_miner.web.problems import responses
from feedback_miner.web.service import service_of
from feedback_miner.web.wire import Page

__all__ = ["router"]

router = APIRouter(prefix="/v1/projects/{project}", tags=["findings"], route_class=GuardedRoute)
_REPORTS = {
    kind: {"schema": {"type": shape}} for kind, shape in (("text/html", "string"), ("application/json", "object"), ("text/csv", "string"))
}
Reader = Annotated[Caller, Depends(require("read"))]


@router.get("/themes", response_model=Page[dict[str, Any]], responses=responses(404))
def list_themes(project: str, request: Request, caller: Reader) -> Any:
    """List themes, leaves and parents, most people first, each with what was counted and what analysts noted."""
    return {"items": _with_notes(request, project, _figures(request, caller, project)["themes"]), "next": None}


@router.get("/themes/{theme}", response_model=dict[str, Any], responses=responses(404))
def get_theme(project: str, theme: str, request: Request, caller: Reader) -> Any:
    """Show a theme."""
    return _with_notes(request, project, [find_theme(_figures(request, caller, project), theme)])[0]


@router.get("/scores", response_model=dict[str, Any], responses=responses(404))
def get_scores(project: str, request: Request, caller: Reader) -> Any:
    """Show the score of all responses, its course, and how the rows are accounted for."""
    figures = _figures(request, caller, project)
    return {name: figures[name] for name in ("score", "score_trend", "counts", "versions")}


@router.get("/causes", response_model=dict[str, Any], responses=responses(404))
def get_causes(project: str, request: Request, caller: Reader) -> Any:
    """Show root causes and drivers, praised aspects, and which causes the detractors of each theme name."""
    figures = _figures(request, caller, project)
    return {
        "causes": figures["cause_measures"],
        "strengths": figures["strength_measures"],
        "detractors": [{"theme": theme, "cause": cause, "people": people} for theme, cause, people in figures["detractor_causes"]],
    }


@router.get("/trends", response_model=Page[dict[str, Any]], responses=responses(404))
def list_trends(project: str, request: Request, caller: Reader) -> Any:
    """List how the share of each theme and cause moved; empty without dates."""
    figures = _figures(request, caller, project)
    themes = [{"kind": "theme", "subject": theme["id"], **theme["trend"]} for theme in figures["themes"] if theme["trend"]]
    causes = [{"kind": "cause", "subject": cause["subject"], **cause["trend"]} for cause in figures["cause_measures"] if cause["trend"]]
    return {"items": [*themes, *causes], "next": None}


@router.get(
    "/report.{kind}",
    response_class=Response,
    responses={**responses(404), 200: {"content": _REPORTS, "description": "The report"}},
)
def get_report(
    project: str,
    kind: Literal["html", "json", "csv"],
    request: Request,
    caller: Reader,
    language: Annotated[Literal["en", "zh"], Query()] = "en",
) -> Response:
    """Return the report: a page that stands alone, analysis.json, or one row for each opinion."""
    with service_of(request).database.reading() as session:
        packed = findings.get_analysis(session, caller.check_project(project)).packed
        taxonomy = living_theme_set(session, project).taxonomy
    with service_of(request).database.transaction() as session:
        access.note(session, caller.id, f"export report.{kind}", project=project)
    analysis = gzip.decompress(packed)
    if kind == "json":
        return Response(analysis, media_type="application/json")
    found, run = findings_from_json(analysis)
    book = read_causes(taxonomy)
    if kind == "csv":
        content = b"".join(encode_csv(opinion_columns(), opinion_rows(found, book, language=language)))
        return Response(
            content, media_type="text/csv; charset=utf-8", headers={"Content-Disposition": 'attachment; filename="opinions.csv"'}
        )
    themes = f"{request.scope.get('root_path', '')}/v1/projects/{project}/themes"
    return Response(
        render_report(found, run, language=language, taxonomy=book, theme_link=lambda theme: f"{themes}/{theme}/opinions").encode(
            "utf-8", "replace"
        ),
        media_type="text/html; charset=utf-8",
    )


def _figures(request: Request, caller: Caller, project: str) -> dict[str, Any]:
    with service_of(request).database.reading() as session:
        return findings.get_figures(session, caller.check_project(project))


def _with_notes(request: Request, project: str, themes: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add whether a theme is hidden or pinned, and its owner, effort and status, from the log of edits."""
    with service_of(request).database.reading() as session:
        notes = theme_notes(active_edits(load_log(session, project)))
    return [{**theme, "notes": asdict(notes.get(theme["id"], ThemeNotes()))} for theme in themes]
