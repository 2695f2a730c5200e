"""By how much the clock of one instrument runs ahead of the other's, found in what both saw of the water.

Only reported here; nothing is moved. A difference in response times looks like one in clocks: where response times are
known, the faster series is slowed down before it comes here.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.pairing.matching import median_step

__all__ = ["ClockOffset", "clock_offset"]

Floats = NDArray[np.float64]
Times = NDArray[np.int64]

HOUR_US = 3_600_000_000
FARTHEST_US = 15 * HOUR_US
"""Time zones reach from −12 to +14 h."""
_DAY_US = 24 * HOUR_US
_MOST_POINTS = 1 << 18
_BLOCK_POINTS = 1 << 14
_BLOCKS, _LEAST_BLOCKS, _LEAST_POINTS = 8, 4, 32
_LEAST_CORRELATION, _APART = 0.5, 1.25


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockOffset:
    """What two series say of their clocks.

    Parameters
    ----------
    offset_us : float
        Candidate's clock minus the reference's, µs; above 0: the candidate's runs ahead. NaN where it cannot be found.
    uncertainty_us : float
        Standard: spread of the offsets of parts of the record over the root of their number; NaN where there are fewer
        than four parts.
    correlation, correlation_at_zero : float
        Of the detrended series at the offset, and as the clocks are.
    runner_up : float
        The highest correlation beyond the peak's own hill; NaN where there is none.
    is_clear : bool
        Whether the peak is high, stands out of every other, and lies inside what was searched.
    named : str
        ``daylight_saving`` (1 h), ``time_zone`` (other whole hours), ``daylight_saving_change`` (an hour's jump within
        the record), or empty.
    named_us : int
        The exact offset of that name.
    drift_us_per_day, drift_uncertainty : float
        By how much the offset grows, and the standard uncertainty of that.
    step_us, searched_us : int
        Grid on which the series were compared, and how far apart.
    note : str
        Why there is no offset, or what stands against it.
    """

    offset_us: float = math.nan
    uncertainty_us: float = math.nan
    correlation: float = math.nan
    correlation_at_zero: float = math.nan
    runner_up: float = math.nan
    is_clear: bool = False
    named: str = ""
    named_us: int = 0
    drift_us_per_day: float = math.nan
    drift_uncertainty: float = math.nan
    step_us: int = 0
    searched_us: int = 0
    note: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON, NaN as null."""
        plain = asdict(self)
        return {key: None if isinstance(each, float) and math.isnan(each) else each for key, each in plain.items()}


