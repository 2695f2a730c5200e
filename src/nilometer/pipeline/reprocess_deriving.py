"""Derivation in reprocessing: what derived rows are by the definitions of today.

Rows are made anew beside what is stored, as calibration makes those of an instrument; the pass that judges them
compares and writes. Times of the clock that have no row yet are given theirs before: see `reprocess_filling`.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from nilometer.model import ObservationBatch, QartodFlag
from nilometer.pipeline.derived_changes import matched, reach
from nilometer.pipeline.derived_inputs import stored_rows
from nilometer.pipeline.derived_rows import Definition, DerivedRows, rows_of
from nilometer.pipeline.reprocess_judging import Remade
from nilometer.store import Snapshot, Store

__all__ = ["Remaking"]


class Remaking:
    """What stored rows of derived Datastreams come out as today; a pure function of a snapshot.

    Parameters
    ----------
    store : Store
        Whose features tell the water of one Datastream from that of another.
    definitions : iterable of Definition
        Of the Datastreams whose rows are made anew; those of others stay as they are stored.
    """

    def __init__(self, store: Store, definitions: Iterable[Definition]) -> None:
        self._store = store
        self._definitions = {one.datastream: one for one in definitions}
        self._derived = frozenset(store.catalog.definitions.current())

    @property
    def is_chained(self) -> bool:
        """Whether one of the Datastreams is computed from another of them."""
        return any(one.datastreams & self._definitions.keys() for one in self._definitions.values())

    def of(self, rows: ObservationBatch, snapshot: Snapshot) -> Remade | None:
        """Return the results of rows, in order of time, from the inputs of a snapshot; None: none of them is derived.

        A row whose clock has none at its time any more, or that the definition skips, becomes MISSING.
        """
        n = len(rows)
        made = Remade(np.zeros(n, np.bool_), np.full(n, np.nan), np.full(n, np.nan), np.zeros(n, np.int8))
        for number in np.unique(rows.datastream).tolist():
            one = self._definitions.get(number)
            if one is None:
                continue
            mine = np.flatnonzero(rows.datastream == number)
            self._make(one, rows if len(mine) == n else rows.take(mine), mine, snapshot, made)
        return made if made.here.any() else None

    def _make(
        self, one: Definition, rows: ObservationBatch, mine: NDArray[np.int64], snapshot: Snapshot, into: Remade
    ) -> None:
        times = rows.phenomenon_time
        first, last = int(times[0]), int(times[-1])
        inputs = {
            number: stored_rows(
                self._store,
                snapshot,
                number,
                first - reach(one, number),
                last + reach(one, number),
                number in self._derived,
            )
            for number in one.datastreams
        }
        today = rows_of(one, inputs, np.unique(times))
        catalog = self._store.catalog
        water, own = catalog.water_feature(one.clock_datastream), catalog.water_feature(one.datastream)
        today.feature = np.where(today.feature == water, own, today.feature).astype(np.int32)
        place = matched(today, _identities(rows))
        found = place >= 0
        into.here[mine] = True
        into.said[mine] = QartodFlag.MISSING
        where = mine[place[found]]
        into.result[where], into.uncertainty[where] = today.result[found], today.uncertainty[found]
        into.said[where] = today.said[found]


def _identities(rows: ObservationBatch) -> DerivedRows:
    """Return stored rows as far as it takes to know them again."""
    n = len(rows)
    nan, zero = np.full(n, np.nan), np.zeros(n, np.int64)
    return DerivedRows(
        rows.phenomenon_time,
        zero if rows.duration is None else rows.duration,
        zero.astype(np.int32) if rows.feature is None else rows.feature,
        nan if rows.depth is None else rows.depth,
        nan,
        nan,
        nan,
        nan,
        zero.astype(np.int8),
    )
