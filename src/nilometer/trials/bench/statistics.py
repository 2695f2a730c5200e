"""Figures of readings of standards, as the norms of analysers and sensors define them.

Every function takes plain readings and gives a `Figure`; too few readings give NaN and say so. Numbers of readings and
levels are the procedure's. Where a definition comes from, and how sure that is, stands in docs/bench.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from nilometer.trials.figure import Figure

__all__ = [
    "beside_laboratory",
    "consistency",
    "detection_limit",
    "drift",
    "drift_rate",
    "indication_error",
    "influence",
    "line_of_levels",
    "linearity_error",
    "mean_of",
    "mean_time_between_failures",
    "offset",
    "spread",
    "temperature_compensation",
    "too_few",
    "valid_data_rate",
]

Floats = NDArray[np.float64]
PERCENT = "%"


def too_few(name: str, unit: str, n: int, least: int, what: str = "readings") -> Figure:
    """Return the figure that there is none."""
    return Figure(name=name, value=math.nan, unit=unit, n=n, note=f"{n} {what}: {least} or more are needed")


def _there(readings: ArrayLike) -> Floats:
    values = np.atleast_1d(np.asarray(readings, np.float64))
    return values[np.isfinite(values)]


def mean_of(readings: ArrayLike, unit: str, *, name: str = "mean", scale: float = 1.0, shift: float = 0.0) -> Figure:
    """Return ``(mean − shift)·scale`` with Student's interval; one reading has none."""
    values = (_there(readings) - shift) * scale
    if not len(values):
        return too_few(name, unit, 0, 1)
    value = float(values.mean())
    interval = (math.nan, math.nan)
    if len(values) > 1:
        reach = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
        interval = (value - reach, value + reach)
    return Figure(name=name, value=value, unit=unit, interval=interval, n=len(values), method="student_t")


def indication_error(readings: ArrayLike, standard: float) -> Figure:
    """Return the relative indication error, (mean − standard)/standard, in %.

    Parameters
    ----------
    readings : array_like of n numbers
        Of one standard.
    standard : float
        Its value, in the same unit; not 0.

    References
    ----------
    HJ 101-2019 and HJ 377-2019, clause 3 (示值误差).

    Examples
    --------
    >>> round(indication_error([2.04, 2.06, 2.02], 2.0).value, 6)
    2.0
    """
    if standard == 0.0:
        return Figure(
            name="indication_error", value=math.nan, unit=PERCENT, note="a standard of 0 has no relative error"
        )
    return mean_of(readings, PERCENT, name="indication_error", scale=100.0 / abs(standard), shift=standard)


def offset(readings: ArrayLike, standard: float, unit: str, *, name: str = "bias") -> Figure:
    """Return mean − standard in the unit of the readings (ISO 15839: bias)."""
    return mean_of(readings, unit, name=name, shift=standard)


def spread(
    readings: ArrayLike, unit: str, *, relative: bool = False, factor: float = 1.0, name: str = "repeatability"
) -> Figure:
    """Return ``factor·s`` of readings of one standard (n − 1), or in % of their mean.

    Parameters
    ----------
    readings : array_like of n numbers
        Two or more, without manual adjustment between them.
    unit : str
        Of the readings.
    relative : bool
        Give s/mean in % (HJ: repeatability, ISO 15839: coefficient of variation).
    factor : float
        3 for LOD and the lowest detectable change, 10 for LOQ (ISO 15839), 4 or 10 for HJ/T's.

    Returns
    -------
    Figure
        With the χ² interval of s.

    Examples
    --------
    >>> round(spread([1.0, 2.0, 3.0], "mg L-1").value, 6), round(spread([1.0, 2.0, 3.0], "", relative=True).value, 6)
    (1.0, 50.0)
    """
    values = _there(readings)
    unit = PERCENT if relative else unit
    if len(values) < 2:
        return too_few(name, unit, len(values), 2)
    scale = factor * (100.0 / abs(float(values.mean())) if relative and values.mean() else 1.0)
    if relative and not values.mean():
        return Figure(name=name, value=math.nan, unit=unit, n=len(values), note="a mean of 0 has no relative spread")
    s = float(values.std(ddof=1)) * scale
    low, high = (math.sqrt((len(values) - 1) / stats.chi2.ppf(p, len(values) - 1)) for p in (0.975, 0.025))
    return Figure(name=name, value=s, unit=unit, interval=(s * low, s * high), n=len(values), method="chi_square")


