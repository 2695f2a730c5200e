from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nilometer.derivation import oxygen
from nilometer.derivation.function import Function, Input
from nilometer.uncertainty import Normal, Rectangular, Resolution, Triangular, monte_carlo
from nilometer.uncertainty.coverage import coverage_factor, effective_degrees_of_freedom
from nilometer.uncertainty.jcgm101 import agrees
from nilometer.uncertainty.propagation import combined, correlation_matrix, partials
from nilometer.uncertainty.sources import mean_of

ANY = {"low": -1e9, "high": 1e9, "scale": 1.0}


def of(body, **inputs):
    return Function.made("test.made", {name: Input("1", **ANY) for name in inputs}, "1", body)


def test_resistance_of_simultaneous_readings_jcgm_100_example_h_2() -> None:
    """V, I and φ were read together five times: their correlations are not small, and the GUM prints the outcome."""
    volt = [5.007, 4.994, 5.005, 4.990, 4.999]
    ampere = [19.663e-3, 19.639e-3, 19.640e-3, 19.685e-3, 19.678e-3]
    phase = [1.0456, 1.0438, 1.0468, 1.0428, 1.0433]
    columns = [np.array(column) for column in (volt, ampere, phase)]
    r = np.corrcoef(columns)
    resistance = of(lambda v, i, p: v / i * np.cos(p), v=0, i=0, p=0)
    resistance.inputs["i"] = Input("1", -1.0, 1.0, scale=1e-2)
    found = resistance.estimate(
        *(float(column.mean()) for column in columns),
        uncertainty={name: mean_of(column) for name, column in zip("vip", columns, strict=True)},
        correlation={("v", "i"): r[0, 1], ("v", "p"): r[0, 2], ("i", "p"): r[1, 2]},
    )
    assert r[0, 1] == pytest.approx(-0.36, abs=0.005)
    assert found.value == pytest.approx(127.732, abs=5e-4)
    assert found.uncertainty == pytest.approx(0.071, abs=5e-4)
    reactance = of(lambda v, i, p: v / i * np.sin(p), v=0, i=0, p=0)
    reactance.inputs["i"] = resistance.inputs["i"]
    found = reactance.estimate(
        *(float(column.mean()) for column in columns),
        uncertainty={name: mean_of(column) for name, column in zip("vip", columns, strict=True)},
        correlation={("v", "i"): r[0, 1], ("v", "p"): r[0, 2], ("i", "p"): r[1, 2]},
    )
    assert found.value == pytest.approx(219.847, abs=5e-4)
    assert found.uncertainty == pytest.approx(0.295, abs=1e-3)  # 0.2956 unrounded


def test_sums_of_four_inputs_jcgm_101_clause_9_2() -> None:
    four = of(lambda a, b, c, d: a + b + c + d, a=0, b=0, c=0, d=0)
    zeros = dict.fromkeys("abcd", 0.0)
    normal = monte_carlo(four, zeros, dict.fromkeys("abcd", 1.0), draws=1_000_000)
    assert normal.interval == pytest.approx((-3.92, 3.92), abs=0.02)
    estimate = four.estimate(**zeros, uncertainty=dict.fromkeys("abcd", 1.0))
    assert agrees(estimate, normal)
    flat = monte_carlo(four, zeros, {name: Rectangular(math.sqrt(3.0)) for name in "abcd"}, draws=1_000_000)
    assert flat.uncertainty == pytest.approx(2.0, abs=0.01)
    assert flat.interval == pytest.approx((-3.88, 3.88), abs=0.02)
    # One flat input ten times as wide as the others: JCGM 101 prints ±17.0 beside the GUM's ±19.9.
    wide = {name: Rectangular(math.sqrt(3.0)) for name in "abc"} | {"d": Rectangular(10.0 * math.sqrt(3.0))}
    found = monte_carlo(four, zeros, wide, draws=1_000_000)
    assert found.interval == pytest.approx((-17.0, 17.0), abs=0.1)
    estimate = four.estimate(**zeros, uncertainty=wide)
    assert estimate.coverage(0.95)[0] * estimate.uncertainty == pytest.approx(19.9, abs=0.05)
    assert not agrees(estimate, found)


def test_a_correlated_pair_may_cancel() -> None:
    difference = of(lambda a, b: a - b, a=0, b=0)
    both = {"a": 0.3, "b": 0.3}
    assert difference.estimate(1.0, 2.0, uncertainty=both).uncertainty == pytest.approx(0.3 * math.sqrt(2))
    same = difference.estimate(1.0, 2.0, uncertainty=both, correlation={("a", "b"): 1.0})
    assert same.uncertainty == pytest.approx(0.0, abs=1e-9)
    half = {("a", "b"): 0.5}
    found = monte_carlo(difference, {"a": 1.0, "b": 2.0}, both, correlation=half, draws=200_000)
    estimate = difference.estimate(1.0, 2.0, uncertainty=both, correlation=half)
    assert estimate.uncertainty == pytest.approx(found.uncertainty, abs=5 * found.uncertainty_error)


def test_a_budget_says_who_contributes_what() -> None:
    given = {"dissolved_oxygen": Resolution(0.5), "temperature": 0.2}
    estimate = oxygen.saturation.estimate([8.0, 9.0], 20.0, uncertainty=given)
    budget = estimate.budget(1)
    assert budget.value == pytest.approx(estimate.value[1])
    assert sum(entry.share for entry in budget.entries) == pytest.approx(1.0)
    first = next(entry for entry in budget.entries if entry.name == "dissolved_oxygen")
    assert first.uncertainty == pytest.approx(0.5 / math.sqrt(12))
    assert first.sensitivity == pytest.approx(100.0 / 9.0924, rel=1e-4)
    assert "| dissolved_oxygen | 9 | 0.14 | mg L-1 | resolution |" in str(budget)
    assert "U = " in str(budget)
    with pytest.raises(IndexError):
        estimate.budget(2)


