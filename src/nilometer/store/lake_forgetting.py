"""Rows of `revisions` that are deleted for good: they had ended by a commit, and their Datastream is not spared."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model.schemas import REVISION
from nilometer.store.lake import LakeTable
from nilometer.store.lake_file import DENSE, LakeFile
from nilometer.store.lake_writer import YearWriter
from nilometer.store.merge import LEVEL
from nilometer.store.refusal import refusal

__all__ = ["forget", "forgettable"]


def forgettable(file: LakeFile, cut: int, spared: NDArray[np.int64]) -> int:
    """Return how many rows of a file had ended by commit `cut`, those of spared Datastreams not counted."""
    count = 0
    for group in range(len(file.blocks.rows)):
        count += int(_gone(file.read([group], ["datastream", "superseded_commit"]), cut, spared).sum())
    return count


def forget(
    table: LakeTable, file: LakeFile, cut: int, spared: NDArray[np.int64], *, pause: Callable[[], None]
) -> list[LakeFile]:
    """Write a file anew without those rows; nothing is committed.

    Raises
    ------
    StoreError
        If the disk refuses; nothing is left of it.
    """
    writer = YearWriter(table.place, file.year, REVISION, level=LEVEL, prefix=DENSE)
    try:
        for group in range(len(file.blocks.rows)):
            pause()
            rows = file.read([group], REVISION.names)
            writer.write(rows.filter(pa.array(~_gone(rows, cut, spared))))
        return writer.close()
    except BaseException as error:
        writer.abandon()
        if isinstance(error, OSError):
            raise refusal(error, "forget revisions", path=str(table.place)) from error
        raise


def _gone(rows: pa.Table, cut: int, spared: NDArray[np.int64]) -> NDArray[np.bool_]:
    gone: NDArray[np.bool_] = rows["superseded_commit"].to_numpy() <= cut
    return gone & ~np.isin(rows["datastream"].to_numpy(), spared)
