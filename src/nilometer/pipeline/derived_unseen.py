"""What the journal has behind the kept state of the derivation: which times it let wait is known from it alone.

A row of the clock may have come long before the state was kept, and have been answered then without an input. An input
that came late lets it wait anew, in memory; so not the clock's rows alone are looked at after a crash, but whatever
changed, by the rule that holds while it changes (`derived_changes.concerned`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model import ObservationBatch
from nilometer.pipeline.derived_rows import Times
from nilometer.store import Store

__all__ = ["Unseen", "unseen"]


@dataclass(slots=True)
class Unseen:
    """Changes of inputs, and of what is derived.

    Parameters
    ----------
    times : dict of int to ndarray of int64
        By Datastream, when rows came or were revised, rising, µs since 1970 UTC.
    settled : ndarray of int64
        Ids of rows that got another flag.
    """

    times: dict[int, Times] = field(default_factory=dict)
    settled: Times = field(default_factory=lambda: np.empty(0, np.int64))

    def __bool__(self) -> bool:
        return bool(self.times) or bool(len(self.settled))

    def changed(self, store: Store) -> dict[int, Times]:
        """Return, by Datastream, the times at which something changed; reads the rows that were settled.

        Raises
        ------
        StoreError
            If the store refuses.
        """
        if not len(self.settled):
            return self.times
        table = store.snapshot().by_id(self.settled)
        owner = table["datastream"].to_numpy()
        times = table["phenomenon_time"].cast(pa.int64()).to_numpy()
        found = dict(self.times)
        for number in np.unique(owner).tolist():
            mine = [times[owner == number], *([found[number]] if number in found else [])]
            found[number] = np.unique(np.concatenate(mine))
        return found


def unseen(store: Store, after: int, takes_part: Callable[[ObservationBatch], NDArray[np.bool_]]) -> Unseen:
    """Return what was journaled above a sequence, revisions and new flags too.

    Parameters
    ----------
    store : Store
        With the journal.
    after : int
        The sequence of the state.
    takes_part : callable
        Says which rows are inputs, or derived.
    """
    parts: dict[int, list[Times]] = {}
    ids = [np.empty(0, np.int64)]
    for rows, settled in store.journaled(after):
        here = takes_part(rows)
        for number in np.unique(rows.datastream[here]).tolist():
            parts.setdefault(number, []).append(rows.phenomenon_time[here & (rows.datastream == number)])
        ids.append(settled.id)
    return Unseen(
        {number: np.unique(np.concatenate(times)) for number, times in parts.items()}, np.unique(np.concatenate(ids))
    )
