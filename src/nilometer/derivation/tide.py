"""Harmonic constants of a tide, and what follows from them: the astronomical level at any time, and the residual.

Constants are found by `tide_analysis.analyse` or given; high and low waters and datums are in `tide_levels`. Nothing
here says what the weather will do: the residual is what is left of an observed level, surge and error alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer.derivation import tide_kernel as kernel
from nilometer.derivation.record import record
from nilometer.derivation.tide_constituents import arguments, canonical, speeds
from nilometer.series import microseconds
from nilometer.units import canonical as canonical_unit
from nilometer.units import convert

__all__ = [
    "RWS_NODAL_SHARE",
    "HarmonicConstants",
    "Nodal",
    "Turning",
    "form_number",
    "predict",
    "prediction_uncertainty",
    "residual",
]

Nodal = Literal["each", "middle", "none"]

RWS_NODAL_SHARE: Mapping[str, float] = {
    "MU2": 0.0, "N2": 0.0, "NU2": 0.8, "M2": 0.53, "2MN2": 0.2, "S2": -0.82, "M4": 0.7, "MS4": 0.0, "M6": 0.75,
    "2MS6": 0.2, "M8": 0.7, "3MS8": 0.6,
}  # fmt: skip
"""How much of the nodal variation Rijkswaterstaat finds in the North Sea: its x-factors, hatyan user manual."""

_HOUR_US = 3_600_000_000
_YEAR_US = 365.25 * 24 * _HOUR_US
_BLOCK_US = 4 * 24 * _HOUR_US  # f and u bend by less than 3e-5 within it, the perigee's in L2 the most


@dataclass(frozen=True, slots=True)
class HarmonicConstants:
    """The harmonic constants of a place.

    Parameters
    ----------
    names : sequence of str, length k
        Constituents.
    amplitude : array_like, shape (k,)
        In `unit`.
    phase : array_like, shape (k,)
        Lag behind the constituent's argument, degree: of Greenwich, or of the clock that `utc_offset` says.
    mean : float
        Level about which the tide swings at `reference`, in `unit`, above the datum of the record.
    unit : str
        CF text.
    utc_offset : float
        Hours by which the clock of the phases is ahead of UTC: 1 for constants of Rijkswaterstaat.
    trend : float
        Of the mean, `unit` a year of 365.25 days.
    reference : int
        µs since 1970 UTC.
    nodal : {"each", "middle", "none"}
        Whether f and u are those of each time, of the middle of what is predicted, or 1 and 0.
    nodal_share : mapping of str to float
        By constituent, what share of the theoretical variation of f is taken; for one that has none, that of M2.
    amplitude_uncertainty, phase_uncertainty : array_like, shape (k,), optional
        Standard uncertainties (k = 1), `unit` and degree; NaN where not known.
    mean_uncertainty, trend_uncertainty : float
        Likewise.

    Raises
    ------
    ValueError
        If a name is unknown or given twice, or lengths differ.
    UnitError
        If the unit is unknown.

    Examples
    --------
    >>> constants = HarmonicConstants(["M2", "S2"], [1.75, 0.48], [59.5, 117.7], unit="m")
    >>> constants["M2"]
    (1.75, 59.5)
    """

    names: Sequence[str]
    amplitude: ArrayLike
    phase: ArrayLike
    mean: float = 0.0
    unit: str = "m"
    utc_offset: float = 0.0
    trend: float = 0.0
    reference: int = 0
    nodal: Nodal = "each"
    nodal_share: Mapping[str, float] = field(default_factory=dict)
    amplitude_uncertainty: ArrayLike | None = None
    phase_uncertainty: ArrayLike | None = None
    mean_uncertainty: float = float("nan")
    trend_uncertainty: float = float("nan")

    def __post_init__(self) -> None:
        names = tuple(canonical(name) for name in self.names)
        if len(set(names)) != len(names):
            twice = sorted({name for name in names if names.count(name) > 1})
            raise ValueError(f"a constituent is given twice: {', '.join(twice)}")
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "unit", canonical_unit(self.unit))
        object.__setattr__(self, "nodal_share", {canonical(name): share for name, share in self.nodal_share.items()})
        for one in ("amplitude", "phase", "amplitude_uncertainty", "phase_uncertainty"):
            given = getattr(self, one)
            values = np.full(len(names), np.nan) if given is None else np.array(given, np.float64)
            if values.shape != (len(names),):
                raise ValueError(f"{one} has shape {values.shape}, there are {len(names)} constituents")
            values.setflags(write=False)
            object.__setattr__(self, one, values)

    def __getitem__(self, name: str) -> tuple[float, float]:
        """Return amplitude and phase of a constituent."""
        place = self.place(name)
        return float(np.asarray(self.amplitude)[place]), float(np.asarray(self.phase)[place])

    def place(self, name: str) -> int:
        """Return where a constituent stands among the names; KeyError if it does not."""
        try:
            return list(self.names).index(canonical(name))
        except ValueError:
            raise KeyError(f"{name} is not among the constants: {', '.join(self.names)}") from None

    def rows(self) -> list[dict[str, float | str]]:
        """Return the constants as rows of a table, the greatest first."""
        table: list[dict[str, float | str]] = [
            {
                "name": name,
                "speed": float(speed),
                "amplitude": float(a),
                "amplitude_uncertainty": float(ua),
                "phase": float(g),
                "phase_uncertainty": float(ug),
            }
            for name, speed, a, ua, g, ug in zip(
                self.names,
                speeds(self.names),
                np.asarray(self.amplitude),
                np.asarray(self.amplitude_uncertainty),
                np.asarray(self.phase),
                np.asarray(self.phase_uncertainty),
                strict=True,
            )
        ]
        return sorted(table, key=lambda row: -float(row["amplitude"]))


@dataclass(frozen=True, slots=True)
class Turning:
    """Turning vectors of constituents between knots of time, as the kernel walks them.

    Parameters
    ----------
    first : int
        Time of the first knot, µs of the constants' clock.
    knots : ndarray of complex128, shape (blocks, k)
        Logarithm of each vector at the knot that begins a block: ln f and V + u, radian.
    rates : ndarray of complex128, shape (blocks, k)
        What the logarithm grows by in a µs.
    """

    first: int
    knots: NDArray[np.complex128]
    rates: NDArray[np.complex128]

    @property
    def block(self) -> int:
        """Time between knots, µs."""
        return _BLOCK_US


def turning(
    names: Sequence[str],
    start_us: int,
    end_us: int,
    nodal: Nodal = "each",
    nodal_share: Mapping[str, float] | None = None,
) -> Turning:
    """Return the vectors f exp(i(V + u)) of constituents over [start, end], µs of the clock that phases refer to."""
    first = start_us // _BLOCK_US * _BLOCK_US
    time = np.arange(first, end_us + _BLOCK_US + 1, _BLOCK_US, dtype=np.int64)
    time = time if len(time) > 1 else np.array([first, first + _BLOCK_US], np.int64)
    middle = np.array([(start_us + end_us) // 2], np.int64) if nodal == "middle" else None
    v, f, u = arguments(names, time, middle)
    if nodal == "none":
        f, u = np.ones_like(f), np.zeros_like(u)
    elif nodal_share:
        moon = arguments(["M2"], time, middle)[1][0]
        for row, name in enumerate(names):
            if name in nodal_share:
                theory = f[row] if not np.all(f[row] == 1.0) else moon
                f[row] = 1.0 + nodal_share[name] * (theory - 1.0)
    angle = np.radians(v + u)
    even = np.radians(speeds(names, int(time[len(time) // 2])) / _HOUR_US * _BLOCK_US)[:, None]
    off = np.remainder(np.diff(angle, axis=1) - even + np.pi, 2.0 * np.pi) - np.pi
    log = np.log(f)
    knots = (log[:, :-1] + 1j * angle[:, :-1]).T
    rates = ((np.diff(log, axis=1) + 1j * (even + off)) / _BLOCK_US).T
    return Turning(first, np.ascontiguousarray(knots), np.ascontiguousarray(rates))


def clock(constants: HarmonicConstants, time_us: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return times of UTC on the clock of the constants, µs."""
    return np.ascontiguousarray(time_us + round(constants.utc_offset * _HOUR_US))


