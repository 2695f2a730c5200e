"""The grid of periods: which minute, hour and day a moment is in, in a station's own zone.

Minutes and hours are counted from the zone's midnight and never stretched: where clocks change, a day has 23 or 25
hours and each of its hours is a period of its own.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from zoneinfo import ZoneInfo

__all__ = ["Grid"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Grid:
    """Periods of one kind.

    Parameters
    ----------
    zone : ZoneInfo
        The station's.
    length_us : int, optional
        µs, a divisor of a day; None: the calendar days of the zone.
    """

    zone: ZoneInfo
    length_us: int | None = None

    def start(self, time: int) -> int:
        """Return where the period of a moment begins; both in µs UTC."""
        midnight = self._midnight(time)
        if self.length_us is None:
            return midnight
        return time - (time - midnight) % self.length_us

    def end(self, start: int) -> int:
        """Return where the period that begins at `start` ends."""
        local = (_EPOCH + start * _MICROSECOND).astimezone(self.zone)
        # Wall-clock arithmetic inside the zone: the next midnight, however long the day is.
        after = dt.datetime.combine(local.date() + _DAY, dt.time(), self.zone)
        tomorrow = (after - _EPOCH) // _MICROSECOND
        return tomorrow if self.length_us is None else min(start + self.length_us, tomorrow)

    def _midnight(self, time: int) -> int:
        local = (_EPOCH + time * _MICROSECOND).astimezone(self.zone)
        return (dt.datetime.combine(local.date(), dt.time(), self.zone) - _EPOCH) // _MICROSECOND
