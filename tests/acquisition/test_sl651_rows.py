"""Values of SL 651 to rows: keys, intervals, marks, tests."""

from __future__ import annotations

import json
import math
from pathlib import Path

from nilometer.acquisition.protocols.sl651 import SYMBOLS, Frame, FrameSplitter, parse_message
from nilometer.acquisition.protocols.sl651_numbers import CHINA
from nilometer.acquisition.protocols.sl651_writing import Group, report_body
from nilometer.acquisition.rows import ChannelTable
from nilometer.acquisition.sl651_rows import ReportRows
from nilometer.model.entities import SampleKind
from nilometer.qc.marks import schemes

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/acquisition/sl651.json").read_text("utf-8"))["vectors"]
NOON = 1_719_806_400_000_000
HOUR = 3_600_000_000


def rows_of(frame, **options):
    table = ChannelTable()
    rows = ReportRows(table, several=False).rows(frame, parse_message(frame, CHINA))
    return [(table[row.channel], row) for row in rows]


def report(values, function=0x32):
    body = report_body(
        1, NOON, "0012345678", "H", [Group(NOON, [(SYMBOLS[key], value) for key, value in values])], CHINA
    )
    return Frame(1, "0012345678", "1234", function, body)


def test_rain_of_an_interval_begins_where_the_interval_does():
    vector = next(vector for vector in VECTORS if vector["name"] == "hour report")
    (frame,) = FrameSplitter().feed(bytes.fromhex(vector["frame"]))
    rain = [row for channel, row in rows_of(frame) if channel.key == "DRP"]
    assert len(rain) == 12
    assert {row.duration for row in rain} == {300_000_000}
    first = rain[0]
    # The station says 11:05, the end of the first five minutes.
    assert first.time == 1_725_332_400_000_000  # 2024-09-03T11:00:00+08:00
    assert [row.mark for row in rain if math.isnan(row.value)] == ["F"] * 3
    ((day, row),) = rows_of(report([("PD", 25.5)]))
    assert (row.time, row.duration, day.observed_property) == (NOON - 24 * HOUR, 24 * HOUR, "rainfall")


def test_what_is_no_rainfall_of_an_interval_has_no_property():
    found = {channel.key: channel for channel, _ in rows_of(report([("PJ", 4.0), ("PT", 40.0), ("COND", 512.0)]))}
    assert {key: channel.observed_property for key, channel in found.items()} == dict.fromkeys(("PJ", "PT", "COND"))
    assert found["PT"].unit == "mm"


def test_a_test_report_is_not_of_the_water():
    ((_, row),) = rows_of(report([("Z", 10.5)], function=0x30))
    assert row.sample is SampleKind.CHECK


def test_a_station_that_says_its_level_instrument_is_at_fault_is_believed():
    found = {
        channel.key: row.mark for channel, row in rows_of(report([("Z", 10.5), ("Q", 3.0), ("ZT", float(1 << 6))]))
    }
    assert found == {"Z": "ZT6", "Q": None, "ZT": None}


def test_what_a_station_does_not_remember_revises_nothing():
    reported, remembered = report([("Z", math.nan)]), report([("Z", math.nan)], function=0x38)
    assert [row.mark for _, row in rows_of(reported)] == ["F"]
    assert rows_of(remembered) == []


def test_what_somebody_typed_in_is_kept_as_text():
    vector = next(vector for vector in VECTORS if vector["name"] == "manual report asked for")
    (frame,) = FrameSplitter().feed(bytes.fromhex(vector["frame"]))
    ((channel, row),) = rows_of(frame)
    assert (channel.key, json.loads(row.extra), math.isnan(row.value)) == ("RGZS", {"text": "Z 7.061"}, True)


def test_the_marks_have_their_table():
    letters = schemes()["sl651-2014"].letters
    assert {mark: rule.flag.name for mark, rule in letters.items()} == {
        "F": "MISSING",
        "M": "MISSING",
        "ZT5": "FAIL",
        "ZT6": "FAIL",
    }
