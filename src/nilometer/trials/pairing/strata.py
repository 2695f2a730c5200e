"""Pairs parted by what the water was like, and by when they were taken. A part that nothing fell into is kept."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from nilometer.derivation.tide_analysis import analyse
from nilometer.derivation.tide_levels import observed_extremes, predicted_extremes
from nilometer.errors import ConfigError
from nilometer.model.flags import QartodFlag
from nilometer.periods.spans import edges as span_edges
from nilometer.trials.pairing.arm import Arm
from nilometer.trials.pairing.pairs import Pairs

__all__ = ["RANGE", "TIDE", "Part", "by_condition", "by_time", "quantile_edges", "tide_phase", "with_tide_phase"]

RANGE = "range"
"""The condition that is the reference's own result."""
TIDE = "tide_phase"
"""The condition from one high water (0) to the next (1)."""
TIME = "time"
_AROUND_US = 30 * 3_600_000_000  # so far two high waters lie apart at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The pairs of one stratum.

    Parameters
    ----------
    condition : str
        Name; ``range``: the reference's result; ``time``.
    low, high : float
        Its range [low, high), infinite at the ends; NaN: pairs of which the condition is not known. Of time µs.
    pairs : Pairs
        May be none.
    """

    condition: str
    low: float
    high: float
    pairs: Pairs

    @property
    def is_unknown(self) -> bool:
        """Whether these are the pairs whose condition is not known."""
        return math.isnan(self.low)


def by_condition(pairs: Pairs, condition: str, edges: Sequence[float]) -> tuple[Part, ...]:
    """Return the pairs by ranges of a condition, from below the first edge to above the last.

    Parameters
    ----------
    pairs : Pairs
        With the condition, or any for ``range``.
    condition : str
        Its name.
    edges : sequence of float
        Rising, in the condition's unit; a value on an edge is of the range above it.

    Returns
    -------
    tuple of Part
        One more than edges, empty ones too; then, where there are any, the pairs whose condition is not known.

    Raises
    ------
    ConfigError
        If the pairs do not have the condition, or edges do not rise.

    Examples
    --------
    >>> pairs = Pairs.of(range(4), [1.0, 2, 3, 4], [1.0, 2, 3, 4], "m")
    >>> [(part.low, part.high, len(part.pairs)) for part in by_condition(pairs, "range", [2.0, 10.0])]
    [(-inf, 2.0, 1), (2.0, 10.0, 3), (10.0, inf, 0)]
    """
    values = _values(pairs, condition)
    ends = np.asarray(edges, np.float64)
    if not np.isfinite(ends).all() or np.any(np.diff(ends) <= 0.0):
        raise ConfigError(f"edges of {condition}", seen=list(edges), allowed="finite numbers that rise")
    known = np.isfinite(values)
    place = np.searchsorted(ends, values, side="right")
    bounds = np.concatenate([[-math.inf], ends, [math.inf]])
    parts = [
        Part(
            condition=condition,
            low=float(bounds[one]),
            high=float(bounds[one + 1]),
            pairs=pairs.take(known & (place == one)),
        )
        for one in range(len(ends) + 1)
    ]
    if not known.all():
        parts.append(Part(condition=condition, low=math.nan, high=math.nan, pairs=pairs.take(~known)))
    return tuple(parts)


def quantile_edges(pairs: Pairs, condition: str, parts: int = 4) -> tuple[float, ...]:
    """Return edges that part the pairs into ranges of about as many each.

    Edges chosen by the data are for looking, not for deciding: ranges of a claim are declared before.

    Raises
    ------
    ConfigError
        If the pairs do not have the condition.
    ValueError
        If fewer than two parts are asked for, or the condition is known of no pair.
    """
    values = _values(pairs, condition)
    values = values[np.isfinite(values)]
    if parts < 2 or not len(values):
        raise ValueError(
            f"{len(values)} pairs whose {condition} is known make no {parts} parts: two or more are needed"
        )
    found = np.quantile(values, np.arange(1, parts) / parts)
    return tuple(np.unique(found).tolist())


def by_time(pairs: Pairs, span: str, time_zone: str = "UTC") -> tuple[Part, ...]:
    """Return the pairs by week or month of a time zone, from the first to the last, empty ones too.

    Parameters
    ----------
    pairs : Pairs
        At least one, or nothing comes back.
    span : {"day", "week", "month"}
        Weeks begin on Monday.
    time_zone : str
        An IANA name.

    Raises
    ------
    ConfigError
        If there is no such span or zone.
    """
    if span not in {"day", "week", "month"}:
        raise ConfigError("span", seen=span, allowed="day, week, month")
    if not len(pairs):
        return ()
    first, last = int(pairs.time.min()), int(pairs.time.max())
    if span == "week":
        week_us = 7 * 86_400_000_000
        ends = span_edges("day", first - week_us, last + week_us, time_zone)
        zone = ZoneInfo(time_zone)
        ends = ends[[datetime.fromtimestamp(end / 1e6, zone).weekday() == 0 for end in ends.tolist()]]
        ends = ends[np.searchsorted(ends, first, "right") - 1 : np.searchsorted(ends, last, "right") + 1]
    else:
        ends = span_edges("day" if span == "day" else "month", first, last + 1, time_zone)
    order = np.argsort(pairs.time, kind="stable")
    cuts = np.searchsorted(pairs.time[order], ends)
    return tuple(
        Part(
            condition=TIME,
            low=float(ends[one]),
            high=float(ends[one + 1]),
            pairs=pairs.take(np.sort(order[cuts[one] : cuts[one + 1]])),
        )
        for one in range(len(ends) - 1)
    )


def tide_phase(time: NDArray[np.int64], high_waters: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return where between two high waters times lie: 0 at one, 1 at the next; NaN before the first and after the last.

    Parameters
    ----------
    time : ndarray of int64, shape (n,)
        µs.
    high_waters : ndarray of int64, shape (m,)
        Times of high water, rising, µs: of `nilometer.derivation.tide_levels`. Where two lie more than 30 h apart one
        is missing, and between them nothing is said.

    Examples
    --------
    >>> hour = 3_600_000_000
    >>> tide_phase(np.array([0, 3, 6, 13]) * hour, np.array([0, 12]) * hour).tolist()
    [0.0, 0.25, 0.5, nan]
    """
    found = np.full(len(time), np.nan)
    if len(high_waters) < 2:
        return found
    before = np.searchsorted(high_waters, time, side="right") - 1
    inside = (before >= 0) & (before < len(high_waters) - 1)
    start = high_waters[before[inside]]
    length = high_waters[before[inside] + 1] - start
    phase = (time[inside] - start) / length
    found[inside] = np.where(length <= 30 * 3_600_000_000, phase, np.nan)
    return found


