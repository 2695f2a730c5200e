"""Statistics of hours, days, months and years by a stated rule: means, extremes and totals, with uncertainty.

The arithmetic is that of the store's rollups (`nilometer.periods`): what a notebook says of a day, the server says too.
A period that does not meet its rule has no statistics, only its counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer import units
from nilometer.derivation.operands import bare
from nilometer.derivation.record import NO_TIME, record
from nilometer.derivation.statistics_kernel import filled
from nilometer.periods import kernel, means
from nilometer.periods.means import BELOW, Below
from nilometer.periods.spans import HOUR_US, Period, edges

__all__ = ["RULES", "Completeness", "PeriodStatistics", "Sampling", "period_statistics"]

Sampling = Literal["value", "hour", "day"]
Kind = Literal["arithmetic", "hydrogen_ion", "circular", "flow_weighted"]

_KINDS = {"hydrogen_ion": kernel.HYDROGEN_ION, "circular": kernel.CIRCULAR}
_PLACE_OF_FLAG = np.full(256, 4, np.int8)
_PLACE_OF_FLAG[[1, 2, 3, 4, 9]] = range(5)
_SUSPECT, _FAIL = 2, 3  # places of the flags


@dataclass(frozen=True, slots=True)
class Completeness:
    """How much of a period must be there for it to count.

    Parameters
    ----------
    of : {"value", "hour", "day"}
        What is counted: steps of the sampling that hold a value, hours that do, or days of the zone; steps and hours
        from the period's begin.
    least_share : float
        Of those that the period should have, 0 to 1.
    least_count : int
        At least so many.
    most_missing : int, optional
        At most so many are missing.
    longest_gap : int, optional
        At most so many are missing in a row.
    step_s : float, optional
        Sampling step where values are counted; the median of the record's steps unless given.
    """

    of: Sampling = "value"
    least_share: float = 0.75
    least_count: int = 1
    most_missing: int | None = None
    longest_gap: int | None = None
    step_s: float | None = None


RULES: Mapping[str, Completeness] = {
    "75 %": Completeness(),
    "any": Completeness(least_share=0.0),
    "WMO 3/5": Completeness(of="day", least_share=0.0, most_missing=5, longest_gap=3),
}
"""Rules by name. WMO 3/5: no monthly mean where more than 5 days, or more than 3 in a row, are missing."""


@dataclass(frozen=True, slots=True)
class PeriodStatistics:
    """What periods come to, an element a period; NaN where the rule is not met.

    Parameters
    ----------
    start, end : ndarray of int64
        µs since 1970 UTC, end exclusive.
    n : ndarray of int64
        Values that enter.
    below : ndarray of int64
        Of these, below the detection limit.
    expected, present : ndarray of int64
        What the rule counts (values, hours or days): how many there should be, and are.
    is_complete : ndarray of bool
        Whether the rule is met.
    mean, uncertainty : ndarray of float64
        Uncertainty: standard (k = 1), NaN where that of a value is not known.
    min, max : ndarray of float64
        Extremes, the first of equal ones, at `min_time`, `max_time` (µs; NO_TIME where there are none).
    total : ndarray of float64
        Sum of the values: of amounts, such as rain or abstraction.
    integral : ndarray of float64
        Mean times the length of the period in s: of rates, such as a discharge, of which it makes a volume.
    unit : str or None
        Of mean, extremes and total, where the series says it; the integral's is this one's times s.
    """

    start: NDArray[np.int64]
    end: NDArray[np.int64]
    n: NDArray[np.int64]
    below: NDArray[np.int64]
    expected: NDArray[np.int64]
    present: NDArray[np.int64]
    is_complete: NDArray[np.bool_]
    mean: NDArray[np.float64]
    uncertainty: NDArray[np.float64]
    min: NDArray[np.float64]
    min_time: NDArray[np.int64]
    max: NDArray[np.float64]
    max_time: NDArray[np.int64]
    total: NDArray[np.float64]
    integral: NDArray[np.float64]
    unit: str | None = None

    def __len__(self) -> int:
        return len(self.start)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return the statistics as columns of a frame; times as datetime64[us] of UTC."""
        found = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "unit"}
        for name in ("start", "end", "min_time", "max_time"):
            found[name] = found[name].view("datetime64[us]")
        return found


