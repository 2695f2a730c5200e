"""netCDF files of the CF conventions and their kin: series, glider tracks, Argo profiles.

Rows are those of the time dimension, or of profiles its levels one after another, each with the time of its profile.
Times without a zone are UTC, as CF has it. Flags named by ``ancillary_variables`` or by ``X_QC`` stand aside.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.acquisition.formats import opening
from nilometer.acquisition.formats.netcdf_content import Content, NcVariable, content_of
from nilometer.acquisition.formats.recording import FormatInfo, Recording, Wishes
from nilometer.acquisition.formats.tables import RawTable, recording_of
from nilometer.errors import ReadError
from nilometer.model.properties import vocabulary

__all__ = ["FORMAT", "read"]

_SINCE = re.compile(
    r"^\s*(\w+)\s+since\s+(\d{1,4})-(\d{1,2})-(\d{1,2})(?:[T ]\s*(\d{1,2}):(\d{1,2})(?::(\d{1,2}(?:\.\d*)?))?)?\s*(.*)$"
)
_STEPS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}
_METADATA = {
    "model": ("ModelNumber", "instrument_model", "glider_model", "instrument"),
    "serial number": ("SerialNumber", "instrument_serial_number", "glider_serial"),
    "station": ("station_name", "platform_code", "site_code", "glider_name", "subsite", "platform", "id"),
    "title": ("title",),
    "institution": ("institution",),
    "conventions": ("Conventions",),
}
_PER_PROFILE = {"PLATFORM_NUMBER": "station", "FLOAT_SERIAL_NO": "serial number", "PLATFORM_TYPE": "model"}


def read(path: Path, wishes: Wishes) -> Recording:
    """Read a netCDF file.

    Raises
    ------
    ReadError
        If it is damaged, or no variable holds times.
    ConfigError
        If it is in HDF5 and the extra ``netcdf`` is not installed.
    """
    content = content_of(opening.contents(path), path)
    time = _time_of(content, wishes)
    if time is None:
        seen = ", ".join(sorted(content.variables)[:40]) or "no variables"
        raise ReadError(
            f"no variable of times (standard_name time, or units such as 'seconds since …') is among {seen}",
            path=path,
            format=FORMAT.name,
        )
    shape, dimensions = _rows_of(content, time)
    stamps = _broadcast(_stamps(time, path), shape)
    names, columns, units = ["cast time" if len(shape) > 1 else time.name], [stamps.ravel()], [""]
    called: dict[str, str] = {}
    speaks_of: dict[str, str] = {}
    beside: list[str] = []
    left_out = []
    for name, variable in content.variables.items():
        if variable is time:
            continue
        values = _laid_out(variable, dimensions, shape)
        if values is None:
            is_scale = "CLASS" in variable.attributes and not variable.text("units")
            left_out += (
                [name] if variable.values.size > 1 and variable.values.dtype.kind in "iuf" and not is_scale else []
            )
            continue
        names.append(name)
        columns.append(values)
        units.append(variable.text("units"))
        _describe(variable, called, speaks_of, beside)
        if len(variable.dimensions) < len(shape) or values.dtype.kind not in "iuf":
            beside.append(name)
    rows = _filled(names, columns, dimensions)
    statistics = {name: m[1] for name in names[1:] if (m := _method(content.variables[name]))}
    notes = (
        [f"{len(left_out)} variables of other dimensions are left out: {', '.join(left_out[:8])}"] if left_out else []
    )
    if len(shape) > 1:
        notes.append("levels of a profile bear the time of the profile")
    raw = RawTable(
        path=path,
        format=FORMAT.name,
        names=names,
        columns=[_arrow(column[rows], at == 0) for at, column in enumerate(columns)],
        unit_texts=units,
        unit_source="file",
        metadata=_metadata(content) | {"stamps": _stamps_told(content, time, statistics)},
        notes=notes,
        statistics=statistics,
        called=called,
        speaks_of={name: owner for name, owner in speaks_of.items() if name in names},
        beside=beside,
    )
    return recording_of(raw, wishes)


def _time_of(content: Content, wishes: Wishes) -> NcVariable | None:
    if isinstance(wishes.time, str) and wishes.time in content.variables:
        return content.variables[wishes.time]
    dated = [
        one
        for one in content.variables.values()
        if _SINCE.match(one.text("units")) and len(one.dimensions) <= 1 and one.values.dtype.kind in "iuf"
    ]
    dated.sort(
        key=lambda one: (
            one.text("standard_name") != "time",
            one.text("axis") != "T",
            one.name.casefold() not in {"time", "juld"},
        )
    )
    return dated[0] if dated else None


def _rows_of(content: Content, time: NcVariable) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Return the shape and dimensions of the rows: of times, or of profiles and their levels."""
    if not time.dimensions:
        longest = max(content.variables.values(), key=lambda one: (len(one.dimensions) == 1, one.values.size))
        return longest.values.shape[:1], longest.dimensions[:1]
    first = time.dimensions[0]
    for one in content.variables.values():
        is_axis = one.name.casefold() in {"pres", "depth", "pressure", "z"} or one.text("axis") == "Z"
        if is_axis and len(one.dimensions) == 2 and one.dimensions[0] == first:
            return one.values.shape[:2], one.dimensions
    return time.values.shape[:1], (first,)


