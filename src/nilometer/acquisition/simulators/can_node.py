"""A virtual node on a CAN bus: talks by the clock, answers what it is asked, with the faults of a wire."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from nilometer.acquisition.driver import Clock
from nilometer.acquisition.protocols.can_frame import CanFrame
from nilometer.acquisition.simulators.can_port import CanPort
from nilometer.acquisition.simulators.disorder import DISORDERLY, Disorder
from nilometer.acquisition.simulators.feed import FaultyFeed, split_faults
from nilometer.acquisition.simulators.simulator import Fault, Feed, Reading, WireFault, active_fault
from nilometer.errors import LinkError

__all__ = ["Behaviour", "CanNode"]

LONGEST_NAP_S = 0.05
MOST_BEHIND = 100


class Behaviour(Protocol):
    """What a node says."""

    options: Mapping[str, Any]
    """What its driver needs beside the link."""

    def talk(self, readings: Mapping[str, Reading], time: int) -> Sequence[CanFrame]:
        """Return the frames of one tick."""

    def answer(self, frame: CanFrame, readings: Mapping[str, Reading]) -> Sequence[CanFrame]:
        """Return the answer to a frame; empty where it is not for this node."""


class CanNode:
    """One node; meets `Simulator`.

    Parameters
    ----------
    behaviour : Behaviour
        What it says.
    port : CanPort
        Where it is plugged in.
    feed : Feed
        The water, by observed property or signal.
    clock : callable
        The present, µs since 1970 UTC.
    faults : sequence of Fault
        ``silence``, ``wrong_crc`` (frames spoilt on their way), ``swapped_words`` (the bytes of a frame turned round),
        ``restart``, ``late``, ``duplicate`` and ``out_of_order`` (see `Disorder`), and the value faults.
    interval_s : float
        From tick to tick, in the clock's seconds.
    """

    def __init__(
        self,
        behaviour: Behaviour,
        port: CanPort,
        feed: Feed,
        clock: Clock,
        faults: Sequence[Fault] = (),
        *,
        interval_s: float = 1.0,
    ) -> None:
        self._behaviour, self._port, self._clock, self._began = behaviour, port, clock, clock()
        self._faults, value_faults = split_faults(faults, DISORDERLY)
        self._feed = FaultyFeed(feed, value_faults, self._began) if value_faults else feed
        self._disorder: Disorder[CanFrame] = Disorder(self._faults, clock, self._began)
        self._interval_us = max(int(interval_s * 1e6), 1000)
        self._asked: asyncio.Queue[CanFrame] = asyncio.Queue(maxsize=256)
        self._is_open = False

    async def start(self) -> Mapping[str, Any]:
        """Open the port and return the driver's options."""
        options = await self._port.open(self._receive)
        self._is_open = True
        return {**options, **self._behaviour.options}

    async def run(self) -> None:
        """Talk and answer until cancelled."""
        if not self._is_open:
            await self.start()
        tick = self._clock()
        try:
            while True:
                await self._restart_when_asked()
                now = self._clock()
                if now >= tick:
                    await self._say(self._behaviour.talk(self._feed.at(tick), tick), tick)
                    tick = now if now - tick > MOST_BEHIND * self._interval_us else tick + self._interval_us
                await self._serve(min(max(tick - now, 0) / 1e6, LONGEST_NAP_S))
        finally:
            await self._port.close()

    def _receive(self, frame: CanFrame) -> None:
        if not self._asked.full():
            self._asked.put_nowait(frame)

    async def _serve(self, wait_s: float) -> None:
        """Answer what is asked within a time."""
        try:
            async with asyncio.timeout(wait_s):
                frame = await self._asked.get()
        except TimeoutError:
            await self._say((), self._clock())  # what was held back may be due
            return
        now = self._clock()
        await self._say(self._behaviour.answer(frame, self._feed.at(now)), now)

    async def _say(self, frames: Sequence[CanFrame], time: int) -> None:
        if self._active(WireFault.SILENCE):
            return
        garbled, swapped = self._active(WireFault.WRONG_CRC), self._active(WireFault.SWAPPED_WORDS)
        for frame in self._disorder.pass_on(frames):
            sent = CanFrame(frame.identifier, frame.data[::-1], frame.extended) if swapped else frame
            await self._port.send(sent, time=time, garbled=garbled)

    def _active(self, kind: WireFault) -> bool:
        return active_fault(self._faults, kind, (self._clock() - self._began) / 1e6) is not None

    async def _restart_when_asked(self) -> None:
        if not self._active(WireFault.RESTART):
            return
        await self._port.close()
        while self._active(WireFault.RESTART):
            await asyncio.sleep(LONGEST_NAP_S)
        while True:
            try:
                await self._port.open(self._receive)
            except LinkError:
                await asyncio.sleep(LONGEST_NAP_S)
            else:
                return
