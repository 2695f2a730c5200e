"""What Solinst files share: how their channels are called, and the serial number among its dots.

A Levelogger is not vented: its level is the water above the sensor with the air's pressure in it, until software takes
that of a Barologger off. Whether it did, the files do not say.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

__all__ = ["channel_name", "level_note", "serial_number", "with_milliseconds"]


def channel_name(identification: str) -> str:
    """Return what a channel is called, without its number.

    Examples
    --------
    >>> channel_name("1: Conductivity     "), channel_name("LEVEL")
    ('Conductivity', 'LEVEL')
    """
    return re.sub(r"^\d+:\s*", "", identification.strip()) or "channel"


def level_note(names: Sequence[str]) -> list[str]:
    """Return the note that a column of levels needs."""
    if not any(name.casefold().startswith("level") for name in names):
        return []
    return ["level is the water above an unvented sensor: whether the air's pressure was taken off is not told"]


def serial_number(text: str) -> str:
    """Return the serial number that a header line tells.

    Examples
    --------
    >>> serial_number(".. 0-1034598 2.."), serial_number("1067933"), serial_number("..00-63606  210.")
    ('1034598', '1067933', '63606')
    """
    match = re.search(r"(?:\d{1,2}-)?(\d{4,})", text)
    return match[1] if match else text.strip(". ")


def with_milliseconds(clocks: Sequence[str], parts: Sequence[str]) -> list[str]:
    """Return times of day with the milliseconds that stand in a column of their own.

    Examples
    --------
    >>> with_milliseconds(["09:00:00", "09:00:05"], ["0", "250"])
    ['09:00:00', '09:00:05.250']
    """
    whole = [part if part.isdecimal() and int(part[:9]) else "" for part in parts]
    return [f"{clock}.{part.zfill(3)[:6]}" if part else clock for clock, part in zip(clocks, whole, strict=True)]
