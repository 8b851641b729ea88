"""Evaluation: metrics against values computed by hand, which rows are scored, and the shapes that the command line prints."""

import csv
import json
import random
from pathlib import Path

import numpy as np
import pytest

from feedback_miner.config import MiningConfig
from feedback_miner.errors import ColumnError, InputError, TaxonomyError
from feedback_miner.evaluate import (
    evaluate_causes,
    evaluate_sentiment,
    evaluate_strength,
    evaluate_themes,
    evaluate_zero_shot,
    expected_calibration_error,
    sentiment_metrics,
)
from feedback_miner.taxonomy import load_crosswalk, load_taxonomy

SUBJECTS = {
    "delivery": ["the parcel came {} days late", "late parcel, {} days", "waited {} days for the parcel"],
    "staff": ["the cashier at desk {} was rude", "rude cashier, desk {}", "desk {}: a rude cashier shouted"],
    "price": ["expensive, {} percent dearer", "prices went up {} percent", "the price is up {} percent, expensive"],
}


def write_csv(path: Path, header: tuple[str, ...], rows: list[tuple]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([header, *rows])
    return path


def complaints(count: int, *, seed: int = 0) -> list[tuple[str, str]]:
    """(text, subject), ``count`` of each subject, all different."""
    rows = [
        (random.Random(f"{seed} {at}").choice(says).format(seed * 1000 + at), name)
        for name, says in SUBJECTS.items()
        for at in range(count)
    ]
    random.Random(seed).shuffle(rows)
    return rows


def check_json(metrics: dict) -> None:
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


# Metrics by hand


def test_computes_the_calibration_error_by_hand() -> None:
    """Two rows at .9 (one right), two at .6 (both right): bins 13 and 9 of 15."""
    probabilities = np.array([[0.9, 0.1, 0.0], [0.9, 0.1, 0.0], [0.2, 0.2, 0.6], [0.2, 0.2, 0.6]])
    gold = np.array([0, 1, 2, 2])
    assert expected_calibration_error(gold, probabilities) == pytest.approx(0.5 * abs(0.9 - 0.5) + 0.5 * abs(0.6 - 1.0))


def test_joins_rows_of_one_bin_before_comparing() -> None:
    """.61 and .65 share the bin [.6, .667): mean confidence .63 against accuracy .5."""
    probabilities = np.array([[0.61, 0.39, 0.0], [0.65, 0.35, 0.0]])
    assert expected_calibration_error(np.array([0, 1]), probabilities) == pytest.approx(0.63 - 0.5)


def test_finds_no_calibration_error_in_certainty_that_is_right() -> None:
    assert expected_calibration_error(np.array([0, 1, 2]), np.eye(3)) == 0.0
    assert expected_calibration_error(np.array([1, 2, 0]), np.eye(3)) == 1.0


def one_hot(classes: list[int]) -> np.ndarray:
    return np.eye(3)[classes]


def test_computes_kappa_accuracy_and_f1_by_hand() -> None:
    gold, predicted = np.array([0, 0, 1, 2]), [0, 1, 1, 2]
    metrics = sentiment_metrics(gold, one_hot(predicted))
    assert metrics["accuracy"] == 0.75
    chance = (2 * 1 + 1 * 2 + 1 * 1) / 16
    assert metrics["kappa"] == pytest.approx((0.75 - chance) / (1 - chance))
    assert metrics["macro_f1"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)


def test_averages_f1_over_the_classes_that_occur() -> None:
    """Neutral never occurs: predicting it costs recall, but is no class of its own."""
    metrics = sentiment_metrics(np.array([0, 0, 2, 2]), one_hot([0, 1, 2, 2]))
    assert metrics["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)


@pytest.mark.parametrize(("predicted", "kappa"), [([0, 0, 0], 0.0), ([1, 1, 1], 0.0), ([0, 1, 0], 0.0)])
def test_gives_kappa_zero_where_one_class_is_all_there_is(predicted: list[int], kappa: float) -> None:
    assert sentiment_metrics(np.array([0, 0, 0]), one_hot(predicted))["kappa"] == kappa


def test_compares_the_poles_alone_where_told_to() -> None:
    probabilities = np.array([[0.2, 0.7, 0.1], [0.1, 0.5, 0.4]])
    metrics = sentiment_metrics(np.array([0, 2]), probabilities, binary=True)
    assert metrics["accuracy"] == 1.0
    assert metrics["ece"] == pytest.approx(((1 - 0.2 / 0.3) + (1 - 0.4 / 0.5)) / 2)
    assert probabilities[0].tolist() == [0.2, 0.7, 0.1], "the caller's numbers are left alone"


def test_splits_the_poles_evenly_where_nothing_was_said() -> None:
    metrics = sentiment_metrics(np.array([0, 2]), np.array([[0.0, 1.0, 0.0]] * 2), binary=True)
    assert (metrics["accuracy"], metrics["ece"], metrics["kappa"]) == (0.5, 0.0, 0.0)


# Themes


def test_scores_themes_against_labels(tmp_path: Path, quick_config: MiningConfig) -> None:
    rows = [*complaints(12), ("the parcel came 99 days late", ""), ("n/a", "delivery"), ("", "price"), ("a rude cashier at desk 7", "")]
    file = write_csv(tmp_path / "labelled.csv", ("text", "label"), rows)
    metrics = evaluate_themes(file, text="text", label="label", config=quick_config)
    check_json(metrics)
    assert set(metrics) == {"leaf", "parent", "coverage", "texts", "labelled", "skipped", "seconds"}
    for level in ("leaf", "parent"):
        assert set(metrics[level]) == {"ami", "nmi", "ari", "themes"}
        assert metrics[level]["themes"] >= 2
    assert metrics["leaf"]["ami"] > 0.5
    assert metrics["texts"] == 39  # 36 complaints, two without a label, "n/a"
    assert metrics["labelled"] == 37  # "n/a" is a cluster of its own
    assert metrics["skipped"] == 3  # two without a label, one without text
    assert 0.8 < metrics["coverage"] <= 1.0
    assert metrics["seconds"] >= 0.0


def test_scores_nothing_where_no_row_has_a_label(tmp_path: Path, quick_config: MiningConfig) -> None:
    file = write_csv(tmp_path / "unlabelled.csv", ("text", "label", "n"), [(text, "", 1) for text, _ in complaints(4)])
    metrics = evaluate_themes(file, text="text", label="label", config=quick_config)
    assert metrics["leaf"] == metrics["parent"] == {"ami": 0.0, "nmi": 0.0, "ari": 0.0, "themes": 0}
    assert (metrics["labelled"], metrics["skipped"]) == (0, 12)


def test_refuses_a_column_that_is_not_there(tmp_path: Path, quick_config: MiningConfig) -> None:
    file = write_csv(tmp_path / "labelled.csv", ("text", "label"), complaints(4))
    with pytest.raises(ColumnError, match="subject"):
        evaluate_themes(file, text="text", label="subject", config=quick_config)


# Sentiment

MOODS = [("terrible, rude and slow", "neg"), ("great, friendly and quick", "pos"), ("the shop is on the second floor", "neu")]


def test_scores_sentiment_and_counts_what_it_skips(tmp_path: Path) -> None:
    rows = [
        *MOODS * 3,
        ("Great!", "Positive"),
        ("bad", "NEGATIVE "),
        ("so so", "mixed"),
        ("who knows", ""),
        ("", "pos"),
        ("n/a", "neutral"),
    ]
    metrics = evaluate_sentiment(write_csv(tmp_path / "moods.csv", ("text", "label"), rows), text="text", label="label", encoder="tiny")
    check_json(metrics)
    assert set(metrics) == {"macro_f1", "accuracy", "kappa", "ece", "n", "skipped"}
    assert (metrics["n"], metrics["skipped"]) == (12, 3)


def test_leaves_neutral_rows_out_of_two_classes(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "moods.csv", ("text", "label"), [*MOODS * 3, ("n/a", "pos")])
    metrics = evaluate_sentiment(file, text="text", label="label", binary=True, encoder="tiny")
    check_json(metrics)
    assert (metrics["n"], metrics["skipped"]) == (7, 3)


def test_refuses_a_file_without_a_known_sentiment(tmp_path: Path) -> None:
    file = write_csv(tmp_path / "moods.csv", ("text", "label"), [("fine", "5"), ("bad", "1"), ("fine", "5 stars")])
    with pytest.raises(InputError, match="neg, neu, pos"):
        evaluate_sentiment(file, text="text", label="label", encoder="tiny")


# Causes


def test_scores_causes_of_one_label_a_row(tmp_path: Path) -> None:
    train = write_csv(tmp_path / "train.csv", ("text", "label"), complaints(25))
    rows = [*complaints(6, seed=1), ("what a nice day", ""), ("the sea is wide", "weather"), ("", "price")]
    test = write_csv(tmp_path / "test.csv", ("text", "label"), rows)
    metrics = evaluate_causes(train, test, text="text", label="label", encoder="tiny")
    check_json(metrics)
    assert {"micro_f1", "macro_f1", "n", "labels"} <= set(metrics) <= {"micro_f1", "macro_f1", "n", "labels", "skipped"}
    assert (metrics["n"], metrics["labels"], metrics["skipped"]) == (18, 3, 3)
    assert metrics["micro_f1"] > 0.9
    assert metrics["macro_f1"] > 0.9


def test_scores_causes_of_several_labels_joined_by_a_bar(tmp_path: Path) -> None:
    def joined(count: int, seed: int) -> list[tuple[str, str]]:
        single = complaints(count, seed=seed)
        pairs = zip(single, random.Random(seed).sample(single, len(single)), strict=True)
        double = [(f"{one[0]}; {other[0]}", "|".join(dict.fromkeys((one[1], other[1])))) for one, other in pairs]
        return [*single, *double]

    train = write_csv(tmp_path / "train.csv", ("text", "label"), [*joined(25, 0), ("an outlier", "rare|price"), ("another", "|")])
    test = write_csv(tmp_path / "test.csv", ("text", "label"), joined(5, 1))
    metrics = evaluate_causes(train, test, text="text", label="label", encoder="tiny")
    assert (metrics["n"], metrics["labels"], metrics["skipped"]) == (30, 3, 0)
    assert metrics["micro_f1"] > 0.85


def test_predicts_a_label_that_every_row_carries(tmp_path: Path) -> None:
    train = write_csv(tmp_path / "train.csv", ("text", "label"), [(text, "complaint") for text, _ in complaints(10)])
    test = write_csv(tmp_path / "test.csv", ("text", "label"), [(text, "complaint") for text, _ in complaints(2, seed=1)])
    metrics = evaluate_causes(train, test, text="text", label="label", encoder="tiny")
    assert (metrics["micro_f1"], metrics["labels"], metrics["n"]) == (1.0, 1, 6)


def test_predicts_beside_a_label_that_nearly_every_row_carries(tmp_path: Path) -> None:
    rows = [(text, f"complaint|{label}") for text, label in complaints(25)]
    train = write_csv(tmp_path / "train.csv", ("text", "label"), [*rows, ("a parcel", "delivery"), ("the price", "price")])
    test = write_csv(tmp_path / "test.csv", ("text", "label"), [(text, f"complaint|{label}") for text, label in complaints(4, seed=1)])
    metrics = evaluate_causes(train, test, text="text", label="label", encoder="tiny")
    assert metrics["labels"] == 4
    assert metrics["micro_f1"] > 0.9


def test_refuses_too_few_rows_a_label(tmp_path: Path) -> None:
    train = write_csv(tmp_path / "train.csv", ("text", "label"), complaints(19))
    with pytest.raises(InputError, match="20 or more"):
        evaluate_causes(train, train, text="text", label="label", encoder="tiny")


def test_refuses_a_test_file_with_none_of_the_labels(tmp_path: Path) -> None:
    train = write_csv(tmp_path / "train.csv", ("text", "label"), complaints(20))
    test = write_csv(tmp_path / "test.csv", ("text", "label"), [("hello there", "weather"), ("hello again", "sport"), ("what", "")])
    with pytest.raises(InputError, match=r"test\.csv has none of the 3 labels"):
        evaluate_causes(train, test, text="text", label="label", encoder="tiny")


# Strength


def graded(count: int, *, seed: int) -> list[tuple[str, str]]:
    draw = random.Random(seed)
    words = ["horrible", "bad", "so-so", "decent", "good", "wonderful"]
    return [(f"a {words[grade]} visit, number {seed}{at}", str(grade * 2)) for at in range(count) for grade in [draw.randrange(6)]]


def test_scores_a_number_by_rank_and_distance(tmp_path: Path) -> None:
    train = write_csv(
        tmp_path / "train.csv", ("text", "target"), [*graded(150, seed=1), ("unsaid", ""), ("unsaid too", "n/a"), ("odd", "inf")]
    )
    test = write_csv(tmp_path / "test.csv", ("text", "target"), [*graded(40, seed=2), ("", "3"), ("no number", "ten")])
    metrics = evaluate_strength(train, test, text="text", target="target", encoder="tiny")
    check_json(metrics)
    assert {"spearman", "mae", "n"} <= set(metrics)
    assert (metrics["n"], metrics["skipped"], metrics["train_n"], metrics["train_skipped"]) == (40, 2, 150, 3)
    assert metrics["spearman"] > 0.9
    assert metrics["mae"] < 1.5


def test_never_predicts_outside_the_range_it_saw(tmp_path: Path) -> None:
    train = write_csv(tmp_path / "train.csv", ("text", "target"), [(f"fine, number {at}", "4") for at in range(30)])
    test = write_csv(tmp_path / "test.csv", ("text", "target"), [("fine, number 3", "4"), ("awful", "9")])
    metrics = evaluate_strength(train, test, text="text", target="target", encoder="tiny")
    assert metrics["mae"] == pytest.approx(2.5, abs=1e-6)
    assert metrics["spearman"] == 0.0, "a constant ranks nothing"


@pytest.mark.parametrize(("train_rows", "test_rows", "error"), [(19, 5, InputError), (30, 1, InputError), (30, 0, ColumnError)])
def test_refuses_too_few_numbers(tmp_path: Path, train_rows: int, test_rows: int, error: type[InputError]) -> None:
    words = [("no number here", "none"), ("nor here", "")]
    train = write_csv(tmp_path / "train.csv", ("text", "target"), graded(train_rows, seed=1))
    test = write_csv(tmp_path / "test.csv", ("text", "target"), [*graded(test_rows, seed=2), *words])
    with pytest.raises(error, match="target"):
        evaluate_strength(train, test, text="text", target="target", encoder="tiny")


def test_reports_progress_of_encoding(tmp_path: Path) -> None:
    steps = []
    train = write_csv(tmp_path / "train.csv", ("text", "target"), graded(20, seed=1))
    evaluate_strength(train, train, text="text", target="target", encoder="tiny", progress=lambda *step: steps.append(step))
    assert steps[-1] == ("encode", 40, 40)


def test_centres_on_the_training_file(tmp_path: Path) -> None:
    """A test file is never looked at as a whole: half of it gets the same answers."""
    train = write_csv(tmp_path / "train.csv", ("text", "target"), graded(60, seed=1))
    rows = graded(20, seed=2)
    whole = evaluate_strength(
        train, write_csv(tmp_path / "all.csv", ("text", "target"), rows), text="text", target="target", encoder="tiny"
    )
    halves = [
        evaluate_strength(train, write_csv(tmp_path / "half.csv", ("text", "target"), half), text="text", target="target", encoder="tiny")
        for half in (rows[:10], rows[10:])
    ]
    assert whole["mae"] == pytest.approx(sum(half["mae"] for half in halves) / 2, abs=1e-6)


# Zero-shot


CROSSWALK = '[labels]\nparcel = ["late"]\nclerk = ["rude"]\n'


@pytest.fixture
def crosswalk(tmp_path: Path) -> Path:
    file = tmp_path / "crosswalk.toml"
    file.write_text(CROSSWALK, encoding="utf-8")
    return file


def test_predicts_labels_it_never_saw_from_causes(tmp_path: Path, crosswalk: Path, quick_config: MiningConfig) -> None:
    rows = [(text, {"delivery": "parcel", "staff": "clerk"}[name]) for text, name in complaints(20) if name != "price"]
    file = write_csv(tmp_path / "asked.csv", ("text", "label"), [*rows, ("the price is up", "price"), ("no label here", "")])
    metrics = evaluate_zero_shot(file, crosswalk, text="text", label="label", config=quick_config)
    assert (metrics["n"], metrics["skipped"]) == (40, 2)
    assert metrics["labels"].keys() == {"parcel", "clerk"}
    assert metrics["macro_f1"] == pytest.approx(np.mean(list(metrics["labels"].values())))
    assert metrics["macro_f1"] > 0.8, "the taxonomy's own words are in every row"
    check_json(metrics)


def test_a_label_of_two_causes_together_is_told_from_each_alone(tmp_path: Path, quick_config: MiningConfig) -> None:
    file = tmp_path / "together.toml"
    file.write_text('[labels]\nparcel = ["late"]\nclerk = ["rude"]\nboth = ["late + rude"]\n', encoding="utf-8")
    says = {
        "parcel": "the parcel came late",
        "clerk": "the staff were rude",
        "both": "rude staff late parcel",
    }
    rows = [(f"{text} {at}", label) for label, text in says.items() for at in range(4)]
    metrics = evaluate_zero_shot(
        write_csv(tmp_path / "asked.csv", ("text", "label"), rows), file, text="text", label="label", config=quick_config
    )
    assert metrics["labels"] == {"parcel": 1.0, "clerk": 1.0, "both": 1.0}


def test_predicts_several_labels_where_rows_have_several(tmp_path: Path, crosswalk: Path, quick_config: MiningConfig) -> None:
    both = "The parcel came late, delivery took far too long. And rude people on the phone, the staff were rude."
    rows = [(f"{both} {at}", "parcel|clerk") for at in range(5)] + [(f"the parcel came late {at}", "parcel") for at in range(5)]
    file = write_csv(tmp_path / "asked.csv", ("text", "label"), rows)
    metrics = evaluate_zero_shot(file, crosswalk, text="text", label="label", config=quick_config)
    assert metrics["labels"]["parcel"] == 1.0
    assert metrics["micro_f1"] > 0.7


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[labels]\nparcel = ["late"]\n', "two labels or more"),
        ("labels = 3", "two labels or more"),
        ("[labels\n", "no TOML"),
        ('[labels]\na = ["late"]\nb = []\n', "label 'b' needs a list of causes"),
        ('[labels]\na = ["late"]\nb = [3]\n', "label 'b' needs a list of causes"),
        ('[labels]\na = ["late"]\nb = ["lost"]\n', "'lost' of label 'b' is no cause of taxonomy 'two-causes'"),
        ('[labels]\na = ["late"]\nb = ["late + lost"]\n', "'lost' of label 'b' is no cause of taxonomy 'two-causes'"),
    ],
)
def test_says_what_is_wrong_with_a_crosswalk(tmp_path: Path, quick_config: MiningConfig, content: str, said: str) -> None:
    (tmp_path / "crosswalk.toml").write_text(content, encoding="utf-8")
    with pytest.raises(TaxonomyError, match=said):
        evaluate_zero_shot(tmp_path / "asked.csv", tmp_path / "crosswalk.toml", text="text", label="label", config=quick_config)


def test_says_that_no_row_has_a_label_of_the_crosswalk(tmp_path: Path, crosswalk: Path, quick_config: MiningConfig) -> None:
    file = write_csv(tmp_path / "asked.csv", ("text", "label"), [("dear, dear", "price")])
    with pytest.raises(InputError, match=r"none of the crosswalk's labels \(parcel, clerk\)"):
        evaluate_zero_shot(file, crosswalk, text="text", label="label", config=quick_config)


@pytest.mark.parametrize(
    "file", sorted((Path(__file__).parents[1] / "benchmarks" / "crosswalks").glob("*.toml")), ids=lambda file: file.stem
)
def test_our_crosswalks_lead_to_the_default_pack(file: Path) -> None:
    assert load_crosswalk(file, load_taxonomy("default"))
