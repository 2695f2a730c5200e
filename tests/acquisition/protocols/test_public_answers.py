"""Answers of public networks: recorded ones, those of the public documentation, and whatever else may come."""

from __future__ import annotations

import contextlib
import gzip
import json
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import nilometer
from nilometer.acquisition.protocols import ndbc, noaa_coops, sensorthings, usgs
from nilometer.acquisition.protocols.telemetry import moment
from nilometer.errors import FrameError

# The row of the centre's own description of its files (measdes), and one of a buoy without most instruments.
BUOY = b"""#YY  MM DD hh mm WDIR WSPD GST  WVHT   DPD   APD MWD   PRES  ATMP  WTMP  DEWP  VIS PTDY  TIDE
#yr  mo dy hr mn degT m/s  m/s     m   sec   sec degT   hPa  degC  degC  degC  nmi  hPa    ft
2014 09 11 16 50 120  5.0  6.0   0.6     6   4.2 134 1016.5  29.3  30.5  24.4   MM +0.3    MM
2014 09 11 16 40 MM   MM   MM    MM     MM    MM  MM     MM    MM  30.4    MM   MM   MM    MM
"""
OCEAN = b"""#YY  MM DD hh mm   DEPTH  OTMP   COND   SAL   O2% O2PPM  CLCON  TURB    PH    EH
#yr  mo dy hr mn       m  degC  mS/cm   psu     %   ppm   ug/l   FTU     -    mv
2026 01 01 00 00     1.0 12.34  42.10 31.50  98.1  8.40   1.20   0.5  8.05    MM
2026 01 01 00 00    10.0 11.90  42.30 31.80    MM    MM     MM    MM    MM    MM
"""
LEVEL = json.dumps(
    {
        "metadata": {"id": "8454000", "name": "Providence", "lat": "41.8071", "lon": "-71.4012"},
        "data": [
            {"t": "2026-01-01 00:00", "v": "0.437", "s": "0.003", "f": "0,0,0,0", "q": "p"},
            {"t": "2026-01-01 00:06", "v": "0.512", "s": "0.004", "f": "3,0,1,0", "q": "p"},
            {"t": "2026-01-01 00:12", "v": "", "s": "", "f": "0,0,0,0", "q": "p"},
            {"t": "2026-01-01 00:18", "v": "0.530", "s": "0.004", "f": "1,0,0,0", "q": "v"},
        ],
    }
).encode()


@pytest.mark.real
def test_a_recorded_answer_of_usgs_gives_what_the_file_reader_gives(real_data):
    path = real_data / "level/usgs/USGS_08313000_Jan2019_instantaneous.json.gz"
    page = usgs.read(gzip.decompress(path.read_bytes()))
    recording = nilometer.read(path)
    assert page.problems == []
    assert {(said.key, said.unit, said.observed_property) for said in page.values} == {
        ("00060", "ft3 s-1", "discharge")
    }
    assert [said.value for said in page.values] == recording["discharge"].values.tolist()
    assert [said.time for said in page.values] == recording.times.tolist()
    assert {said.mark for said in page.values} == {"A"}


@pytest.mark.real
def test_a_recorded_answer_of_several_sites_keeps_parameters_apart(real_data):
    page = usgs.read((real_data / "level/usgs/waterservices_iv.txt").read_bytes())
    assert len(page.values) == 20
    assert {said.observed_property for said in page.values} == {"discharge", "water_level"}


def series(code, unit, *values, methods=((1, ""),), missing=-999999.0):
    said = [{"value": v, "qualifiers": q, "dateTime": "2026-01-01T00:00:00.000-05:00"} for v, q in values]
    return {
        "variable": {"variableCode": [{"value": code}], "unit": {"unitCode": unit}, "noDataValue": missing},
        "values": [{"value": said, "method": [{"methodID": i, "methodDescription": t}]} for i, t in methods],
    }


def usgs_page(*parts):
    return usgs.read(json.dumps({"value": {"timeSeries": list(parts)}}).encode())