def detection_limit(
    readings: ArrayLike, unit: str, *, factor: float = 3.0, slope: float = 1.0, name: str = "lod"
) -> Figure:
    """Return ``factor·s/slope`` of readings of the lowest standard: LOD (3), LOQ (10)."""
    return spread(readings, unit, factor=factor / abs(slope), name=name)


def drift(readings: ArrayLike, unit: str, span: float | None = None, *, first: int = 3) -> Figure:
    """Return the largest deviation from the mean of the first readings, in % of the span or in the unit.

    Parameters
    ----------
    readings : array_like of n numbers
        Of one standard over 24 h, such as one an hour, in time order; sign of the deviation kept.
    unit : str
        Of the readings.
    span : float, optional
        Of the measuring range; without it the figure is in `unit`.
    first : int
        How many make the level from which drift is counted.

    References
    ----------
    HJ/T 96 to 103-2003, HJ 101-2019, HJ 377-2019: 24 h zero (low) and span (high) drift.

    Examples
    --------
    >>> round(drift([0.1, 0.1, 0.1, 0.15, 0.06], "mg L-1", 10.0).value, 6)
    0.5
    """
    values = _there(readings)
    scale, unit = (1.0, unit) if span is None else (100.0 / span, PERCENT)
    if len(values) <= first:
        return too_few("drift", unit, len(values), first + 1)
    apart = (values - values[:first].mean()) * scale
    largest = float(apart[np.argmax(np.abs(apart))])
    return Figure(name="drift", value=largest, unit=unit, n=len(values), method="largest_deviation")


def drift_rate(times: ArrayLike, values: ArrayLike, span: float) -> Figure:
    """Return the slope of readings against time, in % of the span a day (ISO 15839: short- and long-term drift).

    Parameters
    ----------
    times : array_like of int64, shape (n,)
        µs since 1970 UTC.
    values : array_like of float64, shape (n,)
        Readings of one standard.
    span : float
        Of the working range.
    """
    when, what = np.asarray(times, np.float64) / 86_400e6, np.asarray(values, np.float64)
    there = np.isfinite(what)
    name, unit = "drift_rate", "% d-1"
    if np.count_nonzero(there) < 3 or np.ptp(when[there]) <= 0.0:
        return too_few(name, unit, int(np.count_nonzero(there)), 3)
    line = stats.linregress(when[there] - when[there][0], what[there] * (100.0 / span))
    reach = float(stats.t.ppf(0.975, np.count_nonzero(there) - 2) * line.stderr)
    slope = float(line.slope)
    n = int(np.count_nonzero(there))
    return Figure(
        name=name, value=slope, unit=unit, interval=(slope - reach, slope + reach), n=n, method="least_squares"
    )


def linearity_error(readings: ArrayLike, standard: float, span: float) -> Figure:
    """Return the deviation of a mid standard after zero and span were set, in % of the range (HJ/T)."""
    return mean_of(readings, PERCENT, name="linearity_error", scale=100.0 / span, shift=standard)


