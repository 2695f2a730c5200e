"""Min, Avg, Max and Cou of a period, exactly: sums of decimal numbers, rounded once and by nobody before the message.

Which values count is the marks' business: those of the counting marks (as a rule N alone) where there are any; else
those of the mark that most values have, and the period says that mark. So an hour of maintenance is sent, as such.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Literal

__all__ = ["Marked", "Statistics", "hydrogen_ion_mean", "statistics"]

Mean = Literal["arithmetic", "hydrogen_ion"]
_PRECISION = 50


@dataclass(frozen=True, slots=True)
class Marked:
    """A value in the unit of the wire, None where the instrument had none, with the receiver's mark for it."""

    value: Fraction | None
    mark: str


@dataclass(frozen=True, slots=True)
class Statistics:
    """Of a period: None where no value of its mark is there; `count` is how many values they are made of."""

    mark: str
    lowest: Fraction | None
    mean: Fraction | None
    highest: Fraction | None
    count: int


def statistics(values: Sequence[Marked], counting: Collection[str], mean: Mean = "arithmetic") -> Statistics:
    """Return what values of one code and one period come to.

    Parameters
    ----------
    values : sequence of Marked
        At least one.
    counting : collection of str
        Marks whose values count.
    mean : {"arithmetic", "hydrogen_ion"}
        For pH: the mean of 10^-pH, as pH.

    Examples
    --------
    >>> found = statistics([Marked(Fraction(1), "N"), Marked(Fraction(2), "N"), Marked(Fraction(9), "M")], {"N"})
    >>> found.mark, found.mean, found.highest, found.count
    ('N', Fraction(3, 2), Fraction(2, 1), 2)
    """
    counted = [one for one in values if one.mark in counting and one.value is not None]
    marks = Counter(one.mark for one in counted or values)
    # Of marks that as many have, the newest value's.
    mark = max(marks, key=lambda name: (marks[name], max(at for at, one in enumerate(values) if one.mark == name)))
    chosen = counted or [one for one in values if one.mark == mark]
    numbers = [one.value for one in chosen if one.value is not None]
    if not numbers:
        return Statistics(mark, None, None, None, 0)
    middle = hydrogen_ion_mean(numbers) if mean == "hydrogen_ion" else sum(numbers, Fraction(0)) / len(numbers)
    return Statistics(mark, min(numbers), middle, max(numbers), len(numbers))


def hydrogen_ion_mean(values: Sequence[Fraction]) -> Fraction:
    """Return the pH of the mean hydrogen-ion activity, to 50 digits.

    Examples
    --------
    >>> round(float(hydrogen_ion_mean([Fraction(6), Fraction(8)])), 4)
    6.2967
    """
    with localcontext() as context:
        context.prec = _PRECISION
        total = sum((Decimal(10) ** -(Decimal(v.numerator) / Decimal(v.denominator)) for v in values), Decimal(0))
        return Fraction(-(total / len(values)).log10())
