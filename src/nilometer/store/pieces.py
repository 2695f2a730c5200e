"""The rows of one Datastream in pieces of bounded size, those that never change told from those that may.

A piece of row groups of which every row is seen is the same for as long as its file is: what is made of it can be kept.
A late row, a revision, a delete or a flag that settles makes other pieces, and so nothing that is kept is ever wrong.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from nilometer.store.lake_file import LakeFile
from nilometer.store.query import Query
from nilometer.store.visible import Visible, joined, ordered

__all__ = ["Piece", "pieces"]

_GROUPS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Piece:
    """Some rows; `key` is the same as long as they are, None where they may change.

    Parameters
    ----------
    key : hashable, optional
        Holds on to the file.
    """

    key: Hashable | None
    _visible: Visible
    _wanted: Query
    _water_only: bool
    _file: LakeFile | None = None
    _groups: NDArray[np.int64] | None = None

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Return `id`, `datastream`, `phenomenon_time` and other columns, sorted by (phenomenon_time, id).

        Raises
        ------
        StoreError
            If a file of the lake cannot be read.
        """
        names = list(dict.fromkeys(("id", *columns)))
        water_only = self._water_only
        if self._file is None or self._groups is None:
            tables = list(self._visible.hot(self._wanted, names, water_only=water_only))
        else:
            tables = [self._visible.of_file(self._file, self._groups, self._wanted, names, water_only=water_only)]
        table = ordered(joined(tables, names), newest_first=False)
        assert table is not None  # noqa: S101 -- it has ids
        return table


def pieces(visible: Visible, wanted: Query, *, water_only: bool) -> Iterator[Piece]:
    """Yield the rows of one Datastream.

    Parameters
    ----------
    visible : Visible
        The rows that are seen.
    wanted : Query
        One Datastream, and a time range.
    water_only : bool
        Leave out samples.
    """
    for file, groups, plain in visible.plain_groups(wanted, water_only=water_only):
        for some, is_plain in ((groups[plain], True), (groups[~plain], False)):
            for start in range(0, len(some), _GROUPS_AT_ONCE):
                mine = some[start : start + _GROUPS_AT_ONCE]
                key = (file, wanted.single, tuple(mine.tolist())) if is_plain else None
                yield Piece(key, visible, wanted, water_only, file, mine)
    yield Piece(None, visible, wanted, water_only)
