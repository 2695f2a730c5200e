"""HJ 212, the receiving side: stations dial in, their uploads become rows, and are answered once they are durable."""

from __future__ import annotations

import asyncio
import zoneinfo
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.driver import Clock, DriverInfo, DriverOptions, Sink, SourceReport, SourceState
from nilometer.acquisition.hj212_gaps import COMMANDS
from nilometer.acquisition.hj212_refilling import Refill
from nilometer.acquisition.hj212_rows import Meaning, MessageRows
from nilometer.acquisition.hj212_session import Session, Settings
from nilometer.acquisition.links.tcp import TcpLink, listen
from nilometer.acquisition.protocols.hj212_cipher import Cipher
from nilometer.acquisition.rows import CLOCK_RESOLUTION_US, ChannelTable
from nilometer.acquisition.station_states import StationStates
from nilometer.errors import LinkError
from nilometer.model.properties import vocabulary

__all__ = ["DRIVER", "CommandOptions", "Hj212", "Hj212Options"]

Seconds = Annotated[float, Field(gt=0)]


class CommandOptions(BaseModel):
    """What a command means that no source at hand gives a meaning: as a region, or an edition not read here, has it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    interval: Literal["moment", "minute", "hour", "day", "cycle"] = "moment"
    sample: Literal["water", "zero", "span", "check", "spike", "blank", "parallel"] = "water"
    measured: tuple[str, ...] = ()
    details: tuple[str, ...] = ()


class Hj212Options(DriverOptions):
    """Settings of an HJ 212 receiver; docs/drivers/hj212.md explains each."""

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)]
    stations: tuple[str, ...] = ()
    password: str | None = None
    edition: Literal["2005", "2017", "2025"] = "2017"
    time_zone: str = "Asia/Shanghai"
    minute_interval_min: Annotated[int, Field(ge=1, le=60)] = 10
    keys: dict[str, Annotated[str, Field(pattern="^[0-9A-Fa-f]{32}$")]] = Field(default_factory=dict)
    commands: dict[Annotated[str, Field(pattern="^[0-9]{4}$")], CommandOptions] = Field(default_factory=dict)
    analysis_min: dict[str, Annotated[int, Field(ge=1, le=1440)]] = Field(default_factory=dict)
    answers: Literal["asked", "always", "never"] = "asked"
    frame_timeout_s: Seconds = 10.0
    silent_after_s: Seconds = 600.0
    close_after_s: Seconds = 3600.0
    set_time: bool = False
    real_time_interval_s: Annotated[int, Field(ge=1, le=3600)] | None = None
    set_minute_interval: bool = False
    over_time_s: Annotated[int, Field(ge=1, le=99)] | None = None
    retries: Annotated[int, Field(ge=1, le=99)] | None = None
    refill: tuple[Literal["minute", "hour", "day"], ...] = ("minute", "hour", "day")
    refill_after_s: Seconds = 60.0
    refill_timeout_s: Seconds = 30.0
    refill_tries: Annotated[int, Field(ge=1, le=100)] = 3
    refill_days: Annotated[int, Field(ge=1, le=3650)] = 30
    most_connections: Annotated[int, Field(ge=1)] = 1000
    reconnect_first_s: Seconds = 0.5
    reconnect_longest_s: Seconds = 30.0

    @model_validator(mode="after")
    def _known(self) -> Self:
        try:
            zoneinfo.ZoneInfo(self.time_zone)
        except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"time_zone = {self.time_zone!r} is no IANA zone, such as Asia/Shanghai") from error
        if (self.over_time_s is None) != (self.retries is None):
            raise ValueError("`over_time_s` and `retries` are set together (CN 1000)")
        return self

    def listening(self) -> Sequence[tuple[Literal["tcp", "udp"], str, int]]:
        """Return the port that stations dial."""
        return (("tcp", self.host, self.port),)

    def requests(self) -> Iterable[tuple[str, dict[str, str]]]:
        """Return what a station is told at first contact: command and data area."""
        if self.over_time_s is not None and self.retries is not None:
            yield "1000", {"OverTime": str(self.over_time_s), "ReCount": str(self.retries)}
        if self.real_time_interval_s is not None:
            yield "1062", {"RtdInterval": str(self.real_time_interval_s)}
        if self.set_minute_interval:
            yield "1064", {"MinInterval": str(self.minute_interval_min)}


class Hj212:
    """A port that stations dial; meets `Driver`."""

    def __init__(self, options: Hj212Options, clock: Clock) -> None:
        self._options, self._clock = options, clock
        self._table = ChannelTable()
        zone = zoneinfo.ZoneInfo(options.time_zone)
        rows = MessageRows(
            self._table,
            zone,
            minute_interval_min=options.minute_interval_min,
            several=len(options.stations) != 1,
            analysis_min=options.analysis_min,
            commands={command: Meaning(**told.model_dump()) for command, told in options.commands.items()},
        )
        self._settings = Settings(
            clock=clock,
            rows=rows,
            table=self._table,
            zone=zone,
            stations=frozenset(options.stations),
            password=options.password,
            edition=options.edition,
            cipher=_cipher(options.keys),
            answers=options.answers,
            frame_timeout_s=options.frame_timeout_s,
            silent_after_s=options.silent_after_s,
            close_after_s=options.close_after_s,
            set_time=options.set_time,
            requests=tuple(options.requests()),
            refill=Refill(
                commands=frozenset(COMMANDS[name] for name in options.refill),
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
        while True:
            try:
                await self._listen(sink)
            except LinkError as error:
                wait_s = backoff.next_s()
                detail = f"{error}; trying again in {wait_s:.1f} s"
                sink.report(SourceReport(state=SourceState.DISCONNECTED, detail=detail))
                await asyncio.sleep(wait_s)

    async def _listen(self, sink: Sink) -> None:
        async def serve(link: TcpLink) -> None:
            await Session(link, self._settings, sink, seen).serve()

        def seen(session: Session, device: str, state: SourceState | None) -> None:
            states.seen((id(session), device), state)

        options = self._options
        listener = await listen(options.host, options.port, serve, most_connections=options.most_connections)
        detail = f"waiting for stations on {listener.name}"
        states = StationStates(sink, SourceReport(state=SourceState.DISCONNECTED, detail=detail))
        try:
            await asyncio.Event().wait()
        finally:
            await listener.close()


def _cipher(keys: Mapping[str, str]) -> Cipher | None:
    return Cipher({device: bytes.fromhex(key) for device, key in keys.items()}) if keys else None


DRIVER = DriverInfo(
    name="hj212",
    title="HJ 212 receiver",
    protocol="hj212",
    options=Hj212Options,
    make=Hj212,
    makers=("every station that reports to a Chinese authority",),
    observed_properties={
        term.key: term.hj525_unit for term in vocabulary().values() if term.hj525 is not None and term.hj525_unit
    },
    manual="HJ/T 212-2005, HJ 212-2017; HJ 212-2025 as public code shows it",
    revision="2017-05-01",
    maintainer="The nilometer developers",
    maturity="usable",
    simulator="hj212",
    clock_resolution_us=CLOCK_RESOLUTION_US,
    # 2025 kept the marks of 2017, as far as public code shows.
    mark_scheme=lambda options: "hj212-2005" if options.edition == "2005" else "hj212-2017",
)
