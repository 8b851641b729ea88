"""A name in ``models/manifest.toml`` in, a verified local path out. The only finder of files that ship with this package.

The manifest has one ``[[file]]`` table a file: ``path`` (relative, with ``/``), ``sha256``, ``licence``, ``description``. A checkout keeps
the folder at its root; the wheel maps it to ``feedback_miner/_models/``. Nothing is downloaded and nothing is written here.

    python -m feedback_miner.weights        compare every file with the manifest; print the hashes to paste where they differ
"""

import hashlib
import sys
import tomllib
from pathlib import Path

from feedback_miner.errors import WeightsError

__all__ = ["manifest_hashes", "model_path", "models_root", "sha256_of_file"]

MANIFEST = "manifest.toml"


def models_root() -> Path:
    """Return the folder that holds the manifest: inside an installed package, else at the root of a checkout."""
    package = Path(__file__).resolve().parent
    for root in (package / "_models", package.parent / "models"):
        if (root / MANIFEST).is_file():
            return root
    message = f"no {MANIFEST} in {package / '_models'} or {package.parent / 'models'}; reinstall feedback-miner"
    raise WeightsError(message)


def model_path(name: str, *, root: Path | None = None) -> Path:
    """Return the path of a model folder (``e5-small``) or file (``e5-small/graph.onnx``), every listed file of it verified.

    Raises WeightsError where the manifest does not know the name, or a file is missing or differs from its hash.
    """
    root = root or models_root()
    listed = manifest_hashes(root=root)
    wanted = [path for path in listed if path == name or path.startswith(f"{name}/")]
    if not wanted:
        known = ", ".join(sorted({path.split("/")[0] for path in listed})) or "none"
        message = f"no model {name!r} in {root / MANIFEST} (models: {known})"
        raise WeightsError(message)
    for path in wanted:
        file = root / path
        if not file.is_file():
            message = f"weights file {path} is missing from {root}; reinstall feedback-miner or restore the file"
            raise WeightsError(message)
        if sha256_of_file(file) != listed[path]:
            message = (
                f"weights file {file} is not the one in {MANIFEST} (sha256 differs); reinstall feedback-miner, "
                f"or after a deliberate change run `python -m feedback_miner.weights` and update the manifest"
            )
            raise WeightsError(message)
    return root / name


def manifest_hashes(*, root: Path | None = None) -> dict[str, str]:
    """Return path -> sha256 as the manifest has them, in its order."""
    manifest = (root or models_root()) / MANIFEST
    try:
        tables = tomllib.loads(manifest.read_text(encoding="utf-8")).get("file", [])
    except OSError as error:
        message = f"cannot read {manifest}: {error.strerror}; reinstall feedback-miner"
        raise WeightsError(message) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{manifest} is not valid TOML: {error}"
        raise WeightsError(message) from error
    hashes: dict[str, str] = {}
    for number, table in enumerate(tables, start=1):
        for key in ("path", "sha256", "licence", "description"):
            if not isinstance(table.get(key), str):
                message = f"{manifest}: [[file]] number {number} has no {key}"
                raise WeightsError(message)
        if Path(table["path"]).is_absolute() or ".." in Path(table["path"]).parts:
            message = f"{manifest}: path {table['path']!r} leaves the models folder"
            raise WeightsError(message)
        hashes[table["path"]] = table["sha256"].lower()
    return hashes


def sha256_of_file(path: Path) -> str:
    """Return the hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def main(*, root: Path | None = None) -> int:
    """Report each file of the models folder against the manifest; return 1 where any is missing, different or unlisted."""
    root = root or models_root()
    listed = manifest_hashes(root=root)
    present = {
        file.relative_to(root).as_posix(): sha256_of_file(file)
        for file in sorted(root.rglob("*"))
        if file.is_file() and file.name != MANIFEST and file.suffix != ".md"  # model cards are prose
    }
    wrong = 0
    for path in sorted(listed.keys() | present.keys()):
        if path not in present:
            line = "missing"
        elif path not in listed:
            line = f"not in the manifest: sha256 = {present[path]!r}"
        elif present[path] != listed[path]:
            line = f"differs: sha256 = {present[path]!r}"
        else:
            line = "ok"
        wrong += line != "ok"
        sys.stdout.write(f"{path}  {line}\n")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
