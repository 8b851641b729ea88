"""The command line as its users meet it: files, JSON, exit codes, what goes to stdout and what to stderr."""

import csv
import errno
import io
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

import pytest
import typer
from typer.testing import CliRunner, Result

import feedback_miner
from feedback_miner.cli import app
from feedback_miner.cli.edge import guarded, one_line
from feedback_miner.cli.options import ScoreKindName
from feedback_miner.cli.progress import LineProgress
from feedback_miner.cli.summary import FILES
from feedback_miner.config import MiningConfig
from feedback_miner.domain import CauseScore, FeedbackType, Polarity, ScoreKind, Sentiment, ThemeScore
from feedback_miner.errors import InputError

ROOT = Path(feedback_miner.__file__).parent.parent
COMMANDS = [
    (),
    ("analyze",),
    ("demo",),
    ("classify",),
    ("train",),
    ("train", "heads"),
    ("evaluate",),
    ("evaluate", "themes"),
    ("evaluate", "sentiment"),
    ("evaluate", "causes"),
    ("evaluate", "strength"),
    ("evaluate", "zero-shot"),
]


def run(*arguments: str | Path, stdin: str | bytes | None = None) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


def start(*arguments: str | Path, tmp_path: Path, **options) -> subprocess.Popen:
    """Start the command as a process of its own, its spool files under ``tmp_path``."""
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)} | options.pop("env", {})
    command = [sys.executable, "-m", "feedback_miner", *map(str, arguments)]
    # A parent that ignores SIGINT (a job in the background) would hand that down.
    return subprocess.Popen(
        command,
        env=environment,
        cwd=tmp_path,
        stdout=options.pop("stdout", subprocess.PIPE),
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **options,
    )


def finish(process: subprocess.Popen, stdin: bytes | None = None) -> tuple[int, str, str]:
    out, err = process.communicate(stdin, timeout=120)
    return process.returncode, (out or b"").decode(), err.decode()


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Result]:
    """The demo mined once by the tiny encoder through the real command."""
    folder = tmp_path_factory.mktemp("cli") / "demo"
    return folder, run("demo", "--output", folder, "--encoder", "tiny")