def _laid_out(variable: NcVariable, dimensions: tuple[str, ...], shape: tuple[int, ...]) -> NDArray[Any] | None:
    """Return a variable's values, one a row; None where its dimensions are others."""
    if not variable.dimensions or variable.dimensions != dimensions[: len(variable.dimensions)]:
        return None
    if variable.values.shape != shape[: variable.values.ndim]:
        return None
    values = _broadcast(variable.values, shape).ravel()
    return _unpacked(variable, values) if values.dtype.kind in "iuf" else values


def _broadcast(values: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    padded = values.reshape(values.shape + (1,) * (len(shape) - values.ndim))
    return np.broadcast_to(padded, shape)


def _unpacked(variable: NcVariable, values: NDArray[Any]) -> NDArray[np.float64]:
    """Apply fill value, scale and offset; a float32 keeps its own shortest decimal text."""
    attributes = variable.attributes
    fills = [attributes[name] for name in ("_FillValue", "missing_value") if _is_number(attributes.get(name))]
    bad = np.isin(values, np.array(fills, values.dtype)) if fills else np.zeros(values.shape, bool)
    scale, offset = attributes.get("scale_factor"), attributes.get("add_offset")
    if values.dtype.itemsize == 4 and values.dtype.kind == "f" and scale is None and offset is None:
        numbers: NDArray[np.float64] = values.astype("U32").astype(np.float64)
    else:
        numbers = values.astype(np.float64)
    if _is_number(scale):
        numbers = numbers * float(scale)  # type: ignore[arg-type]
    if _is_number(offset):
        numbers = numbers + float(offset)  # type: ignore[arg-type]
    numbers[bad | np.isinf(numbers) | (np.abs(numbers) > 1e35)] = np.nan
    return numbers


def _is_number(value: object) -> bool:
    return isinstance(value, int | float | np.number) and not isinstance(value, bool)


def _stamps(time: NcVariable, path: Path) -> NDArray[np.datetime64]:
    match = _SINCE.match(time.text("units"))
    calendar = time.text("calendar").casefold() or "standard"
    if match is None or calendar not in {"standard", "gregorian", "proleptic_gregorian", "julian"}:
        raise ReadError(
            f"times of {time.name!r} in {time.text('units')!r} ({calendar} calendar) are not read",
            path=path,
            format="netcdf",
        )
    step = _step(match[1])
    year, month, day = int(match[2]), int(match[3]), int(match[4])
    base = _moment(year, month, day, f"{int(match[5] or 0):02d}:{int(match[6] or 0):02d}")
    zone = re.search(r"([+-])(\d{1,2}):?(\d{2})?", match[8] or "")
    if step is None or base is None:
        raise ReadError(f"times of {time.name!r} in {time.text('units')!r} are not read", path=path, format="netcdf")
    offset = float(match[7] or 0)
    if zone:
        offset -= (int(zone[2]) * 3600 + int(zone[3] or 0) * 60) * (-1 if zone[1] == "-" else 1)
    values = time.values.astype(np.float64)
    fills = [time.attributes[name] for name in ("_FillValue", "missing_value") if _is_number(time.attributes.get(name))]
    bad = ~np.isfinite(values) | np.isin(values, np.array(fills, np.float64)) | (np.abs(values * step) > 1e11)
    after = np.round((np.where(bad, 0.0, values) * step + offset) * 1e6).astype(np.int64)
    stamps: NDArray[np.datetime64] = base.astype("datetime64[us]") + after.astype("timedelta64[us]")
    stamps[bad] = np.datetime64("NaT")
    return stamps


def _step(word: str) -> float | None:
    plain = word.casefold()
    if plain in {"milliseconds", "millisecond", "msec", "ms"}:
        return 1e-3
    if plain in {"microseconds", "microsecond"}:
        return 1e-6
    if plain in {"nanoseconds", "nanosecond"}:
        return 1e-9
    known = {
        "d",
        "day",
        "days",
        "h",
        "hr",
        "hour",
        "hours",
        "min",
        "minute",
        "minutes",
        "s",
        "sec",
        "second",
        "seconds",
    }
    return _STEPS[plain[0]] if plain in known else None


def _moment(year: int, month: int, day: int, clock: str) -> np.datetime64 | None:
    try:
        return np.datetime64(f"{year:04d}-{month:02d}-{day:02d}T{clock}", "us")
    except ValueError:
        return None


def _describe(variable: NcVariable, called: dict[str, str], speaks_of: dict[str, str], beside: list[str]) -> None:
    standard, modifier = [*variable.text("standard_name").split(maxsplit=1), "", ""][:2]
    if standard == "sea_water_pressure" and variable.text("units").casefold() in {"dbar", "db", "decibar"}:
        # CF has the air's pressure in it; instruments and Argo set it to 0 at the surface.
        called[variable.name] = "water_pressure"
    elif standard and not modifier and any(term.cf_name == standard for term in vocabulary().values()):
        called[variable.name] = standard
    for name in variable.text("ancillary_variables").split():
        speaks_of.setdefault(name, variable.name)
    for suffix in ("_qc_executed", "_qc_results", "_qc_agg"):  # the Ocean Observatories Initiative's
        speaks_of.setdefault(f"{variable.name}{suffix}", variable.name)
    is_flag = modifier or "flag_values" in variable.attributes or "flag_meanings" in variable.attributes
    if is_flag or standard == "quality_flag" or _SINCE.match(variable.text("units")):
        beside.append(variable.name)


def _filled(names: Sequence[str], columns: list[NDArray[Any]], dimensions: tuple[str, ...]) -> NDArray[np.intp]:
    """Return the rows to keep: of profiles, those levels that hold a number at all."""
    count = len(columns[0])
    if len(dimensions) == 1:
        return np.arange(count)
    there = np.zeros(count, bool)
    for name, column in zip(names[1:], columns[1:], strict=True):
        if column.dtype.kind == "f" and re.match(r"(?i)(pres|temp|psal|depth|doxy|chla)", name):
            there |= np.isfinite(column)
    return np.flatnonzero(there) if there.any() else np.arange(count)


def _arrow(column: NDArray[Any], is_time: bool) -> pa.Array:  # noqa: FBT001 -- one of two kinds
    if is_time:
        return pa.array(column.astype("datetime64[us]")).cast(pa.timestamp("us", "UTC"))
    if column.dtype.kind == "f":
        return pa.array(np.ascontiguousarray(column), from_pandas=True)
    words = [
        word.decode("utf-8", "replace").strip() if isinstance(word, bytes) else str(word) for word in column.tolist()
    ]
    return pa.array(words, pa.string())


def _method(variable: NcVariable) -> re.Match[str] | None:
    return re.search(
        r"\btime:\s*(point|mean|minimum|maximum|sum|median|standard_deviation)\b", variable.text("cell_methods")
    )


def _stamps_told(content: Content, time: NcVariable, statistics: dict[str, str]) -> str:
    spans = {method for method in statistics.values() if method != "point"}
    bounds = content.variables.get(time.text("bounds"))
    if bounds is None or bounds.values.shape != (*time.values.shape, 2):
        return "interval, which end is not told" if spans else "instant"
    low, high = bounds.values[..., 0], bounds.values[..., 1]
    if np.array_equal(high, time.values):
        return "end of the interval"
    return "start of the interval" if np.array_equal(low, time.values) else "within the interval"


def _metadata(content: Content) -> dict[str, str]:
    told = {}
    for key, names in _METADATA.items():
        text = next((str(content.attributes[name]).strip() for name in names if content.attributes.get(name)), "")
        if text and text != "Not specified.":
            told[key] = text
    for name, key in _PER_PROFILE.items():
        one = content.variables.get(name)
        if one is not None and one.values.size and one.values.dtype.kind in "SO":
            words = {
                w.decode("utf-8", "replace").strip() if isinstance(w, bytes) else str(w)
                for w in one.values.ravel().tolist()
            }
            told[key] = "; ".join(sorted(word for word in words if word)[:20])
    return {key: text for key, text in told.items() if text}


def _sniff(_path: Path, head: bytes) -> float:
    return 0.99 if head.startswith((b"CDF\x01", b"CDF\x02", b"CDF\x05", b"\x89HDF\r\n\x1a\n")) else 0.0


FORMAT = FormatInfo(
    name="netcdf", title="netCDF (CF, Argo, gliders)", suffixes=(".nc", ".nc4", ".cdf"), sniff=_sniff, read=read
)
