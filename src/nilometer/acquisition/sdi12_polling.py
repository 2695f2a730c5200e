"""Measure with the sensors of one SDI-12 bus for ever, each in its own time; silence and cuts become states.

Every sensor is a task, and the bus is a lock: concurrent measurements overlap, all others follow one another. Values
are not judged and not calibrated here.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.device_states import DeviceStates
from nilometer.acquisition.driver import Channel, Clock, RawBatch, Sink, SourceState
from nilometer.acquisition.links.link import Link
from nilometer.acquisition.rows import ChannelTable, Row, raw_batch, rounded
from nilometer.acquisition.sdi12_bus import Sdi12Bus, Timing
from nilometer.acquisition.sdi12_measuring import Measured, Recorder
from nilometer.acquisition.sdi12_sensors import BusOptions, Sensor
from nilometer.acquisition.sdi12_values import meaning
from nilometer.errors import FrameError, LinkError, LinkTimeout
from nilometer.model.flags import QartodFlag

__all__ = ["Sdi12Poller"]


@dataclass(slots=True)
class _Turn:
    """Where a sensor stands; `due` is the event loop's time, s."""

    sensor: Sensor
    silence: Backoff
    due: float = 0.0
    is_set_up: bool = False
    remark: str = ""


class _SilentLineError(Exception):
    """Nothing has answered for long: the link may be dead without saying so."""


class Sdi12Poller:
    """The measuring on one bus.

    Parameters
    ----------
    sensors : sequence of Sensor
        Who is on it.
    options : BusOptions
        How it is used.
    timing : Timing
        The line's.
    clock : callable
        The present, µs since 1970 UTC: the phenomenon time of what became ready now.
    """

    def __init__(self, sensors: Sequence[Sensor], options: BusOptions, timing: Timing, clock: Clock) -> None:
        self._options, self._timing, self._clock = options, timing, clock
        self._backoff = Backoff(first_s=options.reconnect_first_s, longest_s=options.reconnect_longest_s)
        self._turns = [
            _Turn(
                sensor,
                Backoff(
                    first_s=sensor.poll_interval_s,
                    longest_s=max(options.silent_poll_s, sensor.poll_interval_s),
                    jitter=0.1,
                ),
            )
            for sensor in sensors
        ]
        self._by_address = {sensor.address: sensor.name for sensor in sensors}
        self._table = ChannelTable()
        for sensor in sensors:
            for channel in sensor.expected:
                self._table.index(channel.key, partial(_itself, channel))
        self._heard = 0.0

    async def run(self, open_link: Callable[[], Awaitable[Link]], sink: Sink) -> None:
        """Measure until cancelled, opening the link again whenever it is cut."""
        states = DeviceStates((turn.sensor.name for turn in self._turns), sink)
        states.say(SourceState.STARTING, "")
        while True:
            cut: LinkError | None = None
            try:
                link = await open_link()
            except LinkError as error:
                await self._wait_apart(states, str(error))
                continue
            try:
                await self._serve_all(link, states, sink)
            except* _SilentLineError:
                pass  # Opened anew without a word, for the state has not changed.
            except* LinkError as group:
                cut = _first_cut(group)
            finally:
                await link.close()
            if cut is not None:
                await self._wait_apart(states, str(cut))

    async def _wait_apart(self, states: DeviceStates, reason: str) -> None:
        wait_s = self._backoff.next_s()
        for turn in self._turns:
            turn.is_set_up = False
        states.cut(reason, f"{reason}; trying again in {wait_s:.1f} s")
        await asyncio.sleep(wait_s)

    async def _serve_all(self, link: Link, states: DeviceStates, sink: Sink) -> None:
        def count_bad(address: str) -> None:
            if address in self._by_address:
                states.count_bad(self._by_address[address])

        recorder = Recorder(Sdi12Bus(link, self._timing, count_bad), self._clock)
        self._heard = asyncio.get_running_loop().time()
        async with asyncio.TaskGroup() as group:
            for turn in self._turns:
                turn.due = self._heard
                turn.is_set_up = False
                group.create_task(self._serve(turn, recorder, states, sink))

    async def _serve(self, turn: _Turn, recorder: Recorder, states: DeviceStates, sink: Sink) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(max(0.0, turn.due - loop.time()))
            try:
                batch, note = await self._round(turn, recorder, states)
            except LinkTimeout as error:
                reason = str(error).split(": ", 1)[-1]
            except FrameError as error:
                reason = str(error)
            else:
                self._backoff.reset()
                turn.silence.reset()
                self._heard = loop.time()
                # Measurements that were missed, because a neighbour or the sink took long, are not made up for.
                turn.due = max(turn.due + turn.sensor.poll_interval_s, loop.time())
                states.note(turn.sensor.name, SourceState.LIVE, note)
                if len(batch):
                    await sink.emit(batch)
                continue
            turn.is_set_up = False
            turn.due = loop.time() + turn.silence.next_s()
            states.note(turn.sensor.name, SourceState.SILENT, reason)
            if states.are_all_silent and loop.time() - self._heard > self._options.reopen_s:
                raise _SilentLineError

    async def _round(self, turn: _Turn, recorder: Recorder, states: DeviceStates) -> tuple[RawBatch, str]:
        """Return what one round of a sensor's measurements gave, and what is amiss."""
        sensor = turn.sensor
        # A sensor that is silent already gets one attempt: its neighbours wait meanwhile.
        tries = 1 if states.of(sensor.name) is SourceState.SILENT else 1 + self._options.retries
        if not turn.is_set_up:
            turn.remark = await self._greet(sensor, recorder, tries)
            await recorder.set_up(sensor, tries)
            turn.is_set_up = True
        rows: list[Row] = []
        notes = [turn.remark]
        failures: list[LinkTimeout | FrameError] = []
        for name in sensor.commands:
            try:
                measured = await recorder.measure(sensor, name, tries)
            except (LinkTimeout, FrameError) as error:
                failures.append(error)
                notes.append(f"{name}: {error}")
                continue
            notes.append(measured.note)
            rows += self._rows(sensor, measured)
        if len(failures) == len(sensor.commands):
            raise failures[0]
        return raw_batch(self._table.channels, rows), "; ".join(note for note in notes if note)

    async def _greet(self, sensor: Sensor, recorder: Recorder, tries: int) -> str:
        """Ask a sensor who it is, and return what is odd about that."""
        if not self._options.identify:
            return ""
        text = await recorder.identify(sensor, tries)
        if sensor.identification and not re.match(sensor.identification, text):
            title = sensor.instrument.title if sensor.instrument is not None else "it"
            return f"it says that it is {text!r}, which is not how {title} is known to answer"
        return ""

    def _rows(self, sensor: Sensor, measured: Measured) -> list[Row]:
        rows = []
        syntax = int(QartodFlag.PASS if measured.is_checked else QartodFlag.NOT_EVALUATED)
        for position, number in enumerate(measured.values, 1):
            known = sensor.channel(measured.name, position)
            if known is None:
                continue
            key, channel, own = known
            index = self._table.index(key, partial(_itself, channel))
            said = meaning(own, number)
            rows.append(Row(index, rounded(measured.time), said.value, mark=said.mark, syntax=syntax))
        return rows


def _itself(channel: Channel) -> Channel:
    return channel


def _first_cut(group: BaseExceptionGroup[LinkError]) -> LinkError:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error if isinstance(error, LinkError) else LinkError(str(error), link="")
