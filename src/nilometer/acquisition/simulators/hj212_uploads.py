"""The uploads of a virtual HJ 212 station: real-time data, and what it makes of them by the minute, hour and day."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from nilometer.acquisition.protocols.hj212 import CODES, Message, Value, interval_us, time_text, unit_of
from nilometer.acquisition.simulators.simulator import Feed, Reading
from nilometer.errors import ConfigError
from nilometer.model.entities import SampleKind
from nilometer.model.properties import term, vocabulary
from nilometer.units import affine

__all__ = ["Uploads"]

_CODE = re.compile(r"[a-z]\d{5}|\d{3}|[A-Z]{1,2}\d{1,5}")
_BITS = {"2005": 0, "2017": 4, "2025": 8}
# A day's data are counted from 1970 in the station's wall clock, which starts at its midnight.
_KEPT = 10_000
"""Intervals of a kind that a station keeps, as its logger's memory does."""

_INTERVALS = {"minute": "2051", "hour": "2061", "day": "2031"}


@dataclass(slots=True)
class _Sums:
    """What an interval has seen of each code."""

    start: int
    values: dict[str, list[float]] = field(default_factory=dict)
    marks: dict[str, str] = field(default_factory=dict)


class Uploads:
    """Makes the messages of a station, tick by tick.

    Parameters
    ----------
    feed : Feed
        The water, by observed property or HJ 525 code; what has no code is not sent.
    zone : ZoneInfo
        The station's.
    header : mapping of str to str
        ST, PW and MN.
    edition : {"2005", "2017", "2025"}
        Version bits and codes.
    answered : bool
        Ask for answers.
    minute_min : int, optional
        MinInterval of minute data.
    hours, days : bool
        Make hour and day data.
    """

    def __init__(
        self,
        feed: Feed,
        zone: ZoneInfo,
        *,
        header: Mapping[str, str],
        edition: str,
        answered: bool,
        minute_min: int | None,
        hours: bool,
        days: bool,
    ) -> None:
        if edition not in _BITS:
            raise ConfigError("edition", seen=edition, allowed=_BITS)
        self._feed, self._zone, self._header, self._edition = feed, zone, header, edition
        self._flag = str(_BITS[edition] | answered)
        self.flag_without_answer = str(_BITS[edition])
        wanted = {"minute": minute_min is not None, "hour": hours, "day": days}
        self._minute_min = minute_min or 10
        self._made: dict[str, deque[tuple[int, list[Value]]]] = {}
        self._sums: dict[str, _Sums | None] = {name: None for name, is_wanted in wanted.items() if is_wanted}
        self._last_number = 0

    def at(self, time: int) -> Iterator[Message]:
        """Return the messages due at a tick, µs since 1970 UTC: intervals that ended, then real-time data."""
        readings = {code: reading for key, reading in self._read(time) if (code := self._code(key)) is not None}
        for name in self._sums:
            yield from self._ended(name, time)
            self._add(name, time, readings)
        if readings:
            yield self._message(
                "2011", time, time, [_current(code, item, self._zone) for code, item in readings.items()]
            )

    def history(self, command: str, first: int, last: int, time: int) -> list[Message]:
        """Return what was made of the intervals that start from `first` to `last`, as messages of their own."""
        kept = self._made.get(command, ())
        return [self._message(command, start, time, values) for start, values in kept if first <= start <= last]

    def _read(self, time: int) -> Iterator[tuple[str, Reading]]:
        for key, reading in self._feed.at(time).items():
            yield key, reading if key not in vocabulary() else _on_the_wire(key, reading)

    def _code(self, key: str) -> str | None:
        """Return the code of a feed's key, None for what HJ 212 cannot say."""
        if key in vocabulary():
            known = vocabulary()[key]
            code = known.hj525 or next(iter(known.hj525_field), None)
        else:
            code = key if _CODE.fullmatch(key) else None
        if code is None:
            return None
        row = CODES.get(code)
        return row.code_2005 if self._edition == "2005" and row is not None and row.code_2005 else code

    def _start(self, name: str, time: int) -> int:
        if name == "day":
            midnight = time_text(time, self._zone)[:8]
            sums = self._sums[name]
            if sums is not None and time_text(sums.start, self._zone)[:8] == midnight:
                return sums.start
            return time - _since_midnight(time, self._zone)
        length = interval_us(_INTERVALS[name], time, self._zone, minute_interval_min=self._minute_min)
        since = _since_midnight(time, self._zone)
        return time - since % length

    def _ended(self, name: str, time: int) -> Iterator[Message]:
        sums = self._sums[name]
        start = self._start(name, time)
        if sums is None:
            self._sums[name] = _Sums(start)
        elif start != sums.start:
            self._sums[name] = _Sums(start)
            length = interval_us(_INTERVALS[name], sums.start, self._zone, minute_interval_min=self._minute_min)
            values = [value for code, seen in sums.values.items() for value in _statistics(code, seen, sums, length)]
            if values:
                self._made.setdefault(_INTERVALS[name], deque(maxlen=_KEPT)).append((sums.start, values))
                yield self._message(_INTERVALS[name], sums.start, time, values)

    def _add(self, name: str, time: int, readings: Mapping[str, Reading]) -> None:
        sums = self._sums[name]
        for code, reading in readings.items():
            if sums is not None and not math.isnan(reading.value) and reading.sample == SampleKind.WATER:
                sums.values.setdefault(code, []).append(reading.value)
                sums.marks[code] = reading.mark or "N"

    def _message(self, command: str, data_time: int, time: int, values: list[Value]) -> Message:
        self._last_number = max(time, self._last_number + 1000)
        header = {"QN": time_text(self._last_number, self._zone, milliseconds=True), "ST": self._header["ST"]}
        header |= {"CN": command, "PW": self._header["PW"], "MN": self._header["MN"], "Flag": self._flag}
        fields = {"DataTime": time_text(data_time, self._zone)}
        return Message(header=header, fields=fields, values=tuple(values))


