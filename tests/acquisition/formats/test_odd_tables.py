"""Tables in the shapes of the field: each gives its frame, or says what would help; nothing is guessed in silence."""

from __future__ import annotations

import pytest
from tests.acquisition.formats.moments import seconds
from tests.acquisition.formats.test_sondes import read

from nilometer.errors import ReadError


def said(recording, words):
    return any(words in note for note in recording.notes)


@pytest.mark.parametrize(
    ("stamps", "expected"),
    [
        (["2024/5/1 上午 12:30:00", "2024/5/1 下午 1:00:00"], ["2024-05-01T00:30:00", "2024-05-01T13:00:00"]),
        (["2024年5月1日 1时30分", "2024年5月1日 13时"], ["2024-05-01T01:30:00", "2024-05-01T13:00:00"]),
        (["2024-5-1 12：30", "2024-5-1 13：30"], ["2024-05-01T12:30:00", "2024-05-01T13:30:00"]),
        (["13/02/2024 01:00:00 a. m.", "13/02/2024 01:00:00 p. m."], ["2024-02-13T01:00:00", "2024-02-13T13:00:00"]),
        (['"May 01, 2024 13:00"', '"May 02, 2024 14:00"'], ["2024-05-01T13:00:00", "2024-05-02T14:00:00"]),
        (["2024-05-01 00:00 EST", "2024-05-01 01:00 UTC"], ["2024-05-01T05:00:00", "2024-05-01T01:00:00"]),
        (['"Wed, 01 May 2024 13:00:00 GMT"'] * 2, ["2024-05-01T13:00:00"] * 2),
        # A year of two digits may come first: then time runs forward.
        (["24/05/01 00:00", "24/05/02 00:00"], ["2024-05-01T00:00:00", "2024-05-02T00:00:00"]),
        (["24/05/13 00:00", "25/05/13 00:00"], ["2013-05-24T00:00:00", "2013-05-25T00:00:00"]),
        # Dots part day.month.year, whatever is possible.
        (["01.05.2024 00:00", "01.05.2024 01:00"], ["2024-05-01T00:00:00", "2024-05-01T01:00:00"]),
        (["45413.25", "45413.5"], ["2024-05-01T06:00:00", "2024-05-01T12:00:00"]),
        (["1714521600000", "1714525200000"], ["2024-05-01T00:00:00", "2024-05-01T01:00:00"]),
    ],
)
def test_a_clock_of_any_spelling_is_read_and_what_it_leaves_open_is_said(tmp_path, stamps, expected):
    recording = read(tmp_path, "time,水温(℃)\n" + "".join(f"{stamp},{at}.5\n" for at, stamp in enumerate(stamps)))
    assert seconds(recording) == expected
    assert recording["water_temperature"].values.tolist() == [0.5, 1.5]
    zoned = any(word in stamps[0] for word in ("EST", "GMT", "171"))
    assert said(recording, "UTC is assumed") is not zoned


def test_clocks_without_a_colon_and_days_of_the_year(tmp_path):
    digits = read(tmp_path, "Date,Time,T (C)\n20240501,0030,1\n20240501,1545,2\n")
    assert seconds(digits) == ["2024-05-01T00:30:00", "2024-05-01T15:45:00"]
    days = read(tmp_path, "Year,DOY,HHMM,T (C)\n2024,121,30,1\n2024,122,2400,2\n")
    assert seconds(days) == ["2024-04-30T00:30:00", "2024-05-02T00:00:00"]
    assert said(days, "1 January is 1")
    parts = read(tmp_path, "year,julian_day,T (C)\n2023,1.5,1\n2023,365.25,2\n")
    assert seconds(parts) == ["2023-01-01T12:00:00", "2023-12-31T06:00:00"]


def test_the_hour_that_comes_twice_is_parted_by_the_order_of_the_rows(tmp_path):
    rows = "".join(
        f"2024-11-03 {clock},{at}\n" for at, clock in enumerate(["00:30", "01:30", "01:45", "01:30", "02:30"])
    )
    recording = read(tmp_path, "# Time zone: America/New_York\ntime,T (C)\n" + rows)
    assert [stamp[11:16] for stamp in seconds(recording)] == ["04:30", "05:30", "05:45", "06:30", "07:30"]
    assert said(recording, "3 times are in an hour that comes twice")
    gap = read(tmp_path, "time,T (C)\n2024-03-10 01:30,1\n2024-03-10 02:30,2\n", time_zone="America/New_York")
    assert said(gap, "1 times do not exist")


def test_a_zone_that_names_two_places_is_not_taken(tmp_path):
    recording = read(tmp_path, "time,T (C)\n2024-05-01 00:00 CST,1\n2024-05-01 01:00 CST,2\n", time_zone="+08:00")
    assert seconds(recording)[0] == "2024-04-30T16:00:00"
    assert said(recording, "CST names more than one zone")


