"""Notebooks are documentation that runs: they hold no outputs, define nothing, and every cell still works."""

import ast
import os
from pathlib import Path
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat", reason="notebooks are run with nbmake's engine, from the [test] extra")

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
CELL_SECONDS = 600


def read_notebook(path: Path) -> Any:
    return nbformat.read(path, as_version=4)


def code_cells(path: Path) -> list[Any]:
    return [cell for cell in read_notebook(path).cells if cell.cell_type == "code"]


def test_finds_the_notebooks() -> None:
    assert [path.stem for path in NOTEBOOKS] == ["from_file_to_findings"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_holds_no_outputs(path: Path) -> None:
    """Outputs are customers' words in a diff."""
    assert [at for at, cell in enumerate(code_cells(path)) if cell.outputs or cell.execution_count is not None] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_defines_nothing(path: Path) -> None:
    """What is worth a definition is worth a place in the package, where it is tested."""
    tree = ast.parse("\n".join(cell.source for cell in code_cells(path)))
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)
    assert [node.lineno for node in ast.walk(tree) if isinstance(node, definitions)] == []


@pytest.mark.slow
@pytest.mark.notebook
@pytest.mark.enable_socket  # a kernel is another process, and talks over a local port
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_runs_from_top_to_bottom(path: Path, tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient")
    notebook = read_notebook(path)
    client = nbclient.NotebookClient(notebook, timeout=CELL_SECONDS, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}})
    client.execute(env=os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)})
    executed = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in executed] == list(range(1, len(executed) + 1))
    texts = [output.text for cell in executed for output in cell.outputs if output.output_type == "stream" and output.name == "stderr"]
    # tqdm, which comes with the language detector, misses ipywidgets and says so; everything else on stderr is ours to mend.
    assert [text for text in texts if "TqdmWarning" not in text] == []
