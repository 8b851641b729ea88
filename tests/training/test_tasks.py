"""Batches: from one set, of one kind, the same for the same step, with what is known of each text."""

from dataclasses import replace

import numpy as np
import pytest

from feedback_miner.training.examples import Example
from feedback_miner.training.split import calibrates
from feedback_miner.training.tasks import Tasks

SIZE = 24


def example(source: str, number: int, **known: object) -> Example:
    values = {
        "opinions": (),
        "language": "en",
        "themes": {},
        "sentiment": None,
        "strength": None,
        "pair": None,
        **known,
    }
    return Example(source=source, text=f"{source} says {number}", **values)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def examples() -> list[Example]:
    themed = [
        example("themed", n, themes={"topic": frozenset({f"t{n % 9}"})}, opinions=(f"themed part {n}", "and more")) for n in range(300)
    ]
    several = [example("several", n, themes={"topic": frozenset({"a", f"b{n % 4}"})}, opinions=("one", "two")) for n in range(90)]
    judged = [example("judged", n, sentiment=("neg", "neu", "pos", None)[n % 4], strength=None if n % 4 else 0.5) for n in range(120)]
    paired = [example("paired", n, language=("en", "zh")[n % 2], pair=f"p{n // 2}") for n in range(160)]
    few = [example("few", n, themes={"topic": frozenset({"x"})}, sentiment="neg") for n in range(20)]
    return [*themed, *several, *judged, *paired, *few]


def test_a_step_sees_the_same_whenever_it_is_asked(examples: list[Example]) -> None:
    first, second = Tasks(examples, seed=3), Tasks(examples, seed=3)
    first.draw(0, "themes", SIZE)
    for kind in ("themes", "sentiment", "translation", "memory"):
        one, other = first.draw(17, kind, SIZE), second.draw(17, kind, SIZE)
        assert one is not None
        assert other is not None
        assert (one.source, one.texts) == (other.source, other.texts)
    assert {tuple(first.draw(step, "memory", SIZE).texts) for step in range(6)} != {tuple(first.draw(0, "memory", SIZE).texts)}


def test_every_theme_of_a_batch_has_two_texts_at_least_and_is_told(examples: list[Example]) -> None:
    tasks = Tasks(examples, seed=1)
    sources = set()
    for step in range(30):
        batch = tasks.draw(step, "themes", SIZE)
        assert batch is not None
        sources.add(batch.source)
        assert batch.labels.shape[0] == len(batch.texts) == len(batch.languages)
        assert (batch.labels.sum(axis=0) >= 2).sum() >= 4
        assert (batch.labels.sum(axis=1) >= 1).all()
    assert sources == {"themed", "several"}  # "few" is too small to teach


def test_an_opinion_stands_for_its_comment_only_where_there_is_one_theme(examples: list[Example]) -> None:
    tasks = Tasks(examples, seed=1)
    texts = {batch.source: set() for batch in (tasks.draw(step, "themes", SIZE) for step in range(30))}
    for step in range(30):
        batch = tasks.draw(step, "themes", SIZE)
        texts[batch.source] |= set(batch.texts)
    assert any(text.startswith("themed part") for text in texts["themed"])
    assert all(text.startswith("several says") for text in texts["several"])


def test_sentiment_and_strength_are_told_where_known(examples: list[Example]) -> None:
    batch = Tasks(examples, seed=1).draw(0, "sentiment", SIZE)
    assert batch.source == "judged"
    for text, sentiment, strength in zip(batch.texts, batch.sentiments, batch.strengths, strict=True):
        number = int(text.split()[-1]) % 4
        assert sentiment == (0, 1, 2, -1)[number]
        assert np.isnan(strength) == (number != 0)


