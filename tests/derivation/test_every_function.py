"""What holds for every derived quantity: documented, of its kinds and units, and as uncertain as it says."""

from __future__ import annotations

import doctest
import importlib
import inspect
import math

import numpy as np
import pandas as pd
import pint
import polars as pl
import pytest
import xarray as xr

from nilometer.derivation.function import Function, functions, section
from nilometer.errors import UnitError
from nilometer.uncertainty import monte_carlo
from nilometer.uncertainty.propagation import partials

FUNCTIONS = functions().items
_PINT = pint.UnitRegistry()
DRAWS = 20_000


def point(function: Function) -> dict[str, float]:
    return {name: float(known.typical) for name, known in function.inputs.items()}


def small(function: Function) -> dict[str, float]:
    """Return uncertainties so small that the function is straight within them."""
    return {name: 2e-4 * max(abs(known.typical), known.scale) for name, known in function.inputs.items()}


def test_no_module_of_equations_is_broken() -> None:
    assert functions().broken == {}
    assert len(FUNCTIONS) > 1


def says_units_ranges_source_and_an_example(function: Function) -> None:
    document = inspect.getdoc(function.body) or ""
    told = section(document, "Parameters")
    for one, known in function.inputs.items():
        assert one in told, f"{one} is not among the parameters"
        assert math.isfinite(known.low), f"{one} has no range"
        assert math.isfinite(known.high), f"{one} has no range"
    for title in ("Returns", "References", "Examples"):
        assert section(document, title), f"there is no section {title}"
    assert "NaN" in section(document, "Returns")
    module = importlib.import_module(function.body.__module__)
    example = doctest.DocTestParser().get_doctest(document, vars(module).copy(), function.name, None, 0)
    assert example.examples
    assert doctest.DocTestRunner().run(example).failed == 0


def beside(function: Function, share: float) -> dict[str, float]:
    """Return a point a share of the way from the usual one to the upper (or, below 0, the lower) end of the ranges."""
    return {
        name: known.typical + abs(share) * ((known.high if share > 0 else known.low) - known.typical)
        for name, known in function.inputs.items()
    }


def gum_agrees_with_monte_carlo(function: Function) -> None:
    spreads = small(function)
    assert np.isfinite(function(**point(function)))
    for share in (0.0, 0.05, -0.05):
        inputs = beside(function, share)
        estimate = function.estimate(**inputs, uncertainty=spreads)
        if not np.isfinite(estimate.value):  # not every mixture of inputs in their ranges is one that there is
            continue
        own = float(estimate.contributions.get("equation", np.zeros(1))[0])
        found = monte_carlo(function, inputs, spreads, draws=DRAWS)
        # Five standard errors of the draws: of some hundred functions none should fail by chance.
        of_inputs = math.sqrt(max(float(estimate.uncertainty) ** 2 - own**2, 0.0))
        allowed = 5 * found.uncertainty_error + 1e-12 * abs(found.value)
        assert of_inputs == pytest.approx(found.uncertainty, abs=allowed), inputs


def an_input_out_of_its_range_gives_no_value(function: Function) -> None:
    for one, known in function.inputs.items():
        beyond = known.high + 1e-6 * max(abs(known.high), known.scale)
        for wrong in (beyond, known.low - 1e-6 * max(abs(known.low), known.scale), math.nan):
            assert np.isnan(function(**point(function) | {one: wrong})), f"{one} = {wrong}"
        assert np.array_equal(
            np.isnan(function(**point(function) | {one: np.array([known.typical, math.nan, beyond])})),
            [False, True, True],
        )


def gives_the_kind_that_came_in(function: Function) -> None:
    first, *others = point(function).items()
    column = np.full(5, first[1])
    plain = function(column, **dict(others))
    assert isinstance(plain, np.ndarray)
    assert plain.shape == (5,)
    times = pd.date_range("2024-01-01", periods=5, freq="h")
    pandas = function(pd.Series(column, times), **dict(others))
    assert isinstance(pandas, pd.Series)
    assert pandas.index.equals(times)
    polars = function(pl.Series(column), **dict(others))
    assert isinstance(polars, pl.Series)
    array = xr.DataArray(column, coords={"time": times}, attrs={"units": function.inputs[first[0]].unit})
    xarray = function(array, **dict(others))
    assert isinstance(xarray, xr.DataArray)
    assert xarray.attrs["units"] == function.unit
    for same in (pandas.to_numpy(), polars.to_numpy(), xarray.to_numpy()):
        assert same.tobytes() == plain.tobytes()
    pieces = np.concatenate([np.atleast_1d(function(piece, **dict(others))) for piece in np.split(column, [2, 3])])
    assert pieces.tobytes() == plain.tobytes(), "the cut of a series changes its values"


def a_unit_of_another_dimension_is_refused(function: Function) -> None:
    for one, known in function.inputs.items():
        wrong = "kg" if known.unit != "kg" else "s"
        with pytest.raises(UnitError, match=one):
            function(**point(function) | {one: _PINT.Quantity(1.0, wrong)})
        with pytest.raises(UnitError):
            function.estimate(**point(function), uncertainty={one: _PINT.Quantity(1.0, wrong)})


def partial_derivatives_do_not_hang_on_their_step(function: Function) -> None:
    """A tenfold step gives the same slope: neither rounding nor curvature is seen, and the scale is a true one."""
    values = [np.array([known.typical]) for known in function.inputs.values()]
    value = function.compute(values)[0]
    slopes = partials(function, values, range(len(values)))
    for k, known in enumerate(function.inputs.values()):
        wide = 1e-4 * max(abs(known.typical), known.scale)
        above, below = ([*values[:k], values[k] + sign * wide, *values[k + 1 :]] for sign in (1, -1))
        slope = (function.compute(above)[0] - function.compute(below)[0]) / (2 * wide)
        reach = abs(value) / max(abs(known.typical), known.scale)
        assert slopes[k][0] == pytest.approx(slope, rel=1e-3, abs=1e-6 * reach)


# One test a function, so that it is compiled by one worker.
@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_derived_quantity(name: str) -> None:
    for holds in (
        says_units_ranges_source_and_an_example,
        gum_agrees_with_monte_carlo,
        an_input_out_of_its_range_gives_no_value,
        gives_the_kind_that_came_in,
        a_unit_of_another_dimension_is_refused,
        partial_derivatives_do_not_hang_on_their_step,
    ):
        holds(FUNCTIONS[name])