def _since_midnight(time: int, zone: ZoneInfo) -> int:
    text = time_text(time, zone, milliseconds=True)
    hours, minutes, seconds, milliseconds = int(text[8:10]), int(text[10:12]), int(text[12:14]), int(text[14:])
    return (((hours * 60 + minutes) * 60 + seconds) * 1000 + milliseconds) * 1000 + time % 1000


def _on_the_wire(key: str, reading: Reading) -> Reading:
    """Return a reading of the vocabulary's unit in the unit its code has on the wire."""
    item = term(key)
    if item.hj525_unit is None or item.hj525_unit == item.unit:
        return reading
    scale, offset = affine(item.unit, item.hj525_unit)
    return Reading(reading.value * scale + offset, reading.time, reading.mark, reading.sample)


def _current(code: str, reading: Reading, zone: ZoneInfo) -> Value:
    mark = reading.mark or ("N" if reading.sample == SampleKind.WATER else "C")
    return Value(
        code=code,
        statistic="Rtd",
        value=_rounded(reading.value),
        flag=mark,
        sample_time=None if reading.time is None else time_text(reading.time, zone),
    )


def _statistics(code: str, seen: list[float], sums: _Sums, length_us: int) -> Iterator[Value]:
    mean = sum(seen) / len(seen)
    numbers = {"Min": min(seen), "Avg": mean, "Max": max(seen)}
    if unit_of(code, "Rtd") == "L/s":
        # The total of a flow in L/s over the interval, m3.
        numbers = {"Cou": mean * length_us / 1e9} | numbers
    for statistic, number in numbers.items():
        yield Value(code=code, statistic=statistic, value=_rounded(number), flag=sums.marks[code])


def _rounded(value: float) -> float | None:
    return None if math.isnan(value) else float(f"{value:.6g}")
