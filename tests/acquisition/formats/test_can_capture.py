"""Captures of a CAN bus: signals, groups and answers as columns, timed by their own clock or by the bus's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.acquisition.formats import made_up
from tests.acquisition.formats.moments import seconds

import nilometer
import nilometer.acquisition.simulators as simulators
from nilometer.acquisition.can_database import load
from nilometer.errors import ConfigError, ReadError

SONDE = Path(simulators.__file__).parent / "can_sonde.dbc"
FILES = {"log": made_up.CAN_LOG.encode(), **made_up.can_files()}


def read(folder, content, **wishes):
    path = folder / "capture"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return nilometer.read(path, **wishes)


@pytest.mark.parametrize("name", FILES)
def test_a_capture_of_every_writer_gives_the_signals_of_its_database(tmp_path, name, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Shanghai")  # the machine's zone is nobody's
    recording = read(tmp_path, FILES[name], database=SONDE)
    assert recording.format == "can_capture"
    assert seconds(recording)[0] == "2024-06-10T06:13:20"
    water = recording["water_temperature"]
    assert water.values[np.isfinite(water.values)].tolist() == [20.58, -0.12]
    assert (water.name, water.unit, water.observed_property) == (
        "Water.water_temperature", "degree_Celsius", "water_temperature",
    )  # fmt: skip
    assert np.nanmax(recording["dissolved_oxygen"].values) == 10.0
    assert np.isnan(recording["Health.wiper"].values).all()  # of the other page
    assert any("not in the database" in note for note in recording.notes)


def test_lines_of_a_trc_that_are_none_are_counted(tmp_path):
    recording = read(tmp_path, FILES["trc"] + b"      9      9000.000 DT  2\n", database=SONDE)
    assert any("1 lines are no frames" in note for note in recording.notes)
    assert not any("no frames" in note for note in read(tmp_path, FILES["trc"], database=SONDE).notes)


def test_without_a_database_the_standards_are_read_and_that_is_said(tmp_path):
    recording = read(tmp_path, made_up.CAN_LOG)
    seen = {name: part.values[np.isfinite(part.values)].tolist() for name, part in recording.columns.items()}
    assert seen == {
        "engine_coolant_temperature": [83.0],
        "65262.engine_coolant_temperature": [22.0],
        "65262.fuel_temperature": [],
        "130312.1.sea.temperature": [20.08],
    }
    assert recording.qualifies == {"65262.fuel_temperature_code": "65262.fuel_temperature"}
    assert "error" in recording.aside["65262.fuel_temperature_code"].to_pylist()
    assert any("no database is named" in note for note in recording.notes)


def test_frames_that_no_standard_knows_stay_bytes(tmp_path):
    recording = read(tmp_path, "".join(made_up.CAN_LOG.splitlines(keepends=True)[:2]))
    assert recording["identifier"].values.tolist() == [0x200, 0x201]
    assert recording["byte_0"].values.tolist() == [0x0A, 0.0]
    assert recording.aside["frame"].to_pylist()[0] == "200#0A08E81C0320002A"


def test_frames_that_count_from_nowhere_need_a_day_or_a_clock_of_the_bus(tmp_path):
    text = "(12.5) can0 18FEEE00#3EFFFFFFFFFFFFFF\n(13.5) can0 18FEEE00#3FFFFFFFFFFFFFFF\n"
    with pytest.raises(ReadError, match="give date="):
        read(tmp_path, text)
    dated = read(tmp_path, text, date="2024-06-10", time_zone="+08:00")
    assert seconds(dated)[0] == "2024-06-09T16:00:12"
    with pytest.raises(ConfigError):
        read(tmp_path, text, date="once")
    days = (19884).to_bytes(2, "little").hex()  # 2024-06-10
    clock = f"(12.6) can0 1DF01001#FFF0{days}80969800\n"
    recording = read(tmp_path, text.splitlines(keepends=True)[0] + clock + text.splitlines(keepends=True)[1])
    assert (seconds(recording), recording["65262.engine_coolant_temperature"].values.tolist()) == (
        ["2024-06-10T00:16:40"], [23.0],
    )  # fmt: skip
    assert any("before the first clock" in note for note in recording.notes)


def test_two_senders_of_one_group_are_two_columns_and_a_simulator_is_none(tmp_path):
    line = "2024-06-10T00:00:00.000Z,5,130312,{},255,8,ff,00,00,{},72,ff,ff,ff\n"
    station = "f301000100000000000000000000000000000000"
    simulated = f"2024-06-10T00:00:00.000Z,5,130320,9,255,20,{','.join(station[i : i + 2] for i in range(0, 40, 2))}\n"
    recording = read(tmp_path, line.format(35, "8b") + line.format(36, "ef") + simulated)
    assert {name: part.values.tolist() for name, part in recording.columns.items()} == {
        "130312.0.sea.temperature@35": [20.08], "130312.0.sea.temperature@36": [21.08],
    }  # fmt: skip
    assert any("simulates" in note for note in recording.notes)


@pytest.mark.parametrize("size", [0, 8])
def test_a_blf_whose_objects_have_no_size_is_refused_and_hangs_nothing(tmp_path, size):
    content = made_up.can_files()["blf"]
    at = content.index(b"LOBJ") + 8
    with pytest.raises(ReadError, match="damaged"):
        read(tmp_path, content[:at] + size.to_bytes(4, "little") + content[at + 4 :])


@given(st.binary(max_size=60), st.integers(0, 1200), st.integers(0, 60))
@settings(max_examples=60, deadline=None)
def test_a_spoiled_database_is_a_database_or_a_read_error(tmp_path_factory, data, place, gone):
    path = tmp_path_factory.getbasetemp() / "spoiled.dbc"
    whole = SONDE.read_bytes()
    path.write_bytes(whole[:place] + data + whole[place + gone :])
    try:
        database = load(path)
    except ReadError as error:
        said = str(error)
    else:
        said = str(path)
        for message in database.messages:
            message.decode(bytes(8))
            list(message.columns(np.zeros((2, 8), np.uint8), np.array([8, 3])))
    assert str(path) in said


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "first", "rows", "column", "value"),
    [
        ("candumpSample1.txt", "2013-03-01T19:28:16", 963, "130311.sea.temperature", 6.11),
        ("candumpSample2.txt", "2015-03-06T04:56:10", 41, "127250.magnetic.heading", 3.933),
        ("aava-n2k.data.gz", "2014-08-15T19:00:00", 9366, "128267.depth_below_transducer", 71.04),
    ],
)
def test_real_captures_of_boats_open_by_their_content(real_data, name, first, rows, column, value):
    recording = nilometer.read(real_data / "imu_can/can" / name)
    assert (recording.format, seconds(recording)[0], len(recording)) == ("can_capture", first, rows)
    seen = recording[column].values
    assert seen[np.isfinite(seen)][0] == value


@pytest.mark.real
def test_every_real_file_of_a_bus_or_a_sensor_opens_or_says_why_not(real_data):
    opened, refused = [], []
    for path in sorted((real_data / "imu_can").rglob("*.*")):
        try:
            nilometer.read(path)
        except ReadError as error:
            refused.append(str(error))
        else:
            opened.append(path.name)
    assert opened == ["aava-n2k.data.gz", "candumpSample1.txt", "candumpSample2.txt"]
    assert not any("no format knows" in said for said in refused)
