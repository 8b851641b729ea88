"""A folder of results, all files or none: findings in, report.html, analysis.json and three CSV tables out; and the analysis back.

Everything is written to a hidden folder inside the target first, so that a full disk or a crash leaves earlier results as they were, and
then moved file by file. The hidden folder lies inside, not beside: a mounted folder is a file system of its own, and a move must not
leave it. Never deletes a file that it did not make.
"""

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from feedback_miner.domain import Findings, Run
from feedback_miner.errors import InputError, OutputError, ThemeSetError
from feedback_miner.report.causes import Taxonomy, read_causes
from feedback_miner.report.json import findings_from_json, findings_to_json
from feedback_miner.report.tables import (
    codebook_columns,
    codebook_rows,
    comment_columns,
    comment_rows,
    encode_csv,
    opinion_columns,
    opinion_rows,
)

__all__ = ["read_findings", "write_report"]

_ANALYSIS = "analysis.json"


def write_report(
    findings: Findings,
    run: Run,
    directory: str | Path,
    *,
    taxonomy: Taxonomy | None = None,
    language: str = "en",
    more: Mapping[str, bytes] | None = None,
) -> tuple[Path, ...]:
    """Write report.html, analysis.json, comments.csv, opinions.csv, codebook.csv and the files in ``more``; return their paths.

    The folder is made where it is missing; earlier results in it are replaced, other files are left alone. ``taxonomy`` names causes,
    owners and stages; ``language`` (``zh`` or ``en``) is the one that the page opens in and that the tables use.

    Raises:
        OutputError: the files cannot be written; what was there before is untouched.
        InputError: the report has no such language.
        TaxonomyError: the taxonomy has not the shape of one.
    """
    target = Path(directory)
    contents = _contents(findings, run, taxonomy if taxonomy is not None else {}, language)
    for name, content in (more or {}).items():
        if name in {"", ".."} or Path(name).name != name or name in contents:
            raise InputError(f"'{name}' is no file name of its own; results lie directly in the folder, each under its own name")
        contents[name] = (content,)
    made = not target.exists()
    try:
        target.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".feedback-miner-", dir=target))
    except OSError as error:
        raise OutputError(f"results cannot be written to {target}: {error.strerror}; choose a folder that you may write to") from error
    try:
        for name, chunks in contents.items():
            _write_file(staging / name, chunks)
        _move_files(staging, target, list(contents))
    except OSError as error:
        raise OutputError(
            f"results cannot be written to {target}: {error.strerror}; free some space or choose another folder "
            "(earlier results are untouched)"
        ) from error
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if made:
            _remove_if_empty(target)
    return tuple(target / name for name in contents)


def read_findings(directory: str | Path) -> tuple[Findings, Run]:
    """Read the analysis that ``write_report`` left in a folder.

    Raises:
        ThemeSetError: there is none, or it cannot be read by this version.
    """
    path = Path(directory) / _ANALYSIS
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ThemeSetError(f"{path} cannot be read: {error.strerror}; give the folder that the results were written to") from error
    return findings_from_json(content)


def _contents(findings: Findings, run: Run, taxonomy: Taxonomy, language: str) -> dict[str, Iterable[bytes]]:
    # Imported here: the charts take a second to load, and reading an analysis needs none.
    from feedback_miner.report.html import render_report

    book = read_causes(taxonomy)

    def page() -> Iterator[bytes]:
        yield render_report(findings, run, language=language, taxonomy=book).encode("utf-8", errors="replace")

    def analysis() -> Iterator[bytes]:
        yield findings_to_json(findings, run)

    # Generators: one large text is in memory at a time.
    return {
        "report.html": page(),
        _ANALYSIS: analysis(),
        "comments.csv": encode_csv(comment_columns(findings), comment_rows(findings, run, book, language=language)),
        "opinions.csv": encode_csv(opinion_columns(), opinion_rows(findings, book, language=language)),
        "codebook.csv": encode_csv(codebook_columns(), codebook_rows(findings)),
    }


def _write_file(path: Path, chunks: Iterable[bytes]) -> None:
    with path.open("wb") as stream:
        for chunk in chunks:
            stream.write(chunk)
        stream.flush()
        # Without this, a full disk may only be noticed after the move.
        os.fsync(stream.fileno())


def _move_files(staging: Path, target: Path, names: list[str]) -> None:
    for name in names:
        # Found out before the first move, or half of the files would be new.
        if (target / name).is_dir():
            raise IsADirectoryError(0, f"{name} is a folder there")
    for name in names:
        (staging / name).replace(target / name)


def _remove_if_empty(target: Path) -> None:
    try:
        target.rmdir()
    except OSError:
        return  # holds the results
