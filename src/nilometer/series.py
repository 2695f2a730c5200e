"""Series of any library in, the same kind out: NumPy, lists, pandas, polars, xarray, Arrow.

The pure stages compute on plain NumPy columns and µs since 1970 UTC; `unpack` and `columns` give these and the way
back. No library is imported here unless the object given comes from it. Nothing is judged, sorted or resampled.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Columns", "Unpacked", "columns", "is_frame", "kind_of", "microseconds", "unpack"]

NO_TIME = int(np.iinfo(np.int64).min)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A series as plain columns.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        NaN where a value is missing, masked or null.
    times : ndarray of int64, shape (n,), optional
        µs since 1970 UTC; the smallest int64 where absent; None where the series brings no times.
    rewrap : callable
        Takes an array of n elements and returns it as the kind that came in, with its index, coordinates and name.
    """

    values: NDArray[np.float64]
    times: NDArray[np.int64] | None
    rewrap: Callable[[NDArray[Any]], Any]


@dataclass(frozen=True, slots=True)
class Columns:
    """A frame as plain columns.

    Parameters
    ----------
    values : dict of str to ndarray of float64, shape (n,)
        The numeric columns by name; text columns are left out.
    times : ndarray of int64, shape (n,), optional
        µs since 1970 UTC, or None where the frame brings no times.
    rewrap : callable
        Takes a mapping of names to arrays of n elements and returns a frame of the kind that came in.
    """

    values: dict[str, NDArray[np.float64]]
    times: NDArray[np.int64] | None
    rewrap: Callable[[Mapping[str, NDArray[Any]]], Any]


def unpack(series: Any, time: Any = None) -> Unpacked:  # noqa: ANN401 -- any library's series
    """Return a series as plain columns, and the way back to its kind.

    Parameters
    ----------
    series : array_like, pandas.Series, polars.Series, xarray.DataArray or pyarrow.Array, shape (n,)
        Numbers; None, NA, masked and NaT are missing.
    time : array_like, pandas.Index, polars.Series or str, optional
        Times of the values, or the name of an xarray coordinate. Without it: a pandas index of datetimes (of one
        zone or several) or ISO 8601 text, or the datetime coordinate of an xarray object. Naive times are UTC.

    Returns
    -------
    Unpacked
        Values, times and the way back.

    Raises
    ------
    TypeError
        If the object is no series.
    ValueError
        If it is not one-dimensional, not numeric, or not as long as its times.

    Examples
    --------
    >>> part = unpack([7.1, None, 7.3])
    >>> part.values.tolist(), part.rewrap(part.values > 7.2)
    ([7.1, nan, 7.3], [False, False, True])
    """
    kind = kind_of(series)
    reader = _SERIES.get(kind, _sequence)
    unpacked = reader(series, time if isinstance(time, str) else None)
    if unpacked.values.ndim != 1:
        raise ValueError(f"a series has one dimension, this one has {unpacked.values.ndim}: select one first")
    times = unpacked.times if time is None or isinstance(time, str) else microseconds(time)
    if times is not None and len(times) != len(unpacked.values):
        raise ValueError(f"{len(unpacked.values)} values and {len(times)} times: one time a value is needed")
    return Unpacked(unpacked.values, times, unpacked.rewrap)


def columns(frame: Any, time: Any = None) -> Columns:  # noqa: ANN401 -- any library's frame
    """Return a frame's numeric columns and its times, and the way back to its kind.

    Parameters
    ----------
    frame : mapping of arrays, pandas.DataFrame, polars.DataFrame, xarray.Dataset, pyarrow.Table
        Or any object whose ``to_arrow()`` gives a table, such as a Recording.
    time : str or array_like, optional
        Name of the column that holds the times, or the times. Without it: a pandas index of datetimes or ISO 8601
        text, an xarray datetime coordinate, the first column of a datetime type, or else the first one whose values
        are datetimes or ISO 8601 text.

    Returns
    -------
    Columns
        Values by name, times and the way back.

    Raises
    ------
    TypeError
        If the object is no frame.
    ValueError
        If the time column does not exist, or lengths differ.

    Examples
    --------
    >>> part = columns({"time": np.array(["2024-01-01"], "datetime64[s]"), "ph": [7.1]})
    >>> part.values["ph"].tolist(), part.times.tolist()
    ([7.1], [1704067200000000])
    """
    kind = kind_of(frame)
    if kind == "arrow":
        return _table(frame, time)
    if kind in _FRAMES:
        return _FRAMES[kind](frame, time)
    if hasattr(frame, "to_arrow"):
        return _table(frame.to_arrow(), time)
    raise TypeError(
        f"{type(frame).__name__} is no frame: give a dict of arrays or a pandas, polars, xarray or Arrow table"
    )


