"""Cells into values."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_miner.domain import ScoreKind
from feedback_miner.ingest.dates import find_date_order, follows_order, is_date, parse_date
from feedback_miner.ingest.values import is_missing, is_number, parse_number, parse_score, parse_weight


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("9", 9),
        (" 9.0 ", 9),
        ("9,5", 9.5),
        ("９", 9),
        ("9 - Very likely", 9),
        ("10 - extremely likely", 10),
        ("0-Not at all likely", 0),
        ("10（非常愿意）", 10),
        ("9: yes", 9),
        ("★★★★☆", 4),
        ("⭐⭐⭐", 3),
        ("☆☆☆☆☆", 0),
        ("4/5", 4),
        ("4 out of 5", 4),
        ("十", 10),
        ("九分", 9),
        ("9分", 9),
        ("5 stars", 5),
        ("5星", 5),
        ("-1", -1),
        ("10-20", None),
        ("9 to 10", None),
        ("2nd floor", None),
        ("1,000", None),
        ("9th", None),
        ("Promoter", None),
        ("", None),
        ("9" * 200, None),
    ],
)
def test_parse_number_reads_what_an_answer_states(cell: str, number: float | None) -> None:
    assert parse_number(cell) == number


@pytest.mark.parametrize(
    ("cell", "kind", "score"),
    [
        ("非常满意", "csat", 5),
        ("满意", "csat", 4),
        ("一般", "csat", 3),
        ("不满意", "csat", 2),
        ("非常不满意", "csat", 1),
        ("Very satisfied", "csat", 5),
        ("DISSATISFIED", "csat", 2),
        ("Strongly agree", "ces", 7),
        ("Extremely likely", "nps", 10),
        ("4/5", "stars", 4),
        ("8/10", "nps", 8),
    ],
)
def test_parse_score_reads_words_and_fractions_of_its_scale(cell: str, kind: str, score: float) -> None:
    assert parse_score(cell, ScoreKind(kind)) == score


@pytest.mark.parametrize(
    ("cell", "kind"),
    [("11", "nps"), ("-1", "nps"), ("6", "stars"), ("0", "csat"), ("4/5", "nps"), ("promoter", "nps"), ("x" * 500, "csat")],
)
def test_parse_score_refuses_without_echoing_the_cell(cell: str, kind: str) -> None:
    with pytest.raises(ValueError, match="score") as caught:
        parse_score(cell, ScoreKind(kind))
    assert len(cell) < 3 or cell not in str(caught.value)


@pytest.mark.parametrize(("cell", "weight"), [("1", 1), ("0", 0), ("-0", 0), ("0,75", 0.75), ("1,234.5", 1234.5), ("1e2", 100)])
def test_parse_weight_reads_numbers(cell: str, weight: float) -> None:
    assert parse_weight(cell) == weight


@pytest.mark.parametrize("cell", ["", "-1", "inf", "nan", "heavy", "1e999", "50%"])
def test_parse_weight_refuses_what_cannot_weigh(cell: str) -> None:
    with pytest.raises(ValueError, match="weight"):
        parse_weight(cell)


@pytest.mark.parametrize("cell", ["", "  ", "N/A", "null", "NaN", "-", "(空)", "（空）"])
def test_is_missing_knows_blanks(cell: str) -> None:
    assert is_missing(cell)


@pytest.mark.parametrize(
    ("cell", "number"),
    [("1", True), ("1,234.5", True), ("9,5", True), ("-3", True), ("50%", True), ("1 2", False), ("a", False), ("", False)],
)
def test_is_number_wants_a_number_and_nothing_else(cell: str, number: bool) -> None:
    assert is_number(cell) is number


@given(st.text(max_size=200))
def test_parsers_raise_nothing_but_value_errors_that_quote_nothing(cell: str) -> None:
    parse_number(cell)
    is_date(cell)
    for parse in (parse_weight, parse_date, lambda text: parse_score(text, ScoreKind.NPS)):
        for said in (cell, f"{cell}\u2603\u2603"):
            message = ""
            try:
                parse(said)
            except ValueError as error:
                message = str(error)
            assert "\u2603\u2603" not in message


@pytest.mark.parametrize(
    ("cell", "moment"),
    [
        ("2026-05-03", "2026-05-03"),
        ("2026-05-03T10:00:00Z", "2026-05-03T10:00:00"),
        ("2026-05-03 10:00:00.250+08:00", "2026-05-03T02:00:00.250000"),
        ("2026-05-03T10:00:00-0700", "2026-05-03T17:00:00"),
        ("2021/7/16 12:00:00", "2021-07-16T12:00:00"),
        ("2021/7/16 上午9:05:03", "2021-07-16T09:05:03"),
        ("16.07.2021", "2021-07-16"),
        ("16.07.2021 10:15", "2021-07-16T10:15:00"),
        ("16/7/2021", "2021-07-16"),
        ("7/16/2021 3:05 PM", "2021-07-16T15:05:00"),
        ("3/4/2021 12:30 a.m.", "2021-04-03T00:30:00"),
        ("7/16/99", "1999-07-16"),
        ("16-Jul-2021", "2021-07-16"),
        ("16 July 2021, 09:00", "2021-07-16T09:00:00"),
        ("Jul 16, 2021", "2021-07-16"),
        ("July 16, 2021 at 5pm", "2021-07-16T17:00:00"),
        ("Fri Jul 16 12:00:00 +0000 2021", "2021-07-16T12:00:00"),
        ("Tue, 16 Jul 2021 10:00:00 +0200", "2021-07-16T08:00:00"),
        ("2021-07-16 12:00 EST", "2021-07-16T17:00:00"),
        ("2021-07-16 12:00 UTC+8", "2021-07-16T04:00:00"),
        ("2021-07-16 12:00 CST", "2021-07-16T12:00:00"),
        ("2026年5月3日", "2026-05-03"),
        ("2026年5月3日 下午3:05", "2026-05-03T15:05:00"),
        ("2026年5月3日10时20分30秒", "2026-05-03T10:20:30"),
        ("1690000000", "2023-07-22T04:26:40"),
        ("1690000000123", "2023-07-22T04:26:40.123000"),
        ("1690000000123456", "2023-07-22T04:26:40.123456"),
        ("45000", "2023-03-15"),
        ("45000.5", "2023-03-15T12:00:00"),
        ("20210716", "2021-07-16"),
        ("20210716093000", "2021-07-16T09:30:00"),
    ],
)
def test_parse_date_reads_every_form(cell: str, moment: str) -> None:
    assert parse_date(cell) == datetime.fromisoformat(moment)


@pytest.mark.parametrize(
    "cell",
    [
        "",
        "2026-02-30",
        "31/4/2021",
        "13/13/2021",
        "2021-07",
        "3:30",
        "yesterday",
        "20211340",
        "99999999999",
        "2021-07-16 25:00",
        "3021-01-01",
        "1" * 70,
        "2021-01-01 10:00+99:00",
    ],
)
def test_parse_date_refuses_what_is_no_date(cell: str) -> None:
    with pytest.raises(ValueError, match="date"):
        parse_date(cell)


@pytest.mark.parametrize(
    ("cells", "american", "day_first", "says"),
    [
        (["3/4/2021", "16/4/2021"], False, True, "day before month"),
        (["3/4/2021", "4/16/2021"], False, False, "month before day"),
        (["3/4/2021", "5/6/2021"], False, True, "read day first"),
        (["3/4/2021 3:05 PM", "5/6/2021 4:00 AM"], False, False, "a.m. and p.m."),
        (["3/4/2021"], True, False, "American"),
        (["16/4/2021", "17/4/2021", "4/16/2021"], False, True, "both orders"),
        (["2021-04-16", "hello"], False, True, None),
    ],
)
def test_find_date_order_decides_per_column(cells: list[str], american: bool, day_first: bool, says: str | None) -> None:
    order = find_date_order(cells, american=american)
    assert order.day_first is day_first
    assert (says is None and order.reason is None) or says in order.reason
    assert parse_date("3/4/2021", day_first=day_first).month == (4 if day_first else 3)


def test_follows_order_tells_the_odd_cell() -> None:
    assert not follows_order("4/16/2021", day_first=True)
    assert follows_order("16.4.2021", day_first=False)
    assert follows_order("2021-04-16", day_first=False)
