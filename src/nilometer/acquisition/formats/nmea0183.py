"""Logs of NMEA 0183 sentences: one column a quantity, timed by the sentences' own clock.

A row is one value of each quantity at one time; a second value of a quantity at the same time begins another row.
Sentences before the first date have no time and are left out.
"""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa

from nilometer.acquisition.decoding import BadFrame, DecodedValue
from nilometer.acquisition.formats import opening
from nilometer.acquisition.formats.recording import FormatInfo, Recording, RecordingColumn, Wishes
from nilometer.acquisition.protocols.nmea0183 import Nmea0183Decoder
from nilometer.errors import ConfigError, ReadError, UnitError
from nilometer.model.properties import vocabulary
from nilometer.units import canonical, same_dimension

__all__ = ["FORMAT", "read"]

_PROPERTIES = {
    "heading_true": "heading",
    "current_set_true": "current_direction",
    "current_drift": "flow_velocity",
    "current_speed": "flow_velocity",
    "wind_direction_true": "wind_direction",
    "depth_below_surface": "water_depth",
    "wave_height": "significant_wave_height",
    "wave_height_max": "maximum_wave_height",
    "wave_period_peak": "wave_peak_period",
    "wave_period_mean": "wave_mean_period",
    "wave_direction_mean": "wave_direction",
    "wind_angle_relative": "apparent_wind_angle",
    "wind_speed_relative": "apparent_wind_speed",
}
_KINDS = {"R": "relative", "T": "true"}
# What a receiver says of its fix, and what a sounder is set to, are no values of the water.
_NO_VALUES = re.compile(
    r"^(fix_|satellites|horizontal_dilution|position_error|geoid|local_zone|max_range|transducer_offset)"
)
_POSITIONS = ("latitude", "longitude")


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a log of NMEA 0183 sentences.

    `wishes.date` names the day of a log whose sentences carry a time of day only.

    Raises
    ------
    ReadError
        If there is no sentence with a right checksum, or none that tells a date.
    """
    decoder = Nmea0183Decoder()
    data = opening.contents(path)
    table = _Table()
    if wishes.date is not None:
        prelude, table.before = _dated(wishes.date)
        data = prelude + data
    for items in (decoder.feed(data), decoder.close()):
        for item in items:
            table.take(item)
    if not table.heard:
        raise ReadError("no NMEA 0183 sentence with a right checksum is in it", path=path, line=1, format=FORMAT.name)
    if not table.times:
        raise ReadError(
            f"{table.heard} values, and no sentence tells a date (RMC, or ZDA with its day): give date='2014-08-15'",
            path=path,
            format=FORMAT.name,
        )
    return table.recording(path, wishes)


class _Table:
    """Grows a row at a time."""

    def __init__(self) -> None:
        self.heard = 0
        self.before: str | None = None
        self.times: list[int] = []
        self._cells: dict[str, tuple[list[int], list[float]]] = {}
        self._units: dict[str, str | None] = {}
        self._row_of: dict[tuple[str, int], int] = {}
        self._now: str | None = None
        self._at = 0
        self._depth: Counter[str] = Counter()
        self._untimed = 0
        self._bad: list[BadFrame] = []

    def take(self, item: DecodedValue | BadFrame) -> None:
        if isinstance(item, BadFrame):
            self._bad.append(item)
            return
        if not isinstance(item.value, int | float) or isinstance(item.value, bool) or item.flag:
            return
        self.heard += 1
        if item.time is None or item.time == self.before:
            self._untimed += 1
            return
        self.before = None
        if item.time != self._now:
            self._now = item.time
            self._at = _microseconds(item.time)
            self._depth.clear()
        kind = str(item.more.get("kind", ""))
        name = item.parameter + (f"_{_KINDS.get(kind, kind)}" if kind and not item.parameter.startswith("xdr:") else "")
        rows, values = self._cells.setdefault(name, ([], []))
        self._units.setdefault(name, item.unit)
        depth = self._depth[name]
        self._depth[name] += 1
        if depth and _is_aside(name):
            return  # RMC and GGA say one position twice
        rows.append(self._row(item.time, depth))
        values.append(float(item.value))

    def _row(self, time: str, depth: int) -> int:
        key = time, depth
        if key not in self._row_of:
            self._row_of[key] = len(self.times)
            self.times.append(self._at)
        return self._row_of[key]

    def recording(self, path: Path, wishes: Wishes) -> Recording:
        columns: dict[str, RecordingColumn] = {}
        aside: dict[str, pa.Array] = {}
        wanted = None if wishes.columns is None else set(wishes.columns)
        if wanted is not None and not wanted <= set(self._cells):
            lacking = sorted(wanted - set(self._cells))[0]
            raise ConfigError("columns", seen=lacking, allowed=self._cells, file=path)
        for name, (rows, cells) in self._cells.items():
            values = np.full(len(self.times), np.nan)
            values[rows] = cells
            if name in wanted if wanted is not None else not _is_aside(name):
                unit, key = _unit_and_property(name, self._units[name])
                columns[name] = RecordingColumn(
                    name=name, values=values, unit=unit, unit_from="file", observed_property=key
                )
            else:
                aside[name] = pa.array(values, from_pandas=True)
        return Recording(
            path=path,
            format=FORMAT.name,
            times=np.array(self.times, np.int64),
            columns=columns,
            aside=aside,
            metadata={"time column": "the sentences' own clock", "time zone": "in each row", "stamps": "instant"},
            notes=tuple(self._notes()),
        )

    def _notes(self) -> list[str]:
        notes = []
        if self._bad:
            first = self._bad[0]
            notes.append(f"{len(self._bad)} frames are left out, the first at byte {first.offset}: {first.error}")
        if self._untimed:
            notes.append(f"{self._untimed} values before the first date have no time and are left out")
        return notes


def _is_aside(name: str) -> bool:
    return name in _POSITIONS or bool(_NO_VALUES.match(name))


def _unit_and_property(name: str, text: str | None) -> tuple[str, str | None]:
    try:
        unit = canonical(text or "1")
    except UnitError:
        unit = "1"
    key = _PROPERTIES.get(name, name)
    item = vocabulary().get(key)
    return unit, key if item is not None and same_dimension(unit, item.unit) else None


def _microseconds(text: str) -> int:
    moment = dt.datetime.fromisoformat(text)
    since = moment - dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
    return (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds


def _dated(date: str) -> tuple[bytes, str]:
    try:
        day = dt.date.fromisoformat(date)
    except ValueError:
        raise ConfigError("date", seen=date, allowed="a day such as 2014-08-15") from None
    # Noon of that day, as a sentence: every time of day of it is nearer than one of another day.
    body = f"GPZDA,120000,{day:%d,%m,%Y},00,00"
    check = 0
    for byte in body.encode():
        check ^= byte
    return f"${body}*{check:02X}\r\n".encode(), f"{day:%Y-%m-%d}T12:00:00Z"


def _sniff(_path: Path, head: bytes) -> float:
    lines = [line for line in head.splitlines()[:200] if line.strip()]
    if not lines:
        return 0.0
    sentences = sum(bool(re.match(rb"^(\\[^\\]*\\)?[$!][A-Z0-9]{3,9},.*\*[0-9A-Fa-f]{2}\s*$", line)) for line in lines)
    return 0.95 * sentences / len(lines) if sentences > 0.3 * len(lines) else 0.0


FORMAT = FormatInfo(
    name="nmea0183",
    title="Logs of NMEA 0183 sentences",
    suffixes=(".nmea", ".log", ".txt"),
    sniff=_sniff,
    read=read,
)
