"""Which packets of a message have come: a message of several packets is stored part by part, complete is only a status.

Every packet is a frame with its own QN; what joins them is MN, ST, CN, DataTime and PNUM (HJ 212-2017 C.49, C.50).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from nilometer.acquisition.protocols.hj212_message import Message

__all__ = ["PacketTracker", "Packets"]

Key = tuple[str, str, str, str, int]


@dataclass(frozen=True, slots=True)
class Packets:
    """What has come of one message: the numbers seen, of how many."""

    device: str
    command: str
    data_time: str
    count: int
    seen: frozenset[int]

    @property
    def is_complete(self) -> bool:
        """Say whether every packet has come."""
        return len(self.seen) == self.count

    @property
    def missing(self) -> tuple[int, ...]:
        """Return the numbers that have not come, at most a hundred."""
        return tuple(number for number in range(1, min(self.count, 100) + 1) if number not in self.seen)


class PacketTracker:
    """Follows messages of several packets, in any order, with repeats.

    Parameters
    ----------
    most : int
        How many open messages are followed; the oldest is given up, and returned by `add`, beyond that.
    """

    def __init__(self, most: int = 64) -> None:
        self._most = most
        self._open: OrderedDict[Key, set[int]] = OrderedDict()

    def add(self, message: Message) -> tuple[Packets, Packets | None]:
        """Take a message.

        Returns
        -------
        packets : Packets
            What has come of its message, this packet included; of a message of one packet, all.
        given_up : Packets or None
            An older message that is no longer waited for.
        """
        number, count = message.packet or (1, 1)
        key = (message.device, message.system, message.command, message.fields.get("DataTime", ""), count)
        if count <= 1 or not 1 <= number <= count:
            return _packets(key, {1} if count <= 1 else {number}), None
        seen = self._open.setdefault(key, set())
        seen.add(number)
        if len(seen) == count:
            del self._open[key]
        given_up = None
        if len(self._open) > self._most:
            given_up = _packets(*self._open.popitem(last=False))
        return _packets(key, seen), given_up

    def open(self) -> list[Packets]:
        """Return the messages that are not complete, the oldest first."""
        return [_packets(key, seen) for key, seen in self._open.items()]


def _packets(key: Key, seen: set[int]) -> Packets:
    device, _, command, data_time, count = key
    return Packets(device, command, data_time, max(count, 1), frozenset(seen))
