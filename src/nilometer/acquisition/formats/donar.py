"""DONAR interchange format (DIF) of Rijkswaterstaat: a header of semicolons, then values with their quality.

::

    [W3H]  PAR;WATHTE;Waterhoogte;J    EHD;I;cm    LOC;VLISSGN;Vlissingen;…    TYP;TE
    [RKS]  TYD;19760101;0000;19941231;2300;60;min          first, last, step
    [WRD]  122/0:225/0:230/0:…                             value/quality
    TYP;TN [WRD]  20190101;0405;2/0;-133:                  irregular: date; time; code/quality; value

Quality 99 and 999999999 stand for no value. The file names no zone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.acquisition.formats import opening
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read"]

_CALLED = {"WATHTE": "water_level", "WATHTBRKD": "water_level", "Q": "discharge", "T": "water_temperature"}
_STEPS = {"min": 60, "uur": 3600, "h": 3600, "s": 1, "sec": 1, "dag": 86400}
_NOTHING = 999_999_999


class _Values(NamedTuple):
    times: NDArray[np.datetime64]
    values: list[str]
    quality: list[str]
    kinds: list[str]


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a DONAR file.

    Raises
    ------
    ReadError
        If it has no values, or a header that does not tell their times.
    """
    data, encoding = opening.text_of(path)
    lines = data.decode("utf-8", "replace").split("\n")
    parts = _parts(lines)
    if not parts:
        raise ReadError("there is no [WRD] section with values in it", path=path, format=FORMAT.name)
    told = {key: cells for header, _ in parts for key, cells in header.items()}
    values = [_values(header, body, path) for header, body in parts]
    times = [pa.array(one.times) for one in values]
    kinds = [kind for one in values for kind in one.kinds]
    code = _cell(told, "PAR", 0) or _cell(told, "MXP;2", 0)
    name = _cell(told, "PAR", 1) or _cell(told, "MXP;2", 1) or code or "value"
    unit = _cell(told, "EHD", 1) or _cell(told, "MXE;2", 1)
    height = _cell(told, "HDH", 0) or _cell(told, "MXH;2", 0)
    metadata = {
        "encoding": encoding,
        "stamps": "instant (not told by the file)",
        "station": " ".join(word for word in (_cell(told, "LOC", 0), _cell(told, "LOC", 1)) if word),
        "model": _cell(told, "VAT", 1),
        "datum": height,
        "method": _cell(told, "ANA", 1),
    }
    names = ["time", name, f"{name}_qual", *(["kind"] if any(kinds) else [])]
    columns = [
        pa.concat_arrays([one.cast(pa.timestamp("us")) for one in times]),
        pa.array([value for one in values for value in one.values]),
        pa.array([mark for one in values for mark in one.quality]),
        *([pa.array(kinds)] if any(kinds) else []),
    ]
    raw = RawTable(
        path=path,
        format=FORMAT.name,
        names=names,
        columns=columns,
        unit_texts=["", unit, "", ""][: len(names)],
        unit_source="file",
        metadata={key: text for key, text in metadata.items() if text and text != "Niet van toepassing"},
        called={name: _CALLED.get(code, "·")},
        beside=["kind"],
    )
    return recording_of(raw, wishes)


def _parts(lines: Sequence[str]) -> list[tuple[dict[str, list[str]], list[str]]]:
    """Return each section of values with the header that stands over it."""
    parts: list[tuple[dict[str, list[str]], list[str]]] = []
    header: dict[str, list[str]] = {}
    body: list[str] | None = None
    for line in lines:
        if line.startswith("["):
            body = None
            if line.startswith("[WRD]"):
                body = []
                parts.append((dict(header), body))
        elif body is not None:
            body.append(line)
        elif ";" in line:
            key, *cells = line.split(";")
            number = cells[0] if key.startswith("MX") and cells else ""
            header[f"{key};{number}" if number else key] = cells[1:] if number else cells
    return [(head, rows) for head, rows in parts if any(row.strip() for row in rows)]


def _values(header: dict[str, list[str]], body: Sequence[str], path: Path) -> _Values:
    words = [word for line in body for word in line.strip().split(":") if word]
    if words and words[0].count(";") >= 2:
        return _irregular(words)
    tyd = header.get("TYD", [])
    step = _STEPS.get(tyd[5].strip() if len(tyd) > 5 else "")
    if len(tyd) < 6 or step is None or not re.fullmatch(r"\d{1,6}", tyd[4]) or not re.fullmatch(r"\d{8}", tyd[0]):
        raise ReadError(f"TYD;{';'.join(tyd)} tells no start and step", path=path, format=FORMAT.name)
    begin = _stamp(tyd[0], tyd[1])
    if begin is None:
        raise ReadError(f"TYD tells no date: {tyd[0]};{tyd[1]}", path=path, format=FORMAT.name)
    split = [word.partition("/") for word in words]
    times = begin + np.arange(len(split)) * np.timedelta64(int(tyd[4]) * step, "s")
    values = [_value(value, mark) for value, _, mark in split]
    return _Values(times.astype("datetime64[us]"), values, [mark for _, _, mark in split], [""] * len(split))


def _irregular(words: Sequence[str]) -> _Values:
    times: list[np.datetime64] = []
    values, quality, kinds = list[str](), list[str](), list[str]()
    for word in words:
        day, clock, *rest = [*word.split(";"), "", ""]
        rest = rest[:-2]
        if not rest or not re.fullmatch(r"\d{8}", day) or not re.fullmatch(r"\d{4}", clock):
            continue
        value, _, mark = rest[-1].partition("/")
        kind, _, kind_mark = rest[0].partition("/") if len(rest) > 1 else ("", "", "")
        stamp = _stamp(day, clock)
        if stamp is None:
            continue
        times.append(stamp)
        values.append(_value(value, mark or kind_mark))
        quality.append(mark or kind_mark)
        kinds.append(kind)
    return _Values(np.array(times, "datetime64[us]"), values, quality, kinds)


def _value(value: str, mark: str) -> str:
    return "" if mark.strip() == "99" or value.strip() in {str(_NOTHING), f"-{_NOTHING}"} else value


def _stamp(day: str, clock: str) -> np.datetime64 | None:
    try:
        return np.datetime64(f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}", "us")
    except ValueError:
        return None


def _cell(header: dict[str, list[str]], key: str, at: int) -> str:
    cells = header.get(key, [])
    return cells[at].strip() if at < len(cells) else ""


def _sniff(_path: Path, head: bytes) -> float:
    return 0.98 if head.startswith(b"[IDT;*DIF*") else 0.0


FORMAT = FormatInfo(
    name="donar", title="Rijkswaterstaat DONAR (DIF)", suffixes=(".txt", ".dia"), sniff=_sniff, read=read
)
