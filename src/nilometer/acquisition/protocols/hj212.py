"""Decode HJ 212 (2005, 2017, 2025): frames of Chinese monitoring stations to values with marks; does no I/O.

The frame is drawn in `hj212_frame`, the data segment in `hj212_message`; codes and units are in `hj212_codes`. About
the edition of 2025 we know what public code shows, not its text: key exchange and encryption are not read.

References
----------
HJ/T 212-2005; HJ 212-2017 (the reference of all clauses named here); HJ 212-2025.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any
from zoneinfo import ZoneInfo

from nilometer.acquisition.decoding import BadFrame, DecodedValue, DecoderInfo
from nilometer.acquisition.protocols.hj212_codes import CODES, Code, of_2017, unit_of
from nilometer.acquisition.protocols.hj212_crc import crc16
from nilometer.acquisition.protocols.hj212_frame import Frame, FrameSplitter, encode_frame
from nilometer.acquisition.protocols.hj212_message import Message, Value, parse_segment
from nilometer.acquisition.protocols.hj212_packets import Packets, PacketTracker
from nilometer.acquisition.protocols.hj212_time import INTERVALS, interval_us, iso_time, station_time, time_text
from nilometer.errors import FrameError

__all__ = [
    "CODES",
    "DECODER",
    "INTERVALS",
    "Code",
    "Frame",
    "FrameSplitter",
    "Hj212Decoder",
    "Message",
    "PacketTracker",
    "Packets",
    "Value",
    "crc16",
    "encode_frame",
    "interval_us",
    "of_2017",
    "parse_frame",
    "parse_segment",
    "station_time",
    "time_text",
    "unit_of",
]

CHINA = "Asia/Shanghai"


def parse_frame(frame: Frame) -> Message | BadFrame:
    """Return what a frame says, or why it says nothing; its own slips come first in `Message.tolerated`."""
    try:
        message = parse_segment(frame.segment)
    except FrameError as error:
        return BadFrame(error=str(error), offset=frame.offset, frame=frame.segment)
    if not frame.tolerated:
        return message
    return Message(
        header=message.header,
        fields=message.fields,
        values=message.values,
        tolerated=(*frame.tolerated, *message.tolerated),
    )


class Hj212Decoder:
    """Bytes of one connection to values; meets `nilometer.acquisition.decoding.Decoder`.

    A message without values (an answer, a heartbeat, a request) gives one value: parameter ``message``, its CN as the
    value, its fields beside it.

    Parameters
    ----------
    time_zone : str
        The stations' zone: the wire carries none.
    """

    def __init__(self, time_zone: str = CHINA) -> None:
        self._frames = FrameSplitter()
        self._packets = PacketTracker()
        self._zone = ZoneInfo(time_zone)

    def feed(self, data: bytes) -> Iterator[DecodedValue | BadFrame]:
        """Take the next bytes and return what became whole."""
        return self._decode(self._frames.feed(data))

    def close(self) -> Iterator[DecodedValue | BadFrame]:
        """Return what is left; an unfinished frame is a `BadFrame`."""
        return self._decode(self._frames.close())

    def _decode(self, frames: Iterable[Frame | BadFrame]) -> Iterator[DecodedValue | BadFrame]:
        found: list[DecodedValue | BadFrame] = []
        for frame in frames:
            message = frame if isinstance(frame, BadFrame) else parse_frame(frame)
            if isinstance(message, BadFrame):
                found.append(message)
            else:
                found += self._values(message)
        return iter(found)

    def _values(self, message: Message) -> Iterator[DecodedValue]:
        more: dict[str, Any] = {name: text for name, text in message.header.items() if name != "PW"}
        if message.tolerated:
            more["tolerated"] = ",".join(message.tolerated)
        packets, _ = self._packets.add(message)
        if message.packet is not None:
            more["complete"] = packets.is_complete
        time = self._time(message)
        if not message.values:
            more |= message.fields
            yield DecodedValue(parameter="message", value=message.command, time=time, more=more)
        for value in message.values:
            details = {"statistic": value.statistic}
            if value.eflag is not None:
                details["eflag"] = value.eflag
            if value.sample_time is not None:
                details["sample_time"] = value.sample_time
            yield DecodedValue(
                parameter=value.code,
                value=value.value,
                unit=unit_of(value.code, value.statistic),
                flag=value.flag,
                time=time,
                more=details | more,
            )

    def _time(self, message: Message) -> str | None:
        try:
            return iso_time(station_time(message.fields.get("DataTime", ""), self._zone), self._zone)
        except FrameError:
            return None


DECODER = DecoderInfo(
    name="hj212",
    title="HJ 212 (2005, 2017, 2025) frames",
    make=lambda _instrument: Hj212Decoder(),
)
