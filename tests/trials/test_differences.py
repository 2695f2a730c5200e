"""Figures of differences and lines with error in both arms: values by hand, and intervals that hold what they say."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.statistics.agreement import limits_of_agreement
from nilometer.trials.statistics.differences import bias, mean_absolute_difference, relative_bias, rmse
from nilometer.trials.statistics.proportional import ratio_limits, sloping_limits
from nilometer.trials.statistics.reference_error import ratio_from_reference, stated_ratio, three_cornered_hat
from nilometer.trials.statistics.regression import deming
from nilometer.trials.statistics.repeated import limits_of_replicates, repeatability, repeated_limits
from nilometer.trials.statistics.weighted_deming import jackknifed_deming, weighted_deming
from nilometer.uncertainty.coverage import coverage_factor

RUNS = 400
# Bland and Altman (2007), J. Biopharm. Stat. 17, 571-582, table 1: cardiac output of 12 people, l/min, by radionuclide
# ventriculography (RV) and by impedance cardiography (IC).
RV = [
    [7.83, 7.42, 7.89, 7.12, 7.88],
    [6.16, 7.26, 6.71, 6.54],
    [4.75, 5.24, 4.86, 4.78, 6.05, 5.42],
    [4.21, 3.61, 3.72, 3.87, 3.92],
    [3.13, 2.98, 2.85, 3.17, 3.09, 3.12],
    [5.92, 6.42, 5.92, 6.27],
    [7.13, 6.62, 6.58, 6.93],
    [4.54, 4.81, 5.11, 5.29, 5.39, 5.57],
    [4.48, 4.92, 3.97],
    [4.22, 4.65, 4.74, 4.44, 4.50],
    [6.78, 6.07, 6.52, 6.42, 6.41, 5.76],
    [5.06, 4.72, 4.90, 4.80, 4.90, 5.10],
]
IC = [
    [6.57, 5.62, 6.90, 6.57, 6.35],
    [4.06, 4.29, 4.26, 4.09],
    [4.71, 5.50, 5.08, 5.02, 6.01, 5.67],
    [4.14, 4.20, 4.61, 4.68, 5.04],
    [3.03, 2.86, 2.77, 2.46, 2.32, 2.43],
    [5.90, 5.81, 5.70, 5.76],
    [5.09, 4.63, 4.61, 5.09],
    [4.72, 4.61, 4.36, 4.20, 4.36, 4.20],
    [3.17, 3.12, 2.96],
    [4.35, 4.62, 3.16, 3.53, 3.53],
    [7.20, 6.09, 7.00, 7.10, 7.40, 6.80],
    [4.50, 4.20, 3.80, 3.80, 4.20, 4.50],
]


def covered(hits) -> float:
    return 100.0 * float(np.mean(hits))


def holds(interval, truth) -> bool:
    return interval[0] <= truth <= interval[1]


def test_figures_of_differences_hold_the_truth_as_often_as_they_say():
    """Standard error of a share of 95 % in 400 runs: 1.1 points."""
    rng = np.random.default_rng(11)
    hits: dict[str, list[bool]] = {name: [] for name in ("bias", "relative", "mad", "rmse", "slope", "jackknife")}
    sd = math.sqrt(0.25 + 0.02**2 * 100 / 12)
    mad = sd * math.sqrt(2 / math.pi) * math.exp(-0.045 / sd**2) + 0.3 * math.erf(0.3 / sd / math.sqrt(2))
    for _ in range(RUNS):
        x = rng.uniform(5, 15, 60)
        a, b = x + rng.normal(0, 0.3, 60), 1.02 * x + 0.1 + rng.normal(0, 0.4, 60)
        pairs = Pairs.of(range(60), b, a, "mg L-1")
        hits["bias"].append(holds(bias(pairs).interval, 0.3))
        hits["relative"].append(holds(relative_bias(pairs).interval, 0.03))
        hits["mad"].append(holds(mean_absolute_difference(pairs).interval, mad))
        hits["rmse"].append(holds(rmse(pairs).interval, math.hypot(0.3, sd)))
        hits["slope"].append(holds(deming(a, b, ratio=16 / 9).slope_interval, 1.02))
        hits["jackknife"].append(holds(jackknifed_deming(a, b, ratio=16 / 9).slope_interval, 1.02))
    for name, found in hits.items():
        assert covered(found) == pytest.approx(95.0, abs=3.3), name


def test_what_cannot_be_said_is_not_said():
    one = Pairs.of([0], [1.0], [2.0], "mg L-1")
    for figure in (bias, relative_bias, mean_absolute_difference, rmse):
        found = figure(one)
        assert math.isnan(found.value)
        assert found.note == "1 pairs: 3 or more are needed"
    warm = Pairs.of(range(4), [20.0, 21, 22, 23], [20.1, 21, 22, 23], "degree_Celsius")
    assert "arbitrary zero" in relative_bias(warm).note
    assert "not away from 0" in relative_bias(Pairs.of(range(4), [1.0, -1, 2, -2], [1.1, -1, 2, -2.1], "m")).note
    bounds = np.array([0, -1, 0, 0, 0], np.int8)
    found = bias(Pairs.of(range(5), [1.0, 9.0, 1, 1, 1], [1.0] * 5, "m", candidate_censored=bounds))
    assert (found.value, found.n, found.note) == (0.0, 4, "1 pairs with a censored result are left out")


def test_ratios_and_lines_follow_differences_that_grow():
    rng = np.random.default_rng(12)
    x = np.exp(rng.normal(1, 0.7, 4000))
    y = 1.1 * x * np.exp(rng.normal(0, 0.1, 4000))
    ratios = ratio_limits(y, x)
    assert ratios.ratio == pytest.approx(1.1, rel=0.01)
    assert ratios.limits == pytest.approx((1.1 * math.exp(-0.196), 1.1 * math.exp(0.196)), rel=0.01)
    lines = sloping_limits(y, x)
    for level in (1.0, 4.0, 10.0):
        low, _, high = lines.at(level)
        near = np.abs((x + y) / 2 / level - 1) < 0.25
        share = np.mean((y - x)[near] / ((x + y) / 2)[near] * level < high) - np.mean(
            (y - x)[near] / ((x + y) / 2)[near] * level < low
        )
        assert share == pytest.approx(0.95, abs=0.03)
    with pytest.raises(ValueError, match="above 0"):
        ratio_limits([1.0, 0.0, 2.0], [1.0, 1.0, 1.0])


def test_weighted_deming_is_not_led_by_the_largest_values():
    rng = np.random.default_rng(13)
    plain, weighted, hits = [], [], []
    for _ in range(100):
        x = np.exp(rng.normal(1, 0.8, 80))
        a, b = x * (1 + rng.normal(0, 0.05, 80)), 0.2 + 1.05 * x * (1 + rng.normal(0, 0.1, 80))
        line = weighted_deming(a, b, ratio=4.0)
        plain.append(deming(a, b, ratio=4.0).intercept)
        weighted.append(line.intercept)
        hits.append(holds(line.slope_interval, 1.05))
    assert np.std(weighted) < 0.6 * np.std(plain)
    assert np.mean(weighted) == pytest.approx(0.2, abs=0.03)
    assert covered(hits) >= 88
    # The same pairs twice have the same line, and so have they in another unit.
    again = weighted_deming(np.tile(a, 2), np.tile(b, 2), ratio=4.0)
    assert again.slope == pytest.approx(line.slope)
    scaled = weighted_deming(1000 * a, 1000 * b, ratio=4.0)
    assert (scaled.slope, scaled.intercept) == pytest.approx((line.slope, 1000 * line.intercept))
    with pytest.raises(ValueError, match="above 0"):
        weighted_deming([1.0, 2.0, -3.0, 4.0], [1.0, 2.0, 3.0, 4.0])


def test_lines_with_the_jackknife_come_out_as_other_programs_print_them():
    """NCSS, chapter 303, examples 5 and 6, as R's mcr has them: their ratio of 4 is that of x over y, here 0.25."""
    x = [7, 8.3, 10.5, 9, 5.1, 8.2, 10.2, 10.3, 7.1, 5.9]
    y = [7.9, 8.2, 9.6, 9, 6.5, 7.3, 10.2, 10.6, 6.3, 5.2]
    plain, weighted = jackknifed_deming(x, y, ratio=0.25), weighted_deming(x, y, ratio=0.25)
    assert (plain.slope, plain.intercept) == pytest.approx((1.0011942, -0.0897449), abs=5e-8)
    assert plain.slope_interval == pytest.approx((0.5695632, 1.4328253), abs=5e-8)
    assert (weighted.slope, weighted.intercept) == pytest.approx((1.0312280, -0.3283761), abs=5e-8)
    assert weighted.slope_interval == pytest.approx((0.5234374, 1.5390186), abs=5e-8)


