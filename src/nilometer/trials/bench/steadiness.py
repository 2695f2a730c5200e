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

    def begin_us(self, end_us: int) -> int:
        """Return where a window that ends at a time begins."""
        return end_us - round(self.window_s * 1e6)

    def judge(
        self, times: NDArray[np.int64], values: NDArray[np.float64], span: float, since_us: int | None = None
    ) -> Verdict:
        """Return whether the last window is steady, and if not, why.

        Parameters
        ----------
        times : ndarray of int64, shape (n,)
            µs since 1970 UTC, ascending.
        values : ndarray of float64, shape (n,)
            NaN where missing.
        span : float
            Of the range, in the unit of the values.
        since_us : int, optional
            Where the values began, when only the last of them are given: the window has to be full.
        """
        if not len(times):
            return Verdict(is_steady=False, reason="no value has come")
        since_us = int(times[0]) if since_us is None else since_us
        first = int(np.searchsorted(times, self.begin_us(int(times[-1]))))
        when, what = times[first:], values[first:]
        there = np.isfinite(what)
        n = int(np.count_nonzero(there))
        if when[-1] - since_us < _ALMOST * self.window_s * 1e6:
            spent = (int(when[-1]) - since_us) / 1e6
            return Verdict(is_steady=False, reason=f"{spent:.0f} s of {self.window_s:.0f} s are there")
        if n < self.least_rows or 2 * n < len(what):
            missing = len(what) - n
            return Verdict(
                is_steady=False,
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
            return Verdict(is_steady=False, reason=reason)
        if share > self.spread_pct:
            reason = f"it scatters by {share:.2g} % of the range (allowed: {self.spread_pct:g} %)"
            return Verdict(is_steady=False, reason=reason)
        return Verdict(is_steady=True, reason="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the last window is steady.

    Parameters
    ----------
    is_steady : bool
        It is.
    reason : str
        Why not, in words.
    """

    is_steady: bool
    reason: str
