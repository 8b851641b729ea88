"""Periods, tests and directions of trends."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from scipy import stats

from feedback_miner.insight.trends import compare_shares, divide_time, measure_trends, trend_in_shares

START = datetime(2026, 1, 1, tzinfo=UTC)


def days(*numbers):
    return [START + timedelta(days=number) for number in numbers]


@pytest.mark.parametrize(
    ("span", "unit", "first", "last", "count"),
    [
        (0, "day", "2026-01-01", "2026-01-01", 1),
        (14, "day", "2026-01-01", "2026-01-15", 15),
        (15, "week", "2026-W01", "2026-W03", 3),
        (75, "week", "2026-W01", "2026-W12", 12),
        (76, "month", "2026-01", "2026-03", 3),
        (365, "month", "2026-01", "2027-01", 13),
        (3650, "month", "2033-01", "2035-12", 36),
    ],
)
def test_divide_time_chooses_equal_periods(span, unit, first, last, count):
    periods = divide_time(days(span, 0))
    assert periods.unit == unit
    assert (periods.labels[0], periods.labels[-1], len(periods.labels)) == (first, last, count)
    assert list(periods.labels) == sorted(periods.labels)


def test_divide_time_leaves_no_gap_and_handles_the_earliest_date():
    assert divide_time([datetime(1, 1, 1, tzinfo=UTC), datetime(1, 1, 20, tzinfo=UTC)]).labels == ("0001-W01", "0001-W02", "0001-W03")
    assert divide_time([]) is None


def test_locate_marks_times_before_the_first_period():
    periods = divide_time(days(0, 3650))
    assert periods.locate(days(0, 3650)).tolist() == [-1, 35]


@pytest.mark.parametrize(
    ("before", "exposed_before", "after", "exposed_after", "p"),
    [
        (10, 100, 25, 100, 0.005349),  # z = .15 / sqrt(.175 * .825 * .02) = 2.7914..., two-sided .00525
        (50, 100, 50, 100, 1.0),
        (0, 50, 6, 50, 0.026657),  # Fisher: 2 * C(50,6)/C(100,6) = .02666
        (0, 10, 0, 10, 1.0),
        (10, 10, 12, 12, 1.0),
    ],
)
def test_compare_shares_matches_hand_figures(before, exposed_before, after, exposed_after, p):
    assert compare_shares(before, exposed_before, after, exposed_after) == pytest.approx(p, abs=2e-4)


def spread(total, *, first, last):
    return [START + timedelta(days=float(day)) for day in np.linspace(first, last, total)]


def test_measure_trends_names_directions():
    base = spread(400, first=0, last=119)  # 2026-01 .. 2026-04, two months each half
    half = 59
    members = {
        "rising": spread(20, first=0, last=half - 1) + spread(60, first=half + 1, last=119),
        "falling": spread(60, first=0, last=half - 1) + spread(20, first=half + 1, last=119),
        "steady": spread(30, first=0, last=half - 1) + spread(31, first=half + 1, last=119),
        "new": spread(25, first=half + 1, last=119),
        "gone": spread(25, first=0, last=half - 1),
        "rare": spread(4, first=half + 1, last=119),
        "nobody": [],
    }
    trends = measure_trends(members, base)
    directions = {subject: trend.direction for subject, trend in trends.items()}
    assert directions == {
        "rising": "rising",
        "falling": "falling",
        "steady": "steady",
        "new": "new",
        "gone": "gone",
        "rare": "steady",
        "nobody": "steady",
    }
    assert trends["rare"].p_adjusted == 1.0
    rising = trends["rising"]
    assert rising.periods == ("2026-01", "2026-02", "2026-03", "2026-04")
    assert sum(rising.base) == 400
    earlier, later = sum(rising.base[:2]), sum(rising.base[2:])
    assert rising.change == pytest.approx(60 / later - 20 / earlier)


def test_measure_trends_uses_shares_so_a_bigger_upload_alarms_nobody():
    base = spread(100, first=0, last=58) + spread(1000, first=60, last=119)
    members = {"theme": spread(10, first=0, last=58) + spread(100, first=60, last=119)}
    trend = measure_trends(members, base)["theme"]
    assert trend.direction == "steady"
    assert sum(trend.people[2:]) > 5 * sum(trend.people[:2])


def test_measure_trends_controls_false_alarms_over_all_subjects():
    base = spread(200, first=0, last=119)
    odd = spread(8, first=0, last=50) + spread(20, first=62, last=119)
    alone = measure_trends({"odd": odd}, base)["odd"]
    flat = {f"flat{number}": spread(40, first=0, last=119) for number in range(30)}
    among = measure_trends({"odd": odd, **flat}, base)["odd"]
    assert alone.direction == "rising"
    assert among.direction == "steady"
    assert among.p_adjusted > alone.p_adjusted


def test_measure_trends_is_empty_within_one_period_or_without_dates():
    assert measure_trends({"theme": days(0, 0)}, days(0, 0, 0)) == {}
    assert measure_trends({"theme": []}, []) == {}


def test_measure_trends_is_steady_where_one_half_has_no_people():
    trend = measure_trends({"theme": days(*[100] * 8)}, [START - timedelta(days=200), *days(*[100] * 20)])["theme"]
    assert trend.direction == "steady"
    gap = measure_trends({"theme": spread(8, first=80, last=90)}, spread(30, first=80, last=90))["theme"]
    assert gap.direction == "steady"


def test_trend_in_shares_matches_hand_figures_and_finds_a_steady_rise() -> None:
    # z = sum t (x - n p) / sqrt(p (1 - p) (sum n t^2 - (sum n t)^2 / N)) for x = 1, 2, 6 of 20 each: p = .15, z = 5 / sqrt(.1275 * 40).
    assert trend_in_shares(np.array([1, 2, 6]), np.array([20, 20, 20])) == pytest.approx(2 * stats.norm.sf(5 / np.sqrt(5.1)))
    rising, base = np.array([3, 4, 8, 7, 10, 17]), np.array([61, 69, 63, 68, 69, 69])
    assert trend_in_shares(rising, base) < 0.001 < compare_shares(15, 193, 34, 206)
    assert trend_in_shares(rising[::-1].copy(), base) < 0.01
    assert trend_in_shares(np.array([5, 5, 5]), np.array([50, 50, 50])) == pytest.approx(1.0)
    assert trend_in_shares(np.zeros(3, np.int64), np.array([5, 5, 5])) == 1.0
