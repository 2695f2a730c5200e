"""Ocean Data Format of Fisheries and Oceans Canada: blocks of ``KEY = value``, a block per parameter, then the rows.

A file with a parameter ``SYTM`` is a series with times of its own; one without is a cast, whose rows bear its start.
Quality flags are parameters of their own and stand aside.
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

# GF3 codes by their first four letters.
_QUANTITIES = {
    "TEMP": "water_temperature",
    "TE90": "water_temperature",
    "PSAL": "salinity",
    "PRES": "water_pressure",
    "DEPH": "sensor_depth",
    "CNDC": "conductivity",
    "DOXY": "dissolved_oxygen",
    "OSAT": "oxygen_saturation",
    "PHPH": "ph",
    "SVEL": "sound_speed",
    "LATD": "latitude",
    "LOND": "longitude",
}
_UNITS = {"db": "dbar", "none": "", "v": "V", "psu": "psu", "ml/l": "mL/L", "mmho/cm": "mS/cm", "degrees": "degree"}
_BESIDE = ("CNTR", "SYTM", "QCFF", "FFFF")
_CELL = re.compile(r"'[^']*'|\S+")


@dataclass(slots=True)
class _Header:
    told: dict[str, str] = field(default_factory=dict)
    parameters: list[dict[str, str]] = field(default_factory=list)


def read(path: Path, wishes: Wishes) -> Recording:
    """Read an ODF file.

    Raises
    ------
    ReadError
        If it has no parameters, no rows, or neither a start nor times.
    """
    data, encoding = opening.text_of(path)
    lines = data.decode("utf-8", "replace").split("\n")
    start = next((at for at, line in enumerate(lines) if re.match(r"^\s*-- DATA --\s*$", line)), None)
    if start is None:
        raise ReadError("no line -- DATA -- closes a header", path=path, format=FORMAT.name)
    header = _header(lines[:start])
    width = len(header.parameters)
    rows, lost = _rows(lines[start + 1 :], width)
    if not width or not rows:
        raise ReadError(
            f"no row has the {width} cells of the parameters", path=path, line=start + 1, format=FORMAT.name
        )
    notes = [f"{lost} lines have not {width} cells and are left out"] if lost else []
    codes = [one.get("CODE", one.get("NAME", "")) or "-" for one in header.parameters]
    names = distinct([_flag_of(one) or code for one, code in zip(header.parameters, codes, strict=True)])
    columns = {name: _cells([row[at] for row in rows], header.parameters[at]) for at, name in enumerate(names)}
    times = next((columns[name] for name in names if name.startswith("SYTM")), None)
    if times is None:
        begun = header.told.get("START_DATE_TIME", "")
        times = [begun] * len(rows)
        notes.append("it is a cast without times: every row bears the time at which it began")
    units = [_unit(one.get("UNITS", "")) for one in header.parameters]
    raw = RawTable(
        path=path,
        format=FORMAT.name,
        names=["cast time", *names],
        columns=[pa.array([_moment(text) for text in times]), *(pa.array(columns[name]) for name in names)],
        unit_texts=["", *units],
        unit_source="file",
        metadata={"encoding": encoding, "stamps": "instant", **_metadata(header.told)},
        notes=notes,
        called={name: _called(code, unit) for name, code, unit in zip(names, codes, units, strict=True)},
        beside=[name for name in names if name.startswith(_BESIDE) or name.endswith("_qc")],
    )
    return recording_of(raw, wishes)


def _rows(lines: Sequence[str], width: int) -> tuple[list[list[str]], int]:
    """Return the rows, of which each may go over several lines, and how many lines are none."""
    rows: list[list[str]] = []
    cells: list[str] = []
    lost = 0
    for line in lines:
        found = _CELL.findall(line)
        # A row that is whole on its line begins anew after a broken one.
        if cells and (len(found) == width or len(cells) + len(found) > width):
            lost, cells = lost + 1, []
        cells += found
        if len(cells) == width:
            rows.append(cells)
            cells = []
        elif len(cells) > width:
            lost, cells = lost + 1, []
    return rows, lost + bool(cells)


def _header(lines: Sequence[str]) -> _Header:
    header, block = _Header(), ""
    for line in lines:
        title = re.match(r"^\s*([A-Z_]+_HEADER),?\s*$", line)
        pair = re.match(r"^\s*([A-Z0-9_]+)\s*=(.*)$", line)
        if title:
            block = title[1]
            if block == "PARAMETER_HEADER":
                header.parameters.append({})
        elif pair:
            text = pair[2].strip().removesuffix(",").strip("' ")
            if block == "PARAMETER_HEADER":
                header.parameters[-1].setdefault(pair[1], text)
            elif block in {"EVENT_HEADER", "CRUISE_HEADER", "INSTRUMENT_HEADER"}:
                header.told.setdefault(pair[1], text)
    return header


def _metadata(told: dict[str, str]) -> dict[str, str]:
    model = " ".join(word for word in (told.get("INST_TYPE", ""), told.get("MODEL", "")) if word)
    found = {
        "model": model,
        "serial number": told.get("SERIAL_NUMBER", ""),
        "station": told.get("EVENT_COMMENTS", "") or told.get("STATION_NAME", ""),
        "cruise": told.get("CRUISE_NUMBER", ""),
        "ship": told.get("PLATFORM", ""),
        "position": ", ".join(w for w in (told.get("INITIAL_LATITUDE"), told.get("INITIAL_LONGITUDE")) if w),
    }
    return {name: text for name, text in found.items() if text}


def _flag_of(parameter: dict[str, str]) -> str:
    match = re.match(r"Quality [Ff]lag for [Pp]arameter:\s*(\S+)", parameter.get("NAME", ""))
    return f"{match[1]}_qc" if match else ""


def _called(code: str, unit: str) -> str:
    quantity = _QUANTITIES.get(code[:4], "·")
    if code.startswith("CRAT") and unit == "S/m":
        return "conductivity"  # a ratio by its code; in S/m it is none
    # Oxygen in ml/l is a volume of gas: another quantity than a mass.
    return "·" if quantity == "dissolved_oxygen" and unit == "mL/L" else quantity


def _unit(text: str) -> str:
    unit = text.rpartition(",")[2].strip()
    return _UNITS.get(unit.casefold(), unit)


def _cells(words: list[str], parameter: dict[str, str]) -> list[str]:
    plain = [word.strip("'").strip() for word in words]
    null = parameter.get("NULL_VALUE", "")
    try:
        number = float(null.replace("D", "E"))
    except ValueError:
        return ["" if null and word == null else word for word in plain]
    return ["" if _is(word, number) else word for word in plain]


def _is(word: str, number: float) -> bool:
    try:
        return float(word) == number
    except ValueError:
        return False


def _moment(text: str) -> str:
    return re.sub(r"(\d{2}:\d{2}:\d{2})\.0+$", r"\1", text.strip())


def _sniff(_path: Path, head: bytes) -> float:
    return 0.97 if re.match(rb"\s*ODF_HEADER\s*,", head) else 0.0


FORMAT = FormatInfo(name="odf", title="Ocean Data Format (DFO)", suffixes=(".odf",), sniff=_sniff, read=read)
