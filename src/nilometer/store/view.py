"""What a snapshot rests on: the files, the hot rows and what hides some of them, as of one commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.store.coverage import Coverage, Covered
from nilometer.store.hot import Segment
from nilometer.store.lake_file import LakeFile
from nilometer.store.masks import Masks
from nilometer.store.tombstones import Tombstones

__all__ = ["Ends", "Extents", "View"]


@dataclass(frozen=True, slots=True)
class Extents:
    """The Datastream index as it was: see `DatastreamIndex`."""

    first: NDArray[np.int64]
    newest: NDArray[np.int64]
    newest_water: NDArray[np.int64]
    longest: NDArray[np.int64]
    location: NDArray[np.int64]
    rows: NDArray[np.int64]
    unsure: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Ends:
    """The ends of a Datastream, as `DatastreamIndex` has them; `number` is the id of the newest row of its water."""

    first: int
    newest: int
    newest_water: int
    location: int
    number: int


@dataclass(frozen=True, slots=True)
class View:
    """What a snapshot rests on.

    Parameters
    ----------
    sequence, lake_sequence : int
        The last commit seen, and the last that the lake holds.
    files, revisions : tuple of LakeFile
        Of the two Delta tables.
    segments : dict
        Hot segments in arrival order with the number of rows seen.
    masks : Masks
        Lake rows that are hidden by hot ones.
    tombstones : Tombstones
        Not yet applied to the lake.
    samples : ndarray of int32
        Features that are not water, ascending.
    extents : Extents
        By Datastream.
    coverage : Coverage
        What rows speak of, by Datastream.
    cold : dict
        Newest rows that are not hot, found before; shared by all snapshots until a delete.
    at, shows : callable
        The last sequence at a moment in µs UTC; a moment that shows a sequence.
    learn : callable
        Told the ends of a Datastream that were measured anew, with the sequence seen.
    learn_coverage : callable
        Told what rows of a Datastream speak of, likewise.
    commit : int, optional
        Show the rows as they were known then, no later than `sequence`; None: now.
    """

    sequence: int
    lake_sequence: int
    files: tuple[LakeFile, ...]
    revisions: tuple[LakeFile, ...]
    segments: dict[int, tuple[Segment, int]]
    masks: Masks
    tombstones: Tombstones
    samples: NDArray[np.int32]
    extents: Extents
    coverage: Coverage
    cold: dict[int, tuple[int, pa.Table]]
    at: Callable[[int], int]
    shows: Callable[[int], int]
    learn: Callable[[int, int, Ends], None]
    learn_coverage: Callable[[int, int, Covered], None]
    commit: int | None = None

    @property
    def known(self) -> int:
        """The last commit that is shown."""
        return self.sequence if self.commit is None else self.commit
