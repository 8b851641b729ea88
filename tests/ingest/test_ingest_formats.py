"""Workbooks, JSON, Parquet, data frames and Python objects."""

# ruff: noqa: DTZ001 - dates without a zone are what is promised

import gzip
import json
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import xlsxwriter

from feedback_miner.domain import FeedbackItem, ScoreKind
from feedback_miner.errors import ColumnError, FileFormatError, InputError
from feedback_miner.ingest import IngestOptions, read_feedback

ROWS = [
    {"id": 1, "nps": 9, "comment": "delivery took one day, kind driver", "date": datetime(2026, 5, 3, 12, 1, 2)},
    {"id": 2, "nps": 2, "comment": "nobody answers the phone for days", "date": datetime(2026, 5, 4)},
    {"id": 3, "nps": 7, "comment": None, "date": None},
]
WANTED = [
    (9.0, "delivery took one day, kind driver", datetime(2026, 5, 3, 12, 1, 2)),
    (2.0, "nobody answers the phone for days", datetime(2026, 5, 4)),
    (7.0, None, None),
]


def read(source: Any, **options: Any) -> list[FeedbackItem]:
    return list(read_feedback(source, options=IngestOptions(**options)).items())


def found(items: list[FeedbackItem]) -> list[tuple[float | None, str | None, datetime | None]]:
    return [(item.score, dict(item.texts).get("comment"), item.created_at) for item in items]


def write_book(path: Path, sheets: dict[str, list[list[Any]]]) -> Path:
    with xlsxwriter.Workbook(path, {"default_date_format": "yyyy-mm-dd hh:mm"}) as book:
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                sheet.write_row(number, 0, row)
    return path


def as_table(rows: list[dict[str, Any]]) -> list[list[Any]]:
    return [list(rows[0]), *(list(row.values()) for row in rows)]


def test_read_feedback_reads_a_workbook(tmp_path: Path) -> None:
    path = write_book(tmp_path / "a.xlsx", {"Answers": as_table(ROWS)})
    items = read(path)
    assert found(items) == WANTED
    assert [item.row for item in items] == [2, 3, 4]


@pytest.mark.parametrize("name", ["a.xls", "a.csv", "a.ods", "a"])
def test_read_feedback_reads_a_workbook_under_any_extension(tmp_path: Path, name: str) -> None:
    assert found(read(write_book(tmp_path / "a.xlsx", {"Answers": as_table(ROWS)}).rename(tmp_path / name))) == WANTED


def test_read_feedback_counts_the_rows_of_a_sheet_as_the_user_sees_them(tmp_path: Path) -> None:
    path = write_book(tmp_path / "a.xlsx", {"Answers": [[], ["Customer survey 2026"], [], *as_table(ROWS)[:2], [], *as_table(ROWS)[2:]]})
    ingested = read_feedback(path)
    items = list(ingested.items())
    assert found(items) == WANTED
    assert [item.row for item in items] == [5, 7, 8]
    assert any("title above the header" in reason for _, reason in ingested.mapping.reasons)


def test_read_feedback_picks_the_only_sheet_with_text(tmp_path: Path) -> None:
    path = write_book(tmp_path / "a.xlsx", {"Counts": [["month", "answers"], ["2026-05", 3]], "Answers": as_table(ROWS), "Empty": []})
    ingested = read_feedback(path)
    assert found(list(ingested.items())) == WANTED
    assert any("sheet 'Answers'" in reason for _, reason in ingested.mapping.reasons)


def test_read_feedback_asks_which_of_several_sheets(tmp_path: Path) -> None:
    path = write_book(tmp_path / "a.xlsx", {"May": as_table(ROWS), "June": as_table(ROWS[:1])})
    with pytest.raises(ColumnError, match=r"2 sheets with text: May, June.*--sheet"):
        read_feedback(path)
    assert len(read(path, sheet="June")) == 1
    with pytest.raises(ColumnError, match=r"no sheet 'July' in a.xlsx \(sheets: May, June\)"):
        read_feedback(path, options=IngestOptions(sheet="July"))
    path = write_book(tmp_path / "b.xlsx", {"A": [["n"], [1]], "B": [["n"], [1]]})
    with pytest.raises(ColumnError, match="no sheet with a text column"):
        read_feedback(path)


def test_read_feedback_refuses_a_workbook_without_cells(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="no sheet has a cell"):
        read_feedback(write_book(tmp_path / "a.xlsx", {"A": []}))


def test_read_feedback_refuses_a_torn_workbook(tmp_path: Path) -> None:
    path = write_book(tmp_path / "a.xlsx", {"Answers": as_table(ROWS)})
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(FileFormatError, match="torn"):
        read_feedback(path)


def test_read_feedback_reads_json_lines_and_rejects_bad_ones(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    lines = [json.dumps(row, default=str) for row in ROWS]
    path.write_text("\n".join(["", lines[0], "{broken", "[1]", *lines[1:], '"a bare comment"']) + "\n")
    ingested = read_feedback(path, options=IngestOptions(texts=("comment", "text")))
    items = list(ingested.items())
    assert found(items)[:3] == WANTED
    assert items[3].texts == (("text", "a bare comment"),)
    assert [item.row for item in items] == [2, 5, 6, 7]
    assert [(issue.row, issue.reason, issue.kept) for issue in ingested.issues] == [
        (3, "not valid JSON", False),
        (4, "not a JSON object", False),
    ]
    assert ingested.rows == 6


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: {"total": 3, "items": rows}], ids=["array", "wrapped"])
def test_read_feedback_reads_json(tmp_path: Path, wrap: Any) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(wrap(ROWS), default=str, indent=2), encoding="utf-8-sig")
    items = read(path)
    assert found(items) == WANTED
    assert [item.row for item in items] == [1, 2, 3]


