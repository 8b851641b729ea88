"""What was learned: theme sets, codings, the current analysis, and the log of edits."""

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Exists, and_, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from feedback_miner.domain import Aspect, CauseScore, Coding, FeedbackType, LineageEvent, ResidualReason, Sentiment, ThemeScore
from feedback_miner.errors import NotFoundError
from feedback_miner.store.projects import get_project, now
from feedback_miner.store.tables import (
    AnalysisRow,
    CodingRow,
    DocumentRow,
    EditRow,
    LineageRow,
    OpinionRow,
    ProjectRow,
    ResponseRow,
    ThemeSetRow,
    insert_rows,
    opinion_id,
)

__all__ = [
    "UncodedOpinion",
    "add_edit",
    "add_lineage",
    "add_theme_set",
    "adopt_codings",
    "count_uncoded",
    "get_analysis",
    "get_figures",
    "get_fitted_theme_set",
    "get_theme_set",
    "list_edits",
    "list_leaves_ever",
    "list_lineage",
    "living_version",
    "load_codings",
    "load_leaves",
    "load_uncoded",
    "make_living",
    "mark_stale",
    "read_coding",
    "remove_analysis",
    "remove_theme_sets",
    "save_analysis",
    "save_codings",
]

_STALE = 0
"""No theme set has this number."""
_FIGURES_WITHOUT = frozenset({"items", "documents", "opinions", "codings"})


@dataclass(frozen=True, slots=True)
class UncodedOpinion:
    """What is needed to code an opinion: where it stands, and which vector is its own."""

    row: int
    start: int
    end: int
    text_key: bytes | None
    """``None`` where it has not been encoded."""
    document: str
    """The text it stands in."""
    language: str


def add_theme_set(session: Session, project: str, version: str, files: Mapping[str, bytes], *, fitted: int | None = None) -> int:
    """Keep a theme set and make it the living one; return its number. One that equals the living one is not kept twice.

    ``fitted`` is the number of the theme set that edits were replayed on to make this one; ``None`` where it was fitted itself.
    """
    row = get_project(session, project)
    if row.theme_set is not None and get_theme_set(session, project).version == version:
        return row.theme_set
    number = (session.scalar(select(func.max(ThemeSetRow.number)).where(ThemeSetRow.project == project)) or 0) + 1
    session.add(
        ThemeSetRow(
            project=project,
            number=number,
            fitted=fitted or number,
            version=version,
            created_at=now(),
            description=files["theme_set.json"],
            arrays=files["theme_set.npz"],
        )
    )
    row.theme_set = number
    session.flush()
    return number


def get_fitted_theme_set(session: Session, project: str) -> ThemeSetRow:
    """Return the theme set that the living one was made from by edits, or the living one itself; raises NotFoundError."""
    living = get_theme_set(session, project)
    return living if living.fitted == living.number else session.get_one(ThemeSetRow, (project, living.fitted))


def make_living(session: Session, project: str, theme_set: int) -> None:
    """Go back to a theme set that is kept."""
    get_project(session, project).theme_set = theme_set
    session.flush()


def remove_theme_sets(session: Session, project: str, *, before: int) -> None:
    """Remove the theme sets with lower numbers: none may go on quoting what was deleted."""
    session.execute(delete(ThemeSetRow).where(ThemeSetRow.project == project, ThemeSetRow.number < before))


def add_lineage(session: Session, project: str, theme_set: int, events: Sequence[LineageEvent]) -> None:
    """Keep what became of each theme when a fitted theme set was made."""
    last = session.scalar(select(func.max(LineageRow.number)).where(LineageRow.project == project)) or 0
    at = now()
    values = [
        {"project": project, "number": number, "theme_set": theme_set, "created_at": at} | asdict(event) | {"kind": event.kind.value}
        for number, event in enumerate(events, start=last + 1)
    ]
    insert_rows(session, LineageRow, values)


def list_lineage(session: Session, project: str, *, theme: str | None = None, after: int = 0, limit: int = 50) -> Sequence[LineageRow]:
    """Return what became of themes, in the order it happened, after a number; ``theme``: only what that theme has part in."""
    query = select(LineageRow).where(LineageRow.project == project, LineageRow.number > after).order_by(LineageRow.number).limit(limit)
    return session.scalars(query if theme is None else query.where(or_(LineageRow.old == theme, LineageRow.new == theme))).all()


