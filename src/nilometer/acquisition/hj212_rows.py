"""Messages of HJ 212 to rows: channels, times, intervals, marks, samples; does no I/O.

A channel's key is ``w01018-Rtd``, with ``.minute``, ``.hour``, ``.day`` or ``.cycle`` behind it where the value stands
for an interval, and ``MN/`` in front unless one station alone is configured. Only current values and means carry the
observed property: a minimum, a maximum and a total of it are other quantities.

A value with a SampleTime is of an analyser's cycle: it stands for the time from the sample to the result, and its
result time is the latter. Real-time data repeat it until the next cycle is done; the store knows it by its start.

What is not of the water: a value marked C (calibrating) and the reading of a standard check (CN 2062) are of kind
CHECK, for the wire does not say whether zero or span gas, or which standard, was at the probe.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from nilometer.acquisition.driver import Channel
from nilometer.acquisition.hj212_gaps import COMMANDS
from nilometer.acquisition.protocols.hj212 import (
    INTERVALS,
    Message,
    Value,
    interval_us,
    of_2017,
    station_time,
    unit_of,
)
from nilometer.acquisition.rows import ChannelTable, Row, rounded
from nilometer.errors import FrameError, UnitError
from nilometer.model.batch import NO_TIME
from nilometer.model.entities import SampleKind
from nilometer.model.properties import by_hj525
from nilometer.units import canonical

__all__ = ["CALIBRATING", "Meaning", "MessageRows"]

MOST_STATIONS = 10_000
CALIBRATING = "C"
ABOVE = "T"
STANDARD_CHECK = "2062"
_CURRENT = frozenset({"Rtd", "Avg", "SampleRd"})
_MEASURED = _CURRENT | {"Min", "Max"}
# Parts that describe the value beside them.
_DETAILS = frozenset({"StandardValue", "ResultType", "CompleteTime", "SampleType"})


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a command means by configuration, where the editions read here give it none, or another.

    Parameters
    ----------
    interval : str
        ``moment``, ``minute``, ``hour``, ``day`` or ``cycle``: what its values stand for.
    sample : str
        Name of a `SampleKind`: what was measured.
    measured : tuple of str
        Statistics beside Rtd and Avg that are the code's own quantity, such as ``Check``.
    details : tuple of str
        Statistics that only describe the value beside them.
    """

    interval: str = "moment"
    sample: str = "water"
    measured: tuple[str, ...] = ()
    details: tuple[str, ...] = ()


_COMMAND_OF: Mapping[str, str] = {**COMMANDS, "cycle": "2013", "moment": ""}
"""A command of the editions read here that stands for such an interval."""


