"""Poll the devices of one Modbus line for ever: start, wait, read, deliver; silence and cuts become states.

One request is on the line at a time. A device that waits for its sensor to warm up, or that does not answer, never
holds up the others for longer than one time-out. Values are not judged and not calibrated here.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.devices import Device, channels_of
from nilometer.acquisition.driver import Clock, RawBatch, Sink, SourceReport, SourceState
from nilometer.acquisition.links.link import Link
from nilometer.acquisition.modbus_master import Framing, ModbusMaster, RefusalError
from nilometer.acquisition.protocols import modbus
from nilometer.acquisition.protocols.modbus import Other, Pdu, ReadAnswer, ReadRequest
from nilometer.acquisition.register_map import CycleTimes, Read, RegisterImage, RegisterMap
from nilometer.errors import FrameError, LinkError, LinkTimeout
from nilometer.model.batch import NO_TIME
from nilometer.model.entities import SampleKind
from nilometer.model.flags import QartodFlag

__all__ = ["CLOCK_RESOLUTION_US", "Line", "Poller"]

CLOCK_RESOLUTION_US = 1000
BUSY = frozenset({5, 6})


@dataclass(slots=True)
class _Turn:
    """Where a device stands in its round; times are the event loop's, s."""

    device: Device
    due: float = 0.0
    scheduled: float = 0.0
    is_started: bool = False
    state: SourceState = SourceState.STARTING
    detail: str = ""
    silence: Backoff = field(default_factory=Backoff)
    seen_cycles: dict[str, int] = field(default_factory=dict)
    index: dict[str, int] = field(default_factory=dict)
    """Place of each channel among the source's, by key."""


@dataclass(frozen=True, slots=True)
class Line:
    """How to reach the devices: `open` gives the link or raises LinkError.

    `awaiting` is said while a peer is waited for that comes by itself.
    """

    open: Callable[[], Awaitable[Link]]
    framing: Framing
    heartbeat: bytes = b""
    gap_s: float = 0.0
    awaiting: str = ""


