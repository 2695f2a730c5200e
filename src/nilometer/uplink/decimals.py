"""Rounding by GB/T 8170, in decimal arithmetic, once: what a report's digits are is never a matter of binary fractions.

The rule (3.2): below half down, above half up, exactly half to the even digit; and (3.4) always from the number itself,
never from one that was rounded before. Half and fifth units (3.5) round the double and the fivefold.

References
----------
GB/T 8170-2008, Rules of rounding off for numerical values.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction

__all__ = ["exact", "rounded", "text_of"]


def exact(value: float) -> Fraction:
    """Return a number as its writer meant it: by its shortest decimal digits.

    Raises
    ------
    ValueError
        If it is not finite.

    Examples
    --------
    >>> exact(0.35)
    Fraction(7, 20)
    """
    number = Decimal(repr(float(value)))
    if not number.is_finite():
        raise ValueError(f"{value!r} is no number that can be rounded")
    return Fraction(number)


def rounded(value: Fraction, decimals: int, *, parts: int = 1) -> Fraction:
    """Return the nearest multiple of ``10**-decimals / parts``, of two the even one.

    Parameters
    ----------
    value : Fraction
        The number itself, never one that was rounded before.
    decimals : int
        Places behind the point; negative: before it.
    parts : {1, 2, 5}
        Of a unit of the last place: whole, half (0.5) or fifth (0.2) ones.

    Examples
    --------
    >>> rounded(Fraction("12.1498"), 1), rounded(Fraction("15.4546"), 0)
    (Fraction(121, 10), Fraction(15, 1))
    """
    if parts not in {1, 2, 5}:
        raise ValueError(f"parts = {parts}: whole (1), half (2) or fifth (5) units")
    unit = Fraction(10) ** -decimals / parts
    steps, rest = divmod(value, unit)
    doubled = 2 * rest
    if doubled > unit or (doubled == unit and steps % 2):
        steps += 1
    return steps * unit


def text_of(value: Fraction, decimals: int) -> str:
    """Return a number rounded to so many places, with all of them; a zero has no sign.

    Examples
    --------
    >>> text_of(Fraction("0.35"), 1), text_of(Fraction("-0.04"), 1), text_of(Fraction(8), 2)
    ('0.4', '0.0', '8.00')
    """
    number = rounded(value, decimals) * Fraction(10) ** decimals
    with localcontext() as context:
        context.prec = max(len(str(abs(number.numerator))) + 5, 28)
        digits = Decimal(number.numerator).scaleb(-decimals)
        return f"{digits:.{max(decimals, 0)}f}"
