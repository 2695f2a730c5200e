"""Drift corrections of others, done again from their raw values: the Logan River Observatory's, and driftR's."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from nilometer import review

pytestmark = pytest.mark.real

# Spans of the calibration list in which the owners corrected drift and nothing else; the greatest median difference
# from their values that is left, in the unit. Theirs end their line some readings before or after the date listed.
SPANS = [
    ("cond", "2018-12-12 16:15", "2019-04-25 15:15", 3.6, 0.0003),
    ("cond", "2019-04-25 15:15", "2019-05-30 14:15", 5.0, 0.0015),
    ("cond", "2019-09-23 13:45", "2019-10-24 12:45", -5.0, 0.002),
    ("ph", "2018-12-12 00:00", "2019-01-08 15:30", 0.07, 0.0004),
    ("ph", "2019-04-25 17:15", "2019-06-28 13:15", -0.20, 0.0001),
    ("ph", "2019-06-28 13:15", "2019-07-31 13:00", -0.19, 0.0001),
    ("ph", "2019-07-31 13:15", "2019-08-15 14:45", 0.19, 1e-8),
    ("ph", "2019-08-20 14:15", "2019-09-23 12:45", -0.20, 0.0001),
]


@pytest.fixture(scope="module")
def main_street(real_data):
    frame = pd.read_csv(real_data / "water_quality" / "lro" / "MainStreet2019.csv.gz")
    frame.index = pd.to_datetime(frame["datetime"])
    return frame


def listed(real_data, name):
    file = real_data / "water_quality" / "lro" / f"MainStreet_{name}_calib_dates.csv"
    return pd.read_csv(file, skiprows=1, encoding="utf-8-sig")


@pytest.mark.parametrize(("name", "start", "end", "gap", "left"), SPANS)
def test_the_logan_river_drift_corrections_are_done_again(real_data, main_street, name, start, end, gap, left):
    dates = listed(real_data, name)
    assert ((dates["start"] == start) & (dates["end"] == end) & (dates["gap"] == gap)).sum() == 1
    raw = main_street[name].where(main_street[name] > -9000)
    theirs = main_street[f"{name}_cor"].where(main_street[f"{name}_cor"] > -9000)
    ours = review.drift(raw, start, end, gap=gap)
    span = (raw.index >= start) & (raw.index < end)
    before = (raw - theirs)[span].dropna().abs().median()
    after = (ours - theirs)[span].dropna().abs()
    assert len(after) > 300
    assert after.median() <= left
    assert after.median() < before / 100
    pd.testing.assert_series_equal(ours[~span], raw[~span])


@pytest.fixture(scope="module")
def sonde(real_data):
    folder = real_data / "water_quality" / "driftr"
    frame = pd.read_csv(folder / "sonde_corrected.csv.gz", thousands=",")
    standards = pd.read_csv(folder / "cal_values.csv").set_index("Parameter")
    return frame, pd.to_datetime(frame["dateTime"]), standards


@pytest.mark.parametrize(("column", "parameter"), [("SpCond", "SpCond"), ("Turbidity.", "Turbidity"), ("DO", "DO")])
def test_driftr_one_point_corrections_are_done_again(sonde, column, parameter):
    frame, times, standards = sonde
    gap = standards.loc[parameter, "Cal Standard"] - standards.loc[parameter, "Cal Value"]
    ours = review.drift(frame[column].to_numpy(float), times.iloc[0], times.iloc[-1], gap=gap, time=times)
    theirs = frame[f"{parameter}_Corr"].to_numpy()
    np.testing.assert_allclose(ours[:-1], theirs[:-1], rtol=1e-11)
    assert ours[-1] == frame[column].iloc[-1], "the reading at the second calibration itself is no longer drifted"


@pytest.mark.parametrize(
    ("column", "low", "high"), [("pH", "pH Low", "pH High"), ("Chloride", "Choride Low", "Chloride High")]
)
def test_driftr_two_point_corrections_differ_in_the_low_standard(sonde, column, low, high):
    """The package takes the low standard's drift with the other sign: the standard itself comes out wrong."""
    frame, times, standards = sonde
    pair = [tuple(standards.loc[name, ["Cal Standard", "Cal Value"]]) for name in (low, high)]
    mirrored = [(pair[0][0], 2 * pair[0][0] - pair[0][1]), pair[1]]
    values = frame[column].to_numpy(float)
    ours = review.drift(values, times.iloc[0], times.iloc[-1], standards=mirrored, time=times)
    np.testing.assert_allclose(ours[:-1], frame[f"{column}_Corr"].to_numpy()[:-1], rtol=1e-9)
    # What reads as both standards did at the end is corrected to what the standards are.
    end = times.iloc[-1]
    just_before = [end - pd.Timedelta("1us")] * 2
    found = review.drift([pair[0][1], pair[1][1]], times.iloc[0], end, standards=pair, time=just_before)
    np.testing.assert_allclose(found, [pair[0][0], pair[1][0]], rtol=1e-9)
