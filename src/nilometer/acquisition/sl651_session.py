"""One connection of SL 651 stations: frames in, rows out, confirmations back when the rows are durable."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from zoneinfo import ZoneInfo

from nilometer.acquisition.decoding import BadFrame
from nilometer.acquisition.driver import Clock, Sink, SourceReport, SourceState
from nilometer.acquisition.links.link import Link, read_within
from nilometer.acquisition.protocols.sl651 import Body, Frame, FrameSplitter, PacketJoiner, encode_frame, parse_message
from nilometer.acquisition.protocols.sl651_frame import ACK, EOT, ESC, ETB, NAK
from nilometer.acquisition.protocols.sl651_writing import clock_order, confirmation, present_query
from nilometer.acquisition.rows import ChannelTable, Row, raw_batch
from nilometer.acquisition.sl651_refilling import Refill, Refilling
from nilometer.acquisition.sl651_rows import ReportRows
from nilometer.errors import FrameError, LinkError, LinkTimeout

__all__ = ["Session", "Settings"]

MOST_UNSENT = 1000
MOST_STATIONS = 1000
_MOST_LACKING = 16
"""Packets that are asked for again at a time."""

REPORTS = frozenset(range(0x30, 0x37))
"""Functions by which a station reports on its own, and waits for a confirmation."""

PICTURE = 0x36
ANSWERS = frozenset({0x37, 0x38, 0x3A})
"""Functions by which a station answers a query with values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What all sessions of a source share; see docs/drivers/sl651.md."""

    clock: Clock
    rows: ReportRows
    table: ChannelTable
    zone: ZoneInfo
    stations: frozenset[str]
    centre: int | None
    password: str | None
    confirms: bool
    keep_online: bool
    frame_timeout_s: float
    packet_tries: int
    silent_after_s: float
    close_after_s: float
    set_time: bool
    asks_now: bool
    clock_tolerance_s: float
    refill: Refill


Seen = Callable[["Session", str, SourceState | None], None]


class Session:
    """A connection.

    Parameters
    ----------
    link : Link
        It.
    settings : Settings
        The source's.
    sink : Sink
        Where rows and reports go.
    seen : callable
        ``seen(session, station, state)`` is told every change of a station's state; None: it is gone.
    """

    def __init__(self, link: Link, settings: Settings, sink: Sink, seen: Seen) -> None:
        self._link, self._settings, self._sink, self._seen = link, settings, sink, seen
        self._frames = FrameSplitter()
        self._packets = PacketJoiner()
        self._unsent: asyncio.Queue[bytes] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()
        self._states: dict[str, tuple[SourceState, str]] = {}
        self._asked_again: dict[str, int] = {}
        self._refilling = Refilling(
            settings.refill,
            settings.rows,
            settings.zone,
            clock=settings.clock,
            stored=sink.newest,
            send=self._send,
            tell=lambda station, detail: self._tell(station, SourceState.LIVE, detail),
        )

    async def serve(self) -> None:
        """Serve the connection until it is cut, or silent for very long."""
        beside = [asyncio.create_task(self._write())]
        if self._settings.refill.elements:
            beside.append(asyncio.create_task(self._refilling.run()))
        try:
            await self._read()
        finally:
            for task in beside:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, LinkError):
                    await task
            for station in self._states:
                self._sink.report(SourceReport(state=SourceState.DISCONNECTED, device=station))
                self._seen(self, station, None)

    async def _read(self) -> None:
        try:
            while True:
                settings = self._settings
                is_waiting = self._frames.pending or any(self._packets.missing(name) for name in self._states)
                try:
                    wait_s = settings.frame_timeout_s if is_waiting else settings.silent_after_s
                    data = await read_within(self._link, wait_s)
                except LinkTimeout:
                    if self._frames.pending:
                        await self._take(self._frames.close())
                    self._ask_for_packets()
                    self._idle()
                    continue
                await self._take(self._frames.feed(data))
        except LinkError:
            await self._take(self._frames.close())
            raise

    def _idle(self) -> None:
        silence_s = self._loop.time() - self._heard
        if silence_s >= self._settings.close_after_s:
            raise LinkError(f"no frame for {self._settings.close_after_s:g} s", link=self._link.name)
        if silence_s >= self._settings.silent_after_s:
            for station in self._states:
                self._tell(station, SourceState.SILENT, f"no frame for {self._settings.silent_after_s:g} s")

    async def _write(self) -> None:
        while True:
            await self._link.write(await self._unsent.get())

    async def _take(self, frames: Iterable[Frame | BadFrame]) -> None:
        for frame in frames:
            if isinstance(frame, BadFrame):
                self._refuse(frame.error)
                continue
            self._heard = self._loop.time()
            reason = self._stranger(frame)
            if reason:
                self._refuse(reason)
                continue
            try:
                await self._hear(frame)
            except FrameError as error:
                self._refuse(f"station {frame.station}: {error}", frame.station)

    def _stranger(self, frame: Frame) -> str:
        settings = self._settings
        if frame.is_down:
            return "direction: a frame of a centre"
        if frame.station not in self._states and len(self._states) >= MOST_STATIONS:
            return f"station: more than {MOST_STATIONS} on one connection"
        if settings.stations and frame.station not in settings.stations:
            return f"station: {frame.station} is not one of the configured stations"
        if settings.centre is not None and frame.centre != settings.centre:
            return f"centre: station {frame.station} reports to centre {frame.centre}, this is {settings.centre}"
        if settings.password is not None and frame.password != settings.password.upper():
            return f"password: wrong one of station {frame.station}"
        return ""

    async def _hear(self, frame: Frame) -> None:
        settings = self._settings
        is_new = frame.station not in self._states
        if is_new:
            self._states[frame.station] = (SourceState.STARTING, "")
        whole, given_up = self._packets.add(frame)
        if given_up is not None:
            self._refuse(f"packet: {given_up.packet} of station {given_up.station} is not waited for", frame.station)
        if whole is None:
            self._tell(frame.station, *self._as_it_was(frame.station))
            return
        self._asked_again.pop(frame.station, None)
        body = parse_message(whole, settings.zone)
        rows = settings.rows.rows(whole, body)
        self._tell(frame.station, SourceState.LIVE, self._worth_knowing(whole, body))
        if body.problem:
            self._refuse(f"station {frame.station}: {body.problem}", frame.station)
        self._refilling.heard(whole, body)
        if is_new and settings.set_time:
            self._send(clock_order(whole, settings.clock(), settings.zone))
        if is_new and settings.asks_now:
            self._send(present_query(whole, settings.clock(), settings.zone))
        await self._deliver(whole, body, rows)

    async def _deliver(self, whole: Frame, body: Body, rows: list[Row]) -> None:
        if whole.function == PICTURE:
            return  # It is not stored: confirmed, it would be lost.
        if not rows:
            self._confirm(whole, body)
            return

        def acknowledge() -> None:
            # From any thread, and perhaps long after the connection is gone.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._confirm, whole, body)

        await self._sink.emit(raw_batch(self._settings.table.channels, rows, acknowledge=acknowledge))

    def _confirm(self, whole: Frame, body: Body) -> None:
        settings = self._settings
        # A confirmation bears the serial number of what it confirms; 0 would make it a query.
        is_answer = whole.function in ANSWERS and body.serial != 0
        if not settings.confirms or not (whole.function in REPORTS or is_answer):
            return
        end = ESC if settings.keep_online else EOT
        if whole.end == ETB and whole.packet is None:
            end = ACK  # It goes on.
        self._send(confirmation(whole, body.serial, settings.clock(), settings.zone, end))

    def _ask_for_packets(self) -> None:
        """Say which packets a station's message lacks, each in a frame of its own; give it up after so many times."""
        settings = self._settings
        for station in list(self._states):
            for packet, missing in self._packets.missing(station):
                tries = self._asked_again[station] = self._asked_again.get(station, 0) + 1
                if tries > settings.packet_tries or packet.packet is None:
                    self._packets.drop(packet)
                    self._asked_again.pop(station, None)
                    self._refuse(f"packet: {len(missing)} of {packet.packet} never came", station)
                    continue
                serial = _serial(packet)
                # Without the first packet its serial number is not known, and one of 0 would make it a query.
                for number in missing[:_MOST_LACKING] if serial else ():
                    lacking = replace(packet, packet=(number, packet.packet[1]))
                    self._send(confirmation(lacking, serial, settings.clock(), settings.zone, NAK))

    def _worth_knowing(self, frame: Frame, body: Body) -> str:
        if frame.function == PICTURE:
            return "it sends pictures (36H), which are not stored and not confirmed"
        off_s = (body.sent - self._settings.clock()) / 1e6
        if abs(off_s) > self._settings.clock_tolerance_s:
            return (
                f"its clock is {abs(off_s):.0f} s {'ahead' if off_s > 0 else 'behind'} (function {frame.function:02X}H)"
            )
        return ""

    def _as_it_was(self, station: str) -> tuple[SourceState, str]:
        state, detail = self._states[station]
        return SourceState.LIVE, detail if state is SourceState.LIVE else ""

    def _send(self, frame: Frame) -> None:
        if self._unsent.qsize() < MOST_UNSENT:  # Beyond, it reports and never reads: it will have to report again.
            self._unsent.put_nowait(encode_frame(frame))

    def _refuse(self, error: str, station: str = "") -> None:
        state, _ = self._states.get(station, (SourceState.LIVE if self._states else SourceState.SILENT, ""))
        device = station or (next(iter(self._states)) if len(self._states) == 1 else self._link.name)
        detail = f"{self._link.name}: {error}"
        self._sink.report(SourceReport(state=state, detail=detail, device=device, bad_frames=1))

    def _tell(self, station: str, state: SourceState, detail: str = "") -> None:
        if self._states.get(station) != (state, detail):
            self._states[station] = (state, detail)
            self._sink.report(SourceReport(state=state, detail=detail, device=station))
            self._seen(self, station, state)


def _serial(packet: Frame) -> int:
    """Return the serial number that the first packet of a message bears, 0 for another packet."""
    if packet.packet is None or packet.packet[0] != 1:
        return 0
    if packet.is_text:
        text = packet.body[:4].decode("latin-1")
        return int(text, 16) if len(text) == 4 and all(letter in "0123456789ABCDEFabcdef" for letter in text) else 0
    return int.from_bytes(packet.body[:2], "big")
