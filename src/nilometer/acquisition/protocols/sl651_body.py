"""Bodies of SL 651 messages in the HEX/BCD coding: serial number, time of sending, then stations, times and elements.

::

    ┌────────┬──────────────┬───────────────────────┬──────┬─────────────────┬──────────┬──────┬─────
    │ serial │ YYMMDDHHmmSS │ F1 F1  station address│ kind │ F0 F0 YYMMDDHHmm│ 39 23    │ data │ ...
    ├────────┼──────────────┼───────────────────────┼──────┼─────────────────┼──────────┼──────┼─────
    │ 2      │ 6 BCD        │ 2 + 5                 │ 1    │ 2 + 5 BCD       │ 2        │ 4    │
    └────────┴──────────────┴───────────────────────┴──────┴─────────────────┴──────────┴──────┴─────
                                                            element 39H, 4 bytes, 3 decimals

Data of even steps (functions 31H and 38H) name a step, ``04 18`` and days, hours, minutes, and one element; the values
follow each other without its identifier.

References
----------
SL 651-2014 sections 6.6.1 to 6.6.4, Tables 24 to 49, Appendices B and C.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec

from nilometer.acquisition.protocols.sl651_elements import ELEMENTS, Element, Layout, element_of
from nilometer.acquisition.protocols.sl651_numbers import bcd_number, bcd_time
from nilometer.errors import FrameError

__all__ = ["DATA", "EVEN", "NO_KIND", "Body", "Cursor", "Observed", "parse_body", "spread"]

DATA = frozenset({0x30, 0x31, 0x32, 0x33, 0x34, 0x37, 0x38, 0x3A, 0x44, 0x46})
"""Functions whose messages bear elements."""

EVEN = frozenset({0x31, 0x38})
"""Those of them that bear values of even steps."""

NO_KIND = frozenset({0x46})
"""Those that do not name the kind of station behind its address (Table 60)."""

MANUAL, PICTURE = 0xF2F2, 0xF3F3
_STATION, _OBSERVED, _STEP = 0xF1F1, 0xF0F0, 0x0418
_EXTENSION, _VELOCITIES = 0xFF, 0xFD
_HOURLY_STEP_US = 300_000_000
_MINUTE_US = 60_000_000
_LONGEST_RUN = 5000


class Observed(msgspec.Struct, frozen=True):
    """One value.

    Parameters
    ----------
    station : str
        10 digits.
    kind : str
        What sort of station says so (``H`` river, ``P`` rain, ``Q`` water quality, ...); empty where it does not.
    element : Element
        What it is of.
    time : int
        µs since 1970 UTC; of an element of an interval its end.
    value : float
        In the element's unit; NaN: none.
    mark : str or None
        ``F`` or ``M`` as the wire has it, where there is no value.
    """

    station: str
    kind: str
    element: Element
    time: int
    value: float
    mark: str | None = None


@dataclass(frozen=True, slots=True)
class Body:
    """What a message says.

    Parameters
    ----------
    serial : int
        1 to 65535, repeated by what is sent again; 0: begun by the centre.
    sent : int
        µs since 1970 UTC.
    observed : tuple of Observed
        The values, in the order of the wire.
    text : str
        Of a manual report (35H, 39H), undecoded.
    rest : bytes
        What a function without elements says.
    problem : str
        Why nothing more could be read, behind the last value; empty: all was read.
    """

    serial: int
    sent: int
    observed: tuple[Observed, ...] = ()
    text: str = ""
    rest: bytes = b""
    problem: str = ""


@dataclass(slots=True)
class Cursor:
    """Where a parser stands in a body."""

    data: bytes
    place: int = 0

    def take(self, count: int) -> bytes:
        """Return the next bytes; FrameError where there are fewer."""
        piece = self.data[self.place : self.place + count]
        if len(piece) < count:
            raise FrameError(
                f"body: {count} bytes are missing at byte {self.place}", frame=self.data, offset=self.place
            )
        self.place += count
        return piece

    def peek(self, count: int = 2) -> int:
        """Return the next bytes as a number, 0 at the end, and stay."""
        return int.from_bytes(self.data[self.place : self.place + count], "big")

    @property
    def left(self) -> bytes:
        """Return what was not taken."""
        return self.data[self.place :]


@dataclass(slots=True)
class _State:
    """Whose values follow, and of when."""

    station: str
    kind: str = ""
    time: int | None = None
    step_us: int = 0
    found: list[Observed] = field(default_factory=list)


def parse_body(function: int, station: str, data: bytes, zone: dt.tzinfo) -> Body:
    """Return what a body of the HEX/BCD coding says.

    Parameters
    ----------
    function : int
        The frame's.
    station : str
        The frame's: whose values they are until the body names one.
    data : bytes
        All of a message, its packets joined.
    zone : tzinfo
        The stations'.

    Returns
    -------
    Body
        Values in front of something unreadable are kept; `Body.problem` says what it was.

    Raises
    ------
    FrameError
        If not even its serial number and time can be read.
    """
    cursor = Cursor(data)
    serial = int.from_bytes(cursor.take(2), "big")
    sent = bcd_time(cursor.take(6).hex(), zone)
    if cursor.peek() == MANUAL:
        return Body(serial, sent, text=cursor.left[2:].decode("gb18030", "replace").strip())
    if function not in DATA:
        return Body(serial, sent, rest=cursor.left)
    state, problem = _State(station), ""
    try:
        while cursor.place < len(data):
            if not _plain(cursor, state):
                _group(cursor, function, state, zone)
    except FrameError as error:
        problem = str(error)
    return Body(serial, sent, tuple(state.found), problem=problem)


def _plain(cursor: Cursor, state: _State) -> bool:
    """Take a number of the table at its own time, which nearly all values are; False: it is something else."""
    data, place = cursor.data, cursor.place
    element = _PLAIN.get(data[place])
    if element is None or state.time is None or state.step_us or place + 2 > len(data):
        return False
    size, decimals = data[place + 1] >> 3, data[place + 1] & 7
    piece = data[place + 2 : place + 2 + size]
    if size == 0 or len(piece) < size:
        return False
    value = bcd_number(piece, decimals)
    mark = "F" if math.isnan(value) else None
    state.found.append(Observed(state.station, state.kind, element, state.time, value, mark))
    cursor.place = place + 2 + size
    return True


def _group(cursor: Cursor, function: int, state: _State, zone: dt.tzinfo) -> None:
    ahead = cursor.peek()
    if ahead == _STATION:
        cursor.take(2)
        state.station = cursor.take(5).hex().upper()
        state.time = None
        if function not in NO_KIND and cursor.peek() != _OBSERVED:
            state.kind = cursor.take(1).decode("latin-1")
    elif ahead == _OBSERVED:
        cursor.take(2)
        state.time = bcd_time(cursor.take(5).hex(), zone)
    elif ahead == _STEP:
        cursor.take(2)
        state.step_us = _step(cursor.take(3))
    else:
        _element(cursor, function, state)


def _step(data: bytes) -> int:
    if not data.hex().isdecimal():
        raise FrameError(f"step: {data.hex().upper()} is no BCD", frame=data)
    days, hours, minutes = (int(f"{part:02x}") for part in data)
    return ((days * 24 + hours) * 60 + minutes) * _MINUTE_US


def _element(cursor: Cursor, function: int, state: _State) -> None:
    guide = cursor.take(1)[0]
    if guide == _EXTENSION:
        guide = _EXTENSION << 8 | cursor.take(1)[0]
    elif guide == _VELOCITIES:
        raise FrameError("element FDH: a batch of velocities is not decoded", frame=cursor.data, offset=cursor.place)
    definition = cursor.take(1)[0]
    size, decimals = definition >> 3, definition & 7
    if size == 0:
        raise FrameError(f"element {guide:02X}H: it has no bytes", frame=cursor.data, offset=cursor.place)
    element = element_of(guide)
    if state.time is None and element.layout is not Layout.STATE:
        raise FrameError(f"element {element.symbol}: no time of observation is in front of it", frame=cursor.data)
    pieces = [cursor.take(size)]
    is_run = function in EVEN and bool(state.step_us) and element.layout is Layout.NUMBER
    while function in EVEN and len(cursor.left) >= size and (is_run or element.layout in _GROUPED):
        if len(pieces) > _LONGEST_RUN or cursor.peek() in {_STATION, _OBSERVED}:
            break
        pieces.append(cursor.take(size))
    values = [value for piece in pieces for value in _values(element, piece, decimals)]
    step = _HOURLY_STEP_US if element.layout in _GROUPED else state.step_us
    state.found += spread(state.station, state.kind, element, state.time or 0, step, values)


_GROUPED = frozenset({Layout.RAIN, Layout.LEVELS})
_PLAIN = {guide: element for guide, element in ELEMENTS.items() if element.layout is Layout.NUMBER}


def _values(element: Element, data: bytes, decimals: int) -> Iterator[tuple[float, str | None]]:
    match element.layout:
        case Layout.RAIN:
            for byte in data:
                yield (math.nan, "F") if byte == 0xFF else (byte / 10, None)
        case Layout.LEVELS:
            for i in range(0, len(data) - 1, 2):
                word = int.from_bytes(data[i : i + 2], "big")
                yield (math.nan, "F") if word == 0xFFFF else (word / 100, None)
        case Layout.STATE:
            yield float(int.from_bytes(data, "big")), None
        case _:
            value = bcd_number(data, decimals)
            yield value, "F" if math.isnan(value) else None


def spread(
    station: str, kind: str, element: Element, time: int, step_us: int, values: list[tuple[float, str | None]]
) -> Iterator[Observed]:
    """Yield values that follow each other by a step, the first at a time."""
    for i, (value, mark) in enumerate(values):
        yield Observed(station, kind, element, time + i * step_us, value, mark)
