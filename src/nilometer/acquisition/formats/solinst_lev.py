"""Solinst ``.lev``: sections of ``key =value``, then ``[Data]``, the number of rows, and the rows.

::

    [Instrument info]
      Serial number           =.. 0-1034598 2..
    [CHANNEL 1 from data header]
      Identification          =Level
      Unit                    =ft                    older loggers: only Reference =0.00      ft
    [Data]
     1467
    2010/08/05 10:10:40.0      0.2732      38.318

Dates in the header are day first, those of the rows are year first.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from nilometer.acquisition.formats import opening, solinst
from nilometer.acquisition.formats.naming import distinct
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read"]

_SECTION = re.compile(r"^\[(.*?)\]\s*$")
_ROW = re.compile(r"^\s*(\d{4}/\d{1,2}/\d{1,2}\s+\d{1,2}:\d{2}:\d{2}(?:\.\d+)?)\s+(\S.*)$")
_END = re.compile(r"^\s*END OF DATA", re.IGNORECASE)


@dataclass(slots=True)
class _Channel:
    name: str = ""
    unit: str = ""
    reference: str = ""


@dataclass(slots=True)
class _Log:
    told: dict[str, str] = field(default_factory=dict)
    channels: dict[int, _Channel] = field(default_factory=dict)
    times: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    expected: int | None = None
    lost: int = 0
    first_lost: int = 0


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a ``.lev`` file.

    Raises
    ------
    ReadError
        If there is no ``[Data]`` section, or no row in it.
    """
    data, encoding = opening.text_of(path)
    lines = data.decode("utf-8", "replace").split("\n")
    start = next((at for at, line in enumerate(lines) if re.match(r"\[data\]\s*$", line, re.IGNORECASE)), None)
    if start is None:
        raise ReadError("no [Data] section is in it", path=path, format=FORMAT.name)
    log = _Log()
    _take_header(log, lines[:start])
    _take_rows(log, lines[start + 1 :], start + 2)
    if not log.rows:
        raise ReadError("there is no row under [Data]", path=path, line=start + 1, format=FORMAT.name)
    width = max(len(row) for row in log.rows)
    channels = [log.channels.get(number, _Channel()) for number in range(1, width + 1)]
    names = distinct([channel.name or f"channel {at}" for at, channel in enumerate(channels, start=1)])
    columns = [[row[at] if at < len(row) else "" for row in log.rows] for at in range(width)]
    raw = RawTable(
        path=path,
        format=FORMAT.name,
        names=["time", *names],
        columns=[pa.array(log.times), *(pa.array(column) for column in columns)],
        unit_texts=["", *(channel.unit or channel.reference for channel in channels)],
        unit_source="file",
        metadata={"encoding": encoding, "stamps": "instant", **log.told},
        notes=[*solinst.level_note(names), *_counted(log)],
    )
    return recording_of(raw, wishes)


def _take_header(log: _Log, lines: Sequence[str]) -> None:
    channel: _Channel | None = None
    for line in lines:
        section = _SECTION.match(line)
        key, mark, text = line.partition("=")
        key, text = key.strip().casefold(), text.strip()
        if section:
            number = re.match(r"channel\s+(\d{1,2})\b", section[1], re.IGNORECASE)
            channel = log.channels.setdefault(int(number[1]), _Channel()) if number else None
        elif not mark or not text:
            continue
        elif channel is not None and key == "identification":
            channel.name = solinst.channel_name(text)
        elif channel is not None and key == "unit":
            channel.unit = text
        elif channel is not None and key == "reference":
            channel.reference = re.sub(r"^[-+\d.eE]+\s*", "", text)
        elif channel is None and key == "serial number":
            log.told["serial number"] = solinst.serial_number(text)
        elif channel is None and key == "instrument type":
            log.told["model"] = "Solinst " + text.partition("=")[0].strip()
        elif channel is None and key in {"location", "instrument number", "sample rate"}:
            log.told[{"location": "station", "instrument number": "project"}.get(key, key)] = text


def _take_rows(log: _Log, lines: Sequence[str], first_line: int) -> None:
    for at, line in enumerate(lines):
        row = _ROW.match(line.rstrip())
        if row:
            log.times.append(row[1])
            log.rows.append(row[2].split())
        elif _END.match(line):
            break
        elif not log.rows and line.strip().isdecimal():
            log.expected = int(line.strip()[:9])
        elif line.strip():
            log.lost, log.first_lost = log.lost + 1, log.first_lost or first_line + at


def _counted(log: _Log) -> list[str]:
    notes = []
    if log.lost:
        notes.append(f"{log.lost} lines are no rows and are left out, the first is line {log.first_lost}")
    if log.expected is not None and log.expected != len(log.rows):
        notes.append(f"the file says that it has {log.expected} rows, and has {len(log.rows)}")
    return notes


def _sniff(_path: Path, head: bytes) -> float:
    text = head[:65536].decode("latin-1")
    if re.search(r"^\[data\]\s*$", text, re.IGNORECASE | re.MULTILINE) and re.search(
        r"^\[instrument info", text, re.IGNORECASE | re.MULTILINE
    ):
        return 0.97
    return 0.0


FORMAT = FormatInfo(name="solinst_lev", title="Solinst Levelogger (.lev)", suffixes=(".lev",), sniff=_sniff, read=read)
