"""A burst: an evenly sampled record of some minutes, or the reason why it is none.

A record with too many gaps says nothing of the waves between; it is refused and not mended.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.derivation.record import NO_TIME, record

__all__ = ["Burst", "BurstRules", "burst"]

_OFF_GRID = 0.1  # of a step


@dataclass(frozen=True, slots=True)
class BurstRules:
    """When a record is refused.

    Parameters
    ----------
    most_missing : float
        More than this share of its samples is missing, 1.
    longest_gap_s : float
        A gap is longer; shorter ones are filled by straight lines.
    least_s : float
        It is shorter.
    """

    most_missing: float = 0.05
    longest_gap_s: float = 2.0
    least_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Burst:
    """An evenly sampled record, its gaps filled, or the reason why there is none.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        Empty where the record is refused.
    step_s : float
        Time between two samples.
    missing : float
        Share of samples that were not there, 1.
    refused : str
        Why the record has no waves; empty if it has.
    """

    values: NDArray[np.float64]
    step_s: float
    missing: float
    refused: str = ""


def burst(
    series: Any,  # noqa: ANN401 -- any library's series
    *,
    time: Any = None,  # noqa: ANN401 -- any library's times
    unit: str | None = None,
    rules: BurstRules = BurstRules(),
) -> Burst:
    """Return a record on even steps with short gaps filled, or why it is refused.

    Parameters
    ----------
    series : array_like, pandas.Series, polars.Series or xarray.DataArray, shape (n,)
        NaN is missing.
    time : array_like or str, optional
        Times, where the series brings none.
    unit : str, optional
        CF text to convert to.
    rules : BurstRules
        When it is refused.

    Returns
    -------
    Burst
        Refused, too, where the sampling is uneven (a step more than a tenth off the grid) or the value never changes.

    Raises
    ------
    ValueError
        If there are no times.

    Examples
    --------
    >>> burst(np.zeros(100), time=np.arange(100) * 500_000).refused
    'the record lasts 50 s, less than 300 s'
    """
    part = record(series, time, unit)
    times, values = part.times, part.values
    steps = np.diff(times)
    if len(steps) < 3 or not np.all(steps > 0) or times[0] == NO_TIME:  # NO_TIME is the least of numbers
        order = np.argsort(times, kind="stable")
        order = order[times[order] != NO_TIME]
        times, values = times[order], values[order]
        steps = np.diff(times)
    there = ~np.isnan(values)
    known = int(np.count_nonzero(there))
    if known < 4 or len(steps) < 3 or times[0] == times[-1]:
        return Burst(np.empty(0), np.nan, 1.0, "the record is empty")
    is_even = bool(np.all(steps == steps[0]))
    n = len(times) if is_even else round((times[-1] - times[0]) / max(float(np.median(steps)), 1.0)) + 1
    step = float(times[-1] - times[0]) / (n - 1)
    cell = np.arange(n, dtype=np.float64) if is_even else (times - times[0]) / step
    place = np.rint(cell)
    is_uneven = not is_even and bool(np.any(np.abs(cell - place) > _OFF_GRID) or np.any(np.diff(place) == 0.0))
    missing = 1.0 - known / n
    held = place if known == len(place) else place[there]
    longest = (max(float(np.diff(held).max()), held[0] + 1.0, n - held[-1]) - 1.0) * step / 1e6
    y = values if known == len(values) else values[there]
    reasons = (
        (n * step / 1e6 < rules.least_s, f"the record lasts {n * step / 1e6:g} s, less than {rules.least_s:g} s"),
        (is_uneven, "the sampling is uneven"),
        (missing > rules.most_missing, f"{100 * missing:.1f} % of the samples are missing"),
        (longest > rules.longest_gap_s, f"a gap of {longest:g} s is longer than {rules.longest_gap_s:g} s"),
        (np.ptp(y) == 0.0, "the value never changes"),
    )
    refused = next((reason for is_so, reason in reasons if is_so), "")
    if refused:
        return Burst(np.empty(0), step / 1e6, missing, refused)
    return Burst(np.interp(np.arange(n), held, y) if missing else y, step / 1e6, missing)
