"""The data of a plan: its columns of files and Datastreams of a server as arms, with the hash of what was read."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.acquisition.formats.csv import raw_table_of
from nilometer.acquisition.formats.naming import split_name
from nilometer.acquisition.formats.numbers import numbers
from nilometer.acquisition.formats.opening import text_of
from nilometer.acquisition.formats.reading import read
from nilometer.acquisition.formats.timecolumn import UNTOLD_ZONE
from nilometer.calibration.certificate import Calibration
from nilometer.calibration.evaluation import evaluate
from nilometer.errors import CalibrationError, ConfigError, ReadError
from nilometer.qc import check
from nilometer.trials.pairing.arm import Arm
from nilometer.trials.pairing.strata import TIDE
from nilometer.trials.planning.plan import ArmPlan, MaintenancePlan, Plan, SamplePlan, SourcePlan
from nilometer.units import affine, canonical, convert

if TYPE_CHECKING:
    from nilometer.acquisition.formats.recording import Recording

__all__ = ["Gathered", "Rows", "Taken", "gather"]

Floats = NDArray[np.float64]
Progress = Callable[[str], None]

_ROW_US = 1_000_000  # rows that pair by order stand a second apart, so that their order is their time
_DAY_BEGINS_AFRESH = {"cleaning", "calibration"}


class Rows(Protocol):
    """What has Datastreams: `nilometer.connect(url)` does."""

    def datastream(self, name: str | int) -> dict[str, Any]:
        """Return what a Datastream is, its ``unit`` at least."""
        ...

    def read(self, datastream: str | int, start: str | None = None, end: str | None = None, **query: Any) -> pa.Table:  # noqa: ANN401 -- query options
        """Return rows with the columns asked for, in order of time."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """One series as it was found.

    Parameters
    ----------
    name : str
        Of the arm, the samples or the condition.
    place : str
        The file with its column, or the Datastream.
    rows, missing : int
        Read, and of these without a result.
    hash : str
        SHA-256 of times and results as they are compared, in hexadecimal digits.
    notes : tuple of str
        What was assumed, left out or repaired when it was read.
    """

    name: str
    place: str
    rows: int
    missing: int
    hash: str
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """All data of a plan.

    Parameters
    ----------
    candidates, references, samples, conditions : dict of str to Arm
        By name; in the unit of the trial, conditions in their own.
    maintenance : tuple of (int, int)
        Windows [start, end) in µs since 1970 UTC, by their start.
    cleanings : tuple of int
        Ends of the windows after which an instrument is as new.
    taken : tuple of Taken
        What was read, in the plan's order.
    tide : Arm or None
        The water level of which phases of the tide are made.
    """

    candidates: dict[str, Arm]
    references: dict[str, Arm]
    samples: dict[str, Arm]
    conditions: dict[str, Arm]
    maintenance: tuple[tuple[int, int], ...]
    cleanings: tuple[int, ...]
    taken: tuple[Taken, ...]
    tide: Arm | None = None

    @property
    def hash(self) -> str:
        """SHA-256 of all series together: the same data give the same, wherever the files lie."""
        whole = hashlib.sha256()
        for part in self.taken:
            whole.update(f"{part.name}\0{part.hash}\n".encode())
        for start, end in self.maintenance:
            whole.update(f"{start} {end}\n".encode())
        return whole.hexdigest()

    @property
    def first_datum(self) -> int:
        """Time of the first result of a candidate, µs since 1970 UTC."""
        return min(int(arm.time[0]) for arm in self.candidates.values())


def gather(plan: Plan, folder: str | Path = ".", *, rows: Rows | None = None, tell: Progress | None = None) -> Gathered:
    """Read what a plan names.

    Parameters
    ----------
    plan : Plan
        What is wanted.
    folder : path
        Files are looked for beside the plan: the folder that holds it.
    rows : Rows, optional
        What has the plan's Datastreams: a client of a server.
    tell : callable, optional
        Is told what is being read.

    Raises
    ------
    ReadError
        If a file cannot be read: what, where, and what would work.
    ConfigError
        If a column, a profile or a Datastream does not exist, or Datastreams are named and no server is.
    UnitError
        If a unit is not of the trial's dimension.
    ValueError
        If times run back or repeat.
    """
    reader = _Reader(plan, Path(folder), rows, tell or (lambda _text: None))
    candidates = {arm.name: reader.arm(arm) for arm in plan.candidate}
    references = {arm.name: reader.arm(arm) for arm in plan.reference}
    samples = {one.name: reader.samples(one) for one in plan.sample}
    conditions = {name: reader.condition(name, one) for name, one in plan.condition.items()}
    tide = None if plan.tide is None else reader.condition(TIDE, plan.tide)
    windows, cleanings = reader.maintenance(plan.maintenance)
    return Gathered(
        candidates=candidates,
        references=references,
        samples=samples,
        conditions=conditions,
        maintenance=windows,
        cleanings=cleanings,
        taken=tuple(reader.taken),
        tide=tide,
    )


@dataclass(slots=True)
class _Series:
    """Times and results as a source has them."""

    time: NDArray[np.int64]
    values: Floats
    unit: str
    place: str
    notes: tuple[str, ...] = ()
    censored: NDArray[np.int8] | None = None
    flags: NDArray[np.uint8] | None = None
    uncertainty: Floats | None = None
    duration_us: int = 0


class _Reader:
    def __init__(self, plan: Plan, folder: Path, rows: Rows | None, tell: Progress) -> None:
        self._plan, self._folder, self._datastreams, self._tell = plan, folder, rows, tell
        self._by_order = plan.alignment.by == "order"
        self.taken: list[Taken] = []

    def arm(self, wanted: ArmPlan) -> Arm:
        found = self._source(wanted.name, wanted)
        if wanted.calibration is not None:
            found = _calibrated(found, wanted, self._plan.trial.unit)
        if wanted.profile is not None:
            flags = check(found.values, wanted.profile, found.time, unit=found.unit).flags
            found.flags = np.asarray(flags, np.uint8)
        arm = self._arm(wanted.name, found, wanted.uncertainty, wanted.relative_uncertainty)
        arm = replace(arm, interval_us=round((wanted.every or 0.0) * 1e6), response_us=round((wanted.t90 or 0.0) * 1e6))
        return self._note(wanted.name, found, arm)

    def samples(self, wanted: SamplePlan) -> Arm:
        found = self._source(wanted.name, wanted)
        arm = self._arm(wanted.name, found, wanted.uncertainty, wanted.relative_uncertainty)
        return self._note(wanted.name, found, arm)

    def condition(self, name: str, wanted: SourcePlan) -> Arm:
        found = self._source(name, wanted)
        return self._note(name, found, _as_arm(name, found))

    def maintenance(self, wanted: tuple[MaintenancePlan, ...]) -> tuple[tuple[tuple[int, int], ...], tuple[int, ...]]:
        windows: list[tuple[int, int]] = []
        cleanings: list[int] = []
        for one in wanted:
            mine = self._windows(one)
            windows += mine
            if one.kind in _DAY_BEGINS_AFRESH:
                cleanings += [end for _start, end in mine]
        return tuple(sorted(windows)), tuple(sorted(cleanings))

    def _windows(self, wanted: MaintenancePlan) -> list[tuple[int, int]]:
        start, end = self._plan.time(wanted.start), self._plan.time(wanted.end)
        if start is not None and end is not None:
            return [(start, end)]
        path = self._folder / str(wanted.file)
        zone = wanted.time_zone or self._plan.trial.time_zone
        ends = [_moments(path, name, zone) for name in (wanted.start_column, wanted.end_column)]
        for row, (first, last) in enumerate(zip(*ends, strict=True)):
            if not first < last:
                raise ReadError(f"window {row + 1} has no length: its end has to be after its start", path=path)
        return list(zip(ends[0].tolist(), ends[1].tolist(), strict=True))

    def _source(self, name: str, wanted: SourcePlan) -> _Series:
        if wanted.datastream is not None:
            self._tell(f"{name}: {wanted.datastream}")
            return self._datastream(name, wanted)
        path = self._folder / str(wanted.file)
        self._tell(f"{name}: {wanted.file}")
        found = _rows(path, wanted) if self._by_order else self._recorded(path, wanted)
        if wanted.unit is not None:
            found.unit = wanted.unit
        return found

    def _recorded(self, path: Path, wanted: SourcePlan) -> _Series:
        recording = self._read(path, wanted, wanted.time_zone)
        if recording.metadata["time zone"] == UNTOLD_ZONE:
            recording = self._read(path, wanted, self._plan.trial.time_zone)
        for part, text in wanted.where.items():
            recording = recording.only(part, text)
        name = wanted.column or self._plan.trial.property
        if name not in recording.columns and name in {split_name(each)[0] for each in recording.aside}:
            raise ConfigError("column", seen=name, reason="it holds no numbers", allowed=recording.columns, file=path)
        column = recording[name]
        notes = list(recording.notes)
        if column.unit_from == "assumed" and wanted.unit is None:
            notes.append(f"nothing tells the unit of {column.name!r}: it is taken for {column.unit}")
        there = np.flatnonzero(np.isfinite(column.values))
        notes += _gone(len(column.values) - len(there))
        rows = _in_order(recording.times, column.values, there, notes)
        duration = round((wanted.stands_for or 0.0) * 1e6)
        return _Series(
            time=recording.times[rows] - (duration if wanted.stamped == "end" else 0),
            values=column.values[rows],
            unit=column.unit,
            place=f"{wanted.file}: {column.name}",
            notes=tuple(notes),
            censored=None if column.censored is None else column.censored[rows],
            duration_us=duration,
        )

    def _read(self, path: Path, wanted: SourcePlan, zone: str | None) -> Recording:
        return read(
            path,
            wanted.format,
            time=wanted.time,
            time_zone=zone,
            day_first=wanted.day_first,
            missing=wanted.missing,
        )

    def _datastream(self, name: str, wanted: SourcePlan) -> _Series:
        if self._datastreams is None:
            raise ConfigError(
                "datastream", seen=wanted.datastream, allowed="a server that has it: --server URL, or trial.server"
            )
        key = str(wanted.datastream)
        about = self._datastreams.datastream(key)
        ends = (self._plan.trial.start, self._plan.trial.end)
        start, end = (None if one is None else _iso(int(self._plan.time(one) or 0)) for one in ends)
        rows = self._datastreams.read(key, start, end, columns=_COLUMNS)
        values = _floats(rows, "result")
        there = np.isfinite(values)
        durations = np.unique(_wholes(rows, "duration", 0)[there])
        if len(durations) > 1:
            raise ConfigError(
                "datastream",
                seen=key,
                reason=f"{name}: results stand for intervals of {len(durations)} lengths",
                allowed="one whose results all stand for one length of time",
            )
        return _Series(
            time=_times(rows)[there],
            values=values[there],
            unit=str(about["unit"]),
            place=f"Datastream {key}",
            notes=_gone(int(np.count_nonzero(~there))),
            censored=_wholes(rows, "censored", 0)[there].astype(np.int8),
            flags=_wholes(rows, "result_quality", 2)[there].astype(np.uint8),
            uncertainty=_floats(rows, "result_uncertainty")[there],
            duration_us=int(durations[0]) if len(durations) else 0,
        )

    def _arm(self, name: str, found: _Series, absolute: float | None, relative: float | None) -> Arm:
        """Return a series in the trial's unit, with the uncertainty that the plan states where it states one."""
        arm = _as_arm(name, found)
        unit = self._plan.trial.unit
        try:
            affine(arm.unit, unit)
        except ValueError as error:
            raise type(error)(
                f"{name} ({found.place}): {error}: give both in one quantity; where the file's unit is wrong or lacks, "
                "the plan's `unit` of the series says it, and a `calibration` makes one quantity of another"
            ) from error
        arm = arm.in_unit(unit)
        if absolute is None and relative is None:
            return arm
        return replace(arm, uncertainty=np.hypot(absolute or 0.0, (relative or 0.0) * np.abs(arm.values)))

    def _note(self, name: str, found: _Series, arm: Arm) -> Arm:
        if not len(arm):
            raise ReadError(f"{name}: there is no result in {found.place}")
        whole = hashlib.sha256(np.ascontiguousarray(arm.time, "<i8").tobytes())
        whole.update(np.ascontiguousarray(arm.values, "<f8").tobytes())
        if arm.flags is not None:
            whole.update(np.ascontiguousarray(arm.flags, np.uint8).tobytes())
        missing = int(np.count_nonzero(~np.isfinite(arm.values)))
        self.taken.append(
            Taken(
                name=name,
                place=found.place,
                rows=len(arm),
                missing=missing,
                hash=whole.hexdigest(),
                notes=found.notes,
            )
        )
        return arm


