"""NMEA 2000 from a gateway (TCP, UDP, serial text) or a CAN interface: depth, temperature, wind, tanks, stations.

Listens only: it claims no address and asks nobody.
"""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.can_rows import ReadingRows
from nilometer.acquisition.can_stack import CanStack
from nilometer.acquisition.can_stream import CanStream, Patience, Teller
from nilometer.acquisition.decoding import BadFrame
from nilometer.acquisition.driver import Clock, DriverInfo, DriverOptions, Sink, SourceState
from nilometer.acquisition.links.can import open_can
from nilometer.acquisition.links.link import Link, read_within
from nilometer.acquisition.links.serial import open_port
from nilometer.acquisition.links.tcp import connect
from nilometer.acquisition.links.udp import bind
from nilometer.acquisition.protocols.can_frame import CanFrame
from nilometer.acquisition.protocols.can_lines import Lines
from nilometer.acquisition.protocols.j1939_groups import groups
from nilometer.acquisition.protocols.j1939_transport import Message
from nilometer.acquisition.protocols.nmea2000_text import said_in
from nilometer.acquisition.rows import CLOCK_RESOLUTION_US, ChannelTable
from nilometer.errors import FrameError, LinkError, LinkTimeout
from nilometer.model.properties import vocabulary

__all__ = ["DRIVER", "Nmea2000", "Nmea2000Options"]

Seconds = Annotated[float, Field(gt=0)]
Address = Annotated[int, Field(ge=0, le=255)]


class Nmea2000Options(DriverOptions):
    """Settings of an NMEA 2000 source; docs/drivers/nmea2000.md explains each."""

    link: Literal["tcp", "udp", "serial", "can"] = "tcp"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] | None = None
    path: str | None = None
    baud: Annotated[int, Field(ge=300)] = 115200
    interface: str = "socketcan"
    channel: str = "can0"
    settings: dict[str, bool | int | float | str] = Field(default_factory=dict)
    connect_timeout_s: Seconds = 5.0
    groups: tuple[int, ...] = ()
    sources: tuple[Address, ...] = ()
    by_source: bool = False
    moving: bool = False
    position_age_s: Seconds = 30.0
    interval_s: Annotated[float, Field(ge=0)] = 0.0
    silent_after_s: Seconds = 30.0
    reopen_s: Seconds = 300.0
    reconnect_first_s: Seconds = 0.5
    reconnect_longest_s: Seconds = 30.0

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.link == "serial" and not self.path:
            raise ValueError("`path` names the serial port")
        if self.link in ("tcp", "udp") and self.port is None:
            raise ValueError(f"`port` is needed for link = {self.link!r}")
        known = groups("nmea2000")
        unknown = sorted(set(self.groups) - set(known))
        if unknown:
            raise ValueError(f"groups = {unknown[0]} is none of {', '.join(map(str, sorted(known)))}")
        return self


