"""Files that ship with the package are found, and believed only when their hash is the manifest's."""

import hashlib
from pathlib import Path

import pytest

from feedback_miner import weights
from feedback_miner.errors import WeightsError
from feedback_miner.weights import manifest_hashes, model_path, models_root, sha256_of_file


def write_models(root: Path, files: dict[str, bytes], *, listed: dict[str, bytes] | None = None) -> Path:
    for path, content in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)
    tables = [
        f'[[file]]\npath = "{path}"\nsha256 = "{hashlib.sha256(content).hexdigest()}"\nlicence = "MIT"\ndescription = "a test"\n'
        for path, content in (files if listed is None else listed).items()
    ]
    (root / "manifest.toml").write_text("\n".join(tables), encoding="utf-8")
    return root


def test_models_root_holds_the_manifest():
    assert (models_root() / "manifest.toml").is_file()


def test_models_root_names_both_places_it_looked(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "__file__", str(tmp_path / "site" / "feedback_miner" / "weights.py"))
    with pytest.raises(WeightsError, match=r"_models.*or .*models; reinstall"):
        models_root()


def test_models_root_prefers_the_installed_place(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "__file__", str(tmp_path / "feedback_miner" / "weights.py"))
    for folder in ("models", "feedback_miner/_models"):
        (tmp_path / folder).mkdir(parents=True)
        write_models(tmp_path / folder, {})
    assert models_root() == tmp_path / "feedback_miner" / "_models"


def test_manifest_of_this_checkout_lists_every_file_correctly(capsys):
    assert weights.main() == 0, capsys.readouterr().out


@pytest.mark.parametrize("name", ["head", "head/weights.bin"])
def test_model_path_returns_what_is_intact(tmp_path, name):
    root = write_models(tmp_path, {"head/weights.bin": b"w", "head/labels.json": b"{}", "header/x": b"x"})
    assert model_path(name, root=root) == root / name


def test_model_path_finds_the_shipped_graph():
    assert (model_path("e5-small") / "graph.onnx").is_file()


def test_model_path_names_the_models_there_are(tmp_path):
    root = write_models(tmp_path, {"head/weights.bin": b"w", "student/graph.onnx": b"g"})
    with pytest.raises(WeightsError, match=r"no model 'hea' .*\(models: head, student\)"):
        model_path("hea", root=root)


def test_model_path_names_the_corrupt_file(tmp_path):
    root = write_models(tmp_path, {"head/weights.bin": b"w", "head/ok": b"ok"})
    (root / "head" / "weights.bin").write_bytes(b"v")
    with pytest.raises(WeightsError, match=r"weights\.bin is not the one in manifest\.toml.*reinstall"):
        model_path("head", root=root)
    assert model_path("head/ok", root=root).is_file()  # one file's trouble is its own


def test_model_path_names_the_missing_file(tmp_path):
    root = write_models(tmp_path, {}, listed={"head/weights.bin": b"w"})
    with pytest.raises(WeightsError, match=r"head/weights\.bin is missing"):
        model_path("head", root=root)


@pytest.mark.parametrize(
    ("manifest", "complaint"),
    [
        ("[[file]\n", "not valid TOML"),
        ('[[file]]\nsha256 = "0"\nlicence = "MIT"\ndescription = "d"\n', r"\[\[file\]\] number 1 has no path"),
        ('[[file]]\npath = "a"\nsha256 = 3\nlicence = "MIT"\ndescription = "d"\n', "has no sha256"),
        ('[[file]]\npath = "a"\nsha256 = "0"\ndescription = "d"\n', "has no licence"),
        ('[[file]]\npath = "../a"\nsha256 = "0"\nlicence = "MIT"\ndescription = "d"\n', "leaves the models folder"),
        ('[[file]]\npath = "/a"\nsha256 = "0"\nlicence = "MIT"\ndescription = "d"\n', "leaves the models folder"),
    ],
)
def test_manifest_hashes_refuses_a_broken_manifest(tmp_path, manifest, complaint):
    (tmp_path / "manifest.toml").write_text(manifest, encoding="utf-8")
    with pytest.raises(WeightsError, match=complaint):
        manifest_hashes(root=tmp_path)


def test_manifest_hashes_refuses_bytes_that_are_no_text(tmp_path):
    (tmp_path / "manifest.toml").write_bytes(b"\xff\xfe[[file]]")
    with pytest.raises(WeightsError, match="not valid TOML"):
        manifest_hashes(root=tmp_path)


def test_manifest_hashes_says_where_no_manifest_is(tmp_path):
    with pytest.raises(WeightsError, match="cannot read"):
        manifest_hashes(root=tmp_path)


def test_main_prints_the_hash_to_paste(tmp_path, capsys):
    root = write_models(tmp_path, {"a/ok": b"1", "a/changed": b"2"}, listed={"a/ok": b"1", "a/changed": b"0", "a/gone": b"3"})
    (root / "a" / "new").write_bytes(b"4")
    (root / "a" / "card.md").write_text("prose", encoding="utf-8")
    assert weights.main(root=root) == 1
    lines = dict(line.split("  ", 1) for line in capsys.readouterr().out.splitlines())
    assert lines == {
        "a/ok": "ok",
        "a/changed": f"differs: sha256 = {hashlib.sha256(b'2').hexdigest()!r}",
        "a/gone": "missing",
        "a/new": f"not in the manifest: sha256 = {hashlib.sha256(b'4').hexdigest()!r}",
    }


def test_sha256_of_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256_of_file(tmp_path / "x") == hashlib.sha256(b"abc").hexdigest()
