"""Between an instrument's registers and its values, both ways: for a driver that reads and a simulator that serves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from nilometer.acquisition.instrument import ChannelField, Cycle, Instrument, Quality, Register, Time
from nilometer.acquisition.protocols import registers
from nilometer.acquisition.protocols.register_clock import clock_time, clock_words
from nilometer.acquisition.protocols.registers import RegisterType
from nilometer.model.entities import SampleKind

__all__ = ["CycleTimes", "Place", "Read", "RegisterImage", "RegisterMap", "Value"]

Place = tuple[int, int]
"""Function and address of one register."""

RegisterImage = dict[Place, int]
"""What stands in the registers."""


@dataclass(frozen=True, slots=True)
class Read:
    """One request of a poll: function, first address and count."""

    function: int
    address: int
    count: int

    def __contains__(self, place: object) -> bool:
        """Return whether a register is among those read."""
        match place:
            case (int(function), int(address)):
                return function == self.function and self.address <= address < self.address + self.count
        return False


class Value(NamedTuple):
    """What one channel says: NaN for no value, `mark` in the instrument's own words; `is_absent`: nothing is there."""

    channel: ChannelField
    value: float | str
    mark: str | None = None
    is_absent: bool = False


@dataclass(frozen=True, slots=True)
class CycleTimes:
    """When an analyser's cycle began and ended (µs since 1970 UTC), and what it sampled; 0 stands for no cycle yet.

    `is_done`: the values beside it are this cycle's, not those of the one before.
    """

    start: int
    completion: int | None
    sample: SampleKind | None
    is_done: bool = True


@dataclass(frozen=True, slots=True)
class _Laid:
    """Where a part stands, and what reads it: looked up once, for a poll does it for every value."""

    part: Register
    places: tuple[Place, ...]
    decode: Callable[[Sequence[int]], float | int | str]
    sentinels: tuple[tuple[float, str], ...] = ()
    is_plain: bool = False
    """A number as it stands, and nothing beside it."""