def test_the_jackknife_leaves_out_groups_of_many_pairs():
    rng = np.random.default_rng(14)
    x = rng.uniform(0, 10, 5000)
    a, b = x + rng.normal(0, 0.3, 5000), x + rng.normal(0, 0.3, 5000)
    whole, left = deming(a, b), jackknifed_deming(a, b)
    assert left.slope == pytest.approx(whole.slope)
    assert left.slope_se == pytest.approx(whole.slope_se, rel=0.15)


def test_the_references_own_error_is_found_or_taken_as_stated():
    rng = np.random.default_rng(15)
    x = rng.normal(10, 3, 4000)
    series = {name: x + rng.normal(0, sd, 4000) for name, sd in (("new", 0.5), ("old", 0.2), ("lab", 0.3))}
    found = three_cornered_hat(series)
    assert [one.sd for one in found] == pytest.approx([0.5, 0.2, 0.3], abs=0.02)
    assert all(holds(one.interval, sd**2) for one, sd in zip(found, (0.5, 0.2, 0.3), strict=True))
    known = {"reference_uncertainty": np.full(4000, 0.2)}
    pairs = Pairs.of(range(4000), series["new"], series["old"], "mg L-1", **known)
    assert ratio_from_reference(pairs) == pytest.approx(0.25 / 0.04, rel=0.1)
    assert math.isnan(stated_ratio(pairs))
    too_large = {"reference_uncertainty": np.full(4000, 0.6)}
    with pytest.raises(ValueError, match="stated too large"):
        ratio_from_reference(Pairs.of(range(4000), series["new"], series["old"], "mg L-1", **too_large))
    with pytest.raises(ValueError, match="states no uncertainty"):
        ratio_from_reference(Pairs.of(range(3), [1, 2, 3], [1, 2, 3], "mg L-1"))


