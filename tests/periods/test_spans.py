from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.errors import ConfigError
from nilometer.periods.spans import HOUR_US, edges


def us(*when, zone="UTC"):
    return int(datetime(*when, tzinfo=ZoneInfo(zone)).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", (2026, 3, 29), 23),
        ("Europe/Berlin", (2026, 10, 25), 25),
        ("Australia/Lord_Howe", (2026, 4, 5), 24.5),
        ("Australia/Lord_Howe", (2026, 10, 4), 23.5),
        ("Asia/Kathmandu", (2026, 5, 1), 24),
        ("America/Sao_Paulo", (2018, 11, 4), 23),  # its midnight was left out
        ("America/Havana", (2025, 11, 2), 25),  # its midnight came twice
    ],
)
def test_a_day_has_the_hours_that_its_clock_gives_it(zone, day, hours):
    noon = us(*day, 12, zone=zone)
    start, end = edges("day", noon, noon + 1, zone)
    assert (end - start) / HOUR_US == hours
    first = datetime.fromtimestamp(start / 1e6, UTC).astimezone(ZoneInfo(zone))
    assert (first.year, first.month, first.day) == day
    before = datetime.fromtimestamp((start - 1_000_000) / 1e6, UTC).astimezone(ZoneInfo(zone))
    assert (before.month, before.day) != day[1:]


def test_a_day_of_kathmandu_begins_at_a_quarter_past_six_of_utc():
    noon = us(2026, 5, 1, 12)
    assert edges("day", noon, noon + 1, "Asia/Kathmandu")[0] == us(2026, 4, 30, 18, 15)


def test_a_day_that_a_zone_left_out_is_not_there():
    every = edges(
        "day", us(2011, 12, 29, 12, zone="Pacific/Apia"), us(2011, 12, 31, 12, zone="Pacific/Apia"), "Pacific/Apia"
    )
    assert np.diff(every).tolist() == [24 * HOUR_US, 24 * HOUR_US]


@given(
    st.sampled_from(["hour", "day"]),
    st.sampled_from(["UTC", "Australia/Lord_Howe", "Asia/Kathmandu", "America/Sao_Paulo", "Pacific/Apia"]),
    st.integers(us(1950, 1, 1), us(2040, 1, 1)),
    st.integers(1, 900 * 24 * HOUR_US),
)
def test_edges_hold_the_span_tightly_and_are_the_same_for_every_span(span, zone, start, length):
    every = edges(span, start, start + length, zone)
    assert every[0] <= start < every[1]
    assert every[-2] < start + length <= every[-1]
    assert (np.diff(every) > 0).all()
    again = edges(span, int(every[0]), int(every[1]), zone)
    assert again.tolist() == every[:2].tolist()


def test_nothing_has_no_edges():
    assert edges("hour", 5, 5).tolist() == edges("day", 5, 4).tolist() == []


def test_an_unknown_zone_and_a_year_beyond_the_calendar_are_refused():
    with pytest.raises(ConfigError, match="Asia/Shanghai"):
        edges("day", 0, 1, "Mars/Olympus")
    with pytest.raises(ConfigError, match="years 3 to 9997"):
        edges("day", us(9999, 1, 1), us(9999, 1, 2))
