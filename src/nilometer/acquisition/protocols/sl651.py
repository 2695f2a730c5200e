"""Decode SL 651-2014: frames of Chinese hydrological stations to values with units; does no I/O.

The frame is drawn in `sl651_frame`, the body in `sl651_body` (HEX/BCD) and `sl651_text` (ASCII); what the elements
mean is in `sl651_elements`. Not decoded: configuration tables (40H to 43H), event records (50H), pictures (36H), manual
reports (35H, 39H: their text is kept), batches of velocity (FDH).

References
----------
SL 651-2014, 水文监测数据通信规约 (Transmission protocols for hydrologic monitoring data), read in the text that
stands in 64673a/SL651-2014 (sl651-2014.md). Against it were held: the frames of yu-xiaoyao/sl651-2014-server and the
firmware of a station, xiaozhuweini/fyyp_rtu (components/ptcl/sl651.c).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

from nilometer.acquisition.decoding import BadFrame, DecodedValue, DecoderInfo
from nilometer.acquisition.protocols.hj212_time import iso_time
from nilometer.acquisition.protocols.sl651_body import Body, Observed, parse_body
from nilometer.acquisition.protocols.sl651_elements import ELEMENTS, SYMBOLS, Element, Layout
from nilometer.acquisition.protocols.sl651_frame import Frame, FrameSplitter, encode_frame
from nilometer.acquisition.protocols.sl651_numbers import CHINA
from nilometer.acquisition.protocols.sl651_packets import PacketJoiner
from nilometer.acquisition.protocols.sl651_text import parse_text_body
from nilometer.errors import FrameError

__all__ = [
    "DECODER",
    "ELEMENTS",
    "SYMBOLS",
    "Body",
    "Element",
    "Frame",
    "FrameSplitter",
    "Layout",
    "Observed",
    "PacketJoiner",
    "Sl651Decoder",
    "encode_frame",
    "parse_message",
]


def parse_message(frame: Frame, zone: ZoneInfo) -> Body:
    """Return what a whole message says, in either coding.

    Raises
    ------
    FrameError
        If not even its serial number and time can be read.
    """
    parse = parse_text_body if frame.is_text else parse_body
    # What a centre asks names elements without their values.
    function = QUERY if frame.is_down else frame.function
    return parse(function, frame.station, frame.body, zone)


QUERY = 0
"""Stands for a function whose body bears no elements."""


class Sl651Decoder:
    """Bytes of one connection to values; meets `nilometer.acquisition.decoding.Decoder`.

    A message without values (link keeping, a query, an answer) gives one value: parameter ``message``, its function as
    the value.

    Parameters
    ----------
    time_zone : str
        The stations' zone: the wire carries none.
    """

    def __init__(self, time_zone: str = "Asia/Shanghai") -> None:
        self._frames = FrameSplitter()
        self._packets = PacketJoiner()
        self._zone = CHINA if time_zone == CHINA.key else ZoneInfo(time_zone)

    def feed(self, data: bytes) -> Iterator[DecodedValue | BadFrame]:
        """Take the next bytes and return what became whole."""
        return self._decode(self._frames.feed(data))

    def close(self) -> Iterator[DecodedValue | BadFrame]:
        """Return what is left; an unfinished frame is a `BadFrame`."""
        return self._decode(self._frames.close())

    def _decode(self, frames: Iterable[Frame | BadFrame]) -> Iterator[DecodedValue | BadFrame]:
        found: list[DecodedValue | BadFrame] = []
        for frame in frames:
            if isinstance(frame, BadFrame):
                found.append(frame)
                continue
            whole, _ = self._packets.add(frame)
            if whole is None:
                found.append(
                    _said(frame, {"packet": f"{frame.packet[0]} of {frame.packet[1]}"} if frame.packet else {})
                )
                continue
            try:
                found += self._values(whole, parse_message(whole, self._zone))
            except FrameError as error:
                found.append(BadFrame(error=str(error), offset=frame.offset, frame=whole.body))
        return iter(found)

    def _values(self, frame: Frame, body: Body) -> Iterator[DecodedValue | BadFrame]:
        more: dict[str, Any] = {"serial": body.serial, "sent": iso_time(body.sent, self._zone)}
        if body.text:
            more["text"] = body.text
        if body.rest:
            more["rest"] = body.rest[:200].hex().upper()
        if not body.observed:
            yield _said(frame, more)
        function = f"{frame.function:02X}"
        times: dict[int, str | None] = {0: None}
        for item in body.observed:
            if item.time not in times:
                times[item.time] = iso_time(item.time, self._zone)
            yield _value(item, function, times[item.time], more)
        if body.problem:
            yield BadFrame(error=body.problem, offset=frame.offset, frame=frame.body)


def _value(item: Observed, function: str, time: str | None, more: dict[str, Any]) -> DecodedValue:
    element = item.element
    details: dict[str, Any] = {"name": element.name, "station": item.station, "function": function}
    if item.kind:
        details["kind"] = item.kind
    if element.duration_us:
        details["duration_s"] = element.duration_us // 1_000_000
    return DecodedValue(
        parameter=element.symbol,
        value=None if item.mark is not None else item.value,
        unit=element.unit,
        flag=item.mark,
        time=time,
        more=details | more,
    )


def _said(frame: Frame, more: dict[str, Any]) -> DecodedValue:
    direction = "down" if frame.is_down else "up"
    details = {"station": frame.station, "centre": frame.centre, "direction": direction, "end": f"{frame.end:02X}"}
    return DecodedValue(parameter="message", value=f"{frame.function:02X}", more=details | more)


DECODER = DecoderInfo(
    name="sl651",
    title="SL 651-2014 frames (HEX/BCD and ASCII)",
    make=lambda _instrument: Sl651Decoder(),
)
