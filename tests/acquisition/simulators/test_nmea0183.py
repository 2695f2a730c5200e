"""What the virtual talker says, read back by the codec and by pynmea2."""

from __future__ import annotations

import pynmea2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.acquisition.protocols.nmea0183 import DECODER
from nilometer.acquisition.simulators.nmea0183_talk import sentences
from nilometer.acquisition.simulators.simulator import Reading

T = 1_735_689_599_990_000  # 2024-12-31T23:59:59.99Z


def said(readings, place=None, time=T):
    return b"".join(sentences({key: Reading(value) for key, value in readings.items()}, time, place or {}))


def test_every_sentence_is_one_that_pynmea2_reads_too():
    data = said({"water_temperature": 15.25, "wind_speed": 5.0, "salinity": 34.5}, {"latitude": 1.5, "longitude": -2.5})
    kinds = [pynmea2.parse(line.decode(), check=True).sentence_type for line in data.splitlines()]
    assert kinds == ["ZDA", "RMC", "GGA", "MTW", "MWD", "XDR"]


def test_a_value_that_is_not_there_is_a_null_field():
    decoder = DECODER.make(None)
    found = {item.parameter: item.value for item in decoder.feed(said({"water_temperature": float("nan")}))}
    assert found["water_temperature"] is None


def test_a_column_outside_the_vocabulary_becomes_a_transducer_of_its_name():
    found = [item for item in DECODER.make(None).feed(said({"Temp, deep": 4.0})) if item.more["sentence"] == "XDR"]
    assert [(item.parameter, item.value) for item in found] == [("xdr:Temp__deep", 4.0)]


@given(latitude=st.floats(-90, 90), longitude=st.floats(-180, 180), time=st.integers(0, 2_500_000_000_000_000))
def test_clock_and_position_survive_their_sentences(latitude, longitude, time):
    place = {"latitude": latitude, "longitude": longitude}
    found = {item.parameter: item for item in DECODER.make(None).feed(said({}, place, time))}
    assert found["latitude"].value == pytest.approx(latitude, abs=1e-6)
    assert found["longitude"].value == pytest.approx(longitude, abs=1e-6)
    assert found["fix_quality"].value == 1
