"""WebSocket frames, a server's side: what a client sends, out of a stream, and what it is answered.

Clauses are those of RFC 6455. A frame is::

    FIN RSV1 RSV2 RSV3 opcode(4) | MASK length(7) | length, 2 or 8 bytes, after 126 or 127 | masking key(4) | payload

No extension is agreed on, so RSV1 to RSV3 are 0 (5.2). Messages are binary; where one begins and ends means nothing to
MQTT (its 6.0), so payload is handed on as it comes, and a frame of any length needs no room.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from typing import NamedTuple

from nilometer.errors import FrameError

__all__ = [
    "ClientFrames",
    "Close",
    "Ping",
    "TextFrameError",
    "accept_key",
    "close_frame",
    "message_frame",
    "pong_frame",
]

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_LONGEST_CONTROL = 125


class Ping(NamedTuple):
    """A sign of life is asked for; the answer repeats the payload."""

    payload: bytes


class Close(NamedTuple):
    """The client ends the connection, with a code, or 0 for none."""

    code: int


class TextFrameError(FrameError):
    """A message of text, where MQTT's are binary."""


class ClientFrames:
    """What one client sends."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._key = b""
        self._left = 0
        """Bytes of payload that are still to come."""
        self._is_within = False
        """Whether a message goes on."""

    def feed(self, data: bytes) -> Iterator[bytes | Ping | Close]:
        """Take bytes, and give pieces of payload and control frames as far as they are whole.

        Parameters
        ----------
        data : bytes
            What came next.

        Yields
        ------
        bytes, Ping or Close
            In the order in which they came.

        Raises
        ------
        FrameError
            If a frame breaks a rule; `TextFrameError`: it is of text.
        """
        buffer = self._buffer
        buffer += data
        at = 0
        try:
            while True:
                if self._left:
                    piece = bytes(buffer[at : at + self._left])
                    if not piece:
                        return
                    at += len(piece)
                    self._left -= len(piece)
                    yield self._unmasked(piece)
                    continue
                length, payload = _lengths(buffer, at)
                if len(buffer) < payload:
                    return
                opcode = self._opcode(buffer[at], length)
                if opcode >= CLOSE and len(buffer) < payload + length:
                    return
                self._key, self._left = bytes(buffer[payload - 4 : payload]), length
                at = payload
                if opcode >= CLOSE:
                    body = self._unmasked(bytes(buffer[at : at + length]))
                    at, self._left = at + length, 0
                    yield from _control(opcode, body)
        finally:
            del buffer[:at]

    def _opcode(self, head: int, length: int) -> int:
        opcode, is_last = head & 15, head >= 0x80
        if head & 0x70:
            raise FrameError("websocket: a frame of an extension, and none was agreed on", frame=bytes([head]))
        if opcode in {CLOSE, PING, PONG}:
            if not is_last or length > _LONGEST_CONTROL:
                raise FrameError("websocket: a control frame in parts, or too long (5.5)", frame=bytes([head]))
            return opcode
        if opcode == TEXT:
            raise TextFrameError("websocket: MQTT's messages are binary, this is text", frame=bytes([head]))
        if opcode not in {CONTINUATION, BINARY} or self._is_within is (opcode == BINARY):
            raise FrameError(f"websocket: a frame of opcode {opcode} where none is expected", frame=bytes([head]))
        self._is_within = not is_last
        return opcode

    def _unmasked(self, piece: bytes) -> bytes:
        n, key = len(piece), self._key
        mask = (key * (n // 4 + 1))[:n]
        self._key = key[n % 4 :] + key[: n % 4]
        return (int.from_bytes(piece) ^ int.from_bytes(mask)).to_bytes(n)


def _lengths(buffer: bytearray, at: int) -> tuple[int, int]:
    """Return how long the payload of a frame is and where it begins; beyond the buffer where its head is not whole."""
    if len(buffer) < at + 2:
        return 0, at + 2
    second = buffer[at + 1]
    if second < 0x80:
        raise FrameError("websocket: a frame without a mask (5.1)", frame=bytes(buffer[at : at + 2]))
    length, start = second & 0x7F, at + 2
    if length > _LONGEST_CONTROL:
        start += 2 if length == 126 else 8
        length = int.from_bytes(buffer[at + 2 : start])
        if len(buffer) >= start and length >> 63:
            raise FrameError("websocket: a length of more than 63 bits (5.2)", frame=bytes(buffer[at:start]))
    return length, start + 4


def _control(opcode: int, body: bytes) -> Iterator[Ping | Close]:
    if opcode == PING:
        yield Ping(body)
    elif opcode == CLOSE:
        if len(body) == 1:
            raise FrameError("websocket: half a code (5.5.1)", frame=body)
        yield Close(int.from_bytes(body[:2]))


def accept_key(key: bytes) -> bytes:
    """Return what answers a client's ``Sec-WebSocket-Key`` (4.2.2)."""
    return base64.b64encode(hashlib.sha1(key + _GUID, usedforsecurity=False).digest())


def message_frame(payload: bytes) -> bytes:
    """Return a binary message."""
    return _frame(BINARY, payload)


def pong_frame(payload: bytes) -> bytes:
    """Return the answer to a `Ping`."""
    return _frame(PONG, payload)


def close_frame(code: int) -> bytes:
    """Return the end of a connection, with its code (7.4); 0: none."""
    return _frame(CLOSE, code.to_bytes(2) if code else b"")


def _frame(opcode: int, payload: bytes) -> bytes:
    head, n = bytes([0x80 | opcode]), len(payload)
    if n <= _LONGEST_CONTROL:
        return head + bytes([n]) + payload
    if n < 1 << 16:
        return head + b"\x7e" + n.to_bytes(2) + payload
    return head + b"\x7f" + n.to_bytes(8) + payload
