"""Campbell Scientific TOA5: comma-separated text under four lines of environment, names, units and processing.

::

    "TOA5","station","CR1000","serial","system","program","signature","table"
    "TIMESTAMP","RECORD","WaterT_Avg"
    "TS","RN","Deg C"
    "","","Avg"
    "2014-04-11 00:15:00",0,17.2

LoggerNet manual, appendix B. TOACI1, its elder, has a line of three cells and one of names.
"""

from __future__ import annotations

import csv as reader
from pathlib import Path

from nilometer.acquisition.formats import campbell, opening
from nilometer.acquisition.formats.csv import raw_table
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read"]


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a TOA5 or TOACI1 file.

    Raises
    ------
    ReadError
        If it has not the header of one, or no rows.
    """
    data, encoding = opening.text_of(path)
    lines = [line.decode("utf-8", "replace") for line in data.split(b"\n", 5)[:4]]
    header = [_cells(line) for line in lines]
    kind = header[0][0] if header[0] else ""
    if kind not in {"TOA5", "TOACI1"} or len(header) < (4 if kind == "TOA5" else 2):
        raise ReadError('the first line is not "TOA5",…', path=path, line=1, format=FORMAT.name)
    raw = raw_table(data, path, FORMAT.name, encoding)
    if kind == "TOA5":
        environment = campbell.environment_of(header[0])
        raw.statistics = campbell.statistics(raw.names, header[3])
    else:
        station, table = ([*header[0][1:], "", ""])[:2]
        environment = campbell.Environment(kind=kind, station=station, table=table)
    raw.called = campbell.called(raw.names, raw.statistics)
    raw.preamble = ()
    raw.metadata |= environment.metadata()
    if raw.statistics:
        raw.metadata["stamps"] = campbell.stamps(raw.statistics)
    return recording_of(raw, wishes)


def _cells(line: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(reader.reader([line]), [])]
    except reader.Error:
        return []


def _sniff(_path: Path, head: bytes) -> float:
    start = head[:40].removeprefix(b"\xef\xbb\xbf")
    return 1.0 if start.startswith((b'"TOA5",', b"TOA5,", b'"TOACI1",', b"TOACI1,")) else 0.0


FORMAT = FormatInfo(
    name="toa5",
    title="Campbell Scientific TOA5 and TOACI1",
    suffixes=(".dat", ".toa5", ".csv"),
    sniff=_sniff,
    read=read,
)