def test_times_without_a_year_are_refused_by_name(tmp_path):
    with pytest.raises(ReadError, match="'监测时间', such as '05-01 08:00', have no year"):
        read(tmp_path, "断面名称,监测时间,水温(℃),pH\n古北口,05-01 08:00,20.1,7.8\n沿河城,05-01 12:00,20.2,7.9\n")


@pytest.mark.parametrize(
    ("text", "first", "second"),
    [
        ('time,"Q (m3/s)","T (C)"\n2024-01-01,"1,234","5.5"\n2024-01-02,"1,235","5.6"\n', [1234, 1235], [5.5, 5.6]),
        ('time,"Q (m3/s)","T (C)"\n2024-01-01,"12,34","5,5"\n2024-01-02,"1,5","5,6"\n', [12.34, 1.5], [5.5, 5.6]),
        ("time;Q (m3/s);T (C)\n2024-01-01;1.234,5;5,25\n2024-01-02;1.235,5;5,26\n", [1234.5, 1235.5], [5.25, 5.26]),
        # Each column by its own sign: a point beside commas is no thousand.
        ("time;Q (m3/s);T (C)\n2024-01-01;1.25;5,25\n2024-01-02;1.50;5,26\n", [1.25, 1.5], [5.25, 5.26]),
        ("time;Q (m3/s);T (C);pH\n2024-01-01;1.25;5,25;7,1\n2024-01-02;1.50;5,26;7,2\n", [1.25, 1.5], [5.25, 5.26]),
        ("time,Q (m3/s),T (C)\n2024-01-01,−1.5,1.3×10^4\n2024-01-02,–2,2.4×10³\n", [-1.5, -2], [13000, 2400]),
    ],
)
def test_decimals_thousands_and_powers_by_what_the_column_shows(tmp_path, text, first, second):
    recording = read(tmp_path, text)
    assert recording["Q"].values.tolist() == first
    assert recording["T"].values.tolist() == second


def test_no_row_is_lost_to_remarks_repeats_or_quotes(tmp_path):
    head, rows = "time,T (C),note\n", ["2024-05-01 00:00,1,\n", "2024-05-01 01:00,2,\n", "2024-05-01 02:00,3,\n"]
    for between in (head, "# cleaned\n", '2024-05-01 00:30,1.5,"one\nand two"\n'):
        recording = read(tmp_path, head + rows[0] + between + rows[1] + rows[2])
        assert {"2024-05-01T00:00:00", "2024-05-01T02:00:00"} <= set(seconds(recording))
        assert [value for value in recording["T"].values.tolist() if value != 1.5] == [1.0, 2.0, 3.0]
    below = read(tmp_path, head + "".join(rows) + "平均值,2,\n最大值,3,\n")
    assert below["T"].values.tolist() == [1, 2, 3]
    assert said(below, "2 rows have no time")


def test_units_in_brackets_below_names_are_units(tmp_path):
    recording = read(tmp_path, "Date Time,Temp,DO\n,(C),(mg/L)\n2024-05-01 00:00,20.5,8.1\n2024-05-01 01:00,20.5,8.1\n")
    assert dict(recording.units) == {"Temp": "degree_Celsius", "DO": "mg L-1"}


def test_a_parameter_in_two_units_is_two_columns(tmp_path):
    rows = "A,2024-05-01 00:00,Temp,20.5,C\nA,2024-05-01 01:00,Temp,68.5,F\nA,2024-05-01 02:00,Temp,21,\n"
    recording = read(tmp_path, "site,datetime,parameter,value,unit\n" + rows)
    assert dict(recording.units) == {"Temp": "degree_Celsius", "Temp (F)": "degree_Fahrenheit"}
    assert [value for value in recording["Temp"].values.tolist() if value == value] == [20.5, 21]


def test_results_of_a_portal_have_their_zone_and_their_limits(tmp_path):
    text = (
        "ActivityStartDate,ActivityStartTime/Time,ActivityStartTime/TimeZoneCode,MonitoringLocationIdentifier,"
        "ResultDetectionConditionText,CharacteristicName,ResultMeasureValue,ResultMeasure/MeasureUnitCode,"
        "DetectionQuantitationLimitMeasure/MeasureValue,DetectionQuantitationLimitMeasure/MeasureUnitCode\n"
        "2011-08-08,13:55:00,CDT,USGS-1,,pH,7.9,std units,,\n"
        "2011-08-08,13:55:00,CDT,USGS-1,Not Detected,Dissolved oxygen,,,0.01,mg/L\n"
        "2011-12-09,13:55:00,CST,USGS-2,,Dissolved oxygen,8.5,mg/L,,\n"
    )
    recording = read(tmp_path, text)
    assert seconds(recording) == ["2011-08-08T18:55:00", "2011-12-09T19:55:00"]
    oxygen = recording["dissolved_oxygen"]
    assert (oxygen.values.tolist(), oxygen.censored.tolist(), oxygen.unit) == ([0.01, 8.5], [-1, 0], "mg L-1")
    assert recording.aside["MonitoringLocationIdentifier"].to_pylist() == ["USGS-1", "USGS-2"]


