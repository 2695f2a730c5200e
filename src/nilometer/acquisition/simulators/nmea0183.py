"""A virtual NMEA 0183 platform: sentences from a feed, or the lines of a recording, over TCP, UDP or a pty.

Each tick it says its clock and position (ZDA, RMC, GGA), then what the feed measures: MTW, DPT, VHW, VDR, MWD, MTA,
MMB, and XDR for every property that has no sentence of its own.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from nilometer.acquisition.driver import Clock
from nilometer.acquisition.links.tcp import Listener, TcpLink, listen
from nilometer.acquisition.links.udp import UdpLink, bind
from nilometer.acquisition.simulators.disorder import DISORDERLY, Disorder
from nilometer.acquisition.simulators.feed import FaultyFeed, split_faults
from nilometer.acquisition.simulators.nmea0183_talk import sentences
from nilometer.acquisition.simulators.simulator import Fault, Feed, SimulatorInfo, WireFault, active_fault, dialled
from nilometer.errors import ConfigError, LinkError

__all__ = ["SIMULATOR", "Nmea0183Simulator"]

Transport = Literal["tcp", "udp", "serial"]
TRANSPORTS = ("tcp", "udp", "serial")
LONGEST_NAP_S = 0.05
MOST_BEHIND = 100


class Nmea0183Simulator:
    """One talker; meets `Simulator`.

    Parameters
    ----------
    feed : Feed
        The water, by observed property.
    clock : callable
        The present, µs since 1970 UTC; its pace is the simulator's.
    faults : sequence of Fault
        ``silence``, ``wrong_crc`` and ``restart`` on the wire; ``late``, ``duplicate`` and ``out_of_order`` of all that
        is said in a tick (see `Disorder`); and the value faults.
    transport : {"tcp", "udp", "serial"}
        A TCP server, a UDP sender, or a serial line.
    host, port : str, int
        Where the server listens, or where datagrams go; port 0 takes a free one.
    path : str
        The serial device; empty: a pty is made, and its other end named.
    interval_s : float
        From tick to tick, in the clock's seconds.
    latitude, longitude : float, optional
        Where it floats, degree_north and degree_east; a feed's own ``latitude`` and ``longitude`` win.
    lines : iterable of str, or path, optional
        A recording that is said line by line in place of the feed, `lines_per_tick` at a time, with its own clock. Over
        TCP it begins when somebody listens: what is said before is said to nobody.
    repeat : bool
        Begin the recording again at its end; its clock then jumps back.
    """

    def __init__(
        self,
        feed: Feed,
        clock: Clock,
        faults: Sequence[Fault] = (),
        *,
        transport: Transport = "tcp",
        host: str = "127.0.0.1",
        port: int = 0,
        path: str = "",
        interval_s: float = 1.0,
        latitude: float | None = None,
        longitude: float | None = None,
        lines: Iterable[str] | str | Path | None = None,
        lines_per_tick: int = 10,
        repeat: bool = False,
    ) -> None:
        if transport not in TRANSPORTS:
            raise ConfigError("transport", seen=transport, allowed=TRANSPORTS)
        self._faults, value_faults = split_faults(faults, DISORDERLY)
        self._clock, self._began = clock, clock()
        self._way: Disorder[bytes] = Disorder(self._faults, clock, self._began)
        self._feed = FaultyFeed(feed, value_faults, self._began) if value_faults else feed
        self._transport, self._host, self._port, self._path = transport, host, port, path
        self._interval_us = max(int(interval_s * 1e6), 1000)
        self._place = {"latitude": latitude, "longitude": longitude}
        self._lines = _Recording(lines, lines_per_tick, repeat=repeat) if lines is not None else None
        self._listener: Listener | None = None
        self._links: set[TcpLink] = set()
        self._is_heard = asyncio.Event()
        self._socket: UdpLink | None = None
        self._descriptors: tuple[int, ...] = ()

    @property
    def is_finished(self) -> bool:
        """Say whether a recording has come to its end."""
        return self._lines is not None and self._lines.is_finished

    async def start(self) -> Mapping[str, Any]:
        """Open the link and return the driver's options."""
        if self._transport == "serial":
            return {"link": "serial", "path": self._open_line()}
        if self._transport == "udp":
            self._socket = await bind("127.0.0.1" if self._host == "127.0.0.1" else "0.0.0.0", 0)  # noqa: S104 -- it sends
            self._port = self._port or _free_port(self._host)
            return {"link": "udp", "host": self._host, "port": self._port}
        await self._listen()
        return {"link": "tcp", "host": self._host, "port": self._port}

    async def run(self) -> None:
        """Talk until cancelled."""
        if not (self._listener or self._socket or self._descriptors):
            await self.start()
        try:
            await self._until_heard()
            tick = self._clock()
            while True:
                now = self._clock()
                if now < tick:
                    await asyncio.sleep(min((tick - now) / 1e6, LONGEST_NAP_S))
                    continue
                await self._restart_when_asked()
                await self._say(self._tick(tick))
                tick += self._interval_us
                if now - tick > MOST_BEHIND * self._interval_us:
                    tick = now
                await asyncio.sleep(0)
        finally:
            await self._close()

    async def _until_heard(self) -> None:
        """Wait for the first listener of a recording, where one can be seen."""
        if self._lines is not None and self._listener is not None:
            await self._is_heard.wait()

    def _tick(self, time: int) -> bytes:
        if self._lines is not None:
            said = self._lines.next()
        else:
            said = b"".join(sentences(self._feed.at(time), time, self._place))
        if self._active(WireFault.WRONG_CRC):
            said = _spoil(said)
        return b"".join(self._way.pass_on(() if self._active(WireFault.SILENCE) else (said,)))

    def _active(self, kind: WireFault) -> bool:
        return active_fault(self._faults, kind, (self._clock() - self._began) / 1e6) is not None

    async def _restart_when_asked(self) -> None:
        if not self._active(WireFault.RESTART):
            return
        if self._listener is not None:
            await self._listener.close()
            self._listener = None
        while self._active(WireFault.RESTART):
            await asyncio.sleep(LONGEST_NAP_S)
        while self._transport == "tcp" and self._listener is None:
            try:
                await self._listen()
            except LinkError:
                await asyncio.sleep(LONGEST_NAP_S)

    async def _listen(self) -> None:
        async def serve(link: TcpLink) -> None:
            self._links.add(link)
            self._is_heard.set()
            try:
                while True:
                    await link.read()
            finally:
                self._links.discard(link)

        self._listener = await listen(self._host, self._port, serve)
        self._port = self._listener.port

    def _open_line(self) -> str:
        if self._path:
            self._descriptors = (os.open(self._path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK),)
            return self._path
        if sys.platform == "win32":
            raise ConfigError("path", reason="this system has no pseudo-terminals; name a serial port")
        import tty  # noqa: PLC0415 -- absent on Windows, where the rest of this module works

        ours, theirs = os.openpty()
        # Raw, or the pty's own line discipline echoes and turns line ends.
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        self._descriptors = (ours, theirs)
        return os.ttyname(theirs)

    async def _say(self, said: bytes) -> None:
        if not said:
            return
        if self._socket is not None:
            for line in said.splitlines(keepends=True):
                self._socket.send(line, (self._host, self._port))
        elif self._descriptors:
            with contextlib.suppress(BlockingIOError):  # Nobody reads: a serial line loses what is not taken.
                os.write(self._descriptors[0], said)
        for link in tuple(self._links):
            with contextlib.suppress(LinkError):
                await link.write(said)

    async def _close(self) -> None:
        if self._listener is not None:
            await self._listener.close()
        if self._socket is not None:
            await self._socket.close()
        for descriptor in self._descriptors:
            os.close(descriptor)
        self._listener, self._socket, self._descriptors = None, None, ()


