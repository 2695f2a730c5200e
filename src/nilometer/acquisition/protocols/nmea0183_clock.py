"""The clock of an NMEA 0183 stream: dates from ZDA and RMC, times of day from any sentence, across midnight.

Pure: it is told when a sentence arrived and never looks. Between two sentences with a clock, time goes on as fast as
sentences arrive.
"""

from __future__ import annotations

from nilometer.acquisition.protocols.nmea0183_quantity import Fix

__all__ = ["StreamClock"]

DAY = 86_400_000_000
HALF_DAY = DAY // 2


class StreamClock:
    """Holds the time of a stream.

    `now` is the time of the latest sentence that carried one, µs since 1970 UTC, or None as long as no date is known;
    `arrival` is when that sentence arrived.
    """

    def __init__(self) -> None:
        self.now: int | None = None
        self.arrival = 0
        self.dated = False

    def hear(self, fix: Fix, arrival: int, *, guess_date: bool = False) -> int | None:
        """Take the clock of a sentence and return its full time, where that can be known.

        Parameters
        ----------
        fix : Fix
            What the sentence carried.
        arrival : int
            When it came, µs since 1970 UTC.
        guess_date : bool
            For a stream that never says its date: take the day that brings the time of day nearest to `arrival`.

        Returns
        -------
        int or None
            µs since 1970 UTC; None where the sentence has no time of day, or no date is known yet.
        """
        if fix.time is None:
            return None
        if fix.date is not None:
            self.dated = True
            return self._set(fix.date + fix.time, arrival)
        near = self.now
        if near is None:
            if not guess_date:
                return None
            near = arrival
        return self._set(_nearest(fix.time, near), arrival)

    def at(self, arrival: int) -> int | None:
        """Return the stream's time at a moment of arrival, µs since 1970 UTC; None as long as no date is known."""
        return None if self.now is None else self.now + max(arrival - self.arrival, 0)

    def _set(self, time: int, arrival: int) -> int:
        self.now, self.arrival = time, arrival
        return time


def _nearest(time_of_day: int, near: int) -> int:
    candidate = near - near % DAY + time_of_day
    if candidate - near > HALF_DAY:
        return candidate - DAY
    if near - candidate > HALF_DAY:
        return candidate + DAY
    return candidate
