"""A CAN interface through python-can: frames in and out; knows no protocol above them.

python-can's `recv` waits in a thread of its own, which hands frames over in batches. A bus cannot be held back: what
nobody takes is dropped when the queue is full, and counted, as a controller does.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple

from nilometer.acquisition.protocols.can_frame import CanFrame
from nilometer.errors import ConfigError, LinkError

__all__ = ["CanLink", "Received", "open_can"]

MOST_WAITING = 8192
_PATIENCE_S = 0.05
_NONSENSE_S = 0.01
_AT_ONCE = 256
# What the drivers of python-can raise for text or bytes of an adapter that are no frame.
_NO_FRAME = (ValueError, IndexError, KeyError)


class Received(NamedTuple):
    """What came: frames, why others were none, and how many were dropped because nobody took them."""

    frames: list[CanFrame]
    bad: list[str]
    dropped: int


class CanLink:
    """One open interface; `read` by one task, `send` by any."""

    def __init__(self, bus: Any, name: str, errors: tuple[type[Exception], ...]) -> None:  # noqa: ANN401 -- of python-can
        self.name = name
        self._bus, self._errors = bus, errors
        self._loop = asyncio.get_running_loop()
        self._frames: deque[CanFrame] = deque()
        self._bad: list[str] = []
        self._dropped = 0
        self._failure: str | None = None
        self._ready = asyncio.Event()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._listen, name=name, daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Frames that came and were not read yet."""
        return len(self._frames)

    @property
    def dropped(self) -> int:
        """Frames that were dropped since the last read."""
        return self._dropped

    async def read(self, timeout_s: float) -> Received:
        """Return what came, waiting for it; empty after `timeout_s`.

        Raises
        ------
        LinkError
            If the interface is gone.
        """
        if not self._ready.is_set():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._ready.wait()
        self._ready.clear()
        found = Received(list(self._frames), self._bad, self._dropped)
        self._frames.clear()
        self._bad, self._dropped = [], 0
        if self._failure is not None:
            if not found.frames:
                raise LinkError(self._failure, link=self.name)
            self._ready.set()
        return found

    async def send(self, frame: CanFrame) -> None:
        """Send a frame.

        Raises
        ------
        LinkError
            If the interface does not take it.
        """
        import can  # noqa: PLC0415 -- an optional dependency, there since the interface is open

        message = can.Message(
            arbitration_id=frame.identifier,
            is_extended_id=frame.extended,
            data=frame.data,
            is_fd=frame.fd,
            is_remote_frame=frame.remote,
        )
        try:
            await asyncio.to_thread(self._bus.send, message, 1.0)
        except self._errors as error:
            raise LinkError(f"cannot send: {error}", link=self.name) from error

    async def close(self) -> None:
        """Close the interface; harmless when it is closed already."""
        self._closing.set()
        await asyncio.to_thread(self._shut)

    def _shut(self) -> None:
        self._thread.join(timeout=2.0)
        _shut_down(self._bus, self._errors)

    def _listen(self) -> None:
        while not self._closing.is_set():
            try:
                self._hand_over(self._take())
            except _NO_FRAME as error:
                # slcan keeps what it could not read, and would fail on it for ever.
                flush = getattr(self._bus, "flush", None)
                if callable(flush):
                    with contextlib.suppress(*self._errors):
                        flush()
                self._call(self._spoil, f"no frame: {error}")
                # An adapter that talks nonsense must not keep a core busy.
                self._closing.wait(_NONSENSE_S)
            except self._errors as error:
                self._call(self._fail, f"the interface is lost: {error}")
                return

    def _take(self) -> list[CanFrame]:
        message = self._bus.recv(_PATIENCE_S)
        frames: list[CanFrame] = []
        while message is not None and len(frames) < _AT_ONCE:
            frames.append(_frame(message))
            message = self._bus.recv(0.0)
        if message is not None:
            frames.append(_frame(message))
        return frames

    def _hand_over(self, frames: list[CanFrame]) -> None:
        if frames:
            self._call(self._put, frames)

    def _call(self, function: Any, argument: object) -> None:  # noqa: ANN401 -- one of ours
        with contextlib.suppress(RuntimeError):  # the loop has ended before us
            self._loop.call_soon_threadsafe(function, argument)

    def _put(self, frames: list[CanFrame]) -> None:
        room = MOST_WAITING - len(self._frames)
        self._frames.extend(frames[:room])
        self._dropped += max(len(frames) - room, 0)
        self._ready.set()

    def _spoil(self, error: str) -> None:
        if len(self._bad) < MOST_WAITING:
            self._bad.append(error)
        self._ready.set()

    def _fail(self, reason: str) -> None:
        self._failure = reason
        self._ready.set()


def _frame(message: Any) -> CanFrame:  # noqa: ANN401 -- of python-can
    return CanFrame(
        identifier=message.arbitration_id,
        data=bytes(message.data),
        extended=message.is_extended_id,
        remote=message.is_remote_frame,
        error=message.is_error_frame,
        fd=message.is_fd,
    )


def _shut_down(bus: Any, errors: tuple[type[Exception], ...]) -> None:  # noqa: ANN401 -- of python-can
    try:
        bus.shutdown()
    except errors:
        # slcan says goodbye on the line first, and keeps the port when that fails.
        port = getattr(bus, "serialPortOrig", None)
        with contextlib.suppress(*errors):
            if port is not None:
                port.close()


async def open_can(
    interface: str, channel: str, *, bitrate: int | None = None, settings: Mapping[str, Any] | None = None
) -> CanLink:
    """Open an interface of python-can.

    Parameters
    ----------
    interface, channel : str
        As python-can names them: ``socketcan`` and ``can0``, ``slcan`` and ``/dev/ttyACM0``, ``udp_multicast`` and a
        group, ``virtual`` and any name.
    bitrate : int, optional
        Bit/s, where the interface sets it.
    settings : mapping, optional
        What else the interface takes.

    Raises
    ------
    LinkError
        If it is not there, or cannot be opened.
    ConfigError
        If python-can is not installed, or knows no such interface.
    """
    try:
        import can  # noqa: PLC0415 -- an optional dependency
    except ImportError as error:
        raise ConfigError(
            "interface", reason="python-can is not installed", allowed="pip install nilometer[can]"
        ) from error
    if interface not in can.VALID_INTERFACES:
        raise ConfigError("interface", seen=interface, allowed=sorted(can.VALID_INTERFACES))
    name = f"can://{interface}/{channel}"
    given = dict(settings or {}) | ({} if bitrate is None else {"bitrate": bitrate})
    errors: tuple[type[Exception], ...] = (can.CanError, OSError)

    def opened() -> Any:  # noqa: ANN401 -- of python-can
        return can.Bus(interface=interface, channel=channel, **given)

    try:
        bus = await asyncio.to_thread(opened)
    except (can.CanError, OSError, ImportError, NotImplementedError, ValueError, TypeError) as error:
        raise LinkError(f"cannot open: {error}", link=name) from error
    return CanLink(bus, name, errors)
