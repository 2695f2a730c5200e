"""YSI 6-series binary logs (``.dat``), as EcoWatch reads them.

::

    A  type u16, signature u32, version u16, serial 16, site 32, 6 unused, interval u32, begin i32, first i32, 36 unused
    B  channel i16, quantity i16, probe u16, zero f4, full scale f4     one per column
    D  time i32, value f4 …                                             one per sample

Little-endian, times in seconds since 1984-03-01 on the sonde's clock. What a quantity number means was taken from the
list of EcoWatch as far as names, units and numbers of it agree with files at hand; others are kept as ``quantity N``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from nilometer.acquisition.formats import opening
from nilometer.acquisition.formats.naming import distinct
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read"]

_EPOCH_1984 = 446_947_200
_HEADER = struct.Struct("<HLH16s32s6sLll36s")
_CHANNEL = struct.Struct("<hhHff")
# Name, unit and decimals that EcoWatch shows.
_QUANTITIES = {
    1: ("Temp", "degC", 2),
    2: ("Temp", "degF", 2),
    3: ("Temp", "K", 0),
    4: ("Conductivity", "mS/cm", 3),
    5: ("Conductivity", "uS/cm", 1),
    6: ("SpCond", "mS/cm", 3),
    7: ("SpCond", "uS/cm", 1),
    10: ("TDS", "g/L", 3),
    12: ("Salinity", "psu", 2),
    14: ("DO", "%", 1),
    15: ("DO", "mg/L", 2),
    17: ("pH mV", "mV", 1),
    18: ("pH", "1", 2),
    19: ("ORP", "mV", 0),
    20: ("Absolute pressure", "psi", 2),
    22: ("Depth", "m", 3),
    23: ("Depth", "ft", 3),
    28: ("Battery", "V", 1),
    37: ("Turbidity", "NTU", 2),
    193: ("Chlorophyll", "ug/L", 1),
    203: ("Turbidity+", "NTU", 2),
    211: ("ODO", "%", 1),
    212: ("ODO", "mg/L", 2),
}


@dataclass(slots=True)
class _Log:
    serial: str = ""
    site: str = ""
    interval_s: int = 0
    channels: list[int] = field(default_factory=list)
    samples: list[bytes] = field(default_factory=list)
    note: str = ""


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a binary log of a YSI 6-series sonde.

    Raises
    ------
    ReadError
        If its records are not those of such a log, or it has no sample.
    """
    log = _parsed(opening.contents(path), path)
    count = len(log.channels)
    dtype = np.dtype([("time", "<i4"), ("value", "<f4", (count,))])
    samples = np.frombuffer(b"".join(log.samples), dtype)
    stamps = (samples["time"].astype(np.int64) + _EPOCH_1984) * 1_000_000
    names, units, columns = ["DateTime"], [""], [pa.array(stamps).cast(pa.timestamp("us"))]
    for at, number in enumerate(log.channels):
        name, unit, decimals = _QUANTITIES.get(number, (f"quantity {number}", "", 7))
        with np.errstate(invalid="ignore", over="ignore"):  # some bit patterns of NaN signal
            values = np.round(samples["value"][:, at].astype(np.float64), decimals)
        values[np.isinf(values)] = np.nan
        names.append(name)
        units.append(unit)
        columns.append(pa.array(values, from_pandas=True))
    unknown = [number for number in log.channels if number not in _QUANTITIES]
    notes = [f"what quantity {number} is, is not known" for number in unknown]
    metadata = {"stamps": "instant", "model": "YSI 6-series"}
    told: dict[str, Any] = {"serial number": log.serial, "station": log.site, "interval": f"{log.interval_s} s"}
    raw = RawTable(
        path=path,
        format=FORMAT.name,
        names=distinct(names),
        columns=columns,
        unit_texts=units,
        unit_source="layout",
        metadata=metadata | {name: text for name, text in told.items() if text},
        notes=[*notes, *([log.note] if log.note else [])],
    )
    return recording_of(raw, wishes)


def _parsed(data: bytes, path: Path) -> _Log:
    log, at = _Log(), 0
    while at < len(data):
        kind = data[at : at + 1]
        size = {b"A": _HEADER.size, b"B": _CHANNEL.size, b"D": 4 + 4 * len(log.channels)}.get(kind)
        if size is None or (kind == b"B" and log.samples) or (kind == b"D" and not log.channels):
            if not log.samples:
                raise ReadError(f"byte {at} begins no record of a YSI log", path=path, format=FORMAT.name)
            log.note = f"from byte {at} on it is no record of this log: the {len(data) - at} bytes are left out"
            break
        body = data[at + 1 : at + 1 + size]
        if len(body) < size:
            log.note = "the last record is cut off and left out"
            break
        _take(log, kind, body)
        at += 1 + size
    if not log.samples:
        raise ReadError("there is no sample in it", path=path, format=FORMAT.name)
    return log


def _take(log: _Log, kind: bytes, body: bytes) -> None:
    if kind == b"A":
        _, _, _, serial, site, _, log.interval_s, _, _, _ = _HEADER.unpack(body)
        log.serial, log.site = _word(serial), _word(site)
    elif kind == b"B":
        log.channels.append(_CHANNEL.unpack(body)[1])
    else:
        log.samples.append(body)


def _word(data: bytes) -> str:
    return data.split(b"\0")[0].decode("latin-1").strip()


def _sniff(_path: Path, head: bytes) -> float:
    first = 1 + _HEADER.size
    is_one = head[:1] == b"A" and head[first : first + 1] == b"B" and len(head) > first + _CHANNEL.size
    return 0.9 if is_one and b"\0" in head[:first] else 0.0


FORMAT = FormatInfo(name="ysi_dat", title="YSI 6-series binary log", suffixes=(".dat",), sniff=_sniff, read=read)
