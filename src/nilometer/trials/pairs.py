"""Pairs of results: of one thing, by two instruments."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.series import unpack

__all__ = ["complete"]


def complete(x: Any, y: Any, *, least: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # noqa: ANN401 -- any series
    """Return the pairs of which both results are there.

    Parameters
    ----------
    x, y : series of n numbers
        As `nilometer.series.unpack` takes them.
    least : int
        How many complete pairs are needed.

    Raises
    ------
    ValueError
        If lengths differ, or there are fewer pairs.
    """
    first, second = unpack(x).values, unpack(y).values
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} results make no pairs: give as many of both")
    there = np.isfinite(first) & np.isfinite(second)
    if np.count_nonzero(there) < least:
        raise ValueError(f"{np.count_nonzero(there)} complete pairs: {least} or more are needed")
    return first[there], second[there]
