"""Read gaugings: stage, discharge and how sure each is, from a table that a hydrologist keeps.

Delimited text (comma, semicolon, tab; ``#`` comments; USGS field measurements with their row of widths). Columns are
found by the names of the field, units in the names (``stage (ft)``, ``q [m3/s]``) or told; a unit that nobody told is m
or m3 s-1, and is noted. A row without both numbers is left out and noted; nothing is corrected.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nilometer import units
from nilometer.errors import ReadError, UnitError
from nilometer.series import NO_TIME, microseconds

__all__ = ["Gaugings", "read_gaugings"]

Array = NDArray[np.float64]

_NAMES: Final = {
    "stage": "stage|h|w|gage height|gauge height|gage_height|gauge_height|gage_height_va|gage_ht|water level|"
    "water_level|水位",
    "discharge": "discharge|q|flow|streamflow|discharge_va|流量",
    "uncertainty": "q_sigma|q_uncertainty|discharge_uncertainty|uncertainty|u_q|q_sd",
    "stage_uncertainty": "h_sigma|stage_sigma|stage_uncertainty|u_h|u_stage",
    "time": "datetime|date_time|time|date|measurement_dt|phenomenon_time|时间",
}
_HEADER = re.compile(r"\s*(?P<name>.*?)\s*(?:[(\[](?P<unit>[^()\[\]]*)[)\]])?\s*")
_WIDTHS = re.compile(r"\d+[sdn]", re.IGNORECASE)
_OFFSET = re.compile(r"\s*\[UTC([+-]\d\d:?\d\d)?\]\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gaugings:
    """Measurements of discharge at one section.

    Parameters
    ----------
    stage, discharge : ndarray of float64, shape (n,)
        In `unit_stage` and `unit_discharge`.
    uncertainty, stage_uncertainty : ndarray of float64, shape (n,)
        Standard uncertainties (k = 1) in the same units; NaN where not known.
    times : ndarray of int64, shape (n,)
        µs since 1970 UTC; the smallest int64 where not known.
    lines : ndarray of int64, shape (n,)
        Line of the file.
    unit_stage, unit_discharge : str
        CF text.
    notes : tuple of str
        What was assumed, and which rows were left out.
    """

    stage: Array
    discharge: Array
    uncertainty: Array
    stage_uncertainty: Array
    times: NDArray[np.int64]
    lines: NDArray[np.int64]
    unit_stage: str
    unit_discharge: str
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.stage)

    def converted(self, unit_stage: str, unit_discharge: str) -> Gaugings:
        """Return them in other units.

        Raises
        ------
        UnitError
            If a unit has another dimension.
        """
        height, flow = (
            units.affine(self.unit_stage, unit_stage)[0],
            units.affine(self.unit_discharge, unit_discharge)[0],
        )
        return replace(
            self, stage=units.convert(self.stage, self.unit_stage, unit_stage),
            discharge=units.convert(self.discharge, self.unit_discharge, unit_discharge),
            uncertainty=self.uncertainty * flow, stage_uncertainty=self.stage_uncertainty * height,
            unit_stage=units.canonical(unit_stage), unit_discharge=units.canonical(unit_discharge),
        )  # fmt: skip

    def between(self, start: int | None, end: int | None) -> Gaugings:
        """Return those from a moment (inclusive) to another (exclusive), µs since 1970 UTC."""
        kept = np.ones(len(self), np.bool_)
        if start is not None:
            kept &= self.times >= start
        if end is not None:
            kept &= (self.times < end) & (self.times != NO_TIME)
        columns = ("stage", "discharge", "uncertainty", "stage_uncertainty", "times", "lines")
        return replace(self, **{name: getattr(self, name)[kept] for name in columns})


def read_gaugings(
    path: Path | str,
    *,
    stage: str | None = None,
    discharge: str | None = None,
    uncertainty: str | None = None,
    stage_uncertainty: str | None = None,
    time: str | None = None,
    unit_stage: str | None = None,
    unit_discharge: str | None = None,
    coverage_factor: float = 1.0,
) -> Gaugings:
    """Return the gaugings of a file.

    Parameters
    ----------
    path : path
        Delimited text, UTF-8.
    stage, discharge, uncertainty, stage_uncertainty, time : str, optional
        Names of the columns, where the usual ones do not do. A column of uncertainties in percent has the unit ``%``.
    unit_stage, unit_discharge : str, optional
        Their units, where the names of the columns do not say them.
    coverage_factor : float
        What the uncertainties are multiples of: 1 for standard, 2 for expanded ones (U).

    Returns
    -------
    Gaugings
        In the file's order and units.

    Raises
    ------
    ReadError
        If it is no such table, or a column is not there; the message names the columns that are.
    UnitError
        If a unit is unknown or none of a stage or a discharge.
    """
    path = Path(path)
    header, rows = _table(path)
    said = {"stage": stage, "discharge": discharge, "uncertainty": uncertainty, "time": time,
            "stage_uncertainty": stage_uncertainty}  # fmt: skip
    at = {what: _column(path, header, what, name) for what, name in said.items()}
    for what in ("stage", "discharge"):
        if at[what] is None:
            raise ReadError(
                f"no column is called as a {what} is (columns: {', '.join(name for name, _ in header)}); name it with "
                f"{what}=",
                path=path,
            )  # fmt: skip
    notes: list[str] = []
    unit = {
        "stage": _unit("stage", at["stage"], header, unit_stage, "m", notes),
        "discharge": _unit("discharge", at["discharge"], header, unit_discharge, "m3 s-1", notes),
    }
    kept = [
        (line, row) for line, row in rows if all(_number(row, at[what]) is not None for what in ("stage", "discharge"))
    ]
    if len(kept) < len(rows):
        left = ", ".join(str(line) for line, row in rows if (line, row) not in kept)
        notes.append(f"rows without both a stage and a discharge are left out: line {left}")
    if not kept:
        raise ReadError("no row has both a stage and a discharge", path=path)
    numbers = {what: np.array([_number(row, at[what]) for _, row in kept], np.float64) for what in at if what != "time"}
    return Gaugings(
        stage=numbers["stage"], discharge=numbers["discharge"],
        uncertainty=_spread("discharge", numbers, at["uncertainty"], header, unit, "uncertainty") / coverage_factor,
        stage_uncertainty=_spread("stage", numbers, at["stage_uncertainty"], header, unit, "stage_uncertainty")
        / coverage_factor,
        times=_times(path, kept, at["time"]), lines=np.array([line for line, _ in kept], np.int64),
        unit_stage=unit["stage"], unit_discharge=unit["discharge"], notes=tuple(notes),
    )  # fmt: skip


Header = list[tuple[str, str | None]]
Rows = list[tuple[int, list[str]]]


def _table(path: Path) -> tuple[Header, Rows]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ReadError("this is no UTF-8 text: save it as CSV, UTF-8", path=path) from error
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip() and not line.startswith("#")]
    if len(lines) < 2:
        raise ReadError("there is no row below the names of the columns", path=path)
    delimiter = max(",;\t", key=lines[0][1].count)
    table = [(n, [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]) for n, line in lines]
    header = [(match["name"], match["unit"]) for match in map(_HEADER.fullmatch, table[0][1]) if match is not None]
    body = table[1:]
    if all(_WIDTHS.fullmatch(cell) for cell in body[0][1]):  # the second row of an RDB file
        body = body[1:]
    for n, row in body:
        if len(row) != len(header):
            raise ReadError(f"{len(row)} cells below {len(header)} names of columns", path=path, line=n)
    return header, body


def _column(path: Path, header: Header, what: str, name: str | None) -> int | None:
    names = [one.casefold() for one, _ in header]
    if name is not None:
        whole = [f"{one} ({unit})".casefold() for one, unit in header]
        for candidates in (names, whole):
            if name.casefold() in candidates:
                return candidates.index(name.casefold())
        raise ReadError(f"no column is called {name!r} (columns: {', '.join(one for one, _ in header)})", path=path)
    return next((names.index(usual) for usual in _NAMES[what].split("|") if usual in names), None)


def _unit(what: str, at: int | None, header: Header, told: str | None, usual: str, notes: list[str]) -> str:
    said = header[at][1] if at is not None else None
    unit = told or said
    if unit is None:
        notes.append(f"no unit is told of the {what}: taken as {usual}")
        unit = usual
    if not units.same_dimension(unit, usual):
        raise UnitError(f"the unit of the {what} is {unit}: it must be one such as {usual}")
    return units.canonical(unit)


def _number(row: list[str], at: int | None) -> float | None:
    if at is None or not row[at]:
        return None
    try:
        number = float(row[at])
    except ValueError:
        return None
    return number if np.isfinite(number) else None


def _spread(
    of: str, numbers: dict[str, Array], at: int | None, header: Header, unit: dict[str, str], what: str
) -> Array:
    if at is None:
        return np.full(len(numbers[of]), np.nan)
    said = header[at][1]
    if said is not None and said.strip() == "%":
        return numbers[what] / 100.0 * numbers[of]
    return numbers[what] * (1.0 if said is None else units.affine(said, unit[of])[0])


def _times(path: Path, rows: Rows, at: int | None) -> NDArray[np.int64]:
    if at is None:
        return np.full(len(rows), NO_TIME, np.int64)
    texts = [_OFFSET.sub(lambda match: match[1] or "+00:00", row[at]) or None for _, row in rows]
    try:
        return microseconds(np.array(texts, object))
    except ValueError as error:
        raise ReadError(f"the times cannot be read: {error}", path=path) from error
