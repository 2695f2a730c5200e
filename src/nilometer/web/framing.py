"""How much a connection may send that is no body: heads, trailers and extensions of chunks, which the parser holds.

Bodies have limits of their own (`exchange`); so has the time that a head may take (`waiting`).
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

__all__ = ["MOST_BYTES", "BoundedFraming"]

MOST_BYTES = 128 << 10
"""Bytes without one of a body among them: of a head, or between, within and behind the chunks of a body."""

_TOO_LARGE = (
    b'{"error":{"code":"too_large","message":"the head of the request is larger than %d bytes","place":"headers"}}'
)
# h11, the parser where httptools is not built, keeps such a limit itself, and tells of no bodies.
_TELLS_OF_BODIES = hasattr(AutoHTTPProtocol, "on_body")

if TYPE_CHECKING:

    class _Protocol(asyncio.Protocol):
        """Whichever of uvicorn's two HTTP protocols is there."""

        transport: asyncio.Transport
        cycle: Any

        def __init__(self, *args: object, **kwargs: object) -> None: ...

        def on_body(self, body: bytes) -> None: ...
else:
    _Protocol = AutoHTTPProtocol


class BoundedFraming(_Protocol):
    """Uvicorn's protocol, that ends a connection whose head or trailer does not end."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self._unframed = 0
        self._last_cycle: Any = None

    def data_received(self, data: bytes) -> None:
        """Count what came, until a head is whole or there is some body."""
        self._unframed += len(data)
        super().data_received(data)
        if self.cycle is not self._last_cycle:
            self._last_cycle, self._unframed = self.cycle, 0
        elif self._unframed > MOST_BYTES and _TELLS_OF_BODIES and not self.transport.is_closing():
            self._refuse()

    if _TELLS_OF_BODIES:

        def on_body(self, body: bytes) -> None:
            """Begin to count anew."""
            self._unframed = 0
            super().on_body(body)

    def _refuse(self) -> None:
        if self.cycle is None or self.cycle.response_complete:
            told = _TOO_LARGE % MOST_BYTES
            self.transport.write(
                b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-type: application/json\r\n"
                b"connection: close\r\ncontent-length: %d\r\n\r\n%s" % (len(told), told)
            )
        self.transport.close()
