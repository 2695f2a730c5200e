"""What a snapshot rests on: the files, the hot rows and what hides some of them, as of one commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.store.hot import Segment
from nilometer.store.lake_file import LakeFile
from nilometer.store.masks import Masks
from nilometer.store.record import Tombstone

__all__ = ["Extents", "View"]


@dataclass(frozen=True, slots=True)
class Extents:
    """The Datastream index as it was: see `DatastreamIndex`."""

    first: NDArray[np.int64]
    newest: NDArray[np.int64]
    newest_water: NDArray[np.int64]
    location: NDArray[np.int64]
    rows: NDArray[np.int64]


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
    tombstones : tuple of Tombstone
        Not yet applied to the lake.
    samples : ndarray of int32
        Features that are not water, ascending.
    extents : Extents
        By Datastream.
    cold : dict
        Newest rows that are not hot, found before; shared by all snapshots until a delete.
    at : callable
        The last sequence at a moment in µs UTC.
    """

    sequence: int
    lake_sequence: int
    files: tuple[LakeFile, ...]
    revisions: tuple[LakeFile, ...]
    segments: dict[int, tuple[Segment, int]]
    masks: Masks
    tombstones: tuple[Tombstone, ...]
    samples: NDArray[np.int32]
    extents: Extents
    cold: dict[int, tuple[int, pa.Table]]
    at: Callable[[int], int]
