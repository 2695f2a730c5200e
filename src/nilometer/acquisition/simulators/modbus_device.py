"""A virtual Modbus device: the registers of an instrument file, filled from a feed whenever they are read."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from nilometer.acquisition.driver import Clock
from nilometer.acquisition.instrument import Cycle, Instrument, Step
from nilometer.acquisition.protocols.registers import RegisterType
from nilometer.acquisition.register_map import CycleTimes, Place, RegisterImage, RegisterMap
from nilometer.acquisition.simulators.feed import reading_of
from nilometer.acquisition.simulators.simulator import Feed, Reading
from nilometer.model.entities import SampleKind

__all__ = ["IllegalAddressError", "VirtualDevice"]

TICK_S = 0.001
"""What uvloop's clock counts in; sums of its ticks are off in their last digit, so a moment is met to half a tick."""


class IllegalAddressError(LookupError):
    """The device has no such registers, or not in this cut."""


@dataclass(slots=True)
class _Finished:
    """What an analyser shows until its next cycle is done."""

    times: CycleTimes
    reading: Reading


@dataclass(slots=True)
class VirtualDevice:
    """One instrument on a line.

    Parameters
    ----------
    instrument : Instrument
        Its file.
    feed : Feed
        Its water, by channel key, or by observed property in the vocabulary's unit.
    clock : callable
        The present, µs since 1970 UTC.
    wall : callable
        Seconds that pass as they do for the sensor, which warms up no faster in a demo.
    """

    instrument: Instrument
    feed: Feed
    clock: Clock
    wall: Callable[[], float]
    _map: RegisterMap = field(init=False)
    _image: RegisterImage = field(default_factory=dict)
    _written: dict[int, int] = field(default_factory=dict)
    _started: float | None = None
    _finished: dict[str, _Finished] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._map = RegisterMap(self.instrument)
        for block in self.instrument.block:
            function = self.instrument.function_of(block)
            self._image.update({(function, block.address + i): 0 for i in range(block.count)})
        for channel in self.instrument.channel:
            text = channel.type is RegisterType.STRING
            self._map.put_value(channel, f"SIM-{self.instrument.name}" if text else 0.0, self._image)

    def restart(self) -> None:
        """Lose what a power cut loses: the running measurement."""
        self._started = None

    def read(self, function: int, address: int, count: int, *, swapped: bool = False) -> list[int]:
        """Return registers as they stand now.

        Parameters
        ----------
        function, address, count : int
            As asked.
        swapped : bool
            Lay values of several registers the wrong way round.

        Raises
        ------
        IllegalAddressError
            If the device has none of these, or refuses a part of a block that is read whole.
        """
        if self._starts(function, address):
            return [0] * count
        if function in {5, 6}:
            return [self._written.get(address + i, 0) for i in range(count)]
        places: list[Place] = [(function, address + i) for i in range(count)]
        if not places or not all(place in self._image for place in places):
            raise IllegalAddressError(f"no registers {address} to {address + count - 1}")
        for block in self.instrument.block:
            touched = any(block.address <= place[1] < block.address + block.count for place in places)
            if block.exact and touched and (address, count) != (block.address, block.count):
                raise IllegalAddressError(f"registers {block.address} are read {block.count} at a time")
        self._refresh(swapped=swapped)
        return [self._image[place] for place in places]

    def write(self, function: int, address: int, values: Sequence[int]) -> None:
        """Take a write: a start of measurement, or nothing that changes the water.

        Raises
        ------
        IllegalAddressError
            If nothing can be written there.
        """
        if not self._starts(function, address):
            raise IllegalAddressError(f"nothing can be written to {address}")
        self._written.update({address + i: value for i, value in enumerate(values)})

    def _starts(self, function: int, address: int) -> bool:
        steps = [step for step in self.instrument.start if _target(step) == (function, address)]
        if steps:
            self._started = self.wall() + max(step.wait_s for step in self.instrument.start)
        return bool(steps)

    def _refresh(self, *, swapped: bool) -> None:
        # Before the first measurement is done a register holds zero, as the logs of real sensors show.
        is_ready = not self.instrument.start or (self._started is not None and self.wall() > self._started - TICK_S / 2)
        readings = self.feed.at(self.clock()) if is_ready else None
        for channel in self.instrument.channel:
            if channel.type is RegisterType.STRING or channel.cycle is not None:
                continue
            reading = Reading(0.0) if readings is None else reading_of(channel, readings)
            self._map.put_value(channel, reading.value, self._image, mark=reading.mark, swapped=swapped)
        if readings is not None:
            for cycle in self.instrument.cycle:
                self._run_cycle(cycle, readings, swapped=swapped)

    def _run_cycle(self, cycle: Cycle, readings: Mapping[str, Reading], *, swapped: bool) -> None:
        now = self.clock()
        for channel in self.instrument.channel:
            if channel.cycle != cycle.name:
                continue
            reading = reading_of(channel, readings)
            period = int(cycle.period_s * 1e6)
            start = now // period * period if reading.time is None else reading.time
            completion = start + int(cycle.nominal_s * 1e6)
            if completion <= now and not (math.isnan(reading.value) and reading.time is None):
                shown = self._finished.get(channel.key)
                if shown is None or shown.times.start != start:
                    times = CycleTimes(start, completion, SampleKind(reading.sample))
                    self._finished[channel.key] = _Finished(times, reading)
            shown = self._finished.get(channel.key)
            if shown is not None:
                self._map.put_cycle(cycle, shown.times, self._image)
                if cycle.state is not None and cycle.state.running is not None and shown.times.start < start <= now:
                    # It has taken the next sample: what stands beside its time is the result of the one before.
                    self._map.put_cycle(cycle, CycleTimes(start, None, None, is_done=False), self._image)
                value, mark = shown.reading.value, shown.reading.mark
                self._map.put_value(channel, value, self._image, mark=mark, swapped=swapped)


def _target(step: Step) -> tuple[int, int]:
    message = step.message
    return message[0], int.from_bytes(message[1:3])
