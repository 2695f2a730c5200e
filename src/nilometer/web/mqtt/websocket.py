"""MQTT over WebSocket, for browsers, which have no TCP, and for whoever has one port (clause 6 of MQTT 3.1.1 and 5.0).

The HTTP server hands a connection over where a client asks for the upgrade. From then on frames are opened here, and
what is in them goes to the `Connection` that a client over TCP has: greeting, limits and topics are one code.
"""

from __future__ import annotations

import asyncio
import binascii
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, NamedTuple, Protocol, cast
from urllib.parse import unquote

import h11

from nilometer.errors import FrameError, NilometerError, NotAuthorized, NotFound, RequestError
from nilometer.web.exchange import encode_json
from nilometer.web.mqtt.connection import STOPPING, Connection
from nilometer.web.mqtt.frames import (
    ClientFrames,
    Close,
    Ping,
    TextFrameError,
    accept_key,
    close_frame,
    message_frame,
    pong_frame,
)
from nilometer.web.origins import Origins
from nilometer.web.rates import address_of
from nilometer.web.statuses import error_document, status_of

__all__ = ["PATH", "Entrance", "WebSocket"]

PATH = "/mqtt"
CLOSING_S = 1.0
"""How long a client may take to answer that the connection ends."""
NORMAL, PROTOCOL_ERROR, UNSUPPORTED_DATA = 1000, 1002, 1003
_SUBPROTOCOL, _VERSION = "mqtt", "13"


class Entrance(NamedTuple):
    """What is behind the door, and whose pages may pass it."""

    connect: Callable[[], Connection]
    origins: Origins


class ServerState(Protocol):
    """What uvicorn knows of its connections: it has them end when it ends."""

    connections: set[Any]


