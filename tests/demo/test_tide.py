from __future__ import annotations

import gzip
import re

import numpy as np
import pytest

from nilometer.demo.tide import VLISSINGEN, tide, tide_rate

HOUR_US = 3_600_000_000


def us(text):
    return int(np.datetime64(text, "us").astype(np.int64))


@pytest.mark.real
def test_eighteen_constituents_stay_close_to_the_owners_prediction_of_94(real_data):
    text = gzip.decompress((real_data / "level" / "rws" / "VLISSGN_pre.txt.gz").read_bytes()).decode("latin-1")
    owners = np.array([float(h) for h in re.findall(r"(-?\d+)/\d+", text.split("[WRD]")[1])]) / 100.0
    times = us("2019-01-01") - HOUR_US + np.arange(len(owners)) * 600_000_000  # the file's clock is UTC+1
    difference = tide(times) - owners
    assert len(owners) == 52_560
    assert abs(difference.mean()) < 0.02
    assert difference.std() < 0.13  # of 1.33 m; the rest is the 76 constituents left out
    assert np.corrcoef(tide(times), owners)[0, 1] > 0.995


@pytest.mark.real
def test_the_constants_are_those_published(real_data):
    lines = (real_data / "level" / "rws" / "VLISSGN_ana.txt").read_text(encoding="latin-1").splitlines()
    published = {line.split()[5]: (float(line.split()[3]), float(line.split()[4])) for line in lines if "COMP" in line}
    for part in VLISSINGEN:
        assert (round(part.amplitude * 100, 3), part.phase) == published[part.name]


def test_the_tide_comes_twice_a_day_and_is_higher_at_springs():
    times = us("2026-03-01") + np.arange(30 * 144) * 600_000_000
    height = tide(times)
    highs = np.flatnonzero((height[1:-1] > height[:-2]) & (height[1:-1] > height[2:]) & (height[1:-1] > 0.5))
    assert len(highs) == pytest.approx(30 * 24 / 12.42, abs=2)
    ranges = np.array([np.ptp(height[day * 144 : (day + 1) * 144]) for day in range(30)])
    assert ranges.max() > 1.4 * ranges.min()


def test_the_rate_is_the_slope_of_the_height():
    times = us("2026-03-01") + np.arange(100) * 60_000_000
    height = tide(times)
    slope = (height[2:] - height[:-2]) * 30.0
    assert tide_rate(times)[1:-1] == pytest.approx(slope, abs=0.02)