def clock_offset(
    candidate: tuple[Times, Floats],
    reference: tuple[Times, Floats],
    *,
    step_us: int,
    search_us: int = FARTHEST_US,
) -> ClockOffset:
    """Return by how much the candidate's clock runs ahead.

    Both series are put on one grid (straight between neighbours, nothing across gaps), freed of what is slower than a
    day or a third of the record, and correlated at every shift over the places where both have values; a parabola
    through the highest three gives the part of a step. Parts of the record, each for itself, say how sure this is.

    Parameters
    ----------
    candidate, reference : (ndarray of int64, ndarray of float64)
        Times in µs, rising, and values without NaN; of intervals, their middles.
    step_us : int
        Of the grid: the longer of the two sampling intervals.
    search_us : int
        How far apart the clocks may be; at most a third of what both cover.

    Returns
    -------
    ClockOffset
        Without an offset, and with the reason, where a series never changes or both cover too little.
    """
    (time_c, x), (time_r, y) = candidate, reference
    start, end = max(time_c[0], time_r[0]), min(time_c[-1], time_r[-1])
    span = int(end - start)
    if step_us <= 0 or span < _LEAST_POINTS * step_us:
        return ClockOffset(note="both cover too little time together to compare their clocks")
    still = [name for name, values in (("candidate", x), ("reference", y)) if values.min() == values.max()]
    if still:
        return ClockOffset(note=f"the {' and the '.join(still)} never changes: no clock can be read from it")
    search = min(search_us, span // 3)
    coarse = max(step_us, -(-span // _MOST_POINTS))
    grids = [_grid(time, values, int(start), int(end), coarse) for time, values in ((time_c, x), (time_r, y))]
    shifts, found = _correlations(*grids, reach=max(search // coarse, 2), window=_window(span) // coarse)
    if not np.isfinite(found).any():
        return ClockOffset(note="both have too few values at the same times to compare their clocks", step_us=coarse)
    best = int(np.nanargmax(found))
    first = _refined(candidate, reference, int(shifts[best]) * coarse, coarse)
    ends = (int(start), int(end))
    parts = _parts(candidate, reference, round(first), ends, step_us, 3 * coarse)
    jump = _jump(candidate, reference, round(first), ends, step_us)
    offset = first if coarse == step_us or not len(parts) else float(np.median(parts[:, 1]))
    sure = float(parts[:, 1].std(ddof=1) / math.sqrt(len(parts))) if len(parts) >= _LEAST_BLOCKS else math.nan
    drift, drift_sure = _drift(parts)
    peak, second = float(found[best]), _runner_up(found, best)
    is_inside = 0 < best < len(found) - 1
    stands_out = math.isnan(second) or 1.0 - second >= _APART * (1.0 - peak)
    named, named_us = ("daylight_saving_change", 0) if jump else _name(offset, sure, step_us)
    return ClockOffset(
        offset_us=offset,
        uncertainty_us=sure,
        correlation=peak,
        correlation_at_zero=float(found[len(found) // 2]),
        runner_up=second,
        is_clear=peak >= _LEAST_CORRELATION and stands_out and is_inside and math.isfinite(sure) and not jump,
        named=named,
        named_us=named_us,
        drift_us_per_day=drift,
        drift_uncertainty=drift_sure,
        step_us=step_us,
        searched_us=search,
        note=jump or _note(peak, sure, is_inside=is_inside, stands_out=stands_out),
    )


def _refined(candidate: tuple[Times, Floats], reference: tuple[Times, Floats], about: int, step: int) -> float:
    """Return the offset once more from clocks that are nearly alike: what was filtered then is the same water."""
    (time_c, x), (time_r, y) = candidate, reference
    start, end = max(int(time_c[0]) - about, int(time_r[0])), min(int(time_c[-1]) - about, int(time_r[-1]))
    grids = [_grid(time, values, start, end, step) for time, values in ((time_c - about, x), (time_r, y))]
    shifts, found = _correlations(*grids, reach=8, window=_window(end - start) // step)
    if not np.isfinite(found).any():
        return float(about)
    best = int(np.nanargmax(found))
    return float(about + (shifts[best] + _vertex(found, best)) * step)


def _note(peak: float, sure: float, *, is_inside: bool, stands_out: bool) -> str:
    if not is_inside:
        return "the two fit best at the end of what was searched: their clocks may be farther apart"
    if peak < _LEAST_CORRELATION:
        return f"the two fit poorly at any offset (correlation {peak:.2f})"
    if not stands_out:
        return "another offset fits nearly as well"
    return "" if math.isfinite(sure) else "the record is too short to say how sure the offset is"


def _grid(time: Times, values: Floats, start: int, end: int, step: int) -> tuple[Floats, Floats]:
    """Return values on a grid and a mask of 1 where its neighbours are near enough to speak for it."""
    places = np.arange(start, end + 1, step)
    after = np.clip(np.searchsorted(time, places, side="left"), 1, len(time) - 1)
    gap = time[after] - time[after - 1]
    share = np.clip((places - time[after - 1]) / gap, 0.0, 1.0)
    there = (gap <= 2.5 * max(step, median_step(time))) & (places >= time[0]) & (places <= time[-1])
    return values[after - 1] + share * (values[after] - values[after - 1]), there.astype(np.float64)


def _window(span: int) -> int:
    return min(_DAY_US, span // 3)


def _detrended(values: Floats, mask: Floats, window: int) -> Floats:
    """Return what is left after a centred running mean over what is there."""
    half = max(window // 2, 1)
    sums, counts = (np.concatenate([[0.0], np.cumsum(each)]) for each in (values * mask, mask))
    low = np.maximum(np.arange(len(values)) - half, 0)
    high = np.minimum(np.arange(len(values)) + half + 1, len(values))
    count = counts[high] - counts[low]
    left: Floats = (values - (sums[high] - sums[low]) / np.maximum(count, 1.0)) * mask
    return left


def _correlations(
    first: tuple[Floats, Floats], second: tuple[Floats, Floats], *, reach: int, window: int
) -> tuple[NDArray[np.int64], Floats]:
    """Return shifts of −reach to reach steps and the correlation at each of them over what both have."""
    n = len(first[0])
    reach = min(reach, n - 1)
    (m, w), (x, y) = (first[1], second[1]), (_detrended(*each, window) for each in (first, second))
    size = 1 << (n + reach).bit_length()

    def spectrum(column: Floats) -> NDArray[np.complex128]:
        return np.fft.rfft(column, size)

    def crossed(a: NDArray[np.complex128], b: NDArray[np.complex128]) -> Floats:
        whole = np.fft.irfft(a * np.conj(b), size)
        return np.concatenate([whole[size - reach :], whole[: reach + 1]])

    fm, fw, fx, fy = spectrum(m), spectrum(w), spectrum(x), spectrum(y)
    count = np.rint(crossed(fm, fw))
    sum_x, sum_y = crossed(fx, fw), crossed(fm, fy)
    with np.errstate(invalid="ignore", divide="ignore"):
        both = crossed(fx, fy) - sum_x * sum_y / count
        var_x = crossed(spectrum(x**2), fw) - sum_x**2 / count
        var_y = crossed(fm, spectrum(y**2)) - sum_y**2 / count
        found = both / np.sqrt(np.maximum(var_x, 0.0) * np.maximum(var_y, 0.0))
    tiny = 1e-9 * max(float(np.max(var_x, initial=0.0)), 0.0), 1e-9 * max(float(np.max(var_y, initial=0.0)), 0.0)
    poor = (count < max(count.max() / 2.0, _LEAST_POINTS / 2)) | ~(var_x > tiny[0]) | ~(var_y > tiny[1])
    found[poor] = np.nan
    return np.arange(-reach, reach + 1), np.clip(found, -1.0, 1.0)


def _vertex(found: Floats, best: int) -> float:
    """Return where the parabola through the highest value and its neighbours has its top, in steps."""
    if not 0 < best < len(found) - 1:
        return 0.0
    left, middle, right = found[best - 1 : best + 2]
    bend = left - 2.0 * middle + right
    return float(0.5 * (left - right) / bend) if bend < 0.0 else 0.0


def _runner_up(found: Floats, best: int) -> float:
    """Return the highest correlation outside the hill around the best, which ends where half its height is left."""
    low = np.flatnonzero(~(found >= found[best] / 2.0))
    before, after = low[low < best], low[low > best]
    outside = np.concatenate([found[: before[-1] + 1] if len(before) else [], found[after[0] :] if len(after) else []])
    return float(np.nanmax(outside)) if np.isfinite(outside).any() else math.nan


def _parts(
    candidate: tuple[Times, Floats],
    reference: tuple[Times, Floats],
    first: int,
    span: tuple[int, int],
    step: int,
    reach: int,
) -> Floats:
    """Return middle and offset, both µs, of each part of the record that has one near the whole's."""
    start, end = span
    length = (end - start) // _BLOCKS
    rows = []
    for part in range(_BLOCKS):
        middle = start + part * length + length // 2
        half = min(length // 2, _BLOCK_POINTS * step // 2)
        if 2 * half < _LEAST_POINTS * step:
            continue
        grids = [
            _grid(*each, middle - half + shift, middle + half + shift, step)
            for each, shift in ((candidate, first), (reference, 0))
        ]
        steps = max(reach // step, 8)
        shifts, found = _correlations(*grids, reach=steps, window=_window(end - start) // step)
        if not np.isfinite(found).any():
            continue
        best = int(np.nanargmax(found))
        if 0 < best < len(found) - 1 and found[best] > 0.0:
            rows.append((middle, first + (shifts[best] + _vertex(found, best)) * step))
    return np.array(rows, np.float64).reshape(-1, 2)


def _jump(
    candidate: tuple[Times, Floats], reference: tuple[Times, Floats], first: int, span: tuple[int, int], step: int
) -> str:
    """Return what to say of a clock that is put forward or back by an hour on the way; empty where none is."""
    length = (span[1] - span[0]) // _BLOCKS
    if step > HOUR_US // 3 or min(length, _BLOCK_POINTS * step) < 6 * HOUR_US:
        return ""
    parts = _parts(candidate, reference, first, span, step, HOUR_US + HOUR_US // 4)
    offsets = parts[:, 1]
    for split in range(2, len(parts) - 1):
        # The part that holds the change shows anything.
        before, after = offsets[: split - 1], offsets[split:]
        change = float(np.median(after) - np.median(before))
        is_even = all(np.all(np.abs(side - np.median(side)) < HOUR_US / 6) for side in (before, after))
        if is_even and abs(abs(change) - HOUR_US) < HOUR_US / 6:
            way = "forward" if change > 0.0 else "back"
            day = np.datetime64(int(parts[split - 1, 0]), "us").astype("datetime64[D]")
            return (
                f"the candidate's clock is put {way} by an hour near {day}, as for daylight saving: give its times in "
                "one zone throughout"
            )
    return ""


def _drift(parts: Floats) -> tuple[float, float]:
    if len(parts) < _LEAST_BLOCKS + 1:
        return math.nan, math.nan
    days = (parts[:, 0] - parts[:, 0].mean()) / _DAY_US
    slope = float(np.sum(days * parts[:, 1]) / np.sum(days**2))
    left = parts[:, 1] - parts[:, 1].mean() - slope * days
    return slope, math.sqrt(float(np.sum(left**2)) / (len(parts) - 2) / float(np.sum(days**2)))


def _name(offset: float, sure: float, step: int) -> tuple[str, int]:
    hours = round(offset / HOUR_US)
    near = max(3.0 * sure if math.isfinite(sure) else step / 2.0, 60e6)
    if not hours or near > HOUR_US / 4 or abs(offset - hours * HOUR_US) > near:
        return "", 0
    return ("daylight_saving" if abs(hours) == 1 else "time_zone"), hours * HOUR_US