def test_usgs_marks_stay_verbatim_and_no_data_is_no_number():
    page = usgs_page(series("00010", "deg C", ("4.5", ["P", "e"]), ("-999999", ["P", "Eqp"])))
    assert [said.mark for said in page.values] == ["P,e", "P,Eqp"]
    assert page.values[0].value == 4.5
    assert math.isnan(page.values[1].value)
    assert page.values[0].time == moment("2026-01-01T05:00:00Z")


def test_usgs_sensors_of_one_parameter_and_units_of_another_quantity():
    page = usgs_page(
        series("00010", "deg C", ("4.5", ["P"]), methods=((1, "upper"), (2, ""))),
        series("00095", "mg/l", ("300", ["P"])),
        series("00400", "parsecs per fortnight", ("7", ["P"])),
    )
    assert [said.key for said in page.values] == ["00010.1", "00010", "00095", "00400"]
    assert [said.observed_property for said in page.values] == ["water_temperature"] * 2 + [None, None]
    assert len(page.problems) == 3  # two units that are none of theirs, of which one is unknown altogether


def test_a_page_of_the_newer_usgs_service_says_the_same_in_other_words():
    told = {
        "parameter_code": "00060",
        "time": "2026-01-01T00:15:00+00:00",
        "value": "489",
        "unit_of_measure": "ft^3/s",
        "approval_status": "Provisional",
        "qualifier": ["e"],
        "time_series_id": "d7c6271e2e194428ba9cf9c032539e0f",
        "monitoring_location_id": "USGS-02289019",
    }
    links = [{"rel": "next", "href": "https://api.waterdata.usgs.gov/x?cursor=1"}]
    page = usgs.read(json.dumps({"features": [{"properties": told}], "links": links}).encode())
    said = page.values[0]
    assert (said.key, said.value, said.unit) == ("00060.d7c6271e", 489.0, "ft3 s-1")
    assert (said.observed_property, said.mark) == ("discharge", "P,e")
    assert page.next.endswith("cursor=1")


def test_coops_flags_are_the_letters_of_its_response_help():
    page = noaa_coops.read(LEVEL, "water_level")
    levels = [said for said in page.values if said.key == "water_level"]
    assert [said.mark for said in levels] == ["p", "p O R", "p", "v I"]
    assert [said.extra for said in levels][1] == '{"f": "3,0,1,0"}'
    assert math.isnan(levels[2].value)
    assert {said.unit for said in page.values} == {"m"}
    assert sum(said.key == "water_level.sigma" for said in page.values) == 3


def test_coops_currents_have_a_channel_a_bin_and_no_data_is_no_error():
    row = {"t": "2026-01-01 00:00", "s": "51.2", "d": "217", "b": "7"}
    page = noaa_coops.read(json.dumps({"data": [row]}).encode(), "currents")
    assert {(said.key, said.value, said.unit) for said in page.values} == {
        ("flow_velocity.bin7", 51.2, "cm s-1"),
        ("current_direction.bin7", 217.0, "degree"),
    }
    empty = {"error": {"message": " No data was found. This product may not be offered at this station. "}}
    assert noaa_coops.read(json.dumps(empty).encode(), "wind").values == []
    with pytest.raises(FrameError, match="Wrong Datum"):
        noaa_coops.read(b'{"error": {"message": "Wrong Datum"}}', "water_level")


def test_a_buoy_has_no_value_where_it_says_mm():
    page = ndbc.read(BUOY)
    by_time = {said.time: said for said in page.values if said.key == "WTMP"}
    assert list(by_time) == [moment("2014-09-11T16:40:00Z"), moment("2014-09-11T16:50:00Z")]
    assert by_time[moment("2014-09-11T16:50:00Z")].value == 30.5
    assert {said.key for said in page.values if said.time == moment("2014-09-11T16:40:00Z")} == {"WTMP"}
    assert ("PTDY", None) in {(said.key, said.observed_property) for said in page.values}
    assert page.problems == []


