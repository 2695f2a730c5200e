"""NMEA 0183 from a sounder, a weather station, a logger or a multiplexer: TCP both ways round, UDP, serial.

Listens only: an NMEA talker is never answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.decoding import BadFrame
from nilometer.acquisition.driver import Clock, DriverInfo, DriverOptions, Sink, SourceReport, SourceState
from nilometer.acquisition.links.link import Link, read_within
from nilometer.acquisition.links.serial import Parity, open_port
from nilometer.acquisition.links.tcp import TcpLink, connect, listen
from nilometer.acquisition.links.udp import bind
from nilometer.acquisition.nmea0183_channels import PROPERTIES, Transducer
from nilometer.acquisition.nmea0183_rows import SentenceRows
from nilometer.acquisition.protocols.nmea0183 import LineSplitter, Sentence, content
from nilometer.acquisition.rows import CLOCK_RESOLUTION_US, ChannelTable
from nilometer.errors import FrameError, LinkError, LinkTimeout
from nilometer.model.properties import vocabulary

__all__ = ["DRIVER", "Nmea0183", "Nmea0183Options", "TransducerOptions"]

Seconds = Annotated[float, Field(gt=0)]


class TransducerOptions(BaseModel):
    """What an XDR transducer measures: a vocabulary key; the unit where the sentence's own letter is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    property: str
    unit: str | None = None


class Nmea0183Options(DriverOptions):
    """Settings of an NMEA 0183 source; docs/drivers/nmea0183.md explains each."""

    link: Literal["tcp", "tcp_server", "udp", "serial"] = "tcp"
    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] | None = None
    path: str | None = None
    baud: Annotated[int, Field(ge=300)] = 4800
    data_bits: Literal[7, 8] = 8
    parity: Parity = "N"
    stop_bits: float = 1
    connect_timeout_s: Seconds = 5.0
    require_checksum: bool = True
    time: Literal["stream", "arrival"] = "stream"
    clock_wait_s: Annotated[float, Field(ge=0)] = 5.0
    by_talker: bool = False
    moving: bool = False
    position_age_s: Seconds = 30.0
    sentences: tuple[str, ...] = ()
    xdr: dict[str, TransducerOptions] = Field(default_factory=dict)
    silent_after_s: Seconds = 30.0
    reopen_s: Seconds = 300.0
    reconnect_first_s: Seconds = 0.5
    reconnect_longest_s: Seconds = 30.0

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.link == "serial" and not self.path:
            raise ValueError("`path` names the serial port")
        if self.link != "serial" and self.port is None:
            raise ValueError(f"`port` is needed for link = {self.link!r}")
        for key, item in self.xdr.items():
            if item.property not in vocabulary():
                raise ValueError(f"xdr.{key}.property = {item.property!r} is not in the vocabulary")
        return self

    def listening(self) -> Sequence[tuple[Literal["tcp", "udp"], str, int]]:
        """Return the port where talkers come in, if it is ours."""
        kind: Literal["tcp", "udp"] = "udp" if self.link == "udp" else "tcp"
        return ((kind, self.host, self.port or 0),) if self.link in {"tcp_server", "udp"} else ()


class Nmea0183:
    """One source of sentences; meets `Driver`."""

    def __init__(self, options: Nmea0183Options, clock: Clock) -> None:
        self.options, self.clock = options, clock
        self._table = ChannelTable()
        self._told: dict[str, tuple[SourceState, str]] = {}

    async def run(self, sink: Sink) -> None:
        """Listen until cancelled."""
        self.tell(sink, SourceState.STARTING)
        backoff = Backoff(self.options.reconnect_first_s, self.options.reconnect_longest_s)
        while True:
            try:
                await self._session(sink, backoff)
            except LinkError as error:
                wait_s = backoff.next_s()
                self.tell(sink, SourceState.DISCONNECTED, f"{error}; trying again in {wait_s:.1f} s")
                await asyncio.sleep(wait_s)

    async def _session(self, sink: Sink, backoff: Backoff) -> None:
        match self.options.link:
            case "tcp_server":
                await self._listen(sink)
            case "udp":
                await self._datagrams(sink)
            case _:
                link = await self._open()
                try:
                    await _Stream(self, sink, backoff=backoff).serve(link)
                finally:
                    await link.close()

    async def _open(self) -> Link:
        options = self.options
        if options.link == "serial":
            return await open_port(
                options.path or "",
                baud=options.baud,
                data_bits=options.data_bits,
                parity=options.parity,
                stop_bits=options.stop_bits,
            )
        return await connect(options.host, options.port or 0, timeout_s=options.connect_timeout_s)

    async def _listen(self, sink: Sink) -> None:
        async def serve(link: TcpLink) -> None:
            self.tell(sink, SourceState.SILENT, "connected", link.name)
            try:
                await _Stream(self, sink, device=link.name).serve(link)
            finally:
                self._told.pop(link.name, None)
                sink.report(SourceReport(state=SourceState.DISCONNECTED, device=link.name))

        listener = await listen(self.options.host, self.options.port or 0, serve, most_connections=64)
        self.tell(sink, SourceState.DISCONNECTED, f"waiting for a talker on {listener.name}")
        try:
            await asyncio.Event().wait()
        finally:
            await listener.close()

    async def _datagrams(self, sink: Sink) -> None:
        socket = await bind(self.options.host, self.options.port or 0)
        self.tell(sink, SourceState.SILENT, f"waiting for datagrams on {socket.name}")
        stream = _Stream(self, sink)
        try:
            while True:
                try:
                    async with asyncio.timeout(stream.patience_s()):
                        data, _ = await socket.receive()
                except TimeoutError:
                    await stream.idle(socket.name)
                    continue
                # A datagram holds whole sentences: its end is an end of line.
                lines = LineSplitter(require_checksum=self.options.require_checksum)
                await stream.take([*lines.feed(data), *lines.close(whole=True)])
        finally:
            await socket.close()

    def rows(self) -> SentenceRows:
        """Return fresh rows for one stream, on the source's channels."""
        options = self.options
        return SentenceRows(
            self._table,
            time=options.time,
            clock_wait_us=int(options.clock_wait_s * 1e6),
            position_age_us=int(options.position_age_s * 1e6) if options.moving else None,
            by_talker=options.by_talker,
            transducers=_transducers(options.xdr),
            sentences=frozenset(options.sentences),
        )

    def tell(self, sink: Sink, state: SourceState, detail: str = "", device: str = "") -> None:
        """Report a state, of the source or of one talker that dialled in, unless it was the last word."""
        if self._told.get(device) != (state, detail):
            self._told[device] = (state, detail)
            sink.report(SourceReport(state=state, detail=detail, device=device))


