"""The outcome of every single test by name, out of rows as they are served and exported.

A row's `tests` are digits, one a test of the profile version that judged it. Served rows say beside them, in
`test_names`, what the digits stand for, so that rows of several profile versions can stand in one table.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from nilometer.model.flags import QartodFlag

__all__ = ["SEPARATOR", "outcomes_by_name"]

SEPARATOR: Final = ";"
"""Between the names in `test_names`."""


def outcomes_by_name(rows: pa.Table) -> dict[str, NDArray[np.int8]]:
    """Return the flags of every test that judged any of these rows, by the test's name.

    Parameters
    ----------
    rows : pyarrow.Table
        With the columns ``tests`` and ``test_names``, as the server, the client and the exports give them.

    Returns
    -------
    dict of str to ndarray of int8, shape (n,)
        QARTOD flags; NOT_EVALUATED where the profile version that judged the row has no test of this name.

    Raises
    ------
    ValueError
        If the columns are not there, or digits and names do not pair.

    Examples
    --------
    >>> outcomes_by_name(pa.table({"tests": ["13", "4"], "test_names": ["gap;spike", "spike"]}))["spike"].tolist()
    [3, 4]
    """
    for name in ("tests", "test_names"):
        if name not in rows.schema.names:
            raise ValueError(f"there is no column {name}: take the rows as the server or an export gives them")
    names = rows["test_names"].combine_chunks()
    if isinstance(names, pa.ChunkedArray):
        names = pa.concat_arrays(names.chunks) if names.num_chunks else pa.array([], pa.string())
    if not pa.types.is_dictionary(names.type):
        names = names.dictionary_encode()
    codes = np.asarray(names.indices.cast(pa.int32()).fill_null(-1).to_numpy(zero_copy_only=False))
    found: dict[str, NDArray[np.int8]] = {}
    for code, text in enumerate(names.dictionary.to_pylist()):
        places = np.flatnonzero(codes == code)
        if text is None or not len(places):
            continue
        tests = text.split(SEPARATOR) if text else []
        digits = _digits(rows["tests"].take(pa.array(places)), len(tests))
        for slot, name in enumerate(tests):
            if name not in found:
                found[name] = np.full(len(rows), int(QartodFlag.NOT_EVALUATED), np.int8)
            found[name][places] = digits[:, slot]
    return found


def _digits(tests: Any, count: int) -> NDArray[np.int8]:  # noqa: ANN401 -- pyarrow has no types
    # In CSV the digits are parted as the names are; of a single test a reader makes a number.
    text = pc.replace_substring(tests.cast(pa.string()), SEPARATOR, "").fill_null("1" * count)
    if len(text) and pc.any(pc.not_equal(pc.binary_length(text), count)).as_py():
        raise ValueError(f"tests has strings of another length than the {count} names beside them")
    joined = "".join(text.to_pylist()).encode()
    return (np.frombuffer(joined, np.uint8).reshape(len(text), count) - ord("0")).astype(np.int8)
