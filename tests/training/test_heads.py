"""Heads fitted end to end on small sets of our own making: written, loadable, the same twice, better than chance where nothing was fitted."""

import csv
import gzip
import json
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from feedback_miner.domain import FeedbackType, Polarity
from feedback_miner.embedders.tiny import TinyEmbedder
from feedback_miner.errors import InputError
from feedback_miner.stages.sentiment import load_heads
from feedback_miner.training.heads import SENTIMENT_SETS, _is_drawn, _sentiment_examples, train_heads
from feedback_miner.training.sets import load_sets

pytestmark = pytest.mark.slow  # every fit also learns the taxonomies' sentences: about a minute each

THREE_SETS = ("airline_tweets", "nhs_fft", "waimai_10k")
"""Of those whose mean is reported."""
THINGS = [
    "parcel",
    "invoice",
    "hotline",
    "router",
    "app",
    "counter",
    "chair",
    "jacket",
    "refund",
    "courier",
    "screen",
    "battery",
    "kettle",
    "lamp",
    "contract",
    "signal",
]
SAYINGS = {
    "neg": [
        "the {} was terrible and slow",
        "I am angry, the {} broke again",
        "worst {} ever, never again",
        "{}太差了，非常失望",
        "{}又坏了，气死我了",
    ],
    "neu": ["the {} is on the second floor", "I asked about the {} on Tuesday", "they have a {} as well", "{}在二楼", "昨天问了一下{}"],
    "pos": [
        "the {} was great, thank you",
        "I love the {}, friendly and quick",
        "best {} ever, well done",
        "{}很好，非常满意",
        "喜欢这个{}，点赞",
    ],
}


def sentences(polarity: str, count: int, *, seed: int) -> list[str]:
    draw = random.Random(f"{polarity} {seed}")
    return [f"{draw.choice(SAYINGS[polarity]).format(draw.choice(THINGS))} {number}" for number in range(count)]