def test_sentiment_is_read_off_opinions_as_it_is_when_it_serves_and_now_and_then_off_the_whole() -> None:
    comments = [example("split", n, sentiment="neg", opinions=(f"one {n}", f"two {n}")) for n in range(80)]
    letters = [example("letters", n, sentiment="pos", opinions=tuple(f"{n} {at}" for at in range(30))) for n in range(80)]
    tasks = Tasks([*comments, *letters], seed=1)
    batches = [tasks.draw(step, "sentiment", SIZE) for step in range(12)]
    assert {batch.source for batch in batches} == {"split", "letters"}
    for batch in batches:
        assert batch.owners.tolist() == sorted(batch.owners.tolist())
        assert set(batch.owners.tolist()) == set(range(len(batch.sentiments))) == set(range(SIZE))
        if batch.source == "letters":
            assert all(text.startswith("letters says") for text in batch.texts)
            continue
        parts = [[text for text, owner in zip(batch.texts, batch.owners, strict=True) if owner == at] for at in range(SIZE)]
        assert {len(of_row) for of_row in parts} == {1, 2}
        assert all(len({text.split()[-1] for text in of_row}) == 1 for of_row in parts)


def test_the_second_half_of_a_translation_batch_translates_the_first(examples: list[Example]) -> None:
    batch = Tasks(examples, seed=1).draw(0, "translation", SIZE)
    assert batch.languages == ["en"] * 12 + ["zh"] * 12
    numbers = [int(text.split()[-1]) for text in batch.texts]
    assert [number // 2 for number in numbers[:12]] == [number // 2 for number in numbers[12:]]


def test_a_step_is_a_batch_of_each_kind_asked_for(examples: list[Example]) -> None:
    batches = list(Tasks(examples, seed=1).draw_step(3, {"themes": SIZE, "sentiment": 16, "memory": 8}))
    assert [batch.kind for batch in batches] == ["themes", "sentiment", "memory"]
    assert [len(batch.texts) for batch in batches[1:]] == [16, 8]
    assert 2 < len(batches[0].texts) <= SIZE


def test_rows_that_heads_are_weighed_on_teach_no_sentiment(examples: list[Example]) -> None:
    kept = {example.text for example in examples if calibrates(example.text)}
    assert kept
    tasks = Tasks(examples, seed=1)
    drawn = {text for step in range(60) for batch in tasks.draw_step(step, {"sentiment": SIZE}) for text in batch.texts}
    assert drawn
    assert not drawn & kept


def test_what_is_held_back_is_all_that_is_watched(examples: list[Example]) -> None:
    judged = [example("judged", n, sentiment="neg") for n in range(800)]
    tasks = Tasks([*examples, *judged], seed=1)
    batch = tasks.draw(0, "held back", SIZE)
    assert batch.kind == "held back"
    assert batch.source == "judged"
    assert all(calibrates(text) for text in batch.texts)
    assert Tasks(examples, seed=1).draw(0, "held back", SIZE) is None, "too few to watch with"


def test_what_is_remembered_is_now_and_then_half_of_one_text_and_half_of_another() -> None:
    english = [example("few words", n) for n in range(70)]
    chinese = [replace(example("字", n), text=f"第{n}次来这里吃饭，味道还行，就是等太久。", language="zh") for n in range(70)]
    drawn = [text for step in range(20) for text in Tasks([*english, *chinese], seed=1).draw(step, "memory", SIZE).texts]
    known = {example.text for example in (*english, *chinese)}
    spliced = [text for text in drawn if text not in known]
    assert 0.25 < len(spliced) / len(drawn) < 0.65
    assert all(text.strip() == text and text for text in drawn)
    words = {word for text in known for word in text.split()}
    assert all(word in words for text in spliced if text.isascii() for word in text.split())
    assert not any("few" in text and "第" in text for text in spliced)


def test_what_nothing_teaches_is_not_drawn() -> None:
    tasks = Tasks([example("plain", number) for number in range(70)], seed=1)
    assert [tasks.draw(0, kind, SIZE) for kind in ("themes", "sentiment", "translation")] == [None] * 3
    assert [batch.kind for batch in tasks.draw_step(0, {"themes": SIZE, "sentiment": SIZE})] == []
