"""Take rows out of files of the lake: what hot rows replaced and what tombstones cover, file by file, in a stream."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.model.schemas import OBSERVATION, REVISION
from nilometer.store.hot import LIVE
from nilometer.store.lake import LakeTable
from nilometer.store.lake_file import LakeFile
from nilometer.store.lake_writer import MonthWriter
from nilometer.store.masks import REPLACED, Masks
from nilometer.store.query import Query, query
from nilometer.store.tombstones import Tombstones

__all__ = ["Rewriter"]

_GROUPS_AT_ONCE = 16


@dataclass(slots=True)
class Rewriter:
    """What a seal takes out of the lake.

    Parameters
    ----------
    table : LakeTable
        The current rows.
    masks, tombstones :
        What hides rows, up to the seal's sequence.
    reached : int
        The sequence that the table of revisions has reached: rows that ended before are in it already.
    """

    table: LakeTable
    masks: Masks
    tombstones: Tombstones
    reached: int
    removed: list[LakeFile] = field(default_factory=list)
    added: list[LakeFile] = field(default_factory=list)
    revisions: list[pa.Table] = field(default_factory=list)

    def run(self) -> None:
        """Write the files anew that hold hidden rows; collect those rows as revisions."""
        if not len(self.masks) and not len(self.tombstones):
            return
        for file in self.table.files:
            if self._is_touched(file):
                self._rewrite(file)

    def abandon(self) -> None:
        """Remove what was written."""
        for file in self.added:
            (file.root / file.path).unlink(missing_ok=True)

    def _is_touched(self, file: LakeFile) -> bool:
        for groups in self._suspects(file):
            table = file.read(groups, ["id", "datastream", "phenomenon_time"])
            if (self._ended(table) != LIVE).any():
                return True
        return False

    def _suspects(self, file: LakeFile) -> Iterator[NDArray[np.int64]]:
        if len(self.masks):
            wanted = query(np.unique(self.masks.ids >> 32).astype(np.int32), None, None)
            if file.may_hold(wanted):
                groups = file.groups(wanted)
                low = np.searchsorted(self.masks.ids, file.blocks.lowest_id[groups])
                high = np.searchsorted(self.masks.ids, file.blocks.highest_id[groups], "right")
                yield from _some(groups[high > low])
        for tombstone in self.tombstones:
            covered = Query(tombstone.datastreams, tombstone.start, tombstone.end)
            if file.may_hold(covered):
                yield from _some(file.groups(covered))

    def _ended(self, table: pa.Table) -> NDArray[np.int64]:
        ended = self.masks.ended(table["id"].to_numpy(), LIVE)
        if len(self.tombstones):
            datastream = table["datastream"].to_numpy()
            time = table["phenomenon_time"].cast(pa.int64()).to_numpy()
            ended = self.tombstones.ended(datastream, time, ended)
        return ended

    def _rewrite(self, file: LakeFile) -> None:
        writer = MonthWriter(self.table.root, file.month, OBSERVATION)
        try:
            for groups in _some(np.arange(len(file.blocks.rows))):
                table = file.read(groups, OBSERVATION.names)
                ended = self._ended(table)
                stays = ended == LIVE
                writer.write(table if stays.all() else table.filter(pa.array(stays)))
                leaves = ~stays & (ended != REPLACED) & (ended > self.reached)
                if leaves.any():
                    rows = table.filter(pa.array(leaves))
                    rows = rows.append_column(REVISION.field("superseded_commit"), pa.array(ended[leaves]))
                    self.revisions.append(rows)
            self.added.extend(writer.close())
        except BaseException:
            writer.abandon()
            raise
        self.removed.append(file)


def _some(groups: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(groups), _GROUPS_AT_ONCE):
        yield groups[start : start + _GROUPS_AT_ONCE]
