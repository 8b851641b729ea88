"""Workbooks (XLSX, XLSB, XLS, ODS) into tables, one for each sheet that holds anything.

Comes in: a ``Source`` that sniffing called a workbook. Goes out: sheet name -> ``Table`` whose row numbers are the sheet's own. Formulas
come as their last value, dates as ISO text. Never runs macros, never follows links.
"""

from collections.abc import Iterator

import fastexcel
import polars as pl

from feedback_miner.domain import RowIssue
from feedback_miner.errors import ColumnError, FileFormatError

from .source import Source
from .tables import FILE, Report, Row, Table

__all__ = ["open_sheet_tables"]


def open_sheet_tables(source: Source, *, sheet: str | None = None) -> dict[str, Table]:
    """Open the sheet asked for, or every sheet that has a cell. Raises ``FileFormatError`` where the workbook cannot be read."""
    try:
        book = fastexcel.read_excel(source.path.read_bytes())  # a path would be judged by its extension, which may lie
        names = list(book.sheet_names)
        if sheet is not None and sheet not in names:
            raise ColumnError(f"no sheet {sheet!r} in {source.name} (sheets: {', '.join(names)}); pass --sheet")
        frames = {
            name: book.load_sheet(name, header_row=None, skip_rows=0, dtypes="string").to_polars()
            for name in names
            if sheet in {None, name}
        }
    except fastexcel.FastExcelError as error:
        reason = str(error).split("\n", 1)[0]
        if "password" in reason.lower() or "encrypt" in reason.lower():
            raise FileFormatError(f"{source.name} is protected by a password; save it without one (or as CSV) and pass that") from error
        raise FileFormatError(f"{source.name} cannot be read as a workbook, it may be torn ({reason}); save it again or as CSV") from error
    tables = {name: _table(frame) for name, frame in frames.items() if frame.width}
    if not tables:
        raise FileFormatError(f"{source.name} is empty: no sheet has a cell")
    return tables


def _table(frame: pl.DataFrame) -> Table:
    title = _title_rows(frame)

    def walk(report: Report) -> Iterator[Row]:
        for number, cells in enumerate(frame.iter_rows(), 1):
            if number <= title or not any(cells):
                continue
            if any("\x00" in cell for cell in cells if cell):
                report(RowIssue(number, None, "NUL characters dropped", kept=True))
                yield number, [(cell or "").replace("\x00", "") for cell in cells]
            else:
                yield number, [cell or "" for cell in cells]

    notes = ((FILE, "a title above the header was left out"),) if title else ()
    return Table(walk=walk, notes=notes)


def _title_rows(frame: pl.DataFrame) -> int:
    """Count rows up to a title: a lone first cell above a row of three cells or more."""
    filled = [(number, sum(bool(cell) for cell in row)) for number, row in enumerate(frame.head(20).iter_rows(), 1)]
    filled = [(number, cells) for number, cells in filled if cells]
    if len(filled) >= 3 and filled[0][1] == 1 and filled[1][1] >= 3:
        return filled[0][0]
    return 0
