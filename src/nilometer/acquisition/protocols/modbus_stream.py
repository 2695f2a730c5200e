"""Find Modbus frames in a stream of bytes, whatever its cut: both directions of a line, as an analyser hears them.

RTU frames have no length and, in a recording, no pauses: at every place each length that the function allows is tried,
and the check value decides. Bytes that belong to no frame come out as one `BadFrame` a run.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nilometer.acquisition.decoding import BadFrame
from nilometer.acquisition.protocols import modbus
from nilometer.acquisition.protocols.modbus import Frame
from nilometer.acquisition.protocols.modbus_crc import behind_zeros, registers_along
from nilometer.errors import ChecksumError, FrameError

__all__ = ["Located", "MbapSplitter", "RtuSplitter"]

LONGEST_RUN = 256
LONGEST_RTU = 256
# What of a frame tells its length, and how many bytes are looked at between two clearings of the buffer.
HEAD_RTU = 11
IDENTIFY = 43
STEP = 4096


@dataclass(frozen=True, slots=True)
class Located:
    """A frame, where it began in the stream, and its bytes."""

    frame: Frame
    offset: int
    raw: bytes


class _Splitter:
    """What both framings share: a buffer, the place in it, and the run of bytes before it that belong to nothing."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._offset = 0  # Of the buffer's first byte in the stream.
        self._at = 0  # Of the byte that is looked at, in the buffer.
        self._run = 0  # How many refused bytes stand right before it.

    def feed(self, data: bytes) -> Iterator[Located | BadFrame]:
        """Take bytes and yield what became whole."""
        for start in range(0, len(data), STEP):
            self._append(data[start : start + STEP])
            yield from self._scan(is_last=False)
            self._forget()

    def close(self) -> Iterator[Located | BadFrame]:
        """Yield what is left."""
        yield from self._scan(is_last=True)
        yield from self._end_run()
        self._forget()

    def _append(self, data: bytes) -> None:
        self._buffer += data

    def _forget(self) -> int:
        """Drop what has been said, and return how many bytes that were."""
        done = self._at - self._run
        del self._buffer[:done]
        self._offset += done
        self._at = self._run
        return done

    def _scan(self, *, is_last: bool) -> Iterator[Located | BadFrame]:
        raise NotImplementedError

    def _take(self, length: int) -> tuple[int, bytes]:
        offset, raw = self._offset + self._at, bytes(self._buffer[self._at : self._at + length])
        self._at += length
        return offset, raw

    def _refuse_byte(self) -> Iterator[BadFrame]:
        self._at += 1
        self._run += 1
        if self._run == LONGEST_RUN:
            yield from self._end_run()

    def _end_run(self) -> Iterator[BadFrame]:
        if self._run:
            run, self._run = bytes(self._buffer[self._at - self._run : self._at]), 0
            yield BadFrame(error=self._why(run), offset=self._offset + self._at - len(run), frame=run)

    def _why(self, run: bytes) -> str:
        raise NotImplementedError


Rule = Callable[[bytes | bytearray], int | None]


def _counted(base: int, place: int) -> Rule:
    def length(data: bytes | bytearray) -> int | None:
        return base + data[place] if len(data) > place else None

    return length


def _fixed(length: int) -> Rule:
    return lambda _: length


def _objects(data: bytes | bytearray) -> int | None:
    """Return how long an answer to "read device identification" is: its objects bear their lengths."""
    if len(data) < 8:
        return None
    at = 8
    for _ in range(data[7]):
        if len(data) < at + 2:
            return None
        at += 2 + data[at + 1]
    return at + 2


_READ = (_fixed(8), _counted(5, 2))
_LENGTHS: dict[int, tuple[Rule, ...]] = {
    1: _READ,
    2: _READ,
    3: _READ,
    4: _READ,
    5: (_fixed(8),),
    6: (_fixed(8),),
    7: (_fixed(4), _fixed(5)),
    8: (_fixed(8),),
    11: (_fixed(4), _fixed(8)),
    15: (_counted(9, 6), _fixed(8)),
    16: (_counted(9, 6), _fixed(8)),
    17: (_fixed(4), _counted(5, 2)),
    20: (_counted(5, 2),),
    21: (_counted(5, 2),),
    22: (_fixed(10),),
    23: (_counted(13, 10), _counted(5, 2)),
    24: (_fixed(6), _counted(6, 3)),
    43: (_fixed(7), _objects),
}


