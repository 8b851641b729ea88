"""The demo through the default encoder: how much of what was planted is found. Floors a few points under what was measured, not recordings.

An answer is matched to the opinion that overlaps its quote most. The demo is small and clean: a fall here is a fault, a rise proves little.
"""

import csv
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path

import pytest
from sklearn.metrics import adjusted_mutual_info_score

import feedback_miner
from feedback_miner.analysis import Analysis
from feedback_miner.demo import Answer, demo_path, load_answers, load_personal_data
from feedback_miner.domain import Coding, Polarity
from feedback_miner.reading import read_text

LEAF_AMI, PARENT_AMI = 0.34, 0.33
"""Over five seeds .38 to .42 and .37 to .41; the last bits of another processor act as another seed does."""
THEMES_RECOVERED = 3
"""Of the planted themes with twenty opinions or more."""
SENTIMENT_ACCURACY, TYPE_ACCURACY, CAUSE_ACCURACY = 0.69, 0.68, 0.31
NO_CONTENT_RECALL = 0.95
RISING = "damaged_parcel"


@dataclass(frozen=True)
class Matched:
    """An answer and what was read in the opinion that overlaps it most."""

    answer: Answer
    coding: Coding

    @property
    def leaf(self) -> str:
        return self.coding.themes[0].theme if self.coding.themes else "residual"


@pytest.fixture(scope="module")
def comments() -> dict[str, tuple[int, str]]:
    """Response id -> (line, comment)."""
    with demo_path().open(encoding="utf-8", newline="") as lines:
        return {row["response_id"]: (line, row["comment"]) for line, row in enumerate(csv.DictReader(lines), start=2)}


@pytest.fixture(scope="module")
def matched(default_demo: Analysis, comments: dict[str, tuple[int, str]]) -> list[Matched]:
    item_of = {document.id: document.item for document in default_demo.documents}
    by_row = defaultdict(list)
    for opinion, coding in zip(default_demo.opinions, default_demo.codings, strict=True):
        by_row[default_demo.run.rows[item_of[opinion.document]]].append((opinion, coding))
    found = []
    for answer in load_answers():
        row, comment = comments[answer.response_id]
        quote = comment.index(answer.quote)
        verbatim = read_text(comment).verbatim
        overlaps = []
        for at, (opinion, coding) in enumerate(by_row[row]):
            start, end = verbatim.source_span(opinion.start, opinion.end)
            overlaps.append((min(end, quote + len(answer.quote)) - max(start, quote), -at, coding))
        if overlaps and max(overlaps)[0] > 0 and answer.theme != "no_content":
            found.append(Matched(answer, max(overlaps)[2]))
    return found


@pytest.fixture(scope="module")
def planted(matched: list[Matched]) -> list[Matched]:
    """Those that belong to a planted theme."""
    return [match for match in matched if match.answer.theme]


@pytest.fixture(scope="module")
def groups(default_demo: Analysis, planted: list[Matched]) -> dict[str, Counter[str]]:
    """Theme found, leaf or parent -> planted themes of its members."""
    parents = {theme.id: theme.parent for theme in default_demo.themes}
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for match in planted:
        if match.coding.themes:
            for group in {match.leaf, parents[match.leaf]}:
                found[group][match.answer.theme] += 1
    return found


def test_finds_an_opinion_for_every_answer(matched: list[Matched]) -> None:
    assert len(matched) == sum(answer.theme != "no_content" for answer in load_answers())


def test_recovers_the_planted_themes(default_demo: Analysis, planted: list[Matched]) -> None:
    parents = {theme.id: theme.parent for theme in default_demo.themes}
    themes = [match.answer.theme for match in planted]
    assert adjusted_mutual_info_score(themes, [match.leaf for match in planted]) >= LEAF_AMI
    assert adjusted_mutual_info_score(themes, [parents.get(match.leaf, "residual") for match in planted]) >= PARENT_AMI


def test_finds_a_theme_of_their_own_for_the_large_planted_ones(planted: list[Matched], groups: dict[str, Counter[str]]) -> None:
    sizes = Counter(match.answer.theme for match in planted)
    large = {theme for theme, size in sizes.items() if size >= 20}
    recovered = {theme for theme in large for members in groups.values() if members[theme] >= max(10, 0.5 * members.total())}
    assert len(large) == 10
    assert len(recovered) >= THEMES_RECOVERED, f"of {sorted(large)} only {sorted(recovered)}"
    assert RISING in recovered


def test_gives_most_opinions_a_theme(default_demo: Analysis) -> None:
    counts = default_demo.findings.counts
    assert counts.themed / (counts.themed + counts.residual) > 0.85
    assert 10 <= sum(theme.parent is not None for theme in default_demo.themes) <= 60  # 13 to 20 over seven seeds


def test_reads_the_planted_sentiment(matched: list[Matched]) -> None:
    right = [match.coding.sentiment.label is match.answer.sentiment for match in matched]
    assert sum(right) / len(right) >= SENTIMENT_ACCURACY


def test_reads_the_planted_type(matched: list[Matched]) -> None:
    right = [match.coding.type is match.answer.type for match in matched]
    assert sum(right) / len(right) >= TYPE_ACCURACY


