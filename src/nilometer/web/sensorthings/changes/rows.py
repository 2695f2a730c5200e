"""Observations as rows: what has a column goes there, the rest beside it in `extra`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from nilometer.errors import RequestError
from nilometer.model import NO_TIME, ObservationBatch
from nilometer.web.sensorthings.quality import PARAMETER_PREFIX
from nilometer.web.times import format_interval

__all__ = ["NewRow", "batch_of", "kept_of", "number_of", "row_of"]


@dataclass(slots=True)
class NewRow:
    """One Observation; `feature` 0: the water where its Thing stands. Times in µs, NO_TIME: not given."""

    datastream: int
    start: int
    duration: int
    result: float
    extra: dict[str, Any]
    result_time: int = NO_TIME
    feature: int = 0


def number_of(result: Any, extra: dict[str, Any], place: str = "$.result") -> float:  # noqa: ANN401 -- any JSON
    """Return a result as float64; what that does not hold exactly is kept in `extra`.

    A whole number beyond 2⁵³ is kept, and is the nearest float64 here, by which it is found and drawn. What is no
    number is NaN. So is null, a missing value as in a bulk write, and nothing of it is kept.
    """
    if result is None:
        return math.nan
    if isinstance(result, float) or (type(result) is int and abs(result) <= 2**53):
        if not math.isfinite(result):
            raise RequestError("the result is not finite", place=place)
        return float(result)
    extra["@result"] = result
    try:
        return float(result) if type(result) is int else math.nan
    except OverflowError:
        return math.nan


def kept_of(values: Mapping[str, Any], place: str) -> dict[str, Any]:
    """Return what an Observation's `extra` holds: its parameters, quality and valid time; the result is not here.

    Raises
    ------
    RequestError
        If a parameter's name is one of ours.
    """
    extra = dict(values.get("parameters") or {})
    for name in extra:
        if name.startswith(PARAMETER_PREFIX):
            raise RequestError(
                f"a parameter's name does not start with {PARAMETER_PREFIX}", place=f"{place}.parameters"
            )
    if values.get("resultQuality") is not None:
        extra["@resultQuality"] = values["resultQuality"]
    if values.get("validTime") is not None:
        extra["@validTime"] = format_interval(*values["validTime"])
    return extra


def row_of(values: Mapping[str, Any], datastream: int, feature: int, now: int, place: str) -> NewRow:
    """Return a checked Observation as a row; without a time it is of `now`."""
    start, duration = values.get("phenomenonTime") or (now, 0)
    extra = kept_of(values, place)
    result = number_of(values["result"], extra, f"{place}.result")
    given = values.get("resultTime")
    return NewRow(datastream, start, duration, result, extra, NO_TIME if given is None else given, feature)


def batch_of(rows: Sequence[NewRow], always_new: Sequence[bool]) -> ObservationBatch:
    """Return rows as columns; one that says nothing is left out."""
    extras = [msgspec.json.encode(row.extra).decode() if row.extra else None for row in rows]
    features = np.array([row.feature for row in rows], np.int32)
    result_times = np.array([row.result_time for row in rows], np.int64)
    durations = np.array([row.duration for row in rows], np.int64)
    return ObservationBatch(
        datastream=np.array([row.datastream for row in rows], np.int32),
        always_new=np.array(always_new, np.bool_),
        phenomenon_time=np.array([row.start for row in rows], np.int64),
        raw_result=np.array([row.result for row in rows], np.float64),
        duration=durations if durations.any() else None,
        feature=features if features.any() else None,
        result_time=result_times if (result_times != NO_TIME).any() else None,
        extra=pa.array(extras, pa.string()) if any(extras) else None,
    )
