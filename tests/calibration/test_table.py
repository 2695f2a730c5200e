"""Calibrations applied to rows."""

from __future__ import annotations

import csv
import gzip
import math
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nilometer.calibration import Calibration, CalibrationTable, Companions, warm
from nilometer.errors import CalibrationError, UnitError
from nilometer.model.batch import ObservationBatch


def applied(table, raw, time=None, datastream=1):
    raw = np.array(raw, float)
    rows = ObservationBatch(
        datastream=np.broadcast_to(np.array(datastream, np.int32), raw.shape),
        phenomenon_time=np.arange(len(raw)) if time is None else np.array(time, np.int64),
        raw_result=raw,
    )
    which = table.apply(rows)
    assert np.array_equal(rows.raw_result, raw, equal_nan=True)
    return rows.result.tolist(), rows.result_uncertainty.tolist(), which.tolist()


def made(**document):
    return CalibrationTable({1: [Calibration.from_document(document)]})


def test_a_row_without_a_calibration_keeps_its_bits_and_has_no_uncertainty():
    result, uncertainty, which = applied(CalibrationTable(), [0.1 + 0.2, -0.0, np.nan, np.inf])
    assert result[0] == 0.1 + 0.2
    assert math.copysign(1, result[1]) == -1
    assert math.isnan(result[2])
    assert result[3] == math.inf
    assert all(map(math.isnan, uncertainty))
    assert which == [-1] * 4


def test_the_calibration_of_the_time_holds_whatever_order_they_were_given_in():
    table = CalibrationTable(
        {
            1: [
                Calibration(valid_from=200, kind="polynomial", coefficients=(2.0,)),
                Calibration(valid_from=100, kind="polynomial", coefficients=(1.0,)),
            ]
        }
    )
    result, _, which = applied(table, [9.0] * 5, [99, 100, 199, 200, 10**17])
    assert result == [9, 1, 1, 2, 2]
    assert which == [-1, 1, 1, 0, 0]


def test_of_two_calibrations_of_one_date_the_last_given_holds():
    pair = [Calibration(kind="polynomial", coefficients=(float(k),)) for k in (1, 2)]
    assert applied(CalibrationTable({1: pair}), [0.0])[::2] == ([2.0], [1])


def test_a_polynomial_is_summed_from_the_constant_up():
    assert applied(made(kind="polynomial", coefficients=[1, 2, 3, 4]), [2.0])[0] == [1 + 4 + 12 + 32]


def test_gum_example_h3_a_thermometers_line():
    # JCGM 100:2008 H.3: y1 = -0.1712, y2 = 0.00218 at t0 = 20; s(y1) = 0.0029, s(y2) = 0.00067, r = -0.930;
    # the correction at 30 degree_Celsius is -0.1494 with u = 0.0041.
    spread = -0.930 * 0.0029 * 0.00067
    covariance = [[0.0029**2, spread], [spread, 0.00067**2]]
    table = made(kind="polynomial", coefficients=[-0.1712, 0.00218], covariance=covariance)
    result, uncertainty, _ = applied(table, [10.0])
    assert result == [-0.1494]
    assert uncertainty == [0.0041]


@settings(deadline=None)
@given(
    coefficients=st.lists(st.floats(-3, 3), min_size=1, max_size=4),
    factors=st.lists(st.floats(-1, 1), min_size=16, max_size=16),
    x=st.floats(-5, 5),
    residual=st.floats(0.01, 1),
    reading=st.floats(0, 1),
)
def test_uncertainty_is_the_gums_sum(coefficients, factors, x, residual, reading):
    size = len(coefficients)
    root = np.array(factors[: size * size]).reshape(size, size)
    covariance = root @ root.T
    covariance = (covariance + covariance.T) / 2
    table = made(
        kind="polynomial",
        coefficients=coefficients,
        covariance=covariance.tolist(),
        residual_uncertainty=residual,
        reading_uncertainty=reading,
    )
    g = x ** np.arange(size)
    slope = sum(k * c * x ** (k - 1) for k, c in enumerate(coefficients) if k)
    expected = math.sqrt(g @ covariance @ g + residual**2 + (slope * reading) ** 2)
    result, uncertainty, _ = applied(table, [x])
    assert uncertainty[0] == pytest.approx(expected, rel=0.051)
    assert result[0] == pytest.approx(float(np.dot(coefficients, g)), abs=0.0051 * uncertainty[0])


