"""What a centre says to a station, read: confirmations, and queries for a period; the station's side of SL 651.

References
----------
SL 651-2014 sections 6.6.2.4, 6.6.4.11, Tables 25, 44.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from nilometer.acquisition.protocols.sl651_body import Cursor
from nilometer.acquisition.protocols.sl651_elements import element_of
from nilometer.acquisition.protocols.sl651_frame import Frame
from nilometer.acquisition.protocols.sl651_numbers import bcd_time
from nilometer.errors import FrameError

__all__ = ["Asked", "asked_of"]

PERIOD_QUERY = 0x38
_TEXT = re.compile(rb"([0-9A-Fa-f]{4})(\d{12})(?:(\d{8}) (\d{8}) DR([DHN])(\d\d) ([A-Za-z][A-Za-z0-9]*) )?", re.DOTALL)
_STEP_US = {b"D": 86_400_000_000, b"H": 3_600_000_000, b"N": 60_000_000}


@dataclass(frozen=True, slots=True)
class Asked:
    """What a centre says.

    Parameters
    ----------
    serial : int
        Of the report it confirms; 0: it asks.
    sent : int
        µs since 1970 UTC: its clock.
    symbol : str
        Letters of the element whose period is asked for; empty: none is.
    first, last, step_us : int
        Of the period, µs; the last hour belongs to it.
    """

    serial: int
    sent: int
    symbol: str = ""
    first: int = 0
    last: int = 0
    step_us: int = 0


def asked_of(frame: Frame, zone: dt.tzinfo) -> Asked:
    """Return what a frame of a centre says.

    Raises
    ------
    FrameError
        If it says nothing that a station understands.
    """
    return _asked_text(frame, zone) if frame.is_text else _asked(frame, zone)


def _asked(frame: Frame, zone: dt.tzinfo) -> Asked:
    cursor = Cursor(frame.body)
    serial = int.from_bytes(cursor.take(2), "big")
    sent = bcd_time(cursor.take(6).hex(), zone)
    if frame.function != PERIOD_QUERY or not cursor.left:
        return Asked(serial, sent)
    first, last = (bcd_time(cursor.take(4).hex(), zone) for _ in range(2))
    step = cursor.take(5).hex()
    if step[:4] != "0418" or not step.isdecimal():
        raise FrameError(f"query: {step.upper()} is no step", frame=frame.body)
    days, hours, minutes = (int(step[i : i + 2]) for i in (4, 6, 8))
    guide = int.from_bytes(cursor.take(1), "big")
    if guide == 0xFF:
        guide = 0xFF00 | int.from_bytes(cursor.take(1), "big")
    step_us = ((days * 24 + hours) * 60 + minutes) * 60_000_000
    return Asked(serial, sent, element_of(guide).symbol, first, last, step_us)


def _asked_text(frame: Frame, zone: dt.tzinfo) -> Asked:
    match = _TEXT.match(frame.body)
    if match is None:
        raise FrameError("body: no serial number and time", frame=frame.body)
    serial, sent = int(match[1], 16), bcd_time(match[2].decode(), zone)
    if match[7] is None or frame.function != PERIOD_QUERY:
        return Asked(serial, sent)
    first, last = (bcd_time(match[i].decode(), zone) for i in (3, 4))
    return Asked(serial, sent, match[7].decode().upper(), first, last, int(match[6]) * _STEP_US[match[5]])
