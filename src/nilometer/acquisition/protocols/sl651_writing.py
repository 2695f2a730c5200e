"""Messages of SL 651 to send, in either coding: a station's reports and answers, a centre's confirmations and queries.

References
----------
SL 651-2014 sections 6.3.1.2, 6.3.2, 6.6.2 to 6.6.4, Tables 24 to 49, 67; that an element is asked for by both bytes of
its identifier, and that a serial number of 0 tells a query from a confirmation, is also how a station's firmware reads
it (xiaozhuweini/fyyp_rtu, components/ptcl/sl651.c).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_HALF_EVEN, Decimal

from nilometer.acquisition.protocols.sl651_elements import Element, Layout
from nilometer.acquisition.protocols.sl651_frame import ENQ, ETB, ETX, Frame
from nilometer.acquisition.protocols.sl651_numbers import definition_of, number_bcd, time_bcd

__all__ = [
    "Group",
    "clock_order",
    "confirmation",
    "even_body",
    "link_body",
    "period_query",
    "present_query",
    "report_body",
    "split_packets",
]

_MINUTE_US = 60_000_000
_DAY_MIN, _HOUR_MIN = 1440, 60


@dataclass(frozen=True, slots=True)
class Group:
    """The values of one time of observation: µs since 1970 UTC, and numbers by element (NaN: none)."""

    time: int
    values: Sequence[tuple[Element, float]]


def link_body(serial: int, sent: int, zone: dt.tzinfo, *, is_text: bool = False) -> bytes:
    """Return the body of link keeping (2FH): the serial number of the last report, and the time."""
    return _lead(serial, sent, zone, is_text=is_text)


def report_body(
    serial: int, sent: int, station: str, kind: str, groups: Iterable[Group], zone: dt.tzinfo, *, is_text: bool = False
) -> bytes:
    """Return the body of a report (30H, 32H, 33H, 34H) or of an answer with values (37H, 3AH).

    Parameters
    ----------
    serial : int
        1 to 65535; of an answer that of the query.
    sent : int
        µs since 1970 UTC.
    station : str
        10 hexadecimal digits.
    kind : str
        One letter of Appendix A, such as ``H`` (river), ``Q`` (water quality).
    groups : iterable of Group
        In the order of time.
    zone : tzinfo
        The station's.
    is_text : bool
        In the ASCII coding.

    Raises
    ------
    ValueError
        If a value does not fit into its element's digits, or the element is one of five-minute data.
    """
    if is_text:
        words = [*_text_head(station, kind)]
        for group in groups:
            words += ["TT", time_bcd(group.time, zone, 10)]
            words += [word for element, value in group.values for word in (element.symbol, _text(element, value))]
        return _lead(serial, sent, zone, is_text=True) + " ".join([*words, ""]).encode()
    parts = [_lead(serial, sent, zone, is_text=False), _head(station, kind)]
    for group in groups:
        parts.append(b"\xf0\xf0" + bytes.fromhex(time_bcd(group.time, zone, 10)))
        for element, value in group.values:
            definition, data = _packed(element, value)
            parts.append(_guide(element) + bytes([definition]) + data)
    return b"".join(parts)


def even_body(
    serial: int,
    sent: int,
    station: str,
    kind: str,
    element: Element,
    start: int,
    step_us: int,
    values: Sequence[float],
    zone: dt.tzinfo,
    *,
    is_text: bool = False,
) -> bytes:
    """Return the body of values of even steps (31H), or of the answer to a period query (38H).

    Parameters
    ----------
    element : Element
        Of all values.
    start, step_us : int
        Time of the first value (of an element of an interval its end), µs since 1970 UTC, and from one to the next.
    values : sequence of float
        NaN: none. All take as many bytes: that of the widest (6.6.4.4 d).

    Raises
    ------
    ValueError
        If the step is none of Tables C.2 and C.3, or a value does not fit.
    """
    if is_text:
        words = [*_text_head(station, kind), "TT", time_bcd(start, zone, 10), _text_step(step_us), element.symbol]
        words += [_text(element, value) for value in values]
        return _lead(serial, sent, zone, is_text=True) + " ".join([*words, ""]).encode()
    parts = [_lead(serial, sent, zone, is_text=False), _head(station, kind)]
    parts += [b"\xf0\xf0", bytes.fromhex(time_bcd(start, zone, 10)), _step(step_us)]
    packed = [_packed(element, value) for value in values]
    widest = max((len(data) for _, data in packed), default=(element.digits + 1) // 2)
    parts += [_guide(element), bytes([definition_of(widest, element.decimals)])]
    for value, (_, data) in zip(values, packed, strict=True):
        # What is none is all FF; a negative number begins with FF, and its digits are filled up behind.
        missing = math.isnan(value)
        sign = data[:1] if value < 0 and data[:1] == b"\xff" else b""
        filler = b"\xff" if missing else b"\x00"
        parts.append(sign + filler * (widest - len(data)) + data[len(sign) :])
    return b"".join(parts)


def confirmation(frame: Frame, serial: int, sent: int, zone: dt.tzinfo, end: int) -> Frame:
    """Return what a centre says to a report that is safe (EOT, ESC, ACK), or to a packet that it lacks (NAK).

    The serial number is the report's. Of a message in packets, EOT and ESC bear the number of the last one, NAK that
    of the packet that is to be sent again: `frame.packet` gives it.
    """
    body = _lead(serial, sent, zone, is_text=frame.is_text)
    return replace(frame, body=body, end=end, is_down=True, offset=0)


def period_query(
    frame: Frame, sent: int, element: Element, first: int, last: int, step_us: int, zone: dt.tzinfo
) -> Frame:
    """Return the query (38H) for the values of a period, to the station that sent a frame.

    Parameters
    ----------
    frame : Frame
        Any of the station: its addresses, password and coding are taken.
    sent : int
        µs since 1970 UTC.
    element : Element
        What is asked for.
    first, last : int
        µs since 1970 UTC; the wire says the hours alone.
    step_us : int
        From value to value, µs.
    zone : tzinfo
        The station's.

    Raises
    ------
    ValueError
        If the step is none of Tables C.2 and C.3.
    """
    # The hour that the last value does not lie behind.
    hours = time_bcd(first, zone, 8) + time_bcd(last + _HOUR_MIN * _MINUTE_US - 1, zone, 8)
    lead = _lead(0, sent, zone, is_text=frame.is_text)
    if frame.is_text:
        body = lead + f"{hours[:8]} {hours[8:]} {_text_step(step_us)} {element.symbol} ".encode()
    else:
        size = {Layout.RAIN: 12, Layout.LEVELS: 24}.get(element.layout, (element.digits + 1) // 2)
        decimals = element.decimals if element.layout is Layout.NUMBER else 0
        identifier = _guide(element) + bytes([definition_of(size, decimals)])
        body = lead + bytes.fromhex(hours) + _step(step_us) + identifier
    return replace(frame, function=0x38, body=body, end=ENQ, packet=None, is_down=True, offset=0)


def present_query(frame: Frame, sent: int, zone: dt.tzinfo) -> Frame:
    """Return the query (37H) for all that it measures now, to the station that sent a frame."""
    return replace(clock_order(frame, sent, zone), function=0x37)


def clock_order(frame: Frame, sent: int, zone: dt.tzinfo) -> Frame:
    """Return the order (4AH) to set its clock, to the station that sent a frame: the time of sending is the time."""
    body = _lead(0, sent, zone, is_text=frame.is_text)
    return replace(frame, function=0x4A, body=body, end=ENQ, packet=None, is_down=True, offset=0)


def split_packets(frame: Frame, most_bytes: int) -> Iterator[Frame]:
    """Yield a message as it is sent: one frame where its body fits, else packets that end with ETB, the last with ETX.

    Parameters
    ----------
    frame : Frame
        With the whole body.
    most_bytes : int
        Of body a frame bears; the standard advises under 220 (H.4.4.2).

    Raises
    ------
    ValueError
        If that gives more than 4095 packets.
    """
    if len(frame.body) <= most_bytes:
        yield frame
        return
    pieces = [frame.body[i : i + most_bytes] for i in range(0, len(frame.body), most_bytes)]
    if len(pieces) > 4095:
        raise ValueError(f"{len(pieces)} packets are more than 4095")
    for number, piece in enumerate(pieces, 1):
        yield replace(frame, body=piece, packet=(number, len(pieces)), end=ETX if number == len(pieces) else ETB)


def _lead(serial: int, sent: int, zone: dt.tzinfo, *, is_text: bool) -> bytes:
    text = f"{serial & 0xFFFF:04X}{time_bcd(sent, zone)}"
    return text.encode() if is_text else bytes.fromhex(text)


def _head(station: str, kind: str) -> bytes:
    return b"\xf1\xf1" + bytes.fromhex(station) + kind.encode("latin-1")


def _text_head(station: str, kind: str) -> Iterator[str]:
    yield from ("ST", station)
    if kind:
        yield kind


def _guide(element: Element) -> bytes:
    return element.guide.to_bytes(2 if element.guide > 0xFF else 1, "big")


def _packed(element: Element, value: float) -> tuple[int, bytes]:
    if element.layout is Layout.STATE:
        return definition_of(4, 0), int(value).to_bytes(4, "big")
    if element.layout is not Layout.NUMBER:
        raise ValueError(f"element {element.symbol}: five-minute data of an hour are not written")
    return number_bcd(value, element.digits, element.decimals)


def _text(element: Element, value: float) -> str:
    if math.isnan(value):
        return "M"
    if element.layout is Layout.STATE:
        return f"{int(value):08X}"
    if element.layout is not Layout.NUMBER:
        raise ValueError(f"element {element.symbol}: five-minute data of an hour are not written")
    text = str(Decimal(repr(value)).quantize(Decimal(1).scaleb(-element.decimals), ROUND_HALF_EVEN))
    if sum(letter.isdecimal() for letter in text) > element.digits + 1:
        raise ValueError(f"{value:g} does not fit into N({element.digits},{element.decimals})")
    return text


def _parts(step_us: int) -> tuple[int, int, int]:
    """Return days, hours and minutes of a step, of which one alone is not 0."""
    minutes, rest = divmod(step_us, _MINUTE_US)
    if rest == 0 and 0 < minutes < _HOUR_MIN:
        return 0, 0, minutes
    if rest == 0 and minutes % _HOUR_MIN == 0 and 0 < minutes < _DAY_MIN:
        return 0, minutes // _HOUR_MIN, 0
    if rest == 0 and minutes % _DAY_MIN == 0 and 0 < minutes <= 31 * _DAY_MIN:
        return minutes // _DAY_MIN, 0, 0
    raise ValueError(f"a step of {step_us / 1e6:g} s is not 1 to 59 min, 1 to 23 h or 1 to 31 days")


def _step(step_us: int) -> bytes:
    return b"\x04\x18" + bytes.fromhex("".join(f"{part:02d}" for part in _parts(step_us)))


def _text_step(step_us: int) -> str:
    letter, part = next((letter, part) for letter, part in zip("DHN", _parts(step_us), strict=True) if part)
    return f"DR{letter}{part:02d}"
