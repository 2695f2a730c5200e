"""Columns as JSON text, whole columns at a time: numbers, times and intervals become Arrow strings.

A value that is not there is null: whoever joins the columns says what stands in its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["filled", "interval_texts", "join", "json_text", "number_texts", "patched", "quoted", "time_texts"]

_DAY, _MINUTE = 86_400_000_000, 60_000_000
_COMMA, _END, _POINT, _ZERO = b",].0"
_MOST_DAYS = 40_000
_WIDTH, _COARSE = len("2021-03-05T12:00:00.000000Z"), len("2021-03-05T12:00:00.000Z")
_BARE = len("2021-03-05T12:00:00Z")
_FINE, _FRACTION = slice(23, 26), slice(19, 26)

_encoder = msgspec.json.Encoder()


def json_text(value: Any) -> str:  # noqa: ANN401 -- any JSON
    """Return a value as JSON text; NaN is null."""
    return _encoder.encode(value).decode()


def join(*parts: Any) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return columns and literals side by side, row by row; null where one of them is."""
    return pc.binary_join_element_wise(*parts, "")


def quoted(column: Any) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return texts that need no escape, such as times, as JSON strings."""
    return join('"', column, '"')


def filled(column: Any, text: str) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return a column with a text where nothing is."""
    return pc.fill_null(column, text) if column.null_count else column


def patched(column: Any, texts: Mapping[int, str | None]) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return a column with other texts at some rows."""
    if not texts:
        return column
    rows = sorted(texts)
    mask = np.zeros(len(column), bool)
    mask[rows] = True
    return pc.replace_with_mask(column, pa.array(mask), pa.array([texts[row] for row in rows], pa.string()))


def number_texts(values: NDArray[Any]) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return numbers as the shortest text that reads back as the same number; NaN is null.

    Parameters
    ----------
    values : ndarray of int64 or float64, shape (n,)
        What is not finite is nothing.

    Examples
    --------
    >>> number_texts(np.array([7.25, np.nan, 8.0])).to_pylist()
    ['7.25', None, '8']
    """
    n = len(values)
    if not n:
        return pa.array([], pa.string())
    encoded = np.frombuffer(_encoder.encode(values.tolist()), np.uint8)[1:]
    kept = (encoded != _COMMA) & (encoded != _END)
    ends = np.flatnonzero(~kept)
    # A client that sent 20 reads 20, and whoever compares texts finds what was sent.
    whole = (encoded[ends - 1] == _ZERO) & (encoded[ends - 2] == _POINT)
    kept[ends[whole] - 1] = kept[ends[whole] - 2] = False
    offsets = np.zeros(n + 1, np.int32)
    offsets[1:] = ends - np.arange(n) - 2 * np.cumsum(whole)
    texts = pa.StringArray.from_buffers(n, pa.py_buffer(offsets), pa.py_buffer(encoded[kept]))
    if values.dtype.kind != "f":
        return texts
    known = np.isfinite(values)
    return texts if known.all() else pc.if_else(pa.array(known), texts, pa.scalar(None, pa.string()))


def time_texts(moments: NDArray[np.int64]) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return times as ISO 8601 in UTC: whole seconds, with ms, or with µs where ms would lose some.

    Parameters
    ----------
    moments : ndarray of int64, shape (n,)
        µs since 1970 UTC, of the years 1 to 9999.

    Examples
    --------
    >>> time_texts(np.array([0, 1_000_250])).to_pylist()
    ['1970-01-01T00:00:00Z', '1970-01-01T00:00:01.000250Z']
    """
    n = len(moments)
    if not n:
        return pa.array([], pa.string())
    day, rest = np.divmod(moments, _DAY)
    minute, rest = np.divmod(rest, _MINUTE)
    millisecond, fine = np.divmod(rest, 1000)
    text = np.empty((n, _WIDTH), np.uint8)
    text[:, :10] = _days(day)
    text[:, 10:17] = _minutes()[minute]
    text[:, 17:23] = _milliseconds()[millisecond]
    text[:, _FINE] = _thousandths()[fine]
    text[:, 26] = ord("Z")
    has_fine = fine != 0
    has_fraction = has_fine | (millisecond % 1000 != 0)
    widths = np.where(has_fine, _WIDTH, np.where(has_fraction, _COARSE, _BARE))
    if widths.min() == widths.max():
        dropped = np.arange(widths[0] - 1, _WIDTH - 1)
        return _cut(np.delete(text, dropped, axis=1) if len(dropped) else text, widths)
    kept = np.ones(text.shape, bool)
    kept[~has_fine, _FINE] = False
    kept[~has_fraction, _FRACTION] = False
    return _cut(text[kept], widths)


def interval_texts(starts: NDArray[np.int64], durations: NDArray[np.int64]) -> Any:  # noqa: ANN401 -- pyarrow has no types
    """Return instants, or ``start/end`` where a duration (µs) is not 0."""
    first = time_texts(starts)
    long = durations != 0
    if not long.any():
        return first
    last = time_texts(np.where(long, starts + durations, starts))
    return pc.if_else(pa.array(long), join(first, "/", last), first)


def _cut(text: NDArray[np.uint8], widths: NDArray[Any]) -> Any:  # noqa: ANN401 -- pyarrow has no types
    offsets = np.zeros(len(widths) + 1, np.int32)
    np.cumsum(widths, out=offsets[1:])
    flat = np.ascontiguousarray(text).reshape(-1)
    return pa.StringArray.from_buffers(len(widths), pa.py_buffer(offsets), pa.py_buffer(flat))


def _days(day: NDArray[np.int64]) -> NDArray[np.uint8]:
    least, greatest = int(day.min()), int(day.max())
    if greatest - least < _MOST_DAYS:
        return _bytes(np.datetime_as_string(np.arange(least, greatest + 1).astype("datetime64[D]")), 10)[day - least]
    different, place = np.unique(day, return_inverse=True)
    return _bytes(np.datetime_as_string(different.astype("datetime64[D]")), 10)[place]


def _bytes(texts: Iterable[str] | NDArray[np.str_], width: int) -> NDArray[np.uint8]:
    return np.array(texts, f"S{width}").view(np.uint8).reshape(-1, width)


@cache
def _minutes() -> NDArray[np.uint8]:
    return _bytes([f"T{at // 60:02}:{at % 60:02}:" for at in range(1440)], 7)


@cache
def _milliseconds() -> NDArray[np.uint8]:
    return _bytes([f"{at // 1000:02}.{at % 1000:03}" for at in range(60_000)], 6)


@cache
def _thousandths() -> NDArray[np.uint8]:
    return _bytes([f"{at:03}" for at in range(1000)], 3)
