"""What becomes of the values of HJ 212: channels, times, intervals, samples."""

from __future__ import annotations

import json
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from nilometer.acquisition.hj212_rows import Meaning, MessageRows
from nilometer.acquisition.protocols.hj212 import parse_segment, station_time
from nilometer.acquisition.protocols.hj212_codes import CODES
from nilometer.acquisition.rows import ChannelTable
from nilometer.errors import FrameError
from nilometer.model.batch import NO_TIME
from nilometer.model.entities import SampleKind
from nilometer.model.properties import vocabulary
from nilometer.units import canonical

CHINA = ZoneInfo("Asia/Shanghai")
MINUTE = 60_000_000


def at(text):
    return station_time(text, CHINA)


def rows_of(area, command="2011", *, table=None, several=False, header=""):
    table = ChannelTable() if table is None else table
    rows = MessageRows(table, CHINA, minute_interval_min=10, several=several)
    message = parse_segment(f"QN=20240601120001000;ST=32;CN={command};MN=A1;{header}CP=&&{area}&&".encode())
    return {table[row.channel].key: row for row in rows.rows(message, 0)}, table


def test_a_current_value_has_its_property_unit_and_time():
    rows, table = rows_of("DataTime=20240601120000;w01018-Rtd=35.2,w01018-Flag=N;011-Rtd=2,011-Flag=D")
    row = rows["w01018-Rtd"]
    assert (row.time, row.value, row.mark, row.duration) == (at("20240601120000"), 35.2, "N", 0)
    channels = {channel.key: channel for channel in table.channels}
    assert (channels["w01018-Rtd"].observed_property, channels["w01018-Rtd"].unit) == ("codcr", "mg L-1")
    assert (channels["011-Rtd"].observed_property, channels["011-Rtd"].unit) == ("codcr", "mg L-1")
    assert rows["011-Rtd"].mark == "D"


def test_several_stations_put_their_mn_before_the_key():
    rows, _ = rows_of("DataTime=20240601120000;w01018-Rtd=35.2", several=True)
    assert list(rows) == ["A1/w01018-Rtd"]


@pytest.mark.parametrize(
    ("command", "name", "hours"), [("2051", "minute", 1 / 6), ("2061", "hour", 1), ("2031", "day", 24)]
)
def test_means_stand_for_the_interval_that_begins_at_their_time(command, name, hours):
    rows, table = rows_of("DataTime=20240601000000;w00000-Cou=63,w00000-Avg=17.5,w00000-Max=20,w00000-Flag=N", command)
    mean = rows[f"w00000-Avg.{name}"]
    assert (mean.time, mean.duration) == (at("20240601000000"), int(hours * 3_600_000_000))
    channels = {channel.key: channel for channel in table.channels}
    assert channels[f"w00000-Avg.{name}"].observed_property == "flow_rate"
    assert channels[f"w00000-Max.{name}"].observed_property is None
    assert channels[f"w00000-Cou.{name}"].unit == "m3"


def test_a_station_that_says_its_minute_interval_is_believed():
    rows = MessageRows(ChannelTable(), CHINA, minute_interval_min=10, several=False)
    rows.learn(parse_segment(b"ST=32;CN=1063;MN=A1;CP=&&MinInterval=5&&"))
    upload = parse_segment(b"ST=32;CN=2051;MN=A1;CP=&&DataTime=20240601000000;w01001-Avg=7&&")
    assert rows.rows(upload, 0)[0].duration == 300_000_000


def test_a_value_of_an_analyser_is_as_old_as_its_sample():
    rows, _ = rows_of("DataTime=20240601120000;w01018-SampleTime=20240601080000,w01018-Rtd=2.2,w01018-EFlag=A01")
    row = rows["w01018-Rtd"]
    assert row.time == at("20240601080000")
    assert json.loads(row.extra) == {"EFlag": "A01"}


def test_a_cycle_lasts_from_its_sample_to_its_result():
    area = "DataTime=20240601120000;w01018-SampleTime=20240601080000,w01018-CompleteTime=20240601084500,w01018-Avg=2.2"
    rows, _ = rows_of(area, "2013")
    row = rows["w01018-Avg.cycle"]
    assert (row.time, row.duration, row.result_time) == (at("20240601080000"), 45 * MINUTE, at("20240601084500"))
    assert row.extra is None
    # An impossible completion proves nothing, and is kept.
    rows, _ = rows_of(area.replace("084500", "074500"), "2013")
    row = rows["w01018-Avg.cycle"]
    assert (row.duration, row.result_time, json.loads(row.extra)) == (0, NO_TIME, {"CompleteTime": "20240601074500"})


