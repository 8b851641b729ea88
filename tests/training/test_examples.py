"""Examples: what rows of a labelled set, or of a user's own file, come to mean."""

from pathlib import Path

import pytest

from feedback_miner.errors import InputError
from feedback_miner.training.examples import read_examples
from feedback_miner.training.sets import LabelledSet, load_sets


def read(name: str, *rows: dict[str, str]) -> list:
    return read_examples({name: LabelledSet(name, rows, (False,) * len(rows))})


def test_a_users_own_columns() -> None:
    (one,) = read(
        "mine", {"text": "Parcel late. Driver rude!", "themes": "delivery|staff", "sentiment": "neg", "strength": "-0.7", "pair_id": "7"}
    )
    assert one.themes == {"themes": frozenset({"delivery", "staff"})}
    assert (one.sentiment, one.strength, one.pair) == ("neg", -0.7, "mine:7")
    assert one.opinions == ("Parcel late.", "Driver rude!")


def test_labels_that_only_say_that_no_other_fits_teach_nothing() -> None:
    one, other = read("mine", {"text": "Just odd", "themes": "Other"}, {"text": "怪怪的东西", "themes": "其他|物流"})
    assert one.themes == {}
    assert other.themes == {"themes": frozenset({"物流"})}


def test_the_middle_of_a_score_is_no_tone() -> None:
    scored = read("nps_telecom_uk", {"text": "Quite alright I suppose", "sentiment": "neu", "nps_score": "7"})
    judged = read("airline_tweets", {"text": "Quite alright I suppose", "sentiment": "neu", "theme": ""})
    assert (scored[0].sentiment, scored[0].strength) == (None, 0.4)
    assert judged[0].sentiment == "neu"


@pytest.mark.parametrize(("valence", "strength"), [("9", 1.0), ("1", -1.0), ("5", 0.0), ("9.5", 1.0)])
def test_strength_is_between_minus_one_and_one(valence: str, strength: float) -> None:
    assert read("dimabsa2026", {"text": "rather tasty noodles", "themes": "FOOD#QUALITY", "valence": valence})[0].strength == strength


def test_rows_without_content_and_the_other_part_are_left_out() -> None:
    rows = ({"text": "  "}, {"text": "The lift was broken"}, {"text": "Nice view"})
    labelled = {"mine": LabelledSet("mine", rows, (False, False, True))}
    assert [one.text for one in read_examples(labelled)] == ["The lift was broken"]
    assert [one.text for one in read_examples(labelled, validation=True)] == ["Nice view"]


def test_one_file_is_a_set_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "corrected.csv"
    file.write_text("\ufefftext,themes\n快递太慢,物流\n", encoding="utf-8")
    assert load_sets(file)["corrected"].rows == ({"text": "快递太慢", "themes": "物流"},)


def test_a_file_that_cannot_teach_says_why(tmp_path: Path) -> None:
    file = tmp_path / "corrected.csv"
    file.write_text("comment,theme\nslow,delivery\n", encoding="utf-8")
    with pytest.raises(InputError, match="no column 'text' .*comment, theme"):
        load_sets(file)
    file.write_bytes("text\n快递".encode("gb18030"))
    with pytest.raises(InputError, match="not UTF-8"):
        load_sets(file)
