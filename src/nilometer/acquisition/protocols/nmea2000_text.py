"""How gateways and logs write NMEA 2000 as text: frames, or whole messages; does no I/O.

::

    17:33:21.107 R 19F51323 01 2F 30 70 00 2F 30 70            Yacht Devices RAW: a frame; R received, T sent
    A173321.107 23FF7 1F513 012F3070002F3070                   Actisense N2K ASCII: a message
    2014-08-15T19:00:00.045Z,3,129033,160,255,8,a9,3f,fc,ed    canboat and Signal K: priority, PGN, source, destination

In the second the middle word is source, destination and priority: ``SSDDP``. The first two tell a time of day without
a date, or, of a gateway that has heard no clock, the time since it started: it is no time of a value.

References
----------
Yacht Devices YDWG-02 and YDNU-02 user manuals, appendix "Format of Messages in RAW Mode"; Actisense N2K ASCII and the
comma form as canboat reads them.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from nilometer.acquisition.protocols.can_frame import CanFrame, frame_of_text, microseconds
from nilometer.acquisition.protocols.j1939_transport import Message
from nilometer.errors import FrameError

__all__ = ["Timed", "line_of", "said_in"]

_RAW = re.compile(
    r"\d{2}:\d{2}:\d{2}\.\d{1,6}\s+(?P<way>[RT])\s+(?P<id>[0-9A-Fa-f]{8})(?P<data>(?:\s+[0-9A-Fa-f]{2}){0,8})"
)
_ACTISENSE = re.compile(
    r"A\d{6}(?:\.\d{1,6})?\s+(?P<sdp>[0-9A-Fa-f]{5})\s+(?P<pgn>[0-9A-Fa-f]{5})\s+(?P<data>(?:[0-9A-Fa-f]{2}\s?){0,1785})"
)
_COMMAS = re.compile(
    r"(?P<time>\d{4}-\d{2}-\d{2}[T -]\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?Z?),(?P<prio>[0-7]),(?P<pgn>\d{1,6}),"
    r"(?P<src>\d{1,3}),(?P<dst>\d{1,3}),(?P<length>\d{1,4})(?P<data>(?:,[0-9A-Fa-f]{2}){0,1785})"
)


class Timed(NamedTuple):
    """A frame, or a whole message, and when it was seen: µs since 1970 UTC, or None."""

    said: CanFrame | Message
    time: int | None


def said_in(line: str) -> Timed:
    r"""Return what a line writes down: one of the forms above, or one of `frame_of_text`.

    Raises
    ------
    FrameError
        If it is in none of them, or what it tells cannot be.

    Examples
    --------
    >>> said_in("A173321.107 23FF7 1F513 012F3070").said
    Message(pgn=128275, source=35, destination=255, priority=7, data=b'\x01/0p')
    """
    text = line.strip()
    if (found := _COMMAS.fullmatch(text)) is not None:
        return _commas(found, text)
    if (found := _RAW.fullmatch(text)) is not None:
        identifier = int(found["id"], 16)
        if identifier > 0x1FFFFFFF:
            raise FrameError(f"identifier 0x{found['id']} has more than 29 bits", frame=text[:64].encode())
        return Timed(CanFrame(identifier, bytes.fromhex(found["data"]), extended=True), None)
    if (found := _ACTISENSE.fullmatch(text)) is not None:
        sdp = int(found["sdp"], 16)
        pgn = int(found["pgn"], 16)
        return Timed(Message(pgn, sdp >> 12, sdp >> 4 & 0xFF, sdp & 0xF, bytes.fromhex(found["data"])), None)
    frame = frame_of_text(text)
    return Timed(frame, frame.time)


def _commas(found: re.Match[str], text: str) -> Timed:
    data = bytes.fromhex(found["data"].replace(",", ""))
    if int(found["length"]) != len(data):
        raise FrameError(f"{found['length']} bytes are told, {len(data)} are there", frame=text[:64].encode())
    source, destination = int(found["src"]), int(found["dst"])
    if source > 255 or destination > 255:
        raise FrameError(f"address {max(source, destination)} is more than 255", frame=text[:64].encode())
    # canboat puts a third hyphen between date and time of day.
    stamp = found["time"].removesuffix("Z")
    time = microseconds(f"{stamp[:10]} {stamp[11:]}")
    return Timed(Message(int(found["pgn"]), source, destination, int(found["prio"]), data), time)


def line_of(frame: CanFrame, time_of_day: str) -> bytes:
    r"""Return a frame as a line of Yacht Devices RAW.

    Examples
    --------
    >>> line_of(CanFrame(0x09F80115, b"\xa0\x7d", extended=True), "17:33:21.141")
    b'17:33:21.141 R 09F80115 A0 7D\r\n'
    """
    return f"{time_of_day} R {frame.identifier:08X} {frame.data.hex(' ').upper()}".strip().encode() + b"\r\n"
