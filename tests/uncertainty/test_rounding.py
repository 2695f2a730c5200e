"""Digits that mean nothing."""

from __future__ import annotations

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nilometer.uncertainty.rounding import round_to, rounded, two_digits


@pytest.mark.parametrize(
    ("u", "expected"),
    [
        (0.0129, 0.013),
        (0.996, 1.0),
        (0.0995, 0.1),
        (0.1, 0.1),
        (1.0, 1.0),
        (10, 10),
        (9.96, 10),
        (123.4, 120),
        (1e-7, 1e-7),
        (0.001234, 0.0012),
        (1e-25, 1e-25),
    ],
)
def test_an_uncertainty_keeps_two_significant_digits(u, expected):
    assert two_digits(float(u)) == expected


@pytest.mark.parametrize(
    ("x", "u", "expected"),
    [
        (7.123456, 0.013, 7.1235),  # u/100 = 0.00013: to 0.0001
        (7.123456, 0.1, 7.123),  # u/100 is itself a power of ten
        (7.123456, 0.099, 7.1235),
        (1234567.89, 120.0, 1234568),
        (1234567.89, 12000.0, 1234600),
        (-3.14159, 0.5, -3.142),
        (0.0, 0.5, 0.0),
    ],
)
def test_a_result_is_rounded_to_a_power_of_ten_not_above_a_hundredth_of_u(x, u, expected):
    assert rounded(x, u) == expected


@given(x=st.floats(-1e6, 1e6), u=st.floats(1e-9, 1e5))
def test_rounding_adds_less_than_a_hundredth_of_u_and_is_done_once(x, u):
    kept = two_digits(u)
    assert abs(kept - u) <= 0.05 * u * (1 + 1e-9)
    short = rounded(x, kept)
    assert abs(short - x) <= 0.005 * kept * (1 + 1e-9) + abs(x) * 2**-52
    assert rounded(short, kept) == short
    assert two_digits(kept) == kept


@given(x=st.floats(-1e6, 1e6), exponent=st.integers(-9, 5))
def test_the_result_is_the_float_nearest_to_the_short_decimal(x, exponent):
    short = round_to(x, exponent)
    digits = Decimal(repr(short)).scaleb(-exponent)
    assert digits == digits.to_integral_value()


def test_numbers_without_room_for_the_digit_stay():
    assert round_to(123456789.123456, -12) == 123456789.123456
    assert round_to(1.5, -30) == 1.5
    assert round_to(1.5, 30) == 1.5
    assert math.isclose(round_to(2.5e15, 14), 2.5e15)
