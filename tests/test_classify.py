"""One text classified: the same alone, in any batch and in the analysis, its spans in the text as it was sent."""

import csv
import json
import random
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import pytest

import feedback_miner
from feedback_miner.analysis import Analysis
from feedback_miner.classify import Classification, Classifier, OpinionCoder, fold_polarity, load_heads_for
from feedback_miner.config import DEFAULT_ENCODER, MiningConfig
from feedback_miner.demo import demo_path, load_personal_data
from feedback_miner.domain import CauseScore, Coding, FeedbackType, Polarity, ResidualReason, Sentiment
from feedback_miner.embedders.tiny import TinyEmbedder
from feedback_miner.errors import InputError, ThemeSetError, WeightsError
from feedback_miner.reading import ReadOpinion
from feedback_miner.theme_set import theme_set_version
from feedback_miner.weights import model_path, models_root


@pytest.fixture(scope="module")
def classifier(tiny_demo_folder: Path) -> Classifier:
    return Classifier.load(tiny_demo_folder)


@pytest.fixture(scope="module")
def comments() -> dict[int, str]:
    """Line -> comment of the demo."""
    with demo_path().open(encoding="utf-8", newline="") as lines:
        return {line: row["comment"] for line, row in enumerate(csv.DictReader(lines), start=2)}


@pytest.fixture(scope="module")
def alone(classifier: Classifier, comments: dict[int, str]) -> dict[int, Classification]:
    """Every demo comment classified by itself."""
    return {line: classifier.classify([text])[0] for line, text in comments.items()}


def codings_by_row(analysis: Analysis) -> dict[int, list[Coding]]:
    item_of = {document.id: document.item for document in analysis.documents}
    found: dict[int, list[Coding]] = {row: [] for row in analysis.run.rows.values()}
    for opinion, coding in zip(analysis.opinions, analysis.codings, strict=True):
        found[analysis.run.rows[item_of[opinion.document]]].append(coding)
    return found


def unplaced(causes: tuple[CauseScore, ...]) -> list[CauseScore]:
    """Causes without their spans, which count in another text here than there."""
    return [replace(cause, start=0, end=0) for cause in causes]


def test_reads_every_demo_comment_as_the_analysis_did(tiny_demo: Analysis, alone: dict[int, Classification]) -> None:
    compared = 0
    for row, codings in codings_by_row(tiny_demo).items():
        opinions = alone[row].opinions
        assert len(opinions) == len(codings)
        for opinion, coding in zip(opinions, codings, strict=True):
            assert opinion.sentiment == coding.sentiment
            assert opinion.type is coding.type
            assert opinion.themes == coding.themes
            assert opinion.residual is coding.residual
            assert unplaced(opinion.causes) == unplaced(coding.causes)
            compared += 1
    assert compared == len(tiny_demo.opinions) > 500


def test_reads_every_whole_comment_as_the_analysis_did(tiny_demo: Analysis, alone: dict[int, Classification]) -> None:
    for item in tiny_demo.items:
        whole = alone[tiny_demo.run.rows[item.id]]
        assert whole.polarity is item.sentiment
        assert (whole.sentiment is None) == (item.sentiment_score is None)
        if whole.sentiment is not None:
            assert round(whole.sentiment.score, 6) == item.sentiment_score
        expected = {"themed": None, "residual": "no_theme", "no_content": "no_content", "without_text": "no_content"}
        assert whole.abstained == expected[item.status]
    several = 0
    for document in tiny_demo.documents:
        found = alone[tiny_demo.run.rows[document.item]]
        carried = {theme.theme for opinion in found.opinions for theme in opinion.themes}
        assert found.theme == document.theme
        assert found.theme in carried or (found.theme is None and not carried)
        several += len(carried) > 1
    assert several > 20


