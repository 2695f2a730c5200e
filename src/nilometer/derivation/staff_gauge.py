"""Readings of a staff gauge against the recorder: how far apart, within the limit or not, and what would mend it.

Nothing is corrected here. What is suggested is an offset, or one that grows evenly between two readings, as the steps
of a review (`offset`, `drift`) that an operator may take.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["GaugeCheck", "Suggestion", "check", "suggest"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class GaugeCheck:
    """Readings beside what the recorder had then.

    Parameters
    ----------
    time : ndarray of int64, shape (n,)
        Of the readings, µs since 1970 UTC.
    reading, recorded : ndarray of float64, shape (n,)
        m; `recorded` is NaN where the recorder has nothing near enough.
    difference : ndarray of float64, shape (n,)
        Reading minus recorded, m: what is to be added to the record.
    limit : float
        m.
    within : ndarray of bool, shape (n,)
        Whether they agree; false where nothing is recorded.
    """

    time: NDArray[np.int64]
    reading: Floats
    recorded: Floats
    difference: Floats
    limit: float
    within: NDArray[np.bool_]

    @property
    def compared(self) -> NDArray[np.bool_]:
        """Which readings have a recorded value beside them."""
        return np.isfinite(self.difference)


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What would bring the record to the readings over a span.

    Parameters
    ----------
    start, end : int
        µs since 1970 UTC, [start, end).
    offset_start, offset_end : float
        m to add at either end, evenly in between; equal: an offset.
    reason : str
        Why.
    """

    start: int
    end: int
    offset_start: float
    offset_end: float
    reason: str

    @property
    def steps(self) -> list[tuple[str, dict[str, float]]]:
        """The review's steps over the span, in order: the action and what it is told."""
        found: list[tuple[str, dict[str, float]]] = []
        if self.offset_start:
            found.append(("offset", {"offset": self.offset_start}))
        if self.offset_end != self.offset_start:
            found.append(("drift", {"gap": self.offset_end - self.offset_start}))
        return found


def check(
    time: ArrayLike,
    level: ArrayLike,
    reading_time: ArrayLike,
    reading: ArrayLike,
    *,
    limit: float,
    longest_gap_s: float = 3600.0,
) -> GaugeCheck:
    """Return readings of a staff gauge beside the record.

    Parameters
    ----------
    time : array_like of int64, shape (m,)
        Of the record, µs since 1970 UTC, rising.
    level : array_like, shape (m,)
        m over the same zero as the staff; NaN is passed over.
    reading_time : array_like of int64, shape (n,)
        µs since 1970 UTC.
    reading : array_like, shape (n,)
        m.
    limit : float
        How far they may be apart, m: the uncertainties of both (k = 2), or what the rules of the service say.
    longest_gap_s : float
        The record is taken straight between two values; where they are farther apart than this, nothing is compared.

    Returns
    -------
    GaugeCheck

    Raises
    ------
    ValueError
        If times do not rise, sizes differ, or the limit is not above 0.

    Examples
    --------
    >>> found = check([0, 600_000_000], [1.0, 1.1], [300_000_000], [1.08], limit=0.02)
    >>> found.difference.round(3).tolist(), found.within.tolist()
    ([0.03], [False])
    """
    at, value = np.asarray(time, np.int64), np.asarray(level, np.float64)
    when, read = np.asarray(reading_time, np.int64), np.asarray(reading, np.float64)
    if at.shape != value.shape or when.shape != read.shape or at.ndim != 1 or when.ndim != 1:
        raise ValueError("a record and the readings have a time for each value")
    if np.any(np.diff(at) <= 0):
        raise ValueError("the times of the record do not rise")
    if not limit > 0:
        raise ValueError(f"limit = {limit!r}: metres above 0")
    kept = np.isfinite(value)
    at, value = at[kept], value[kept]
    recorded = _between(at, value, when, round(longest_gap_s * 1e6))
    difference = read - recorded
    with np.errstate(invalid="ignore"):
        within = np.abs(difference) <= limit
    return GaugeCheck(when, read, recorded, difference, limit, within)


def _between(at: NDArray[np.int64], value: Floats, when: NDArray[np.int64], longest: int) -> Floats:
    found = np.full(len(when), np.nan)
    if not len(at):
        return found
    after = np.searchsorted(at, when, side="left")
    exact = (after < len(at)) & (at[np.minimum(after, len(at) - 1)] == when)
    found[exact] = value[after[exact]]
    inner = ~exact & (after > 0) & (after < len(at))
    left, right = after[inner] - 1, after[inner]
    gap = at[right] - at[left]
    share = (when[inner] - at[left]) / gap
    found[inner] = np.where(gap <= longest, value[left] + share * (value[right] - value[left]), np.nan)
    return found


def suggest(found: GaugeCheck, shifts: ArrayLike = ()) -> list[Suggestion]:
    """Return corrections that would bring the record to the readings.

    Parameters
    ----------
    found : GaugeCheck
        Readings by rising time.
    shifts : array_like of int64, optional
        Moments at which the record is known to have jumped (a sensor that was moved or serviced), µs since 1970 UTC:
        the correction is not drawn across them, but holds on either side as its own nearest reading says.

    Returns
    -------
    list of Suggestion
        One for each pair of neighbouring compared readings of which at least one is out of the limit. Within the limit
        a reading says 0: the record is not bent after every reading's own error.

    Raises
    ------
    ValueError
        If the readings' times do not rise.

    Examples
    --------
    >>> found = check([0, 10, 20], [1.0, 1.0, 1.0], [0, 20], [1.0, 1.05], limit=0.02)
    >>> [(s.start, s.end, s.steps[0][0], round(s.offset_end, 3)) for s in suggest(found)]
    [(0, 20, 'drift', 0.05)]
    """
    rows = np.flatnonzero(found.compared)
    time = found.time[rows]
    if np.any(np.diff(time) <= 0):
        raise ValueError("the times of the readings do not rise")
    wanted = np.where(found.within[rows], 0.0, found.difference[rows])
    jumps = np.sort(np.asarray(shifts, np.int64))
    said = []
    for k in range(len(rows) - 1):
        start, end, first, last = int(time[k]), int(time[k + 1]), float(wanted[k]), float(wanted[k + 1])
        if first == last == 0.0:
            continue
        between = jumps[(jumps > start) & (jumps < end)]
        if len(between):
            at = int(between[0])
            said += [
                Suggestion(a, b, offset, offset, "the nearest reading on this side of a known shift")
                for a, b, offset in ((start, at, first), (at, end, last))
                if offset
            ]
        else:
            why = "two readings agree" if first == last else "the difference grew between two readings"
            said.append(Suggestion(start, end, first, last, why))
    return said
