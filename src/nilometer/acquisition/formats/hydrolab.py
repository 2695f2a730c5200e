"""Hydrolab DataSonde captures: what the sonde prints when its log is dumped to a terminal.

::

      Time    Temp  SpCond   Salin      DO   Depth   Batt
    HHMMSS   deg C   mS/cm     ppt    mg/l    feet  volts

    Date (MMDDYY) : 111703
    120000   25.74    1.59     0.8    8.54     4.3   14.7&

Header and date come again on every page. ``##.##`` is no value; a mark such as ``&`` behind a row stands aside.
A capture that was begun anew has rows twice: the second is left out.
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

__all__ = ["FORMAT", "read"]

_DATE = re.compile(r"^Date \(MMDDYY\)\s*:\s*(\d{6})\s*$")
_KEY = re.compile(r"^(Log File Name|Setup Date \(MMDDYY\)|Setup Time \(HHMMSS\)|Interval \(HHMMSS\))\s*:\s*(\S.*)$")
_ROW = re.compile(r"^(\d{6})((?:\s+(?:[-+]?[\d.]+|#+(?:\.#+)?)[&*@$~?]?)+)\s*([&*@$~?]?)\s*$")
_EVENT = re.compile(r"^(Power loss|Late probe|Recovery finished|\d{6}\$ ERROR)")
_MODEL = re.compile(r"Hydrolab ((?:Data|Mini|Multi|Quanta)\w*(?: \d\w*)?)")
# Units as the sonde prints them, where they are not those of the field.
_UNITS = {"units": "1", "% sat": "%"}


@dataclass(slots=True)
class _Log:
    names: list[str] = field(default_factory=list)
    units: list[str] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    marks: list[str] = field(default_factory=list)
    seen: set[tuple[str, ...]] = field(default_factory=set)
    told: dict[str, str] = field(default_factory=dict)
    date: str = ""
    twice: int = 0
    events: int = 0
    broken: int = 0
    first_broken: int = 0


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a capture of a Hydrolab log.

    Raises
    ------
    ReadError
        If there is no header of columns, or no row under a date.
    """
    data, encoding = opening.text_of(path)
    lines = data.decode("utf-8", "replace").split("\n")
    log = _Log(told={"encoding": encoding, "stamps": "instant", "model": "Hydrolab"})
    for at, line in enumerate(lines):
        _take(log, lines, at, line.strip())
    if not log.names:
        raise ReadError("no line 'Time …' above 'HHMMSS …' heads a table", path=path, format=FORMAT.name)
    if not log.rows:
        raise ReadError("there is no row under a line 'Date (MMDDYY)'", path=path, format=FORMAT.name)
    columns = [[row[at] if "#" not in row[at] else "" for row in log.rows] for at in range(len(log.names))]
    raw = RawTable(
        path=path,
        format=FORMAT.name,
        names=["time", *distinct(log.names), "mark"],
        columns=[pa.array(log.times), *(pa.array(column) for column in columns), pa.array(log.marks)],
        unit_texts=["", *(_UNITS.get(unit.casefold(), unit) for unit in log.units), ""],
        unit_source="units row",
        metadata=log.told,
        notes=_notes(log),
        beside=["mark"],
    )
    return recording_of(raw, wishes)


def _take(log: _Log, lines: Sequence[str], at: int, line: str) -> None:
    date, key, row = _DATE.match(line), _KEY.match(line), _ROW.match(line)
    below = lines[at + 1] if at + 1 < len(lines) else ""
    if date:
        log.date = date[1]
    elif key:
        log.told.setdefault(re.sub(r" \(.*", "", key[1]).casefold(), key[2])
    elif re.match(r"^Time\s+\S", line) and below.strip().startswith("HHMMSS"):
        if not log.names:
            log.names, log.units = _header(lines[at].rstrip("\r"), below.rstrip("\r"))
    elif row and log.date and log.names:
        _take_row(log, row, at)
    elif _EVENT.match(line):
        log.events += 1
    elif _MODEL.search(line):
        log.told["model"] = "Hydrolab " + str(_MODEL.findall(line)[0])
    elif re.match(r"^\d{6}\s", line) and log.names:
        log.broken, log.first_broken = log.broken + 1, log.first_broken or at + 1


def _take_row(log: _Log, row: re.Match[str], at: int) -> None:
    cells = [cell.rstrip("&*@$~?") for cell in row[2].split()]
    marks = "".join(re.findall(r"[&*@$~?]", row[2])) + row[3]
    if len(cells) != len(log.names):
        log.broken, log.first_broken = log.broken + 1, log.first_broken or at + 1
        return
    day, clock = log.date, row[1]
    year = int(day[4:]) + (2000 if int(day[4:]) < 69 else 1900)
    stamp = f"{year}-{day[:2]}-{day[2:4]} {clock[:2]}:{clock[2:4]}:{clock[4:]}"
    whole = (stamp, *cells)
    if whole in log.seen:
        log.twice += 1
        return
    log.seen.add(whole)
    log.times.append(stamp)
    log.rows.append(cells)
    log.marks.append(marks)


def _header(names: str, units: str) -> tuple[list[str], list[str]]:
    """Cut the units under their names: columns end where names end."""
    ends = [(match[0], match.end()) for match in re.finditer(r"\S+", names)]
    cut: list[str] = []
    before = 0
    for place, (_, end) in enumerate(ends):
        stop = end if place + 1 < len(ends) else len(units)
        cut.append(units[before:stop].strip())
        before = stop
    return [name for name, _ in ends[1:]], cut[1:]


def _notes(log: _Log) -> list[str]:
    notes = []
    if log.events:
        notes.append(f"{log.events} lines tell of lost power, late probes or an error: no values")
    if log.twice:
        notes.append(f"{log.twice} rows stand twice: the capture was begun anew; the second is left out")
    if log.broken:
        notes.append(
            f"{log.broken} row{'s are' if log.broken > 1 else ' is'} broken and left out, "
            f"the first is line {log.first_broken}"
        )
    return notes


def _sniff(_path: Path, head: bytes) -> float:
    text = head.decode("latin-1")
    if re.search(r"^Date \(MMDDYY\)\s*:\s*\d{6}", text, re.MULTILINE) and re.search(
        r"^\s*HHMMSS\s+\S", text, re.MULTILINE
    ):
        return 0.96
    return 0.0


FORMAT = FormatInfo(
    name="hydrolab", title="Hydrolab DataSonde captures", suffixes=(".txt", ".log"), sniff=_sniff, read=read
)
