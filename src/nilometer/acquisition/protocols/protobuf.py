"""The wire of protocol buffers, as far as Sparkplug needs it: fields of a message, by number.

::

    │ tag = number << 3 | kind │ value │ …      kind 0 varint, 1 eight bytes, 2 length and bytes, 5 four bytes

Of a message of any bytes a `FrameError` comes, never more; groups (kinds 3 and 4) are of a past version and refused.
"""

from __future__ import annotations

from nilometer.errors import FrameError

__all__ = ["bytes_field", "fields", "fixed_field", "varint", "varint_field"]

MOST_FIELDS = 100_000


def fields(data: bytes) -> list[tuple[int, int, int | bytes]]:
    """Return number, kind and value of every field: varints as int, all else as bytes.

    Raises
    ------
    FrameError
        If the bytes are no message.
    """
    found: list[tuple[int, int, int | bytes]] = []
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, kind = tag >> 3, tag & 7
        value: int | bytes
        if kind == 0:
            value, at = _varint(data, at)
        elif kind in {1, 2, 5}:
            size = 8 if kind == 1 else 4
            if kind == 2:
                size, at = _varint(data, at)
            value = data[at : at + size]
            if len(value) < size:
                raise FrameError(f"protobuf: field {number} ends after {len(value)} of {size} bytes", offset=at)
            at += size
        else:
            raise FrameError(f"protobuf: kind {kind}", offset=at)
        found.append((number, kind, value))
        if len(found) > MOST_FIELDS:
            raise FrameError(f"protobuf: more than {MOST_FIELDS} fields")
    return found


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    for place in range(at, min(at + 10, len(data))):
        byte = data[place]
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, place + 1
        shift += 7
    raise FrameError("protobuf: a number without end", offset=at)


def varint(value: int) -> bytes:
    """Return a number as a varint; a negative one as its 64-bit two's complement."""
    value &= 0xFFFF_FFFF_FFFF_FFFF
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def varint_field(number: int, value: int) -> bytes:
    """Return a field of a number."""
    return varint(number << 3) + varint(value)


def bytes_field(number: int, value: bytes) -> bytes:
    """Return a field of bytes."""
    return varint(number << 3 | 2) + varint(len(value)) + value


def fixed_field(number: int, value: bytes) -> bytes:
    """Return a field of four or eight bytes."""
    return varint(number << 3 | (1 if len(value) == 8 else 5)) + value