def test_an_analysis_takes_as_long_as_the_station_or_the_configuration_says():
    told = MessageRows(
        ChannelTable(), CHINA, minute_interval_min=10, several=False, analysis_min={"w01018": 40, "w21003": 20}
    )
    told.learn(parse_segment(b"ST=91;CN=3018;MN=A1;CP=&&PolId=w01018;Stime=45&&"))
    area = "w01018-SampleTime=20240601080000,w01018-Rtd=2;w21003-SampleTime=20240601080000,w21003-Rtd=1"
    for command in ("2011", "2061"):
        text = f"ST=32;CN={command};MN=A1;CP=&&DataTime=20240601120000;{area};w01001-Avg=7&&"
        upload = parse_segment(text.encode())
        found = [(row.time, row.duration, row.result_time) for row in told.rows(upload, 0)]
        start = at("20240601080000")
        assert found[:2] == [(start, n * MINUTE, start + n * MINUTE) for n in (45, 20)]
        assert found[2][2] == NO_TIME


def test_a_command_that_no_source_explains_means_what_the_configuration_says():
    meaning = Meaning(interval="cycle", sample="spike", measured=("Check",), details=("Standard",))
    table = ChannelTable()
    told = MessageRows(
        table, CHINA, minute_interval_min=10, several=False, commands={"2063": meaning, "2011": Meaning()}
    )
    area = "w21003-SampleTime=20240601080000,w21003-Check=0.98,w21003-Standard=1.0,w21003-Flag=hd"
    (row,) = told.rows(parse_segment(f"ST=21;CN=2063;MN=A1;CP=&&{area}&&".encode()), 0)
    channel = table[row.channel]
    assert (channel.key, channel.observed_property, channel.unit) == ("w21003-Check.cycle", "nh3_n", "mg L-1")
    assert (row.time, row.sample, row.mark) == (at("20240601080000"), SampleKind.SPIKE, "hd")
    assert json.loads(row.extra) == {"Standard": 1.0}
    hours = MessageRows(table, CHINA, minute_interval_min=10, several=False, commands={"4001": Meaning("hour")})
    (row,) = hours.rows(parse_segment(b"ST=21;CN=4001;MN=A1;CP=&&DataTime=20240601080000;w01001-Avg=7&&"), 0)
    assert (row.duration, table[row.channel].key) == (60 * MINUTE, "w01001-Avg.hour")


def test_what_was_calibrating_is_not_of_the_water():
    rows, _ = rows_of("DataTime=20240601120000;w01018-Rtd=50,w01018-Flag=C;w01001-Rtd=7,w01001-Flag=M")
    assert rows["w01018-Rtd"].sample == SampleKind.CHECK
    assert rows["w01001-Rtd"].sample == SampleKind.WATER


def test_a_standard_check_is_a_check_with_its_standard_beside_it():
    rows, _ = rows_of(
        "DataTime=20240601120000;w01018-SampleRd=39.2;w01018-StandardValue=40.0;w01018-ResultType=1", "2062"
    )
    assert list(rows) == ["w01018-SampleRd"]
    assert rows["w01018-SampleRd"].sample == SampleKind.CHECK
    assert json.loads(rows["w01018-SampleRd"].extra) == {"ResultType": 1.0, "StandardValue": 40.0}


def test_above_the_limit_is_censored_and_the_mark_is_kept():
    rows, _ = rows_of("DataTime=20240601120000;w01018-Rtd=500,w01018-Flag=T")
    assert (rows["w01018-Rtd"].censored, rows["w01018-Rtd"].mark, rows["w01018-Rtd"].value) == (1, "T", 500.0)


def test_no_value_is_missing_and_a_text_is_kept_beside_it():
    rows, table = rows_of("DataTime=20240601120000;w01018-Rtd=,w01018-Flag=B;zz-Rtd=---;i11001-Info=//清洗//")
    assert np.isnan(rows["w01018-Rtd"].value)
    assert json.loads(rows["zz-Rtd"].extra) == {"text": "---"}
    assert json.loads(rows["i11001-Info"].extra) == {"text": "//清洗//"}
    assert {channel.key: channel.observed_property for channel in table.channels}["zz-Rtd"] is None


def test_without_data_time_the_request_number_dates_the_values():
    rows, _ = rows_of("w01018-Rtd=1")
    assert rows["w01018-Rtd"].time == at("20240601120001")


def test_an_impossible_time_refuses_the_message():
    with pytest.raises(FrameError, match="time"):
        rows_of("DataTime=20240231120000;w01018-Rtd=1")


def test_units_of_the_wire_agree_with_the_vocabulary():
    for term in vocabulary().values():
        row = CODES.get(term.hj525 or "")
        if row is None:
            continue
        assert row.code_2005 == (term.hj525_2005 or ""), term.key
        if row.unit != "colour degree":
            assert canonical(row.unit) == term.hj525_unit, term.key