def line_of_levels(levels: Sequence[float], readings: Sequence[ArrayLike], unit: str) -> list[Figure]:
    """Return slope, intercept, residual s, R² and the coefficient of variation of readings over levels (ISO 15839).

    Parameters
    ----------
    levels : sequence of k float
        Standards, three or more different ones.
    readings : sequence of k array_like
        The readings of each.
    unit : str
        Of both.

    Returns
    -------
    list of Figure
        ``slope``, ``intercept``, ``residual_s``, ``r_squared``, ``coefficient_of_variation`` (residual s over the mean
        of the standards, %).
    """
    pairs = [(level, value) for level, of_it in zip(levels, readings, strict=True) for value in _there(of_it)]
    x, y = (np.array(column, np.float64) for column in zip(*pairs, strict=True)) if pairs else (np.empty(0),) * 2
    if len(np.unique(x)) < 3:
        return [too_few("residual_s", unit, len(np.unique(x)), 3, "levels")]
    line = stats.linregress(x, y)
    residual = y - (line.intercept + line.slope * x)
    n = len(x)
    s = math.sqrt(float(residual @ residual) / (n - 2))
    t = float(stats.t.ppf(0.975, n - 2))
    low, high = (math.sqrt((n - 2) / stats.chi2.ppf(p, n - 2)) for p in (0.975, 0.025))

    def about(name: str, value: float, error: float, in_unit: str) -> Figure:
        interval = (value - t * error, value + t * error)
        return Figure(name=name, value=value, unit=in_unit, interval=interval, n=n, method="least_squares")

    mean = float(x.mean())
    return [
        about("slope", float(line.slope), float(line.stderr), "1"),
        about("intercept", float(line.intercept), float(line.intercept_stderr), unit),
        Figure(name="residual_s", value=s, unit=unit, interval=(s * low, s * high), n=n, method="chi_square"),
        Figure(name="r_squared", value=float(line.rvalue) ** 2, unit="1", n=n, method="least_squares"),
        Figure(
            name="coefficient_of_variation",
            value=100.0 * s / mean if mean else math.nan,
            unit=PERCENT,
            interval=(100.0 * s * low / mean, 100.0 * s * high / mean) if mean else (math.nan, math.nan),
            n=n,
            method="chi_square",
        ),
    ]


def influence(
    disturbed: ArrayLike, undisturbed: ArrayLike, unit: str, *, relative: bool = True, name: str = "influence"
) -> Figure:
    """Return mean disturbed − mean undisturbed, in % of the undisturbed or in the unit, with Welch's interval.

    Voltage, ambient temperature, interferents, memory: the same standard with and without.
    """
    one, other = _there(disturbed), _there(undisturbed)
    unit = PERCENT if relative else unit
    if not len(one) or not len(other):
        return too_few(name, unit, min(len(one), len(other)), 1)
    plain = float(other.mean())
    if relative and plain == 0.0:
        return Figure(name=name, value=math.nan, unit=unit, note="an undisturbed mean of 0 has no relative change")
    scale = 100.0 / abs(plain) if relative else 1.0
    value = (float(one.mean()) - plain) * scale
    interval = (math.nan, math.nan)
    if len(one) > 1 and len(other) > 1:
        a, b = one.var(ddof=1) / len(one), other.var(ddof=1) / len(other)
        if a + b > 0.0:
            freedom = (a + b) ** 2 / (a**2 / (len(one) - 1) + b**2 / (len(other) - 1))
            reach = float(stats.t.ppf(0.975, freedom) * math.sqrt(a + b)) * scale
            interval = (value - reach, value + reach)
    return Figure(name=name, value=value, unit=unit, interval=interval, n=len(one) + len(other), method="welch")


def temperature_compensation(groups: Sequence[ArrayLike], unit: str, *, relative: bool = False) -> Figure:
    """Return the largest difference of a standard's compensated readings from those of the first temperature."""
    name = "temperature_compensation"
    if len(groups) < 2:
        return too_few(name, PERCENT if relative else unit, len(groups), 2, "temperatures")
    found = [influence(one, groups[0], unit, relative=relative, name=name) for one in groups[1:]]
    return max(found, key=lambda one: abs(one.value) if math.isfinite(one.value) else math.inf)


