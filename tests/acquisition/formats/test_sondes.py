"""Sondes and level loggers: each family's shape, with its holes, marks and repeated pages."""

from __future__ import annotations

import numpy as np
import pytest
from tests.acquisition.formats import made_up
from tests.acquisition.formats.moments import seconds

import nilometer
from nilometer.errors import ReadError

NAN = float("nan")


def read(folder, text, encoding="utf-8", **wishes):
    path = folder / "log"
    path.write_bytes(text.encode(encoding))
    return nilometer.read(path, **wishes)


def same(seen, expected):
    assert np.array_equal(np.asarray(seen, float), np.asarray(expected, float), equal_nan=True)


def test_a_lev_has_its_values_and_not_only_its_times(tmp_path):
    recording = read(tmp_path, made_up.LEV)
    assert recording.format == "solinst_lev"
    assert seconds(recording) == ["2010-08-05T10:10:40", "2010-08-05T10:15:40"]
    assert recording.times[1] % 1_000_000 == 500_000
    assert (recording["LEVEL"].unit, recording["Conductivity"].unit) == ("m", "mS cm-1")
    assert recording["conductivity"].values.tolist() == [38.318, 40.115]
    told = recording.metadata
    assert (told["serial number"], told["model"], told["station"]) == ("60652", "Solinst LTC-Levelogger", "JDM1")
    assert any("says that it has 3 rows, and has 2" in note for note in recording.notes)
    assert any("unvented" in note for note in recording.notes)
    assert any("1 lines are no rows" in note for note in recording.notes)


def test_an_export_of_solinst_has_the_units_of_its_blocks_and_its_milliseconds(tmp_path):
    recording = read(tmp_path, made_up.SOLINST_CSV, "cp1252")
    assert dict(recording.units) == {"LEVEL": "m", "TEMPERATURE": "degree_Celsius", "CONDUCTIVITY": "uS cm-1"}
    assert recording.times[1] % 1_000_000 == 250_000
    assert (recording.metadata["serial number"], recording.metadata["station"]) == ("1067933", "CTD08")


def test_an_xle_has_its_channels_by_name(tmp_path):
    recording = read(tmp_path, made_up.XLE)
    assert recording.format == "solinst_xle"
    same(recording["water_temperature"].values, [0.4, NAN])
    assert recording["LEVEL"].values.tolist() == [3.77, 3.76]
    told = recording.metadata
    assert (told["model"], told["serial number"], told["station"]) == ("Solinst LTC M10", "2004321", "W7")


def test_a_capture_goes_over_midnight_and_pages_and_repeats_nothing(tmp_path):
    recording = read(tmp_path, made_up.HYDROLAB)
    assert recording.format == "hydrolab"
    assert seconds(recording) == ["2003-11-17T23:00:00", "2003-11-18T00:00:00"]
    same(recording["oxygen_saturation"].values, [93.4, NAN])
    assert {name: part.unit for name, part in recording.columns.items()} == {
        "Temp": "degree_Celsius", "pH": "1", "SpCond": "mS cm-1", "DO": "%", "Depth": "ft", "Batt": "V",
    }  # fmt: skip
    assert recording.aside["mark"].to_pylist() == ["&", "&"]
    assert recording.metadata["model"] == "Hydrolab DataSonde 3"
    said = " ".join(recording.notes)
    assert "1 rows stand twice" in said
    assert "1 lines tell of lost power" in said
    assert "1 row is broken and left out, the first is line 11" in said


def test_the_csv_of_a_hydrolab_tells_model_and_serial_number(tmp_path):
    recording = read(tmp_path, made_up.HYDROTECH, "cp1252")
    assert recording.format == "hydrolab_csv"
    assert recording["water_temperature"].unit == "degree_Celsius"
    assert (recording.metadata["model"], recording.metadata["serial number"]) == ("Hydrolab MiniSonde4a", "22767")


def test_tagged_values_stand_under_their_time(tmp_path):
    recording = read(tmp_path, made_up.GREENSPAN)
    assert recording.format == "greenspan"
    assert seconds(recording) == ["2007-05-24T22:00:00", "2007-05-25T01:00:00"]
    same(recording["dissolved_oxygen"].values, [8.84, NAN])
    assert recording["water_temperature"].values.tolist() == [21.21, 21.08]
    assert recording.metadata["serial number"] == "17837"


