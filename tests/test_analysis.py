"""An analysis in its user's hands: saved, loaded, complete, and free of anything personal in every file it leaves."""

import io
import json
import zipfile
from pathlib import Path

import polars
import pytest

import feedback_miner
from feedback_miner.analysis import Analysis
from feedback_miner.config import MiningConfig
from feedback_miner.demo import load_personal_data
from feedback_miner.errors import InputError, OutputError, ThemeSetError
from feedback_miner.report import findings_to_json, opinion_columns

FILES = {"report.html", "analysis.json", "comments.csv", "opinions.csv", "codebook.csv", "theme_set.json", "theme_set.npz"}


@pytest.fixture(scope="module")
def small(quick_config: MiningConfig) -> Analysis:
    rows = [{"nps": 2, "comment": f"the parcel came {days} days late", "plan": "Gold"} for days in range(2, 12)]
    rows += [{"nps": 9, "comment": f"a friendly cashier at desk {desk} 👍", "plan": "Basic"} for desk in range(2, 12)]
    rows += [{"nps": 7, "comment": "", "plan": ""}, {"nps": "", "comment": "n/a", "plan": "Gold"}]
    return feedback_miner.mine(rows, text="comment", score="nps", attributes=["plan"], config=quick_config)


def test_writes_every_file(small: Analysis, tmp_path: Path) -> None:
    folder = small.save(tmp_path / "new" / "out")
    assert folder == tmp_path / "new" / "out"
    assert {path.name for path in folder.iterdir()} == FILES


def test_comes_back_equal(small: Analysis, tmp_path: Path) -> None:
    loaded = feedback_miner.load(small.save(tmp_path))
    assert findings_to_json(loaded.findings, loaded.run) == findings_to_json(small.findings, small.run)  # six decimals are kept
    assert loaded.run == small.run
    for name in ("themes", "items", "documents", "opinions", "codings", "counts", "columns", "versions", "config"):
        assert getattr(loaded.findings, name) == getattr(small.findings, name)
    assert loaded.theme_set.version == small.theme_set.version
    for name in ("prototypes", "thresholds", "projection", "cause_weights"):
        assert getattr(loaded.theme_set, name).tobytes() == getattr(small.theme_set, name).tobytes()


def test_writes_the_same_bytes_again_after_loading(small: Analysis, tmp_path: Path) -> None:
    first = small.save(tmp_path / "first")
    second = feedback_miner.load(first).save(tmp_path / "second")
    third = feedback_miner.load(second).save(tmp_path / "third")
    # The report draws its charts with all decimals there are, and a saved analysis keeps six of them.
    assert {name for name in FILES - {"report.html"} if (first / name).read_bytes() != (second / name).read_bytes()} == set()
    assert {name for name in FILES if (second / name).read_bytes() != (third / name).read_bytes()} == set()
    assert feedback_miner.load(third).findings == feedback_miner.load(second).findings


def test_brings_the_demo_back_equal(tiny_demo_folder: Path, tiny_demo: Analysis, tmp_path: Path) -> None:
    again = tiny_demo.save(tmp_path)
    assert (again / "analysis.json").read_bytes() == (tiny_demo_folder / "analysis.json").read_bytes()
    assert (again / "theme_set.npz").read_bytes() == (tiny_demo_folder / "theme_set.npz").read_bytes()


def test_opens_its_parts(small: Analysis) -> None:
    assert small.themes == small.findings.themes
    assert small.items == small.findings.items
    assert small.documents == small.findings.documents
    assert small.opinions == small.findings.opinions
    assert small.codings == small.findings.codings
    assert set(small.measures) == {theme.id for theme in small.themes}
    assert all(measure.subject == theme for theme, measure in small.measures.items())


def test_writes_the_frame_that_opinions_csv_holds(small: Analysis, tmp_path: Path) -> None:
    written = polars.read_csv(small.save(tmp_path) / "opinions.csv", infer_schema=False)
    frame = small.to_frame()
    assert frame.columns == written.columns == opinion_columns()
    assert frame.shape == written.shape == (len(small.opinions), len(opinion_columns()))
    assert frame["text"].to_list() == written["text"].to_list()
    assert frame["start"].dtype.is_integer()


