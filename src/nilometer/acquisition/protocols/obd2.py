"""OBD-II, service 01: what the control unit of an engine (a pump's, a generator's) answers; does no I/O.

::

    asked     7DF (or 18DB33F1)           02 01 PID
    answered  7E8 … 7EF (or 18DAF1xx)     n  41 PID A B …   PID A …       several PIDs in one answer
                                          03 7F 01 reason                 refused

Longer answers come by ISO-TP. ELM327 adapters print the same as text: with or without identifiers and blanks, ``NO
DATA`` where nobody answers.

References
----------
SAE J1979 / ISO 15031-5; ISO 15765-4; ELM327 data sheet (Elm Electronics), "Interpreting Trouble Codes" and "Multiline
Responses"; tables as python-OBD reads them.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from importlib import resources

from nilometer.acquisition.decoding import BadFrame, DecodedValue, DecoderInfo
from nilometer.acquisition.protocols.can_frame import CanFrame, frame_of_text
from nilometer.acquisition.protocols.can_lines import Lines
from nilometer.acquisition.protocols.can_reading import CanReading, decoded
from nilometer.acquisition.protocols.isotp import FLOW_CONTROL, IsoTp
from nilometer.errors import FrameError

__all__ = ["BITMAPS", "DECODER", "EVERYBODY", "Obd2Answers", "Pid", "answered_by", "decode_answer", "pids", "request"]

EVERYBODY = 0x7DF
_EVERYBODY_29 = 0x18DB33F1
BITMAPS = (0x00, 0x20, 0x40)
"""PIDs whose answer is a map of those supported: the next 32, highest bit first."""

_REFUSED = 0x7F
_ANSWER = 0x41
_NOTHING = frozenset({"NO DATA", "OK", "SEARCHING...", "STOPPED"})
_TROUBLE = re.compile(
    r"^(\?|UNABLE TO CONNECT|CAN ERROR|BUS (BUSY|ERROR|INIT.*)|(<?)DATA ERROR|BUFFER FULL|ERR\d\d|ACT ALERT)$"
)
_HEX = re.compile(r"^(?:[0-9A-F]{2}\s?)+$")
_HEADED = re.compile(r"^(?P<id>7[0-9A-F]{2})\s?(?P<data>(?:[0-9A-F]{2}\s?){1,8})$")
_HEADED_29 = re.compile(r"^(?P<id>18\s?D[AB]\s?[0-9A-F]{2}\s?[0-9A-F]{2})\s?(?P<data>(?:[0-9A-F]{2}\s?){1,8})$")
_PART = re.compile(r"^(?P<number>[0-9A-F]):\s?(?P<data>(?:[0-9A-F]{2}\s?){1,7})$")
_LENGTH = re.compile(r"^[0-9A-F]{3}$")


@dataclass(frozen=True, slots=True)
class Pid:
    """One parameter: how many bytes, and what they mean."""

    pid: int
    name: str
    length: int
    resolution: Fraction
    offset: Fraction
    unit: str
    property: str | None

    def value(self, data: bytes) -> float:
        """Return the value of its bytes."""
        return float(int.from_bytes(data, "big") * self.resolution + self.offset)


@cache
def pids() -> Mapping[int, Pid]:
    """Return the parameters of service 01 by number."""
    file = resources.files("nilometer.acquisition.protocols") / "obd2_pids.toml"
    return {
        table["pid"]: Pid(
            table["pid"],
            table["name"],
            table["bytes"],
            Fraction(table.get("resolution", "1")),
            Fraction(table.get("offset", "0")),
            table["unit"],
            table.get("property"),
        )
        for table in tomllib.loads(file.read_text("utf-8"))["pid"]
    }


def request(pid: int, *, extended: bool = False) -> CanFrame:
    """Return the frame that asks every control unit for a parameter.

    Examples
    --------
    >>> str(request(0x05))
    '7DF#0201050000000000'
    """
    return CanFrame(_EVERYBODY_29 if extended else EVERYBODY, bytes([2, 1, pid, 0, 0, 0, 0, 0]), extended)


def decode_answer(message: bytes) -> tuple[list[CanReading], frozenset[int]]:
    """Return the readings of an answer of service 01, and the PIDs that it says are supported.

    Raises
    ------
    FrameError
        If it is a refusal, or ends within a parameter. A parameter that is not in the table ends it: its length is not
        known.

    Examples
    --------
    >>> decode_answer(bytes.fromhex("410c1af80d32"))[0][0].value
    1726.0
    """
    if len(message) >= 3 and message[0] == _REFUSED:
        raise FrameError(f"service {message[1]:02X} is refused, reason 0x{message[2]:02X}", frame=message)
    if len(message) < 2 or message[0] != _ANSWER:
        raise FrameError("no answer of service 01", frame=message)
    found: list[CanReading] = []
    supported: set[int] = set()
    at = 1
    while at < len(message):
        number = message[at]
        if number in BITMAPS:
            if at + 5 > len(message):
                raise FrameError(f"the map of PIDs {number:02X} is cut off", frame=message, offset=at)
            bits = int.from_bytes(message[at + 1 : at + 5], "big")
            supported |= {number + 1 + index for index in range(32) if bits >> (31 - index) & 1}
            at += 5
            continue
        known = pids().get(number)
        if known is None:
            if not found and not supported:
                raise FrameError(f"PID {number:02X} is not in the table", frame=message, offset=at)
            break  # padding, or a parameter of unknown length
        data = message[at + 1 : at + 1 + known.length]
        if len(data) < known.length:
            raise FrameError(f"PID {number:02X} has {len(data)} of {known.length} bytes", frame=message, offset=at)
        found.append(CanReading(known.name, known.name, known.value(data), known.unit, None, known.property))
        at += 1 + known.length
    return found, frozenset(supported)


def answered_by(frame: CanFrame) -> bool:
    """Say whether a frame is on an identifier from which control units answer."""
    if frame.extended:
        return frame.identifier & 0x1FFFFF00 == 0x18DAF100
    return 0x7E8 <= frame.identifier <= 0x7EF


class Obd2Answers:
    """Frames to the answers in them."""

    def __init__(self) -> None:
        self._messages = IsoTp()
        self.supported: set[int] = set()

    def take(self, frame: CanFrame) -> list[CanReading]:
        """Take a frame; return what the answer that is whole with it says.

        Raises
        ------
        FrameError
            See `IsoTp.take` and `decode_answer`.
        """
        if not answered_by(frame):
            return []
        message = self._messages.take(frame.identifier, frame.data)
        if message is None:
            return []
        readings, supported = decode_answer(message)
        self.supported |= supported
        return readings

    @staticmethod
    def reply(frame: CanFrame) -> CanFrame | None:
        """Return the flow control that the first frame of a long answer waits for."""
        if not answered_by(frame) or not frame.data or frame.data[0] >> 4 != 1:
            return None
        if frame.extended:
            return CanFrame(0x18DA00F1 | (frame.identifier & 0xFF) << 8, FLOW_CONTROL, extended=True)
        return CanFrame(frame.identifier - 8, FLOW_CONTROL)


class Obd2Decoder:
    """Text of an ELM327, or lines of frames, to values; meets `nilometer.acquisition.decoding.Decoder`."""

    def __init__(self) -> None:
        self._lines, self._answers = Lines(prompt=True), Obd2Answers()
        self._parts: bytearray | None = None
        self._length = 0

    def feed(self, data: bytes) -> Iterator[DecodedValue | BadFrame]:
        """Take the next bytes and return what became whole."""
        return self._decode(self._lines.feed(data))

    def close(self) -> Iterator[DecodedValue | BadFrame]:
        """Return what is left."""
        return self._decode(self._lines.close())

    def _decode(self, lines: Iterable[tuple[int, str] | BadFrame]) -> Iterator[DecodedValue | BadFrame]:
        found: list[DecodedValue | BadFrame] = []
        for line in lines:
            if isinstance(line, BadFrame):
                found.append(line)
                continue
            at, text = line
            try:
                readings = self._said(text)
            except FrameError as error:
                found.append(BadFrame(error=str(error), offset=at, frame=text[:64].encode()))
                continue
            found += [decoded(one, None, {}) for one in readings]
        return iter(found)

    def _said(self, line: str) -> list[CanReading]:
        text = line.upper().strip()
        if text in _NOTHING or text.startswith(("AT", "ELM", "#")):
            return []
        if _TROUBLE.match(text):
            raise FrameError(f"the adapter says {text}", frame=text.encode())
        if (found := _PART.match(text)) is not None:
            return self._part(int(found["number"], 16), bytes.fromhex(found["data"]))
        if _LENGTH.match(text):
            self._length, self._parts = int(text, 16), bytearray()
            return []
        for form in (_HEADED_29, _HEADED):
            if (found := form.match(text)) is not None:
                identifier = found["id"].replace(" ", "")
                frame = CanFrame(int(identifier, 16), bytes.fromhex(found["data"]), extended=len(identifier) == 8)
                return self._answers.take(frame)
        if _HEX.match(text):
            data = bytes.fromhex(text)
            # An adapter that echoes prints the request, too.
            return [] if data[0] < 0x40 else decode_answer(data)[0]
        return self._answers.take(frame_of_text(line))

    def _part(self, number: int, data: bytes) -> list[CanReading]:
        """Take a line of a long answer without identifiers: ``0:`` with six bytes, ``1:`` with seven."""
        if self._parts is None or (number == 0) != (not self._parts):
            raise FrameError(f"line {number:X}: of a long answer without its beginning", frame=data)
        self._parts += data
        if len(self._parts) < self._length:
            return []
        whole, self._parts = bytes(self._parts[: self._length]), None
        return decode_answer(whole)[0]


DECODER = DecoderInfo(
    name="obd2",
    title="OBD-II answers of service 01 in ELM327 text or lines of candump",
    make=lambda _instrument: Obd2Decoder(),
)
