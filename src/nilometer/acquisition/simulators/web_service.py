"""A virtual public web service: HTTP/1.1 on a loopback port, a feed's values as a network has them, and its faults.

What a service says is given by its own module; this one answers questions, and fails as services do: it cannot be
reached (restart), takes a question and never answers (silence), sends spoilt documents (wrong_crc), values late, twice
or in disorder.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from nilometer.acquisition.driver import Clock
from nilometer.acquisition.links.tcp import Listener, TcpLink, listen
from nilometer.acquisition.simulators.feed import FaultyFeed, split_faults
from nilometer.acquisition.simulators.simulator import SPINE, Fault, Feed, Reading, WireFault, active_fault
from nilometer.errors import LinkError

__all__ = ["Asked", "Moment", "Told", "VirtualService"]

KINDS = (*SPINE, WireFault.LATE, WireFault.DUPLICATE, WireFault.OUT_OF_ORDER)
MOST_HEAD = 65536
MOST_VALUES = 200_000
NAP_S = 0.02


@dataclass(frozen=True, slots=True)
class Asked:
    """A question: its path and its parameters."""

    path: str
    query: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: its document, its media type and its status."""

    body: bytes
    media_type: str = "application/json"
    status: str = "200 OK"


@dataclass(frozen=True, slots=True)
class Moment:
    """What a station measured at a time, µs since 1970 UTC."""

    time: int
    readings: Mapping[str, Reading]


class VirtualService:
    """A service of one station; meets `Simulator`.

    Parameters
    ----------
    feed : Feed
        The water, by observed property.
    clock : Clock
        The present.
    faults : sequence of Fault
        See the module; ``late`` holds back the newest `amount` seconds.
    answer : callable
        ``answer(asked, moments)`` gives the answer to a question, where ``moments(since, until)`` are the values of a
        span, µs since 1970 UTC.
    options : mapping
        What the driver needs beside ``base_url``.
    host, port : str, int
        Where it listens; port 0 takes a free one.
    path : str
        What stands behind the host in the base address.
    step_s : float
        From value to value, s.
    has_age : bool
        Say what lets a client ask for changes only (ETag).
    """

    def __init__(
        self,
        feed: Feed,
        clock: Clock,
        faults: Sequence[Fault],
        answer: Callable[[Asked, Callable[[int, int], list[Moment]]], Told],
        *,
        options: Mapping[str, Any],
        host: str = "127.0.0.1",
        port: int = 0,
        path: str = "",
        step_s: float = 360.0,
        has_age: bool = True,
    ) -> None:
        self._faults, of_values = split_faults(faults, KINDS)
        self._clock, self._began = clock, clock()
        self._water, self._feed = feed, FaultyFeed(feed, of_values, self._began)
        self._answer, self._options = answer, dict(options)
        self._host, self._port, self._path, self._step_us = host, port, path, int(step_s * 1e6)
        self._has_age = has_age
        self._listener: Listener | None = None
        self.asked: list[Asked] = []

    async def start(self) -> Mapping[str, Any]:
        """Open the port and return the driver's options."""
        await self._listen()
        return {"base_url": f"http://{self._host}:{self._port}{self._path}", **self._options}

    async def run(self) -> None:
        """Serve until cancelled."""
        try:
            while True:
                if self._active(WireFault.RESTART) is not None:
                    await self._close()
                elif self._listener is None:
                    await self._listen()
                await asyncio.sleep(NAP_S)
        finally:
            await self._close()

    async def _listen(self) -> None:
        try:
            self._listener = await listen(self._host, self._port, self._serve)
            self._port = self._listener.port
        except LinkError:
            if self._port == 0:
                raise  # The first time nobody can be told later.

    async def _close(self) -> None:
        if self._listener is not None:
            await self._listener.close()
            self._listener = None

    def _active(self, kind: WireFault) -> Fault | None:
        return active_fault(self._faults, kind, (self._clock() - self._began) / 1e6)

    async def _serve(self, link: TcpLink) -> None:
        said = b""
        while True:
            while b"\r\n\r\n" not in said:
                said += await link.read()
                if len(said) > MOST_HEAD:
                    return
            head, said = said.split(b"\r\n\r\n", 1)
            while self._active(WireFault.SILENCE) is not None:
                await asyncio.sleep(NAP_S)
            await link.write(self._respond(head.decode("latin-1").split("\r\n")))

    def _respond(self, head: Sequence[str]) -> bytes:
        target = [*head[0].split(" "), "/", "/"][1]
        parts = urlsplit(target)
        query = {name: values[-1] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        asked = Asked(unquote(parts.path), query)
        self.asked.append(asked)
        told = self._answer(asked, self._moments)
        body = told.body
        if self._active(WireFault.WRONG_CRC) is not None:
            body = body[: len(body) // 2] + b"\x00{" + body[len(body) // 2 + 2 :]
        tag = f'"{hashlib.sha256(body).hexdigest()[:16]}"'
        if self._has_age and f"if-none-match: {tag}" in (line.lower() for line in head):
            return f"HTTP/1.1 304 Not Modified\r\nETag: {tag}\r\n\r\n".encode()
        lines = [f"HTTP/1.1 {told.status}", f"Content-Type: {told.media_type}", f"Content-Length: {len(body)}"]
        lines += [f"ETag: {tag}"] if self._has_age else []
        return "\r\n".join([*lines, "", ""]).encode() + body

    def _moments(self, since: int, until: int) -> list[Moment]:
        """Return what the station has of a span, both ends in it."""
        now = self._clock()
        late = self._active(WireFault.LATE)
        newest = min(until, now - (int(late.amount * 1e6) if late is not None else 0))
        first = -(-since // self._step_us) * self._step_us
        times = range(first, newest + 1, self._step_us)[-MOST_VALUES:]
        found = [Moment(time, readings) for time in times if (readings := self._readings(time))]
        if self._active(WireFault.DUPLICATE) is not None:
            found = [one for one in found for _ in range(2)]
        if self._active(WireFault.OUT_OF_ORDER) is not None:
            found.reverse()
        return found

    def _readings(self, time: int) -> Mapping[str, Reading]:
        """Return what the station measured; a recording that begins now had run backwards until now.

        A service is asked for its past, and a recording that is played has none.
        """
        if time >= self._began:
            return self._feed.at(time)
        return self._water.at(time) or self._water.at(2 * self._began - time)