def list_leaves_ever(session: Session, project: str) -> frozenset[str]:
    """Return the id of every leaf that a project's fitted theme sets ever had: none is given to another theme."""
    born = select(LineageRow.new).where(LineageRow.project == project, LineageRow.new.is_not(None))
    return frozenset(filter(None, session.scalars(born)))


def adopt_codings(session: Session, project: str, theme_set: int, *, of: int) -> None:
    """Say that what was coded with one theme set stands as coded with another, which codes alike."""
    session.execute(update(CodingRow).where(CodingRow.project == project, CodingRow.theme_set == of).values(theme_set=theme_set))


def mark_stale(session: Session, opinions: Sequence[int]) -> None:
    """Let the next job read opinions again, by row number; what was read stays until then."""
    for start in range(0, len(opinions), 500):
        session.execute(update(CodingRow).where(CodingRow.opinion.in_(opinions[start : start + 500])).values(theme_set=_STALE))


def get_theme_set(session: Session, project: str) -> ThemeSetRow:
    """Return the living theme set, or raise NotFoundError."""
    number = get_project(session, project).theme_set
    row = None if number is None else session.get(ThemeSetRow, (project, number))
    if row is None:
        raise NotFoundError(f"project {project} has no themes yet; upload a batch and wait for its job")
    return row


def living_version(session: Session, project: str) -> str:
    """Return the version of the living theme set without loading it, or raise NotFoundError. One statement: every classify call asks."""
    living = and_(ThemeSetRow.project == ProjectRow.id, ThemeSetRow.number == ProjectRow.theme_set)
    query = select(ThemeSetRow.version).select_from(ProjectRow).outerjoin(ThemeSetRow, living).where(ProjectRow.id == project)
    found = session.execute(query).one_or_none()
    if found is None:
        get_project(session, project)
    if found is None or found.version is None:
        raise NotFoundError(f"project {project} has no themes yet; upload a batch and wait for its job")
    return str(found.version)


def save_codings(session: Session, project: str, theme_set: int, codings: Mapping[int, Coding]) -> None:
    """Keep what was read in opinions with a theme set, by row number; earlier readings are replaced."""
    rows = list(codings)
    for start in range(0, len(rows), 500):
        part = rows[start : start + 500]
        session.execute(delete(CodingRow).where(CodingRow.opinion.in_(part)))
        insert_rows(session, CodingRow, [{"project": project, "theme_set": theme_set} | _coding_values(row, codings[row]) for row in part])


def load_uncoded(session: Session, project: str, theme_set: int, after: int, limit: int) -> list[UncodedOpinion]:
    """Return the next opinions without a coding by this theme set, after a row number."""
    # The project is asked of each: joined, SQLite would begin with all of its responses, and sort what comes of them for every shard.
    ours = exists().where(ResponseRow.id == DocumentRow.response, ResponseRow.project == project)
    query = (
        select(OpinionRow.id, OpinionRow.start, OpinionRow.end, OpinionRow.text_key, DocumentRow.text, DocumentRow.language)
        .join(DocumentRow, OpinionRow.document == DocumentRow.id)
        .where(OpinionRow.id > after, ~_coded_with(theme_set), ours)
        .order_by(OpinionRow.id)
        .limit(limit)
    )
    return [UncodedOpinion(*row) for row in session.execute(query)]


def count_uncoded(session: Session, project: str, theme_set: int) -> int:
    """Return how many of a project's opinions have no coding by this theme set."""
    query = (
        select(func.count())
        .select_from(OpinionRow)
        .join(DocumentRow, OpinionRow.document == DocumentRow.id)
        .join(ResponseRow, DocumentRow.response == ResponseRow.id)
        .where(ResponseRow.project == project, ~_coded_with(theme_set))
    )
    return session.scalar(query) or 0


def load_codings(session: Session, project: str, opinions: Mapping[int, str]) -> dict[int, Coding]:
    """Return the codings of a project's opinions; ``opinions`` gives the id of each row."""
    query = select(CodingRow).where(CodingRow.project == project)
    return {row.opinion: read_coding(row, opinions[row.opinion]) for row in session.scalars(query) if row.opinion in opinions}


