"""Text files into tables: CSV and its kin, and one comment per line.

Comes in: a ``Source`` of text. Goes out: a ``Table`` whose row numbers are the line numbers that an editor shows. Reads line by line
each time it is walked; never the whole file at once.
"""

from collections.abc import Iterator

from .delimited import Lines, read_records
from .dialect import find_layout
from .encoding import check_encoding, find_encoding, open_text
from .source import FileKind, Source
from .tables import FILE, Report, Row, Table

__all__ = ["open_text_table"]

_SAMPLE_CHARS = 1 << 18


def open_text_table(source: Source, kind: FileKind, *, encoding: str | None = None) -> Table:
    """Open delimited text (``DELIMITED``) or one comment per line (``LINES``)."""
    found = check_encoding(encoding) if encoding else find_encoding(source)
    with open_text(source, found.codec) as stream:
        sample = stream.read(_SAMPLE_CHARS)
    if len(sample) == _SAMPLE_CHARS and (end := max(sample.rfind("\n"), sample.rfind("\r"))) >= 0:
        sample = sample[: end + 1]
    layout = find_layout(sample.removeprefix("\ufeff"), extension=source.extension, plain_lines=kind is FileKind.LINES)

    def walk(report: Report) -> Iterator[Row]:
        with open_text(source, found.codec) as stream:
            lines = Lines(stream, source.name)
            for _ in range(layout.skip_lines):
                lines.take()
            yield from read_records(lines, layout.dialect, report)

    notes = (((FILE, found.reason),) if found.reason else ()) + layout.notes
    names = None if layout.header else ("text",)
    return Table(walk=walk, names=names, separator=layout.dialect.separator, notes=notes)
