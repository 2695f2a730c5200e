from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.derivation.oxygen import saturation, solubility

# Standard Methods 4500-O and USGS DOTABLES, Benson & Krause 1984; the last two by the printed formulas.
PUBLISHED = [
    (0.0, 0.0, 1.0, 14.621, 0.002),
    (10.0, 0.0, 1.0, 11.288, 0.002),
    (20.0, 0.0, 1.0, 9.092, 0.002),
    (25.0, 0.0, 1.0, 8.263, 0.002),
    (30.0, 0.0, 1.0, 7.559, 0.002),
    (35.0, 0.0, 1.0, 6.949, 0.002),
    (40.0, 0.0, 1.0, 6.412, 0.002),
    (10.0, 35.0, 1.0, 9.024, 0.002),
    (20.0, 0.0, 0.9, 8.162, 0.003),
]


@pytest.mark.parametrize(("temperature", "salinity", "pressure", "expected", "tolerance"), PUBLISHED)
def test_solubility_equals_the_published_tables(temperature, salinity, pressure, expected, tolerance):
    assert float(solubility(temperature, salinity, pressure)) == pytest.approx(expected, abs=tolerance)


@pytest.mark.parametrize(
    "outside", [(-0.1, 0, 1), (40.1, 0, 1), (20, -1, 1), (20, 41, 1), (20, 0, 0.2), (np.nan, 0, 1)]
)
def test_out_of_range_or_missing_is_nan(outside):
    assert np.isnan(solubility(*outside))


@given(st.floats(0, 39.9), st.floats(0, 39.9), st.floats(0.3, 1.19))
def test_warmer_saltier_and_higher_water_holds_less(temperature, salinity, pressure):
    here = float(solubility(temperature, salinity, pressure))
    assert float(solubility(temperature + 0.1, salinity, pressure)) < here
    assert float(solubility(temperature, salinity + 0.1, pressure)) < here
    assert float(solubility(temperature, salinity, pressure + 0.01)) > here


def test_water_that_holds_what_it_can_is_saturated():
    temperature = np.array([5.0, 15.0, 25.0])
    assert saturation(solubility(temperature), temperature) == pytest.approx([100.0] * 3)
    assert np.isnan(saturation(-1.0, 20.0))