def test_maps_blame_to_the_planted_cause(matched: list[Matched]) -> None:
    blamed = [match for match in matched if match.answer.sentiment is Polarity.NEGATIVE and match.answer.cause]
    right = [bool(match.coding.causes) and match.coding.causes[0].cause == match.answer.cause for match in blamed]
    assert len(blamed) > 250
    assert sum(right) / len(right) >= CAUSE_ACCURACY


def test_sees_the_planted_theme_rise(default_demo: Analysis, planted: list[Matched], groups: dict[str, Counter[str]]) -> None:
    """In a leaf or, where leaves tell crushed from torn, in their parent: it rises more than any other, and least by chance.

    Called ``rising`` only under .05 after correction for the number of themes: over five seeds it stands at .01 to .28, all that is not its
    home at .88 or more; on another processor, with one seed, at .03, and one of the others at .35.
    """
    size = sum(match.answer.theme == RISING for match in planted)
    homes = [theme for theme, members in groups.items() if members[RISING] > 0.5 * size and members[RISING] > 0.5 * members.total()]
    trends = [trend for theme in homes if (trend := default_demo.measures[theme].trend)]
    assert max(trend.change for trend in trends) > 0.04
    assert min(trend.p_adjusted for trend in trends) < 0.4
    kin = {*homes, *(theme.parent for theme in default_demo.themes if theme.id in homes)}
    others = [trend for theme in default_demo.themes if theme.id not in kin and (trend := default_demo.measures[theme.id].trend)]
    assert max(trend.change for trend in others) < max(trend.change for trend in trends)
    assert min(trend.p_adjusted for trend in others) > max(0.05, min(trend.p_adjusted for trend in trends))
    assert {(trend.periods[0], trend.periods[-1]) for trend in trends} == {("2026-03", "2026-08")}


def test_raises_no_other_alarm(default_demo: Analysis, groups: dict[str, Counter[str]]) -> None:
    """Nothing else moves on purpose: at most one leaf may do so by chance."""
    leaves = {theme.id for theme in default_demo.themes if theme.parent is not None}
    moving = {theme for theme in leaves if (trend := default_demo.measures[theme].trend) and trend.direction != "steady"}
    assert len({theme for theme in moving if groups[theme][RISING] < 0.5 * groups[theme].total()}) <= 1


def test_sets_answers_without_content_aside(default_demo: Analysis, comments: dict[str, tuple[int, str]]) -> None:
    empty = {comments[answer.response_id][0] for answer in load_answers() if answer.theme == "no_content"}
    found = {default_demo.run.rows[item.id] for item in default_demo.items if item.status == "no_content"}
    assert len(empty & found) / len(empty) >= NO_CONTENT_RECALL
    assert found <= empty, "no opinion is taken for an empty answer"


def test_finds_themes_in_both_languages_at_once(default_demo: Analysis) -> None:
    language = {document.id: document.language for document in default_demo.documents}
    members: dict[str, Counter[str]] = defaultdict(Counter)
    for opinion, coding in zip(default_demo.opinions, default_demo.codings, strict=True):
        for membership in coding.themes:
            members[membership.theme][language[opinion.document]] += 1
    large = [counts for counts in members.values() if counts.total() >= 10]
    assert len(large) >= 10
    assert sum(counts["zh"] > 0 and counts["en"] > 0 for counts in large) > 0.5 * len(large)


def test_names_every_theme_in_the_languages_of_its_members(default_demo: Analysis) -> None:
    assert all({"zh", "en"} & set(theme.names) for theme in default_demo.themes)
    bilingual = [theme for theme in default_demo.themes if {"zh", "en"} <= set(theme.names)]
    assert len(bilingual) > 0.5 * len(default_demo.themes)


def test_classifies_demo_comments_as_the_analysis_did(
    default_demo: Analysis, default_demo_folder: Path, comments: dict[str, tuple[int, str]]
) -> None:
    sample = [comment for _, comment in list(comments.values())[::9] if comment]
    text_of = {document.id: document.text for document in default_demo.documents}
    expected = defaultdict(list)
    for opinion, coding in zip(default_demo.opinions, default_demo.codings, strict=True):
        causes = [(cause.cause, cause.score, cause.runner_up, cause.runner_up_score) for cause in coding.causes]
        expected[text_of[opinion.document]].append((opinion.text, coding.sentiment, coding.type, coding.themes, coding.residual, causes))
    classifier = feedback_miner.Classifier.load(default_demo_folder)
    together = classifier.classify(sample)
    assert [classifier.classify([comment])[0] for comment in sample] == together
    for comment, classified in zip(sample, together, strict=True):
        found = [
            (
                opinion.text,
                opinion.sentiment,
                opinion.type,
                opinion.themes,
                opinion.residual,
                [(cause.cause, cause.score, cause.runner_up, cause.runner_up_score) for cause in opinion.causes],
            )
            for opinion in classified.opinions
        ]
        # Stock answers occur several times.
        said = expected[read_text(comment).verbatim.text]
        assert found == said[: len(found)]
        assert not found or len(said) % len(found) == 0


def test_writes_no_personal_data_into_any_file(default_demo_folder: Path) -> None:
    written = b"\0".join(path.read_bytes() for path in sorted(default_demo_folder.iterdir()))
    assert [(planted.kind, planted.response_id) for planted in load_personal_data() if planted.value.encode() in written] == []
