"""What a visit finds: a check against a standard, zero and span, fouling apart from drift, and how good the record is.

Plain numbers in, plain numbers out; nothing is adjusted here and no limit is assumed: those of an agency's manual or a
type approval are given.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from nilometer.calibration.drift import Correction

__all__ = ["Checked", "Limit", "Visit", "check", "rating", "zero_and_span"]


@dataclass(frozen=True, slots=True)
class Limit:
    """How large an error may be: absolute, in percent, or the greater of both.

    Parameters
    ----------
    absolute : float
        In the unit of the value, from 0.
    percent : float
        Of what the error is compared with (a standard's value, a reading, a range), from 0.

    Examples
    --------
    >>> Limit(0.3, 5).at(4.0), Limit(0.3, 5).at(10.0)
    (0.3, 0.5)
    """

    absolute: float = 0.0
    percent: float = 0.0

    def __post_init__(self) -> None:
        if not (0 <= self.absolute < math.inf and 0 <= self.percent < math.inf):
            raise ValueError(f"a limit of {self.absolute} or {self.percent} % (allowed: numbers from 0)")

    def at(self, value: float) -> float:
        """Return the limit at a value, in its unit."""
        return max(self.absolute, abs(value) * self.percent / 100.0)


@dataclass(frozen=True, slots=True)
class Checked:
    """A check of what was found, or left, against a standard.

    Parameters
    ----------
    deviation : float
        Found minus standard.
    percent : float
        The same in percent of the reference (the standard's value, or the range); NaN where that is 0.
    uncertainty : float
        Standard uncertainty of the deviation; NaN: not known.
    limit : float
        What it may be, in the unit of the value; NaN: none was given.
    """

    deviation: float
    percent: float
    uncertainty: float
    limit: float

    @property
    def passed(self) -> bool | None:
        """The deviation is within the limit (simple acceptance); None: no limit was given."""
        return None if math.isnan(self.limit) else abs(self.deviation) <= self.limit

    @property
    def is_certain(self) -> bool | None:
        """The decision holds with the whole interval of U = 2u; None: without a limit or an uncertainty."""
        if math.isnan(self.limit) or math.isnan(self.uncertainty):
            return None
        return abs(abs(self.deviation) - self.limit) >= 2.0 * self.uncertainty

    @property
    def en(self) -> float:
        """Deviation over U = 2u: within ±1 it is explained by the uncertainties (E_n of ISO 13528). NaN: not known."""
        return self.deviation / (2.0 * self.uncertainty) if self.uncertainty > 0 else math.nan


def check(
    found: float,
    standard: float,
    limit: Limit | None = None,
    *,
    found_uncertainty: float | None = None,
    standard_uncertainty: float | None = None,
    span: float | None = None,
) -> Checked:
    """Return how what was read in a standard stands to its value: as found, or as left.

    Parameters
    ----------
    found, standard : float
        What was read, and what the standard is, in one unit.
    limit : Limit, optional
        What the deviation may be.
    found_uncertainty, standard_uncertainty : float, optional
        Standard uncertainties, uncorrelated; both are needed for that of the deviation.
    span : float, optional
        Width of the measuring range, which percentages are then of; without it they are of the standard.

    Examples
    --------
    >>> done = check(7.06, 7.00, Limit(0.1), found_uncertainty=0.005, standard_uncertainty=0.01)
    >>> round(done.deviation, 3), done.passed, done.is_certain
    (0.06, True, True)
    """
    of = standard if span is None else span
    both = (found_uncertainty, standard_uncertainty)
    spread = math.nan if None in both else math.hypot(*(item or 0.0 for item in both))
    deviation = found - standard
    return Checked(
        deviation,
        100.0 * deviation / of if of else math.nan,
        spread,
        math.nan if limit is None else limit.at(of),
    )


def zero_and_span(
    zero: tuple[float, float],
    span: tuple[float, float],
    full_range: float,
    limits: tuple[Limit, Limit] | None = None,
) -> tuple[Checked, Checked]:
    """Return the check of the zero, and that of the span after the zero was taken off.

    Parameters
    ----------
    zero, span : pair of float
        The standard's value and what was read in it, of a zero and of a span standard.
    full_range : float
        Width of the measuring range, which percentages are of.
    limits : pair of Limit, optional
        What both may be.

    Raises
    ------
    ValueError
        If the span standard is not above the zero, or the range not above 0.

    Examples
    --------
    >>> low, high = zero_and_span((0.0, 0.2), (80.0, 81.0), 100.0)
    >>> low.percent, round(high.deviation, 6)
    (0.2, 0.8)
    """
    if not span[0] > zero[0] or not full_range > 0:
        raise ValueError(
            f"zero {zero[0]:g}, span {span[0]:g}, range {full_range:g}: they must rise, the range be above 0"
        )
    low, high = limits or (None, None)
    return (
        check(zero[1], zero[0], low, span=full_range),
        check(span[1] - (zero[1] - zero[0]), span[0], high, span=full_range),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """What was read when a sensor was serviced, in the order in which it is done.

    Parameters
    ----------
    before_cleaning, after_cleaning : float, optional
        The sensor in the water, fouled and cleaned.
    field_before, field_after : float, optional
        A second instrument beside it at these moments: what the water itself did meanwhile. Without it: nothing.
    standard, in_standard : float, optional
        A standard, and what the cleaned sensor read in it, before it was adjusted.
    fouling_uncertainty, drift_uncertainty : float, optional
        Standard uncertainties of the two errors found, in the unit of the value.

    Notes
    -----
    Fouling and calibration drift are kept apart as in Wagner, R. J. et al. (2006), USGS Techniques and Methods 1-D3:
    fouling is the change by cleaning less that of the water, drift what the cleaned sensor lacks in the standard. Each
    is what has to be added.

    Examples
    --------
    >>> visit = Visit(before_cleaning=7.8, after_cleaning=8.3, field_before=8.2, field_after=8.3, standard=9.0,
    ...               in_standard=9.1)
    >>> round(visit.fouling, 6), round(visit.drift, 6), round(visit.total, 6)
    (0.4, -0.1, 0.5)
    """

    before_cleaning: float | None = None
    after_cleaning: float | None = None
    field_before: float | None = None
    field_after: float | None = None
    standard: float | None = None
    in_standard: float | None = None
    fouling_uncertainty: float | None = None
    drift_uncertainty: float | None = None

    def __post_init__(self) -> None:
        for pair in (
            ("before_cleaning", "after_cleaning"),
            ("field_before", "field_after"),
            ("standard", "in_standard"),
        ):
            values = [getattr(self, name) for name in pair]
            if (values[0] is None) != (values[1] is None):
                raise ValueError(f"{pair[0]} and {pair[1]} are of use together only")
            if not all(value is None or math.isfinite(value) for value in values):
                raise ValueError(f"{pair[0]} and {pair[1]} must be finite numbers")

    @property
    def fouling(self) -> float:
        """What cleaning gave back; 0 where it was not looked at."""
        if self.before_cleaning is None or self.after_cleaning is None:
            return 0.0
        water = 0.0 if self.field_before is None or self.field_after is None else self.field_after - self.field_before
        return self.after_cleaning - self.before_cleaning - water

    @property
    def drift(self) -> float:
        """What the cleaned sensor lacks in the standard; 0 where it was not looked at."""
        return 0.0 if self.standard is None or self.in_standard is None else self.standard - self.in_standard

    @property
    def total(self) -> float:
        """The sum of both without their signs, by which a record is rated."""
        return abs(self.fouling) + abs(self.drift)

    def corrections(self, start: int, end: int, *, percent: bool = False) -> list[Correction]:
        """Return what takes both errors out of the record since the visit before, fouling first.

        Parameters
        ----------
        start, end : int
            That visit and this one, µs since 1970 UTC; both errors grew along a line.
        percent : bool
            As shares of the reading: of that before cleaning, and of that in the standard.

        Raises
        ------
        ValueError
            If a percentage is asked for of a reading of 0.
        """
        found = (
            ("fouling", self.fouling, self.before_cleaning, self.fouling_uncertainty),
            ("drift", self.drift, self.in_standard, self.drift_uncertainty),
        )
        made = []
        for cause, gap, reading, known in found:
            if reading is None:
                continue
            if percent and reading == 0:
                raise ValueError(f"the {cause} was found at a reading of 0, of which there is no percentage")
            scale = 100.0 / reading if percent else 1.0
            form = "gap_percent" if percent else "gap"
            spread = None if known is None else known * abs(scale)
            made.append(
                Correction.from_document(
                    {"cause": cause, "start": start, "end": end, form: gap * scale, "uncertainty": spread}
                )
            )
        return made


def rating(error: float, value: float, classes: Sequence[tuple[str, Limit]], beyond: str) -> str:
    """Return the class of a record after the error that was corrected in it.

    Parameters
    ----------
    error : float
        `Visit.total`, in the unit of the value.
    value : float
        The value at which it stands, which percentages are of.
    classes : sequence of (str, Limit)
        Names with the greatest error each allows, the best first.
    beyond : str
        The name where none allows it: such a record is not corrected but withdrawn.

    Raises
    ------
    ValueError
        If a later class allows less than an earlier one.

    Examples
    --------
    >>> classes = [("good", Limit(0.3, 5)), ("fair", Limit(0.8, 15))]
    >>> rating(0.4, 6.0, classes, "poor"), rating(0.4, 9.0, classes, "poor"), rating(2.0, 9.0, classes, "poor")
    ('fair', 'good', 'poor')
    """
    greatest = [limit.at(value) for _, limit in classes]
    if greatest != sorted(greatest):
        raise ValueError(f"classes must allow more and more, these allow {greatest} at {value:g}")
    for (name, _), allowed in zip(classes, greatest, strict=True):
        if abs(error) <= allowed:
            return name
    return beyond
