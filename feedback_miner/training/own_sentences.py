"""Sentences of our own, to train on: the taxonomies' utterances, which say their cause, ``type_examples.csv``, which says what they do, and
``plain_facts.csv``, with nothing to complain of or to praise.

All name facts as customers do: "no lift to the second floor" where labelled sets are full of feelings, "the lift is on the left" so that
not every fact is a complaint.
"""

import csv
from pathlib import Path

from feedback_miner.stages.clean import matching_text
from feedback_miner.taxonomy import available_packs, load_taxonomy
from feedback_miner.training.examples import Example

__all__ = ["own_examples", "read_type_examples"]

_SENTIMENT_OF = {"complaint": "neg", "praise": "pos", "question": "neu", "statement": "neu"}


def own_examples() -> list[Example]:
    """Return every sentence of ours whose sentiment is known, in one order; utterances of a pack are a set with their causes as themes."""
    examples = [
        _example("type examples", row["text"], row["language"], sentiment=_SENTIMENT_OF[row["type"]])
        for row in read_type_examples()
        if row["type"] in _SENTIMENT_OF
    ]
    examples += [_example("plain facts", row["text"], row["language"], sentiment="neu") for row in _read("plain_facts.csv")]
    for pack in available_packs():
        for cause in load_taxonomy(pack).causes:
            for utterances, sentiment in ((cause.utterances, "neg"), (cause.praise, "pos")):
                examples += [
                    _example(f"pack {pack}", text, language, sentiment=sentiment, cause=cause.id)
                    for language, texts in sorted(utterances.items())
                    for text in texts
                ]
    return examples


def read_type_examples() -> list[dict[str, str]]:
    """Return the rows of ``type_examples.csv``: type, language, text."""
    return _read("type_examples.csv")


def _read(name: str) -> list[dict[str, str]]:
    with Path(__file__).with_name(name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


def _example(source: str, text: str, language: str, *, sentiment: str, cause: str | None = None) -> Example:
    return Example(
        source=source,
        text=matching_text(text, language),
        opinions=(),
        language=language,
        themes={} if cause is None else {"causes": frozenset({cause})},
        sentiment=sentiment,
        strength=None,
        pair=None,
    )
