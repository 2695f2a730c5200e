from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.errors import ConfigError
from nilometer.model.retention import parse_retention

DAY_US = 86_400_000_000


def us(*when, zone="UTC"):
    return int(datetime(*when, tzinfo=ZoneInfo(zone)).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("text", "now", "zone", "horizon"),
    [
        ("5 y", (2026, 11, 28, 19), "UTC", (2021, 11, 28)),
        ("1 month", (2026, 3, 31, 1), "UTC", (2026, 2, 28)),
        ("14 months", (2026, 1, 15, 1), "UTC", (2024, 11, 15)),
        ("90 d", (2026, 3, 1, 23), "UTC", (2025, 12, 1)),
        ("1day", (2026, 11, 28, 23), "Asia/Shanghai", (2026, 11, 27)),
        ("1 d", (2026, 3, 30, 1), "Europe/Berlin", (2026, 3, 29)),
        ("9999 years", (2026, 3, 30, 1), "Europe/Berlin", (2, 1, 1)),
    ],
)
def test_rows_are_kept_to_the_start_of_a_local_day(text, now, zone, horizon):
    kept = parse_retention(text)
    place = zone if horizon[0] > 2 else "UTC"
    assert kept is not None
    assert kept.horizon(us(*now, zone=zone), zone) == us(*horizon, zone=place)


@given(st.integers(us(1980, 1, 1), us(2040, 1, 1)), st.integers(1, 5000))
def test_days_kept_are_whole_and_as_many_as_said(now, days):
    kept = parse_retention(f"{days} d")
    assert kept is not None
    assert days * DAY_US <= now - kept.horizon(now, "UTC") < (days + 1) * DAY_US


@pytest.mark.parametrize("text", ["", "5", "y", "0 d", "-1 d", "5 weeks", "1.5 y", "5 y 3 d"])
def test_what_is_no_length_is_refused(text):
    with pytest.raises(ConfigError, match="'5 y'"):
        parse_retention(text)
