"""Fits: certified and published answers, Monte Carlo of their covariance, and what cannot be fitted."""

from __future__ import annotations

import numpy as np
import pytest

from nilometer.calibration import Calibration, evaluate
from nilometer.calibration.fitting import fit, lots_covariance
from nilometer.calibration.linearity import linearity
from nilometer.errors import CalibrationError

# NIST Statistical Reference Datasets (StRD), linear regression: data and certified values, itl.nist.gov/div898/strd.
LOADS = np.tile(np.arange(150_000.0, 3_000_001.0, 150_000.0), 2)
DEFLECTIONS = [
    *(0.11019, 0.21956, 0.32949, 0.43899, 0.54803, 0.65694, 0.76562, 0.87487, 0.98292, 1.09146),
    *(1.20001, 1.30822, 1.41599, 1.52399, 1.63194, 1.73947, 1.84646, 1.95392, 2.06128, 2.16844),
    *(0.11052, 0.22018, 0.32939, 0.43886, 0.54798, 0.65739, 0.76596, 0.87474, 0.98300, 1.09150),
    *(1.20004, 1.30818, 1.41613, 1.52408, 1.63159, 1.73965, 1.84696, 1.95445, 2.06177, 2.16829),
]
OZONE = [
    *(0.2, 337.4, 118.2, 884.6, 10.1, 226.5, 666.3, 996.3, 448.6, 777.0, 558.2, 0.4, 0.6, 775.5, 666.9, 338.0, 447.5),
    *(11.6, 556.0, 228.1, 995.8, 887.6, 120.2, 0.3, 0.3, 556.8, 339.1, 887.2, 999.0, 779.0, 11.1, 118.3, 229.2, 669.1),
    *(448.9, 0.5),
]
MONITOR = [
    *(0.1, 338.8, 118.1, 888.0, 9.2, 228.1, 668.5, 998.5, 449.1, 778.9, 559.2, 0.3, 0.1, 778.1, 668.8, 339.3, 448.9),
    *(10.8, 557.7, 228.3, 998.0, 888.8, 119.6, 0.3, 0.6, 557.6, 339.3, 888.0, 998.5, 778.9, 10.2, 117.6, 228.9, 668.4),
    *(449.2, 0.2),
]
SIXTIES = np.arange(60.0, 71.0)
TWENTY = np.arange(21.0)
CERTIFIED = {
    "Norris": (
        fit(OZONE, MONITOR),
        [-0.262323073774029, 1.00211681802045],
        [0.232818234301152, 0.429796848199937e-3],
        0.884796396144373,
        0.999993745883712,
    ),
    "Pontius": (
        fit(LOADS, DEFLECTIONS, degree=2),
        [0.673565789473684e-3, 0.732059160401003e-6, -0.316081871345029e-14],
        [0.107938612033077e-3, 0.157817399981659e-9, 0.486652849992036e-16],
        0.205177424076185e-3,
        0.999999900178537,
    ),
    "NoInt1": (
        fit(SIXTIES, SIXTIES + 70, "slope"),
        [2.07438016528926],
        [0.165289256198347e-1],
        3.56753034006338,
        0.999365492298663,
    ),
    "Wampler1": (fit(TWENTY, sum(TWENTY**k for k in range(6)), degree=5), [1.0] * 6, [0.0] * 6, 0.0, 1.0),
}


@pytest.mark.parametrize("name", CERTIFIED)
def test_nist_certified_values_come_out(name):
    found, coefficients, deviations, residual, r_squared = CERTIFIED[name]
    np.testing.assert_allclose(found.calibration.coefficients, coefficients, rtol=1e-9)
    spread = np.sqrt(np.diag(found.calibration.covariance))
    np.testing.assert_allclose(spread, deviations, rtol=1e-9, atol=1e-8)
    assert found.residual_deviation == pytest.approx(residual, rel=1e-9, abs=1e-8)
    assert found.r_squared == pytest.approx(r_squared, abs=1e-13)


def test_the_line_of_york_has_errors_in_both_variables():
    # Pearson's data with York's weights. Am. J. Phys. 72, 367 (2004): a = 5.47991022, b = -0.480533407,
    # sigma 0.294970735 and 0.057985009, S/(n-2) = 1.483294.
    x, y = [0, 0.9, 1.8, 2.6, 3.3, 4.4, 5.2, 6.1, 6.5, 7.4], [5.9, 5.4, 4.4, 4.6, 3.5, 3.7, 2.8, 2.8, 2.4, 1.5]
    w_x, w_y = [1e3, 1e3, 500, 800, 200, 80, 60, 20, 1.8, 1], [1, 1.8, 4, 8, 20, 20, 70, 70, 100, 500]
    spreads = {"reading_uncertainty": np.power(w_x, -0.5), "quantity_uncertainty": np.power(w_y, -0.5)}
    found = fit(x, y, **spreads)
    np.testing.assert_allclose(found.calibration.coefficients, [5.479910224, -0.480533407], rtol=1e-9)
    np.testing.assert_allclose(np.sqrt(np.diag(found.calibration.covariance)), [0.294970735, 0.057985009], rtol=1e-8)
    assert found.birge**2 == pytest.approx(1.483294149, rel=1e-8)
    assert found.probability == pytest.approx(0.157, abs=5e-4)
    wide = fit(x, y, **spreads, enlarge=True)
    np.testing.assert_allclose(wide.calibration.covariance, np.array(found.calibration.covariance) * 1.483294149)