def is_frame(thing: Any) -> bool:  # noqa: ANN401 -- anything
    """Return whether an object is a frame, a table of columns, and not a series."""
    kinds = {
        "pandas": ("DataFrame",),
        "polars": ("DataFrame",),
        "xarray": ("Dataset",),
        "pyarrow": ("Table", "RecordBatch"),
    }
    loaded = ((sys.modules.get(library), names) for library, names in kinds.items())
    types = tuple(getattr(module, name) for module, names in loaded if module is not None for name in names)
    return isinstance(thing, (Mapping, *types))


def microseconds(time: Any) -> NDArray[np.int64]:  # noqa: ANN401 -- any library's times
    """Return times as µs since 1970 UTC.

    Parameters
    ----------
    time : array_like, pandas.Index, pandas.Series, polars.Series or xarray.DataArray
        Of datetime64, datetime or ISO 8601 text. Naive times are taken as UTC; integers are taken as µs already.

    Returns
    -------
    ndarray of int64, shape (n,)
        The smallest int64 stands for NaT, null and None.

    Raises
    ------
    TypeError
        If an object among the values is no time.
    ValueError
        If a text or a number among them is none.

    Examples
    --------
    >>> microseconds(["2024-01-01T08:00+08:00", "2024-01-01"]).tolist()
    [1704067200000000, 1704067200000000]
    """
    kind = kind_of(time)
    if kind == "pandas":
        values = time.to_numpy() if time.dtype.kind != "M" or time.dtype.__class__.__name__ != "DatetimeTZDtype" else (
            (time.dt if hasattr(time, "dt") else time).tz_convert("UTC").to_numpy(dtype="datetime64[us]")
        )  # fmt: skip
    elif kind == "polars":
        values = _polars_times(time)
    elif kind == "xarray":
        values = time.values
    elif kind == "arrow":
        values = _arrow_times(time)
    else:
        values = np.asarray(time)
    return _whole_microseconds(np.asarray(values))


def _whole_microseconds(values: NDArray[Any]) -> NDArray[np.int64]:
    if values.dtype.kind == "M":
        return values.astype("datetime64[us]", copy=False).view(np.int64)
    if values.dtype.kind in "iu":
        return values.astype(np.int64, copy=False)
    if values.dtype.kind in "UTO":
        return np.array([_one_time(item) for item in values.tolist()], np.int64)
    raise ValueError(f"{values.dtype} are no times: give datetime64, aware datetimes, ISO 8601 text or integer µs")


def _one_time(item: Any) -> int:  # noqa: ANN401 -- datetime, text or a missing value
    if item is None or item != item:  # noqa: PLR0124 -- NaT and NaN are not equal to themselves
        return NO_TIME
    if isinstance(item, str):
        try:
            item = datetime.fromisoformat(item)
        except ValueError:
            raise ValueError(f"{item!r} is no time: write ISO 8601, such as 2024-01-01T08:00:00Z") from None
    if not isinstance(item, datetime):
        raise TypeError(f"{item!r} is no time: give datetime64, aware datetimes, ISO 8601 text or integer µs")
    aware = item if item.tzinfo is not None else item.replace(tzinfo=UTC)
    since = aware - datetime(1970, 1, 1, tzinfo=UTC)
    return (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds


_DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])([T ]\d.*)?")


def _is_dated(column: Any) -> bool:  # noqa: ANN401 -- any library's column
    """Return whether the first thing that a column says, among its first rows, is a datetime or a date as text."""
    if not hasattr(column, "__len__") or getattr(getattr(column, "dtype", None), "kind", "O") in "fiubc":
        return False
    for item in column[:20]:
        said = item.as_py() if hasattr(item, "as_py") else item
        if isinstance(said, datetime) and said == said:  # noqa: PLR0124 -- NaT is a datetime that is not itself
            return True
        if isinstance(said, str) and said.strip():
            return _DATE.fullmatch(said) is not None
    return False