def test_a_text_is_about_the_theme_of_its_opinions_that_all_of_it_is_closest_to(two_themes: Classifier) -> None:
    late, kind = (two_themes.classify([text])[0].theme for text in ("the parcel came 3 days late", "柜台5的店员很热情"))
    assert None not in {late, kind}
    assert late != kind
    mostly = "the parcel came 3 days late, the parcel came 4 days late, the parcel came 5 days late. 柜台5的店员很热情"
    (found,) = two_themes.classify([mostly])
    assert {theme.theme for opinion in found.opinions for theme in opinion.themes} == {late, kind}
    assert found.theme == late


def test_the_whole_has_a_say_in_what_a_text_of_several_opinions_feels(classifier: Classifier) -> None:
    (found,) = classifier.classify(["The soup was cold. The waiter shrugged. We left after an hour."])
    assert len(found.opinions) > 1
    opinions = [ReadOpinion(opinion.start, opinion.end, opinion.text, opinion.text) for opinion in found.opinions]
    _, without = fold_polarity(opinions, [opinion.sentiment for opinion in found.opinions])
    assert found.sentiment != without


def test_waits_for_no_other_core_to_read_the_whole(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "The soup was cold. The waiter shrugged. We left after an hour."
    (free,) = classifier.classify([text])
    busy, over = ThreadPoolExecutor(1), threading.Event()
    monkeypatch.setattr("feedback_miner.classify._other_cores", lambda: busy)
    try:
        busy.submit(over.wait)
        assert classifier.classify([text]) == [free]
    finally:
        over.set()
        busy.shutdown()


def test_reads_a_batch_as_each_text_alone(classifier: Classifier, comments: dict[int, str], alone: dict[int, Classification]) -> None:
    order = random.Random(1).sample(sorted(comments), len(comments))
    assert classifier.classify([comments[row] for row in order]) == [alone[row] for row in order]


def test_reads_an_exemplar_into_its_theme(tiny_demo: Analysis, classifier: Classifier) -> None:
    codings = {coding.opinion: coding for coding in tiny_demo.codings}
    for theme in tiny_demo.themes:
        for exemplar in theme.exemplars:
            assert theme.id in {membership.theme for membership in codings[exemplar.opinion].themes}


@pytest.mark.parametrize(
    "raw",
    [
        "<p>Too <b>slow</b>, I waited &amp; waited</p><br/>客服态度很差！",
        "😡😡 the parcel came late 👍🏽 but the cashier was friendly",
        "Call me on 415-555-0182 or mail jane.roe@example.com, the app crashes all the time",
        "  \u200bThe   price\tis\n\ntoo high  ",
        "店员太差ＶＥＲＹ　ＢＡＤ，退款等了两周",
    ],
)
def test_places_opinions_in_the_text_as_it_was_sent(classifier: Classifier, raw: str) -> None:
    (classified,) = classifier.classify([raw])
    assert classified.opinions
    done = 0
    for opinion in classified.opinions:
        assert done <= opinion.start < opinion.end <= len(raw)
        assert all((cause.start, cause.end) == (opinion.start, opinion.end) for cause in opinion.causes)
        # The slice, read again by itself, says the very same.
        (again,) = classifier.classify([raw[opinion.start : opinion.end]])
        assert "".join(part.text for part in again.opinions).replace(" ", "") == opinion.text.replace(" ", "")
        done = opinion.end


def test_shows_no_personal_data(alone: dict[int, Classification], comments: dict[int, str]) -> None:
    shown = json.dumps([asdict(classified) for classified in alone.values()], ensure_ascii=False)
    raw = "\n".join(comments.values())
    for planted in load_personal_data():
        assert planted.value in raw
        assert planted.value not in shown


@pytest.mark.parametrize("text", ["", "   ", "n/a", "无", "......", "https://example.com"])
def test_abstains_without_content(classifier: Classifier, text: str) -> None:
    (classified,) = classifier.classify([text])
    assert (classified.polarity, classified.sentiment, classified.opinions, classified.abstained) == (None, None, (), "no_content")


@pytest.fixture(scope="module")
def two_themes(quick_config: MiningConfig) -> Classifier:
    texts = [f"the parcel came {days} days late" for days in range(12)] + [f"柜台{desk}的店员很热情" for desk in range(12)]
    return Classifier(feedback_miner.mine(texts, config=quick_config).theme_set)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Zorblax", ResidualReason.TOO_SHORT),
        ("fiddlesticks 42", ResidualReason.TOO_SHORT),
        ("水壶", ResidualReason.TOO_SHORT),
        ("my kettle hums quietly", ResidualReason.BETWEEN),
        ("that parcel shop by the river sells stamps", ResidualReason.ALONE),
    ],
)
def test_says_why_an_opinion_fits_no_theme(two_themes: Classifier, text: str, reason: ResidualReason) -> None:
    (classified,) = two_themes.classify([text])
    assert classified.abstained == "no_theme"
    assert [opinion.residual for opinion in classified.opinions] == [reason]
    assert classified.opinions[0].themes == ()


