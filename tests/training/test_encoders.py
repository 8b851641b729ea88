"""``train encoder`` and ``train student``, whole, on a few dozen sentences of our own: not how well they learn but that every part fits."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the [train] extra is not installed")

from typer.testing import CliRunner

from feedback_miner.cli import app
from feedback_miner.embedders import load_embedder
from feedback_miner.weights import model_path

pytestmark = pytest.mark.slow

OPENINGS = ("Honestly,", "Last week", "Again", "For me", "As always", "On Monday", "Sadly", "This time", "In the end", "Once more")
SUBJECTS = {
    "delivery": ("the parcel was late", "neg"),
    "staff": ("the people at the desk were kind", "pos"),
    "price": ("it cost more than agreed", "neg"),
    "app": ("the app lost my basket", "neg"),
    "quality": ("the seams held up well", "pos"),
    "stock": ("it was sold out", "neu"),
    "returns": ("the refund never came", "neg"),
}


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("labelled") / "corrected.csv"
    with file.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.writer(lines)
        writer.writerow(["text", "themes", "sentiment", "strength", "pair_id"])
        for theme, (clause, sentiment) in SUBJECTS.items():
            for number, opening in enumerate(OPENINGS * 2):
                text = f"{opening} {clause}, number {number}."
                writer.writerow([text, theme, sentiment, {"pos": 0.6, "neg": -0.6}.get(sentiment, ""), f"{theme}{number}"])
                writer.writerow([f"第{number}次，{theme}，还是这样。", theme, sentiment, "", f"{theme}{number}"])
    return file


@pytest.fixture(scope="module")
def trained(labelled: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("trained")
    for arguments in (
        ["encoder", "--data", str(labelled), "--output", str(folder / "teacher"), "--steps", "4"],
        ["student", "--data", str(labelled), "--teacher", str(folder / "teacher"), "--output", str(folder / "own"), "--steps", "4"],
    ):
        done = CliRunner().invoke(app, ["train", *arguments, "--checkpoints", str(folder / "state"), "--quiet"])
        assert done.exit_code == 0, done.output
        assert "corrected" in json.loads(done.output)["sets"]
    return folder


def test_what_was_trained_serves(trained: Path) -> None:
    embedder = load_embedder(str(trained / "own"))
    texts = ["The parcel was late again \U0001faf8", "快递又晚了", "", "x" * 20_000]
    vectors = embedder.encode(texts)
    assert vectors.shape == (4, embedder.dimensions)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1.0] * 4, abs=1e-5)
    for row, text in enumerate(texts):
        assert np.array_equal(embedder.encode([text])[0], vectors[row])


def test_what_is_saved_says_how_it_was_made(trained: Path) -> None:
    for folder, steps in (("teacher", 4), ("own", 4)):
        report = json.loads((trained / folder / "training.json").read_text("utf-8"))
        assert report["config"]["steps"] == steps
        assert report["left_out"]
    size = sum(file.stat().st_size for file in (trained / "own").iterdir())
    assert size < 45e6


def test_a_student_goes_on_from_an_earlier_one(trained: Path, labelled: Path, tmp_path: Path) -> None:
    arguments = ["--data", str(labelled), "--teacher", str(trained / "teacher"), "--start", str(trained / "own"), "--output", str(tmp_path)]
    done = CliRunner().invoke(app, ["train", "student", *arguments, "--steps", "1", "--quiet"])
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.output)["config"]["start"]) == 12
    texts = ["The parcel was late again", "快递又晚了", "it was sold out"]
    before, after = (load_embedder(str(folder)).encode(texts) for folder in (trained / "own", tmp_path))
    assert (before * after).sum(axis=1).min() > 0.9, "one step, from where the other stopped"


def test_the_mean_of_a_student_with_itself_is_itself(trained: Path, tmp_path: Path) -> None:
    arguments = ["train", "average", str(trained / "own"), str(trained / "own"), "--output", str(tmp_path)]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    assert len(json.loads(done.output)["average_of"]) == 2
    texts = ["The parcel was late again", "快递又晚了", "it was sold out"]
    one, mean = (load_embedder(str(folder)).encode(texts) for folder in (trained / "own", tmp_path))
    assert (one[:, :384] * mean[:, :384]).sum(axis=1).min() > 0.97
    assert mean.shape == (3, 384 + 2 * 64), "what begin markers read lies side by side"
    assert np.abs(mean[:, 384:448] - mean[:, 448:]).max() < 1e-6


def test_a_student_goes_on_from_the_one_that_ships(trained: Path, labelled: Path, tmp_path: Path) -> None:
    arguments = ["--data", str(labelled), "--teacher", str(trained / "teacher"), "--start", str(model_path("feedback-small"))]
    done = CliRunner().invoke(app, ["train", "student", *arguments, "--output", str(tmp_path), "--steps", "1", "--quiet"])
    assert done.exit_code == 0, done.output
    assert load_embedder(str(tmp_path)).dimensions == load_embedder("feedback-small").dimensions


def test_students_of_other_words_have_no_mean(trained: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(trained / "own", other)
    (other / "tokenizer.json").write_text((other / "tokenizer.json").read_text("utf-8") + " ", encoding="utf-8")
    done = CliRunner().invoke(app, ["train", "average", str(trained / "own"), str(other), "--output", str(tmp_path / "mean")])
    assert done.exit_code != 0
    assert "differ in their words" in done.output


def test_the_same_again_from_the_same(trained: Path, labelled: Path, tmp_path: Path) -> None:
    arguments = ["train", "encoder", "--data", str(labelled), "--output", str(tmp_path), "--steps", "4", "--quiet"]
    assert CliRunner().invoke(app, arguments).exit_code == 0
    with np.load(tmp_path / "adapters.npz") as again, np.load(trained / "teacher" / "adapters.npz") as first:
        assert all(np.array_equal(again[name], first[name]) for name in first.files)
