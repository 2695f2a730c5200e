"""Waves counted one by one between zero crossings, and the heights and periods that are named after them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nilometer.derivation.burst import Burst, BurstRules, burst

__all__ = ["WaveStatistics", "Waves", "waves"]


@dataclass(frozen=True, slots=True)
class WaveStatistics:
    """Heights (m) and periods (s) of the waves of a record.

    Parameters
    ----------
    n : int
        Waves.
    h13, t13 : float
        Mean height and period of the highest third: significant wave height and period.
    h110, t110 : float
        Of the highest tenth.
    hmax, thmax : float
        Of the highest wave.
    hmean, tz : float
        Of all waves.
    h13_uncertainty : float
        Standard uncertainty (k = 1) of h13 as a trimmed mean of waves that do not know of each other; the instrument's
        error is not in it.
    crest, trough : float
        Highest and lowest point, m about the mean.
    refused : str
        Why all of this is NaN; empty if it is not.
    """

    n: int = 0
    h13: float = np.nan
    t13: float = np.nan
    h110: float = np.nan
    t110: float = np.nan
    hmax: float = np.nan
    thmax: float = np.nan
    hmean: float = np.nan
    tz: float = np.nan
    h13_uncertainty: float = np.nan
    crest: float = np.nan
    trough: float = np.nan
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Waves:
    """The waves of a record, in order.

    Parameters
    ----------
    start_s : ndarray of float64, shape (n,)
        When each begins, s from the record's first sample.
    height, period : ndarray of float64, shape (n,)
        m and s.
    crest, trough : float
        Highest and lowest point of the record, m about its line.
    refused : str
        Why there are none.
    """

    start_s: NDArray[np.float64]
    height: NDArray[np.float64]
    period: NDArray[np.float64]
    crest: float = np.nan
    trough: float = np.nan
    refused: str = ""

    def statistics(self) -> WaveStatistics:
        """Return the statistics of the waves; NaN where there are fewer than ten.

        Notes
        -----
        The highest third of n waves are the n/3 highest, rounded up. Their mean is a trimmed mean: its spread is that
        of the influence of each wave, (max(H, edge) - edge) times 3.

        References
        ----------
        Goda (2010), Random Seas and Design of Maritime Structures, section 2.1.2; IAHR (1989).
        """
        n = len(self.height)
        if self.refused or n < 10:
            return WaveStatistics(n, refused=self.refused or f"{n} waves are fewer than ten")
        order = np.argsort(self.height, kind="stable")[::-1]
        h, t = self.height[order], self.period[order]
        third, tenth = -(-n // 3), -(-n // 10)
        influence = np.maximum(h - h[third - 1], 0.0) * (n / third)
        return WaveStatistics(
            n=n,
            h13=float(h[:third].mean()),
            t13=float(t[:third].mean()),
            h110=float(h[:tenth].mean()),
            t110=float(t[:tenth].mean()),
            hmax=float(h[0]),
            thmax=float(t[0]),
            hmean=float(h.mean()),
            tz=float(t.mean()),
            h13_uncertainty=float(influence.std(ddof=1) / np.sqrt(n)),
            crest=self.crest,
            trough=self.trough,
        )


def waves(
    elevation: Any,  # noqa: ANN401 -- any library's series
    *,
    time: Any = None,  # noqa: ANN401 -- any library's times
    unit: str = "m",
    crossing: Literal["down", "up"] = "down",
    least_height: float = 0.0,
    rules: BurstRules = BurstRules(),  # noqa: B008 -- frozen
) -> Waves:
    """Return the waves of a record between its zero crossings.

    Parameters
    ----------
    elevation : array_like, pandas.Series, polars.Series or xarray.DataArray, shape (n,)
        Displacement of the surface, in `unit`; a straight line is taken out. A `Burst` is taken, too.
    time : array_like or str, optional
        Times, where the series brings none.
    unit : str
        Of a bare series, CF text.
    crossing : {"down", "up"}
        A wave lasts from one downward crossing to the next (the crest follows its trough), or from one upward.
    least_height : float
        A swing between two crossings of less than this on either side of zero is no wave of its own: m.
    rules : BurstRules
        When a record is refused.

    Returns
    -------
    Waves
        None where the record is refused.

    Raises
    ------
    ValueError
        If there are no times.
    UnitError
        If the unit is no length.

    References
    ----------
    IAHR (1989), List of Sea State Parameters: downward crossings; crossings lie on the line between two samples.

    Examples
    --------
    >>> seconds = np.arange(0, 400, 0.5)
    >>> found = waves(np.sin(2 * np.pi * 0.1 * seconds), time=(seconds * 1e6).astype(np.int64)).statistics()
    >>> found.n, round(found.h13, 2), round(found.tz, 2)
    (39, 2.0, 10.0)
    """
    part = elevation if isinstance(elevation, Burst) else burst(elevation, time=time, unit=unit, rules=rules)
    nothing = np.empty(0)
    if part.refused:
        return Waves(nothing, nothing, nothing, refused=part.refused)
    y = part.values
    line = np.arange(len(y)) - (len(y) - 1) / 2.0
    y = y - y.mean() - line * (y @ line / (line @ line))
    crest, trough = float(y.max()), float(y.min())
    if crossing == "up":
        y = -y
    begin = _downward(y, least_height / 2.0)
    if len(begin) < 2:
        return Waves(nothing, nothing, nothing, crest, trough, "fewer than two crossings")
    moment = (begin + y[begin] / (y[begin] - y[begin + 1])) * part.step_s
    high = np.maximum.reduceat(y, begin[:-1] + 1)
    low = np.minimum.reduceat(y, begin[:-1] + 1)
    # The last stretch of reduceat runs to the record's end; waves end at the last crossing.
    tail = slice(begin[-2] + 1, begin[-1] + 1)
    high[-1], low[-1] = y[tail].max(), y[tail].min()
    return Waves(moment[:-1], high - low, np.diff(moment), crest, trough)


def _downward(y: NDArray[np.float64], least: float) -> NDArray[np.int64]:
    """Return the samples after which the record crosses zero downward, with a trough before the next crest."""
    below = y < 0.0
    if least > 0.0:  # what neither rises nor falls so far keeps the side it had
        side = np.where(y > least, 1, np.where(y < -least, -1, 0))
        known = np.flatnonzero(side)
        if not len(known):
            return np.empty(0, np.int64)
        of = np.maximum(np.searchsorted(known, np.arange(len(y)), "right") - 1, 0)
        below_by_rule = side[known[of]] < 0
        turns = np.flatnonzero(below_by_rule[1:] & ~below_by_rule[:-1]) + 1  # where it fell below -least
        # The crossing itself is the last of zero before.
        crossings = np.flatnonzero(below[1:] & ~below[:-1])
        return np.unique(crossings[np.searchsorted(crossings, turns, "left") - 1])
    return np.flatnonzero(below[1:] & ~below[:-1])
