"""Names found in the data and hidden from the encoder: brands and model numbers, never the words people complain with."""

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from feedback_miner.stages.mask import EntityMask, find_entities

PRAISE = ["it is fine and quiet", "the screen is bright", "works as promised", "the battery lasts a day", "a pleasure to use every day"]


def corpus_about(name: str) -> list[str]:
    """Sentences that mention a name inside, and as many that do not."""
    return [*(f"I bought the {name} in spring, {praise}" for praise in PRAISE), *PRAISE]


@pytest.mark.parametrize("name", ["Zephyron", "zx-500", "K9", "QT200s", "Pine-Root", "Bolt&Sons"])
def test_finds_brands_and_model_numbers(name: str) -> None:
    assert find_entities(corpus_about(name)) == (name.casefold(),)


@pytest.mark.parametrize(
    "word",
    [
        "parcel", "App", "GPS", "USB", "5g", "4G", "100ml", "3rd", "20mins", "250gb", "iOS", "Monday", "Christmas", "English", "2x", "v2",
    ],
)  # fmt: skip
def test_takes_no_common_word_measure_or_abbreviation_for_a_name(word: str) -> None:
    lower = [f"the {word.lower()} again, {praise}" for praise in PRAISE]
    assert find_entities([*corpus_about(word), *lower]) == ()


@pytest.mark.parametrize("day", ["Monday", "Christmas", "English", "May", "Chinese"])
def test_knows_what_is_always_capitalised(day: str) -> None:
    assert find_entities(corpus_about(day)) == ()


def test_learns_nothing_from_the_first_word_of_a_sentence() -> None:
    once, twice = [f"Terrible. {praise}" for praise in PRAISE], [f"Terrible! Terrible, {praise}" for praise in PRAISE]
    assert find_entities([*once, *twice]) == ()


def test_learns_nothing_from_texts_in_capitals() -> None:
    assert find_entities([f"the parcel {praise}".upper() for praise in PRAISE]) == ()


@pytest.mark.parametrize("times", [1, 2])
def test_needs_three_texts(times: int) -> None:
    assert find_entities([*corpus_about("Zephyron")[:times], *PRAISE]) == ()


def test_needs_more_texts_in_a_large_corpus() -> None:
    few = [*corpus_about("Zephyron")[:3], *PRAISE]
    assert find_entities(few) == ("zephyron",)
    assert find_entities([*few, *[f"number {number} was fine" for number in range(10_000)]]) == ()


def test_keeps_a_word_that_is_mostly_written_small() -> None:
    """A shop called Apple does not make a name of every apple."""
    capital = [f"they sell the Apple here, {praise}" for praise in PRAISE]
    assert find_entities([*capital, *(f"one apple a day, {praise}" for praise in PRAISE)]) == ()
    assert find_entities(capital) == ("apple",)


def test_finds_transliterated_chinese_names() -> None:
    texts = [f"在{name}店里买的，{rest}" for name in ("麦当劳", "特斯拉") for rest in ("太慢了", "很好用", "包装破了", "客服态度差")]
    assert find_entities(texts) == ("特斯拉", "麦当劳")


def test_takes_no_everyday_chinese_for_a_name() -> None:
    texts = ["快递太慢了", "客服态度很差", "包装都破了", "价格比上次贵", "信号不好"] * 5
    assert find_entities(texts) == ()


def test_finds_the_same_names_in_any_order() -> None:
    texts = [text for name in ("Zephyron", "zx-500", "Pine-Root") for text in corpus_about(name)]
    expected = find_entities(texts)
    assert expected == ("pine-root", "zephyron", "zx-500")
    for seed in range(5):
        assert find_entities(random.Random(seed).sample(texts, len(texts))) == expected


def test_returns_the_five_hundred_most_frequent_at_most() -> None:
    texts = [*[f"we use the zq-{number:04d} daily" for number in range(510) for _ in range(3)], *["we love the Zephyron daily"] * 9]
    found = find_entities(texts)
    assert len(found) == 500
    assert list(found) == sorted(found)
    assert "zephyron" in found


def test_finds_nothing_in_nothing() -> None:
    assert find_entities([]) == ()
    assert find_entities(["", "!!"]) == ()


@pytest.mark.parametrize(
    ("names", "text", "hidden"),
    [
        (["zephyron"], "the Zephyron broke", "the broke"),
        (["zephyron"], "ZEPHYRON's app crashed", "app crashed"),
        (["zephyron"], "Zephyron’s app crashed", "app crashed"),
        (["zephyron"], "zephyrons are fine", "zephyrons are fine"),
        (["zx", "zx-500"], "my zx-500 broke", "my broke"),
        (["诺基亚"], "诺基亚的客服", "的客服"),
        (["诺基亚", "zephyron"], "Zephyron 比诺基亚好", "比 好"),
        (["zephyron"], "Zephyron 坏了Zephyron", "坏了"),
        (["zephyron"], "Zephyron!", "Zephyron!"),
        (["a+b"], "the a+b plan", "the plan"),
        ([], "the Zephyron  broke", "the Zephyron  broke"),
    ],
)
def test_hides_names_and_nothing_else(names: list[str], text: str, hidden: str) -> None:
    assert EntityMask(names).hide(text) == hidden


_NAMES = ["foo", "bar", "foo-bar", "x5", "s", "b-c", "诺基亚", "基亚"]


@example({"foo", "bar"}, ["foo", "'s", "bar", " ", "good"])
@given(
    st.sets(st.sampled_from(_NAMES)), st.lists(st.sampled_from([*_NAMES, "Foo", "'s", "’s", "-", " ", "诺", "好", "a", "!"]), max_size=12)
)
def test_hiding_twice_is_hiding_once(names: set[str], parts: list[str]) -> None:
    mask = EntityMask(sorted(names))
    once = mask.hide("".join(parts))
    assert mask.hide(once) == once


@given(st.lists(st.sampled_from(_NAMES), unique=True), st.text(max_size=30))
def test_hides_the_same_whatever_the_order_of_names(names: list[str], text: str) -> None:
    assert EntityMask(names).hide(text) == EntityMask(sorted(names)).hide(text)
