from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.qc import oracle
from tests.qc.streams import Columns, judged

from nilometer.qc.engine import QcEngine
from nilometer.qc.profile import load
from nilometer.qc.qartod.parameter import PERIODS, moment

CAN = {"year": (1, 9999), "week": (1, 53), "day_of_year": (1, 366)}


def flags(members, times, values, depth=None, offset="+00:00"):
    profile = load({"tests": {"climatology": {"members": members, "utc_offset": offset}}})
    engine = QcEngine()
    engine.set(1, profile, unit="1")
    n = len(times)
    rows = Columns(np.ones(n), np.array(times, np.int64), np.array(values, float), np.arange(n))
    rows.depth = None if depth is None else np.array(depth, float)
    found = [int(text or 1) for _, text in judged(engine, rows, [np.arange(n)])]
    plain = [oracle.climatology(row, profile.tests[0].parameters) for row in rows.rows()]
    return found, plain


def span():
    return st.sampled_from([{"suspect": [0, 1]}, {"fail": [0, 2]}, {"suspect": [1, 2], "fail": [0, 3]}])


@st.composite
def members(draw):
    made = []
    for _ in range(draw(st.integers(1, 4))):
        member = dict(draw(span()))
        period = draw(st.sampled_from([None, "dates", *PERIODS]))
        if period == "dates":
            dates = st.datetimes(datetime(1700, 1, 3), datetime(2200, 1, 1))  # noqa: DTZ001 -- made aware below; exact to the µs
            ends = sorted(draw(st.lists(dates, min_size=2, max_size=2)))
            member["time"] = [end.replace(tzinfo=UTC).isoformat() for end in ends]
        elif period is not None:
            ends = st.integers(*PERIODS[period]) if period != "year" else st.integers(1965, 2035)
            member |= {"period": period, "time": [draw(ends), draw(ends)]}
        if draw(st.integers(0, 3)) == 0:
            member["depth"] = sorted([draw(st.integers(0, 3)), draw(st.integers(0, 3))])
        made.append(member)
    return made


def near(member, draw):
    """A time close to where a member begins or ends."""
    ends = [moment(end) for end in member["time"]] if "period" not in member and "time" in member else [0]
    return draw(st.sampled_from(ends)) + draw(st.integers(-2, 2))


@settings(max_examples=200, deadline=None)
@given(data=st.data(), chosen=members())
def test_the_calendar_is_that_of_the_standard_library(data, chosen):
    sixteen = st.integers(-30_000, 30_000).map(lambda quarter: quarter * 6 * 3_600_000_000)
    anywhere = st.integers(moment("0001-01-03"), moment("9999-12-29"))
    times = data.draw(st.lists(st.one_of(anywhere, sixteen, sixteen.map(lambda t: t - 1)), min_size=1, max_size=20))
    times += [near(member, data.draw) for member in chosen]
    values = data.draw(st.lists(st.sampled_from([-0.5, 0, 0.5, 1, 1.5, 2, 2.5, 3, 3.5]), min_size=24, max_size=24))
    depth = data.draw(st.lists(st.sampled_from([0.0, 1.5, 2, 4, np.nan]), min_size=24, max_size=24))
    offset = data.draw(st.sampled_from(["+00:00", "+08:00", "-03:30", "+14:00"]))
    n = len(times)
    found, plain = flags(chosen, times, values[:n], depth[:n], offset)
    assert found == plain
    if not any("depth" in member for member in chosen):
        assert flags(chosen, times, values[:n], None, offset)[0] == plain


def test_the_last_member_that_holds_decides():
    members = [{"suspect": [0, 5]}, {"period": "month", "time": [12, 2], "suspect": [0, 1]}]
    times = [moment(f"2024-{month:02d}-15") for month in (1, 2, 3, 11, 12)]
    assert flags(members, times, [3.0] * 5)[0] == [3, 3, 1, 1, 3]


