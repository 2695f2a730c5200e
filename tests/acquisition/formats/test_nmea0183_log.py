"""Logs of sentences: timed by their own clock, one column a quantity."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest

import nilometer
from nilometer.errors import ConfigError, ReadError
from nilometer.series import microseconds


def line(body):
    return f"${body}*{reduce(lambda check, byte: check ^ byte, body.encode(), 0):02X}\r\n"


def log(folder, *bodies):
    path = folder / "boat.log"
    path.write_text("-- a comment\n" + "".join(line(body) for body in bodies), newline="")
    return path


def test_values_stand_at_the_time_of_the_latest_sentence_with_a_clock(tmp_path):
    path = log(
        tmp_path,
        "SDMTW,17.9,C",
        "GPRMC,121923,A,4446.9570,N,06350.7119,W,0.0,0.0,070916,19.2,W,A",
        "SDMTW,18.1,C",
        "SDDPT,5.2,0.3,",
        "SDDPT,5.3,0.3,",
        "GPRMC,121925,A,4446.9570,N,06350.7119,W,0.0,0.0,070916,19.2,W,A",
        "SDMTW,18.2,C",
        "SDDPT,,,",
    )
    recording = nilometer.read(path)
    assert recording.format == "nmea0183"
    first, second = microseconds(["2016-09-07T12:19:23", "2016-09-07T12:19:25"])
    assert recording.times.tolist() == [first, first, second]
    water = recording["water_temperature"]
    assert np.array_equal(water.values, [18.1, np.nan, 18.2], equal_nan=True)
    assert water.unit == "degree_Celsius"
    assert recording["depth_below_transducer"].values[:2].tolist() == [5.2, 5.3]
    assert {"latitude", "longitude"} <= set(recording.aside)
    assert any("before the first date" in note for note in recording.notes)


def test_a_log_without_a_date_is_refused_until_its_day_is_named(tmp_path):
    path = log(tmp_path, "GPZDA,235958,,,,00,", "SDMTW,18.1,C", "GPZDA,000002,,,,00,", "SDMTW,18.2,C")
    with pytest.raises(ReadError, match="date="):
        nilometer.read(path)
    recording = nilometer.read(path, date="2014-08-15")
    assert recording.times.tolist() == microseconds(["2014-08-15T23:59:58", "2014-08-16T00:00:02"]).tolist()
    with pytest.raises(ConfigError, match="2014-08-15"):
        nilometer.read(path, date="yesterday")


def test_columns_may_be_chosen(tmp_path):
    path = log(tmp_path, "GPZDA,000002,15,08,2014,00,", "SDMTW,18.2,C", "HCHDM,12.0,M")
    assert list(nilometer.read(path, columns=["heading_magnetic"]).columns) == ["heading_magnetic"]
    with pytest.raises(ConfigError, match="water_temperature"):
        nilometer.read(path, columns=["water_temp"])


def test_a_text_without_sentences_is_refused(tmp_path):
    path = tmp_path / "x.nmea"
    path.write_text("no sentence\n")
    with pytest.raises(ReadError, match="no NMEA 0183 sentence"):
        nilometer.read(path, format="nmea0183")
