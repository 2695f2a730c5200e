"""MQTT 3.1.1 and 5, a server's side: what clients send, out of a stream, and what they are answered.

Clauses are those of the OASIS standards MQTT 3.1.1 (2014) and 5.0 (2019). Nothing is inferred: a packet that breaks a
rule is a `FrameError`, after which the connection has to be closed (4.8, 4.13).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
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
    "PUBACK",
    "PUBCOMP",
    "PUBREC",
    "PUBREL",
    "Acknowledged",
    "ClientPackets",
    "Connect",
    "Disconnect",
    "OversizedPacketError",
    "Ping",
    "Received",
    "Subscribe",
    "Unsubscribe",
    "Will",
    "acknowledgement",
    "connected",
    "disconnected",
    "pong",
    "published",
    "subscribed",
    "unsubscribed",
]

CONNECT, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, UNSUBSCRIBE = 1, 3, 4, 5, 6, 7, 8, 10
_LEVELS = {("MQIsdp", 3): 3, ("MQTT", 4): 4, ("MQTT", 5): 5}
SESSION_EXPIRY, RECEIVE_MAXIMUM, TOPIC_ALIAS, LONGEST, REASON = 0x11, 0x21, 0x23, 0x27, 0x1F


class Will(NamedTuple):
    """What a client wants said when it is gone without a goodbye."""

    topic: str
    payload: bytes


class Connect(NamedTuple):
    """A client's greeting; `version` is 4 (3.1.1) or 5, 0 for one that is not spoken here."""

    version: int
    client_id: str = ""
    clean: bool = True
    keep_alive_s: int = 0
    username: str | None = None
    password: bytes | None = None
    will: Will | None = None
    session_expiry_s: int = 0
    receive_maximum: int = 65535
    longest: int = 268_435_455


class Received(NamedTuple):
    """A message; `packet_id` 0 at QoS 0."""

    topic: str
    payload: bytes
    qos: int
    packet_id: int
    is_again: bool


class Acknowledged(NamedTuple):
    """PUBACK, PUBREC, PUBREL or PUBCOMP, by `kind`."""

    kind: int
    packet_id: int


class Subscribe(NamedTuple):
    """Topics with the QoS asked for."""

    packet_id: int
    topics: tuple[tuple[str, int], ...]


class Unsubscribe(NamedTuple):
    """Topics."""

    packet_id: int
    topics: tuple[str, ...]


class Ping(NamedTuple):
    """A sign of life is asked for."""


class Disconnect(NamedTuple):
    """A goodbye; with reason 4 of version 5 the will is said all the same."""

    reason: int = 0


class OversizedPacketError(FrameError):
    """A packet longer than what is taken."""


ClientPacket = Connect | Received | Acknowledged | Subscribe | Unsubscribe | Ping | Disconnect


