"""When a signal is steady, and if not, why not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["Steadiness", "Verdict"]

_ALMOST: Final = 0.999  # rows at a fixed interval span a window but for rounding of their times


@dataclass(frozen=True, slots=True, kw_only=True)
class Steadiness:
    """The criterion: over a window, neither the line through the values nor their scatter about it leaves a bound.

    Parameters
    ----------
    window_s : float
        Length of the window; it has to be full. As long as the instrument's T90 or longer: what is left of an
        exponential approach is about ``change`` × lag / window.
    change_pct : float
        Bound of |slope|·window plus its standard error, in % of the range: a slope that is not known is not small.
    spread_pct : float
        Bound of the standard deviation about the line, in % of the range.
    least_rows : int
        Values that are needed in the window.
    """

    window_s: float
    change_pct: float
    spread_pct: float
    least_rows: int = 5

    def __post_init__(self) -> None:
        if not (self.window_s > 0.0 and self.change_pct > 0.0 and self.spread_pct > 0.0 and self.least_rows >= 3):
            raise ValueError("steadiness: window, change and spread have to be above 0, and rows 3 or more")

    def judge(self, times: NDArray[np.int64], values: NDArray[np.float64], span: float) -> Verdict:
        """Return whether the last window is steady, and where it begins.

        Parameters
        ----------
        times : ndarray of int64, shape (n,)
            µs since 1970 UTC, ascending.
        values : ndarray of float64, shape (n,)
            NaN where missing.
        span : float
            Of the range, in the unit of the values.
        """
        if not len(times):
            return Verdict(is_steady=False, first=0, reason="no value has come")
        begin = int(times[-1]) - round(self.window_s * 1e6)
        first = int(np.searchsorted(times, begin))
        when, what = times[first:], values[first:]
        there = np.isfinite(what)
        n = int(np.count_nonzero(there))
        if (when[-1] - times[0]) < _ALMOST * self.window_s * 1e6:
            spent = (int(when[-1]) - int(times[0])) / 1e6
            return Verdict(is_steady=False, first=first, reason=f"{spent:.0f} s of {self.window_s:.0f} s are there")
        if n < self.least_rows or 2 * n < len(what):
            missing = len(what) - n
            return Verdict(
                is_steady=False,
                first=first,
                reason=f"{n} values in {self.window_s:.0f} s, {missing} missing: {self.least_rows} are needed",
            )
        x = (when[there] - when[0]) / 1e6
        y = what[there]
        centred = x - x.mean()
        power = float(centred @ centred)
        slope = float(centred @ y) / power if power > 0.0 else 0.0
        residual = y - y.mean() - slope * centred
        scatter = float(np.sqrt(residual @ residual / max(n - 2, 1)))
        change = (abs(slope) + scatter / np.sqrt(power)) * self.window_s * 100.0 / span
        share = scatter * 100.0 / span
        if change > self.change_pct:
            way = "rises" if slope > 0.0 else "falls"
            reason = (
                f"it {way} by {change:.2g} % of the range in {self.window_s:.0f} s (allowed: {self.change_pct:g} %)"
            )
            return Verdict(is_steady=False, first=first, reason=reason)
        if share > self.spread_pct:
            reason = f"it scatters by {share:.2g} % of the range (allowed: {self.spread_pct:g} %)"
            return Verdict(is_steady=False, first=first, reason=reason)
        return Verdict(is_steady=True, first=first, reason="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the last window is steady.

    Parameters
    ----------
    is_steady : bool
        It is.
    first : int
        Index of the window's first value.
    reason : str
        Why not, in words.
    """

    is_steady: bool
    first: int
    reason: str
