"""Asking the SL 651 stations of one connection for what they did not report (38H), one query to a station at a time.

Reports come in steps, as a rule on the hour; a step that an element lacks is a gap. A gap is let ripen first: a station
that kept its reports sends them again by itself.

References
----------
SL 651-2014 section 6.6.4.11, Tables 44 and 45: a query names the hours, a step and one element.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from nilometer.acquisition.hj212_gaps import Gap, Gaps
from nilometer.acquisition.protocols.sl651 import SYMBOLS, Body, Frame, Layout
from nilometer.acquisition.protocols.sl651_numbers import time_bcd
from nilometer.acquisition.protocols.sl651_writing import period_query
from nilometer.acquisition.sl651_rows import PERIOD_QUERY, ReportRows

__all__ = ["Refill", "Refilling"]

_REGULAR = frozenset({0x31, 0x32, 0x34, PERIOD_QUERY})
_LOOK_S = 1.0
_MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Refill:
    """How gaps are filled; see docs/drivers/sl651.md. `elements`: letters; empty, never asked."""

    elements: frozenset[str]
    step_us: int
    after_s: float
    timeout_s: float
    tries: int
    farthest_us: int


@dataclass(slots=True)
class _Station:
    gaps: Gaps
    frame: Frame
    is_asked: bool = False


@dataclass(slots=True)
class Refilling:
    """The gaps of the stations on one connection.

    Parameters
    ----------
    refill : Refill
        How.
    rows : ReportRows
        Knows the stations' channels.
    zone : ZoneInfo
        The stations'.
    clock : callable
        The present, µs since 1970 UTC.
    stored : callable
        Gives the newest time that is stored of each channel whose key begins with a text.
    send : callable
        Sends a frame to the station of a frame.
    tell : callable
        ``tell(station, detail)`` reports what was given up.
    """

    refill: Refill
    rows: ReportRows
    zone: ZoneInfo
    clock: Callable[[], int]
    stored: Callable[[str], Mapping[str, int]]
    send: Callable[[Frame], None]
    tell: Callable[[str, str], None]
    _stations: dict[str, _Station] = field(default_factory=dict)

    def heard(self, frame: Frame, body: Body) -> None:
        """Note a report, or an answer; test and extra reports come at any time and say nothing of a step."""
        if frame.function not in _REGULAR or not self.refill.elements:
            return
        station = self._stations.get(frame.station)
        if station is None:
            station = self._stations[frame.station] = _Station(self._gaps(frame.station), frame)
        if frame.function == PERIOD_QUERY and station.is_asked:
            # What came late while it was asked for has been filled; the rest of the answer fills the gap.
            self._note(station, frame, body)
            self._end(frame.station, station)
        else:
            station.frame = frame
            self._note(station, frame, body)

    async def run(self) -> None:
        """Ask for what is missing until cancelled."""
        while True:
            for name, station in list(self._stations.items()):
                if station.gaps.is_overdue(_now()):
                    self._end(name, station)
                self._ask(station)
            await asyncio.sleep(min(_LOOK_S, self.refill.after_s))

    def _note(self, station: _Station, frame: Frame, body: Body) -> None:
        for item in body.observed:
            is_of_it = item.station == frame.station and item.element.layout is Layout.NUMBER
            if is_of_it and item.element.symbol in self.refill.elements and self._is_on_step(item.time):
                station.gaps.heard(item.element.symbol, item.time, _now())

    def _is_on_step(self, time: int) -> bool:
        digits = time_bcd(time, self.zone, 10)
        minutes = int(digits[6:8]) * 60 + int(digits[8:])
        return minutes * _MINUTE_US % self.refill.step_us == 0

    def _ask(self, station: _Station) -> None:
        gap = station.gaps.request(_now())
        if gap is None:
            return
        station.is_asked = True
        element = SYMBOLS[gap.command]
        self.send(
            period_query(station.frame, self.clock(), element, gap.first, gap.last, self.refill.step_us, self.zone)
        )

    def _end(self, name: str, station: _Station) -> None:
        station.is_asked = False
        for gap in station.gaps.ended(_now()):
            self.tell(name, f"{self._named(gap)} did not come, asked for {gap.tries} times")

    def _gaps(self, station: str) -> Gaps:
        return Gaps(
            step=lambda _symbol, _start: self.refill.step_us,
            newest=self.rows.newest(station, self.stored),
            wanted=self.refill.elements,
            ripe_s=self.refill.after_s,
            patience_s=self.refill.timeout_s,
            most_tries=self.refill.tries,
            farthest_us=self.refill.farthest_us,
        )

    def _named(self, gap: Gap) -> str:
        first, last = time_bcd(gap.first, self.zone, 10), time_bcd(gap.last, self.zone, 10)
        return f"{gap.command} of {first}" + (f" to {last}" if last != first else "")


def _now() -> float:
    return asyncio.get_running_loop().time()
