"""Recordings in place of the modelled water: each is spoken by a simulated instrument over a real protocol.

A table is served over Modbus TCP by a logger whose registers are the columns, with the time of the row beside them; an
NMEA log is said line by line. Times, gaps and missing values are the recording's own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from nilometer.acquisition.decoding import DecodedValue
from nilometer.acquisition.driver import Clock
from nilometer.acquisition.formats.opening import contents
from nilometer.acquisition.formats.reading import read
from nilometer.acquisition.formats.recording import Recording, RecordingColumn
from nilometer.acquisition.instrument import Instrument
from nilometer.acquisition.protocols.nmea0183 import Nmea0183Decoder
from nilometer.acquisition.simulators import simulators
from nilometer.acquisition.simulators.feed import ConstantFeed
from nilometer.acquisition.simulators.simulator import Reading, Simulator
from nilometer.errors import ConfigError, ReadError
from nilometer.model import WaterBody
from nilometer.store import Store

__all__ = [
    "MOST_COLUMNS",
    "RecordingFeed",
    "Replay",
    "instrument_of",
    "plan",
    "played_us",
    "simulator_of",
    "source_of",
    "steadiest_speed",
    "thing_of",
]

MOST_COLUMNS = 30
"""What one Modbus request carries beside the time of the row: rows must not be torn."""

ROWS_A_SECOND = 4.0
LOG_S = 600.0
POLL_S = 0.05
MOST_BEHIND = 100
"""Rows that a late reader is shown one by one; further behind, it is shown the newest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One recording to be played: its file, what it holds, and the Thing it becomes."""

    file: Path
    key: str
    name: str
    water_body: WaterBody
    is_dated: bool
    recording: Recording

    @property
    def is_nmea(self) -> bool:
        """Whether it is a log of sentences, not a table."""
        return self.recording.format == "nmea0183"

    @property
    def place(self) -> tuple[float, float] | None:
        """Its first position, degree_east and degree_north; None where it tells none."""
        found = [self.recording.aside.get(name) for name in ("longitude", "latitude")]
        if any(column is None for column in found):
            return None
        for longitude, latitude in zip(*(column.to_pylist() for column in found if column is not None), strict=True):
            if isinstance(longitude, float) and isinstance(latitude, float):
                return longitude, latitude
        return None

    @property
    def start(self) -> int:
        """Its first time, µs since 1970 UTC."""
        return int(self.recording.times.min())

    @property
    def end(self) -> int:
        """Its last time, µs since 1970 UTC."""
        return int(self.recording.times.max())

    @property
    def step_us(self) -> int:
        """The usual time from row to row."""
        times = np.unique(self.recording.times)
        return int(np.median(np.diff(times))) if len(times) > 1 else 1_000_000


class RecordingFeed:
    """A recording as what a logger shows: the newest row that is not in the future, with its own time.

    Who asks late sees the rows one by one, so that none is missed; only who is `MOST_BEHIND` rows late misses some.

    Parameters
    ----------
    recording : Recording
        What is played; after its end the last row stays. Of rows of one time the last one counts.
    begin : int, optional
        The time of the row that is shown first, µs since 1970 UTC: who dials late is late from there. None: who begins
        late begins with the newest.
    """

    def __init__(self, recording: Recording, begin: int | None = None) -> None:
        order = np.argsort(recording.times, kind="stable")
        times = recording.times[order]
        last = np.append(times[1:] != times[:-1], True)
        self._times = times[last]
        self._columns = {key: column.values[order][last] for key, (_, column) in _taken(recording).items()}
        self._shown = None if begin is None else max(self._newest(begin), 0) - 1

    def at(self, time: int) -> Mapping[str, Reading]:
        """Return the readings at `time`; none before the first row."""
        newest = self._newest(time)
        if newest < 0:
            return {}
        if self._shown is None or not 0 < newest - self._shown <= MOST_BEHIND:
            self._shown = newest
        else:
            self._shown += 1
        row = self._shown
        when = int(self._times[row])
        return {key: Reading(float(values[row]), time=when) for key, values in self._columns.items()}

    def _newest(self, time: int) -> int:
        """Return the index of the newest row at `time`; -1 before the first."""
        return int(np.searchsorted(self._times, time, side="right")) - 1


def plan(file: Path, taken: set[str]) -> Replay:
    """Read a recording and say what it becomes; `taken` are the keys of Things that exist.

    Raises
    ------
    ReadError
        If the file cannot be read as a recording.
    ConfigError
        If it holds no value.
    """
    recording, is_dated = _read(file)
    if len(recording) == 0 or not recording.columns:
        raise ConfigError("--replay", seen=str(file), reason="this recording holds no values")
    stem = re.sub(r"(\.(csv|txt|parquet|log|nmea|gz|bz2|xz))+$", "", file.name, flags=re.IGNORECASE)
    key = re.sub(r"\W+", "-", stem).strip("-").lower() or "recording"
    key = key if key[0].isalpha() else f"r-{key}"
    while key in taken:
        key += "-2"
    taken.add(key)
    return Replay(file=file, key=key, name=stem, water_body=_water(recording), is_dated=is_dated, recording=recording)


def steadiest_speed(replays: Sequence[Replay]) -> float:
    """Return the speed at which the densest table shows a few rows a second, so that none is missed.

    Logs alone are played within ten minutes, and never slower than ten times.
    """
    steps = [replay.step_us / 1e6 for replay in replays if not replay.is_nmea]
    if steps:
        return max(min(steps) * ROWS_A_SECOND, 1.0)
    return max(10.0, *((replay.end - replay.start) / 1e6 / LOG_S for replay in replays))


def played_us(folder: Path, replays: Sequence[Replay]) -> dict[str, int]:
    """Return how much of each recording an earlier run in this folder has stored, by key, µs from its start.

    Raises
    ------
    StoreLocked, SchemaMismatch
        If the folder cannot be opened.
    """
    played = {replay.key: 0 for replay in replays}
    if not (folder / "VERSION").exists():
        return played
    store = Store.open(folder)
    try:
        things = {thing.id: thing.key for thing in store.catalog.things()}
        starts = {replay.key: replay.start for replay in replays if replay.is_dated}
        for datastream in store.catalog.datastreams():
            extent, key = store.snapshot().extent(datastream.id), things[datastream.thing]
            if extent is not None and key in starts:
                played[key] = max(played[key], extent[1] - starts[key])
        return played
    finally:
        store.close()


def thing_of(replay: Replay) -> dict[str, Any]:
    """Return the Thing as ``nilometer.toml`` would have it."""
    return {
        "key": replay.key,
        "name": f"{replay.name} (replayed)",
        "names": {"en": f"{replay.name} (replayed)", "zh": f"{replay.name}（回放）"},
        "description": f"Recording {replay.file.name}, replayed",
        "water_body": replay.water_body,
        "location": replay.place,
    }


def simulator_of(replay: Replay, clock: Clock, played: int) -> Simulator:
    """Return the instrument that speaks a recording; `clock` is on its time axis, µs `played` of it are stored."""
    found = simulators()
    made: Simulator
    if not replay.is_nmea:
        feed = RecordingFeed(replay.recording, begin=replay.start + played)
        made = found["modbus"].make(instrument_of(replay), feed, clock)
        return made
    lines = contents(replay.file).decode("latin-1").splitlines()
    span_s = max((replay.end - replay.start) / 1e6, 1.0)
    if replay.is_dated:
        bursts = _bursts(lines)
        left = ["\r\n".join(burst) for burst in _left(bursts, replay.start + played)]
        link: dict[str, Any] = {"lines": left, "lines_per_tick": 1, "interval_s": span_s / len(bursts)}
    else:
        tick_s = max(1.0, span_s / len(lines))
        link = {"lines": lines, "lines_per_tick": max(1, round(len(lines) / span_s * tick_s)), "interval_s": tick_s}
    made = found["nmea0183"].make(None, ConstantFeed({}), clock, **link)
    return made


def _bursts(lines: Sequence[str]) -> list[tuple[int, list[str]]]:
    """Return the lines of a log by the clock they carry, µs: said at once, they keep their time at any speed."""
    decoder = Nmea0183Decoder()
    bursts: list[tuple[int, list[str]]] = []
    before: list[str] = []
    for line in lines:
        times = [item.time for item in decoder.feed(line.encode("latin-1") + b"\r\n") if isinstance(item, DecodedValue)]
        told = [int(datetime.fromisoformat(time).timestamp() * 1e6 + 0.5) for time in times if time is not None]
        if told and (not bursts or told[-1] != bursts[-1][0]):
            bursts.append((told[-1], [*before, line]))
            before = []
        else:
            (bursts[-1][1] if bursts else before).append(line)
    return bursts


def _left(bursts: Sequence[tuple[int, list[str]]], until: int) -> list[list[str]]:
    """Return the bursts from the one that was said last, which may have been stored in part.

    What of it is stored is recognised; its second values stand a little after its clock, so `until` may as well.
    """
    last = max((time for time, _ in bursts if time <= until), default=None)
    return [burst for time, burst in bursts if last is None or time >= last]


def source_of(replay: Replay, reached: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Return the source as ``nilometer.toml`` would have it; the logger's instrument file is written into `folder`."""
    options = dict(reached)
    if replay.is_nmea:
        options |= {"moving": True, "time": "stream" if replay.is_dated else "arrival"}
    else:
        file = folder / "instruments" / f"{replay.key}.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_toml(instrument_of(replay)), encoding="utf-8")
        options |= {"instrument": str(file), "poll_interval_s": POLL_S}
    return {
        "name": f"{replay.key}.replay",
        "driver": "nmea0183" if replay.is_nmea else "modbus_tcp",
        "thing": replay.key,
        "origin": "replayed",
        "options": options,
    }


