"""Customers to call back: who holds an opinion that is asked for, by the key they have in the uploaded files."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse
from sqlalchemy.orm import Session

from feedback_miner.report.tables import Cell, encode_csv
from feedback_miner.store import access, findings
from feedback_miner.store.customers import Caller as Holder
from feedback_miner.store.customers import find_callers, load_callers
from feedback_miner.store.opinions import OpinionFilter
from feedback_miner.web.access import Caller, GuardedRoute, require
from feedback_miner.web.filters import Filters, filters, make_filter
from feedback_miner.web.opinions import leaves_of
from feedback_miner.web.problems import responses
from feedback_miner.web.projects import Limit
from feedback_miner.web.service import Service, service_of
from feedback_miner.web.wire import CustomerOut, Page

__all__ = ["router"]

router = APIRouter(prefix="/v1/projects/{project}", tags=["customers"], route_class=GuardedRoute)
_AT_A_TIME = 500
_COLUMNS = ("customer", "date", "score", "channel", "opinion", "text")
_CSV: dict[int | str, dict[str, Any]] = {200: {"content": {"text/csv": {"schema": {"type": "string"}}}, "description": "A table"}}
Contact = Annotated[Caller, Depends(require("contact"))]
Asked = Annotated[Filters, Depends(filters)]
Theme = Annotated[str | None, Query(max_length=32, description="Only who holds an opinion in this theme, or in a leaf of this parent.")]


@router.get("/customers", response_model=Page[CustomerOut], responses=responses(404, 409))
def list_customers(
    project: str,
    request: Request,
    caller: Contact,
    asked: Asked,
    theme: Theme = None,
    cursor: Annotated[str, Query(max_length=400)] = "",
    limit: Limit = 50,
) -> Any:
    """List the customers who hold an opinion that is asked for, each by their own key, with what they said. All filters hold at once."""
    service = service_of(request)
    with service.database.reading() as session:
        wanted = _wanted(session, caller.check_project(project), asked, theme)
        names = find_callers(session, project, wanted, after=cursor, limit=limit + 1)
        found = load_callers(session, project, wanted, names[:limit])
    _note(service, caller, project, "read customers")
    return {"items": [_customer_out(service, holder) for holder in found], "next": names[limit - 1] if len(names) > limit else None}


@router.get("/customers.csv", response_class=StreamingResponse, responses={**responses(404, 409), **_CSV})
def export_customers(project: str, request: Request, caller: Contact, asked: Asked, theme: Theme = None) -> StreamingResponse:
    """Return the customers who hold an opinion that is asked for as a table: one row for each such opinion."""
    service = service_of(request)
    with service.database.reading() as session:
        wanted = _wanted(session, caller.check_project(project), asked, theme)
        names = find_callers(session, project, wanted)  # once: each page would look through all opinions that are wanted
    _note(service, caller, project, "export customers.csv")

    def rows() -> Iterator[list[Cell]]:
        for start in range(0, len(names), _AT_A_TIME):
            with service.database.reading() as session:
                found = load_callers(session, project, wanted, names[start : start + _AT_A_TIME])
            for holder in found:
                yield from _rows(service, holder)

    return StreamingResponse(
        encode_csv(_COLUMNS, rows()),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": 'attachment; filename="customers.csv"'},
    )


def _wanted(session: Session, project: str, asked: Filters, theme: str | None) -> OpinionFilter:
    figures = findings.get_figures(session, project)
    return make_filter(session, project, asked, None if theme is None else leaves_of(figures, theme))


def _note(service: Service, caller: Caller, project: str, action: str) -> None:
    with service.database.transaction() as session:
        access.note(session, caller.id, action, project=project)


def _key(service: Service, holder: Holder) -> str:
    """Return a customer's key as it stood in the upload."""
    return holder.pseudonym if holder.sealed is None else service.shop.unseal(holder.sealed)


def _customer_out(service: Service, holder: Holder) -> CustomerOut:
    latest = max(holder.spoken, key=lambda said: (said.created_at is not None, said.created_at or 0))
    return CustomerOut(
        customer=_key(service, holder),
        score=latest.score,
        created_at=None if latest.created_at is None else latest.created_at.isoformat(),
        channel=latest.channel,
        opinions=[{"id": said.id, "text": said.text} for said in holder.spoken],
    )


def _rows(service: Service, holder: Holder) -> Iterator[list[Cell]]:
    key = _key(service, holder)
    for said in holder.spoken:
        score: Cell = None if said.score is None else int(said.score) if said.score.is_integer() else said.score
        yield [key, None if said.created_at is None else said.created_at.isoformat(), score, said.channel, said.id, said.text]
