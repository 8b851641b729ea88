"""Survey tools' exports, and conversations."""

# ruff: noqa: DTZ001 - dates without a zone are what is promised

import csv
import random
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from feedback_miner.domain import ScoreKind
from feedback_miner.ingest import Ingested, IngestOptions, read_feedback
from feedback_miner.ingest.chat import customer_words, find_chat_columns, is_agent
from feedback_miner.ingest.exports import name_columns, read_header


def export(tmp_path: Path, rows: list[list[str]], *, encoding: str = "utf-8-sig", **options: Any) -> Ingested:
    path = tmp_path / "export.csv"
    with path.open("w", encoding=encoding, newline="") as file:
        csv.writer(file).writerows(rows)
    return read_feedback(path, options=IngestOptions(**options))


QUALTRICS = [
    [
        "StartDate",
        "EndDate",
        "Status",
        "IPAddress",
        "Progress",
        "Finished",
        "RecordedDate",
        "ResponseId",
        "ExternalReference",
        "DistributionChannel",
        "UserLanguage",
        "Q1_NPS_GROUP",
        "Q1",
        "Q2",
        "Plan",
    ],
    [
        "Start Date",
        "End Date",
        "Response Type",
        "IP Address",
        "Progress",
        "Finished",
        "Recorded Date",
        "Response ID",
        "External Data Reference",
        "Distribution Channel",
        "User Language",
        "How likely are you to recommend us? - Group",
        "How likely are you to recommend us?",
        "Which reason stands\nbehind your score?",
        "Plan",
    ],
    ['{"ImportId":"startDate","timeZone":"UTC"}', *['{"ImportId":"x"}'] * 14],
    [
        "2026-05-01 10:00:00",
        "2026-05-01 10:05:00",
        "IP Address",
        "10.0.0.1",
        "100",
        "True",
        "2026-05-01 10:05:01",
        "R_1",
        "C-17",
        "email",
        "EN",
        "Promoter",
        "9",
        "Quick answers, friendly people",
        "Basic",
    ],
    [
        "2026-05-01 11:00:00",
        "2026-05-01 11:05:00",
        "Survey Preview",
        "10.0.0.2",
        "100",
        "True",
        "2026-05-01 11:05:01",
        "R_2",
        "",
        "preview",
        "EN",
        "Passive",
        "8",
        "just testing this form",
        "Basic",
    ],
    [
        "2026-05-02 10:00:00",
        "2026-05-02 10:05:00",
        "IP Address",
        "10.0.0.3",
        "100",
        "True",
        "2026-05-02 10:05:01",
        "R_3",
        "C-18",
        "anonymous",
        "EN",
        "Detractor",
        "2",
        "The app\ncrashes every morning",
        "Pro",
    ],
]


def test_read_feedback_reads_qualtrics(tmp_path: Path) -> None:
    ingested = export(tmp_path, QUALTRICS)
    mapping = ingested.mapping
    assert (mapping.format, mapping.texts, mapping.score, mapping.score_kind) == ("qualtrics", ("Q2",), "Q1", ScoreKind.NPS)
    assert (mapping.date, mapping.customer, mapping.channel) == ("RecordedDate", "ExternalReference", "DistributionChannel")
    items = list(ingested.items())
    assert [(item.row, item.score, item.customer, item.channel) for item in items] == [(5, 9, "C-17", "email"), (7, 2, "C-18", "anonymous")]
    assert items[1].texts == (("Q2", "The app\ncrashes every morning"),)
    assert items[0].created_at == datetime(2026, 5, 1, 10, 5, 1)
    assert [(issue.row, issue.reason, issue.kept) for issue in ingested.issues] == [(6, "survey preview", False)]
    assert ingested.rows == 3
    assert any("groups" in reason for name, reason in mapping.reasons if name == "Q1_NPS_GROUP")


