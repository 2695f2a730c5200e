"""One connection of an HJ 212 station: frames in, rows out, answers back when the rows are durable."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from nilometer.acquisition.decoding import BadFrame
from nilometer.acquisition.driver import Clock, Sink, SourceReport, SourceState
from nilometer.acquisition.hj212_answers import Edition, Kind, answer, kind_of, outcome, request
from nilometer.acquisition.hj212_gaps import COMMANDS
from nilometer.acquisition.hj212_refilling import Refill, Refilling
from nilometer.acquisition.hj212_rows import MessageRows
from nilometer.acquisition.links.link import read_within
from nilometer.acquisition.links.tcp import TcpLink
from nilometer.acquisition.protocols.hj212 import Frame, FrameSplitter, Message, PacketTracker, parse_frame, time_text
from nilometer.acquisition.protocols.hj212_cipher import Cipher
from nilometer.acquisition.rows import ChannelTable, raw_batch
from nilometer.errors import FrameError, LinkError, LinkTimeout

__all__ = ["Session", "Settings"]

MOST_UNSENT = 1000
MOST_STATIONS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What all sessions of a source share; see docs/drivers/hj212.md."""

    clock: Clock
    rows: MessageRows
    table: ChannelTable
    zone: ZoneInfo
    stations: frozenset[str]
    password: str | None
    edition: Edition
    cipher: Cipher | None
    answers: str
    frame_timeout_s: float
    silent_after_s: float
    close_after_s: float
    set_time: bool
    requests: tuple[tuple[str, dict[str, str]], ...]
    refill: Refill


Seen = Callable[["Session", str, SourceState | None], None]


