"""mine(): every row accounted for, spans exact, ids unique, whatever comes in; and nothing in it depends on the order of rows."""

import csv
import random
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

import feedback_miner
from feedback_miner.analysis import Analysis
from feedback_miner.classify import Classifier
from feedback_miner.config import MiningConfig
from feedback_miner.demo import demo_path
from feedback_miner.domain import ContentStatus, Findings, Polarity
from feedback_miner.embedders.tiny import TinyEmbedder
from feedback_miner.errors import FeedbackMinerError, InputError, TaxonomyError
from feedback_miner.report import findings_to_json

LATE = [f"the parcel came {days} days late, terrible" for days in range(2, 14)]
KIND = [f"柜台{desk}的店员很热情，服务很好" for desk in range(2, 14)]


def check_account(findings: Findings) -> None:
    """What holds of any analysis."""
    counts = findings.counts
    assert counts.rows == counts.rejected + counts.without_text + counts.no_content + counts.themed + counts.residual
    assert len(findings.items) == counts.rows - counts.rejected
    assert counts.documents == len(findings.documents)
    assert counts.opinions == len(findings.opinions) == len(findings.codings)
    statuses = Counter(item.status for item in findings.items)
    assert statuses == Counter(
        {name: getattr(counts, name) for name in ("themed", "residual", "no_content", "without_text") if getattr(counts, name)}
    )
    assert sum(counts.languages.values()) == counts.documents
    assert sum(counts.residual_opinions.values()) == sum(not coding.themes for coding in findings.codings)
    for kind in (findings.items, findings.documents, findings.opinions, findings.themes):
        ids = [thing.id for thing in kind]
        assert len(set(ids)) == len(ids)
    check_opinions(findings)
    check_themes(findings)


def check_opinions(findings: Findings) -> None:
    documents = {document.id: document for document in findings.documents}
    leaves = {theme.id for theme in findings.themes if theme.parent is not None}
    themed = set()
    for opinion, coding in zip(findings.opinions, findings.codings, strict=True):
        document = documents[opinion.document]
        assert document.text[opinion.start : opinion.end] == opinion.text
        assert (coding.opinion, opinion.id) == (opinion.id, f"{document.id}#{opinion.start}")
        assert bool(coding.themes) != bool(coding.residual), "in a theme, or outside for a reason"
        assert {membership.theme for membership in (*coding.themes, *coding.nearest)} <= leaves
        assert coding.themes == coding.nearest[: len(coding.themes)]
        assert all(0.0 <= membership.strength <= 1.0 for membership in coding.nearest)
        assert all((cause.start, cause.end) == (opinion.start, opinion.end) for cause in coding.causes)
        assert not coding.causes or coding.sentiment.label is Polarity.NEGATIVE
        if coding.themes:
            themed.add(document.id)
    mined = {opinion.document for opinion in findings.opinions}
    for document in findings.documents:
        expected = (
            ContentStatus.THEMED if document.id in themed else ContentStatus.RESIDUAL if document.id in mined else ContentStatus.NO_CONTENT
        )
        assert document.status is expected
    items = {item.id: item for item in findings.items}
    assert all(document.item in items and document.id.startswith(f"{document.item}.") for document in findings.documents)
    assert {document.item for document in findings.documents} == {item.id for item in findings.items if item.status != "without_text"}


def check_themes(findings: Findings) -> None:
    parents = {theme.id for theme in findings.themes if theme.parent is None}
    assert {theme.parent for theme in findings.themes if theme.parent is not None} == parents
    measures = {measure.subject: measure for measure in findings.theme_measures}
    assert set(measures) == {theme.id for theme in findings.themes}
    members = Counter(membership.theme for coding in findings.codings for membership in coding.themes)
    opinions = {opinion.id: opinion for opinion in findings.opinions}
    for theme in findings.themes:
        measure = measures[theme.id]
        assert measure.people > 0
        assert sum(measure.polarity.values()) == sum(measure.types.values()) == measure.opinions
        assert theme.names
        assert all(name.strip() for name in theme.names.values())
        if theme.parent is None:
            assert measure.opinions == sum(measures[leaf.id].opinions for leaf in findings.themes if leaf.parent == theme.id)
            continue
        assert measure.opinions == members[theme.id]
        assert theme.exemplars
        assert all(opinions[exemplar.opinion].text == exemplar.text for exemplar in theme.exemplars)


def test_accounts_for_every_row_of_the_demo(tiny_demo: Analysis) -> None:
    check_account(tiny_demo.findings)
    counts = tiny_demo.findings.counts
    assert (counts.rows, counts.rejected, counts.without_text) == (438, 0, 20)
    assert counts.themed > 200
    assert counts.reposts == 5
    assert len(tiny_demo.themes) > 10


