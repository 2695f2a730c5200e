"""Frames of a capture as columns: signals of a database, else what J1939, NMEA 2000 and OBD-II say, else bytes."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.acquisition.formats.can_frames import Capture
from nilometer.acquisition.formats.recording import RecordingColumn
from nilometer.acquisition.protocols.can_dbc import CanDatabase, DbcMessage
from nilometer.acquisition.protocols.can_frame import CanFrame
from nilometer.acquisition.protocols.can_reading import NOT_AVAILABLE, CanReading
from nilometer.acquisition.protocols.j1939_groups import Content, groups
from nilometer.acquisition.protocols.j1939_transport import Message
from nilometer.acquisition.protocols.nmea2000 import CLOCKS, Assembler, decode_message
from nilometer.acquisition.protocols.obd2 import Obd2Answers, answered_by
from nilometer.errors import FrameError, ReadError, UnitError
from nilometer.model.properties import vocabulary
from nilometer.units import canonical, same_dimension

__all__ = ["Table", "by_database", "by_standards", "raw_bytes"]

MOST_CELLS = 200_000_000
_UNITS = {"rpm": "min-1", "ppt": "1", "deg": "degree"}


@dataclass(slots=True)
class Table:
    """Columns that grow as frames are read; a row is a time, a second value of a column at one time another row."""

    path: Path
    times: list[int] = field(default_factory=list)
    columns: dict[str, RecordingColumn] = field(default_factory=dict)
    aside: dict[str, pa.Array] = field(default_factory=dict)
    qualifies: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def check(self, columns: int) -> None:
        """Refuse a table that no memory holds.

        Raises
        ------
        ReadError
            If it has too many cells.
        """
        if len(self.times) * columns > MOST_CELLS:
            raise ReadError(
                f"{len(self.times)} rows of {columns} columns are more than fits: name some with columns=",
                path=self.path,
                format="can_capture",
            )


@dataclass(slots=True)
class _Cells:
    reading: CanReading
    aside: bool
    rows: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    marks: dict[int, str] = field(default_factory=dict)


class _Clock:
    """The time of a frame: its own, or that of the bus, from the groups that tell it."""

    def __init__(self, *, own: bool, start: int) -> None:
        self._own, self._start = own, start
        self._bus: int | None = None

    def hear(self, said: Content) -> None:
        if said.group.pgn in CLOCKS and said.time is not None:
            self._bus = said.time

    def at(self, time: int | None) -> int | None:
        return time + self._start if self._own and time is not None else self._bus


def by_standards(capture: Capture, path: Path, *, own: bool, start: int) -> Table:
    """Return what J1939, NMEA 2000 and OBD-II say in a capture.

    Parameters
    ----------
    capture : Capture
        The frames.
    path : Path
        For messages.
    own : bool
        Whether the frames' own times count; else the bus's clock does.
    start : int
        What is added to them, µs.

    Raises
    ------
    ReadError
        If the table would not fit into memory.
    """
    walk = _Walk(path, _Clock(own=own, start=start))
    for said, time in capture.said:
        walk.take(said, time)
    return walk.table()


class _Walk:
    def __init__(self, path: Path, clock: _Clock) -> None:
        self._known = {**groups("j1939"), **groups("nmea2000")}
        self._messages, self._answers, self._clock = Assembler(self._known), Obd2Answers(), clock
        self._cells: dict[tuple[str, int], _Cells] = {}
        self._row_of: dict[tuple[int, int], int] = {}
        self._depth: Counter[tuple[str, int]] = Counter()
        self._now: int | None = None
        self._table = Table(path)
        self._unknown: Counter[int] = Counter()
        self._lost, self._untimed, self._simulated = 0, 0, 0

    def take(self, said: CanFrame | Message, time: int | None) -> None:
        try:
            if isinstance(said, CanFrame) and answered_by(said):
                self._put(self._answers.take(said), [], said.identifier & 0xFF, self._clock.at(time))
                return
            message = self._messages.take(said) if isinstance(said, CanFrame) else said
        except FrameError:
            self._lost += 1
            return
        if message is None:
            return
        content = decode_message(message, self._known)
        if content is None:
            self._unknown[message.pgn] += 1
            return
        self._clock.hear(content)
        if content.mode == "simulator":
            self._simulated += 1
            return
        self._put(content.readings, content.aside, message.source, self._clock.at(time))

    def _put(self, readings: list[CanReading], aside: list[CanReading], source: int, time: int | None) -> None:
        if time is None:
            self._untimed += len(readings)
            return
        if time != self._now:
            self._now = time
            self._depth.clear()
        for index, reading in enumerate((*readings, *aside)):
            if isinstance(reading.value, str):
                continue
            key = (reading.key, source)
            cells = self._cells.get(key)
            if cells is None:
                cells = self._cells[key] = _Cells(reading, index >= len(readings))
            depth = self._depth[key]
            self._depth[key] += 1
            place = (time, depth)
            row = self._row_of.get(place)
            if row is None:
                row = self._row_of[place] = len(self._table.times)
                self._table.times.append(time)
            cells.rows.append(row)
            cells.values.append(np.nan if reading.value is None else reading.value)
            if reading.mark is not None and reading.mark != NOT_AVAILABLE:
                cells.marks[row] = reading.mark

    def table(self) -> Table:
        table = self._table
        # A part that an instrument lacks is sent as not available for ever: that makes no column.
        kept = {key: cells for key, cells in self._cells.items() if not np.all(np.isnan(cells.values)) or cells.marks}
        table.check(len(kept))
        talkers = Counter(key for key, _ in kept)
        for (key, source), cells in kept.items():
            name = f"{key}@{source}" if talkers[key] > 1 else key
            values = np.full(len(table.times), np.nan)
            values[cells.rows] = cells.values
            if cells.aside:
                table.aside[name] = pa.array(values, from_pandas=True)
                continue
            table.columns[name] = _column(name, cells.reading, values)
            if cells.marks:
                words: list[str | None] = [None] * len(values)
                for row, mark in cells.marks.items():
                    words[row] = mark
                table.aside[f"{name}_code"] = pa.array(words, pa.string())
                table.qualifies[f"{name}_code"] = name
        self._say(talkers)
        return table

    def _say(self, talkers: Counter[str]) -> None:
        notes = self._table.notes
        if self._table.times:
            notes.append(
                "no database is named: 29-bit identifiers are read as NMEA 2000 and J1939, 7E8 to 7EF as OBD-II"
            )
        if self._unknown:
            often = ", ".join(str(pgn) for pgn, _ in self._unknown.most_common(6))
            notes.append(f"{sum(self._unknown.values())} messages of groups not in the tables are left out: {often}")
        if self._lost:
            notes.append(f"{self._lost} frames of long messages or refusals are left out")
        if self._untimed:
            notes.append(f"{self._untimed} values before the first clock of the bus have no time and are left out")
        if self._simulated:
            notes.append(f"{self._simulated} messages whose sender says that it simulates are left out")
        several = sorted(key for key, count in talkers.items() if count > 1)
        if several:
            notes.append(f"several senders tell {several[0]}: columns bear their addresses behind @")


def by_database(capture: Capture, database: CanDatabase, path: Path, *, start: int) -> Table:
    """Return the signals that a database sees in a capture; a row is a frame that it knows.

    Raises
    ------
    ReadError
        If it knows none, or the table would not fit into memory.
    """
    table = Table(path)
    frames: dict[int, tuple[DbcMessage, list[int], list[bytes]]] = {}
    strangers: Counter[int] = Counter()
    for said, time in capture.said:
        if not isinstance(said, CanFrame) or time is None or said.remote or said.error:
            continue
        message = database.message_of(said.identifier, extended=said.extended)
        if message is None:
            strangers[said.identifier] += 1
            continue
        _, rows, data = frames.setdefault(id(message), (message, [], []))
        rows.append(len(table.times))
        data.append(said.data)
        table.times.append(time + start)
    if not table.times:
        raise ReadError(f"the database knows none of its {len(strangers)} identifiers", path=path, format="can_capture")
    table.check(sum(len(message.signals) for message, _, _ in frames.values()))
    for message, rows, data in frames.values():
        _signals(table, message, np.array(rows), data)
    if strangers:
        often = ", ".join(f"{identifier:X}" for identifier, _ in strangers.most_common(6))
        table.notes.append(f"{sum(strangers.values())} frames are not in the database and left out: {often}")
    return table


def _signals(table: Table, message: DbcMessage, rows: NDArray[np.intp], data: list[bytes]) -> None:
    width = max((len(one) for one in data), default=0)
    matrix = np.frombuffer(b"".join(one.ljust(width, b"\0") for one in data), np.uint8).reshape(len(data), width)
    lengths = np.array([len(one) for one in data])
    for signal, column in message.columns(matrix, lengths):
        values = np.full(len(table.times), np.nan)
        values[rows] = column
        named = signal.name if signal.name in vocabulary() else None
        reading = CanReading(signal.key, signal.name, None, signal.unit, None, named)
        table.columns[signal.key] = _column(signal.key, reading, values)


def raw_bytes(capture: Capture, path: Path, *, start: int) -> Table:
    """Return the frames as they are: identifier, length and bytes.

    Raises
    ------
    ReadError
        If the table would not fit into memory.
    """
    frames = [(said, time) for said, time in capture.said if isinstance(said, CanFrame) and time is not None]
    table = Table(path, [time + start for _, time in frames])
    width = max((len(said.data) for said, _ in frames), default=0)
    table.check(width + 2)
    joined = b"".join(said.data.ljust(width, b"\0") for said, _ in frames)
    matrix = np.frombuffer(joined, np.uint8).reshape(len(frames), width).astype(np.float64)
    lengths = np.array([len(said.data) for said, _ in frames], np.float64)
    matrix[np.arange(width) >= lengths[:, None]] = np.nan
    told = {"identifier": np.array([said.identifier for said, _ in frames], np.float64), "length": lengths}
    told |= {f"byte_{at}": matrix[:, at] for at in range(width)}
    for name, values in told.items():
        table.columns[name] = RecordingColumn(name=name, values=values, unit="1", unit_from="file")
    table.aside["bus"] = pa.array([said.bus for said, _ in frames], pa.string())
    table.aside["frame"] = pa.array([str(said) for said, _ in frames], pa.string())
    table.notes.append("its frames are kept as bytes: no database is named (database=), and no standard group is in it")
    return table


def _column(name: str, reading: CanReading, values: NDArray[np.float64]) -> RecordingColumn:
    text = reading.unit or ""
    try:
        unit = canonical(_UNITS.get(text, text) or "1")
    except UnitError:
        unit = "1"
    item = vocabulary().get(reading.observed_property or "")
    key = item.key if item is not None and same_dimension(unit, item.unit) else None
    return RecordingColumn(
        name=name, values=values, unit=unit, unit_from="file" if text else "assumed", observed_property=key
    )
