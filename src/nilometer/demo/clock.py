"""A clock that runs faster than the wall's, from wherever it is set."""

from __future__ import annotations

import time

from nilometer.errors import ConfigError

__all__ = ["DemoClock"]


class DemoClock:
    """The present of a demo, µs since 1970 UTC; it never runs back.

    Parameters
    ----------
    start : int
        What it shows now.
    speed : float
        Its seconds for each of the wall's.
    """

    def __init__(self, start: int, speed: float) -> None:
        if speed <= 0:
            raise ConfigError("--speed", seen=speed, allowed="a number above 0")
        self._start, self._speed = start, speed
        self._began = time.monotonic_ns()
        self._is_held = False

    is_demo = True

    @property
    def speed(self) -> float:
        """Its seconds for each of the wall's."""
        return self._speed

    def __call__(self) -> int:
        """Return the present."""
        if self._is_held:
            return self._start
        return self._start + int((time.monotonic_ns() - self._began) // 1000 * self._speed)

    def set(self, start: int) -> None:
        """Show `start` now, and run on from there."""
        self._start, self._began, self._is_held = start, time.monotonic_ns(), False

    def hold(self, start: int) -> None:
        """Show `start` until it is set: nothing of a recording passes while the platform is not yet there."""
        self._start, self._is_held = start, True

    def ahead(self, offset: int) -> ShiftedClock:
        """Return the same clock, `offset` µs ahead."""
        return ShiftedClock(self, offset)


class ShiftedClock:
    """A demo's clock as another time axis sees it."""

    def __init__(self, clock: DemoClock, offset: int) -> None:
        self._clock, self._offset = clock, offset

    def __call__(self) -> int:
        """Return the present."""
        return self._clock() + self._offset
