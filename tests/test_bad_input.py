"""Whatever people bring, end to end: an error that names the way out, or an analysis in which every row is accounted for."""

import gzip
import hashlib
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
import xlsxwriter

import feedback_miner
from feedback_miner import MiningConfig, mine
from feedback_miner.analysis import Analysis
from feedback_miner.errors import ColumnError, FeedbackMinerError, FileFormatError, InputError

PACKAGE = Path(feedback_miner.__file__).parent
MODELS = PACKAGE.parent / "models"

SENTENCES = (
    "the parcel came two weeks late",
    "my parcel was late again and nobody told me",
    "friendly people on the phone, thank you",
    "the staff were friendly and quick",
    "far too expensive for what it is",
    "the app crashes whenever I log in",
)


Mine = Callable[..., Analysis]


@pytest.fixture(scope="session")
def mine_tiny(quick_config: MiningConfig) -> Mine:
    def run(source: object, **options: object) -> Analysis:
        analysis = mine(source, config=quick_config, **options)
        check_accounts(analysis)
        return analysis

    return run


def check_accounts(analysis: Analysis) -> None:
    """Every row is somewhere, once, and each count agrees with what it counts."""
    findings, counts = analysis.findings, analysis.findings.counts
    assert counts.rows == counts.rejected + counts.without_text + counts.no_content + counts.themed + counts.residual
    statuses = Counter(item.status for item in findings.items)
    assert {name: getattr(counts, name) for name in ("without_text", "no_content", "themed", "residual")} == {
        name: statuses[name] for name in ("without_text", "no_content", "themed", "residual")
    }
    assert len(findings.items) == counts.rows - counts.rejected == len(analysis.run.rows)
    assert len({item.id for item in findings.items}) == len(findings.items)
    assert sum(not issue.kept for issue in analysis.run.issues) == counts.rejected
    assert sum(counts.languages.values()) == counts.documents == len(findings.documents)
    assert sum(counts.residual_opinions.values()) == sum(not coding.themes for coding in findings.codings)
    assert [coding.opinion for coding in findings.codings] == [opinion.id for opinion in findings.opinions]


def write(folder: Path, name: str, content: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return file


def table(header: str, *rows: str) -> str:
    return "\n".join((header, *rows)) + "\n"


def workbook() -> bytes:
    content = io.BytesIO()
    with xlsxwriter.Workbook(content, {"in_memory": True}) as book:
        sheet = book.add_worksheet()
        for row, text in enumerate(("comment", *SENTENCES)):
            sheet.write(row, 0, text)
    return content.getvalue()


def locked_workbook() -> bytes:
    """What Excel writes for a password: an OLE container with a stream of this name."""
    return b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504) + "EncryptedPackage".encode("utf-16-le") + bytes(1024)


def archive() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as packed:
        packed.writestr("comments.csv", "comment\nlate\n")
    return content.getvalue()


# Refused, with the way out

REFUSED = {
    "empty file": ("a.csv", b"", {}, FileFormatError, ["a.csv", "empty"]),
    "blank lines only": ("a.csv", b"\n\n \n", {}, FileFormatError, ["a.csv", "empty"]),
    "header only": ("a.csv", b"nps,comment\n", {}, FileFormatError, ["header", "no rows"]),
    "no text column": ("a.csv", b"id,nps\n1,9\n2,8\n3,4\n", {}, ColumnError, ["id, nps", "--text"]),
    "a text column of numbers": ("a.csv", b"id,nps\n1,9\n2,8\n3,4\n", {"text": "nps"}, ColumnError, ["'nps'", "numbers", "--text"]),
    "a text column that is not there": (
        "a.csv",
        b"comment\nall good here\n",
        {"text": "remark"},
        ColumnError,
        ["remark", "comment", "--text"],
    ),
    "a score kind that is none": ("a.csv", b"comment\nall good here\n", {"score_kind": "smiles"}, InputError, ["smiles", "nps"]),
    "a score column of words": ("a.csv", b"s,comment\nx,all good here\ny,late\n", {"score": "s"}, ColumnError, ["'s'", "--score"]),
    "an encoding that is none": ("a.csv", b"comment\nall good here\n", {"encoding": "klingon"}, InputError, ["klingon", "gb18030"]),
    "binary named csv": ("a.csv", bytes(range(256)) * 40, {}, FileFormatError, ["binary", "CSV"]),
    "a picture named csv": ("a.csv", b"\x89PNG\r\n\x1a\n" + bytes(2_000), {}, FileFormatError, ["picture", "CSV"]),
    "a web page named xls": ("a.xls", b"<html><body><table></table></body></html>", {}, FileFormatError, ["web page"]),
    "a zip archive": ("a.zip", archive(), {}, FileFormatError, ["zip", "unpack"]),
    "a torn workbook": ("a.xlsx", workbook()[:3_000], {}, FileFormatError, ["torn"]),
    "a locked workbook": ("a.xlsx", locked_workbook(), {}, FileFormatError, ["password"]),
    "a torn gzip": ("a.csv.gz", gzip.compress(table("comment", *SENTENCES * 50).encode())[:-12], {}, FileFormatError, ["torn"]),
    "a sheet that is not there": ("a.xlsx", workbook(), {"sheet": "May"}, ColumnError, ["May", "Sheet1"]),
    "torn json": ("a.json", b'[{"comment": "all good here"}, {"comm', {}, FileFormatError, ["JSON", "again"]),
}


