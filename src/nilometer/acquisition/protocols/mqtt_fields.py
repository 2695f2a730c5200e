"""What every packet of MQTT 3.1.1 and 5 is made of: variable lengths, texts with their length, properties.

Clauses are those of the OASIS standards MQTT 3.1.1 (2014) and 5.0 (2019).
"""

from __future__ import annotations

from collections.abc import Iterable

from nilometer.errors import FrameError

__all__ = ["after_properties", "packet_of", "properties_of", "text_field", "variable", "variable_length"]

# MQTT 5.0, 2.2.2.2: bytes of each property's value; 0 a text or bytes with a length, -1 two of them, -2 a varint.
PROPERTY_SIZES = {
    0x01: 1, 0x02: 4, 0x03: 0, 0x08: 0, 0x09: 0, 0x0B: -2, 0x11: 4, 0x12: 0, 0x13: 2, 0x15: 0, 0x16: 0, 0x17: 1,
    0x18: 4, 0x19: 1, 0x1A: 0, 0x1C: 0, 0x1F: 0, 0x21: 2, 0x22: 2, 0x23: 2, 0x24: 1, 0x25: 1, 0x26: -1, 0x27: 4,
    0x28: 1, 0x29: 1, 0x2A: 1,
}  # fmt: skip


def variable_length(buffer: bytes | bytearray, at: int, end: int) -> tuple[int, int] | None:
    """Return a variable length and where it ends, None where it is not whole."""
    value = 0
    for place in range(4):
        if at + place >= end:
            return None
        byte = buffer[at + place]
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value, at + place + 1
    raise FrameError("mqtt: a length of more than four bytes", frame=bytes(buffer[at : at + 4]))


def after_properties(body: bytes, at: int) -> int:
    """Return where the properties that begin at a place end.

    Raises
    ------
    FrameError
        If their length is not whole.
    """
    size = variable_length(body, at, len(body))
    if size is None:
        raise FrameError("mqtt: properties without their length", frame=body[:64])
    return size[0] + size[1]


def properties_of(body: bytes, at: int) -> Iterable[tuple[int, bytes]]:
    """Yield the properties that begin at a place, by number; one whose value is a variable length is left out.

    Raises
    ------
    FrameError
        If one does not exist or is not whole.
    """
    size = variable_length(body, at, len(body))
    if size is None:
        return
    at, end = size[1], size[1] + size[0]
    if end > len(body):
        raise FrameError("mqtt: properties that are not whole", frame=body[:64])
    while at < end:
        number = body[at]
        width = PROPERTY_SIZES.get(number)
        if width is None:
            raise FrameError(f"mqtt: property {number:#04x} does not exist", frame=body[:64])
        at += 1
        if width == -2:
            varint = variable_length(body, at, end)
            if varint is None:
                raise FrameError("mqtt: properties that are not whole", frame=body[:64])
            at = varint[1]
            continue
        for _ in range(2 if width == -1 else 1):
            if width <= 0:
                length = int.from_bytes(body[at : at + 2])
                at += 2
            else:
                length = width
            value = body[at : at + length]
            at += length
        if at > end:
            raise FrameError("mqtt: properties that are not whole", frame=body[:64])
        yield number, value


def variable(value: int) -> bytes:
    """Return a length of one to four bytes."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def packet_of(head: int, body: bytes) -> bytes:
    """Return a packet: type and flags, the length, the body."""
    return bytes([head]) + variable(len(body)) + body


def text_field(value: str | bytes) -> bytes:
    """Return a text or bytes behind their length.

    Raises
    ------
    ValueError
        Beyond 65,535 bytes.
    """
    data = value.encode("utf-8") if isinstance(value, str) else value
    if len(data) > 0xFFFF:
        raise ValueError(f"a text of {len(data)} bytes; MQTT takes 65535")
    return len(data).to_bytes(2) + data
