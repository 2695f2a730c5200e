"""A serial port that is elsewhere: ``rfc2217://HOST:PORT`` (a device server that sets its line as it is told).

pyserial speaks the protocol, blocking; a thread of its own reads, so that a wait that is given up loses no byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import Any

import serial

from nilometer.acquisition.links.link import READ_MOST
from nilometer.errors import LinkError

__all__ = ["UrlLink", "open_url"]

LOOK_S = 0.2
MOST_WAITING = 4 * 1024 * 1024
# pyserial fails in these ways, and with TypeError or ValueError when the socket is closed under it.
_FAILURES = (serial.SerialException, OSError, TypeError, ValueError, AttributeError)


class UrlLink:
    """An open remote port; meets `Link`."""

    def __init__(self, port: Any, name: str) -> None:  # noqa: ANN401 -- pyserial has no types
        self.name = name
        self._port = port
        self._loop = asyncio.get_running_loop()
        self._waiting = bytearray()
        self._arrived = asyncio.Event()
        self._lost = ""
        self._closed = threading.Event()
        threading.Thread(target=self._pump, name=name, daemon=True).start()

    def _pump(self) -> None:
        why = "the port is closed"
        try:
            while not self._closed.is_set():
                data = bytes(self._port.read(max(1, self._port.in_waiting)))
                if data:
                    self._loop.call_soon_threadsafe(self._take, data)
        except _FAILURES as error:
            why = f"port lost: {error}"
        except RuntimeError:
            return  # The event loop has ended.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._end, why)

    def _take(self, data: bytes) -> None:
        self._waiting += data
        # Who does not read what a line says can only lose it: the far end has no brakes.
        del self._waiting[: max(0, len(self._waiting) - MOST_WAITING)]
        self._arrived.set()

    def _end(self, why: str) -> None:
        self._lost = why
        self._arrived.set()

    async def read(self, most: int = READ_MOST) -> bytes:
        """Return the bytes that are there, at least one; LinkError when the connection is lost or closed."""
        while not self._waiting:
            if self._lost or self._closed.is_set():
                raise LinkError(self._lost or "the port is closed", link=self.name)
            self._arrived.clear()
            await self._arrived.wait()
        data = bytes(self._waiting[:most])
        del self._waiting[:most]
        return data

    async def write(self, data: bytes) -> None:
        """Send bytes; LinkError when the connection is lost."""
        if self._lost or self._closed.is_set():
            raise LinkError(self._lost or "the port is closed", link=self.name)
        try:
            await asyncio.to_thread(self._port.write, data)
        except _FAILURES as error:
            raise LinkError(f"port lost: {error}", link=self.name) from error

    async def send_break(self, duration_s: float) -> None:
        """Hold the line at space for at least a time, s; LinkError when the connection is lost."""
        try:
            await asyncio.to_thread(setattr, self._port, "break_condition", True)  # noqa: FBT003 -- pyserial's own
            await asyncio.sleep(duration_s)
            await asyncio.to_thread(setattr, self._port, "break_condition", False)  # noqa: FBT003 -- the same
        except _FAILURES as error:
            raise LinkError(f"port lost: {error}", link=self.name) from error

    async def close(self) -> None:
        """Close the port."""
        if self._closed.is_set():
            return
        self._closed.set()
        self._arrived.set()
        with contextlib.suppress(*_FAILURES):
            await asyncio.to_thread(self._port.close)


async def open_url(url: str, **settings: Any) -> UrlLink:  # noqa: ANN401 -- as pyserial takes them
    """Open a remote port.

    Parameters
    ----------
    url : str
        ``rfc2217://HOST:PORT``.
    **settings
        ``baudrate``, ``bytesize``, ``parity``, ``stopbits``, as pyserial names them.

    Raises
    ------
    LinkError
        If nobody answers there, or it does not speak RFC 2217, or cannot set its line so.
    """

    def opened() -> Any:  # noqa: ANN401 -- pyserial has no types
        return serial.serial_for_url(url, timeout=LOOK_S, **settings)

    try:
        return UrlLink(await asyncio.to_thread(opened), url)
    except _FAILURES as error:
        raise LinkError(f"cannot open: {error}", link=url) from error
