from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nilometer.derivation.strapping import STRAPPING, StrappingTable
from nilometer.derivation.tank import filling, frustum, horizontal_cylinder, inclined_cylinder, prism, sphere, ullage
from nilometer.derivation.tank_heads import HEAD_STYLES, TANK, Head, HorizontalTank, VerticalTank
from nilometer.errors import ConfigError

HEADS = [
    Head("flat"),
    Head("hemispherical"),
    Head("elliptical", depth=0.5),
    Head("conical", depth=0.4),
    Head("dished", crown_radius=1.5),
    Head("torispherical", crown_radius=1.7, knuckle_radius=0.3),
    *(Head(style) for style in HEAD_STYLES),
]


def names(head):
    return head.kind


def test_lying_cylinders_give_the_check_values():
    assert float(horizontal_cylinder(1.0, 1.0, 5.0)) == pytest.approx(7.853982, abs=1e-5)
    both = horizontal_cylinder(1.5, 1.0, 1.0, 0.5, 0.5) - horizontal_cylinder(1.5, 1.0, 1.0)
    assert float(both) == pytest.approx(1.767146, abs=1e-5)
    assert float(horizontal_cylinder(2.0, 1.0, 1.0, 1.0, 1.0)) == pytest.approx(math.pi + 4 / 3 * math.pi)


def test_simple_shapes_are_closed_at_both_ends():
    assert float(sphere(2.0, 1.0)) == pytest.approx(4 / 3 * math.pi)
    assert float(frustum(3.0, 0.5, 1.0, 3.0)) == pytest.approx(math.pi * (0.25 + 0.5 + 1.0))
    assert float(prism(1.5, 6.0, 2.0)) == 9.0
    for tank, top in ((sphere, (1.0,)), (frustum, (0.5, 1.0, 2.0)), (prism, (6.0, 2.0))):
        assert float(tank(0.0, *top)) == 0.0
        assert np.isnan(tank([-0.001, 2.001], *top)).all()
    assert float(filling(33.0, 30.0)) == pytest.approx(110.0)
    assert float(ullage(33.0, 30.0)) == -3.0


@given(st.floats(0.0, 1.0), st.floats(0.0, 85.0))
@settings(max_examples=30, deadline=None)
def test_an_inclined_cylinder_is_the_sum_of_its_slices(share, inclination):
    radius, length = 0.7, 3.0
    angle = math.radians(inclination)
    level = share * (length * math.sin(angle) + 2 * radius * math.cos(angle))
    along = (np.arange(20_000) + 0.5) / 20_000 * length
    y = np.clip(-radius + level / math.cos(angle) - along * math.tan(angle), -radius, radius)
    slices = radius**2 * np.arccos(-y / radius) + y * np.sqrt(radius**2 - y**2)
    assert float(inclined_cylinder(level, radius, length, inclination)) == pytest.approx(
        slices.mean() * length, abs=2e-6
    )


def outline(head, radius, z):
    """Return the radius of a head at a distance from the cylinder, written again from its geometry."""
    if head.kind == "hemispherical":
        return np.sqrt(np.maximum(radius**2 - z**2, 0.0))
    if head.kind == "elliptical":
        return radius * np.sqrt(np.maximum(1 - (z / head.depth) ** 2, 0.0))
    if head.kind == "conical":
        return radius * np.maximum(1 - z / head.depth, 0.0)
    if head.kind == "dished":
        centre = -math.sqrt(head.crown_radius**2 - radius**2)
        return np.sqrt(np.maximum(head.crown_radius**2 - (z - centre) ** 2, 0.0))
    crown, knuckle = head.crown_radius, head.knuckle_radius
    if head.kind in HEAD_STYLES:
        crown, knuckle = (2 * radius * share for share in HEAD_STYLES[head.kind])
    middle = radius - knuckle
    centre = -math.sqrt((crown - knuckle) ** 2 - middle**2)
    joint = centre + crown / (crown - knuckle) * -centre
    torus = middle + np.sqrt(np.maximum(knuckle**2 - z**2, 0.0))
    sphere_ = np.sqrt(np.maximum(crown**2 - (z - centre) ** 2, 0.0))
    return np.where(z <= joint, torus, sphere_)


