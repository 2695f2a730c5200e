"""Sonde files as people hand them on: copied through spreadsheets, with marks and firmware of their own."""

from __future__ import annotations

import datetime as dt

from tests.acquisition.formats import made_up
from tests.acquisition.formats.moments import seconds
from tests.acquisition.formats.test_sondes import read, same

import nilometer
from nilometer.acquisition.formats.xlsx import _cell

NAN = float("nan")

MARKED = (
    "Log File Name : brd_03sep\r\n\r\n  Time   Temp     pH SpCond  Redox   Turb   Batt\r\n"
    "HHMMSS  deg C  units  mS/cm     mV    NTU  volts\r\n\r\nDate (MMDDYY) : 100103\r\n"
    "120000$ 27.37   7.41* 0.031    N/A    0.0*  14.1&\r\nPower loss from 100103 122530 to 100103 122531\r\n"
    "130000$ 23.62  -##.##  49.7    128    1.5*  14.1&\r\n"
)
TABBED = (
    "Log File Name : lav_apr05\t\t\t\r\nSetup Date (MMDDYY) : 042005\t\t\t\r\n\r\n"
    "Date\tTime\t\tTemp\t\tSpCond\t\tDO\t\tBatt\r\nMMDDYY\tHHMMSS\t\tdegC\t\tmS/cm\t\t%Sat\t\tvolts\r\n\r\n"
    "Power loss from 042005 081035 to 042005 081035\t\t\t\r\n"
    "42005\t90000\t\t25.98\t\t1.261\t\t125.9\t\t13.0\t&\r\n42105\t0\t\t25.50\t\tN/A\t\t120.1\t\t13.1\t&\r\n"
)
RESAVED = (
    "MiniSonde4a 23605,,,,,\r\nLog File Name : 0608CONT,,,,,\r\n,,,,,\r\n"
    "Date,Time,,Temp,,Dep25\r\nMMDDYY,HHMMSS,,øC,,meters\r\n"
    "Parameter setup or calibration changed at 060608 102008,,,,,\r\n"
    "8/11/2008,18:00:00,,23.32,,1.5\r\n8/13/2008,19:00:00,,23.30,,1.6\r\n8/13/2008,20:00:00,,23.29,,1.7\r\n"
)
SMART = (
    "# GREENSPAN\r\n#N1__ Battery_______ Volts_______\r\n#N5__ Pressure______ Metres______\r\n"
    "#C20081027121500\r\n#Schedule 1\r\nT20001111111111\r\nD1 +9.5\r\nT20001111111111\r\nD5 +0.271\r\n"
    "#C20081027123000\r\nT20001111111111\r\nD1 +9.4\r\nT20001111111111\r\nD5 -1E10\r\n"
)


def test_marks_behind_a_time_and_holes_of_any_spelling_are_no_broken_rows(tmp_path):
    recording = read(tmp_path, MARKED)
    assert seconds(recording) == ["2003-10-01T12:00:00", "2003-10-01T13:00:00"]
    same(recording["ph"].values, [7.41, NAN])
    same(recording["orp"].values, [NAN, 128])
    assert recording.aside["mark"].to_pylist() == ["$**&", "$*&"]
    assert not any("broken" in note for note in recording.notes)


def test_a_capture_out_of_a_spreadsheet_has_its_dates_in_the_rows(tmp_path):
    recording = read(tmp_path, TABBED)
    assert (recording.format, seconds(recording)) == ("hydrolab", ["2005-04-20T09:00:00", "2005-04-21T00:00:00"])
    same(recording["conductivity_25"].values, [1.261, NAN])
    assert recording["oxygen_saturation"].values.tolist() == [125.9, 120.1]


def test_a_line_of_events_is_not_the_header_of_the_rows_below_it(tmp_path):
    recording = read(tmp_path, RESAVED, "cp1252")
    assert recording.format == "hydrolab_csv"
    assert recording["water_temperature"].values.tolist() == [23.32, 23.30, 23.29]
    assert (recording["sensor_depth"].unit, recording.metadata["serial number"]) == ("m", "23605")


def test_a_smart_sonde_has_its_times_in_comments(tmp_path):
    recording = read(tmp_path, SMART)
    assert (recording.format, seconds(recording)) == ("greenspan", ["2008-10-27T12:15:00", "2008-10-27T12:30:00"])
    assert recording["battery_voltage"].values.tolist() == [9.5, 9.4]
    same(recording["sensor_depth"].values, [0.271, NAN])


def test_what_fills_names_and_units_up_is_not_part_of_them(tmp_path):
    text = made_up.GREENSPAN_CSV.replace("EC Raw", "EC__________").replace("(uS/cm)", "(us/cm_____)")
    recording = read(tmp_path, text)
    assert (recording["EC"].unit, recording["EC"].observed_property) == ("uS cm-1", "conductivity_25")


def test_a_capture_in_the_first_column_of_a_workbook_is_read_as_the_capture(tmp_path):
    path = tmp_path / "log.xlsx"
    path.write_bytes(made_up.workbook([[line] for line in made_up.GREENSPAN.split("\r\n")]))
    recording = nilometer.read(path)
    assert (recording.format, recording.metadata["serial number"]) == ("xlsx", "17837")
    same(recording["dissolved_oxygen"].values, [8.84, NAN])


def test_dates_that_a_spreadsheet_turned_are_turned_back_and_it_is_said(tmp_path):
    turned = ["31/08/2006 23:00", *(_cell(dt.datetime(2006, day, 9, 12)) for day in (1, 2, 12)), "13/09/2006 12:00"]  # noqa: DTZ001
    rows = [["time", "Temp (C)"], *([stamp, 20 + at] for at, stamp in enumerate(turned))]
    path = tmp_path / "log.xlsx"
    path.write_bytes(made_up.workbook(rows))
    recording = nilometer.read(path)
    days = [stamp[:10] for stamp in seconds(recording)]
    assert days == ["2006-08-31", "2006-09-01", "2006-09-02", "2006-09-12", "2006-09-13"]
    assert any("a spreadsheet has taken 3 of 5 dates in the wrong order" in note for note in recording.notes)


def test_names_and_units_behind_signs_of_comments(tmp_path):
    text = (
        "# timezone: UTC-6\n# datetime, air_pressure, water_temperature, maker\n# yyyy/mm/dd HH:MM:SS, Pa, degC, n/a\n"
        "2005/12/18 08:00:00, 10296.98, 3.16, solinst\n2005/12/18 08:15:00, 10296.98, 3.17, solinst\n"
    )
    recording = read(tmp_path, text)
    assert seconds(recording)[0] == "2005-12-18T14:00:00"
    assert dict(recording.units) == {"air_pressure": "Pa", "water_temperature": "degree_Celsius"}