def instrument_of(replay: Replay) -> Instrument:
    """Return the logger that serves a recording: time of the row in µs, then one float64 a column."""
    channels: list[dict[str, Any]] = []
    for place, (key, (name, column)) in enumerate(_taken(replay.recording).items()):
        channel = {"key": key, "name": name, "unit": column.unit, "address": 4 + 4 * place}
        if column.observed_property is not None:
            channel["observed_property"] = column.observed_property
        channels.append(channel | {"type": "float64", "cycle": "row"})
    return Instrument.model_validate(
        {
            "name": f"recording_{replay.key.replace('-', '_')}",
            "title": f"Recording {replay.file.name}",
            "maker": "nilometer",
            "models": ["recording"],
            "document": "docs/demo.md",
            "evidence": "made from the columns of the recording",
            "block": [{"address": 0, "count": 4 + 4 * len(channels)}],
            "cycle": [{"name": "row", "start": {"address": 0, "type": "int64", "unit": "us"}}],
            "channel": channels,
        }
    )


def _read(file: Path) -> tuple[Recording, bool]:
    """Read a recording; a log without dates is played as if it were today's."""
    try:
        return read(file), True
    except ReadError as error:
        if error.format != "nmea0183" or "date" not in str(error):
            raise
    return read(file, date=datetime.now(UTC).strftime("%Y-%m-%d")), False