@pytest.mark.parametrize("head", HEADS[1:], ids=names)
def test_heads_hold_what_counting_points_finds(head):
    """Monte Carlo of the solid of revolution, lying and standing, within five standard errors."""
    radius, draws = 1.0, 400_000
    generator = np.random.default_rng(7)
    lying = HorizontalTank(radius, 1.0, left=head)
    standing = VerticalTank(radius, 1.0, bottom=head)
    depth = standing.total_height - 1.0
    x, y = generator.uniform(-radius, radius, (2, draws))
    z = generator.uniform(0.0, depth, draws)
    inside = x**2 + y**2 <= outline(head, radius, z) ** 2
    box = 4 * radius**2 * depth
    for level in (0.13, 0.7, 1.3, 2.0):
        found = lying.volume(level)[0] - HorizontalTank(radius, 1.0).volume(level)[0]
        share = np.mean(inside & (y <= level - radius))
        assert found == pytest.approx(share * box, abs=5 * box * math.sqrt(share * (1 - share) / draws))
    for fraction in (0.2, 0.6, 0.95):
        share = np.mean(inside & (z >= depth * (1 - fraction)))
        found = standing.volume(depth * fraction)[0]
        assert found == pytest.approx(share * box, abs=5 * box * math.sqrt(share * (1 - share) / draws))


@pytest.mark.parametrize("head", HEADS[:8], ids=names)
def test_the_table_of_a_tank_is_its_volume_with_a_smooth_slope(head):
    for tank, height in (
        (HorizontalTank(1.0, 2.0, head, Head("kloepper")), 2.0),
        (VerticalTank(1.0, 2.0, head, head), None),
    ):
        top = height or tank.total_height
        function = tank.as_function()
        levels = np.linspace(0.0, top, 61)
        exact = np.array([tank.volume(level) for level in levels])
        assert function(levels) == pytest.approx(exact[:, 0], abs=1e-9 * exact[-1, 0])
        inner = levels[1:-1]
        slope = (function(inner + 1e-5) - function(inner - 1e-5)) / 2e-5
        assert slope == pytest.approx(exact[1:-1, 1], rel=1e-3)  # the wetted area, at every edge too
        assert float(function(top)) == pytest.approx(tank.capacity)
        assert np.isnan(function([-1e-6, top + 1e-6])).all()


def test_heads_of_two_kinds_are_each_counted_once():
    for level in (0.3, 1.0, 1.7):
        both = HorizontalTank(1.0, 2.0, Head("kloepper"), Head("elliptical", depth=0.5)).volume(level)[0]
        assert both == pytest.approx(
            (
                HorizontalTank(1.0, 2.0, Head("kloepper"), Head("kloepper")).volume(level)[0]
                + float(horizontal_cylinder(level, 1.0, 2.0, 0.5, 0.5))
            )
            / 2
        )


def test_the_whole_of_a_kloepper_head_is_a_tenth_of_the_cube_of_the_diameter():
    """0.1 D³ (DIN 28011) and 0.1298 D³ (DIN 28013), as the tables of makers have them."""
    for style, factor in (("kloepper", 0.1), ("korbbogen", 0.1298)):
        head = HorizontalTank(1.0, 1.0, Head(style)).capacity - math.pi
        assert head == pytest.approx(factor * 8, rel=0.02)