class Poller:
    """The polling of one line.

    Parameters
    ----------
    devices : sequence of Device
        Who is on it.
    clock : callable
        The present, µs since 1970 UTC: the phenomenon time of what the instrument does not date itself.
    silent_poll_s, reopen_s : float
        See `LineOptions`.
    backoff : Backoff
        Between attempts to open the link.
    """

    def __init__(
        self, devices: Sequence[Device], clock: Clock, *, silent_poll_s: float, reopen_s: float, backoff: Backoff
    ) -> None:
        self._clock, self._reopen_s, self._backoff = clock, reopen_s, backoff
        self._channels = channels_of(devices)
        self._turns = [
            _Turn(
                device,
                silence=Backoff(
                    first_s=device.poll_interval_s, longest_s=max(silent_poll_s, device.poll_interval_s), jitter=0.1
                ),
                index={channel.key: device.first_channel + i for i, channel in enumerate(device.map.polled)},
            )
            for device in devices
        ]
        self._summary: tuple[SourceState, str] | None = None

    async def run(self, line: Line, sink: Sink) -> None:
        """Poll until cancelled, opening the link again whenever it is cut."""
        self._tell(sink, SourceState.STARTING, "")
        while True:
            if line.awaiting:
                self._tell(sink, SourceState.DISCONNECTED, line.awaiting)
            try:
                link = await line.open()
            except LinkError as error:
                await self._wait_apart(sink, str(error))
                continue
            try:
                await self._poll(ModbusMaster(link, line.framing, heartbeat=line.heartbeat, gap_s=line.gap_s), sink)
            except LinkError as error:
                cut = str(error)
            else:
                continue  # Nothing answered for long: dialled anew without a word, for the state has not changed.
            finally:
                await link.close()
            await self._wait_apart(sink, cut)

    async def _wait_apart(self, sink: Sink, reason: str) -> None:
        wait_s = self._backoff.next_s()
        detail = f"{reason}; trying again in {wait_s:.1f} s"
        for turn in self._turns:
            turn.is_started = False
            self._note(turn, sink, SourceState.DISCONNECTED, reason)
        self._tell(sink, SourceState.DISCONNECTED, detail)
        await asyncio.sleep(wait_s)

    async def _poll(self, master: ModbusMaster, sink: Sink) -> None:
        loop = asyncio.get_running_loop()
        heard = loop.time()
        for turn in self._turns:
            turn.due = turn.scheduled = heard
            turn.is_started = False
        while True:
            turn = min(self._turns, key=lambda item: item.due)
            await asyncio.sleep(max(0.0, turn.due - loop.time()))
            if await self._take_turn(turn, master, sink):
                heard = loop.time()
            elif loop.time() - heard > self._reopen_s and self._is_all_silent():
                return

    def _is_all_silent(self) -> bool:
        return all(turn.state is SourceState.SILENT for turn in self._turns)

    async def _take_turn(self, turn: _Turn, master: ModbusMaster, sink: Sink) -> bool:
        """Start or read one device; return whether it answered."""
        loop = asyncio.get_running_loop()
        steps = turn.device.map.instrument.start
        try:
            if steps and not turn.is_started:
                for step in steps:
                    await self._ask(turn, master, Other(step.message[0], step.message[1:]), sink)
                turn.is_started = True
                turn.due = loop.time() + max(step.wait_s for step in steps)
                return True
            batch, cycles, refusal = await self._read(turn, master, sink)
        except LinkTimeout as error:
            self._fall_silent(turn, sink, str(error).removeprefix(f"{master.name}: "))
            return False
        except FrameError as error:
            self._fall_silent(turn, sink, str(error))
            return False
        self._backoff.reset()
        turn.silence.reset()
        turn.is_started = not any(step.each == "poll" for step in steps)
        now = loop.time()
        # Polls that were missed, because a neighbour or the sink took long, are not made up for.
        turn.due = turn.scheduled = max(turn.scheduled + turn.device.poll_interval_s, now)
        self._note(turn, sink, SourceState.LIVE, refusal)
        self._sum_up(sink)
        if len(batch):
            await sink.emit(batch)
        turn.seen_cycles.update(cycles)
        return True

    def _fall_silent(self, turn: _Turn, sink: Sink, reason: str) -> None:
        turn.is_started = False
        turn.due = turn.scheduled = asyncio.get_running_loop().time() + turn.silence.next_s()
        self._note(turn, sink, SourceState.SILENT, reason)
        self._sum_up(sink)

    async def _ask(self, turn: _Turn, master: ModbusMaster, request: Pdu, sink: Sink) -> Pdu:
        # A device that is silent already gets one attempt: its neighbours wait meanwhile.
        attempts = 1 if turn.state is SourceState.SILENT else 1 + turn.device.retries
        while True:
            attempts -= 1
            try:
                return await master.ask(turn.device.unit_id, request, turn.device.timeout_s)
            except RefusalError as error:
                if error.is_absent:
                    raise LinkTimeout(str(error), link=master.name) from error
                if error.code not in BUSY or attempts <= 0:
                    raise
            except FrameError as error:
                sink.report(SourceReport(state=turn.state, detail=turn.detail, device=turn.device.name, bad_frames=1))
                if attempts <= 0:
                    raise FrameError(f"bad answer: {error}", frame=error.frame) from error
            except LinkTimeout:
                if attempts <= 0:
                    raise

    async def _read(self, turn: _Turn, master: ModbusMaster, sink: Sink) -> tuple[RawBatch, dict[str, int], str]:
        image: RegisterImage = {}
        now, refusals = None, []
        for read in turn.device.map.reads:
            request = ReadRequest(read.function, read.address, read.count)
            try:
                answer = await self._ask(turn, master, request, sink)
            except RefusalError as error:
                refusals.append(f"registers {read.address} to {read.address + read.count - 1}: {error}")
                continue
            if now is None:
                now = self._clock()
            _take_in(image, read, answer)
        if now is None:
            raise FrameError("; ".join(refusals))
        batch, cycles = self._batch(turn, image, now)
        return batch, cycles, "; ".join(refusals)

    def _batch(self, turn: _Turn, image: RegisterImage, now: int) -> tuple[RawBatch, dict[str, int]]:
        registers, index = turn.device.map, turn.index
        time = (now + CLOCK_RESOLUTION_US // 2) // CLOCK_RESOLUTION_US * CLOCK_RESOLUTION_US
        if not registers.has_cycles:
            return self._instant(registers, index, image, time), {}
        rows: list[tuple[int, int, float, int, int, int, str | None]] = []
        cycles: dict[str, int] = {}
        for item in registers.values(image, registers.polled):
            if item.is_absent:
                continue
            begin, duration, completion, sample = time, 0, NO_TIME, SampleKind.WATER
            if item.channel.cycle is not None:
                times = registers.cycle_times(registers.instrument.cycle_named(item.channel.cycle), image)
                if times is None or not times.is_done or times.start in {0, turn.seen_cycles.get(item.channel.cycle)}:
                    continue
                cycles[item.channel.cycle] = times.start
                begin, duration, completion, sample = _interval(times)
            value = float(item.value)
            rows.append((index[item.channel.key], begin, value, duration, completion, int(sample), item.mark))
        columns = list(zip(*rows, strict=True)) if rows else [()] * 7
        batch = RawBatch(
            channels=self._channels,
            channel=np.array(columns[0], np.int32),
            phenomenon_time=np.array(columns[1], np.int64),
            raw_result=np.array(columns[2], np.float64),
            duration=np.array(columns[3], np.int64),
            result_time=np.array(columns[4], np.int64),
            sample=np.array(columns[5], np.int8),
            mark=list(columns[6]),
            syntax=np.full(len(rows), QartodFlag.PASS, np.uint8),  # length, and on a serial line the CRC, were verified
        )
        return batch, cycles

    def _instant(self, registers: RegisterMap, index: dict[str, int], image: RegisterImage, time: int) -> RawBatch:
        """Return what the instrument shows now, where it dates none of it: the columns of intervals are left out."""
        items = [item for item in registers.values(image, registers.polled) if not item.is_absent]
        return RawBatch(
            channels=self._channels,
            channel=np.array([index[item.channel.key] for item in items], np.int32),
            phenomenon_time=np.full(len(items), time, np.int64),
            raw_result=np.array([item.value for item in items], np.float64),
            mark=[item.mark for item in items],
            syntax=np.full(len(items), QartodFlag.PASS, np.uint8),
        )

    def _note(self, turn: _Turn, sink: Sink, state: SourceState, detail: str) -> None:
        if (turn.state, turn.detail) != (state, detail):
            turn.state, turn.detail = state, detail
            sink.report(SourceReport(state=state, detail=detail, device=turn.device.name))

    def _sum_up(self, sink: Sink) -> None:
        """Let the source be as its worst device, after each device had its word."""
        silent = [turn for turn in self._turns if turn.state is SourceState.SILENT]
        if silent:
            self._tell(sink, SourceState.SILENT, "; ".join(f"{turn.device.name}: {turn.detail}" for turn in silent))
        elif all(turn.state is SourceState.LIVE for turn in self._turns):
            refusals = (f"{turn.device.name}: {turn.detail}" for turn in self._turns if turn.detail)
            self._tell(sink, SourceState.LIVE, "; ".join(refusals))

    def _tell(self, sink: Sink, state: SourceState, detail: str) -> None:
        if self._summary != (state, detail):
            self._summary = (state, detail)
            sink.report(SourceReport(state=state, detail=detail))


def _take_in(image: RegisterImage, read: Read, answer: Pdu) -> None:
    if not isinstance(answer, ReadAnswer):
        raise FrameError("a read was answered with something else")
    words = modbus.registers_of(answer)[: read.count]
    image.update({(read.function, read.address + i): word for i, word in enumerate(words)})


def _interval(times: CycleTimes) -> tuple[int, int, int, SampleKind]:
    sample = SampleKind.WATER if times.sample is None else times.sample
    if times.completion is None:
        return times.start, 0, NO_TIME, sample
    return times.start, times.completion - times.start, times.completion, sample
