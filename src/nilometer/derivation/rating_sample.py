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
    def from_rows(rows: Sequence[Sequence[float | None]]) -> Sample:
        """Return the sample of a document: per curve its scatter, then start, offset, ln a and b of each segment.

        Raises
        ------
        ValueError
            If the rows are not of one length, or of none that fits.
        """
        table = np.array([[-np.inf if number is None else float(number) for number in row] for row in rows])
        if table.ndim != 2 or table.shape[1] < 5 or table.shape[1] % 4 != 1:
            raise ValueError("a row of the sample is the scatter, and from, offset, ln scale, exponent of each segment")
        parts = table[:, 1:].reshape(len(table), -1, 4)
        if not np.isfinite(parts[:, 1:]).all() or not np.isfinite(parts[:, :, 1:]).all() or (table[:, 0] < 0).any():
            raise ValueError("the sample holds something that is no finite number")
        start, offset, log_scale, exponent = (np.ascontiguousarray(parts[:, :, k]) for k in range(4))
        return Sample(start, offset, log_scale, exponent, np.ascontiguousarray(table[:, 0]))

    def to_rows(self) -> list[list[float | None]]:
        """Return the rows of a document, which has null where a first segment has no start."""
        parts = np.stack([self.start, self.offset, self.log_scale, self.exponent], axis=2).reshape(len(self), -1)
        table = np.column_stack([self.scatter, parts])
        return [[None if np.isinf(x) else float(f"{x:.12g}") for x in row] for row in table.tolist()]
