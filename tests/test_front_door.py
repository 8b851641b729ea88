"""``import feedback_miner``: light, complete, and open to whatever holds feedback."""

import csv
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas
import polars
import pytest

import feedback_miner
from feedback_miner.config import MiningConfig
from feedback_miner.domain import ScoreKind
from feedback_miner.embedders.tiny import TinyEmbedder
from feedback_miner.errors import ColumnError, InputError
from feedback_miner.report import opinion_columns

ROWS: list[dict[str, Any]] = [
    {"id": f"c{number}", "score": (number * 7) % 11, "comment": text, "when": f"2026-0{1 + number % 6}-03"}
    for number, text in enumerate(
        [f"the parcel came {days} days late, terrible" for days in range(2, 10)]
        + [f"柜台{desk}的店员很热情，服务很好" for desk in range(2, 10)]
        + ["n/a", "", "Prices went up again. The friendly cashier could not help that."]
    )
]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("rows") / "rows.csv"
    with path.open("w", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, list(ROWS[0]))
        writer.writeheader()
        writer.writerows(ROWS)
    return path


@pytest.fixture(scope="module")
def from_file(file: Path, quick_config: MiningConfig) -> feedback_miner.Analysis:
    return feedback_miner.mine(file, text="comment", score="score", score_kind="nps", date="when", customer="id", config=quick_config)


SOURCES = {
    "str": str,
    "polars": lambda path: polars.DataFrame(ROWS),
    "pandas": lambda path: pandas.DataFrame(ROWS),
    "mappings": lambda path: ROWS,
    "generator": lambda path: (dict(row) for row in ROWS),
}


@pytest.mark.parametrize("kind", SOURCES)
def test_finds_the_same_in_every_kind_of_source(
    kind: str, file: Path, from_file: feedback_miner.Analysis, quick_config: MiningConfig
) -> None:
    analysis = feedback_miner.mine(
        SOURCES[kind](file), text="comment", score="score", score_kind="nps", date="when", customer="id", config=quick_config
    )
    assert replace(analysis.findings, columns=from_file.findings.columns) == from_file.findings
    assert analysis.theme_set.version == from_file.theme_set.version


def codings_by_text(analysis: feedback_miner.Analysis) -> dict[str, Any]:
    """What was read in each text, whoever said it."""
    found = {}
    for opinion, coding in zip(analysis.opinions, analysis.codings, strict=True):
        found[opinion.text] = replace(coding, opinion="")
    return found


def test_mines_a_list_of_strings(from_file: feedback_miner.Analysis, quick_config: MiningConfig) -> None:
    analysis = feedback_miner.mine([row["comment"] for row in ROWS if row["comment"]], config=quick_config)
    assert analysis.findings.counts.rows == len(ROWS) - 1
    assert analysis.findings.score is None
    assert codings_by_text(analysis) == codings_by_text(from_file)


def test_takes_several_text_columns(quick_config: MiningConfig) -> None:
    rows = [{"good": f"friendly cashier {number}", "bad": f"late parcel {number}" if number % 2 else ""} for number in range(8)]
    analysis = feedback_miner.mine(rows, text=["good", "bad"], config=quick_config)
    assert analysis.findings.columns.texts == ("good", "bad")
    assert len(analysis.items) == 8
    assert len(analysis.documents) == 12


def test_keeps_the_attributes_it_is_asked_for(quick_config: MiningConfig) -> None:
    rows = [{"comment": f"late parcel {number}", "plan": "Gold", "city": "Lyon"} for number in range(6)]
    analysis = feedback_miner.mine(rows, text="comment", attributes=["plan"], channel="city", config=quick_config)
    assert {tuple(item.attributes.items()) for item in analysis.items} == {(("plan", "Gold"),)}
    assert {item.channel for item in analysis.items} == {"Lyon"}


@pytest.mark.parametrize("kind", list(ScoreKind))
def test_takes_every_kind_of_score(kind: ScoreKind, quick_config: MiningConfig) -> None:
    rows = [{"comment": f"late parcel {number}", "mark": 1 + number % 5} for number in range(10)]
    analysis = feedback_miner.mine(rows, text="comment", score="mark", score_kind=kind.value, config=quick_config)
    assert analysis.findings.score is not None
    assert analysis.findings.score.kind is kind


@pytest.mark.parametrize("kind", ["NPS", "stars ", "", "likert"])
def test_refuses_a_kind_of_score_it_does_not_know(kind: str) -> None:
    with pytest.raises(InputError, match="nps, csat, ces, stars"):
        feedback_miner.mine(ROWS, score_kind=kind)


def test_refuses_a_column_that_is_not_there(quick_config: MiningConfig) -> None:
    with pytest.raises(ColumnError, match="remarks"):
        feedback_miner.mine(ROWS, text="remarks", config=quick_config)


NO_FEEDBACK = {
    "empty list": [],
    "empty iterator": iter(()),
    "numbers": [1, 2, 3],
    "number": 7,
    "none": None,
    "empty frame": polars.DataFrame({"comment": []}),
}


@pytest.mark.parametrize("kind", NO_FEEDBACK)
def test_refuses_what_holds_no_feedback(kind: str, quick_config: MiningConfig) -> None:
    with pytest.raises(InputError):
        feedback_miner.mine(NO_FEEDBACK[kind], config=quick_config)


def test_takes_an_embedder_of_ones_own(quick_config: MiningConfig) -> None:
    calls = []

    class Counting(TinyEmbedder):
        def encode(self, texts, *, progress=None):
            calls.append(len(texts))
            return super().encode(texts, progress=progress)

    analysis = feedback_miner.mine(ROWS, text="comment", config=replace(quick_config, encoder="not used"), embedder=Counting())
    assert calls
    assert analysis.theme_set.encoder == "tiny"


def test_lists_every_opinion_in_a_frame(from_file: feedback_miner.Analysis) -> None:
    frame = from_file.to_frame()
    assert isinstance(frame, polars.DataFrame)
    assert frame.columns == opinion_columns()
    assert frame["opinion_id"].to_list() == [opinion.id for opinion in from_file.opinions]
    assert frame["text"].to_list() == [opinion.text for opinion in from_file.opinions]
    assert frame["sentiment_score"].to_list() == pytest.approx([coding.sentiment.score for coding in from_file.codings], abs=1e-6)


def test_lists_no_opinion_in_a_frame_of_its_columns(quick_config: MiningConfig) -> None:
    frame = feedback_miner.mine(["n/a", "none", "nothing"], config=quick_config).to_frame()
    assert (frame.height, frame.columns) == (0, opinion_columns())


def test_exports_what_it_names() -> None:
    assert set(feedback_miner.__all__) == {
        "Analysis", "Classification", "Classifier", "FeedbackMinerError", "MiningConfig", "__version__", "load", "mine",
    }  # fmt: skip
    for name in feedback_miner.__all__:
        assert getattr(feedback_miner, name) is not None
    with pytest.raises(AttributeError, match="no_such_thing"):
        feedback_miner.no_such_thing  # noqa: B018


def test_imports_nothing_heavy() -> None:
    heavy = "numpy polars sklearn scipy umap hdbscan numba onnxruntime pandas altair pydantic torch fastapi"
    check = f"import sys, feedback_miner; sys.exit(' '.join(name for name in '{heavy}'.split() if name in sys.modules) or 0)"
    found = subprocess.run(
        [sys.executable, "-c", check],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONPATH": str(Path(feedback_miner.__file__).parent.parent)},
    )
    assert (found.returncode, found.stderr) == (0, "")
