"""Wave spectra of records of the surface, and the wave parameters that moments give, with their spread.

The sea is taken to be steady while a record lasts. What the instrument itself adds to the spread is not known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer.derivation.burst import Burst, BurstRules, burst

__all__ = ["WaveParameters", "WaveSpectrum", "spectrum"]

_LOW_HZ, _HIGH_HZ = 0.03, 1.0
_SEGMENTS = 32


@dataclass(frozen=True, slots=True)
class WaveParameters:
    """What a spectrum says of the sea.

    Parameters
    ----------
    hm0, hm0_uncertainty, hm0_low, hm0_high : float
        Significant wave height 4 sqrt(m0), its standard uncertainty (k = 1) and 95 % interval from the record's degrees
        of freedom, m. The instrument's own error is not in them.
    tp, fp : float
        Peak period, s, and frequency, Hz: of the greatest density (`fp`), and by Delft's centroid of what exceeds 80 %
        of it (`tpc`).
    tpc : float
        Peak period by centroid, s.
    tm01, tm02, te : float
        Mean periods m0/m1 and sqrt(m0/m2), and the energy period m-1/m0, s.
    nu, epsilon, qp : float
        Narrowness of Longuet-Higgins sqrt(m0 m2/m1^2 - 1), bandwidth of Cartwright and Longuet-Higgins
        sqrt(1 - m2^2/(m0 m4)), peakedness of Goda, 1.
    moments : dict of int to float
        m-1, m0, m1, m2, m4, m2 Hz^n.
    degrees_of_freedom : float
        Of m0.
    low_hz, high_hz : float
        Between which frequencies moments are taken.
    refused : str
        Why all of this is NaN; empty if it is not.
    """

    hm0: float = np.nan
    hm0_uncertainty: float = np.nan
    hm0_low: float = np.nan
    hm0_high: float = np.nan
    tp: float = np.nan
    fp: float = np.nan
    tpc: float = np.nan
    tm01: float = np.nan
    tm02: float = np.nan
    te: float = np.nan
    nu: float = np.nan
    epsilon: float = np.nan
    qp: float = np.nan
    moments: dict[int, float] | None = None
    degrees_of_freedom: float = np.nan
    low_hz: float = np.nan
    high_hz: float = np.nan
    refused: str = ""


@dataclass(frozen=True, slots=True)
class WaveSpectrum:
    """A one-sided spectrum of the sea's surface.

    Parameters
    ----------
    frequency : ndarray of float64, shape (n,)
        Hz, ascending.
    density : ndarray of float64, shape (n,)
        m2 Hz-1.
    width : ndarray of float64, shape (n,)
        Bandwidth of each density, Hz.
    degrees_of_freedom : float
        Of each density; NaN where nobody said.
    duration_s : float
        Of the record; NaN where nobody said.
    refused : str
        Why it is empty; empty if it is not.
    """

    frequency: NDArray[np.float64]
    density: NDArray[np.float64]
    width: NDArray[np.float64]
    degrees_of_freedom: float = np.nan
    duration_s: float = np.nan
    refused: str = ""

    @classmethod
    def of(
        cls, frequency: ArrayLike, density: ArrayLike, width: ArrayLike | None = None, duration_s: float = np.nan
    ) -> WaveSpectrum:
        """Return a spectrum that an instrument gave: Hz, m2 Hz-1, and widths where bands are not even.

        Raises
        ------
        ValueError
            If shapes differ, or frequencies do not ascend.
        """
        f, s = np.asarray(frequency, np.float64), np.asarray(density, np.float64)
        band = np.gradient(f) if width is None else np.asarray(width, np.float64)
        if not f.shape == s.shape == band.shape or f.ndim != 1 or np.any(np.diff(f) <= 0.0):
            raise ValueError("give frequencies that ascend, and one density (and width) for each")
        return cls(f, s, band, np.nan, duration_s)

    def parameters(self, low_hz: float = _LOW_HZ, high_hz: float = _HIGH_HZ) -> WaveParameters:
        """Return the wave parameters of a range of frequencies.

        Parameters
        ----------
        low_hz, high_hz : float
            0.03 to 1 Hz unless said; of a pressure record no further than its cut-off.

        Returns
        -------
        WaveParameters
            NaN where the spectrum is empty or without energy.

        References
        ----------
        IAHR (1989), List of Sea State Parameters; Longuet-Higgins (1975), J. Geophys. Res. 80, 2688-2694; Cartwright
        and Longuet-Higgins (1956), Proc. R. Soc. A 237, 212-232; Goda (2010), Random Seas and Design of Maritime
        Structures, chapter 2 (Qp); variance of m0, the integral of S^2 over T: Bendat and Piersol, Random Data.

        Examples
        --------
        >>> round(WaveSpectrum.of([0.08, 0.1, 0.12], [0.0, 12.5, 0.0]).parameters().hm0, 6)
        2.0
        """
        inside = (self.frequency >= low_hz) & (self.frequency <= high_hz)
        f, s = self.frequency[inside], self.density[inside]
        width = self.width[inside]
        if self.refused or not len(f) or not np.all(np.isfinite(s)) or np.sum(s) <= 0.0:
            return WaveParameters(refused=self.refused or "no energy in the range of frequencies")
        m = {n: float(np.sum(f**n * s * width)) for n in (-1, 0, 1, 2, 4)}
        hm0 = 4.0 * np.sqrt(m[0])
        square = float(np.sum(s * s * width))
        if np.isfinite(self.degrees_of_freedom):
            square /= 1.0 + 2.0 / self.degrees_of_freedom  # squares of an estimate are too great by its variance
        dof = 2.0 * m[0] ** 2 * self.duration_s / square
        low, high = _interval(dof)
        peak = int(np.argmax(s))
        near = s >= 0.8 * s[peak]
        return WaveParameters(
            hm0=float(hm0),
            hm0_uncertainty=float(hm0 / np.sqrt(2.0 * dof)),
            hm0_low=float(hm0 * low),
            hm0_high=float(hm0 * high),
            tp=float(1.0 / f[peak]),
            fp=float(f[peak]),
            tpc=float(np.sum((s * width)[near]) / np.sum((s * width * f)[near])),
            tm01=m[0] / m[1],
            tm02=float(np.sqrt(m[0] / m[2])),
            te=m[-1] / m[0],
            nu=float(np.sqrt(max(m[0] * m[2] / m[1] ** 2 - 1.0, 0.0))),
            epsilon=float(np.sqrt(max(1.0 - m[2] ** 2 / (m[0] * m[4]), 0.0))),
            qp=float(2.0 / m[0] ** 2 * np.sum(f * s * s * width)),
            moments=m,
            degrees_of_freedom=float(dof),
            low_hz=float(f[0]),
            high_hz=float(f[-1]),
        )


def _interval(dof: float) -> tuple[float, float]:
    """Return by what the 95 % interval of a height is less and more than the height, from chi squared of m0."""
    if not np.isfinite(dof):
        return np.nan, np.nan
    from scipy.stats import chi2  # noqa: PLC0415 -- slow to import

    return float(np.sqrt(dof / chi2.ppf(0.975, dof))), float(np.sqrt(dof / chi2.ppf(0.025, dof)))


def spectrum(
    elevation: Any,  # noqa: ANN401 -- any library's series
    *,
    time: Any = None,  # noqa: ANN401 -- any library's times
    unit: str = "m",
    segment_s: float = 256.0,
    rules: BurstRules = BurstRules(),  # noqa: B008 -- frozen
) -> WaveSpectrum:
    """Return the spectrum of a record of the surface's displacement, by Welch's method.

    Parameters
    ----------
    elevation : array_like, pandas.Series, polars.Series or xarray.DataArray, shape (n,)
        Heave of a buoy, or level of a staff or radar; in `unit`. A `Burst` is taken, too.
    time : array_like or str, optional
        Times, where the series brings none.
    unit : str
        Of a bare series, CF text.
    segment_s : float
        Length of a segment: its inverse is the resolution. Half overlapping, straight line taken out, Hann window.
    rules : BurstRules
        When a record is refused.

    Returns
    -------
    WaveSpectrum
        Densities in m2 Hz-1; empty where the record is refused.

    Raises
    ------
    ValueError
        If there are no times.
    UnitError
        If the unit is no length.

    References
    ----------
    Welch (1967), IEEE Trans. Audio Electroacoust. 15, 70-73, with his degrees of freedom for overlapping segments.

    Examples
    --------
    >>> seconds = np.arange(0, 1200, 0.5)
    >>> wave = spectrum(np.sin(2 * np.pi * 0.125 * seconds), time=(seconds * 1e6).astype(np.int64))
    >>> round(wave.parameters().hm0, 3), round(wave.parameters().tp, 2)
    (2.828, 8.0)
    """
    part = elevation if isinstance(elevation, Burst) else burst(elevation, time=time, unit=unit, rules=rules)
    return _welch(part, segment_s)


def _welch(part: Burst, segment_s: float) -> WaveSpectrum:
    if part.refused:
        nothing = np.empty(0)
        return WaveSpectrum(nothing, nothing, nothing, refused=part.refused)
    from scipy.fft import next_fast_len, rfft  # noqa: PLC0415 -- slow to import

    n = min(next_fast_len(max(round(segment_s / part.step_s), 8), real=True), len(part.values))
    hop = max(n // 2, 1)
    every = np.lib.stride_tricks.sliding_window_view(part.values, n)[::hop]
    line = np.arange(n) - (n - 1) / 2.0
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * np.arange(n) / n)
    to_line = np.column_stack([np.full(n, 1.0 / n), line / (line @ line)])
    of_line = np.vstack([window, line * window])
    power = np.zeros(n // 2 + 1)
    for first in range(0, len(every), _SEGMENTS):  # so many stay in the cache
        some = np.array(every[first : first + _SEGMENTS])
        found = some @ to_line
        some *= window
        some -= found @ of_line
        lines = rfft(some, axis=1, overwrite_x=True).view(np.float64).reshape(len(some), -1, 2)
        power += np.einsum("ijk,ijk->j", lines, lines)
    power *= 2.0 * part.step_s / (window @ window) / len(every)
    power[0] /= 2.0
    if n % 2 == 0:
        power[-1] /= 2.0
    likeness = float(window[hop:] @ window[: n - hop] / (window @ window)) ** 2
    k = len(every)
    dof = 2.0 * k / (1.0 + 2.0 * likeness * (k - 1) / k)
    frequency = np.arange(len(power)) / (n * part.step_s)
    return WaveSpectrum(
        frequency, power, np.full(len(power), frequency[1]), dof, len(part.values) * part.step_s
    )  # fmt: skip