def with_tide_phase(
    pairs: Pairs, level: Arm, least_range: float | None = None, *, by: Literal["observed", "harmonic"] = "observed"
) -> Pairs:
    """Return the pairs with the condition ``tide_phase``, from an observed level near them.

    Parameters
    ----------
    pairs : Pairs
        In any order.
    level : Arm
        Its series, free of waves; only values that PASS count.
    least_range : float, optional
        By how much the level has to fall from a high water for it to be one, in the level's unit; default: a fifth of
        what lies between the 5th and the 95th percentile.
    by : {"observed", "harmonic"}
        High waters are those of the level itself, or of the harmonic tide that is fitted to it, which knows them where
        the level has gaps, too.

    Raises
    ------
    ValueError
        If no two high waters are found, or the level is too short for a harmonic tide.

    Examples
    --------
    >>> time = np.arange(0, 200) * 600_000_000
    >>> level = Arm(time=time, values=np.cos(2 * np.pi * time / 43_200e6), unit="m")
    >>> pairs = Pairs.of([43_200_000_000 + 10_800_000_000], [1.0], [1.0], "m")
    >>> with_tide_phase(pairs, level).conditions["tide_phase"].round(3).tolist()
    [0.25]
    """
    usable, _ = level.admissible(frozenset({QartodFlag.PASS}))
    if least_range is None:
        low, high = np.percentile(usable.values, [5, 95]) if len(usable) else (0.0, 0.0)
        least_range = 0.2 * float(high - low)
    if by == "harmonic":
        constants = analyse(usable.values, time=usable.time, unit=level.unit).constants
        ends = (int(pairs.time.min()) - _AROUND_US, int(pairs.time.max()) + _AROUND_US)
        found = predicted_extremes(constants, *ends, least_range=least_range)
    else:
        gap_s = max(7200.0, 3.0 * usable.step_us / 1e6)
        found = observed_extremes(usable.values, time=usable.time, least_range=least_range, longest_gap_s=gap_s)
    high_waters = found.time[found.is_high]
    if len(high_waters) < 2:
        raise ValueError(
            f"{level.name}: {len(high_waters)} high waters are found: a phase needs two, one after the other"
        )
    return replace(pairs, conditions={**pairs.conditions, TIDE: tide_phase(pairs.time, high_waters)})


def _values(pairs: Pairs, condition: str) -> NDArray[np.float64]:
    if condition == RANGE:
        return pairs.reference
    if condition not in pairs.conditions:
        raise ConfigError("condition", seen=condition, allowed=[RANGE, *pairs.conditions])
    return np.asarray(pairs.conditions[condition], np.float64)
