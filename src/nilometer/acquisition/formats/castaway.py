"""SonTek CastAway: a block of ``% key,value`` lines, then a table of depths; the cast has one time, in UTC.

Every row bears the time at which the cast began: within a cast the axis is depth.
"""

from __future__ import annotations

import re
from pathlib import Path

import pyarrow as pa

from nilometer.acquisition.formats import opening
from nilometer.acquisition.formats.csv import raw_table
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read"]

_KEYS = {"Device": "serial number", "File name": "station", "Sample type": "sample type", "Cast data": "cast data"}
_UNITS = {
    "decibar": "dbar",
    "meter": "m",
    "celsius": "degC",
    "microsiemens per centimeter": "uS/cm",
    "practical salinity scale": "psu",
    "meters per second": "m/s",
    "kilograms per cubic meter": "kg/m3",
    "seconds": "s",
}
_CALLED = {"pressure": "water_pressure", "depth": "sensor_depth", "specific conductance": "conductivity_25"}


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a CSV of a CastAway.

    Raises
    ------
    ReadError
        If it has no table, or no time of the cast.
    """
    data, encoding = opening.text_of(path)
    pairs = [line[1:].partition(",") for line in data.decode("utf-8", "replace").split("\n") if line.startswith("%")]
    told = {key.strip(): text.strip() for key, _, text in pairs}
    moment = told.get("Cast time (UTC)", "")
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}", moment):
        raise ReadError("no line '% Cast time (UTC),…' tells when it was", path=path, format=FORMAT.name)
    raw = raw_table(re.sub(rb"(?m)^%.*\n?", b"", data), path, FORMAT.name, encoding)
    names = list(raw.names)
    parts = [re.fullmatch(r"([^(]*[^( ]) *\(([^)]*)\)", name) for name in names]
    rows = len(raw.columns[0]) if raw.columns else 0
    raw.unit_texts = ["", *(_UNITS.get(part[2].casefold(), part[2]) if part else "" for part in parts)]
    raw.unit_source = "name"
    raw.called = {
        name: _CALLED.get(part[1].casefold(), part[1]) for name, part in zip(names, parts, strict=True) if part
    }
    raw.names = ["cast time", *names]
    raw.columns = [pa.array([f"{moment}Z"] * rows, pa.string()), *raw.columns]
    raw.metadata |= {"stamps": "instant (the cast's start)", "model": "SonTek CastAway"}
    raw.metadata |= {name: told[key] for key, name in _KEYS.items() if told.get(key)}
    place = [told.get("Start latitude", ""), told.get("Start longitude", "")]
    if all(place):
        raw.metadata["position"] = ", ".join(place)
    raw.notes.append("it is a cast without times: every row bears the time at which it began")
    return recording_of(raw, wishes)


def _sniff(_path: Path, head: bytes) -> float:
    return (
        0.97 if head.removeprefix(b"\xef\xbb\xbf").startswith(b"% Device,") and b"% Cast time (UTC)," in head else 0.0
    )


FORMAT = FormatInfo(name="castaway", title="SonTek CastAway", suffixes=(".csv",), sniff=_sniff, read=read)
