"""One connection to a broker at work: messages in, rows out, and PUBACKs back once the rows are durable."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from nilometer.acquisition.driver import Clock, Sink, SourceReport, SourceState
from nilometer.acquisition.links.mqtt import MqttLink
from nilometer.acquisition.mqtt_formats import Read, matches
from nilometer.acquisition.mqtt_rows import MessageRows
from nilometer.acquisition.protocols.mqtt import Publish
from nilometer.acquisition.protocols.telemetry import Message
from nilometer.acquisition.rows import ChannelTable, Row, raw_batch
from nilometer.errors import FrameError

__all__ = ["MqttSession", "Receipts", "SessionSettings"]

MOST_ROWS = 4000
MOST_TOPICS = 20_000
MOST_DEVICES = 2000
MOST_NOTED = 1000
MOST_NOTES = 20
Retained = Literal["timed", "keep", "skip"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionSettings:
    """What all connections of a source share; see docs/drivers/mqtt.md."""

    clock: Clock
    table: ChannelTable
    rows: MessageRows
    readers: Sequence[tuple[str, Read]]
    retained: Retained
    silent_after_s: float
    device_silent_after_s: float | None = None
    lives: dict[str, SourceState] = field(default_factory=dict)
    """What was last said of each device; outlives a connection, as what people see does."""
    heard: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Group:
    packet_ids: list[int]
    is_durable: bool = False


class Receipts:
    """The messages of one connection that are not acknowledged yet, in groups, in the order of their arrival.

    MQTT wants its PUBACKs in that order (4.6), so a group that is durable waits for those before it.

    Parameters
    ----------
    confirm : callable
        Sends the PUBACKs of packet ids.
    """

    def __init__(self, confirm: Callable[[list[int]], None]) -> None:
        self._confirm = confirm
        self._loop = asyncio.get_running_loop()
        self._groups: deque[_Group] = deque()

    def __len__(self) -> int:
        return sum(len(group.packet_ids) for group in self._groups)

    def group(self, packet_ids: list[int]) -> Callable[[], None]:
        """Note messages, and return what is to be called, from any thread, when what they said is durable."""
        group = _Group(packet_ids)
        self._groups.append(group)

        def durable() -> None:
            # Perhaps long after the connection is gone, and with it the loop.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._done, group)

        return durable

    def nothing_to_store(self, packet_ids: list[int]) -> None:
        """Note messages that leave no row: they wait for those before them only."""
        if packet_ids:
            group = _Group(packet_ids)
            self._groups.append(group)
            self._done(group)

    def _done(self, group: _Group) -> None:
        group.is_durable = True
        ready: list[int] = []
        while self._groups and self._groups[0].is_durable:
            ready += self._groups.popleft().packet_ids
        if ready:
            self._confirm(ready)


class MqttSession:
    """One connection; `serve` ends with it.

    Parameters
    ----------
    link : MqttLink
        Connected and subscribed.
    settings : SessionSettings
        The source's.
    sink : Sink
        Where rows and reports go.
    """

    def __init__(self, link: MqttLink, settings: SessionSettings, sink: Sink) -> None:
        self._link, self._settings, self._sink = link, settings, sink
        self._receipts = Receipts(link.confirm)
        self._topics: dict[str, Read | None] = {}
        self._state = SourceState.STARTING
        self._loop = asyncio.get_running_loop()
        self._lives = settings.lives
        self._heard = settings.heard
        for device in self._heard:
            self._heard[device] = self._loop.time()  # While there was no connection nobody could be heard.
        self._noted: set[str] = set()

    async def serve(self) -> None:
        """Take messages until the connection is cut.

        Raises
        ------
        LinkError
            When it is.
        """
        settings = self._settings
        self._tell(SourceState.SILENT, f"connected to {self._link.name}; no message yet")
        limit_s = settings.device_silent_after_s
        quiet_since = self._loop.time()
        while True:
            wait_s = settings.silent_after_s if limit_s is None else min(settings.silent_after_s, limit_s / 2)
            messages = await self._link.receive(wait_s)
            now = self._loop.time()
            if limit_s is not None:
                self._miss(now, limit_s)
            if not messages:
                if now - quiet_since < settings.silent_after_s:
                    continue
                self._tell(SourceState.SILENT, f"no message for {settings.silent_after_s:g} s on {self._link.name}")
                continue
            quiet_since = now
            self._tell(SourceState.LIVE)
            await self._take(messages)

    async def _take(self, messages: list[Publish]) -> None:
        arrival = self._settings.clock()
        rows: list[Row] = []
        waiting: list[int] = []
        problems: list[tuple[str, str]] = []
        bad = 0
        for publish in messages:
            message, new = self._rows(publish, arrival, problems)
            bad += message is None
            rows += new
            if publish.packet_id:
                waiting.append(publish.packet_id)
            if message is not None and (message.life or message.commands):
                await self._act(message)
            if len(rows) >= MOST_ROWS:
                await self._deliver(rows, waiting)
                rows, waiting = [], []
        if rows:
            await self._deliver(rows, waiting)
        else:
            self._receipts.nothing_to_store(waiting)
        self._note(problems, bad)

    async def _deliver(self, rows: list[Row], packet_ids: list[int]) -> None:
        durable = self._receipts.group(packet_ids)
        await self._sink.emit(raw_batch(self._settings.table.channels, rows, acknowledge=durable))

    def _rows(
        self, publish: Publish, arrival: int, problems: list[tuple[str, str]]
    ) -> tuple[Message | None, list[Row]]:
        """Return what a message says and its rows; None for one that was refused."""
        try:
            message = self._read(publish, arrival)
            if publish.retain and not self._keeps(message):
                return message, []
            rows = self._settings.rows.rows(publish, message, arrival)
        except FrameError as error:
            problems.append(("", f"{publish.topic[:200]}: {error}"))
            return None, []
        problems += [(message.device, problem) for problem in message.problems]
        if message.device:
            self._hear(message.device)
        return message, rows

    def _read(self, publish: Publish, arrival: int) -> Message:
        topic = publish.topic
        read = self._topics[topic] if topic in self._topics else self._find(topic)
        if publish.is_long:
            raise FrameError("longer than `longest_message_bytes`")
        if read is None:
            raise FrameError("no subscription of ours covers it")
        return read(topic, publish.payload, arrival)

    def _keeps(self, message: Message) -> bool:
        """Say whether a retained message is taken: an old value without a time would pass for a new one."""
        if self._settings.retained == "timed":
            return message.received is not None or all(said.time is not None for said in message.values)
        return self._settings.retained == "keep"

    def _find(self, topic: str) -> Read | None:
        if len(self._topics) >= MOST_TOPICS:
            self._topics.clear()
        found = next((read for pattern, read in self._settings.readers if matches(pattern, topic)), None)
        self._topics[topic] = found
        return found

    async def _act(self, message: Message) -> None:
        for topic, payload in message.commands:
            await self._link.publish(topic, payload)
        if message.life == "birth":
            self._turn(message.device, SourceState.LIVE)
        elif message.life == "death":
            self._turn(message.device, SourceState.DISCONNECTED, "its death certificate came")

    def _hear(self, device: str) -> None:
        if device not in self._heard and len(self._heard) >= MOST_DEVICES:
            return
        self._heard[device] = self._loop.time()
        if self._lives.get(device) is SourceState.SILENT:
            self._turn(device, SourceState.LIVE)

    def _miss(self, now: float, limit_s: float) -> None:
        for device, heard in self._heard.items():
            if now - heard >= limit_s and self._lives.get(device, SourceState.LIVE) is SourceState.LIVE:
                self._turn(device, SourceState.SILENT, f"no message for {limit_s:g} s")

    def _turn(self, device: str, state: SourceState, detail: str = "") -> None:
        if device in self._lives or len(self._lives) < MOST_DEVICES:
            self._lives[device] = state
            self._sink.report(SourceReport(state=state, detail=detail, device=device))

    def _note(self, problems: list[tuple[str, str]], bad: int) -> None:
        """Report refused messages, and each oddity when it is new, under its device."""
        if bad:
            first = next(text for device, text in problems if not device)
            self._sink.report(SourceReport(state=self._state, detail=first, bad_frames=bad))
        if len(self._noted) > MOST_NOTED:
            self._noted.clear()
        new = [(device, text) for device, text in dict.fromkeys(problems) if text not in self._noted]
        for device, text in new[:MOST_NOTES]:
            self._noted.add(text)
            if device or not bad:
                state = self._lives.get(device, self._state) if device else self._state
                known = not device or device in self._lives or len(self._lives) < MOST_DEVICES
                if known and device:
                    self._lives.setdefault(device, state)
                self._sink.report(SourceReport(state=state, detail=text, device=device if known else ""))

    def _tell(self, state: SourceState, detail: str = "") -> None:
        if state is not self._state:
            self._state = state
            self._sink.report(SourceReport(state=state, detail=detail))
