"""How much noise an analysis of a tide leaves at each frequency: the residual's spectrum, gaps and all.

Noise of sea levels is red: a fit that takes it for white is far too sure of slow constituents and too unsure of fast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["noise_variance"]

_HALF_BAND = 0.1  # cycles a day on either side of a constituent
_SEGMENT_DAYS = 32.0
_DAY_US = 86_400_000_000.0


def noise_variance(
    time_us: NDArray[np.int64], residual: NDArray[np.float64], speed: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the variance that white noise would have if it were everywhere as strong as at each speed.

    Parameters
    ----------
    time_us : ndarray of int64, shape (n,)
        Ascending, µs.
    residual : ndarray of float64, shape (n,)
        What the fit left.
    speed : ndarray of float64, shape (k,)
        degree h-1; 0 for the mean.

    Returns
    -------
    ndarray of float64, shape (k,)
        The residual's unit squared: half the one-sided spectral density, averaged over 0.1 cycles a day on either side,
        over the sampling step. Beyond the Nyquist frequency, that of the highest frequency there is.

    Notes
    -----
    Times are put on a grid of their median step (the mean of what falls into one cell); empty cells are zero and lower
    the window's power. Segments of 32 days, or the whole of a shorter record, Hann window, half overlapping.
    """
    step = float(np.median(np.diff(time_us)))
    cell = np.rint((time_us - time_us[0]) / step).astype(np.int64)
    count = np.bincount(cell).astype(np.float64)
    grid = np.bincount(cell, residual) / np.maximum(count, 1.0)
    there = (count > 0).astype(np.float64)
    length = min(len(grid), max(int(_SEGMENT_DAYS * _DAY_US / step), 8))
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * (np.arange(length) + 0.5) / length)
    hop = max(length // 2, 1)
    power, weight = np.zeros(length // 2 + 1), 0.0
    for start in range(0, len(grid) - length + 1, hop):
        part = slice(start, start + length)
        power += np.abs(np.fft.rfft(grid[part] * window)) ** 2
        weight += float(np.sum((window * there[part]) ** 2))
    variance = power / max(weight, 1e-300)
    frequency = np.fft.rfftfreq(length, step / _DAY_US)
    asked = np.minimum(speed / 15.0, frequency[-1])
    low = np.searchsorted(frequency, asked - _HALF_BAND, "left")
    high = np.searchsorted(frequency, asked + _HALF_BAND, "right")
    # At least three lines; the line at zero tells of the mean that was taken out, and is left out.
    low = np.maximum(np.minimum(low, np.searchsorted(frequency, asked) - 1), 1)
    high = np.minimum(np.maximum(high, low + 3), len(variance))
    summed = np.concatenate([[0.0], np.cumsum(variance)])
    return np.asarray((summed[high] - summed[low]) / np.maximum(high - low, 1), np.float64)