def test_an_unknown_uncertainty_stays_unknown() -> None:
    found = oxygen.saturation.estimate([8.0, 9.0], 20.0, uncertainty={"dissolved_oxygen": [0.1, math.nan]})
    assert np.isnan(found.uncertainty).tolist() == [False, True]
    result, spread = oxygen.saturation.rows(
        [np.array([8.0, 9.0]), np.array([20.0]), np.array([0.0]), np.array([1.0])],
        [np.array([0.1, math.nan]), np.zeros(1), np.zeros(1), np.zeros(1)],
    )
    assert result[0] == 87.99  # u = 1.1, so the result goes to 0.01; what is unknown is not rounded
    assert result[1] == oxygen.saturation(9.0, 20.0)
    assert spread[0] == 1.1
    assert np.isnan(spread[1])


def test_coverage_of_few_readings_is_wider() -> None:
    readings = mean_of([10.1, 10.3, 10.2])
    one = of(lambda a: a, a=0)
    k, freedom = one.estimate(10.2, uncertainty={"a": readings}).coverage(0.95)
    assert (freedom, k) == (pytest.approx(2.0), pytest.approx(4.303, abs=5e-4))  # table G.2
    assert coverage_factor(0.99, 5) == pytest.approx(4.03, abs=5e-3)
    assert effective_degrees_of_freedom(1.0, [(1.0, math.inf)]) == math.inf


@pytest.mark.parametrize(
    ("source", "u"),
    [(Normal(0.2), 0.2), (Rectangular(0.3), 0.3 / 3**0.5), (Triangular(0.3), 0.3 / 6**0.5), (Resolution(1), 12**-0.5)],
)
def test_draws_have_the_standard_uncertainty_they_say(source, u) -> None:
    assert source.standard() == pytest.approx(u)
    assert source.draw(np.random.default_rng(1), 100_000).std() == pytest.approx(1.0, abs=0.01)


@settings(max_examples=40, deadline=None)
@given(
    x=st.floats(-3, 3),
    y=st.floats(0.1, 5),
    u=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    r=st.floats(-1, 1),
)
def test_partials_and_the_law_are_those_of_the_calculus(x, y, u, r) -> None:
    function = of(lambda a, b: np.sin(a) * b**2 + a / b, a=0, b=0)
    values = [np.array([x]), np.array([y])]
    slopes = [slope.item() for slope in partials(function, values, [0, 1])]
    exact = [math.cos(x) * y**2 + 1 / y, 2 * math.sin(x) * y - x / y**2]
    assert slopes == pytest.approx(exact, rel=1e-7, abs=1e-7)
    parts = [np.array([exact[0] * u[0]]), np.array([exact[1] * u[1]])]
    found = combined(parts, correlation_matrix(["a", "b"], {("a", "b"): r})).item()
    variance = sum(part.item() ** 2 for part in parts) + 2 * r * parts[0].item() * parts[1].item()
    assert found == pytest.approx(math.sqrt(max(variance, 0.0)), abs=1e-9)


def test_beside_the_end_of_a_function_the_slope_is_that_of_its_side() -> None:
    root = of(np.sqrt, a=0)
    (slope,) = partials(root, [np.array([0.0, 4.0])], [0])
    assert slope[0] > 0
    assert slope[1] == pytest.approx(0.25)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"uncertainty": {"salt": 1.0}}, "salt"),
        ({"uncertainty": {"temperature": -1.0}}, "below 0"),
        ({"uncertainty": {}, "correlation": {("temperature", "salt"): 0.1}}, "salt"),
        ({"uncertainty": {}, "correlation": {("temperature", "salinity"): 1.1}}, "1.1"),
        ({"uncertainty": {"temperature": [1.0, 2.0, 3.0]}}, "3 values for 2"),
    ],
)
def test_what_cannot_be_is_refused_by_name(wrong, said) -> None:
    with pytest.raises(ValueError, match=said):
        oxygen.solubility.estimate([20.0, 21.0], **wrong)


@pytest.mark.parametrize(
    ("arguments", "named", "said"),
    [
        ((), {}, "needs temperature, in degree_Celsius"),
        ((20.0,), {"temperature": 3.0}, "given twice"),
        ((20.0,), {"depth": 3.0}, "no input 'depth'"),
        ((1.0, 2.0, 3.0, 4.0), {}, "takes 3 inputs"),
        (("warm",), {}, "no number"),
        (({"t": [1.0]},), {}, "mapping"),
    ],
)
def test_a_wrong_call_is_refused_with_what_would_work(arguments, named, said) -> None:
    with pytest.raises(TypeError, match=said):
        oxygen.solubility(*arguments, **named)


def test_shapes_and_indices_have_to_go_together() -> None:
    with pytest.raises(ValueError, match=r"temperature \(2,\), salinity \(3,\)"):
        oxygen.solubility([1.0, 2.0], [1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="different indices"):
        oxygen.solubility(pd.Series([1.0, 2.0]), pd.Series([1.0, 2.0], index=[1, 2]))
    with pytest.raises(ValueError, match="outside = 'clip'"):
        oxygen.solubility(1.0, outside="clip")
    assert oxygen.solubility(41.0, outside="extrapolate") == pytest.approx(6.31, abs=0.01)
    assert oxygen.solubility(np.ones((2, 3)), np.ones(3)).shape == (2, 3)