def test_read_feedback_reads_qualtrics_without_import_ids(tmp_path: Path) -> None:
    ingested = export(tmp_path, [*QUALTRICS[:2], *QUALTRICS[3:]])
    assert ingested.mapping.format == "qualtrics"
    assert [item.score for item in ingested.items()] == [9, 2]


def test_read_feedback_takes_no_group_for_a_score(tmp_path: Path) -> None:
    drop = QUALTRICS[0].index("Q1")
    ingested = export(tmp_path, [row[:drop] + row[drop + 1 :] for row in QUALTRICS])
    assert ingested.mapping.score is None
    assert any("groups" in reason for _, reason in ingested.mapping.reasons)


def test_read_feedback_reads_surveymonkey(tmp_path: Path) -> None:
    ingested = export(
        tmp_path,
        [
            [
                "Respondent ID",
                "Collector ID",
                "Start Date",
                "End Date",
                "IP Address",
                "Email Address",
                "Overall, how satisfied are you?",
                "Where should we improve?",
                "Which parts did you use?",
                "",
            ],
            ["", "", "", "", "", "", "Response", "Open-Ended Response", "App", "Other (please specify)"],
            [
                "118",
                "7",
                "05/01/2026 10:00:00 AM",
                "05/01/2026 10:05:00 AM",
                "10.0.0.1",
                "a@example.org",
                "4",
                "Pick up calls on Saturdays",
                "App",
                "",
            ],
            [
                "119",
                "7",
                "05/02/2026 10:00:00 AM",
                "05/02/2026 10:05:00 PM",
                "10.0.0.2",
                "b@example.org",
                "1",
                "Make the parcels arrive on time",
                "",
                "the shop in town was fine",
            ],
        ],
    )
    mapping = ingested.mapping
    assert (mapping.format, mapping.score_kind, mapping.date, mapping.customer) == (
        "surveymonkey",
        ScoreKind.CSAT,
        "End Date",
        "Email Address",
    )
    assert mapping.texts == ("Where should we improve?", "Which parts did you use? - Other (please specify)")
    items = list(ingested.items())
    assert [item.row for item in items] == [3, 4]
    assert [item.created_at for item in items] == [datetime(2026, 5, 1, 10, 5), datetime(2026, 5, 2, 22, 5)]
    assert items[1].texts[1][1] == "the shop in town was fine"


def test_read_feedback_reads_delighted(tmp_path: Path) -> None:
    rows = [
        ["id", "person", "survey_type", "score", "comment", "created_at", "person_properties.plan"],
        *[
            [str(number), f"p{number}", "nps", str(score), comment, str(1_777_600_000 + number), plan]
            for number, (score, comment, plan) in enumerate(
                [(9, "Friendly people", "pro"), (3, "", "basic"), (6, "Slow app again", "pro"), (4, "No reply at all", "basic")]
            )
        ],
    ]
    ingested = export(tmp_path, rows)
    mapping = ingested.mapping
    assert (mapping.format, mapping.score_kind, mapping.texts, mapping.date, mapping.customer) == (
        "delighted",
        ScoreKind.NPS,
        ("comment",),
        "created_at",
        "person",
    )
    assert mapping.attributes == ("person_properties.plan",)
    items = list(ingested.items())
    assert items[0].created_at == datetime(2026, 5, 1, 1, 46, 40)
    assert (items[1].texts, items[1].score) == ((), 3)
    rows[1][2] = "csat"
    assert any("several kinds" in reason for _, reason in export(tmp_path, rows).mapping.reasons)


