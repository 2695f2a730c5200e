"""USGS RDB: comments, a header, a row of widths, then cells between tabs; a block of its own for each site.

::

    #    01   00060     00003     Discharge, cubic feet per second (Mean)
    agency_cd   site_no    datetime           tz_cd   01_00060_00003   01_00060_00003_cd
    5s          15s        20d                6s      14n              10s
    USGS        02177000   2012-09-01 00:15   EDT     191              A

Times are in the zone of ``tz_cd``; daily values are of a day of the station's clock.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from nilometer.acquisition.formats import opening, usgs
from nilometer.acquisition.formats.naming import distinct
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read"]

_WIDTHS = re.compile(r"^\d+[sdnSDN](\t\d+[sdnSDN])*\t*$")
_COLUMN = re.compile(r"^(?:\d+_)+?(?P<code>\d{5})(?:_(?P<statistic>\d{5}))?$")
_SITE = re.compile(r"^#\s+([A-Z]{3,5}\s+\d{8,15}\s+\S.*)$")
# Columns of the peak-flow file, by its own comments.
_PEAKS = {"peak_va": usgs.PARAMETERS["00060"], "gage_ht": usgs.PARAMETERS["00065"]}
_BESIDE = ("agency_cd", "site_no", "tz_cd", "year_last_pk", "ag_dt", "ag_tm", "ag_gage_ht")


@dataclass(slots=True)
class _Rows:
    """The rows of all blocks, a column a name."""

    names: list[str] = field(default_factory=list)
    cells: dict[str, list[str]] = field(default_factory=dict)
    count: int = 0
    short: int = 0
    first_short: int = 0

    def head(self, names: Sequence[str]) -> None:
        for name in names:
            if name not in self.cells:
                self.names.append(name)
                self.cells[name] = [""] * self.count

    def take(self, names: Sequence[str], words: Sequence[str]) -> None:
        here = dict(zip(names, words, strict=False))
        for name in self.names:
            self.cells[name].append(here.get(name, "").strip())
        self.count += 1


def read(path: Path, wishes: Wishes) -> Recording:
    """Read an RDB file.

    Raises
    ------
    ReadError
        If no header with its row of widths is in it, or it has no rows or no times.
    """
    data, encoding = opening.text_of(path)
    lines = data.decode("utf-8", "replace").split("\n")
    rows, comments = _parsed(lines)
    if not rows.names:
        raise ReadError("no header above a row of widths such as 5s, 15s, 14n", path=path, line=1, format=FORMAT.name)
    if not rows.count:
        raise ReadError("there are no rows under the header", path=path, format=FORMAT.name)
    if {"INDEP", "DEP"} <= set(rows.names):
        raise ReadError("it is a rating table (INDEP, DEP): it has no times", path=path, format=FORMAT.name)
    zoned, notes = _zoned(rows)
    if rows.short:
        notes.append(f"{rows.short} lines have no full row and were filled up, the first is line {rows.first_short}")
    parameters, statistics = _parameters(rows.names)
    sites = [match[1] for line in comments if (match := _SITE.match(line.rstrip()))]
    metadata = {"encoding": encoding, "stamps": usgs.stamps(list(statistics.values()))}
    if "peak_dt" in rows.names:
        metadata["stamps"] = "day of the peak (instant where a time is given)"
    if sites:
        metadata["station"] = "; ".join(dict.fromkeys(sites))
    described = _described(comments)
    metadata |= {f"title of {name}": described[name] for name in rows.names if name in described}
    raw = RawTable(
        path=path,
        format=FORMAT.name,
        names=rows.names,
        columns=[zoned.get(name, pa.array(rows.cells[name], pa.string())) for name in rows.names],
        unit_texts=[parameters[name].unit if name in parameters else "" for name in rows.names],
        unit_source="layout",
        metadata=metadata,
        notes=notes,
        statistics=statistics,
        called={name: parameter.quantity for name, parameter in parameters.items()},
        beside=[*_BESIDE, *(name for name in rows.names if name.endswith("_cd"))],
    )
    return recording_of(raw, wishes)


def _parsed(lines: Sequence[str]) -> tuple[_Rows, list[str]]:
    rows, comments, names = _Rows(), list[str](), list[str]()
    for at, line in enumerate(lines):
        if line.startswith("#"):
            comments.append(line)
        elif at + 1 < len(lines) and _WIDTHS.match(lines[at + 1]) and "\t" in line:
            names = distinct([cell.strip() or "-" for cell in line.split("\t")])
            rows.head(names)
        elif names and line.strip() and not _WIDTHS.match(line):
            words = line.split("\t")
            if len(words) < len(names) - 1:
                rows.short, rows.first_short = rows.short + 1, rows.first_short or at + 1
            rows.take(names, words)
    return rows, comments


def _zoned(rows: _Rows) -> tuple[dict[str, Any], list[str]]:
    """Put the zone of its row behind each time."""
    if "datetime" not in rows.cells or "tz_cd" not in rows.cells:
        return {}, []
    unknown = sorted({word for word in rows.cells["tz_cd"] if word and word not in usgs.ZONES})
    notes = [f"zone {word!r} of tz_cd is not known: its times are taken as of no zone" for word in unknown[:5]]
    pairs = zip(rows.cells["datetime"], rows.cells["tz_cd"], strict=True)
    words = [f"{stamp}{usgs.ZONES.get(zone, '')}" if ":" in stamp else stamp for stamp, zone in pairs]
    return {"datetime": pa.array(words, pa.string())}, notes


def _parameters(names: Sequence[str]) -> tuple[dict[str, usgs.Parameter], dict[str, str]]:
    parameters, statistics = {}, {}
    for name in names:
        match = _COLUMN.match(name)
        if match and match["code"] in usgs.PARAMETERS:
            parameters[name] = usgs.PARAMETERS[match["code"]]
        if match:
            statistics[name] = usgs.STATISTICS.get(match["statistic"] or "00011", "")
        if name in _PEAKS:
            parameters[name] = _PEAKS[name]
    return parameters, {name: text for name, text in statistics.items() if text}


def _described(comments: Sequence[str]) -> dict[str, str]:
    """Return the words that comments have for columns: number, parameter, statistic and description."""
    found = {}
    for line in comments:
        match = re.match(r"^#\s+(\d{1,9})\s+(\d{5})(?:\s+(\d{5}))?\s+(\S.*)$", line.rstrip())
        if match:
            found["_".join(part for part in match.groups()[:3] if part)] = match[4]
    return found


def _sniff(_path: Path, head: bytes) -> float:
    lines = head.decode("latin-1").replace("\r", "").split("\n")
    widths = next((at for at, line in enumerate(lines) if "\t" in line and _WIDTHS.match(line)), None)
    if widths is not None and widths > 0 and "\t" in lines[widths - 1]:
        return 0.97
    return 0.0


FORMAT = FormatInfo(name="rdb", title="USGS RDB", suffixes=(".rdb", ".txt"), sniff=_sniff, read=read)
