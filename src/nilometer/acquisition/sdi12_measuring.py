"""One measurement of one SDI-12 sensor: start, wait, fetch page by page; nothing is guessed of what did not come."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from nilometer.acquisition.driver import Clock
from nilometer.acquisition.protocols.sdi12_answer import DataAnswer, Identification, Started
from nilometer.acquisition.protocols.sdi12_command import Command, command, start_command
from nilometer.acquisition.sdi12_bus import Sdi12Bus
from nilometer.acquisition.sdi12_sensors import Sensor
from nilometer.errors import FrameError, LinkTimeout

__all__ = ["Measured", "Recorder"]

FIRST_WITH_CRC = "1.3"
MOST_PAGES = 1000
GRACE_S = 0.1
"""A service request may come at the very end of the promised time: as an answer to D0 it would say, no data."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What a measurement gave: its name, its values in their order, when they were ready (µs since 1970 UTC).

    `is_checked` says that every page bore a CRC; `note` what is amiss.
    """

    name: str
    values: tuple[float, ...]
    time: int
    is_checked: bool
    note: str = ""


class Recorder:
    """Measures with the sensors of one bus.

    Parameters
    ----------
    bus : Sdi12Bus
        The bus; held for as long as a measurement must not be interrupted, and free while concurrent ones go on.
    clock : callable
        The present, µs since 1970 UTC.
    """

    def __init__(self, bus: Sdi12Bus, clock: Clock) -> None:
        self._bus, self._clock = bus, clock

    async def identify(self, sensor: Sensor, tries: int) -> str:
        """Return what a sensor answers to aI!, learning whether it knows CRC; empty where that cannot be read.

        Raises
        ------
        LinkTimeout
            If it is silent.
        """
        async with self._bus.lock:
            try:
                said = await self._bus.ask(command(f"{sensor.address}I!"), tries=tries)
            except FrameError:
                return ""
        if not isinstance(said, Identification):
            return ""
        if sensor.crc is None and said.version and said.version < FIRST_WITH_CRC:
            sensor.crc = False
        return said.text

    async def set_up(self, sensor: Sensor, tries: int) -> None:
        """Send the configured commands; see `Sdi12Bus.ask` for what it raises."""
        for body in sensor.setup:
            async with self._bus.lock:
                await self._bus.ask(command(f"{sensor.address}{body}!"), tries=tries)

    async def measure(self, sensor: Sensor, name: str, tries: int) -> Measured:
        """Measure once.

        Parameters
        ----------
        sensor : Sensor
            Whom.
        name : str
            What: ``M``, ``C1``, ``R0``, ``V``, ``HA`` …
        tries : int
            See `Sdi12Bus.ask`.

        Raises
        ------
        LinkTimeout
            If the sensor does not answer.
        FrameError
            If its answers do not check, or do not go with what was asked.
        """
        await self._bus.lock.acquire()
        is_held = True
        try:
            self._bus.begin(sensor.address)
            asked, said = await self._start(sensor, name, tries)
            if isinstance(said, DataAnswer):
                return await self._continuous(sensor, name, said)
            if not isinstance(said, Started):
                raise FrameError(f"{name}: the answer says no measurement")
            if said.count == 0:
                return Measured(name, (), self._clock(), is_checked=True, note=f"{name}: nothing to measure")
            if asked.is_concurrent:
                self._bus.lock.release()
                is_held = False
                await asyncio.sleep(said.seconds)
                await self._bus.lock.acquire()
                is_held = True
            elif said.seconds:
                await self._bus.service_request(sensor.address, said.seconds + GRACE_S)
            time = self._clock()
            self._bus.begin(sensor.address)
            if asked.is_binary:
                return await self._binary(sensor, name, said, time, tries)
            return await self._pages(sensor, name, asked, said, time, tries)
        finally:
            if is_held:
                self._bus.lock.release()

    async def _start(self, sensor: Sensor, name: str, tries: int) -> tuple[Command, object]:
        with_crc = start_command(sensor.address, name, crc=sensor.crc is not False)
        without = start_command(sensor.address, name, crc=False)
        try:
            return with_crc, await self._bus.ask(with_crc, tries=tries)
        except LinkTimeout:
            if with_crc.wire == without.wire or sensor.crc:
                raise
        # A sensor of a standard before 1.3 knows no CRC and says nothing to MC: found out once, and remembered.
        said = await self._bus.ask(without, tries=1)
        sensor.crc = False
        return without, said

    async def _continuous(self, sensor: Sensor, name: str, said: DataAnswer) -> Measured:
        time = self._clock()
        if not await self._bus.settled(sensor.address):
            raise FrameError(f"{name}: more than one answer came")
        note = "" if said.texts else f"{name}: the sensor has no data"
        return Measured(name, said.values, time, said.is_checked, note)

    async def _pages(
        self, sensor: Sensor, name: str, asked: Command, started: Started, time: int, tries: int
    ) -> Measured:
        values: list[float] = []
        seen: set[tuple[str, ...]] = set()
        is_checked = True
        most = MOST_PAGES if started.count > 99 or asked.body[0] == "H" else 10
        for page in range(most):
            data = replace(command(f"{sensor.address}D{page}!"), has_crc=asked.has_crc)
            said = await self._bus.ask(data, tries=tries)
            if not isinstance(said, DataAnswer) or not said.texts:
                break
            if said.texts in seen and await self._bus.ask(data, tries=tries) != said:
                # The answer to an earlier page, come late or twice, stood where this one's was lost.
                raise FrameError(f"{name}: page {page} reads as an earlier one, and then otherwise")
            seen.add(said.texts)
            values += said.values
            is_checked = is_checked and said.is_checked
            if len(values) >= started.count:
                break
        return await self._whole(sensor, Measured(name, tuple(values), time, is_checked), started)

    async def _binary(self, sensor: Sensor, name: str, started: Started, time: int, tries: int) -> Measured:
        values: list[float] = []
        for page in range(MOST_PAGES):
            said = await self._bus.ask_page(command(f"{sensor.address}DB{page}!"), tries=tries)
            if not said.values:
                break
            values += said.values
            if len(values) >= started.count:
                break
        return await self._whole(sensor, Measured(name, tuple(values), time, is_checked=True), started)

    async def _whole(self, sensor: Sensor, measured: Measured, started: Started) -> Measured:
        """Return a measurement whose values stand at their places, or refuse it."""
        name, came = measured.name, len(measured.values)
        # Pages bear no number: an answer that came late or twice would shift the values of all that follow.
        if not await self._bus.settled(sensor.address):
            raise FrameError(f"{name}: more answers than commands came; their order is not known")
        if came > started.count:
            raise FrameError(f"{name}: {started.count} values promised, {came} came")
        if came == 0:
            return replace(measured, note=f"{name}: the sensor has no data")
        if came < started.count:
            return replace(measured, note=f"{name}: {started.count} values promised, {came} came")
        return measured
