"""Reading one text: what its opinions are, what the encoder will see of them, and where they stood in the text as it came."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_miner.demo import demo_path, load_personal_data
from feedback_miner.reading import read_text


def test_reads_a_comment_into_opinions() -> None:
    reading = read_text("The parcel came two weeks late. The cashier was friendly though.")
    assert reading.language == "en"
    assert [opinion.text for opinion in reading.opinions] == ["The parcel came two weeks late.", "The cashier was friendly though."]
    assert not reading.repost
    assert reading.redactions == ()


def test_redacts_before_anything_else_sees_the_text() -> None:
    raw = "My order never came, write to jane.roe@example.com or jane2@example.com"
    reading = read_text(raw)
    assert "example.com" not in reading.verbatim.text
    assert reading.redactions == (("EMAIL", 2),)
    assert all("example.com" not in opinion.text + opinion.matching for opinion in reading.opinions)
    assert "example.com" not in repr(reading)


@pytest.mark.parametrize("raw", ["", "   ", "n/a", "无", "...", "https://example.com/x", "没有意见", "\u200b\ufeff"])
def test_finds_no_opinion_where_nothing_is_said(raw: str) -> None:
    assert read_text(raw).opinions == ()


def test_sees_a_repost() -> None:
    assert read_text("RT @somebody: the signal is gone again").repost


def test_shows_the_encoder_simplified_text_without_placeholders() -> None:
    (opinion,) = read_text("客服態度很差，郵箱 jane@example.com").opinions
    assert "态度很差" in opinion.matching
    assert "<EMAIL>" in opinion.text
    assert "EMAIL" not in opinion.matching


@pytest.mark.parametrize(
    ("raw", "slices"),
    [
        ("<p>Too <b>slow</b></p><p>Rude staff</p>", ["Too <b>slow", "Rude staff"]),
        ("Great 👍🏽 phone!!! But 太贵了 😡", ["Great 👍🏽 phone!!!", "But 太贵了 😡"]),
        ("Call me on 415-555-0182, your app &amp; site crash", ["Call me on 415-555-0182, your app &amp; site crash"]),
    ],
)
def test_leads_back_to_the_text_as_it_came(raw: str, slices: list[str]) -> None:
    reading = read_text(raw)
    spans = [reading.verbatim.source_span(opinion.start, opinion.end) for opinion in reading.opinions]
    assert [raw[start:end] for start, end in spans] == slices


@given(
    st.text(max_size=120)
    | st.lists(st.sampled_from(["太慢了", "！", "late", ". ", "<b>", "@", "1", "😡", "a@b.cd", "\n"]), max_size=20).map("".join)
)
def test_every_span_is_exact_and_in_order(raw: str) -> None:
    reading = read_text(raw)
    done = source_done = 0
    for opinion in reading.opinions:
        assert done <= opinion.start < opinion.end <= len(reading.verbatim.text)
        assert reading.verbatim.text[opinion.start : opinion.end] == opinion.text
        assert opinion.matching
        start, end = reading.verbatim.source_span(opinion.start, opinion.end)
        assert source_done <= start <= end <= len(raw)
        done, source_done = opinion.end, start


def test_reads_its_own_verbatim_as_before() -> None:
    """What is stored can be read again: same opinions, nothing more to redact."""
    for line in demo_path().read_text(encoding="utf-8").splitlines()[1:60]:
        first = read_text(line)
        again = read_text(first.verbatim.text)
        assert again.verbatim.text == first.verbatim.text
        assert [opinion.text for opinion in again.opinions] == [opinion.text for opinion in first.opinions]


def test_keeps_nothing_of_the_demos_personal_data() -> None:
    lines = demo_path().read_text(encoding="utf-8").splitlines()
    by_id = {line.split(",", 1)[0]: line.split(",", 8)[8] for line in lines[1:]}
    for planted in load_personal_data():
        assert planted.value in by_id[planted.response_id]
        assert planted.value not in repr(read_text(by_id[planted.response_id]))
