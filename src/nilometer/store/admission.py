"""Admission says whether a row is new, unchanged, a revision, or of no Datastream at all."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nilometer.model import ObservationBatch

__all__ = ["NEW", "REJECTED", "REVISED", "UNCHANGED", "Admission"]

NEW, UNCHANGED, REVISED, REJECTED = 0, 1, 2, 3


@dataclass(slots=True)
class Admission:
    """What became of the rows of a batch.

    Parameters
    ----------
    rows : ObservationBatch
        The rows that go on, new and revised, in arrival order.
    status : ndarray of int8, shape (n,)
        Per row of the input: NEW 0, UNCHANGED 1, REVISED 2, REJECTED 3.
    reasons : dict
        Why rows were rejected, by their index; of the first thousand.
    """

    rows: ObservationBatch
    status: NDArray[np.int8]
    reasons: dict[int, str] = field(default_factory=dict)
