"""Rows of the lake that something in the hot tail has replaced, until the compactor takes them out."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["REPLACED", "Masks"]

REPLACED = 0
"""The commit of a mask whose row lives on, hot and settled: it was no revision, so no past moment shows the lake's."""

_NONE = np.empty(0, np.int64)
_NEVER = -1


@dataclass(frozen=True, slots=True)
class Masks:
    """Ids, ascending, and the commit from which on the lake's row of each is hidden."""

    ids: NDArray[np.int64] = field(default_factory=lambda: _NONE)
    commits: NDArray[np.int64] = field(default_factory=lambda: _NONE)

    def __len__(self) -> int:
        return len(self.ids)

    def add(self, ids: NDArray[np.int64], commits: NDArray[np.int64]) -> Masks:
        """Return these masks and more; of two for one id the earlier commit stands."""
        if not len(ids):
            return self
        order = np.lexsort((commits, ids))
        ids, commits = ids[order], commits[order]
        first = np.concatenate(([True], ids[1:] != ids[:-1]))
        ids, commits = ids[first], commits[first]
        # The many that are there are copied, not sorted again.
        place = np.searchsorted(self.ids, ids)
        known = np.zeros(len(ids), bool)
        inside = place < len(self.ids)
        known[inside] = self.ids[place[inside]] == ids[inside]
        earlier = self.commits
        if known.any():
            earlier = earlier.copy()
            earlier[place[known]] = np.minimum(earlier[place[known]], commits[known])
        place = place[~known]
        return Masks(np.insert(self.ids, place, ids[~known]), np.insert(earlier, place, commits[~known]))

    def without(self, others: Masks) -> Masks:
        """Return these masks without those that are among others, commit and all."""
        if not len(others) or not len(self.ids):
            return self
        stays = others.ended(self.ids, _NEVER) != self.commits
        return self if stays.all() else Masks(self.ids[stays], self.commits[stays])

    def of(self, ids: NDArray[np.int64]) -> Masks:
        """Return the masks of these ids, ascending."""
        mine = np.isin(self.ids, ids)
        return Masks(self.ids[mine], self.commits[mine])

    def hold(self, ids: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of these ids are masked."""
        found: NDArray[np.bool_] = self.ended(ids, _NEVER) != _NEVER
        return found

    def touch(self, datastreams: NDArray[np.int32] | None) -> bool:
        """Return whether a row of one of these Datastreams is masked."""
        if not len(self.ids) or datastreams is None:
            return bool(len(self.ids))
        low = np.searchsorted(self.ids, datastreams.astype(np.int64) << 32)
        high = np.searchsorted(self.ids, (datastreams.astype(np.int64) + 1) << 32)
        return bool((high > low).any())

    def touch_ids(self, lowest: NDArray[np.int64], highest: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which blocks, of ids lowest..highest, may hold rows that are masked."""
        some: NDArray[np.bool_] = np.searchsorted(self.ids, lowest) < np.searchsorted(self.ids, highest, "right")
        return some

    def ended(self, ids: NDArray[np.int64], default: int) -> NDArray[np.int64]:
        """Return the commit that hid each row, `default` where none did."""
        if not len(self.ids):
            return np.full(len(ids), default, np.int64)
        place = np.searchsorted(self.ids, ids)
        place[place == len(self.ids)] = 0
        return np.where(self.ids[place] == ids, self.commits[place], default)
