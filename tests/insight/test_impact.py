"""Leave-out impact against hand-worked figures and against a bootstrap over people written the plain way."""

import numpy as np
import pytest

from feedback_miner.domain import Impact, Interval, ScoreKind
from feedback_miner.insight.impact import measure_impacts
from feedback_miner.insight.scores import summarise_scores

SCORES = np.array([10.0] * 40 + [8.0] * 20 + [2.0] * 40)
THEME = np.array([False] * 55 + [True] * 45)


def leave_out_impact(scores, in_theme, kind, **options) -> Impact | None:
    """The impact of one theme, by who is in it."""
    return measure_impacts(scores, {"": np.flatnonzero(in_theme)}, kind, **options)[""]


def test_leave_out_impact_is_all_minus_those_without():
    impact = leave_out_impact(SCORES, THEME, ScoreKind.NPS, samples=200, seed=7)
    # All: 40 - 40 = 0. Without the theme: 40 promoters of 55 and no detractor.
    assert impact.leave_out == pytest.approx(0 - 100 * 40 / 55)
    assert impact.interval.low < impact.leave_out < impact.interval.high < 0


@pytest.mark.parametrize("kind", [ScoreKind.CSAT, ScoreKind.STARS])
def test_leave_out_impact_uses_the_unit_of_the_score(kind):
    answers = np.array([5.0, 4.0, 2.0, 1.0])
    impact = leave_out_impact(answers, np.array([False, False, False, True]), kind, samples=100, seed=1)
    whole, rest = summarise_scores(answers, kind), summarise_scores(answers[:3], kind)
    assert impact.leave_out == pytest.approx(whole.value - rest.value)


def test_leave_out_impact_agrees_with_a_plain_bootstrap_over_people():
    generator = np.random.default_rng(3)
    contributions = 100.0 * ((SCORES >= 9).astype(float) - (SCORES <= 6))
    draws = []
    for _ in range(2000):
        chosen = generator.integers(0, SCORES.size, SCORES.size)
        left = chosen[~THEME[chosen]]
        draws.append(contributions[chosen].mean() - contributions[left].mean())
    low, high = np.quantile(draws, [0.025, 0.975])
    impact = leave_out_impact(SCORES, THEME, ScoreKind.NPS, samples=2000, seed=7)
    assert impact.interval.low == pytest.approx(low, abs=2.5)
    assert impact.interval.high == pytest.approx(high, abs=2.5)


def test_leave_out_impact_applies_weights():
    weights = np.where(SCORES > 9, 3.0, 1.0)
    impact = leave_out_impact(SCORES, THEME, ScoreKind.NPS, samples=200, seed=7, weights=weights)
    whole = summarise_scores(SCORES, ScoreKind.NPS, weights=weights)
    rest = summarise_scores(SCORES[~THEME], ScoreKind.NPS, weights=weights[~THEME])
    assert impact.leave_out == pytest.approx(whole.value - rest.value)


def test_leave_out_impact_with_continuous_weights_stays_close_to_the_counted_one():
    generator = np.random.default_rng(11)
    scores = np.tile(SCORES, 20)
    theme = np.tile(THEME, 20)
    nearly_equal = 1 + generator.uniform(-1e-6, 1e-6, scores.size)  # 2,000 distinct weights: the normal limit
    plain = leave_out_impact(scores, theme, ScoreKind.NPS, samples=2000, seed=7)
    weighted = leave_out_impact(scores, theme, ScoreKind.NPS, samples=2000, seed=7, weights=nearly_equal)
    assert weighted.leave_out == pytest.approx(plain.leave_out, abs=1e-3)
    assert weighted.interval.low == pytest.approx(plain.interval.low, abs=0.6)
    assert weighted.interval.high == pytest.approx(plain.interval.high, abs=0.6)


@pytest.mark.parametrize("theme", [np.zeros(100, dtype=bool), np.ones(100, dtype=bool)])
def test_leave_out_impact_is_none_without_theme_or_rest(theme):
    assert leave_out_impact(SCORES, theme, ScoreKind.NPS, samples=50, seed=1) is None


def test_leave_out_impact_is_none_without_answers():
    assert leave_out_impact([], np.zeros(0, dtype=bool), ScoreKind.NPS, samples=50, seed=1) is None


def test_leave_out_impact_is_none_where_the_rest_has_no_weight():
    assert leave_out_impact([9.0, 3.0], np.array([True, False]), ScoreKind.NPS, samples=50, seed=1, weights=[1.0, 0.0]) is None


def test_leave_out_impact_survives_draws_without_a_rest():
    impact = leave_out_impact([9.0, 3.0], np.array([True, False]), ScoreKind.NPS, samples=200, seed=1)
    assert impact.leave_out == pytest.approx(100.0)
    assert impact.interval.low <= 100 <= impact.interval.high


def test_leave_out_impact_has_no_width_where_no_draw_leaves_anybody():
    drawn = [leave_out_impact([9.0, 3.0], np.array([True, False]), ScoreKind.NPS, samples=1, seed=seed) for seed in range(20)]
    assert Interval(100.0, 100.0) in [impact.interval for impact in drawn]
    assert {impact.leave_out for impact in drawn} == {100.0}


def test_leave_out_impact_is_the_same_for_shuffled_people_and_reruns():
    order = np.random.default_rng(5).permutation(SCORES.size)
    first = leave_out_impact(SCORES, THEME, ScoreKind.NPS, samples=100, seed=7)
    assert leave_out_impact(SCORES[order], THEME[order], ScoreKind.NPS, samples=100, seed=7) == first
    assert leave_out_impact(SCORES, THEME, ScoreKind.NPS, samples=100, seed=8) != first


def test_measure_impacts_does_not_depend_on_other_subjects():
    alone = measure_impacts(SCORES, {"a": np.flatnonzero(THEME)}, ScoreKind.NPS, samples=100, seed=7)
    among = measure_impacts(SCORES, {"b": [1, 2, 99], "a": np.flatnonzero(THEME)}, ScoreKind.NPS, samples=100, seed=7)
    assert alone["a"] == among["a"]


def test_leave_out_impact_counts_what_rides_along():
    """A world where B rides along with A: B changes nothing, and its leave-out is about -7.5 all the same, A's about -18."""
    generator = np.random.default_rng(1)
    n = 200_000
    a = generator.random(n) < 0.2
    b = generator.random(n) < np.where(a, 0.5, 0.05)
    drawn = generator.random(n)
    promoters = drawn < np.where(a, 0.10, 0.55)
    detractors = drawn > np.where(a, 0.35, 0.80)
    scores = np.where(promoters, 10.0, np.where(detractors, 0.0, 7.0))
    assert leave_out_impact(scores, a, ScoreKind.NPS, samples=20, seed=1).leave_out == pytest.approx(-18.0, abs=0.6)
    assert leave_out_impact(scores, b, ScoreKind.NPS, samples=20, seed=1).leave_out == pytest.approx(-7.5, abs=0.6)
