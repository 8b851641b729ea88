"""Alignment: whatever is edited, a character still points at the source it stands for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_miner.aligned import AlignedText, Edit

Reference = list[tuple[str, int, int]]
"""The slow, obvious model: one (character, source start, source end) for each character."""


@st.composite
def edits_of(draw: st.DrawFn, size: int) -> list[Edit]:
    places = sorted(draw(st.lists(st.integers(0, size), max_size=8)))
    pairs = zip(places[::2], places[1::2], strict=False)
    return [(start, end, draw(st.text(max_size=3))) for start, end in pairs]


def reference_of(source: str) -> Reference:
    return [(character, place, place + 1) for place, character in enumerate(source)]


def edit_reference(characters: Reference, edits: list[Edit]) -> Reference:
    result: Reference = []
    done = 0
    for start, end, replacement in edits:
        result += characters[done:start]
        if start < end:
            span = (characters[start][1], characters[end - 1][2])
        else:
            place = characters[start - 1][2] if start else 0
            span = (place, place)
        result += [(character, *span) for character in replacement]
        done = end
    return result + characters[done:]


def test_align_identity_maps_every_span_to_itself() -> None:
    aligned = AlignedText.of("物流很慢 slow")
    assert aligned.text == "物流很慢 slow"
    assert aligned.source_span(2, 4) == (2, 4)
    assert aligned.source_span(0, 9) == (0, 9)
    assert len(aligned.segments) == 1


def test_align_empty_text_has_an_empty_span() -> None:
    assert AlignedText.of("").source_span(0, 0) == (0, 0)
    assert AlignedText.of("").segments == ()


def test_replace_maps_each_new_character_to_the_whole_replaced_span() -> None:
    aligned = AlignedText.of("mail a@b.cn now").replace([(5, 11, "<EMAIL>")])
    assert aligned.text == "mail <EMAIL> now"
    assert aligned.source_span(7, 8) == (5, 11)
    assert aligned.source_span(5, 12) == (5, 11)
    assert aligned.source_span(13, 16) == (12, 15)


def test_replace_twice_still_points_at_the_first_source() -> None:
    aligned = AlignedText.of("a &amp; b&nbsp;c").replace([(2, 7, "&"), (9, 15, " ")])
    assert aligned.text == "a & b c"
    again = aligned.replace([(2, 3, "and")])
    assert again.text == "a and b c"
    assert again.source_span(2, 5) == (2, 7)
    assert again.source_span(8, 9) == (15, 16)


def test_source_span_covers_what_was_removed_inside_it() -> None:
    aligned = AlignedText.of("ab<b>cd</b>").replace([(2, 5, ""), (7, 11, "")])
    assert aligned.text == "abcd"
    assert aligned.source_span(0, 4) == (0, 7)
    assert aligned.source_span(1, 3) == (1, 6)


def test_replace_without_edits_returns_the_same_value() -> None:
    aligned = AlignedText.of("same")
    assert aligned.replace([]) is aligned


def test_replace_joins_neighbours_that_continue_each_other() -> None:
    aligned = AlignedText.of("abcdef").replace([(3, 3, ""), (4, 4, "")])
    assert aligned == AlignedText.of("abcdef")


@pytest.mark.parametrize("edits", [[(3, 2, "")], [(0, 9, "")], [(-1, 1, "")], [(2, 4, "x"), (3, 4, "y")], [(3, 4, "x"), (0, 1, "y")]])
def test_replace_refuses_edits_out_of_order_or_range(edits: list[Edit]) -> None:
    with pytest.raises(ValueError, match="must follow"):
        AlignedText.of("abcdef").replace(edits)


@pytest.mark.parametrize("span", [(-1, 1), (0, 7), (4, 3)])
def test_source_span_refuses_a_span_outside_the_text(span: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="must lie within"):
        AlignedText.of("abcdef").source_span(*span)


@given(source=st.text(max_size=30), data=st.data())
def test_replace_repeatedly_agrees_with_the_model_of_one_span_per_character(source: str, data: st.DataObject) -> None:
    aligned, characters = AlignedText.of(source), reference_of(source)
    for _ in range(4):
        edits = data.draw(edits_of(len(aligned.text)))
        aligned, characters = aligned.replace(edits), edit_reference(characters, edits)
        assert aligned.text == "".join(character for character, _, _ in characters)
        for position, (_, start, end) in enumerate(characters):
            assert aligned.source_span(position, position + 1) == (start, end)
        assert [segment.start for segment in aligned.segments] == sorted({segment.start for segment in aligned.segments})


@given(source=st.text(min_size=1, max_size=30), data=st.data())
def test_source_span_never_shrinks_when_the_span_grows(source: str, data: st.DataObject) -> None:
    aligned = AlignedText.of(source).replace(data.draw(edits_of(len(source))))
    start, end = sorted((data.draw(st.integers(0, len(aligned.text))), data.draw(st.integers(0, len(aligned.text)))))
    if start < end:
        inner, outer = aligned.source_span(start, end), aligned.source_span(0, len(aligned.text))
        assert outer[0] <= inner[0] <= inner[1] <= outer[1] <= len(source)
