"""SL 651-2014, the receiving side: hydrological stations report, and are confirmed once their values are durable."""

from __future__ import annotations

import asyncio
import zoneinfo
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.driver import Clock, DriverInfo, DriverOptions, Sink, SourceReport, SourceState
from nilometer.acquisition.links.link import Link
from nilometer.acquisition.links.serial import open_port
from nilometer.acquisition.links.tcp import listen
from nilometer.acquisition.links.udp import bind
from nilometer.acquisition.protocols.sl651 import ELEMENTS, SYMBOLS, Layout
from nilometer.acquisition.rows import ChannelTable
from nilometer.acquisition.sl651_peers import serve_peers
from nilometer.acquisition.sl651_refilling import Refill
from nilometer.acquisition.sl651_rows import ReportRows
from nilometer.acquisition.sl651_session import Session, Settings
from nilometer.acquisition.station_states import StationStates
from nilometer.errors import LinkError

__all__ = ["DRIVER", "Sl651", "Sl651Options"]

Seconds = Annotated[float, Field(gt=0)]
_MINUTE_US = 60_000_000
_CLOCK_RESOLUTION_US = 1_000_000
_STEPS_MIN = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720)


class Sl651Options(DriverOptions):
    """Settings of an SL 651 receiver; docs/drivers/sl651.md explains each."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] | None = None
    transport: Literal["tcp", "udp", "serial"] = "tcp"
    path: str | None = None
    baud: Annotated[int, Field(ge=300)] = 9600
    stations: tuple[Annotated[str, Field(pattern="^[0-9A-Fa-f]{10}$")], ...] = ()
    centre: Annotated[int, Field(ge=0, le=255)] | None = None
    password: Annotated[str, Field(pattern="^[0-9A-Fa-f]{4}$")] | None = None
    time_zone: str = "Asia/Shanghai"
    confirms: bool = True
    keep_online: bool = True
    set_time: bool = False
    ask_now: bool = False
    clock_tolerance_s: Seconds = 300.0
    frame_timeout_s: Seconds = 10.0
    packet_tries: Annotated[int, Field(ge=0, le=100)] = 2
    silent_after_s: Seconds = 4000.0
    close_after_s: Seconds = 90_000.0
    refill: tuple[str, ...] = ()
    refill_step_min: int = 60
    refill_after_s: Seconds = 300.0
    refill_timeout_s: Seconds = 60.0
    refill_tries: Annotated[int, Field(ge=1, le=100)] = 3
    refill_days: Annotated[int, Field(ge=1, le=3650)] = 30
    most_connections: Annotated[int, Field(ge=1)] = 1000
    reconnect_first_s: Seconds = 0.5
    reconnect_longest_s: Seconds = 30.0

    @field_validator("stations")
    @classmethod
    def _in_capitals(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(station.upper() for station in value)

    @model_validator(mode="after")
    def _known(self) -> Self:
        try:
            zoneinfo.ZoneInfo(self.time_zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"time_zone = {self.time_zone!r} is no IANA zone, such as Asia/Shanghai") from error
        lacks = "path" if self.transport == "serial" else "port"
        if getattr(self, lacks) is None:
            raise ValueError(f"transport = {self.transport!r} needs `{lacks}`")
        for symbol in self.refill:
            if symbol not in SYMBOLS or SYMBOLS[symbol].layout is not Layout.NUMBER:
                raise ValueError(f"refill: {symbol!r} is no element that can be asked for, such as Z, PT, Q")
        if self.refill_step_min not in _STEPS_MIN:
            raise ValueError(f"refill_step_min = {self.refill_step_min}: a part of a day, one of {_STEPS_MIN}")
        return self

    def listening(self) -> Sequence[tuple[Literal["tcp", "udp"], str, int]]:
        """Return the port that stations dial, if there is one."""
        return () if self.transport == "serial" else ((self.transport, self.host, self.port or 0),)


class Sl651:
    """A port that stations report to; meets `Driver`."""

    def __init__(self, options: Sl651Options, clock: Clock) -> None:
        self._options = options
        table = ChannelTable()
        self._settings = Settings(
            clock=clock,
            rows=ReportRows(table, several=len(options.stations) != 1),
            table=table,
            zone=zoneinfo.ZoneInfo(options.time_zone),
            stations=frozenset(options.stations),
            centre=options.centre,
            password=options.password,
            confirms=options.confirms,
            keep_online=options.keep_online,
            frame_timeout_s=options.frame_timeout_s,
            packet_tries=options.packet_tries,
            silent_after_s=options.silent_after_s,
            close_after_s=options.close_after_s,
            set_time=options.set_time,
            asks_now=options.ask_now,
            clock_tolerance_s=options.clock_tolerance_s,
            refill=Refill(
                elements=frozenset(options.refill),
                step_us=options.refill_step_min * _MINUTE_US,
                after_s=options.refill_after_s,
                timeout_s=options.refill_timeout_s,
                tries=options.refill_tries,
                farthest_us=options.refill_days * 86_400_000_000,
            ),
        )

    async def run(self, sink: Sink) -> None:
        """Receive until cancelled."""
        sink.report(SourceReport(state=SourceState.STARTING))
        backoff = Backoff(self._options.reconnect_first_s, self._options.reconnect_longest_s)
        receive = {"tcp": self._listen, "udp": self._bind, "serial": self._open}[self._options.transport]
        while True:
            try:
                await receive(sink)
            except LinkError as error:
                wait_s = backoff.next_s()
                detail = f"{error}; trying again in {wait_s:.1f} s"
                sink.report(SourceReport(state=SourceState.DISCONNECTED, detail=detail))
                await asyncio.sleep(wait_s)

    async def _listen(self, sink: Sink) -> None:
        async def serve(link: Link) -> None:
            await self._session(link, sink, states).serve()

        options = self._options
        listener = await listen(options.host, options.port or 0, serve, most_connections=options.most_connections)
        states = _waiting(sink, listener.name)
        try:
            await asyncio.Event().wait()
        finally:
            await listener.close()

    async def _bind(self, sink: Sink) -> None:
        async def serve(link: Link) -> None:
            await self._session(link, sink, states).serve()

        socket = await bind(self._options.host, self._options.port or 0)
        states = _waiting(sink, socket.name)
        try:
            await serve_peers(socket, serve, most=self._options.most_connections)
        finally:
            await socket.close()

    async def _open(self, sink: Sink) -> None:
        link = await open_port(str(self._options.path), baud=self._options.baud)
        states = _waiting(sink, link.name)
        try:
            await self._session(link, sink, states).serve()
        finally:
            await link.close()

    def _session(self, link: Link, sink: Sink, states: StationStates) -> Session:
        def seen(session: Session, station: str, state: SourceState | None) -> None:
            states.seen((id(session), station), state)

        return Session(link, self._settings, sink, seen)


def _waiting(sink: Sink, place: str) -> StationStates:
    return StationStates(sink, SourceReport(state=SourceState.DISCONNECTED, detail=f"waiting for stations on {place}"))


DRIVER = DriverInfo(
    name="sl651",
    title="SL 651 receiver",
    protocol="sl651",
    options=Sl651Options,
    make=Sl651,
    makers=("every hydrological station (遥测终端机) of China",),
    observed_properties={
        element.observed_property: element.unit
        for element in ELEMENTS.values()
        if element.observed_property is not None and element.unit is not None
    },
    manual="SL 651-2014, 水文监测数据通信规约",
    revision="2014-04-17",
    maintainer="The nilometer developers",
    maturity="experimental",
    simulator="sl651",
    clock_resolution_us=_CLOCK_RESOLUTION_US,
    mark_scheme=lambda _options: "sl651-2014",
)
