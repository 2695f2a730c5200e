"""Every form of a calibration: its value against the equation, its uncertainty against Monte Carlo, what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest

from nilometer.calibration import Calibration, CalibrationTable, Companions, evaluate
from nilometer.calibration.forms import IDEAL_SLOPE
from nilometer.errors import CalibrationError
from nilometer.model.batch import ObservationBatch

READ, WARM = 0.02, 0.15
"""Standard uncertainties of the reading and of the temperature in the Monte-Carlo runs."""

SPREAD = np.array([[1, 0.4, -0.2, 0.3], [0.4, 1, 0.1, -0.5], [-0.2, 0.1, 1, 0.2], [0.3, -0.5, 0.2, 1]])
"""Correlations of four coefficients."""

CASES = {
    "identity": ({}, 3.0),
    "offset": ({"coefficients": [-0.3], "coefficient_uncertainties": [0.02]}, 3.0),
    "slope": ({"coefficients": [1.7], "coefficient_uncertainties": [0.02]}, 3.0),
    "polynomial": ({"coefficients": [1, 2, -0.1], "covariance": [[4e-4, -1e-5, 0], [-1e-5, 1e-5, 0], [0, 0, 0]]}, 4.0),
    "table": ({"points": [[0, 0, 0.02], [2, 5, 0.02], [9, 6, 0.02]]}, 5.0),
    "nernst": ({"coefficients": [-8.0, 97.0], "covariance": [[0.25, 0.03], [0.03, 0.09]], "temperature": 12.0}, 140.0),
    "ise": (
        {"coefficients": [212.0, -57.0], "covariance": [[0.04, -0.02], [-0.02, 0.05]], "temperature": 12.0},
        180.0,
    ),
    "stern_volmer": (
        {
            "coefficients": [53.0, 0.012, -0.0005, 0.004],
            "covariance": (SPREAD * np.outer([0.02, 1e-5, 1e-5, 1e-4], [0.02, 1e-5, 1e-5, 1e-4])).tolist(),
            "signal": "phase",
            "temperature": 12.0,
        },
        35.0,
    ),
    "stern_volmer_two_site": (
        {
            "coefficients": [900.0, 0.02, 0.85, 0.0015, -0.0005, 0.004],
            "coefficient_uncertainties": [1.0, 5e-5, 0.002, 2e-5, 1e-5, 1e-5],
            "temperature": 12.0,
        },
        400.0,
    ),
    "ranges": (
        {
            "ranges": [
                {"range": [0, 5], "coefficients": [0.1, 1.0], "coefficient_uncertainties": [0.01, 0.003]},
                {"range": [4, 50], "coefficients": [0.0, 1.1], "coefficient_uncertainties": [0.0, 0.004]},
            ]
        },
        2.0,
    ),
}


def made(kind):
    document, reading = CASES[kind]
    document = {"kind": kind, "residual_uncertainty": 0.004, "reading_uncertainty": READ} | document
    if "temperature" in document:
        document["temperature_uncertainty"] = WARM
    return Calibration.from_document(document), reading


def by_equation(kind, item, x, c, t):
    """The certificate's equation, written down a second time and solved by other means than the kernel's."""
    kelvin = t + 273.15
    if kind == "nernst":
        return 7 + (c[0] - x) / (c[1] / 100 * 1000 * 1.380649e-23 / 1.602176634e-19 * math.log(10) * kelvin)
    if kind == "ise":
        return np.exp(math.log(10) * (x - c[0]) / (c[1] * kelvin / 298.15))
    if kind == "stern_volmer":
        x0, k = np.tan(np.radians(c[0])) * (1 + c[2] * (t - 25)), c[1] * (1 + c[3] * (t - 25))
        return (x0 / np.tan(np.radians(x)) - 1) / k
    if kind == "stern_volmer_two_site":
        x0, grown = c[0] * (1 + c[4] * (t - 25)), 1 + c[5] * (t - 25)
        low, high = np.zeros(np.shape(x0)), np.full(np.shape(x0), 5000.0)
        for _ in range(60):  # bisection: r falls with p
            p = (low + high) / 2
            r = c[2] / (1 + c[1] * grown * p) + (1 - c[2]) / (1 + c[3] * grown * p)
            low, high = np.where(r > x / x0, p, low), np.where(r > x / x0, high, p)
        return p
    if kind == "offset":
        return x + c[0]
    return {"identity": lambda: x, "slope": lambda: c[0] * x}.get(kind, lambda: np.polyval(c[::-1], x))()


@pytest.mark.parametrize("kind", CASES)
def test_value_and_uncertainty_agree_with_monte_carlo(kind):
    item, reading = made(kind)
    rng, n = np.random.default_rng(6), 100_000
    done = evaluate(item, [reading])
    x = reading + READ * rng.standard_normal(n)
    warm = item.temperature or 0.0
    t = warm + WARM * rng.standard_normal(n)
    if kind == "table":  # one reference made the points: they move together
        y = np.interp(x, [0, 2, 9], [0, 5, 6]) + 0.02 * rng.standard_normal(n)
    else:
        source = item.ranges[0] if kind == "ranges" else item
        mean = np.array(source.coefficients)
        root = np.linalg.cholesky(np.array(source.covariance) + 1e-30 * np.eye(len(mean))) if len(mean) else None
        c = mean[:, None] + root @ rng.standard_normal((len(mean), n)) if len(mean) else None
        y = by_equation(kind, item, x, c, t)
        exact = by_equation(kind, item, np.float64(reading), mean, warm)
        assert done.value[0] == pytest.approx(float(exact), rel=1e-6)
    y = y + 0.004 * rng.standard_normal(n)
    # Of 100,000 draws the standard deviation is known to 0.22 %, and all is nearly linear over this spread.
    assert done.uncertainty[0] == pytest.approx(y.std(), rel=0.012)
    assert done.random_uncertainty[0] < done.uncertainty[0]
    batch = ObservationBatch(
        datastream=np.zeros(1, np.int32), phenomenon_time=np.zeros(1, np.int64), raw_result=np.array([reading])
    )
    CalibrationTable({0: [item]}).apply(batch)
    u = batch.result_uncertainty[0]
    assert u == pytest.approx(done.uncertainty[0], rel=0.051)
    assert float(f"{u:.1e}") == u
    assert abs(batch.result[0] - done.value[0]) <= 0.0051 * u
    decimals = 2 - math.floor(math.log10(u))
    assert round(batch.result[0], decimals) == batch.result[0]


@pytest.mark.parametrize(("t", "slope"), [(0, 54.199), (25, 59.159), (50, 64.120)])
def test_an_ideal_electrode_has_the_slope_of_nernst(t, slope):
    assert pytest.approx(slope, abs=0.0005) == IDEAL_SLOPE * (t + 273.15)
    item = Calibration(kind="nernst", coefficients=(0.0, 100.0), temperature=float(t))
    value = evaluate(item, [0.0, -slope, 2 * slope]).value
    np.testing.assert_allclose(value, [7, 8, 5], atol=1e-4)


def test_a_companion_gives_each_row_its_temperature_and_one_without_has_no_result():
    item = {"kind": "nernst", "coefficients": [0, 100], "coefficient_uncertainties": [0.1, 0.1], "companion": "mill/t"}
    alone = Calibration.from_document(item)
    fallback = Calibration.from_document(item | {"temperature": 25, "temperature_uncertainty": 0.5})
    table = CalibrationTable({1: [alone], 2: [fallback], 3: [Calibration(residual_uncertainty=0.1)]})
    table.set(4, [alone, Calibration(valid_from=10, unit_in="V", unit_out="1")], raw_unit="V", unit="1")
    batch = ObservationBatch(
        datastream=np.array([1, 1, 1, 2, 2, 3, 4, 4], np.int32),
        phenomenon_time=np.array([0, 0, 0, 0, 0, 0, 9, 10]),
        raw_result=np.array([100.0, 100.0, 100.0, 100.0, 100.0, 100.0, 0.1, 0.1]),
    )
    code, keys = table.wanted(batch)
    assert (code.tolist(), keys) == ([0, 0, 0, 0, 0, -1, 0, -1], ["mill/t"])
    assert table.companions() == {1: ["mill/t"], 2: ["mill/t"], 4: ["mill/t"]}
    nan = np.nan
    beside = Companions(np.array([25, 5, nan, nan, 5, 5, 5, 5.0]), np.array([0, nan, 0, 0, nan, 0, 0, 0.0]))
    table.apply(batch, beside)
    at_25, at_5 = 7 - 100 / (IDEAL_SLOPE * 298.15), 7 - 100 / (IDEAL_SLOPE * 278.15)
    np.testing.assert_allclose(batch.result[[0, 1, 3, 4, 6]], [at_25, at_5, at_25, at_5, at_5], atol=6e-5)
    assert np.isnan(batch.result[2])
    # Rows: certain temperature; one of unknown spread; none; the constant's; the constant's spread for the companion.
    known = ~np.isnan(batch.result_uncertainty)
    assert known.tolist() == [True, False, False, True, True, True, True, False]
    assert batch.result_uncertainty[3] > batch.result_uncertainty[0]
    table.apply(batch)
    assert np.isnan(batch.result[[0, 1, 2]]).all()
    assert batch.result[3] == pytest.approx(at_25, abs=6e-5)
    with pytest.raises(ValueError, match="8 rows and 1 companions"):
        table.apply(batch, Companions(np.zeros(1), np.zeros(1)))


def test_a_lifetime_a_ratio_and_a_phase_of_the_same_light_give_the_same_pressure():
    tau0, k, p, f = 55e-6, 0.012, 180.0, 4000.0
    tau = tau0 / (1 + k * p)
    phases = [math.degrees(math.atan(2 * math.pi * f * item)) for item in (tau, tau0)]
    forms = [
        Calibration(kind="stern_volmer", coefficients=(tau0, k), signal="lifetime"),
        Calibration(kind="stern_volmer", coefficients=(1.0, k), signal="ratio"),
        Calibration(kind="stern_volmer", coefficients=(phases[1], k), signal="phase"),
        Calibration(kind="stern_volmer_two_site", coefficients=(tau0, k, 1.0, 0.5)),
    ]
    found = [
        float(evaluate(item, [x]).value[0]) for item, x in zip(forms, (tau, tau0 / tau, phases[0], tau), strict=True)
    ]
    np.testing.assert_allclose(found, p, rtol=1e-12)
    # Just above the signal without oxygen the pressure is a little below 0; without light there is none.
    assert -1 < evaluate(forms[0], [tau0 * 1.001]).value[0] < 0
    assert np.isnan(evaluate(forms[0], [-tau]).value[0])


@pytest.mark.parametrize(
    ("overlap", "expected"),
    [("lower", [2, 30, 40, 42, 96]), ("upper", [2, 30, 44, 48, 96]), ("blend", [2, 30, 40, 45, 96])],
)
def test_ranges_meet_as_the_certificate_says(overlap, expected):
    document = {
        "kind": "ranges",
        "overlap": overlap,
        "ranges": [
            {"range": [0, 44], "coefficients": [0, 1], "residual_uncertainty": 0.2},
            {"range": [40, 100], "coefficients": [-36, 2], "residual_uncertainty": 0.4},
        ],
    }
    readings = [2.0, 30.0, 40.0, 42.0, 66.0]
    done = evaluate(Calibration.from_document(document), readings)
    assert done.value.tolist() == expected
    assert done.calibration_uncertainty[[0, 4]].tolist() == pytest.approx([0.2, 0.4])
    assert done.calibration_uncertainty[3] == pytest.approx({"lower": 0.2, "upper": 0.4, "blend": 0.3}[overlap])
    assert np.isnan(evaluate(Calibration.from_document(document), [-1.0, 101.0]).value).all()
    unknown = document | {"ranges": [{"range": [0, 44], "coefficients": [0, 1]}, document["ranges"][1]]}
    spread = evaluate(Calibration.from_document(unknown), [2.0, 66.0]).uncertainty
    assert np.isnan(spread[0])
    assert spread[1] == 0.4


ION = {"kind": "ise", "coefficients": [200, -58], "temperature": 20}
LIGHT = {"kind": "stern_volmer", "coefficients": [50, 0.01]}
LOW, HIGH = {"range": [0, 10], "coefficients": [0, 1]}, {"range": [9, 50], "coefficients": [1]}


@pytest.mark.parametrize(
    ("document", "part"),
    [
        ({"kind": "offset", "coefficients": [1, 2]}, "coefficients = [1.0, 2.0] (allowed: 1 numbers)"),
        ({"kind": "nernst", "coefficients": [0, 100]}, "nernst needs companion"),
        ({"kind": "nernst", "coefficients": [0, 0], "temperature": 20}, "a slope of 0"),
        (ION | {"unit_in": "V"}, "unit_in = 'V' (allowed for ise: mV)"),
        (ION | {"isopotential": -1}, "isopotential = -1.0"),
        (ION | {"temperature": -300}, "temperature = -300.0"),
        (ION | {"temperature_uncertainty": -1}, "temperature_uncertainty = -1.0"),
        (ION | {"companion": 7}, "companion = 7 (allowed: text)"),
        (LIGHT | {"temperature": 20}, "takes no temperature"),
        (LIGHT | {"signal": "colour"}, "signal = 'colour'"),
        (LIGHT | {"signal": "phase", "coefficients": [95, 0.01]}, "a phase below 90"),
        (LIGHT | {"coefficients": [50, 0.01, 0, 0]}, "needs companion"),
        (LIGHT | {"kind": "stern_volmer_two_site", "coefficients": [50, 0.01, 1.2, 0]}, "f above 0 up to 1"),
        ({"kind": "polynomial", "coefficients": [1], "companion": "a/b"}, "takes no temperature, nor a companion"),
        ({"kind": "ranges"}, "one or more"),
        ({"kind": "ranges", "ranges": [LOW | {"range": [10, 0]}]}, "the lower first"),
        ({"kind": "ranges", "ranges": [LOW | {"slope": 3}]}, "'slope' is no key of a range"),
        ({"kind": "ranges", "ranges": [LOW, HIGH | {"range": [11, 50]}]}, "must rise and touch or overlap"),
        ({"kind": "ranges", "ranges": [LOW, HIGH, HIGH | {"range": [9.5, 60]}]}, "three ranges overlap at 9.5"),
        ({"kind": "ranges", "ranges": [LOW], "overlap": "mean"}, "overlap = 'mean'"),
        ({"kind": ["nernst"]}, "kind = ['nernst'] (allowed: text)"),
    ],
)
def test_what_no_form_can_do_is_refused(document, part):
    with pytest.raises(CalibrationError) as caught:
        Calibration.from_document(document)
    assert part in str(caught.value)


@pytest.mark.parametrize("kind", CASES)
def test_every_form_reads_back_from_its_document(kind):
    item, _ = made(kind)
    again = Calibration.from_document(item.to_document())
    assert repr(again) == repr(item)
