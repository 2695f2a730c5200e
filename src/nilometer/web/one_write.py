"""HTTP connections whose answers leave in one piece: their head is held until what follows it.

The server writes the head of an answer and its body apart, and each write to a socket is a call of the system, a packet
and a turn of the client's.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

__all__ = ["OneWriteProtocol"]

_HEAD = b"HTTP/1.1 "


class OneWriteTransport:
    """A transport that joins the head of an answer to what is written next in the same turn of the loop.

    Nothing else waits, so what the transport says of its buffer stays true.

    Parameters
    ----------
    transport : asyncio.Transport
        Where the bytes go, and what answers everything else.
    loop : asyncio.AbstractEventLoop
        Lets a head go alone where nothing followed it.
    """

    __slots__ = ("_held", "_loop", "_transport", "is_closing", "write_through")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._held = b""
        self.is_closing, self.write_through = transport.is_closing, transport.write

    def write(self, data: bytes) -> None:
        """Send bytes, at the latest when the loop comes round."""
        if self._held:
            held, self._held = self._held, b""
            self.write_through(held + data)
        elif data.startswith(_HEAD):
            self._held = data
            self._loop.call_soon(self.flush)
        else:
            self.write_through(data)

    def flush(self) -> None:
        """Send what is held."""
        if self._held:
            held, self._held = self._held, b""
            self.write_through(held)

    def close(self) -> None:
        """Send what is held, then close."""
        self.flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 -- whatever the transport has
        return getattr(self._transport, name)


class OneWriteProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]
    """Uvicorn's protocol, over such a transport."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin."""
        super().connection_made(OneWriteTransport(transport, self.loop))
