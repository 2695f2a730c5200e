"""Any library's series in, plain columns out, and the same kind back."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr

from nilometer.series import NO_TIME, columns, microseconds, unpack

STAMPS = np.array(["2024-01-01T00:00", "2024-01-01T00:15", "2024-01-01T00:30"], "datetime64[ns]")
MICROSECONDS = [1704067200000000, 1704068100000000, 1704069000000000]
NAN = float("nan")


def same(seen, expected):
    assert np.array_equal(np.asarray(seen, float), np.asarray(expected, float), equal_nan=True)


@pytest.mark.parametrize(
    "series",
    [
        [1.0, None, 3.0],
        (1.0, None, 3.0),
        np.array([1.0, np.nan, 3.0]),
        np.ma.masked_array([1, 2, 3], mask=[False, True, False]),
        pd.Series([1.0, None, 3.0]),
        pd.Series([1, None, 3], dtype="Int64"),
        pd.Series([1.0, None, 3.0], dtype="float64[pyarrow]"),
        pl.Series("x", [1, None, 3]),
        xr.DataArray([1.0, np.nan, 3.0], dims="n"),
        pa.array([1, None, 3]),
        pa.chunked_array([[1.0, None], [3.0]]),
    ],
    ids=lambda series: type(series).__module__.split(".")[0] + "." + type(series).__name__,
)
def test_whatever_is_missing_becomes_nan_and_the_kind_comes_back(series):
    part = unpack(series)
    assert part.values.dtype == np.float64
    same(part.values, [1.0, NAN, 3.0])
    back = part.rewrap(np.array([1, 9, 4], np.int8))
    expected = {np.ma.MaskedArray: np.ndarray, pa.DoubleArray: pa.Int8Array, pa.Int64Array: pa.Int8Array}
    kind = expected.get(type(series), type(series))
    assert isinstance(back, kind) or (isinstance(series, pa.ChunkedArray) and isinstance(back, pa.Array))
    assert list(back) == [1, 9, 4] or back.to_pylist() == [1, 9, 4]


def test_pandas_keeps_index_and_name_and_gives_times_in_utc():
    index = pd.DatetimeIndex(STAMPS).tz_localize("UTC").tz_convert("Asia/Shanghai")
    part = unpack(pd.Series([1.0, 2.0, 3.0], index=index, name="ph"))
    assert part.times.tolist() == MICROSECONDS
    back = part.rewrap(np.array([1, 3, 4], np.int8))
    assert back.index.equals(index)
    assert (back.name, back.dtype) == ("ph", np.int8)


def test_xarray_keeps_coordinates_and_name_and_leaves_attributes_behind():
    array = xr.DataArray(
        [1.0, 2.0, 3.0], coords={"time": STAMPS, "site": "A"}, dims="time", name="ph", attrs={"units": "1"}
    )
    part = unpack(array)
    assert part.times.tolist() == MICROSECONDS
    back = part.rewrap(np.array([1, 3, 4], np.int8))
    assert back.coords["time"].equals(array.coords["time"])
    assert (back.name, back.coords["site"].item(), back.attrs) == ("ph", "A", {})
    assert unpack(array, time="time").times.tolist() == MICROSECONDS


@pytest.mark.parametrize(
    "time",
    [
        STAMPS,
        STAMPS.astype("datetime64[s]"),
        MICROSECONDS,
        ["2024-01-01", "2024-01-01T08:15+08:00", "2024-01-01T00:30Z"],
        [datetime(2024, 1, 1, 0, m, tzinfo=UTC).astimezone(timezone(timedelta(hours=8))) for m in (0, 15, 30)],
        pd.Series(STAMPS),
        pd.Series(STAMPS).dt.tz_localize("UTC").dt.tz_convert("America/Denver"),
        pd.DatetimeIndex(STAMPS),
        pl.Series(STAMPS),
        pl.Series(STAMPS).dt.replace_time_zone("UTC").dt.convert_time_zone("Asia/Shanghai"),
        xr.DataArray(STAMPS, dims="n"),
        pa.array(STAMPS),
        pa.chunked_array([pa.array(STAMPS)]).cast(pa.timestamp("ms", "UTC")),
    ],
    ids=lambda time: type(time).__module__.split(".")[0] + "." + type(time).__name__,
)
def test_every_kind_of_time_becomes_microseconds(time):
    assert microseconds(time).tolist() == MICROSECONDS
    assert unpack([1, 2, 3], time=time).times.tolist() == MICROSECONDS


def test_a_missing_time_is_no_time_in_every_kind():
    for time in (
        np.array(["NaT"], "datetime64[ns]"), [None], pd.DatetimeIndex([None]),
        pl.Series([None], dtype=pl.Datetime("ms")),
        pa.array([None], pa.timestamp("s")), pd.Series([pd.NaT]),
    ):  # fmt: skip
        assert microseconds(time).tolist() == [NO_TIME]


TABLE = {"time": STAMPS, "ph": np.array([7.0, NAN, 7.2]), "site": np.array(["a", "b", "c"])}


@pytest.mark.parametrize(
    "frame",
    [
        TABLE,
        pd.DataFrame(TABLE),
        pd.DataFrame(TABLE).set_index("time"),
        pl.DataFrame(TABLE),
        xr.Dataset({"ph": ("time", TABLE["ph"]), "site": ("time", TABLE["site"])}, coords={"time": STAMPS}),
        pa.table(TABLE),
    ],
    ids=["mapping", "pandas", "pandas-index", "polars", "xarray", "arrow"],
)
def test_a_frame_gives_its_numbers_and_times_and_comes_back_as_its_kind(frame):
    part = columns(frame)
    assert list(part.values) == ["ph"]
    same(part.values["ph"], TABLE["ph"])
    assert part.times.tolist() == MICROSECONDS
    back = part.rewrap({"ph": np.array([1, 9, 1], np.int8)})
    assert type(back) is type(frame)
    assert np.asarray(back["ph"]).tolist() == [1, 9, 1]


def test_the_time_column_may_be_named_even_when_it_is_text():
    part = columns({"when": ["2024-01-01", None], "x": [1, 2]}, time="when")
    assert part.times.tolist() == [MICROSECONDS[0], NO_TIME]
    assert list(part.values) == ["x"]


def test_an_object_that_gives_arrow_is_a_frame():
    class Recording:
        def to_arrow(self):
            return pa.table(TABLE)

    assert list(columns(Recording()).values) == ["ph"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: unpack(np.zeros((2, 2))), "one dimension"),
        (lambda: unpack(3.0), "no series"),
        (lambda: unpack("7.1"), "no series"),
        (lambda: unpack(["a"]), "no number"),
        (lambda: unpack(pd.Series(["a"])), "no number"),
        (lambda: unpack(pl.Series(["a"])), "no number"),
        (lambda: unpack(pa.array(["a"])), "no number"),
        (lambda: unpack({"a": [1]}), "a mapping is a frame"),
        (lambda: unpack(pd.DataFrame({"a": [1]})), r"one of its columns \(a\)"),
        (lambda: unpack(pl.DataFrame({"a": [1]})), r"one of its columns \(a\)"),
        (lambda: unpack([1, 2], time=[1]), "2 values and 1 times"),
        (lambda: unpack([1], time="t"), "no coordinate"),
        (lambda: unpack(xr.DataArray([1.0], dims="n"), time="t"), "no coordinate"),
        (lambda: columns([1, 2]), "is no frame"),
        (lambda: columns({"a": [1]}, time="t"), r"no column of that name \(a\)"),
        (lambda: columns({"a": [1, 2]}, time=[1]), "'a' has 2 values"),
        (lambda: microseconds(["yesterday"]), "ISO 8601"),
        (lambda: microseconds([1.5]), "are no times"),
    ],
)
def test_what_cannot_be_read_is_refused_with_what_would_work(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()


def test_no_library_is_imported_for_an_array():
    code = (
        "import sys, numpy as np, nilometer.series as s; s.unpack(np.arange(3.0)); s.columns({'a': [1.0]});"
        "sys.exit(any(name in sys.modules for name in ('pandas', 'polars', 'xarray', 'pyarrow')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_index_of_several_time_zones_or_of_text_brings_its_times():
    zones = (UTC, timezone(timedelta(hours=8)))
    stamps = [datetime.fromtimestamp(us / 1e6, zones[k % 2]) for k, us in enumerate(MICROSECONDS)]
    for index in (pd.Index(stamps, dtype=object), pd.Index([None, *stamps[1:]], dtype=object)):
        part = unpack(pd.Series([1.0, 2.0, 3.0], index=index))
        assert part.times.tolist() == [MICROSECONDS[0] if index[0] else NO_TIME, *MICROSECONDS[1:]]
    text = pd.Index([stamp.isoformat() for stamp in stamps])
    assert unpack(pd.Series([1.0, 2.0, 3.0], index=text)).times.tolist() == MICROSECONDS
    assert columns(pd.DataFrame({"ph": [1.0, 2.0, 3.0]}, index=text)).times.tolist() == MICROSECONDS
    for index in (None, ["a", "b", "c"], ["20240101", "20240102", "20240103"], ["2024-99-99", "b", "c"]):
        assert unpack(pd.Series([1.0, 2.0, 3.0], index=index)).times is None
    with pytest.raises(ValueError, match="'later' is no time"):
        unpack(pd.Series([1.0, 2.0], index=["2024-01-01", "later"]))


@pytest.mark.parametrize(
    "made", [dict, pd.DataFrame, pl.DataFrame, lambda named: pa.table({k: pa.array(v) for k, v in named.items()})]
)
def test_a_column_of_text_brings_the_times_where_none_is_of_a_datetime_type(made):
    text = ["2024-01-01T08:00+08:00", "2024-01-01T00:15Z", "2024-01-01T00:30"]
    part = columns(made({"site": ["a", "b", "c"], "ph": [7.1, 7.2, 7.3], "when": text}))
    assert part.times.tolist() == MICROSECONDS
    assert list(part.values) == ["ph"]
    assert columns(made({"site": ["a", "b", "c"], "ph": [7.1, 7.2, 7.3]})).times is None


def test_values_that_have_no_order_are_no_series():
    with pytest.raises(ValueError, match="complex"):
        unpack(np.array([1j, 2.0]))
    with pytest.raises(ValueError, match="the series holds something that is no number"):
        unpack(pd.Series(["a", "b"]))
