"""Figures of a bench against numbers worked by hand, and intervals that hold the truth as often as they say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nilometer.trials.bench import statistics
from nilometer.trials.bench.limits import BenchLimit, Finding, judge, limits_of
from nilometer.trials.bench.response import hysteresis, level_uncertainty, response_times
from nilometer.trials.bench.steadiness import Steadiness
from nilometer.trials.figure import Figure


def test_intervals_of_bench_figures_hold_the_truth():
    rng = np.random.default_rng(1)
    held = np.zeros(5)
    levels = [1.0, 2.0, 5.0, 9.0]
    for _ in range(400):
        six = rng.normal(5.1, 0.2, 6)
        found = [
            (statistics.indication_error(six, 5.0), 2.0),
            (statistics.spread(six, "1"), 0.2),
            (statistics.influence(six, rng.normal(5.0, 0.4, 6), "1", relative=False), 0.1),
            (statistics.line_of_levels(levels, [rng.normal(1.1 * x, 0.2, 3) for x in levels], "1")[0], 1.1),
            (statistics.drift_rate(np.arange(9) * 3_600_000_000, 0.5 + rng.normal(0, 0.1, 9), 10.0), 0.0),
        ]
        held += [figure.interval[0] <= truth <= figure.interval[1] for figure, truth in found]
    assert held / 400 == pytest.approx(0.95, abs=0.03)


def test_numbers_worked_by_hand():
    line = {one.name: one for one in statistics.line_of_levels([0, 1, 2, 3], [[0.0], [1.1], [1.9], [3.0]], "1")}
    assert line["slope"].value == pytest.approx(0.98)
    assert line["residual_s"].value == pytest.approx(math.sqrt(0.018 / 2))
    assert line["coefficient_of_variation"].value == pytest.approx(100 * math.sqrt(0.009) / 1.5)
    assert statistics.detection_limit([1, 2, 3], "1", factor=10, slope=0.5).value == pytest.approx(20.0)
    groups = [[7.0, 7.0], [7.05, 7.03], [6.9, 6.9]]
    assert statistics.temperature_compensation(groups, "1").value == pytest.approx(-0.1)
    none = statistics.mean_time_between_failures(2157.0, 0)
    assert math.isnan(none.value)
    assert none.interval[0] == pytest.approx(2157.0 / 2.9957, rel=1e-3)  # −ln 0.05
    rate = statistics.valid_data_rate(90, 100)
    assert rate.interval == pytest.approx((82.56, 94.48), abs=0.01)  # Wilson
    up, down = [0.0, 1.0, 2.02], [0.01, 1.05, 2.02]
    found = {one.name: one.value for one in hysteresis([0, 1, 2], up, down, 2.0, "m")}
    assert (found["hysteresis"], found["largest_error"]) == pytest.approx((2.5, 2.5))
    assert level_uncertainty([0.01, -0.01] * 5, 10.0, 0.01).value == pytest.approx(0.2 * math.sqrt(2))


def test_a_response_overshoots_falls_back_and_counts_when_it_stays():
    times = np.arange(1, 9) * 1_000_000
    values = [0.0, 0.5, 0.95, 0.85, 0.95, 1.0, 1.0, 1.0]
    found = response_times(times, values, 0, 0.0, 1.0)
    assert found["response"] == pytest.approx(4.5)
    assert found["delay"] == pytest.approx(1.2)
    gap = response_times([1_000_000, 2_000_000, 60_000_000, 61_000_000], [0.0, 0.1, 1.0, 1.0], 0, 0.0, 1.0)
    assert math.isnan(gap["response"])  # what happened in the gap is not known
    assert math.isnan(response_times(times, values, 0, 1.0, 1.0)["response"])


def test_too_few_readings_give_no_number_and_say_why():
    for figure in (
        statistics.spread([1.0, math.nan], "1"),
        statistics.drift([1.0, 1.0, 1.0], "1"),
        statistics.line_of_levels([1.0, 2.0], [[1.0], [2.0]], "1")[0],
        statistics.consistency([[1.0], [2.0]]),
        statistics.influence([], [1.0], "1"),
        level_uncertainty([0.1] * 9, 1.0),
    ):
        assert math.isnan(figure.value)
        assert "needed" in figure.note
    assert "no relative" in statistics.indication_error([1.0], 0.0).note
    assert "no rate" in statistics.valid_data_rate(5, 4).note


def test_a_limit_speaks_in_its_unit_and_as_surely_as_it_is_known():
    limit = BenchLimit(test="response", at_most=0.5, unit="min", source="x", confidence="memory")
    figure = Figure(name="response_time", value=29.0, unit="s", interval=(27.0, 31.0))
    assert judge(figure, limit) == (Finding.MET_UNVERIFIED, "its interval reaches over the limit")
    verified = BenchLimit(test="x", at_most=0.1, unit="1", source="x", confidence="verified (read)")
    assert judge(Figure(name="x", value=-0.2, unit="1"), verified)[0] is Finding.NOT_MET
    least = BenchLimit(test="x", at_least=90.0, unit="%", source="x", confidence="verified")
    assert judge(Figure(name="x", value=-95.0, unit="%"), least)[0] is Finding.NOT_MET
    assert judge(Figure(name="x", value=1.0, unit="1"), None)[0] is Finding.NO_LIMIT
    classes = limits_of("iso4373")["level_uncertainty"]
    assert judge(Figure(name="x", value=2.0, unit="%"), classes) == (
        Finding.NOT_MET_UNVERIFIED,
        "no class: above 1 %",
    )


def test_steadiness_needs_a_full_window_and_a_slope_that_is_known():
    steady = Steadiness(window_s=10, change_pct=0.5, spread_pct=1.0)
    times = np.arange(11) * 1_000_000
    assert steady.judge(times, np.full(11, 5.0), 10.0).is_steady
    assert "of 10 s are there" in steady.judge(times[:8], np.full(8, 5.0), 10.0).reason
    noisy = 5.0 + 0.09 * np.array([1, -1, 1, -1, 1, -1, 1, -1, 1, -1, 1.0])
    assert (
        "rises by" in steady.judge(times, noisy, 10.0).reason or "falls by" in steady.judge(times, noisy, 10.0).reason
    )
    missing = np.where(np.arange(11) % 3 == 0, 5.0, np.nan)
    assert "missing" in steady.judge(times, missing, 10.0).reason
    with pytest.raises(ValueError, match="above 0"):
        Steadiness(window_s=0, change_pct=1, spread_pct=1)
