"""CAN through python-can: signals of DBC databases, J1939 groups, and OBD-II parameters that are asked for.

Listens only, unless OBD-II parameters are named: those it asks for, one after the other.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.can_database import load
from nilometer.acquisition.can_rows import ReadingRows, SignalMeaning
from nilometer.acquisition.can_stack import CanStack
from nilometer.acquisition.can_stream import CanStream, Patience, Teller
from nilometer.acquisition.driver import Clock, DriverInfo, DriverOptions, Sink, SourceState
from nilometer.acquisition.links.can import CanLink, open_can
from nilometer.acquisition.protocols.j1939_groups import groups
from nilometer.acquisition.protocols.obd2 import BITMAPS, Obd2Answers, pids, request
from nilometer.acquisition.rows import CLOCK_RESOLUTION_US, ChannelTable
from nilometer.errors import LinkError
from nilometer.model.properties import vocabulary

__all__ = ["DRIVER", "Can", "CanOptions", "SignalOptions"]

Seconds = Annotated[float, Field(gt=0)]
SUPPORTED = "supported"


class SignalOptions(BaseModel):
    """What a signal measures: a vocabulary key; the unit where the database has none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    property: str
    unit: str | None = None

    @field_validator("property")
    @classmethod
    def _known(cls, key: str) -> str:
        if key not in vocabulary():
            raise ValueError(f"{key!r} is not in the vocabulary")
        return key


class CanOptions(DriverOptions):
    """Settings of a CAN source; docs/drivers/can.md explains each."""

    interface: str = "socketcan"
    channel: str = "can0"
    path: str | None = None
    bitrate: Annotated[int, Field(gt=0)] | None = None
    settings: dict[str, bool | int | float | str] = Field(default_factory=dict)
    dbc: tuple[str, ...] = ()
    j1939: bool = False
    obd2: tuple[str, ...] = ()
    extended: bool = False
    poll_interval_s: Seconds = 5.0
    timeout_s: Seconds = 0.2
    signals: dict[str, SignalOptions] = Field(default_factory=dict)
    by_source: bool = False
    interval_s: Annotated[float, Field(ge=0)] = 0.0
    silent_after_s: Seconds = 30.0
    reopen_s: Seconds = 300.0
    reconnect_first_s: Seconds = 0.5
    reconnect_longest_s: Seconds = 30.0

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if not (self.dbc or self.j1939 or self.obd2):
            raise ValueError("frames alone mean nothing: name `dbc` files, `j1939 = true`, or `obd2` parameters")
        known = {one.name for one in pids().values()} | {SUPPORTED}
        unknown = sorted(set(self.obd2) - known)
        if unknown:
            raise ValueError(f"obd2 = {unknown[0]!r} is none of {', '.join(sorted(known))}")
        return self


class Can:
    """One bus; meets `Driver`."""

    def __init__(self, options: CanOptions, clock: Clock) -> None:
        self.options, self._clock = options, clock
        self._table = ChannelTable()
        self._answers = Obd2Answers() if options.obd2 else None

    async def run(self, sink: Sink) -> None:
        """Acquire until cancelled."""
        options = self.options
        teller = Teller(sink)
        teller.tell(SourceState.STARTING)
        databases = [await asyncio.to_thread(load, path) for path in options.dbc]
        stack = CanStack(databases, groups("j1939") if options.j1939 else {}, self._answers)
        rows = ReadingRows(
            self._table,
            meanings={key: SignalMeaning(one.property, one.unit) for key, one in options.signals.items()},
            by_source=options.by_source,
            hold_us=int(options.silent_after_s * 1e6),
            interval_us=int(options.interval_s * 1e6),
        )
        backoff = Backoff(options.reconnect_first_s, options.reconnect_longest_s)
        while True:
            try:
                patience = Patience(options.silent_after_s, options.reopen_s)
                await self._session(CanStream(stack, rows, sink, teller, self._clock, patience), backoff)
            except LinkError as error:
                wait_s = backoff.next_s()
                teller.tell(SourceState.DISCONNECTED, f"{error}; trying again in {wait_s:.1f} s")
                await asyncio.sleep(wait_s)

    async def _session(self, stream: CanStream, backoff: Backoff) -> None:
        options = self.options
        link = await open_can(
            options.interface, options.path or options.channel, bitrate=options.bitrate, settings=options.settings
        )
        polling = asyncio.create_task(self._poll(link, stream)) if options.obd2 else None
        try:
            while True:
                received = await link.read(min(options.silent_after_s, 1.0))
                bad = [*received.bad, *(["frames dropped: nobody took them"] if received.dropped else [])]
                if not received.frames and not bad:
                    stream.idle(link.name)
                    continue
                await self._flow(link, received.frames)
                await stream.take(received.frames, bad, backoff)
                if not received.frames:
                    stream.idle(link.name)
        finally:
            if polling is not None:
                polling.cancel()
                await asyncio.gather(polling, return_exceptions=True)
            await link.close()

    async def _flow(self, link: CanLink, frames: list[Any]) -> None:
        """Let long answers flow: a control unit that is asked waits after the first frame."""
        for frame in frames if self._answers is not None else ():
            reply = Obd2Answers.reply(frame)
            if reply is not None:
                await link.send(reply)

    async def _poll(self, link: CanLink, stream: CanStream) -> None:
        """Ask for the parameters, each when the one before was answered or its time is over."""
        numbers = {one.name: one.pid for one in pids().values()}
        while True:
            wanted = [numbers[name] for name in self.options.obd2 if name != SUPPORTED]
            if SUPPORTED in self.options.obd2 and self._answers is not None:
                for pid in BITMAPS:
                    await self._ask(link, stream, pid)
                wanted += sorted(self._answers.supported & set(pids()) - set(wanted))
            for pid in wanted:
                await self._ask(link, stream, pid)
            await asyncio.sleep(self.options.poll_interval_s)

    async def _ask(self, link: CanLink, stream: CanStream, pid: int) -> None:
        stream.answered.clear()
        try:
            await link.send(request(pid, extended=self.options.extended))
            async with asyncio.timeout(self.options.timeout_s):
                await stream.answered.wait()
        except (LinkError, TimeoutError):
            return  # silence is the reader's to see, and so is a lost interface


def _make(options: CanOptions, clock: Clock) -> Can:
    return Can(options, clock)


DRIVER = DriverInfo(
    name="can",
    title="CAN: DBC signals, J1939, OBD-II",
    protocol="can",
    options=CanOptions,
    make=_make,
    makers=("whoever gives a DBC file, or speaks J1939 or OBD-II",),
    manual="ISO 11898-1, SAE J1939-21 and -71, ISO 15765-4, ISO 15031-5, DBC File Format 1.0.5",
    revision="2015, 2018, 2021, 2015, 2007",
    maintainer="The nilometer developers",
    maturity="experimental",
    simulator="can",
    clock_resolution_us=CLOCK_RESOLUTION_US,
    mark_scheme=lambda _options: "can",
)