@pytest.mark.parametrize(("name", "content", "options", "kind", "words"), REFUSED.values(), ids=REFUSED)
def test_mine_refuses_with_the_way_out(
    quick_config: MiningConfig, name: str, content: bytes, options: dict[str, str], kind: type[InputError], words: list[str], tmp_path: Path
) -> None:
    with pytest.raises(kind) as refused:
        mine(write(tmp_path, name, content), config=quick_config, **options)
    for word in words:
        assert word in str(refused.value)
    assert "all good here" not in str(refused.value)


@pytest.mark.parametrize("source", [[], {}, 7, b"comment", "no such file.csv", [1, 2]], ids=repr)
def test_mine_refuses_sources_that_hold_no_feedback(quick_config: MiningConfig, source: object) -> None:
    with pytest.raises(InputError):
        mine(source, config=quick_config)


def test_mine_refuses_a_folder(quick_config: MiningConfig, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="folder"):
        mine(tmp_path, config=quick_config)


# Mended, counted and reported


def test_mine_takes_two_candidates_side_by_side_and_says_so(mine_tiny: Mine, tmp_path: Path) -> None:
    rows = [f"{SENTENCES[at % 6]} {at},{SENTENCES[(at + 3) % 6]} indeed {at}" for at in range(12)]
    analysis = mine_tiny(write(tmp_path, "a.csv", table("what was bad,what was good", *rows)))
    columns = analysis.findings.columns
    assert columns.texts == ("what was bad", "what was good")
    assert (analysis.findings.counts.rows, analysis.findings.counts.documents) == (12, 24)
    assert all("--text" in dict(columns.reasons)[name] for name in columns.texts)