class ClientPackets:
    """Finds a client's packets in its stream, whatever its cut.

    Parameters
    ----------
    longest : int
        Bytes of a packet that are taken.
    """

    def __init__(self, longest: int = 1_048_576) -> None:
        self.version = 4
        self._longest = longest
        self._buffer = bytearray()
        self._is_greeted = False
        self._aliases: dict[int, str] = {}

    def feed(self, data: bytes) -> Iterator[ClientPacket]:
        """Take bytes and yield what became whole.

        Raises
        ------
        FrameError
            If what follows is no MQTT of a client; `OversizedPacketError`: it is longer than allowed.
        """
        buffer = self._buffer
        buffer += data
        at, end = 0, len(buffer)
        try:
            while end - at >= 2:
                if not self._is_greeted and buffer[at] != CONNECT << 4:
                    # Said before its length is believed: a client of another protocol would be waited for.
                    raise FrameError(f"mqtt: {bytes(buffer[:16])!r} is no CONNECT")
                size = variable_length(buffer, at + 1, end)
                if size is None:
                    return
                length, body = size
                if length > self._longest:
                    raise OversizedPacketError(f"mqtt: a packet of {length} bytes; {self._longest} are taken")
                if end - body < length:
                    return
                head, packet = buffer[at], bytes(buffer[body : body + length])
                at = body + length
                yield self._packet(head, packet)
        finally:
            del buffer[:at]

    def _packet(self, head: int, body: bytes) -> ClientPacket:
        kind, flags = head >> 4, head & 15
        if self._is_greeted is (kind == CONNECT):
            raise FrameError(f"mqtt: a packet of type {kind} where {'one' if kind == CONNECT else 'none'} came before")
        if kind == PUBLISH:
            return self._publish(flags, body)
        if flags != (2 if kind in {PUBREL, SUBSCRIBE, UNSUBSCRIBE} else 0):
            raise FrameError(f"mqtt: a packet of type {kind} with flags {flags}", frame=body[:64])
        if kind == CONNECT:
            self._is_greeted = True
            return self._connect(body)
        return self._after_greeting(kind, body)

    def _after_greeting(self, kind: int, body: bytes) -> ClientPacket:
        match kind:
            case 4 | 5 | 6 | 7:
                return Acknowledged(kind, _packet_id(body))
            case 8:
                return self._subscribe(body)
            case 10:
                return self._unsubscribe(body)
            case 12:
                return Ping()
            case 14:
                return Disconnect(body[0] if body else 0)
        raise FrameError(f"mqtt: a packet of type {kind}, which no client sends here", frame=body[:64])

    def _connect(self, body: bytes) -> Connect:
        name, at = _text(body, 0)
        if at + 4 > len(body):
            raise FrameError("mqtt: a CONNECT that is not whole", frame=body[:64])
        level, flags, keep_alive = body[at], body[at + 1], int.from_bytes(body[at + 2 : at + 4])
        at += 4
        version = _LEVELS.get((name, level), 0)
        if version not in {4, 5}:
            return Connect(0)
        if flags & 1 or (flags >> 3 & 3) == 3 or (not flags & 4 and flags & 0x38):
            raise FrameError(f"mqtt: a CONNECT with flags {flags:#04x}", frame=body[:64])
        self.version = version
        given: dict[int, int] = {}
        if version == 5:
            given = {number: int.from_bytes(value) for number, value in properties_of(body, at) if len(value) <= 4}
            at = after_properties(body, at)
        client_id, at = _text(body, at)
        will = None
        if flags & 4:
            at = after_properties(body, at) if version == 5 else at
            topic, at = _text(body, at)
            payload, at = _bytes(body, at)
            will = Will(topic, payload)
        username = password = None
        if flags & 0x80:
            username, at = _text(body, at)
        if flags & 0x40:
            password, at = _bytes(body, at)
        if at != len(body):
            raise FrameError("mqtt: a CONNECT with bytes behind its end", frame=body[:64])
        clean = bool(flags & 2)
        kept = given.get(SESSION_EXPIRY, 0) if version == 5 else (0 if clean else 0xFFFFFFFF)
        receive_maximum, longest = given.get(RECEIVE_MAXIMUM, 65535), given.get(LONGEST, 268_435_455)
        if not receive_maximum or not longest:
            raise FrameError("mqtt: a Receive Maximum or Maximum Packet Size of 0", frame=body[:64])
        return Connect(version, client_id, clean, keep_alive, username, password, will, kept, receive_maximum, longest)

    def _publish(self, flags: int, body: bytes) -> Received:
        qos = flags >> 1 & 3
        topic, at = _text(body, 0)
        number = 0
        if qos == 3:
            raise FrameError("mqtt: a PUBLISH with QoS 3", frame=body[:64])
        if qos:
            number = _packet_id(body[at:])
            at += 2
        if self.version == 5:
            if body[at : at + 1] == b"\0":
                at += 1
            else:
                topic = self._aliased(topic, body, at)
                at = after_properties(body, at)
        if not topic or "+" in topic or "#" in topic or at > len(body):
            raise FrameError(f"mqtt: a PUBLISH to topic {topic[:60]!r}", frame=body[:64])
        return Received(topic, body[at:], qos, number, bool(flags & 8))

    def _aliased(self, topic: str, body: bytes, at: int) -> str:
        # 3.3.2.3.4: we allow none (Topic Alias Maximum is left out of our CONNACK).
        for number, _ in properties_of(body, at):
            if number == TOPIC_ALIAS:
                raise FrameError("mqtt: a topic alias, of which none is allowed", frame=body[:64])
        return topic

    def _subscribe(self, body: bytes) -> Subscribe:
        number, at = _packet_id(body), 2
        if self.version == 5:
            at = after_properties(body, at)
        topics = []
        while at < len(body):
            topic, at = _text(body, at)
            if at >= len(body):
                raise FrameError("mqtt: a SUBSCRIBE without options", frame=body[:64])
            options = body[at]
            at += 1
            if options & 3 == 3 or options & (0xC0 if self.version == 5 else 0xFC):
                raise FrameError(f"mqtt: a SUBSCRIBE with options {options:#04x}", frame=body[:64])
            topics.append((topic, options & 3))
        if not topics:
            raise FrameError("mqtt: a SUBSCRIBE without topics", frame=body[:64])
        return Subscribe(number, tuple(topics))

    def _unsubscribe(self, body: bytes) -> Unsubscribe:
        number, at = _packet_id(body), 2
        if self.version == 5:
            at = after_properties(body, at)
        topics = []
        while at < len(body):
            topic, at = _text(body, at)
            topics.append(topic)
        if not topics:
            raise FrameError("mqtt: an UNSUBSCRIBE without topics", frame=body[:64])
        return Unsubscribe(number, tuple(topics))