class RegisterMap:
    """The registers of one instrument.

    Parameters
    ----------
    instrument : Instrument
        Its file.
    """

    def __init__(self, instrument: Instrument) -> None:
        self.instrument = instrument
        self._laid: dict[int, _Laid] = {}
        self.polled = tuple(
            channel for channel in instrument.channel if channel.polled and channel.type is not RegisterType.STRING
        )
        self.reads = tuple(self._plan())
        self.has_cycles = any(channel.cycle is not None for channel in self.polled)

    def places(self, part: Register) -> list[Place]:
        """Return the registers that a value takes."""
        return list(self._of(part).places)

    def _of(self, part: Register) -> _Laid:
        laid = self._laid.get(id(part))
        if laid is None or laid.part is not part:
            function = self.instrument.function_of(part)
            places = tuple((function, part.address + i) for i in range(part.registers))
            said = part.sentinel.items() if isinstance(part, ChannelField) else ()
            sentinels = tuple((float(number), text) for number, text in said)
            decode = registers.decoder(part.type, self.instrument.order_of(part))
            is_plain = isinstance(part, ChannelField) and not (part.quality or sentinels or part.mask)
            is_plain = is_plain and part.type is not RegisterType.STRING
            laid = _Laid(part, places, decode, sentinels, is_plain)
            self._laid[id(part)] = laid  # It holds the part, so that nothing else gets its id.
        return laid

    def _parts(self, channels: Iterable[ChannelField]) -> Iterator[Register]:
        for channel in channels:
            yield channel
            yield from channel.quality
            if channel.cycle is not None:
                cycle = self.instrument.cycle_named(channel.cycle)
                yield cycle.start
                yield from (part for part in (cycle.completion, cycle.state, cycle.sample) if part is not None)

    def _plan(self) -> Iterator[Read]:
        blocks = [Read(self.instrument.function_of(item), item.address, item.count) for item in self.instrument.block]
        done: set[Read] = set()
        for part in self._parts(self.polled):
            places = self.places(part)
            read = next((block for block in blocks if all(place in block for place in places)), None)
            if read is None:
                read = Read(places[0][0], part.address, part.registers)
            if read not in done:
                done.add(read)
                yield read

    def values(self, image: Mapping[Place, int], channels: Sequence[ChannelField] | None = None) -> list[Value]:
        """Return the values whose registers are all in the image.

        Parameters
        ----------
        image : mapping of (function, address) to int
            Registers as read.
        channels : sequence of ChannelField, optional
            Which ones; all by default, also those that are not polled.

        Returns
        -------
        list of Value
            NaN, infinity, a sentinel and a quality that is not good leave NaN and a mark. A quality register that is
            not in the image says nothing.
        """
        chosen = self.instrument.channel if channels is None else channels
        found = []
        for channel in chosen:
            laid = self._of(channel)
            try:
                words = [image[place] for place in laid.places]
            except KeyError:
                continue
            if laid.is_plain:
                raw = cast("float", laid.decode(words))
                is_there = math.isfinite(raw)
                found.append(Value(channel, _scaled(raw, channel) if is_there else math.nan, _said(raw, is_there)))
            else:
                found.append(self._value(channel, laid, image))
        return found

    def number(self, part: Register, image: Mapping[Place, int], laid: _Laid | None = None) -> float | int | str:
        """Return what stands in the registers of a part, masked and shifted where its file asks."""
        laid = self._of(part) if laid is None else laid
        raw = laid.decode([image[place] for place in laid.places])
        if part.mask is not None and isinstance(raw, int):
            return (raw & part.mask) >> _shift(part.mask)
        return raw

    def _value(self, channel: ChannelField, laid: _Laid, image: Mapping[Place, int]) -> Value:
        raw = self.number(channel, image, laid)
        if isinstance(raw, str):
            return Value(channel, raw)
        kept, mark = True, None
        if channel.quality:
            if any(self._says(rule, image) in rule.absent for rule in channel.quality):
                return Value(channel, math.nan, is_absent=True)
            kept, mark = self._judged(channel.quality, image)
        sentinel = None
        if laid.sentinels:
            sentinel = next((text for number, text in laid.sentinels if _same(raw, number)), None)
        if not math.isfinite(raw) or sentinel is not None:
            return Value(channel, math.nan, mark or sentinel or f"{raw:g}")
        return Value(channel, _scaled(raw, channel) if kept else math.nan, mark)

    def _says(self, rule: Quality, image: Mapping[Place, int]) -> int | None:
        if not all(place in image for place in self._of(rule).places):
            return None
        return int(self.number(rule, image))

    def _judged(self, rules: Sequence[Quality], image: Mapping[Place, int]) -> tuple[bool, str | None]:
        doubt = None
        for rule in rules:
            state = self._says(rule, image)
            if state is None:
                continue
            mark = rule.marks.get(str(state), None if state in rule.good else str(state))
            if state not in rule.good and state not in rule.doubtful and rule.otherwise == "missing":
                return False, mark
            doubt = doubt or mark
        return True, doubt

    def cycle_times(self, cycle: Cycle, image: Mapping[Place, int]) -> CycleTimes | None:
        """Return the times and the sample of an analyser's cycle, None where its registers are not in the image."""
        parts = (cycle.start, cycle.completion, cycle.state, cycle.sample)
        if not all(place in image for part in parts if part is not None for place in self.places(part)):
            return None
        start = self.time(cycle.start, image)
        completion, sample, is_done = None, None, True
        if cycle.completion is not None:
            completion = self.time(cycle.completion, image)
            is_done = completion >= start
        if cycle.state is not None and int(self.number(cycle.state, image)) not in cycle.state.done:
            is_done = False
        if cycle.sample is not None:
            kind = cycle.sample.kinds.get(str(self.number(cycle.sample, image)))
            # An unknown kind must never pass for water.
            sample = SampleKind[kind.upper()] if kind is not None else SampleKind.CHECK
        return CycleTimes(start, completion, sample, is_done)

    def time(self, part: Time, image: Mapping[Place, int]) -> int:
        """Return a time that the instrument keeps as µs since 1970 UTC; 0 where its clock shows none."""
        if part.zone is None:
            return int(self.number(part, image)) * part.scale_us
        return clock_time([image[place] for place in self.places(part)], part.zone)

    def put(self, part: Register, value: float | str, image: RegisterImage, *, swapped: bool = False) -> None:
        """Write a number into the registers of a part: the inverse of `number`.

        Parameters
        ----------
        part : Register
            Where and how.
        value : float, int or str
            Raw, before scale and offset.
        image : dict
            Changed in place; with a mask the other bits stay.
        swapped : bool
            Lay the words the wrong way round, as a fault.
        """
        order = self.instrument.order_of(part)
        if swapped and part.type is not RegisterType.STRING:
            order = order.with_words_swapped if part.registers > 1 else order
        places = self.places(part)
        if part.mask is not None and not isinstance(value, str):
            before = registers.decode([image.get(place, 0) for place in places], part.type, order)
            value = (int(before) & ~part.mask) | ((int(value) << _shift(part.mask)) & part.mask)
        for place, word in zip(places, registers.encode(value, part.type, order, count=part.count), strict=True):
            image[place] = word

    def put_value(
        self,
        channel: ChannelField,
        value: float | str,
        image: RegisterImage,
        *,
        mark: str | None = None,
        swapped: bool = False,
    ) -> None:
        """Write a channel's value in its unit, with its quality: the inverse of `values`.

        NaN is written as the instrument would: a quality that is not good, a sentinel, or NaN itself.
        """
        if isinstance(value, str):
            self.put(channel, value, image)
            return
        missing = math.isnan(value)
        for rule in channel.quality:
            self.put(rule, _state(rule, mark, missing=missing), image)
        raw = (value - channel.offset) / channel.scale
        is_float = channel.type in {RegisterType.FLOAT32, RegisterType.FLOAT64}
        if missing and channel.sentinel and not (is_float and "nan" in channel.sentinel):
            raw = float(next(iter(channel.sentinel)))
        self.put(channel, raw if is_float or not math.isfinite(raw) else round(raw), image, swapped=swapped)

    def put_time(self, part: Time, time: int, image: RegisterImage) -> None:
        """Write a time as the instrument keeps it: the inverse of `time`."""
        if part.zone is None:
            self.put(part, time // part.scale_us, image)
            return
        words = clock_words(time, part.zone, is_bcd=part.unit == "bcd")
        image.update(zip(self.places(part), words, strict=True))

    def put_cycle(self, cycle: Cycle, times: CycleTimes, image: RegisterImage) -> None:
        """Write the times and the sample of an analyser's cycle: the inverse of `cycle_times`."""
        self.put_time(cycle.start, times.start, image)
        if cycle.completion is not None and times.completion is not None:
            self.put_time(cycle.completion, times.completion, image)
        if cycle.state is not None:
            other = next(number for number in range(len(cycle.state.done) + 1) if number not in cycle.state.done)
            running = other if cycle.state.running is None else cycle.state.running
            self.put(cycle.state, cycle.state.done[0] if times.is_done else running, image)
        if cycle.sample is not None and times.sample is not None:
            name = times.sample.name.lower()
            self.put(cycle.sample, int(next(n for n, kind in cycle.sample.kinds.items() if kind == name)), image)


def _said(raw: float, is_there: bool) -> str | None:  # noqa: FBT001 -- beside the number it speaks of
    return None if is_there else f"{raw:g}"


def _scaled(raw: float, channel: ChannelField) -> float:
    if channel.scale == 1.0:
        return raw + channel.offset
    parts = 1.0 / channel.scale
    if abs(parts) > 1.0 and abs(parts - round(parts)) < 1e-9 * abs(parts):
        # Hundredths of an integer: divided, 1234 gives the nearest number to 12.34; multiplied by 0.01 it may not.
        return raw / round(parts) + channel.offset
    return raw * channel.scale + channel.offset


def _shift(mask: int) -> int:
    return (mask & -mask).bit_length() - 1


def _same(raw: float, sentinel: float) -> bool:
    return (math.isnan(raw) and math.isnan(sentinel)) or raw == sentinel


def _state(rule: Quality, mark: str | None, *, missing: bool) -> int:
    named = next((int(number) for number, text in rule.marks.items() if mark is not None and text == mark), None)
    if named is not None and (named in {*rule.good, *rule.doubtful}) != missing:
        return named
    if not missing:
        return rule.good[0]
    known = [int(number) for number in rule.marks if int(number) not in {*rule.good, *rule.doubtful}]
    return known[0] if known else next(n for n in range(256) if n not in {*rule.good, *rule.doubtful})
