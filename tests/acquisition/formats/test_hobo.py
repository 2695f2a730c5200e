"""Onset HOBO exports: values, events aside, serial numbers, and the clock that the header names."""

from __future__ import annotations

import numpy as np
import pytest
from tests.acquisition.formats import made_up
from tests.acquisition.formats.moments import seconds

import nilometer

FOLDER = "raw_logs/hobo/"


def read(folder, text, name="creek.txt"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return nilometer.read(path)


def test_an_export_tells_its_logger_and_keeps_its_events_aside(tmp_path):
    recording = read(tmp_path, made_up.HOBO)
    assert recording.format == "hobo"
    assert recording.times[0] == np.datetime64("2017-11-13T18:54:05", "us").astype(np.int64)
    assert np.array_equal(recording["conductivity"].values, [1687.5, 687.9, np.nan], equal_nan=True)
    assert np.array_equal(recording["water_temperature"].values, [14.83, np.nan, np.nan], equal_nan=True)
    assert recording.aside["Stopped (LGR S/N: 20089046)"].to_pylist() == ["", "", "Logged"]
    told = recording.metadata
    assert (told["station"], told["serial number"], told["sensor serial numbers"]) == (
        "creek", "20089046", "20089047",
    )  # fmt: skip
    assert (told["stamps"], told["time zone"]) == ("instant", "-04:00")


def test_a_column_that_names_both_clocks_follows_the_season(tmp_path):
    recording = read(tmp_path, made_up.HOBO_CONNECT)
    assert [moment[:13] for moment in seconds(recording)] == [
        "2021-03-13T17", "2021-03-14T16", "2021-03-15T16",
    ]  # fmt: skip
    assert recording["water_temperature"].unit == "degree_Celsius"
    assert recording.metadata["time zone"] == "America/New_York"


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "serial", "properties"),
    [
        (
            "Charlies_AW_20170726_20170926.csv", "10246242, 10246226",
            {"absolute_pressure", "water_temperature", "air_pressure", "sensor_depth", "air_temperature"},
        ),
        (
            "EXAMPLE_DO_RUSSWOOD--02M_DO_20180918_20190610.csv", "20313269, 20158141",
            {"dissolved_oxygen", "water_temperature", "oxygen_saturation", "absolute_pressure"},
        ),
        ("driftr_hoboRaw.txt", "20089046", {"conductivity", "water_temperature", "conductivity_25"}),
    ],
)  # fmt: skip
def test_real_exports_tell_their_loggers(real_data, name, serial, properties):
    recording = nilometer.read(real_data / FOLDER / name)
    assert recording.format == "hobo"
    assert recording.metadata["serial number"] == serial
    assert recording.metadata["time zone"] == "-04:00"
    assert set(recording.properties.values()) == properties
