"""Harmonic analysis of a tide: from observed levels to constants with their uncertainties.

Any sampling will do, with gaps. The normal equations are summed over blocks of rows, so a record of decades needs no
more memory than one of weeks; nodal factors are those of each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nilometer.derivation import tide_kernel as kernel
from nilometer.derivation.record import record
from nilometer.derivation.tide import HarmonicConstants, Nodal, turning
from nilometer.derivation.tide_constituents import ORDER, canonical, speeds
from nilometer.derivation.tide_noise import noise_variance

__all__ = ["EQUILIBRIUM", "TideAnalysis", "analyse", "separable"]

EQUILIBRIUM: Mapping[str, tuple[str, float, float]] = {
    "P1": ("K1", 0.331, 0.0), "PI1": ("K1", 0.019, 0.0), "PSI1": ("K1", 0.008, 0.0), "K2": ("S2", 0.272, 0.0),
    "T2": ("S2", 0.059, 0.0), "NU2": ("N2", 0.194, 0.0), "2N2": ("N2", 0.133, 0.0), "LAMBDA2": ("M2", 0.007, 0.0),
}  # fmt: skip
"""Constituents that short records cannot part, with reference, ratio and phase difference of the tide-raising force."""

_HOUR_US = 3_600_000_000
_YEAR_US = 365.25 * 24 * _HOUR_US
_ROWS = 16384
_KEPT = 8_000_000  # numbers: 64 MB
_CAUCHY = 2.385  # 95 % efficiency on normal noise
_MAD = 0.6745
_ITERATIONS = 50
_CONDITION = 1e4  # of columns of equal length: errors of the level come out up to a hundredfold
_NEARLY = 0.99  # a year of 365 days parts what one of 365.24 does


@dataclass(frozen=True, slots=True)
class TideAnalysis:
    """What an analysis found.

    Parameters
    ----------
    constants : HarmonicConstants
        With standard uncertainties (k = 1).
    residual : same kind as the level
        Level less tide, mean and trend; NaN where the level is missing.
    n : int
        How many levels went in.
    days : float
        From the first to the last.
    rms : float
        Root mean square of the residual, in the constants' unit.
    explained : float
        Share of the variance that tide and trend explain, 1.
    signal_to_noise : ndarray of float64, shape (k,)
        Amplitude over its uncertainty, squared, by constituent; below about 10 its phase says little.
    """

    constants: HarmonicConstants
    residual: Any
    n: int
    days: float
    rms: float
    explained: float
    signal_to_noise: NDArray[np.float64]


def separable(days: float, *, rayleigh: float = 1.0, among: Sequence[str] = ORDER) -> tuple[str, ...]:
    """Return the constituents that a record of a length can part.

    Parameters
    ----------
    days : float
        Length of the record, more than 0.
    rayleigh : float
        How many cycles two constituents must fall apart over the record: 1 by the Rayleigh criterion; less where noise
        is small.
    among : sequence of str
        In order of preference; of two that cannot be parted the earlier stays.

    Returns
    -------
    tuple of str
        In order of preference. Each makes at least `rayleigh` cycles in the record, too.

    References
    ----------
    Godin (1972), The Analysis of Tides; Foreman (1977), section 2.2.2.

    Examples
    --------
    >>> separable(15.0)[:6]
    ('M2', 'S2', 'K1', 'O1', 'M4', 'MS4')
    """
    wanted = [canonical(name) for name in among]
    cycles = speeds(wanted) / 360.0 * 24.0 * days
    taken: list[int] = []
    for place, count in enumerate(cycles):
        if count >= rayleigh * _NEARLY and all(abs(count - cycles[other]) >= rayleigh * _NEARLY for other in taken):
            taken.append(place)
    return tuple(wanted[place] for place in taken)


def analyse(
    level: Any,  # noqa: ANN401 -- any library's series
    *,
    time: Any = None,  # noqa: ANN401 -- any library's times
    constituents: Sequence[str] | None = None,
    rayleigh: float = 1.0,
    robust: bool = False,
    trend: bool = False,
    infer: Mapping[str, tuple[str, float, float]] | None = None,
    nodal: Literal["each", "none"] = "each",
    nodal_share: Mapping[str, float] | None = None,
    noise: Literal["coloured", "white"] = "coloured",
    utc_offset: float = 0.0,
    unit: str = "m",
) -> TideAnalysis:
    """Return the harmonic constants of an observed level.

    Parameters
    ----------
    level : array_like, pandas.Series, polars.Series or xarray.DataArray, shape (n,)
        In `unit`, above any datum. NaN and null are gaps.
    time : array_like or str, optional
        Times, where the series brings none; regular or not.
    constituents : sequence of str, optional
        What to look for; what `separable` gives for the record's length unless said.
    rayleigh : float
        As in `separable`.
    robust : bool
        Weigh down what lies far off (iteratively reweighted least squares, Cauchy weights).
    trend : bool
        Fit a linear trend of the mean, too.
    infer : mapping of str to (str, float, float), optional
        Constituents that are not fitted but tied to another: reference, amplitude ratio, phase less the reference's
        (degree). EQUILIBRIUM has those of the tide-raising force.
    nodal, nodal_share :
        As in HarmonicConstants.
    noise : {"coloured", "white"}
        Whether uncertainties rest on the residual's spectrum at each constituent, or on its variance.
    utc_offset : float
        Hours by which the clock that phases refer to is ahead of UTC.
    unit : str
        Of the level, CF text.

    Returns
    -------
    TideAnalysis
        Constants in the order of the constituents, inferred ones last.

    Raises
    ------
    ValueError
        If there are no times, too few levels, an unknown constituent, an inferred one without its reference, or
        constituents that the record cannot part; the message names them.
    UnitError
        If the unit is unknown.

    Notes
    -----
    Uncertainties are linear in the fit: the inverse of the normal matrix times the noise's variance at the
    constituent's speed, turned to amplitude and phase. They hold where an amplitude exceeds some three of its own.
    With inference the ratio is taken for exact; with `robust` the noise counts what was weighed down, so that the
    uncertainties are rather too great.

    References
    ----------
    Foreman, Cherniawsky and Ballantyne (2009), J. Atmos. Oceanic Technol. 26, 806-817 (nodal factors within the fit);
    Leffler and Jay (2009), Cont. Shelf Res. 29, 78-88 (Cauchy weights); Pawlowicz, Beardsley and Lentz (2002), Comput.
    Geosci. 28, 929-937 (coloured noise).

    Examples
    --------
    >>> time = np.arange(720) * 3_600_000_000
    >>> level = 1.0 + 0.5 * np.cos(np.radians(30.0 * np.arange(720) - 60.0))
    >>> found = analyse(level, time=time, constituents=["S2"]).constants
    >>> round(found["S2"][0], 6), round(found["S2"][1], 6), round(found.mean, 6)
    (0.5, 60.0, 1.0)
    """
    part = record(level, time, unit)
    there = np.flatnonzero(~np.isnan(part.values) & (part.times != np.iinfo(np.int64).min))
    there = there[np.argsort(part.times[there], kind="stable")]
    utc, y = part.times[there], part.values[there]
    if len(y) < 2 or utc[0] == utc[-1]:
        raise ValueError(f"{len(y)} levels are no record: a tide needs a day at least")
    days = float((utc[-1] - utc[0] + np.median(np.diff(utc))) / (24 * _HOUR_US))
    inferred = _inferred(infer or {})
    asked = separable(days, rayleigh=rayleigh) if constituents is None else [canonical(name) for name in constituents]
    names = tuple(name for name in asked if name not in inferred)
    _can_be_asked(names, inferred, len(y), trend=trend)
    model = _Model(utc + round(utc_offset * _HOUR_US), names, inferred, trend, nodal, dict(nodal_share or {}))
    centre = float(np.mean(y))
    solved, matrix, left = _solve(model, y - centre, names, robust=robust)
    found = _constants(model, solved, matrix, left, noise)
    found |= {"mean": centre + float(solved[model.constant]), "reference": int((utc[0] + utc[-1]) // 2)}
    constants = HarmonicConstants(
        (*names, *inferred), unit=unit, utc_offset=utc_offset, nodal=nodal, nodal_share=nodal_share or {}, **found
    )
    back = np.full(len(part.values), np.nan)
    back[there] = left
    return TideAnalysis(
        constants,
        part.rewrap(back),
        len(y),
        days,
        float(np.sqrt(np.mean(left**2))),
        float(1.0 - np.var(left) / max(float(np.var(y)), 1e-300)),
        (np.asarray(constants.amplitude) / np.asarray(constants.amplitude_uncertainty)) ** 2,
    )


def _inferred(infer: Mapping[str, tuple[str, float, float]]) -> dict[str, tuple[str, float, float]]:
    return {canonical(name): (canonical(of), ratio, shift) for name, (of, ratio, shift) in infer.items()}


def _can_be_asked(
    names: Sequence[str], inferred: Mapping[str, tuple[str, float, float]], n: int, *, trend: bool
) -> None:
    orphans = [f"{name} (of {of})" for name, (of, _, _) in inferred.items() if of not in names]
    if orphans:
        raise ValueError(f"inferred without their reference among the constituents: {', '.join(orphans)}")
    unknowns = 2 * len(names) + 1 + trend
    if not names or n <= unknowns:
        raise ValueError(
            f"{n} levels cannot give {unknowns} unknowns of {len(names)} constituents: give a longer record"
        )


class _Model:
    """The columns of the fit, made anew for each block of rows unless they all fit into some memory."""

    def __init__(
        self,
        time: NDArray[np.int64],
        names: Sequence[str],
        inferred: Mapping[str, tuple[str, float, float]],
        trend: bool,  # noqa: FBT001 -- ours alone
        nodal: Nodal,
        nodal_share: dict[str, float],
    ) -> None:
        self.time, self.names, self.inferred, self.trend = np.ascontiguousarray(time), names, inferred, trend
        self.every = (*names, *inferred)
        self.vectors = turning(self.every, int(time[0]), int(time[-1]), nodal, nodal_share)
        self.constant = 2 * len(names)
        self.width = self.constant + 1 + trend
        self.middle, self.half = (time[0] + time[-1]) / 2.0, (time[-1] - time[0]) / 2.0
        self._out = np.empty((min(_ROWS, len(time)), 2 * len(self.every)))
        self._kept: list[tuple[slice, NDArray[np.float64]]] | None = None

    def blocks(self) -> Iterable[tuple[slice, NDArray[np.float64]]]:
        """Return the columns of some rows after the other: cosines, sines, 1, and the trend from -1 to 1."""
        if len(self.time) * self.width > _KEPT:
            return self._made()
        if self._kept is None:
            self._kept = list(self._made())
        return self._kept

    def _made(self) -> Iterator[tuple[slice, NDArray[np.float64]]]:
        k, made = len(self.names), self.vectors
        for start in range(0, len(self.time), _ROWS):
            rows = slice(start, min(start + _ROWS, len(self.time)))
            out = self._out[: rows.stop - rows.start]
            kernel.columns(self.time[rows], made.first, made.block, made.knots, made.rates, out)
            columns = np.empty((len(out), self.width))
            columns[:, :k], columns[:, k : 2 * k] = out[:, :k], out[:, len(self.every) : len(self.every) + k]
            for place, (of, ratio, shift) in enumerate(self.inferred.values()):
                along = out[:, k + place] + 1j * out[:, len(self.every) + k + place]
                along = ratio * along * np.exp(-1j * np.radians(shift))
                columns[:, self.names.index(of)] += along.real
                columns[:, k + self.names.index(of)] += along.imag
            columns[:, self.constant] = 1.0
            if self.trend:
                columns[:, self.constant + 1] = (self.time[rows] - self.middle) / self.half
            yield rows, columns


def _solve(
    model: _Model, y: NDArray[np.float64], names: Sequence[str], *, robust: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return the unknowns, the normal matrix and the residual."""
    solved, matrix = _least_squares(model, y, None)
    _can_be_parted(matrix, names)
    left = _left(model, y, solved)
    for _ in range(_ITERATIONS if robust else 0):
        scale = max(float(np.median(np.abs(left - np.median(left)))) / _MAD, 1e-300)
        weight = 1.0 / (1.0 + (left / (_CAUCHY * scale)) ** 2)
        before = solved
        solved, matrix = _least_squares(model, y, weight)
        left = _left(model, y, solved)
        if np.max(np.abs(solved - before)) <= 1e-3 * scale / np.sqrt(len(y)) + 1e-12:
            break
    return solved, matrix, left


