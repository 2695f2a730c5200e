"""A micro-batch of Observations as columns: what moves between the stages.

A stage adds columns and rewrites none: acquisition brings the first block, admission `id` and `supersedes`,
calibration `result` and `result_uncertainty`, qc `result_quality` and `tests`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.model.flags import QartodFlag
from nilometer.model.schemas import JOURNAL, TIME

__all__ = ["NO_TIME", "ObservationBatch", "Settlements"]

NO_TIME: int = int(np.iinfo(np.int64).min)
"""The int64 that stands for an absent time."""


@dataclass(slots=True, kw_only=True)
class ObservationBatch:
    """Observations in arrival order, one array a column; None is a column that says nothing for any row.

    In memory a missing number is NaN, an absent time `NO_TIME`; on disk both are null.

    Parameters
    ----------
    datastream : ndarray of int32, shape (n,)
        Ids of Datastreams.
    phenomenon_time : ndarray of int64, shape (n,)
        Start, µs since 1970 UTC.
    raw_result : ndarray of float64, shape (n,)
        As the instrument gave it, in the raw unit of its Datastream.
    feature : ndarray of int32, shape (n,), optional
        Ids of FeaturesOfInterest; None or 0: the water of the Datastream.
    duration : ndarray of int64, shape (n,), optional
        µs; None: instants.
    result_time : ndarray of int64, shape (n,), optional
        µs since 1970 UTC or `NO_TIME`.
    censored : ndarray of int8, shape (n,), optional
        -1 below, +1 above the measurable range, 0 neither.
    mark, extra : pyarrow string array, shape (n,), optional
        What the instrument said, verbatim; parameters as JSON.
    depth, latitude, longitude : ndarray of float64, shape (n,), optional
        m, degree_north, degree_east; NaN where they do not vary.
    provenance : ndarray of int32, shape (n,), optional
        Catalog rows.
    always_new : ndarray of bool, shape (n,), optional
        The row is new whatever is there: what a SensorThings client creates. Asked by admission, never stored.
    syntax : ndarray of uint8, shape (n,), optional
        What was verified of the frame the row came in (QARTOD flags): PASS length and checksum, NOT_EVALUATED nothing,
        FAIL it was broken. Read by qc, never stored but as the outcome of a syntax test.
    id : ndarray of int64, shape (n,), optional
        Set by admission.
    supersedes : ndarray of bool, shape (n,), optional
        Set by admission: the row revises one that was there.
    result : ndarray of float64, shape (n,), optional
        Set by calibration, in the unit of the Datastream.
    result_uncertainty : ndarray of float64, shape (n,), optional
        Set by calibration: combined standard uncertainty (k = 1); NaN: not known.
    result_quality : ndarray of int8, shape (n,), optional
        Set by qc: QartodFlag.
    tests : pyarrow string array, shape (n,), optional
        Set by qc: one digit a test; null when all passed.
    """

    datastream: NDArray[np.int32]
    phenomenon_time: NDArray[np.int64]
    raw_result: NDArray[np.float64]
    feature: NDArray[np.int32] | None = None
    duration: NDArray[np.int64] | None = None
    result_time: NDArray[np.int64] | None = None
    censored: NDArray[np.int8] | None = None
    mark: Any = None
    extra: Any = None
    depth: NDArray[np.float64] | None = None
    latitude: NDArray[np.float64] | None = None
    longitude: NDArray[np.float64] | None = None
    provenance: NDArray[np.int32] | None = None
    always_new: NDArray[np.bool_] | None = None
    syntax: NDArray[np.uint8] | None = None
    id: NDArray[np.int64] | None = None
    supersedes: NDArray[np.bool_] | None = None
    result: NDArray[np.float64] | None = None
    result_uncertainty: NDArray[np.float64] | None = None
    result_quality: NDArray[np.int8] | None = None
    tests: Any = None

    def __len__(self) -> int:
        return len(self.datastream)

    def take(self, rows: NDArray[np.intp] | NDArray[np.int64] | NDArray[np.bool_] | slice) -> ObservationBatch:
        """Return the rows named by indices, a mask or a slice, in that order."""
        columns: dict[str, Any] = {}
        for item in fields(self):
            column = getattr(self, item.name)
            if column is None:
                continue
            if isinstance(column, np.ndarray):
                columns[item.name] = column[rows]
            elif isinstance(rows, slice):
                start, stop, _ = rows.indices(len(self))
                columns[item.name] = column.slice(start, max(stop - start, 0))
            else:
                index = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
                columns[item.name] = column.take(pa.array(index))
        return ObservationBatch(**columns)

    def keeps_results(self) -> NDArray[np.bool_]:
        """Return which rows, shape (n,), keep a result in `extra`: a text, JSON, a whole number beyond 2⁵³."""
        if self.extra is None or self.extra.null_count == len(self):
            return np.zeros(len(self), np.bool_)
        kept = pc.fill_null(pc.match_substring(self.extra, '"@result":'), fill_value=False)
        return np.asarray(kept.to_numpy(zero_copy_only=False), np.bool_)

    @staticmethod
    def concat(batches: list[ObservationBatch]) -> ObservationBatch:
        """Return the rows of all batches in order; a column that only some have is filled where it is absent."""
        if len(batches) == 1:
            return batches[0]
        columns: dict[str, Any] = {}
        for name in _COLUMNS:
            parts = [getattr(batch, name) for batch in batches]
            if all(part is None for part in parts):
                continue
            filled = [
                _absent(name, len(batch)) if part is None else part for part, batch in zip(parts, batches, strict=True)
            ]
            if name in _TEXT:
                columns[name] = pa.concat_arrays([part.cast(pa.string()) for part in filled])
            else:
                columns[name] = np.concatenate(filled)
        return ObservationBatch(**columns)

    def to_arrow(self, *, commit: int) -> pa.RecordBatch:
        """Return the finished rows in the journal's schema, numbered with their commit.

        Parameters
        ----------
        commit : int
            The journal sequence of these rows.

        Returns
        -------
        pyarrow.RecordBatch
            Of schema `JOURNAL`: `spoken`, and what the other columns stand for.

        Raises
        ------
        ValueError
            As `spoken`.
        """
        n, arrays = len(self), self.spoken()
        arrays["commit"] = pa.array(np.full(n, commit, np.int64))
        arrays.setdefault("duration", pa.array(np.zeros(n, np.int64)))
        arrays.setdefault("supersedes", pa.array(np.zeros(n, np.bool_)))
        whole = [arrays[item.name] if item.name in arrays else pa.nulls(n, item.type) for item in JOURNAL]
        return pa.RecordBatch.from_arrays(whole, schema=JOURNAL)

    def spoken(self) -> dict[str, pa.Array]:
        """Return the columns of the journal in which some row says something, but for `commit`.

        Nulls are made for nobody: most batches have no marks, positions or parameters. Left out is a column that is
        all null, a `duration` that is all 0, and a `supersedes` that is all false.

        Returns
        -------
        dict of str to pyarrow array
            NaN and `NO_TIME` as null, `raw_result` null where it equals `result`. A result without a raw result (an
            interpolation) says so in `extra`.

        Raises
        ------
        ValueError
            If admission, calibration or qc has not yet written its columns.
        """
        n = len(self)
        if self.id is None or self.result is None or self.result_quality is None:
            raise ValueError("only rows that were admitted, calibrated and judged can be journaled")
        unknown, rawless = np.isnan(self.result), np.isnan(self.raw_result)
        same = (self.result == self.raw_result) | rawless
        rawless &= ~unknown
        arrays: dict[str, pa.Array | None] = {
            "id": pa.array(self.id),
            "datastream": pa.array(self.datastream, pa.int32()),
            "feature": _whole_numbers(self.feature, n),
            "phenomenon_time": pa.array(self.phenomenon_time, pa.int64()).view(TIME),
            "duration": None if self.duration is None or not self.duration.any() else pa.array(self.duration),
            "result": _masked(self.result, unknown, pa.float64()),
            "raw_result": _masked(self.raw_result, same, pa.float64()),
            "result_uncertainty": _floats(self.result_uncertainty, pa.float32()),
            "censored": None if self.censored is None else _masked(self.censored, self.censored == 0, pa.int8()),
            "mark": _text(self.mark),
            "result_quality": pa.array(self.result_quality, pa.int8()),
            "tests": _text(self.tests),
            "depth": _floats(self.depth, pa.float64()),
            "latitude": _floats(self.latitude, pa.float64()),
            "longitude": _floats(self.longitude, pa.float64()),
            "result_time": _times(self.result_time),
            "provenance": _whole_numbers(self.provenance, n),
            "extra": _text(self.extra),
            "supersedes": None if self.supersedes is None or not self.supersedes.any() else pa.array(self.supersedes),
        }
        if rawless.any():
            extra = arrays["extra"]
            arrays["extra"] = _marked(pa.nulls(n, pa.string()) if extra is None else extra, rawless)
        return {name: array for name, array in arrays.items() if array is not None}

    @staticmethod
    def from_arrow(rows: pa.RecordBatch | pa.Table, *, spoken: bool = False) -> ObservationBatch:
        """Return journaled or stored rows as columns; nulls become NaN, `NO_TIME`, 0 and None.

        The inverse of `to_arrow`, but for `commit`, which belongs to the store.

        Parameters
        ----------
        rows : pyarrow.RecordBatch or pyarrow.Table
            Of schema JOURNAL or OBSERVATION.
        spoken : bool
            An optional column that is null in every row is None, and no array is made of it.
        """
        if isinstance(rows, pa.Table):
            rows = rows.combine_chunks()
        result = _numbers(rows["result"])
        raw = _numbers(rows["raw_result"])
        extra, rawless = _unmarked(_whole(rows["extra"]))
        names = rows.schema.names
        silent = {name for name in _OPTIONAL if spoken and rows[name].null_count == rows.num_rows}
        return ObservationBatch(
            id=_ints(rows["id"], np.int64),
            datastream=_ints(rows["datastream"], np.int32),
            feature=_ints(rows["feature"], np.int32),
            phenomenon_time=_ints(rows["phenomenon_time"].cast(pa.int64()), np.int64),
            duration=_ints(rows["duration"], np.int64),
            result=result,
            raw_result=_measured(raw, result, rawless),
            result_uncertainty=_numbers(rows["result_uncertainty"]),
            result_quality=_ints(rows["result_quality"], np.int8),
            tests=_whole(rows["tests"]),
            provenance=_ints(rows["provenance"], np.int32),
            supersedes=rows["supersedes"].to_numpy(zero_copy_only=False) if "supersedes" in names else None,
            extra=None if "extra" in silent else extra,
            **{name: None if name in silent else read(rows[name]) for name, read in _READ.items()},
        )


@dataclass(slots=True)
class Settlements:
    """New flags of rows that were journaled before: QARTOD's spike test judges the point before.

    Parameters
    ----------
    id : ndarray of int64, shape (n,)
        The rows.
    result_quality : ndarray of int8, shape (n,)
        Their rolled-up flags.
    tests : pyarrow string array, shape (n,)
        One digit a test; null when all passed.
    """

    id: NDArray[np.int64]
    result_quality: NDArray[np.int8]
    tests: Any

    def __len__(self) -> int:
        return len(self.id)

    @staticmethod
    def none() -> Settlements:
        """Return no settlements."""
        return Settlements(np.empty(0, np.int64), np.empty(0, np.int8), pa.array([], pa.string()))


_COLUMNS = tuple(item.name for item in fields(ObservationBatch))
_TEXT = frozenset({"mark", "extra", "tests"})
_ABSENT: dict[str, tuple[Any, Any]] = {
    "feature": (0, np.int32),
    "duration": (0, np.int64),
    "result_time": (NO_TIME, np.int64),
    "censored": (0, np.int8),
    "provenance": (0, np.int32),
    "always_new": (False, np.bool_),
    "syntax": (QartodFlag.NOT_EVALUATED, np.uint8),
    "id": (0, np.int64),
    "supersedes": (False, np.bool_),
    "result_quality": (QartodFlag.NOT_EVALUATED, np.int8),
}


def _absent(name: str, n: int) -> Any:  # noqa: ANN401 -- an array of whichever kind the column has
    if name in _TEXT:
        return pa.nulls(n, pa.string())
    value, dtype = _ABSENT.get(name, (np.nan, np.float64))
    return np.full(n, value, dtype)


# What `extra` says of a row whose result nobody measured; a null raw_result alone would mean that both are equal.
_RAWLESS = '"@rawResult":null'


def _marked(extra: pa.Array, rawless: NDArray[np.bool_]) -> pa.Array:
    if not rawless.any():
        return extra
    opened = pc.replace_substring_regex(extra, r"^\s*\{\s*\}\s*$", "")
    inner = pc.replace_substring_regex(opened, r"^\s*\{", ",")
    said = pc.binary_join_element_wise("{" + _RAWLESS, pc.if_else(pc.equal(inner, ""), "}", inner), "")
    said = pc.fill_null(said, "{" + _RAWLESS + "}")
    return pc.if_else(pa.array(rawless), said, extra)


def _unmarked(extra: pa.Array) -> tuple[pa.Array, NDArray[np.bool_]]:
    n = len(extra)
    if extra.null_count == n:
        return extra, np.zeros(n, bool)
    rawless = pc.fill_null(pc.starts_with(extra, "{" + _RAWLESS), fill_value=False)
    marked: NDArray[np.bool_] = rawless.to_numpy(zero_copy_only=False)
    if not marked.any():
        return extra, marked
    rest = pc.utf8_slice_codeunits(extra, len(_RAWLESS) + 1)
    rest = pc.replace_substring_regex(rest, r"^,", "{")
    rest = pc.if_else(pc.equal(rest, "}"), pa.scalar(None, pa.string()), rest)
    return pc.if_else(rawless, rest, extra), marked


def _masked(column: NDArray[Any], absent: NDArray[np.bool_], kind: pa.DataType) -> pa.Array | None:
    """Return a column with nulls; None where it is nothing else."""
    nulls = np.count_nonzero(absent)
    if nulls == len(column):
        return None
    return pa.array(column, kind, mask=absent) if nulls else pa.array(column, kind)


def _measured(raw: NDArray[np.float64], result: NDArray[np.float64], rawless: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return what was measured: the result, where no other raw result is stored and there was one."""
    untold = np.isnan(raw)
    untold &= ~rawless
    return np.where(untold, result, raw) if untold.any() else raw


