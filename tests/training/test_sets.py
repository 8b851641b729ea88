"""Labelled sets: a folder of gzipped CSV files in, rows and their side of the split out."""

import csv
import gzip
from pathlib import Path

import pytest

from feedback_miner.errors import InputError
from feedback_miner.training.sets import load_sets
from feedback_miner.training.split import validation_mask


def write_set(folder: Path, name: str, rows: list[dict[str, str]]) -> None:
    (folder / name).mkdir()
    with gzip.open(folder / name / "dev.csv.gz", "wt", encoding="utf-8", newline="") as lines:
        writer = csv.DictWriter(lines, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def test_loads_every_set_and_divides_all_at_once(tmp_path: Path) -> None:
    rows = {
        "one": [{"text": f"comment {number}", "sentiment": "neg"} for number in range(40)],
        "two": [{"text": f"评论 {number}，\n第二行", "sentiment": "pos", "user_id": str(number // 4)} for number in range(40)],
    }
    for name, table in rows.items():
        write_set(tmp_path, name, table)
    (tmp_path / "README.md").write_text("not a set", encoding="utf-8")
    (tmp_path / "empty").mkdir()
    sets = load_sets(tmp_path)
    assert list(sets) == ["one", "two"]
    expected = validation_mask(rows)
    for name, labelled in sets.items():
        assert list(labelled.rows) == rows[name]
        assert list(labelled.validation) == expected[name]
        assert labelled.part(validation=True) == [row for row, held_back in zip(rows[name], expected[name], strict=True) if held_back]
        assert len(labelled.part(validation=True)) + len(labelled.part(validation=False)) == 40


def test_reads_a_cell_longer_than_the_csv_module_likes(tmp_path: Path) -> None:
    write_set(tmp_path, "long", [{"text": "a" * 200_000}])
    assert len(load_sets(tmp_path)["long"].rows[0]["text"]) == 200_000


def test_refuses_a_folder_without_sets(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--data"):
        load_sets(tmp_path)


def test_a_left_out_set_still_decides_the_split(tmp_path: Path) -> None:
    """A copy of a validation row in another set is validation there too, whether or not the first set is trained on."""
    rows = [{"text": f"comment {number}", "sentiment": "neg"} for number in range(40)]
    write_set(tmp_path, "one", rows)
    write_set(tmp_path, "two", rows)
    both = load_sets(tmp_path)
    assert load_sets(tmp_path, without={"one"}) == {"two": both["two"]}
