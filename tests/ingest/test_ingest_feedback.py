"""Rows into items, end to end."""

# ruff: noqa: DTZ001 - dates without a zone are what is promised

import csv
import os
import random
import tracemalloc
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from feedback_miner.domain import FeedbackItem, ScoreKind
from feedback_miner.ingest import Ingested, IngestOptions, read_feedback

HEADER = "id,nps,date,comment\n"
SHARED = Path(os.environ.get("FEEDBACK_MINER_SHARED", Path(__file__).parents[2].parent / "shared")) / "data"


def open_text(tmp_path: Path, text: str, *, name: str = "a.csv", **options: Any) -> Ingested:
    path = tmp_path / name
    path.write_bytes(text.encode())
    return read_feedback(path, options=IngestOptions(**options))


def issues(ingested: Ingested) -> list[tuple[int, str | None, bool]]:
    return [(issue.row, issue.column, issue.kept) for issue in ingested.issues]


def test_items_carry_line_numbers_of_the_file(tmp_path: Path) -> None:
    ingested = open_text(tmp_path, HEADER + '1,9,2026-05-01,"two\nlines"\n\n2,3,2026-05-02,one line only\n')
    assert [item.row for item in ingested.items()] == [2, 5]
    assert ingested.issues == []
    assert ingested.rows == 2


def test_items_keep_rows_without_text_or_anything(tmp_path: Path) -> None:
    ingested = open_text(tmp_path, HEADER + "1,9,2026-05-01,so many words here\n2,3,,\n3,, ,  \n,,,\n")
    items = list(ingested.items())
    assert [(item.score, item.texts) for item in items] == [(9, (("comment", "so many words here"),)), (3, ()), (None, ()), (None, ())]
    assert ingested.issues == []


def test_items_survive_ragged_rows(tmp_path: Path) -> None:
    rows = "1,9,2026-05-01,late, rude, lost\n2,3\n3,4,2026-05-02,all was well,,\n4,5,2026-05-03,all was well again\n"
    ingested = open_text(tmp_path, HEADER + rows)
    items = list(ingested.items())
    assert [dict(item.texts).get("comment") for item in items] == ["late, rude, lost", None, "all was well", "all was well again"]
    assert issues(ingested) == [(2, None, True), (3, None, True)]
    assert "joined back" in ingested.issues[0].reason


def test_items_drop_surplus_cells_only_where_they_fit_nowhere(tmp_path: Path) -> None:
    ingested = open_text(tmp_path, "comment,nps\nso many words here,9,x\nmore of the words,8\nand still more words,7\n")
    assert [item.score for item in ingested.items()] == [9, 8, 7]
    assert "1 cells too many: those beyond" in ingested.issues[0].reason


def test_items_report_cells_that_cannot_be_used(tmp_path: Path) -> None:
    text = "comment,nps,date,weight\n" + "".join(
        f"comment number {number} is here,{number % 11},2026-05-{number:02},1\n" for number in range(1, 20)
    )
    text += "a last comment is here,11,2026-02-30,-1\nand yet another is here,n/a,,inf\n"
    ingested = open_text(tmp_path, text)
    *_, last, blank = ingested.items()
    assert (last.score, last.created_at, last.weight) == (None, None, 1.0)
    assert (blank.score, blank.created_at, blank.weight) == (None, None, 1.0)
    assert issues(ingested) == [(21, "nps", True), (21, "date", True), (21, "weight", True), (22, "weight", True)]


def test_items_read_dates_in_the_order_of_their_column(tmp_path: Path) -> None:
    text = (
        "comment,date\n"
        + "".join(f"comment number {day} is here,4/{day}/2026\n" for day in range(1, 20))
        + "the odd one is here,25/4/2026\n"
    )
    ingested = open_text(tmp_path, text)
    assert [item.created_at for item in ingested.items()] == [*(datetime(2026, 4, day) for day in range(1, 20)), datetime(2026, 4, 25)]
    assert issues(ingested) == [(21, "date", True)]
    ambiguous = open_text(tmp_path, "comment,date\nso many words here,3/4/2026\n")
    assert any("read day first" in reason for _, reason in ambiguous.mapping.reasons)
    assert next(ambiguous.items()).created_at == datetime(2026, 4, 3)
    american = open_text(tmp_path, "comment,date,locale\nso many words here,3/4/2026,en-US\n")
    assert next(american.items()).created_at == datetime(2026, 3, 4)


def test_items_leave_out_an_attribute_too_long_to_be_one(tmp_path: Path) -> None:
    text = "comment,region\n" + "".join(f"comment number {number} is here,{'north' if number % 2 else 'south'}\n" for number in range(1500))
    paths = [text + f"comment {number} has more,{'x' * 61}\n" for number in range(60)]
    for candidate in paths:  # one of them is not in the sample by which the column was chosen
        ingested = open_text(tmp_path, candidate)
        if ingested.mapping.attributes:
            break
    items = list(ingested.items())
    assert items[0].attributes == (("region", "south"),)
    assert items[-1].attributes == ()
    assert issues(ingested) == [(1502, "region", True)]


def test_ids_depend_on_content_alone(tmp_path: Path) -> None:
    rows = [f"{number % 5},2026-05-0{number % 3 + 1},comment number {number % 7} is here\n" for number in range(60)]
    one = [item.id for item in open_text(tmp_path, "nps,date,comment\n" + "".join(rows)).items()]
    random.Random(5).shuffle(rows)
    other = [item.id for item in open_text(tmp_path, "nps,date,comment\n" + "".join(rows), name="b.csv").items()]
    assert set(one) == set(other)
    assert len(set(one)) == 60
    assert all(len(identifier.split("-")[0]) == 16 for identifier in one)