def vectors(constants: HarmonicConstants, start_us: int, end_us: int) -> Turning:
    """Return the turning vectors of a tide, amplitudes and phases in them, over [start, end] µs of its clock."""
    made = turning(constants.names, start_us, end_us, constants.nodal, constants.nodal_share)
    amplitude = np.asarray(constants.amplitude)
    with np.errstate(divide="ignore"):
        log = np.maximum(np.log(amplitude), -700.0)  # an amplitude of nothing is no infinity
    return Turning(made.first, made.knots + log - 1j * np.radians(np.asarray(constants.phase)), made.rates)


def levels(constants: HarmonicConstants, time_us: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the astronomical level at times of UTC, µs, in the constants' unit."""
    out = np.zeros(len(time_us))
    if len(time_us) and len(constants.names):
        local = clock(constants, time_us)
        made = vectors(constants, int(local.min()), int(local.max()))
        kernel.sums(local, made.first, made.block, made.knots, made.rates, out)
    drift = constants.trend * (time_us - constants.reference) / _YEAR_US if constants.trend else 0.0
    return np.asarray(out + constants.mean + drift, np.float64)


def predict(constants: HarmonicConstants, time: Any, *, unit: str | None = None) -> Any:  # noqa: ANN401 -- any library
    """Return the astronomical level at given times.

    Parameters
    ----------
    constants : HarmonicConstants
        Of the place.
    time : array_like, pandas.Index, pandas.Series, polars.Series or xarray.DataArray, shape (n,)
        Times, as `series.microseconds` takes them; regular or not, in any order. Naive ones are UTC.
    unit : str, optional
        CF text; the constants' unless given.

    Returns
    -------
    ndarray of float64, shape (n,)
        For a pandas index a Series on it, for a pandas, polars or xarray series of times its like, else an array. NaN
        at NaT.

    Raises
    ------
    ValueError
        If something among the times is none.
    UnitError
        If the unit is no length where the constants' is one.

    References
    ----------
    Schureman (1958), equation 442: mean + sum of f H cos(V + u - g).

    Examples
    --------
    >>> constants = HarmonicConstants(["S2"], [1.0], [90.0])  # high water three hours after midnight
    >>> predict(constants, ["2024-01-01T03:00", "2024-01-01T06:00"]).round(6).tolist()
    [1.0, 0.0]
    """
    time_us = microseconds(time)
    there = time_us != np.iinfo(np.int64).min
    found = np.full(len(time_us), np.nan)
    found[there] = levels(constants, time_us[there])
    if unit is not None:
        found = np.asarray(convert(found, constants.unit, unit), np.float64)
    return _on(time, found)


def _on(time: Any, values: NDArray[np.float64]) -> Any:  # noqa: ANN401 -- any library's times
    library = type(time).__module__.split(".")[0]
    if library == "pandas":
        import pandas as pd  # noqa: PLC0415 -- only for its own objects

        return pd.Series(values, index=time if isinstance(time, pd.Index) else time.index, name="tide")
    if library == "polars":
        import polars as pl  # noqa: PLC0415 -- only for its own objects

        return pl.Series("tide", values)
    if library == "xarray":
        return time.copy(data=values).rename("tide").drop_attrs()
    return values


def prediction_uncertainty(constants: HarmonicConstants) -> float:
    """Return the standard uncertainty (k = 1) of a predicted level, as a mean over time, in the constants' unit.

    It is that of the constants alone, taken as independent: half the sum of u(H)^2 + H^2 u(g)^2, and that of the mean.
    Constants of unknown uncertainty make it NaN.

    Examples
    --------
    >>> constants = HarmonicConstants(
    ...     ["M2"], [1.0], [0.0], amplitude_uncertainty=[0.03], phase_uncertainty=[0.0], mean_uncertainty=0.0
    ... )
    >>> round(prediction_uncertainty(constants), 4)
    0.0212
    """
    along = np.asarray(constants.amplitude_uncertainty)
    across = np.asarray(constants.amplitude) * np.radians(np.asarray(constants.phase_uncertainty))
    return float(np.sqrt(np.sum(along**2 + across**2) / 2.0 + constants.mean_uncertainty**2))


def residual(level: Any, constants: HarmonicConstants, *, time: Any = None, unit: str | None = None) -> Any:  # noqa: ANN401
    """Return what an observed level has beyond the astronomical tide: surge, waves, and errors of both.

    Parameters
    ----------
    level : array_like, pandas.Series, polars.Series or xarray.DataArray, shape (n,)
        Observed level above the datum of the constants.
    constants : HarmonicConstants
        Of the place.
    time : array_like or str, optional
        Times, where the series brings none.
    unit : str, optional
        Of the level, CF text; the constants' unless given.

    Returns
    -------
    same kind as `level`
        In the unit of the level; NaN where it is missing.

    Raises
    ------
    ValueError
        If there are no times.
    UnitError
        If the unit is not of the dimension of the constants'.

    Examples
    --------
    >>> constants = HarmonicConstants(["S2"], [1.0], [90.0])
    >>> residual([1.5], constants, time=["2024-01-01T03:00"])
    [0.5]
    """
    part = record(level, time, unit or constants.unit)
    tide = np.asarray(predict(constants, part.times, unit=part.unit), np.float64)
    return part.rewrap(part.values - tide)


def form_number(constants: HarmonicConstants) -> float:
    """Return the form number of a tide, (K1 + O1) / (M2 + S2), 1.

    Below 0.25 the tide is semidiurnal, to 1.5 mixed and mainly semidiurnal, to 3 mixed and mainly diurnal, above it
    diurnal.

    Raises
    ------
    KeyError
        If one of the four is not among the constants.

    References
    ----------
    Courtier (1938), Marees; as in Pugh and Woodworth (2014), Sea-Level Science, chapter 4.

    Examples
    --------
    >>> round(form_number(HarmonicConstants(["K1", "O1", "M2", "S2"], [7, 10, 175, 48], [0] * 4, unit="cm")), 3)
    0.076
    """
    k1, o1, m2, s2 = (constants[name][0] for name in ("K1", "O1", "M2", "S2"))
    return (k1 + o1) / (m2 + s2)
