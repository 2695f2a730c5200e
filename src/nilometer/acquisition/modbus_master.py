"""One Modbus conversation at a time over a link: ask, wait, check that the answer is the answer.

It carries any message, legal or not (a count of 0 starts some sensors), on RTU or MBAP frames, over any `Link`. It
knows nothing of instruments, of polling or of reconnecting.
"""

from __future__ import annotations

import asyncio
from typing import Literal

from nilometer.acquisition.links.link import Link, discard_pending, read_within
from nilometer.acquisition.protocols import modbus
from nilometer.acquisition.protocols.modbus import (
    ExceptionAnswer,
    Other,
    Pdu,
    ReadAnswer,
    ReadRequest,
    WriteBlock,
    WriteBlockAnswer,
    WriteOne,
)
from nilometer.errors import ChecksumError, FrameError, LinkTimeout

__all__ = ["Framing", "ModbusMaster", "RefusalError"]

Framing = Literal["rtu", "tcp"]

QUIET_S = 0.05
"""Silence after which an RTU frame that does not check is taken as complete: far above 3.5 characters, because a USB
adapter, a gateway and a radio all stretch a frame."""


class RefusalError(FrameError):
    """The device answered with an exception; `code` is Modbus' own."""

    def __init__(self, message: str, *, code: int, frame: bytes) -> None:
        self.code = code
        super().__init__(message, frame=frame)

    @property
    def is_absent(self) -> bool:
        """Return whether a gateway says that the device does not answer it."""
        return self.code in {10, 11}


class ModbusMaster:
    """The asking side of a Modbus line.

    Parameters
    ----------
    link : Link
        Carries the bytes; the caller opens and closes it.
    framing : {"rtu", "tcp"}
        How messages are framed.
    heartbeat : bytes
        Bytes that the peer sends on its own, which may stand before or between answers; dropped.
    gap_s : float
        The least time between an answer and the next request, s.
    """

    def __init__(self, link: Link, framing: Framing, *, heartbeat: bytes = b"", gap_s: float = 0.0) -> None:
        self._link, self._framing, self._heartbeat, self._gap_s = link, framing, heartbeat, gap_s
        self._transaction = 0
        self._late: set[int] = set()
        self._is_clean = False

    @property
    def name(self) -> str:
        """Return the link's name."""
        return self._link.name

    async def ask(self, unit: int, request: Pdu, timeout_s: float) -> Pdu:
        """Send a request and return its answer.

        Parameters
        ----------
        unit : int
            The device.
        request : Pdu
            Any message; `Other` for one without a name.
        timeout_s : float
            How long to wait for the whole answer, s.

        Raises
        ------
        LinkTimeout
            If nothing came: the device is silent.
        ChecksumError, FrameError
            If what came is not the answer.
        RefusalError
            If the device answered with an exception.
        LinkError
            If the link is cut.
        """
        message = modbus.encode(request)
        if unit in self._late:
            # RTU answers bear no number: let a late one pass before it can be taken for the next one's.
            await asyncio.sleep(min(timeout_s, 4 * QUIET_S))
            self._late.remove(unit)
        if not self._is_clean:
            await discard_pending(self._link)
        self._is_clean = False
        try:
            if self._framing == "tcp":
                pdu = await self._exchange_tcp(unit, message, timeout_s)
            else:
                pdu = await self._exchange_rtu(unit, message, timeout_s)
        except (LinkTimeout, FrameError):
            if self._framing == "rtu":
                self._late.add(unit)
            raise
        # Over MBAP an answer that comes unasked has another number, and is passed over where it stands.
        self._is_clean = self._framing == "tcp" and not self._heartbeat
        if self._gap_s:
            await asyncio.sleep(self._gap_s)
        return _checked(unit, request, pdu)

    async def _exchange_tcp(self, unit: int, message: bytes, timeout_s: float) -> bytes:
        self._transaction = self._transaction % 0xFFFF + 1
        await self._link.write(modbus.encode_tcp(unit, message, self._transaction))
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        buffer = b""
        while True:
            buffer = self._without_heartbeat(buffer)
            while len(buffer) >= 6 and len(buffer) >= (whole := 6 + int.from_bytes(buffer[4:6])):
                frame, buffer = modbus.decode_tcp(buffer[:whole]), buffer[whole:]
                # An answer to an earlier request that came too late has another number: passed over.
                if frame.transaction == self._transaction:
                    if frame.unit != unit:
                        raise FrameError(f"asked unit {unit}, unit {frame.unit} answered", frame=frame.pdu)
                    return frame.pdu
            buffer += await self._more(buffer, deadline, timeout_s)

    async def _more(self, buffer: bytes, deadline: float, timeout_s: float) -> bytes:
        try:
            return await read_within(self._link, max(0.0, deadline - asyncio.get_running_loop().time()))
        except LinkTimeout as error:
            if buffer:
                raise FrameError(f"{len(buffer)} bytes and no whole answer in {timeout_s:g} s", frame=buffer) from error
            raise LinkTimeout(f"no answer within {timeout_s:g} s", link=self._link.name) from None

    def _without_heartbeat(self, buffer: bytes) -> bytes:
        ours = self._transaction.to_bytes(2)
        while self._heartbeat and buffer.startswith(self._heartbeat) and not buffer.startswith(ours):
            buffer = buffer[len(self._heartbeat) :]
        return buffer

    async def _exchange_rtu(self, unit: int, message: bytes, timeout_s: float) -> bytes:
        request = modbus.encode_rtu(unit, message)
        await self._link.write(request)
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        buffer = b""
        while True:
            answer, bad = _find_rtu(unit, message[0], buffer, request)
            if answer is None and self._heartbeat and self._heartbeat in buffer:
                answer, bad = _find_rtu(unit, message[0], buffer.replace(self._heartbeat, b""), request)
                if answer is None and not buffer.replace(self._heartbeat, b""):
                    buffer = b""
            if answer is not None:
                return answer
            # A frame that does not check may still be noise with the true answer behind it: wait for silence.
            until = min(deadline, loop.time() + QUIET_S) if bad is not None else deadline
            try:
                buffer += await self._more(buffer, until, timeout_s)
            except FrameError as error:
                raise (bad or error) from None
            if len(buffer) > 4096:
                raise FrameError("noise without end", frame=buffer[:256])


