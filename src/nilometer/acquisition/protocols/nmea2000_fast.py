"""Fast packets of NMEA 2000: messages of 9 to 223 bytes in frames of one parameter group; does no I/O.

::

    first    | sequence 3, frame 0 5 | length | 6 bytes |
    others   | sequence 3, frame n 5 |     7 bytes      |

The sequence counts messages: parts of two messages from one sender are never mixed.

References
----------
NMEA 2000, fast-packet protocol; layout after the public reading of it (canboat).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field

from nilometer.acquisition.protocols.j1939_id import Identifier
from nilometer.acquisition.protocols.j1939_transport import Message
from nilometer.errors import FrameError

__all__ = ["FastPackets", "fast_frames"]

MOST_OPEN = 512
LONGEST = 223


@dataclass(slots=True)
class _Open:
    length: int
    data: bytearray = field(default_factory=bytearray)
    next: int = 1


class FastPackets:
    """Puts messages together, one open message for each sender, group and sequence."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[int, int, int, int], _Open] = OrderedDict()

    def take(self, told: Identifier, data: bytes) -> Message | None:
        """Take a frame of a fast-packet group; return the message that is whole with it.

        Raises
        ------
        FrameError
            If a frame is missing before it, or its length cannot be: the message is given up.
        """
        if len(data) < 2:
            raise FrameError(f"a fast packet of {len(data)} bytes", frame=data)
        sequence, number = data[0] >> 5, data[0] & 0x1F
        key = (told.pgn, told.source, told.destination, sequence)
        if number == 0:
            return self._first(key, told, data)
        one = self._open.get(key)
        if one is None:
            return None  # its beginning was before ours, or lost and said
        if number != one.next:
            del self._open[key]
            raise FrameError(
                f"PGN {told.pgn} from {told.source}: frame {number} of a fast packet after {one.next - 1}", frame=data
            )
        one.data += data[1:8]
        one.next += 1
        return self._whole(key, told, one)

    def _first(self, key: tuple[int, int, int, int], told: Identifier, data: bytes) -> Message | None:
        cut = self._open.pop(key, None)
        length = data[1]
        if not 1 <= length <= LONGEST:
            raise FrameError(f"PGN {told.pgn} from {told.source}: a fast packet of {length} bytes", frame=data)
        one = _Open(length, bytearray(data[2:8]))
        self._open[key] = one
        if len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        whole = self._whole(key, told, one)
        if cut is not None and whole is None:
            raise FrameError(f"PGN {told.pgn} from {told.source}: cut off before frame {cut.next}", frame=data)
        return whole

    def _whole(self, key: tuple[int, int, int, int], told: Identifier, one: _Open) -> Message | None:
        if len(one.data) < one.length:
            return None
        self._open.pop(key, None)
        return Message(told.pgn, told.source, told.destination, told.priority, bytes(one.data[: one.length]))


def fast_frames(data: bytes, sequence: int) -> Iterator[bytes]:
    """Return the frames' data of a fast packet, padded with FF.

    Examples
    --------
    >>> [part.hex() for part in fast_frames(bytes(9), 1)]
    ['2009000000000000', '21000000ffffffff']

    Raises
    ------
    FrameError
        If it is longer than a fast packet can be.
    """
    if not 1 <= len(data) <= LONGEST:
        raise FrameError(f"a fast packet holds 1 to {LONGEST} bytes, not {len(data)}", frame=data)
    first = (sequence & 7) << 5
    yield (bytes([first, len(data)]) + data[:6]).ljust(8, b"\xff")
    for number, at in enumerate(range(6, len(data), 7), start=1):
        yield (bytes([first | number]) + data[at : at + 7]).ljust(8, b"\xff")
