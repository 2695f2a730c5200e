"""Rating curves: what flows at a stage, how sure it is, where it stops, and what a curve looks like as a document."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pint
import polars as pl
import pytest
import xarray as xr

from nilometer.derivation.function import families
from nilometer.derivation.rating import RatingCurve
from nilometer.derivation.rating_sample import Sample
from nilometer.errors import CalibrationError, UnitError
from nilometer.uncertainty import monte_carlo


def two_segments(**others):
    """A curve whose upper segment begins at stage 2 with the 3.0 that flow there by the lower one."""
    return RatingCurve.of(
        [(None, 1.0, 3.0, 1.5), (2.0, 0.5, 3.0 / 1.5**2, 2.0)],
        gauged_range=(1.1, 3.0), limits=(1.0, 4.0), scatter=0.05, station="A", **others,
    )  # fmt: skip


def with_sample(curve, *, spread=0.04, count=400):
    random = np.random.default_rng(3)
    wobble = spread * random.standard_normal((count, 1))
    same = np.ones((count, 1))
    return Sample(
        same * curve.start, same * curve.offset, np.log(curve.scale) + wobble, same * curve.exponent,
        np.full(count, curve.scatter),
    )  # fmt: skip


def test_each_stage_flows_by_its_own_segment_and_nothing_below_zero_flow():
    curve = two_segments()
    stage = np.array([1.0, 1.5, 2.0, 3.0, np.nan])
    assert curve(stage)[:4].tolist() == pytest.approx([0.0, 3.0 * 0.5**1.5, 3.0, 3.0 * (2.5 / 1.5) ** 2])
    assert np.isnan(curve(stage)[4])
    assert curve.inverse(curve(stage))[:4].tolist() == pytest.approx(stage[:4].tolist())


def test_beyond_the_limits_there_is_no_value_and_between_it_is_labelled():
    found = two_segments().discharge([0.9, 1.05, 2.0, 3.5, 4.1])
    assert np.isnan(found.value).tolist() == [True, False, False, False, True]
    assert found.extrapolated.tolist() == [True, True, False, True, True]
    narrow = RatingCurve.of([(None, 1.0, 3.0, 1.5)], gauged_range=(1.1, 3.0))
    assert np.isnan(narrow([1.0, 3.01])).all()
    assert narrow.with_limits(high=3.5)([3.01])[0] == pytest.approx(3.0 * 2.01**1.5)


def test_series_of_any_kind_and_unit_come_back_as_they_were():
    curve = two_segments()
    times = pd.date_range("2024-01-01", periods=2, freq="h")
    feet = pint.UnitRegistry().Quantity(np.array([1.5, 2.5]) / 0.3048, "ft")
    expected = curve(np.array([1.5, 2.5]))
    assert isinstance(curve([1.5, 2.5]), np.ndarray)
    pandas = curve.discharge(pd.Series([1.5, 2.5], times), 0.01)
    assert pandas.upper.index.equals(times)
    assert pandas.extrapolated.tolist() == [False, False]
    assert isinstance(curve(pl.Series([1.5, 2.5])), pl.Series)
    assert curve(feet).to("m^3/s").magnitude == pytest.approx(expected)
    assert curve.discharge(feet, 0.01).uncertainty.magnitude == pytest.approx(pandas.uncertainty.to_numpy())
    array = curve(xr.DataArray([150.0, 250.0], attrs={"units": "cm"}))
    assert array.to_numpy() == pytest.approx(expected)
    assert array.attrs["units"] == "m3 s-1"
    with pytest.raises(UnitError):
        curve(pint.UnitRegistry().Quantity([1.0], "kg"))


def test_the_band_has_the_curves_part_the_scatter_and_the_stage():
    plain = two_segments()
    curve = two_segments(sample=with_sample(plain))
    found = curve.discharge(np.array([1.5, 2.5]), 0.02)
    value = plain(np.array([1.5, 2.5]))
    assert found.systematic / value == pytest.approx(0.04, rel=0.1)
    assert found.random == pytest.approx(np.hypot(0.05 * value, plain.slope(np.array([1.5, 2.5])) * 0.02), rel=0.01)
    # 95 % of a lognormal of the three together.
    total = np.hypot(np.hypot(0.04, 0.05), plain.slope(np.array([1.5, 2.5])) * 0.02 / value)
    assert np.log(found.upper / value) == pytest.approx(1.96 * total, rel=0.1)
    assert np.log(value / found.lower) == pytest.approx(1.96 * total, rel=0.1)


def test_as_a_function_of_the_house_the_curves_own_uncertainty_is_in_the_estimate():
    plain = two_segments()
    curve = two_segments(sample=with_sample(plain))
    function = curve.as_function()
    estimate = function.estimate(np.array([1.5, 2.5]), uncertainty={"stage": 0.02})
    assert estimate.uncertainty == pytest.approx(curve.discharge(np.array([1.5, 2.5]), 0.02).uncertainty, rel=1e-3)
    drawn = monte_carlo(function, {"stage": 2.5}, {"stage": 0.002}, draws=20_000)
    own = function.estimate(2.5, uncertainty={"stage": 0.002}).contributions
    assert abs(float(own["stage"][0])) == pytest.approx(drawn.uncertainty, abs=5 * drawn.uncertainty_error)
    made = families().items["rating.curve"].make(json.loads(json.dumps(curve.to_document())))
    assert made(2.5) == function(2.5)
    assert made.estimate(2.5, uncertainty={}).uncertainty == pytest.approx(float(curve.discharge([2.5]).uncertainty[0]))


def test_a_document_gives_the_same_curve_back():
    plain = two_segments(valid_from=1_700_000_000_000_000, source="survey of 2023")
    curve = two_segments(sample=with_sample(plain), valid_from=plain.valid_from, source=plain.source)
    again = RatingCurve.from_document(json.loads(json.dumps(curve.to_document())))
    assert again.to_document() == curve.to_document()
    stage = np.linspace(1.0, 4.0, 50)
    assert again(stage).tobytes() == curve(stage).tobytes()
    assert again.discharge(stage).upper == pytest.approx(curve.discharge(stage).upper, rel=1e-9)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"segments": [{"offset": 1.0, "scale": 3.0}]}, "exponent is lacking"),
        ({"segments": [{"offset": 1.0, "scale": -3.0, "exponent": 1.5}]}, "above 0"),
        ({"limits": [1.2, 2.0]}, "must contain the gauged range"),
        ({"scatter": -1}, "from 0"),
        ({"colour": "blue"}, "unknown key colour"),
        ({"sample": [[0.1, 1.0, 1.0]]}, "a row of the sample"),
    ],
)
def test_a_document_that_cannot_be_applied_is_refused_with_the_reason(change, words):
    document = {"segments": [{"offset": 1.0, "scale": 3.0, "exponent": 1.5}], "gauged_range": [1.1, 3.0]}
    with pytest.raises(CalibrationError, match=words):
        RatingCurve.from_document(document | change)


def test_segments_that_do_not_meet_are_refused():
    with pytest.raises(CalibrationError, match="do not meet"):
        RatingCurve.of([(None, 1.0, 3.0, 1.5), (2.0, 0.5, 3.0, 2.0)], gauged_range=(1.1, 3.0))
