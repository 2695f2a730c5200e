"""The 29-bit identifier of J1939 and NMEA 2000: priority, parameter group, addresses; does no I/O.

::

     28    26 25 24 23      16 15       8 7        0
    | prio  | R |DP|    PF    |    PS    | source   |
            PF < 240: PS is the destination, the group ends in 00
            PF >= 240: PS belongs to the group, and all are meant

References
----------
SAE J1939-21, 5.2; ISO 11783-3; NMEA 2000 takes it over.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["EVERYBODY", "Identifier", "identifier_of", "split_identifier"]

EVERYBODY = 255


class Identifier(NamedTuple):
    """What an identifier says."""

    priority: int
    pgn: int
    source: int
    destination: int


def split_identifier(identifier: int) -> Identifier:
    """Return what a 29-bit identifier says.

    Examples
    --------
    >>> split_identifier(0x0CF00400)
    Identifier(priority=3, pgn=61444, source=0, destination=255)
    >>> split_identifier(0x18EAFF01)
    Identifier(priority=6, pgn=59904, source=1, destination=255)
    """
    priority, source = identifier >> 26 & 7, identifier & 0xFF
    group = identifier >> 8 & 0x3FFFF
    if group >> 8 & 0xFF < 240:
        return Identifier(priority, group & 0x3FF00, source, group & 0xFF)
    return Identifier(priority, group, source, EVERYBODY)


def identifier_of(pgn: int, source: int, destination: int = EVERYBODY, priority: int = 6) -> int:
    """Return the 29-bit identifier of a message.

    Examples
    --------
    >>> hex(identifier_of(61444, 0, priority=3))
    '0xcf00400'
    """
    group = pgn & 0x3FFFF
    if group >> 8 & 0xFF < 240:
        group = (group & 0x3FF00) | (destination & 0xFF)
    return (priority & 7) << 26 | group << 8 | source & 0xFF
