"""Settlements of rows that are new in the same commit: they are written into the rows, nothing has to settle later."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from nilometer.model import ObservationBatch, Settlements

__all__ = ["settle_own"]


def settle_own(rows: ObservationBatch, settled: Settlements) -> Settlements:
    """Write settlements of rows that are new in this same call into them; return the others."""
    if not len(settled) or not len(rows) or rows.id is None or rows.result_quality is None:
        return settled
    # Ids climb: of a Datastream that has none of these rows settled, all rows have greater ids than what has settled.
    datastream = settled.id >> 32
    most = np.zeros(max(int(rows.datastream.max()), int(datastream.max())) + 1, np.int64)
    np.maximum.at(most, datastream, settled.id)
    near = np.flatnonzero(rows.id <= most[rows.datastream])
    if not len(near):
        return settled
    order = near[np.argsort(rows.id[near], kind="stable")]
    place = np.searchsorted(rows.id[order], settled.id, "right") - 1
    row = order[place]
    own = (place >= 0) & (rows.id[row] == settled.id)
    if rows.supersedes is not None:
        own &= ~rows.supersedes[row]
    if not own.any():
        return settled
    which = np.flatnonzero(own)
    rows.result_quality[row[which]] = settled.result_quality[which]
    tests = pa.nulls(len(rows), pa.string()) if rows.tests is None else rows.tests.cast(pa.string())
    # The last of several settlements of one row stands.
    newest = {int(target): int(source) for target, source in zip(row[which], which, strict=True)}
    targets = np.array(sorted(newest), np.int64)
    mask = np.zeros(len(rows), bool)
    mask[targets] = True
    sources = pa.array([newest[int(target)] for target in targets])
    rows.tests = pc.replace_with_mask(tests, pa.array(mask), settled.tests.cast(pa.string()).take(sources))
    others = np.flatnonzero(~own)
    return Settlements(settled.id[others], settled.result_quality[others], settled.tests.take(pa.array(others)))
