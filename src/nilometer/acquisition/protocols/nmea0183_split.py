"""Cut a stream of bytes into NMEA 0183 lines: any cut, noise between, sentences glued together; pure, never waits.

A line ends at CR, LF, or where the next ``$`` or ``!`` follows a checksum directly. What stands before a ``$`` is noise
and is reported; the sentence behind it is not lost. A sentence that another one interrupts is refused even where
checksums are optional: its end is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nilometer.acquisition.decoding import BadFrame
from nilometer.acquisition.protocols.nmea0183_line import Sentence, parse
from nilometer.errors import FrameError

__all__ = ["LONGEST", "LineSplitter"]

LONGEST = 2048
"""Longest line that is waited for, bytes: the standard says 82, spectra of wave sensors take 600."""

_END = re.compile(rb"\r|\n|(?<=\*[0-9A-Fa-f][0-9A-Fa-f])(?=[$!])")
_PIECE = re.compile(rb"(?:\\[^\\$!]*\\)?[$!][^$!\\]*")
# The header of an IEC 61162-450 datagram.
_DATAGRAM = b"UdPbC\x00"


class LineSplitter:
    """Collects bytes and gives sentences; the same bytes give the same sentences, however they are cut.

    Parameters
    ----------
    require_checksum : bool
        Refuse sentences without a checksum.
    """

    def __init__(self, *, require_checksum: bool = False) -> None:
        self._require_checksum = require_checksum
        self._buffer = bytearray()
        self._offset = 0
        # There is no end before this place: a line that comes byte by byte is not searched from its start each time.
        self._searched = 0

    def feed(self, data: bytes) -> Iterator[Sentence | BadFrame]:
        """Take bytes and return what became whole.

        Parameters
        ----------
        data : bytes
            The next bytes of the stream.

        Returns
        -------
        iterator of Sentence or BadFrame
            In the order of the stream.
        """
        found: list[Sentence | BadFrame] = []
        for start in range(0, len(data), LONGEST):
            self._buffer += data[start : start + LONGEST]
            found += self._taken()
        return iter(found)

    def _taken(self) -> Iterator[Sentence | BadFrame]:
        while True:
            end = _END.search(self._buffer, self._searched)
            if end is not None and end.start() <= LONGEST:
                if end.start():
                    yield from self._line(bytes(self._buffer[: end.start()]), whole=end.end() > end.start())
                self._drop(end.end())
            elif len(self._buffer) > LONGEST:
                line = bytes(self._buffer[:LONGEST])
                yield BadFrame(error="length: no end of line", offset=self._offset, frame=line)
                self._drop(LONGEST)
            else:
                self._searched = len(self._buffer)
                return

    def close(self, *, whole: bool = False) -> Iterator[Sentence | BadFrame]:
        """Return what is left at the end of the stream.

        Parameters
        ----------
        whole : bool
            The end is an end of line, as that of a datagram is. If not, a last sentence needs its checksum.
        """
        line = bytes(self._buffer)
        found = list(self._line(line, whole=whole))
        self._drop(len(line))
        return iter(found)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._offset += count
        self._searched = 0

    def _line(self, line: bytes, *, whole: bool) -> Iterator[Sentence | BadFrame]:
        alone = _PIECE.match(line)
        if alone is not None and alone.end() == len(line):
            yield self._sentence(line, self._offset, whole=whole)
            return
        position = 0
        for piece in _PIECE.finditer(line):
            yield from self._noise(line, position, piece.start())
            position = piece.end()
            yield self._sentence(piece[0], self._offset + piece.start(), whole=whole and position == len(line))
        yield from self._noise(line, position, len(line))

    def _noise(self, line: bytes, start: int, end: int) -> Iterator[BadFrame]:
        noise = line[start:end].removeprefix(_DATAGRAM)
        if noise.strip(b" \t"):
            yield BadFrame(error="noise: outside a sentence", offset=self._offset + start, frame=line[start:end])

    def _sentence(self, piece: bytes, offset: int, *, whole: bool) -> Sentence | BadFrame:
        try:
            sentence = parse(piece, offset=offset, require_checksum=self._require_checksum)
        except FrameError as error:
            return BadFrame(error=str(error), offset=error.offset, frame=error.frame)
        if not (sentence.checked or whole):
            return BadFrame(error="truncated: neither checksum nor end of line", offset=offset, frame=piece)
        return sentence
