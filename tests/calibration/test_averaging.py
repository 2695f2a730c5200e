"""Means of values that one calibration made."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from nilometer.calibration import Calibration, evaluate
from nilometer.calibration.averaging import mean, means, own_uncertainty


def test_a_mean_keeps_the_calibrations_uncertainty_as_drawing_all_of_it_shows():
    item = Calibration(
        kind="polynomial",
        coefficients=(0.3, 1.2),
        covariance=((0.0004, -0.00003), (-0.00003, 0.000004)),
        residual_uncertainty=0.03,
        reading_uncertainty=0.2,
    )
    readings = np.array([4.0, 5.0, 7.0, 9.0, 12.0])
    hours = np.array([1.0, 1.0, 2.0, 4.0, 1.0])
    done = evaluate(item, readings)
    found = mean(done.value, done.calibration_uncertainty, done.random_uncertainty, weight=hours)
    rng, n = np.random.default_rng(5), 200_000
    drawn = rng.multivariate_normal(item.coefficients, item.covariance, n)
    x = readings + 0.2 * rng.standard_normal((n, 5))
    left = 0.03 * rng.standard_normal((n, 1))  # what the fit leaves is one for all
    averaged = (drawn[:, :1] + drawn[:, 1:] * x + left) @ (hours / hours.sum())
    assert found.value[0] == pytest.approx(averaged.mean(), abs=1e-3)
    # The coefficients' parts are taken as moving together, which of a line is nearly so.
    assert found.uncertainty[0] == pytest.approx(averaged.std(), rel=0.02)
    assert found.uncertainty[0] >= averaged.std() * 0.995
    alone = 1.2 * 0.2 * np.sqrt((hours**2).sum()) / hours.sum()
    assert found.random_uncertainty[0] == pytest.approx(alone)


def test_what_is_shared_never_averages_down_and_what_is_not_does():
    n = 10_000
    done = mean(np.ones(n), 0.1, 0.5)
    assert done.calibration_uncertainty[0] == pytest.approx(0.1)
    assert done.random_uncertainty[0] == pytest.approx(0.005)


def test_groups_without_a_value_or_with_unknown_uncertainty_say_so():
    done = means([0, 0, 1, 3], [1.0, np.nan, np.nan, 2.0], [0.1, 0.1, 0.1, np.nan], 0.2, count=5)
    assert done.count.tolist() == [1, 0, 0, 1, 0]
    np.testing.assert_array_equal(done.value, [1, np.nan, np.nan, 2, np.nan])
    np.testing.assert_allclose(done.uncertainty, [np.hypot(0.1, 0.2), np.nan, np.nan, np.nan, np.nan])
    with pytest.raises(ValueError, match="from 0"):
        mean([1.0], 0.1, weight=-1)


def test_only_a_straight_certificate_has_a_part_that_is_the_same_for_every_value() -> None:
    line = Calibration(
        kind="polynomial", coefficients=(1.0, -2.0), reading_uncertainty=0.1, unit_in="V", unit_out="mg L-1",
        valid_range=(3.0, 5.0), residual_uncertainty=0.4,
    )  # fmt: skip
    assert own_uncertainty(line, "mV", "ug L-1") == pytest.approx(200.0)
    assert own_uncertainty(replace(line, reading_uncertainty=None), "mV", "ug L-1") == 0.0
    assert own_uncertainty(replace(line, coefficients=(1.0, -2.0, 0.1)), "mV", "ug L-1") == 0.0
    assert own_uncertainty(Calibration(reading_uncertainty=0.1), "cm", "m") == pytest.approx(0.001)
