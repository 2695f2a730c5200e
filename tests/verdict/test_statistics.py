from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.errors import ConfigError, UnitError
from nilometer.verdict import ItemSeries, reduce
from tests.verdict.inputs import FAIL, MISSING, NOT_EVALUATED, PASS, SUSPECT, series


def test_fail_and_missing_leave_suspect_stays_and_is_shown_apart():
    part = series([1.0, 2.0, 9.0, 100.0, 100.0, math.nan], quality=[PASS, NOT_EVALUATED, SUSPECT, FAIL, MISSING, PASS])
    found = reduce(part, "mg L-1")
    assert found.value == pytest.approx(4.0)
    assert found.value_without_suspect == pytest.approx(1.5)
    assert (found.n, found.suspect, found.not_evaluated, found.failed, found.missing) == (3, 1, 1, 1, 2)


def test_check_samples_never_enter():
    part = series([1.0, 50.0, 3.0], quality=[PASS, PASS, PASS], sample=[0, 3, 0])
    found = reduce(part, "mg L-1")
    assert (found.value, found.n, found.samples, found.maximum) == (2.0, 2, 1, 3.0)


@pytest.mark.parametrize(("how", "mean"), [("half", 0.75), ("limit", 1.0), ("zero", 0.5)])
def test_below_detection_enters_as_configured(how, mean):
    found = reduce(series([1.0, 1.0], censored=[-1, 0]), "mg L-1", below=how)
    assert (found.value, found.below) == (mean, 1)


def test_above_range_enters_as_the_range_and_is_counted():
    found = reduce(series([20.0, 10.0], censored=[1, 0]), "mg L-1")
    assert (found.value, found.above) == (15.0, 1)


def test_mean_ph_is_that_of_the_hydrogen_ion():
    found = reduce(series([6.0, 8.0], "1"), "1", mean="hydrogen_ion")
    assert found.value == pytest.approx(-math.log10((1e-6 + 1e-8) / 2))


@given(st.floats(0, 14), st.integers(1, 50))
def test_the_mean_of_equal_ph_is_that_ph(ph, n):
    assert reduce(series([ph] * n, "1"), "1", mean="hydrogen_ion").value == pytest.approx(ph, rel=1e-12, abs=1e-12)


def test_units_are_converted_and_other_dimensions_refused():
    assert reduce(series([500.0], "ug/L"), "mg L-1").value == 0.5
    with pytest.raises(UnitError):
        reduce(series([500.0], "NTU"), "mg L-1")


def test_nothing_usable_is_nan_and_not_an_error():
    found = reduce(series([math.nan, 3.0], quality=[PASS, FAIL]), "mg L-1")
    assert math.isnan(found.value)
    assert (found.n, found.first) == (0, None)


def test_a_flag_of_another_scheme_is_refused():
    with pytest.raises(ConfigError, match="QARTOD"):
        reduce(series([1.0], quality=[0]), "mg L-1")


def test_between_is_inclusive_at_the_start_and_exclusive_at_the_end():
    part = ItemSeries(values=np.arange(4.0), unit="1", times=np.array([0, 10, 20, 30]), quality=np.ones(4, np.int8))
    assert part.between(10, 30).values.tolist() == [1.0, 2.0]