def test_a_converted_greenspan_has_its_headings_and_its_order_of_dates(tmp_path):
    recording = read(tmp_path, made_up.GREENSPAN_CSV)
    assert recording.format == "greenspan_csv"
    assert seconds(recording)[0] == "2008-04-03T12:15:00"
    assert {part.observed_property: part.unit for part in recording.columns.values()} == {
        "battery_voltage": "V", "sensor_depth": "m", "conductivity": "uS cm-1", "salinity": "1",
    }  # fmt: skip
    same(recording["salinity"].values, [NAN, 21.46])
    assert recording.metadata["station"] == "GS 025399 SB1S"


def test_only_logged_channels_of_a_macroctd_have_columns(tmp_path):
    recording = read(tmp_path, made_up.MACROCTD, "cp1252")
    assert recording.format == "macroctd"
    assert seconds(recording)[0] == "2006-03-04T10:30:00"
    assert recording["conductivity"].values.tolist() == [17.505, 17.883]
    assert (recording.metadata["serial number"], recording.metadata["station"]) == ("10647", "KLake006 aug")
    assert recording["Temperature"].statistic == "mean"
    assert "not told" in recording.metadata["stamps"]


def test_a_units_row_says_that_the_year_comes_first(tmp_path):
    recording = read(tmp_path, made_up.COLUMNS)
    assert recording.format == "columns"
    assert seconds(recording) == ["2010-10-04T11:00:31", "2010-10-04T12:00:32"]
    assert recording["salinity"].values.tolist() == [0.0, 0.01]


def test_a_clock_in_five_columns_and_a_number_for_no_value(tmp_path):
    recording = read(tmp_path, made_up.ARCHIVE)
    assert seconds(recording) == ["2001-09-11T23:00:00", "2001-09-12T00:30:00"]
    same(recording["ph"].values, [NAN, 7.1])
    assert recording.metadata["station"] == "Brazosd"
    assert recording.aside["SourceFile"].to_pylist() == ["a.09", "a.09"]


def test_a_minidot_counts_seconds_in_utc(tmp_path):
    recording = read(tmp_path, made_up.MINIDOT)
    assert recording.format == "minidot"
    assert seconds(recording)[0] == "2019-12-13T15:17:00"
    assert recording["dissolved_oxygen"].values.tolist() == [9.654, 10.149]


def test_nines_of_a_buoy_are_missing_by_column(tmp_path):
    recording = read(tmp_path, made_up.NDBC)
    assert recording.format == "ndbc"
    same(recording["wind_direction"].values, [231, NAN])
    same(recording["significant_wave_height"].values, [NAN, 1.07])
    same(recording["air_pressure"].values, [1017.3, NAN])
    same(recording["water_temperature"].values, [13.5, NAN])
    assert recording.metadata["time zone"] == "UTC"
    assert any("1 lines have not 9 cells" in note for note in recording.notes)
    spectrum = read(tmp_path, made_up.SPECTRUM)
    same(spectrum[".040"].values, [NAN, 0.62])
    assert spectrum[".040"].unit == "m2 Hz-1"
    assert seconds(spectrum)[0] == "1996-01-01T00:00:00"


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        (made_up.LEV.replace("[Data]", "Data"), "solinst_lev", "Data"),
        (made_up.XLE.replace("Log", "Lag"), "solinst_xle", "no <Log>"),
        (made_up.HYDROLAB.replace("HHMMSS", "time"), "hydrolab", "heads a table"),
        (made_up.GREENSPAN.replace("T2007", "X2007"), "greenspan", "D1"),
        (made_up.MACROCTD.replace("@AVERAGES", "@OTHER"), "macroctd", "AVERAGES"),
        ("Column Heading\nUnit\nData\n", "greenspan_csv", "no row with a time"),
        (made_up.NDBC.replace("YY", "QQ"), "ndbc", "YY MM DD hh"),
    ],
)
def test_what_lacks_its_table_is_refused_by_name(tmp_path, text, name, message):
    with pytest.raises(ReadError, match=message):
        read(tmp_path, text, format=name)
