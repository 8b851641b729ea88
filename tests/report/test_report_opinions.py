"""The page of opinions: what it shows, where it leads, and that nothing said on it becomes markup."""

import re
from typing import Any

import pytest

from feedback_miner.domain import Polarity
from feedback_miner.report.causes import CauseBook
from feedback_miner.report.opinions import OpinionRecord, render_opinions

RECORD = OpinionRecord("It came late. Bye.", 0, 13, "en", 3.0, "2026-05-01", "web", Polarity.NEGATIVE, "t-1", ("process.delivery",))


def render(*records: OpinionRecord, **options: Any) -> str:
    given = {
        "names": {"t-1": {"en": "Late parcels", "zh": "送货慢"}},
        "causes": CauseBook(),
        "subject": None,
        "language": "en",
        "report": "/v1/projects/p/report.html",
        "sentiments": {None: "?", "negative": "?sentiment=negative", "neutral": "?sentiment=neutral", "positive": "?sentiment=positive"},
        "shown": None,
        "following": None,
    }
    return render_opinions(records, **given | options)


def test_an_opinion_is_marked_in_its_comment_with_what_is_known_of_it():
    page = render(RECORD)
    assert "<mark>It came late.</mark> Bye." in page
    for said in ("2026-05-01", "web", "process.delivery", "Late parcels", "送货慢", 'lang="en"'):
        assert said in page


def test_the_theme_that_is_listed_is_the_title_and_no_remark():
    page = render(RECORD, subject="t-1")
    assert "<title>Late parcels</title>" in page
    assert "Late parcels" not in page.split("<main>")[1]


def test_the_page_leads_to_the_report_to_each_sentiment_and_on():
    page = render(RECORD, shown="negative", following="?cursor=7&words=a")
    links = re.findall(r'href="([^"]+)"', page)
    assert links == [
        "/v1/projects/p/report.html", "?", "?sentiment=negative", "?sentiment=neutral", "?sentiment=positive", "?cursor=7&amp;words=a"
    ]  # fmt: skip
    assert re.search(r'<a href="\?sentiment=negative" aria-current="true">', page)


def test_a_page_without_opinions_says_so():
    assert "No opinion is like that." in render()


@pytest.mark.parametrize("words", ["<script>alert(1)</script>", "\"><svg onload=alert(1)>'", "{{ 7 * 7 }}", "</style>"])
def test_nothing_said_becomes_markup(words):
    hostile = OpinionRecord(words * 2, len(words), 2 * len(words), words, None, None, words, Polarity.NEUTRAL, words, (words,))
    page = render(hostile, subject=words, names={words: {"en": words}}, following=words, report=words)
    body = page.split("</head>")[1]
    assert not re.search(r"<(?:script|svg)|\son\w+=alert\(1\)>|</style>", body)
    assert "49" not in body