def _lengths(data: bytes | bytearray) -> tuple[list[int], bool]:
    """Return the lengths that a frame starting here may have, and whether more bytes may tell of others."""
    if len(data) < 2:
        return [], True
    if data[1] & 0x80:
        return ([5] if data[1] & 0x7F in _LENGTHS else []), False
    found = [rule(data) for rule in _LENGTHS.get(data[1], ())]
    is_open = None in found and len(data) < LONGEST_RTU
    return sorted({item for item in found if item is not None and item <= LONGEST_RTU}), is_open


class RtuSplitter(_Splitter):
    """RTU frames of the functions 1 to 8, 11, 15 to 17, 20 to 24 and 43, and exceptions to them."""

    def __init__(self) -> None:
        super().__init__()
        # The check register, begun with 0, before each byte of the buffer and behind the last: with it every length is
        # judged by two look-ups, and garbage costs no more than its bytes.
        self._registers = array("H", [0])

    def _append(self, data: bytes) -> None:
        super()._append(data)
        self._registers.extend(registers_along(data, self._registers[-1]))

    def _forget(self) -> int:
        done = super()._forget()
        del self._registers[:done]
        return done

    def _scan(self, *, is_last: bool) -> Iterator[Located | BadFrame]:
        end = len(self._buffer)
        while self._at < end:
            lengths, is_open = self._lengths_here()
            left = end - self._at
            match = next((length for length in lengths if length <= left and self._checks(length)), None)
            if match is not None:
                yield from self._end_run()
                offset, raw = self._take(match)
                yield Located(Frame(raw[0], raw[1:-2]), offset, raw)
            elif not is_last and (is_open or (lengths and lengths[-1] > left)):
                return
            else:
                yield from self._refuse_byte()

    def _lengths_here(self) -> tuple[list[int], bool]:
        at = self._at
        function = self._buffer[at + 1] if len(self._buffer) > at + 1 else 0
        return _lengths(self._buffer[at : at + (LONGEST_RTU if function == IDENTIFY else HEAD_RTU)])

    def _checks(self, length: int) -> bool:
        begin = self._registers[self._at] ^ 0xFFFF
        return self._registers[self._at + length] == behind_zeros(begin, length)

    def _why(self, run: bytes) -> str:
        lengths, is_open = _lengths(run)
        if len(run) in lengths:
            try:
                modbus.decode_rtu(run)
            except ChecksumError as error:
                return str(error)
            except FrameError:
                pass
        if is_open or (lengths and lengths[-1] > len(run)):
            whole = f" of {lengths[-1]}" if lengths and not is_open else ""
            return f"unfinished frame: {len(run)}{whole} bytes"
        return f"{len(run)} bytes that belong to no frame"


class MbapSplitter(_Splitter):
    """MBAP frames; a header that cannot be one, or a message that its function does not allow, is refused."""

    def _scan(self, *, is_last: bool) -> Iterator[Located | BadFrame]:
        end = len(self._buffer)
        while self._at < end:
            head = self._buffer[self._at : self._at + 6]
            if not _may_be_header(head):
                yield from self._refuse_byte()
                continue
            length = 6 + int.from_bytes(head[4:6]) if len(head) == 6 else None
            if length is None or length > end - self._at:
                if not is_last:
                    return
                yield from self._refuse_byte()
                continue
            yield from self._end_run()
            offset, raw = self._take(length)
            try:
                yield Located(modbus.decode_tcp(raw), offset, raw)
            except FrameError as error:
                yield BadFrame(error=str(error), offset=offset, frame=raw)

    def _why(self, run: bytes) -> str:
        if len(run) >= 6 and run[2:4] == b"\0\0" and int.from_bytes(run[4:6]) + 6 > len(run):
            return f"unfinished frame: {len(run)} of {int.from_bytes(run[4:6]) + 6} bytes"
        return f"{len(run)} bytes that belong to no frame"


def _may_be_header(head: bytes | bytearray) -> bool:
    if any(head[2:5]):
        return False
    return len(head) < 6 or 2 <= head[5] <= modbus.MOST_PDU + 1
