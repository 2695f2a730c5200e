"""Casts, bottles and services as other programs and other years wrote them."""

from __future__ import annotations

import pytest
from tests.acquisition.formats import made_up
from tests.acquisition.formats.moments import seconds
from tests.acquisition.formats.test_sondes import read, same

from nilometer.errors import ReadError

HEAD = "* Sea-Bird SBE19 Data File:\n* System UpLoad Time = May 11 2007 12:35:16\n"
NAMES = (
    "# name 0 = depF: depth, fresh water [m]\n# name 1 = t068: temperature, IPTS-68 [deg C]\n"
    "# name 2 = prdE: Pressure, Strain Gauge [psi]\n"
)
ROWS = "*END*\n      1.000    12.0689     2.2623\n      2.000    10.3285     2.3091\n"
CUAHSI = (
    "<timeSeriesResponse><timeSeries><sourceInfo><siteName>Brook</siteName></sourceInfo><variable>"
    "<variableCode>DO</variableCode><variableName>Dissolved oxygen</variableName>"
    "<sampleMedium>Surface Water</sampleMedium>"
    "<unit><unitName>milligrams per liter</unitName><unitAbbreviation>mg/L</unitAbbreviation>"
    "<unitCode>199</unitCode></unit>"
    '</variable><values><value censorCode="nc" dateTime="1997-08-24T09:35:00" timeOffset="-06:00" '
    'dateTimeUTC="1997-08-24T15:35:00">8.5</value><value censorCode="lt" dateTime="1997-10-26T09:13:00" '
    'timeOffset="-05:00">0.5</value></values></timeSeries></timeSeriesResponse>'
)


def test_a_year_counted_from_1900_stands_before_the_clock_of_the_computer(tmp_path):
    recording = read(tmp_path, HEAD + NAMES + "# start_time = May 10 107 16:11:52\n" + ROWS)
    assert seconds(recording)[0] == "2007-05-10T16:11:52"
    assert dict(recording.properties) == {
        "depF": "sensor_depth", "t068": "water_temperature", "prdE": "water_pressure",
    }  # fmt: skip
    assert recording["prdE"].unit == "psi"
    late = read(tmp_path, HEAD + NAMES + ROWS)
    assert (seconds(late)[0], late.metadata["start from"]) == ("2007-05-11T12:35:16", "clock of the computer")


def test_a_start_that_is_the_time_of_the_receiver_is_in_utc(tmp_path):
    nmea = "* NMEA UTC (Time) = May 10 2007 16:11:52\n# start_time = May 10 2007 16:11:52\n"
    assert not any("UTC is assumed" in note for note in read(tmp_path, HEAD + NAMES + nmea + ROWS).notes)
    other = nmea.replace("# start_time = May 10 2007 16", "# start_time = May 10 2007 12")
    assert any("UTC is assumed" in note for note in read(tmp_path, HEAD + NAMES + other + ROWS).notes)


def test_raw_counts_are_refused_with_what_would_help(tmp_path):
    with pytest.raises(ReadError, match=r"calibration \(.xmlcon\)"):
        read(tmp_path, HEAD + "*END*\n0A1B2C3D4E5F60718293A4B5C6D7E8F9\n")


def test_bottles_with_serial_numbers_have_their_means(tmp_path):
    text = made_up.BTL.replace("    Bottle        Date", "    Bottle     Bottle        Date")
    text = text.replace("Position        Time", "Position       S/N        Time")
    text = text.replace("      1    Jun", "      1      10123    Jun").replace(
        "      2    Jun", "      2      10124    Jun"
    )
    recording = read(tmp_path, text)
    assert (recording.format, seconds(recording)[0]) == ("btl", "2013-06-27T21:23:18")
    assert recording["PrDM"].values.tolist() == [31.875, 1.95]
    assert recording.aside["bottle serial number"].to_pylist() == ["10123", "10124"]
    uscm = read(tmp_path, made_up.BTL.replace("  CStarAt0", "  C0uS/cm "))
    assert (uscm["conductivity"].unit, uscm["conductivity"].unit_from) == ("uS cm-1", "layout")


def test_rows_of_an_odf_may_go_over_lines(tmp_path):
    text = made_up.ODF.replace(
        "   0.5    5.885  1\n   1.5   -99.00  9\n", "   0.5 \n  5.885  1\n   1.5   5.9\n 1\n  2.5\n"
    )
    recording = read(tmp_path, text)
    same(recording["water_temperature"].values, [5.885, 5.9])
    assert any("1 lines have not 3 cells" in note for note in recording.notes)


def test_a_service_of_cuahsi_has_zone_unit_and_limits_beside_its_values(tmp_path):
    recording = read(tmp_path, CUAHSI)
    assert seconds(recording) == ["1997-08-24T15:35:00", "1997-10-26T14:13:00"]
    column = recording["dissolved_oxygen"]
    assert (column.unit, column.values.tolist(), column.censored.tolist()) == ("mg L-1", [8.5, 0.5], [0, -1])
    assert not any("UTC is assumed" in note for note in recording.notes)