def test_gum_example_h3_a_thermometer_is_calibrated():
    # JCGM 100:2008, table H.6 and H.3.3: t0 = 20; the printed digits.
    t = [21.521, 22.012, 22.512, 23.003, 23.507, 23.999, 24.513, 25.002, 25.503, 26.010, 26.511]
    b = [-0.171, -0.169, -0.166, -0.159, -0.164, -0.165, -0.156, -0.157, -0.159, -0.161, -0.160]
    found = fit(np.array(t) - 20, b, residual_uncertainty=0, valid_range=[0, 15])
    y1, y2 = found.calibration.coefficients
    square = np.array(found.calibration.covariance)
    s1, s2 = np.sqrt(np.diag(square))
    assert (round(y1, 4), round(y2, 5)) == (-0.1712, 0.00218)
    assert (round(s1, 4), round(s2, 5), round(square[0, 1] / s1 / s2, 3)) == (0.0029, 0.00067, -0.930)
    assert round(found.residual_deviation, 4) == 0.0035
    at_30 = found.predict([10.0])
    assert (round(at_30.value[0], 4), round(at_30.uncertainty[0], 4)) == (-0.1494, 0.0041)


TRUE = {
    "offset": ((-0.4,), np.linspace(0, 10, 5), {}),
    "slope": ((1.02,), np.linspace(1, 10, 5), {}),
    "polynomial": ((0.3, 1.1), np.linspace(0, 10, 6), {}),
    "nernst": (
        (-6.0, 97.5),
        np.array([177.0, 120.0, 6.0, -60.0, -127.0]),
        {"temperature": 18.0, "temperature_uncertainty": 0.0},
    ),
    "ise": (
        (210.0, -57.0),
        np.array([210.0, 180.0, 153.0, 120.0, 96.0]),
        {"temperature": 18.0, "temperature_uncertainty": 0.0},
    ),
    "stern_volmer": ((53.0, 0.012), np.array([52.0, 45.0, 34.0, 26.0, 21.0]), {"signal": "phase"}),
}


def lots(y):
    return lots_covariance(0.002 * np.abs(y) + 1e-3, 0.003 * np.abs(y), ["A", "A", "B", "B", None, "A"][: len(y)])


@pytest.mark.parametrize("form", TRUE)
def test_the_covariance_is_what_the_points_hand_on(form):
    """Standards of two lots, readings uncertain: J U Jᵀ, each point moved by itself, the calibration fitted again."""
    coefficients, x, told = TRUE[form]
    truth = Calibration(kind=form, coefficients=coefficients, **told)
    y = evaluate(truth, x).value
    u_x, covariance = 0.002 * np.ptp(x), lots(y)
    told = told | {"reading_uncertainty": u_x, "covariance": covariance}
    done = fit(x, y, form, **told)
    np.testing.assert_allclose(done.calibration.coefficients, coefficients, rtol=1e-6)
    n, columns = len(x), []
    for k in range(2 * n):
        step = np.eye(2 * n)[k] * (0.1 * u_x if k < n else 0.1 * np.sqrt(covariance[k - n, k - n]))
        moved = [
            np.array(fit(x + sign * step[:n], y + sign * step[n:], form, **told).calibration.coefficients)
            for sign in (1, -1)
        ]
        columns.append((moved[0] - moved[1]) / (2 * step[k]))
    whole = np.block([[u_x**2 * np.eye(n), np.zeros((n, n))], [np.zeros((n, n)), covariance]])
    handed_on = np.array(columns).T @ whole @ np.array(columns)
    stated = np.array(done.calibration.covariance)
    spread = np.sqrt(np.diag(stated))
    np.testing.assert_allclose(handed_on / np.outer(spread, spread), stated / np.outer(spread, spread), atol=2e-3)
    reading, u = done.inverse(y[2])
    assert reading == pytest.approx(x[2])
    assert u > u_x


def test_uncertainties_that_are_right_are_found_right_in_repeated_calibrations():
    coefficients, x, told = TRUE["polynomial"]
    y = evaluate(Calibration(kind="polynomial", coefficients=coefficients, **told), x).value
    covariance, rng = lots(y), np.random.default_rng(11)
    root = np.linalg.cholesky(covariance)
    runs = [
        fit(
            x + 0.02 * rng.standard_normal(6),
            y + root @ rng.standard_normal(6),
            reading_uncertainty=0.02,
            covariance=covariance,
        )
        for _ in range(200)
    ]
    found = np.array([run.calibration.coefficients for run in runs])
    stated = np.array(runs[0].calibration.covariance)
    spread = np.sqrt(np.diag(stated))
    assert (np.abs(found.mean(axis=0) - coefficients) < 4 * spread / np.sqrt(200)).all()
    # Of 200 runs a standard deviation is known to 5 %, a correlation to 0.07.
    np.testing.assert_allclose(found.std(axis=0, ddof=1), spread, rtol=0.17)
    assert np.corrcoef(found.T)[0, 1] == pytest.approx(stated[0, 1] / spread[0] / spread[1], abs=0.22)
    assert np.mean([run.birge**2 for run in runs]) == pytest.approx(1, abs=0.2)
    assert np.std(np.concatenate([run.standardized for run in runs])) == pytest.approx(1, abs=0.1)


