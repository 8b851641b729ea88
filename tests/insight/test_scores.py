"""Scores and intervals against figures worked out by hand or published."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from feedback_miner.domain import Interval, ScoreKind
from feedback_miner.errors import InputError
from feedback_miner.insight.scores import (
    GROUPS,
    SCALES,
    effective_size,
    is_detractor,
    nps_interval,
    score_range,
    summarise_scores,
    wilson_interval,
)

ANSWERS = st.sampled_from(list(ScoreKind)).flatmap(
    lambda kind: st.tuples(
        st.just(kind),
        st.lists(st.integers(int(SCALES[kind][0]), int(SCALES[kind][1])).map(float), min_size=1, max_size=60),
    )
)


@pytest.mark.parametrize(("n", "half"), [(100, 15.3), (400, 7.7), (1000, 4.8)])
def test_nps_interval_matches_the_check_figures(n, half):
    answers = [10.0] * (n // 2) + [0.0] * (n // 5) + [7.0] * (n - n // 2 - n // 5)
    summary = summarise_scores(answers, ScoreKind.NPS)
    assert summary.value == pytest.approx(30.0)
    assert summary.interval.high - summary.value == pytest.approx(half, abs=0.05)
    assert summary.value - summary.interval.low == pytest.approx(half, abs=0.05)
    assert not summary.few
    assert summary.groups == {"detractors": n // 5, "passives": n - n // 2 - n // 5, "promoters": n // 2}


def test_nps_interval_is_adjusted_wald_for_few_answers():
    # By hand: n = 10, p = .6, d = .2 -> p~ = 6.75 / 13, d~ = 2.75 / 13, centre .307692, variance (.730769 - .094675) / 13 = .048930.
    summary = summarise_scores([10.0] * 6 + [3.0] * 2 + [8.0] * 2, ScoreKind.NPS)
    assert summary.value == pytest.approx(40.0)
    assert summary.few
    assert summary.interval.low == pytest.approx(100 * (0.307692 - 1.959964 * 0.221201), abs=0.01)
    assert summary.interval.high == pytest.approx(100 * (0.307692 + 1.959964 * 0.221201), abs=0.01)


def test_nps_interval_is_adjusted_where_a_group_is_empty():
    everyone_promotes = summarise_scores([10.0] * 100, ScoreKind.NPS)
    assert everyone_promotes.value == 100.0
    assert everyone_promotes.interval.high == 100.0
    assert 90 < everyone_promotes.interval.low < 97  # the plain Wald interval would be 100..100
    nobody_detracts = summarise_scores([10.0] * 60 + [7.0] * 40, ScoreKind.NPS)
    assert nobody_detracts.interval == nps_interval(0.6, 0.0, 100, adjusted=True)


def test_nps_interval_holds_the_value_of_a_single_answer():
    summary = summarise_scores([10.0], ScoreKind.NPS)
    assert summary.value == 100.0
    assert summary.interval.high == 100.0
    assert summary.interval.low < -40


@pytest.mark.parametrize(
    ("value", "kind", "group"),
    [
        (10, ScoreKind.NPS, "promoters"),
        (9.5, ScoreKind.NPS, "promoters"),
        (9, ScoreKind.NPS, "promoters"),
        (8.9, ScoreKind.NPS, "passives"),
        (6.5, ScoreKind.NPS, "passives"),
        (6, ScoreKind.NPS, "detractors"),
        (0, ScoreKind.NPS, "detractors"),
        (4, ScoreKind.CSAT, "satisfied"),
        (3.9, ScoreKind.CSAT, "unsatisfied"),
        (5.9, ScoreKind.CES, "5"),
        (4.5, ScoreKind.STARS, "4"),
    ],
)
def test_answers_count_in_their_group(value, kind, group):
    assert summarise_scores([value], kind).groups[group] == 1


@pytest.mark.parametrize(
    ("value", "kind", "unhappy"),
    [
        (6, ScoreKind.NPS, True),
        (7, ScoreKind.NPS, False),
        (3, ScoreKind.CSAT, True),
        (4, ScoreKind.CSAT, False),
        (4, ScoreKind.CES, True),
        (5, ScoreKind.CES, False),
        (3.5, ScoreKind.STARS, True),
        (4, ScoreKind.STARS, False),
    ],
)
def test_is_detractor_draws_the_line(value, kind, unhappy):
    assert is_detractor(value, kind) is unhappy


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (0, 0, 0.0, 1.0),
        (81, 263, 0.2553, 0.3662),  # R. G. Newcombe, Statistics in Medicine 17 (1998), table I
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_matches_published_figures(successes, n, low, high):
    interval = wilson_interval(successes, n)
    assert interval.low == pytest.approx(low, abs=5e-5)
    assert interval.high == pytest.approx(high, abs=5e-5)


@settings(deadline=None)
@given(st.floats(0, 1), st.floats(0.01, 1e6))
def test_wilson_interval_holds_its_share_for_fractional_counts(share, n):
    interval = wilson_interval(share * n, n)
    assert 0 <= interval.low <= min(1.0, share * n / n) <= interval.high <= 1


def test_csat_is_the_share_of_the_top_two_boxes():
    summary = summarise_scores([5.0, 4.0, 4.0, 3.0, 1.0], ScoreKind.CSAT)
    assert summary.value == pytest.approx(0.6)
    assert summary.mean == pytest.approx(3.4)
    assert summary.top_box is None
    assert summary.groups == {"satisfied": 3, "unsatisfied": 2}
    assert summary.interval == wilson_interval(3, 5)


def test_ces_is_a_mean_with_students_interval_and_a_top_box():
    summary = summarise_scores([7.0, 6.0, 5.0, 2.0], ScoreKind.CES)
    # By hand: mean 5, s^2 = (4 + 1 + 0 + 9) / 3, se = sqrt(s^2 / 4) = 1.0801, t(3) = 3.1824 -> 5 +- 3.44, clipped to 1..7.
    assert summary.value == pytest.approx(5.0)
    assert summary.interval.low == pytest.approx(5 - 3.4374, abs=1e-3)
    assert summary.interval.high == 7.0
    assert summary.top_box == pytest.approx(0.5)
    assert summary.groups == {"1": 0, "2": 1, "3": 0, "4": 0, "5": 1, "6": 1, "7": 1}


def test_stars_without_spread_are_not_certain():
    summary = summarise_scores([5.0, 5.0, 5.0], ScoreKind.STARS)
    assert summary.value == 5.0
    assert summary.interval.high == 5.0
    assert 1.0 < summary.interval.low < 4.0


def test_weights_move_the_score_and_widen_the_interval():
    answers = [10.0] * 50 + [0.0] * 50
    plain = summarise_scores(answers, ScoreKind.NPS)
    weighted = summarise_scores(answers, ScoreKind.NPS, weights=[3.0] * 50 + [1.0] * 50)
    assert plain.value == pytest.approx(0.0)
    assert weighted.value == pytest.approx(50.0)  # 150 of 200 by weight promote
    assert weighted.people == 100
    assert weighted.groups == plain.groups
    assert effective_size(np.array([3.0] * 50 + [1.0] * 50)) == pytest.approx(80.0)  # 200^2 / 500
    assert weighted.interval == nps_interval(0.75, 0.25, 80.0, adjusted=True)


@settings(deadline=None)
@given(ANSWERS)
def test_equal_weights_change_nothing(drawn):
    kind, answers = drawn
    plain, weighted = summarise_scores(answers, kind), summarise_scores(answers, kind, weights=[2.5] * len(answers))
    assert weighted.value == pytest.approx(plain.value)
    assert weighted.interval.low == pytest.approx(plain.interval.low, abs=1e-6)
    assert weighted.interval.high == pytest.approx(plain.interval.high, abs=1e-6)


@settings(deadline=None)
@given(ANSWERS)
def test_interval_holds_the_value_and_counts_everybody(drawn):
    kind, answers = drawn
    summary = summarise_scores(answers, kind)
    assert summary.interval.low - 1e-9 <= summary.value <= summary.interval.high + 1e-9
    assert sum(summary.groups.values()) == summary.people == len(answers)


def test_summarise_scores_is_none_without_answers_or_weight():
    assert summarise_scores([], ScoreKind.NPS) is None
    assert summarise_scores([9.0, 3.0], ScoreKind.NPS, weights=[0.0, 0.0]) is None


@pytest.mark.parametrize(
    ("answers", "weights", "message"),
    [
        ([11.0, 3.0], None, "1 answers lie outside the nps scale 0..10, such as 11"),
        ([float("nan")], None, "outside the nps scale"),
        ([9.0], [-1.0], "weights must be finite"),
        ([9.0], [float("inf")], "weights must be finite"),
        ([9.0, 8.0], [1.0], "1 weights for 2 answers"),
    ],
)
def test_summarise_scores_refuses_what_it_cannot_mean(answers, weights, message):
    with pytest.raises(InputError, match=message):
        summarise_scores(answers, ScoreKind.NPS, weights=weights)


def test_wilson_interval_of_nothing_is_everything():
    assert wilson_interval(3, -1) == Interval(0.0, 1.0)


@pytest.mark.parametrize("kind", list(ScoreKind))
def test_every_answer_is_in_one_group_and_the_first_group_is_unhappy(kind):
    low, high = SCALES[kind]
    for answer in np.arange(low, high + 0.25, 0.25):
        inside = [group for group in GROUPS[kind] if score_range(group, kind)[0] <= answer < score_range(group, kind)[1]]
        assert len(inside) == 1
        assert (inside[0] == next(iter(GROUPS[kind]))) is is_detractor(float(answer), kind)


def test_groups_count_as_the_summary_does():
    answers = [0.0, 6.0, 6.5, 7.0, 8.9, 9.0, 10.0]
    summary = summarise_scores(answers, ScoreKind.NPS)
    for group, name in (("detractor", "detractors"), ("passive", "passives"), ("promoter", "promoters")):
        low, high = score_range(group, ScoreKind.NPS)
        assert sum(low <= answer < high for answer in answers) == summary.groups[name]


def test_a_kind_of_score_without_such_a_group_says_which_it_has():
    with pytest.raises(InputError, match="csat scores have no group 'promoter'; choose among unsatisfied, satisfied"):
        score_range("promoter", ScoreKind.CSAT)
