"""MacroCTD (EMS) logs: sections that begin with ``@``; ``@AVERAGES`` holds the rows.

::

    @INSTRUMENT "MacroCTDs", "V0002-…", 602, 05/18/04
     06/27/06, 11:44:20, 815,10647,602,…                 serial number, the fourth
    +1,"Tmp",85,"1",…                                    + a channel that is logged, its name
    @DEPLOYMENT "KLake006 aug"
    @AVERAGES
    08/08/06,10:30,11.9,30.8,17.505,15.54                month/day/year, then the logged channels

A row is a mean over the minutes before or after its stamp: which, the file does not say.
"""

from __future__ import annotations

import csv as reader
import re
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from nilometer.acquisition.formats import opening
from nilometer.acquisition.formats.naming import distinct
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read"]

# What the channels are called; the units are those that the values of a real log have, no header tells them.
_CHANNELS = {
    "bat": ("Battery", "V"),
    "tmp": ("Temperature", "degC"),
    "cnd": ("Conductivity", "mS/cm"),
    "prs": ("Pressure", ""),
}
_ROW = re.compile(r"^\s*\d{2}/\d{2}/\d{2},\d{2}:\d{2}(:\d{2})?,")


@dataclass(slots=True)
class _Log:
    section: str = ""
    channels: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    told: dict[str, str] = field(default_factory=dict)
    broken: int = 0


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a MacroCTD log.

    Raises
    ------
    ReadError
        If there is no ``@AVERAGES`` section with rows.
    """
    data, encoding = opening.text_of(path)
    log = _Log(told={"encoding": encoding, "model": "MacroCTD", "stamps": "interval (mean), which end is not told"})
    for line in data.decode("utf-8", "replace").split("\n"):
        _take(log, line.strip())
    if not log.rows:
        raise ReadError("there is no row under @AVERAGES", path=path, format=FORMAT.name)
    width = max(len(row) for row in log.rows)
    channels = (log.channels + [f"channel {at}" for at in range(len(log.channels) + 1, width)])[: width - 2]
    told = [_CHANNELS.get(channel.casefold(), (channel, "")) for channel in channels]
    names = distinct([name for name, _ in told])
    notes = ["units are not in the file: those of its maker's default setting are taken"]
    if log.broken:
        notes.append(f"{log.broken} lines under @AVERAGES are no rows and are left out")
    columns = [[row[at] if at < len(row) else "" for row in log.rows] for at in range(2, width)]
    raw = RawTable(
        path=path,
        format=FORMAT.name,
        names=["date", "time", *names],
        columns=[
            pa.array([row[0].strip() for row in log.rows]),
            pa.array([row[1].strip() for row in log.rows]),
            *(pa.array(column) for column in columns),
        ],
        # The order of the date, as the header's own dates have it.
        unit_texts=["mm/dd/yy", "", *(unit for _, unit in told)],
        unit_source="layout",
        metadata=log.told,
        notes=notes,
        statistics=dict.fromkeys(names, "mean"),
        called={name: "·" for name in names if name.startswith("Pressure")},
    )
    return recording_of(raw, wishes)


def _take(log: _Log, line: str) -> None:
    if line.startswith("@"):
        log.section = line.split(maxsplit=1)[0]
        quoted = re.findall(r'"([^"]*)"', line)
        if log.section == "@DEPLOYMENT" and quoted:
            log.told["station"] = quoted[0]
        return
    if log.section == "@AVERAGES" and line:
        if _ROW.match(line):
            log.rows.append([cell.strip() for cell in line.split(",")])
        else:
            log.broken += 1
    elif log.section == "@INSTRUMENT":
        try:
            cells = next(reader.reader([line]), [])
        except reader.Error:
            return
        channel = re.match(r"^\+\d+$", cells[0].strip()) if cells else None
        if channel and len(cells) > 1:
            log.channels.append(cells[1].strip())
        elif len(cells) > 4 and re.match(r"\d{2}/\d{2}/\d{2}$", cells[0].strip()):
            log.told.setdefault("serial number", cells[3].strip())


def _sniff(_path: Path, head: bytes) -> float:
    return 0.96 if head.startswith(b"@INSTRUMENT") else 0.0


FORMAT = FormatInfo(name="macroctd", title="MacroCTD logs", suffixes=(".csv", ".txt"), sniff=_sniff, read=read)
