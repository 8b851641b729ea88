"""The cases are what they say they are, and the heads that ship pass as many of each group as the model card claims."""

import csv
from collections import Counter
from pathlib import Path

import pytest
from quotations import letters_of, quotes

from feedback_miner.errors import InputError
from feedback_miner.evaluate import evaluate_behaviour
from feedback_miner.training.own_sentences import own_examples

CASES = Path(__file__).with_name("cases.csv")


def test_there_are_many_of_every_group_in_both_languages() -> None:
    with CASES.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    groups, languages = Counter(row["group"] for row in rows), Counter(row["language"] for row in rows)
    assert len(rows) >= 300
    assert len({row["text"] for row in rows}) == len(rows)
    assert min(groups.values()) >= 14
    assert len(groups) >= 16
    assert min(languages["en"], languages["zh"]) >= 150
    assert all(bool(row["other"]) == (row["kind"] != "mft") for row in rows)


def test_no_case_quotes_what_heads_were_taught() -> None:
    cases = letters_of(CASES.read_text(encoding="utf-8"))
    assert [example.text for example in own_examples() if quotes(example.text, example.language, cases)] == []


def test_rates_are_counted_by_group(tmp_path: Path) -> None:
    file = tmp_path / "cases.csv"
    file.write_text(
        "group,kind,language,text,other,expect\n"
        "plain,mft,en,Absolutely wonderful and friendly staff,,positive\n"
        "plain,mft,en,Absolutely wonderful and friendly staff,,negative\n"
        "turned,dir,en,The staff were wonderful,The staff were terrible and rude,worse\n"
        "same,inv,zh,服务太差了，非常失望,服务太差了，非常失望！,negative\n",
        encoding="utf-8",
    )
    rates = evaluate_behaviour(file)
    assert rates["groups"] == {"plain": {"passed": 0.5, "n": 2}, "same": {"passed": 1.0, "n": 1}, "turned": {"passed": 1.0, "n": 1}}
    assert rates["languages"]["zh"] == {"passed": 1.0, "n": 1}
    assert (rates["passed"], rates["failed_lines"]) == (0.75, [3])


def test_a_case_that_makes_no_sense_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cases.csv"
    file.write_text("group,kind,language,text,other,expect\nplain,mft,en,Fine,,worse\n", encoding="utf-8")
    with pytest.raises(InputError, match="line 2: kind 'mft' does not go with expect 'worse'"):
        evaluate_behaviour(file)