def test_several_measurements_of_one_unit_come_out_as_their_paper_prints():
    """Bland and Altman (2007): the water moves from pair to pair, and holds still for all of them."""
    unit = np.repeat(np.arange(12), [len(each) for each in RV])
    moving = repeated_limits(np.concatenate(RV), np.concatenate(IC), unit)
    assert (moving.n, moving.units) == (60, 12)
    assert moving.mean == pytest.approx(0.6021667, abs=5e-8)
    assert moving.within_sd**2 == pytest.approx(0.170714026, abs=5e-8)  # printed from single precision
    assert moving.sd == pytest.approx(0.99062408, abs=5e-8)
    assert moving.limits == pytest.approx((-1.3394565, 2.5437899), abs=5e-7)
    still = limits_of_replicates(RV, IC)
    assert [repeatability(each)[0] ** 2 for each in (RV, IC)] == pytest.approx([0.107227795, 0.137874069], abs=5e-8)
    assert still.sd == pytest.approx(1.0518506, abs=5e-8)
    assert still.limits == pytest.approx((-1.4594605, 2.6637939), abs=5e-7)


def test_limits_of_another_share_have_the_standard_error_of_1999():
    """80 % limits of 18 pairs with intervals of 90 %, as the vignette of R's SimplyAgree prints them."""
    x = [*RV[0][:4], *RV[1][:3], *RV[2], *RV[3]]
    y = [*IC[0][:4], *IC[1][:3], *IC[2], *IC[3]]
    found = limits_of_agreement(x, y, k=coverage_factor(0.8), probability=0.9)
    assert (round(found.mean, 4), [round(end, 4) for end in found.mean_interval]) == (0.4383, [-0.0607, 0.9374])
    assert [round(end, 4) for end in found.limits] == [-1.1214, 1.9980]
    assert [round(end, 4) for end in found.lower_interval] == [-1.8037, -0.4391]
    assert [round(end, 4) for end in found.upper_interval] == [1.3157, 2.6803]


def test_repeated_pairs_have_wider_limits_than_pooled_ones_say():
    """Eight pairs of each of twelve units, as if they were ninety-six: the mean's interval is far too narrow."""
    rng = np.random.default_rng(16)
    unit = np.repeat(np.arange(12), 8)
    mean, upper, pooled = [], [], []
    for _ in range(200):
        difference = 0.2 + rng.normal(0, 0.5, 12)[unit] + rng.normal(0, 0.3, 96)
        found = repeated_limits(difference, np.zeros(96), unit)
        mean.append(holds(found.mean_interval, 0.2))
        upper.append(holds(found.upper_interval, 0.2 + 1.96 * math.hypot(0.5, 0.3)))
        pooled.append(holds(bias(Pairs.of(range(96), difference, np.zeros(96), "m")).interval, 0.2))
    assert covered(mean) == pytest.approx(95, abs=5)
    assert covered(upper) == pytest.approx(95, abs=6)
    assert covered(pooled) < 70
    with pytest.raises(ValueError, match="no unit has two pairs"):
        repeated_limits([1.0, 2, 3], [1.0, 2, 3], ["a", "b", "c"])
    with pytest.raises(ValueError, match="of one unit"):
        repeated_limits([1.0, 2, 3], [1.0, 2, 3], ["a", "a", "a"])
