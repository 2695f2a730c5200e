"""A small HTTP/1.1 listener for devices that can only POST, and their side of it; knows no token and no payload.

Requests on a connection are answered one after the other. Head and body have to come in time and stay within limits, so
that neither a slow nor a greedy peer holds anything for long.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import h11

from nilometer.acquisition.links.tcp import TcpLink
from nilometer.errors import LinkError

__all__ = ["Answer", "Head", "Limits", "post", "serve_http"]

READ_MOST = 65_536
HEAD_BYTES = 16_384
_REASONS = {
    **{200: b"OK", 400: b"Bad Request", 401: b"Unauthorized", 404: b"Not Found", 405: b"Method Not Allowed"},
    **{408: b"Request Timeout", 413: b"Content Too Large", 415: b"Unsupported Media Type", 503: b"Service Unavailable"},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much and how slow: bytes of a body as sent and as unpacked, s for a head, a body, and between requests."""

    body_bytes: int = 1_048_576
    head_s: float = 10.0
    body_s: float = 30.0
    idle_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Head:
    """What stands before a body; names of headers are lower case, of one that comes twice the first counts."""

    method: str
    path: str
    headers: Mapping[str, str]
    peer: str

    @property
    def media_type(self) -> str:
        """Return the body's media type, lower case, without parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a peer is told; `document` goes as JSON."""

    status: int
    document: Mapping[str, Any] = field(default_factory=dict)
    headers: tuple[tuple[str, str], ...] = ()


