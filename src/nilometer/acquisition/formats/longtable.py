"""Long tables to wide ones: one row a value, the name of its parameter in a column, as HydroVu and agencies export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["is_long", "widened"]

_PARAMETER = (
    "datastream",
    "parameter",
    "param",
    "parameter_name",
    "variable",
    "analyte",
    "observed_property",
    "监测因子",
)
_VALUE = ("result", "value", "param_value", "监测值")
_UNIT = ("unit", "units", "uom")


def is_long(names: Sequence[str]) -> bool:
    """Say whether a header has a column of parameter names beside one of values.

    Examples
    --------
    >>> is_long(["site", "timestamp", "parameter", "value", "units"]), is_long(["time", "ph", "value"])
    (True, False)
    """
    return _find(names, _PARAMETER) is not None and _find(names, _VALUE) is not None


def widened(
    names: Sequence[str], columns: Sequence[Any], keys: Sequence[int]
) -> tuple[list[str], list[Any], list[str] | None]:
    """Return a long table as a wide one: a column of values per parameter, a row per distinct key.

    Parameters
    ----------
    names, columns
        The table; `is_long` holds.
    keys : sequence of int
        Positions of the columns whose values together make a row: the times, a site.

    Returns
    -------
    tuple
        Names, columns and unit texts: the keys first, then the parameters in order of appearance. Of several values of
        one parameter in one row the last stands; rows keep the order of first appearance.
    """
    parameter, value, unit = (_find(names, words) for words in (_PARAMETER, _VALUE, _UNIT))
    words = [pc.fill_null(columns[at].cast(pa.string()), "") for at in keys]
    joined = pc.binary_join_element_wise(*words, "\x1f") if len(words) > 1 else words[0]
    coded = joined.dictionary_encode()
    row = np.asarray(coded.indices.to_numpy(zero_copy_only=False), np.int64)
    count = len(coded.dictionary)
    first = np.full(count, len(row), np.int64)
    np.minimum.at(first, row, np.arange(len(row)))
    named = columns[parameter if parameter is not None else 0].cast(pa.string()).dictionary_encode()
    which = np.asarray(pc.fill_null(named.indices, -1).to_numpy(zero_copy_only=False), np.int64)
    values = columns[value if value is not None else 0]
    new_names = [names[at] for at in keys]
    new_columns = [columns[at].take(pa.array(first)) for at in keys]
    units = [""] * len(keys)
    for code, name in enumerate(named.dictionary.to_pylist()):
        rows = np.flatnonzero(which == code)
        source = np.full(count, -1, np.int64)
        source[row[rows]] = rows
        new_columns.append(values.take(pa.array(source, mask=source < 0)))
        new_names.append(name if name not in new_names else f"{name} (value)")
        units.append(str(columns[unit][int(rows[0])].as_py() or "") if unit is not None else "")
    return new_names, new_columns, units if unit is not None else None


def _find(names: Sequence[str], words: Sequence[str]) -> int | None:
    folded = [name.casefold() for name in names]
    return next((folded.index(word) for word in words if word in folded), None)
