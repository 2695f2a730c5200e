"""How long a connection may take to say what it wants: a head that never ends holds a socket.

Bodies have limits of their own (`exchange`), and so have answers that nobody takes (`sensorthings.answers.sending`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

__all__ = ["HEAD_S", "HeadInTime"]

HEAD_S = 20.0
"""How long the head of a request may take: its first line and its headers."""

_TOO_LATE = (
    b'{"error":{"code":"request_error","message":"the head of the request did not come in time","place":"headers"}}'
)
_ANSWER = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/json\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%s" % (len(_TOO_LATE), _TOO_LATE)
)

if TYPE_CHECKING:

    class _Protocol(asyncio.Protocol):
        """Whichever of uvicorn's two HTTP protocols is there."""

        transport: asyncio.Transport
        cycle: Any

        def __init__(self, *args: object, **kwargs: object) -> None: ...
else:
    _Protocol = AutoHTTPProtocol


class HeadInTime(_Protocol):
    """Uvicorn's protocol, that gives up a connection whose next request does not begin in time."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._waiting: asyncio.TimerHandle | None = None
        self._served: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to wait."""
        super().connection_made(transport)
        self._wait()

    def data_received(self, data: bytes) -> None:
        """Wait no longer once a head is whole, and anew where the next one begins."""
        super().data_received(data)
        if self.transport.get_protocol() is not self:
            # It is a WebSocket's from here on.
            self._stop_waiting()
        elif self.cycle is not self._served:
            self._served = self.cycle
            self._stop_waiting()
        elif self._waiting is None and (self.cycle is None or self.cycle.response_complete):
            self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def _wait(self) -> None:
        self._waiting = asyncio.get_running_loop().call_later(HEAD_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def _give_up(self) -> None:
        self._waiting = None
        if not self.transport.is_closing():
            self.transport.write(_ANSWER)
            self.transport.close()
