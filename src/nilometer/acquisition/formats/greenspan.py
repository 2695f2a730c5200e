"""Greenspan loggers' tagged text: ``C`` lines are channels, ``#`` lines name them, ``T`` is a time, ``D`` a value.

::

    # C2_ deg_C_____ Temperature_
    T20070524220000
    D1 +0008.84
    D2 +0021.21

Smart sondes tag otherwise: ``#N`` lines are name and unit, ``#C`` is the time of what follows, ``T`` says nothing. ::

    #N4__ Temperature___ Celsius_____
    #C20081027121500
    T20001111111111
    D4 +18.71

The CSV that Greenspan's converter writes is read by its own module.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from nilometer.acquisition.formats import opening
from nilometer.acquisition.formats.naming import distinct
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "called", "named", "read", "table_of"]

_TIME = re.compile(r"^(T|#C)(\d{14})\s*$")
_VALUE = re.compile(r"^D(\d{1,2})\s+([-+]?[\d.]+(?:[eE][-+]?\d+)?)\s*$")
_NAME = re.compile(r"^#\s+C(\d{1,2})_*\s+(\S+)\s+(\S+)\s*$")
_SONDE_NAME = re.compile(r"^#N(\d{1,2})_*\s+(\S+)\s+(\S+)\s*$")
_SERIAL = re.compile(r"\b(?:SN|serial\s*#)\s*0*(\d{4,})\b")


@dataclass(slots=True)
class _Log:
    names: dict[int, tuple[str, str]] = field(default_factory=dict)
    times: list[str] = field(default_factory=list)
    cells: dict[int, dict[int, str]] = field(default_factory=dict)
    serial: str = ""
    rain: int = 0
    sonde: bool = False


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a tagged log of a Greenspan logger.

    Raises
    ------
    ReadError
        If there is no value under a time.
    """
    return recording_of(table_of(*opening.text_of(path), path), wishes)


def table_of(data: bytes, encoding: str, path: Path) -> RawTable:
    """Return the table that a tagged log makes.

    Raises
    ------
    ReadError
        If there is no value under a time.
    """
    log = _Log()
    for line in data.decode("utf-8", "replace").split("\n"):
        _take(log, line.rstrip("\r"))
    if not log.cells:
        raise ReadError("there is no line 'D1 …' under a line 'T…'", path=path, format=FORMAT.name)
    channels = sorted(log.cells)
    rows = sorted({row for cells in log.cells.values() for row in cells})
    told = [log.names.get(channel, (f"C{channel}", "")) for channel in channels]
    names = distinct([name for name, _ in told])
    units = [unit for _, unit in told]
    return RawTable(
        path=path,
        format=FORMAT.name,
        names=["time", *names],
        columns=[
            pa.array([log.times[row] for row in rows]),
            *(pa.array([log.cells[channel].get(row, "") for row in rows]) for channel in channels),
        ],
        unit_texts=["", *units],
        unit_source="file",
        called=called(names, units),
        metadata={"encoding": encoding, "stamps": "instant (not told by the file)", "model": "Greenspan"}
        | ({"serial number": log.serial} if log.serial else {}),
        notes=[f"{log.rain} records of channel 0 (the rain gauge's counts) are left out"] if log.rain else [],
    )


def named(name: str, unit: str) -> tuple[str, str]:
    """Return name and unit of a channel without what fills them up to a width.

    Examples
    --------
    >>> named("DO__________", "ppm_______")
    ('DO', 'mg/L')
    """
    unit = unit.strip("_() ")
    # What a Greenspan writes as ppm is oxygen in water: mg/L.
    return name.strip("_ "), {"ppm": "mg/L", "deg_C": "degC"}.get(unit, unit)


def called(names: Sequence[str], units: Sequence[str]) -> dict[str, str]:
    """Return what a column is called where its name tells another thing: a pressure in metres is the sensor's depth."""
    lengths = {"metres", "meters", "m", "ft", "feet"}
    return {
        name: "sensor_depth"
        for name, unit in zip(names, units, strict=True)
        if name == "Pressure" and unit.casefold() in lengths
    }


def _take(log: _Log, line: str) -> None:
    time, value, serial = _TIME.match(line), _VALUE.match(line), _SERIAL.search(line)
    name, sonde_name = _NAME.match(line), _SONDE_NAME.match(line)
    if time:
        log.sonde |= time[1] == "#C"
        if log.sonde and time[1] == "T":
            return
        digits = time[2]
        day, clock = f"{digits[:4]}-{digits[4:6]}-{digits[6:8]}", f"{digits[8:10]}:{digits[10:12]}:{digits[12:]}"
        log.times.append(f"{day} {clock}")
    elif value and log.times:
        log.cells.setdefault(int(value[1]), {})[len(log.times) - 1] = value[2]
    elif re.match(r"^D0\s", line):
        log.rain += 1
    elif name:
        log.names[int(name[1])] = named(name[3], name[2])
    elif sonde_name:
        log.names[int(sonde_name[1])] = named(sonde_name[2], sonde_name[3])
    elif serial and not log.serial:
        log.serial = serial[1]


def _sniff(_path: Path, head: bytes) -> float:
    text = head.decode("latin-1")
    is_tagged = re.search(r"^T\d{14}\r?\n+D\d", text, re.MULTILINE)
    return 0.95 if is_tagged else 0.0


FORMAT = FormatInfo(name="greenspan", title="Greenspan tagged text", suffixes=(".txt",), sniff=_sniff, read=read)