class Session:
    """A station's connection.

    Parameters
    ----------
    link : TcpLink
        The connection.
    settings : Settings
        The source's.
    sink : Sink
        Where rows and reports go.
    seen : callable
        ``seen(session, station, state)`` is told every change of a station's state; None: it is gone.
    """

    def __init__(self, link: TcpLink, settings: Settings, sink: Sink, seen: Seen) -> None:
        self._link, self._settings, self._sink, self._seen = link, settings, sink, seen
        self._frames = FrameSplitter(settings.cipher)
        self._packets = PacketTracker()
        self._answers: asyncio.Queue[bytes] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._heard = self._loop.time()
        self._states: dict[str, tuple[SourceState, str]] = {}
        self._asked: dict[str, str] = {}
        self._last_request = 0
        self._refilling = Refilling(
            settings.refill,
            settings.rows,
            settings.zone,
            stored=sink.newest,
            request=self._request,
            tell=lambda device, detail: self._tell(device, SourceState.LIVE, detail),
        )

    async def serve(self) -> None:
        """Serve the connection until it is cut, or silent for very long."""
        beside = [asyncio.create_task(self._write())]
        if self._settings.refill.commands:
            beside.append(asyncio.create_task(self._refilling.run()))
        try:
            await self._read()
        finally:
            for task in beside:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError, LinkError):
                    await task
            for device in self._states:
                self._sink.report(SourceReport(state=SourceState.DISCONNECTED, device=device))
                self._seen(self, device, None)

    async def _read(self) -> None:
        try:
            while True:
                settings = self._settings
                wait_s = settings.frame_timeout_s if self._frames.pending else settings.silent_after_s
                try:
                    data = await read_within(self._link, wait_s)
                except LinkTimeout:
                    if self._frames.pending:
                        # What is half here after so long will not get whole; it may lack its line end only.
                        await self._take(self._frames.close())
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
            for device in self._states:
                self._tell(device, SourceState.SILENT, f"no frame for {self._settings.silent_after_s:g} s")

    async def _write(self) -> None:
        while True:
            await self._link.write(await self._answers.get())

    async def _take(self, frames: Iterable[Frame | BadFrame]) -> None:
        for frame in frames:
            message = frame if isinstance(frame, BadFrame) else parse_frame(frame)
            if isinstance(message, BadFrame):
                self._refuse(message.error)
                continue
            self._heard = self._loop.time()
            reason = self._stranger(message)
            if reason:
                self._refuse(reason)
                continue
            try:
                await self._hear(message)
            except FrameError as error:
                self._refuse(f"MN {message.device}: {error}", message.device)

    def _stranger(self, message: Message) -> str:
        settings = self._settings
        if not message.device:
            return "MN: the frame names no station"
        if message.device not in self._states and len(self._states) >= MOST_STATIONS:
            return f"MN: more than {MOST_STATIONS} stations on one connection"
        if settings.stations and message.device not in settings.stations:
            return f"MN: {message.device!r} is not one of the configured stations"
        if settings.password is not None and message.header.get("PW", "") != settings.password:
            return f"PW: wrong password of MN {message.device}"
        return ""

    async def _hear(self, message: Message) -> None:
        self._meet(message)
        if message.tolerated:
            detail = f"off the standard: {', '.join(message.tolerated)} in CN {message.command}"
            self._tell(message.device, SourceState.LIVE, detail)
        else:
            state, detail = self._states[message.device]
            self._tell(message.device, SourceState.LIVE, detail if state is SourceState.LIVE else "")
        is_told = self._settings.rows.is_told(message.command)
        match Kind.UPLOAD if is_told else kind_of(message):
            case Kind.UPLOAD:
                await self._upload(message)
            case Kind.HEARTBEAT:
                self._answer(message, "9014")
            case Kind.NOTICE:
                self._answer(message, "9013")
                if self._settings.set_time:
                    self._request(message, "1012", {"SystemTime": self._now()})
            case Kind.RESPONSE:
                self._answered(message)
            case Kind.UNKNOWN:
                self._tell(message.device, SourceState.LIVE, f"unknown command CN {message.command}")

    def _meet(self, message: Message) -> None:
        """At first contact, tell a station its settings."""
        if message.device in self._states:
            return
        self._states[message.device] = (SourceState.STARTING, "")
        if self._settings.set_time:
            self._request(message, "1012", {"SystemTime": self._now()})
        for command, fields in self._settings.requests:
            self._request(message, command, fields)

    async def _upload(self, message: Message) -> None:
        settings = self._settings
        settings.rows.learn(message)
        rows = settings.rows.rows(message, settings.clock())
        _, given_up = self._packets.add(message)
        if given_up is not None:
            detail = f"CN {given_up.command} of {given_up.data_time}: packets {given_up.missing} never came"
            self._tell(given_up.device, SourceState.LIVE, detail)
        self._refilling.heard(message)
        if not rows:
            self._answer(message, "9014")
            return

        def acknowledge() -> None:
            # From any thread, and perhaps long after the connection is gone.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._answer, message, "9014")

        await self._sink.emit(raw_batch(settings.table.channels, rows, acknowledge=acknowledge))

    def _answer(self, message: Message, command: str) -> None:
        answers = self._settings.answers
        if self._answers.qsize() >= MOST_UNSENT:
            return  # It asks and never reads: it will have to send again.
        if answers == "always" or (answers == "asked" and message.wants_answer):
            with contextlib.suppress(ValueError):  # A header that cannot be said again cannot be answered.
                self._answers.put_nowait(answer(message, command, self._settings.edition))

    def _request(self, message: Message, command: str, fields: dict[str, str]) -> str:
        """Ask a station for something; return the QN, empty where its header cannot be said again."""
        with contextlib.suppress(ValueError):
            number, frame = request(message, command, self._settings.edition, self._number, fields)
            if len(self._asked) >= MOST_UNSENT:
                self._asked.clear()
            self._asked[number] = command
            self._answers.put_nowait(frame)
            return number
        return ""

    def _answered(self, message: Message) -> None:
        self._refilling.answered(message)
        command = self._asked.get(message.request)
        wrong = outcome(message)
        if wrong is not None or message.command == "9012":
            self._asked.pop(message.request, None)
        # A gap is asked for again; it is told when it is given up.
        if wrong is not None and command is not None and command not in COMMANDS.values():
            self._tell(message.device, SourceState.LIVE, f"request CN {command}: {wrong}")

    def _number(self) -> str:
        # A QN identifies an exchange: two in one millisecond must differ.
        self._last_request = max(self._settings.clock(), self._last_request + 1000)
        return time_text(self._last_request, self._settings.zone, milliseconds=True)

    def _now(self) -> str:
        return time_text(self._settings.clock(), self._settings.zone)

    def _refuse(self, error: str, device: str = "") -> None:
        state, _ = self._states.get(device, (SourceState.LIVE if self._states else SourceState.SILENT, ""))
        detail = f"{self._link.name}: {error}"
        self._sink.report(SourceReport(state=state, detail=detail, device=device or self._only(), bad_frames=1))

    def _only(self) -> str:
        """Return the station of this connection where there is one alone, or the connection's own name."""
        return next(iter(self._states)) if len(self._states) == 1 else self._link.name

    def _tell(self, device: str, state: SourceState, detail: str = "") -> None:
        if self._states.get(device) != (state, detail):
            self._states[device] = (state, detail)
            self._sink.report(SourceReport(state=state, detail=detail, device=device))
            self._seen(self, device, state)