def test_says_between_or_alone_by_how_near_the_second_theme_is(tiny_demo: Analysis) -> None:
    for coding in tiny_demo.codings:
        if coding.residual in (ResidualReason.BETWEEN, ResidualReason.ALONE):
            near = len(coding.nearest) == 2 and coding.nearest[0].strength - coding.nearest[1].strength < 0.05
            assert near == (coding.residual is ResidualReason.BETWEEN)


def test_names_causes_that_need_somebody_today(quick_config: MiningConfig) -> None:
    analysis = feedback_miner.mine([f"the parcel came {days} days late" for days in range(9)], config=quick_config)
    classifier = Classifier(analysis.theme_set)
    assert {cause.id for cause in classifier.taxonomy.causes if cause.urgent} == {"rude"}
    classified = classifier.classify(["the staff were rude, terrible, awful, never again", "the parcel came late, terrible, awful"])
    mapped = [{cause.cause for opinion in one.opinions for cause in opinion.causes} for one in classified]
    assert "rude" in mapped[0]
    assert classified[0].urgent == ("rude",)
    assert classified[1].urgent == ()


def test_takes_no_text_for_a_list(classifier: Classifier) -> None:
    with pytest.raises(InputError, match="list"):
        classifier.classify("the parcel came late")
    assert classifier.classify([]) == []


@pytest.mark.parametrize("texts", [[None], ["fine", 7], [b"bytes"]])
def test_refuses_what_is_no_text(classifier: Classifier, texts: list) -> None:
    with pytest.raises(InputError, match=f"text {len(texts) - 1} "):
        classifier.classify(texts)


def test_refuses_a_text_that_is_too_long_without_repeating_it(classifier: Classifier) -> None:
    with pytest.raises(InputError, match="text 1 has 10005 characters") as caught:
        classifier.classify(["fine", "4711 " * 2001])
    assert "4711" not in str(caught.value)
    assert classifier.classify(["late. " * 1666])[0].opinions


@pytest.mark.parametrize("text", ["\ud83d the parcel is late", "\x00late parcel\x00", "الطرد متأخر جدا", "荷物が遅い", "late " * 1_999])
def test_takes_any_characters(classifier: Classifier, text: str) -> None:
    (classified,) = classifier.classify([text])
    assert classified.opinions


# Folding


def sentiment(label: str) -> Sentiment:
    return {
        "neg": Sentiment(0.8, 0.1, 0.1),
        "pos": Sentiment(0.1, 0.1, 0.8),
        "neu": Sentiment(0.1, 0.8, 0.1),
        "weak": Sentiment(0.45, 0.3, 0.25),
    }[label]


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (["neg"], Polarity.NEGATIVE),
        (["pos", "pos"], Polarity.POSITIVE),
        (["neu", "neu"], Polarity.NEUTRAL),
        (["neg", "pos"], Polarity.MIXED),
        (["neg", "neu", "pos"], Polarity.MIXED),
        (["weak", "pos"], Polarity.POSITIVE),
        (["neg", "neu"], Polarity.NEGATIVE),
    ],
)
def test_folds_opinions_into_one_polarity(labels: list[str], expected: Polarity) -> None:
    opinions = [ReadOpinion(at * 10, at * 10 + 9, "", "") for at in range(len(labels))]
    assert fold_polarity(opinions, [sentiment(label) for label in labels])[0] is expected


