"""Which values are meant: a range of results and some flags, asked of rows and of statistics of row groups alike."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ranges", "Values"]


class Ranges(NamedTuple):
    """What the values of each row group reach from and to, one array a figure.

    A group of which nothing is known reaches from the least to the greatest there can be; one without any result from
    +∞ to −∞. `missing` counts rows without a result, −1 where that is not known.
    """

    least: NDArray[np.float64]
    greatest: NDArray[np.float64]
    missing: NDArray[np.int64]
    lowest_flag: NDArray[np.int64]
    highest_flag: NDArray[np.int64]
    lowest_feature: NDArray[np.int64]
    highest_feature: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Values:
    """Rows with least ≤ result ≤ greatest and one of some flags.

    Parameters
    ----------
    least, greatest : float, optional
        None: without end. With either a row without a result is not meant.
    flags : frozenset of int, optional
        None: any.
    """

    least: float | None = None
    greatest: float | None = None
    flags: frozenset[int] | None = None

    def __post_init__(self) -> None:
        if not self.columns:
            msg = "neither results nor flags are asked of; give None in place of Values"
            raise ValueError(msg)

    @property
    def of_result(self) -> bool:
        """Whether results are asked of."""
        return self.least is not None or self.greatest is not None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of OBSERVATION that are asked of."""
        return (*(("result",) if self.of_result else ()), *(("result_quality",) if self.flags is not None else ()))

    def mask(self, result: NDArray[np.float64] | None, flag: NDArray[Any] | None) -> NDArray[np.bool_]:
        """Return which rows are meant; a column that is not asked of may be None, NaN is no result."""
        masks = []
        if self.of_result and result is not None:
            low, high = self._bounds
            masks.append((result >= low) & (result <= high))
        if self.flags is not None and flag is not None:
            masks.append(np.isin(flag, np.array(sorted(self.flags), np.int64)))
        found: NDArray[np.bool_] = np.logical_and.reduce(masks)
        return found

    def may_hold(self, ranges: Ranges, groups: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of some row groups may hold rows that are meant."""
        mask = np.ones(len(groups), bool)
        if self.of_result:
            low, high = self._bounds
            mask &= (ranges.greatest[groups] >= low) & (ranges.least[groups] <= high)
        if self.flags is not None:
            flags = np.array(sorted(self.flags), np.int64)
            at = np.searchsorted(flags, ranges.lowest_flag[groups])
            mask &= np.searchsorted(flags, ranges.highest_flag[groups], "right") > at
        return mask

    def covers(self, ranges: Ranges, groups: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which of some row groups hold only rows that are meant."""
        mask = np.ones(len(groups), bool)
        if self.of_result:
            low, high = self._bounds
            mask &= (ranges.missing[groups] == 0) & (ranges.least[groups] >= low) & (ranges.greatest[groups] <= high)
        if self.flags is not None:
            lowest = ranges.lowest_flag[groups]
            mask &= (lowest == ranges.highest_flag[groups]) & np.isin(lowest, np.array(sorted(self.flags), np.int64))
        return mask

    @property
    def _bounds(self) -> tuple[float, float]:
        return (
            -math.inf if self.least is None else self.least,
            math.inf if self.greatest is None else self.greatest,
        )
