"""Decode SDI-12: a recorded bus, commands and answers as they passed, to values, in any cut; does no I/O.

Commands are described in `sdi12_command`, lines in `sdi12_answer`, binary pages in `sdi12_binary`, the check value in
`sdi12_crc`.

References
----------
SDI-12, A Serial-Digital Interface Standard for Microprocessor-Based Sensors, version 1.4 (2019).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from nilometer.acquisition.decoding import BadFrame, DecodedValue, DecoderInfo
from nilometer.acquisition.instrument import sdi12_instrument
from nilometer.acquisition.protocols import sdi12_binary
from nilometer.acquisition.protocols.sdi12_command import command
from nilometer.acquisition.protocols.sdi12_conversation import Conversation
from nilometer.errors import FrameError

__all__ = ["DECODER", "Sdi12Decoder"]

LONGEST_LINE = 1200
_END = re.compile(rb"[!\r\n\x8d]")


class Sdi12Decoder:
    """The bytes of one bus, both ways, to values; meets `nilometer.acquisition.decoding.Decoder`.

    A command ends with ``!``, an answer with CR or LF; binary pages are taken where one was asked for. Values bear the
    number of their place in their measurement, or the instrument's key. Where no command was heard at all, lines are
    taken by their form, and say so (``more["command"]`` is None).

    Parameters
    ----------
    instrument : str, optional
        An SDI-12 instrument file, by name or path.

    Raises
    ------
    ConfigError
        If there is no such instrument, or it speaks another protocol.
    """

    def __init__(self, instrument: str | None = None) -> None:
        self._said = Conversation(None if instrument is None else sdi12_instrument(instrument))
        self._buffer = bytearray()
        self._offset = 0

    def feed(self, data: bytes) -> Iterator[DecodedValue | BadFrame]:
        """Take the next bytes and return what became whole."""
        self._buffer += data
        return iter(list(self._taken()))

    def close(self) -> Iterator[DecodedValue | BadFrame]:
        """Return what is left: a last line without its end counts if its check value stands."""
        rest, offset = bytes(self._buffer).lstrip(b"\0"), self._offset
        self._buffer.clear()
        found = list(self._said.last_line(rest, offset)) if rest else []
        return iter([*found, *self._said.close(offset + len(rest))])

    def _taken(self) -> Iterator[DecodedValue | BadFrame]:
        while self._buffer:
            if not self._buffer[0] or self._buffer[0] in b"\r\n\x8d":
                self._drop(1)  # A break is seen as NUL by many receivers.
                continue
            if self._said.awaits_page and (length := self._page_length()) is not None:
                if len(self._buffer) < length:
                    return
                offset = self._offset
                yield from self._said.page(self._drop(length), offset)
                continue
            end = _END.search(self._buffer)
            if end is None:
                if len(self._buffer) > LONGEST_LINE:
                    offset = self._offset
                    frame = self._drop(len(self._buffer))
                    yield BadFrame(error="line_length: no end of line in sight", offset=offset, frame=frame[:64])
                return
            offset = self._offset
            line = self._drop(end.end())
            if line[-1:] == b"!":
                yield from self._command(line, offset)
            else:
                yield from self._said.line(line[:-1], offset)

    def _command(self, line: bytes, offset: int) -> Iterator[DecodedValue | BadFrame]:
        # Seen by a receiver set to 8N1, characters bear their parity in bit 7.
        plain = bytes(byte & 0x7F for byte in line) if all(byte.bit_count() % 2 == 0 for byte in line) else line
        try:
            asked = command(plain.decode("latin-1"))
        except FrameError as error:
            yield BadFrame(error=str(error), offset=offset, frame=line)
            return
        yield from self._said.command(asked, offset)

    def _page_length(self) -> int | None:
        """Return how long the page in front is; None where it is none, which the size of a command never is."""
        if len(self._buffer) < sdi12_binary.HEAD:
            return None if b"!" in self._buffer else sdi12_binary.HEAD
        try:
            return sdi12_binary.page_length(bytes(self._buffer[: sdi12_binary.HEAD]))
        except FrameError:
            return None

    def _drop(self, count: int) -> bytes:
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        self._offset += count
        return taken


DECODER = DecoderInfo(
    name="sdi12",
    title="SDI-12 1.4, commands and answers of a bus",
    make=Sdi12Decoder,
)
