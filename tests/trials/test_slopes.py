"""Ranks of slopes that are never made, beside a sort of all of them; and what rests on them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nilometer.trials.statistics import slopes as module
from nilometer.trials.statistics.linearity import cusum_linearity
from nilometer.trials.statistics.regression import passing_bablok
from nilometer.trials.statistics.slopes import PairwiseSlopes


def every_slope(x, y) -> np.ndarray:
    one, other = np.triu_indices(len(x), 1)
    rise, run = y[other] - y[one], x[other] - x[one]
    there = (rise != 0.0) | (run != 0.0)
    with np.errstate(divide="ignore"):
        return np.sort(rise[there] / run[there])


def spoilt(kind, n, rng) -> tuple[np.ndarray, np.ndarray]:
    x = rng.uniform(0, 10, n)
    y = 1.2 * x + rng.normal(0, 1, n)
    if kind == "tenths":  # ties, vertical slopes, and slopes that are one but for their last bit
        return np.round(x, 1), np.round(y, 1)
    if kind == "whole":
        return np.round(x), np.round(y)
    if kind == "times":
        return 1.7e15 + np.arange(n) * 6e8, np.round(np.cumsum(rng.normal(0, 0.01, n)), 2)
    if kind == "opposite":  # many slopes of exactly -1
        return np.round(x, 1), np.round(rng.normal(0, 0.05, n), 1) - np.round(x, 1)
    return x, y


@pytest.mark.parametrize("kind", ["plain", "tenths", "whole", "times", "opposite"])
def test_every_rank_is_that_of_a_sort_to_the_last_bit(kind, monkeypatch):
    monkeypatch.setattr(module, "_FEW", 0)
    rng = np.random.default_rng(7)
    for n in (3, 50, 61, 400):
        x, y = spoilt(kind, n, rng)
        sorted_ = every_slope(x, y)
        slopes = PairwiseSlopes(x, y)
        assert slopes.count == len(sorted_)
        for rank in sorted({1, 2, len(sorted_) // 3, len(sorted_) // 2 + 1, len(sorted_)} - {0}):
            assert slopes.at(rank) == sorted_[rank - 1]
        assert (slopes.at(0), slopes.at(len(sorted_) + 1)) == (-math.inf, math.inf)
        for value in (-1.0, 0.0, float(np.median(sorted_))):
            if math.isfinite(value):
                assert slopes.rank(value) == (np.sum(sorted_ < value), np.sum(sorted_ == value))


@pytest.mark.parametrize("kind", ["tenths", "whole"])
def test_many_points_have_the_line_of_few(kind, monkeypatch):
    """The search and the sort of all slopes come to one line, ends included."""
    x, y = spoilt(kind, 1200, np.random.default_rng(8))
    whole = passing_bablok(x, y)
    monkeypatch.setattr(module, "_FEW", 0)
    assert passing_bablok(x, y) == whole


@pytest.mark.parametrize("few", [500, 0])
def test_a_slope_without_end_is_no_line(few, monkeypatch):
    monkeypatch.setattr(module, "_FEW", few)
    x, y = np.full(60, 5.0), np.random.default_rng(8).normal(size=60)
    x[7] = 6.0
    with pytest.raises(ValueError, match="its slope has no end"):
        passing_bablok(x, y)
    with pytest.raises(ValueError, match="do not rise together"):
        passing_bablok(np.arange(60.0), y - 2.0 * np.arange(60.0))


def test_a_line_of_fifty_thousand_points_needs_no_room_for_its_slopes():
    """A billion slopes, of which none is kept: the line lies in its own interval, and that is narrow."""
    rng = np.random.default_rng(9)
    x = rng.uniform(0, 10, 50_000)
    line = passing_bablok(x + rng.normal(0, 0.1, len(x)), 1.5 * x + 2 + 1.5 * rng.normal(0, 0.1, len(x)))
    assert line.slope_interval[0] < 1.5 < line.slope_interval[1]
    assert line.slope_interval[1] - line.slope_interval[0] < 0.005
    assert line.intercept == pytest.approx(2.0, abs=0.01)


def test_a_bend_is_seen_and_chance_is_not_taken_for_one():
    rng = np.random.default_rng(10)
    refused = 0
    for _ in range(200):
        x = rng.uniform(1, 10, 60)
        y = x + rng.normal(0, 0.5, 60)
        refused += not cusum_linearity(x, y, passing_bablok(x, y)).is_linear
    assert refused <= 14  # 5 % of 200 are 10; the line follows its points, so there are fewer
    x = rng.uniform(1, 10, 200)
    bent = x + 0.15 * (x - 5) ** 2 + rng.normal(0, 0.5, 200)
    test = cusum_linearity(x, bent, passing_bablok(x, bent))
    assert test.p_value < 0.01
    assert test.above + test.below == 200
    assert test.cusum[-1] == pytest.approx(0.0, abs=1e-9)
    level = passing_bablok(np.arange(5.0), np.ones(5))
    with pytest.raises(ValueError, match="nothing can be ordered"):
        cusum_linearity(np.arange(5.0), np.ones(5), level)