def test_light_with_temperature_and_of_two_sites_is_found_again():
    t = np.repeat([5.0, 15.0, 30.0], 5)
    p = np.tile([0.0, 50.0, 110.0, 160.0, 210.0], 3)
    for form, true in (
        ("stern_volmer", [900.0, 0.02, -0.0005, 0.004]),
        ("stern_volmer_two_site", [900.0, 0.022, 0.88, 0.0015, -0.0005, 0.004]),
    ):
        item = Calibration(kind=form, coefficients=tuple(true), companion="a/t")
        low, high = np.zeros(15), np.full(15, 2000.0)
        for _ in range(100):
            x = (low + high) / 2
            above = evaluate(item, x, t).value > p
            low, high = np.where(above, x, low), np.where(above, high, x)
        start = np.array(true) * 1.1
        start[2] = true[2] * 0.9
        found = fit(x, p, form, temperature=t, start=start, companion="a/t")
        np.testing.assert_allclose(found.calibration.coefficients, true, rtol=1e-5)
        assert found.calibration.companion == "a/t"


def test_a_load_cell_is_not_straight_and_its_parabola_is():
    found = linearity(LOADS, DEFLECTIONS)
    # The same F from two nested regressions: a line, and one mean for each load.
    dummies = (LOADS[:, None] == LOADS[:20]).astype(float)
    line = np.vander(LOADS / 1e6, 2)
    left = [np.linalg.lstsq(item, np.array(DEFLECTIONS), rcond=None)[1][0] for item in (line, dummies)]
    assert found.lack_of_fit == pytest.approx((left[0] - left[1]) / 18 / (left[1] / 20), rel=1e-9)
    assert found.probability < 1e-12
    assert found.percent_of_span == pytest.approx(100 * abs(found.greatest) / 2_850_000)
    assert np.isnan(linearity(LOADS[:20], DEFLECTIONS[:20]).lack_of_fit)
    rng = np.random.default_rng(2)
    levels = np.repeat([0.0, 2.0, 5.0, 10.0], 3)
    chances = [linearity(levels, 3 + levels + 0.1 * rng.standard_normal(12)).probability for _ in range(300)]
    assert np.mean(np.array(chances) < 0.05) == pytest.approx(0.05, abs=0.04)
    assert np.mean(chances) == pytest.approx(0.5, abs=0.06)


@pytest.mark.parametrize(
    ("call", "part"),
    [
        (lambda: fit([1, 2], [1, 2, 3]), "as many finite numbers"),
        (lambda: fit([1, 1, 1], [1, 2, 3]), "do not determine"),
        (lambda: fit([1], [1]), "1 points cannot determine 2 coefficients"),
        (lambda: fit([1, 2, 3], [1, 2, 3], "cubic"), "form = 'cubic'"),
        (lambda: fit([1, 2, 3], [1, 2, 3], "table"), "no coefficients to fit"),
        (lambda: fit([1, 2, 3], [1, 2, 3], "nernst"), "needs the temperature"),
        (lambda: fit([1, 2, 3], [1, 2, 3], "nernst", temperature=[1, 2, 3]), "name the companion"),
        (lambda: fit([1, 2, 3], [0, 2, 3], "ise", temperature=20), "no logarithm"),
        (lambda: fit([1, 2, 3], [1, 2, 3], "stern_volmer"), "must fall"),
        (lambda: fit([1, 2, 3], [1, 2, 3], weights=[1, 1, 0]), "above 0"),
        (lambda: fit([1, 2, 3], [1, 2, 3], weights=[1, 1, 1], quantity_uncertainty=1), "exclude each other"),
        (lambda: fit([1, 2, 3], [1, 2, 3], quantity_uncertainty=0), "an uncertainty of its own"),
        (lambda: fit([1, 2, 3], [1, 2, 3], quantity_uncertainty=[1, 2]), "one for each of the 3 points"),
        (lambda: fit([1, 2, 3], [1, 2, 3], covariance=np.ones((2, 2))), "square of 3 rows"),
        (lambda: fit([1, 2, 3], [1, 2, 4]).inverse(9.0), "lies outside"),
        (lambda: linearity([1, 1, 1], [1, 2, 3]), "two different standards"),
        (lambda: linearity([1, 2], [1, 2]), "three readings"),
        (lambda: linearity([1, 2, 3], [5, 5, 5]), "do not change"),
    ],
)
def test_what_cannot_be_fitted_says_why(call, part):
    with pytest.raises(CalibrationError, match=part):
        call()
