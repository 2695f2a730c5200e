"""YSI: exports of Kor as text and as workbooks, and the binary logs of the 6-series."""

from __future__ import annotations

import numpy as np
import pytest
from tests.acquisition.formats import made_up
from tests.acquisition.formats.moments import seconds

import nilometer
from nilometer.errors import ReadError


def read(folder, content, name="sonde", **wishes):
    path = folder / name
    path.write_bytes(content)
    return nilometer.read(path, **wishes)


def test_an_export_of_kor_2_names_the_sensors_over_its_columns(tmp_path):
    recording = read(tmp_path, made_up.KOR_2.encode("utf-16"))
    assert recording.format == "exo"
    assert recording.times[0] == np.datetime64("2021-09-13T11:48:37", "us").astype(np.int64)
    assert {part.observed_property: part.unit for part in recording.columns.values()} == {
        "chlorophyll_fluorescence": "RFU", "oxygen_saturation": "%", "absolute_pressure": "psi", "battery_voltage": "V",
    }  # fmt: skip
    assert np.array_equal(recording["oxygen_saturation"].values, [65.0, np.nan], equal_nan=True)
    assert recording.metadata["model"] == "YSI EXO"
    assert "ODO % sat 18E103446" in recording.metadata["sensor serial numbers"]
    assert recording.metadata["stamps"] == "instant"


def test_a_workbook_of_kor_1_tells_sonde_site_and_zone(tmp_path):
    recording = read(tmp_path, made_up.workbook(made_up.KOR_1_ROWS))
    assert recording.format == "xlsx"
    assert recording.times[0] == np.datetime64("2017-02-21T19:30", "us").astype(np.int64)
    assert recording["turbidity_fnu"].values.tolist() == [2242.13, 916.7]
    assert recording["water_temperature"].unit == "degree_Celsius"
    told = recording.metadata
    assert (told["model"], told["serial number"], told["station"], told["time zone"], told["sheet"]) == (
        "YSI EXO2 Sonde", "15H104217", "DCL", "-05:00", "Log",
    )  # fmt: skip


def test_any_workbook_with_a_table_is_read_and_one_without_says_why(tmp_path):
    rows = [["time", "ph", "note"], ["2024-01-01 00:00:00", 7.1, "a"], ["2024-01-01 00:15:00", "<6.5", ""]]
    recording = read(tmp_path, made_up.workbook(rows))
    assert recording["ph"].values.tolist() == [7.1, 6.5]
    assert recording["ph"].censored.tolist() == [0, -1]
    with pytest.raises(ReadError, match=r"no sheet holds a table with times .*'Log'"):
        read(tmp_path, made_up.workbook([["a", "b"], [1, 2], [2, 3]]))
    with pytest.raises(ReadError, match="every sheet is empty"):
        read(tmp_path, made_up.workbook([]))


def test_a_damaged_workbook_is_refused(tmp_path):
    content = made_up.workbook(made_up.KOR_1_ROWS)
    with pytest.raises(ReadError, match="cut off or damaged"):
        read(tmp_path, content[: len(content) // 2])


def test_a_binary_log_gives_what_ecowatch_shows(tmp_path):
    recording = read(tmp_path, made_up.ysi_dat())
    assert recording.format == "ysi_dat"
    assert seconds(recording) == ["2008-01-29T09:00:33", "2008-01-29T10:00:33"]
    assert recording["water_temperature"].values.tolist() == [22.56, 20.2]
    assert recording["conductivity"].values.tolist() == [-0.0, 15.493]
    assert recording["conductivity"].unit == "mS cm-1"
    assert recording["quantity 250"].observed_property is None
    assert any("quantity 250" in note for note in recording.notes)
    told = recording.metadata
    assert (told["serial number"], told["station"], told["interval"]) == ("07E101066", "BAYT_CST", "3600 s")


def test_a_binary_log_cut_off_keeps_its_whole_records(tmp_path):
    recording = read(tmp_path, made_up.ysi_dat()[:-1])
    assert len(recording) == 1
    assert any("cut off" in note for note in recording.notes)
    recording = read(tmp_path, made_up.ysi_dat() + b"Zzz")
    assert len(recording) == 2
    assert any("3 bytes are left out" in note for note in recording.notes)


@pytest.mark.real
def test_a_real_workbook_of_kor_is_read_by_content(real_data):
    recording = nilometer.read(real_data / "raw_logs/exo/driftr_exoRaw.xlsx")
    assert len(recording) == 1999
    assert recording.metadata["serial number"] == "15H104217"
    assert recording["turbidity_fnu"].values[0] == 2242.13
    assert recording["dissolved_oxygen"].values[-1] == 9.03
    assert recording.times[-1] == np.datetime64("2017-02-28T13:00", "us").astype(np.int64)


@pytest.mark.real
def test_a_real_binary_log_agrees_with_its_export_value_for_value(real_data):
    folder = real_data / "raw_logs/sondes/ysi"
    log, export = nilometer.read(folder / "0108BAYT.dat"), nilometer.read(folder / "0108BAYT.CDF")
    assert np.array_equal(log.times, export.times)
    for key in ("water_temperature", "conductivity", "sensor_depth", "oxygen_saturation", "battery_voltage"):
        last_digit = {"oxygen_saturation": 0.1, "battery_voltage": 0.1, "water_temperature": 0.01}.get(key, 0.001)
        # The export rounds halves the other way.
        assert np.allclose(log[key].values, export[key].values, atol=1.01 * last_digit, rtol=0.0)
        assert (log[key].values == export[key].values).mean() > 0.95
