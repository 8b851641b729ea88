"""Which opinions a request asks for: query parameters in, a filter of the store out."""

import json
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Annotated, Literal

from fastapi import Query
from sqlalchemy.orm import Session

from feedback_miner.domain import FeedbackType, Polarity, ResidualReason, ScoreKind
from feedback_miner.errors import InputError
from feedback_miner.insight.scores import score_range
from feedback_miner.report.causes import CauseBook, read_causes
from feedback_miner.store import findings, projects
from feedback_miner.store.opinions import OpinionFilter

__all__ = ["Filters", "Period", "filters", "living_causes", "make_filter"]

UNMAPPED = "unmapped"
ScoreGroup = Literal["promoter", "passive", "detractor", "satisfied", "unsatisfied", "low", "middle", "high"]
Attribute = Annotated[str, Query(pattern=r"^[^:]+:", max_length=400)]


@dataclass(frozen=True, slots=True)
class Period:
    """``[since, until)``, in days of the responses' own dates."""

    since: date | None = None
    until: date | None = None


@dataclass(frozen=True, slots=True)
class Filters:
    """What a request asks for, as it says it."""

    period: Period
    score_group: str | None = None
    sentiment: str | None = None
    type: FeedbackType | None = None
    cause: str | None = None
    reason: ResidualReason | None = None
    channel: str | None = None
    language: str | None = None
    attributes: tuple[str, ...] = ()
    words: str = ""


def filters(
    since: Annotated[date | None, Query(alias="from", description="Only responses of this day or later.")] = None,
    until: Annotated[date | None, Query(alias="to", description="Only responses before this day.")] = None,
    score_group: Annotated[
        ScoreGroup | None,
        Query(
            description="Only people of this group. NPS: promoter, passive, detractor; CSAT: satisfied, unsatisfied; "
            "CES: high, middle, low; stars: high, low."
        ),
    ] = None,
    sentiment: Annotated[Literal["negative", "neutral", "positive"] | None, Query(description="Only opinions of this sentiment.")] = None,
    type: Annotated[FeedbackType | None, Query(description="Only opinions of this type.")] = None,  # noqa: A002 - as it is called in the API
    cause: Annotated[
        str | None,
        Query(max_length=80, description="Only where this cause was read, or one under this driver; `unmapped`: blame without a cause."),
    ] = None,
    reason: Annotated[ResidualReason | None, Query(description="Only what is in no theme for this reason.")] = None,
    channel: Annotated[str | None, Query(max_length=200, description="Only responses of this channel.")] = None,
    language: Annotated[str | None, Query(max_length=8, description="Only comments in this language: en, zh, …")] = None,
    attribute: Annotated[
        list[Attribute] | None,
        Query(max_length=10, description="Only responses with this attribute, as name:value; several must all hold."),
    ] = None,
    words: Annotated[str, Query(max_length=100, description="Only where the comment contains these words.")] = "",
) -> Filters:
    """Return what a request asks for: a dependency of every path that lists opinions or those who hold them."""
    if since is not None and until is not None and since >= until:
        raise InputError(f"no day is from {since} on and before {until}; give a 'from' that is earlier than 'to'")
    return Filters(
        Period(since, until), score_group, sentiment, type, cause, reason, channel, language, tuple(attribute or ()), words.strip()
    )


def make_filter(session: Session, project: str, asked: Filters, themes: tuple[str, ...] | None = None) -> OpinionFilter:
    """Return what a request asks for as the store takes it. Raises InputError where the project has no such score group or cause."""
    scores = None
    if asked.score_group is not None:
        kind = projects.score_kind(session, project)
        if kind is None:
            raise InputError(f"the responses of project {project} have no score, so they have no score groups; leave 'score_group' out")
        scores = score_range(asked.score_group, ScoreKind(kind))
    causes: tuple[str, ...] = ()
    if asked.cause not in (None, UNMAPPED):
        causes = _causes_under(session, project, str(asked.cause))
    return OpinionFilter(
        themes=themes,
        since=_midnight(asked.period.since),
        until=_midnight(asked.period.until),
        scores=scores,
        sentiment=None if asked.sentiment is None else Polarity(asked.sentiment),
        type=asked.type,
        causes=causes,
        unmapped=asked.cause == UNMAPPED,
        reason=asked.reason,
        channel=asked.channel,
        language=asked.language,
        attributes=tuple((name, value) for name, _, value in (pair.partition(":") for pair in asked.attributes)),
        words=asked.words,
    )


def living_causes(session: Session, project: str) -> CauseBook:
    """Return the causes of a project's living theme set."""
    return read_causes(_taxonomy(session, project))


def _taxonomy(session: Session, project: str) -> dict[str, list[dict[str, str | None]]]:
    taxonomy: dict[str, list[dict[str, str | None]]] = json.loads(findings.get_theme_set(session, project).description)["taxonomy"]
    return taxonomy


def _causes_under(session: Session, project: str, asked: str) -> tuple[str, ...]:
    """Return a cause and those that roll up to it, or all causes of a driver."""
    causes = _taxonomy(session, project)["causes"]
    found = tuple(str(cause["id"]) for cause in causes if asked in (cause["id"], cause.get("parent"), cause["driver"]))
    if not found:
        drivers = sorted({str(cause["driver"]) for cause in causes})
        raise InputError(
            f"there is no cause {asked!r} here; give one of GET …/causes, {UNMAPPED}, or one of the drivers {', '.join(drivers)}"
        )
    return found


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time())
