"""What every stream of bytes can do, whichever wire carries it; a protocol never asks which one it is."""

from __future__ import annotations

import asyncio
from typing import Protocol

from nilometer.errors import LinkTimeout

__all__ = ["Link", "discard_pending", "read_within"]

READ_MOST = 65536


class Link(Protocol):
    """A connected stream of bytes, both ways; used by one task at a time.

    `name` is for people and messages, such as ``tcp://127.0.0.1:502``.
    """

    name: str

    async def read(self, most: int = READ_MOST) -> bytes:
        """Return the bytes that are there, at least one, waiting until there is one.

        Raises
        ------
        LinkError
            If the link is cut; the peer's orderly end is a cut too.
        """

    async def write(self, data: bytes) -> None:
        """Send bytes, waiting while the peer takes none.

        Raises
        ------
        LinkError
            If the link is cut.
        """

    async def close(self) -> None:
        """Close the link; harmless when it is closed already."""


async def read_within(link: Link, timeout_s: float, most: int = READ_MOST) -> bytes:
    """Return the bytes that come within a time.

    Parameters
    ----------
    link : Link
        Where from.
    timeout_s : float
        How long to wait for the first byte, s.
    most : int
        How many bytes at most.

    Raises
    ------
    LinkTimeout
        If no byte came.
    LinkError
        If the link is cut.
    """
    try:
        async with asyncio.timeout(timeout_s):
            return await link.read(most)
    except TimeoutError:
        raise LinkTimeout(f"no byte within {timeout_s:g} s", link=link.name) from None


async def discard_pending(link: Link) -> bytes:
    """Return, and so throw away, what has arrived unasked: late answers, heartbeats, noise.

    Raises
    ------
    LinkError
        If the link is cut.
    """
    dropped = bytearray()
    while len(dropped) < 16 * READ_MOST:
        try:
            dropped += await read_within(link, 0.0)
        except LinkTimeout:
            break
    return bytes(dropped)
