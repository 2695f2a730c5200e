"""Serial links (RS-232, RS-485, a pty) through pyserial, driven by the event loop; POSIX. Remote ports by their URL."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Literal
from urllib.parse import urlsplit

import serial

from nilometer.acquisition.links.link import READ_MOST
from nilometer.acquisition.links.serial_url import UrlLink, open_url
from nilometer.acquisition.links.tcp import TcpLink, connect
from nilometer.errors import LinkError

__all__ = ["Parity", "SerialLink", "open_port"]

Parity = Literal["N", "E", "O", "M", "S"]

WRITE_TIMEOUT_S = 10.0


class SerialLink:
    """An open serial port; meets `Link`."""

    def __init__(self, port: serial.Serial, name: str) -> None:
        self.name = name
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._closed = False

    async def read(self, most: int = READ_MOST) -> bytes:
        """Return the bytes that are there, at least one; LinkError when the port is unplugged or closed."""
        while True:
            data = self._read_now(most)
            if data:
                return data
            await self._ready(self._loop.add_reader, self._loop.remove_reader)

    def _read_now(self, most: int) -> bytes:
        if self._closed:
            raise LinkError("the port is closed", link=self.name)
        try:
            return bytes(self._port.read(most))
        except (serial.SerialException, OSError, TypeError) as error:
            # pyserial fails with TypeError when the port is closed under it.
            raise LinkError(f"port lost: {error}", link=self.name) from error

    async def write(self, data: bytes) -> None:
        """Send bytes; LinkError when the port is unplugged or takes nothing for ten seconds."""
        rest = memoryview(data)
        try:
            async with asyncio.timeout(WRITE_TIMEOUT_S):
                while rest:
                    rest = rest[self._write_now(rest) :]
                    if rest:
                        await self._ready(self._loop.add_writer, self._loop.remove_writer)
        except TimeoutError as error:
            raise LinkError("the port takes no bytes", link=self.name) from error

    def _write_now(self, data: memoryview) -> int:
        if self._closed:
            raise LinkError("the port is closed", link=self.name)
        try:
            return int(self._port.write(data) or 0)
        except serial.SerialTimeoutException:
            return 0
        except (serial.SerialException, OSError, TypeError) as error:
            raise LinkError(f"port lost: {error}", link=self.name) from error

    async def send_break(self, duration_s: float) -> None:
        """Hold the line at space for at least a time, s; LinkError when the port is unplugged or closed."""
        if self._closed:
            raise LinkError("the port is closed", link=self.name)
        try:
            self._port.break_condition = True
            try:
                await asyncio.sleep(duration_s)
            finally:
                if self._port.is_open:
                    self._port.break_condition = False
        except (serial.SerialException, OSError, TypeError) as error:
            raise LinkError(f"port lost: {error}", link=self.name) from error

    async def _ready(self, add: Callable[[int, Callable[[], None]], None], remove: Callable[[int], bool]) -> None:
        descriptor = self._port.fileno()
        ready: asyncio.Future[None] = self._loop.create_future()

        def wake() -> None:
            if not ready.done():
                ready.set_result(None)

        add(descriptor, wake)
        try:
            await ready
        finally:
            remove(descriptor)

    async def close(self) -> None:
        """Close the port."""
        if self._closed:
            return
        self._closed = True
        with contextlib.suppress(serial.SerialException, OSError):
            self._port.close()


async def open_port(
    path: str,
    *,
    baud: int = 9600,
    data_bits: int = 8,
    parity: Parity = "N",
    stop_bits: float = 1,
    exclusive: bool = True,
) -> SerialLink | UrlLink | TcpLink:
    """Open a serial port, here or elsewhere.

    Parameters
    ----------
    path : str
        Such as ``/dev/ttyUSB0``, or the name of a pty; ``rfc2217://HOST:PORT``, a device server that sets its line as
        it is told; ``socket://HOST:PORT``, one that passes bytes and whose line is set by itself.
    baud, data_bits, parity, stop_bits : int, int, str, float
        How the line is set.
    exclusive : bool
        Refuse a port that another program holds.

    Raises
    ------
    LinkError
        If the port does not exist, may not be opened, or cannot be set so.
    """
    if path.startswith("socket://"):
        return await connect(*_address(path))
    if path.startswith("rfc2217://"):
        _address(path)
        return await open_url(path, baudrate=baud, bytesize=data_bits, parity=parity, stopbits=stop_bits)
    name = f"serial://{path}"
    try:
        port = serial.Serial(
            port=path,
            baudrate=baud,
            bytesize=data_bits,
            parity=parity,
            stopbits=stop_bits,
            timeout=0,
            write_timeout=0,
            exclusive=exclusive,
        )
    except (serial.SerialException, OSError, ValueError) as error:
        raise LinkError(f"cannot open: {error}", link=name) from error
    return SerialLink(port, name)


def _address(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or not port:
        raise LinkError("cannot open: it must name HOST:PORT", link=url)
    return host, port