def test_a_tank_is_made_of_its_settings():
    made = TANK.make({"orientation": "vertical", "radius": 1, "length": 2, "bottom": {"kind": "conical", "depth": 0.5}})
    assert float(made(0.5)) == pytest.approx(math.pi / 6)
    assert made.inputs["level"].high == 2.5
    sure = TANK.make({"orientation": "vertical", "radius": 1, "length": 2, "relative_uncertainty": 0.002})
    assert float(sure.estimate(1.0, uncertainty={}).uncertainty) == pytest.approx(0.002 * math.pi)
    for wrong in (
        {"orientation": "diagonal", "radius": 1, "length": 2},
        {"orientation": "vertical", "radius": 0, "length": 2},
        {"orientation": "vertical", "radius": 1},
        {"orientation": "vertical", "radius": 1, "length": 2, "hight": 3},
        {"orientation": "vertical", "radius": 1, "length": 2, "left": "flat"},
        {"orientation": "vertical", "radius": 1, "length": 2, "bottom": {"kind": "conical", "size": 0.5}},
        {"orientation": "vertical", "radius": 1, "length": 2, "relative_uncertainty": -1},
        {"orientation": "horizontal", "radius": 1, "length": 2, "left": "round"},
        {"orientation": "horizontal", "radius": 1, "length": 2, "left": {"kind": "dished", "crown_radius": 0.9}},
        {"orientation": "horizontal", "radius": 1, "length": 2, "left": {"kind": "torispherical", "crown_radius": 2.0}},
    ):
        with pytest.raises(ConfigError):
            TANK.make(wrong)


def test_a_strapping_table_is_kept_between_its_points():
    levels, volumes = [0.0, 0.5, 1.0, 2.0, 2.5], [0.0, 4.0, 5.0, 5.0, 9.0]
    for method in ("linear", "monotone_cubic"):
        table = STRAPPING.make({"levels": levels, "volumes": volumes, "method": method})
        assert table(levels) == pytest.approx(volumes)
        fine = table(np.linspace(0.0, 2.5, 1001))
        assert np.all(np.diff(fine) >= -1e-12)
        assert table([1.2, 1.5]) == pytest.approx([5.0, 5.0])
        assert np.isnan(table([-0.01, 2.51])).all()
        assert np.isnan(table([-0.01, 2.51], outside="extrapolate")).all()
    # A cubic follows a smooth tank far closer than straight lines.
    h = np.linspace(0.0, 1.0, 11)
    cubic = StrappingTable(h, h**2, "monotone_cubic").as_function()
    assert float(cubic(0.55)) == pytest.approx(0.3025, abs=1e-4)


@pytest.mark.parametrize(
    "wrong",
    [
        {"levels": [0.0, 1.0, 1.0], "volumes": [0.0, 1.0, 2.0]},
        {"levels": [0.0, 1.0, 2.0], "volumes": [0.0, 2.0, 1.0]},
        {"levels": [0.0, 1.0], "volumes": [0.0, 2.0, 3.0]},
        {"levels": [0.0], "volumes": [0.0]},
        {"levels": [0.0, 1.0], "volumes": [0.0, math.nan]},
        {"levels": [0.0, 1.0], "volumes": [0.0, 1.0], "method": "spline"},
    ],
)
def test_what_is_no_strapping_table_is_refused(wrong):
    with pytest.raises(ConfigError):
        STRAPPING.make(wrong)


def test_the_uncertainty_of_a_table_adds_to_that_of_the_level():
    table = StrappingTable([0.0, 1.0, 2.0], [0.0, 3.0, 7.0], uncertainties=[0.02, 0.04, 0.06])
    found = table.as_function().estimate([0.5, 1.5, 3.0], uncertainty={"level": 0.01})
    assert found.value[:2] == pytest.approx([1.5, 5.0])
    assert found.uncertainty[:2] == pytest.approx([math.hypot(0.03, 0.03), math.hypot(0.04, 0.05)], rel=1e-6)
    assert np.isnan(found.uncertainty[2])
    stored = table.as_function().rows([np.array([0.5, 1.5])], [np.array([0.01])])
    assert stored[1].tolist() == [0.042, 0.064]
