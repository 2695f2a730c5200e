"""SDI-12 answers: what a sensor says to a command.

Each is one line; all but the last of the maker's own end here::

    ┌─────────┬─────┬───┬───────┐    ┌─────────┬───┬───────┬─────┬─────┬───────┐
    │ address │ ttt │ n │ CR LF │    │ address │ ± │ value │ …   │ CRC │ CR LF │
    └─────────┴─────┴───┴───────┘    └─────────┴───┴───────┴─────┴─────┴───────┘
    ready in ttt s, n values         0, 1 or more values; 3 characters of CRC where it was asked for

References
----------
SDI-12 specification 1.4 (2019), sections 4.4 and 6.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from nilometer.acquisition.protocols.sdi12_command import ADDRESSES, Command, Kind
from nilometer.acquisition.protocols.sdi12_crc import crc_text
from nilometer.acquisition.protocols.sdi12_parity import without_parity
from nilometer.errors import ChecksumError, FrameError

__all__ = ["Answer", "DataAnswer", "Here", "Identification", "Parameter", "Started", "Text", "answer", "data_answer"]

MOST_VALUES = 999


@dataclass(frozen=True, slots=True)
class Here:
    """The address alone: acknowledge, query, change, and a service request."""

    address: str


@dataclass(frozen=True, slots=True)
class Started:
    """`count` values are ready in at most `seconds`."""

    address: str
    seconds: int
    count: int


@dataclass(frozen=True, slots=True)
class DataAnswer:
    """Values as they stood on the wire: digits and leading zeros can bear meaning (dates, serial numbers).

    `tolerated` names what is off the standard and was read all the same; `is_checked` says that a CRC stood.
    """

    address: str
    texts: tuple[str, ...]
    is_checked: bool = False
    tolerated: str = ""

    @property
    def values(self) -> tuple[float, ...]:
        """Return the values as numbers."""
        return tuple(float(text) for text in self.texts)


@dataclass(frozen=True, slots=True)
class Identification:
    """Who a sensor says that it is, cut by width; `text` is the whole line behind the address.

    `tolerated` says that the line does not keep the layout, so that the parts are not to be relied on.
    """

    address: str
    text: str
    version: str
    vendor: str
    model: str
    firmware: str
    serial: str
    tolerated: str = ""


@dataclass(frozen=True, slots=True)
class Parameter:
    """What version 1.4 says of one value: its SHEF code, its unit, and what else the maker adds."""

    address: str
    shef: str
    units: str
    more: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Text:
    """One line of the maker's own."""

    address: str
    text: str


Answer = Here | Started | DataAnswer | Identification | Parameter | Text

_VALUE = re.compile(rb"[+-](?:\d{1,15}(?:\.\d{0,15})?|\.\d{1,15})")
_VALUES = re.compile(rb"(?:" + _VALUE.pattern + rb")*")
_STARTED = {digits: re.compile(rb"\d{3}" + (rb"[0-?]" if digits == 1 else rb"\d" * digits)) for digits in (1, 2, 3)}
_PARAMETER = re.compile(rb",([^,;]*),([^,;]*)((?:,[^;]*)?);")

# Two lines that Campbell's manuals print and that do not keep the layout: CS451/CS456 D.1.3, CS475 Table 8-3, where the
# vendor is padded and the model, PS62, is not.
_KNOWN_OFF_LAYOUT = (re.compile(r"\d\dCSI451\."), re.compile(r"\d\dVEGA {4}PS62\d"))
_LAYOUT = re.compile(r"\d\d[ -~]{8}[ -~]{6}[ -~]{3}[ -~]{0,13}")


