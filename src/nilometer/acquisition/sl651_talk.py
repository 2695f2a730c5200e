"""A station's side of one SL 651 connection: reports out until they are confirmed, queries in; knows no water.

One report is under way at a time. It is sent again, as it was and with its serial number, when no confirmation comes in
time; after so many tries the connection counts as down. A long one goes in packets, and a packet that the centre
lacks (NAK) is sent again by itself.

References
----------
SL 651-2014 sections 6.3.1.2 b and c (modes M2, M3: two more tries), 6.3.2.3, 6.6.2.4.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from zoneinfo import ZoneInfo

from nilometer.acquisition.links.link import Link
from nilometer.acquisition.protocols.sl651 import Frame, FrameSplitter, encode_frame
from nilometer.acquisition.protocols.sl651_asking import Asked, asked_of
from nilometer.acquisition.protocols.sl651_frame import ENQ, NAK
from nilometer.acquisition.protocols.sl651_writing import split_packets
from nilometer.errors import FrameError, LinkError

__all__ = ["Talk"]

_MOST_QUERIES = 100
_LOOK_S = 0.05


def _nothing() -> None:
    return None


class Talk:
    """One connection; `start` it, then `report`.

    Parameters
    ----------
    link : Link
        The connection.
    frame : Frame
        Whose addresses, password and coding every frame bears.
    zone : ZoneInfo
        The station's.
    over_time_s, retries : float, int
        How long a confirmation is waited for, and how often a report is sent again.
    most_bytes : int
        Of body in a frame; the standard advises under 220.
    asked : callable
        Called when the centre asked for something: see `queries`; and when the connection has ended.
    repeated : callable
        Called for every report that is sent again.
    gives_up : callable
        While it says True no confirmation is waited for any longer: a simulated station that loses its power.
    write : callable, optional
        Sends the bytes of a frame in place of the link: a simulated station spoils them.
    """

    def __init__(
        self,
        link: Link,
        frame: Frame,
        zone: ZoneInfo,
        *,
        over_time_s: float = 10.0,
        retries: int = 2,
        most_bytes: int = 220,
        asked: Callable[[], None] = _nothing,
        repeated: Callable[[], None] = _nothing,
        gives_up: Callable[[], bool] = lambda: False,
        write: Callable[[bytes], Awaitable[None]] | None = None,
    ) -> None:
        self.link, self._frame, self._zone = link, frame, zone
        self._over_time_s, self._retries, self._most_bytes = over_time_s, retries, most_bytes
        self._asked, self._repeated, self._gives_up = asked, repeated, gives_up
        self._write = link.write if write is None else write
        self.queries: deque[tuple[Frame, Asked]] = deque(maxlen=_MOST_QUERIES)
        self.bad_frames = 0
        self._confirmed: dict[int, int] = {}
        self._lacking: deque[int] = deque(maxlen=1000)
        self._news = asyncio.Event()
        self._reader = asyncio.create_task(self._read())

    @property
    def is_down(self) -> bool:
        """Say whether the connection has ended."""
        return self._reader.done()

    async def report(self, function: int, serial: int, body: bytes, *, confirmed: bool = True) -> int | None:
        """Send a message until it is confirmed.

        Parameters
        ----------
        function : int
            Such as 0x32.
        serial : int
            The body's: the confirmation bears it.
        body : bytes
            Whole; it is cut into packets here.
        confirmed : bool
            Wait for a confirmation (M2, M3); False: send it once (M1).

        Returns
        -------
        int or None
            How the confirmation ended: ESC (stay on the line), EOT (hang up), ACK (go on); None: it never came, or
            none is waited for.

        Raises
        ------
        LinkError
            If the connection is cut.
        ValueError
            If the body is too long for packets.
        """
        packets = [*split_packets(replace(self._frame, function=function, body=body), self._most_bytes)]
        self._confirmed.pop(serial, None)
        self._lacking.clear()
        for attempt in range(1 + self._retries if confirmed else 1):
            if attempt:
                self._repeated()
            for packet in packets:
                await self._write(encode_frame(packet))
            if confirmed and await self._is_confirmed(serial, packets):
                return self._confirmed.pop(serial)
            if self.is_down or self._gives_up():
                break
        if self.is_down and confirmed:
            raise LinkError("the connection was cut before the confirmation came", link=self.link.name)
        return None

    async def keep(self, body: bytes) -> None:
        """Say that the station is on the line (2FH), which nobody confirms.

        Raises
        ------
        LinkError
            If the connection is cut.
        """
        await self._write(encode_frame(replace(self._frame, function=0x2F, body=body)))

    async def close(self) -> None:
        """Hang up."""
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError, LinkError):
            await self._reader
        await self.link.close()

    async def _is_confirmed(self, serial: int, packets: list[Frame]) -> bool:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._over_time_s
        while serial not in self._confirmed and not self.is_down and not self._gives_up():
            while self._lacking:
                number = self._lacking.popleft()
                if len(packets) > 1 and 1 <= number <= len(packets):
                    await self._write(encode_frame(packets[number - 1]))
            wait_s = min(until - loop.time(), _LOOK_S)
            if wait_s <= 0.0:
                break
            self._news.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait_s):
                    await self._news.wait()
        return serial in self._confirmed

    async def _read(self) -> None:
        frames = FrameSplitter()
        try:
            while True:
                for frame in frames.feed(await self.link.read()):
                    if not isinstance(frame, Frame):
                        self.bad_frames += 1
                    elif frame.is_down and frame.station == self._frame.station:
                        self._take(frame)
        except LinkError:
            pass
        finally:
            self._news.set()
            self._asked()

    def _take(self, frame: Frame) -> None:
        try:
            said = asked_of(frame, self._zone)
        except FrameError:
            self.bad_frames += 1  # What it does not understand a station does not answer (6.3.1.2 d).
            return
        if frame.end == NAK and frame.packet is not None:
            self._lacking.append(frame.packet[0])
        elif frame.end == ENQ or said.serial == 0:
            self.queries.append((frame, said))
            self._asked()
        else:
            # One report is under way: what else is confirmed was given up.
            self._confirmed = {said.serial: frame.end}
        self._news.set()
