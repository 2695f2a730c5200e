from __future__ import annotations

import numpy as np
import pytest

from nilometer import review
from nilometer.derivation.datum import DatumOffset, GaugeZero, Levelling, conversion, datum, datums
from nilometer.derivation.staff_gauge import check, suggest
from nilometer.errors import ConfigError

DAY = 86_400_000_000


def test_datums_are_known_by_every_name_and_none_twice():
    for spelling, key in (
        ("NAP", "nap"),
        ("1985国家高程基准", "h85"),
        ("吴淞", "wusong"),
        ("NAVD88", "navd88"),
        ("Chart datum", "chart_datum"),
    ):
        assert datum(spelling).key == key
    spellings = [{s.casefold() for s in (one.key, one.name, one.name_zh, *one.aliases)} for one in datums().values()]
    assert sum(map(len, spellings)) == len(set().union(*spellings))
    with pytest.raises(ConfigError, match="navd"):
        datum("NAVD8")


def test_an_offset_between_datums_is_told_or_refused():
    known = [
        DatumOffset("wusong", "h85", -1.88, 0.01, "levelling of the port, 2019"),
        DatumOffset("chart_datum", "wusong", 0.3, 0.02, "tide table, 2020"),
    ]
    assert conversion("h85", "h85") == (0.0, 0.0)
    offset, u = conversion("h85", "chart datum", known)
    assert (offset, u) == (pytest.approx(1.58), pytest.approx(np.hypot(0.01, 0.02)))
    with pytest.raises(ConfigError, match="never guessed"):
        conversion("h85", "h56", known)
    for wrong in (("h85", "h85", 0.0), ("h85", "nowhere", 0.0), ("h85", "h56", float("nan"))):
        with pytest.raises(ConfigError):
            DatumOffset(*wrong, reference="x")
    with pytest.raises(ConfigError, match="reference"):
        DatumOffset("h56", "h85", -0.029)


def test_an_elevation_follows_the_levelling_that_held():
    gauge = GaugeZero(
        [Levelling(9.98, 2 * DAY, "nap", 0.003, "BM 7"), Levelling(10.0, DAY, "NAP", 0.004, "BM 7")],
        [DatumOffset("nap", "dhhn2016", 0.01, 0.005, "service, 2021")],
    )
    times = np.array([0, DAY, 2 * DAY - 1, 2 * DAY])
    assert gauge.elevation(times, 1.0) == pytest.approx([np.nan, 11.0, 11.0, 10.98], nan_ok=True)
    zero, u = gauge.zero([3 * DAY], "NHN")
    assert (zero[0], u[0]) == (pytest.approx(9.99), pytest.approx(np.hypot(0.003, 0.005)))
    assert gauge.shifts() == [(2 * DAY, pytest.approx(-0.02))]
    with pytest.raises(ConfigError):
        gauge.elevation(times, 1.0, "navd88")
    for wrong in ([], [Levelling(1.0), Levelling(2.0)], [Levelling(1.0, 0, "nap"), Levelling(1.0, 1, "h85")]):
        with pytest.raises(ConfigError):
            GaugeZero(wrong)


def test_readings_are_compared_only_with_what_is_near():
    time = np.array([0, 10, 20, 60]) * 60_000_000
    found = check(
        time,
        [1.0, 1.1, np.nan, 1.5],
        np.array([-1, 0, 5, 30, 60, 61]) * 60_000_000,
        [1.0, 1.0, 1.06, 1.2, 1.5, 1.5],
        limit=0.02,
        longest_gap_s=1800.0,
    )
    assert found.recorded == pytest.approx([np.nan, 1.0, 1.05, np.nan, 1.5, np.nan], nan_ok=True)
    assert found.within.tolist() == [False, True, True, False, True, False]
    assert suggest(found) == []
    with pytest.raises(ValueError, match="rise"):
        check([1, 0], [1.0, 1.0], [0], [1.0], limit=0.1)
    with pytest.raises(ValueError, match="limit"):
        check([0, 1], [1.0, 1.0], [0], [1.0], limit=0.0)


def test_suggestions_bring_the_record_to_the_readings():
    time = np.arange(5) * DAY
    found = check(time, np.ones(5), time, [1.0, 1.05, 1.05, 1.0, 1.2], limit=0.02, longest_gap_s=1e6)
    said = suggest(found)
    assert [[action for action, _ in s.steps] for s in said] == [["drift"], ["offset"], ["offset", "drift"], ["drift"]]
    assert [(s.start // DAY, s.end // DAY) for s in said] == [(0, 1), (1, 2), (2, 3), (3, 4)]
    # A sensor that was bumped on the third day: offsets on either side, no line across.
    split = suggest(found, shifts=[int(3.5 * DAY)])
    assert (split[-1].steps[0][0], split[-1].start, split[-1].offset_end) == (
        "offset",
        int(3.5 * DAY),
        pytest.approx(0.2),
    )
    assert split[-2].end == 3 * DAY


def test_a_review_that_takes_the_suggestions_meets_the_readings():
    time = np.arange(0, 4 * DAY + 1, DAY // 4)
    truth = 1.0 + 0.3 * np.sin(time / DAY)
    error = np.interp(time, [0, DAY, 2 * DAY, 4 * DAY], [0.0, 0.06, 0.06, 0.2])
    record, readings = truth - error, time[::4]
    found = check(time, record, readings, truth[::4], limit=0.01)
    mended = record
    for suggestion in suggest(found):
        for action, told in suggestion.steps:
            span = {"start": suggestion.start, "end": suggestion.end, "time": time}
            if action == "offset":
                mended = review.offset(mended, told["offset"], **span)
            else:
                mended = review.drift(mended, span["start"], span["end"], gap=told["gap"], time=time)
    assert mended[:-1] == pytest.approx(truth[:-1])  # a span ends before its end
