"""Batches: a file or JSON items in, a job out."""

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import fields
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import TypeAdapter, ValidationError
from starlette.datastructures import FormData, UploadFile

from feedback_miner.corpus import read_corpus
from feedback_miner.domain import ScoreKind
from feedback_miner.errors import InputError
from feedback_miner.ingest import IngestOptions, read_feedback
from feedback_miner.jobs.steps import mapping_to_values
from feedback_miner.progress import report_to_nobody
from feedback_miner.store import access, projects
from feedback_miner.store.tables import BatchRow, JobRow
from feedback_miner.web.access import Caller, GuardedRoute, require
from feedback_miner.web.edge import BODY_LIMIT
from feedback_miner.web.idempotency import IdempotencyKey, answer_once
from feedback_miner.web.problems import RefusalError, place_of, responses
from feedback_miner.web.projects import Limit
from feedback_miner.web.service import Service, service_of
from feedback_miner.web.wire import BatchOut, IssueOut, ItemsIn, Page, PreviewOut

__all__ = ["router"]

router = APIRouter(prefix="/v1", tags=["batches"], route_class=GuardedRoute)
_OPTIONS = TypeAdapter(IngestOptions)
_PREVIEW_ROWS = 10
_BLOCK = 1 << 20
_LONGEST_NAME = 200
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {
                            "type": "string",
                            "format": "binary",
                            "description": "CSV, TSV, XLSX, JSON Lines, Parquet, or text; may be gzipped",
                        },
                        "mapping": {
                            "type": "string",
                            "description": 'What is known of its columns, as JSON: {"texts": ["comment"], "score": "nps"}',
                        },
                    },
                }
            },
            "application/json": {"schema": {"$ref": "#/components/schemas/ItemsIn"}},
        },
    }
}


@router.post(
    "/projects/{project}/batches",
    status_code=202,
    response_model=BatchOut,
    responses={**responses(404, 409, body=True), 200: {"model": BatchOut, "description": "Uploaded before; nothing was changed"}},
    openapi_extra=_BODY,
)
async def create_batch(
    project: str, request: Request, response: Response, caller: Annotated[Caller, Depends(require("ingest"))], key: IdempotencyKey = None
) -> Any:
    """Upload a batch: a file, or items as JSON. The job that mines it is at ``Location``."""
    async with _received(request) as (form, body):
        return await run_in_threadpool(_create_batch, service_of(request), caller, project, form, body, key, response)


@router.post("/projects/{project}/batches/preview", response_model=PreviewOut, responses=responses(404, body=True), openapi_extra=_BODY)
async def preview_batch(project: str, request: Request, caller: Annotated[Caller, Depends(require("ingest"))]) -> Any:
    """Say how a file would be read: which column is taken for what and why, and its first rows, redacted. Nothing is kept."""
    async with _received(request) as (form, body):
        return await run_in_threadpool(_preview, service_of(request), caller, project, form, body)


@router.get("/projects/{project}/batches", response_model=Page[BatchOut], responses=responses(404))
def list_batches(
    project: str,
    request: Request,
    caller: Annotated[Caller, Depends(require("read"))],
    cursor: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    limit: Limit = 50,
) -> Any:
    """List a project's batches."""
    with service_of(request).database.reading() as session:
        projects.get_project(session, caller.check_project(project))
        rows = projects.list_batches(session, project, after=cursor, limit=limit + 1)
    return {"items": [_batch_out(row, None) for row in rows[:limit]], "next": str(rows[limit - 1].number) if len(rows) > limit else None}


@router.get("/projects/{project}/batches/{batch}/issues", response_model=Page[IssueOut], responses=responses(404))
def list_issues(project: str, batch: str, request: Request, caller: Annotated[Caller, Depends(require("read"))]) -> Any:
    """List the rows of a batch that were rejected, or kept without a value: line, column and reason."""
    with service_of(request).database.reading() as session:
        row = projects.get_batch(session, caller.check_project(project), batch)
        return {
            "items": [{"row": at, "column": column, "reason": reason, "kept": kept} for at, column, reason, kept in row.issues],
            "next": None,
        }


