"""Asking the stations of one connection for what they did not send, one request to a station at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from nilometer.acquisition.hj212_answers import outcome
from nilometer.acquisition.hj212_gaps import COMMANDS, Gap, Gaps
from nilometer.acquisition.hj212_rows import MessageRows
from nilometer.acquisition.protocols.hj212 import Message, station_time, time_text
from nilometer.errors import FrameError

__all__ = ["Refill", "Refilling"]

_NAMES = {command: name for name, command in COMMANDS.items()}
_LOOK_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Refill:
    """How gaps are filled; see docs/drivers/hj212.md."""

    commands: frozenset[str]
    after_s: float
    timeout_s: float
    tries: int
    farthest_us: int


@dataclass(slots=True)
class _Station:
    """A station: its gaps, its last upload, the QN of the request under way and how that was answered."""

    gaps: Gaps
    message: Message
    number: str = ""
    why: str = ""


@dataclass(slots=True)
class Refilling:
    """The gaps of the stations on one connection.

    Parameters
    ----------
    refill : Refill
        How.
    rows : MessageRows
        Knows the stations' intervals.
    zone : ZoneInfo
        The stations'.
    stored : callable
        Gives the newest time that is stored of each channel whose key begins with a text.
    request : callable
        ``request(message, command, fields)`` sends a request to the station of a message and returns its QN, empty when
        it cannot be sent.
    tell : callable
        ``tell(device, detail)`` reports what was given up.
    """

    refill: Refill
    rows: MessageRows
    zone: ZoneInfo
    stored: Callable[[str], Mapping[str, int]]
    request: Callable[[Message, str, dict[str, str]], str]
    tell: Callable[[str, str], None]
    _stations: dict[str, _Station] = field(default_factory=dict)

    def heard(self, message: Message) -> None:
        """Note an upload."""
        if message.command not in self.refill.commands:
            return
        try:
            start = station_time(message.fields.get("DataTime", ""), self.zone)
        except FrameError:
            return  # it was refused already
        station = self._stations.get(message.device)
        if station is None:
            station = self._stations[message.device] = _Station(self._gaps(message.device), message)
        station.message = message
        station.gaps.heard(message.command, start, _now())

    def answered(self, message: Message) -> None:
        """Note what a station says of a request: refused, or all that it had is sent."""
        station = self._stations.get(message.device)
        if station is None or not station.number or message.request != station.number:
            return
        wrong = outcome(message)
        if wrong is not None:
            station.why = wrong
        if wrong is not None or message.command == "9012":
            self._end(message.device, station)

    async def run(self) -> None:
        """Ask for what is missing until cancelled."""
        while True:
            for device, station in list(self._stations.items()):
                if station.gaps.is_overdue(_now()):
                    station.why = station.why or "no answer"
                    self._end(device, station)
                self._ask(station)
            await asyncio.sleep(min(_LOOK_S, self.refill.after_s))

    def _ask(self, station: _Station) -> None:
        gap = station.gaps.request(_now())
        if gap is None:
            return
        fields = {
            "BeginTime": time_text(gap.first, self.zone),
            "EndTime": time_text(station.gaps.end_of(gap), self.zone),
        }
        station.why = ""
        station.number = self.request(station.message, gap.command, fields)

    def _end(self, device: str, station: _Station) -> None:
        station.number = ""
        for gap in station.gaps.ended(_now()):
            self.tell(device, f"{self._named(gap)} did not come, asked for {gap.tries} times{self._because(station)}")

    def _gaps(self, device: str) -> Gaps:
        return Gaps(
            step=lambda command, start: self.rows.step(device, command, start),
            newest=self.rows.newest(device, self.stored),
            wanted=self.refill.commands,
            ripe_s=self.refill.after_s,
            patience_s=self.refill.timeout_s,
            most_tries=self.refill.tries,
            farthest_us=self.refill.farthest_us,
        )

    def _named(self, gap: Gap) -> str:
        first, last = time_text(gap.first, self.zone), time_text(gap.last, self.zone)
        return f"{_NAMES[gap.command]} data of {first}" + (f" to {last}" if last != first else "")

    @staticmethod
    def _because(station: _Station) -> str:
        return f" ({station.why})" if station.why else ""


def _now() -> float:
    return asyncio.get_running_loop().time()
