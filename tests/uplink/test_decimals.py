"""GB/T 8170-2008: the standard's own cases, and the properties that make a rounding one."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nilometer.uplink.decimals import exact, rounded, text_of

# Clauses 3.2.1 to 3.2.4 and 3.3.2, number → (places, rounded).
CASES = [
    ("12.1498", 0, "12"), ("12.1498", 1, "12.1"), ("1268", -2, "1300"), ("10.5002", 0, "11"),
    ("1.050", 1, "1.0"), ("0.35", 1, "0.4"), ("2500", -3, "2000"), ("3500", -3, "4000"),
    ("-355", -1, "-360"), ("-325", -1, "-320"), ("-365", -1, "-360"), ("-0.0365", 3, "-0.036"),
    ("97.46", 0, "97"), ("15.4546", 0, "15"),
]  # fmt: skip
# Clause 3.4: half units of the last place, and fifth ones.
PARTS = [
    ("60.25", 0, 2, "60"), ("60.38", 0, 2, "60.5"), ("60.28", 0, 2, "60.5"), ("-60.75", 0, 2, "-61"),
    ("830", -2, 5, "840"), ("842", -2, 5, "840"), ("832", -2, 5, "840"), ("-930", -2, 5, "-920"),
]  # fmt: skip


@pytest.mark.parametrize(("number", "places", "wanted"), CASES)
def test_numbers_of_the_standard_round_as_it_says(number, places, wanted):
    assert rounded(Fraction(number), places) == Fraction(wanted)
    assert Decimal(text_of(Fraction(number), places)) == Decimal(wanted)


@pytest.mark.parametrize(("number", "places", "parts", "wanted"), PARTS)
def test_half_and_fifth_units_round_as_the_standard_says(number, places, parts, wanted):
    assert rounded(Fraction(number), places, parts=parts) == Fraction(wanted)


@settings(max_examples=200)
@given(st.floats(-1e9, 1e9), st.integers(0, 6))
def test_a_float_is_rounded_by_its_decimal_digits_and_once(value, places):
    wanted = Decimal(repr(value)).quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    text = text_of(exact(value), places)
    assert Decimal(text) == wanted
    assert len(text.partition(".")[2]) == places


def test_zero_has_no_sign_and_no_number_is_refused():
    assert text_of(exact(-0.04), 1) == "0.0"
    assert text_of(exact(2.675), 2) == "2.68"  # As a binary fraction it lies below the half.
    with pytest.raises(ValueError, match="nan"):
        exact(float("nan"))
