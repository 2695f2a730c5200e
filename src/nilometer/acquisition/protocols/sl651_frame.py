"""Frames of SL 651 in a stream of bytes, HEX/BCD or ASCII, any cut, noise between them; pure, never waits.

::

    HEX/BCD up    ┌──────┬────────┬─────────┬──────────┬──────────┬────────────┬─────┬──────┬─────┬─────┐
                  │ 7E7E │ centre │ station │ password │ function │ 0, length  │ STX │ body │ ETX │ CRC │
                  │      │        │         │          │          │            │ SYN │      │ ETB │     │
                  ├──────┼────────┼─────────┼──────────┼──────────┼────────────┼─────┼──────┼─────┼─────┤
                  │ 2    │ 1      │ 5 BCD   │ 2        │ 1        │ 4 + 12 bit │ 1   │      │ 1   │ 2   │
                  └──────┴────────┴─────────┴──────────┴──────────┴────────────┴─────┴──────┴─────┴─────┘
    HEX/BCD down  station before centre, 8 before the length; ends with ENQ, ACK, NAK, EOT or ESC
    ASCII         SOH (01), then every field in hexadecimal characters, so twice as wide; the body is text

After SYN the body begins with the number of packets and that of this one, 12 bits each (ASCII: 3 characters each);
the length counts them. The CRC runs over all before it, high byte first.

References
----------
SL 651-2014 sections 6.2 to 6.5, Tables 10 to 12, 16 to 23; the CRC is that of H.3.2, checked against 30 frames of
yu-xiaoyao/sl651-2014-server and of published explanations.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from nilometer.acquisition.decoding import BadFrame
from nilometer.acquisition.protocols.modbus_crc import crc16

__all__ = ["ACK", "ENQ", "EOT", "ESC", "ETB", "ETX", "NAK", "Frame", "FrameSplitter", "encode_frame"]

STX, SYN = 0x02, 0x16
ETX, EOT, ENQ, ACK, NAK, ETB, ESC = 0x03, 0x04, 0x05, 0x06, 0x15, 0x17, 0x1B
_UP_ENDS = frozenset({ETX, ETB})
_DOWN_ENDS = frozenset({ENQ, ACK, NAK, EOT, ESC})
_HEX_HEAD, _TEXT_HEAD = 14, 24
_NOISE_MOST = 4096
_LONGEST = 4095
_HEX_DIGITS = re.compile(rb"[0-9A-Fa-f]+")
_BEGIN = re.compile(rb"\x7e\x7e|\x01")


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame whose length and CRC are right.

    Parameters
    ----------
    centre : int
        Address of the centre, 1 to 255.
    station : str
        10 hexadecimal digits; a hydrological station's are decimal, 00 and 8 of its own (SL 502).
    password : str
        4 hexadecimal digits.
    function : int
        Such as 0x32.
    body : bytes
        Without the numbers of packets.
    end : int
        How it ends.
    packet : tuple of int or None
        Number of this packet, and of all; None: the message is one frame.
    is_down : bool
        From the centre to the station.
    is_text : bool
        In the ASCII coding.
    offset : int
        Where in the stream it began.
    """

    centre: int
    station: str
    password: str
    function: int
    body: bytes
    end: int = ETX
    packet: tuple[int, int] | None = None
    is_down: bool = False
    is_text: bool = False
    offset: int = 0


def encode_frame(frame: Frame) -> bytes:
    r"""Return a frame as bytes.

    Raises
    ------
    ValueError
        If an address is none, the body is longer than 4095 bytes, or the end does not belong to its direction.

    Examples
    --------
    >>> body = bytes.fromhex("0003591011155111")
    >>> encode_frame(Frame(1, "0012345678", "1234", 0x2F, body)).hex().upper()
    '7E7E01001234567812342F0008020003591011155111036BCA'
    """
    centre, station = f"{frame.centre:02X}", frame.station.upper()
    if not 0 <= frame.centre <= 255 or len(station) != 10 or not _HEX_DIGITS.fullmatch(station.encode()):
        raise ValueError(f"centre {frame.centre}, station {frame.station!r}: not 0 to 255 and 10 hexadecimal digits")
    if len(frame.password) != 4 or not _HEX_DIGITS.fullmatch(frame.password.encode()):
        raise ValueError(f"password {frame.password!r}: not 4 hexadecimal digits")
    if frame.end not in (_DOWN_ENDS if frame.is_down else _UP_ENDS):
        raise ValueError(f"a frame of this direction does not end with {frame.end:02X}H")
    numbers = "" if frame.packet is None else f"{frame.packet[1]:03X}{frame.packet[0]:03X}"
    if len(numbers) not in {0, 6}:
        raise ValueError(f"packet {frame.packet}: not 1 to 4095")
    lead = numbers.encode() if frame.is_text else bytes.fromhex(numbers)
    body = lead + frame.body
    if len(body) > _LONGEST:
        raise ValueError(f"a body of {len(body)} bytes does not fit into a frame; it goes in several packets")
    who = f"{station}{centre}" if frame.is_down else f"{centre}{station}"
    head = f"{who}{frame.password.upper()}{frame.function:02X}{8 if frame.is_down else 0}{len(body):03X}"
    start = bytes([STX if frame.packet is None else SYN])
    if frame.is_text:
        data = b"\x01" + head.encode() + start + body + bytes([frame.end])
        return data + b"%04X" % crc16(data)
    data = b"\x7e\x7e" + bytes.fromhex(head) + start + body + bytes([frame.end])
    return data + crc16(data).to_bytes(2, "big")


