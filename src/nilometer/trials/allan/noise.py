"""The noise terms of an inertial or any other sensor, read from its Allan curve where the curve truly shows them.

A term is read from a stretch of the curve that has the slope of that term, and nowhere else: the value of σ(1 s) is no
random walk unless the curve falls with −1/2 there. What the record does not show is said to be not found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.allan.deviation import AllanCurve
from nilometer.trials.figure import Figure

__all__ = ["BIAS_INSTABILITY_FACTOR", "read_noise"]

BIAS_INSTABILITY_FACTOR: Final = math.sqrt(2.0 * math.log(2.0) / math.pi)
"""0.6643: σ of a flat stretch over the coefficient B (IEEE 952-1997, annex C)."""

_SPAN: Final = 4.0  # where −1/2 meets +1/2 directly, the curve is flat to 0.1 over a factor of 1.5 alone
_NEAR: Final = 0.1
_KNOWN: Final = 0.15  # a slope that is itself less sure than this tells no term
_NORMAL_95: Final = 1.959964


@dataclass(frozen=True, slots=True)
class _Term:
    name: str
    slope: float
    at_s: float
    unit: str


_TERMS: Final = (
    _Term("quantisation", -1.0, math.sqrt(3.0), "({unit}) s"),
    _Term("random_walk", -0.5, 1.0, "({unit}) s^0.5"),
    _Term("bias_instability", 0.0, 1.0, "{unit}"),
    _Term("rate_random_walk", 0.5, 3.0, "({unit}) s^-0.5"),
    _Term("rate_ramp", 1.0, math.sqrt(2.0), "({unit}) s-1"),
)


def read_noise(curve: AllanCurve, unit: str = "1", *, terms: Sequence[str] = ()) -> list[Figure]:
    """Return quantisation, random walk, bias instability, rate random walk and rate ramp, where the curve shows them.

    Parameters
    ----------
    curve : AllanCurve
        Of kind ``adev`` or ``oadev``, of rates (degree s-1, m s-2, …).
    unit : str
        Of the rates, CF text.
    terms : sequence of str
        Names wanted; empty: all.

    Returns
    -------
    list of Figure
        One a term, and ``bias_instability_minimum``: the bare minimum of the curve, which many data sheets call bias
        instability; B is a flat stretch's minimum over 0.664. NaN with a note where the record does not show a term.
        Intervals are of 95 %: the χ² of the points (taken as fully dependent) and how far they lie off the line.

    Raises
    ------
    ValueError
        If the curve is of another kind, or a name is unknown.

    Notes
    -----
    A stretch counts if over every factor of 4 in τ both halves have the slope of the term within 0.1, known to 0.15.
    A random walk in (degree s-1) s^0.5 times 60 is degree h^-0.5. −1 does not tell quantisation from other noise of
    the phase.

    References
    ----------
    IEEE 952-1997, annex C; IEEE 1554-2005: σ² = 3Q²/τ² + N²/τ + (2 ln 2/π)B² + K²τ/3 + R²τ²/2.

    Examples
    --------
    >>> import numpy as np
    >>> from nilometer.trials.allan.deviation import allan_curve
    >>> white = np.random.default_rng(1).normal(0.0, 0.5, 100_000)  # at 100 Hz: 0.5 · sqrt(0.01) = 0.05
    >>> found = {figure.name: figure for figure in read_noise(allan_curve(white, interval_s=0.01), "degree s-1")}
    >>> round(found["random_walk"].value, 3), found["rate_ramp"].value
    (0.05, nan)
    """
    if curve.kind not in {"adev", "oadev"}:
        raise ValueError(f"terms are not read from {curve.kind!r} (allowed: adev, oadev)")
    names = [term.name for term in _TERMS] + ["bias_instability_minimum"]
    unknown = [name for name in terms if name not in names]
    if unknown:
        raise ValueError(f"term {unknown[0]!r} (allowed: {', '.join(names)})")
    usable = np.isfinite(curve.deviation) & (curve.deviation > 0.0) & (curve.edf >= 1.0)
    tau, sigma, edf = curve.tau_s[usable], curve.deviation[usable], curve.edf[usable]
    order = np.argsort(tau)
    points = _Points(np.log(tau[order]), np.log(sigma[order]), 1.0 / np.sqrt(2.0 * edf[order]))
    figures = [_figure(points, term, unit) for term in _TERMS]
    figures.append(_minimum(points, unit))
    return [figure for figure in figures if not terms or figure.name in terms]


@dataclass(frozen=True, slots=True)
class _Points:
    log_tau: NDArray[np.float64]
    log_sigma: NDArray[np.float64]
    spread: NDArray[np.float64]  # relative, 1 σ

    def stretch(self, slope: float) -> NDArray[np.int64]:
        """Return the points of the widest stretch that has the slope."""
        windows = [window for window in self._windows() if self._has_slope(*window, slope)]
        widest: tuple[int, int] = (0, 0)
        width = 0.0
        while windows:
            first, stop = windows.pop(0)
            while windows and windows[0][0] < stop:
                stop = windows.pop(0)[1]
            if self.log_tau[stop - 1] - self.log_tau[first] > width:
                widest, width = (first, stop), float(self.log_tau[stop - 1] - self.log_tau[first])
        return np.arange(*widest)

    def _windows(self) -> list[tuple[int, int]]:
        reach = np.searchsorted(self.log_tau, self.log_tau + math.log(_SPAN) - 1e-9)
        return [(first, int(last) + 1) for first, last in enumerate(reach) if first + 1 < last < len(self.log_tau)]

    def _has_slope(self, first: int, stop: int, slope: float) -> bool:
        x, y = self.log_tau[first:stop], self.log_sigma[first:stop]
        sure = math.hypot(self.spread[first], self.spread[stop - 1]) / float(x[-1] - x[0])
        # Both halves: a curve that falls and rises again is flat on the whole, and nowhere else.
        middle = int(np.argmin(np.abs(x - (x[0] + x[-1]) / 2.0)))
        halves = ((y[middle] - y[0]) / (x[middle] - x[0]), (y[-1] - y[middle]) / (x[-1] - x[middle]))
        return sure <= _KNOWN and max(abs(half - slope) for half in halves) <= _NEAR

    def off_slope(self, where: NDArray[np.int64], slope: float) -> NDArray[np.float64]:
        """Return how far neighbouring noise lifts a point: by half of what its local slope is off, where terms add."""
        local: NDArray[np.float64] = np.gradient(self.log_sigma, self.log_tau)[where]
        return np.abs(local - slope) / 2.0


def _figure(points: _Points, term: _Term, unit: str) -> Figure:
    where = points.stretch(term.slope)
    unit = term.unit.format(unit=unit)
    if not len(where):
        return Figure(name=term.name, value=math.nan, unit=unit, method="allan_slope", note=_absent(points, term))
    from_s, to_s = math.exp(points.log_tau[where[0]]), math.exp(points.log_tau[where[-1]])
    if term.slope == 0.0:
        place = where[np.argmin(points.log_sigma[where])]
        level, spread = float(points.log_sigma[place]), float(points.spread[place])
        level -= math.log(BIAS_INSTABILITY_FACTOR)
        note = f"flat from {from_s:.3g} to {to_s:.3g} s; its minimum over 0.664"
    else:
        weights = 1.0 / (points.spread[where] ** 2 + points.off_slope(where, term.slope) ** 2)
        levels = points.log_sigma[where] - term.slope * points.log_tau[where]
        level = float(np.average(levels, weights=weights))
        off = math.sqrt(float(np.average((levels - level) ** 2, weights=weights)))
        spread = math.hypot(float(np.average(points.spread[where], weights=weights)), off)
        level += term.slope * math.log(term.at_s)
        note = f"line of slope {term.slope:+g} from {from_s:.3g} to {to_s:.3g} s, read at {term.at_s:.3g} s"
    value = math.exp(level)
    reach = math.exp(_NORMAL_95 * spread)
    return Figure(
        name=term.name,
        value=value,
        unit=unit,
        interval=(value / reach, value * reach),
        n=len(where),
        method="allan_slope",
        note=note,
    )


def _absent(points: _Points, term: _Term) -> str:
    if not len(points.log_tau):
        return "not found in this record: no deviation can be made of it"
    covered = f"{math.exp(points.log_tau[0]):.3g} to {math.exp(points.log_tau[-1]):.3g} s"
    found = f"not found in this record: nowhere in {covered} is the slope {term.slope:+g} over a factor of 4"
    if term.slope == 0.0:
        ceiling = math.exp(float(points.log_sigma.min())) / BIAS_INSTABILITY_FACTOR
        found += f"; not above {ceiling:.3g} (lowest point over 0.664)"
    return found


def _minimum(points: _Points, unit: str) -> Figure:
    name, method = "bias_instability_minimum", "allan_minimum"
    if not len(points.log_tau):
        return Figure(
            name=name, value=math.nan, unit=unit, method=method, note="no deviation can be made of the record"
        )
    place = int(np.argmin(points.log_sigma))
    at_s = math.exp(points.log_tau[place])
    note = f"bare minimum at {at_s:.3g} s, not divided by 0.664"
    if place == len(points.log_tau) - 1:
        note += "; the curve still falls there: a longer record may go lower"
    value = math.exp(float(points.log_sigma[place]))
    reach = math.exp(_NORMAL_95 * float(points.spread[place]))
    interval = (value / reach, value * reach)
    return Figure(name=name, value=value, unit=unit, interval=interval, n=1, method=method, note=note)