def _packet_id(body: bytes) -> int:
    number = int.from_bytes(body[:2])
    if len(body) < 2 or not number:
        raise FrameError("mqtt: a packet without its id", frame=body[:64])
    return number


def _bytes(body: bytes, at: int) -> tuple[bytes, int]:
    start = at + 2
    end = start + int.from_bytes(body[at:start])
    if start > len(body) or end > len(body):
        raise FrameError("mqtt: a text that is not whole", frame=body[:64])
    return body[start:end], end


def _text(body: bytes, at: int) -> tuple[str, int]:
    data, end = _bytes(body, at)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        raise FrameError("mqtt: a text that is no UTF-8", frame=body[:64]) from None
    if "\0" in text:
        raise FrameError("mqtt: a text with NUL", frame=body[:64])
    return text, end


def _reasoned(number: int, code: int, reason: str) -> bytes:
    """Return the body of an acknowledgement of version 5, as short as it may be (3.4.2.1)."""
    body = number.to_bytes(2)
    if code or reason:
        body += bytes([code]) + _reason(reason)
    return body


def _reason(reason: str) -> bytes:
    if not reason:
        return b"\0"
    # It may quote what was sent. On characters that a text may not have (1.5.4) a client hangs up, and sends again.
    plain = "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in reason[:1000])
    text = bytes([REASON]) + text_field(plain.encode()[:1000].decode("utf-8", "ignore"))
    return variable(len(text)) + text


def connected(
    code: int, *, version: int, session_present: bool = False, client_id: str = "", longest: int = 0, reason: str = ""
) -> bytes:
    """Return a CONNACK; version 5 is told the id given to a client without one, and how long a packet may be."""
    body = bytes([session_present, code])
    if version == 5:
        # QoS 2 may be sent here; what is subscribed to is said with QoS 1 at most, and nothing is retained.
        told = b"\x25\x00\x2a\x00"
        if longest:
            told += bytes([LONGEST]) + longest.to_bytes(4)
        if client_id:
            told += b"\x12" + text_field(client_id)
        if reason:
            told += bytes([REASON]) + text_field(reason)
        body += variable(len(told)) + told
    return packet_of(0x20, body)


def acknowledgement(kind: int, number: int, *, version: int, code: int = 0, reason: str = "") -> bytes:
    """Return PUBACK, PUBREC, PUBREL or PUBCOMP; 3.1.1 knows neither code nor reason."""
    head = kind << 4 | (2 if kind == PUBREL else 0)
    return packet_of(head, _reasoned(number, code, reason) if version == 5 else number.to_bytes(2))


def subscribed(number: int, codes: Iterable[int], *, version: int, reason: str = "") -> bytes:
    """Return a SUBACK: for each topic the QoS, or a reason from 0x80 on, which 3.1.1 knows as one."""
    codes = list(codes)
    if version == 5:
        return packet_of(0x90, number.to_bytes(2) + _reason(reason) + bytes(codes))
    return packet_of(0x90, number.to_bytes(2) + bytes(min(code, 0x80) for code in codes))


def unsubscribed(number: int, codes: Iterable[int], *, version: int) -> bytes:
    """Return an UNSUBACK."""
    return packet_of(0xB0, number.to_bytes(2) + (b"\0" + bytes(codes) if version == 5 else b""))


def published(
    topic: str, payload: bytes, *, version: int, qos: int = 0, number: int = 0, is_again: bool = False
) -> bytes:
    """Return a PUBLISH to a client."""
    body = text_field(topic) + (number.to_bytes(2) if qos else b"") + (b"\0" if version == 5 else b"") + payload
    return packet_of(0x30 | qos << 1 | (8 if is_again else 0), body)


def pong() -> bytes:
    """Return a PINGRESP."""
    return b"\xd0\x00"


def disconnected(code: int, reason: str = "") -> bytes:
    """Return a DISCONNECT of version 5; 3.1.1 has none from a server."""
    return packet_of(0xE0, bytes([code]) + _reason(reason))
