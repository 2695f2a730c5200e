"""Curves that the gaugings allow as well, beside the one that is the rating: what its uncertainty is made of.

Each of them is wrong by the same error at every moment, so a total over time is summed curve by curve.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.derivation.rating_kernel import flow

__all__ = ["Sample"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Sample:
    """Curves of one form.

    Parameters
    ----------
    start, offset, log_scale, exponent : ndarray of float64, shape (m, segments)
        s, c, ln a and b of each segment; the first start is -inf.
    scatter : ndarray of float64, shape (m,)
        Standard uncertainty of ln Q about each.
    """

    start: Array
    offset: Array
    log_scale: Array
    exponent: Array
    scatter: Array

    @property
    def segments(self) -> int:
        """Segments of every curve."""
        return int(self.offset.shape[1])

    def __len__(self) -> int:
        return len(self.scatter)

    def flow(self, stage: Array) -> Array:
        """Return the discharge by every curve, shape (m, n)."""
        columns = (self.start, self.offset, self.log_scale, self.exponent)
        return np.array([flow(stage, *(column[j] for column in columns)) for j in range(len(self))])

    @staticmethod
    def from_rows(rows: Sequence[Sequence[float]]) -> Sample:
        """Return the sample of a document: a row a curve, as `to_rows` gives them.

        Raises
        ------
        ValueError
            If the rows are not of one length, or of none that fits, or hold something that is no number.
        """
        table = np.array(rows, np.float64)
        if table.ndim != 2 or table.shape[1] == 0 or table.shape[1] % 4:
            raise ValueError(
                "a row of the sample is the scatter, offset, ln scale and exponent of the first segment, and from, "
                "offset, ln scale and exponent of each other"
            )
        if not np.isfinite(table).all() or (table[:, 0] < 0).any():
            raise ValueError("the sample holds something that is no finite number, or a scatter below 0")
        parts = table.reshape(len(table), -1, 4)
        start, offset, log_scale, exponent = (np.ascontiguousarray(parts[:, :, k]) for k in range(4))
        scatter = start[:, 0].copy()  # it stands where the first segment has no start
        start[:, 0] = -np.inf
        return Sample(start, offset, log_scale, exponent, scatter)

    def to_rows(self) -> list[list[float]]:
        """Return rows: scatter, offset, ln a and b of the first segment; start, offset, ln a and b of the others."""
        start = self.start.copy()
        start[:, 0] = self.scatter
        table = np.stack([start, self.offset, self.log_scale, self.exponent], axis=2).reshape(len(self), -1)
        return [[float(f"{x:.12g}") for x in row] for row in table.tolist()]
