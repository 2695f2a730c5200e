"""Gaugings by velocity and area, and how sure they are."""

from __future__ import annotations

import numpy as np
import pytest

from nilometer.derivation.gauging_uncertainty import interpolated_variance, iso748
from nilometer.derivation.velocity_area import Vertical, gauge
from nilometer.errors import CalibrationError


def section(speed, depth=lambda _: 2.0, *, count=25, width=50.0, exposure_s=60.0):
    """A canal of vertical walls: the edges are deep, and their velocity is told."""
    places = np.linspace(0.0, width, count)
    return [
        Vertical(distance=x, depth=depth(x), points={0.2: 1.1 * speed(x), 0.8: 0.9 * speed(x)}, exposure_s=exposure_s)
        for x in places
    ]


def test_the_mean_of_a_vertical_is_by_the_rule_of_its_points():
    profile = {0.0: 1.2, 0.2: 1.1, 0.4: 1.05, 0.6: 1.0, 0.8: 0.8, 1.0: 0.5}

    def mean(*places, **others):
        return Vertical(distance=0, depth=1, points={place: profile[place] for place in places}, **others).mean_velocity

    assert mean(0.6) == pytest.approx(1.0)
    assert mean(0.2, 0.8) == pytest.approx(0.95)
    assert mean(0.8, 0.2, 0.6) == pytest.approx(0.25 * (1.1 + 2.0 + 0.8))
    assert mean(0.0, 0.2, 0.6, 0.8, 1.0) == pytest.approx(0.1 * (1.2 + 3 * 1.1 + 3 * 1.0 + 2 * 0.8 + 0.5))
    assert mean(0.0, 0.2, 0.4, 0.6, 0.8, 1.0) == pytest.approx(0.1 * (1.2 + 2 * (1.1 + 1.05 + 1.0 + 0.8) + 0.5))
    assert mean(0.0, surface_coefficient=0.85) == pytest.approx(0.85 * 1.2)
    assert mean(0.6, angle_degrees=60.0) == pytest.approx(0.5)


@pytest.mark.parametrize("method", ["mid-section", "mean-section"])
def test_a_section_that_is_known_has_its_discharge(method):
    flat = gauge(section(lambda _: 1.5), method=method)
    assert (flat.discharge, flat.area, flat.mean_velocity) == pytest.approx((150.0, 100.0, 1.5))
    # A triangle of depth and of speed: the integral of (x/25)² 2 over both halves is 2·50/3.
    wedge = [
        Vertical(distance=x, depth=2 * (1 - abs(x - 25) / 25), velocity=1 - abs(x - 25) / 25)
        for x in np.linspace(0, 50, 201)
    ]
    assert gauge(wedge, method=method).discharge == pytest.approx(100 / 3, rel=1e-3)


def test_a_panel_that_carries_too_much_is_named():
    assert gauge(section(lambda _: 1.0)).findings() == ()
    few = gauge(section(lambda _: 1.0, count=6))
    assert len(few.findings()) == 4
    assert "panel 2 carries 20.0 %" in few.findings()[0]


@pytest.mark.parametrize(
    ("verticals", "words"),
    [
        ([Vertical(distance=0, depth=0), Vertical(distance=1, depth=0)], "three are needed"),
        ([Vertical(distance=x, depth=1) for x in range(3)], "no velocity"),
        ([Vertical(distance=1, depth=1, velocity=1)] * 3, "two verticals stand at 1 m"),
        ([Vertical(distance=x, depth=1, points={0.0: 1.0}) for x in range(3)], "surface_coefficient is needed"),
        ([Vertical(distance=x, depth=1, points={0.3: 1.0}) for x in range(3)], "known: 0.6; 0.2, 0.8"),
    ],
)
def test_what_is_no_section_is_refused_with_the_reason(verticals, words):
    with pytest.raises(CalibrationError, match=words):
        gauge(verticals)


def test_the_uncertainty_by_iso_748_is_that_of_the_tables():
    """25 verticals, equal but for the halves at the walls, two points, 60 s at 1 m/s: 2.0 %; each 3.5, 3, 0.5 %."""
    found = iso748(gauge(section(lambda _: 1.0)))
    share = np.sqrt((np.array([0.5, *[1.0] * 23, 0.5]) ** 2).sum()) / 24
    assert found.parts["verticals"] == pytest.approx(0.020)
    assert found.parts["points"] == pytest.approx(0.035 * share)
    assert found.parts["exposure"] == pytest.approx(0.03 * share / np.sqrt(2))
    assert found.parts["instrument"] == pytest.approx(0.005 * share / np.sqrt(2))
    assert found.relative == pytest.approx(np.sqrt(sum(part**2 for part in found.parts.values())))
    assert iso748(gauge(section(lambda _: 0.1, exposure_s=30))).parts["exposure"] == pytest.approx(
        np.sqrt((0.14**2 + 0.17**2) / 2) * share / np.sqrt(2)
    )
    with pytest.raises(CalibrationError, match="begins at 5"):
        iso748(gauge(section(lambda _: 1.0, count=4)))


def test_the_worked_example_of_morgenschweis_comes_out():
    """Hydrometrie (2010), 4.5.14: [2.5² + 1.0² + (0.15² + 0.60² + 2.5² + (0.5² + 5.7²)/5)/20]^½ = 2.81 %."""
    points = dict.fromkeys((0.0, 0.2, 0.6, 0.8, 1.0), 1.0)
    wet = [Vertical(distance=k, depth=1.0, points=points) for k in range(1, 21)]
    made = gauge([Vertical(distance=0, depth=0), *wet, Vertical(distance=21, depth=0)])
    found = iso748(made, depth=0.006, exposure=0.057)
    assert round(100 * found.relative, 2) == 2.81


def test_interpolated_variance_finds_the_noise_that_was_put_in():
    random = np.random.default_rng(8)
    noise = iter(random.normal(1.0, 0.05, 5000))
    straight = gauge(section(lambda x: 1.0 + 0.01 * x))
    assert interpolated_variance(straight).parts["velocity"] == pytest.approx(0.0, abs=1e-12)
    places = np.linspace(0.0, 50.0, 25)
    noisy = ([Vertical(distance=x, depth=2.0, velocity=next(noise)) for x in places] for _ in range(100))
    found = [interpolated_variance(gauge(one), width=0, systematic=0).relative ** 2 for one in noisy]
    share = (np.array([0.5, *[1.0] * 23, 0.5]) ** 2).sum() / 24**2
    assert np.sqrt(np.mean(found)) == pytest.approx(0.05 * np.sqrt(share), rel=0.06)
