"""One CAN frame, and the text forms in which tools of the field write it down; does no I/O.

::

    (1436509052.249713) can0 18FEEE00#3EFFFFFFFFFFFFFF        candump -L; `##F` and data: CAN FD; `#R`: remote
     can0  09F8027F   [8]  00 FC FF FF 00 00 FF FF            candump; a time in brackets in front with -t
    <0x18eeff01> [8] 05 a0 be 1c 00 a0 a0 c0                  candump of old (4.0)
    18FEEE00#3EFFFFFFFFFFFFFF                                 cansend

An identifier of more than three digits, or above 0x7FF, is of 29 bits.

References
----------
can-utils, manual pages candump(1) and cansend(1); ISO 11898-1 (11 and 29 bits, 8 bytes; CAN FD 64).
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass

from nilometer.errors import FrameError

__all__ = ["CanFrame", "frame_of_text", "microseconds"]

LONGEST_LINE = 512
_STANDARD_MOST = 0x7FF
_EXTENDED_MOST = 0x1FFFFFFF
_ERROR_FLAG = 0x20000000

_NINE = re.compile(r"[0-9]{0,9}")
_COMPACT = re.compile(
    r"(?:\((?P<time>[\d.: -]{1,32})\)\s+(?P<bus>\S{1,32})\s+)?(?P<id>[0-9A-Fa-f]{3}|[0-9A-Fa-f]{8})#"
    r"(?:(?P<remote>[Rr]\d?)|#(?P<fd>[0-9A-Fa-f])(?P<fdata>(?:[0-9A-Fa-f]{2}){0,64})"
    r"|(?P<data>(?:[0-9A-Fa-f]{2}\.?){0,8})(?:_[0-9A-Fa-f])?)(?:\s+(?P<way>[RT]))?"
)
_COLUMNS = re.compile(
    r"(?:\((?P<time>[\d.: -]{1,32})\)\s+)?(?P<bus>[A-Za-z]\S{0,31})\s+(?:(?:RX|TX)\s+(?:\S\s+\S\s+)?)?"
    r"(?P<id>[0-9A-Fa-f]{3,8})\s+\[(?P<length>\d{1,2})\]\s*"
    r"(?:(?P<remote>remote request)|(?P<data>(?:[0-9A-Fa-f]{2}\s*){0,64}))(?:\s*(?:'.*'|ERRORFRAME))?"
)
_OLD = re.compile(r"<0x(?P<id>[0-9A-Fa-f]{1,8})>\s+\[(?P<length>\d)\]\s*(?P<data>(?:[0-9A-Fa-f]{2}\s*){0,8})")


@dataclass(frozen=True, slots=True)
class CanFrame:
    """One frame.

    Parameters
    ----------
    identifier : int
        11 or 29 bits.
    data : bytes
        At most 8, CAN FD 64.
    extended : bool
        Whether the identifier has 29 bits.
    time : int, optional
        µs: since 1970 UTC, or since whatever its writer began with; None where the form has none.
    bus : str
        The interface it was seen on.
    remote, error, fd : bool
        A request for data; a report of the controller; CAN FD.
    """

    identifier: int
    data: bytes
    extended: bool = False
    time: int | None = None
    bus: str = ""
    remote: bool = False
    error: bool = False
    fd: bool = False

    def __str__(self) -> str:
        """Return the compact form.

        Examples
        --------
        >>> str(CanFrame(0x18FEEE00, bytes.fromhex("3EFF"), extended=True))
        '18FEEE00#3EFF'
        """
        name = f"{self.identifier:08X}" if self.extended else f"{self.identifier:03X}"
        if self.remote:
            return f"{name}#R"
        return f"{name}##0{self.data.hex().upper()}" if self.fd else f"{name}#{self.data.hex().upper()}"


def frame_of_text(line: str) -> CanFrame:
    """Return the frame that a line writes down.

    Parameters
    ----------
    line : str
        In one of the forms above, without its end.

    Raises
    ------
    FrameError
        If it is in none of them, or its identifier, length or time cannot be.

    Examples
    --------
    >>> frame_of_text("  can0  7E8   [8]  03 41 05 7B 00 00 00 00").data.hex()
    '0341057b00000000'
    >>> frame_of_text("(1436509052.249713) can0 123#DEAD").time
    1436509052249713
    """
    text = line.strip()
    if len(text) > LONGEST_LINE:
        raise FrameError(f"no CAN frame: a line of {len(text)} characters", frame=_bytes(text[:64]))
    for form in (_COMPACT, _COLUMNS, _OLD):
        found = form.fullmatch(text)
        if found is not None:
            return _frame(found.groupdict(), text)
    raise FrameError("no CAN frame in a form of candump or cansend", frame=_bytes(text[:64]))


def _frame(part: dict[str, str | None], text: str) -> CanFrame:
    digits = part["id"] or ""
    identifier = int(digits, 16)
    is_fd = part.get("fd") is not None
    data = bytes.fromhex((part.get("fdata") or part.get("data") or "").replace(".", ""))
    length = part.get("length")
    if length is not None and not part.get("remote") and int(length) != len(data):
        raise FrameError(f"[{length}] bytes are told, {len(data)} are there", frame=_bytes(text[:64]))
    error = len(digits) == 8 and bool(identifier & _ERROR_FLAG)
    if identifier > (_EXTENDED_MOST | _ERROR_FLAG):
        raise FrameError(f"identifier 0x{digits} has more than 29 bits", frame=_bytes(text[:64]))
    return CanFrame(
        identifier=identifier & _EXTENDED_MOST,
        data=data,
        extended=len(digits) > 3 or identifier > _STANDARD_MOST,
        time=microseconds(stamp) if (stamp := part.get("time")) else None,
        bus=part.get("bus") or "",
        remote=part.get("remote") is not None,
        error=error,
        fd=is_fd or len(data) > 8,
    )


def microseconds(text: str) -> int:
    """Return the µs of a time as candump writes it: seconds, or date and time of day.

    Raises
    ------
    FrameError
        If it is neither.

    Examples
    --------
    >>> microseconds("0.000123"), microseconds("2009-11-10 11:12:13.5")
    (123, 1257851533500000)
    """
    text = text.strip()
    seconds, _, fraction = text.partition(".")
    if seconds.isdecimal() and seconds.isascii() and len(seconds) <= 11 and _NINE.fullmatch(fraction):
        return int(seconds) * 1_000_000 + int(fraction[:6].ljust(6, "0"))
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise FrameError(f"{text!r} is no time of a frame", frame=_bytes(text)) from None
    since = moment.replace(tzinfo=moment.tzinfo or dt.UTC) - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