class _Recording:
    """The lines of a log, some at a time."""

    def __init__(self, lines: Iterable[str] | str | Path, per_tick: int, *, repeat: bool) -> None:
        if isinstance(lines, str | Path):
            lines = Path(lines).read_bytes().decode("latin-1").splitlines()
        self._lines = [line.rstrip("\r\n").encode("latin-1") + b"\r\n" for line in lines]
        self._per_tick, self._repeat, self._next = per_tick, repeat, 0

    @property
    def is_finished(self) -> bool:
        """Say whether every line was said."""
        return not self._repeat and self._next >= len(self._lines)

    def next(self) -> bytes:
        """Return the next lines."""
        if self._repeat and self._next >= len(self._lines):
            self._next = 0
        said = self._lines[self._next : self._next + self._per_tick]
        self._next += self._per_tick
        return b"".join(said)


def _spoil(said: bytes) -> bytes:
    """Turn the last digit of every checksum."""
    lines = said.split(b"\r\n")
    return b"\r\n".join(line[:-1] + (b"0" if line[-1:] != b"0" else b"1") if line else line for line in lines)


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def make(
    _instrument: str | None,
    feed: Feed,
    clock: Clock,
    faults: Sequence[Fault] = (),
    **link: Any,  # noqa: ANN401 -- as the link needs
) -> Nmea0183Simulator:
    """Return a talker; see `Nmea0183Simulator` for `link`.

    A `path` means a serial line, a `target` (``host:port``) datagrams to it; neither, a TCP server.
    """
    target, path = link.pop("target", None), link.pop("path", None)
    if target:
        link |= {"transport": "udp"} | dialled(str(target))
    elif path:
        link |= {"transport": "serial", "path": path}
    return Nmea0183Simulator(feed, clock, faults, **link)


SIMULATOR = SimulatorInfo(name="nmea0183", title="NMEA 0183 talker", make=make)
