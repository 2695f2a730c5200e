from __future__ import annotations

from datetime import UTC, datetime
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.errors import ConfigError
from nilometer.verdict import days, window_start


def us(*parts):
    return int(datetime(*parts, tzinfo=UTC).timestamp()) * 1_000_000


def test_days_are_those_of_the_things_zone():
    edges = days(us(2024, 1, 1, 12), us(2024, 1, 2, 12), "Asia/Shanghai")
    assert edges == [us(2023, 12, 31, 16), us(2024, 1, 1, 16), us(2024, 1, 2, 16)]


def test_the_day_of_summer_times_change_has_23_hours():
    edges = days(us(2024, 3, 31, 1), us(2024, 3, 31, 2), "Europe/Amsterdam")
    assert edges[1] - edges[0] == 23 * 3_600_000_000


def test_an_empty_span_has_no_days():
    assert days(5, 5) == []


def test_a_month_goes_back_to_the_same_local_time_and_february_is_short():
    assert window_start("month", us(2024, 3, 31, 4), "Asia/Shanghai") == us(2024, 2, 29, 4)
    assert window_start("month", us(2024, 1, 15), "UTC") == us(2023, 12, 15)


@pytest.mark.parametrize(("name", "hours"), [("hour", 1), ("4h", 4), ("day", 24), ("week", 168)])
def test_other_windows_are_so_many_hours(name, hours):
    end = us(2024, 5, 5)
    assert end - window_start(name, end) == hours * 3_600_000_000


def test_unknown_windows_and_zones_are_refused():
    with pytest.raises(ConfigError, match="week"):
        window_start("fortnight", 0)
    with pytest.raises(ConfigError, match="Asia/Shanghai"):
        days(0, 1, "Asia/Beijing")


@given(
    st.integers(0, 2**50),
    st.integers(1, 40 * 86_400_000_000),
    st.sampled_from(["UTC", "Asia/Shanghai", "Europe/Amsterdam"]),
)
def test_days_cover_the_span_without_gap(start, length, zone):
    edges = days(start, start + length, zone)
    assert edges[0] <= start
    assert edges[-1] >= start + length
    assert edges[-2] < start + length
    assert all(a < b for a, b in pairwise(edges))