def test_a_table_runs_straight_between_its_points_and_carries_their_uncertainty():
    table = made(kind="table", points=[[0, 0, 0.1], [10, 20, 0.3], [20, 20, 0.3]], reading_uncertainty=0.1)
    result, uncertainty, _ = applied(table, [0.0, 5.0, 10.0, 15.0, 20.0])
    assert result == [0, 10, 20, 20, 20]
    assert uncertainty == [0.22, 0.28, 0.3, 0.3, 0.3]  # √(0.1² + (2·0.1)²), √(0.2² + 0.2²), then slope 0


def test_a_reading_out_of_range_keeps_or_loses_its_value_as_the_certificate_says():
    result, uncertainty, which = applied(made(kind="table", points=[[0, 0, 0.1], [10, 20, 0.1]]), [-1.0, 11.0])
    assert all(map(math.isnan, result + uncertainty))
    assert which == [0, 0]
    table = made(kind="table", points=[[0, 0, 0.1], [10, 20, 0.1]], outside="extrapolate")
    result, uncertainty, _ = applied(table, [-1.0, 11.0])
    assert result == [-2, 22]
    assert all(map(math.isnan, uncertainty))
    line = made(kind="polynomial", coefficients=[0, 2], residual_uncertainty=0.1, valid_range=[0, 10])
    result, uncertainty, _ = applied(line, [11.0, 10.0])
    assert result == [22, 20]
    assert math.isnan(uncertainty[0])
    assert uncertainty[1] == 0.1


def test_identity_with_a_residual_is_rounded_and_certain_zero_is_not():
    assert applied(made(residual_uncertainty=0.25), [1.23456]) == ([1.235], [0.25], [0])
    assert applied(made(residual_uncertainty=0), [1.23456]) == ([1.23456], [0], [0])


def test_units_are_converted_on_both_sides():
    table = CalibrationTable()
    line = Calibration.from_document(
        {
            "kind": "polynomial",
            "coefficients": [1, 2],
            "unit_in": "V",
            "unit_out": "ug/L",
            "residual_uncertainty": 100,
            "valid_from": 10,
        }
    )
    table.set(1, [line], raw_unit="mV", unit="mg/L")
    result, uncertainty, which = applied(table, [500.0, 500.0], [0, 10])
    assert math.isnan(result[0])  # millivolts are no mg/L before the first calibration
    assert result[1] == pytest.approx(0.002)
    assert uncertainty[1] == pytest.approx(0.1)
    assert which == [-1, 0]


def test_a_calibration_without_units_corrects_in_the_raw_unit():
    table = CalibrationTable()
    table.set(1, [Calibration(kind="polynomial", coefficients=(1.0, 1.0), valid_from=10)], raw_unit="degF", unit="°C")
    result, _, _ = applied(table, [32.0, 31.0], [0, 10])
    assert result == pytest.approx([0, 0], abs=1e-12)


def test_scale_and_offset_alone_convert():
    table = CalibrationTable()
    table.set(1, scale=0.1, offset=-5)
    assert applied(table, [100.0, np.nan])[0][0] == 5
    table.set(1)
    assert applied(table, [100.0])[0] == [100]


def test_units_that_do_not_meet_are_refused():
    line = Calibration(unit_in="V", unit_out="mg L-1", sensor="SN 1", certificate="C 2")
    with pytest.raises(CalibrationError, match="SN 1 C 2: leads from V to mg L-1"):
        CalibrationTable().set(1, [line], raw_unit="degC", unit="mg/L")
    with pytest.raises(UnitError):
        CalibrationTable().set(1, [], raw_unit="mV", unit="mg/L")


