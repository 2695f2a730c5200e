from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nilometer.derivation import filters

HOUR = 3_600_000_000
PERIODS_H = {"M2": 12.4206012, "S2": 12.0, "N2": 12.65834751, "K1": 23.93446959, "O1": 25.81934171, "M4": 6.2103006}
MADE = [filters.godin(), filters.doodson_x0(), filters.lanczos(), filters.moving_mean(25 * 3600.0, step_s=3600.0)]


def times(n: int, step=HOUR) -> np.ndarray:
    return np.arange(n) * step + 1_700_000_000_000_000


@pytest.mark.parametrize("made", MADE, ids=lambda made: made.name)
@pytest.mark.parametrize("period_h", [12.4206012, 25.81934171, 60.0, 200.0])
def test_what_comes_through_is_the_gain(made, period_h):
    wave = np.cos(2 * np.pi * np.arange(1500) / period_h)
    found = made.apply(3.0 + wave, time=times(1500))
    there = ~np.isnan(found)
    assert np.count_nonzero(~there) == len(made.weights) - 1  # half of it at either end
    assert np.abs(found[there] - 3.0 - made.gain(period_h * 3600.0) * wave[there]).max() < 1e-10


def test_tides_are_killed_as_published():
    for made, most in ((MADE[0], 2e-4), (MADE[1], 3.1e-3), (MADE[2], 1.2e-2)):
        left = {name: abs(made.gain(hours * 3600.0)) for name, hours in PERIODS_H.items()}
        assert max(left.values()) < most, made.name
        assert made.gain(np.inf) == pytest.approx(1.0)
        assert made.gain(240 * 3600.0) > 0.94
    assert filters.lanczos(cutoff_s=33 * 3600.0).gain(33 * 3600.0) == pytest.approx(0.5, abs=0.03)
    ten_minutes = filters.godin(600.0)
    assert abs(ten_minutes.gain(12.4206012 * 3600.0)) < 1e-4


def test_gaps_and_ends_are_missing_unless_a_share_will_do():
    level = pd.Series(5.0 + np.zeros(300), pd.to_datetime(times(300), unit="us", utc=True))
    level.iloc[140] = np.nan
    absent = level.drop(level.index[100])  # a row that is not there is a gap, too
    strict = filters.godin().apply(absent)
    assert isinstance(strict, pd.Series)
    assert list(strict.index) == list(absent.index)
    assert np.flatnonzero(~strict.isna()).min() == 35
    assert strict.loc[level.index[100 - 35] : level.index[140 + 35]].isna().all()
    assert strict.loc[level.index[140 + 36]] == pytest.approx(5.0)
    loose = filters.godin().apply(absent, least_weight=0.5)
    assert loose.loc[level.index[60] : level.index[200]].notna().all()
    assert np.nanmax(np.abs(loose - 5.0)) < 1e-12
    assert loose.isna().sum() == 0  # half of the weights is there at the ends
    assert filters.godin().apply(absent, least_weight=0.6).isna().sum() > 0


def test_a_trailing_mean_looks_back_alone_and_wrong_samplings_are_refused():
    eight = filters.moving_mean(8 * 3600.0, step_s=3600.0, trailing=True)
    found = eight.apply(np.arange(24.0), time=times(24))
    assert np.isnan(found[:7]).all()
    assert found[7:] == pytest.approx(np.arange(24.0)[7:] - 3.5)
    enough = eight.apply(np.where(np.arange(24) == 10, np.nan, 1.0), time=times(24), least_weight=0.75)
    assert np.count_nonzero(np.isnan(enough)) == 5
    with pytest.raises(ValueError, match=r"0\.50 steps off"):
        eight.apply(np.arange(3.0), time=[0, HOUR, HOUR * 5 // 2])
    with pytest.raises(ValueError, match="two rows have one time"):
        eight.apply(np.arange(3.0), time=[0, HOUR, HOUR])
    with pytest.raises(ValueError, match="no multiple"):
        filters.moving_mean(100.0, step_s=60.0)
    with pytest.raises(ValueError, match="brings no times"):
        eight.apply([1.0, 2.0])


def test_a_median_does_not_see_single_waves():
    rng = np.random.default_rng(2)
    level = 1.0 + rng.normal(0, 0.01, 5000)
    spiked = np.where(rng.random(5000) < 0.1, 9.0, level)
    found = filters.moving_median(spiked, time=times(5000, 1_000_000), length_s=31.0, step_s=1.0)
    assert np.abs(found - 1.0).max() < 0.03
    expected = pd.Series(spiked).rolling(31, center=True, min_periods=16).median().to_numpy()
    assert found[15:-15] == pytest.approx(expected[15:-15])