def test_read_feedback_reads_json_lines_that_call_themselves_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("\n".join(json.dumps(row, default=str) for row in ROWS))
    assert found(read(path)) == WANTED


def test_read_feedback_reads_json_longer_than_a_chunk(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    rows = [{"comment": f"number {number} " + "很长的评论 " * 3000 * (number % 3), "nps": number % 11} for number in range(40)]
    path.write_text(json.dumps([*rows, 7, "a bare string", 1234567890], ensure_ascii=False))
    ingested = read_feedback(path, options=IngestOptions(texts=("comment",)))
    assert [dict(item.texts).get("comment") for item in ingested.items()] == [*(row["comment"] for row in rows), None]
    assert [issue.row for issue in ingested.issues] == [41, 43]


def test_read_feedback_flattens_nested_fields(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    rows = [
        {
            "body": {"text": f"comment number {number} is here"},
            "customer": {"id": number},
            "tags": ["a", "b"],
            "paid": True,
            "rest": [{"x": 1}],
        }
        for number in range(3)
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    ingested = read_feedback(path, options=IngestOptions(attributes=("tags", "paid", "rest")))
    assert ingested.mapping.texts == ("body.text",)
    assert ingested.mapping.customer == "customer.id"
    assert next(ingested.items()).attributes == (("tags", "a | b"), ("paid", "true"), ("rest", '{"x": 1}'))


def test_read_feedback_replaces_unpaired_surrogates(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text('{"comment": "half an emoji \\ud83d is left"}\n{"comment": "with \\u0000 inside it"}\n')
    ingested = read_feedback(path)
    assert [item.texts[0][1] for item in ingested.items()] == ["half an emoji \ufffd is left", "with  inside it"]
    assert [issue.row for issue in ingested.issues] == [1, 2]


def test_read_feedback_reads_parquet(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame(ROWS).write_parquet(path)
    items = read(path)
    assert found(items) == WANTED
    assert [item.row for item in items] == [1, 2, 3]
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(FileFormatError, match="Parquet"):
        read_feedback(path)


def test_read_feedback_does_not_unpack_binary_formats(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pl.DataFrame(ROWS).write_parquet(path)
    packed = tmp_path / "a.parquet.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    with pytest.raises(FileFormatError, match="unpack it and pass the parquet file"):
        read_feedback(packed)


def test_read_feedback_reads_frames() -> None:
    assert found(read(pl.DataFrame(ROWS))) == WANTED
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(ROWS)
    frame["visits"] = pandas.array([1, None, 3], dtype="Int64")
    ingested = read_feedback(frame, options=IngestOptions(attributes=("visits",)))
    items = list(ingested.items())
    assert found(items) == WANTED
    assert [item.attributes for item in items] == [(("visits", "1"),), (), (("visits", "3"),)]
    assert ingested.sha256 is None
    with pytest.raises(InputError, match="no rows"):
        read_feedback(pl.DataFrame(ROWS).clear())


def test_read_feedback_reads_mappings_and_strings() -> None:
    assert found(read(ROWS)) == WANTED
    assert found(read(iter(ROWS))) == WANTED
    comments = ["delivery took one day, kind driver", None, "  ", "nobody answers"]
    for source in (comments, tuple(comments), iter(comments)):
        items = read(source)
        assert [item.texts for item in items] == [(("text", comments[0]),), (), (), (("text", "nobody answers"),)]
        assert [item.row for item in items] == [1, 2, 3, 4]
    ingested = read_feedback(["a comment of some words", 5])
    assert len(list(ingested.items())) == 1
    assert [(issue.row, issue.kept) for issue in ingested.issues] == [(2, False)]
    ingested = read_feedback([{"comment": "a comment of some words"}, 5])
    assert len(list(ingested.items())) == 1
    assert [(issue.row, issue.kept) for issue in ingested.issues] == [(2, False)]


def test_read_feedback_gives_the_same_ids_whatever_the_container(tmp_path: Path) -> None:
    options = {"texts": ("comment",), "score": "nps", "score_kind": ScoreKind.NPS, "date": "date", "attributes": ("id",)}
    plain = [{**row, "date": "" if row["date"] is None else row["date"].isoformat()} for row in ROWS]
    csv_path, json_path, parquet_path = tmp_path / "a.csv", tmp_path / "a.json", tmp_path / "a.parquet"
    pl.DataFrame(plain).write_csv(csv_path)
    json_path.write_text(json.dumps(plain))
    pl.DataFrame(ROWS).write_parquet(parquet_path)
    sources: list[Any] = [
        csv_path,
        json_path,
        parquet_path,
        write_book(tmp_path / "a.xlsx", {"A": as_table(ROWS)}),
        ROWS,
        iter(ROWS),
        pl.DataFrame(ROWS),
    ]
    ids = [[item.id for item in read(source, **options)] for source in sources]
    assert all(other == ids[0] for other in ids)


def test_read_feedback_reads_dates_that_are_dates() -> None:
    (item,) = read(
        [
            {
                "comment": "a comment of some words",
                "date": date(2026, 5, 3),
                "extra": {"b", "a"},
                "deep": {"x": {"y": {"z": {"w": {"v": 1}}}}},
            }
        ]
    )
    assert item.created_at == datetime(2026, 5, 3)


def test_read_feedback_finds_columns_whatever_the_order_of_ragged_records() -> None:
    rows = [{"comment": "first comment of three words"}, {"nps": 9, "comment": "second comment of three"}, {"region": "north", "nps": 3}]
    one, other = read_feedback(rows), read_feedback(rows[::-1])
    assert one.mapping == other.mapping
    assert sorted(item.id for item in one.items()) == sorted(item.id for item in other.items())
