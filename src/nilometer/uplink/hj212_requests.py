"""What a platform asks a station for, and what the station answers (HJ 212-2017 6.1, Tables 7 and 9).

History is sent from the store. Nothing that a platform says sets a clock, a password or a period of ours: such requests
are refused, or acknowledged where the configuration says so; 9012 then tells that nothing was done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from nilometer.acquisition.protocols.hj212 import Message, station_time, time_text
from nilometer.errors import FrameError
from nilometer.uplink.hj212_talk import Talk
from nilometer.uplink.period_book import Due

if TYPE_CHECKING:
    from nilometer.uplink.hj212_station import Station

__all__ = ["Requests"]

KINDS = {"2051": "minute", "2061": "hour", "2031": "day"}
HISTORY_MOST = 5_000
"""Periods of one request; about a month of ten minutes. A platform asks again for what is beyond."""
_WILL, _REFUSED, _WRONG_PASSWORD, _WRONG_DEVICE, _WRONG_COMMAND = "1", "2", "3", "4", "8"
_DONE, _FAILED, _NO_DATA = "1", "2", "100"
_ANSWERS = frozenset({"9011", "9012", "9013", "9014"})


class Requests:
    """Answers the requests of one platform.

    Parameters
    ----------
    station : Station
        Whose platform it is.
    """

    def __init__(self, station: Station) -> None:
        self._station = station

    async def serve(self, talk: Talk, message: Message) -> None:
        """Answer one request.

        Raises
        ------
        LinkError
            If the connection is cut, or what it asked for is not answered.
        """
        if message.command in _ANSWERS:
            return
        wrong = self._stranger(message)
        if wrong:
            await self._reply(talk, message, "9011", {"QnRtn": wrong})
        elif message.command in KINDS:
            await self._history(talk, message)
        else:
            await self._order(talk, message)

    def _stranger(self, message: Message) -> str:
        sender = self._station.sender
        if message.device and message.device != sender.device:
            return _WRONG_DEVICE
        if "PW" in message.header and message.header["PW"] != sender.password:
            return _WRONG_PASSWORD
        return ""

    async def _history(self, talk: Talk, message: Message) -> None:
        due = await self._station.desk.reading(lambda: list(self._asked_for(message)))
        if due and due[0] is None:
            await self._reply(talk, message, "9011", {"QnRtn": _REFUSED})
            return
        await self._reply(talk, message, "9011", {"QnRtn": _WILL})
        sent = 0
        for one in due:
            if one is not None:
                sent += await self._station.send_period(talk, one)
        await self._reply(talk, message, "9012", {"ExeRtn": _DONE if sent else _NO_DATA})

    def _asked_for(self, message: Message) -> Iterator[Due | None]:
        """Yield the periods that a request means, as far as they have ended; None: it cannot be understood."""
        station, kind = self._station, KINDS[message.command]
        grid = station.grids.get(kind)
        try:
            first, last = (
                station_time(message.fields.get(name, ""), station.zone) for name in ("BeginTime", "EndTime")
            )
        except FrameError:
            grid = None
        if grid is None:
            yield None
            return
        now = station.desk.clock()
        oldest = self._oldest()
        if oldest is None or last < oldest or first > now:
            return
        # Before the first row there is nothing, however far back a platform asks.
        start = grid.start(max(first, oldest))
        if start < first:
            start = grid.end(start)
        for _ in range(HISTORY_MOST):
            end = grid.end(start)
            if start > last or end > now:
                return
            # Made anew of what is stored now: the platform asks because it has not got what was sent.
            yield Due(kind, start, end)
            start = end

    def _oldest(self) -> int | None:
        """Return when the first row of what is sent was measured, µs UTC."""
        snapshot = self._station.desk.snapshot()
        extents = (snapshot.extent(rule.datastream) for rule in self._station.codes())
        return min((extent[0] for extent in extents if extent is not None), default=None)

    async def _order(self, talk: Talk, message: Message) -> None:
        act = {
            "1000": self._set_patience,
            "1011": self._tell,
            "1012": self._set_time,
            "1061": self._tell,
            "1062": self._set_real_time,
            "1063": self._tell,
            "1064": self._set_minutes,
            "1072": self._refuse,
            "2011": self._start_real_time,
            "2012": self._stop_real_time,
        }.get(message.command)
        if act is None:
            await self._reply(talk, message, "9011", {"QnRtn": _WRONG_COMMAND})
        else:
            await act(talk, message)

    async def _tell(self, talk: Talk, message: Message) -> None:
        """Say the time or an interval, between 9011 and 9012."""
        station = self._station
        real_time_s = 0 if station.real_time_us is None else station.real_time_us // 1_000_000
        fields = {
            "1011": {"SystemTime": time_text(station.desk.clock(), station.zone)},
            "1061": {"RtdInterval": str(real_time_s)},
            "1063": {"MinInterval": str(station.options.minute_min or 0)},
        }[message.command]
        await self._reply(talk, message, "9011", {"QnRtn": _WILL})
        header = station.sender.header(message.request, message.command)
        header["Flag"] = str(int(header["Flag"]) & ~1)
        await talk.say(Message(header=header, fields=fields))
        await self._reply(talk, message, "9012", {"ExeRtn": _DONE})

    async def _refuse(self, talk: Talk, message: Message) -> None:
        await self._reply(talk, message, "9011", {"QnRtn": _REFUSED})

    async def _set_time(self, talk: Talk, message: Message) -> None:
        if self._station.options.set_time == "refuse":
            await self._refuse(talk, message)
        else:
            await self._reply(talk, message, "9011", {"QnRtn": _WILL})
            await self._reply(talk, message, "9012", {"ExeRtn": _FAILED})

    async def _set_real_time(self, talk: Talk, message: Message) -> None:
        seconds = _number(message.fields.get("RtdInterval", ""), 1, 3600)
        if seconds is not None:
            self._station.real_time_us = seconds * 1_000_000
        await self._done(talk, message, is_done=seconds is not None)

    async def _set_minutes(self, talk: Talk, message: Message) -> None:
        # What was sent is by this interval: another one is agreed on in the configuration.
        wanted = _number(message.fields.get("MinInterval", ""), 1, 30)
        await self._done(talk, message, is_done=wanted == self._station.options.minute_min)

    async def _start_real_time(self, talk: Talk, message: Message) -> None:
        station = self._station
        if station.real_time_us is None and station.options.real_time_s is not None:
            station.real_time_us = station.options.real_time_s * 1_000_000
        await self._done(talk, message, is_done=station.real_time_us is not None)

    async def _stop_real_time(self, talk: Talk, message: Message) -> None:
        self._station.real_time_us = None
        await self._reply(talk, message, "9013", {})

    async def _set_patience(self, talk: Talk, message: Message) -> None:
        over_time = _number(message.fields.get("OverTime", ""), 1, 99)
        retries = _number(message.fields.get("ReCount", ""), 1, 99)
        if over_time is not None and retries is not None:
            talk.over_time_s, talk.retries = float(over_time), retries
        await self._done(talk, message, is_done=over_time is not None and retries is not None)

    async def _done(self, talk: Talk, message: Message, *, is_done: bool) -> None:
        await self._reply(talk, message, "9011", {"QnRtn": _WILL if is_done else _REFUSED})
        if is_done:
            await self._reply(talk, message, "9012", {"ExeRtn": _DONE})

    async def _reply(self, talk: Talk, message: Message, command: str, fields: Mapping[str, str]) -> None:
        if command != "9013" and not message.wants_answer:
            return
        header = self._station.sender.header(message.request, command) | {"ST": "91"}
        header["Flag"] = str(int(header["Flag"]) & ~1)
        await talk.say(Message(header=header, fields=fields))


def _number(text: str, least: int, most: int) -> int | None:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 and least <= int(text) <= most else None
