"""Tables in: whatever `nilometer.series` reads, to series by observed property.

A column is taken for a property only when it bears its vocabulary key, or when the caller or the recording names it; a
column that bears the key of another property is refused, not converted.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer import series
from nilometer.errors import ConfigError
from nilometer.model.batch import NO_TIME
from nilometer.model.flags import QartodFlag
from nilometer.model.properties import refuse_mismatch, vocabulary
from nilometer.verdict.statistics import ItemSeries

__all__ = ["series_of"]

_TIMES = ("phenomenon_time", "time", "datetime", "timestamp")


def series_of(
    frame: Any,  # noqa: ANN401 -- any kind of table
    *,
    columns: Mapping[str, str] | None = None,
    units: Mapping[str, str] | None = None,
    time: str | None = None,
) -> dict[str, ItemSeries]:
    """Return the series of a table, by vocabulary key.

    Parameters
    ----------
    frame : mapping of arrays or numbers, pandas or polars DataFrame, xarray Dataset, pyarrow Table, or Recording
        One column a property, named by its vocabulary key, in the vocabulary's unit unless `units` or the frame says
        otherwise. Beside ``ph`` may stand ``ph_quality`` (QARTOD flags), ``ph_censored`` (-1 below, +1 above) and
        ``ph_sample`` (`SampleKind`), or ``quality``, ``censored`` and ``sample`` for all columns.
    columns : mapping of str to str, optional
        Vocabulary key to name of the column, where columns have other names; only these are read.
    units : mapping of str to str, optional
        Vocabulary key to unit of its column.
    time : str, optional
        Column of times; None: an index or column of times, or one of text called ``phenomenon_time``, ``time``,
        ``datetime`` or ``timestamp``. Times without a zone are taken as UTC.

    Returns
    -------
    dict of str to ItemSeries
        In the table's order.

    Raises
    ------
    ConfigError
        If the table cannot be read, a named column does not exist or holds no numbers, a time is absent, or no column
        bears a vocabulary key.
    PropertyMismatch
        If a column that bears one property's key is named for another.
    """
    found, moments = _read(frame, time)
    told = {**_told(frame, "units"), **(units or {})}
    if columns is None:
        columns = _by_property(frame, found)
    terms = vocabulary()
    by_key = {}
    for key, name in columns.items():
        if key not in terms:
            raise ConfigError("columns", seen=key, allowed=terms, reason="no observed property of that key")
        if name not in found:
            raise ConfigError(f"columns.{key}", seen=name, allowed=found, reason="no such column of numbers")
        if name in terms:
            refuse_mismatch(name, key)
        by_key[key] = ItemSeries(
            values=found[name],
            unit=told.get(key, told.get(name, terms[key].unit)),
            quality=_integers(found, (f"{name}_quality", "quality"), QartodFlag.NOT_EVALUATED),
            censored=_censored(frame, found, name),
            sample=_integers(found, (f"{name}_sample", "sample"), 0),
            times=moments,
            datastreams=(name,),
        )
    if not by_key:
        raise ConfigError("columns", seen=", ".join(found), allowed=terms, reason="no column bears a vocabulary key")
    return by_key


def _read(frame: Any, time: str | None) -> tuple[dict[str, NDArray[np.float64]], NDArray[np.int64] | None]:  # noqa: ANN401 -- any kind of table
    if isinstance(frame, Mapping) and not hasattr(frame, "data_vars"):  # an xarray Dataset is a mapping too
        frame = {name: _listed(column) for name, column in frame.items()}
    try:
        read = series.columns(frame, time)
        if read.times is None and time is None:
            name = next((name for name in _TIMES if name in _names(frame) and name not in read.values), None)
            read = read if name is None else series.columns(frame, name)
    except (TypeError, ValueError) as error:
        raise ConfigError("frame", reason=str(error)) from error
    lengths = {len(column) for column in read.values.values()}
    if len(lengths) > 1:
        raise ConfigError("frame", reason=f"columns differ in length: {sorted(lengths)}")
    if read.times is not None and (n := int((read.times == NO_TIME).sum())):
        raise ConfigError("time", seen=time, reason=f"{n} rows have no time")
    return read.values, read.times


def _listed(column: Any) -> Any:  # noqa: ANN401 -- a column, or a single number
    return column if hasattr(column, "__len__") and not isinstance(column, str) else [column]


def _names(frame: Any) -> list[str]:  # noqa: ANN401 -- any kind of table
    if isinstance(frame, Mapping):
        return [str(name) for name in frame]
    return [str(name) for name in getattr(getattr(frame, "schema", frame), "names", getattr(frame, "columns", ()))]


def _told(frame: Any, what: str) -> dict[str, str]:  # noqa: ANN401 -- any kind of table
    """Return what the frame itself says of its columns: a recording's `units`, or ``attrs["units"]``."""
    told = getattr(frame, what, None)
    if not isinstance(told, Mapping):
        attributes = getattr(frame, "attrs", None)
        told = attributes.get(what, {}) if isinstance(attributes, Mapping) else {}
    return {str(key): str(value) for key, value in told.items() if value}


def _by_property(frame: Any, found: Mapping[str, Any]) -> dict[str, str]:  # noqa: ANN401 -- any kind of table
    terms = vocabulary()
    named = {name: key for name, key in _told(frame, "properties").items() if key in terms and name in found}
    # Of several columns of one property the first is the value; those after it are corrections or doubles.
    found_first: dict[str, str] = {}
    for name in found:
        if name in terms or name in named:
            found_first.setdefault(named.get(name, name), name)
    return found_first


def _censored(frame: Any, found: Mapping[str, NDArray[np.float64]], name: str) -> NDArray[np.int8] | None:  # noqa: ANN401 -- any kind of table
    columns = getattr(frame, "columns", None)
    told = getattr(columns.get(name), "censored", None) if isinstance(columns, Mapping) else None
    return _integers(found, (f"{name}_censored", "censored"), 0) if told is None else np.asarray(told, np.int8)


def _integers(found: Mapping[str, NDArray[np.float64]], names: tuple[str, ...], unsaid: int) -> NDArray[np.int8] | None:
    name = next((name for name in names if name in found), None)
    if name is None:
        return None
    return np.where(np.isnan(found[name]), unsaid, found[name]).astype(np.int8)
