"""``nilometer simulate``: one virtual instrument, fed from a file, until interrupted."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nilometer.acquisition.formats.reading import read
from nilometer.acquisition.formats.recording import Recording
from nilometer.acquisition.instrument import instruments, named
from nilometer.acquisition.simulators import simulators
from nilometer.acquisition.simulators.feed import TableFeed
from nilometer.acquisition.simulators.simulator import Fault, Simulator, WireFault
from nilometer.errors import ConfigError

__all__ = ["feed_of", "parse_fault", "run_simulator"]

_OF_INSTRUMENTS = ("modbus", "sdi12")  # they need an instrument's file to be one
VALUE_FAULTS = ("stuck", "spike", "drift")
_FAULT = re.compile(
    r"(?P<kind>\w+)(?::(?P<channel>[^@]+))?@(?P<start>[\d.]+)\+(?P<duration>[\d.]+)(?:=(?P<amount>-?[\d.]+))?"
)


def parse_fault(text: str) -> Fault:
    """Return the fault that ``KIND[:CHANNEL]@START+DURATION[=AMOUNT]`` describes, times in s.

    Raises
    ------
    ConfigError
        If the text is not of that form, or the kind is unknown.

    Examples
    --------
    >>> parse_fault("spike:ph@30+5=3")
    Fault(kind='spike', start_s=30.0, duration_s=5.0, amount=3.0, channel='ph')
    """
    found = _FAULT.fullmatch(text)
    if found is None:
        form = "KIND[:CHANNEL]@START+DURATION[=AMOUNT], such as spike:ph@30+5=3"
        raise ConfigError("--fault", seen=text, allowed=form)
    kinds = [*VALUE_FAULTS, *(str(kind) for kind in WireFault)]
    if found["kind"] not in kinds:
        raise ConfigError("--fault", seen=found["kind"], allowed=kinds)
    try:
        start_s, duration_s, amount = (float(found[name] or 0) for name in ("start", "duration", "amount"))
    except ValueError:
        raise ConfigError("--fault", seen=text, reason="START, DURATION and AMOUNT are numbers") from None
    return Fault(found["kind"], start_s, duration_s, amount, found["channel"])


def feed_of(recording: Recording, *, start: int, speed: float) -> TableFeed:
    """Return a recording as water that begins at `start` (µs UTC) and begins again at its end.

    Each column is there under its own name and under its observed property.

    Raises
    ------
    ConfigError
        If the recording holds no values.
    """
    order = np.argsort(recording.times, kind="stable")
    columns: dict[str, Any] = {}
    for name, column in recording.columns.items():
        columns[name] = column.values[order]
        if column.observed_property is not None:
            columns.setdefault(column.observed_property, column.values[order])
    return TableFeed(recording.times[order], columns, start=start, speed=speed, repeat=True)


def _check_link(link: Mapping[str, Any]) -> None:
    if "path" in link and "target" in link:
        raise ConfigError("--serial", seen=link["path"], reason="it is either a serial line or a target to dial")
    if "target" in link:
        host, _, port = str(link["target"]).rpartition(":")
        if not host or not port.isdecimal() or not 0 < int(port) <= 65535:
            raise ConfigError("--connect", seen=link["target"], allowed="HOST:PORT, such as 127.0.0.1:9003")


async def run_simulator(
    instrument: str,
    data: Path,
    faults: Sequence[str],
    *,
    speed: float,
    link: Mapping[str, Any],
    say: Callable[[str], None],
) -> None:
    """Serve a virtual instrument until cancelled.

    Parameters
    ----------
    instrument : str
        An instrument's name or file, or a simulator's name (``nmea0183``, ``hj212``).
    data : path
        What `nilometer.read` opens.
    faults : sequence of str
        See `parse_fault`.
    speed : float
        How much faster than recorded the water runs.
    link : mapping
        ``port``, ``path`` (serial) or ``target`` (to dial); None and "" are left out.
    say : callable
        Told where it can be reached.

    Raises
    ------
    ConfigError, ReadError, LinkError
        Before anything is served.
    """
    parsed = [parse_fault(text) for text in faults]
    feed = feed_of(read(data), start=_now(), speed=speed)
    options = {name: value for name, value in link.items() if value is not None and value != ""}
    _check_link(options)
    simulator = _make(instrument, feed, parsed, options)
    reached = await simulator.start()
    say(f"{instrument} is simulated; its driver needs options = {{ {_toml(reached)} }} (Ctrl-C ends it)")
    try:
        await simulator.run()
    except asyncio.CancelledError:
        say("the simulator has ended")


def _make(instrument: str, feed: TableFeed, faults: Sequence[Fault], link: Mapping[str, Any]) -> Simulator:
    found = simulators()
    made: Simulator = found[_simulator(instrument, found.items)].make(instrument, feed, _now, faults, **link)
    return made


def _simulator(instrument: str, known: Iterable[str]) -> str:
    """Return the name of the simulator that an instrument, or its own name, stands for."""
    if instrument in known and instrument not in _OF_INSTRUMENTS:
        return instrument
    if Path(instrument).suffix != ".toml" and instrument not in instruments().items:
        names = [*instruments().items, *(name for name in known if name not in _OF_INSTRUMENTS)]
        raise ConfigError("instrument", seen=instrument, allowed=names)
    return named(instrument).protocol


def _now() -> int:
    return time.time_ns() // 1000


def _toml(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} = {_toml_value(value)}" for name, value in options.items())


def _toml_value(value: Any) -> str:  # noqa: ANN401 -- whatever options hold
    if isinstance(value, Mapping):
        return f"{{ {_toml(value)} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_toml_value(item) for item in value)}]"
    # Texts, numbers and truth are written in JSON as in TOML.
    return json.dumps(value, ensure_ascii=False)
