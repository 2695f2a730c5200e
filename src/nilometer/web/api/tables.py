"""Rows of Observations as JSON columns, CSV, an Arrow stream or Parquet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from nilometer.model import ObservationBatch, SampleKind
from nilometer.web.times import format_times

__all__ = ["FORMATS", "json_columns", "milliseconds", "shown_uncertainty", "to_bytes", "to_csv_table"]

FORMATS: dict[str, str] = {
    "json": "application/json",
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}
"""Media type by the name of the format."""


def milliseconds(moments: NDArray[np.int64]) -> list[int] | list[float]:
    """Return µs as ms: whole numbers, or fractions where some are below the millisecond."""
    if np.any(moments % 1000):
        fractions: list[float] = (moments / 1000).tolist()
        return fractions
    whole: list[int] = (moments // 1000).tolist()
    return whole


def shown_uncertainty(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return float32 uncertainties without the digits that float64 would add to them."""
    known = np.isfinite(values) & (values > 0)
    digits = 5 - np.floor(np.log10(np.where(known, values, 1.0)))
    scale = 10.0**digits
    rounded: NDArray[np.float64] = np.where(known, np.rint(values * scale) / scale, values)
    return rounded


def json_columns(rows: ObservationBatch, sample_kinds: Mapping[int, SampleKind]) -> dict[str, list[Any]]:
    """Return the columns of the native API; NaN becomes null when they are encoded.

    Parameters
    ----------
    rows : ObservationBatch
        Finished rows.
    sample_kinds : mapping of int to SampleKind
        The FeaturesOfInterest that are not water.
    """
    n = len(rows)
    result = np.full(n, np.nan) if rows.result is None else rows.result
    raw = np.where((rows.raw_result == result) | np.isnan(rows.raw_result), np.nan, rows.raw_result)
    none = [None] * n
    return {
        "id": [] if rows.id is None else rows.id.tolist(),
        "time": milliseconds(rows.phenomenon_time),
        "result": result.tolist(),
        "raw_result": raw.tolist(),
        "uncertainty": none
        if rows.result_uncertainty is None
        else shown_uncertainty(rows.result_uncertainty.astype(np.float64)).tolist(),
        "quality": [] if rows.result_quality is None else rows.result_quality.tolist(),
        "tests": none if rows.tests is None else rows.tests.to_pylist(),
        "mark": none if rows.mark is None else rows.mark.to_pylist(),
        "censored": [0] * n if rows.censored is None else rows.censored.tolist(),
        "sample": _samples(rows.feature, n, sample_kinds),
    }


def _samples(feature: NDArray[np.int32] | None, n: int, sample_kinds: Mapping[int, SampleKind]) -> list[int]:
    if feature is None or not sample_kinds:
        return [0] * n
    known = np.fromiter(sample_kinds, np.int64, len(sample_kinds))
    is_sample = np.isin(feature, known)
    if not is_sample.any():
        return [0] * n
    return [int(sample_kinds[int(number)]) if mark else 0 for number, mark in zip(feature, is_sample, strict=True)]


def to_csv_table(rows: pa.Table, keys: Mapping[int, str]) -> pa.Table:
    """Return rows as people read them: keys, ISO 8601 times, flags; one table for CSV and Parquet exports."""
    ids = rows["datastream"].to_numpy()
    unique, codes = np.unique(ids, return_inverse=True)
    names = pa.array([keys.get(int(number), str(number)) for number in unique], pa.string())
    return pa.table(
        {
            "datastream": names.take(pa.array(codes)),
            "phenomenon_time": pa.array(
                format_times(rows["phenomenon_time"].cast(pa.int64()).to_numpy()).astype(object), pa.string()
            ),
            **{name: rows[name] for name in _EXPORTED},
        }
    )


_EXPORTED = ("result", "raw_result", "result_uncertainty", "result_quality", "tests", "mark", "censored", "duration")


def to_bytes(rows: pa.Table, format_name: str) -> bytes:
    """Return a table as CSV, an Arrow stream or Parquet."""
    sink = pa.BufferOutputStream()
    if format_name == "csv":
        pyarrow.csv.write_csv(rows, sink, pyarrow.csv.WriteOptions(quoting_style="needed"))
    elif format_name == "arrow":
        with pa.ipc.new_stream(sink, rows.schema) as writer:
            writer.write_table(rows)
    else:
        pyarrow.parquet.write_table(rows, sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data
