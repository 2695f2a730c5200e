"""A virtual SL 651 station: dials its centre, reports, waits for the confirmation, reports again, answers queries.

Timed reports (32H) each interval. What was not confirmed is kept, also over an outage, and sent again with its own
serial number; a query for a period (38H) is answered from its memory.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from nilometer.acquisition.driver import Clock
from nilometer.acquisition.links.tcp import connect
from nilometer.acquisition.protocols.sl651 import SYMBOLS, Frame
from nilometer.acquisition.protocols.sl651_asking import Asked
from nilometer.acquisition.protocols.sl651_writing import Group
from nilometer.acquisition.simulators.disorder import DISORDERLY, Disorder
from nilometer.acquisition.simulators.feed import FaultyFeed, split_faults
from nilometer.acquisition.simulators.simulator import (
    Fault,
    Feed,
    SimulatorInfo,
    WireFault,
    active_fault,
    dialled,
)
from nilometer.acquisition.simulators.sl651_reports import Reports
from nilometer.acquisition.sl651_talk import Talk
from nilometer.errors import LinkError

__all__ = ["SIMULATOR", "Sl651Simulator"]

LONGEST_NAP_S = 0.05
REDIAL_S = 0.2
MOST_KEPT = 10_000
TIMED, PRESENT, PERIOD = 0x32, 0x37, 0x38


@dataclass(slots=True)
class _Waiting:
    """A message that is not confirmed: its serial number, and its body in the hands of `Reports`."""

    function: int
    serial: int
    group: Group | None = None
    answer: bytes = b""


class Sl651Simulator:
    """One station; meets `Simulator`.

    Parameters
    ----------
    feed : Feed
        The water, by observed property or by an element's letters.
    clock : callable
        The present, µs since 1970 UTC; its pace is the station's.
    faults : sequence of Fault
        ``silence``, ``wrong_crc``, ``restart`` on the wire, those of `Disorder`, and the value faults.
    host, port : str, int
        The centre; port 0 takes a free one for it to listen on.
    station, kind, password : str
        Its address, its letter of Appendix A, its password.
    centre : int
        Address of the centre.
    time_zone : str
        The station's.
    interval_s : float
        From report to report, in the clock's seconds.
    confirmed : bool
        Wait for confirmations (mode M2), and report again without one; else M1.
    over_time_s, retries : float, int
        How long to wait, in wall-clock seconds, and how often to send again before dialling anew; the standard says 2.
    resends : bool
        False: what could not be sent is not sent again by itself, only when the centre asks for it.
    is_text : bool
        Speak the ASCII coding.
    most_bytes : int
        Of body in a frame; more goes in packets (mode M3).
    """

    def __init__(
        self,
        feed: Feed,
        clock: Clock,
        faults: Sequence[Fault] = (),
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        station: str = "0012345678",
        kind: str = "H",
        password: str = "1234",  # noqa: S107 -- the one of every published example
        centre: int = 1,
        time_zone: str = "Asia/Shanghai",
        interval_s: float = 300.0,
        confirmed: bool = True,
        over_time_s: float = 5.0,
        retries: int = 2,
        resends: bool = True,
        is_text: bool = False,
        most_bytes: int = 220,
    ) -> None:
        self._faults, value_faults = split_faults(faults, DISORDERLY)
        self._clock, self._began = clock, clock()
        self._way: Disorder[_Waiting] = Disorder(self._faults, clock, self._began)
        feed = FaultyFeed(feed, value_faults, self._began) if value_faults else feed
        self._host, self._port = host, port
        self._zone, self._time_zone = ZoneInfo(time_zone), time_zone
        self._frame = Frame(centre, station, password, TIMED, b"", is_text=is_text)
        self._reports = Reports(feed, self._zone, station=station, kind=kind, is_text=is_text)
        self._interval_us = max(int(interval_s * 1e6), 1000)
        self._confirmed, self._over_time_s, self._retries = confirmed, over_time_s, retries
        self._resends, self._most_bytes = resends, most_bytes
        self._waiting: deque[_Waiting] = deque(maxlen=MOST_KEPT)
        self._serial = 0
        self._tick = 0
        self.sent = 0
        self.acknowledged = 0

    async def start(self) -> Mapping[str, Any]:
        """Settle on a port for the centre and return the options of the driver that listens there."""
        if self._port == 0:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((self._host, 0))
                self._port = int(probe.getsockname()[1])
        return {
            "host": self._host,
            "port": self._port,
            "stations": (self._frame.station,),
            "password": self._frame.password,
            "centre": self._frame.centre,
            "time_zone": self._time_zone,
        }

    async def run(self) -> None:
        """Be a station until cancelled."""
        if self._port == 0:
            await self.start()
        self._tick = self._clock()
        while True:
            if not self._active(WireFault.RESTART):
                with contextlib.suppress(LinkError):
                    await self._connected()
            self._gather()
            if not self._resends:
                self._waiting.clear()
            await asyncio.sleep(REDIAL_S)

    async def _connected(self) -> None:
        async def write(data: bytes) -> None:
            await link.write(self._spoilt(data))

        link = await connect(self._host, self._port)
        talk = Talk(
            link,
            self._frame,
            self._zone,
            over_time_s=self._over_time_s,
            retries=self._retries,
            most_bytes=self._most_bytes,
            gives_up=lambda: self._active(WireFault.RESTART),
            write=write,
        )
        try:
            await self._talk(talk)
        finally:
            await talk.close()

    async def _talk(self, talk: Talk) -> None:
        while not (talk.is_down or self._active(WireFault.RESTART)):
            self._gather()
            while talk.queries:
                self._answer(*talk.queries.popleft())
            if not self._waiting or self._active(WireFault.SILENCE):
                wait_s = (self._tick - self._clock()) / 1e6
                await asyncio.sleep(min(max(wait_s, 0.001), LONGEST_NAP_S))
                continue
            if not await self._send(talk, self._waiting[0]):
                return
            self._waiting.popleft()

    def _gather(self) -> None:
        """Observe what is due; a clock that jumped far ahead is followed, not made up for."""
        now = self._clock()
        if now - self._tick > 1000 * self._interval_us:
            self._tick = now
        made: list[_Waiting] = []
        while self._tick <= now and len(self._waiting) + len(made) < 100:
            group = self._reports.observe(self._tick)
            if group is not None:
                self._serial = self._serial % 65535 + 1
                made.append(_Waiting(TIMED, self._serial, group))
            self._tick += self._interval_us
        self._waiting.extend(self._way.pass_on(made))

    async def _send(self, talk: Talk, message: _Waiting) -> bool:
        """Send a message until it is confirmed; False when the link counts as down."""
        body = message.answer
        if message.group is not None:
            body = self._reports.body(message.serial, self._clock(), [message.group])
        self.sent += 1
        end = await talk.report(message.function, message.serial, body, confirmed=self._confirmed)
        self.acknowledged += end is not None
        return end is not None or not self._confirmed

    def _spoilt(self, data: bytes) -> bytes:
        if not self._active(WireFault.WRONG_CRC):
            return data
        return data[:-1] + bytes([data[-1] ^ 1])

    def _active(self, kind: WireFault) -> bool:
        return active_fault(self._faults, kind, (self._clock() - self._began) / 1e6) is not None

    def _answer(self, frame: Frame, asked: Asked) -> None:
        now = self._clock()
        serial = self._serial % 65535 + 1
        if frame.function == PRESENT:
            group = self._reports.observe(now)
            body = b"" if group is None else self._reports.body(serial, now, [group])
        elif frame.function == PERIOD and asked.symbol in SYMBOLS and asked.step_us:
            body = self._reports.period(serial, now, asked.symbol, asked.first, asked.last, asked.step_us)
        else:
            return
        if body:
            self._serial = serial
            self._waiting.append(_Waiting(frame.function, serial, answer=body))


def make(
    _instrument: str | None,
    feed: Feed,
    clock: Clock,
    faults: Sequence[Fault] = (),
    **link: Any,  # noqa: ANN401 -- as the link needs
) -> Sl651Simulator:
    """Return a station; see `Sl651Simulator` for `link`; `target` is ``host:port`` of the centre."""
    target = link.pop("target", None)
    link.pop("path", None)
    if target:
        link |= dialled(str(target))
    return Sl651Simulator(feed, clock, faults, **link)


SIMULATOR = SimulatorInfo(name="sl651", title="SL 651 station", make=make)
