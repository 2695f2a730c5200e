"""UDP: datagrams in, with their sender; what is not read in time is shed, and counted."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from typing import Any

from nilometer.errors import LinkError

__all__ = ["UdpLink", "bind"]

Peer = tuple[str, int]


class _Receiver(asyncio.DatagramProtocol):
    def __init__(self, most: int) -> None:
        self.queue: deque[tuple[bytes, Peer]] = deque(maxlen=most)
        self.arrived = asyncio.Event()
        self.shed = 0
        self.ended: Exception | None = None

    def datagram_received(self, data: bytes, addr: Any) -> None:  # noqa: ANN401 -- asyncio's own word
        if len(self.queue) == self.queue.maxlen:
            self.shed += 1
        self.queue.append((data, (addr[0], addr[1])))
        self.arrived.set()

    def connection_lost(self, exc: Exception | None) -> None:
        self.ended = exc or ConnectionError("closed")
        self.arrived.set()


class UdpLink:
    """A bound UDP socket; `shed` counts datagrams dropped, oldest first, because nobody read them."""

    def __init__(self, transport: asyncio.DatagramTransport, receiver: _Receiver, name: str) -> None:
        self.name = name
        self._transport, self._receiver = transport, receiver

    @property
    def port(self) -> int:
        """Return the port, also where 0 was asked for."""
        return int(self._transport.get_extra_info("sockname")[1])

    @property
    def shed(self) -> int:
        """Return how many datagrams were dropped unread."""
        return self._receiver.shed

    async def receive(self) -> tuple[bytes, Peer]:
        """Return the next datagram and its sender.

        Raises
        ------
        LinkError
            If the socket was closed.
        """
        while not self._receiver.queue:
            if self._receiver.ended is not None:
                raise LinkError(f"socket closed: {self._receiver.ended}", link=self.name)
            self._receiver.arrived.clear()
            await self._receiver.arrived.wait()
        return self._receiver.queue.popleft()

    def send(self, data: bytes, peer: Peer) -> None:
        """Send one datagram."""
        self._transport.sendto(data, peer)

    async def close(self) -> None:
        """Close the socket."""
        self._transport.close()
        await asyncio.sleep(0)


async def bind(host: str, port: int, *, most_waiting: int = 4096) -> UdpLink:
    """Open a UDP socket.

    Parameters
    ----------
    host, port : str, int
        Where to listen; port 0 takes a free one.
    most_waiting : int
        How many unread datagrams are kept; the oldest are shed beyond that.

    Raises
    ------
    LinkError
        If the port is in use or may not be opened.
    """
    loop = asyncio.get_running_loop()
    try:
        opened = await _bound(loop, host, port)
    except OSError as error:
        raise LinkError(f"cannot bind: {error.strerror or error}", link=f"udp://{host}:{port}") from error
    try:
        transport, receiver = await loop.create_datagram_endpoint(lambda: _Receiver(most_waiting), sock=opened)
    except BaseException:
        opened.close()
        raise
    bound = transport.get_extra_info("sockname")[1]
    return UdpLink(transport, receiver, f"udp://{host}:{bound}")


async def _bound(loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
    """Return a socket of our own making: uvloop would let a second one bind the port and take the datagrams."""
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    family, kind, protocol, _, address = found[0]
    opened = socket.socket(family, kind, protocol)
    try:
        opened.setblocking(False)  # noqa: FBT003 -- as the standard library has it
        opened.bind(address)
    except BaseException:
        opened.close()
        raise
    return opened