def period_statistics(
    series: Any,  # noqa: ANN401 -- any library's series
    period: Period = "day",
    *,
    time: Any = None,  # noqa: ANN401 -- any library's times
    time_zone: str = "UTC",
    first_month: int = 1,
    rule: Completeness | str = "75 %",
    mean: Kind = "arithmetic",
    discharge: ArrayLike | None = None,
    flags: ArrayLike | None = None,
    without_suspect: bool = False,
    censored: ArrayLike | None = None,
    below: Below = "half",
    uncertainty: ArrayLike | None = None,
    own_uncertainty: ArrayLike | None = None,
) -> PeriodStatistics:
    """Return statistics of each period that the record touches, those without values too.

    Parameters
    ----------
    series : array_like, pandas.Series, polars.Series or xarray.DataArray, shape (n,)
        NaN is missing; in any order.
    period : {"hour", "day", "month", "year"}
        Hours of UTC; the others of `time_zone`.
    time : array_like or str, optional
        Times, where the series brings none.
    time_zone : str
        An IANA name. Days of a clock's change have 23 or 25 hours, and the rule knows.
    first_month : int
        With which a year begins: a hydrological year where it is not 1.
    rule : Completeness or str
        When a period counts; a name is one of RULES.
    mean : {"arithmetic", "hydrogen_ion", "circular", "flow_weighted"}
        −log10 of the mean of 10^−x; direction of the mean vector (degrees); Σcq / Σq.
    discharge : array_like, shape (n,), optional
        q of each value, for the flow-weighted mean; a value without one does not enter.
    flags : array_like of int, shape (n,), optional
        QARTOD: FAIL and MISSING do not enter.
    without_suspect : bool
        Leave SUSPECT out, too.
    censored : array_like of int, shape (n,), optional
        −1: below the limit that the value is; +1: above it.
    below : {"half", "limit", "zero"}
        What stands for a value below its limit in arithmetic and flow-weighted means and totals.
    uncertainty, own_uncertainty : array_like, shape (n,) or one number, optional
        Standard uncertainty of each value, in the order of the series and its unit, and the part of it that each has
        for itself. The rest is common to all (calibration) and does not get less by averaging.

    Returns
    -------
    PeriodStatistics

    Raises
    ------
    ValueError
        If there are no times, lengths differ, or a flow-weighted mean has no discharge.
    ConfigError
        If there is no such zone or month.
    KeyError
        If there is no rule of the name.

    References
    ----------
    WMO 3/5: WMO-TD 341 (1989), Calculation of monthly and annual 30-year standard normals. Uncertainty: JCGM 100:2008,
    equation 16.

    Examples
    --------
    >>> hours = np.arange(36) * 3_600_000_000
    >>> found = period_statistics(np.arange(36.0), time=hours, rule="75 %")
    >>> found.mean.tolist(), found.present.tolist(), found.is_complete.tolist()
    ([11.5, nan], [24, 12], [True, False])
    """
    part = record(series, time)
    asked = RULES[rule] if isinstance(rule, str) else rule
    spread, own = (_in_unit(given, part.unit) for given in (uncertainty, own_uncertainty))
    rows = _Rows.of(part.times, part.values, flags, censored, spread, own, bare(discharge)[0])
    if mean == "flow_weighted" and discharge is None:
        raise ValueError("a flow-weighted mean needs a discharge of each value")
    if not len(rows.time):
        nothing: dict[str, Any] = {one.name: np.empty(0) for one in fields(PeriodStatistics)}
        whole = ("start", "end", "n", "below", "expected", "present", "min_time", "max_time")
        nothing |= {name: np.empty(0, np.int64) for name in whole}
        nothing |= {"is_complete": np.empty(0, bool), "unit": part.unit}
        return PeriodStatistics(**nothing)
    every = edges(period, int(rows.time[0]), int(rows.time[-1]) + 1, time_zone, first_month=first_month)
    cuts = np.searchsorted(rows.time, every).astype(np.int64)
    spans = len(every) - 1
    counts = np.zeros((spans, len(kernel.COUNTS)), np.int32)
    sums = np.zeros((spans, len(kernel.SUMS)))
    places = np.full((spans, len(kernel.PLACES)), -1, np.int64)
    flag = np.where(rows.flag == _SUSPECT, _FAIL, rows.flag).astype(np.int8) if without_suspect else rows.flag
    if mean == "flow_weighted":
        flag = np.where(np.isnan(rows.discharge), _FAIL, flag).astype(np.int8)
    kind = _KINDS.get(mean, kernel.NEITHER)
    kernel.walk(cuts, rows.value, flag, rows.censored, rows.spread, rows.own, kind, counts, sums, places)
    of = _Named(counts, sums)
    n = of.count("n")
    total = of.sum("sum") - (1.0 - BELOW[below]) * of.sum("sum_below")
    found = _mean(mean, of, below, rows, cuts, flag)
    expected, present, complete = _completeness(asked, every, rows, flag, time_zone)
    complete &= n > 0

    def where(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.where(complete, values, np.nan)

    least, most = places[:, 0], places[:, 1]
    return PeriodStatistics(
        start=every[:-1],
        end=every[1:],
        n=n.astype(np.int64),
        below=of.count("below").astype(np.int64),
        expected=expected,
        present=present,
        is_complete=complete,
        mean=where(found),
        uncertainty=where(_spread_of_mean(mean, of)),
        min=where(rows.value[least]),
        min_time=np.where(complete, rows.time[least], NO_TIME),
        max=where(rows.value[most]),
        max_time=np.where(complete, rows.time[most], NO_TIME),
        total=where(total),
        integral=where(found * (every[1:] - every[:-1]) / 1e6),
        unit=part.unit,
    )


def _in_unit(given: Any, unit: str | None) -> ArrayLike | None:  # noqa: ANN401 -- a number or any series
    """Return a spread in the unit of the series."""
    if given is None:
        return None
    thing, said = bare(given)
    factor = units.affine(said, unit)[0] if said is not None and unit is not None else 1.0
    return np.asarray(thing, np.float64) * factor


@dataclass(frozen=True, slots=True)
class _Rows:
    time: NDArray[np.int64]
    value: NDArray[np.float64]
    flag: NDArray[np.int8]
    censored: NDArray[np.int8]
    spread: NDArray[np.float64]
    own: NDArray[np.float64]
    discharge: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        time: NDArray[np.int64],
        value: NDArray[np.float64],
        flags: ArrayLike | None,
        censored: ArrayLike | None,
        uncertainty: ArrayLike | None,
        own: ArrayLike | None,
        discharge: ArrayLike | None,
    ) -> _Rows:
        n = len(time)

        def column(given: ArrayLike | None, name: str, usual: float) -> NDArray[np.float64]:
            if given is None:
                return np.full(n, usual)
            array = np.asarray(given, np.float64)
            if array.shape not in {(n,), ()}:
                raise ValueError(f"{name} has shape {array.shape}, the series has {n} values")
            return np.broadcast_to(array, (n,))

        order: Any = slice(None)
        if np.any(time[1:] < time[:-1]) or (n and time[0] == NO_TIME):  # NO_TIME is the least of numbers
            order = np.flatnonzero(time != NO_TIME)
            order = order[np.argsort(time[order], kind="stable")]
        flag, of_censored = np.zeros(n, np.int8), np.zeros(n, np.int8)
        if flags is not None:
            flag = _PLACE_OF_FLAG[np.nan_to_num(column(flags, "flags", 1.0), nan=9.0).astype(np.uint8)]
        if censored is not None:
            of_censored = np.nan_to_num(column(censored, "censored", 0.0)).astype(np.int8)
        spread = column(uncertainty, "uncertainty", np.nan)
        alone = column(own, "own_uncertainty", 0.0)
        flow = column(discharge, "discharge", np.nan)
        return cls(
            time[order],
            np.ascontiguousarray(value[order]),
            np.ascontiguousarray(flag[order]),
            np.ascontiguousarray(of_censored[order]),
            np.ascontiguousarray(spread[order]) if uncertainty is not None else np.empty(0),
            np.ascontiguousarray(alone[order]) if uncertainty is not None else np.empty(0),
            flow[order],
        )


