"""Counting rules, by hand on a handful of responses and as properties on drawn ones."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_miner.domain import (
    Aspect,
    CauseScore,
    Coding,
    ContentStatus,
    Document,
    FeedbackType,
    ItemRecord,
    Opinion,
    ScoreKind,
    Sentiment,
    Theme,
    ThemeScore,
)
from feedback_miner.insight.measures import UNMAPPED, measure
from feedback_miner.insight.scores import summarise_scores, wilson_interval

THEMES = (
    Theme("logistics", None, {"en": "Logistics"}),
    Theme("late", "logistics", {"en": "Parcels come late"}),
    Theme("broken", "logistics", {"en": "Parcels come broken"}),
    Theme("staff", None, {"en": "Staff"}),
    Theme("kind", "staff", {"en": "Kind staff"}),
)
DRIVERS = {"process.delivery": "process", "process.returns": "process", "service.attitude": "service"}
NEGATIVE, NEUTRAL, POSITIVE = Sentiment(0.9, 0.05, 0.05), Sentiment(0.1, 0.8, 0.1), Sentiment(0.02, 0.08, 0.9)


def item(name, *, status="themed", score=None, day=None, customer=None, weight=1.0):
    created_at = None if day is None else datetime(2026, 3, 1, tzinfo=UTC) + timedelta(days=day)
    return ItemRecord(name, status, score, created_at, customer, None, weight, {}, None, None)


def opinion(owner, number, sentiment, *, themes=(), causes=(), aspects=(), kind=FeedbackType.COMPLAINT):
    document = f"{owner}.0"
    said = Opinion(f"{document}#{number}", document, 0, 4, "text")
    coding = Coding(
        said.id,
        tuple(ThemeScore(theme, 0.9) for theme in themes),
        None,
        (),
        sentiment,
        kind,
        tuple(Aspect(cause, 0.8) for cause in aspects),
        tuple(CauseScore(cause, 0.8, None, 0.0, 0, 4) for cause in causes),
    )
    return said, coding


def count(items, said, **options):
    documents = [Document(f"{record.id}.0", record.id, "why", "text", "en", ContentStatus.THEMED) for record in items]
    pairs = list(said)
    return measure(
        items,
        documents,
        [one for one, _ in pairs],
        [coding for _, coding in pairs],
        **{"themes": THEMES, "drivers": DRIVERS, "bootstrap_samples": 50, **options},
    )


def by_subject(measures):
    return {counted.subject: counted for counted in measures}


def test_measure_counts_a_person_once_for_theme_and_parent():
    items = [item("a"), item("b"), item("c", status="residual"), item("d", status="no_content"), item("e", status="without_text")]
    said = [
        opinion("a", 0, NEGATIVE, themes=["late"]),
        opinion("a", 1, NEGATIVE, themes=["late", "broken"]),
        opinion("a", 2, POSITIVE, themes=["kind"], kind=FeedbackType.PRAISE),
        opinion("b", 0, NEUTRAL, themes=["broken"], kind=FeedbackType.STATEMENT),
        opinion("c", 0, NEGATIVE),
    ]
    themes = by_subject(count(items, said).theme_measures)
    assert {subject: (found.people, found.opinions) for subject, found in themes.items()} == {
        "logistics": (2, 3),
        "late": (1, 2),
        "broken": (2, 2),
        "staff": (1, 1),
        "kind": (1, 1),
    }
    assert themes["logistics"].share == pytest.approx(2 / 3)  # a, b and c have minable text
    assert themes["logistics"].interval == wilson_interval(2, 3)
    assert themes["logistics"].polarity == {"negative": 2, "neutral": 1, "positive": 0}
    assert themes["logistics"].types == {"complaint": 2, "praise": 0, "suggestion": 0, "question": 0, "statement": 1}
    assert themes["logistics"].customers is None
    assert themes["logistics"].score is None
    assert themes["logistics"].impact is None
    assert themes["logistics"].trend is None


def test_measure_orders_by_people_then_id():
    items = [item("a"), item("b")]
    said = [opinion("a", 0, NEGATIVE, themes=["broken"]), opinion("b", 0, NEGATIVE, themes=["late"])]
    assert [found.subject for found in count(items, said).theme_measures] == ["logistics", "broken", "late", "kind", "staff"]


def test_measure_counts_causes_for_negative_and_strengths_for_positive_opinions_only():
    items = [item("a"), item("b"), item("c")]
    said = [
        opinion("a", 0, NEGATIVE, causes=["process.delivery", "process.returns"], aspects=["process.delivery"]),
        opinion("a", 1, NEGATIVE, causes=["process.delivery"]),
        opinion("b", 0, POSITIVE, causes=["process.returns"], aspects=["process.delivery", "process.delivery"]),
        opinion("c", 0, NEUTRAL, aspects=["service.attitude"]),
    ]
    counted = count(items, said)
    causes = by_subject(counted.cause_measures)
    assert {subject: (found.people, found.opinions) for subject, found in causes.items()} == {
        "process": (1, 2),
        "process.delivery": (1, 2),
        "process.returns": (1, 1),
        "service": (0, 0),  # a driver nobody blames is a finding; a cause nobody blames is no row
    }
    assert {found.subject: found.people for found in counted.strength_measures} == {"process.delivery": 1}


def test_measure_crosses_the_causes_of_detractors_with_leaf_themes():
    items = [item("a", score=2.0), item("b", score=6.0), item("c", score=7.0), item("d")]
    said = [
        opinion("a", 0, NEGATIVE, themes=["late"], causes=["process.delivery"]),
        opinion("a", 1, NEGATIVE, themes=["late"]),
        opinion("b", 0, NEGATIVE, themes=["late", "broken"], causes=["process.delivery"]),
        opinion("b", 1, POSITIVE, themes=["kind"]),
        opinion("c", 0, NEGATIVE, themes=["late"], causes=["process.delivery"]),
        opinion("d", 0, NEGATIVE, themes=["late"], causes=["process.delivery"]),
    ]
    assert count(items, said, score_kind=ScoreKind.NPS).detractor_causes == (
        ("late", "process.delivery", 2),
        ("broken", "process.delivery", 1),
        ("late", UNMAPPED, 1),
    )


def test_measure_crosses_the_causes_of_everybody_without_a_score():
    items = [item("a"), item("b")]
    said = [
        opinion("a", 0, NEGATIVE, themes=["late"], causes=["process.delivery"]),
        opinion("b", 0, NEGATIVE, themes=["late"], causes=["process.delivery"]),
    ]
    assert count(items, said).detractor_causes == (("late", "process.delivery", 2),)


def scored_run():
    items = [item(f"i{number:02d}", score=float(number % 11), day=number * 3, customer=f"k{number // 2}") for number in range(40)]
    items.append(item("silent", status="without_text", score=10.0))
    said = [opinion(f"i{number:02d}", 0, NEGATIVE, themes=["late"]) for number in range(0, 40, 2)]
    said += [opinion(f"i{number:02d}", 0, POSITIVE, themes=["kind"]) for number in range(1, 8, 2)]
    return items, said


def test_measure_scores_all_responses_and_the_people_of_a_theme():
    items, said = scored_run()
    counted = count(items, said, score_kind=ScoreKind.NPS)
    assert counted.score == summarise_scores([record.score for record in items], ScoreKind.NPS)
    late = by_subject(counted.theme_measures)["late"]
    people = [record.score for number, record in enumerate(items[:40]) if number % 2 == 0]
    assert late.score == summarise_scores(people, ScoreKind.NPS)
    rest = summarise_scores([record.score for number, record in enumerate(items) if number == 40 or number % 2], ScoreKind.NPS)
    assert late.impact.leave_out == pytest.approx(counted.score.value - rest.value)
    assert late.customers == 20


def test_measure_does_not_break_down_small_groups():
    items, said = scored_run()
    kind = by_subject(count(items, said, score_kind=ScoreKind.NPS).theme_measures)["kind"]
    assert (kind.people, kind.score, kind.impact) == (4, None, None)
    kind = by_subject(count(items, said, score_kind=ScoreKind.NPS, min_group_people=4).theme_measures)["kind"]
    assert kind.score.people == 4
    assert kind.impact is not None


def test_measure_follows_score_and_themes_through_time():
    items, said = scored_run()
    counted = count(items, said, score_kind=ScoreKind.NPS)
    assert [label for label, _ in counted.score_trend] == ["2026-03", "2026-04", "2026-05", "2026-06"]
    assert sum(summary.people for _, summary in counted.score_trend) == 40  # the silent one has no date
    trend = by_subject(counted.theme_measures)["late"].trend
    assert trend.periods == ("2026-03", "2026-04", "2026-05", "2026-06")
    assert sum(trend.people) == 20
    assert sum(trend.base) == 40
    assert trend.direction == "steady"
    assert count(items, said, score_kind=ScoreKind.NPS, min_group_people=11).score_trend == counted.score_trend[:1]


def test_measure_applies_weights_to_shares_not_to_counts():
    items = [item("a", weight=3.0, score=10.0), item("b", score=0.0), item("c", score=0.0)]
    said = [opinion("a", 0, NEGATIVE, themes=["late"])]
    counted = count(items, said, score_kind=ScoreKind.NPS)
    late = by_subject(counted.theme_measures)["late"]
    assert late.people == 1
    assert late.share == pytest.approx(3 / 5)
    assert late.interval == wilson_interval(0.6 * 25 / 11, 25 / 11)  # Kish: 5^2 / (9 + 1 + 1)
    assert counted.score.value == pytest.approx(20.0)


def test_measure_ignores_numbers_of_unknown_kind():
    items, said = scored_run()
    counted = count(items, said)
    assert counted.score is None
    assert counted.score_trend == ()
    assert all(found.score is None and found.impact is None for found in counted.theme_measures)


def test_measure_of_nothing_is_empty_but_whole():
    counted = count([], [], score_kind=ScoreKind.NPS)
    assert counted.score is None
    assert [(found.people, found.share) for found in counted.theme_measures] == [(0, 0.0)] * 5
    assert {found.subject for found in counted.cause_measures} == {"process", "service"}
    assert counted.strength_measures == ()
    assert count([], [], themes=(), drivers={}).theme_measures == ()


@settings(deadline=None)
@given(st.randoms(use_true_random=False), st.integers(2, 30))
def test_measure_is_the_same_whatever_the_row_order(random, size):
    items = [
        item(f"i{number}", score=float(random.randint(0, 10)), day=random.randint(0, 40), weight=random.uniform(0.1, 3.0))
        for number in range(size)
    ]
    said = [
        opinion(
            f"i{number}",
            0,
            random.choice([NEGATIVE, NEUTRAL, POSITIVE]),
            themes=random.sample(["late", "broken", "kind"], random.randint(0, 2)),
            causes=random.sample(sorted(DRIVERS), random.randint(0, 2)),
            aspects=random.sample(sorted(DRIVERS), random.randint(0, 2)),
        )
        for number in range(size)
    ]
    straight = count(items, said, score_kind=ScoreKind.NPS)
    order = list(range(size))
    random.shuffle(order)
    shuffled = count([items[row] for row in order], [said[row] for row in order], score_kind=ScoreKind.NPS)
    assert shuffled == straight
    for found in straight.theme_measures:
        assert found.interval.low <= found.share <= found.interval.high
        assert sum(found.polarity.values()) == sum(found.types.values()) == found.opinions >= found.people
    themes = by_subject(straight.theme_measures)
    assert max(themes["late"].people, themes["broken"].people) <= themes["logistics"].people


def test_measure_accounts_for_everybody_over_many_themes():
    leaves = [Theme(f"t{number}", "top", {"en": "x"}) for number in range(200)]
    generator = np.random.default_rng(0)
    items = [item(f"i{number}", score=float(number % 11), day=number % 300) for number in range(5_000)]
    said = [opinion(f"i{number}", 0, NEGATIVE, themes=[f"t{generator.integers(200)}"]) for number in range(5_000)]
    counted = count(items, said, themes=[Theme("top", None, {"en": "All"}), *leaves], score_kind=ScoreKind.NPS)
    assert counted.theme_measures[0].people == 5_000
    assert sum(found.people for found in counted.theme_measures[1:]) == 5_000
    assert counted.theme_measures[0].impact is None  # nobody is left without it
    assert sum(found.impact is not None for found in counted.theme_measures) == 200
