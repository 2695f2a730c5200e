"""USGS and WaterML: values with their offsets, units from codes, qualifiers beside them, stamps by the statistic."""

from __future__ import annotations

import numpy as np
import pytest
from tests.acquisition.formats import made_up
from tests.acquisition.formats.moments import seconds

import nilometer
from nilometer.errors import ReadError


def read(folder, text, name="answer", **wishes):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return nilometer.read(path, **wishes)


def test_rows_of_an_rdb_are_in_the_zone_that_each_names(tmp_path):
    recording = read(tmp_path, made_up.RDB)
    assert recording.format == "rdb"
    assert seconds(recording) == ["2021-03-14T04:45:00", "2021-03-14T08:00:00", "2021-03-14T00:00:00"]
    assert np.array_equal(recording["water_temperature"].values, [9.1, np.nan, np.nan], equal_nan=True)
    discharge = recording["discharge"]
    assert (discharge.values[2], discharge.unit, discharge.statistic) == (191.0, "ft3 s-1", "mean")
    assert recording.qualifies == {"01_00010_cd": "01_00010", "02_00060_00003_cd": "02_00060_00003"}
    assert recording.aside["site_no"].to_pylist() == ["02177000", "02177000", "02177001"]
    assert recording.metadata["stamps"] == "start of the day (mean); instant (point)"
    assert (
        recording.metadata["station"] == "USGS 02177000 CHATTOOGA RIVER NEAR CLAYTON, GA; USGS 02177001 TWO RIVERS, GA"
    )
    assert recording.metadata["title of 01_00010"] == "Temperature, water, degrees Celsius"
    assert any("'Eqp'" in note for note in recording.notes)


def test_a_zone_that_is_not_known_is_said(tmp_path):
    recording = read(tmp_path, made_up.RDB.replace("EST", "XYZT"))
    assert any("'XYZT'" in note for note in recording.notes)
    assert any("UTC is assumed" in note for note in recording.notes)


def test_a_rating_table_is_refused_by_what_it_is(tmp_path):
    with pytest.raises(ReadError, match="rating table"):
        read(tmp_path, made_up.RATING)


def test_series_of_waterml_1_stand_side_by_side(tmp_path):
    recording = read(tmp_path, made_up.WATERML_1)
    assert recording.format == "waterml"
    assert seconds(recording) == ["2012-05-12T05:00:00", "2012-05-12T05:15:00"]
    assert np.array_equal(recording["discharge"].values, [83.0, np.nan], equal_nan=True)
    assert (recording["Something"].unit, recording["Something"].observed_property) == ("mg L-1", None)
    assert recording.aside["Streamflow_qualifiers"].to_pylist() == ["A", "P"]
    assert recording.qualifies["Streamflow_qualifiers"] == "Streamflow"
    assert (recording.metadata["station"], recording.metadata["stamps"]) == ("0149 CREEK", "instant")


def test_an_interpolation_type_of_waterml_2_says_what_its_stamps_are(tmp_path):
    recording = read(tmp_path, made_up.WATERML_2)
    assert seconds(recording) == ["2014-09-01T00:00:00", "2014-09-01T01:00:00"]
    assert recording["Water temperature"].unit == "degree_Celsius"
    assert recording.metadata["stamps"] == "end of the interval"
    assert recording.aside["Water temperature_qualifiers"].to_pylist() == ["good", "good"]


def test_two_sites_of_one_answer_are_told_apart(tmp_path):
    recording = read(tmp_path, made_up.WATERML_JSON)
    assert recording.format == "waterml_json"
    assert len(recording) == 4
    down = recording.only("site", "01 DOWN")
    assert np.array_equal(down["water_level"].values, [4.25, np.nan], equal_nan=True)
    assert down.aside["Gage height_qualifiers"].to_pylist() == ["P", "P Eqp"]


@pytest.mark.parametrize("text", ["{", '{"a": ' * 100_000, "[1]", '{"value": {"timeSeries": [{"values": [3]}]}}'])
def test_json_that_is_no_answer_is_refused(tmp_path, text):
    with pytest.raises(ReadError):
        read(tmp_path, text, format="waterml_json")


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "format_name", "rows", "first", "value", "stamps"),
    [
        ("raw_logs/usgs/RDB1Example.txt", "rdb", 31, "2012-09-01T00:00:00", 191.0, "start of the day (mean)"),
        ("raw_logs/usgs/WaterML1Example.xml", "waterml", 192, "2012-05-12T05:00:00", 83.0, "instant"),
        ("raw_logs/usgs/WaterML2Example.xml", "waterml", 8, "2014-09-01T00:00:00", 2690.0, "start of the day (mean)"),
        ("level/usgs/waterservices_iv.txt", "waterml_json", 10, "2019-02-14T05:00:00", 974.0, "instant"),
        (
            "level/usgs/USGS_08313000_Jan2019_instantaneous.json.gz", "waterml_json", 2972, "2019-01-01T07:00:00",
            None, "instant",
        ),
    ],
)  # fmt: skip
def test_real_answers_are_read_by_content(real_data, name, format_name, rows, first, value, stamps):
    recording = nilometer.read(real_data / name)
    assert (recording.format, len(recording), seconds(recording)[0]) == (format_name, rows, first)
    assert recording["discharge"].unit == "ft3 s-1"
    assert value is None or recording["discharge"].values[0] == value
    assert recording.metadata["stamps"] == stamps


@pytest.mark.real
def test_a_real_file_of_peaks_has_days_and_a_real_rating_has_none(real_data):
    peaks = nilometer.read(real_data / "level/usgs/waterservices_peaks.txt")
    assert len(peaks) == 20
    assert set(peaks.properties.values()) == {"discharge", "water_level"}
    with pytest.raises(ReadError, match="rating table"):
        nilometer.read(real_data / "level/usgs/waterservices_ratings.txt")
