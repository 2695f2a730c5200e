"""A file of a watched folder as raw rows: which column is which channel, of which device, in which order."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nilometer.acquisition.driver import Channel, RawBatch
from nilometer.acquisition.formats.reading import read
from nilometer.acquisition.formats.recording import Recording, RecordingColumn
from nilometer.acquisition.rows import ChannelTable
from nilometer.errors import ReadError

__all__ = ["DeviceFrom", "Reading", "batches", "device_of", "read_whole_lines"]

DeviceFrom = Literal["none", "station", "serial", "folder", "file"]
MOST_ROWS = 4000
_TAIL = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How files are read: the options of `nilometer read`."""

    format: str | None = None
    time: str | tuple[str, ...] | None = None
    time_zone: str | None = None
    day_first: bool | None = None
    columns: tuple[str, ...] | None = None
    missing: tuple[str, ...] = ()
    date: str | None = None

    def read(self, path: Path) -> Recording:
        """Return what a file holds; see `nilometer.acquisition.formats.reading.read` for what it raises."""
        return read(
            path,
            self.format,
            time=self.time,
            time_zone=self.time_zone,
            day_first=self.day_first,
            columns=self.columns,
            missing=self.missing,
            date=self.date,
        )


def read_whole_lines(path: Path, reading: Reading) -> Recording:
    """Return what a file that still grows holds, without the line that is being written.

    Raises
    ------
    ReadError
        If it has no whole line yet, or cannot be read.
    """
    size = _whole_lines(path)
    if size is None:
        return reading.read(path)
    if size == 0:
        raise ReadError("no whole line yet", path=path)
    with tempfile.TemporaryDirectory() as folder:
        # Under its own name, by which some formats know their files.
        copy = Path(folder) / path.name
        with path.open("rb") as source, copy.open("wb") as target:
            shutil.copyfileobj(_Head(source, size), target)
        return reading.read(copy)


class _Head:
    """The first bytes of a file, as something to copy from."""

    def __init__(self, file: Any, size: int) -> None:  # noqa: ANN401
        self._file, self._left = file, size

    def read(self, most: int = -1) -> bytes:
        data: bytes = self._file.read(self._left if most < 0 else min(most, self._left))
        self._left -= len(data)
        return data


def _whole_lines(path: Path) -> int | None:
    """Return how many bytes end with a line's end; None where the file does so itself, or is no text."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(max(0, size - _TAIL))
        tail = file.read(_TAIL)
    if not tail or tail.endswith((b"\n", b"\r")) or b"\0" in tail:
        return None
    return size - len(tail) + max(tail.rfind(b"\n"), tail.rfind(b"\r")) + 1


def device_of(recording: Recording, path: Path, source: DeviceFrom) -> str:
    """Return the name of the device that a file is of; "" for none."""
    match source:
        case "station":
            name = recording.metadata.get("station", "")
        case "serial":
            name = recording.metadata.get("serial number", "")
        case "folder":
            name = path.parent.name
        case "file":
            name = path.name.split(".", 1)[0]
        case _:
            return ""
    return re.sub(r"[^\w.\-]+", "_", name).strip("_")[:100]


def batches(
    recording: Recording, table: ChannelTable, device: str, resolution_us: int, most: int = MOST_ROWS
) -> Iterator[RawBatch]:
    """Give the rows of a recording that have a value or a mark, in the order of their times.

    Parameters
    ----------
    recording : Recording
        As read.
    table : ChannelTable
        The source's channels; new columns are added.
    device : str
        Stands before the column's name in a channel's key; "": nothing does.
    resolution_us : int
        Times are rounded to it, µs.
    most : int
        Rows of a batch.
    """
    made = (_column(recording, name, column, table, device) for name, column in recording.columns.items())
    parts = [part for part in made if part is not None]
    if not parts:
        return
    times = np.concatenate([recording.times[part.rows] for part in parts])
    order = np.argsort(times, kind="stable")
    times = (times + resolution_us // 2) // resolution_us * resolution_us
    channel = np.concatenate([np.full(len(part.rows), part.channel, np.int32) for part in parts])
    values = np.concatenate([part.values for part in parts])
    censored = np.concatenate([part.censored for part in parts])
    marks = np.concatenate([part.marks for part in parts])
    for first in range(0, len(order), most):
        rows = order[first : first + most]
        yield RawBatch(
            channels=table.channels,
            channel=channel[rows],
            phenomenon_time=times[rows],
            raw_result=values[rows],
            censored=censored[rows],
            mark=marks[rows].tolist(),
        )


@dataclass(frozen=True, slots=True)
class _Part:
    channel: int
    rows: NDArray[np.intp]
    values: NDArray[np.float64]
    censored: NDArray[np.int8]
    marks: NDArray[np.object_]


def _column(recording: Recording, name: str, column: RecordingColumn, table: ChannelTable, device: str) -> _Part | None:
    key = f"{device}/{name}" if device else name
    if key not in table and table.is_full:
        return None
    unit = None if column.unit_from == "assumed" else column.unit
    index = table.index(key, lambda: Channel(key, column.observed_property, unit, name))
    marks = _marks(recording, name)
    is_there = np.isfinite(column.values) | np.array([mark is not None for mark in marks], bool)
    # A time that the file could not say is the smallest number there is: no row has it.
    rows = np.flatnonzero(is_there & (recording.times != np.iinfo(np.int64).min))
    values = np.where(np.isfinite(column.values), column.values, np.nan)
    censored = np.zeros(len(recording), np.int8) if column.censored is None else column.censored
    return _Part(index, rows, values[rows], censored[rows], marks[rows])


def _marks(recording: Recording, name: str) -> NDArray[np.object_]:
    """Return what the file says of each value of a column, verbatim; several words joined by a blank."""
    marks = np.full(len(recording), None, object)
    for beside, owner in recording.qualifies.items():
        if owner != name:
            continue
        for row, word in enumerate(recording.aside[beside].to_pylist()):
            text = "" if word is None else str(word).strip()
            if text:
                marks[row] = text if marks[row] is None else f"{marks[row]} {text}"
    return marks
