"""Messages of SL 651 that come in several packets, joined; which packets are missing, so that they can be asked for.

Only the first packet bears the serial number; station, function and number of packets say what belongs together. A
station sends them in order, so a first packet begins a message, whatever is left of one before it: packets of two
messages are never joined.

References
----------
SL 651-2014 sections 6.2.3, 6.3.1.2 c (mode M3), Tables 18, 19, 22, 23; 13 packets of a picture of
yu-xiaoyao/sl651-2014-server.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

from nilometer.acquisition.protocols.sl651_frame import Frame

__all__ = ["PacketJoiner"]

Key = tuple[str, int, int]
_MOST_PACKETS = 1024
_MOST_BYTES = 2_000_000
"""Of all messages that are not whole: more than a picture, less than a hostile station would have us keep."""


class PacketJoiner:
    """Collects the packets of a connection.

    Parameters
    ----------
    most : int
        How many messages may be open; the oldest is given up beyond that.
    """

    def __init__(self, most: int = 8) -> None:
        self._most = most
        self._open: OrderedDict[Key, dict[int, Frame]] = OrderedDict()
        self._bytes = 0

    def add(self, frame: Frame) -> tuple[Frame | None, Frame | None]:
        """Take a frame.

        Returns
        -------
        whole : Frame or None
            The message, once all of it has come; a frame that is no packet is whole.
        given_up : Frame or None
            A packet of an older message that is no longer waited for, or this one, whose numbers make no sense.
        """
        if frame.packet is None:
            return frame, None
        number, count = frame.packet
        if not 1 <= number <= count <= _MOST_PACKETS:
            return None, frame
        key = (frame.station, frame.function, count)
        packets = self._open.get(key, {})
        is_other = number in packets and packets[number].body != frame.body
        if is_other or (number == 1 and packets and 1 not in packets):
            # Nothing but its first packet tells a message from the next one of its length: it begins anew.
            self._forget(key)
        packets = self._open.setdefault(key, {})
        if number not in packets:
            packets[number] = frame
            self._bytes += len(frame.body)
        if len(packets) == count:
            self._forget(key)
            body = b"".join(packets[i].body for i in range(1, count + 1))
            last = packets[count]
            return replace(last, body=body, packet=(count, count)), None
        if len(self._open) > self._most or self._bytes > _MOST_BYTES:
            return None, next(iter(self._forget(next(iter(self._open))).values()))
        return None, None

    def _forget(self, key: Key) -> dict[int, Frame]:
        packets = self._open.pop(key, {})
        self._bytes -= sum(len(frame.body) for frame in packets.values())
        return packets

    def missing(self, station: str) -> list[tuple[Frame, list[int]]]:
        """Return the messages of a station that are not whole: the first packet that has come, and which have not."""
        return [
            (packets[min(packets)], [number for number in range(1, key[2] + 1) if number not in packets])
            for key, packets in self._open.items()
            if key[0] == station
        ]

    def drop(self, frame: Frame) -> None:
        """Give up the message of a packet."""
        if frame.packet is not None:
            self._forget((frame.station, frame.function, frame.packet[1]))