_COLUMNS = "phenomenon_time,duration,result,result_uncertainty,censored,result_quality"


def _as_arm(name: str, found: _Series) -> Arm:
    return Arm(
        time=found.time,
        values=found.values,
        unit=found.unit,
        name=name,
        duration_us=found.duration_us,
        flags=found.flags,
        censored=found.censored,
        uncertainty=found.uncertainty,
    )


def _calibrated(found: _Series, wanted: ArmPlan, unit: str) -> _Series:
    """Return the quantity that a certificate of the plan makes of what a file has."""
    document: Mapping[str, Any] = wanted.calibration or {}
    try:
        certificate = Calibration.from_document({"unit_out": unit, **document})
    except (CalibrationError, ValueError) as error:
        raise ConfigError(f"calibration of {wanted.name!r}", reason=str(error)) from error
    raw_unit = certificate.unit_in or found.unit
    readings = found.values if raw_unit == found.unit else convert(found.values, found.unit, raw_unit)
    made = evaluate(certificate, readings)
    spread = np.hypot(made.calibration_uncertainty, made.random_uncertainty)
    return replace(found, values=made.value, uncertainty=spread, unit=certificate.unit_out or unit, censored=None)


def _rows(path: Path, wanted: SourcePlan) -> _Series:
    """Return a column whose rows pair by their order, without looking for times."""
    if not path.exists():
        raise ReadError("there is no such file", path=path)
    try:
        table = raw_table_of(path, "csv")
        names, columns, decimal, notes = list(table.names), list(table.columns), table.decimal, tuple(table.notes)
    except ReadError:
        # A column alone has nothing that separates cells.
        lines = text_of(path)[0].decode().splitlines()
        names, columns, decimal, notes = [lines[0].strip()], [pa.array(lines[1:])], ".", ()
    name = wanted.column or (names[0] if len(names) == 1 else "")
    # A file's own name of a column may hold its unit: "DO (mg/L)" is asked for as DO, as where times are read.
    bare = [each if each == name else split_name(each)[0] for each in names]
    if name not in bare:
        raise ConfigError("column", seen=name, allowed=names, file=path)
    found = numbers(columns[bare.index(name)], decimal=decimal, missing=wanted.missing)
    if found is None:
        raise ReadError(f"column {name!r} holds no numbers", path=path)
    if found.strange:
        notes += (f"{found.strange} texts of {name!r} are no numbers, such as {found.example!r}: they are missing",)
    told = split_name(names[bare.index(name)])[1]
    return _Series(
        time=np.arange(len(found.values), dtype=np.int64) * _ROW_US,
        values=found.values,
        unit=wanted.unit or (canonical(told) if told else "1"),
        place=f"{wanted.file}: {name}, by order",
        notes=notes,
        censored=found.censored,
    )


