"""NOAA NDBC buoys: standard meteorological data and wave spectra, in columns of blanks, in UTC.

::

    #YY  MM DD hh mm WDIR WSPD GST  WVHT   DPD …       since 2007; before, no # and no row of units
    #yr  mo dy hr mn degT m/s  m/s     m   sec …
    2019 08 01 00 00 231  1.6 99.0 99.00 99.00 …

No value is 99, 999 or 9999 by column, or ``MM`` (https://www.ndbc.noaa.gov/faq/measdes.shtml). Spectra have frequencies
in Hz for names and are densities in m2/Hz.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from nilometer.acquisition.formats import opening
from nilometer.acquisition.formats.naming import distinct
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read"]

_HEAD = re.compile(r"^#?(YY|YYYY)\s+MM\s+DD\s+hh\b")
# Unit and the number for no value of each column; older files have no row of units.
_COLUMNS = {
    "WDIR": ("degree", 999.0), "WD": ("degree", 999.0), "WSPD": ("m/s", 99.0), "GST": ("m/s", 99.0),
    "WVHT": ("m", 99.0), "DPD": ("s", 99.0), "APD": ("s", 99.0), "MWD": ("degree", 999.0), "PRES": ("hPa", 9999.0),
    "BAR": ("hPa", 9999.0), "ATMP": ("degC", 999.0), "WTMP": ("degC", 999.0), "DEWP": ("degC", 999.0),
    "VIS": ("nautical_mile", 99.0), "TIDE": ("ft", 99.0), "PTDY": ("hPa", 99.0),
}  # fmt: skip
_CALLED = {"BAR": "pres", "WD": "wdir", "TIDE": "water_level"}
_SPECTRUM = ("m2/Hz", 999.0)
_FREQUENCY = re.compile(r"^0?\.\d{3,5}$")


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a file of the National Data Buoy Center.

    Raises
    ------
    ReadError
        If it has not the header of one, or no rows.
    """
    data, encoding = opening.text_of(path)
    lines = data.decode("utf-8", "replace").split("\n")
    if not _HEAD.match(lines[0]):
        raise ReadError("the first line does not name YY MM DD hh", path=path, line=1, format=FORMAT.name)
    names = distinct(lines[0].lstrip("#").split())
    rows = [words for line in lines[1:] if not line.startswith("#") and len(words := line.split()) == len(names)]
    lost = sum(bool(line.strip()) and not line.startswith("#") for line in lines[1:]) - len(rows)
    if not rows:
        raise ReadError(f"no row has the {len(names)} cells of the header", path=path, line=2, format=FORMAT.name)
    told = [_COLUMNS.get(name, _SPECTRUM if _FREQUENCY.match(name) else ("", None)) for name in names]
    raw = RawTable(
        path=path,
        format=FORMAT.name,
        names=names,
        columns=[pa.array(_cells([row[at] for row in rows], told[at][1])) for at in range(len(names))],
        unit_texts=[unit for unit, _ in told],
        unit_source="layout",
        metadata={"encoding": encoding, "stamps": "end of the averaging (wind, waves), by NDBC"},
        notes=[f"{lost} lines have not {len(names)} cells and are left out"] if lost else [],
        missing=("MM",),
        called={name: _CALLED[name] for name in names if name in _CALLED},
        zone="UTC",
    )
    return recording_of(raw, wishes)


def _cells(words: Sequence[str], missing: float | None) -> list[str]:
    if missing is None:
        return list(words)
    fills = {f"{missing:g}", f"{missing:.1f}", f"{missing:.2f}"}
    return ["" if word in fills else word for word in words]


def _sniff(_path: Path, head: bytes) -> float:
    return 0.97 if _HEAD.match(head[:200].decode("latin-1")) else 0.0


FORMAT = FormatInfo(name="ndbc", title="NOAA NDBC buoys", suffixes=(".txt",), sniff=_sniff, read=read)
