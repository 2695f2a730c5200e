"""Frames of HJ 212 in a stream of bytes: any cut, noise, wrong lengths, broken line ends; pure, never waits.

::

    ┌────┬──────────────┬─────────────────────────────────┬──────┬───────┐
    │ ## │ length       │ data segment … CP=&& … &&       │ CRC  │ CR LF │
    ├────┼──────────────┼─────────────────────────────────┼──────┼───────┤
    │ 2  │ 4 decimal    │ 0 to 1024 (longer ones occur)   │ 4 hex│ 2     │
    └────┴──────────────┴─────────────────────────────────┴──────┴───────┘

The length counts bytes, or characters where a log holds Chinese text; the CRC runs over the bytes. ``##`` and four
digits inside a frame that is not complete start a new one.

References
----------
HJ 212-2017 section 6.3.1 and Appendix A.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nilometer.acquisition.decoding import BadFrame
from nilometer.acquisition.protocols.hj212_cipher import Cipher
from nilometer.acquisition.protocols.hj212_crc import crc16, modbus_crc16

__all__ = ["Frame", "FrameSplitter", "encode_frame"]

_HEAD = re.compile(rb"##\d{4}")
_TAIL = re.compile(rb"(?:##\d{0,3}|#)\Z")
_ENDED = re.compile(rb"&&[0-9A-Fa-f]{4}\s*\Z")
_HEX = re.compile(rb"[0-9A-Fa-f]{4}")
_CONTINUATION = bytes(range(0x80, 0xC0))
_CHARACTER_MOST = 4
"""Bytes of a UTF-8 character."""
_NOISE_MOST = 4096
_STANDARD_LENGTH = 1024


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame whose length and CRC are right; `tolerated` names what was off the standard, `offset` its place."""

    segment: bytes
    offset: int = 0
    tolerated: tuple[str, ...] = ()


def encode_frame(segment: bytes) -> bytes:
    r"""Return a data segment as a frame.

    Raises
    ------
    ValueError
        If the segment is longer than four digits can say.

    Examples
    --------
    >>> encode_frame(b"ST=91;CN=9014;CP=&&&&")
    b'##0021ST=91;CN=9014;CP=&&&&4980\r\n'
    """
    if len(segment) > 9999:
        raise ValueError(f"a data segment of {len(segment)} bytes does not fit into a frame")
    return b"##%04d%s%04X\r\n" % (len(segment), segment, crc16(segment))