class _Named:
    """Counts and sums of the kernel by name, SUSPECT with the good."""

    def __init__(self, counts: NDArray[np.int32], sums: NDArray[np.float64]) -> None:
        self._counts, self._sums = counts, sums

    def count(self, name: str) -> NDArray[np.float64]:
        return self._of(self._counts, kernel.COUNTS, name)

    def sum(self, name: str) -> NDArray[np.float64]:
        return self._of(self._sums, kernel.SUMS, name)

    @staticmethod
    def _of(table: NDArray[Any], names: tuple[str, ...], name: str) -> NDArray[np.float64]:
        good, suspect = (table[:, names.index(f"{name}_{which}")] for which in ("good", "suspect"))
        return np.asarray(good.astype(np.float64) + suspect, np.float64)


def _mean(
    kind: Kind, of: _Named, below: Below, rows: _Rows, cuts: NDArray[np.int64], flag: NDArray[np.int8]
) -> NDArray[np.float64]:
    n = of.count("n")
    if kind == "hydrogen_ion":
        return means.hydrogen_ion(of.sum("sum_a"), n)
    if kind == "circular":
        return means.circular(of.sum("sum_a"), of.sum("sum_b"), n)
    if kind == "arithmetic":
        return means.arithmetic(of.sum("sum"), of.sum("sum_below"), n, below)
    enters = (flag < _FAIL) & ~np.isnan(rows.value)
    value = np.where(rows.censored < 0, rows.value * BELOW[below], rows.value)
    filled = np.flatnonzero(np.diff(cuts))
    found = np.full(len(n), np.nan)
    value, discharge = np.where(enters, value, 0.0), np.where(enters, rows.discharge, 0.0)
    found[filled] = means.flow_weighted(value, discharge, cuts[filled])
    return found


