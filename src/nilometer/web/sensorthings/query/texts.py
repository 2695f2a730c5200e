"""What texts mean in every backend: characters are code points, order is theirs, case is Unicode's."""

from __future__ import annotations

__all__ = ["WHITE", "at_most"]

WHITE = "".join(
    map(chr, (*range(9, 14), 32, 0x85, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x2028, 0x2029, 0x202F, 0x205F, 0x3000))
)
"""What ``trim`` takes away: Unicode's white space."""

_LONGEST = 10**9


def at_most(number: float) -> int:
    """Return a place in a text: whole, not before its begin, and such as every database counts."""
    return int(max(0.0, min(float(number), float(_LONGEST))))
