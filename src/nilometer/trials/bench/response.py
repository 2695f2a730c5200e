"""How a signal follows a change: delay, rise and T90, memory, and the way up against the way down."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from nilometer.trials.bench.statistics import PERCENT, spread, too_few
from nilometer.trials.figure import Figure

__all__ = ["hysteresis", "level_uncertainty", "response_times", "summary_of_responses"]


def response_times(
    times: ArrayLike, values: ArrayLike, changed_us: int, before: float, after: float
) -> dict[str, float]:
    """Return delay, rise and response time of one change, in s.

    Parameters
    ----------
    times : array_like of int64, shape (n,)
        µs since 1970 UTC, ascending.
    values : array_like of float64, shape (n,)
        From the change until it is over.
    changed_us : int
        When the other standard was given.
    before, after : float
        Means of the steady parts.

    Returns
    -------
    dict
        ``delay``: to the first 10 % of the change; ``response``: to reach 90 % and to stay beyond; ``rise``: between
        them; ``uncertainty``: half the interval of the rows around T90, below which nothing is known. NaN where the
        values do not tell, as when the gap at T90 is wider than the response.

    References
    ----------
    ISO 15839:2003 (from memory): response time is delay plus rise or fall.
    """
    nothing = {"delay": math.nan, "rise": math.nan, "response": math.nan, "uncertainty": math.nan}
    when = np.asarray(times, np.float64) / 1e6 - changed_us / 1e6
    share = (np.asarray(values, np.float64) - before) / (after - before) if after != before else np.empty(0)
    there = np.isfinite(share) & (when >= 0.0) if len(share) else np.zeros(0, bool)
    when, share = when[there], share[there]
    if len(share) < 2 or share[-1] < 0.9:
        return nothing
    when, share = np.concatenate([[0.0], when]), np.concatenate([[0.0], share])  # it begins where it was
    first = int(np.argmax(share >= 0.1))
    below = np.flatnonzero(share < 0.9)
    last = int(below[-1])
    delay = _crossing(when, share, first - 1, 0.1)
    response = _crossing(when, share, last, 0.9)
    gap = float(when[last + 1] - when[last])
    if gap > max(response, 3.0 * float(np.median(np.diff(when)))):
        return nothing
    return {"delay": delay, "rise": response - delay, "response": response, "uncertainty": gap / 2.0}


def _crossing(when: NDArray[np.float64], share: NDArray[np.float64], place: int, level: float) -> float:
    low, high = share[place], share[place + 1]
    part = (level - low) / (high - low) if high != low else 1.0
    return float(when[place] + min(max(part, 0.0), 1.0) * (when[place + 1] - when[place]))


def summary_of_responses(found: Sequence[dict[str, float]]) -> list[Figure]:
    """Return mean delay, rise and response of several changes, with Student's interval widened by the sampling."""
    figures = []
    for name in ("delay", "rise", "response"):
        told = [one[name] for one in found if math.isfinite(one[name])]
        title = f"{name}_time"
        if not told:
            figures.append(Figure(name=title, value=math.nan, unit="s", note="no change could be timed"))
            continue
        steps = max(one["uncertainty"] for one in found if math.isfinite(one["uncertainty"]))
        mean = float(np.mean(told))
        reach = steps
        if len(told) > 1:
            reach += float(stats.t.ppf(0.975, len(told) - 1) * np.std(told, ddof=1) / math.sqrt(len(told)))
        note = f"rows are {2.0 * steps:.3g} s apart there"
        if len(told) < len(found):
            note += f"; {len(found) - len(told)} of {len(found)} changes could not be timed"
        interval = (max(mean - reach, 0.0), mean + reach)
        figures.append(
            Figure(name=title, value=mean, unit="s", interval=interval, n=len(told), method="student_t", note=note)
        )
    return figures


def hysteresis(levels: ArrayLike, up: ArrayLike, down: ArrayLike, span: float, unit: str) -> list[Figure]:
    """Return hysteresis, linearity and largest error of a run up and down, in % of the span and in the unit.

    Parameters
    ----------
    levels : array_like, shape (n,)
        Reference levels, three or more.
    up, down : array_like, shape (n,)
        Mean reading at each on the way up and on the way down.
    span : float
        Nominal range.
    unit : str
        Of all.

    Returns
    -------
    list of Figure
        ``hysteresis``: largest difference down − up; ``linearity``: largest deviation from the best line through both
        ways; ``largest_error``: of reading − reference, with its sign.

    Examples
    --------
    >>> [round(f.value, 6) for f in hysteresis([0, 1, 2], [0, 1, 2], [0, 1.01, 2], 2.0, "m")][:1]
    [0.5]
    """
    reference, one, other = (np.atleast_1d(np.asarray(column, np.float64)) for column in (levels, up, down))
    both = np.isfinite(one) & np.isfinite(other)
    reference, one, other = reference[both], one[both], other[both]
    if len(np.unique(reference)) < 3:
        n = len(np.unique(reference))
        return [too_few(name, PERCENT, n, 3, "levels") for name in ("hysteresis", "linearity", "largest_error")]
    apart = other - one
    x, y = np.concatenate([reference, reference]), np.concatenate([one, other])
    slope, start = np.polyfit(x, y, 1)
    off = y - (slope * x + start)
    error = y - x

    def largest(name: str, values: NDArray[np.float64]) -> Figure:
        value = float(values[np.argmax(np.abs(values))])
        note = f"{value:.4g} {unit}"
        return Figure(
            name=name, value=100.0 * value / span, unit=PERCENT, n=len(y), method="largest_deviation", note=note
        )

    return [largest("hysteresis", apart), largest("linearity", off), largest("largest_error", error)]


def level_uncertainty(errors: ArrayLike, span: float, reference_uncertainty: float = 0.0) -> Figure:
    """Return the expanded uncertainty (k = 2) of a gauge in % of its range, from errors at ten or more points.

    Root of mean square error and the reference's own standard uncertainty, both in the unit of `span`. Its class by
    ISO 4373 is the narrowest that holds it.
    """
    values = np.atleast_1d(np.asarray(errors, np.float64))
    values = values[np.isfinite(values)]
    if len(values) < 10:
        return too_few("level_uncertainty", PERCENT, len(values), 10, "points")
    expanded = 2.0 * math.sqrt(float(values @ values) / len(values) + reference_uncertainty**2)
    share = spread(values, "1")
    return Figure(
        name="level_uncertainty",
        value=100.0 * expanded / span,
        unit=PERCENT,
        n=len(values),
        method="root_mean_square",
        note=f"k = 2; spread of the errors {share.value:.4g}",
    )
