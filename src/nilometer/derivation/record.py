"""A record: one series with its times, as plain columns in one unit, and the way back to the kind it was.

Functions of whole records (tides, waves, filters, statistics) take their input here; functions of single values take
theirs in `operands`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer import units
from nilometer.derivation.operands import bare, quantity
from nilometer.series import unpack

__all__ = ["NO_TIME", "Record", "record"]

NO_TIME = int(np.iinfo(np.int64).min)
"""Stands for NaT."""


@dataclass(frozen=True, slots=True)
class Record:
    """A series as plain columns.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        In `unit`; NaN is missing.
    times : ndarray of int64, shape (n,)
        µs since 1970 UTC; NO_TIME where absent.
    unit : str or None
        CF text; None where nobody said.
    rewrap : callable
        Takes n elements and gives them as the kind that came in, quantities in `unit`.
    """

    values: NDArray[np.float64]
    times: NDArray[np.int64]
    unit: str | None
    rewrap: Callable[[NDArray[Any]], Any]


def record(series: Any, time: Any = None, unit: str | None = None) -> Record:  # noqa: ANN401 -- any library's series
    """Return a series as plain columns in a unit.

    Parameters
    ----------
    series : array_like, pandas.Series, polars.Series, xarray.DataArray, pyarrow.Array or pint.Quantity of one
        Shape (n,). A quantity, or an xarray object with the attribute ``units``, is converted; a bare one is in `unit`.
    time : array_like or str, optional
        Times, where the series brings none.
    unit : str, optional
        CF text; what the series says of itself unless given.

    Raises
    ------
    UnitError
        If a unit is unknown, or the series' has another dimension.
    ValueError
        If there are no times, or not one a value.
    """
    thing, said = bare(series)
    part = unpack(thing, time)
    if part.times is None:
        raise ValueError("the series brings no times: give time=")
    wanted = said if unit is None else unit
    wanted = None if wanted is None else units.canonical(wanted)
    values = part.values
    if said is not None and wanted is not None:
        values = np.asarray(units.convert(values, said, wanted), np.float64)

    def rewrap(array: NDArray[Any]) -> Any:  # noqa: ANN401 -- any library's series
        back = part.rewrap(array)
        if thing is not series and wanted is not None:
            return quantity(series, back, wanted, is_difference=False)
        if said is not None and hasattr(back, "attrs") and not hasattr(back, "index"):
            back.attrs["units"] = wanted
        return back

    return Record(values, part.times, wanted, rewrap)
