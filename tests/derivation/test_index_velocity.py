"""Discharge by an index velocity: the section's area, the rating, and how sure both are."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pint
import pytest

from nilometer.derivation.index_velocity import StageArea, fit_index
from nilometer.errors import CalibrationError

SECTION = StageArea(np.array([0.0, 2.0, 8.0, 10.0]), np.array([4.0, 0.0, 0.0, 4.0]), relative_uncertainty=0.01)


def test_the_area_is_that_of_the_profile_and_ends_at_the_lower_bank():
    stage = np.array([0.0, 1.0, 4.0, 4.1])
    assert SECTION.area(stage)[:3] == pytest.approx(6 * stage[:3] + 0.5 * stage[:3] ** 2)
    assert SECTION.width(stage)[:3] == pytest.approx(6 + stage[:3], abs=6.1e-9 + 6 * (stage[:3] == 0).max())
    assert np.isnan(SECTION.area(stage)[3])
    walls = StageArea(np.array([0.0, 0.0, 5.0, 5.0]), np.array([3.0, 0.0, 0.0, 3.0]))
    assert walls.area([2.0]) == pytest.approx([10.0])


@pytest.mark.parametrize(
    ("form", "truth"),
    [
        ("linear", lambda x, _: 0.05 + 0.8 * x),
        ("two-part", lambda x, _: 0.05 + 0.8 * x + 0.5 * np.maximum(x - 0.6, 0)),
        ("with-stage", lambda x, h: 0.05 + 0.8 * x + 0.1 * x * h),
    ],
)
def test_each_form_is_found_again_and_covers_new_values(form, truth):
    random = np.random.default_rng(6)
    x, h = random.uniform(0.1, 1.2, 400), random.uniform(1.0, 3.0, 400)
    v = truth(x, h) + 0.02 * random.standard_normal(400)
    made = fit_index(x[:60], v[:60], stage=h[:60], form=form)
    assert made.scatter == pytest.approx(0.02, rel=0.25)
    made = made.with_limits(0.0, 1.3)
    velocity, own = made.mean_velocity(x, h)
    assert np.abs(velocity - truth(x, h)).max() < 4 * own.max() + 0.01
    inside = np.abs(v - velocity) < 1.96 * np.hypot(own, made.scatter)
    assert 0.9 < inside[60:].mean() < 0.99
    if form == "two-part":
        assert made.bend == pytest.approx(0.6, abs=0.1)


def test_the_discharge_is_velocity_times_area_with_all_of_their_uncertainty():
    random = np.random.default_rng(6)
    x = np.linspace(0.1, 1.0, 30)
    made = fit_index(x, 0.05 + 0.8 * x + 0.01 * random.standard_normal(30))
    times = pd.date_range("2024-01-01", periods=3, freq="h")
    found = made.discharge(
        pd.Series([0.5, 0.5, 1.1], times), pd.Series([2.0, np.nan, 2.0], times), SECTION,
        index_uncertainty=0.01, stage_uncertainty=0.02,
    )  # fmt: skip
    assert found.value.index.equals(times)
    assert found.value.iloc[0] == pytest.approx(14.0 * 0.45, rel=0.02)
    assert np.isnan(found.value.iloc[1:]).all()
    assert found.extrapolated.tolist() == [False, False, True]
    expected = np.sqrt((14 * made.scatter) ** 2 + (14 * 0.8 * 0.01) ** 2 + (0.45 * 8.0 * 0.02) ** 2)
    assert found.random.iloc[0] == pytest.approx(expected, rel=0.02)
    ureg = pint.UnitRegistry()
    feet = made.discharge(ureg.Quantity([0.5 / 0.3048], "ft/s"), ureg.Quantity([200.0], "cm"), SECTION)
    assert feet.value.to("m^3/s").magnitude == pytest.approx([found.value.iloc[0]])


@pytest.mark.parametrize(
    ("x", "v", "others", "words"),
    [
        ([1, 2, 3], [1, 2, 3], {}, "too few"),
        ([1, 2, 3, 4], [1, 2, 3], {}, "as many"),
        ([1, 2, 3, 4, 5], [1, 2, 3, 4, 5], {"form": "with-stage"}, "lacks a number"),
        ([1, 2, 3, 4], [1, 2, 3, 4], {"form": "cubic"}, "allowed: linear"),
    ],
)
def test_what_cannot_be_fitted_is_refused_with_the_reason(x, v, others, words):
    with pytest.raises(CalibrationError, match=words):
        fit_index(x, v, **others)
