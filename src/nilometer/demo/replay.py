"""Recordings in place of the modelled water: each is spoken by a simulated instrument over a real protocol.

A table is served over Modbus TCP by a logger whose registers are the columns, with the time of the row beside them; an
NMEA log is said line by line. Times, gaps and missing values are the recording's own.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nilometer.acquisition.formats.reading import read
from nilometer.acquisition.formats.recording import Recording
from nilometer.acquisition.instrument import Instrument
from nilometer.acquisition.simulators.simulator import Reading
from nilometer.errors import ConfigError
from nilometer.model import WaterBody

__all__ = ["MOST_COLUMNS", "RecordingFeed", "Replay", "instrument_of", "plan", "steadiest_speed"]

MOST_COLUMNS = 30
"""What one Modbus request carries beside the time of the row: rows must not be torn."""

ROWS_A_SECOND = 4.0
POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """One recording to be played: its file, what it holds, and the Thing it becomes."""

    file: Path
    key: str
    name: str
    water_body: WaterBody
    is_nmea: bool
    recording: Recording

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

    Parameters
    ----------
    recording : Recording
        What is played; after its end the last row stays.
    """

    def __init__(self, recording: Recording) -> None:
        order = np.argsort(recording.times, kind="stable")
        self._times = recording.times[order]
        self._columns = {_channel(name): column.values[order] for name, column in _taken(recording).items()}

    def at(self, time: int) -> Mapping[str, Reading]:
        """Return the readings at `time`; none before the first row."""
        row = int(np.searchsorted(self._times, time, side="right")) - 1
        if row < 0:
            return {}
        when = int(self._times[row])
        return {key: Reading(float(values[row]), time=when) for key, values in self._columns.items()}


def plan(file: Path, taken: set[str]) -> Replay:
    """Read a recording and say what it becomes; `taken` are the keys of Things that exist.

    Raises
    ------
    ReadError
        If the file cannot be read as a recording.
    ConfigError
        If it holds no row.
    """
    recording = read(file)
    if len(recording) == 0 or not recording.columns:
        raise ConfigError("--replay", seen=str(file), reason="this recording holds no values")
    stem = re.sub(r"(\.(csv|txt|parquet|log|nmea|gz|bz2|xz))+$", "", file.name, flags=re.IGNORECASE)
    key = re.sub(r"\W+", "-", stem).strip("-").lower() or "recording"
    key = key if key[0].isalpha() else f"r-{key}"
    while key in taken:
        key += "-2"
    taken.add(key)
    is_nmea = recording.format == "nmea0183"
    return Replay(file=file, key=key, name=stem, water_body=_water(recording), is_nmea=is_nmea, recording=recording)


def steadiest_speed(replays: list[Replay]) -> float:
    """Return the speed at which the densest table shows a few rows a second, and no row is missed; logs run in step."""
    steps = [replay.step_us / 1e6 for replay in replays if not replay.is_nmea]
    return max(min(steps) * ROWS_A_SECOND, 1.0) if steps else 10.0


def instrument_of(replay: Replay) -> Instrument:
    """Return the logger that serves a recording: time of the row in µs, then one float64 a column."""
    channels: list[dict[str, Any]] = []
    for place, (name, column) in enumerate(_taken(replay.recording).items()):
        channels.append(
            {
                "key": _channel(name),
                "name": name,
                "unit": column.unit,
                "observed_property": column.observed_property,
                "address": 4 + 4 * place,
                "type": "float64",
                "cycle": "row",
            }
        )
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


def _taken(recording: Recording) -> dict[str, Any]:
    return dict(list(recording.columns.items())[:MOST_COLUMNS])


def _channel(name: str) -> str:
    key = re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("_")
    return key if key[:1].isalpha() else f"c_{key}"


def _water(recording: Recording) -> WaterBody:
    """Say what water it probably is, by what was measured; a river unless salt or tide speaks against it."""
    seen = {column.observed_property for column in recording.columns.values()}
    if "salinity" in seen or "depth_below_transducer" in seen:
        return WaterBody.ESTUARY if "salinity" in seen else WaterBody.OTHER
    fresh = {"ph", "dissolved_oxygen", "turbidity_ntu", "conductivity_25"}
    return WaterBody.RIVER if seen & fresh else WaterBody.OTHER
