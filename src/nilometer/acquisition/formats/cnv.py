"""Sea-Bird converted data (``.cnv``): a header, ``*END*``, then columns of text 11 wide, or of binary floats.

A file without a column of times is a cast: its rows are of depths, and all bear the time at which it began.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.acquisition.formats import opening, seabird
from nilometer.acquisition.formats.naming import distinct
from nilometer.acquisition.formats.numbers import as_floats
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError

__all__ = ["FORMAT", "read"]

_US = 1_000_000
_EPOCHS = {
    "timey": "1970-01-01",
    "timen": "1970-01-01",
    "timek": "2000-01-01",
    "timeq": "2000-01-01",
}
_ELAPSED = {"times": _US, "timem": 60 * _US, "timeh": 3600 * _US}
_DAYS = {"timej", "timejv2"}
_BESIDE = re.compile(r"(scan|flag|nbin|nbf|pumps|bpos|time.*|latitude|longitude|lat|lon|n)( \(\d+\))?$", re.IGNORECASE)


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a ``.cnv`` file.

    Raises
    ------
    ReadError
        If there is no header, no row, or nothing tells when it was.
    """
    data = opening.contents(path)
    end = re.search(rb"^\*END\*[^\n]*\n", data, re.MULTILINE)
    if end is None:
        raise ReadError("no *END* line closes a header", path=path, format=FORMAT.name)
    lines = opening.as_utf8(data[: end.start()], path)[0].decode("utf-8", "replace").splitlines()
    header = seabird.header_of(lines)
    if not header.channels and re.match(rb"\s*[0-9A-Fa-f]{16,}\s", data[end.end() : end.end() + 4096]):
        raise ReadError(
            "these are raw counts of a Sea-Bird (.hex): they mean nothing without its calibration (.xmlcon); "
            "convert them with Sea-Bird's software, and read the .cnv",
            path=path,
            format=FORMAT.name,
        )
    if not header.channels:
        raise ReadError("no '# name' line names a column", path=path, format=FORMAT.name)
    notes: list[str] = []
    values = _values(data[end.end() :], header, len(lines) + 2, path, notes)
    names = distinct([channel.code for channel in header.channels])
    columns: list[Any] = [pa.array(values[:, at], from_pandas=True) for at in range(len(names))]
    stamp, told = _stamps(names, values, header, path)
    notes += told
    methods = {}
    if header.interval is not None and "nbin" in names:
        methods = {name: "mean" for name in names if not _BESIDE.match(name)}
    raw = RawTable(
        path=path,
        format=FORMAT.name,
        names=["cast time", *names],
        columns=[stamp, *columns],
        unit_texts=["", *(channel.unit for channel in header.channels)],
        unit_source="file",
        metadata=header.metadata
        | {"start from": header.start_from or "a column", "stamps": "instant"}
        | {f"title of {name}": c.title for name, c in zip(names, header.channels, strict=True) if c.title},
        notes=notes,
        called={name: c.quantity or "·" for name, c in zip(names, header.channels, strict=True)},
        beside=[name for name in names if _BESIDE.match(name)],
        statistics=methods,
    )
    return recording_of(raw, wishes)


def _values(body: bytes, header: seabird.Header, first_line: int, path: Path, notes: list[str]) -> NDArray[np.float64]:
    width = len(header.channels)
    if header.is_binary:
        count, rest = divmod(len(body), 4 * width)
        with np.errstate(invalid="ignore"):  # some bit patterns of NaN signal
            values = np.frombuffer(body, "<f4", count * width).reshape(count, width).astype(np.float64)
        if rest:
            notes.append(f"the last {rest} bytes are no whole row and are left out")
    else:
        values = _from_text(body, width, first_line, notes)
    if not len(values):
        raise ReadError("there is no row under the header", path=path, line=first_line, format=FORMAT.name)
    for bad in as_floats([header.bad_flag or "-9.990e-29"]):
        values[np.isclose(values, bad, rtol=1e-5, atol=0.0)] = np.nan
    values[np.isinf(values)] = np.nan
    return values


def _from_text(body: bytes, width: int, first_line: int, notes: list[str]) -> NDArray[np.float64]:
    words = body.split()
    if len(words) % width == 0:
        try:
            return np.array(words, "S").astype(np.float64).reshape(-1, width) if words else np.empty((0, width))
        except ValueError:
            pass
    rows, lost, first_lost = [], 0, 0
    for at, line in enumerate(body.splitlines()):
        if not line.strip():
            continue
        row = _row(line, width)
        if row is None:
            lost, first_lost = lost + 1, first_lost or first_line + at
        else:
            rows.append(row)
    if lost:
        notes.append(f"{lost} lines are no rows of {width} numbers and are left out, the first is line {first_lost}")
    return np.array(rows, np.float64).reshape(-1, width)


def _row(line: bytes, width: int) -> list[float] | None:
    words = line.split()
    if len(words) != width:
        # Columns are 11 wide and may touch.
        words = [line[at : at + 11].strip() for at in range(0, len(line.rstrip()), 11)]
    try:
        return [float(word) for word in words] if len(words) == width else None
    except ValueError:
        return None


def _stamps(
    names: list[str], values: NDArray[np.float64], header: seabird.Header, path: Path
) -> tuple[pa.Array, list[str]]:
    zone = "UTC" if header.is_utc else None
    notes: list[str] = []
    places = {name.casefold(): at for at, name in reversed(list(enumerate(names)))}
    for code, epoch in _EPOCHS.items():
        if code in places:
            base = np.datetime64(epoch, "us")
            # timeN and timeQ are the receiver's, timeY and timeK the instrument's own clock.
            return _column(base, values[:, places[code]] * _US, "UTC" if code in {"timen", "timeq"} else None), notes
    start = header.start
    if start is None:
        raise ReadError(
            "nothing tells when it was: no start_time and no column of times", path=path, line=1, format=FORMAT.name
        )
    for code in sorted(_DAYS & places.keys()):
        year = start.astype("datetime64[Y]").astype("datetime64[us]")
        return _column(year, (values[:, places[code]] - 1.0) * 86400 * _US, zone), notes
    for code, factor in _ELAPSED.items():
        if code in places:
            return _column(start, values[:, places[code]] * factor, zone), notes
    if header.interval is not None and header.interval[0].startswith("sec"):
        notes.append(f"rows are {header.interval[1]:g} s apart by the header's interval, from its start")
        return _column(start, np.arange(len(values)) * header.interval[1] * _US, zone), notes
    notes.append("it is a cast without times: every row bears the time at which it began")
    return _column(start, np.zeros(len(values)), zone), notes


def _column(base: np.datetime64, after: NDArray[np.floating[Any]], zone: str | None) -> pa.Array:
    there = np.isfinite(after) & (np.abs(after) < 1e16)
    stamps = base.astype(np.int64) + np.round(np.where(there, after, 0.0)).astype(np.int64)
    return pa.array(stamps, mask=~there).cast(pa.timestamp("us", zone))


def _sniff(_path: Path, head: bytes) -> float:
    if not re.match(rb"\s*\*", head) or re.search(rb"^\s+Bottle\s+(Bottle\s+)?Date", head, re.MULTILINE):
        return 0.0
    if re.search(rb"^#\s*name 0 =", head, re.MULTILINE):
        return 0.95
    return 0.6 if head.startswith(b"* Sea-Bird") else 0.0


FORMAT = FormatInfo(name="cnv", title="Sea-Bird converted data", suffixes=(".cnv",), sniff=_sniff, read=read)