def test_says_where_every_row_came_from(tiny_demo: Analysis) -> None:
    assert sorted(tiny_demo.run.rows.values()) == list(range(2, 440))
    assert set(tiny_demo.run.rows) == {item.id for item in tiny_demo.items}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Good rows and bad: repeated, empty, without content, with a score that is none, with more cells than columns."""
    path = tmp_path_factory.mktemp("mixed") / "mixed.csv"
    rows = [(number % 11, f"2026-0{1 + number % 5}-0{1 + number % 9}", text) for number, text in enumerate([*LATE, *KIND, *LATE[:3]])]
    rows += [
        (9, "2026-01-01", ""),
        ("", "", "n/a"),
        ("eleven", "yesterday", "a hat"),
        (3, "2026-02-01", LATE[0]),
        (3, "2026-02-01", LATE[0]),
    ]
    with path.open("w", encoding="utf-8", newline="") as lines:
        csv.writer(lines).writerows([("nps", "date", "comment"), *rows])
        lines.write("5,2026-03-01,too many,cells\r\n")
    return path


@pytest.fixture(scope="module")
def mixed(file: Path, quick_config: MiningConfig) -> Analysis:
    return feedback_miner.mine(file, text="comment", score="nps", date="date", config=quick_config)


def test_accounts_for_good_rows_and_bad(mixed: Analysis) -> None:
    check_account(mixed.findings)
    assert mixed.findings.counts.rows == 33
    assert mixed.findings.counts.no_content == 1
    assert mixed.findings.counts.without_text == 1
    assert {issue.row for issue in mixed.run.issues} >= {31}, "the score that is none is reported"
    assert all("eleven" not in issue.reason for issue in mixed.run.issues)


def test_keeps_identical_rows_as_people_of_their_own(mixed: Analysis) -> None:
    repeated = [document for document in mixed.documents if document.text == LATE[0]]
    assert [document.copies for document in repeated] == [4] * 4
    readings = {
        (coding.themes, coding.sentiment)
        for opinion, coding in zip(mixed.opinions, mixed.codings, strict=True)
        if opinion.document in {document.id for document in repeated}
    }
    assert len(readings) == 1, "identical texts always together"


def test_finds_the_two_themes(mixed: Analysis) -> None:
    by_text = {opinion.text: coding.themes[0].theme for opinion, coding in zip(mixed.opinions, mixed.codings, strict=True) if coding.themes}
    assert len({by_text[text] for text in LATE if text in by_text} & {by_text[text] for text in by_text if "柜台" in text}) == 0
    assert sum(text in by_text for text in LATE) >= 10


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_finds_the_same_in_any_order_of_rows(file: Path, mixed: Analysis, quick_config: MiningConfig, tmp_path: Path, seed: int) -> None:
    header, *rows = file.read_text(encoding="utf-8").splitlines()
    random.Random(seed).shuffle(rows)
    shuffled = tmp_path / "shuffled.csv"
    shuffled.write_text("\n".join([header, *rows, ""]), encoding="utf-8")
    analysis = feedback_miner.mine(shuffled, text="comment", score="nps", date="date", config=quick_config)
    assert findings_to_json(analysis.findings, mixed.run) == findings_to_json(mixed.findings, mixed.run)


def test_records_what_it_ran_with(mixed: Analysis, quick_config: MiningConfig, file: Path) -> None:
    assert mixed.findings.config["encoder"] == "tiny"
    assert mixed.findings.config["taxonomy"] == quick_config.taxonomy
    assert set(mixed.findings.versions) == {"taxonomy_version", "theme_set_version", "model_version"}
    assert mixed.findings.versions["theme_set_version"] == mixed.theme_set.version
    assert mixed.findings.versions["model_version"].startswith("tiny-1+")
    assert mixed.findings.version == feedback_miner.__version__
    assert mixed.run.source == file.name
    assert mixed.run.source_sha256
    assert mixed.run.started_at.tzinfo is None
    assert {"load", "read", "encode", "themes", "code", "measure"} <= set(mixed.run.seconds)


@pytest.mark.parametrize("rows", [1, 2, 5, 6, 24])
def test_mines_however_few_rows(rows: int, quick_config: MiningConfig, tmp_path: Path) -> None:
    analysis = feedback_miner.mine([*LATE, *KIND][:rows], config=quick_config)
    check_account(analysis.findings)
    loaded = feedback_miner.load(analysis.save(tmp_path))
    assert findings_to_json(loaded.findings, loaded.run) == findings_to_json(analysis.findings, analysis.run)


@pytest.mark.parametrize(
    "texts", [["n/a", "none", "无"], ["same words"] * 30, ["a", "b", "c", "d", "e", "f", "g"]], ids=["empty", "same", "letters"]
)
def test_mines_texts_that_hold_no_themes(texts: list[str], quick_config: MiningConfig, tmp_path: Path) -> None:
    analysis = feedback_miner.mine(texts, config=quick_config)
    check_account(analysis.findings)
    assert analysis.findings.counts.rows == len(texts)
    assert Classifier.load(analysis.save(tmp_path)).classify(["the parcel came late"])[0].opinions


def test_codes_rows_beyond_those_it_fits_on(quick_config: MiningConfig) -> None:
    texts = [*LATE, *KIND]
    analysis = feedback_miner.mine(texts, config=replace(quick_config, max_fit_opinions=16))
    check_account(analysis.findings)
    assert analysis.findings.counts.themed > 16


class Foreign(TinyEmbedder):
    """An encoder that no heads were fitted on."""

    name = "foreign"
    version = "foreign-1"


def test_reads_sentiment_with_the_default_encoder_where_a_foreign_one_finds_the_themes(quick_config: MiningConfig) -> None:
    analysis = feedback_miner.mine([*LATE, *KIND], config=quick_config, embedder=Foreign())
    check_account(analysis.findings)
    assert analysis.theme_set.encoder_version == "foreign-1"
    assert analysis.theme_set.projection.shape == (256, 0)
    labels = [coding.sentiment.label for opinion, coding in zip(analysis.opinions, analysis.codings, strict=True) if "柜台" in opinion.text]
    assert labels.count(Polarity.POSITIVE) >= 10
    classifier = Classifier(analysis.theme_set, embedder=Foreign())
    (classified,) = classifier.classify([LATE[0]])
    coding = next(coding for opinion, coding in zip(analysis.opinions, analysis.codings, strict=True) if opinion.text == LATE[0])
    assert classified.opinions[0].sentiment == coding.sentiment


def test_serves_a_theme_set_of_a_foreign_encoder_that_saw_no_content(quick_config: MiningConfig) -> None:
    analysis = feedback_miner.mine(["n/a", "none"], config=quick_config, embedder=Foreign())
    (classified,) = Classifier(analysis.theme_set, embedder=Foreign()).classify([LATE[0]])
    assert classified.abstained == "no_theme"


def test_reports_every_stage(quick_config: MiningConfig) -> None:
    steps = []
    feedback_miner.mine([*LATE, *KIND], config=quick_config, progress=lambda *step: steps.append(step))
    assert {"read", "encode", "themes", "code", "measure"} <= {stage for stage, _, _ in steps}
    assert all(done >= 0 and (total is None or done <= total) for _, done, total in steps)
    last = {stage: (done, total) for stage, done, total in steps}
    assert all(done == total for done, total in last.values())


class Stop(Exception):
    """What a caller raises to cancel."""


@pytest.mark.parametrize("stage", ["read", "encode", "themes", "code", "measure"])
def test_stops_where_progress_raises(stage: str, quick_config: MiningConfig) -> None:
    def stop(reached: str, done: int, total: int | None) -> None:
        if reached == stage:
            raise Stop

    with pytest.raises(Stop):
        feedback_miner.mine(LATE, config=quick_config, progress=stop)


def test_refuses_a_broken_taxonomy_before_it_reads_anything(quick_config: MiningConfig, tmp_path: Path) -> None:
    with pytest.raises(TaxonomyError):
        feedback_miner.mine(tmp_path / "there is no such file.csv", config=replace(quick_config, taxonomy="no such pack"))


@pytest.mark.parametrize("content", ["", "comment\n", "comment\n\n\n"])
def test_refuses_a_file_without_rows(content: str, quick_config: MiningConfig, tmp_path: Path) -> None:
    path = tmp_path / "empty.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"empty\.csv"):
        feedback_miner.mine(path, text="comment", config=quick_config)


def test_never_repeats_a_customers_words_in_an_error(quick_config: MiningConfig, tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("comment,nps\nmy secret is 4711 and more,3\n", encoding="utf-8")
    for options in ({"text": "nothing"}, {"text": "comment", "score": "comment"}, {"text": "comment", "date": "comment"}):
        try:
            analysis = feedback_miner.mine(path, config=quick_config, **options)
        except FeedbackMinerError as error:
            assert "4711" not in str(error)
        else:
            assert all("4711" not in f"{issue.reason} {issue.column}" for issue in analysis.run.issues)


def test_weighs_responses(quick_config: MiningConfig) -> None:
    rows = [{"comment": text, "w": "3"} for text in LATE] + [{"comment": text, "w": "1"} for text in KIND]
    shares = []
    for weight in (None, "w"):
        analysis = feedback_miner.mine(rows, text="comment", weight=weight, attributes=[], config=quick_config)
        late = next(
            coding.themes[0].theme for opinion, coding in zip(analysis.opinions, analysis.codings, strict=True) if opinion.text == LATE[0]
        )
        shares.append(analysis.measures[late].share)
    assert shares[1] > shares[0] * 1.2


def test_takes_the_demo_for_what_it_is(tiny_demo: Analysis) -> None:
    columns = tiny_demo.findings.columns
    assert (columns.texts, columns.score, columns.date, columns.customer) == (("comment",), "nps", "date", "customer")
    assert tiny_demo.run.source == demo_path().name
    assert tiny_demo.findings.score is not None
