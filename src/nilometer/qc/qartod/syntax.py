"""QARTOD test 2, syntax: whether the record was received as it was sent (NCHAR, parity, checksum).

Only who read the frame can tell: a driver says it in the column `syntax` of its rows (PASS: length and checksum were
verified; NOT_EVALUATED: the protocol has none; FAIL: broken, yet with a value), and the kernel takes its word. A frame
that cannot be read at all never becomes a row. `flag_records` judges records by their length, as the manual does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.qc.flags import FAIL, MISSING, PASS
from nilometer.qc.qartod.definition import Definition, Kind, Wants

__all__ = ["INPUTS", "SYNTAX", "flag_records"]


def _numbers(_: Mapping[str, Any]) -> tuple[float, ...]:
    return ()


SYNTAX = Definition(
    name="syntax",
    kind=Kind.SYNTAX,
    clause="QARTOD test 2, syntax (NCHAR, parity or checksum)",
    sequence=False,
    timed=False,
    wants=Wants.SYNTAX,
    numbers=_numbers,
)

INPUTS = Definition(
    name="inputs",
    kind=Kind.SYNTAX,
    clause="not QARTOD's: the worst flag of the values that a derived one was computed from",
    sequence=False,
    timed=False,
    wants=Wants.SYNTAX,
    numbers=_numbers,
)
"""What is said of a derived row by who derived it, in the same column: a row is received, or it is computed."""


def flag_records(
    records: Iterable[str | bytes | None], length: int, *, delimiter: str | None = None
) -> NDArray[np.int8]:
    """Return the syntax flag of records by their length, to be given to `nilometer.qc.check` as `syntax`.

    Parameters
    ----------
    records : iterable of str or bytes
        As received; None is a record that did not come.
    length : int
        NCHAR: the characters (of text) or bytes a record must have, or, with a delimiter, its fields.
    delimiter : str, optional
        What separates the fields of a record of text.

    Returns
    -------
    ndarray of int8, shape (n,)
        FAIL where the length differs, MISSING where there is no record, else PASS.

    Raises
    ------
    ValueError
        If the length is not above 0, or a delimiter is given for bytes.

    References
    ----------
    QARTOD manuals, test 2.

    Examples
    --------
    >>> flag_records(["12.5,7.1", "12.5", None], 2, delimiter=",").tolist()
    [1, 4, 9]
    """
    if length < 1:
        raise ValueError(f"length {length}: a record has at least one character")
    flags = []
    for record in records:
        if record is None:
            flags.append(MISSING)
            continue
        if isinstance(record, str):
            size = len(record) if delimiter is None else len(record.split(delimiter))
        elif delimiter is None:
            size = len(record)
        else:
            raise ValueError("a delimiter separates fields of text, and these records are bytes")
        flags.append(PASS if size == length else FAIL)
    return np.array(flags, np.int8)