class MessageRows:
    """Turns uploads into rows on the source's channels.

    Parameters
    ----------
    table : ChannelTable
        The channels.
    zone : ZoneInfo
        The stations' time zone: the wire carries none.
    minute_interval_min : int
        MinInterval of stations that never said theirs, min.
    several : bool
        Put ``MN/`` before the keys.
    commands : mapping of str to Meaning, optional
        What commands mean by configuration.
    analysis_min : mapping of str to int, optional
        How long an analysis takes by code, min, of stations that never said theirs.
    """

    def __init__(
        self,
        table: ChannelTable,
        zone: ZoneInfo,
        *,
        minute_interval_min: int,
        several: bool,
        analysis_min: Mapping[str, int] | None = None,
        commands: Mapping[str, Meaning] | None = None,
    ) -> None:
        self._table, self._zone, self._several = table, zone, several
        self._meanings = dict(commands or {})
        self._analysis_min = dict(analysis_min or {})
        self._analysis_of: dict[tuple[str, str], int] = {}
        self._minute_min = minute_interval_min
        self._minute_of: dict[str, int] = {}

    def newest(self, device: str, stored: Callable[[str], Mapping[str, int]]) -> dict[str, int]:
        """Return the newest interval of a station that is stored, by command.

        Parameters
        ----------
        device : str
            MN.
        stored : callable
            Gives the newest time of each channel whose key begins with a text, µs since 1970 UTC.
        """
        found: dict[str, int] = {}
        for key, time in stored(self._prefix(device)).items():
            command = COMMANDS.get(key.rpartition(".")[2])
            if command is not None:
                found[command] = max(found.get(command, time), time)
        return found

    def step(self, device: str, command: str, start: int) -> int:
        """Return how long the interval of a station's command is that starts at a time, µs."""
        minutes = self._minute_of.get(device, self._minute_min)
        told = self._meanings.get(command)
        command = command if told is None else _COMMAND_OF[told.interval]
        return interval_us(command, start, self._zone, minute_interval_min=minutes)

    def is_told(self, command: str) -> bool:
        """Say whether the configuration gives a command its meaning: it is an upload then."""
        return command in self._meanings

    def learn(self, message: Message) -> None:
        """Take a station's own MinInterval (CN 1063), and how long an analysis of it takes (Stime of CN 3018)."""
        code, text = message.fields.get("PolId", ""), message.fields.get("Stime", "")
        is_sane = code != "" and text.isdecimal() and len(text) <= 3 and 1 <= int(text) <= 120
        if is_sane and len(self._analysis_of) < MOST_STATIONS:
            self._analysis_of[message.device, code] = int(text)
        text = message.fields.get("MinInterval", "")
        if text.isdecimal() and len(text) <= 2 and 1 <= int(text) <= 60 and len(self._minute_of) < MOST_STATIONS:
            self._minute_of[message.device] = int(text)

    def rows(self, message: Message, arrival: int) -> list[Row]:
        """Return the rows of an upload.

        Parameters
        ----------
        message : Message
            The upload.
        arrival : int
            µs since 1970 UTC; the time of a message that has neither DataTime nor QN.

        Raises
        ------
        FrameError
            If its DataTime is no time: a value at a wrong time is worse than none.
        """
        time = self._time(message, arrival)
        duration = self.step(message.device, message.command, time)
        told = self._meanings.get(message.command)
        names = _DETAILS if told is None else _DETAILS | set(told.details)
        measured = _MEASURED if told is None else _MEASURED | set(told.measured)
        details = _details(message, names)
        return [
            self._row(message, value, time, duration, details)
            for value in message.values
            if _is_row(value, message, names, measured)
        ]

    def _prefix(self, device: str) -> str:
        return f"{device}/" if self._several else ""

    def _time(self, message: Message, arrival: int) -> int:
        text = message.fields.get("DataTime", "")
        if text:
            return station_time(text, self._zone)
        try:
            return station_time(message.request, self._zone)
        except FrameError:
            return rounded(arrival)

    def _row(
        self, message: Message, value: Value, time: int, duration: int, details: dict[str, dict[str, object]]
    ) -> Row:
        index = self._index(message, value)
        number = value.value if isinstance(value.value, float) else float("nan")
        extra = dict(details.get(value.code, {}))
        if isinstance(value.value, str):
            extra["text"] = value.value
        if value.eflag:
            extra["EFlag"] = value.eflag
        completion = NO_TIME
        if value.sample_time:
            sampled = self._sampled(message, value)
            if sampled is None:
                extra["SampleTime"] = value.sample_time
            else:
                time = sampled
                completion = self._completed(message, value, sampled, extra)
                duration = 0 if completion == NO_TIME else completion - sampled
        told = self._meanings.get(message.command)
        sample = SampleKind.WATER if told is None else SampleKind[told.sample.upper()]
        if sample is SampleKind.WATER and (value.flag == CALIBRATING or message.command == STANDARD_CHECK):
            sample = SampleKind.CHECK
        return Row(
            index,
            time,
            number,
            duration=duration,
            result_time=completion,
            censored=1 if value.flag == ABOVE else 0,
            sample=sample,
            mark=value.flag,
            extra=json.dumps(extra, ensure_ascii=False, sort_keys=True) if extra else None,
        )

    def _sampled(self, message: Message, value: Value) -> int | None:
        """Return when the sample of an analyser was taken: the water it speaks of is that old.

        A mean of minutes, hours or days is not a cycle's; an analyser's own value (Rtd) is one also among those.
        """
        interval = self._interval(message.command) or "cycle"
        if interval != "cycle" and value.statistic != "Rtd":
            return None
        try:
            return station_time(value.sample_time or "", self._zone)
        except FrameError:
            return None

    def _completed(self, message: Message, value: Value, sampled: int, extra: dict[str, object]) -> int:
        """Return when the result existed: as the wire says (CompleteTime), or as long after as an analysis takes."""
        told = extra.get("CompleteTime")
        if isinstance(told, str):
            with contextlib.suppress(FrameError):
                completion = station_time(told, self._zone)
                if completion >= sampled:
                    del extra["CompleteTime"]
                    return completion
        minutes = self._analysis_of.get((message.device, value.code), self._analysis_min.get(value.code))
        return NO_TIME if minutes is None else sampled + minutes * 60_000_000

    def _index(self, message: Message, value: Value) -> int:
        interval = self._interval(message.command)
        told = self._meanings.get(message.command)
        measured = () if told is None else told.measured
        key = f"{self._prefix(message.device)}{value.code}-{value.statistic}" + (f".{interval}" if interval else "")
        if key not in self._table and self._table.is_full:
            raise FrameError(f"channels: {key!r} is one too many")
        return self._table.index(key, lambda: _channel(key, value, measured))

    def _interval(self, command: str) -> str | None:
        told = self._meanings.get(command)
        if told is None:
            return INTERVALS.get(command)
        return None if told.interval == "moment" else told.interval


def _is_row(value: Value, message: Message, details: Set[str], measured: Set[str]) -> bool:
    if value.statistic not in details:
        return True
    return not any(other.code == value.code and other.statistic in measured for other in message.values)


def _details(message: Message, names: Set[str]) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = {}
    for value in message.values:
        if value.statistic in names:
            found.setdefault(value.code, {})[value.statistic] = value.value
    return found


def _channel(key: str, value: Value, measured: Sequence[str] = ()) -> Channel:
    is_own = value.statistic in measured
    term = by_hj525(value.code) if is_own or value.statistic in _MEASURED else None
    unit = _canonical(unit_of(value.code, "Rtd" if is_own else value.statistic))
    if unit is None and term is not None:
        unit = term.hj525_unit
    observed = term.key if term is not None and (is_own or value.statistic in _CURRENT) else None
    name = next(_names(value), f"{value.code} {value.statistic}")
    return Channel(key, observed, unit, name)


def _names(value: Value) -> Iterator[str]:
    term = by_hj525(of_2017(value.code))
    if term is not None:
        yield f"{term.name_en} {value.statistic}"


def _canonical(unit: str | None) -> str | None:
    try:
        return None if unit is None else canonical(unit)
    except UnitError:
        return None