def test_ids_number_identical_responses(tmp_path: Path) -> None:
    ingested = open_text(tmp_path, "comment\n" + "good service as ever\n" * 3 + "bad service as ever\n")
    first, second, third, fourth = (item.id for item in ingested.items())
    assert (second, third) == (f"{first}-2", f"{first}-3")
    assert "-" not in fourth
    assert fourth != first


@pytest.mark.parametrize(
    ("changed", "value"),
    [
        ("comment", "another comment is here"),
        ("nps", "8"),
        ("date", "2026-05-02"),
        ("customer", "c2"),
        ("channel", "shop"),
        ("weight", "2"),
        ("region", "south"),
    ],
)
def test_ids_change_with_any_part_of_the_content(changed: str, value: str) -> None:
    row = {
        "comment": "a comment of some words",
        "nps": "9",
        "date": "2026-05-01",
        "customer": "c1",
        "channel": "app",
        "weight": "1",
        "region": "north",
    }
    options = IngestOptions(
        texts=("comment",),
        score="nps",
        score_kind=ScoreKind.NPS,
        date="date",
        customer="customer",
        channel="channel",
        weight="weight",
        attributes=("region",),
    )
    ids = [next(read_feedback([one], options=options).items()).id for one in (row, row | {changed: value})]
    assert ids[0] != ids[1]


def test_txt_is_one_comment_per_line(tmp_path: Path) -> None:
    ingested = open_text(tmp_path, 'late, rude, "lost"\n\nall was well\n', name="a.txt")
    assert [(item.row, item.texts) for item in ingested.items()] == [
        (1, (("text", 'late, rude, "lost"'),)),
        (3, (("text", "all was well"),)),
    ]
    assert any("one comment per line" in reason for _, reason in ingested.mapping.reasons)


def test_a_file_without_header_loses_no_comment(tmp_path: Path) -> None:
    ingested = open_text(tmp_path, "The parcel never came, and nobody cares.\nFine, thanks.\nToo slow, too dear, too far away.\n")
    assert [item.row for item in ingested.items()] == [1, 2, 3]
    assert any("without a header" in reason for _, reason in ingested.mapping.reasons)


def test_columns_without_a_name_or_with_the_same_get_one(tmp_path: Path) -> None:
    ingested = open_text(
        tmp_path,
        "comment,,comment\nso many words here,north,and even more over there\nwords upon words here,south,yet another set of words\n",
        texts=("comment_2",),
        attributes=("column_2",),
    )
    assert [item.attributes for item in ingested.items()] == [(("column_2", "north"),), (("column_2", "south"),)]
    assert {"column_2", "comment_2"} <= {name for name, _ in ingested.mapping.reasons}


def test_a_stray_quote_costs_no_row(tmp_path: Path) -> None:
    rows = [f"{number},{number % 11},2026-05-01,comment number {number}" for number in range(1, 41)]
    rows[10] = '11,0,2026-05-01,"an open quote'
    ingested = open_text(tmp_path, HEADER + "\n".join(rows) + "\n")
    assert len(list(ingested.items())) == 40
    assert issues(ingested) == [(12, None, True)]


# Control characters beyond these make a small file binary, as they should.
CELL = st.text(st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\r\t"), max_size=30)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(st.lists(st.tuples(CELL, CELL), min_size=1, max_size=6))
def test_read_feedback_returns_the_cells_that_were_written(tmp_path: Path, rows: list[tuple[str, str]]) -> None:
    path = tmp_path / "a.csv"
    rows = [("some words that are no number", "these are words as well"), *rows]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([["one", "two"], *rows])
    options = IngestOptions(texts=("one", "two"))
    items: list[FeedbackItem] = list(read_feedback(path, options=options).items())
    wanted = [tuple((name, cell) for name, cell in zip(("one", "two"), row, strict=True) if cell.strip()) for row in rows]
    assert [item.texts for item in items] == wanted


@pytest.mark.slow
def test_read_feedback_streams_a_large_file(tmp_path: Path) -> None:
    path = tmp_path / "large.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "nps", "date", "comment"])
        for number in range(40_000):
            writer.writerow(
                [
                    number,
                    number % 11,
                    f"2026-05-{number % 28 + 1:02}",
                    f"comment {number}: " + "the parcel was late, again and again. " * 37,
                ]
            )
    assert path.stat().st_size > 55_000_000
    tracemalloc.start()
    try:
        count = sum(1 for _ in read_feedback(path).items())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert count == 40_000
    assert peak < 40_000_000


@pytest.mark.parametrize(
    ("name", "texts", "score", "kind", "date", "customer"),
    [
        ("nps_telecom_uk", ("text",), "nps_score", ScoreKind.NPS, "date", None),
        ("womens_clothing", ("text",), "stars", ScoreKind.STARS, None, None),
        ("asap_sample", ("text",), "star", ScoreKind.STARS, None, None),
        ("gov_hotline_stream_zh", ("text",), None, None, "date", "user_id"),
        ("nhs_fft", ("text",), None, None, "date", "respondent_id"),
        ("airline_tweets", ("text",), None, None, "date", None),
        ("car_complaints_zh", ("text",), None, None, "date", None),
        ("acos_laptop", ("text",), None, None, None, None),
    ],
)
def test_read_feedback_guesses_the_columns_of_real_files(
    name: str, texts: tuple[str, ...], score: str | None, kind: ScoreKind | None, date: str | None, customer: str | None
) -> None:
    path = SHARED / name / "dev.csv.gz"
    if not path.exists():
        pytest.skip("labelled feedback is not here")
    ingested = read_feedback(path)
    mapping = ingested.mapping
    assert (mapping.texts, mapping.score, mapping.score_kind, mapping.date, mapping.customer) == (texts, score, kind, date, customer)
    assert all(item.texts for item in ingested.items())
    assert ingested.issues == []