def test_opens_the_report_in_the_language_asked_for(small: Analysis, tmp_path: Path) -> None:
    page = (small.save(tmp_path / "zh", language="zh") / "report.html").read_text(encoding="utf-8")
    assert '<html lang="zh' in page
    with pytest.raises(InputError):
        small.save(tmp_path / "xx", language="xx")


def test_leaves_nothing_half_written(small: Analysis, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(OutputError, match="file"):
        small.save(tmp_path / "file" / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("name", ["analysis.json", "theme_set.json", "theme_set.npz"])
def test_refuses_a_folder_without_one_of_its_files(small: Analysis, tmp_path: Path, name: str) -> None:
    (small.save(tmp_path) / name).unlink()
    with pytest.raises(ThemeSetError, match=name.replace(".", r"\.")):
        feedback_miner.load(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff\xfe", b'{"findings": '])
def test_refuses_a_damaged_analysis(small: Analysis, tmp_path: Path, content: bytes) -> None:
    (small.save(tmp_path) / "analysis.json").write_bytes(content)
    with pytest.raises(ThemeSetError):
        feedback_miner.load(tmp_path)


def test_refuses_an_analysis_of_another_schema(small: Analysis, tmp_path: Path) -> None:
    path = small.save(tmp_path) / "analysis.json"
    values = json.loads(path.read_bytes())
    path.write_text(json.dumps(values | {"schema": "feedback-miner/analysis/99"}), encoding="utf-8")
    with pytest.raises(ThemeSetError, match="schema is not 'feedback-miner/analysis/1'; mine the source again"):
        feedback_miner.load(tmp_path)


def test_saves_half_a_surrogate_pair_and_control_characters(quick_config: MiningConfig, tmp_path: Path) -> None:
    rows = [{"comment": f"late \ud83d parcel \x00 number {number}", "pl\ud83dan": "go\ud83dld\x07"} for number in range(8)]
    analysis = feedback_miner.mine(rows, text="comment", config=quick_config)
    loaded = feedback_miner.load(analysis.save(tmp_path))
    assert loaded.items == analysis.items
    assert loaded.documents == analysis.documents


# Personal data


def contents(folder: Path) -> dict[str, bytes]:
    """Every file of a folder, archives opened up."""
    found = {}
    for path in sorted(folder.rglob("*")):
        content = path.read_bytes()
        found[path.name] = content
        if zipfile.is_zipfile(io.BytesIO(content)):
            with zipfile.ZipFile(path) as archive:
                found |= {f"{path.name}/{name}": archive.read(name) for name in archive.namelist()}
    return found


@pytest.mark.parametrize("planted", load_personal_data(), ids=lambda planted: f"{planted.kind}-{planted.response_id}")
def test_writes_no_personal_data_into_any_file(planted, tiny_demo_files: dict[str, bytes]) -> None:
    spellings = {planted.value, json.dumps(planted.value)[1:-1], planted.value.replace("&", "&amp;").replace("'", "&#39;")}
    leaks = [name for name, content in tiny_demo_files.items() if any(spelling.encode() in content for spelling in spellings)]
    assert leaks == []


@pytest.fixture(scope="module")
def tiny_demo_files(tiny_demo_folder: Path) -> dict[str, bytes]:
    files = contents(tiny_demo_folder)
    assert set(files) > FILES
    assert "theme_set.npz/prototypes.npy" in files
    return files


def test_would_find_personal_data_in_an_archive(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("masks.npy", "415-555-0182" * 9)
    assert b"415-555-0182" not in (tmp_path / "a.npz").read_bytes()
    assert any(b"415-555-0182" in content for content in contents(tmp_path).values())


def test_redacts_what_stands_beside_the_text(quick_config: MiningConfig, tmp_path: Path) -> None:
    rows = [
        {"comment": f"late parcel {number}", "who": "jane.roe@example.com", "where": "via 415-555-0182", "plan": "bob@example.org"}
        for number in range(6)
    ]
    analysis = feedback_miner.mine(rows, text="comment", customer="who", channel="where", attributes=["plan"], config=quick_config)
    analysis.save(tmp_path)
    for name, content in contents(tmp_path).items():
        for secret in (b"jane.roe", b"555-0182", b"bob@example"):
            assert secret not in content, name
    assert len({item.customer for item in analysis.items}) == 1, "one customer is still one customer"
