"""Columns of a bulk write made of what a client sent: texts to times and numbers, whole columns at a time.

A cell that cannot be read refuses its row, and no other.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.errors import RequestError
from nilometer.model import NO_TIME

__all__ = ["MOST_REASONS", "Refusals", "numbers", "texts", "times"]

MOST_REASONS = 100
TIME = pa.timestamp("us", tz="UTC")
_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_NOT_A_NUMBER = r"^(?i:nan|null|na)$"
_MILLISECONDS = r"^-?\d{1,15}$"
_ISO = (
    r"^\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[T ]([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?"
    r"(Z|[+-]([01]\d|2[0-3])(:?[0-5]\d)?)$"
)
_DAYS = np.array([0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])


class Refusals:
    """Which rows of a body are refused, and why the first of them are.

    Parameters
    ----------
    n : int
        Rows in the body.
    """

    def __init__(self, n: int) -> None:
        self.refused: NDArray[np.bool_] = np.zeros(n, bool)
        self.reasons: dict[int, str] = {}

    def refuse(self, rows: NDArray[np.bool_], reason: Callable[[int], str]) -> None:
        """Refuse the rows of a mask; a row that was refused before keeps its first reason."""
        fresh = rows & ~self.refused
        self.refused |= rows
        for row in np.flatnonzero(fresh)[:MOST_REASONS].tolist():
            self.reasons[row] = reason(row)

    def refuse_row(self, row: int, reason: str) -> None:
        """Refuse one row."""
        if not self.refused[row]:
            self.refused[row] = True
            self.reasons[row] = reason


def numbers(column: Any, name: str, refusals: Refusals) -> NDArray[np.float64]:  # noqa: ANN401 -- pyarrow has no types
    """Return float64; an empty or null cell, ``NaN`` and ``NA`` are NaN.

    Raises
    ------
    RequestError
        If the column is of a type that holds no numbers.
    """
    column = _plain(column)
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    if _is_text(column.type):
        column = _numbers_of_text(column, name, refusals)
    elif not (
        pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_decimal(column.type)
    ):
        raise RequestError(f"a column of {column.type} holds no numbers", place=name)
    values = np.asarray(pc.fill_null(column.cast(pa.float64(), safe=False), np.nan).to_numpy(zero_copy_only=False))
    infinite = np.isinf(values)
    if infinite.any():
        refusals.refuse(infinite, lambda _: f"{name} is not finite")
    return values


def _numbers_of_text(column: Any, name: str, refusals: Refusals) -> Any:  # noqa: ANN401 -- pyarrow has no types
    column = pc.utf8_trim_whitespace(column)
    empty = pc.or_(pc.equal(column, ""), pc.match_substring_regex(column, _NOT_A_NUMBER))
    good = pc.match_substring_regex(column, _NUMBER)
    bad = _mask(pc.invert(pc.or_(good, empty)))
    if bad.any():
        refusals.refuse(bad, lambda row: f"{name} {_shown(column[row])} is not a number")
    kept = pc.if_else(good, column, pa.scalar(None, column.type))
    return pc.replace_substring_regex(kept, r"^\+", "").cast(pa.float64())


def times(column: Any, name: str, refusals: Refusals, *, required: bool) -> NDArray[np.int64]:  # noqa: ANN401
    """Return µs since 1970 UTC; an empty or null cell is `NO_TIME`, or refuses its row where a time is required.

    Timestamps with a zone, ISO 8601 texts with an offset, and whole milliseconds since 1970 UTC are read.

    Raises
    ------
    RequestError
        If the column is of a type that holds no times, or its timestamps have no zone.
    """
    column = _plain(column)
    kind = column.type
    if pa.types.is_timestamp(kind):
        if kind.tz is None:
            raise RequestError("timestamps without a time zone; give them as UTC", place=name)
        moments = column.cast(TIME, safe=False).cast(pa.int64())
    elif _is_text(kind):
        moments = _times_of_text(column, name, refusals)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind):
        moments = _times_of_numbers(column, name, refusals)
    elif pa.types.is_null(kind):
        moments = pa.nulls(len(column), pa.int64())
    else:
        raise RequestError(f"a column of {kind} holds no times", place=name)
    missing = _mask(pc.is_null(moments))
    values = np.asarray(pc.fill_null(moments, NO_TIME).to_numpy(zero_copy_only=False)).astype(np.int64, copy=False)
    if required and missing.any():
        refusals.refuse(missing, lambda _: f"{name} is missing")
    outside = ~missing & ((values < _FIRST) | (values > _LAST))
    if outside.any():
        refusals.refuse(outside, lambda _: f"{name} lies outside the years 1 to 9999")
    return values


def _times_of_numbers(column: Any, name: str, refusals: Refusals) -> Any:  # noqa: ANN401 -- pyarrow has no types
    values = np.asarray(pc.fill_null(column.cast(pa.float64(), safe=False), np.nan).to_numpy(zero_copy_only=False))
    outside = np.abs(values) > 2.6e14
    if outside.any():
        refusals.refuse(outside, lambda row: f"{name} {values[row]:g} ms lies outside the years 1 to 9999")
    unknown = np.isnan(values) | outside
    return pa.array(np.rint(np.where(unknown, 0.0, values) * 1000.0).astype(np.int64), mask=unknown)


def _times_of_text(column: Any, name: str, refusals: Refusals) -> Any:  # noqa: ANN401 -- pyarrow has no types
    column = pc.utf8_trim_whitespace(column).cast(pa.string())
    try:
        return column.cast(TIME).cast(pa.int64())
    except pa.ArrowInvalid:
        pass
    empty = pc.equal(column, "")
    whole = pc.match_substring_regex(column, _MILLISECONDS)
    iso = pc.and_(pc.match_substring_regex(column, _ISO), pa.array(_day_exists(column)))
    bad = _mask(pc.invert(pc.or_(pc.or_(iso, whole), empty)))
    if bad.any():
        refusals.refuse(
            bad, lambda row: f"{name} {_shown(column[row])} is no time with an offset, such as 2021-03-05T12:00:00Z"
        )
    none = pa.scalar(None, pa.string())
    tidy = pc.replace_substring_regex(pc.if_else(iso, column, none), r"(\.\d{6})\d+", r"\1")
    moments = tidy.cast(TIME).cast(pa.int64())
    milliseconds = pc.if_else(whole, column, none).cast(pa.int64())
    return pc.coalesce(moments, pc.multiply(milliseconds, 1000))


def _day_exists(column: Any) -> NDArray[np.bool_]:  # noqa: ANN401 -- pyarrow has no types
    """Say whether year, month and day of ``YYYY-MM-DD…`` are in the calendar."""
    shaped = pc.match_substring_regex(column, r"^\d{4}-(0[1-9]|1[0-2])-\d\d")
    head = pc.if_else(pc.fill_null(shaped, False), column, pa.scalar("0001-01-00", pa.string()))  # noqa: FBT003
    year, month, day = (
        np.asarray(pc.utf8_slice_codeunits(head, start, stop).cast(pa.int64()).to_numpy(zero_copy_only=False))
        for start, stop in ((0, 4), (5, 7), (8, 10))
    )
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    last = np.where((month == 2) & ~leap, 28, _DAYS[month])
    exists: NDArray[np.bool_] = (day >= 1) & (day <= last) & (year >= 1)
    return exists


def texts(column: Any, name: str) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return a string column; empty cells are null.

    Raises
    ------
    RequestError
        If the column is of another type.
    """
    column = _plain(column)
    if pa.types.is_null(column.type):
        return pa.nulls(len(column), pa.string())
    if not _is_text(column.type):
        raise RequestError(f"a column of {column.type} holds no texts", place=name)
    column = column.cast(pa.string())
    return pc.if_else(pc.equal(column, ""), pa.scalar(None, pa.string()), column)


def _plain(column: Any) -> Any:  # noqa: ANN401 -- pyarrow has no types
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # combine_chunks of nothing stays chunked in some releases
        column = pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
    return column.dictionary_decode() if isinstance(column, pa.DictionaryArray) else column


def _is_text(kind: Any) -> bool:  # noqa: ANN401 -- pyarrow has no types
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _mask(column: Any) -> NDArray[np.bool_]:  # noqa: ANN401 -- pyarrow has no types
    return np.asarray(pc.fill_null(column, False).to_numpy(zero_copy_only=False), bool)  # noqa: FBT003


def _shown(cell: Any) -> str:  # noqa: ANN401 -- pyarrow has no types
    return repr(str(cell)[:40])
