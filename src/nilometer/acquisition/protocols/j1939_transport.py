"""Messages of more than 8 bytes in J1939: TP.BAM and TP.RTS/CTS put together by listening alone; does no I/O.

::

    TP.CM  PGN 60416   20 size size packets FF     PGN PGN PGN    BAM: to everybody
                       10 size size packets most   PGN PGN PGN    RTS: to one
                       FF reason …                 PGN PGN PGN    abort
    TP.DT  PGN 60160   sequence (1 …) and seven bytes

A listener answers no RTS: it hears what the two say to each other. NMEA 2000 uses the same for what is longer than 223
bytes.

References
----------
SAE J1939-21, 5.10.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import NamedTuple

from nilometer.acquisition.protocols.j1939_id import Identifier
from nilometer.errors import FrameError

__all__ = ["CONNECTION", "DATA", "Message", "TransportProtocol"]

CONNECTION = 60416
DATA = 60160
_RTS, _BAM, _ABORT = 0x10, 0x20, 0xFF
_ANSWERS = frozenset({0x11, 0x13})
MOST_OPEN = 512
_LONGEST = 1785


class Message(NamedTuple):
    """A whole message of a parameter group."""

    pgn: int
    source: int
    destination: int
    priority: int
    data: bytes


@dataclass(slots=True)
class _Open:
    pgn: int
    size: int
    packets: int
    priority: int
    parts: dict[int, bytes] = field(default_factory=dict)


class TransportProtocol:
    """Puts messages together, each pair of sender and receiver for itself; the oldest of too many is forgotten."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[int, int], _Open] = OrderedDict()

    def take(self, told: Identifier, data: bytes) -> Message | None:
        """Take a frame of PGN 60416 or 60160; return the message that is whole with it.

        Raises
        ------
        FrameError
            If the frame is too short, a message cannot have its size, or a packet came out of order: that message is
            given up.
        """
        if told.pgn == CONNECTION:
            self._control(told, data)
            return None
        return self._packet(told, data)

    def _control(self, told: Identifier, data: bytes) -> None:
        if len(data) < 8:
            raise FrameError(f"TP.CM has {len(data)} bytes, not 8", frame=data)
        pair, kind, pgn = (told.source, told.destination), data[0], int.from_bytes(data[5:8], "little")
        if kind == _ABORT:
            self._open.pop(pair, None)
            self._open.pop((told.destination, told.source), None)
            return
        if kind in _ANSWERS:
            return
        if kind not in (_RTS, _BAM):
            raise FrameError(f"TP.CM of an unknown kind 0x{kind:02X}", frame=data)
        size, packets = int.from_bytes(data[1:3], "little"), data[3]
        if not 9 <= size <= _LONGEST or packets != -(-size // 7):
            raise FrameError(f"TP.CM tells {size} bytes in {packets} packets of 7", frame=data)
        cut = self._open.pop(pair, None)
        self._open[pair] = _Open(pgn, size, packets, told.priority)
        if len(self._open) > MOST_OPEN:
            self._open.popitem(last=False)
        if cut is not None:
            raise FrameError(f"PGN {cut.pgn} from {told.source}: cut off after {len(cut.parts)} packets", frame=data)

    def _packet(self, told: Identifier, data: bytes) -> Message | None:
        pair = (told.source, told.destination)
        one = self._open.get(pair)
        if one is None:
            return None  # its beginning was before ours
        if len(data) < 2:
            raise FrameError(f"TP.DT has {len(data)} bytes", frame=data)
        number = data[0]
        # An RTS session may send a packet again; a BAM goes up by one.
        if not 1 <= number <= one.packets or number > len(one.parts) + 1:
            del self._open[pair]
            raise FrameError(f"PGN {one.pgn} from {told.source}: packet {number} after {len(one.parts)}", frame=data)
        one.parts[number] = data[1:8].ljust(7, b"\xff")
        if len(one.parts) < one.packets:
            return None
        del self._open[pair]
        whole = b"".join(one.parts[index] for index in range(1, one.packets + 1))[: one.size]
        return Message(one.pgn, told.source, told.destination, one.priority, whole)