@pytest.fixture(scope="session")
def quick(quick_config: MiningConfig) -> list[str]:
    """The options of a run that takes no time."""
    return ["--encoder", quick_config.encoder, "--taxonomy", quick_config.taxonomy]


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two plain themes of ten comments each: praise until March, complaints from April on, one with an address to be hidden."""
    file = tmp_path_factory.mktemp("planted") / "planted.csv"
    kind = [(10, f"2026-0{1 + number % 3}-11", f"friendly staff at desk {number}") for number in range(10)]
    late = [(1, f"2026-0{4 + number % 3}-11", f"my parcel is late and broken worst service {number} days") for number in range(2, 12)]
    late[0] = (1, "2026-04-11", "my parcel is late and broken worst service jane.roe@example.com")
    with file.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([("nps", "date", "comment"), *kind, *late])
    return file


@pytest.fixture(scope="module")
def saved(planted: Path, quick: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("saved") / "out"
    result = run("analyze", planted, "-o", folder, *quick)
    assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def small_csv(tmp_path: Path) -> Path:
    file = tmp_path / "small.csv"
    rows = [(10, "the staff were friendly"), (2, "the parcel came late"), (1, "my parcel came far too late"), ("", "n/a"), (8, "")]
    with file.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([("nps", "comment"), *rows])
    return file


# Help, version, usage


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_of_every_command_says_how_to_use_it(command: tuple[str, ...]) -> None:
    result = run(*command, "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith(f"Usage: feedback-miner{''.join(f' {word}' for word in command)} [OPTIONS]")
    assert result.stderr == ""


def test_version_is_the_packages() -> None:
    result = run("--version")
    assert (result.exit_code, result.stdout) == (0, f"feedback-miner {feedback_miner.__version__}\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["analyze"], "Missing"),
        (["analyze", "x.csv"], "--output"),
        (["analyze", "x.csv", "-o", "out", "--score-kind", "smiles"], "nps"),
        (["analyze", "x.csv", "-o", "out", "--language", "fr"], "en"),
        (["analyze", "x.csv", "-o", "out", "--labeller-url", "http://localhost:1"], "--labeller-model"),
        (["analyze", "x.csv", "-o", "out", "--labeller-model", "m"], "--labeller-url"),
        (["analyze", "x.csv", "-o", "out", "--nonsense"], "--nonsense"),
        (["analyse"], "analyze"),
        (["evaluate", "causes", "--train", "a.csv"], "--test"),
        (["train", "heads"], "--data"),
    ],
)
def test_wrong_usage_exits_2_and_says_what_is_wrong(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in result.stderr
    assert result.stdout == ""


def test_score_kinds_offered_are_those_of_the_domain() -> None:
    assert set(get_args(ScoreKindName)) == {kind.value for kind in ScoreKind}


def test_import_and_help_load_no_heavy_library(tmp_path: Path) -> None:
    probe = (
        "import sys, feedback_miner.cli\n"
        "try: feedback_miner.cli.app(['analyze', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'polars', 'onnxruntime', 'torch', 'sklearn', 'scipy', 'umap', 'hdbscan', 'altair'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    done = subprocess.run([sys.executable, "-c", probe], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stderr.strip() == "[]"


# analyze


def test_analyze_writes_every_file_and_sums_up(quick: list[str], small_csv: Path, tmp_path: Path) -> None:
    result = run("analyze", small_csv, "-o", tmp_path / "out", *quick)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(FILES)
    assert "5 rows = 0 rejected + 1 without text + 1 without content" in result.stdout
    assert "NPS" in result.stdout
    assert "95 % interval" in result.stdout
    assert str(tmp_path / "out" / "report.html") in result.stdout


def test_analyze_as_json_prints_one_object_and_nothing_else(quick: list[str], small_csv: Path, tmp_path: Path) -> None:
    result = run("analyze", small_csv, "-o", tmp_path / "out", *quick, "--json")
    summary = json.loads(result.stdout)
    counts = summary["counts"]
    assert counts["rows"] == 5 == sum(counts[part] for part in ("rejected", "without_text", "no_content", "themed", "residual"))
    assert summary["score"]["kind"] == "nps"
    assert (summary["score"]["people"], summary["score"]["groups"]["detractors"]) == (4, 2)
    assert [Path(file).name for file in summary["files"]] == list(FILES)
    assert summary["columns"]["texts"] == ["comment"]


def test_analyze_agrees_with_analysis_json(quick: list[str], planted: Path, saved: Path, tmp_path: Path) -> None:
    result = run("analyze", planted, "-o", tmp_path / "out", *quick, "--json")
    summary, whole = json.loads(result.stdout), json.loads((saved / "analysis.json").read_bytes())
    assert [(theme["id"], theme["people"]) for theme in summary["themes"]] == [(theme["id"], theme["people"]) for theme in whole["themes"]]
    assert len(summary["themes"]) > 2
    assert summary["score"]["value"] == pytest.approx(whole["score"]["value"], abs=1e-6)
    assert summary["counts"] == whole["counts"]
    assert (tmp_path / "out" / "theme_set.json").read_bytes() == (saved / "theme_set.json").read_bytes()


def test_analyze_reads_stdin(quick: list[str], small_csv: Path, tmp_path: Path) -> None:
    result = run("analyze", "-", "-o", tmp_path / "out", *quick, "--json", stdin=small_csv.read_bytes())
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["counts"]["rows"] == 5


def test_analyze_takes_the_columns_it_is_told(quick: list[str], tmp_path: Path) -> None:
    file = tmp_path / "wide.csv"
    file.write_text(
        "a,b,s,d,c,h,w,g\nslow delivery,good tea,4,2026-03-01,C1,web,1.5,north\nlate again,fine,2,2026-03-02,C2,app,0.5,south\n"
    )
    columns = {"--text": "a", "--score": "s", "--score-kind": "csat", "--date": "d", "--customer": "c", "--channel": "h", "--weight": "w"}
    options = [word for pair in columns.items() for word in pair] + ["--text", "b", "--attribute", "g"]
    result = run("analyze", file, "-o", tmp_path / "out", *quick, "--json", *options)
    columns = json.loads(result.stdout)["columns"]
    assert columns["texts"] == ["a", "b"]
    assert [columns[role] for role in ("score", "score_kind", "date", "customer", "channel", "weight")] == ["s", "csat", "d", "c", "h", "w"]
    assert columns["attributes"] == ["g"]


def test_analyze_takes_sheet_encoding_and_taxonomy(tmp_path: Path, small_csv: Path) -> None:
    out = tmp_path / "out"
    chinese = tmp_path / "gb.csv"
    chinese.write_bytes("comment\n快递太慢了\n客服态度很好\n".encode("gb18030"))
    assert run("analyze", chinese, "-o", out, "--encoder", "tiny", "--encoding", "gb18030", "--taxonomy", "ecommerce").exit_code == 0
    assert json.loads((out / "analysis.json").read_bytes())["config"]["taxonomy"] == "ecommerce"
    assert "快递太慢了" in (out / "comments.csv").read_text("utf-8-sig")
    wrong = run("analyze", small_csv, "-o", out, "--encoder", "tiny", "--sheet", "Sheet1")
    assert wrong.exit_code == 1
    assert "--sheet" in wrong.stderr


def test_analyze_names_lines_that_could_not_be_used_but_never_their_text(quick: list[str], tmp_path: Path) -> None:
    file = tmp_path / "odd.csv"
    file.write_text("nps,comment\n9,all good and quick\n77,it broke at once\nlots,never again please\n3,rather slow this time\n")
    result = run("analyze", file, "-o", tmp_path / "out", *quick, "--score", "nps", "--score-kind", "nps")
    assert "row 3, column nps" in result.stdout
    assert "row 4, column nps" in result.stdout
    assert "it broke at once" not in result.output
    assert "lots" not in result.output


def test_analyze_keeps_progress_off_stdout(quick: list[str], saved: Path, small_csv: Path, tmp_path: Path) -> None:
    code, out, err = finish(start("analyze", small_csv, "-o", "out", *quick, "--json", "--quiet", tmp_path=tmp_path))
    assert (code, err) == (0, "")
    assert json.loads(out)["output"] == "out"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["analyze", "missing.csv", "-o", "out"], "missing.csv"),
        (["analyze", "{file}", "-o", "out", "--text", "remark"], "comment"),
        (["analyze", "{file}", "-o", "{file}"], "not a folder"),
        (["analyze", "{file}", "-o", "{file}/below"], "not a folder"),
        (["analyze", "{file}", "-o", "out", "--taxonomy", "nonsense"], "default"),
        (["analyze", "{file}", "-o", "out", "--encoding", "klingon"], "klingon"),
        (["classify", "nowhere", "hello"], "theme_set.json"),
        (["evaluate", "themes", "missing.csv"], "missing.csv"),
        (["train", "heads", "--data", "nowhere"], "nowhere"),
    ],
)
def test_expected_errors_exit_1_with_one_line_that_names_the_way_out(
    arguments: list[str], said: str, small_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tiny = ["--encoder", "tiny"] if arguments[0] != "classify" else []
    result = run(*(argument.format(file=small_csv) for argument in arguments), *tiny)
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.startswith("error: ")
    assert len(result.stderr.splitlines()) == 1
    assert said in result.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_analyze_refuses_a_folder_without_permission_before_it_mines(small_csv: Path, tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    result = run("analyze", small_csv, "-o", closed / "out", "--encoder", "tiny")
    assert result.exit_code == 1
    assert "permission" in result.stderr


# demo


def test_demo_says_what_to_look_at(demo: tuple[Path, Result]) -> None:
    folder, result = demo
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
    assert str(folder / "report.html") in result.stdout
    assert "438 rows = " in result.stdout
    assert "Rising: " in result.stdout
    assert [line for line in result.stdout.splitlines() if line.startswith("  3. ")]


def test_demo_finds_its_rising_theme_in_the_result(demo: tuple[Path, Result]) -> None:
    folder, result = demo
    leaves = [theme for theme in json.loads((folder / "analysis.json").read_bytes())["themes"] if theme["parent"] and theme["trend"]]
    rising = [theme for theme in leaves if theme["trend"]["direction"] in {"rising", "new"}]
    line = next(line for line in result.stdout.splitlines() if line.startswith("Rising: "))
    top = max(rising or leaves, key=lambda theme: theme["trend"]["change"])
    assert any(f"'{name}'" in line for name in top["names"].values())
    assert ("by more than chance" in line) == (not rising)


def test_demo_lines_name_what_rose_what_costs_most_and_what_was_hidden(saved: Path) -> None:
    from feedback_miner.cli.summary import demo_lines

    lines = "\n".join(demo_lines(feedback_miner.load(saved), saved, "en"))
    assert "from 0.0% of the people in 2026-01 to 100.0% in 2026-06" in lines
    assert "NPS would be " in lines
    assert "points higher (95 % interval " in lines
    assert "'Late delivery'" in lines
    assert "Logistics" in lines


def test_demo_lines_say_where_nothing_rose(small_csv: Path, quick: list[str], tmp_path: Path) -> None:
    from feedback_miner.cli.summary import demo_lines

    run("analyze", small_csv, "-o", tmp_path / "out", *quick)
    lines = demo_lines(feedback_miner.load(tmp_path / "out"), tmp_path / "out", "en")
    assert "Rising: no theme." in lines


# classify


def test_classify_prints_one_json_object_a_text(saved: Path) -> None:
    texts = ["The parcel arrived crushed, but the driver was friendly", "客服电话排队半个小时", "n/a"]
    result = run("classify", saved, *texts, "--json")
    assert result.exit_code == 0, result.output
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["language"] for answer in answers[:2]] == ["en", "zh"]
    assert answers[2]["abstained"] == "no_content"
    assert answers[2]["sentiment"] is None
    for text, answer in zip(texts, answers, strict=True):
        for opinion in answer["opinions"]:
            first, last = opinion["span"]
            assert text[first:last] == opinion["text"]
            assert opinion["sentiment"]["label"] in {"negative", "neutral", "positive"}
            assert opinion["themes"] or opinion["residual"]
            assert all(cause["owner"] and cause["stage"] and cause["label"] for cause in opinion["causes"])


def test_classify_reads_a_text_a_line_from_stdin_and_keeps_their_places(saved: Path) -> None:
    lines = ["The parcel arrived crushed", "", "so slow " * 2_000, "Great value"]
    for arguments in ((), ("-",)):
        result = run("classify", saved, *arguments, "--json", stdin="\n".join(lines) + "\n")
        answers = [json.loads(line) for line in result.stdout.splitlines()]
        assert len(answers) == 4
        assert answers[1]["abstained"] == "no_content"
        assert list(answers[2]) == ["error"]
        assert answers[3]["opinions"]
        assert result.exit_code == 1
        assert result.stderr == "error: 1 of 4 texts could not be classified; each says why in its place\n"


def test_classify_refuses_bytes_that_are_not_utf8_and_goes_on(saved: Path) -> None:
    result = run("classify", saved, "--json", stdin=b"\xef\xbb\xbfGreat value\n" + "快递太慢".encode("gb18030") + b"\nGreat value\n")
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert "UTF-8" in answers[1]["error"]
    assert answers[0] == answers[2]  # the byte-order mark is no part of the text
    assert result.exit_code == 1


def test_classify_gives_a_text_the_same_answer_alone_and_in_company(saved: Path) -> None:
    texts = ["The parcel arrived crushed", "Great value", "信号太差"]
    together = run("classify", saved, *texts, "--json").stdout.splitlines()
    assert together == [run("classify", saved, text, "--json").stdout.strip() for text in texts]


def test_classify_prints_lines_to_read(saved: Path) -> None:
    result = run("classify", saved, "The parcel came late, 20 days", "n/a")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].startswith("1. en, ")
    assert lines[1] == "   [0, 29) The parcel came late, 20 days"
    assert "; theme: " in lines[2]
    assert lines[-1] == "2. en, no sentiment, abstained: no content"


def test_readings_name_causes_owners_stages_and_what_is_urgent(saved: Path) -> None:
    from feedback_miner.answers import answer_of
    from feedback_miner.classify import Classification, ClassifiedOpinion, Classifier
    from feedback_miner.cli.readings import reading_lines

    classifier = Classifier.load(saved)
    theme = next(theme for theme in classifier.theme_set.themes if theme.parent)
    angry = Sentiment(0.9, 0.1, 0.0)
    opinion = ClassifiedOpinion(
        start=3,
        end=12,
        text="rude\x1b[2J staff",
        sentiment=angry,
        type=FeedbackType.COMPLAINT,
        themes=(ThemeScore(theme.id, 0.75),),
        residual=None,
        causes=(CauseScore("rude", 0.8, None, 0.0, 3, 12),),
    )
    found = Classification("en", Polarity.NEGATIVE, angry, None, (opinion,), ("rude",), None)
    name = next(iter(theme.names.values()))
    assert reading_lines(7, found, classifier, "en") == [
        "7. en, negative, URGENT: Rude staff",
        "   [3, 12) rude [2J staff",
        f"      negative (-0.90), complaint; theme: {name} (0.75)",
        "      cause: Rude staff (0.80); owner: Help desk; stage: Support",
    ]
    answer = answer_of(found, classifier, "fr")  # a name that is missing in one language is shown in the other
    assert answer["urgent"] == ["rude"]
    assert answer["opinions"][0]["causes"] == [
        {"id": "rude", "label": "Rude staff", "score": 0.8, "span": [3, 12], "stage": "support", "owner": "helpdesk"}
    ]
    assert answer["opinions"][0]["themes"] == [{"id": theme.id, "label": name, "score": 0.75}]
    assert json.loads(json.dumps(answer))["sentiment"]["label"] == "negative"


def test_classify_never_prints_personal_data(saved: Path) -> None:
    result = run("classify", saved, "Write to jane.roe@example.com about my broken phone", stdin=None)
    assert result.exit_code == 0
    assert "jane.roe" not in result.output


# evaluate


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    file = tmp_path / "labelled.csv"
    late = ["the parcel came late", "delivery took far too long", "late again, two weeks", "waited long for the parcel"]
    kind = ["friendly staff", "the staff were kind", "kind and friendly people", "staff helped me at once"]
    rows = [
        (f"{text} {number}", label, sentiment, value)
        for number in range(8)
        for texts, label, sentiment, value in ((late, "delivery", "neg", 2), (kind, "staff", "pos", 9))
        for text in texts
    ]
    with file.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([("text", "label", "sentiment", "target"), *rows])
    return file


@pytest.mark.parametrize(
    ("arguments", "figures"),
    [
        (["themes", "{file}", "--text", "text", "--label", "label"], {"leaf", "parent", "coverage", "texts"}),
        (["sentiment", "{file}", "--label", "sentiment"], {"macro_f1", "accuracy", "n", "skipped"}),
        (["sentiment", "{file}", "--label", "sentiment", "--binary"], {"macro_f1", "accuracy", "n", "skipped"}),
        (["causes", "--train", "{file}", "--test", "{file}", "--label", "label"], {"micro_f1", "macro_f1", "n", "labels"}),
        (["strength", "--train", "{file}", "--test", "{file}", "--target", "target"], {"spearman", "mae", "n"}),
    ],
)
def test_evaluate_prints_one_json_object_or_a_table(arguments: list[str], figures: set[str], labelled: Path) -> None:
    filled = [argument.format(file=labelled) for argument in arguments]
    result = run("evaluate", *filled, "--encoder", "tiny", "--json")
    assert result.exit_code == 0, result.output
    metrics = json.loads(result.stdout)
    assert figures <= metrics.keys()
    table = run("evaluate", *filled, "--encoder", "tiny", "--quiet")
    names = [line.split()[0] for line in table.stdout.splitlines()]
    assert {name.partition(".")[0] for name in names} == metrics.keys()
    assert table.stderr == ""


def test_evaluates_causes_against_labels_it_never_saw(labelled: Path, quick_config: MiningConfig) -> None:
    crosswalk = labelled.with_name("crosswalk.toml")
    crosswalk.write_text('[labels]\ndelivery = ["late"]\nstaff = ["rude"]\n', encoding="utf-8")
    asked = ["zero-shot", labelled, "--crosswalk", crosswalk, "--taxonomy", quick_config.taxonomy, "--encoder", "tiny"]
    result = run("evaluate", *asked, "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["labels"].keys() == {"delivery", "staff"}
    refused = run("evaluate", "zero-shot", labelled, "--crosswalk", labelled, "--quiet")
    assert refused.exit_code != 0
    assert "is no TOML" in refused.stderr


# The edge


def test_guarded_hides_what_a_bug_says_unless_asked(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    @guarded
    def buggy() -> None:
        raise ValueError("the customer wrote: call me on 555-0100")

    with pytest.raises(typer.Exit) as ended:
        buggy()
    assert ended.value.exit_code == 1
    said = capsys.readouterr().err
    assert said.startswith("error: unexpected ValueError")
    assert "report" in said
    assert "customer wrote" not in said
    monkeypatch.setenv("FEEDBACK_MINER_DEBUG", "1")
    with pytest.raises(ValueError, match="customer wrote"):
        buggy()


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (InputError("two\nlines"), 1, "error: two lines\n"),
        (KeyboardInterrupt(), 130, "interrupted\n"),
        (BrokenPipeError(), 141, ""),
        (OSError(errno.ENOSPC, "No space left on device", "/tmp/spool"), 1, "error: No space left on device: /tmp/spool\n"),
    ],
)
def test_guarded_turns_each_error_into_its_exit_code(
    error: BaseException, code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @guarded
    def command() -> None:
        raise error

    with pytest.raises(typer.Exit) as ended:
        command()
    assert ended.value.exit_code == code
    assert capsys.readouterr().err == said


@pytest.mark.parametrize(
    ("text", "line"),
    [("a\nb\r\nc", "a b c"), ("red\x1b[31m", "red [31m"), ("  wide \t gap ", "wide gap"), ("快递 慢", "快递 慢"), ("\u202eabc", "abc")],
)
def test_one_line_leaves_nothing_that_steers_a_terminal(text: str, line: str) -> None:
    assert one_line(text) == line


def test_line_progress_writes_at_most_one_line_in_a_while() -> None:
    times = iter([0.0, 1.0, 3.5, 3.5, 4.0, 7.0, 7.0])
    stream = io.StringIO()
    progress = LineProgress(stream, every_s=3.0, now=lambda: next(times))
    for done in (1, 2, 3):
        progress("encode", done, 10)
    progress("read", 4, None)
    assert stream.getvalue() == "encode 2/10\nread 4\n"


# Real processes


def wait_for_spool(folder: Path, process: subprocess.Popen) -> Path:
    """Wait until the process holds a copy of its input: it is in the middle of a run."""
    for _ in range(1_200):
        if spooled := list(folder.glob("feedback-miner-*")):
            return spooled[0]
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    raise AssertionError("the process never came to read its input")


@pytest.mark.parametrize(("number", "code", "said"), [(signal.SIGINT, 130, "interrupted\n"), (signal.SIGTERM, 143, "")])
def test_analyze_ends_in_good_order_on_a_signal(quick: list[str], number: int, code: int, said: str, tmp_path: Path) -> None:
    process = start("analyze", "-", "-o", "out", *quick, "--quiet", tmp_path=tmp_path, stdin=subprocess.PIPE)
    process.stdin.write(b"comment\nthe parcel came late\n")
    process.stdin.flush()
    spooled = wait_for_spool(tmp_path, process)
    process.send_signal(number)
    assert finish(process) == (code, "", said)
    assert not spooled.exists()
    assert not (tmp_path / "out").exists()


def test_output_into_a_closed_pipe_ends_without_a_word(saved: Path, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    process = start("classify", saved, "Great value", tmp_path=tmp_path, stdout=writer)
    os.close(writer)
    assert finish(process) == (141, "", "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_output_onto_a_full_disk_is_one_error(saved: Path, tmp_path: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        code, _, err = finish(start("classify", saved, "Great value", tmp_path=tmp_path, stdout=full))
    assert (code, err) == (1, "error: No space left on device\n")


def test_classify_answers_a_pipe_line_by_line(saved: Path, tmp_path: Path) -> None:
    process = start("classify", saved, "--json", tmp_path=tmp_path, stdin=subprocess.PIPE)
    for line in ("Great value\n", "信号太差\n"):
        process.stdin.write(line.encode())
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["opinions"][0]["text"] == line.strip()
    assert finish(process)[0] == 0


def test_json_survives_a_terminal_that_knows_ascii_only(saved: Path, tmp_path: Path) -> None:
    process = start("classify", saved, "信号太差", "--json", tmp_path=tmp_path, env={"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    code, out, _ = finish(process)
    assert code == 0
    assert out.isascii()
    assert json.loads(out)["opinions"][0]["text"] == "信号太差"


def test_bars_are_for_terminals_only(quick: list[str], small_csv: Path, tmp_path: Path) -> None:
    pty = pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "xterm", "COLUMNS": "100"}
    command = [
        sys.executable,
        "-m",
        "feedback_miner",
        "analyze",
        str(small_csv),
        "-o",
        str(tmp_path / "out"),
        *quick,
        "--json",
    ]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        try:
            while chunk := os.read(ours, 4096):
                shown += chunk
        except OSError:  # Linux says EIO where the other end has gone
            pass
        out = process.stdout.read()
    os.close(ours)
    assert b"themes" in shown
    assert json.loads(out)["counts"]["rows"] == 5
