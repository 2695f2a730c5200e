"""Water for virtual instruments: constants, functions of time, tables; and a probe's faults laid over any of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer import units
from nilometer.acquisition.instrument_file import AnyChannel
from nilometer.acquisition.simulators.simulator import SPINE, Fault, Feed, Reading, WireFault
from nilometer.errors import ConfigError
from nilometer.model import properties

__all__ = ["ConstantFeed", "FaultyFeed", "FunctionFeed", "TableFeed", "reading_of", "split_faults"]

VALUE_FAULTS = ("stuck", "spike", "drift")
HOUR_US = 3_600_000_000


class ConstantFeed:
    """The same readings at any time; meets `Feed`.

    Parameters
    ----------
    readings : mapping of str to Reading or float
        By observed property or channel key.
    """

    def __init__(self, readings: Mapping[str, Reading | float]) -> None:
        self._readings = {
            key: item if isinstance(item, Reading) else Reading(float(item)) for key, item in readings.items()
        }

    def at(self, time: int) -> Mapping[str, Reading]:
        """Return the readings."""
        return self._readings


class FunctionFeed:
    """Readings computed from the time; meets `Feed`.

    Parameters
    ----------
    function : callable
        µs since 1970 UTC to readings or numbers by key.
    """

    def __init__(self, function: Callable[[int], Mapping[str, Reading | float]]) -> None:
        self._function = function

    def at(self, time: int) -> Mapping[str, Reading]:
        """Return the readings at a time."""
        return ConstantFeed(self._function(time)).at(time)


class TableFeed:
    """A recording played as water: at any time the newest row that is not in the future; meets `Feed`.

    Parameters
    ----------
    time : array_like of int, shape (n,)
        µs since 1970 UTC, rising.
    columns : mapping of str to array_like of float, shape (n,)
        By observed property or channel key; NaN: the instrument says that it has no value.
    start : int, optional
        The time at which the first row is played (default: its own).
    speed : float
        How much faster than recorded it is played.
    repeat : bool
        Begin again at the end; without it nothing is measured after the last row.

    Raises
    ------
    ConfigError
        If there is no row, the times do not rise, or a column is of another length.
    """

    def __init__(
        self,
        time: ArrayLike,
        columns: Mapping[str, ArrayLike],
        *,
        start: int | None = None,
        speed: float = 1.0,
        repeat: bool = False,
    ) -> None:
        self._time: NDArray[np.int64] = np.asarray(time, np.int64)
        self._columns = {key: np.asarray(column, np.float64) for key, column in columns.items()}
        if len(self._time) == 0 or np.any(np.diff(self._time) < 0):
            raise ConfigError("time", reason="a feed needs rows in rising time")
        for key, column in self._columns.items():
            if column.shape != self._time.shape:
                raise ConfigError(
                    key, seen=column.shape, allowed=str(self._time.shape), reason="length differs from time"
                )
        self._start = int(self._time[0]) if start is None else start
        self._speed, self._repeat = speed, repeat
        span = int(self._time[-1] - self._time[0])
        step = int(np.median(np.diff(self._time))) if len(self._time) > 1 else 1_000_000
        self._length = span + max(step, 1)

    def at(self, time: int) -> Mapping[str, Reading]:
        """Return the newest row at a time; empty before the first and after the last."""
        elapsed = int((time - self._start) * self._speed)
        if elapsed < 0 or (elapsed >= self._length and not self._repeat):
            return {}
        place = int(self._time[0]) + elapsed % self._length
        row = int(np.searchsorted(self._time, place, side="right")) - 1
        return {key: Reading(float(column[row])) for key, column in self._columns.items()}


class FaultyFeed:
    """A feed seen through a failing probe; meets `Feed`.

    Parameters
    ----------
    feed : Feed
        The true water.
    faults : sequence of Fault
        ``stuck`` holds the value it had when the fault began; ``spike`` adds `amount` for as long as it lasts;
        ``drift`` adds `amount` an hour, and stays as it is after its end until a restart.
    start : int
        µs since 1970 UTC from which the faults' times count.
    """

    def __init__(self, feed: Feed, faults: Sequence[Fault], start: int) -> None:
        self._feed, self._faults, self._start = feed, tuple(faults), start
        self._held: dict[tuple[int, str], float] = {}

    def at(self, time: int) -> Mapping[str, Reading]:
        """Return what the probe shows at a time."""
        readings = dict(self._feed.at(time))
        elapsed_s = (time - self._start) / 1e6
        for index, fault in enumerate(self._faults):
            if elapsed_s < fault.start_s:
                continue
            for key in list(readings) if fault.channel is None else [fault.channel]:
                if key in readings and not math.isnan(readings[key].value):
                    shown = self._shown((index, key), fault, readings[key].value, elapsed_s - fault.start_s)
                    readings[key] = replace(readings[key], value=shown)
        return readings

    def _shown(self, place: tuple[int, str], fault: Fault, value: float, since_s: float) -> float:
        if fault.kind == "drift":
            return value + fault.amount * min(since_s, fault.duration_s) / 3600.0
        if since_s >= fault.duration_s:
            self._held.pop(place, None)
            return value
        if fault.kind == "spike":
            return value + fault.amount
        return self._held.setdefault(place, value)


def split_faults(faults: Sequence[Fault], wire: Sequence[WireFault] = SPINE) -> tuple[list[Fault], list[Fault]]:
    """Return the faults of the wire and those of the value.

    Parameters
    ----------
    faults : sequence of Fault
        As asked for.
    wire : sequence of WireFault
        Which faults of the wire the simulator has.

    Raises
    ------
    ConfigError
        If it has no fault of that kind.
    """
    wire_kinds = [kind.value for kind in wire]
    for fault in faults:
        if fault.kind not in wire_kinds and fault.kind not in VALUE_FAULTS:
            raise ConfigError("fault", seen=fault.kind, allowed=[*wire_kinds, *VALUE_FAULTS])
    return (
        [fault for fault in faults if fault.kind in wire_kinds],
        [fault for fault in faults if fault.kind in VALUE_FAULTS],
    )


def reading_of(channel: AnyChannel, readings: Mapping[str, Reading]) -> Reading:
    """Return a channel's reading in its own unit; NaN where the feed has none."""
    if channel.key in readings and channel.key != channel.observed_property:
        return readings[channel.key]
    reading = readings.get(channel.observed_property or channel.key)
    if reading is None:
        return Reading(math.nan)
    if channel.observed_property is None or channel.unit is None:
        return reading
    try:
        scale, offset = units.affine(properties.term(channel.observed_property).unit, channel.unit)
    except ConfigError:
        return reading
    return Reading(reading.value * scale + offset, reading.time, reading.mark, reading.sample)