def test_mine_reports_the_rows_that_a_wrong_encoding_spoils(mine_tiny: Mine, tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", table("nps,comment", "9,快递很快很满意", "2,客服态度太差了", "8,good value").encode("gb18030"))
    spoiled = mine_tiny(file, encoding="utf-8", text="comment")
    assert spoiled.findings.counts.rows == 3
    assert {issue.row for issue in spoiled.run.issues} == {2, 3}
    right = mine_tiny(file)
    assert right.findings.columns.texts == ("comment",)
    assert not right.run.issues
    assert right.findings.counts.languages["zh"] == 2


def test_mine_reads_latin_1_and_says_that_it_guessed(mine_tiny: Mine, tmp_path: Path) -> None:
    rows = ["Très déçu de la qualité", "Livraison rapide, bon café", "Le colis est arrivé cassé", "Réponse après un délai énorme"]
    analysis = mine_tiny(write(tmp_path, "a.csv", table("commentaire", *rows).encode("latin-1")), text="commentaire")
    assert {document.text for document in analysis.documents} == set(rows)
    assert any("windows-1252" in reason for _, reason in analysis.findings.columns.reasons)


MENDED = {
    # name: (content, rows, issues by row)
    "NUL bytes": (b"comment\nthe parcel\x00 came late\nfriendly staff\n", 2, {2}),
    "an unclosed quote": (table("nps,comment", '9,"never closed', "3,the parcel came late", "8,friendly staff"), 3, {2}),
    "ragged rows": (table("nps,comment,region", "9,friendly staff,north,more,cells", "3", "8,late again,south"), 3, {2, 3}),
    "stray bytes": ("comment\ncafé très bien, déjà vu\nfriendly ".encode() + b"\xff\xfe staff\n", 2, {3}),
    "blank lines": ("comment\n\nthe parcel came late\n\n\nfriendly staff\n\n", 2, set()),
}


@pytest.mark.parametrize(("content", "rows", "issues"), MENDED.values(), ids=MENDED)
def test_mine_mends_rows_where_they_stand(mine_tiny: Mine, content: str | bytes, rows: int, issues: set[int], tmp_path: Path) -> None:
    analysis = mine_tiny(write(tmp_path, "a.csv", content), text="comment")
    assert analysis.findings.counts.rows == rows
    assert {issue.row for issue in analysis.run.issues} == issues
    assert all(issue.kept for issue in analysis.run.issues)


def test_mine_rejects_single_broken_records_and_counts_them(mine_tiny: Mine, tmp_path: Path) -> None:
    lines = ['{"comment": "the parcel came late"}', '{"comment": "torn', "[1, 2]", '{"comment": "friendly staff"}']
    analysis = mine_tiny(write(tmp_path, "a.jsonl", table(*lines)))
    assert (analysis.findings.counts.rows, analysis.findings.counts.rejected) == (4, 2)
    assert [(issue.row, issue.kept) for issue in analysis.run.issues] == [(2, False), (3, False)]


def test_mine_survives_a_cell_of_two_megabytes(mine_tiny: Mine, tmp_path: Path) -> None:
    long = "the parcel came late and nobody answered. " * 50_000
    analysis = mine_tiny(write(tmp_path, "a.csv", table("comment", f'"{long}"', *SENTENCES)), text="comment")
    assert analysis.findings.counts.rows == 7
    assert max(len(document.text) for document in analysis.documents) > 2_000_000


def test_mine_keeps_duplicate_column_names_apart(mine_tiny: Mine, tmp_path: Path) -> None:
    rows = [f"{10 - at},{text},{SENTENCES[at - 2]} as well" for at, text in enumerate(SENTENCES)]
    analysis = mine_tiny(write(tmp_path, "a.csv", table("nps,comment,comment", *rows)))
    names = analysis.findings.columns.texts
    assert len(names) == len(set(names)) == 2
    assert analysis.findings.counts.documents == 12


# Scores and dates


def test_mine_reads_odd_scores_and_reports_the_impossible(mine_tiny: Mine, tmp_path: Path) -> None:
    scores = {
        "9 - Very likely": 9.0,
        '"9,5"': 9.5,
        "10/10": 10.0,
        "0": 0.0,
        "": None,
        "n/a": None,
        "77": None,
        "-1": None,
        "lots": None,
        "5/7": None,
    }
    rows = [f"{score},comment number {at} says that it was fine" for at, score in enumerate(scores)]
    analysis = mine_tiny(write(tmp_path, "a.csv", table("nps,comment", *rows)), score="nps", score_kind="nps")
    rows_of = {row: item for item, row in analysis.run.rows.items()}
    found = {item.id: item.score for item in analysis.items}
    assert [found[rows_of[row]] for row in range(2, 12)] == list(scores.values())
    assert {issue.row for issue in analysis.run.issues if issue.column == "nps"} == {8, 9, 10, 11}
    assert analysis.findings.score is not None
    assert (analysis.findings.score.people, analysis.findings.score.few) == (4, True)


def test_mine_reads_mixed_dates_and_reports_impossible_ones(mine_tiny: Mine, tmp_path: Path) -> None:
    dates = ["2026-03-01", "2026/03/02", "3 March 2026", "2026年3月4日", "2026-02-30", "someday", "0001-01-01", ""]
    rows = [f"{date},comment number {at} says that it was fine" for at, date in enumerate(dates)]
    analysis = mine_tiny(write(tmp_path, "a.csv", table("date,comment", *rows)), date="date")
    rows_of = {row: item for item, row in analysis.run.rows.items()}
    found = {item.id: item.created_at for item in analysis.items}
    days = [found[rows_of[row]] for row in range(2, 10)]
    assert [day and day.day for day in days] == [1, 2, 3, 4, None, None, None, None]
    assert {issue.row for issue in analysis.run.issues if issue.column == "date"} == {6, 7, 8}


# Texts of every kind


@pytest.mark.parametrize("number", [1, 3])
def test_mine_takes_a_handful_of_comments(mine_tiny: Mine, number: int) -> None:
    analysis = mine_tiny(SENTENCES[:number])
    assert (analysis.findings.counts.rows, analysis.findings.counts.residual) == (number, number)
    assert analysis.themes == ()


EMPTY = {
    "nothing to say": (["n/a", "无", "none", "...", "-", "没有"], 6),
    "only links": (["https://example.com/a", "http://example.com/b?c=d", "www.example.com"], 3),
    "only blanks": ([" ", "   ", "\u200b", "\ufeff"], 4),
    "only emoji": (["😀😀😀", "👍", "😡😡", "❤️", "🤷🏽‍♀️"], 0),
}


@pytest.mark.parametrize(("texts", "without"), EMPTY.values(), ids=EMPTY)
def test_mine_accounts_for_texts_without_words(mine_tiny: Mine, texts: list[str], without: int, tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", table("nps,comment", *(f"{at},{text}" for at, text in enumerate(texts))))
    counts = mine_tiny(file, text="comment").findings.counts
    assert counts.rows == len(texts)
    assert counts.no_content + counts.without_text >= without
    if without:
        assert counts.opinions == 0


@pytest.mark.parametrize("texts", [texts for texts, _ in EMPTY.values()], ids=EMPTY)
def test_mine_takes_every_string_for_a_comment_whatever_is_in_it(mine_tiny: Mine, texts: list[str]) -> None:
    assert mine_tiny(texts).findings.counts.rows == len(texts)


LETTERS = str.maketrans("0123456789", "ghijk mnop")
"""Turns hexadecimal digits into what might be words."""


def test_mine_puts_distinct_nonsense_outside_every_theme(mine_tiny: Mine) -> None:
    texts = [hashlib.sha256(str(number).encode()).hexdigest().translate(LETTERS)[:30] for number in range(36)]
    counts = mine_tiny(texts).findings.counts
    assert counts.rows == counts.distinct_texts == 36
    assert counts.residual >= counts.themed


LANGUAGES = {
    "en": "The delivery was far too late and nobody answered the phone",
    "zh": "快递送得太晚了，打电话也没有人接",
    "de": "Die Lieferung kam viel zu spät und niemand ging ans Telefon",
    "fr": "La livraison est arrivée beaucoup trop tard et personne ne répond",
    "es": "El paquete llegó demasiado tarde y nadie contesta al teléfono",
    "ja": "配達がとても遅く、電話にも誰も出ませんでした",
    "ru": "Доставка пришла слишком поздно, и никто не отвечает на звонки",
    "ko": "배송이 너무 늦었고 전화도 아무도 받지 않았습니다",
    "ar": "وصل الطرد متأخرا جدا ولم يرد أحد على الهاتف",
    "he": "המשלוח הגיע מאוחר מדי ואף אחד לא ענה לטלפון",
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_mine_takes_a_file_in_one_language(mine_tiny: Mine, language: str) -> None:
    analysis = mine_tiny([f"{LANGUAGES[language]} {number}" for number in range(3)])
    assert analysis.findings.counts.languages == {language: 3}


def test_mine_takes_ten_languages_at_once(mine_tiny: Mine, tmp_path: Path) -> None:
    analysis = mine_tiny([f"{text} {number}" for text in LANGUAGES.values() for number in range(2)])
    assert analysis.findings.counts.languages == dict.fromkeys(sorted(LANGUAGES), 2)
    analysis.save(tmp_path / "out")
    for text in LANGUAGES.values():
        assert text in (tmp_path / "out" / "comments.csv").read_text("utf-8-sig")


def test_mine_keeps_text_from_right_to_left_as_it_is(mine_tiny: Mine) -> None:
    texts = [LANGUAGES["ar"], LANGUAGES["he"], f"The note said: {LANGUAGES['ar']} (in Arabic)"]
    analysis = mine_tiny(texts)
    documents = {document.id: document.text for document in analysis.documents}
    assert set(documents.values()) == set(texts)
    assert all(documents[opinion.document][opinion.start : opinion.end] == opinion.text for opinion in analysis.opinions)


@pytest.mark.parametrize("copies", [200, pytest.param(100_000, marks=pytest.mark.slow)])
def test_mine_counts_identical_comments_together(mine_tiny: Mine, copies: int, tmp_path: Path) -> None:
    analysis = mine_tiny(write(tmp_path, "a.csv", "comment\n" + "the parcel came two weeks late\n" * copies), text="comment")
    counts = analysis.findings.counts
    assert (counts.rows, counts.distinct_texts) == (copies, 1)
    assert {counts.themed, counts.residual} == {copies, 0}  # all of them in one place
    assert {document.copies for document in analysis.documents} == {copies}


# The machine underneath


def start(folder: Path, *arguments: str | Path, root: Path = PACKAGE.parent, limit_bytes: int | None = None) -> subprocess.Popen:
    def prepare() -> None:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # a parent in the background would hand down that it is ignored
        if limit_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))

    return subprocess.Popen(
        [sys.executable, "-B", "-m", "feedback_miner", *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=prepare,
    )


def options_of(config: MiningConfig) -> list[str]:
    return ["--encoder", config.encoder, "--taxonomy", config.taxonomy, "--quiet"]


def copy_installation(folder: Path) -> Path:
    """A whole installation of its own, to be broken."""
    shutil.copytree(PACKAGE, folder / "feedback_miner", ignore=shutil.ignore_patterns("__pycache__", ".mypy_cache"))
    shutil.copytree(MODELS, folder / "models")
    return folder


def break_nothing(models: Path) -> None:
    """Leave the weights as they are."""


def flip_a_bit(models: Path) -> None:
    content = bytearray((models / "tiny" / "heads.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (models / "tiny" / "heads.npz").write_bytes(content)


def remove_the_heads(models: Path) -> None:
    (models / "tiny" / "heads.npz").unlink()


def remove_the_manifest(models: Path) -> None:
    (models / "manifest.toml").unlink()


def cut_the_manifest(models: Path) -> None:
    manifest = models / "manifest.toml"
    manifest.write_text(manifest.read_text()[:-20])


@pytest.mark.parametrize(
    ("damage", "code", "said"),
    [
        (break_nothing, 0, ""),
        (flip_a_bit, 1, "heads.npz is not the one in manifest.toml"),
        (remove_the_heads, 1, "heads.npz is missing"),
        (remove_the_manifest, 1, "no manifest.toml"),
        (cut_the_manifest, 1, "not valid TOML"),
    ],
)
def test_analyze_never_falls_back_where_weights_are_broken(
    damage, code: int, said: str, quick_config: MiningConfig, tmp_path: Path
) -> None:
    root = copy_installation(tmp_path / "installed")
    damage(root / "models")
    file = write(tmp_path, "a.csv", table("comment", *SENTENCES))
    process = start(root, "analyze", file, "-o", tmp_path / "out", *options_of(quick_config), root=root)
    _, err = process.communicate(timeout=120)
    assert process.returncode == code
    assert said in err
    assert len(err.splitlines()) == (1 if code else 0)
    assert (tmp_path / "out").exists() == (code == 0)


@pytest.mark.parametrize("limit_bytes", [1_000, 10_000])
def test_analyze_leaves_nothing_half_written_on_a_full_disk(limit_bytes: int, quick_config: MiningConfig, tmp_path: Path) -> None:
    file = write(tmp_path, "a.csv", table("comment", *SENTENCES))
    process = start(tmp_path, "analyze", file, "-o", "out", *options_of(quick_config), limit_bytes=limit_bytes)
    out, err = process.communicate(timeout=180)
    assert process.returncode == 1
    assert out == ""
    assert err.startswith("error: ")
    assert len(err.splitlines()) == 1
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == [file]


def test_analyze_keeps_the_last_report_on_a_full_disk(quick_config: MiningConfig, tmp_path: Path) -> None:
    arguments = ("-o", "out", *options_of(quick_config))
    first = start(tmp_path, "analyze", write(tmp_path, "a.csv", table("comment", *SENTENCES)), *arguments)
    first.communicate(timeout=120)
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    second = start(tmp_path, "analyze", write(tmp_path, "b.csv", table("comment", *SENTENCES[:3])), *arguments, limit_bytes=10_000)
    second.communicate(timeout=120)
    assert (first.returncode, second.returncode) == (0, 1)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_analyze_interrupted_in_the_middle_writes_nothing(tmp_path: Path) -> None:
    rows = (f"{SENTENCES[at % 6]} number {at * 7919 % 100_003}" for at in range(60_000))
    file = write(tmp_path, "a.csv", table("comment", *rows))
    process = start(tmp_path, "analyze", file, "-o", "out", "--encoder", "tiny")
    stages = {process.stderr.readline().split()[0]}  # its first sign of life: it is at work, and seconds from its end
    process.send_signal(signal.SIGINT)
    sent = time.monotonic()
    out, err = process.communicate(timeout=120)
    assert stages <= {"read", "encode", "themes", "code"}
    assert time.monotonic() - sent < 60
    assert (process.returncode, out, err.splitlines()[-1]) == (130, "", "interrupted")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv"]


def test_every_error_of_the_package_is_one_that_the_command_line_knows() -> None:
    kinds = {kind for kind in vars(feedback_miner.errors).values() if isinstance(kind, type) and issubclass(kind, Exception)}
    assert all(issubclass(kind, FeedbackMinerError) for kind in kinds)


def test_saved_numbers_are_all_finite_where_everything_is_odd(mine_tiny: Mine, tmp_path: Path) -> None:
    rows = ["0,n/a", ",", "99,😀", "5,", "x,the parcel came late"]
    analysis = mine_tiny(write(tmp_path, "a.csv", table("nps,comment", *rows)), text="comment", score="nps", score_kind="nps")
    analysis.save(tmp_path / "out")
    json.loads((tmp_path / "out" / "analysis.json").read_bytes(), parse_constant=lambda name: pytest.fail(name))
