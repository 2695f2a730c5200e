"""Where a virtual CAN node is plugged in: an slcan adapter, a gateway that prints text, an interface of python-can."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from nilometer.acquisition.links.can import CanLink, open_can
from nilometer.acquisition.links.link import Link
from nilometer.acquisition.links.serial import open_port
from nilometer.acquisition.links.tcp import Listener, TcpLink, listen
from nilometer.acquisition.protocols.can_frame import CanFrame
from nilometer.acquisition.protocols.nmea2000_text import line_of
from nilometer.errors import LinkError

__all__ = ["BusPort", "CanPort", "SlcanPort", "TextPort"]

Receive = Callable[[CanFrame], None]


class CanPort(Protocol):
    """One way onto a bus."""

    async def open(self, receive: Receive) -> Mapping[str, Any]:
        """Open it, hand what comes to `receive`, and return the driver's options."""

    async def send(self, frame: CanFrame, *, time: int, garbled: bool) -> None:
        """Send a frame; `garbled`: spoilt on its way."""

    async def close(self) -> None:
        """Close it; it can be opened again at the same place."""


class _Lines:
    """Links to whoever is connected, over TCP or a serial line."""

    def __init__(self, host: str, port: int, path: str) -> None:
        self.host, self.port, self.path = host, port, path
        self._listener: Listener | None = None
        self._serial: Link | None = None
        self._task: asyncio.Task[None] | None = None
        self.links: set[Link] = set()

    async def open(self, serve: Callable[[Link], Any]) -> None:
        async def served(link: TcpLink) -> None:
            self.links.add(link)
            try:
                await serve(link)
            finally:
                self.links.discard(link)

        if self.path:
            self._serial = await open_port(self.path, baud=115200, exclusive=False)
            self.links.add(self._serial)
            self._task = asyncio.create_task(self._attend(serve, self._serial))
            return
        self._listener = await listen(self.host, self.port, served)
        self.port = self._listener.port

    async def _attend(self, serve: Callable[[Link], Any], link: Link) -> None:
        with contextlib.suppress(LinkError):
            await serve(link)

    async def write(self, data: bytes) -> None:
        for link in tuple(self.links):
            with contextlib.suppress(LinkError):
                await link.write(data)

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._listener is not None:
            await self._listener.close()
        if self._serial is not None:
            await self._serial.close()
        self._listener, self._serial, self._task = None, None, None
        self.links.clear()


class SlcanPort:
    """An adapter with the ASCII commands of Lawicel, as a serial line or a TCP server; meets `CanPort`.

    ``S6`` sets the bit rate, ``O`` opens the bus, ``C`` closes it, ``t1232AABB`` and ``T0000012321122`` are frames of
    11 and 29 bits; each command is answered with CR.
    """

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, path: str = "") -> None:
        self._lines = _Lines(host, port, path)
        self._is_open = False

    async def open(self, receive: Receive) -> Mapping[str, Any]:
        """Open it and return the driver's options."""

        async def serve(link: Link) -> None:
            pending = b""
            while True:
                *commands, pending = (pending + await link.read()).split(b"\r")
                for command in commands:
                    await self._obey(link, command, receive)
                pending = pending[-64:]

        await self._lines.open(serve)
        options: dict[str, Any] = {"interface": "slcan", "settings": {"sleep_after_open": 0}}
        if self._lines.path:
            return options | {"path": self._lines.path}
        return options | {"channel": f"socket://{self._lines.host}:{self._lines.port}"}

    async def _obey(self, link: Link, command: bytes, receive: Receive) -> None:
        kind = command[:1]
        if kind in (b"O", b"L"):
            self._is_open = True
        elif kind == b"C":
            self._is_open = False
        elif kind in (b"t", b"T"):
            frame = _of_slcan(command.decode("ascii", "replace"))
            if frame is not None:
                receive(frame)
        await link.write(b"\r")

    async def send(self, frame: CanFrame, *, time: int, garbled: bool) -> None:
        """Send a frame; spoilt, its length is no digit."""
        del time
        if not self._is_open:
            return
        name = f"T{frame.identifier:08X}" if frame.extended else f"t{frame.identifier:03X}"
        length = "z" if garbled else str(len(frame.data))
        await self._lines.write(f"{name}{length}{frame.data.hex().upper()}\r".encode())

    async def close(self) -> None:
        """Close it."""
        self._is_open = False
        await self._lines.close()


def _of_slcan(command: str) -> CanFrame | None:
    digits = 8 if command[:1] == "T" else 3
    try:
        identifier, length = int(command[1 : 1 + digits], 16), int(command[1 + digits])
        data = bytes.fromhex(command[2 + digits : 2 + digits + 2 * length])
    except (ValueError, IndexError):
        return None
    return CanFrame(identifier, data, digits == 8) if len(data) == length <= 8 else None


class TextPort:
    """A gateway that prints every frame as a line (Yacht Devices RAW) to whoever dials; meets `CanPort`."""

    def __init__(self, *, host: str = "127.0.0.1", port: int = 0, path: str = "") -> None:
        self._lines = _Lines(host, port, path)

    async def open(self, receive: Receive) -> Mapping[str, Any]:
        """Open it and return the driver's options."""
        del receive  # nobody is asked anything here

        async def serve(link: Link) -> None:
            while True:
                await link.read()

        await self._lines.open(serve)
        if self._lines.path:
            return {"link": "serial", "path": self._lines.path}
        return {"link": "tcp", "host": self._lines.host, "port": self._lines.port}

    async def send(self, frame: CanFrame, *, time: int, garbled: bool) -> None:
        """Print a frame; spoilt, one digit of its identifier is none."""
        of_day = time // 1000 % 86_400_000
        stamp = f"{of_day // 3_600_000:02d}:{of_day // 60_000 % 60:02d}:{of_day // 1000 % 60:02d}.{of_day % 1000:03d}"
        line = line_of(frame, stamp)
        await self._lines.write(line.replace(b" R ", b" R z", 1) if garbled else line)

    async def close(self) -> None:
        """Close it."""
        await self._lines.close()


class BusPort:
    """An interface of python-can: ``virtual`` in one process, ``udp_multicast`` or ``socketcan`` between several."""

    def __init__(self, *, interface: str, channel: str, settings: Mapping[str, Any] | None = None) -> None:
        self._interface, self._channel, self._settings = interface, channel, dict(settings or {})
        self._link: CanLink | None = None
        self._task: asyncio.Task[None] | None = None

    async def open(self, receive: Receive) -> Mapping[str, Any]:
        """Open it and return the driver's options."""
        self._link = await open_can(self._interface, self._channel, settings=self._settings)
        self._task = asyncio.create_task(self._listen(self._link, receive))
        options: dict[str, Any] = {"interface": self._interface, "channel": self._channel}
        return options | ({"settings": self._settings} if self._settings else {})

    async def _listen(self, link: CanLink, receive: Receive) -> None:
        with contextlib.suppress(LinkError):
            while True:
                for frame in (await link.read(1.0)).frames:
                    receive(frame)

    async def send(self, frame: CanFrame, *, time: int, garbled: bool) -> None:
        """Send a frame; spoilt, a remote request in its place: no value comes of either."""
        del time
        if self._link is not None:
            with contextlib.suppress(LinkError):
                await self._link.send(
                    CanFrame(frame.identifier, b"", frame.extended, remote=True) if garbled else frame
                )

    async def close(self) -> None:
        """Close it."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._link is not None:
            await self._link.close()
        self._link, self._task = None, None
