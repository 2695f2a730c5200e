"""Find Modbus frames in a stream of bytes, whatever its cut: both directions of a line, as an analyser hears them.

RTU frames have no length and, in a recording, no pauses: at every place each length that the function allows is tried,
and the check value decides. Bytes that belong to no frame come out as one `BadFrame` a run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nilometer.acquisition.decoding import BadFrame
from nilometer.acquisition.protocols import modbus
from nilometer.acquisition.protocols.modbus import Frame
from nilometer.errors import ChecksumError, FrameError

__all__ = ["Located", "MbapSplitter", "RtuSplitter"]

LONGEST_RUN = 256
LONGEST_RTU = 256


@dataclass(frozen=True, slots=True)
class Located:
    """A frame, where it began in the stream, and its bytes."""

    frame: Frame
    offset: int
    raw: bytes


class _Splitter:
    """What both framings share: a buffer, an offset, and the run of bytes that belong to nothing."""

    def __init__(self) -> None:
        self._buffer = b""
        self._offset = 0  # Of the buffer's first byte in the stream.
        self._run = b""  # Refused bytes, which stand right before the buffer.

    def feed(self, data: bytes) -> Iterator[Located | BadFrame]:
        """Take bytes and yield what became whole."""
        self._buffer += data
        yield from self._scan(is_last=False)

    def close(self) -> Iterator[Located | BadFrame]:
        """Yield what is left."""
        yield from self._scan(is_last=True)
        yield from self._end_run()

    def _scan(self, *, is_last: bool) -> Iterator[Located | BadFrame]:
        raise NotImplementedError

    def _take(self, length: int) -> bytes:
        taken, self._buffer = self._buffer[:length], self._buffer[length:]
        self._offset += length
        return taken

    def _refuse_byte(self) -> Iterator[BadFrame]:
        self._run += self._take(1)
        if len(self._run) == LONGEST_RUN:
            yield from self._end_run()

    def _end_run(self) -> Iterator[BadFrame]:
        if self._run:
            run, self._run = self._run, b""
            yield BadFrame(error=self._why(run), offset=self._offset - len(run), frame=run)

    def _why(self, run: bytes) -> str:
        raise NotImplementedError


def _counted(base: int, place: int) -> Callable[[bytes], int | None]:
    def length(data: bytes) -> int | None:
        return base + data[place] if len(data) > place else None

    return length


def _fixed(length: int) -> Callable[[bytes], int | None]:
    return lambda _: length


_READ = (_fixed(8), _counted(5, 2))
_LENGTHS: dict[int, tuple[Callable[[bytes], int | None], ...]] = {
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
    22: (_fixed(10),),
    23: (_counted(13, 10), _counted(5, 2)),
}


def _lengths(data: bytes) -> tuple[list[int], bool]:
    """Return the lengths that a frame starting here may have, and whether more bytes may tell of others."""
    if len(data) < 2:
        return [], True
    if data[1] & 0x80:
        return ([5] if data[1] & 0x7F in _LENGTHS else []), False
    found = [rule(data) for rule in _LENGTHS.get(data[1], ())]
    return sorted({item for item in found if item is not None and item <= LONGEST_RTU}), None in found


class RtuSplitter(_Splitter):
    """RTU frames of the functions 1 to 8, 11, 15 to 17, 22 and 23, and exceptions to them."""

    def _scan(self, *, is_last: bool) -> Iterator[Located | BadFrame]:
        while self._buffer:
            lengths, is_open = _lengths(self._buffer)
            frame = next((found for length in lengths if (found := self._frame(length)) is not None), None)
            if frame is not None:
                yield from self._end_run()
                offset = self._offset
                yield Located(frame[0], offset, self._take(frame[1]))
            elif not is_last and (is_open or any(length > len(self._buffer) for length in lengths)):
                return
            else:
                yield from self._refuse_byte()

    def _frame(self, length: int) -> tuple[Frame, int] | None:
        """Return the frame of a length that the buffer begins with, and the length; None where its bytes are none."""
        if length > len(self._buffer):
            return None
        try:
            return modbus.decode_rtu(self._buffer[:length]), length
        except FrameError:
            return None

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
        while self._buffer:
            if not self._may_be_header():
                yield from self._refuse_byte()
                continue
            length = 6 + int.from_bytes(self._buffer[4:6]) if len(self._buffer) >= 6 else None
            if length is None or length > len(self._buffer):
                if not is_last:
                    return
                yield from self._refuse_byte()
                continue
            yield from self._end_run()
            offset, raw = self._offset, self._take(length)
            try:
                yield Located(modbus.decode_tcp(raw), offset, raw)
            except FrameError as error:
                yield BadFrame(error=str(error), offset=offset, frame=raw)

    def _may_be_header(self) -> bool:
        head = self._buffer[2:6]
        if head[:2] != b"\0\0"[: len(head[:2])] or (len(head) >= 3 and head[2] != 0):
            return False
        return len(head) < 4 or 2 <= head[3] <= modbus.MOST_PDU + 1

    def _why(self, run: bytes) -> str:
        if len(run) >= 6 and run[2:4] == b"\0\0" and int.from_bytes(run[4:6]) + 6 > len(run):
            return f"unfinished frame: {len(run)} of {int.from_bytes(run[4:6]) + 6} bytes"
        return f"{len(run)} bytes that belong to no frame"