def _floats(column: NDArray[np.float64] | None, kind: pa.DataType) -> pa.Array | None:
    if column is None:
        return None
    with np.errstate(over="ignore"):  # beyond a float32 it is infinite, and nothing to warn of
        narrow = column.astype(kind.to_pandas_dtype(), copy=False)
    return _masked(narrow, np.isnan(column), kind)


def _whole_numbers(column: NDArray[np.int32] | None, n: int) -> pa.Array:
    return pa.array(np.zeros(n, np.int32) if column is None else column, pa.int32())


def _times(column: NDArray[np.int64] | None) -> pa.Array | None:
    found = None if column is None else _masked(column, column == NO_TIME, pa.int64())
    return None if found is None else found.view(TIME)


def _text(column: Any) -> pa.Array | None:  # noqa: ANN401 -- pyarrow has no types
    if column is None or column.null_count == len(column):
        return None
    return column.cast(pa.string())


def _whole(column: Any) -> pa.Array:  # noqa: ANN401 -- pyarrow has no types
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()  # which copies a single one too


def _numbers(column: Any) -> NDArray[np.float64]:  # noqa: ANN401 -- pyarrow has no types
    numbers: NDArray[np.float64] = np.asarray(_whole(column).to_numpy(zero_copy_only=False), np.float64)
    return numbers


def _ints(column: Any, dtype: Any) -> Any:  # noqa: ANN401 -- one of several integer arrays
    return np.asarray(_whole(column).to_numpy(zero_copy_only=False)).astype(dtype, copy=False)


_READ: dict[str, Callable[[Any], Any]] = {
    "censored": lambda column: _ints(column.fill_null(0), np.int8),
    "mark": _whole,
    "depth": _numbers,
    "latitude": _numbers,
    "longitude": _numbers,
    "result_time": lambda column: _ints(column.cast(pa.int64()).fill_null(NO_TIME), np.int64),
}
"""How columns are read that most rows say nothing in."""

_OPTIONAL = ("extra", *_READ)
