"""What was committed after a place in the history: new rows and revisions, in the order of commits; reads only ids.

Where somebody reads on from is a commit and an id in it, so that a commit of any size can be read in parts. A row that
was revised since then is found once, as it is now; a deleted one is not found.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.store.query import Query
from nilometer.store.visible import Visible

__all__ = ["Changes", "changes"]


class Changes(NamedTuple):
    """Rows by (commit, id): ids, Datastreams, commits, and phenomenon times in µs UTC."""

    id: NDArray[np.int64]
    datastream: NDArray[np.int32]
    commit: NDArray[np.int64]
    time: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.id)


def changes(visible: Visible, wanted: Query, commit: int, number: int, most: int, *, water_only: bool) -> Changes:
    """Return the first rows behind (commit, number).

    Parameters
    ----------
    visible : Visible
        The rows that are seen.
    wanted : Query
        Datastreams and a time range.
    commit, number : int
        The last commit and, in it, the last id that are known already.
    most : int
        How many at most.
    water_only : bool
        Leave out samples.
    """
    names = ("id", "commit")
    parts = [part for part in visible.hot(wanted, names, water_only=water_only) if part.num_rows]
    for file, groups, _ in visible.plain_groups(wanted, water_only=water_only):
        # A row group whose newest commit is known already has nothing for us: what is caught up reads no file.
        later = groups[file.blocks.highest_commit[groups] >= commit]
        if len(later):
            parts.append(visible.of_file(file, later, wanted, names, water_only=water_only))
    columns = [np.concatenate([_column(part, name) for part in parts] or [np.zeros(0, np.int64)]) for name in _READ]
    ids, datastream, commits, time = columns
    behind = np.flatnonzero((commits > commit) | ((commits == commit) & (ids > number)))
    if len(behind) > most:
        # Commits before the one that the last of them is in are whole; the rest is sorted out of far fewer.
        last = np.partition(commits[behind], most - 1)[most - 1]
        behind = behind[commits[behind] <= last]
    behind = behind[np.lexsort((ids[behind], commits[behind]))][:most]
    return Changes(ids[behind], datastream[behind].astype(np.int32), commits[behind], time[behind])


_READ = ("id", "datastream", "commit", "phenomenon_time")


def _column(part: pa.Table, name: str) -> NDArray[np.int64]:
    column = part[name]
    numbers: NDArray[np.int64] = (column.cast(pa.int64()) if name == "phenomenon_time" else column).to_numpy()
    return numbers.astype(np.int64)