_LIBRARIES = {
    "pandas": ("Series", "DataFrame", "Index"),
    "polars": ("Series", "DataFrame"),
    "xarray": ("DataArray", "Dataset"),
}


def kind_of(thing: Any) -> str:  # noqa: ANN401 -- anything
    """Return an object's library: pandas, polars, xarray or arrow; else mapping or sequence."""
    for library, names in _LIBRARIES.items():
        if (module := sys.modules.get(library)) and isinstance(thing, tuple(getattr(module, name) for name in names)):
            return library
    module = sys.modules.get("pyarrow")
    if module is not None and isinstance(thing, module.Array | module.ChunkedArray | module.Table | module.RecordBatch):
        return "arrow"
    return "mapping" if isinstance(thing, Mapping) else "sequence"


def _floats(values: Any) -> NDArray[np.float64]:  # noqa: ANN401 -- whatever the library gives
    if getattr(getattr(values, "dtype", None), "kind", "") == "c":
        raise ValueError("the series holds complex numbers, which have no order")
    try:
        if isinstance(values, np.ma.MaskedArray):
            return np.ma.filled(values.astype(np.float64), np.nan)
        return np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"the series holds something that is no number: {error}") from error


def _sequence(series: Any, time: str | None) -> Unpacked:  # noqa: ANN401 -- arrays and lists
    if time is not None:
        raise ValueError(f"time={time!r}: an array has no coordinate of that name, give the times")
    if isinstance(series, str | bytes) or not hasattr(series, "__len__"):
        raise TypeError(
            f"{type(series).__name__} is no series: give an array, a list or a pandas, polars or xarray series"
        )
    if isinstance(series, np.ndarray) or not isinstance(series, Sequence):
        return Unpacked(_floats(series), None, lambda array: array)
    made = tuple if isinstance(series, tuple) else list
    return Unpacked(_floats(series), None, lambda array: made(array.tolist()))


def _mapping(series: Any, time: str | None) -> Unpacked:  # noqa: ANN401 -- refused
    raise TypeError("a mapping is a frame: give one of its columns")


def _pandas(series: Any, time: str | None) -> Unpacked:  # noqa: ANN401 -- pandas has no types here
    import pandas as pd  # noqa: PLC0415 -- only for its own objects

    if isinstance(series, pd.DataFrame):
        raise TypeError(f"a frame was given: give one of its columns ({', '.join(map(str, series.columns))})")
    if isinstance(series, pd.Index):
        return Unpacked(_floats(series.to_numpy()), None, lambda array: pd.Index(array, name=series.name))
    times: NDArray[np.int64] | None = None
    if time is not None:
        if time not in series.index.names:
            raise ValueError(f"time={time!r}: the index has no level of that name ({series.index.names})")
        times = microseconds(series.index.get_level_values(time))
    else:
        times = _index_times(series.index)
    values = _numbers_of_pandas(series)
    return Unpacked(values, times, lambda array: pd.Series(array, index=series.index, name=series.name))


def _index_times(index: Any) -> NDArray[np.int64] | None:  # noqa: ANN401 -- pandas has no types here
    """Return the times of an index that holds such: datetimes of one zone or of several, or ISO 8601 text."""
    return microseconds(index) if index.dtype.kind == "M" or _is_dated(index) else None


def _numbers_of_pandas(series: Any) -> NDArray[np.float64]:  # noqa: ANN401 -- pandas has no types here
    try:
        return np.asarray(series.to_numpy(dtype=np.float64, na_value=np.nan), np.float64)
    except (TypeError, ValueError) as error:
        named = "the series" if series.name is None else f"series {series.name!r}"
        raise ValueError(f"{named} holds something that is no number: {error}") from error