def test_never_weighs_praise_against_blame(classifier: Classifier, tiny_demo: Analysis) -> None:
    """An item is mixed exactly where it holds a clear complaint and clear praise."""
    by_row = codings_by_row(tiny_demo)
    for item in tiny_demo.items:
        codings = by_row[tiny_demo.run.rows[item.id]]
        both = any(coding.sentiment.negative > 0.5 for coding in codings) and any(coding.sentiment.positive > 0.5 for coding in codings)
        assert (item.sentiment is Polarity.MIXED) == both


def test_calls_complaints_what_is_negative(tiny_demo: Analysis) -> None:
    for coding in tiny_demo.codings:
        if coding.type is FeedbackType.COMPLAINT:
            assert coding.sentiment.label is Polarity.NEGATIVE
        if coding.type is FeedbackType.PRAISE:
            assert coding.sentiment.label is Polarity.POSITIVE


# What does not belong together


def test_refuses_a_theme_set_of_another_encoder(tiny_demo: Analysis) -> None:
    strange = replace(tiny_demo.theme_set, encoder_version="tiny-0")
    with pytest.raises(ThemeSetError, match="tiny-0.*mine again"):
        Classifier(replace(strange, version=theme_set_version(strange)))


def test_refuses_a_theme_set_of_other_heads(tiny_demo: Analysis) -> None:
    strange = replace(tiny_demo.theme_set, heads_version="older")
    with pytest.raises(ThemeSetError, match="heads older.*mine again"):
        Classifier(replace(strange, version=theme_set_version(strange)))


def test_refuses_heads_of_another_encoder(tiny_demo: Analysis) -> None:
    embedder = TinyEmbedder()
    heads, _ = load_heads_for(embedder)
    with pytest.raises(ThemeSetError, match="e5-9.*train heads"):
        OpinionCoder(tiny_demo.theme_set, embedder, replace(heads, encoder_version="e5-9"), embedder)


def test_refuses_a_folder_without_a_theme_set(tmp_path: Path) -> None:
    with pytest.raises(ThemeSetError, match="feedback-miner analyze"):
        Classifier.load(tmp_path)
    with pytest.raises(ThemeSetError, match="feedback-miner analyze"):
        Classifier.load(str(tmp_path / "nowhere"))


@pytest.mark.parametrize("model", ["tiny", DEFAULT_ENCODER])
def test_refuses_heads_that_are_not_the_ones_in_the_manifest(tmp_path: Path, model: str) -> None:
    root = tmp_path / "models"
    shutil.copytree(models_root(), root)
    assert model_path(f"{model}/heads.npz", root=root) == root / model / "heads.npz"
    content = bytearray((root / model / "heads.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (root / model / "heads.npz").write_bytes(content)
    with pytest.raises(WeightsError, match=rf"{model}/heads\.npz is not the one in manifest"):
        model_path(f"{model}/heads.npz", root=root)


def test_gives_the_embedder_its_own_heads() -> None:
    embedder = TinyEmbedder()
    heads, heads_embedder = load_heads_for(embedder)
    assert heads_embedder is embedder
    assert heads.encoder_version == embedder.version


def test_codes_nothing_into_nothing(tiny_demo: Analysis) -> None:
    embedder = TinyEmbedder()
    assert OpinionCoder(tiny_demo.theme_set, embedder, *load_heads_for(embedder)).code([]) == []


def test_shows_its_theme_set(classifier: Classifier, tiny_demo: Analysis) -> None:
    assert classifier.theme_set.version == tiny_demo.theme_set.version
    assert classifier.taxonomy.version == tiny_demo.findings.versions["taxonomy_version"]