def load_leaves(session: Session, project: str) -> dict[str, str]:
    """Return the leaf of each opinion as it was coded last, by the opinion's id; what is in no theme is left out."""
    query = (
        select(ResponseRow.item, DocumentRow.number, OpinionRow.start, CodingRow.theme)
        .select_from(CodingRow)
        .join(OpinionRow, CodingRow.opinion == OpinionRow.id)
        .join(DocumentRow, OpinionRow.document == DocumentRow.id)
        .join(ResponseRow, DocumentRow.response == ResponseRow.id)
        .where(CodingRow.project == project, CodingRow.theme.is_not(None))
    )
    return {opinion_id(item, number, start): str(theme) for item, number, start, theme in session.execute(query)}


def read_coding(row: CodingRow, opinion: str) -> Coding:
    """Return what was read in an opinion, by its id."""
    return Coding(
        opinion=opinion,
        themes=() if row.theme is None else (ThemeScore(row.theme, row.strength),),
        residual=None if row.residual is None else ResidualReason(row.residual),
        nearest=tuple(ThemeScore(theme, strength) for theme, strength in row.nearest),
        sentiment=Sentiment(row.negative, row.neutral, row.positive),
        type=FeedbackType(row.type),
        aspects=tuple(Aspect(**aspect) for aspect in row.aspects),
        causes=tuple(CauseScore(**cause) for cause in row.causes),
        edited=tuple(row.edited),
    )


def save_analysis(session: Session, project: str, theme_set: int, analysis: bytes) -> None:
    """Keep the current analysis: analysis.json as bytes."""
    figures = {name: value for name, value in json.loads(analysis).items() if name not in _FIGURES_WITHOUT}
    figures.get("run", {}).pop("rows", None)  # one for each response
    remove_analysis(session, project)
    session.add(
        AnalysisRow(project=project, theme_set=theme_set, created_at=now(), figures=figures, packed=gzip.compress(analysis, mtime=0))
    )


def remove_analysis(session: Session, project: str) -> None:
    """Forget the current analysis."""
    session.execute(delete(AnalysisRow).where(AnalysisRow.project == project))


def get_analysis(session: Session, project: str) -> AnalysisRow:
    """Return the current analysis, or raise NotFoundError."""
    get_project(session, project)
    row = session.get(AnalysisRow, project)
    if row is None:
        raise NotFoundError(f"project {project} has no analysis yet; upload a batch and wait for its job")
    return row


def get_figures(session: Session, project: str) -> dict[str, Any]:
    """Return the figures of the current analysis, without the whole of it; raises NotFoundError."""
    get_project(session, project)
    figures: dict[str, Any] | None = session.scalar(select(AnalysisRow.figures).where(AnalysisRow.project == project))
    if figures is None:
        raise NotFoundError(f"project {project} has no analysis yet; upload a batch and wait for its job")
    return figures


def add_edit(session: Session, project: str, kind: str, values: Mapping[str, Any], author: str) -> EditRow:
    """Add to the log of edits. The caller has locked the project."""
    number = (session.scalar(select(func.max(EditRow.number)).where(EditRow.project == project)) or 0) + 1
    row = EditRow(project=project, number=number, kind=kind, values=dict(values), author=author, created_at=now())
    session.add(row)
    session.flush()
    return row


def list_edits(session: Session, project: str) -> Sequence[EditRow]:
    """Return the log of edits, oldest first."""
    return session.scalars(select(EditRow).where(EditRow.project == project).order_by(EditRow.number)).all()


def _coded_with(theme_set: int) -> Exists:
    return exists().where(CodingRow.opinion == OpinionRow.id, CodingRow.theme_set == theme_set)


def _coding_values(row: int, coding: Coding) -> dict[str, Any]:
    return {
        "opinion": row,
        "theme": coding.themes[0].theme if coding.themes else None,
        "edited": list(coding.edited),
        "strength": coding.themes[0].strength if coding.themes else 0.0,
        "residual": coding.residual.value if coding.residual else None,
        "nearest": [[near.theme, near.strength] for near in coding.nearest],
        "negative": coding.sentiment.negative,
        "neutral": coding.sentiment.neutral,
        "positive": coding.sentiment.positive,
        "type": coding.type.value,
        "aspects": [asdict(aspect) for aspect in coding.aspects],
        "causes": [asdict(cause) for cause in coding.causes],
    }