class WebSocket(asyncio.Protocol):
    """One client's connection from its upgrade on.

    Parameters
    ----------
    entrance : Entrance
        What it leads to.
    server_state : ServerState
        Uvicorn's; what else uvicorn gives is not needed.
    """

    def __init__(self, entrance: Entrance, *, server_state: ServerState, **_: object) -> None:
        self._entrance, self._all = entrance, server_state.connections
        self._frames = ClientFrames()
        self._connection: Connection | None = None
        self._transport: asyncio.Transport
        self._end: asyncio.TimerHandle | None = None
        self.is_closing = self._is_unread = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over what HTTP wrote to."""
        self._transport = cast("asyncio.Transport", transport)
        self._all.add(self)

    def data_received(self, data: bytes) -> None:
        """Take the head of the request, then frames."""
        if self._connection is None:
            self._greet(data)
            return
        try:
            for part in self._frames.feed(data):
                self._take(part, self._connection)
        except FrameError as error:
            # What follows cannot be read, not even a goodbye (7.1.7).
            self._part(UNSUPPORTED_DATA if isinstance(error, TextFrameError) else PROTOCOL_ERROR)

    def connection_lost(self, error: Exception | None) -> None:
        """Tell MQTT that the client is gone."""
        self._all.discard(self)
        if self._end is not None:
            self._end.cancel()
        if self._connection is not None:
            self._connection.connection_lost(error)

    def pause_writing(self) -> None:
        """Take notice that the client does not read."""
        self._is_unread = True
        if self._connection is not None:
            self._connection.pause_writing()

    def resume_writing(self) -> None:
        """Go on."""
        self._is_unread = False
        if self._connection is not None:
            self._connection.resume_writing()

    def shutdown(self) -> None:
        """End, as the server does."""
        if self._connection is None:
            self._transport.close()
        else:
            self._connection.close(STOPPING, "the server ends")

    def close(self, code: int = NORMAL) -> None:
        """Say that the connection ends, and end it when the client says so too, or does not (7.1.1)."""
        if self.is_closing:
            return
        self.is_closing = True
        self._transport.write(close_frame(code))
        self._end = asyncio.get_running_loop().call_later(CLOSING_S, self._transport.close)

    def _take(self, part: bytes | Ping | Close, connection: Connection) -> None:
        match part:
            case Ping(payload):
                # Of pings that follow upon another the last alone needs an answer (5.5.3).
                if not self.is_closing and not self._is_unread:
                    self._transport.write(pong_frame(payload))
            case Close(code):
                self._part(code)
            case _:
                if not self.is_closing:
                    connection.data_received(part)

    def _part(self, code: int) -> None:
        if not self.is_closing:
            self.is_closing = True
            self._transport.write(close_frame(code))
        self._transport.close()

    def _greet(self, head: bytes) -> None:
        try:
            request = _request(head)
            key = self._admitted(request)
        except NilometerError as error:
            self._refuse(error)
            return
        told = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Accept": accept_key(key).decode(),
            "Sec-WebSocket-Protocol": _SUBPROTOCOL,
        }
        self._transport.write(_head(HTTPStatus.SWITCHING_PROTOCOLS, told))
        peer = str((self._transport.get_extra_info("peername") or ("",))[0])
        address = address_of(peer, request.headers.get("x-forwarded-for", ""))
        self._connection = self._entrance.connect()
        self._connection.connection_made(_Messages(self, self._transport, address))

    def _admitted(self, request: _Request) -> bytes:
        """Return the client's key, if it may enter."""
        if request.path != PATH:
            raise NotFound(f"there is a WebSocket at {PATH} alone, for MQTT")
        headers = request.headers
        origin = headers.get("origin", "")
        # No browser asks before it opens a WebSocket, so that any page could, from inside the network.
        if not self._entrance.origins.may_write(origin, headers.get("host", "")):
            raise NotAuthorized(
                f"a page of {origin[:100]} may not use MQTT here, unless server.origins names it", place="origin"
            )
        if request.method != "GET" or headers.get("sec-websocket-version") != _VERSION:
            raise RequestError(f"a WebSocket is asked for with GET and version {_VERSION}", place="headers")
        offered = [one.strip() for one in headers.get("sec-websocket-protocol", "").split(",")]
        if _SUBPROTOCOL not in offered:
            raise RequestError(
                f"the client has to offer the subprotocol {_SUBPROTOCOL!r}", place="sec-websocket-protocol"
            )
        key = headers.get("sec-websocket-key", "").encode()
        try:
            n = len(binascii.a2b_base64(key, strict_mode=True))
        except binascii.Error:
            n = 0
        if n != 16:
            raise RequestError("16 bytes in base64 are a key", place="sec-websocket-key")
        return key

    def _refuse(self, error: NilometerError) -> None:
        body = encode_json(error_document(error))
        told = {
            "content-type": "application/json",
            "content-length": str(len(body)),
            "connection": "close",
            "sec-websocket-version": _VERSION,
        }
        self._transport.write(_head(status_of(error), told) + body)
        self._transport.close()


class _Messages(asyncio.Transport):
    """What MQTT writes to: each write is a message."""

    def __init__(self, socket: WebSocket, transport: asyncio.Transport, address: str) -> None:
        super().__init__({"peername": (address, 0)})
        self._socket, self._transport = socket, transport

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._transport.write(message_frame(bytes(data)))

    def close(self) -> None:
        self._socket.close()

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._socket.is_closing or self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._transport.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size()


class _Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]


def _request(head: bytes) -> _Request:
    """Return what was asked for, out of what uvicorn wrote down of it."""
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(head)
    try:
        event = reader.next_event()
    except h11.RemoteProtocolError as error:
        raise RequestError(str(error), place="headers") from error
    if not isinstance(event, h11.Request):
        raise RequestError("the head of the request is not whole", place="headers")
    # Of a header that comes twice the first counts, as in `Exchange`.
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(list(event.headers))}
    path = unquote(event.target.decode("latin-1").partition("?")[0])
    return _Request(event.method.decode("latin-1"), path, headers)


def _head(status: HTTPStatus, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join((*lines, "", "")).encode("latin-1")