def _moments(path: Path, column: str, zone: str) -> NDArray[np.int64]:
    """Return the times in a column of a file of maintenance windows."""
    names = raw_table_of(path, "csv").names
    if column not in names:
        raise ConfigError("column", seen=column, allowed=names, file=path)
    return read(path, "csv", time=column, time_zone=zone).times


def _in_order(time: NDArray[np.int64], values: Floats, rows: NDArray[np.intp], notes: list[str]) -> NDArray[np.intp]:
    """Return rows in order of time, without those that say the same again; what contradicts itself is left to the arm.

    The order of a file's rows is no evidence of a clock: exports come newest first, or with late rows at their end.
    """
    steps = np.diff(time[rows])
    if (steps > 0).all():
        return rows
    back = int(np.count_nonzero(steps < 0))
    rows = rows[np.argsort(time[rows], kind="stable")]
    again = np.flatnonzero((np.diff(time[rows]) == 0) & (np.diff(values[rows]) == 0)) + 1
    if back:
        notes.append(f"rows were put in order of time, which ran back {back} times")
    if len(again):
        notes.append(f"{len(again)} rows say again what another one of their time says")
    return np.delete(rows, again)


def _gone(count: int) -> tuple[str, ...]:
    return (f"{count} rows have no result",) if count else ()


def _iso(time_us: int) -> str:
    return f"{np.datetime64(time_us, 'us')}Z"


def _times(rows: Any) -> NDArray[np.int64]:  # noqa: ANN401 -- pyarrow has no types
    return np.asarray(rows["phenomenon_time"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy(), np.int64)


def _floats(rows: Any, name: str) -> Floats:  # noqa: ANN401 -- pyarrow has no types
    if name not in rows.column_names:
        return np.full(rows.num_rows, np.nan)
    return np.asarray(rows[name].cast(pa.float64()).to_numpy(zero_copy_only=False), np.float64)


def _wholes(rows: Any, name: str, absent: int) -> NDArray[np.int64]:  # noqa: ANN401 -- pyarrow has no types
    if name not in rows.column_names:
        return np.full(rows.num_rows, absent, np.int64)
    return np.asarray(rows[name].cast(pa.int64()).fill_null(absent).to_numpy(zero_copy_only=False), np.int64)
