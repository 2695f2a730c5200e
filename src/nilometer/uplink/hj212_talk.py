"""A station's side of one HJ 212 connection: messages out until they are answered, requests in; knows no store.

One message is under way at a time. It is sent again, as it was and with its QN, when no answer comes in time; after so
many tries the connection counts as down (HJ 212-2017 6.2, CN 1000).
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable

from nilometer.acquisition.decoding import BadFrame
from nilometer.acquisition.links.tcp import TcpLink
from nilometer.acquisition.protocols.hj212 import (
    Frame,
    FrameSplitter,
    Message,
    encode_frame,
    parse_frame,
    parse_segment,
)
from nilometer.errors import LinkError

__all__ = ["Talk"]

_ANSWERS = frozenset({"9013", "9014"})
_MOST_REQUESTS = 100


class Talk:
    """One connection.

    Parameters
    ----------
    link : TcpLink
        The connection.
    over_time_s, retries : float, int
        How long an answer is waited for, and how often a message is sent again; the receiver may set them.
    asked : callable
        Called when the receiver asked for something: see `requests`.
    repeated : callable
        Called for every message that is sent again.
    """

    def __init__(
        self,
        link: TcpLink,
        *,
        over_time_s: float,
        retries: int,
        asked: Callable[[], None],
        repeated: Callable[[], None],
    ) -> None:
        self.link, self.over_time_s, self.retries = link, over_time_s, retries
        self.requests: deque[Message] = deque(maxlen=_MOST_REQUESTS)
        self.bad_frames = 0
        self._asked, self._repeated = asked, repeated
        self._waiting: dict[str, asyncio.Future[None]] = {}
        self._reader = asyncio.create_task(self._read())

    @property
    def is_down(self) -> bool:
        """Say whether the connection has ended."""
        return self._reader.done()

    async def send(self, segment: str) -> bool:
        """Send a message, again and again until it is answered where it wants to be; False: it never was.

        Raises
        ------
        LinkError
            If the connection is cut.
        """
        message = parse_segment(segment.encode())
        frame = encode_frame(segment.encode())
        if not message.wants_answer:
            await self.link.write(frame)
            return True
        answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[message.request] = answered
        try:
            for attempt in range(1 + self.retries):
                if attempt:
                    self._repeated()
                await self.link.write(frame)
                await asyncio.wait(
                    [answered, self._reader], timeout=self.over_time_s, return_when=asyncio.FIRST_COMPLETED
                )
                if answered.done():
                    return True
                if self.is_down:
                    raise LinkError("the connection was cut before the answer came", link=self.link.name)
        finally:
            self._waiting.pop(message.request, None)
        return False

    async def say(self, message: Message) -> None:
        """Send what wants no answer.

        Raises
        ------
        LinkError
            If the connection is cut.
        """
        with contextlib.suppress(ValueError):  # A header that cannot be said again cannot be answered.
            await self.link.write(encode_frame(message.encode()))

    async def close(self) -> None:
        """Hang up."""
        self._reader.cancel()
        with contextlib.suppress(asyncio.CancelledError, LinkError):
            await self._reader
        await self.link.close()

    async def _read(self) -> None:
        frames = FrameSplitter()
        try:
            while True:
                for frame in frames.feed(await self.link.read()):
                    self._take(parse_frame(frame) if isinstance(frame, Frame) else frame)
        except LinkError:
            pass
        finally:
            self._asked()

    def _take(self, message: Message | BadFrame) -> None:
        if isinstance(message, BadFrame):
            self.bad_frames += 1
        elif message.command in _ANSWERS:
            answered = self._waiting.get(message.request)
            if answered is not None and not answered.done():
                answered.set_result(None)
        else:
            self.requests.append(message)
            self._asked()