def _polars(series: Any, time: str | None) -> Unpacked:  # noqa: ANN401 -- polars has no types here
    import polars as pl  # noqa: PLC0415 -- only for its own objects

    if isinstance(series, pl.DataFrame):
        raise TypeError(f"a frame was given: give one of its columns ({', '.join(series.columns)})")
    if time is not None:
        raise ValueError(f"time={time!r}: a polars series has no index, give the times")
    if not (series.dtype.is_numeric() or series.dtype in {pl.Boolean, pl.Null}):
        raise ValueError(f"series {series.name!r} of {series.dtype} holds something that is no number")
    values = series.cast(pl.Float64).fill_null(float("nan")).to_numpy()
    return Unpacked(np.asarray(values, np.float64), None, lambda array: pl.Series(series.name, array))


def _polars_times(time: Any) -> NDArray[Any]:  # noqa: ANN401 -- polars has no types here
    import polars as pl  # noqa: PLC0415 -- only for its own objects

    if isinstance(time.dtype, pl.Datetime):
        return np.asarray(time.dt.epoch("us").fill_null(NO_TIME).to_numpy())
    return np.array(time.to_list()) if time.dtype == pl.String else np.asarray(time.to_numpy())


def _xarray(series: Any, time: str | None) -> Unpacked:  # noqa: ANN401 -- xarray has no types here
    import xarray as xr  # noqa: PLC0415 -- only for its own objects

    if isinstance(series, xr.Dataset):
        raise TypeError(f"a dataset was given: give one of its variables ({', '.join(map(str, series.data_vars))})")
    times = None
    if time is not None:
        if time not in series.coords:
            raise ValueError(
                f"time={time!r}: there is no coordinate of that name ({', '.join(map(str, series.coords))})"
            )
        times = microseconds(series.coords[time])
    else:
        times = next((microseconds(c) for c in series.coords.values() if c.dtype.kind == "M" and c.ndim == 1), None)

    def rewrap(array: NDArray[Any]) -> Any:  # noqa: ANN401 -- a DataArray
        # Attributes stay behind: units of the water are not units of its flags.
        return xr.DataArray(array, coords=series.coords, dims=series.dims, name=series.name)

    return Unpacked(_floats(series.values), times, rewrap)


def _arrow(series: Any, time: str | None) -> Unpacked:  # noqa: ANN401 -- pyarrow has no types
    import pyarrow as pa  # noqa: PLC0415 -- only for its own objects

    if time is not None or isinstance(series, pa.Table | pa.RecordBatch):
        raise ValueError("give one column of the table, and its times as an array")
    try:
        values = series.cast(pa.float64()).to_numpy(zero_copy_only=False) if isinstance(series, pa.Array) else (
            series.cast(pa.float64()).to_numpy()
        )  # fmt: skip
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise ValueError(f"the column holds something that is no number: {error}") from error
    return Unpacked(np.asarray(values, np.float64), None, pa.array)


def _arrow_times(time: Any) -> NDArray[np.int64]:  # noqa: ANN401 -- pyarrow has no types
    import pyarrow as pa  # noqa: PLC0415 -- only for its own objects

    whole = time.combine_chunks() if isinstance(time, pa.ChunkedArray) else time
    if pa.types.is_timestamp(whole.type):
        whole = whole.cast(pa.timestamp("us", whole.type.tz)).cast(pa.int64())
    elif not pa.types.is_integer(whole.type):
        return _whole_microseconds(np.asarray(whole.to_pylist(), dtype=object))
    return np.asarray(whole.fill_null(NO_TIME).to_numpy(zero_copy_only=False), np.int64)


_SERIES: dict[str, Callable[[Any, str | None], Unpacked]] = {
    "pandas": _pandas,
    "polars": _polars,
    "xarray": _xarray,
    "arrow": _arrow,
    "mapping": _mapping,
}


def _frame(
    names: Sequence[str],
    column: Callable[[str], Any],
    is_time: Callable[[str], bool],
    time: Any,  # noqa: ANN401 -- a name or times
    index_times: NDArray[np.int64] | None,
) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int64] | None]:
    """Part the names of a frame into numbers and times; what is neither is left out."""
    if isinstance(time, str) and time not in names:
        raise ValueError(f"time={time!r}: there is no column of that name ({', '.join(names)})")
    found = [name for name in names if is_time(name)]
    if not found and time is None and index_times is None:  # text, or datetimes that are objects
        found = [name for name in names if _is_dated(column(name))][:1]
    named = time if isinstance(time, str) else (found[0] if found and time is None and index_times is None else None)
    times = index_times
    if named is not None:
        times = microseconds(column(named))
    elif time is not None:
        times = microseconds(time)
    values = {}
    for name in names:
        if name == named or name in found:
            continue
        try:
            values[name] = unpack(column(name)).values
        except ValueError:
            continue
        if times is not None and len(times) != len(values[name]):
            raise ValueError(f"column {name!r} has {len(values[name])} values, there are {len(times)} times")
    return values, times


