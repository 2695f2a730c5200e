"""ISO-TP: messages of up to 4095 bytes in CAN frames, put together by listening alone; does no I/O.

::

    single       | 0 | length 4 |            1 to 7 bytes
    first        | 1 | length 12 |           6 bytes
    consecutive  | 2 | number 4 |            7 bytes
    flow control | 3 | status 4 | block size | separation

Addressing is normal, in which the identifier alone tells who speaks (ISO 15765-4).

References
----------
ISO 15765-2:2016, 9.6; ISO 15765-4:2021 (identifiers of OBD).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from nilometer.errors import FrameError

__all__ = ["FLOW_CONTROL", "IsoTp", "isotp_frames"]

MOST_OPEN = 256
LONGEST = 4095
FLOW_CONTROL = bytes([0x30, 0, 0, 0, 0, 0, 0, 0])
"""Clear to send, all at once, without pauses."""


@dataclass(slots=True)
class _Open:
    length: int
    data: bytearray = field(default_factory=bytearray)
    next: int = 1


class IsoTp:
    """Puts messages together, each identifier for itself."""

    def __init__(self) -> None:
        self._open: OrderedDict[int, _Open] = OrderedDict()

    def take(self, identifier: int, data: bytes) -> bytes | None:
        """Take a frame's data; return the message that is whole with it.

        Raises
        ------
        FrameError
            If the frame cannot be one of ISO-TP, or one before it is missing: the message is given up.
        """
        if not data:
            raise FrameError("an ISO-TP frame without data", frame=data)
        kind = data[0] >> 4
        if kind == 0:
            return self._single(identifier, data)
        if kind == 1:
            self._first(identifier, data)
            return None
        if kind == 2:
            return self._consecutive(identifier, data)
        if kind == 3:
            return None
        raise FrameError(f"no ISO-TP frame begins with 0x{data[0]:02X}", frame=data)

    def _single(self, identifier: int, data: bytes) -> bytes:
        length = data[0] & 0xF
        if not 1 <= length <= len(data) - 1:
            raise FrameError(f"a single frame of {length} bytes in {len(data) - 1}", frame=data)
        self._open.pop(identifier, None)
        return data[1 : 1 + length]

    def _first(self, identifier: int, data: bytes) -> None:
        length = (data[0] & 0xF) << 8 | data[1] if len(data) > 1 else 0
        if len(data) < 8 or length < 8:
            raise FrameError(f"a first frame of {length} bytes in {len(data)}", frame=data)
        cut = self._open.pop(identifier, None)
        self._open[identifier] = _Open(length, bytearray(data[2:]))
        if len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        if cut is not None:
            raise FrameError(f"0x{identifier:X}: a message was cut off before frame {cut.next}", frame=data)

    def _consecutive(self, identifier: int, data: bytes) -> bytes | None:
        one = self._open.get(identifier)
        if one is None:
            return None  # its beginning was before ours, or lost and said
        if data[0] & 0xF != one.next & 0xF:
            del self._open[identifier]
            raise FrameError(f"0x{identifier:X}: frame {data[0] & 0xF} after {one.next - 1 & 0xF}", frame=data)
        one.data += data[1:]
        one.next += 1
        if len(one.data) < one.length:
            return None
        del self._open[identifier]
        return bytes(one.data[: one.length])


def isotp_frames(message: bytes) -> Iterator[bytes]:
    """Return the frames' data of a message, padded with zeros to 8 bytes.

    Examples
    --------
    >>> [part.hex() for part in isotp_frames(bytes(range(9)))]
    ['1009000102030405', '2106070800000000']

    Raises
    ------
    FrameError
        If it is empty or longer than 4095 bytes.
    """
    if not 1 <= len(message) <= LONGEST:
        raise FrameError(f"ISO-TP holds 1 to {LONGEST} bytes, not {len(message)}", frame=message[:64])
    if len(message) < 8:
        yield (bytes([len(message)]) + message).ljust(8, b"\0")
        return
    yield bytes([0x10 | len(message) >> 8, len(message) & 0xFF]) + message[:6]
    for number, at in enumerate(range(6, len(message), 7), start=1):
        yield (bytes([0x20 | number & 0xF]) + message[at : at + 7]).ljust(8, b"\0")
