"""Sentences of our own: every utterance with its cause, every one with its sentiment."""

from feedback_miner.taxonomy import load_taxonomy
from feedback_miner.training.own_sentences import own_examples, read_type_examples


def test_utterances_say_their_cause_and_praise_is_praise() -> None:
    examples = [example for example in own_examples() if example.source == "pack default"]
    cause = load_taxonomy("default").causes[0]
    of_cause = [example for example in examples if example.themes == {"causes": frozenset({cause.id})}]
    assert len(of_cause) == sum(len(texts) for uttered in (cause.utterances, cause.praise) for texts in uttered.values())
    assert {(example.language, example.sentiment) for example in of_cause} == {
        (language, tone) for language in ("en", "zh") for tone in ("neg", "pos")
    }


def test_type_examples_teach_what_their_type_tells_of_feeling() -> None:
    examples = [example for example in own_examples() if example.source == "type examples"]
    told = [row["type"] for row in read_type_examples() if row["type"] != "suggestion"]
    assert len(examples) == len(told) > 100
    assert {example.sentiment for example in examples} == {"neg", "neu", "pos"}
    assert all(example.themes == {} for example in examples)


def test_plain_facts_teach_that_not_every_fact_is_a_complaint() -> None:
    examples = [example for example in own_examples() if example.source == "plain facts"]
    assert len(examples) > 200
    assert {(example.language, example.sentiment) for example in examples} == {("en", "neu"), ("zh", "neu")}
