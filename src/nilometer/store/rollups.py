"""Hours and days of a Datastream: counts by flag, sums of which any mean can be formed, extremes with their times.

They are always of the rows that a snapshot shows, each span counted anew from all of its rows; so they are true under
late rows, revisions, deletes and changed flags, and as of any past moment.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model.schemas import ROLLUP
from nilometer.periods import kernel
from nilometer.periods.spans import Span, edges
from nilometer.store.snapshot import Snapshot

__all__ = ["KINDS", "READ", "Own", "asked_edges", "roll_up", "rollups"]

KINDS: dict[str, int] = {
    "arithmetic": kernel.NEITHER,
    "hydrogen_ion": kernel.HYDROGEN_ION,
    "circular": kernel.CIRCULAR,
}
"""Kinds of mean, as the vocabulary names them, that rows can be rolled up for; the arithmetic one is always there."""

READ = ("phenomenon_time", "result", "result_quality", "censored")
"""The columns that means are made of."""

_ALL = (*READ, "result_uncertainty", "provenance")

Own = Callable[[int], float]
"""Gives the part of the standard uncertainty that each row of a provenance has for itself, as of noise of a reading."""

_SPANS_AT_ONCE = 10_000  # more than a year of hours: memory stays bounded whatever is asked for
_PLACE_OF_FLAG = np.full(256, 4, np.int8)
_PLACE_OF_FLAG[[1, 2, 3, 4, 9]] = range(5)


def rollups(
    snapshot: Snapshot,
    datastream: int,
    span: Span,
    start: int | None = None,
    end: int | None = None,
    *,
    time_zone: str = "UTC",
    mean: str = "arithmetic",
    own: Own | None = None,
) -> pa.Table:
    """Return the hours or days of a Datastream that hold rows of the water, in order of time.

    Parameters
    ----------
    snapshot : Snapshot
        Of now, or of a past moment.
    datastream : int
        Its id.
    span : {"hour", "day"}
        Hours of UTC, or days of `time_zone`.
    start, end : int, optional
        µs UTC, start inclusive, end exclusive; None: all. A span that holds any of it is given whole.
    time_zone : str
        An IANA name.
    mean : {"arithmetic", "hydrogen_ion", "circular"}
        Which sums are made beside the plain one.
    own : callable, optional
        Takes a provenance; None: rows have all of their uncertainty in common, as that of their calibration.

    Returns
    -------
    pyarrow.Table
        Columns of ROLLUP. `count` and its parts by flag count rows as they are flagged; what *enters* are values that
        are there and PASS, NOT_EVALUATED or SUSPECT. A span without rows is not there.

    Raises
    ------
    ConfigError
        If there is no such zone.
    StoreError
        If a file of the lake cannot be read.
    """
    every = asked_edges(snapshot, datastream, span, start, end, time_zone)
    tables = [_of_edges(snapshot, datastream, some, mean, own) for some in _parts(every)]
    return pa.concat_tables(tables) if tables else ROLLUP.empty_table()


def asked_edges(
    snapshot: Snapshot, datastream: int, span: Span, start: int | None, end: int | None, time_zone: str
) -> NDArray[np.int64]:
    """Return the edges of the spans of a Datastream that hold any of [start, end), from its first row to its last."""
    extent = snapshot.extent(datastream)
    if extent is None:
        return np.empty(0, np.int64)
    first = extent[0] if start is None else max(start, extent[0])
    last = extent[1] + 1 if end is None else min(end, extent[1] + 1)
    return edges(span, first, last, time_zone)


def roll_up(
    datastream: int, rows: pa.Table, every: NDArray[np.int64], mean: str = "arithmetic", own: Own | None = None
) -> pa.Table:
    """Return what rows of one Datastream come to.

    Parameters
    ----------
    datastream : int
        Its id.
    rows : pyarrow.Table
        Columns `phenomenon_time`, `result`, `result_quality` and `censored`, in order of time, within the edges;
        with `result_uncertainty` and `provenance` what the uncertainty of a mean is made of.
    every : ndarray of int64
        Edges of spans, µs UTC, ascending.
    mean, own
        As in `rollups`.
    """
    if not rows.num_rows:
        return ROLLUP.empty_table()
    time = rows["phenomenon_time"].cast(pa.int64()).to_numpy()
    result = _numbers(rows["result"])
    quality = rows["result_quality"].to_numpy().astype(np.uint8, copy=False)
    cuts = np.searchsorted(time, every)
    filled = np.flatnonzero(np.diff(cuts))
    starts = np.append(cuts[filled], cuts[-1]).astype(np.int64)
    counts = np.zeros((len(filled), len(kernel.COUNTS)), np.int32)
    sums = np.zeros((len(filled), len(kernel.SUMS)))
    places = np.full((len(filled), len(kernel.PLACES)), -1, np.int64)
    kind = KINDS[mean]
    spread, alone = _uncertainty(rows, own)
    censored = _censored(rows["censored"])
    kernel.walk(starts, result, _PLACE_OF_FLAG[quality], censored, spread, alone, kind, counts, sums, places)
    columns: dict[str, Any] = {
        "datastream": np.full(len(filled), datastream, np.int32),
        "start": every[filled],
        "end": every[filled + 1],
        "count": np.diff(starts).astype(np.int32),
    }
    columns |= {name: counts[:, at] for at, name in enumerate(kernel.COUNTS)}
    columns |= {name: sums[:, at] for at, name in enumerate(kernel.SUMS)}
    columns |= _named_sums(columns, kind)
    for at, name in enumerate(kernel.PLACES):
        none = places[:, at] < 0
        columns[name] = pa.array(result[places[:, at]], mask=none)
        columns[f"{name}_time"] = pa.array(time[places[:, at]], mask=none)
    arrays = [_array(columns[field.name], field.type) for field in ROLLUP]
    return pa.Table.from_arrays(arrays, schema=ROLLUP)


def _of_edges(snapshot: Snapshot, datastream: int, every: NDArray[np.int64], mean: str, own: Own | None) -> pa.Table:
    rows = snapshot.read([datastream], int(every[0]), int(every[-1]), columns=_ALL)
    return roll_up(datastream, rows, every, mean, own)


def _parts(every: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(every) - 1, _SPANS_AT_ONCE):
        yield every[start : start + _SPANS_AT_ONCE + 1]


def _numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    return np.ascontiguousarray(column.to_numpy(), np.float64)


def _uncertainty(rows: pa.Table, own: Own | None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the standard uncertainty of rows, and the part that each has for itself; nothing where no row has one."""
    names = rows.schema.names
    if "result_uncertainty" not in names or rows["result_uncertainty"].null_count == rows.num_rows:
        return np.empty(0), np.empty(0)
    spread = _numbers(rows["result_uncertainty"])
    if own is None or "provenance" not in names:
        return spread, np.zeros(len(spread))
    ways, which = np.unique(rows["provenance"].to_numpy(), return_inverse=True)
    return spread, np.array([own(int(way)) for way in ways])[which]


def _censored(column: pa.ChunkedArray) -> NDArray[np.int8]:
    if column.null_count == len(column):
        return np.zeros(len(column), np.int8)
    return np.ascontiguousarray(column.fill_null(0).to_numpy(), np.int8)


def _named_sums(columns: dict[str, Any], kind: int) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for which in ("good", "suspect"):
        a, b = columns[f"sum_a_{which}"], columns[f"sum_b_{which}"]
        none = pa.nulls(len(a), pa.float64())
        named[f"sum_h_{which}"] = a if kind == kernel.HYDROGEN_ION else none
        named[f"sum_sin_{which}"] = a if kind == kernel.CIRCULAR else none
        named[f"sum_cos_{which}"] = b if kind == kernel.CIRCULAR else none
    return named


def _array(values: Any, kind: pa.DataType) -> pa.Array:  # noqa: ANN401 -- pyarrow has no types
    array = values if isinstance(values, pa.Array) else pa.array(values)
    return array if array.type == kind else array.cast(kind)