def test_an_ocean_file_has_a_channel_a_depth():
    page = ndbc.read(OCEAN)
    values = {said.key: (said.value, said.unit, said.observed_property) for said in page.values}
    assert values["OTMP.10.0m"] == (11.9, "degree_Celsius", "water_temperature")
    assert values["O2PPM.1.0m"] == (8.4, "mg L-1", "dissolved_oxygen")
    assert values["COND.1.0m"] == (42.1, "mS cm-1", "conductivity")
    assert "DEPTH" not in {said.key for said in page.values}


def test_a_datastream_says_what_it_measures_and_an_observation_keeps_all_it_has():
    listed = {
        "value": [
            {
                "@iot.id": "temp'1",
                "name": "Wassertemperatur",
                "unitOfMeasurement": {"symbol": "°C", "name": "degree Celsius", "definition": "ucum:Cel"},
                "ObservedProperty": {"name": "Water Temperature", "definition": "http://x/sea_water_temperature"},
                "Thing": {"@iot.id": 5},
            },
            {
                "@iot.id": 2,
                "unitOfMeasurement": {"symbol": "bananas"},
                "ObservedProperty": {"name": "pH"},
                "Thing": {"@iot.id": 5},
            },
        ]
    }
    (water, strange), following = sensorthings.read_streams(json.dumps(listed).encode())
    assert following == ""
    assert (water.key, water.unit, water.observed_property) == ("5/temp_1", "degree_Celsius", "water_temperature")
    assert (strange.unit, strange.observed_property) == (None, None)
    assert "bananas" in strange.note
    assert sensorthings.written_id(water.id) == "'temp''1'"
    observed = {
        "@iot.nextLink": "http://x/next",
        "value": [
            {
                "phenomenonTime": "2026-01-01T00:00:00Z/2026-01-01T01:00:00Z",
                "resultTime": "2026-01-01T01:05:00Z",
                "result": 4.5,
                "resultQuality": {"code": "good"},
                "parameters": {"lab": 7},
            },
            {"phenomenonTime": "soon", "result": 1},
            {"phenomenonTime": "2026-01-01T02:00:00Z", "result": "dry"},
        ],
    }
    page = sensorthings.read_observations(json.dumps(observed).encode(), water)
    assert page.next == "http://x/next"
    assert len(page.problems) == 1
    first, text = page.values
    assert (first.time, first.duration) == (moment("2026-01-01T00:00:00Z"), 3_600_000_000)
    assert first.result_time == moment("2026-01-01T01:05:00Z")
    assert (first.mark, first.extra) == ('{"code": "good"}', '{"parameters": {"lab": 7}}')
    assert math.isnan(text.value)
    assert text.extra == '{"result": "dry"}'


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("value", "timeSeries", "values", "variable", "dateTime", "features", "properties", "links"),
                    *("error", "message", "data", "t", "v", "f", "q", "b", "@iot.id", "unitOfMeasurement", "result"),
                    *("phenomenonTime", "qualifiers", "method", "Thing", "ObservedProperty", "symbol", "time"),
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)
STREAM = sensorthings.Stream(1, "1", "", "m", "water_level")
READERS = {
    "usgs": usgs.read,
    "water_level": lambda body: noaa_coops.read(body, "water_level"),
    "ndbc": ndbc.read,
    "streams": sensorthings.read_streams,
    "observations": lambda body: sensorthings.read_observations(body, STREAM),
}


@pytest.mark.parametrize("reader", READERS)
@given(
    body=st.binary(max_size=200)
    | JSON.map(lambda item: json.dumps(item).encode())
    | st.integers(0, len(BUOY)).map(lambda at: BUOY[:at] + b"7 9" + BUOY[at + 2 :])
)
@settings(max_examples=40, deadline=None)
def test_any_answer_is_a_page_or_a_frame_error(reader, body):
    with contextlib.suppress(FrameError):
        READERS[reader](body)