def _spread_of_mean(kind: Kind, of: _Named) -> NDArray[np.float64]:
    n = of.count("n")
    if kind in {"circular", "flow_weighted"}:
        return np.full(len(n), np.nan)
    weight = of.sum("sum_a") if kind == "hydrogen_ion" else n
    return means.uncertainty(n, of.count("n_u"), weight, of.sum("sum_u"), of.sum("sum_r2"))


def _completeness(
    rule: Completeness, every: NDArray[np.int64], rows: _Rows, flag: NDArray[np.int8], time_zone: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Return how many of what the rule counts each period should have and has, and whether that will do."""
    if rule.of == "day":
        expected, present, longest = _days(every, rows.time[(flag < _FAIL) & ~np.isnan(rows.value)], time_zone)
    else:
        step = HOUR_US if rule.of == "hour" else _step(rule, rows.time, int(every[-1] - every[0]))
        expected = -((every[:-1] - every[1:]) // step)  # rounded up
        present, longest = np.zeros(len(expected), np.int64), np.zeros(len(expected), np.int64)
        cuts = np.searchsorted(rows.time, every)
        filled(cuts, every, step, rows.time, rows.value, flag, _FAIL, present, longest)
    done = (present >= rule.least_share * expected - 1e-9) & (present >= rule.least_count)
    if rule.most_missing is not None:
        done &= expected - present <= rule.most_missing
    if rule.longest_gap is not None:
        done &= longest <= rule.longest_gap
    return expected, present, done


def _days(
    every: NDArray[np.int64], entering: NDArray[np.int64], time_zone: str
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return days, days with a value and the longest run of days without, by period."""
    begins = edges("day", int(every[0]), int(every[-1]), time_zone)
    first = np.searchsorted(begins, every)
    has = np.zeros(len(begins) - 1, bool)
    has[np.searchsorted(begins, entering, "right") - 1] = True
    longest = np.zeros(len(every) - 1, np.int64)
    for span in range(len(longest)):
        held = np.flatnonzero(np.concatenate([[True], has[first[span] : first[span + 1]], [True]]))
        longest[span] = np.diff(held).max() - 1
    present = np.diff(np.concatenate([[0], np.cumsum(has)])[first])
    return np.diff(first).astype(np.int64), present.astype(np.int64), longest


def _step(rule: Completeness, times: NDArray[np.int64], whole: int) -> int:
    if rule.step_s is not None:
        return int(rule.step_s * 1e6)
    steps = np.diff(times)
    if not len(steps) or steps.max() == 0:
        return whole
    return int(steps[0]) if steps.min() == steps.max() else int(np.median(steps[steps > 0]))