def _find_rtu(unit: int, function: int, buffer: bytes, request: bytes) -> tuple[bytes | None, ChecksumError | None]:
    """Return the answer in the buffer, or the bad frame that stands where it should be."""
    if function in modbus.READS and buffer.startswith(request):
        buffer = buffer[len(request) :]  # An adapter that echoes what we send.
    bad = None
    for start in range(len(buffer) - 3):
        if buffer[start] != unit or buffer[start + 1] & 0x7F != function & 0x7F:
            continue
        for end in _ends(buffer, start):
            if end > len(buffer):
                continue
            try:
                return modbus.decode_rtu(buffer[start:end]).pdu, None
            except ChecksumError as error:
                bad = bad or error
            except FrameError:
                continue
    return None, bad


def _ends(buffer: bytes, start: int) -> tuple[int, ...]:
    function = buffer[start + 1]
    if function & 0x80:
        return (start + 5,)
    if function in modbus.READS:
        return (start + 5 + buffer[start + 2],)
    if function in {5, 6, 15, 16}:
        return (start + 8,)
    # A function of the maker's own: the check value alone says where it ends.
    return tuple(range(start + 4, len(buffer) + 1))


def _checked(unit: int, request: Pdu, pdu: bytes) -> Pdu:
    answer = modbus.decode_answer(pdu)
    if isinstance(answer, ExceptionAnswer):
        text = f"unit {unit} refuses: exception {answer.code}, {modbus.exception_text(answer.code)}"
        raise RefusalError(text, code=answer.code, frame=pdu)
    match request, answer:
        case ReadRequest(function, _, count), ReadAnswer(answered, data) if function == answered:
            needed = (count + 7) // 8 if function in modbus.BIT_READS else 2 * count
            if len(data) != needed:
                raise FrameError(f"asked for {needed} bytes, {len(data)} came", frame=pdu)
        case WriteOne(function, address), WriteOne(answered, written) if (function, address) == (answered, written):
            pass
        case WriteBlock(function, address), WriteBlockAnswer(answered, written) if (function, address) == (
            answered,
            written,
        ):
            pass
        case Other(function), _ if pdu[0] == function:
            pass
        case _:
            raise FrameError("the answer belongs to another request", frame=pdu)
    return answer
