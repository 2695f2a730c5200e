"""Decode NMEA 0183: sentences of a water platform to quantities with units, in any cut; does no I/O.

The frame is drawn in `nmea0183_line`, the stream's rules in `nmea0183_split`, the sentences in `nmea0183_sentences`.

References
----------
IEC 61162-1 (2016), NMEA 0183 4.11; the sentences' fields after the public parsers named in docs/drivers/nmea0183.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from nilometer.acquisition.decoding import BadFrame, DecodedValue, DecoderInfo
from nilometer.acquisition.protocols.nmea0183_clock import StreamClock
from nilometer.acquisition.protocols.nmea0183_line import Sentence, checksum, encode, parse
from nilometer.acquisition.protocols.nmea0183_quantity import Fix, iso_time
from nilometer.acquisition.protocols.nmea0183_sentences import Content, content
from nilometer.acquisition.protocols.nmea0183_split import LineSplitter
from nilometer.errors import FrameError

__all__ = [
    "DECODER",
    "Content",
    "Fix",
    "LineSplitter",
    "Nmea0183Decoder",
    "Sentence",
    "StreamClock",
    "checksum",
    "content",
    "encode",
    "parse",
]


class Nmea0183Decoder:
    """Bytes of one connection to values; meets `nilometer.acquisition.decoding.Decoder`.

    A sentence without a checksum is decoded, and its values say so (``more["tolerated"]``). A sentence we do not know
    is kept as it is: parameter ``sentence``, its text as the value.

    Parameters
    ----------
    require_checksum : bool
        Refuse sentences without a checksum.
    """

    def __init__(self, *, require_checksum: bool = False) -> None:
        self._lines = LineSplitter(require_checksum=require_checksum)
        self._clock = StreamClock()

    def feed(self, data: bytes) -> Iterator[DecodedValue | BadFrame]:
        """Take the next bytes and return what became whole."""
        return self._decode(self._lines.feed(data))

    def close(self) -> Iterator[DecodedValue | BadFrame]:
        """Return what is left; a last sentence counts if its checksum stands."""
        return self._decode(self._lines.close())

    def _decode(self, lines: Iterable[Sentence | BadFrame]) -> Iterator[DecodedValue | BadFrame]:
        found: list[DecodedValue | BadFrame] = []
        for line in lines:
            if isinstance(line, BadFrame):
                found.append(line)
                continue
            try:
                said = content(line)
            except FrameError as error:
                found.append(BadFrame(error=str(error), offset=error.offset, frame=error.frame))
                continue
            found += self._values(line, said)
        return iter(found)

    def _values(self, sentence: Sentence, said: Content | None) -> Iterator[DecodedValue | BadFrame]:
        more: dict[str, object] = {"talker": sentence.talker, "sentence": sentence.name}
        if not sentence.checked:
            more["tolerated"] = "checksum_absent"
        if sentence.tag:
            more["tag"] = dict(sentence.tag)
        if said is None:
            yield DecodedValue(parameter="sentence", value=sentence.text, time=self._time(None, sentence), more=more)
            return
        time = self._time(said.fix, sentence)
        for reading in said.readings:
            yield DecodedValue(
                parameter=reading.parameter,
                value=reading.value,
                unit=reading.unit,
                flag=reading.flag,
                time=time,
                more=more | {"kind": reading.kind} if reading.kind else more,
            )
        for error in said.broken:
            yield BadFrame(error=error, offset=sentence.offset, frame=sentence.text.encode("ascii"))

    def _time(self, fix: Fix | None, sentence: Sentence) -> str | None:
        own = self._clock.hear(fix, 0) if fix is not None else None
        if own is None and fix is None:
            own = _tag_time(sentence) or self._clock.now
        elif own is None and fix is not None and fix.time is None:
            own = self._clock.now
        return None if own is None else iso_time(own)


def _tag_time(sentence: Sentence) -> int | None:
    # UNIX time of a tag block, in s or, as some senders write it, in ms.
    text = sentence.tag.get("c", "")
    if not text.isdecimal() or len(text) > 13:
        return None
    return int(text) * (1_000 if len(text) > 10 else 1_000_000)


DECODER = DecoderInfo(
    name="nmea0183",
    title="NMEA 0183 (IEC 61162-1) sentences",
    make=lambda _instrument: Nmea0183Decoder(),
)
