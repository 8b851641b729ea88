"""CSV tables: one row for each thing, nothing that a spreadsheet would run, bytes that Excel in Chinese opens."""

import csv
import dataclasses
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_miner.report.tables import (
    codebook_columns,
    codebook_rows,
    comment_columns,
    comment_rows,
    encode_csv,
    neutralise_cell,
    opinion_columns,
    opinion_rows,
)


def parse(chunks):
    content = b"".join(chunks)
    assert content.startswith(b"\xef\xbb\xbf")
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def as_dicts(columns, rows):
    return [dict(zip(columns, row, strict=True)) for row in rows]


@pytest.mark.parametrize(
    ("cell", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("+86", "'+86"),
        ("-good", "'-good"),
        ("@name", "'@name"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("\n=1", "'\n=1"),
        ("＝1", "'＝1"),
        ("a=1", "a=1"),
        ("", ""),
        (-3.5, -3.5),
        (None, None),
    ],
)
def test_neutralise_cell_leaves_no_formula(cell, safe):
    assert neutralise_cell(cell) == safe


def test_encode_csv_neutralises_every_cell_and_the_header():
    rows = parse(encode_csv(["=cmd()", "n"], [["@SUM(A1)", -2], [None, 0.5]]))
    assert rows == [["'=cmd()", "n"], ["'@SUM(A1)", "-2"], ["", "0.5"]]


@settings(deadline=None)
@given(st.lists(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=2, max_size=2)))
def test_encode_csv_can_be_read_back(rows):
    read = parse(encode_csv(["a", "b"], rows))[1:]
    assert read == [[neutralise_cell(cell) for cell in row] for row in rows]


def test_encode_csv_survives_a_lone_surrogate():
    assert parse(encode_csv(["a"], [["x\ud800y"]])) == [["a"], ["x?y"]]


def test_comment_rows_has_one_row_for_each_document_and_silent_response(world, book):
    findings, run = world
    rows = as_dicts(comment_columns(findings), comment_rows(findings, run, book, language="en"))
    silent = [item.id for item in findings.items if item.status == "without_text"]
    assert len(rows) == len(findings.documents) + len(silent)
    assert [row["row"] for row in rows] == sorted(row["row"] for row in rows)
    assert {row["response_id"] for row in rows} == {item.id for item in findings.items}
    assert {row["status"] for row in rows} == {"themed", "no_content", "without_text"}
    assert all(row["verbatim"] is None for row in rows if row["response_id"] in silent)
    assert {row["attribute: 地区"] for row in rows} == {"北方", "南方"}


def test_comment_rows_tells_themes_and_causes_by_name(world, book):
    findings, run = world
    english = as_dicts(comment_columns(findings), comment_rows(findings, run, book, language="en"))
    chinese = as_dicts(comment_columns(findings), comment_rows(findings, run, book, language="zh"))
    row = next(place for place, row in enumerate(english) if row["themes"] == "Charged twice" and row["causes"])
    assert english[row]["causes"] == "Billing errors"
    assert chinese[row]["themes"] == "重复扣款"
    assert chinese[row]["causes"] == "扣费错误"
    assert english[row]["sentiment"] == "negative"


def test_opinion_rows_agree_with_their_columns_and_spans(world, book):
    findings, _ = world
    rows = as_dicts(opinion_columns(), opinion_rows(findings, book, language="zh"))
    assert [row["opinion_id"] for row in rows] == [opinion.id for opinion in findings.opinions]
    texts = {document.id: document.text for document in findings.documents}
    for row in rows:
        assert texts[row["document_id"]][row["start"] : row["end"]] == row["text"]
        assert row["sentiment_score"] == pytest.approx(row["positive"] - row["negative"], abs=2e-6)
        assert bool(row["theme_ids"]) != bool(row["residual_reason"])
    caused = next(row for row in rows if row["cause_ids"] == "process.payment")
    assert (caused["owner"], caused["stage"], caused["runner_up"]) == ("财务", "购买", "service.wait")
    assert caused["evidence"] == caused["text"]
    assert caused["parent_names"] == "支付与账户"


def test_opinion_rows_takes_a_taxonomy_as_data(world):
    findings, _ = world
    taxonomy = {
        "causes": [
            {
                "id": "process.payment",
                "driver": "process",
                "names": {"en": "Money trouble"},
                "aspects": {"en": "Payment"},
                "stage": "purchase",
                "owner": "finance",
                "urgent": False,
            }
        ],
        "drivers": [{"id": "process", "names": {"en": "Process"}}],
        "stages": [{"id": "purchase", "names": {"en": "Buying"}}],
        "owners": [],
    }
    rows = as_dicts(opinion_columns(), opinion_rows(findings, taxonomy))
    caused = next(row for row in rows if row["cause_ids"] == "process.payment")
    assert (caused["cause_names"], caused["stage"], caused["owner"]) == ("Money trouble", "Buying", "finance")


def test_codebook_rows_follow_the_measures(world):
    findings, _ = world
    rows = as_dicts(codebook_columns(), codebook_rows(findings))
    assert [row["theme_id"] for row in rows] == [found.subject for found in findings.theme_measures]
    hotline = next(row for row in rows if row["theme_id"] == "hotline")
    measure = next(found for found in findings.theme_measures if found.subject == "hotline")
    assert (hotline["name_zh"], hotline["name_en"], hotline["parent_id"]) == ("客服电话难打通", "Hotline hard to reach", "support")
    assert hotline["people"] == measure.people
    assert hotline["impact"] == round(measure.impact.leave_out, 6)
    assert hotline["share_low"] <= hotline["share"] <= hotline["share_high"]
    assert hotline["exemplars"]


def test_tables_work_without_score_dates_or_themes(build):
    findings, run = build(kind=None, dated=False, leaves=(), people=6)
    assert list(codebook_rows(findings)) == []
    assert list(opinion_rows(findings, {})) == []
    rows = as_dicts(comment_columns(findings), comment_rows(findings, run, {}))
    assert all(row["score"] is None and row["date"] is None for row in rows)


def test_comment_rows_keeps_items_of_unknown_row_last(world, book):
    findings, run = world
    known = dataclasses.replace(run, rows={findings.items[-1].id: 2})
    rows = as_dicts(comment_columns(findings), comment_rows(findings, known, book))
    assert rows[0]["response_id"] == findings.items[-1].id
    assert rows[-1]["row"] is None


def test_encode_csv_writes_negative_numbers_as_numbers(world):
    rows = parse(encode_csv(codebook_columns(), codebook_rows(world[0])))
    impact = rows[0].index("impact")
    negative = [row[impact] for row in rows[1:] if float(row[impact] or 0) < 0]
    assert negative
    assert not any(cell.startswith("'") for cell in negative)