def test_a_long_table_of_chinese_heads_is_one(tmp_path):
    rows = "甲,2024-05-01,水温,20.5,℃\n甲,2024-05-01,氨氮,<0.025,mg/L\n乙,2024-05-01,总磷,0.01L,mg/L\n"
    recording = read(tmp_path, "断面名称,监测时间,监测项目,监测值,单位\n" + rows, "gb18030")
    assert recording["nh3_n"].values.tolist()[0] == 0.025
    assert recording["total_phosphorus"].censored.tolist() == [0, -1]
    assert recording.aside["断面名称"].to_pylist() == ["甲", "乙"]


def test_units_in_cells_and_of_second_columns_are_units(tmp_path):
    recording = read(tmp_path, "time,temp,x (mg/L),x (mg/L)\n2024-05-01,20.5 °C,1,2\n2024-05-02,21 °C,1,2\n")
    assert dict(recording.units) == {"temp": "degree_Celsius", "x": "mg L-1", "x (2)": "mg L-1"}
    assert recording["temp"].values.tolist() == [20.5, 21]


def test_a_number_that_looks_like_no_value_is_kept_and_said(tmp_path):
    rows = "".join(f"2024-05-01 {hour:02d}:00,{-999 if hour % 4 == 0 else 33 + hour / 100}\n" for hour in range(24))
    recording = read(tmp_path, "time,sal (psu)\n" + rows)
    assert recording["salinity"].values[0] == -999
    assert said(recording, "-999 stands 6 times")
    taken = read(tmp_path, "time,sal (psu)\n" + rows, missing=["-999"])
    assert not said(taken, "far from its other values")
    plain = read(tmp_path, "time,foo\n2024-05-01,1\n2024-05-02,2\n")
    assert said(plain, "nothing tells what these are, nor a unit: foo")


def test_parts_per_million_are_masses_of_what_is_known_in_water_and_say_too_little_of_others(tmp_path):
    head = "time,DO (ppm),Chlorophyll (ppb),O3 (ppb),NO (ppbv)\n"
    recording = read(tmp_path, head + "2024-05-01,8.1,3.2,40,7\n2024-05-02,8.2,3.3,41,8\n")
    assert dict(recording.units) == {"DO": "mg L-1", "Chlorophyll": "ug L-1", "O3 (ppb)": "1", "NO": "1e-9"}
    assert said(recording, "'ppm' of 'DO' is taken for mg L-1")
    assert said(recording, "unit 'ppb' of 'O3 (ppb)' says too little (parts per billion")


def test_keys_that_a_spreadsheet_filled_up_are_no_rows(tmp_path):
    head = "Well Name,PO01,,\nWell ID,3040002,,\nLatitude,45.7,,\nLongitude,-73.2,,\nAltitude,19.5,,\n,,,\n"
    rows = "Date,WL (m),BP (m),ET\n41334,3.50,10.1,600\n41334.5,3.51,10.2,637\n41335,3.52,10.2,640\n"
    recording = read(tmp_path, head + rows)
    assert seconds(recording)[1] == "2013-03-01T12:00:00"
    assert recording["WL"].values.tolist() == [3.5, 3.51, 3.52]
    days = read(tmp_path, "Year,Month,Day,T (C)\n2013,3,1,1\n2013,3,2,2\n")
    assert seconds(days) == ["2013-03-01T00:00:00", "2013-03-02T00:00:00"]


def test_blanks_in_a_stamp_and_a_monstrous_epoch_are_no_trap(tmp_path):
    blanks = "2024" + " " * 3000 + "x"
    recording = read(tmp_path, f"time,T (C)\n2024-05-01,1\n{blanks},2\n2024-05-02,3\n2024-05-03,4\n")
    assert recording["T"].values.tolist() == [1, 3, 4]
    with pytest.raises(ReadError, match="row of values is seen"):
        read(tmp_path, "\n\n\n 1e5000\n\n\n\n\n \n\n\n\n,\n\n", format="csv")
    huge = read(tmp_path, "time,T (10^999999 10^999999 m)\n2024-05-01,1\n2024-05-02,2\n")
    assert [column.unit for column in huge.columns.values()] == ["1"]
    with pytest.raises(ReadError, match="no column of times"):
        read(tmp_path, f"time,T (C)\n1714521600,1\n1714525200,2\n{'9' * 30},3\n")
