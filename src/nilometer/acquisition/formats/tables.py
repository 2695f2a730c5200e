"""From the columns of a table to a recording: which holds the times, which are values, what stands aside."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.acquisition.formats.longtable import is_long, widened
from nilometer.acquisition.formats.naming import Layout, Meaning, aside_of, is_position, layout_of, meaning, split_name
from nilometer.acquisition.formats.numbers import Numbers, as_floats, numbers, odd_one, unit_in_cells
from nilometer.acquisition.formats.recording import SITES, Recording, RecordingColumn, Wishes
from nilometer.acquisition.formats.timecolumn import find_times, zones_beside
from nilometer.acquisition.formats.told import missing_by, told_by
from nilometer.errors import ConfigError, ReadError
from nilometer.model.batch import NO_TIME

__all__ = ["RawTable", "recording_of"]

# Names of columns that number or name rows and instruments.
_NO_VALUES = frozenset(
    {"#", "id", "index", "record", "row", "no", "no.", "nr", "station", "stationcode", "station_id", "site", "site_id"}
    | {
        "siteid",
        "month",
        "day",
        "year",
        "hour",
        "minute",
        "second",
        "serial",
        "unnamed: 0",
        "fault code",
        "序号",
        "time (fract. sec)",
    }
)


_NAMING = re.compile(r"(row|logger|record|station|site)[-_ .]?id$")
_STATIONS = frozenset(
    {"site", "site name", "station", "station name", "stationcode", "站点", "站点名称", "断面名称", "站名"}
)


@dataclass(slots=True, kw_only=True)
class RawTable:
    """A table as a format module read it: columns of text or typed Arrow columns, one name each.

    `statistics` has the CF cell methods of columns by name, `called` what a column is called where its own name tells
    less or more than the quantity, `missing` the words for no value that the file itself names, `beside` the columns
    that are no values, `zone` the zone that the format itself keeps its times in,
    `speaks_of` the columns that qualify another one.
    """

    path: Path
    format: str
    names: Sequence[str]
    columns: Sequence[Any]
    unit_texts: Sequence[str] | None = None
    unit_source: str = "units row"
    preamble: Sequence[str] = ()
    decimal: str = "."
    first_line: int | None = None
    metadata: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    statistics: Mapping[str, str] = field(default_factory=dict)
    called: Mapping[str, str] = field(default_factory=dict)
    missing: Sequence[str] = ()
    beside: Sequence[str] = ()
    zone: str | None = None
    speaks_of: Mapping[str, str] = field(default_factory=dict)


def recording_of(raw: RawTable, wishes: Wishes) -> Recording:
    """Return the recording that a table holds.

    Raises
    ------
    ReadError
        If it has no rows, or no column of times; says which columns were seen and how to name one.
    ConfigError
        If a wish names a column that is not there, or an unknown zone.
    """
    columns = [column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column for column in raw.columns]
    if is_long(raw.names) and wishes.columns is None and columns and len(columns[0]):
        columns = _widen(raw, columns, wishes)
    if not columns or len(columns[0]) == 0:
        raise ReadError("the table has no rows", path=raw.path, line=raw.first_line, format=raw.format)
    found = find_times(raw.names, columns, raw.preamble, raw.unit_texts, wishes, raw.path, raw.format, raw.zone)
    notes = [*raw.notes, *found.notes]
    layout = layout_of(raw.names)
    raw.missing = (*raw.missing, *missing_by(raw.preamble))
    metadata = {"stamps": "instant (not told by the file)", **told_by(raw.preamble), **raw.metadata}
    metadata |= {"time column": " + ".join(found.names), "time zone": found.zone}
    if layout is not None:
        metadata |= _told_by_layout(layout, raw, wishes, notes)
    if raw.preamble:
        metadata["preamble"] = "\n".join(raw.preamble)
    metadata = _station(raw, columns) | metadata
    parts = _Parts(raw, wishes, layout, notes)
    for at, name in enumerate(raw.names):
        if at not in found.positions:
            parts.take(name, columns[at], raw.unit_texts[at] if raw.unit_texts else None, in_time=at in found.alike)
    parts.check()
    rows = np.flatnonzero(found.times != NO_TIME)
    lost = len(found.times) - len(rows)
    if not len(rows):
        raise ReadError(f"no row has a time in {' + '.join(found.names)}", path=raw.path, format=raw.format)
    if lost:
        first = int(np.flatnonzero(found.times == NO_TIME)[0])
        where = f", the first in line {raw.first_line + first}" if raw.first_line is not None and first < 2 else ""
        notes.append(
            f"{lost} row{'s have' if lost > 1 else ' has'} no time and {'are' if lost > 1 else 'is'} left out{where}"
        )
    recording = Recording(
        path=raw.path,
        format=raw.format,
        times=found.times,
        columns=parts.values,
        aside=parts.aside,
        qualifies=parts.qualifies,
        metadata=metadata,
        notes=tuple(notes),
    )
    return recording.taken(rows) if lost else recording


def _told_by_layout(layout: Layout, raw: RawTable, wishes: Wishes, notes: list[str]) -> dict[str, str]:
    """Return what is known of files of a layout, and note what a reader should know."""
    if layout.note and wishes.time_zone is None:
        notes.append(layout.note)
    stamps = {"stamps": layout.stamps} if layout.stamps and "stamps" not in raw.metadata else {}
    return {"layout": layout.title, **stamps}


def _station(raw: RawTable, columns: Sequence[Any]) -> dict[str, str]:
    """Return the station, where a column of sites holds one word all the way down."""
    for name, column in zip(raw.names, columns, strict=True):
        if name.casefold() in _STATIONS and pa.types.is_string(column.type):
            words = {word.strip() for word in column.unique().to_pylist() if word and word.strip()}
            if len(words) == 1:
                return {"station": words.pop()}
    return {}


def _widen(raw: RawTable, columns: list[Any], wishes: Wishes) -> list[Any]:
    """Turn a long table into a wide one, in place but for the columns: its rows are distinct times and sites."""
    found = find_times(raw.names, columns, raw.preamble, raw.unit_texts, wishes, raw.path, raw.format)
    keys = list(found.positions)
    keys += [at for at, name in enumerate(raw.names) if name.casefold() in SITES and at not in keys]
    zone = zones_beside(raw.names, columns)
    keys += [zone] if zone is not None and zone not in keys else []
    names, wide, units = widened(raw.names, columns, keys)
    raw.names, raw.unit_texts, raw.unit_source = names, units, "file"
    raw.notes.append(
        f"one row a value: {len(columns[0])} rows of {len(names) - len(keys)} parameters were set side by side"
    )
    raw.first_line = None
    return wide


class _Parts:
    """Sorts the columns of a table into values and what stands aside."""

    def __init__(self, raw: RawTable, wishes: Wishes, layout: Layout | None, notes: list[str]) -> None:
        self.values: dict[str, RecordingColumn] = {}
        self.aside: dict[str, Any] = {}
        self.qualifies: dict[str, str] = {}
        self._raw, self._wishes, self._layout, self._notes = raw, wishes, layout, notes
        self._speaks_of = aside_of([name for name in raw.names if name]) | dict(raw.speaks_of)
        self._wanted = None if wishes.columns is None else set(wishes.columns)
        self._read: set[str] = set()
        self._without_unit: list[str] = []

    def take(self, name: str, column: Any, unit_text: str | None, *, in_time: bool) -> None:  # noqa: ANN401 -- pyarrow
        self._read.add(name)
        if self._wanted is not None and name not in self._wanted:
            self._put_aside(name, column)
            return
        told = self._told(name, unit_text)
        if self._wanted is None and self._is_aside(name, told.observed_property, in_time=in_time):
            self._put_aside(name, column)
            return
        told, as_numbers = self._counted(name, column, told)
        if as_numbers is None or (self._wanted is None and np.isnan(as_numbers.values).all()):
            if self._wanted is not None:
                raise ConfigError("columns", seen=name, reason="holds no numbers", file=self._raw.path)
            self._put_aside(name, column)
            return
        short = told.name if told.name not in self.values else name
        self._notes += _said_of(name, as_numbers)
        if told.note and (told.observed_property is not None or "it is taken for no property" in told.note):
            self._notes.append(told.note)
        elif told.note:
            self._without_unit.append(short)
        source = self._raw.unit_source if told.unit_from == "units row" else told.unit_from
        self.values[short] = RecordingColumn(
            name=short,
            values=as_numbers.values,
            unit=told.unit,
            unit_from=source,
            observed_property=told.observed_property,
            censored=as_numbers.censored,
            statistic=self._raw.statistics.get(name, ""),
        )
        if name in self._speaks_of and self._wanted is not None:
            self.qualifies[short] = self._speaks_of[name]

    def _told(self, name: str, unit_text: str | None) -> Meaning:
        told = meaning(name, unit_text, self._layout)
        if name not in self._raw.called:
            return told
        # The unit stays where the file has it: in its own row, else in the name.
        text = unit_text if unit_text and unit_text.strip() else split_name(name)[1]
        called = self._raw.called[name]
        told = replace(meaning(called, text, self._layout), name=told.name)
        return replace(told, note=told.note.replace(repr(called), repr(told.name)))

    def _counted(self, name: str, column: Any, told: Meaning) -> tuple[Meaning, Numbers | None]:  # noqa: ANN401 -- pyarrow
        """Return the numbers of a column, and what it is: cells may have the unit that the header lacks."""
        as_numbers = self._numbers(column)
        if as_numbers is not None or told.unit_from != "assumed" or not pa.types.is_string(column.type):
            return told, as_numbers
        parted = unit_in_cells(column)
        inside = meaning(name, parted[1], self._layout) if parted is not None else told
        if parted is None or "it is taken for no property" in inside.note:
            return told, None
        return replace(inside, unit_from="file"), self._numbers(parted[0])

    def check(self) -> None:
        if self._without_unit:
            self._notes.append(
                f"nothing tells what these are, nor a unit: {', '.join(self._without_unit)}; they are in 1"
            )
        lacking = (self._wanted or set()) - self._read
        if lacking:
            raise ConfigError(
                "columns", seen=sorted(lacking)[0], allowed=[n for n in self._raw.names if n], file=self._raw.path
            )
        specific = [c for c in self.values.values() if c.observed_property == "conductivity_25"]
        for column in specific if len(specific) > 1 else ():
            # "Cond" beside "SpCond" is the one that is not compensated.
            if column.name.casefold() in {"cond", "ec"}:
                self.values[column.name] = replace(column, observed_property="conductivity")
        for name, column in self.values.items():
            self.values[name] = _with_limits(column, self.aside.get(f"{name}_censored"))
        for name in list(self.qualifies):
            owner = self.qualifies[name]
            self.qualifies[name] = next((key for key in self.values if owner.startswith(key)), owner)

    def _is_aside(self, name: str, key: str | None, *, in_time: bool) -> bool:
        folded = name.casefold()
        ignored = self._layout is not None and folded in self._layout.ignore
        return (
            in_time
            or ignored
            or bool(_NAMING.search(folded))
            or name in self._speaks_of
            or name in self._raw.beside
            or folded in _NO_VALUES
            or is_position(key)
            or not name
        )

    def _numbers(self, column: Any) -> Numbers | None:  # noqa: ANN401 -- pyarrow has no types
        kind = column.type
        if pa.types.is_string(kind) or pa.types.is_large_string(kind):
            missing = (*self._raw.missing, *self._wishes.missing)
            return numbers(column.cast(pa.string()), decimal=self._raw.decimal, missing=missing)
        if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
            values: NDArray[np.float64] = np.array(column.cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)
            fill = np.isin(values, [-9999.0, *as_floats((*self._raw.missing, *self._wishes.missing))])
            values[fill] = np.nan
            return Numbers(values, None, 0, int(fill.sum()))
        return None

    def _put_aside(self, name: str, column: Any) -> None:  # noqa: ANN401 -- pyarrow has no types
        if not name:
            if pa.types.is_string(column.type) and not any(
                word.strip() for word in column.unique().to_pylist() if word
            ):
                return
            name = f"column {len(self.aside) + len(self.values) + 1}"
        self.aside[name] = column
        if name in self._speaks_of:
            self.qualifies[name] = self._speaks_of[name]


def _with_limits(column: RecordingColumn, told: Any) -> RecordingColumn:  # noqa: ANN401 -- pyarrow has no types
    """Return a column whose limits are told by a column beside it, as we write it: ``<``, ``>`` or empty."""
    if told is None or column.censored is not None or not pa.types.is_string(told.type):
        return column
    words = [word or "" for word in told.to_pylist()]
    if not set(words) <= {"<", ">", ""}:
        return column
    signs = np.array([{"<": -1, ">": 1}.get(word, 0) for word in words], np.int8)
    return replace(column, censored=signs) if signs.any() else column


def _said_of(name: str, seen: Numbers) -> list[str]:
    """Say what of a column's words are no plain numbers."""
    notes = []
    if seen.strange:
        notes.append(f"{seen.strange} words of {name!r} are no numbers, such as {seen.example!r}: missing")
    if seen.undetected:
        limit = f"the column's limit {seen.limit:g} is taken"
        limit = limit if np.isfinite(seen.limit) else "the column does not name one limit: no value"
        notes.append(f"{seen.undetected} values of {name!r} say that nothing was detected: {limit}")
    odd = odd_one(seen.values)
    if odd is not None:
        notes.append(
            f"{odd[0]:g} stands {odd[1]} times in {name!r}, far from its other values: it is kept as a value "
            f"(missing={odd[0]:g} takes it out)"
        )
    if seen.sentinels:
        notes.append(f"{seen.sentinels} fill values such as -9999 of {name!r} are missing values")
    return notes