def beside_laboratory(readings: ArrayLike, laboratory: ArrayLike, unit: str, *, relative: bool) -> Figure:
    """Return the mean size of the error of readings of one actual water beside the laboratory's results, pair by pair.

    Parameters
    ----------
    readings, laboratory : array_like of n numbers
        In time order, of the same samples; pairs that lack one are left out.
    unit : str
        Of both.
    relative : bool
        Give each error in % of the laboratory's result.

    References
    ----------
    HJ 101-2019, HJ 377-2019, HJ/T 96 to 103-2003 (from memory): mean over the pairs of abs(online − lab)/lab, or of
    abs(online − lab) in the low band; three waters or more, six pairs each.

    Examples
    --------
    >>> round(beside_laboratory([2.1, 1.9, 2.2], [2.0, 2.0, 2.0], "mg L-1", relative=True).value, 6)
    6.666667
    """
    ours, theirs = (np.atleast_1d(np.asarray(one, np.float64)) for one in (readings, laboratory))
    name, unit = "actual_sample", PERCENT if relative else unit
    if len(ours) != len(theirs):
        note = f"the laboratory gave {len(theirs)} values for {len(ours)} readings of one sample"
        return Figure(name=name, value=math.nan, unit=unit, note=note)
    there = np.isfinite(ours) & np.isfinite(theirs)
    ours, theirs = ours[there], theirs[there]
    if len(ours) < 3:
        return too_few(name, unit, len(ours), 3, "pairs")
    if relative and (theirs <= 0.0).any():
        return Figure(name=name, value=math.nan, unit=unit, n=len(ours), note="a laboratory's result of 0 or below")
    errors = np.abs(ours - theirs) / (theirs / 100.0 if relative else 1.0)
    return mean_of(errors, unit, name=name)


def mean_time_between_failures(hours: float, failures: int) -> Figure:
    """Return hours a failure; its interval is one-sided below (95 %), and all there is without a failure.

    Examples
    --------
    >>> mean_time_between_failures(1440.0, 2).value
    720.0
    """
    least = 2.0 * hours / float(stats.chi2.ppf(0.95, 2 * failures + 2))
    value = hours / failures if failures else math.nan
    note = "" if failures else f"no failure in {hours:g} h: with 95 % confidence above {least:.0f} h"
    interval = (least, math.inf)
    return Figure(
        name="mtbf", value=value, unit="h", interval=interval, n=failures, method="chi_square_lower", note=note
    )


def valid_data_rate(valid: int, due: int) -> Figure:
    """Return valid over due results in %, with Wilson's interval."""
    if due <= 0 or not 0 <= valid <= due:
        note = f"{valid} valid of {due} due results is no rate"
        return Figure(name="valid_data_rate", value=math.nan, unit=PERCENT, note=note)
    interval = stats.binomtest(valid, due).proportion_ci(method="wilson")
    ends = (100.0 * float(interval.low), 100.0 * float(interval.high))
    return Figure(
        name="valid_data_rate", value=100.0 * valid / due, unit=PERCENT, interval=ends, n=due, method="wilson"
    )


def consistency(units: Sequence[ArrayLike]) -> Figure:
    """Return 1 − mean relative spread (n − 1) between identical units that measured the same, in %.

    Parameters
    ----------
    units : sequence of k array_like, each of n numbers
        Three or more units; the same n samples for each.
    """
    table = (
        np.array([np.asarray(one, np.float64) for one in units])
        if len({len(np.atleast_1d(u)) for u in units}) == 1
        else None
    )
    if table is None or len(table) < 3:
        return too_few("consistency", PERCENT, len(units), 3, "units with as many results each")
    table = table[:, np.isfinite(table).all(axis=0)]
    means = table.mean(axis=0)
    if not table.size or (means == 0.0).any():
        return Figure(name="consistency", value=math.nan, unit=PERCENT, note="no results of all units, or a mean of 0")
    relative = table.std(axis=0, ddof=1) / np.abs(means)
    value = 100.0 * (1.0 - float(relative.mean()))
    return Figure(name="consistency", value=value, unit=PERCENT, n=table.size, method="mean_relative_spread")
