from __future__ import annotations

import math

import numpy as np
import pytest

from nilometer.derivation.weir import (
    broad_crested,
    cipolletti,
    full_width,
    kindsvater_shen,
    rectangular,
    submergence_factor,
    v_notch,
    v_notch_90,
)


@pytest.mark.parametrize(("head", "expected"), [(0.05, 0.00079603), (0.1, 0.0044095), (0.2, 0.0246821)])
def test_a_right_angled_notch_gives_the_check_values(head, expected):
    assert float(v_notch_90(head)) == pytest.approx(expected, rel=1e-4)


def test_the_head_correction_of_the_polynomial_is_in_feet():
    ce, kh = kindsvater_shen(90.0)
    assert ce == pytest.approx(0.5779, abs=1e-5)
    assert kh == pytest.approx(0.0008847, abs=1e-6)
    assert float(v_notch(0.2, 90.0)) == pytest.approx(float(v_notch_90(0.2)), rel=5e-4)


def test_notches_agree_with_the_table_of_shen():
    """Shen (1981), as Blevins (1984) has it: C tan(θ/2) √g (h + k)^2.5 with C = 8/15 √2 Ce, another fit of the data."""
    for angle, ce, k in ((40, 0.58, 0.0017), (60, 0.575, 0.0012), (80, 0.575, 0.001), (100, 0.58, 0.001)):
        other = 8 / 15 * ce * math.sqrt(2 * 9.80665) * math.tan(math.radians(angle / 2)) * (0.2 + k) ** 2.5
        assert float(v_notch(0.2, float(angle))) == pytest.approx(other, rel=0.01)


def test_a_notch_that_is_not_fully_contracted_has_no_value():
    found = v_notch_90(0.2, notch_height=[0.6, 0.45, 0.6], channel_width=[1.1, 1.1, 0.9])
    assert np.isnan(found).tolist() == [False, True, True]
    assert np.isnan(v_notch_90(0.2, 0.45, 1.1, outside="extrapolate"))


def test_the_share_of_the_heads_uncertainty_is_five_halves():
    head, u = 0.25, 0.001
    found = v_notch_90.estimate(head, uncertainty={"head": u})
    of_head = 2.5 * u / (head + 0.00085)
    assert found.uncertainty / found.value == pytest.approx(math.hypot(of_head, 0.005), rel=1e-6)


def test_two_equations_of_a_full_width_weir_agree():
    """Kindsvater-Carter with b/B = 1 and Rehbock are two independent fits; ISO 1438 gives 1.5 % to either."""
    head = np.linspace(0.05, 0.6, 12)
    assert full_width(head, 2.0, 0.8) == pytest.approx(rectangular(head, 2.0, 2.0, 0.8), rel=0.013)


def test_contracted_weirs_have_the_tabled_coefficients_between_their_ratios():
    for ratio, alpha, slope, kb in (
        (0.4, 0.591, 0.0058, 0.0027),
        (0.6, 0.593, 0.018, 0.0036),
        (0.8, 0.596, 0.045, 0.0042),
    ):
        b, h, p = 1.0, 0.3, 0.6
        expected = 2 / 3 * (alpha + slope * h / p) * math.sqrt(2 * 9.80665) * (b + kb) * (h + 0.001) ** 1.5
        assert float(rectangular(h, b, b / ratio, p)) == pytest.approx(expected, rel=1e-9)
    across = rectangular(0.3, 1.0, 1.0 / np.array([0.499999, 0.500001]), 0.6)
    assert across[0] == pytest.approx(across[1], rel=1e-5)
    # Table 6-2 of the SWMM manual (from the Water Measurement Manual), feet: c1 h/p + c2 at b/B = 0.5.
    swmm = (0.0612 * 0.5 + 3.173) * math.sqrt(0.3048)
    assert float(rectangular(0.3, 1.0, 2.0, 0.6)) == pytest.approx(swmm * 1.003 * 0.301**1.5, rel=0.003)


def test_a_notch_that_does_not_fit_or_stands_too_deep_has_no_value():
    found = rectangular([0.3, 0.3, 0.3, 1.3], [1.0, 1.2, 1.0, 1.0], [1.1, 1.0, 1.3, 2.0], 0.6)
    assert np.isnan(found).tolist() == [True, True, False, True]
    assert np.isnan(full_width(0.61, 1.0, 0.6))
    assert np.isnan(cipolletti(0.34, 1.0))


def test_a_cipolletti_weir_has_the_equation_of_the_bureau_of_reclamation():
    assert float(cipolletti(0.3048, 10 * 0.3048)) == pytest.approx(33.67 * 0.3048**3, rel=1e-12)


def test_drowning_and_a_broad_crest():
    found = submergence_factor(0.3, [-0.1, 0.0, 1e-9, 0.15, 0.26, 0.28])
    assert found[:2].tolist() == [1.0, 1.0]
    assert found[2] == pytest.approx(1.0, abs=1e-9)
    assert found[3] == pytest.approx((1 - 0.5**1.5) ** 0.385)
    assert found[4] < found[3]
    assert np.isnan(found[5])
    # Critical flow without any loss is 1.705 b h^1.5.
    assert float(broad_crested(1.0, 1.0, 1.0)) == pytest.approx(1.705, abs=5e-4)


def test_the_field_formula_of_right_angled_notches_lies_beside_ours():
    """Cone's 2.49 h^2.48, feet and seconds (USBR, Water Measurement Manual)."""
    head = np.array([0.1, 0.2, 0.35])
    assert v_notch_90(head) == pytest.approx(2.49 * (head / 0.3048) ** 2.48 * 0.3048**3, rel=0.01)
