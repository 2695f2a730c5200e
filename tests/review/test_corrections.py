"""The corrections of a notebook: series of any library, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from nilometer import review
from nilometer.errors import RequestError

HOURS = pd.date_range("2024-05-01", periods=5, freq="h", tz="UTC")


def test_a_series_comes_back_as_the_kind_it_was():
    values = [8.0, 8.0, np.nan, 8.0, 8.0]
    expected = [8.0, 8.1, np.nan, 8.3, 8.0]
    told = {"start": HOURS[0], "end": HOURS[4], "gap": 0.4}
    found = review.drift(pd.Series(values, HOURS, name="do"), **told)
    pd.testing.assert_series_equal(found, pd.Series(expected, HOURS, name="do"))
    naive = HOURS.tz_localize(None)
    plain = {"start": naive[0], "end": naive[4], "gap": 0.4}
    found = review.drift(xr.DataArray(values, {"time": naive}, ["time"], "do"), **plain)
    assert isinstance(found, xr.DataArray)
    np.testing.assert_array_equal(found.values, expected)
    found = review.drift(pl.Series("do", values), time=naive, **plain)
    assert isinstance(found, pl.Series)
    np.testing.assert_array_equal(found.to_numpy(), expected)


def test_the_four_forms_of_a_drift():
    values = np.full(5, 10.0)
    start, end = HOURS[0], HOURS[4]
    assert review.drift(values, start, end, gap_percent=-8, time=HOURS).tolist() == [10.0, 9.8, 9.6, 9.4, 10.0]
    points = [(HOURS[1], 0.2), (HOURS[3], 0.0)]
    assert review.drift(values, start, end, points=points, time=HOURS).tolist() == [10.0, 10.2, 10.1, 10.0, 10.0]
    standards = ((4.0, 4.0), (10.0, 10.8))
    found = review.drift(values, start, end, standards=standards, time=HOURS)
    np.testing.assert_allclose(found, [10, 4 + 6 * 6 / 6.2, 4 + 6 * 6 / 6.4, 4 + 6 * 6 / 6.6, 10], rtol=1e-11)


def test_a_gap_that_is_too_wide_is_not_filled_and_bad_neighbours_are_not_stood_on():
    values = [0.0, np.nan, 2.0, 99.0, np.nan]
    assert review.interpolate(values, "2 h", time=HOURS)[1] == 1.0
    np.testing.assert_array_equal(review.interpolate(values, "1 h", time=HOURS), values)
    flagged = review.interpolate(np.array([0, 5.0, 2, 3, 4]), "2 h", flags=[1, 4, 1, 1, 1], time=HOURS)
    assert flagged.tolist() == [0, 1, 2, 3, 4]


def test_a_clock_is_put_right_by_a_shift_or_along_a_line():
    times = review.retime(HOURS, "-90 s")
    assert (times == HOURS.as_unit("us").asi8 - 90_000_000).all()
    along = review.retime(HOURS, 0, shift_end="40 s", start=HOURS[0], end=HOURS[4])
    assert ((along - HOURS.as_unit("us").asi8) / 1e6).tolist() == [0, 10, 20, 30, 0]


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: review.drift([1.0], HOURS[1], HOURS[0], gap=1, time=HOURS[:1]), "ends before it starts"),
        (lambda: review.drift([1.0], HOURS[0], HOURS[1], time=HOURS[:1]), "exactly one of gap"),
        (lambda: review.drift([1.0], HOURS[0], HOURS[1], gap=np.nan, time=HOURS[:1]), "finite"),
        (lambda: review.drift([1.0], HOURS[0], HOURS[1], gap_percent=-100, time=HOURS[:1]), "greater than -100"),
        (lambda: review.interpolate([1.0], "soon", time=HOURS[:1]), "a time such as"),
        (lambda: review.retime(HOURS, 0, shift_end="-5 h", start=HOURS[0], end=HOURS[4]), "backwards"),
        (lambda: review.retime(HOURS, "200 years"), "a time such as"),
    ],
)
def test_what_cannot_be_says_why(call, words):
    with pytest.raises(RequestError, match=words):
        call()


def test_values_without_times_are_refused():
    with pytest.raises(ValueError, match="bring no times"):
        review.drift([1.0], HOURS[0], HOURS[1], gap=1)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=20), st.floats(-1e3, 1e3))
def test_an_offset_and_its_opposite_leave_what_was_there(values, offset):
    times = np.arange(len(values)) * 1_000_000
    there = review.offset(np.array(values), offset, time=times)
    back = review.offset(there, -offset, time=times)
    scale = np.abs(values) + abs(offset)
    assert (np.abs(back - values) <= 2e-11 * scale).all()