def answer(line: bytes, asked: Command) -> Answer:
    """Return what a line says in answer to a command.

    Parameters
    ----------
    line : bytes
        Without CR LF; bit 7 may hold even parity, as adapters set to 8N1 give it.
    asked : Command
        What was asked; for D, `asked.has_crc` is that of the measurement (see `data_answer`).

    Raises
    ------
    ChecksumError
        If a CRC is wrong.
    FrameError
        If it is not the answer: another address, another form, characters that parity refuses.

    Examples
    --------
    >>> from nilometer.acquisition.protocols.sdi12_command import command
    >>> answer(b"10617", command("1M!"))
    Started(address='1', seconds=61, count=7)
    """
    if asked.kind in {Kind.DATA, Kind.CONTINUOUS}:
        return data_answer(line, asked, has_crc=asked.has_crc)
    line, address, _ = _addressed(line, asked)
    rest = line[1:]
    match asked.kind:
        case Kind.ACKNOWLEDGE | Kind.QUERY | Kind.CHANGE if not rest:
            return Here(address)
        case Kind.START | Kind.ABOUT if _STARTED[asked.digits].fullmatch(rest):
            # YSI 6-series counts on behind 9 with the characters that follow it: ":" is 10.
            count = rest[3] - 48 if asked.digits == 1 else int(rest[3:])
            return Started(address, int(rest[:3]), count)
        case Kind.IDENTIFY:
            return _identification(address, rest.decode("ascii"))
        case Kind.PARAMETER if (found := _PARAMETER.fullmatch(rest)) is not None:
            shef, units, more = (part.decode("ascii") for part in found.groups())
            return Parameter(address, shef, units, tuple(more.split(",")[1:]))
        case Kind.EXTENDED:
            return Text(address, rest.decode("ascii"))
    raise FrameError(f"form: {line.decode('ascii')!r} is no answer to {asked.wire.decode()}", frame=line)


def data_answer(line: bytes, asked: Command, *, has_crc: bool) -> DataAnswer:
    """Return the values of a line.

    Parameters
    ----------
    line : bytes
        Without CR LF.
    asked : Command
        D or R.
    has_crc : bool
        The measurement was started with a CRC; an address alone is taken without one, because it holds no value.

    Raises
    ------
    ChecksumError, FrameError
        See `answer`.
    """
    line, address, tolerated = _addressed(line, asked)
    if len(line) == 1:
        return DataAnswer(address, (), tolerated=tolerated)
    body, is_checked = line, False
    if has_crc or not _VALUES.fullmatch(line[1:]):
        if not all(0x40 <= byte <= 0x7F for byte in line[-3:]) or len(line) < 4:
            if has_crc:
                raise ChecksumError("crc_absent: a check value was asked for", frame=line)
            raise FrameError(f"form: {line[1:40].decode('ascii')!r} are no values", frame=line)
        body, is_checked = line[:-3], True
        if crc_text(body) != line[-3:]:
            raise ChecksumError(f"crc_mismatch: {crc_text(body).decode('ascii')!r} expected", frame=line)
        tolerated = tolerated or ("" if has_crc else "crc_unasked")
    if not _VALUES.fullmatch(body[1:]):
        raise FrameError(f"form: {body[1:40].decode('ascii')!r} are no values", frame=line)
    texts = tuple(text.decode("ascii") for text in _VALUE.findall(body[1:]))
    if len(texts) > MOST_VALUES:
        raise FrameError("value_count: more values in a line than a measurement may have", frame=line)
    if any(sum(character.isdigit() for character in text) > 7 for text in texts):
        tolerated = tolerated or "value_length"
    return DataAnswer(address, texts, is_checked, tolerated)


def _addressed(line: bytes, asked: Command) -> tuple[bytes, str, str]:
    """Return the line of seven-bit characters, its address, and what was tolerated."""
    plain, has_parity = without_parity(line)
    address = chr(plain[0]) if plain else ""
    if address not in ADDRESSES or not address:
        raise FrameError("address: the line does not begin with an address", frame=line)
    expected = asked.body[1] if asked.kind is Kind.CHANGE else asked.address
    if expected not in {"?", "*", address}:
        raise FrameError(f"address_mismatch: {expected} was asked, {address} answered", frame=line)
    return plain, address, "parity_bit" if has_parity else ""


def _identification(address: str, text: str) -> Identification:
    off = _LAYOUT.fullmatch(text) is None or any(known.match(text) for known in _KNOWN_OFF_LAYOUT)
    version = f"{text[0]}.{text[1]}" if text[:2].isdecimal() and len(text) >= 2 else ""
    vendor, model, firmware, serial = (text[a:b].strip() for a, b in ((2, 10), (10, 16), (16, 19), (19, None)))
    tolerated = "identification_layout" if off else ""
    return Identification(address, text, version, vendor, model, firmware, serial, tolerated)
