"""Records with named fields into tables: JSON, JSON lines, Parquet, data frames, Python mappings and strings.

Comes in: a ``Source`` or a Python object. Goes out: a ``Table`` that knows its columns. A nested object becomes columns with dotted
names, a list of plain values one cell. Files are read piece by piece; row numbers are line numbers (JSON lines) or record numbers from 1.
"""

import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import polars as pl

from feedback_miner.domain import RowIssue
from feedback_miner.errors import FileFormatError, InputError

from .delimited import Lines
from .encoding import check_encoding, find_encoding, open_text
from .source import FileKind, Source
from .tables import FILE, Report, Row, Table, ignore_issue

__all__ = ["open_frame_table", "open_json_table", "open_parquet_table", "open_record_table", "open_string_table", "pack_record"]

_CHUNK = 1 << 16
_BATCH_ROWS = 5_000
_MAX_WRAPPED_CHARS = 64 * 2**20
_MAX_DEPTH = 4
_SURROGATES = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")

_Record = tuple[int, dict[str, str]]


def open_json_table(source: Source, kind: FileKind, *, encoding: str | None = None) -> Table:
    """Open JSON lines, or JSON whose top is an array of objects or an object that holds one such array."""
    found = check_encoding(encoding) if encoding else find_encoding(source)
    codec = found.codec
    if kind is FileKind.JSON and _is_json_lines(source, codec):
        kind = FileKind.JSONL
    reader = _read_json_lines if kind is FileKind.JSONL else _read_json
    table = _table(lambda report: reader(source, codec, report), source.name)
    notes = ((FILE, found.reason),) if found.reason else ()
    return Table(walk=table.walk, names=table.names, notes=notes + table.notes)


def open_parquet_table(source: Source) -> Table:
    """Open a Parquet file batch by batch."""
    try:
        frame = pl.scan_parquet(source.path, glob=False)
        names = frame.collect_schema().names()
    except (pl.exceptions.PolarsError, OSError) as error:
        raise FileFormatError(f"{source.name} cannot be read as Parquet, it may be torn; write it again or pass CSV") from error

    def walk(report: Report) -> Iterator[Row]:
        number = 0
        try:
            for batch in frame.collect_batches(chunk_size=_BATCH_ROWS, maintain_order=True):
                for values in batch.iter_rows():
                    number += 1
                    yield number, _cells(values, number, report)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise FileFormatError(f"{source.name} is torn or damaged after record {number:,}; write it again or pass CSV") from error

    return Table(walk=walk, names=tuple(names))


def open_frame_table(frame: Any) -> Table:
    """Open a polars or pandas data frame."""
    names = tuple(str(name) for name in frame.columns)

    def walk(report: Report) -> Iterator[Row]:
        rows = frame.iter_rows() if hasattr(frame, "iter_rows") else frame.itertuples(index=False, name=None)
        for number, values in enumerate(rows, 1):
            yield number, _cells(values, number, report)

    return Table(walk=walk, names=names)


def open_record_table(records: Sequence[Mapping[str, Any]], name: str) -> Table:
    """Open mappings that are in memory."""

    def read(report: Report) -> Iterator[_Record]:
        for number, record in enumerate(records, 1):
            if isinstance(record, Mapping):
                yield number, _fields(record, number, report)
            else:
                report(RowIssue(number, None, "not a record of named fields", kept=False))

    return _table(read, name)


def open_string_table(texts: Sequence[str | None]) -> Table:
    """Open strings that are in memory, each one comment; ``None`` is a response without text."""

    def walk(report: Report) -> Iterator[Row]:
        for number, text in enumerate(texts, 1):
            if text is None or isinstance(text, str):
                yield number, _cells((text,), number, report)
            else:
                report(RowIssue(number, None, "not a string", kept=False))

    return Table(walk=walk, names=("text",), notes=((FILE, "each string is one comment"),))


def pack_record(record: Mapping[str, Any] | str | None) -> bytes:
    """Write one record as a JSON line, for spooling an iterable that can be walked only once."""
    if isinstance(record, Mapping):
        record = {str(name): _cell(value) if not isinstance(value, Mapping) else _plain(value) for name, value in record.items()}
    elif record is None or isinstance(record, str):
        record = {"text": record}
    return json.dumps(record).encode() + b"\n"


def _plain(value: Mapping[str, Any]) -> dict[str, Any]:
    return {str(name): _plain(inner) if isinstance(inner, Mapping) else _cell(inner) for name, inner in value.items()}


def _table(read: Callable[[Report], Iterator[_Record]], name: str) -> Table:
    """Find the columns of records in a walk of their own, since any record may bring a new one."""
    first_seen: dict[str, int] = {}
    count = 0
    for _, record in read(ignore_issue):
        count += 1
        for index, field in enumerate(record):
            if index < first_seen.get(field, index + 1):
                first_seen[field] = index
    if not count:
        raise InputError(f"{name} has no records")
    # By place within the record, then by name: the order of the records must not matter.
    names = tuple(sorted(first_seen, key=lambda field: (first_seen[field], field)))

    def walk(report: Report) -> Iterator[Row]:
        for number, record in read(report):
            yield number, [record.get(field, "") for field in names]

    return Table(walk=walk, names=names)


