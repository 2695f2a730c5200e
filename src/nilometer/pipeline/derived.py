"""A commit with what follows from it: the rows of sources and, behind them in the same record, derived ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from nilometer.model import ObservationBatch, Settlements

__all__ = ["Derived", "Patient", "joined", "newest_only"]

Patient = Callable[[Callable[[], Any]], Any]
"""Does again what the store refuses."""


@dataclass(slots=True)
class Derived:
    """A commit with what follows from it.

    Parameters
    ----------
    rows : ObservationBatch
        What goes to the journal.
    settled : Settlements
        New flags of earlier rows.
    admitted : list of ObservationBatch
        What admission gave of the derived rows among them.
    """

    rows: ObservationBatch
    settled: Settlements
    admitted: list[ObservationBatch] = field(default_factory=list)


def newest_only(rows: ObservationBatch) -> ObservationBatch:
    """Return the last version of each row of a batch, in their order."""
    if len(rows) < 2 or rows.id is None:
        return rows
    _, last = np.unique(rows.id[::-1], return_index=True)
    return rows if len(last) == len(rows) else rows.take(np.sort(len(rows) - 1 - last))


def joined(parts: list[Settlements]) -> Settlements:
    """Return settlements one behind the other."""
    full = [part for part in parts if len(part)]
    if len(full) < 2:
        return full[0] if full else Settlements.none()
    return Settlements(
        np.concatenate([part.id for part in full]),
        np.concatenate([part.result_quality for part in full]),
        pa.concat_arrays([part.tests.cast(pa.string()) for part in full]),
    )