WJX = [
    [
        "序号",
        "提交答卷时间",
        "所用时间",
        "来源",
        "来源详情",
        "来自IP",
        "1、您有多大可能把我们推荐给朋友？",
        "2、请说明您打分的原因",
        "3、您用过哪些服务？",
        "4、您的性别",
    ],
    ["1", "2021/7/16 12:00:00", "62秒", "微信", "N/A", "10.0.0.1(北京)", "9", "客服态度特别好，处理很快", "安装┋维修", "女"],
    ["2", "2021/7/16 12:30:00", "35秒", "链接", "N/A", "10.0.0.2(上海)", "3", "(空)", "(跳过)", "男"],
    ["3", "2021/7/17 8:05:09", "80秒", "微信", "N/A", "10.0.0.3(广州)", "5", "等了一个星期才送到，太慢", "安装", "女"],
    ["4", "2021/7/17 9:05:09", "80秒", "微信", "N/A", "10.0.0.4(广州)", "10", "产品质量不错，值得推荐", "安装┋维修", "男"],
]


@pytest.mark.parametrize("encoding", ["gb18030", "utf-8-sig"])
def test_read_feedback_reads_wjx(tmp_path: Path, encoding: str) -> None:
    ingested = export(tmp_path, WJX, encoding=encoding)
    mapping = ingested.mapping
    assert (mapping.format, mapping.score_kind, mapping.date, mapping.channel) == ("wjx", ScoreKind.NPS, "提交答卷时间", "来源")
    assert mapping.texts == ("2、请说明您打分的原因",)
    assert mapping.attributes == ("3、您用过哪些服务？", "4、您的性别")
    items = list(ingested.items())
    assert items[0].created_at == datetime(2021, 7, 16, 12)
    assert items[0].attributes == (("3、您用过哪些服务？", "安装 | 维修"), ("4、您的性别", "女"))
    assert (items[1].texts, items[1].attributes) == ((), (("4、您的性别", "男"),))
    assert [item.channel for item in items] == ["微信", "链接", "微信", "微信"]


def test_read_feedback_reads_tencent(tmp_path: Path) -> None:
    ingested = export(
        tmp_path,
        [
            ["编号", "开始答题时间", "结束答题时间", "答题时长", "1.您对服务的满意度", "2.您还有什么建议"],
            ["1", "2026-05-03 10:00:00", "2026-05-03 10:01:00", "60", "非常满意", "希望营业时间更长一些"],
            ["2", "2026-05-03 11:00:00", "2026-05-03 11:01:00", "60", "不满意", "排队太久，没有人管"],
        ],
    )
    mapping = ingested.mapping
    assert (mapping.format, mapping.score_kind, mapping.date, mapping.texts) == (
        "tencent",
        ScoreKind.CSAT,
        "结束答题时间",
        ("2.您还有什么建议",),
    )
    assert [item.score for item in ingested.items()] == [5, 2]


def test_name_columns_makes_every_name_unique() -> None:
    names, notes = name_columns(["a", "", "a", " b \n c ", "a_2", "a"])
    assert names == ("a", "column_2", "a_3", "b c", "a_2", "a_4")
    assert {name for name, _ in notes} == {"column_2", "a_3", "a_4"}


def test_read_header_takes_anything_else_as_it_stands() -> None:
    header = read_header([["Respondent ID", "Comment"], ["7", "fine"]])
    assert (header.format, header.rows, header.names) == ("plain", 1, ("Respondent ID", "Comment"))


CHAT = [
    ["conversation_id", "sender", "sent_at", "message"],
    ["A", "agent", "2026-05-03 10:00", "Hello, how can I help you today?"],
    ["A", "customer", "2026-05-03 10:01", "My parcel has not come"],
    ["A", "customer", "2026-05-03 10:02", "It was due last week"],
    ["A", "bot", "2026-05-03 10:03", "One moment please, I am looking"],
    ["A", "customer", "2026-05-03 10:04", "Waiting since ten past nine"],
    ["B", "customer", "2026-05-04 10:00", "Refund came within two days"],
    ["B", "agent", "2026-05-04 10:01", "You are very welcome, bye"],
]


