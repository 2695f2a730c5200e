"""Long tables to wide ones: one row a value, the name of its parameter in a column, as HydroVu and agencies export."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

__all__ = ["is_long", "widened"]

_PARAMETER = (
    "datastream",
    "parameter",
    "param",
    "parameter_name",
    "variable",
    "analyte",
    "observed_property",
    "characteristicname",
    "result_characteristic",
    "监测因子",
    "监测项目",
    "监测指标",
    "因子名称",
    "项目名称",
    "指标名称",
)
_VALUE = (
    "result",
    "value",
    "param_value",
    "resultmeasurevalue",
    "result_measure",
    "监测值",
    "监测结果",
    "数值",
    "结果",
)
_UNIT = ("unit", "units", "uom", "resultmeasure/measureunitcode", "result_measureunit", "单位", "计量单位")
# Of the Water Quality Portal: what a value was not, and below which limit.
_CONDITION = ("resultdetectionconditiontext", "result_resultdetectioncondition")
_LIMIT = (
    "detectionquantitationlimitmeasure/measurevalue",
    "resultdetectionquantitationlimitmeasure",
    "detectionlimit_measurea",
)
_LIMIT_UNIT = ("detectionquantitationlimitmeasure/measureunitcode", "detectionlimit_measureunita")


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
    values = _with_limits(names, columns, columns[value if value is not None else 0])
    new_names = [names[at] for at in keys]
    new_columns = [columns[at].take(pa.array(first)) for at in keys]
    units = [""] * len(keys)
    told = _words(columns[unit]) if unit is not None else None
    limit_unit = _find(names, _LIMIT_UNIT)
    if told is not None and limit_unit is not None:
        told = [text or beside for text, beside in zip(told, _words(columns[limit_unit]), strict=True)]
    for code, name in enumerate(named.dictionary.to_pylist()):
        for place, (text, rows) in enumerate(_by_unit(np.flatnonzero(which == code), told)):
            source = np.full(count, -1, np.int64)
            source[row[rows]] = rows
            # One quantity in two units is two columns.
            label = name if place == 0 else f"{name} ({text})"
            new_names.append(label if label not in new_names else f"{label} (value)")
            new_columns.append(values.take(pa.array(source, mask=source < 0)))
            units.append(text)
    return new_names, new_columns, units if unit is not None else None


def _by_unit(rows: NDArray[np.intp], told: list[str] | None) -> list[tuple[str, NDArray[np.intp]]]:
    """Part the rows of a parameter by their units; those that name none go with the first."""
    if told is None:
        return [("", rows)]
    parts: dict[str, list[int]] = {}
    for at in rows.tolist():
        parts.setdefault(told[at], []).append(at)
    silent = parts.pop("", [])
    if not parts:
        return [("", rows)]
    parts[next(iter(parts))] += silent
    return [(text, np.array(sorted(which), np.intp)) for text, which in parts.items()]


def _with_limits(names: Sequence[str], columns: Sequence[Any], values: Any) -> Any:  # noqa: ANN401 -- pyarrow
    """Return the values, with ``<limit`` where another column says that a result was below it."""
    condition, limit = _find(names, _CONDITION), _find(names, _LIMIT)
    if condition is None or limit is None:
        return values
    below = pc.match_substring_regex(columns[condition].cast(pa.string()), r"(?i)not detected|below")
    above = pc.match_substring_regex(columns[condition].cast(pa.string()), r"(?i)present above")
    sign = pc.if_else(pc.fill_null(above, False), ">", "<")  # noqa: FBT003 -- Arrow's signature
    text = pc.fill_null(values.cast(pa.string()), "")
    limits = pc.fill_null(columns[limit].cast(pa.string()), "")
    marked = pc.or_(pc.fill_null(below, False), pc.fill_null(above, False))  # noqa: FBT003 -- Arrow's signature
    taken = pc.and_(pc.and_(marked, pc.equal(text, "")), pc.not_equal(limits, ""))
    return pc.if_else(taken, pc.binary_join_element_wise(sign, limits, ""), text)


def _words(column: Any) -> list[str]:  # noqa: ANN401 -- pyarrow has no types
    return [(word or "").strip() for word in column.cast(pa.string()).to_pylist()]


def _find(names: Sequence[str], words: Sequence[str]) -> int | None:
    folded = [name.casefold() for name in names]
    return next((folded.index(word) for word in words if word in folded), None)
