from __future__ import annotations

import math

import numpy as np
import pytest

from nilometer.derivation.flume import H_FLUME, h_flume, long_throated, parshall, v_flume_60
from nilometer.errors import ConfigError

FEET3 = 0.3048**3


@pytest.mark.parametrize(("width", "head", "expected"), [(0.6, 0.3, 0.21759), (1.0, 0.45, 0.68479)])
def test_parshall_flumes_give_the_check_values(width, head, expected):
    assert float(parshall(head, width)) == pytest.approx(expected, rel=1e-4)


def test_every_parshall_size_agrees_with_the_us_equations():
    """Q = 4 W ha^(1.522 W^0.026) from 1 to 8 ft and (3.6875 W + 2.5) ha^1.6 from 10 ft, in feet and seconds."""
    for width in (0.3, 0.45, 0.6, 0.75, 0.9, 1.0, 1.2, 1.5, 1.8, 2.1, 2.4):
        feet, head = width / 0.3048, np.array([0.15, 0.4, 0.7])
        expected = 4 * feet * (head / 0.3048) ** (1.522 * feet**0.026) * FEET3
        assert parshall(head, width) == pytest.approx(expected, rel=0.004)
    for feet in (10, 12, 15, 20, 25, 30, 40, 50):
        expected = (3.6875 * feet + 2.5) * (0.6 / 0.3048) ** 1.6 * FEET3
        assert float(parshall(0.6, feet * 0.3048)) == pytest.approx(expected, rel=0.001)
    for feet in (1, 1.5, 2, 3, 4, 5, 6, 7, 8):
        expected = 4 * feet * (0.4 / 0.3048) ** (1.522 * feet**0.026) * FEET3
        assert float(parshall(0.4, feet * 0.3048)) == pytest.approx(expected, rel=1e-9)
    for inches, c, n in ((3, 0.992, 1.547), (6, 2.06, 1.58), (9, 3.07, 1.53)):
        assert float(parshall(0.2, inches * 0.0254)) == pytest.approx(c * (0.2 / 0.3048) ** n * FEET3, rel=0.001)


def test_a_parshall_flume_has_no_value_outside_of_its_own_range_or_drowned():
    assert np.isnan(parshall([0.04, 0.76, 0.3, 0.3], [0.6, 0.6, 0.65, 0.5])).all()
    assert np.isnan(parshall(0.3, 0.6, [0.0, 0.2, 0.2099, 0.211])).tolist() == [False, False, False, True]
    # As measured: 3 mm wider carries that much more.
    assert float(parshall(0.3, 0.603)) == pytest.approx(float(parshall(0.3, 0.6)) * 0.603 / 0.6)


def test_h_flumes_hold_what_the_handbook_says_when_full():
    """USDA Agriculture Handbook 224: capacities in ft3/s."""
    full = {
        "HS": {0.4: 0.085, 0.6: 0.229, 0.8: 0.467, 1.0: 0.821},
        "H": {0.5: 0.347, 0.75: 0.957, 1.0: 1.97, 1.5: 5.42, 2.0: 11.1, 2.5: 19.3, 3.0: 30.7, 4.5: 84.5},
        "HL": {4.0: 117.0},
    }
    for kind, sizes in full.items():
        for size, capacity in sizes.items():
            rating = h_flume(kind, size)
            top = rating.inputs["head"].high
            assert float(rating(top)) == pytest.approx(capacity * FEET3, rel=0.013)
            assert np.all(np.diff(rating(np.linspace(0.03, top, 50))) > 0)
    made = H_FLUME.make({"kind": "H", "depth_ft": 1.0})
    assert np.isnan(made([0.02, 0.2, 0.31])).tolist() == [True, False, True]
    for wrong in ({"kind": "X", "depth_ft": 1.0}, {"kind": "H", "depth_ft": 1.1}):
        with pytest.raises(ConfigError):
            H_FLUME.make(wrong)


def test_a_rectangular_throat_is_the_equation_of_iso_4359():
    """Q = (2/3)^1.5 √g C_D b H^1.5 with C_D = (1 - 0.006 L/b)(1 - 0.003 L/h)^1.5, in a channel so wide that H = h."""
    b, length, h = 0.5, 1.0, np.array([0.15, 0.3, 0.45])
    expected = (
        (2 / 3) ** 1.5 * math.sqrt(9.80665) * b * h**1.5 * (1 - 0.006 * length / b) * (1 - 0.003 * length / h) ** 1.5
    )
    assert long_throated(h, b, 0.0, length, 50.0, 0.0, 3.0) == pytest.approx(expected, rel=1e-6)
    assert np.all(long_throated(h, b, 0.0, length, 1.0) > expected)  # the velocity of approach adds


def test_a_triangular_throat_is_critical_flow_of_a_triangle():
    m, length, h = 1.0, 1.0, 0.4
    total = h - 0.003 * length
    found = float(long_throated(h, 0.0, m, length, 50.0, 0.0, 3.0))
    ideal = 16 / 25 * math.sqrt(2 * 9.80665 / 5) * m * total**2.5
    assert found == pytest.approx(ideal, rel=0.03)
    assert found < ideal  # the boundary layer at the sides


def test_a_long_throated_flume_keeps_its_limits():
    assert np.isnan(long_throated([0.05, 0.3, 0.55], 0.4, 0.0, 1.0, 1.2)).tolist() == [True, False, True]
    assert np.isnan(long_throated(0.3, 0.9, 0.0, 1.0, 0.9))  # no contraction: the water comes too fast


def test_the_v_flume_has_its_published_rating():
    assert float(v_flume_60(0.3048)) == pytest.approx(1.55 * FEET3)