class FrameSplitter:
    """Collects bytes and gives frames; the same bytes give the same frames, however they are cut.

    Parameters
    ----------
    cipher : Cipher, optional
        Knows the keys of stations that encrypt their data areas (2025).
    """

    def __init__(self, cipher: Cipher | None = None) -> None:
        self._cipher = cipher
        self._buffer = bytearray()
        self._offset = 0
        self._counted = 6, 0
        self._reported = False

    @property
    def pending(self) -> bool:
        """Say whether a frame has begun and is not complete."""
        return bool(_HEAD.match(self._buffer))

    def feed(self, data: bytes) -> Iterator[Frame | BadFrame]:
        """Take bytes and return what became whole."""
        self._buffer += data
        return iter(list(self._scan(final=False)))

    def close(self) -> Iterator[Frame | BadFrame]:
        """Return what is left at the end of the stream, or after a silence: a frame may lack its CR LF only."""
        return iter(list(self._scan(final=True)))

    def _scan(self, *, final: bool) -> Iterator[Frame | BadFrame]:
        while True:
            head = _HEAD.search(self._buffer)
            yield from self._noise(
                head.start() if head else self._noise_end(final=final), ended=head is not None or final
            )
            if head is None:
                return
            self._reported = False
            found = self._frame(final=final)
            if found is None:
                return
            yield found

    def _noise_end(self, *, final: bool) -> int:
        tail = None if final else _TAIL.search(self._buffer, max(len(self._buffer) - 5, 0))
        return tail.start() if tail else len(self._buffer)

    def _noise(self, end: int, *, ended: bool) -> Iterator[BadFrame]:
        while end >= _NOISE_MOST or (ended and end):
            count = min(end, _NOISE_MOST)
            noise, offset = bytes(self._buffer[:count]), self._offset
            self._drop(count)
            end -= count
            if noise.strip() and not self._reported:
                yield BadFrame(error="noise: outside a frame", offset=offset, frame=noise)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._offset += count
        self._counted = 6, 0

    def _frame(self, *, final: bool) -> Frame | BadFrame | None:
        """Return the frame at the start of the buffer, or why it is none, or None while more bytes are needed."""
        buffer = self._buffer
        declared = int(buffer[2:6])
        length: int | None = declared
        again = _HEAD.search(buffer, 6, 6 + declared)
        if again is None and len(buffer) >= 6 + declared and buffer[6 + declared - 2 : 6 + declared] != b"&&":
            if buffer[6 : 6 + declared].isascii():
                return self._bad("length_mismatch: no && where the length says", 6 + declared)
            length = self._characters(declared)
            if length is None and len(buffer) > 6 + _CHARACTER_MOST * declared:
                return self._bad("length_mismatch: no && where the length says", 6 + declared)
            again = _HEAD.search(buffer, 6, len(buffer) if length is None else 6 + length)
        if again is not None:
            return self._interrupted(again.start())
        end = len(buffer) + 1 if length is None else 6 + length + 4
        if length is None or len(buffer) < end:
            return self._interrupted(len(buffer)) if final else None
        slips = ("length_characters",) if length != declared else ()
        return self._checked(length, slips, final=final)

    def _characters(self, count: int) -> int | None:
        """Return how many bytes hold `count` UTF-8 characters from byte 6 on, or None while there are too few."""
        place, seen = self._counted
        end = min(len(self._buffer), 7 + _CHARACTER_MOST * count)
        begun = len(self._buffer[place:end].translate(None, _CONTINUATION))
        if seen + begun <= count:
            # Bytes that come one by one are not counted anew each time.
            self._counted = end, seen + begun
            return None
        for at in range(place, end):
            if self._buffer[at] & 0xC0 != 0x80:
                if seen == count:
                    return at - 6
                seen += 1
        return None

    def _checked(self, length: int, slips: tuple[str, ...], *, final: bool) -> Frame | BadFrame | None:
        segment, sent = bytes(self._buffer[6 : 6 + length]), bytes(self._buffer[6 + length : 6 + length + 4])
        end = 6 + length + 4
        if not segment.endswith(b"&&"):
            return self._bad("length_mismatch: no && where the length says", end)
        if self._cipher is not None and _HEX.fullmatch(sent):
            segment = self._cipher.plain(segment, lambda text: crc16(text) == int(sent, 16))
        computed = crc16(segment)
        if not _HEX.fullmatch(sent) or int(sent, 16) != computed:
            return self._bad(_crc_error(segment, sent, computed), end)
        line_end = bytes(self._buffer[end : end + 2])
        if not final and (not line_end or line_end == b"\r"):
            return None
        if line_end != b"\r\n":
            slips += ("terminator",)
        if length > _STANDARD_LENGTH:
            slips += ("long",)
        frame = Frame(segment, self._offset, slips)
        self._drop(end + (2 if line_end == b"\r\n" else line_end[:1] in {b"\r", b"\n"}))
        return frame

    def _interrupted(self, end: int) -> BadFrame:
        if _ENDED.search(self._buffer, 6, end):
            return self._bad("length_mismatch: the frame ends before its length", end)
        return self._bad("truncated: the frame does not end", end)

    def _bad(self, error: str, end: int) -> BadFrame:
        bad = BadFrame(error=error, offset=self._offset, frame=bytes(self._buffer[:end]))
        # Its length cannot be trusted: look for the next head right behind this one.
        self._drop(2)
        self._reported = True
        return bad


def _crc_error(segment: bytes, sent: bytes, computed: int) -> str:
    modbus = f"{modbus_crc16(segment):04X}".encode()
    swapped = modbus[2:] + modbus[:2]
    hint = ", the sender used the Modbus CRC" if sent.upper() in {modbus, swapped} else ""
    return f"crc_mismatch: sent {sent.decode('latin-1')}, computed {computed:04X}{hint}"
