"""The door: anything with feedback in it, as a stream of feedback items.

Comes in: a path, a binary stream, a data frame, strings or mappings, and what the user said about them. Goes out: ``Ingested``: the
mapping with its reasons at once, the items one by one. The source is walked twice, first to sample it (by content, so that the order of
the rows decides nothing), then for the items; it is never held in memory, and a spooled copy is deleted after the last item.
"""

import hashlib
import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from feedback_miner.domain import ColumnMapping, FeedbackItem, RowIssue
from feedback_miner.errors import ColumnError, FileFormatError, InputError

from .chat import ChatColumns, find_chat_columns, is_agent
from .columns import guess_columns
from .dates import find_date_order
from .encoding import check_encoding
from .exports import Header, read_header
from .headers import read_hints
from .items import Draft, ItemIds, RowReader, fit_cells
from .options import IngestOptions
from .records import open_frame_table, open_json_table, open_parquet_table, open_record_table, open_string_table, pack_record
from .sheets import open_sheet_tables
from .source import FileKind, Source, open_path, sniff, spool, spool_chunks
from .tables import FILE, Table, ignore_issue
from .text import open_text_table

__all__ = ["Ingested", "read_feedback"]

_SAMPLE_ROWS = 1_000
_SAMPLE_CELL = 500
_HEADER_ROWS = 3
_NOTHING_SAID = IngestOptions()


