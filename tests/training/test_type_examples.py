"""The sentences that teach the type head, and plain facts: enough of each kind, none twice, nothing from the demo or the taxonomy packs."""

import csv
import re
from collections import Counter
from importlib.resources import files
from itertools import product

import pytest
from quotations import letters_of, quotes

from feedback_miner.demo import demo_path, load_answers
from feedback_miner.domain import FeedbackType

LANGUAGES = ("zh", "en")
FEWEST_OF_EACH = 50


def read_examples(name: str) -> list[dict[str, str]]:
    with files("feedback_miner.training").joinpath(name).open(encoding="utf-8", newline="") as lines:
        return list(csv.DictReader(lines))


EXAMPLES = read_examples("type_examples.csv")
FACTS = read_examples("plain_facts.csv")
SENTENCES = EXAMPLES + FACTS


def test_offers_enough_examples_of_each_type_in_both_languages() -> None:
    counts = Counter((row["type"], row["language"]) for row in EXAMPLES)
    assert set(counts) == {(kind.value, language) for kind, language in product(FeedbackType, LANGUAGES)}
    assert min(counts.values()) >= FEWEST_OF_EACH
    assert max(counts.values()) <= 1.5 * min(counts.values())


def test_declares_the_language_that_is_written() -> None:
    wrong = [row["text"] for row in SENTENCES if bool(re.search(r"[\u4e00-\u9fff]", row["text"])) != (row["language"] == "zh")]
    assert wrong == []


def test_repeats_no_sentence() -> None:
    counts = Counter(letters_of(row["text"]) for row in SENTENCES)
    assert [text for text, count in counts.items() if count > 1] == []


def test_holds_bare_trimmed_text() -> None:
    assert [row["text"] for row in SENTENCES if not row["text"] or row["text"] != row["text"].strip()] == []
    assert {tuple(row) for row in EXAMPLES} == {("text", "language", "type")}


def test_offers_as_many_plain_facts_in_both_languages() -> None:
    counts = Counter(row["language"] for row in FACTS)
    assert counts.keys() == set(LANGUAGES)
    assert min(counts.values()) >= FEWEST_OF_EACH
    ends = [row["text"][-1] in ".!?。！？" for row in FACTS]
    assert 0.35 < sum(ends) / len(ends) < 0.65, "a full stop tells nothing"


@pytest.mark.parametrize("kind", [FeedbackType.COMPLAINT, FeedbackType.PRAISE, FeedbackType.SUGGESTION, FeedbackType.STATEMENT])
def test_leaves_the_type_untold_by_the_question_mark(kind: FeedbackType) -> None:
    """Half of all sentences end bare whatever their type, else the head would learn punctuation."""
    ends = [row["text"][-1] in ".!?。！？" for row in EXAMPLES if row["type"] == kind]
    assert 0.35 < sum(ends) / len(ends) < 0.65


def test_asks_without_a_question_mark_and_complains_with_one() -> None:
    marked = Counter(row["type"] for row in EXAMPLES if row["text"][-1] in "?？")
    questions = sum(row["type"] == FeedbackType.QUESTION for row in EXAMPLES)
    assert marked[FeedbackType.QUESTION] < questions
    assert marked[FeedbackType.COMPLAINT] >= 10
    assert marked[FeedbackType.PRAISE] >= 3
    assert marked[FeedbackType.SUGGESTION] >= 3


def test_quotes_neither_the_demo_nor_the_taxonomy_packs() -> None:
    """Figures on the demo are reported: no head may have been taught its sentences."""
    packs = files("feedback_miner.taxonomy").joinpath("packs")
    sources = [demo_path().read_text(encoding="utf-8")]
    sources += [pack.read_text(encoding="utf-8") for pack in packs.iterdir() if pack.name.endswith(".yaml")]
    assert len(sources) > 1
    known = letters_of("\n".join(sources))
    assert [row["text"] for row in SENTENCES if quotes(row["text"], row["language"], known)] == []


def test_repeats_no_planted_opinion() -> None:
    planted = {letters_of(answer.quote) for answer in load_answers()}
    assert [row["text"] for row in SENTENCES if letters_of(row["text"]) in planted] == []