class FrameSplitter:
    """Collects bytes and gives frames; the same bytes give the same frames, however they are cut."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._offset = 0
        self._reported = False

    @property
    def pending(self) -> bool:
        """Say whether a frame has begun and is not complete."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> Iterator[Frame | BadFrame]:
        """Take bytes and return what became whole."""
        self._buffer += data
        return iter(list(self._scan(final=False)))

    def close(self) -> Iterator[Frame | BadFrame]:
        """Return what is left at the end of the stream, or after a silence."""
        return iter(list(self._scan(final=True)))

    def _scan(self, *, final: bool) -> Iterator[Frame | BadFrame]:
        while True:
            place, size = self._head(final=final)
            is_whole = size is not None and 0 < size <= len(self._buffer) - place
            # Noise ends where a head is sure: what may be half of one may be noise still.
            yield from self._noise(place, ended=final or bool(size))
            if is_whole and size is not None:
                yield self._frame(size)
            elif size is None or not final:
                return
            else:
                yield self._bad("truncated: the frame does not end", len(self._buffer))

    def _head(self, *, final: bool) -> tuple[int, int | None]:
        """Return where the next frame begins and how long it is: 0 not known yet, None where there is none."""
        buffer, place = self._buffer, 0
        while (found := _BEGIN.search(buffer, place)) is not None:
            place = found.start()
            size = _size(buffer, place)
            if size is not None:
                return place, size
            place += 1
        # Half of a head at the very end may become one.
        return len(buffer) - (not final and buffer.endswith(b"\x7e")), None

    def _noise(self, count: int, *, ended: bool) -> Iterator[BadFrame]:
        while count >= _NOISE_MOST or (ended and count):
            piece, offset = bytes(self._buffer[: min(count, _NOISE_MOST)]), self._offset
            self._drop(len(piece))
            count -= len(piece)
            if piece.strip() and not self._reported:
                self._reported = True
                yield BadFrame(error="noise: outside a frame", offset=offset, frame=piece)

    def _drop(self, count: int) -> None:
        del self._buffer[:count]
        self._offset += count

    def _bad(self, error: str, end: int) -> BadFrame:
        bad = BadFrame(error=error, offset=self._offset, frame=bytes(self._buffer[:end]))
        # Its length cannot be trusted: look for the next head right behind this one.
        self._drop(1)
        self._reported = True
        return bad

    def _frame(self, size: int) -> Frame | BadFrame:
        data = bytes(self._buffer[:size])
        is_text = data[0] == 0x01
        checked = data[: -4 if is_text else -2]
        sent = data[len(checked) :]
        sent_text = sent.decode("latin-1").upper() if is_text else sent.hex().upper()
        computed = crc16(checked)
        if sent_text != f"{computed:04X}":
            hint = ", its bytes are swapped" if sent_text == f"{computed % 256:02X}{computed >> 8:02X}" else ""
            return self._bad(f"crc_mismatch: sent {sent_text}, computed {computed:04X}{hint}", size)
        head = data[1:23].decode() if is_text else data[2:13].hex().upper()
        is_down = head[18] == "8"
        end = checked[-1]
        if end not in (_DOWN_ENDS if is_down else _UP_ENDS):
            return self._bad(f"end: {end:02X}H ends no frame of this direction", size)
        body = checked[_TEXT_HEAD if is_text else _HEX_HEAD : -1]
        packet = None
        if data[_TEXT_HEAD - 1 if is_text else _HEX_HEAD - 1] == SYN:
            numbers = body[:6].decode("latin-1") if is_text else body[:3].hex()
            if len(numbers) != 6 or not _HEX_DIGITS.fullmatch(numbers.encode("latin-1")):
                return self._bad("packet: no numbers of packets behind SYN", size)
            packet, body = (int(numbers[3:], 16), int(numbers[:3], 16)), body[6 if is_text else 3 :]
        centre, station = (head[10:12], head[:10]) if is_down else (head[:2], head[2:12])
        frame = Frame(
            int(centre, 16),
            station,
            head[12:16],
            int(head[16:18], 16),
            body,
            end,
            packet,
            is_down,
            is_text,
            self._offset,
        )
        self._drop(size)
        self._reported = False
        return frame


def _size(buffer: bytearray, place: int) -> int | None:
    """Return how long the frame is that begins here: 0 while that is not known, None where none begins."""
    is_text = buffer[place] == 0x01
    width = _TEXT_HEAD if is_text else _HEX_HEAD
    head = bytes(buffer[place : place + width])
    if is_text:
        if len(head) > 1 and not _HEX_DIGITS.fullmatch(head[1:23]):
            return None
        if len(head) >= 20 and head[19:20] not in {b"0", b"8"}:
            return None
    elif len(head) >= 12 and head[11] >> 4 not in {0, 8}:
        return None
    if len(head) < width:
        return 0
    if head[-1] not in {STX, SYN}:
        return None
    length = int(head[20:23], 16) if is_text else (head[11] & 0x0F) << 8 | head[12]
    return width + length + (5 if is_text else 3)
