"""Stored Observations in: rows of the store's own schema to series by observed property."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer import units
from nilometer.model.entities import SampleKind
from nilometer.verdict.statistics import ItemSeries

__all__ = ["DatastreamOf", "series_of_observations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatastreamOf:
    """What a verdict must know of a Datastream: its id, its key, what it observes, in which unit."""

    id: int
    key: str
    property: str
    unit: str


def series_of_observations(
    rows: pa.Table, datastreams: Collection[DatastreamOf], *, sample_features: Collection[int] = ()
) -> dict[str, ItemSeries]:
    """Return the series of stored rows, by vocabulary key.

    Parameters
    ----------
    rows : pyarrow.Table
        Of schema `OBSERVATION`, or a part with datastream, phenomenon_time, result, result_quality, and where they may
        matter censored and feature.
    datastreams : collection of DatastreamOf
        Rows of other Datastreams are passed over. Several that observe one property are taken together.
    sample_features : collection of int
        Ids of FeaturesOfInterest that are standards or samples: their rows are counted and left out.

    Returns
    -------
    dict of str to ItemSeries
        Only properties that rows exist for.
    """
    whole = rows.combine_chunks()
    ids = _column(whole, "datastream", np.int64)
    features = _column(whole, "feature", np.int64)
    is_sample = np.isin(features, np.fromiter(sample_features, np.int64, len(sample_features)))
    columns = {
        "values": _column(whole, "result", np.float64),
        "quality": _column(whole, "result_quality", np.int8),
        "censored": _column(whole, "censored", np.int8),
        "sample": np.where(is_sample, SampleKind.CHECK, SampleKind.WATER).astype(np.int8),
        "times": _column(whole, "phenomenon_time", np.int64),
    }
    series: dict[str, ItemSeries] = {}
    for datastream in datastreams:
        mine = ids == datastream.id
        if not mine.any():
            continue
        part = ItemSeries(
            **{name: column[mine] for name, column in columns.items()},
            unit=datastream.unit,
            datastreams=(datastream.key,),
        )
        before = series.get(datastream.property)
        series[datastream.property] = part if before is None else _together(before, part)
    return series


def _together(a: ItemSeries, b: ItemSeries) -> ItemSeries:
    return ItemSeries(
        values=np.concatenate([a.values, units.convert(b.values, b.unit, a.unit)]),
        unit=a.unit,
        quality=_joined(a.quality, b.quality),
        censored=_joined(a.censored, b.censored),
        sample=_joined(a.sample, b.sample),
        times=_joined(a.times, b.times),
        datastreams=a.datastreams + b.datastreams,
    )


def _joined(a: NDArray[Any] | None, b: NDArray[Any] | None) -> NDArray[Any] | None:
    return None if a is None or b is None else np.concatenate([a, b])


def _column(rows: pa.Table, name: str, dtype: Any) -> NDArray[Any]:  # noqa: ANN401 -- any NumPy type
    if name not in rows.schema.names:
        return np.zeros(rows.num_rows, dtype)
    column = rows[name]
    if pa.types.is_timestamp(column.type):
        column = column.cast(pa.timestamp("us", tz=column.type.tz)).cast(pa.int64())
    if np.dtype(dtype).kind != "f":
        column = column.fill_null(0)
    return np.asarray(column.to_numpy(), dtype)
