"""MQTT 3.1.1 and 5, a client's side: packets out of a stream, and packets to send.

::

    ┌─────────────┬───────────────────────┬─────────────────────────────────────────────┐
    │ type, flags │ remaining length 1-4  │ body                                        │
    └─────────────┴───────────────────────┴─────────────────────────────────────────────┘
    PUBLISH body: │ topic 2 + n │ packet id 2 (QoS 1) │ properties (5) │ payload │

Clauses are those of the OASIS standards MQTT 3.1.1 (2014) and 5.0 (2019). QoS 2 is neither asked for nor received: a
subscription to QoS 1 is served with QoS 1 at most (3.8.4), and what is stored by identity needs no more.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from nilometer.acquisition.protocols.mqtt_fields import (
    after_properties,
    packet_of,
    properties_of,
    text_field,
    variable,
    variable_length,
)
from nilometer.errors import FrameError

__all__ = [
    "Answer",
    "PacketSplitter",
    "Publish",
    "Will",
    "connect_packet",
    "disconnect_packet",
    "ping_packet",
    "pubacks",
    "publish_packet",
    "reason_text",
    "subscribe_packet",
]

CONNECT, TOPIC_ALIAS, MOST_ALIASES = 1, 0x23, 1000
CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP, DISCONNECT = 2, 3, 4, 9, 13, 14
HEAD_OF_LONG = 70_000
"""Bytes of an over-long message that are kept: its topic and its packet id stand in them."""


class Publish(NamedTuple):
    """A message; `packet_id` 0 at QoS 0; `is_long`: it was longer than allowed, and its payload is left out."""

    topic: str
    payload: bytes
    packet_id: int
    retain: bool
    dup: bool
    is_long: bool = False


@dataclass(slots=True)
class Answer:
    """Any other packet: its type, flags (CONNACK), packet id, reason codes, and the properties that matter here."""

    kind: int
    packet_id: int = 0
    session_present: bool = False
    codes: tuple[int, ...] = ()
    reason: str = ""
    keep_alive_s: int | None = None


_REASONS = {
    1: "unacceptable protocol version", 2: "client identifier rejected", 3: "server unavailable",
    4: "bad user name or password", 5: "not authorised", 0x80: "unspecified error", 0x81: "malformed packet",
    0x82: "protocol error", 0x83: "implementation specific error", 0x84: "unsupported protocol version",
    0x85: "client identifier not valid", 0x86: "bad user name or password", 0x87: "not authorised",
    0x88: "server unavailable", 0x89: "server busy", 0x8A: "banned", 0x8B: "server shutting down",
    0x8C: "bad authentication method", 0x8D: "keep alive timeout", 0x8E: "session taken over by the same client id",
    0x8F: "topic filter invalid", 0x90: "topic name invalid", 0x93: "receive maximum exceeded",
    0x95: "packet too large",
    0x96: "message rate too high", 0x97: "quota exceeded", 0x98: "administrative action", 0x9C: "use another server",
    0x9D: "server moved", 0x9E: "shared subscriptions not supported", 0x9F: "connection rate exceeded",
    0xA2: "wildcard subscriptions not supported",
}  # fmt: skip


def reason_text(code: int) -> str:
    """Return what a reason or return code means."""
    return f"{_REASONS.get(code, 'refused')} (code {code})"


@dataclass(slots=True)
class PacketSplitter:
    """Finds packets in a stream, whatever its cut.

    Parameters
    ----------
    version : {4, 5}
        The protocol level: 4 is 3.1.1.
    longest : int
        Bytes of a message that is taken; a longer one comes out without its payload, so that it can be acknowledged
        and is not sent for ever.
    from_server : bool
        What comes is a server's: a packet that only a client sends is refused. Else (a capture) those are passed over,
        QoS 2 and topic aliases are read, and `version` is what a CONNECT or CONNACK says.
    """

    version: int = 4
    longest: int = 1_048_576
    from_server: bool = True
    starts: list[int] = field(default_factory=list)
    """Where in the stream the packets of the last `feed` begin, and behind them what it could not read."""
    broken: FrameError | None = None
    """Why nothing behind the packets of the last `feed` can be read."""
    _buffer: bytearray = field(default_factory=bytearray)
    _skip: int = 0
    _offset: int = 0
    _aliases: dict[int, str] = field(default_factory=dict)

    @property
    def pending(self) -> bytes:
        """Return the bytes of a packet that is not whole yet."""
        return bytes(self._buffer)

    def feed(self, data: bytes) -> list[Publish | Answer]:
        """Take bytes and return what became whole.

        What came whole before a packet that is none is returned, and `broken` says what is wrong with that one.

        Raises
        ------
        FrameError
            If the first of them is no MQTT; the connection has to be closed then (4.13).
        """
        if self.broken is not None:
            raise self.broken
        if self._skip:
            skipped = min(self._skip, len(data))
            self._skip -= skipped
            self._offset += skipped
            data = data[skipped:]
        self._buffer += data
        self.starts.clear()
        found: list[Publish | Answer] = []
        at = 0
        try:
            for packet, end in self._packets():
                self.starts.append(self._offset + at)
                found.append(packet)
                at = end
        except FrameError as error:
            self.starts.append(self._offset + at)
            self.broken = error
            if not found:
                raise
        del self._buffer[:at]
        self._offset += at
        return found

    def _packets(self) -> Iterator[tuple[Publish | Answer, int]]:
        """Yield what is whole in the buffer, and where it ends."""
        buffer = self._buffer
        at, end = 0, len(buffer)
        while end - at >= 2:
            length = buffer[at + 1]
            body = at + 2
            if length >= 0x80:
                size = variable_length(buffer, at + 1, end)
                if size is None:
                    return
                length, body = size
            head = buffer[at]
            if length > self.longest and head >> 4 == PUBLISH:
                if end - body < min(length, HEAD_OF_LONG):
                    return
                message = self._publish(head, bytes(buffer[body : body + HEAD_OF_LONG]), is_long=True)
                self._skip = max(0, length - (end - body))
                at = min(body + length, end)
                yield message, at
                continue
            if length > self.longest:
                raise FrameError(f"mqtt: a packet of type {head >> 4} and {length} bytes", frame=bytes(buffer[at:body]))
            if end - body < length:
                return
            packet = bytes(buffer[body : body + length])
            at = body + length
            if not self.from_server:
                self._hear_version(head >> 4, packet)
            yield self._publish(head, packet) if head >> 4 == PUBLISH else self._answer(head, packet), at

    def _publish(self, head: int, body: bytes, *, is_long: bool = False) -> Publish:
        qos = head >> 1 & 3
        if qos > (1 if self.from_server else 2) or len(body) < 2:
            raise FrameError(f"mqtt: a PUBLISH with QoS {qos} and {len(body)} bytes", frame=body[:64])
        at = 2 + (body[0] << 8 | body[1])
        number = 0
        if qos:
            number = int.from_bytes(body[at : at + 2])
            at += 2
            if number == 0:
                raise FrameError(f"mqtt: a PUBLISH of QoS {qos} without packet id", frame=body[:64])
        try:
            topic = body[2 : at - 2 if qos else at].decode("utf-8")
        except UnicodeDecodeError:
            raise FrameError("mqtt: a topic that is no UTF-8", frame=body[:64]) from None
        if self.version == 5:
            if not self.from_server:
                topic = self._aliased(topic, body, at)
            at = after_properties(body, at)
        if at > len(body):
            raise FrameError("mqtt: a PUBLISH shorter than its topic", frame=body[:64])
        return Publish(topic, b"" if is_long else body[at:], number, bool(head & 1), bool(head & 8), is_long)

    def _aliased(self, topic: str, body: bytes, at: int) -> str:
        # 3.3.2.3.4: a number given once stands for its topic; as a client we allow none, other clients do.
        for number, value in properties_of(body, at):
            if number != TOPIC_ALIAS:
                continue
            alias = int.from_bytes(value)
            if not topic:
                return self._aliases.get(alias, "")
            if len(self._aliases) < MOST_ALIASES or alias in self._aliases:
                self._aliases[alias] = topic
        return topic

    def _hear_version(self, kind: int, body: bytes) -> None:
        if kind == CONNECT and len(body) > 2:
            level = body[2 + int.from_bytes(body[:2]) :][:1]
            self.version = 5 if level == b"\x05" else 4
        elif kind == CONNACK:
            # Properties, or the length that says there are none, came with version 5.
            self.version = 5 if len(body) > 2 else 4

    def _answer(self, head: int, body: bytes) -> Answer:
        kind = head >> 4
        if kind == CONNACK:
            if len(body) < 2:
                raise FrameError("mqtt: a CONNACK of less than 2 bytes", frame=body)
            answer = Answer(kind, session_present=bool(body[0] & 1), codes=(body[1],))
            if self.version == 5:
                self._read_properties(answer, body, 2)
            return answer
        if kind in {PUBACK, SUBACK}:
            if len(body) < 2:
                raise FrameError("mqtt: an answer without packet id", frame=body)
            answer = Answer(kind, packet_id=int.from_bytes(body[:2]))
            if kind == PUBACK:
                answer.codes = (body[2],) if len(body) > 2 else (0,)
                return answer
            at = after_properties(body, 2) if self.version == 5 else 2
            answer.codes = tuple(body[at:])
            return answer
        if kind == DISCONNECT:
            answer = Answer(kind, codes=(body[0],) if body else (0,))
            if self.version == 5 and len(body) > 1:
                self._read_properties(answer, body, 1)
            return answer
        if kind != PINGRESP and (self.from_server or kind in {0, 15}):
            raise FrameError(f"mqtt: a packet of type {kind}, which no server sends unasked", frame=body[:64])
        return Answer(kind)

    def _read_properties(self, answer: Answer, body: bytes, at: int) -> None:
        for number, value in properties_of(body, at):
            if number == 0x1F:
                answer.reason = value.decode("utf-8", "replace")[:200]
            elif number == 0x13:
                answer.keep_alive_s = int.from_bytes(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Will:
    """What the server says for a client that is gone."""

    topic: str
    payload: bytes
    qos: int = 1


def connect_packet(
    client_id: str,
    *,
    version: int = 4,
    clean: bool = False,
    keep_alive_s: int = 60,
    username: str | None = None,
    password: str | None = None,
    session_expiry_s: int = 0xFFFFFFFF,
    receive_maximum: int = 65535,
    longest: int | None = None,
    will: Will | None = None,
) -> bytes:
    """Return a CONNECT; the options of version 5 are left out of 3.1.1."""
    flags = (0x02 if clean else 0) | (0x80 if username is not None else 0) | (0x40 if password is not None else 0)
    if will is not None:
        flags |= 0x04 | will.qos << 3
    body = text_field("MQTT") + bytes([version, flags]) + keep_alive_s.to_bytes(2)
    if version == 5:
        properties = struct.pack(">BIBH", 0x11, 0 if clean else session_expiry_s, 0x21, receive_maximum)
        if longest is not None:
            properties += struct.pack(">BI", 0x27, longest)
        body += variable(len(properties)) + properties
    body += text_field(client_id)
    if will is not None:
        body += (b"\0" if version == 5 else b"") + text_field(will.topic) + text_field(will.payload)
    for text in (username, password):
        body += text_field(text) if text is not None else b""
    return packet_of(0x10, body)


def subscribe_packet(packet_id: int, filters: Iterable[tuple[str, int]], *, version: int = 4) -> bytes:
    """Return a SUBSCRIBE to filters with their QoS."""
    body = packet_id.to_bytes(2) + (b"\0" if version == 5 else b"")
    return packet_of(0x82, body + b"".join(text_field(name) + bytes([qos]) for name, qos in filters))


def publish_packet(
    topic: str, payload: bytes, *, packet_id: int = 0, retain: bool = False, dup: bool = False, version: int = 4
) -> bytes:
    """Return a PUBLISH: QoS 1 with a packet id, QoS 0 without."""
    head = 0x30 | (0x02 if packet_id else 0) | (0x01 if retain else 0) | (0x08 if dup else 0)
    number = packet_id.to_bytes(2) if packet_id else b""
    return packet_of(head, text_field(topic) + number + (b"\0" if version == 5 else b"") + payload)


def pubacks(packet_ids: Iterable[int]) -> bytes:
    """Return one PUBACK for each packet id, in their order (4.6)."""
    return b"".join(b"\x40\x02" + number.to_bytes(2) for number in packet_ids)


def ping_packet() -> bytes:
    """Return a PINGREQ."""
    return b"\xc0\x00"


def disconnect_packet() -> bytes:
    """Return a DISCONNECT that keeps the session and drops the will."""
    return b"\xe0\x00"
