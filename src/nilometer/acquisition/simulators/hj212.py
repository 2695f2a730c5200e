"""A virtual HJ 212 station: dials its platform, uploads, waits for the answer, sends again, and does what it is told.

Real-time data (CN 2011) each interval; minute, hour and day data (2051, 2061, 2031) where asked for. What was not
answered is kept and sent again with its own QN, also on the next connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any
from zoneinfo import ZoneInfo

from nilometer.acquisition.driver import Clock
from nilometer.acquisition.links.tcp import TcpLink, connect
from nilometer.acquisition.protocols.hj212 import (
    Frame,
    FrameSplitter,
    Message,
    encode_frame,
    parse_frame,
    station_time,
)
from nilometer.acquisition.protocols.hj212_cipher import encrypted_frame
from nilometer.acquisition.simulators.disorder import DISORDERLY, Disorder
from nilometer.acquisition.simulators.feed import FaultyFeed, split_faults
from nilometer.acquisition.simulators.hj212_uploads import Uploads
from nilometer.acquisition.simulators.simulator import Fault, Feed, SimulatorInfo, WireFault, active_fault, dialled
from nilometer.errors import FrameError, LinkError

__all__ = ["SIMULATOR", "Hj212Simulator"]

LONGEST_NAP_S = 0.05
REDIAL_S = 0.2
MOST_UNANSWERED = 10_000
HISTORY = frozenset({"2031", "2051", "2061"})
"""Commands by which the platform asks for what was made before."""


class Hj212Simulator:
    """One station; meets `Simulator`.

    Parameters
    ----------
    feed : Feed
        The water, by observed property or by HJ 525 code.
    clock : callable
        The present, µs since 1970 UTC; its pace is the station's.
    faults : sequence of Fault
        ``silence``, ``wrong_crc`` and ``restart`` on the wire; ``late``, ``duplicate`` and ``out_of_order`` uploads
        (see `Disorder`); and the value faults.
    host, port : str, int
        The platform; port 0 takes a free one for it to listen on.
    device, password, system : str
        MN, PW and ST.
    edition : {"2005", "2017", "2025"}
        Gives the version bits, and the codes.
    time_zone : str
        The station's.
    interval_s : float
        From upload to upload, in the clock's seconds.
    minute_min : int, optional
        MinInterval of minute data; None: none are sent.
    hours, days : bool
        Send hour and day data.
    answered : bool
        Ask for answers (bit A), and send again without one.
    over_time_s, retries : float, int
        How long to wait for an answer, in wall-clock seconds, and how often to send again before dialling anew.
    key : str, optional
        SM4 key, 32 hexadecimal digits: data areas of uploads are encrypted, as 2025 has it.
    resends : bool
        False: what could not be sent is not sent again by itself, only when the platform asks for it.
    """

    def __init__(
        self,
        feed: Feed,
        clock: Clock,
        faults: Sequence[Fault] = (),
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        device: str = "010000A8900016F000169DC0",
        password: str = "123456",  # noqa: S107 -- the one of the standard's examples
        system: str = "32",
        edition: str = "2017",
        time_zone: str = "Asia/Shanghai",
        interval_s: float = 30.0,
        minute_min: int | None = None,
        hours: bool = False,
        days: bool = False,
        answered: bool = True,
        over_time_s: float = 5.0,
        retries: int = 3,
        key: str | None = None,
        resends: bool = True,
    ) -> None:
        self._faults, value_faults = split_faults(faults, DISORDERLY)
        self._clock, self._began = clock, clock()
        self._way: Disorder[Message] = Disorder(self._faults, clock, self._began)
        feed = FaultyFeed(feed, value_faults, self._began) if value_faults else feed
        self._host, self._port = host, port
        self._device, self._password, self._edition, self._time_zone = device, password, edition, time_zone
        self._zone = ZoneInfo(time_zone)
        self._interval_us = max(int(interval_s * 1e6), 1000)
        self._answered, self._over_time_s, self._retries = answered, over_time_s, retries
        self._resends, self._key = resends, key
        self._uploads = Uploads(
            feed,
            self._zone,
            header={"ST": system, "PW": password, "MN": device},
            edition=edition,
            answered=answered,
            minute_min=minute_min,
            hours=hours,
            days=days,
        )
        self._waiting: deque[Message] = deque(maxlen=MOST_UNANSWERED)
        self._answers: set[str] = set()
        self._arrived = asyncio.Event()
        self._tick = 0
        self.sent = 0
        self.acknowledged = 0

    async def start(self) -> Mapping[str, Any]:
        """Settle on a port for the platform and return the options of the driver that listens there."""
        if self._port == 0:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((self._host, 0))
                self._port = int(probe.getsockname()[1])
        keys = {} if self._key is None else {"keys": {self._device: self._key}}
        return keys | {
            "host": self._host,
            "port": self._port,
            "stations": (self._device,),
            "password": self._password,
            "edition": self._edition,
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
            if not self._resends:
                self._gather()
                self._waiting.clear()
            await asyncio.sleep(REDIAL_S)

    async def _connected(self) -> None:
        link = await connect(self._host, self._port)
        listening = asyncio.create_task(self._listen(link))
        try:
            await self._talk(link, listening)
        finally:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError, LinkError):
                await listening
            await link.close()

    async def _talk(self, link: TcpLink, listening: asyncio.Task[None]) -> None:
        while not (listening.done() or self._active(WireFault.RESTART)):
            self._gather()
            if not self._waiting or self._active(WireFault.SILENCE):
                wait_s = (self._tick - self._clock()) / 1e6
                await asyncio.sleep(min(max(wait_s, 0.001), LONGEST_NAP_S))
                continue
            if not await self._send(link, self._waiting[0], listening):
                return
            self._waiting.popleft()

    def _gather(self) -> None:
        """Make the uploads that are due; a clock that jumped far ahead is followed, not made up for."""
        now = self._clock()
        if now - self._tick > 1000 * self._interval_us:
            self._tick = now
        while self._tick <= now and len(self._waiting) < 100:
            self._waiting.extend(self._way.pass_on(self._uploads.at(self._tick)))
            self._tick += self._interval_us
        self._waiting.extend(self._way.pass_on(()))

    async def _send(self, link: TcpLink, message: Message, listening: asyncio.Task[None]) -> bool:
        """Send a message until it is answered; False when the link counts as down."""
        for _ in range(1 + self._retries):
            await link.write(self._frame(message))
            self.sent += 1
            if not message.wants_answer:
                return True
            if await self._is_answered(message.request, listening):
                self.acknowledged += 1
                return True
            if listening.done() or self._active(WireFault.RESTART):
                return False
        return False

    async def _is_answered(self, number: str, listening: asyncio.Task[None]) -> bool:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._over_time_s
        while number not in self._answers and not (listening.done() or self._active(WireFault.RESTART)):
            wait_s = min(until - loop.time(), LONGEST_NAP_S)
            if wait_s <= 0.0:
                break
            self._arrived.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._arrived.wait()
        answered = number in self._answers
        self._answers.clear()
        return answered

    def _frame(self, message: Message) -> bytes:
        if self._key is not None and message.command.startswith("2"):
            frame = encrypted_frame(message.encode(), bytes.fromhex(self._key))
        else:
            frame = encode_frame(message.encode())
        if self._active(WireFault.WRONG_CRC):
            spoilt = b"0000" if frame[-6:-2] != b"0000" else b"1100"
            return frame[:-6] + spoilt + frame[-2:]
        return frame

    def _active(self, kind: WireFault) -> bool:
        return active_fault(self._faults, kind, (self._clock() - self._began) / 1e6) is not None

    async def _listen(self, link: TcpLink) -> None:
        frames = FrameSplitter()
        try:
            while True:
                for frame in frames.feed(await link.read()):
                    message = parse_frame(frame) if isinstance(frame, Frame) else frame
                    if isinstance(message, Message):
                        await self._obey(link, message)
        finally:
            self._arrived.set()

    async def _obey(self, link: TcpLink, message: Message) -> None:
        if message.command in {"9013", "9014"}:
            self._answers.add(message.request)
            self._arrived.set()
            return
        if message.command == "1062" and message.fields.get("RtdInterval", "").isdecimal():
            self._interval_us = max(int(message.fields["RtdInterval"]), 1) * 1_000_000
        if not message.wants_answer:
            return
        await link.write(encode_frame(self._reply(message, "9011", "QnRtn", "1").encode()))
        if message.command in HISTORY and "BeginTime" in message.fields:
            self._look_up(message)
        else:
            await link.write(encode_frame(self._reply(message, "9012", "ExeRtn", "1").encode()))

    def _look_up(self, message: Message) -> None:
        """Send what was made of the intervals that are asked for, then that it is done."""
        try:
            first, last = (station_time(message.fields.get(name, ""), self._zone) for name in ("BeginTime", "EndTime"))
            found = self._uploads.history(message.command, first, last, self._clock())
        except FrameError:
            found = []
        self._waiting.extend(found)
        self._waiting.append(self._reply(message, "9012", "ExeRtn", "1" if found else "100"))

    def _reply(self, message: Message, command: str, name: str, outcome: str) -> Message:
        header = {"QN": message.request, "ST": "91", "CN": command, "PW": self._password, "MN": self._device}
        return Message(header=header | {"Flag": self._uploads.flag_without_answer}, fields={name: outcome})


def make(
    _instrument: str | None,
    feed: Feed,
    clock: Clock,
    faults: Sequence[Fault] = (),
    **link: Any,  # noqa: ANN401 -- as the link needs
) -> Hj212Simulator:
    """Return a station; see `Hj212Simulator` for `link`; `target` is ``host:port`` of the platform."""
    target = link.pop("target", None)
    link.pop("path", None)
    if target:
        link |= dialled(str(target))
    return Hj212Simulator(feed, clock, faults, **link)


SIMULATOR = SimulatorInfo(name="hj212", title="HJ 212 station", make=make)
