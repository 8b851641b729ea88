"""Same comments, same bytes: mined again, in another process with another hash seed, and with the rows in another order."""

import csv
import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

import feedback_miner
from feedback_miner.config import DEFAULT_ENCODER
from feedback_miner.demo import demo_path, load_personal_data

ROOT = Path(feedback_miner.__file__).parent.parent
MINE = """
import sys, feedback_miner
source, folder, encoder, *more = sys.argv[1:]
config = feedback_miner.MiningConfig(encoder=encoder)
for source, folder in zip([source, *more[::2]], [folder, *more[1::2]]):
    feedback_miner.mine(source, config=config).save(folder)
"""
COMPARED = ("theme_set.json", "theme_set.npz", "opinions.csv", "codebook.csv")


def shuffle_rows(target: Path) -> Path:
    with demo_path().open(encoding="utf-8", newline="") as lines:
        header, *rows = csv.reader(lines)
    random.Random(1).shuffle(rows)
    with target.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([header, *rows])
    return target


def mine_elsewhere(encoder: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Mine the demo, and then its rows in another order, in a process of their own."""
    shuffled = shuffle_rows(folder / "shuffled.csv")
    return subprocess.run(
        [sys.executable, "-c", MINE, str(demo_path()), str(folder / "again"), encoder, str(shuffled), str(folder / "shuffled")],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )


def findings_of(folder: Path) -> bytes:
    """The analysis without its ``run``, as bytes."""
    values = json.loads((folder / "analysis.json").read_bytes())
    assert values.pop("run")
    return json.dumps(values, ensure_ascii=False).encode()


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("elsewhere")
    done = mine_elsewhere("tiny", folder)
    assert done.returncode == 0, done.stderr
    return folder, done


@pytest.mark.parametrize("run", ["again", "shuffled"])
def test_finds_the_same_bytes_in_another_process(run: str, tiny_demo_folder: Path, elsewhere: tuple[Path, object]) -> None:
    folder = elsewhere[0] / run
    assert findings_of(folder) == findings_of(tiny_demo_folder)
    assert [name for name in COMPARED if (folder / name).read_bytes() != (tiny_demo_folder / name).read_bytes()] == []


def test_keeps_what_may_differ_apart(elsewhere: tuple[Path, object]) -> None:
    again, shuffled = (json.loads((elsewhere[0] / run / "analysis.json").read_bytes()) for run in ("again", "shuffled"))
    assert again["run"]["rows"] != shuffled["run"]["rows"]
    assert again["run"]["source"] != shuffled["run"]["source"]


def test_writes_no_personal_data_to_the_terminal(elsewhere: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    shown = elsewhere[1].stdout + elsewhere[1].stderr
    assert [planted.kind for planted in load_personal_data() if planted.value in shown] == []
    assert shown == "", "a library has nothing to print"


@pytest.mark.slow
def test_finds_the_same_bytes_with_the_default_encoder(default_demo_folder: Path, tmp_path: Path) -> None:
    done = mine_elsewhere(DEFAULT_ENCODER, tmp_path)
    assert done.returncode == 0, done.stderr
    for run in ("again", "shuffled"):
        assert findings_of(tmp_path / run) == findings_of(default_demo_folder)
        assert (tmp_path / run / "theme_set.npz").read_bytes() == (default_demo_folder / "theme_set.npz").read_bytes()