class _Stream:
    """One stream of sentences on its way to the sink."""

    def __init__(self, driver: Nmea0183, sink: Sink, *, device: str = "", backoff: Backoff | None = None) -> None:
        self._driver, self._sink, self._device, self._backoff = driver, sink, device, backoff
        self._options, self._clock = driver.options, driver.clock
        self._rows = driver.rows()
        self._is_live = False
        self._heard = asyncio.get_running_loop().time()

    def patience_s(self) -> float:
        """Return how long to wait for bytes before `idle` has something to do."""
        return min(self._options.silent_after_s, 0.2) if self._rows.is_waiting else self._options.silent_after_s

    async def serve(self, link: Link) -> None:
        """Read a link until it is cut."""
        lines = LineSplitter(require_checksum=self._options.require_checksum)
        try:
            while True:
                try:
                    data = await read_within(link, self.patience_s())
                except LinkTimeout:
                    await self.idle(link.name)
                    continue
                await self.take(lines.feed(data))
        except LinkError:
            await self.take(lines.close())
            raise

    async def take(self, lines: Iterable[Sentence | BadFrame]) -> None:
        """Take sentences and deliver what they say."""
        arrival = self._clock()
        bad: list[str] = []
        good = False
        for line in lines:
            if isinstance(line, BadFrame):
                bad.append(line.error)
                continue
            try:
                said = content(line)
            except FrameError as error:
                bad.append(str(error))
                continue
            good = True
            if said is not None:
                bad += said.broken
                self._rows.take(line, said, arrival)
        self._note(bad, good=good)
        await self._deliver()

    async def idle(self, name: str) -> None:
        """Nothing came for a while: deliver what waited, and say so when it was long."""
        await self._deliver()
        silence_s = asyncio.get_running_loop().time() - self._heard
        if silence_s >= self._options.silent_after_s:
            self._tell(SourceState.SILENT, f"no sentence for {self._options.silent_after_s:g} s on {name}")
        if self._backoff is not None and silence_s >= self._options.reopen_s:
            # A gateway that lost its power says no goodbye: dial anew.
            raise LinkError(f"no sentence for {self._options.reopen_s:g} s", link=name)

    async def _deliver(self) -> None:
        batch = self._rows.flush(self._clock())
        if batch is not None:
            await self._sink.emit(batch)

    def _note(self, bad: list[str], *, good: bool) -> None:
        if good:
            self._heard = asyncio.get_running_loop().time()
            if self._backoff is not None:
                self._backoff.reset()
            self._tell(SourceState.LIVE)
        if bad:
            state = SourceState.LIVE if self._is_live else SourceState.SILENT
            self._sink.report(SourceReport(state=state, detail=bad[0], device=self._device, bad_frames=len(bad)))

    def _tell(self, state: SourceState, detail: str = "") -> None:
        self._is_live = state is SourceState.LIVE
        self._driver.tell(self._sink, state, detail, self._device)
        if self._device and state is SourceState.LIVE:
            self._driver.tell(self._sink, state)


def _transducers(options: Mapping[str, TransducerOptions]) -> dict[str, Transducer]:
    return {key: Transducer(item.property, item.unit) for key, item in options.items()}


DRIVER = DriverInfo(
    name="nmea0183",
    title="NMEA 0183",
    protocol="nmea0183",
    options=Nmea0183Options,
    make=Nmea0183,
    makers=("Airmar", "Nortek", "Vaisala", "and whoever speaks IEC 61162-1"),
    observed_properties={key: vocabulary()[key].unit for key in sorted(set(PROPERTIES.values()))},
    manual="IEC 61162-1, NMEA 0183",
    revision="2016, 4.11",
    maintainer="The nilometer developers",
    maturity="usable",
    simulator="nmea0183",
    clock_resolution_us=CLOCK_RESOLUTION_US,
    mark_scheme=lambda _options: "nmea0183",
)
