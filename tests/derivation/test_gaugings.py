"""Tables of gaugings as hydrologists keep them, and rating tables of others."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from nilometer.derivation.gaugings import read_gaugings
from nilometer.derivation.rating_fit import fit
from nilometer.derivation.rating_table import from_points, read_usgs
from nilometer.errors import CalibrationError, ReadError, UnitError

USGS = (
    "# comment\nmeasurement_nu\tmeasurement_dt\tgage_height_va\tdischarge_va\n5s\t19d\t12s\t12s\n"
    "1\t2021-03-01 10:00\t3.2\t100\n2\t2021-04-01 10:00\t\t120\n3\t2021-05-01 10:00\t4.2\t300\n"
)


def test_names_units_percent_and_times_are_understood(tmp_path):
    path = tmp_path / "g.csv"
    path.write_text(
        "\ufeffdate_time;Stage (ft);Q [ft3/s];uncertainty (%)\n2021-05-18 08:15:45 [UTC-07:00];3.0;100;4\n"
        "2021-05-19T08:15:45Z;6.0;400;\n", encoding="utf-8",
    )  # fmt: skip
    found = read_gaugings(path, coverage_factor=2)
    assert (found.unit_stage, found.unit_discharge, found.notes) == ("ft", "ft3 s-1", ())
    assert found.uncertainty[0] == pytest.approx(2.0)
    assert np.isnan(found.uncertainty[1])
    assert found.times[0] == np.datetime64("2021-05-18T15:15:45", "us").view(np.int64)
    metric = found.converted("m", "m3 s-1")
    assert metric.stage == pytest.approx([0.9144, 1.8288])
    assert metric.uncertainty[0] == pytest.approx(2.0 * 0.3048**3)
    assert len(metric.between(int(found.times[1]), None)) == 1


def test_field_measurements_of_the_usgs_and_rows_without_a_number(tmp_path):
    path = tmp_path / "g.rdb"
    path.write_text(USGS, encoding="utf-8")
    found = read_gaugings(path, unit_stage="ft", unit_discharge="cfs")
    assert found.stage.tolist() == [3.2, 4.2]
    assert found.notes == ("rows without both a stage and a discharge are left out: line 5",)
    assert read_gaugings(path).notes[0] == "no unit is told of the stage: taken as m"


@pytest.mark.parametrize(
    ("text", "wishes", "error", "words"),
    [
        ("a,b\n1,2\n", {}, ReadError, "no column is called as a stage is .columns: a, b"),
        ("a,q\n1,2\n", {"stage": "level"}, ReadError, "no column is called 'level'"),
        ("h,q\n", {}, ReadError, "no row below"),
        ("h,q\nx,y\n", {}, ReadError, "no row has both"),
        ("h,q\n1,2,3\n", {}, ReadError, ":2: 3 cells below 2"),
        ("h (m3/s),q\n1,2\n", {}, UnitError, "unit of the stage"),
        ("time,h,q\nyesterday,1,2\n", {}, ReadError, "no time"),
    ],
)
def test_what_is_no_table_of_gaugings_is_refused_with_the_reason(tmp_path, text, wishes, error, words):
    path = tmp_path / "g.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(error, match=words):
        read_gaugings(path, **wishes)


def test_a_table_is_straight_in_logarithms_and_its_dry_end_in_the_stage():
    curve = from_points([1.0, 2.0, 4.0], [0.0, 8.0, 64.0])
    assert curve([1.0, 1.25, 2.0, 2.0 * 2**0.5, 4.0]) == pytest.approx([0.0, 2.0, 8.0, 8.0 * 8**0.5, 64.0])
    assert np.isnan(curve([4.001]))
    two = from_points([3.0, 4.0, 6.0], [10.0, 40.0, 160.0], offsets=[2.0, 3.0], breakpoints=[4.0])
    assert two([3.5, 5.0]) == pytest.approx([10 * 1.5**2, 40 * 2 ** (np.log(4) / np.log(3))])
    with pytest.raises(CalibrationError, match="rise"):
        from_points([1.0, 2.0], [5.0, 4.0])
    with pytest.raises(CalibrationError, match="offset lies above"):
        from_points([1.0, 2.0], [4.0, 5.0], offsets=[1.5])


@pytest.mark.real
def test_a_rating_of_the_usgs_is_read_and_applied(real_data):
    curve = read_usgs(real_data / "level" / "usgs" / "waterservices_ratings.txt")
    assert (curve.station, curve.unit_stage, curve.unit_discharge) == ("01594440", "ft", "ft3 s-1")
    assert curve.valid_from == np.datetime64("2017-02-06T05:00:00", "us").view(np.int64)
    stage = [2.99, 4.0, 5.0, 5.5, 6.0, 6.5, 7.0, 9.0, 13.0, 20.85, 27.9]
    assert curve(stage) == pytest.approx([30, 110, 225, 300, 390, 490, 600, 1175, 4350, 16497.75, 31100])
    found = curve.discharge(stage)
    assert np.isnan(found.uncertainty).all(), "the table says none"
    # Between two points straight in ln(h - 2).
    between = np.exp(np.interp(np.log(1.5), np.log([0.99, 2.0]), np.log([30.0, 110.0])))
    assert curve([3.5])[0] == pytest.approx(between)
    with pytest.raises(ReadError, match="no USGS rating"):
        read_usgs(real_data / "level" / "usgs" / "waterservices_peaks.txt")


@pytest.mark.real
def test_pairs_of_stage_and_flow_give_the_rating_in_force_at_the_tanana(real_data):
    columns = []
    for name in ("gage_height", "discharge"):
        with (real_data / "level" / "usgs" / f"usgs_{name}_TRTS_20100810_instantaneous.csv").open() as file:
            columns.append(np.array([float(row[1]) for row in list(csv.reader(file))[1:]]))
    stage, discharge = columns
    made = fit(stage, discharge, segments=1, unit_stage="ft", unit_discharge="ft3 s-1", station="TRTS")
    # The flow is printed to 100 ft3/s of 60,000: the rating is found to that.
    assert np.abs(made.curve(stage) - discharge).max() < 150.0
    assert made.curve.scatter < 0.002
