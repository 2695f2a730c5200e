"""YSI EXO: what the Kor software exports, as CSV (UTF-16, ``sep=,``) or as a workbook.

Above the table stand the site, the sonde and the sensors; Kor 2 has a row of means, of standard deviations and of the
sensors' serial numbers over the columns. A sample is an instant, in the zone that Kor ran in unless the header names
one.
"""

from __future__ import annotations

import re
from pathlib import Path

from nilometer.acquisition.formats import opening
from nilometer.acquisition.formats.csv import raw_table_of
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "describe", "is_exo", "read"]

_MARKS = re.compile(
    r"KorEXO MEASUREMENT DATA|KOR (Export|Measurement) (Data )?File|Kor Measurement File", re.IGNORECASE
)
_DEVICE = re.compile(r"^\W*(?P<name>[A-Za-z][^,;\t]*?)\W*[,;\t]\W*(?P<serial>\d{2}[A-L]\d{6})\b")
_SONDE = re.compile(r"\b(\d{2}[A-L]\d{6})\b")


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a CSV export of Kor.

    Raises
    ------
    ReadError
        If it is no text, or has no table of times.
    """
    raw = raw_table_of(path, FORMAT.name)
    describe(raw)
    return recording_of(raw, wishes)


def is_exo(text: str) -> bool:
    """Say whether the first lines of a text are an export of Kor.

    Examples
    --------
    >>> is_exo("KorEXO MEASUREMENT DATA FILE EXPORT"), is_exo("Date,Time,Temp")
    (True, False)
    """
    return bool(_MARKS.search(text))


def describe(raw: RawTable) -> None:
    """Put down what stands above the table, in place."""
    raw.metadata |= {"stamps": "instant", "model": "YSI EXO"}
    raw.called = {name: "absolute_pressure" for name in raw.names if re.match(r"Pressure psi ?a", name)}
    if raw.unit_texts is None:
        # Kor ends every name with its unit; of one letter, only here is it sure.
        raw.unit_texts = [name.rpartition(" ")[2] if name.endswith((" V", " m")) else "" for name in raw.names]
        raw.unit_source = "name"
    sensors: dict[str, str] = {}
    for line in (line[:2000] for line in raw.preamble):
        device = _DEVICE.match(line)
        if "SERIAL NUMBER" in line.upper() and "," in line:
            _beside(raw, line, sensors)
        elif re.match(r"\W*Sonde ID\b", line, re.IGNORECASE):
            serial = _SONDE.search(line)
            if serial:
                raw.metadata["serial number"] = serial[1]
        elif device:
            sensors[device["name"]] = device["serial"]
            if "sonde" in device["name"].casefold():
                raw.metadata |= {"model": f"YSI {device['name']}", "serial number": device["serial"]}
    if sensors:
        raw.metadata["sensor serial numbers"] = "; ".join(f"{name} {serial}" for name, serial in sensors.items())


def _beside(raw: RawTable, line: str, sensors: dict[str, str]) -> None:
    """Take the row whose cells are the serial numbers of the columns' sensors."""
    cells = [cell.strip(' "') for cell in re.split(r"[,;\t]", line)]
    sensors |= {name: cell for name, cell in zip(raw.names, cells, strict=False) if _SONDE.fullmatch(cell)}


def _sniff(path: Path, head: bytes) -> float:
    try:
        data, _ = opening.as_utf8(head, path)
    except ReadError:
        return 0.0
    return 0.95 if is_exo(data[:2048].decode("utf-8", "replace")) else 0.0


FORMAT = FormatInfo(name="exo", title="YSI EXO (Kor CSV)", suffixes=(".csv", ".txt"), sniff=_sniff, read=read)
