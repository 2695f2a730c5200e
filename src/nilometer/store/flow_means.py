"""The flow-weighted mean: of rows, paired with those of a discharge, for the sums of one Datastream do not hold it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model.schemas import TIME
from nilometer.periods import means
from nilometer.periods.spans import HOUR_US, Span
from nilometer.store.means import BELOW, Below
from nilometer.store.rollups import READ, asked_edges
from nilometer.store.snapshot import Snapshot

__all__ = ["FLOW", "flow_weighted"]

FLOW: pa.Schema = pa.schema(
    [
        pa.field("start", TIME, nullable=False),
        pa.field("end", TIME, nullable=False),  # exclusive
        pa.field("n", pa.int32(), nullable=False),  # values that had a discharge
        pa.field("unpaired", pa.int32(), nullable=False),  # values that had none
        pa.field("below", pa.int32(), nullable=False),  # of the n, censored below
        pa.field("discharge", pa.float64()),  # the mean of the discharges paired with
        pa.field("mean", pa.float64()),
    ]
)
"""Flow-weighted means."""

_FAIL = 4


def flow_weighted(
    snapshot: Snapshot,
    datastream: int,
    discharge: int,
    span: Span,
    start: int | None = None,
    end: int | None = None,
    *,
    time_zone: str = "UTC",
    within_us: int = HOUR_US,
    below: Below = "half",
    without_suspect: bool = False,
) -> pa.Table:
    """Return the flow-weighted mean Σcq / Σq of each span, from rows: the sums of one Datastream do not hold it.

    Every value is weighted by the discharge nearest to it in time. A span whose discharges sum to nothing, or to less
    (a tide that turns), has none.

    Parameters
    ----------
    snapshot : Snapshot
        Of now, or of a past moment.
    datastream, discharge : int
        Ids; the discharge in any unit.
    span : {"hour", "day"}
        Hours of UTC, or days of `time_zone`.
    start, end : int, optional
        As in `rollups`.
    time_zone : str
        An IANA name.
    within_us : int
        A discharge further away than so many µs is not that of the value; the value is `unpaired` then.
    below : {"half", "limit", "zero"}
        What stands for a value below its detection limit.
    without_suspect : bool
        Leave SUSPECT values and discharges out.

    Returns
    -------
    pyarrow.Table
        Columns of FLOW; spans without a value are not there.

    Raises
    ------
    ConfigError
        If there is no such zone.
    StoreError
        If a file of the lake cannot be read.
    """
    every = asked_edges(snapshot, datastream, span, start, end, time_zone)
    if not len(every):
        return FLOW.empty_table()
    time, value, censored = _entering(snapshot, datastream, int(every[0]), int(every[-1]), without_suspect)
    value = np.where(censored < 0, value * BELOW[below], value)
    when, flow, _ = _entering(
        snapshot, discharge, int(every[0]) - within_us, int(every[-1]) + within_us + 1, without_suspect
    )
    place = _nearest(time, when)
    paired = np.zeros(len(time), bool)
    if len(when):
        paired = np.abs(when[place] - time) <= within_us
    weight = np.zeros(len(time))
    weight[paired] = flow[place[paired]]
    cuts = np.searchsorted(time, every)
    filled = np.flatnonzero(np.diff(cuts))
    starts = cuts[filled]

    def summed(values: NDArray[Any]) -> NDArray[Any]:
        return np.add.reduceat(values, starts) if len(starts) else values[:0]

    n, flows = summed(paired.astype(np.int64)), summed(weight)
    with np.errstate(invalid="ignore", divide="ignore"):
        average = flows / n
    found = means.flow_weighted(np.where(paired, value, 0.0), weight, starts)
    return pa.Table.from_arrays(
        [
            pa.array(every[filled]).cast(TIME),
            pa.array(every[filled + 1]).cast(TIME),
            pa.array(n.astype(np.int32)),
            pa.array((np.diff(cuts)[filled] - n).astype(np.int32)),
            pa.array(summed((paired & (censored < 0)).astype(np.int32))),
            pa.array(average, pa.float64(), mask=np.isnan(average)),
            pa.array(found, pa.float64(), mask=np.isnan(found)),
        ],
        schema=FLOW,
    )


def _entering(
    snapshot: Snapshot,
    datastream: int,
    start: int,
    end: int,
    without_suspect: bool,  # noqa: FBT001 -- ours alone
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.int8]]:
    """Return time, value and censoring of the rows that enter a mean."""
    rows = snapshot.read([datastream], start, end, columns=READ)
    quality = rows["result_quality"].to_numpy()
    enters = (quality < (_FAIL - 1 if without_suspect else _FAIL)) & rows["result"].is_valid().to_numpy()
    rows = rows.filter(pa.array(enters))
    return (
        rows["phenomenon_time"].cast(pa.int64()).to_numpy(),
        rows["result"].to_numpy().astype(np.float64),
        rows["censored"].fill_null(0).to_numpy(),
    )


def _nearest(time: NDArray[np.int64], among: NDArray[np.int64]) -> NDArray[np.intp]:
    """Return the place of the nearest time, the earlier of two that are equally near; 0 where there is none at all."""
    if not len(among):
        return np.zeros(len(time), np.intp)
    after = np.clip(np.searchsorted(among, time), 0, len(among) - 1)
    before = np.clip(after - 1, 0, None)
    return np.where(time - among[before] <= np.abs(among[after] - time), before, after)
