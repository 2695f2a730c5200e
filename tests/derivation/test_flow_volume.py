"""Volume totals: what is integrated, what is a gap, and which errors average out."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nilometer.derivation.flow_volume import volumes
from nilometer.derivation.rating import RatingCurve
from nilometer.derivation.rating_history import RatingHistory
from nilometer.derivation.rating_sample import Sample

HOUR = 3_600_000_000


def rating(*, spread=0.0, scatter=0.0, limits=(0.5, 5.0), start=0):
    sample = None
    if spread:
        wobble = spread * np.random.default_rng(1).standard_normal((500, 1))
        nothing = np.zeros((500, 1))
        sample = Sample(nothing - np.inf, nothing, np.log(2.0) + wobble, nothing + 1.0, np.full(500, scatter))
    return RatingCurve.of(
        [(None, 0.0, 2.0, 1.0)],
        gauged_range=(0.5, 3.0),
        limits=limits,
        scatter=scatter,
        sample=sample,
        valid_from=start,
    )


def test_a_straight_discharge_is_summed_exactly_across_days_of_a_zone():
    times = pd.date_range("2024-03-30T23:00Z", "2024-04-01T22:00Z", freq="h")
    stage = pd.Series(np.linspace(1.0, 3.0, len(times)), times)
    found = volumes(rating(), stage, period="day", time_zone="Europe/Paris")
    # 31 March 2024 has 23 hours there.
    assert (np.diff(found.start) / HOUR).tolist() == [23.0]
    seconds = np.array([23.0, 24.0]) * 3600.0
    edges = np.interp([0, 23, 47], [0, 47], [2.0, 6.0])
    assert found.volume == pytest.approx(seconds * (edges[:-1] + edges[1:]) / 2)
    assert found.coverage == pytest.approx([1.0, 1.0])
    assert found.unit == "m3"
    assert volumes(rating(), stage, period="month").volume.sum() == pytest.approx(found.volume.sum())


def test_the_curves_part_adds_up_and_the_scatter_averages_out():
    times = np.arange(10_001) * HOUR
    stage = np.full(10_001, 1.0)
    found = volumes(rating(spread=0.03, scatter=0.1), stage, times)
    assert found.systematic[0] / found.volume[0] == pytest.approx(0.03, rel=0.1)
    assert found.random[0] / found.volume[0] == pytest.approx(0.1 / np.sqrt(10_000), rel=0.02)
    lasting = volumes(rating(spread=0.03, scatter=0.1), stage, times, correlation_s=36_000.0)
    # AR(1) of rho = exp(-1/10): the variance of the mean is (1 + rho) / (1 - rho) times that of independent values.
    rho = np.exp(-0.1)
    assert lasting.random[0] / found.random[0] == pytest.approx(np.sqrt((1 + rho) / (1 - rho)), rel=0.01)
    assert volumes(rating(), stage, times, datum_uncertainty=0.01).systematic[0] == pytest.approx(0.01 * 2 * 36e6)


def test_the_total_of_the_sample_is_the_total_of_each_curve():
    random = np.random.default_rng(4)
    count = 300
    made = rating()
    offset, log_scale, exponent = (0.05 * random.standard_normal((count, 1)) + centre for centre in (0, np.log(2.0), 1))
    sample = Sample(np.full((count, 1), -np.inf), offset, log_scale, exponent, np.zeros(count))
    curve = RatingCurve.of([(None, 0.0, 2.0, 1.0)], gauged_range=(0.5, 3.0), limits=(0.5, 5.0), sample=sample)
    times, stage = np.arange(500) * HOUR, 1.0 + 2.0 * random.random(500)
    whole = 3600.0 * (sample.flow(stage)[:, 1:-1].sum(axis=1) + sample.flow(stage)[:, [0, -1]].sum(axis=1) / 2)
    found = volumes(curve, stage, times)
    expected = np.sqrt(((whole - volumes(made, stage, times).volume) ** 2).mean())
    assert found.systematic[0] == pytest.approx(expected, rel=2e-3)


def test_gaps_and_values_beyond_the_limits_are_not_bridged_and_the_coverage_tells():
    times = np.arange(25) * HOUR
    stage = np.full(25, 1.0)
    stage[5] = np.nan  # two steps are no gap
    stage[10:14] = np.nan  # five are
    stage[20] = 9.0  # a flood above the limits, not bridged
    found = volumes(rating(), stage, times, period="day")
    assert found.coverage[0] == pytest.approx((24 - 5 - 2) / 24)
    assert found.volume[0] == pytest.approx(2.0 * 17 * 3600)
    high = volumes(rating(), np.full(3, 4.0), np.arange(3) * HOUR)
    assert high.extrapolated.tolist() == [1.0]
    assert np.isnan(volumes(rating(), [9.0, 9.0], [0, HOUR]).volume).all()


def test_curves_of_two_times_err_independently():
    both = RatingHistory([rating(spread=0.03), rating(spread=0.03, start=50 * HOUR)])
    found = volumes(both, np.full(101, 1.0), np.arange(101) * HOUR)
    assert found.systematic[0] / found.volume[0] == pytest.approx(0.03 / np.sqrt(2), rel=0.1)


def test_what_cannot_be_summed_is_refused():
    with pytest.raises(ValueError, match="times"):
        volumes(rating(), [1.0, 2.0])
    with pytest.raises(ValueError, match="rise"):
        volumes(rating(), [1.0, 2.0], [5, 5])
    with pytest.raises(ValueError, match="period"):
        volumes(rating(), [1.0, 2.0], [5, 6], period="week")