class Ingested:
    """Feedback ready to be read once. ``issues`` and ``rows`` grow while ``items`` is walked."""

    def __init__(self, plan: "_Plan", *, source: str, sha256: str | None, close: Callable[[], object] = lambda: None) -> None:
        self._plan = plan
        self._close = close
        self._started = False
        self.mapping: ColumnMapping = plan.mapping
        self.source = source
        """File name without its folder, or a word for what was passed."""
        self.sha256 = sha256
        """Of the file's bytes; ``None`` for Python objects."""
        self.issues: list[RowIssue] = []
        self.rows = 0
        """Data rows seen so far: one for each item, and one for each issue that kept no row."""

    def items(self) -> Iterator[FeedbackItem]:
        """Yield each response in the order of the source. One pass: a second call raises ``InputError``."""
        if self._started:
            raise InputError(f"{self.source} was read already; call read_feedback again for a second pass")
        self._started = True
        return self._items()

    def _items(self) -> Iterator[FeedbackItem]:
        ids = ItemIds()
        try:
            for draft in self._drafts():
                self.rows += 1
                yield ids.finish(draft)
        finally:
            self.close()

    def close(self) -> None:
        """Delete the spooled copy, if there is one; done by itself after the last item."""
        self._started = True
        self._close()

    def _drafts(self) -> Iterator[Draft]:
        plan = self._plan
        chat = plan.chat
        pending: Draft | None = None
        conversation = ""
        for row, cells in plan.rows(self._report):
            if chat is None:
                yield plan.reader.read(row, cells, self._report)
                continue
            if is_agent(cells[chat.speaker]):
                self._report(RowIssue(row, None, "agent turn", kept=False))
                continue
            turn = plan.reader.read(row, cells, self._report)
            here = cells[chat.conversation].strip() if chat.conversation is not None else ""
            if pending and here and here == conversation and turn.customer in {None, pending.customer}:
                pending.join(turn)
                self._report(RowIssue(row, None, f"joined to the customer's turn in row {pending.row}", kept=False))
                continue
            if pending:
                yield pending
            pending, conversation = turn, here
        if pending:
            yield pending

    def _report(self, issue: RowIssue) -> None:
        self.rows += not issue.kept
        self.issues.append(issue)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    """A table, understood."""

    table: Table
    header: Header
    mapping: ColumnMapping
    reader: RowReader
    chat: ChatColumns | None

    def rows(self, report: Callable[[RowIssue], None]) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows that are responses, each as wide as the header."""
        header = self.header
        joiner = self.table.separator if self.mapping.texts == (header.names[-1],) else ""
        for row, cells in itertools.islice(self.table.walk(report), header.rows, None):
            why = header.skip(cells)
            if why:
                report(RowIssue(row, None, why, kept=False))
                continue
            yield row, fit_cells(row, cells, len(header.names), joiner=joiner, report=report)


def read_feedback(source: Any, *, options: IngestOptions = _NOTHING_SAID) -> Ingested:
    """Open feedback from a path, a binary stream, a data frame, strings or mappings.

    Raises ``InputError`` or one of its kinds where nothing can be read at all; single rows never raise.
    """
    if options.encoding:
        check_encoding(options.encoding)
    if isinstance(source, str | Path):
        return _read_source(open_path(_path(source)), options)
    if hasattr(source, "read"):
        name = getattr(source, "name", None)
        return _read_source(spool(source, Path(name).name if isinstance(name, str) else "the stream"), options)
    if hasattr(source, "columns") and (hasattr(source, "iter_rows") or hasattr(source, "itertuples")):
        return Ingested(_plan({"": open_frame_table(source)}, "the data frame", options), source="data frame", sha256=None)
    if isinstance(source, bytes | bytearray | Mapping) or not isinstance(source, Iterable):
        raise InputError(
            f"cannot read feedback from {type(source).__name__}; pass a path, a binary stream, a data frame, strings or mappings"
        )
    if isinstance(source, Sequence):
        if source and not any(isinstance(record, Mapping) for record in source):
            options = _take_strings_for_text(options)
        return Ingested(_plan({"": _sequence_table(source)}, "the records", options), source="records", sha256=None)
    return _read_iterator(iter(source), options)


def _take_strings_for_text(options: IngestOptions) -> IngestOptions:
    """A list of strings is a list of comments, whatever is in it: there is no column to guess at."""
    return options if options.texts else replace(options, texts=("text",))


def _path(source: str | Path) -> Path:
    if isinstance(source, str) and (len(source) > 4096 or "\n" in source or "\x00" in source):
        raise InputError(f"a string of {len(source)} characters is no path; pass comments as a list of strings")
    return Path(source)


def _sequence_table(records: Sequence[Any]) -> Table:
    if not records:
        raise InputError("there are no records: an empty sequence was passed")
    if any(isinstance(record, Mapping) for record in records):
        return open_record_table(records, "the sequence")
    if any(isinstance(record, str) for record in records):
        return open_string_table(records)
    raise InputError(f"cannot read feedback from a sequence of {type(records[0]).__name__}; pass strings or mappings")


def _read_iterator(records: Iterator[Any], options: IngestOptions) -> Ingested:
    """Spool what can be walked only once, so that it need not fit into memory."""
    first = next(records, None)
    if first is None:
        raise InputError("there are no records: an empty iterable was passed")
    if not isinstance(first, str | Mapping):
        raise InputError(f"cannot read feedback from an iterable of {type(first).__name__}; pass strings or mappings")
    if isinstance(first, str):
        options = _take_strings_for_text(options)
    spooled = spool_chunks(map(pack_record, itertools.chain([first], records)), "records")
    try:
        plan = _plan({"": open_json_table(spooled, FileKind.JSONL)}, "the records", options)
    except BaseException:
        spooled.close()
        raise
    return Ingested(plan, source="records", sha256=None, close=spooled.close)


def _read_source(source: Source, options: IngestOptions) -> Ingested:
    try:
        plan = _plan(_open_tables(source, options), source.name, options)
    except BaseException:
        source.close()
        raise
    return Ingested(plan, source=source.name, sha256=source.sha256, close=source.close)


def _open_tables(source: Source, options: IngestOptions) -> dict[str, Table]:
    kind = sniff(source)
    if kind is FileKind.SHEETS:
        return open_sheet_tables(source, sheet=options.sheet)
    if options.sheet is not None:
        raise InputError(f"{source.name} has no sheets, so --sheet means nothing; leave it out")
    if kind is FileKind.PARQUET:
        return {"": open_parquet_table(source)}
    if kind in {FileKind.JSON, FileKind.JSONL}:
        return {"": open_json_table(source, kind, encoding=options.encoding)}
    return {"": open_text_table(source, kind, encoding=options.encoding)}


def _plan(tables: dict[str, Table], name: str, options: IngestOptions) -> _Plan:
    """Understand the only table, or the only one of several that has text."""
    if len(tables) == 1:
        return _understand(next(iter(tables.values())), name, options)
    plans: dict[str, _Plan] = {}
    for sheet, table in tables.items():
        try:
            plans[sheet] = _understand(table, name, options)
        except (ColumnError, FileFormatError):
            continue
    if len(plans) != 1:
        found = f"{len(plans)} sheets with text: {', '.join(plans)}" if plans else "no sheet with a text column"
        raise ColumnError(f"{name} has {found} (sheets: {', '.join(tables)}); pass --sheet to choose one")
    sheet, plan = next(iter(plans.items()))
    note = (FILE, f"read from sheet {sheet!r}, the only one with a text column")
    return replace(plan, mapping=replace(plan.mapping, reasons=(note, *plan.mapping.reasons)))


def _understand(table: Table, name: str, options: IngestOptions) -> _Plan:
    header = _header(table, name)
    sample, count = _sample(table, header)
    if not count:
        raise FileFormatError(f"{name} has a header but no rows under it")
    chat = find_chat_columns(header.names, sample) if header.format == "plain" else None
    if chat:
        header = replace(
            header, format="chat", own=frozenset(header.names[index] for index in (chat.speaker, chat.conversation) if index is not None)
        )
        sample = [cells for cells in sample if not is_agent(cells[chat.speaker])]
    mapping = guess_columns(header, sample, options, source=name)
    notes = list(table.notes)
    if chat:
        turns = "" if chat.conversation is None else f"; one customer's turns in one {header.names[chat.conversation]!r} are one response"
        notes.append((header.names[chat.speaker], f"says who speaks: only the customer's turns are mined{turns}"))
    day_first = True
    if mapping.date is not None:
        column = header.names.index(mapping.date)
        order = find_date_order([cells[column] for cells in sample], american=_is_american(header, sample))
        day_first = order.day_first
        if order.reason:
            notes.append((mapping.date, order.reason))
    mapping = replace(mapping, reasons=tuple(notes) + mapping.reasons)
    reader = RowReader(mapping, header, day_first=day_first, attributes_guessed=not options.attributes)
    return _Plan(table=table, header=header, mapping=mapping, reader=reader, chat=chat)


def _header(table: Table, name: str) -> Header:
    if table.names is not None:
        return replace(read_header([table.names]), rows=0)
    with closing(table.walk(ignore_issue)) as rows:  # type: ignore[type-var]
        first = [cells for _, cells in itertools.islice(rows, _HEADER_ROWS)]
    if not first:
        raise FileFormatError(f"{name} is empty: it has blank lines only")
    return read_header(first)


def _sample(table: Table, header: Header) -> tuple[list[list[str]], int]:
    """The different rows with the lowest content hashes, and how many rows there are: the same sample whatever the order."""
    width = len(header.names)
    lowest: list[tuple[int, list[str]]] = []
    kept: set[int] = set()
    count = 0
    for _, cells in itertools.islice(table.walk(ignore_issue), header.rows, None):
        count += 1
        if header.skip(cells):
            continue
        digest = int.from_bytes(hashlib.blake2b("\x1f".join(cells).encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")
        if digest in kept or (len(lowest) == _SAMPLE_ROWS and digest > -lowest[0][0]):
            continue
        entry = (-digest, [cell[:_SAMPLE_CELL] for cell in cells[:width]] + [""] * (width - len(cells)))
        kept.add(digest)
        if len(lowest) < _SAMPLE_ROWS:
            heapq.heappush(lowest, entry)
        else:
            kept.discard(-heapq.heapreplace(lowest, entry)[0])
    return [cells for _, cells in sorted(lowest, reverse=True)], count


def _is_american(header: Header, sample: Sequence[Sequence[str]]) -> bool:
    """Tell whether a column of locales or countries is mostly American."""
    for index, name in enumerate(header.names):
        if read_hints(name).locale:
            places = [cells[index].strip().lower().replace("_", "-") for cells in sample if cells[index].strip()]
            if places and sum(place in {"en-us", "us", "usa", "united states"} for place in places) > len(places) / 2:
                return True
    return False
