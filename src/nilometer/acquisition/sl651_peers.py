"""A UDP port as links: one to each station that sends to it, so that a session serves it as it does a connection."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from nilometer.acquisition.links.link import READ_MOST
from nilometer.acquisition.links.udp import UdpLink
from nilometer.errors import LinkError

__all__ = ["PeerLink", "serve_peers"]

_MOST_WAITING = 64


class PeerLink:
    """What one peer sends and is sent; meets `Link`."""

    def __init__(self, socket: UdpLink, peer: tuple[str, int]) -> None:
        self.name = f"udp://{peer[0]}:{peer[1]}"
        self._socket, self._peer = socket, peer
        self._queue: asyncio.Queue[bytes] = asyncio.Queue(_MOST_WAITING)

    def put(self, data: bytes) -> None:
        """Take a datagram of the peer; one too many is dropped, as the network would."""
        with contextlib.suppress(asyncio.QueueFull):
            self._queue.put_nowait(data)

    async def read(self, most: int = READ_MOST) -> bytes:
        """Return the next datagram."""
        return (await self._queue.get())[:most]

    async def write(self, data: bytes) -> None:
        """Send a datagram."""
        self._socket.send(data, self._peer)

    async def close(self) -> None:
        """Do nothing: the port is everybody's."""


async def serve_peers(socket: UdpLink, serve: Callable[[PeerLink], Awaitable[None]], *, most: int) -> None:
    """Serve every peer of a UDP port until cancelled.

    Parameters
    ----------
    socket : UdpLink
        The port; closed by the caller.
    serve : callable
        Serves one peer; it ends with LinkError when the peer is silent for very long.
    most : int
        How many peers at a time; datagrams of others are dropped meanwhile.

    Raises
    ------
    LinkError
        If the port is lost.
    """
    links: dict[tuple[str, int], PeerLink] = {}
    tasks: set[asyncio.Task[None]] = set()

    async def attend(peer: tuple[str, int], link: PeerLink) -> None:
        try:
            with contextlib.suppress(LinkError):
                await serve(link)
        finally:
            links.pop(peer, None)

    try:
        while True:
            data, peer = await socket.receive()
            link = links.get(peer)
            if link is None:
                if len(links) >= most:
                    continue
                link = links[peer] = PeerLink(socket, peer)
                task = asyncio.create_task(attend(peer, link))
                tasks.add(task)
                task.add_done_callback(tasks.discard)
            link.put(data)
    finally:
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