def _frame_of_pandas(frame: Any, time: Any) -> Columns:  # noqa: ANN401 -- pandas has no types here
    import pandas as pd  # noqa: PLC0415 -- only for its own objects

    if not isinstance(frame, pd.DataFrame):
        raise TypeError("a series was given: use unpack, or series.to_frame()")
    index_times = _index_times(frame.index)
    named = {str(name): name for name in frame.columns}
    values, times = _frame(
        list(named),
        lambda name: frame[named[name]],
        lambda name: bool(frame[named[name]].dtype.kind == "M"),
        time,
        index_times,
    )
    return Columns(values, times, lambda arrays: pd.DataFrame(dict(arrays), index=frame.index))


def _frame_of_polars(frame: Any, time: Any) -> Columns:  # noqa: ANN401 -- polars has no types here
    import polars as pl  # noqa: PLC0415 -- only for its own objects

    if not isinstance(frame, pl.DataFrame):
        raise TypeError("a series was given: use unpack, or series.to_frame()")
    values, times = _frame(
        frame.columns, frame.get_column, lambda name: isinstance(frame.schema[name], pl.Datetime), time, None
    )
    return Columns(values, times, lambda arrays: pl.DataFrame(dict(arrays)))


def _frame_of_xarray(frame: Any, time: Any) -> Columns:  # noqa: ANN401 -- xarray has no types here
    import xarray as xr  # noqa: PLC0415 -- only for its own objects

    if not isinstance(frame, xr.Dataset):
        raise TypeError("a DataArray was given: use unpack, or to_dataset()")
    named = {str(name): name for name in (*frame.coords, *frame.data_vars) if frame[name].ndim == 1}
    found = [name for name in named if frame[named[name]].dtype.kind == "M"]
    values, times = _frame(list(named), lambda name: frame[named[name]].values, lambda name: name in found, time, None)
    dim = next((frame[named[name]].dims[0] for name in (*found, *values)), None)
    kept = {name: frame[named[name]] for name in named if frame[named[name]].dims == (dim,)}
    coords = {name: c for name, c in frame.coords.items() if c.dims in ((dim,), ())}
    values = {name: array for name, array in values.items() if name in kept and name not in frame.coords}
    return Columns(values, times, lambda arrays: xr.Dataset({n: (dim, a) for n, a in arrays.items()}, coords=coords))


def _frame_of_mapping(frame: Any, time: Any) -> Columns:  # noqa: ANN401 -- a mapping of anything
    arrays = {str(name): column for name, column in frame.items()}

    def is_time(name: str) -> bool:
        dtype = getattr(arrays[name], "dtype", None)
        first = arrays[name][0] if isinstance(arrays[name], Sequence) and len(arrays[name]) else None
        return getattr(dtype, "kind", "") == "M" or type(dtype).__name__ == "Datetime" or isinstance(first, datetime)

    values, times = _frame(list(arrays), arrays.__getitem__, is_time, time, None)
    return Columns(values, times, dict)


def _table(frame: Any, time: Any) -> Columns:  # noqa: ANN401 -- pyarrow has no types
    import pyarrow as pa  # noqa: PLC0415 -- only for its own objects

    if not isinstance(frame, pa.Table | pa.RecordBatch):
        raise TypeError("a column was given: use unpack")
    values, times = _frame(
        frame.schema.names,
        frame.column,
        lambda name: bool(pa.types.is_timestamp(frame.schema.field(name).type)),
        time,
        None,
    )
    return Columns(values, times, lambda arrays: pa.table(dict(arrays)))


_FRAMES: dict[str, Callable[[Any, Any], Columns]] = {
    "pandas": _frame_of_pandas,
    "polars": _frame_of_polars,
    "xarray": _frame_of_xarray,
    "mapping": _frame_of_mapping,
}