@asynccontextmanager
async def _received(request: Request) -> AsyncIterator[tuple[FormData | None, bytes]]:
    """Take in what was sent: a form, its files closed afterwards, or the bytes of a body."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "multipart/form-data":
        request.scope[BODY_LIMIT] = (service_of(request).settings.max_upload_mb << 20) + _BLOCK  # the form around the file
        async with request.form(max_files=1, max_fields=4) as form:
            yield form, b""
    elif kind == "application/json":
        yield None, await request.body()
    else:
        raise RefusalError(
            415, f"no support for {kind or 'a body without content type'!r}; send multipart/form-data with a file, or application/json"
        )


def _create_batch(
    service: Service, caller: Caller, project: str, form: FormData | None, body: bytes, key: str | None, response: Response
) -> dict[str, Any]:
    caller.check_project(project)
    with service.database.reading() as session:
        projects.get_project(session, project)
    spool = service.shop.spool_path(f"upload_{projects.new_id('tmp')}")
    try:
        source, options, sha256 = _spool(service, form, body, spool)
        new = ""

        def make() -> tuple[int, dict[str, Any]]:
            nonlocal new
            known = projects.find_batch(session, project, sha256)
            if known is not None and known[1].state not in {"failed", "cancelled"}:
                return 200, _batch_out(known[0], known[1], duplicate=True).model_dump(mode="json")
            if known is not None:
                session.delete(known[0])
                session.flush()
            batch = projects.add_batch(session, project, source=source, sha256=sha256, options=_OPTIONS.dump_python(options, mode="json"))
            job = projects.add_job(session, project, batch.id)
            access.note(session, caller.id, "upload batch", project=project, subject=batch.id)
            spool.rename(service.shop.spool_path(batch.id))
            new = job.id
            return 202, _batch_out(batch, job).model_dump(mode="json")

        with service.database.transaction() as session:
            projects.lock_project(session, project)
            answer = answer_once(
                session, caller, key, ["batch", project, sha256, _OPTIONS.dump_python(options, mode="json")], response, make
            )
    finally:
        spool.unlink(missing_ok=True)
    if new:
        service.engine.enqueue(new)
    if answer["job"]:
        response.headers["Location"] = f"/v1/jobs/{answer['job']}"
    return answer


def _preview(service: Service, caller: Caller, project: str, form: FormData | None, body: bytes) -> PreviewOut:
    caller.check_project(project)
    with service.database.reading() as session:
        projects.get_project(session, project)
    spool = service.shop.spool_path(f"preview_{projects.new_id('tmp')}")
    try:
        _, options, _ = _spool(service, form, body, spool)
        ingested = read_feedback(spool, options=options)
        try:
            first = [item for item, _ in zip(ingested.items(), range(_PREVIEW_ROWS), strict=False)]
        finally:
            ingested.close()
    finally:
        spool.unlink(missing_ok=True)
    corpus = read_corpus(first, report_to_nobody, key=service.shop.pseudonym_key())
    texts: dict[str, dict[str, str]] = {}
    for document in corpus.documents:
        texts.setdefault(document.item, {})[document.column] = document.text
    rows = [
        {
            "row": item.row,
            "texts": texts.get(item.id, {}),
            "score": item.score,
            "created_at": item.created_at,
            "customer": item.customer,
            "channel": item.channel,
        }
        for item in sorted(corpus.items, key=lambda item: item.row)
    ]
    return PreviewOut(columns=mapping_to_values(ingested.mapping), rows=rows)


def _spool(service: Service, form: FormData | None, body: bytes, path: Path) -> tuple[str, IngestOptions, str]:
    """Write what was sent to the spool, readable by nobody else; return its name, what is said of it, and its hash."""
    limit = service.settings.max_upload_mb << 20
    path.touch(mode=0o600)
    if form is None:
        return _spool_items(body, path)
    upload = form.get("file")
    if not isinstance(upload, UploadFile):
        raise InputError("the form has no file; send one in the field 'file'")
    digest, size = hashlib.sha256(), 0
    with path.open("wb") as spool:
        while block := upload.file.read(_BLOCK):
            size += len(block)
            if size > limit:
                raise RefusalError(413, f"the file has more than {service.settings.max_upload_mb} MB; split it, or raise max_upload_mb")
            digest.update(block)
            spool.write(block)
    name = "".join(letter for letter in Path(upload.filename or "").name if letter.isprintable())[:_LONGEST_NAME]
    return name or "upload", _read_mapping(form.get("mapping")), digest.hexdigest()


def _spool_items(body: bytes, path: Path) -> tuple[str, IngestOptions, str]:
    try:
        sent = ItemsIn.model_validate_json(body)
    except ValidationError as error:
        raise InputError(_first_error(error, "body")) from None
    used = [name for name in type(sent.items[0]).model_fields if any(getattr(item, name) is not None for item in sent.items)]
    with path.open("w", encoding="utf-8") as spool:
        for item in sent.items:
            spool.write(json.dumps({name: getattr(item, name) for name in used}, ensure_ascii=False) + "\n")
    options = IngestOptions(
        texts=("text",),
        score="score" if "score" in used else None,
        score_kind=None if sent.score_kind is None else ScoreKind(sent.score_kind),
        date="created_at" if "created_at" in used else None,
        customer="customer" if "customer" in used else None,
        channel="channel" if "channel" in used else None,
        weight="weight" if "weight" in used else None,
    )
    return "items", options, hashlib.sha256(path.read_bytes()).hexdigest()


def _read_mapping(sent: object) -> IngestOptions:
    if sent is None or sent == "":
        return IngestOptions()
    try:
        values = json.loads(sent) if isinstance(sent, str) else None
    except json.JSONDecodeError:
        values = None
    if not isinstance(values, Mapping):
        raise InputError('mapping is no JSON object; send for example {"texts": ["comment"], "score": "nps"}')
    known = [field.name for field in fields(IngestOptions)]
    if unknown := sorted(set(values) - set(known)):
        raise InputError(f"mapping has no field {unknown[0]!r}; choose among {', '.join(known)}")
    try:
        return _OPTIONS.validate_python(values)
    except ValidationError as error:
        raise InputError(_first_error(error, "mapping")) from None


def _first_error(error: ValidationError, at: str) -> str:
    first = error.errors(include_input=False, include_context=False, include_url=False)[0]
    return f"{place_of((at, *first['loc']))}: {first['msg']}"


def _batch_out(row: BatchRow, job: JobRow | None, *, duplicate: bool = False) -> BatchOut:
    return BatchOut(
        id=row.id,
        project=row.project,
        number=row.number,
        created_at=row.created_at,
        source=row.source,
        sha256=row.sha256,
        rows=row.rows,
        rejected=sum(not kept for _, _, _, kept in row.issues),
        columns=row.columns,
        job=None if job is None else job.id,
        duplicate=duplicate,
    )