def test_a_row_of_no_member_is_not_evaluated_and_one_without_a_value_is_missing():
    members = [{"period": "quarter", "time": [2, 3], "suspect": [0, 1]}]
    times = [
        moment("2024-03-31T23:59:59.999999Z"),
        moment("2024-04-01"),
        moment("2024-09-30T23:00Z"),
        moment("2024-10-01"),
    ]
    assert flags(members, times, [9.0] * 4)[0] == [2, 3, 3, 2]
    profile = load({"tests": {"climatology": {"members": members}}})
    engine = QcEngine()
    engine.set(1, profile, unit="1")
    rows = Columns(np.ones(2), np.array(times[:2]), np.full(2, np.nan), np.arange(2))
    assert [text for _, text in judged(engine, rows, [np.arange(2)])] == ["9", "9"]


@pytest.mark.parametrize("offset", ["+00:00", "-08:00", "+08:00"])
def test_a_row_without_a_time_is_of_no_season(offset):
    nothing = [np.iinfo(np.int64).min]
    profile = load(
        {
            "tests": {
                "climatology": {
                    "members": [{"period": "year", "time": [1, 9999], "suspect": [0, 1]}],
                    "utc_offset": offset,
                }
            }
        }
    )
    engine = QcEngine()
    engine.set(1, profile, unit="1")
    rows = Columns(np.ones(1), np.array(nothing), np.full(1, 9.0), np.arange(1))
    assert [text for _, text in judged(engine, rows, [np.arange(1)])] == ["2"]
    always = load({"tests": {"climatology": {"members": [{"suspect": [0, 1]}]}}})
    engine.set(1, always, unit="1")
    assert [text for _, text in judged(engine, rows, [np.arange(1)])] == ["3"]


YEARS = (1899, 1900, 1904, 1999, 2000, 2001, 2003, 2004, 2100, 2400)
"""Leap years and others, of centuries too."""


def part(day, period):
    """What the standard library says of a day."""
    return {
        "year": day.year,
        "quarter": (day.month + 2) // 3,
        "month": day.month,
        "week": day.isocalendar().week,
        "day_of_year": day.timetuple().tm_yday,
        "day_of_week": day.weekday(),
        "hour": day.hour,
    }[period]


@pytest.mark.parametrize("period", PERIODS)
def test_every_day_of_leap_years_and_others_is_the_one_it_is(period):
    lowest, highest = PERIODS[period] if period != "year" else (YEARS[0], YEARS[-1])
    members = [{"period": period, "time": [k, k], "suspect": [k, k]} for k in range(lowest, highest + 1)]
    first = [datetime(year, 1, 1, tzinfo=UTC) for year in YEARS]
    days = [day + timedelta(days=n, hours=n % 24) for day in first for n in range(366)]
    days = [day for day in days if lowest <= part(day, period) <= highest]
    profile = load({"tests": {"climatology": {"members": members}}})
    engine = QcEngine()
    engine.set(1, profile, unit="1")
    n = len(days)
    times, values = [moment(day.isoformat()) for day in days], [float(part(day, period)) for day in days]
    rows = Columns(np.ones(n), np.array(times, np.int64), np.array(values), np.arange(n))
    found = [text or "1" for _, text in judged(engine, rows, [np.arange(n)])]
    assert [day.isoformat() for day, flag in zip(days, found, strict=True) if flag != "1"] == []


@pytest.mark.parametrize("turned", [False, True])
def test_a_span_of_dates_holds_from_its_first_microsecond_to_its_last(turned):
    members = [{"time": ["2024-05-01T08:00:00Z", "2024-05-01T09:00:00Z"], "suspect": [0, 1]}]
    begin, end = moment("2024-05-01T08:00:00Z"), moment("2024-05-01T09:00:00Z")
    times, expected = [begin - 1, begin, begin + 1, end - 1, end, end + 1], [2, 3, 3, 3, 3, 2]
    step = -1 if turned else 1
    assert flags(members, times[::step], [9.0] * 6)[0] == expected[::step]
    for time, flag in zip(times, expected, strict=True):
        assert flags(members, [time], [9.0])[0] == [flag]