def test_read_feedback_mines_only_the_customers_turns(tmp_path: Path) -> None:
    ingested = export(tmp_path, CHAT)
    assert (ingested.mapping.format, ingested.mapping.texts) == ("chat", ("message",))
    items = list(ingested.items())
    assert [(item.row, item.texts[0][1]) for item in items] == [
        (3, "My parcel has not come\nIt was due last week\nWaiting since ten past nine"),
        (7, "Refund came within two days"),
    ]
    reasons = [issue.reason for issue in ingested.issues]
    assert reasons.count("agent turn") == 3
    assert reasons.count("joined to the customer's turn in row 3") == 2
    assert ingested.rows == 7 == len(items) + sum(not issue.kept for issue in ingested.issues)


def test_read_feedback_keeps_turns_apart_without_a_conversation_column(tmp_path: Path) -> None:
    rows = [["角色", "内容"], ["客服", "您好，请问有什么可以帮您"], ["客户", "快递一直没有送到我家"], ["客户", "等了整整一个星期了"]]
    ingested = export(tmp_path, rows)
    assert ingested.mapping.format == "chat"
    assert [item.texts[0][1] for item in ingested.items()] == ["快递一直没有送到我家", "等了整整一个星期了"]


def test_find_chat_columns_wants_both_sides() -> None:
    assert find_chat_columns(["role", "text"], [["manager", "x"], ["customer", "y"], ["customer", "z"]]) is None
    assert find_chat_columns(["text", "mood"], [["customer", "agent"]]) is None
    assert find_chat_columns(["role", "text"], [["user", "x"], ["assistant", "y"]]) is not None


@pytest.mark.parametrize(
    ("speaker", "agent"),
    [
        ("Agent", True),
        ("Agent 12", True),
        ("客服小王", True),
        ("bot", True),
        ("Customer", False),
        ("客户", False),
        ("Anna", False),
        ("", False),
    ],
)
def test_is_agent_tells_the_sides_apart(speaker: str, agent: bool) -> None:
    assert is_agent(speaker) is agent


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Customer: it broke\nafter a day\nAgent (Maria): sorry\nCustomer: well", "it broke\nafter a day\nwell"),
        ("[10:02] Visitor: hello\n[10:03] Bot: hi\n", "hello"),
        ("客户：你好\n客服小王：您好\n2026-05-03 10:02 客户：退款呢", "你好\n退款呢"),
        ("Chat started\nAgent: hi\nUser:\n", ""),
        ("Agent: hi\nAgent: anybody?", None),
        ("Staff: friendly\nPrices: too high", None),
        ("I told the agent: never again\nand left", None),
        ("Customer: one line only", None),
    ],
)
def test_customer_words_takes_the_customers_lines(text: str, words: str | None) -> None:
    assert customer_words(text) == words


def test_read_feedback_mines_transcripts_in_a_cell(tmp_path: Path) -> None:
    rows = [
        ["id", "comment"],
        ["1", "Customer: the app crashes\nAgent: which phone?\nCustomer: every phone"],
        ["2", "no chat, just a remark on it"],
    ]
    ingested = export(tmp_path, rows)
    assert ingested.mapping.format == "chat"
    assert [item.texts[0][1] for item in ingested.items()] == ["the app crashes\nevery phone", "no chat, just a remark on it"]
    assert any("only the customer's lines" in reason for _, reason in ingested.mapping.reasons)


def test_customer_words_is_linear_in_hostile_lines() -> None:
    text = "\n".join(["[" + "1:" * 5000, "Agent " + "(" * 5000, " " * 5000 + "Customer"] * 20)
    assert customer_words(text) is None


def test_read_feedback_samples_chat_whatever_the_order(tmp_path: Path) -> None:
    rows = [["role", "text"], *[["agent" if number % 2 else "customer", f"sentence number {number} of the talk"] for number in range(50)]]
    mapping = export(tmp_path, rows).mapping
    shuffled = rows[1:]
    random.Random(3).shuffle(shuffled)
    assert export(tmp_path, [rows[0], *shuffled]).mapping == mapping
