"""The house rules that a machine can read: import directions, a light front door, modules of a size and with a purpose."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import feedback_miner

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "feedback_miner"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent.name != "versions")  # Alembic says what a migration offers
CONTRACTS = [
    contract["id"] for contract in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
]

LONGEST_MODULE = 420
LONGER_FOR_A_REASON = {
    "feedback_miner/domain.py": "one contract, kept on one page",
}
GRAB_BAGS = {"utils", "util", "helpers", "helper", "common", "misc", "tools", "base", "shared"}
HEAVY = {
    "fastapi",
    "hdbscan",
    "numba",
    "numpy",
    "onnxruntime",
    "polars",
    "pydantic",
    "scipy",
    "sklearn",
    "tokenizers",
    "torch",
    "transformers",
    "umap",
    "vl_convert",
}


def run_python(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter in the root of the project, with nothing imported before it."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV_CORE", "COVERAGE"))}
    environment |= {"PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8", check=False
    )


def module_names(paths: list[Path]) -> list[str]:
    return [path.relative_to(ROOT).as_posix() for path in paths]


@pytest.mark.parametrize("contract", CONTRACTS)
def test_keeps_the_import_contract(contract: str) -> None:
    done = run_python(
        "from importlinter.cli import lint_imports_command; lint_imports_command()",
        "--config",
        "pyproject.toml",
        "--contract",
        contract,
        "--no-cache",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 kept, 0 broken" in done.stdout


@pytest.mark.parametrize("module", ["feedback_miner", "feedback_miner.cli", "feedback_miner.errors", "feedback_miner.config"])
def test_imports_without_numerical_libraries(module: str) -> None:
    """``feedback-miner --help`` and ``import feedback_miner`` answer at once."""
    done = run_python("import importlib, sys; importlib.import_module(sys.argv[1]); print(*sys.modules, sep='\\n')", module)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.split())
    assert module in loaded
    assert loaded & HEAVY == set()


def test_loads_no_training_library_to_classify() -> None:
    """What serves must start without torch, whether it is installed or not."""
    code = "import sys, feedback_miner.classify, feedback_miner.pipeline, feedback_miner.report; print(*sys.modules, sep='\\n')"
    done = run_python(code)
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) & {"torch", "transformers", "sentence_transformers", "onnx"} == set()


def test_opens_the_documented_front_door() -> None:
    documented = ["Analysis", "Classification", "Classifier", "FeedbackMinerError", "MiningConfig", "__version__", "load", "mine"]
    assert feedback_miner.__all__ == documented


@pytest.mark.parametrize("name", feedback_miner.__all__)
def test_finds_every_name_of_the_front_door(name: str) -> None:
    assert getattr(feedback_miner, name) is not None


def test_refuses_a_name_behind_the_front_door() -> None:
    with pytest.raises(AttributeError, match="no attribute 'mine_all'"):
        feedback_miner.mine_all  # noqa: B018  # the access is what is tested


@pytest.mark.parametrize("path", MODULES, ids=module_names(MODULES))
def test_says_what_the_module_is_for(path: Path) -> None:
    assert ast.get_docstring(ast.parse(path.read_text("utf-8"))), "no module docstring"


@pytest.mark.parametrize("path", MODULES, ids=module_names(MODULES))
def test_keeps_the_module_short(path: Path) -> None:
    name = path.relative_to(ROOT).as_posix()
    lines = len(path.read_text("utf-8").splitlines())
    assert lines <= LONGEST_MODULE or name in LONGER_FOR_A_REASON, f"{lines} lines; split it by what its parts do"


@pytest.mark.parametrize("path", MODULES, ids=module_names(MODULES))
def test_names_the_module_after_what_it_holds(path: Path) -> None:
    assert GRAB_BAGS.isdisjoint({*path.relative_to(PACKAGE).with_suffix("").parts})


@pytest.mark.parametrize(
    "path", [path for path in MODULES if path.name != "__main__.py"], ids=lambda path: path.relative_to(ROOT).as_posix()
)
def test_declares_what_the_module_offers(path: Path) -> None:
    """A module with public functions or classes says which of them are its door."""
    tree = ast.parse(path.read_text("utf-8"))
    assigned = {target.id for node in tree.body if isinstance(node, ast.Assign) for target in node.targets if isinstance(target, ast.Name)}
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    public = [node.name for node in tree.body if isinstance(node, definitions) and not node.name.startswith("_")]
    assert not public or "__all__" in assigned
