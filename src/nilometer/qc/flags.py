"""QARTOD flags in columns: the digits of single tests, packed and unpacked. Nothing here judges."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.model.flags import QartodFlag

__all__ = ["FAIL", "MISSING", "NOT_EVALUATED", "PASS", "SUSPECT", "ZERO", "QartodFlag", "outcomes"]

# Plain numbers, because compiled code takes them as constants.
PASS: Final = int(QartodFlag.PASS)
NOT_EVALUATED: Final = int(QartodFlag.NOT_EVALUATED)
SUSPECT: Final = int(QartodFlag.SUSPECT)
FAIL: Final = int(QartodFlag.FAIL)
MISSING: Final = int(QartodFlag.MISSING)
ZERO: Final = 48
"""ASCII of "0": a test's digit is its flag plus this."""


def outcomes(tests: Any, count: int) -> NDArray[np.int8]:  # noqa: ANN401 -- pyarrow has no types
    """Return the flag of every test of every row from the stored `tests` strings.

    Parameters
    ----------
    tests : pyarrow string array, shape (n,)
        One digit a test; null when all passed.
    count : int
        Number of tests of the profile version that judged these rows.

    Returns
    -------
    ndarray of int8, shape (n, count)
        QARTOD flags; PASS throughout where the string is null.

    Raises
    ------
    ValueError
        If a string has another number of digits than the profile has tests.

    Examples
    --------
    >>> outcomes(pa.array(["12", None]), 2).tolist()
    [[1, 2], [1, 1]]
    """
    if isinstance(tests, pa.ChunkedArray):
        tests = tests.combine_chunks()
    text = tests.cast(pa.string()).fill_null("1" * count)
    if len(text) and pc.any(pc.not_equal(pc.binary_length(text), count)).as_py():
        raise ValueError(f"tests has strings of another length than the {count} tests of the profile")
    joined = "".join(text.to_pylist()).encode()
    return (np.frombuffer(joined, np.uint8).reshape(len(text), count) - ZERO).astype(np.int8)
