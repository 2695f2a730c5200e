"""Casts, tide gauges and captures of a wire: times from where the format has them, and what cannot be read refused."""

from __future__ import annotations

import numpy as np
import pytest
from tests.acquisition.formats import made_up
from tests.acquisition.formats.moments import seconds

import nilometer
from nilometer.errors import ReadError

NAN = float("nan")


def read(folder, content, **wishes):
    path = folder / "log"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return nilometer.read(path, **wishes)


def same(seen, expected):
    assert np.array_equal(np.asarray(seen, float), np.asarray(expected, float), equal_nan=True)


def test_a_castaway_bears_the_time_of_its_cast(tmp_path):
    recording = read(tmp_path, made_up.CASTAWAY)
    assert recording.format == "castaway"
    assert seconds(recording) == ["2017-08-22T02:39:11"] * 2
    assert {part.observed_property: part.unit for part in recording.columns.values()} == {
        "water_pressure": "dbar", "water_temperature": "degree_Celsius", "conductivity_25": "uS cm-1",
    }  # fmt: skip
    assert (recording.metadata["serial number"], recording.metadata["position"]) == ("CC1449004", "-36.21, 150.23")
    assert not any("UTC is assumed" in note for note in recording.notes)
    with pytest.raises(ReadError, match="Cast time"):
        read(tmp_path, made_up.CASTAWAY.replace("2017-08-22 02:39:11", "once"), format="castaway")


def test_an_odf_cast_has_its_flags_aside_and_its_nulls_missing(tmp_path):
    recording = read(tmp_path, made_up.ODF)
    assert recording.format == "odf"
    assert seconds(recording) == ["2014-12-16T14:09:09"] * 2
    same(recording["water_temperature"].values, [5.885, NAN])
    assert recording["water_pressure"].unit == "dbar"
    assert recording.qualifies == {"TEMP_01_qc": "TEMP_01"}
    assert recording.aside["TEMP_01_qc"].to_pylist() == ["1", "9"]
    told = recording.metadata
    assert (told["model"], told["serial number"], told["station"]) == ("Sea-Bird SBE25", "0116", "Halifax Stn 2")


def test_an_odf_series_has_times_of_its_own(tmp_path):
    recording = read(tmp_path, made_up.ODF_SERIES)
    assert seconds(recording) == ["2014-12-16T14:00:00", "2014-12-16T15:00:00"]
    assert not any("cast" in note for note in recording.notes if "every row" in note)


def test_a_donar_series_counts_from_its_start_by_its_step(tmp_path):
    recording = read(tmp_path, made_up.DONAR)
    assert recording.format == "donar"
    assert seconds(recording) == ["1976-01-01T23:00:00", "1976-01-02T00:00:00", "1976-01-02T01:00:00"]
    same(recording["water_level"].values, [122, NAN, -64])
    assert recording["water_level"].unit == "cm"
    assert recording.aside["Waterhoogte_qual"].to_pylist() == ["0", "99", "25"]
    assert (recording.metadata["station"], recording.metadata["datum"]) == ("VLISSGN Vlissingen", "NAP")


def test_an_irregular_donar_has_a_time_and_a_kind_for_each_value(tmp_path):
    recording = read(tmp_path, made_up.DONAR_IRREGULAR, time_zone="+01:00")
    assert seconds(recording) == ["2019-01-01T03:05:00", "2019-01-01T09:15:00"]
    assert recording["water_level"].values.tolist() == [-133.0, 173.0]
    assert recording.aside["kind"].to_pylist() == ["2", "1"]


def test_packets_of_a_station_are_columns_by_code_statistic_and_interval(tmp_path):
    recording = read(tmp_path, made_up.hj212())
    assert recording.format == "hj212"
    assert seconds(recording) == ["2024-05-01T00:00:00"]
    assert {name: (p.values[0], p.observed_property, p.statistic) for name, p in recording.columns.items()} == {
        "w01018": (23.5, "codcr", "point"),
        "w01018 hour mean": (21.5, "codcr", "mean"),
        "w00000 hour sum": (7.5, None, "sum"),
    }
    assert recording.metadata["station"] == "A1"
    assert recording.metadata["stamps"] == "instant (real-time); start of the hour"
    said = " ".join(recording.notes)
    assert "Asia/Shanghai is assumed" in said
    assert "frames are left out" in said
    assert seconds(read(tmp_path, made_up.hj212(), time_zone="UTC")) == ["2024-05-01T08:00:00"]


@pytest.mark.parametrize(
    ("text", "message"),
    [(made_up.CANDUMP, "no clock of the bus"), (made_up.DBC, "holds no values")],
)
def test_what_holds_no_times_of_a_bus_is_refused_and_not_read_as_numbers(tmp_path, text, message):
    with pytest.raises(ReadError, match=message):
        read(tmp_path, text)


@pytest.mark.real
@pytest.mark.parametrize(
    ("name", "format_name", "rows", "first", "key", "value"),
    [
        ("ocean/ctd/castaway_data.csv", "castaway", 141, "2017-08-22T02:39:11", "water_pressure", 0.15),
        ("ocean/ctd/CTD_BCD2014666_008_1_DN.ODF.gz", "odf", 294, "2014-12-16T14:09:09", "water_temperature", 5.885),
        ("ocean/ctd/ctd_aml_type1.csv.gz", "csv", 5, "2021-07-25T18:22:28", "water_temperature", 5.922),
        ("level/rws/VLISSGN_obs19.txt.gz", "donar", 166560, "1976-01-01T00:00:00", "water_level", 122.0),
        ("level/rws/VLISSGN_pre.txt.gz", "donar", 52560, "2019-01-01T00:00:00", "water_level", 102.0),
        ("level/rws/VLISSGN_ext.txt", "donar", 1411, "2019-01-01T04:05:00", "water_level", -133.0),
        ("raw_logs/hj212/t212_packets.txt", "hj212", 1, "2016-08-23T16:38:17", "codcr", 231.0),
    ],
)
def test_real_casts_gauges_and_packets_are_read(real_data, name, format_name, rows, first, key, value):
    recording = nilometer.read(real_data / name)
    assert (recording.format, len(recording), seconds(recording)[0]) == (format_name, rows, first)
    assert recording[key].values[0] == value


@pytest.mark.real
def test_the_extremes_that_a_real_odf_tells_are_those_of_its_values(real_data):
    recording = nilometer.read(real_data / "ocean/ctd/CTD_BCD2014666_008_1_DN.ODF.gz")
    temperature = recording["water_temperature"].values
    assert (np.nanmin(temperature), np.nanmax(temperature)) == (3.9824, 10.4207)
    assert len(recording.qualifies) == 9
