"""Write a file of the lake anew without the rows that masks and tombstones hide, beside everything else, in a stream.

Nothing is committed here: the next seal exchanges the files, together with the rows that took the place of hidden ones.
Until then a reader sees the old file behind masks and tombstones, and after a crash nobody speaks of the new ones.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model.schemas import OBSERVATION, REVISION
from nilometer.store.hot import LIVE
from nilometer.store.lake import LakeTable
from nilometer.store.lake_file import DENSE, LakeFile
from nilometer.store.lake_writer import YearWriter
from nilometer.store.masks import REPLACED, Masks
from nilometer.store.merge import LEVEL
from nilometer.store.query import Query, query
from nilometer.store.refusal import refusal
from nilometer.store.tombstones import Tombstones

__all__ = ["Exchange", "Rewriter"]

_GROUPS_AT_ONCE = 16
_KEYS = ("id", "datastream", "phenomenon_time", "commit")


@dataclass(slots=True, eq=False)
class Exchange:
    """A file that waits to leave `observations`, and what takes its place.

    Parameters
    ----------
    old : LakeFile
        With hidden rows.
    new : list of LakeFile
        Without them; none when all rows were hidden.
    former : list of LakeFile
        The hidden rows, for the table of revisions.
    masks : Masks
        Of the rows that were found in the file.
    """

    old: LakeFile
    new: list[LakeFile] = field(default_factory=list)
    former: list[LakeFile] = field(default_factory=list)
    masks: Masks = field(default_factory=Masks)


@dataclass(frozen=True, slots=True)
class Rewriter:
    """Takes hidden rows out of files.

    Parameters
    ----------
    observations, revisions : LakeTable
        Where rows are, and where they go.
    masks, tombstones :
        What hides rows.
    reached : int
        Rows that ended up to this commit are in `revisions` already.
    pause : callable
        Called between two chunks; whoever has to go first goes then.
    """

    observations: LakeTable
    revisions: LakeTable
    masks: Masks
    tombstones: Tombstones
    reached: int
    pause: Callable[[], None]

    def is_touched(self, file: LakeFile) -> bool:
        """Return whether a file holds hidden rows."""
        for groups in self._suspects(file):
            self.pause()
            if (self._ended(file.read(groups, _KEYS)) != LIVE).any():
                return True
        return False

    def rewrite(self, file: LakeFile) -> Exchange:
        """Write a file anew.

        Raises
        ------
        StoreFull
            If the disk takes no more; nothing is left of it.
        StoreError
            If the file cannot be read; the same holds.
        """
        kept = YearWriter(self.observations.place, file.year, OBSERVATION, level=LEVEL, prefix=DENSE)
        ended = YearWriter(self.revisions.place, file.year, REVISION, level=LEVEL)
        found: list[NDArray[np.int64]] = []
        try:
            for groups in _some(np.arange(len(file.blocks.rows))):
                self.pause()
                found.append(self._divide(file.read(groups, OBSERVATION.names), kept, ended))
            masks = self.masks.of(np.concatenate(found)) if len(self.masks) else self.masks
            return Exchange(file, kept.close(), ended.close(), masks)
        except BaseException as error:
            kept.abandon()
            ended.abandon()
            if isinstance(error, OSError):
                raise refusal(error, "take hidden rows out of a file", path=str(self.observations.place)) from error
            raise

    def _divide(self, table: pa.Table, kept: YearWriter, ended: YearWriter) -> NDArray[np.int64]:
        """Write rows to where they belong; return the ids of those that were hidden."""
        end = self._ended(table)
        stays = end == LIVE
        kept.write(table if stays.all() else table.filter(pa.array(stays)))
        leaves = ~stays & (end != REPLACED) & (end > self.reached)
        if leaves.any():
            rows = table.filter(pa.array(leaves))
            ended.write(rows.append_column(REVISION.field("superseded_commit"), pa.array(end[leaves])))
        hidden: NDArray[np.int64] = table["id"].to_numpy()[~stays]
        return hidden

    def _ended(self, table: pa.Table) -> NDArray[np.int64]:
        ended = self.masks.ended(table["id"].to_numpy(), LIVE)
        if len(self.tombstones):
            datastream, commit = table["datastream"].to_numpy(), table["commit"].to_numpy()
            time = table["phenomenon_time"].cast(pa.int64()).to_numpy()
            ended = self.tombstones.ended(datastream, time, commit, table["id"].to_numpy(), ended)
        return ended

    def _suspects(self, file: LakeFile) -> Iterator[NDArray[np.int64]]:
        blocks = file.blocks
        if len(self.masks):
            wanted = query(np.unique(self.masks.ids >> 32).astype(np.int32), None, None)
            if file.may_hold(wanted):
                groups = file.groups(wanted)
                touched = self.masks.touch_ids(blocks.lowest_id[groups], blocks.highest_id[groups])
                yield from _some(groups[touched])
        for tombstone in self.tombstones:
            covered = Query(tombstone.datastreams, tombstone.start, tombstone.end)
            if file.may_hold(covered):
                groups = file.groups(covered)
                yield from _some(groups[blocks.lowest_commit[groups] < tombstone.commit])


def _some(groups: NDArray[np.int64] | Sequence[int]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(groups), _GROUPS_AT_ONCE):
        yield np.asarray(groups[start : start + _GROUPS_AT_ONCE])
