"""MQTT over WebSocket, for browsers, which have no TCP, and for whoever has one port (clause 6 of MQTT 3.1.1 and 5.0).

The HTTP server hands a connection over where a client asks for the upgrade. From then on frames are opened here, and
what is in them goes to the `Connection` that a client over TCP has: greeting, limits and topics are one code.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol, cast
from urllib.parse import unquote

from wsproto import ConnectionType, WSConnection
from wsproto.connection import ConnectionState
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import RemoteProtocolError

from nilometer.errors import NilometerError, NotAuthorized, NotFound, RequestError
from nilometer.web.exchange import encode_json
from nilometer.web.mqtt.connection import STOPPING, Connection
from nilometer.web.origins import Origins
from nilometer.web.rates import address_of
from nilometer.web.statuses import error_document, status_of

__all__ = ["PATH", "Entrance", "WebSocket"]

PATH = "/mqtt"
CLOSING_S = 1.0
"""How long a client may take to answer that the connection ends."""
_SUBPROTOCOL, _VERSION = "mqtt", b"13"


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
        self._protocol = WSConnection(ConnectionType.SERVER)
        self._connection: Connection | None = None
        self._transport: asyncio.Transport
        self._end: asyncio.TimerHandle | None = None
        self._is_unread = False

    @property
    def is_open(self) -> bool:
        """Whether neither end said that it parts."""
        return self._protocol.state is ConnectionState.OPEN

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take over what HTTP wrote to."""
        self._transport = cast("asyncio.Transport", transport)
        self._all.add(self)

    def data_received(self, data: bytes) -> None:
        """Take the head of the request, then frames."""
        if self._connection is None:
            self._greet(data)
            return
        self._protocol.receive_data(data)
        for event in self._protocol.events():
            self._take(event, self._connection)

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

    def send(self, event: Event) -> None:
        """Write what goes to the client."""
        self._transport.write(self._protocol.send(event))

    def close(self) -> None:
        """Say that the connection ends, and end it when the client says so too, or does not (7.1.1)."""
        if self.is_open:
            self.send(CloseConnection(CloseReason.NORMAL_CLOSURE))
            self._end = asyncio.get_running_loop().call_later(CLOSING_S, self._transport.close)

    def _take(self, event: Event, connection: Connection) -> None:
        match event:
            case BytesMessage(data=data) if self.is_open:
                # A piece of a message, as it came: where one begins and ends means nothing to MQTT (its 6.0).
                connection.data_received(bytes(data))
            case Ping() if self.is_open and not self._is_unread:
                # Of pings that follow upon another the last alone needs an answer (5.5.3).
                self.send(event.response())
            case TextMessage():
                self._part(CloseConnection(CloseReason.UNSUPPORTED_DATA, "MQTT's messages are binary, this is text"))
            case CloseConnection():
                # The client's, or what the library has to say of frames that break a rule.
                self._part(event.response())

    def _part(self, goodbye: CloseConnection) -> None:
        if self._protocol.state in {ConnectionState.OPEN, ConnectionState.REMOTE_CLOSING}:
            self.send(goodbye)
        self._transport.close()

    def _greet(self, head: bytes) -> None:
        try:
            request = self._admitted(head)
        except NilometerError as error:
            self._refuse(error)
            return
        self.send(AcceptConnection(subprotocol=_SUBPROTOCOL))
        peer = str((self._transport.get_extra_info("peername") or ("",))[0])
        address = address_of(peer, _header(request, b"x-forwarded-for"))
        self._connection = self._entrance.connect()
        self._connection.connection_made(_Messages(self, self._transport, address))

    def _admitted(self, head: bytes) -> Request:
        """Return what the client asks for, if it may enter."""
        try:
            self._protocol.receive_data(head)
            request = cast("Request", next(self._protocol.events()))
            host = request.host.encode("idna").decode()
        except (RemoteProtocolError, UnicodeError) as error:
            raise RequestError(f"this asks for no WebSocket of version 13: {error}", place="headers") from error
        if unquote(request.target.partition("?")[0]) != PATH:
            raise NotFound(f"there is a WebSocket at {PATH} alone, for MQTT")
        origin = _header(request, b"origin")
        # No browser asks before it opens a WebSocket, so that any page could, from inside the network.
        if not self._entrance.origins.may_write(origin, host):
            raise NotAuthorized(
                f"a page of {origin[:100]} may not use MQTT here, unless server.origins names it", place="origin"
            )
        if _SUBPROTOCOL not in request.subprotocols:
            raise RequestError(
                f"the client has to offer the subprotocol {_SUBPROTOCOL!r}", place="sec-websocket-protocol"
            )
        return request

    def _refuse(self, error: NilometerError) -> None:
        body = encode_json(error_document(error))
        told = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
            (b"sec-websocket-version", _VERSION),
        ]
        self.send(RejectConnection(status_code=status_of(error), headers=told, has_body=True))
        self.send(RejectData(data=body))
        self._transport.close()


class _Messages(asyncio.Transport):
    """What MQTT writes to: each write is a message."""

    def __init__(self, socket: WebSocket, transport: asyncio.Transport, address: str) -> None:
        super().__init__({"peername": (address, 0)})
        self._socket, self._transport = socket, transport

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self._socket.send(BytesMessage(bytes(data)))

    def close(self) -> None:
        self._socket.close()

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return not self._socket.is_open or self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._transport.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._transport.get_write_buffer_size()


def _header(request: Request, name: bytes) -> str:
    """Return a header, of one that comes twice the first, as `Exchange` does; empty: there is none."""
    return next((value.decode("latin-1") for key, value in request.extra_headers if key == name), "")
