"""Volume totals of a discharge series by a rating: per day, month or year, with what does and does not average out.

The discharge is taken as straight between two values that are not further apart than the longest gap. What the curve
errs by it errs by all the time, so its part is the spread of the totals of all the curves of the sample; likewise a
datum that is off. The scatter of single values averages out, as fast as its correlation in time lets it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import numpy as np
from numba import njit
from numpy.typing import NDArray

from nilometer.derivation.function import Input
from nilometer.derivation.operands import unpacked
from nilometer.derivation.rating import RatingCurve
from nilometer.derivation.rating_band import banded
from nilometer.derivation.rating_history import RatingHistory
from nilometer.series import microseconds, unpack
from nilometer.units import canonical

__all__ = ["Volumes", "volumes"]

Array = NDArray[np.float64]
Times = NDArray[np.int64]
Period = Literal["total", "day", "month", "year"]

_SECOND: Final = 1_000_000
_USUAL_GAP: Final = 3.0


@dataclass(frozen=True, slots=True)
class Volumes:
    """Totals, one a period.

    Parameters
    ----------
    start, end : ndarray of int64, shape (m,)
        µs since 1970 UTC; of whole days, months and years of the zone, or of the series for ``total``.
    volume, uncertainty : ndarray of float64, shape (m,)
        Of what was measured in the period, and its combined standard uncertainty (k = 1); NaN where nothing was.
    systematic, random : ndarray of float64, shape (m,)
        Its parts: of the curve and the datum, and of single values.
    coverage : ndarray of float64, shape (m,)
        Share of the period that the volume is of: where it is below 1 nothing is made up for the rest.
    extrapolated : ndarray of float64, shape (m,)
        Share of the volume that comes from stages outside of the gauged range.
    unit : str
        CF text.
    """

    start: Times
    end: Times
    volume: Array
    uncertainty: Array
    systematic: Array
    random: Array
    coverage: Array
    extrapolated: Array
    unit: str


def volumes(
    rating: RatingCurve | RatingHistory,
    stage: Any,  # noqa: ANN401 -- any kind of series
    time: Any = None,  # noqa: ANN401 -- any library's times
    *,
    period: Period = "total",
    time_zone: str = "UTC",
    longest_gap_s: float | None = None,
    stage_uncertainty: float = 0.0,
    datum_uncertainty: float = 0.0,
    correlation_s: float = 0.0,
) -> Volumes:
    """Return the volumes that flowed.

    Parameters
    ----------
    rating : RatingCurve or RatingHistory
        The curve, or those that held.
    stage : array_like or series, shape (n,)
        In the rating's unit or with one of its own; NaN where missing.
    time : array_like, shape (n,), optional
        Rising times of the stages; without them those that the series carries.
    period : {"total", "day", "month", "year"}
        Of what.
    time_zone : str
        IANA name of the zone whose days these are.
    longest_gap_s : float, optional
        Two values further apart have a gap between them, which is not bridged; default: three usual steps (the median).
        A value beyond the rating's limits is never bridged.
    stage_uncertainty : float
        Standard uncertainty of a single stage that is independent from value to value, in the rating's unit.
    datum_uncertainty : float
        Standard uncertainty that all stages share, such as that of the gauge's zero.
    correlation_s : float
        Time in which the correlation of the random part falls to 1/e; 0: values are independent of each other.
        Deviations of a river from its rating last for hours to weeks: then the independent case says too little.

    Returns
    -------
    Volumes
        In the discharge's unit times a second.

    Raises
    ------
    ValueError
        If there are no times, or they do not rise, or a setting makes no sense.
    UnitError
        If the stage has a unit of another dimension.

    References
    ----------
    JCGM 100:2008, 5.2 (correlated inputs): errors that are one and the same add up, independent ones add in squares.

    Examples
    --------
    >>> curve = RatingCurve.of([(None, 0.0, 2.0, 1.0)], gauged_range=(0.5, 3.0), scatter=0.05)
    >>> day = volumes(curve, np.ones(25), np.arange(25) * 3_600_000_000, period="day")
    >>> day.volume.tolist(), day.unit, day.random.round(1).tolist()
    ([172800.0], 'm3', [1745.2])
    """
    history = rating if isinstance(rating, RatingHistory) else RatingHistory([rating])
    known = {"stage": Input(history.unit_stage)}
    values = unpacked(known, [stage]).values[0]
    carried = unpack(getattr(stage, "magnitude", stage)).times if time is None else microseconds(time)
    times = _checked(carried, values, period, min(stage_uncertainty, datum_uncertainty, correlation_s))
    there = np.isfinite(values)
    values, times = values[there], times[there]
    edges = _edges(times, period, time_zone)
    weights = _Weights.of(history, values, times, edges, longest_gap_s)
    parts = _Parts.zeros(len(edges) - 1)
    for k, curve in enumerate(history.curves):
        parts.add(curve, weights, weights.number == k, stage_uncertainty, datum_uncertainty, correlation_s)
    seen = weights.seconds > 0
    systematic = np.sqrt(parts.of_curves + parts.of_datum**2)
    random = np.sqrt(parts.of_values)
    blank = np.where(seen, 1.0, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = np.where(parts.volume > 0, parts.extrapolated / parts.volume, 0.0)
    return Volumes(
        start=edges[:-1], end=edges[1:], volume=parts.volume * blank, uncertainty=np.hypot(systematic, random) * blank,
        systematic=systematic * blank, random=random * blank,
        coverage=weights.seconds / np.maximum(np.diff(edges) / _SECOND, 1e-6), extrapolated=share * blank,
        unit=canonical(f"{history.unit_discharge} s"),
    )  # fmt: skip


def _checked(times: Times | None, values: Array, period: str, least: float) -> Times:
    if times is None:
        raise ValueError("a volume needs the times of the stages: give time=")
    if len(times) != len(values):
        raise ValueError(f"{len(values)} stages and {len(times)} times: one time a stage is needed")
    if (np.diff(times) <= 0).any():
        raise ValueError("the times must rise: sort the series, and leave no two values at one time")
    if period not in {"total", "day", "month", "year"}:
        raise ValueError(f"period = {period!r} (allowed: total, day, month, year)")
    if not least >= 0:
        raise ValueError("uncertainties and the correlation time are numbers from 0")
    return times


def _edges(times: Times, period: str, time_zone: str) -> Times:
    """Return the beginnings of the periods from the one of the first value, and the end of the last."""
    if len(times) == 0:
        return np.zeros(1, np.int64)
    if period == "total":
        return np.array([times[0], times[-1]], np.int64)
    zone = ZoneInfo(time_zone)
    first = datetime.fromtimestamp(int(times[0]) // _SECOND, zone)
    day = first.date()
    if period != "day":
        day = day.replace(day=1, month=1 if period == "year" else day.month)
    edges = []
    while True:
        # The first instant of a day of the zone, whatever its clock does.
        edges.append(int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * _SECOND)
        if edges[-1] >= times[-1]:
            break
        if period == "day":
            day += timedelta(days=1)
        else:
            months = day.year * 12 + day.month - 1 + (1 if period == "month" else 12)
            day = day.replace(year=months // 12, month=months % 12 + 1)
    if len(edges) == 1:
        edges.append(edges[0])
    return np.array(edges, np.int64)


@dataclass(frozen=True, slots=True)
class _Weights:
    """Seconds that each value stands for, by period: pieces (period, row, seconds), rows by their order in time."""

    stage: Array
    times: Times
    number: NDArray[np.int64]
    period: NDArray[np.int64]
    row: NDArray[np.int64]
    weight: Array
    seconds: Array

    @staticmethod
    def of(history: RatingHistory, stage: Array, times: Times, edges: Times, longest_gap_s: float | None) -> _Weights:
        shifted = history.shifted(stage, times)
        number = history.numbers(times)
        low, high = (np.array([curve.limits[end] for curve in history.curves] + [np.nan])[number] for end in (0, 1))
        measured = (shifted >= low) & (shifted <= high)
        steps = np.diff(times)
        longest = longest_gap_s * _SECOND if longest_gap_s else (_USUAL_GAP * np.median(steps) if len(steps) else 0)
        joined = (steps <= longest) & measured[:-1] & measured[1:]
        # Every interval is cut at the edges of the periods.
        inner = edges[1:-1]
        cuts = (
            np.unique(np.concatenate([times, inner[(inner > times[0]) & (inner < times[-1])]])) if len(times) else times
        )
        begin, end = cuts[:-1], cuts[1:]
        row = np.searchsorted(times, begin, side="right") - 1
        kept = joined[row] if len(row) else np.zeros(0, np.bool_)
        begin, end, row = begin[kept], end[kept], row[kept]
        length = (end - begin) / _SECOND
        middle = ((begin + end) / 2 - times[row]) / steps[row] if len(row) else length
        period = np.searchsorted(edges, begin, side="right") - 1
        seconds = np.zeros(max(len(edges) - 1, 0))
        np.add.at(seconds, period, length)
        # The rows of one period come in order of time, for the walk of `_variance`.
        weight = np.stack([length * (1.0 - middle), length * middle], axis=1).reshape(-1)
        rows = np.stack([row, row + 1], axis=1).reshape(-1)
        return _Weights(shifted, times, number, np.repeat(period, 2), rows, weight, seconds)


@dataclass(slots=True)
class _Parts:
    """Sums by period."""

    volume: Array
    extrapolated: Array
    of_curves: Array
    of_datum: Array
    of_values: Array

    @staticmethod
    def zeros(size: int) -> _Parts:
        return _Parts(*(np.zeros(max(size, 0)) for _ in range(5)))

    def add(
        self,
        curve: RatingCurve,
        weights: _Weights,
        chosen: NDArray[np.bool_],
        spread: float,
        datum: float,
        lasting: float,
    ) -> None:
        """Add what the values of one curve give; curves of different fits err independently."""
        mine = chosen[weights.row]
        period, row, weight = weights.period[mine], weights.row[mine], weights.weight[mine]
        if len(row) == 0:
            return
        stage = weights.stage[row]
        found = banded(curve, stage, np.full(1, spread), lambda numbers, *_, **__: numbers)
        size = len(self.volume)
        self.volume += np.bincount(period, weight * found.value, minlength=size)
        self.extrapolated += np.bincount(period, weight * found.value * found.extrapolated, minlength=size)
        if datum > 0:
            self.of_datum += np.bincount(period, weight * curve.slope(stage) * datum, minlength=size)
        self.of_values += _variance(period, weights.times[row], weight * found.random, lasting * _SECOND, size)
        band = curve.band
        if len(band.curves):
            node, share = band.places(stage)
            nodes = len(band.stage)
            on_nodes = np.bincount(period * nodes + node, weight * (1.0 - share), minlength=size * nodes)
            on_nodes += np.bincount(period * nodes + node + 1, weight * share, minlength=size * nodes)
            deviations = on_nodes.reshape(size, nodes) @ (band.curves - band.value).T
            self.of_curves += (deviations**2).mean(axis=1)


@njit(nogil=True, cache=True, error_model="numpy")
def _variance(period: NDArray[np.int64], times: Times, part: Array, lasting: float, size: int) -> Array:
    """Return the variance of the sum of parts by period, whose correlation falls off exponentially in time."""
    variance = np.zeros(size)
    at = 0
    while at < len(part):
        p, before, memory, moment, whole = period[at], 0.0, 0.0, times[at], 0.0
        while at < len(part) and period[at] == p:
            # Pieces of one value belong together.
            moment, total = times[at], 0.0
            while at < len(part) and period[at] == p and times[at] == moment:
                total += part[at]
                at += 1
            if lasting > 0.0 and whole > 0.0:
                memory *= np.exp(-(moment - before) / lasting)
            elif lasting == 0.0:
                memory = 0.0
            whole += total * total + 2.0 * total * memory
            memory += total
            before = moment
        variance[p] += whole
    return variance
