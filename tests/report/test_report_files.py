"""A folder of results: all files or none."""

import os
import resource
from pathlib import Path

import pytest

from feedback_miner.errors import InputError, OutputError, TaxonomyError, ThemeSetError
from feedback_miner.report import read_findings, write_report
from feedback_miner.report.json import findings_to_json

NAMES = ["report.html", "analysis.json", "comments.csv", "opinions.csv", "codebook.csv"]


@pytest.fixture
def small_disk():
    """No file of this process may grow beyond 40 kB: what a full disk does to whoever writes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_write_report_writes_every_file_and_reads_back(world, book, tmp_path):
    target = tmp_path / "new" / "results"
    paths = write_report(*world, target, taxonomy=book, language="zh", more={"theme_set.json": b"{}"})
    assert [path.name for path in paths] == [*NAMES, "theme_set.json"]
    assert sorted(path.name for path in target.iterdir()) == sorted([*NAMES, "theme_set.json"])
    assert (target / "theme_set.json").read_bytes() == b"{}"
    assert findings_to_json(*read_findings(target)) == findings_to_json(*world)
    assert (target / "comments.csv").read_bytes().startswith(b"\xef\xbb\xbf")


def test_write_report_gives_the_same_bytes_again(world, book, tmp_path):
    for name in ("one", "two"):
        write_report(*world, tmp_path / name, taxonomy=book)
    for name in NAMES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_write_report_replaces_results_and_leaves_other_files(build, tmp_path):
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    (tmp_path / "analysis.json").write_text("old", encoding="utf-8")
    write_report(*build(people=3), tmp_path)
    assert (tmp_path / "notes.txt").read_text(encoding="utf-8") == "mine"
    assert read_findings(tmp_path)[0].counts.rows == 5
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")]


def test_write_report_leaves_earlier_results_on_a_full_disk(world, build, tmp_path, small_disk):
    write_report(*build(people=3, leaves=()), tmp_path)  # small enough
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(OutputError, match="free some space"):
        write_report(*world, tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_write_report_leaves_nothing_of_a_new_folder_on_a_full_disk(world, tmp_path, small_disk):
    with pytest.raises(OutputError):
        write_report(*world, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_write_report_moves_nothing_where_a_folder_is_in_the_way(build, tmp_path):
    (tmp_path / "codebook.csv").mkdir()
    with pytest.raises(OutputError, match=r"codebook\.csv is a folder"):
        write_report(*build(people=2), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["codebook.csv"]


def test_write_report_names_a_folder_it_cannot_make(build, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(OutputError, match="choose a folder"):
        write_report(*build(people=2), tmp_path / "file" / "results")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_write_report_names_a_folder_it_may_not_write(build, tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="Permission denied"):
        write_report(*build(people=2), tmp_path)


def test_write_report_leaves_a_folder_that_was_empty_before(world, tmp_path, small_disk):
    with pytest.raises(OutputError):
        write_report(*world, tmp_path)
    assert tmp_path.is_dir()


@pytest.mark.parametrize("name", ["../escape", "a/b", "..", "", "analysis.json"])
def test_write_report_keeps_more_files_inside(build, tmp_path, name):
    with pytest.raises(InputError, match="no file name of its own"):
        write_report(*build(people=2), tmp_path / "results", more={name: b""})
    assert not list(tmp_path.iterdir())


def test_write_report_refuses_an_unknown_language_and_writes_nothing(build, tmp_path):
    with pytest.raises(InputError, match="no language 'fr'"):
        write_report(*build(people=2), tmp_path / "results", language="fr")
    assert not (tmp_path / "results").exists()


def test_write_report_refuses_a_damaged_taxonomy(build, tmp_path):
    with pytest.raises(TaxonomyError, match="damaged"):
        write_report(*build(people=2), tmp_path, taxonomy={"causes": [{"id": "x"}]})


def test_read_findings_names_the_missing_file(tmp_path):
    with pytest.raises(ThemeSetError, match=r"analysis\.json cannot be read"):
        read_findings(Path(tmp_path))
