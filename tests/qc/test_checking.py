"""check() over the series of every library."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr

from nilometer.errors import ConfigError
from nilometer.model import QartodFlag
from nilometer.qc import check

VALUES = [7.0, 7.1, 15.0, None, 7.0, 7.0]
EXPECTED = [1, 1, 4, 9, 1, 1]
TIMES = pd.date_range("2024-03-01", periods=6, freq="15min", tz="UTC")
PH = {"tests": {"gross_range": {"fail": [0, 14]}, "rate_of_change": {"suspect": 1, "per": "1 h"}}}
RATES = [2, 1, 3, 9, 3, 1]


def test_an_array_comes_back_as_an_array():
    found = check(np.array(VALUES, float), PH, TIMES)
    assert isinstance(found.flags, np.ndarray)
    assert found.flags.dtype == np.int8
    assert found.flags.tolist() == [1, 1, 4, 9, 3, 1]
    assert found.tests["gross_range"].tolist() == EXPECTED
    assert found.tests["rate_of_change"].tolist() == RATES


def test_a_pandas_series_keeps_its_index_and_brings_its_times():
    series = pd.Series(VALUES, index=TIMES, name="ph")
    found = check(series, PH)
    assert found.flags.index.equals(series.index)
    assert found.tests["rate_of_change"].tolist() == RATES


def test_polars_arrow_lists_and_xarray_come_back_as_they_came():
    stamps = TIMES.tz_localize(None).to_numpy()
    polars = check(pl.Series("ph", VALUES), PH, pl.Series(stamps))
    assert isinstance(polars.flags, pl.Series)
    assert polars.tests["rate_of_change"].to_list() == RATES
    arrow = check(pa.array(VALUES), PH, stamps)
    assert arrow.tests["rate_of_change"].to_pylist() == RATES
    listed = check(VALUES, PH, list(TIMES.to_pydatetime()))
    assert listed.tests["rate_of_change"] == RATES
    array = xr.DataArray(np.array(VALUES, float), coords={"time": stamps}, dims="time", attrs={"units": "1"})
    found = check(array, PH)
    assert isinstance(found.flags, xr.DataArray)
    assert found.tests["rate_of_change"].values.tolist() == RATES


def test_without_times_the_tests_that_need_them_are_not_evaluated():
    found = check(VALUES, "river/ph")
    for name in ("gap", "rate_of_change", "flat_line"):
        assert found.tests[name] == [2, 2, 2, 9, 2, 2]
    assert found.tests["spike"] == [2, 4, 2, 9, 2, 2]
    assert found.flags == [2, 4, 4, 9, 2, 2]


def test_an_empty_and_an_all_missing_series_have_flags():
    assert check([], PH).flags == []
    assert check([None, None], PH).flags == [9, 9]


def test_unsorted_and_repeated_times_get_the_point_tests_only():
    minutes = np.array([0, 10, 10, 5, 20]) * 60_000_000
    found = check([7.0, 7.0, 7.0, 15.0, 7.0], PH, minutes)
    assert found.tests["rate_of_change"] == [2, 1, 2, 2, 1]
    assert found.tests["gross_range"] == [1, 1, 1, 4, 1]


def test_rows_without_a_time_get_the_point_tests_only():
    stamps = np.array(["2024-01-01", "NaT", "2024-01-02"], "datetime64[s]")
    assert check([7.0, 15.0, 7.0], PH, stamps).tests["gross_range"] == [1, 4, 1]
    assert check([7.0, 15.0, 7.0], PH, stamps).tests["rate_of_change"] == [2, 2, 1]


def test_text_is_no_series():
    with pytest.raises(ValueError, match="no number"):
        check(["a", "b"], PH)
    with pytest.raises(ValueError, match="one time a value"):
        check([1.0, 2.0], PH, TIMES)


def test_the_series_is_not_changed():
    series = np.array([7.0, 15.0, np.nan])
    kept = series.copy()
    check(series, PH, TIMES[:3])
    assert np.array_equal(series, kept, equal_nan=True)


def test_the_result_says_what_judged_it():
    assert check([50.0], "river/water_temperature", unit="degF").profile.unit == "degree_Fahrenheit"


def test_a_frame_is_checked_column_by_column():
    frame = pd.DataFrame({"ph": [7.1, 19.0], "t": [50.0, 400.0]}, index=pd.date_range("2024", periods=2, freq="h"))
    ranges = {"ph": {"tests": {"gross_range": {"fail": [0, 14]}}}}
    ranges["t"] = {"unit": "degree_Celsius", "tests": {"gross_range": {"fail": [-5, 50]}}}
    found = check(frame, ranges, unit={"t": "degree_Fahrenheit"})
    assert found.flags["ph_qartod_rollup"].tolist() == [1, 4]
    assert found.results["t"].flags.tolist() == [1, 4]


def test_places_records_and_reception_come_beside_the_values():
    times = np.arange(4) * 3_600_000_000
    tests = {
        "location": {"displacement": 500},
        "syntax": {},
        "impossible_date": {"future": "1 min"},
        "data_reception": {"suspect": "90 min"},
        "percentile_range": {"low": 0, "high": 70},
    }
    found = check(
        np.array([1.0, 2.0, 3.0, 4.0]),
        {"tests": tests},
        times,
        latitude=[30.0, 30.001, 30.1, 91.0],
        longitude=120.0,
        syntax=[1, 4, 2, 1],
        received="1970-01-01T02:00:00Z",
    )
    assert {name: flags.tolist() for name, flags in found.tests.items()} == {
        "location": [1, 1, 3, 4],
        "syntax": [1, 4, 2, 1],
        "impossible_date": [1, 1, 1, 4],
        "data_reception": [3, 1, 1, 1],
        "percentile_range": [1, 1, 1, 3],
    }


@pytest.mark.parametrize("profile", [None, 7, 7.5])
def test_what_names_no_profile_is_refused_with_what_would_work(profile):
    with pytest.raises(ConfigError, match="river/ph"):
        check([7.0], profile)


def test_times_of_several_zones_are_one_time():
    zones = [stamp if k % 2 else stamp.tz_convert("Asia/Shanghai") for k, stamp in enumerate(TIMES)]
    for index in (pd.Index(zones, dtype=object), pd.Index([stamp.isoformat() for stamp in zones])):
        found = check(pd.Series(VALUES, index=index), PH)
        assert found.tests["rate_of_change"].tolist() == RATES
        assert found.flags.index.equals(index)


@pytest.mark.parametrize(
    ("test", "unit"),
    [
        ({"rate_of_change": {"suspect": 1.0, "per": "1 m"}}, "degree_Celsius"),
        ({"flat_line": {"suspect": "2 m", "tolerance": 0.001}}, "degree_Celsius"),
        ({"density_inversion": {"suspect": 0.03}}, "kg/m^3"),
    ],
)
def test_down_a_cast_depth_is_enough(test, unit):
    rng, n = np.random.default_rng(1), 60
    depth = np.arange(n) * 0.5
    values = np.sort(1020 + rng.random(n)) if unit == "kg/m^3" else 20 - 0.2 * depth + rng.normal(0, 0.02, n)
    values[10:15] = values[10]
    values[40] -= 3
    profile = {"along": "depth", "unit": unit, "tests": test}
    times = np.datetime64("2024-01-01") + np.arange(n) * np.timedelta64(1, "s")
    with_times, without = check(values, profile, times, depth=depth), check(values, profile, depth=depth)
    name = next(iter(test))
    assert without.tests[name].tolist() == with_times.tests[name].tolist()
    assert QartodFlag.SUSPECT in without.tests[name]


def test_along_time_nobody_makes_up_a_clock():
    result = check([7.0, 8.0, 9.0], {"tests": {"rate_of_change": {"suspect": 0.1, "per": "1 s"}}}, depth=[0, 1, 2])
    assert result.tests["rate_of_change"] == [QartodFlag.NOT_EVALUATED] * 3
