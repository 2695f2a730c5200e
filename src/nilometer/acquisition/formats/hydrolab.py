"""Hydrolab DataSonde captures: what the sonde prints when its log is dumped to a terminal.

::

      Time    Temp  SpCond   Salin      DO   Depth   Batt
    HHMMSS   deg C   mS/cm     ppt    mg/l    feet  volts

    Date (MMDDYY) : 111703
    120000   25.74    1.59     0.8    8.54     4.3   14.7&

Header and date come again on every page. ``##.##``, ``-##.##`` and ``N/A`` are no values; a mark such as ``&`` behind a
value or ``$`` behind the time stands aside. A capture that was begun anew has rows twice: the second is left out.
Copied through a spreadsheet, a capture has tabs, date and time in every row, and lost its leading zeros.
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
_CELL = r"(?:[-+]?[\d.]+|[-+]?#+(?:\.#+)?|N/A)[&*@$~?]?"
_ROW = re.compile(rf"^(\d{{6}})(\$?)((?:\s+{_CELL})+)\s*([&*@$~?]?)\s*$")
_DATED_ROW = re.compile(rf"^(\d{{5,6}})\t(\d{{1,6}})(\$?)((?:\s+(?:{_CELL}|[&*@$~?]))+)\s*()$")
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
    columns = [[row[at] if _is_said(row[at]) else "" for row in log.rows] for at in range(len(log.names))]
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
    if not _take_values(log, line, at) and not _take_header(log, lines, at, line):
        if _EVENT.match(line):
            log.events += 1
        elif _MODEL.search(line):
            log.told["model"] = "Hydrolab " + str(_MODEL.findall(line)[0])
        elif re.match(r"^\d{6}\s", line) and log.names:
            log.broken, log.first_broken = log.broken + 1, log.first_broken or at + 1


def _take_values(log: _Log, line: str, at: int) -> bool:
    row, dated = _ROW.match(line), _DATED_ROW.match(line)
    if not log.names:
        return False
    if row and log.date:
        _take_row(log, log.date, row[1], row[2] + row[3] + row[4], at)
    elif dated:
        _take_row(log, dated[1].zfill(6), dated[2].zfill(6), dated[3] + dated[4], at)
    return bool((row and log.date) or dated)


def _take_header(log: _Log, lines: Sequence[str], at: int, line: str) -> bool:
    date, key = _DATE.match(line), _KEY.match(line)
    below = lines[at + 1].rstrip("\r") if at + 1 < len(lines) else ""
    paged = re.match(r"^Time\s+\S", line) and below.strip().startswith("HHMMSS")
    dated = re.match(r"^Date\s+Time\s+\S", line) and re.match(r"^\s*MMDDYY\s+HHMMSS", below)
    if date:
        log.date = date[1]
    elif key:
        log.told.setdefault(re.sub(r" \(.*", "", key[1]).casefold(), key[2])
    elif (paged or dated) and not log.names:
        log.names, log.units = _header(lines[at].rstrip("\r"), below) if paged else _split_header(line, below.strip())
    return bool(date or key or paged or dated)


def _is_said(cell: str) -> bool:
    return "#" not in cell and cell != "N/A"


def _take_row(log: _Log, day: str, clock: str, text: str, at: int) -> None:
    cells = [cell for cell in (word.rstrip("&*@$~?") for word in text.split()) if cell]
    marks = "".join(re.findall(r"[&*@$~?]", text))
    if len(cells) != len(log.names):
        log.broken, log.first_broken = log.broken + 1, log.first_broken or at + 1
        return
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


def _split_header(names: str, units: str) -> tuple[list[str], list[str]]:
    """Part names and units at their tabs; date and time come first."""
    heads, below = ([cell.strip() for cell in re.split(r"\t+", line)] for line in (names, units))
    return heads[2:], (below + [""] * len(heads))[2 : len(heads)]


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
    paged = re.search(r"^Date \(MMDDYY\)\s*:\s*\d{6}", text, re.MULTILINE) and re.search(
        r"^\s*HHMMSS\s+\S", text, re.MULTILINE
    )
    dated = re.search(r"^Log File Name\s*:", text, re.MULTILINE) and re.search(
        r"^MMDDYY\t+HHMMSS\t", text, re.MULTILINE
    )
    return 0.96 if paged or dated else 0.0


FORMAT = FormatInfo(
    name="hydrolab", title="Hydrolab DataSonde captures", suffixes=(".txt", ".log"), sniff=_sniff, read=read
)