def _is_json_lines(source: Source, codec: str) -> bool:
    """Tell JSON lines that call themselves JSON: the first line is an object, and there is a second."""
    with open_text(source, codec) as stream:
        lines = Lines(stream, source.name)
        first = second = ""
        while not first and (line := lines.take()) is not None:
            first = line.strip()
        while first and not second and (line := lines.take()) is not None:
            second = line.strip()
    if not first.startswith("{") or not second.startswith("{"):
        return False
    try:
        json.loads(first)
    except ValueError:
        return False
    return True


def _read_json_lines(source: Source, codec: str, report: Report) -> Iterator[_Record]:
    with open_text(source, codec) as stream:
        lines = Lines(stream, source.name)
        while (line := lines.take()) is not None:
            number = lines.number
            if not line.strip():
                continue
            lines.report_flaws(number, report)
            try:
                record = json.loads(line)
            except (ValueError, RecursionError):
                report(RowIssue(number, None, "not valid JSON", kept=False))
                continue
            yield from _record(record, number, report)


def _read_json(source: Source, codec: str, report: Report) -> Iterator[_Record]:
    """Read an array element by element: memory holds one record, not the file."""
    for number, record in enumerate(_json_elements(source, codec), 1):
        yield from _record(record, number, report)


def _record(value: object, number: int, report: Report) -> Iterator[_Record]:
    """Yield a JSON value as a record: an object, or a text alone; anything else is reported."""
    if isinstance(value, str):
        value = {"text": value}
    if isinstance(value, dict):
        yield number, _fields(value, number, report)
    else:
        report(RowIssue(number, None, "not a JSON object", kept=False))


def _json_elements(source: Source, codec: str) -> Iterator[Any]:
    with open_text(source, codec) as stream:
        buffer = stream.read(_CHUNK).removeprefix("\ufeff").lstrip()
        if buffer.startswith("{"):
            yield from _wrapped_elements(buffer + stream.read(_MAX_WRAPPED_CHARS), source.name)
            return
        decoder = json.JSONDecoder()
        position = 1
        done = 0
        wanted = _CHUNK
        while True:
            position = _skip(buffer, position)
            if position < len(buffer) and buffer[position] == "]":
                return
            try:
                if position == len(buffer):
                    raise IndexError
                element, end = decoder.raw_decode(buffer, position)
                if end == len(buffer):  # a number may go on in the next chunk
                    raise IndexError
            except (ValueError, IndexError, RecursionError) as error:
                more = stream.read(wanted)
                if not more:
                    raise FileFormatError(
                        f"{source.name} is not valid JSON after record {done:,}: it ends or breaks there; "
                        "send it again, or as JSON lines, where a broken record costs only itself"
                    ) from error
                buffer, position = buffer[position:] + more, 0
                wanted = max(_CHUNK, len(buffer))  # so that a long record is not decoded again for each small chunk
                continue
            yield element
            done += 1
            position = end
            wanted = _CHUNK


def _skip(buffer: str, position: int) -> int:
    while position < len(buffer) and buffer[position] in " \t\r\n,":
        position += 1
    return position


def _wrapped_elements(text: str, name: str) -> Iterator[Any]:
    if len(text) >= _MAX_WRAPPED_CHARS:
        raise FileFormatError(f"{name} is one large JSON object; pass its array of records by itself, or as JSON lines")
    try:
        top = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise FileFormatError(f"{name} is not valid JSON: it ends or breaks in the middle; send it again, or as JSON lines") from error
    arrays = [value for value in top.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    if len(arrays) > 1:
        raise FileFormatError(f"{name} holds {len(arrays)} arrays of records; pass one of them by itself")
    yield from arrays[0] if arrays else [top]


def _fields(record: Mapping[str, Any], number: int, report: Report) -> dict[str, str]:
    fields: dict[str, str] = {}
    _flatten(record, "", fields, _MAX_DEPTH)
    cells = _cells(tuple(fields.values()), number, report)
    return dict(zip((name.translate(_SURROGATES) for name in fields), cells, strict=True))


def _flatten(record: Mapping[str, Any], prefix: str, fields: dict[str, Any], depth: int) -> None:
    for name, value in record.items():
        if isinstance(value, Mapping) and depth:
            _flatten(value, f"{prefix}{name}.", fields, depth - 1)
        else:
            fields[f"{prefix}{name}"] = value


def _cells(values: Iterable[Any], number: int, report: Report) -> list[str]:
    cells = [_cell(value) for value in values]
    for index, cell in enumerate(cells):
        if cell.isascii():
            flawed = "\x00" in cell
        else:
            mended = cell.translate(_SURROGATES)
            flawed = mended != cell or "\x00" in cell
            cells[index] = mended
        if flawed:
            cells[index] = cells[index].replace("\x00", "")
            report(RowIssue(number, None, "NUL or unpaired surrogate characters dropped or replaced", kept=True))
    return cells


def _cell(value: Any) -> str:
    """Write a value as a spreadsheet would show it; missing values are blank."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if math.isnan(value):
            return ""
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, datetime | date):
        return "" if value != value else value.isoformat()
    if isinstance(value, list | tuple | set | frozenset):
        inner = [_cell(item) for item in value]
        return " | ".join(sorted(inner) if isinstance(value, set | frozenset) else inner)
    if isinstance(value, Mapping):
        return json.dumps(value, ensure_ascii=False, default=str, sort_keys=True)
    text = str(value)
    return "" if text in {"nan", "NaN", "NaT", "<NA>", "None"} else text
