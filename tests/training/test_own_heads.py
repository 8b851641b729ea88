"""Corrections of one's own: the shipped head bends where they say so, stays where they do not, and the folder that comes out serves."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest

from feedback_miner.classify import load_heads_for
from feedback_miner.domain import Polarity
from feedback_miner.embedders import load_embedder
from feedback_miner.embedders.feedback_small import FILES
from feedback_miner.errors import InputError
from feedback_miner.training.own_heads import FEWEST_CORRECTIONS, _choose_ridge, correct_heads
from feedback_miner.weights import model_path

PLACES = (
    "the depot",
    "Leeds",
    "gate four",
    "the kiosk",
    "our street",
    "the annexe",
    "platform two",
    "the back office",
    "ward six",
    "the lobby",
)
DAYS = ("on Monday", "on Tuesday", "last night", "this morning", "again", "in May", "twice", "at noon", "today", "yesterday")


def jargon(count: int) -> list[str]:
    """A word of this company's that nobody else has a feeling about."""
    return [f"Got a code zebra at {place} {day}" for place in PLACES for day in DAYS][:count]


def written(path: Path, rows: list[tuple[str, str]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([("text", "sentiment"), *rows])
    return path


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    folder = tmp_path_factory.mktemp("corrected")
    plain = [(f"The staff at {place} were lovely {day}", "pos") for place in PLACES for day in DAYS[:3]]
    file = written(folder / "corrections.csv", [*((text, "neg") for text in jargon(90)), *plain])
    return folder / "own", correct_heads(file, encoder="feedback-small", output=folder / "own")


def test_learns_what_a_company_means_by_a_word(corrected) -> None:
    folder, report = corrected
    assert report["ridge"] is not None
    assert report["validation"]["macro_f1_after"] > report["validation"]["macro_f1_before"]
    heads, embedder = load_heads_for(load_embedder(str(folder)))
    texts = jargon(100)[90:]
    assert {read.label for read in heads.read_sentiments(embedder.encode(texts), texts)} == {Polarity.NEGATIVE}


def test_leaves_the_rest_nearly_as_it_was(corrected) -> None:
    texts = ["The room was clean and quiet.", "快递员态度很好。", "They lost my refund and nobody answers.", "What time do you open?"]
    shipped, embedder = load_heads_for(load_embedder("feedback-small"))
    own, own_embedder = load_heads_for(load_embedder(str(corrected[0])))
    assert own_embedder.version == embedder.version == own.encoder_version, "vectors are the same"
    assert own.version == corrected[1]["heads"] != shipped.version
    vectors = embedder.encode(texts)
    assert np.array_equal(vectors, own_embedder.encode(texts))
    before, after = (heads.read_sentiments(vectors, texts) for heads in (shipped, own))
    assert [read.label for read in before[:3]] == [read.label for read in after[:3]]


def test_learns_no_noise_by_heart(tmp_path: Path) -> None:
    draw = np.random.default_rng(3)
    rows = [(f"{text}.", ("neg", "neu", "pos")[int(draw.integers(3))]) for text in jargon(100)]
    shipped, embedder = load_heads_for(load_embedder("feedback-small"))
    report = correct_heads(written(tmp_path / "noise.csv", rows), encoder="feedback-small", output=tmp_path / "own")
    own, _ = load_heads_for(load_embedder(str(tmp_path / "own")))
    surprise = []
    labels = [("neg", "neu", "pos").index(label) for _, label in rows]
    texts = [text for text, _ in rows]
    for heads in (shipped, own):
        read = heads.read_sentiments(embedder.encode(texts), texts)
        likely = np.array([(one.negative, one.neutral, one.positive) for one in read])
        surprise.append(-np.log(np.maximum(likely[np.arange(len(labels)), labels], 1e-9)).mean())
    assert report["training_rows"] < len(rows)
    assert surprise[1] > 1.0, "noise was not learned by heart: chance is log 3"


def test_corrects_nothing_where_a_head_was_right_about_its_own_doubts() -> None:
    draw = np.random.default_rng(5)
    likely = draw.dirichlet((0.5, 0.5, 0.5), 300)
    labels = np.array([draw.choice(3, p=row) for row in likely])
    texts = [str(row) for row in range(300)]
    inputs = draw.normal(size=(300, 40)).astype(np.float32)
    assert _choose_ridge(inputs, np.log(likely), labels, texts) is None
    assert _choose_ridge(inputs, np.log(likely), np.where(inputs[:, 0] > 0, 0, 2), texts) is not None, "here the vector knows better"


def test_says_what_is_missing(tmp_path: Path) -> None:
    few = written(tmp_path / "few.csv", [(text, "neg") for text in jargon(20)])
    with pytest.raises(InputError, match=rf"training rows with a sentiment \(neg, neu, pos\); at least {FEWEST_CORRECTIONS}"):
        correct_heads(few, encoder="feedback-small", output=tmp_path / "own")
    bare, many = tmp_path / "bare", written(tmp_path / "many.csv", [(text, "neg") for text in jargon(100)])
    bare.mkdir()
    for name in FILES:
        shutil.copyfile(model_path("feedback-small") / name, bare / name)
    with pytest.raises(InputError, match="bare has no heads to correct"):
        correct_heads(many, encoder=str(bare), output=tmp_path / "own")
    with pytest.raises(InputError, match="not with 'tiny'"):
        correct_heads(few, encoder="tiny", output=tmp_path / "own")
    assert not (tmp_path / "own").exists()