def _toml(instrument: Instrument) -> str:
    """Write an instrument as its file: keys, arrays of tables; strings as JSON, which TOML reads the same."""
    whole = instrument.model_dump(mode="json", exclude_defaults=True)
    lines = [f"{key} = {json.dumps(value)}" for key, value in whole.items() if not _is_tables(value)]
    for key, value in whole.items():
        for table in value if _is_tables(value) else ():
            lines += ["", f"[[{key}]]"]
            lines += [f"{name} = {_inline(part)}" for name, part in table.items()]
    return "\n".join(lines) + "\n"


def _is_tables(value: Any) -> bool:  # noqa: ANN401 -- JSON
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _inline(value: Any) -> str:  # noqa: ANN401 -- JSON
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {json.dumps(part)}' for key, part in value.items())} }}"
    return json.dumps(value)


def _taken(recording: Recording) -> dict[str, tuple[str, RecordingColumn]]:
    """Return the columns that are played, by the key of their channel."""
    taken: dict[str, tuple[str, RecordingColumn]] = {}
    for name, column in list(recording.columns.items())[:MOST_COLUMNS]:
        stem = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_") or column.observed_property or "column"
        stem = stem if stem[:1].isalpha() else f"c_{stem}"
        key, number = stem, 2
        while key in taken:
            key, number = f"{stem}_{number}", number + 1
        taken[key] = (name, column)
    return taken


def _water(recording: Recording) -> WaterBody:
    """Say what water it probably is by what was measured; where salt or a ship speaks of it, no standard is guessed."""
    seen = {column.observed_property for column in recording.columns.values()}
    if "salinity" in seen:
        return WaterBody.ESTUARY
    fresh = {"ph", "dissolved_oxygen", "turbidity_ntu", "conductivity_25"}
    return WaterBody.RIVER if seen & fresh and "depth_below_transducer" not in seen else WaterBody.OTHER