def write_set(folder: Path, name: str, *, seed: int, count: int = 90) -> None:
    labels = SENTIMENT_SETS[name][1].split()
    rows = [(text, label) for label in labels for text in sentences(label, count, seed=seed)]
    rows += [("   ", "pos"), ("no label here", ""), ("mixed feelings about it", "mixed")]
    (folder / name).mkdir(parents=True)
    with gzip.open(folder / name / "dev.csv.gz", "wt", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([("text", "sentiment"), *rows])


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Small matrices gain nothing by threads, and beside other tests their threads wait for each other."""
    with threadpool_limits(1):
        yield


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("labelled")
    for seed, name in enumerate([*THREE_SETS, "sst2"]):
        write_set(folder, name, seed=seed)
    return folder


@pytest.fixture(scope="module")
def trained(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    output = tmp_path_factory.mktemp("heads") / "tiny"
    return output, train_heads(labelled, encoder="tiny", output=output)


def test_writes_the_heads_and_their_scores(trained: tuple[Path, dict]) -> None:
    output, report = trained
    assert sorted(path.name for path in output.iterdir()) == ["heads.json", "heads.npz"]
    assert json.loads((output / "heads.json").read_text(encoding="utf-8")) == report
    assert report["encoder"] == TinyEmbedder.version
    assert report["version"] == load_heads(output / "heads.npz").version
    assert report["type_examples"] > 500


def test_scores_every_set_on_validation_rows_beside_the_svm(trained: tuple[Path, dict]) -> None:
    _, report = trained
    scores = report["validation"]
    for name in (*THREE_SETS, "sst2"):
        classes = len(SENTIMENT_SETS[name][1].split())
        assert 0.1 * 90 * classes < scores[name]["n"] < 0.3 * 90 * classes
        assert scores[name]["ours"]["macro_f1"] > 0.8  # the sayings are few: whoever learns at all learns them
        assert scores[name]["svm_macro_f1"] > 0.8
    mean = scores["mean of " + ", ".join(THREE_SETS)]
    assert mean["ours_macro_f1"] == pytest.approx(np.mean([scores[name]["ours"]["macro_f1"] for name in THREE_SETS]))
    held_back = sum(scores[name]["n"] for name in (*THREE_SETS, "sst2"))
    labelled = sum(90 * len(SENTIMENT_SETS[name][1].split()) for name in (*THREE_SETS, "sst2"))
    assert report["training_rows"] == labelled - held_back
    assert report["own_sentences"] > 1_000, "sentences of our own come on top"


def test_fits_heads_that_read_what_they_were_taught(trained: tuple[Path, dict]) -> None:
    heads = load_heads(trained[0] / "heads.npz")
    assert heads.encoder_version == TinyEmbedder.version
    assert heads.theme_projection.shape == (TinyEmbedder.dimensions, 0)
    assert {"und", "en", "zh"} <= set(heads.language_means)
    texts = [
        "the kettle was terrible and slow",
        "I asked about the kettle on Tuesday",
        "the kettle was great, thank you",
        "水壶很好，非常满意",
    ]
    vectors = TinyEmbedder().encode(texts)
    sentiments = heads.read_sentiments(vectors, texts)
    assert [sentiment.label for sentiment in sentiments] == [Polarity.NEGATIVE, Polarity.NEUTRAL, Polarity.POSITIVE, Polarity.POSITIVE]
    asked = ["could you add a dark mode please, I suggest", "why is my bill so high?"]
    vectors = TinyEmbedder().encode(asked)
    assert heads.read(vectors, asked)[1] == [FeedbackType.SUGGESTION, FeedbackType.QUESTION]


def test_fits_the_same_arrays_twice_and_from_a_cache(labelled: Path, trained: tuple[Path, dict], tmp_path: Path) -> None:
    first = trained[0]
    progressed = []
    report = train_heads(
        labelled, encoder="tiny", output=tmp_path / "out", cache=tmp_path / "cache", progress=lambda *step: progressed.append(step)
    )
    assert report == trained[1]
    assert {stage for stage, _, _ in progressed} == {"encode"}
    with np.load(first / "heads.npz") as one, np.load(tmp_path / "out" / "heads.npz") as other:
        assert sorted(one.files) == sorted(other.files)
        assert [name for name in one.files if one[name].tobytes() != other[name].tobytes()] == []
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [f"{TinyEmbedder.version}.npz"]


def test_reports_one_set_of_many_languages_by_language(tmp_path: Path) -> None:
    write_set(tmp_path, "umsab", seed=3)
    file = tmp_path / "umsab" / "dev.csv.gz"
    with gzip.open(file, "rt", encoding="utf-8", newline="") as lines:
        (header, *rows) = csv.reader(lines)
    with gzip.open(file, "wt", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([[*header, "lang"], *([*row, ("en", "it", "hi")[at % 3]] for at, row in enumerate(rows))])
    groups = Counter(_sentiment_examples(load_sets(tmp_path)).sets.tolist())
    assert groups == {"umsab en": 90, "umsab de es fr it pt": 90, "umsab ar hi": 90}


def test_refuses_a_folder_without_sets(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--data"):
        train_heads(tmp_path, encoder="tiny", output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_makes_up_no_figure_for_sets_that_are_not_there(tmp_path: Path) -> None:
    write_set(tmp_path / "sets", "umsab", seed=3)
    report = train_heads(tmp_path / "sets", encoder="tiny", output=tmp_path / "out")
    assert set(report["validation"]) == {"umsab", "pooled"}
    assert load_heads(tmp_path / "out" / "heads.npz").version == report["version"]


@pytest.mark.parametrize(("name", "said"), [("strangers", "labelled neg, neu, pos in"), ("sst2", "labelled neu in")])
def test_refuses_sets_that_leave_a_sentiment_untaught(tmp_path: Path, name: str, said: str) -> None:
    if name in SENTIMENT_SETS:
        write_set(tmp_path, name, seed=3)
    else:
        (tmp_path / name).mkdir()
        with gzip.open(tmp_path / name / "dev.csv.gz", "wt", encoding="utf-8", newline="") as lines:
            csv.writer(lines).writerows([("text", "sentiment"), ("fine", "pos")])
    with pytest.raises(InputError, match=f"{said}.*--data"):
        train_heads(tmp_path, encoder="tiny", output=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_draws_a_share_of_the_rows_by_hash() -> None:
    quarter, half, all_of_them = (
        {number for number in range(2_000) if _is_drawn(f"comment {number}", share)} for share in (0.25, 0.5, 1.0)
    )
    assert 400 < len(quarter) < 600
    assert 900 < len(half) < 1_100
    assert quarter < half < all_of_them == set(range(2_000))


@pytest.mark.parametrize("share", [0.0, 1.5, -1.0])
def test_refuses_a_share_that_is_none(share: float, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"share is {share}; give a number above 0"):
        train_heads(tmp_path, output=tmp_path, share=share)