class _RefusalError(Exception):
    """An answer that ends the connection, for what follows on it cannot be understood."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        super().__init__(answer.status)


async def serve_http(
    link: TcpLink,
    limits: Limits,
    admit: Callable[[Head], Answer | None],
    respond: Callable[[Head, bytes], Awaitable[Answer]],
) -> None:
    """Serve the requests of a connection until it ends.

    Parameters
    ----------
    link : TcpLink
        Just accepted.
    limits : Limits
        See there.
    admit : callable
        Sees the head and refuses, before a byte of the body is taken; None lets it pass.
    respond : coroutine function
        Takes head and whole body, unpacked.

    Raises
    ------
    LinkError
        If the peer hangs up.
    """
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
    wait_s = limits.head_s
    try:
        while True:
            head = await _head(link, connection, wait_s)
            _check(admit(head))
            body = _unpacked(head, await _body(link, connection, head, limits), limits)
            answer = await respond(head, body)
            await _send(link, connection, answer, ends=False)
            if connection.our_state is h11.MUST_CLOSE:
                return
            connection.start_next_cycle()
            wait_s = limits.idle_s
    except _RefusalError as refusal:
        await _send(link, connection, refusal.answer, ends=True)
    except h11.RemoteProtocolError as error:
        status = error.error_status_hint or 400
        await _send(link, connection, Answer(status, {"error": f"no HTTP/1.1: {error}"}), ends=True)
    except h11.LocalProtocolError as error:
        raise LinkError(f"http: {error}", link=link.name) from error


def _check(refused: Answer | None) -> None:
    if refused is not None:
        raise _RefusalError(refused)


async def _next(link: TcpLink, connection: h11.Connection) -> Any:  # noqa: ANN401 -- one of h11's events
    while True:
        event = connection.next_event()
        if event is not h11.NEED_DATA:
            return event
        if connection.they_are_waiting_for_100_continue:
            go_on = connection.send(h11.InformationalResponse(status_code=100, headers=[]))
            await link.write(go_on or b"")
        try:
            connection.receive_data(await link.read(READ_MOST))
        except LinkError:
            connection.receive_data(b"")


async def _head(link: TcpLink, connection: h11.Connection, within_s: float) -> Head:
    try:
        async with asyncio.timeout(within_s):
            event = await _next(link, connection)
    except TimeoutError:
        raise _RefusalError(Answer(408, {"error": f"no request within {within_s:g} s"})) from None
    if not isinstance(event, h11.Request):
        raise LinkError("the peer closed the connection", link=link.name)
    headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(list(event.headers))}
    path = event.target.decode("latin-1").partition("?")[0]
    return Head(event.method.decode("latin-1"), path, headers, link.name)


async def _body(link: TcpLink, connection: h11.Connection, head: Head, limits: Limits) -> bytes:
    announced = head.headers.get("content-length", "0")
    if int(announced[:19]) > limits.body_bytes:
        raise _RefusalError(_too_large(limits))
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_s):
            while True:
                event = await _next(link, connection)
                if isinstance(event, h11.EndOfMessage):
                    return bytes(body)
                if not isinstance(event, h11.Data):
                    raise LinkError("the peer closed the connection", link=link.name)
                body += event.data
                if len(body) > limits.body_bytes:
                    raise _RefusalError(_too_large(limits))
    except TimeoutError:
        raise _RefusalError(Answer(408, {"error": f"the body stopped after {len(body)} bytes"})) from None


def _too_large(limits: Limits) -> Answer:
    return Answer(413, {"error": f"the body is larger than {limits.body_bytes} bytes; send it in parts"})


def _unpacked(head: Head, body: bytes, limits: Limits) -> bytes:
    encoding = head.headers.get("content-encoding", "").strip().lower()
    if encoding in {"", "identity"}:
        return body
    if encoding not in {"gzip", "x-gzip", "deflate"}:
        raise _RefusalError(
            Answer(415, {"error": f"content-encoding {encoding[:40]!r} is not read: gzip, deflate or none"})
        )
    # 32: by its head, gzip or zlib.
    unpacking = zlib.decompressobj(wbits=zlib.MAX_WBITS | 32)
    try:
        plain = unpacking.decompress(body, limits.body_bytes + 1)
    except zlib.error as error:
        raise _RefusalError(Answer(400, {"error": f"content-encoding {encoding}: {error}"})) from None
    if len(plain) > limits.body_bytes:
        raise _RefusalError(_too_large(limits))
    if not unpacking.eof:
        raise _RefusalError(Answer(400, {"error": f"content-encoding {encoding}: the body is cut short"}))
    return plain


async def _send(link: TcpLink, connection: h11.Connection, answer: Answer, *, ends: bool) -> None:
    body = json.dumps(answer.document, ensure_ascii=False).encode()
    headers = [("content-type", "application/json"), ("content-length", str(len(body))), *answer.headers]
    if ends:
        headers.append(("connection", "close"))
    if connection.our_state not in {h11.IDLE, h11.SEND_RESPONSE}:
        return
    head = h11.Response(status_code=answer.status, headers=headers, reason=_REASONS.get(answer.status, b""))
    parts = [connection.send(head), connection.send(h11.Data(data=body)), connection.send(h11.EndOfMessage())]
    await link.write(b"".join(part or b"" for part in parts))
    if ends:
        # A socket closed over unread bytes is reset, and takes the answer along: what still comes is drained.
        with contextlib.suppress(TimeoutError, LinkError):
            async with asyncio.timeout(0.5):
                while True:
                    await link.read(READ_MOST)


async def post(link: TcpLink, path: str, headers: Mapping[str, str], body: bytes) -> tuple[int, Any]:
    """Send one POST on a connection that may bear more, and return status and document of its answer.

    Raises
    ------
    LinkError
        If the connection is cut, or what comes is no answer.
    """
    connection = h11.Connection(h11.CLIENT)
    said = [("host", link.name.rpartition("/")[2]), ("content-length", str(len(body))), *headers.items()]
    try:
        head = connection.send(h11.Request(method="POST", target=path, headers=said))
        parts = [head, connection.send(h11.Data(data=body)), connection.send(h11.EndOfMessage())]
        await link.write(b"".join(part or b"" for part in parts))
        status, found = 0, bytearray()
        while True:
            event = await _next(link, connection)
            if isinstance(event, h11.Response):
                status = event.status_code
            elif isinstance(event, h11.Data):
                found += event.data
            elif isinstance(event, h11.EndOfMessage):
                return status, json.loads(found) if found else None
            elif not isinstance(event, h11.InformationalResponse):
                raise LinkError("the server closed the connection", link=link.name)
    except (h11.ProtocolError, ValueError) as error:
        raise LinkError(f"no answer of HTTP: {error}", link=link.name) from error