@settings(deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30), st.floats(-10, 10)), max_size=40),
    cut=st.integers(0, 40),
)
def test_any_cut_of_the_rows_gives_the_same_results(rows, cut):
    table = CalibrationTable(
        {
            0: [Calibration(kind="polynomial", coefficients=(1.0, 2.0), residual_uncertainty=0.1, valid_from=10)],
            2: [
                Calibration(kind="table", points=((-5.0, 0.0, 0.1), (5.0, 9.0, math.nan))),
                Calibration(kind="polynomial", coefficients=(0.0, 0.5, 0.25), valid_from=20),
            ],
        }
    )

    def run(part):
        streams, times, values = zip(*part, strict=True) if part else ((), (), ())
        return applied(table, values, times, list(streams)) if part else ([], [], [])

    whole, first, second = run(rows), run(rows[:cut]), run(rows[cut:])
    for column, a, b in zip(whole, first, second, strict=True):
        assert np.array_equal(column, a + b, equal_nan=True)


def test_a_long_run_gives_what_its_rows_give_alone():
    rng = np.random.default_rng(4)
    first = Calibration(kind="polynomial", coefficients=(1.0, 2.0, 0.1), residual_uncertainty=0.1, valid_range=(0, 8))
    later = Calibration(kind="nernst", coefficients=(0.0, 98.0), covariance=((1.0, 0.0), (0.0, 0.1)), companion="a/b")
    table = CalibrationTable({3: [first, replace(later, valid_from=3000)]})
    rows = ObservationBatch(
        datastream=np.full(5000, 3, np.int32),
        phenomenon_time=np.arange(5000),
        raw_result=np.where(rng.random(5000) < 0.05, np.inf, rng.uniform(-2, 10, 5000)),
    )
    beside = Companions(rng.uniform(0, 30, 5000), np.where(rng.random(5000) < 0.5, 0.1, np.nan))
    applied_whole = table.apply(rows, beside)
    split = table.split(rows, beside)
    assert (applied_whole == (np.arange(5000) >= 3000)).all()
    for row in [*range(0, 5000, 211), 1023, 1024, 2999, 3000]:
        one = rows.take(np.array([row]))
        part = Companions(beside.value[row : row + 1], beside.uncertainty[row : row + 1])
        assert table.apply(one, part) == applied_whole[row]
        np.testing.assert_array_equal(one.result, rows.result[row : row + 1])
        np.testing.assert_array_equal(one.result_uncertainty, rows.result_uncertainty[row : row + 1])
        np.testing.assert_array_equal(
            [column[row] for column in split], [column[0] for column in table.split(one, part)]
        )


def test_warm_compiles_without_a_datastream():
    warm()


@pytest.mark.real
def test_a_sondes_drift_correction_is_a_row_of_dated_calibrations(real_data):
    # driftR's one-point correction: x + factor · (standard - reading of the standard), the factor growing with time.
    folder = real_data / "water_quality" / "driftr"
    with gzip.open(folder / "sonde_corrected.csv.gz", "rt") as lines:
        rows = [row for row in csv.DictReader(lines) if row["SpCond_Corr"] not in {"", "NA"}]
    raw = np.array([float(row["SpCond"]) for row in rows])
    time = [
        int(datetime.strptime(row["dateTime"], "%m/%d/%Y %H:%M:%S").replace(tzinfo=UTC).timestamp()) * 1_000_000
        for row in rows
    ]
    calibrations = [
        Calibration(kind="polynomial", valid_from=t, coefficients=(float(row["factors"]) * (1 - 1.07), 1.0))
        for t, row in zip(time, rows, strict=True)
    ]
    result, _, which = applied(CalibrationTable({1: calibrations}), raw, time)
    assert len(rows) > 1000
    assert np.allclose(result, [float(row["SpCond_Corr"]) for row in rows], rtol=0, atol=1e-12)
    assert which == list(range(len(rows)))