class Nmea2000:
    """One network; meets `Driver`."""

    def __init__(self, options: Nmea2000Options, clock: Clock) -> None:
        self.options, self._clock = options, clock
        self._table = ChannelTable()

    async def run(self, sink: Sink) -> None:
        """Listen until cancelled."""
        options = self.options
        teller = Teller(sink)
        teller.tell(SourceState.STARTING)
        rows = ReadingRows(
            self._table,
            by_source=options.by_source,
            hold_us=int(options.silent_after_s * 1e6),
            interval_us=int(options.interval_s * 1e6),
            position_age_us=int(options.position_age_s * 1e6) if options.moving else None,
        )
        backoff = Backoff(options.reconnect_first_s, options.reconnect_longest_s)
        while True:
            try:
                # A new connection begins in the middle of long messages: nothing of the old one is kept.
                stack = CanStack(known=groups("nmea2000"), wanted=self._wants)
                patience = Patience(options.silent_after_s, options.reopen_s)
                await self._session(CanStream(stack, rows, sink, teller, self._clock, patience), teller, backoff)
            except LinkError as error:
                wait_s = backoff.next_s()
                teller.tell(SourceState.DISCONNECTED, f"{error}; trying again in {wait_s:.1f} s")
                await asyncio.sleep(wait_s)

    def _wants(self, pgn: int, source: int) -> bool:
        options = self.options
        # Positions are heard in any case, as moving may need them; they make no channels.
        if options.groups and pgn not in options.groups and pgn not in (129025, 129029):
            return False
        return not options.sources or source in options.sources

    async def _session(self, stream: CanStream, teller: Teller, backoff: Backoff) -> None:
        match self.options.link:
            case "can":
                await self._frames(stream, backoff)
            case "udp":
                await self._datagrams(stream, teller)
            case _:
                link = await self._open()
                try:
                    await self._text(link, stream, backoff)
                finally:
                    await link.close()

    async def _open(self) -> Link:
        options = self.options
        if options.link == "serial":
            return await open_port(options.path or "", baud=options.baud)
        return await connect(options.host, options.port or 0, timeout_s=options.connect_timeout_s)

    async def _text(self, link: Link, stream: CanStream, backoff: Backoff) -> None:
        lines = Lines()
        while True:
            try:
                data = await read_within(link, min(self.options.silent_after_s, 1.0))
            except LinkTimeout:
                stream.idle(link.name)
                continue
            said, bad = _said(lines, data)
            await stream.take(said, bad, backoff)
            stream.idle(link.name)

    async def _datagrams(self, stream: CanStream, teller: Teller) -> None:
        socket = await bind(self.options.host, self.options.port or 0)
        teller.tell(SourceState.SILENT, f"waiting for datagrams on {socket.name}")
        try:
            while True:
                try:
                    async with asyncio.timeout(min(self.options.silent_after_s, 1.0)):
                        data, _ = await socket.receive()
                except TimeoutError:
                    stream.idle(socket.name)
                    continue
                # A datagram holds whole lines.
                await stream.take(*_said(Lines(), data + b"\n"))
        finally:
            await socket.close()

    async def _frames(self, stream: CanStream, backoff: Backoff) -> None:
        options = self.options
        link = await open_can(options.interface, options.path or options.channel, settings=options.settings)
        try:
            while True:
                received = await link.read(min(options.silent_after_s, 1.0))
                bad = [*received.bad, *(["frames dropped: nobody took them"] if received.dropped else [])]
                if received.frames or bad:
                    await stream.take(received.frames, bad, backoff)
                stream.idle(link.name)
        finally:
            await link.close()


def _said(lines: Lines, data: bytes) -> tuple[list[CanFrame | Message], list[str]]:
    said: list[CanFrame | Message] = []
    bad: list[str] = []
    for line in lines.feed(data):
        if isinstance(line, BadFrame):
            bad.append(line.error)
            continue
        try:
            said.append(said_in(line[1]).said)
        except FrameError as error:
            bad.append(str(error))
    return said, bad


def _observed() -> dict[str, str]:
    """Return the properties that the tables name, in the vocabulary's units: the wire's are the channel's."""
    found: set[str] = set()
    for group in groups("nmea2000").values():
        for one in group.fields:
            if isinstance(one.property, str):
                found.add(one.property)
            elif one.property is not None:
                found.update(one.property.values())
    return {key: vocabulary()[key].unit for key in sorted(found)}


def _make(options: Nmea2000Options, clock: Clock) -> Nmea2000:
    return Nmea2000(options, clock)


DRIVER = DriverInfo(
    name="nmea2000",
    title="NMEA 2000",
    protocol="nmea2000",
    options=Nmea2000Options,
    make=_make,
    makers=("Airmar", "Garmin", "Maretron", "and whoever is on NMEA 2000; gateways of Yacht Devices and Actisense"),
    observed_properties=_observed(),
    manual="Group layouts as canboat reads them; Yacht Devices YDWG-02 manual, RAW mode; ISO 11783-3",
    revision="2026; 2017",
    maintainer="The nilometer developers",
    maturity="experimental",
    simulator="nmea2000",
    clock_resolution_us=CLOCK_RESOLUTION_US,
    mark_scheme=lambda _options: "can",
)