def _least_squares(
    model: _Model, y: NDArray[np.float64], weight: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    matrix, side = np.zeros((model.width, model.width)), np.zeros(model.width)
    for rows, columns in model.blocks():
        wanted = y[rows]
        if weight is not None:
            root = np.sqrt(weight[rows])
            weighed, wanted = columns * root[:, None], wanted * root
        else:
            weighed = columns
        matrix += weighed.T @ weighed
        side += weighed.T @ wanted
    return np.asarray(np.linalg.solve(matrix, side), np.float64), matrix


def _can_be_parted(matrix: NDArray[np.float64], names: Sequence[str]) -> None:
    size = np.sqrt(np.diag(matrix))
    if np.all(size > 0.0):
        alike = matrix / np.outer(size, size)
        if np.linalg.cond(alike) < _CONDITION:
            return
        k = len(names)
        alike = np.abs(alike) - np.eye(len(alike))
        worst = divmod(int(np.argmax(alike)), len(alike))
        one, other = ("the mean" if at >= 2 * k else names[at % k] for at in worst)
        raise ValueError(f"the record cannot part {one} from {other}, and perhaps others: give fewer or infer one")
    raise ValueError("the record cannot part the constituents: one of them is nothing at all its times")


def _left(model: _Model, y: NDArray[np.float64], solved: NDArray[np.float64]) -> NDArray[np.float64]:
    left = np.empty(len(y))
    for rows, columns in model.blocks():
        left[rows] = y[rows] - columns @ solved
    return left


def _constants(
    model: _Model, solved: NDArray[np.float64], matrix: NDArray[np.float64], left: NDArray[np.float64], noise: str
) -> dict[str, Any]:
    k = len(model.names)
    x, y = solved[:k], solved[k : 2 * k]
    amplitude, phase = np.hypot(x, y), np.degrees(np.arctan2(y, x)) % 360.0
    white = float(np.sum(left**2)) / (len(left) - model.width)
    if noise == "coloured":
        variance = noise_variance(model.time, left, np.append(speeds(model.names), 0.0)) if len(left) > 2 else white
        variance = np.asarray(variance * (len(left) / (len(left) - model.width)))
    else:
        variance = np.full(k + 1, white)
    cover = np.linalg.inv(matrix)
    at = np.arange(k)
    xx, yy, xy = cover[at, at], cover[k + at, k + at], cover[at, k + at]
    with np.errstate(invalid="ignore", divide="ignore"):
        along = np.sqrt(variance[:k] * (x * x * xx + y * y * yy + 2.0 * x * y * xy)) / amplitude
        across = np.sqrt(variance[:k] * (y * y * xx + x * x * yy - 2.0 * x * y * xy)) / amplitude**2
    found: dict[str, list[float]] = {
        "amplitude": list(amplitude),
        "phase": list(phase),
        "amplitude_uncertainty": list(along),
        "phase_uncertainty": list(np.minimum(np.degrees(across), 180.0 / np.sqrt(3.0))),
    }
    for of, ratio, shift in model.inferred.values():
        place = model.names.index(of)
        found["amplitude"].append(ratio * amplitude[place])
        found["phase"].append((phase[place] + shift) % 360.0)
        found["amplitude_uncertainty"].append(ratio * along[place])
        found["phase_uncertainty"].append(found["phase_uncertainty"][place])
    constant, years = model.constant, model.half / _YEAR_US
    result: dict[str, Any] = dict(found)
    result["mean_uncertainty"] = float(np.sqrt(variance[k] * cover[constant, constant]))
    if model.trend:
        result["trend"] = float(solved[constant + 1]) / years
        result["trend_uncertainty"] = float(np.sqrt(variance[k] * cover[constant + 1, constant + 1])) / years
    return result
