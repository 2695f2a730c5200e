"""The inputs of a function as plain columns in its units, and the way back to the kind of series they were.

Numbers, NumPy arrays of any shape, lists, pandas and polars series, xarray arrays (which are broadcast by dimension)
and Arrow columns; bare, as pint quantities, or with the CF attribute ``units``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nilometer import units
from nilometer.errors import UnitError
from nilometer.series import kind_of, unpack

__all__ = ["Operands", "bare", "deviation", "quantity", "unpacked"]

Floats = NDArray[np.float64]


class _Input(Protocol):
    @property
    def unit(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Operands:
    """Inputs of one function.

    Parameters
    ----------
    values : list of ndarray of float64, shape (n,) or (1,)
        One an input, in the function's unit; of one element where it is one number for all.
    size : int
        n.
    rewrap : callable
        Takes n results, their name and their unit, and gives them as what came in.
    """

    values: list[Floats]
    size: int
    rewrap: Callable[..., Any]


def unpacked(inputs: Mapping[str, _Input], given: Sequence[Any]) -> Operands:
    """Return the inputs of a function as plain columns.

    Parameters
    ----------
    inputs : mapping of str to Input
        What the function takes, in order.
    given : sequence
        What it got.

    Raises
    ------
    UnitError
        If a unit cannot be understood, or has another dimension.
    ValueError
        If shapes or indices differ.
    """
    parts = [bare(thing) for thing in given]
    is_quantity = next((thing for thing in given if _is_pint(thing)), None)
    series = [thing for thing, _ in parts]
    kinds = [_kind(thing) for thing in series]
    kind = next((one for one in ("xarray", "pandas", "polars", "arrow") if one in kinds), "numpy")
    if kind == "xarray":
        series = _aligned(series, kinds)
    template = next((thing for thing, one in zip(series, kinds, strict=True) if one == kind), None)
    if kind == "pandas":
        _same_index(list(inputs), series, kinds)
    arrays = [_array(name, thing) for name, thing in zip(inputs, series, strict=True)]
    for k, (name, known) in enumerate(inputs.items()):
        unit = parts[k][1]
        if unit is not None:
            arrays[k] = _in_unit(name, arrays[k], unit, known.unit)
    shape = _shape(list(inputs), arrays)
    size = int(np.prod(shape)) if shape else 1
    columns = [
        np.ascontiguousarray(array).reshape(-1) if array.size == 1 or array.shape == shape else _spread(array, shape)
        for array in arrays
    ]

    def rewrap(result: Floats, name: str, unit: str, *, is_difference: bool = False) -> Any:  # noqa: ANN401 -- any kind
        back = _back(kind, template, result.reshape(shape), name, unit)
        return back if is_quantity is None else quantity(is_quantity, back, unit, is_difference=is_difference)

    return Operands(columns, size, rewrap)


def deviation(known: _Input, given: Any, size: int) -> Floats:  # noqa: ANN401 -- a number or any series
    """Return an uncertainty as a column of n values, or of one, in the unit of an input.

    Raises
    ------
    UnitError
        If its unit has another dimension.
    ValueError
        If it is negative, or of another length.
    """
    thing, unit = bare(given)
    column = np.ascontiguousarray(_array("uncertainty", thing)).reshape(-1)
    if unit is not None:
        column = column * units.affine(unit, known.unit)[0]
    if column.size not in {1, size}:
        raise ValueError(f"an uncertainty has {column.size} values for {size} results: give one, or as many")
    if np.any(column < 0.0):
        raise ValueError(f"an uncertainty is {column[column < 0.0][0]:g}: it is never below 0")
    return column


def _is_pint(thing: Any) -> bool:  # noqa: ANN401 -- anything
    return hasattr(thing, "magnitude") and hasattr(thing, "units") and hasattr(thing, "dimensionality")


def bare(thing: Any) -> tuple[Any, str | None]:  # noqa: ANN401 -- anything
    """Return what is inside of a quantity, and its unit where it says one."""
    if _is_pint(thing):
        return thing.magnitude, _pint_text(thing.units)
    if kind_of(thing) == "xarray":
        if _is_pint(thing.data):
            return thing.copy(data=thing.data.magnitude), _pint_text(thing.data.units)
        said = thing.attrs.get("units")
        return thing, str(said) if said is not None else None
    return thing, None


def _pint_text(unit: Any) -> str:  # noqa: ANN401 -- pint's units are of run-time classes
    for form in ("~C", "C"):
        text = format(unit, form).replace("**", "^").replace("delta_", "").replace("Δ", "")
        try:
            return units.canonical(text)
        except UnitError:
            continue
    return units.canonical(str(unit))


def _kind(thing: Any) -> str:  # noqa: ANN401 -- anything
    kind = kind_of(thing)
    if kind == "mapping":
        raise TypeError("a mapping is a frame: give one of its columns")
    return kind


def _aligned(series: list[Any], kinds: Sequence[str]) -> list[Any]:
    import xarray as xr  # noqa: PLC0415 -- only for its own objects

    theirs = [thing for thing, kind in zip(series, kinds, strict=True) if kind == "xarray"]
    spread = iter(xr.broadcast(*xr.align(*theirs, join="exact")))
    return [next(spread) if kind == "xarray" else thing for thing, kind in zip(series, kinds, strict=True)]


def _same_index(names: Sequence[str], series: Sequence[Any], kinds: Sequence[str]) -> None:
    import pandas as pd  # noqa: PLC0415 -- only for its own objects

    seen: tuple[str, Any] | None = None
    for name, thing, kind in zip(names, series, kinds, strict=True):
        if kind != "pandas" or not isinstance(thing, pd.Series) or len(thing) == 1:
            continue
        if seen is None:
            seen = name, thing.index
        elif not thing.index.equals(seen[1]):
            raise ValueError(f"{seen[0]} and {name} have different indices: align them first, such as by reindex")


def _array(name: str, thing: Any) -> Floats:  # noqa: ANN401 -- any series
    if isinstance(thing, np.ndarray) and thing.dtype == np.float64 and not isinstance(thing, np.ma.MaskedArray):
        return thing
    if isinstance(thing, int | float | np.number) or thing is None:
        return np.asarray(np.nan if thing is None else thing, np.float64)
    if kind_of(thing) == "xarray":
        return np.asarray(thing.values, np.float64)
    if isinstance(thing, str | bytes):
        raise TypeError(f"{name} = {thing!r} is no number")
    if isinstance(thing, np.ndarray) and thing.ndim != 1:
        filled = np.ma.filled(thing.astype(np.float64), np.nan) if isinstance(thing, np.ma.MaskedArray) else thing
        return np.asarray(filled, np.float64)
    try:
        return np.asarray(unpack(thing).values, np.float64)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _in_unit(name: str, array: Floats, source: str, target: str) -> Floats:
    try:
        return units.convert(array, source, target)
    except UnitError as error:
        raise UnitError(f"{name}: {error}") from error


def _shape(names: Sequence[str], arrays: Sequence[Floats]) -> tuple[int, ...]:
    try:
        return np.broadcast_shapes(*(array.shape for array in arrays))
    except ValueError:
        told = ", ".join(f"{name} {array.shape}" for name, array in zip(names, arrays, strict=True))
        raise ValueError(f"inputs of these shapes do not go together: {told}") from None


def _spread(array: Floats, shape: tuple[int, ...]) -> Floats:
    return np.ascontiguousarray(np.broadcast_to(array, shape)).reshape(-1)


def _back(kind: str, template: Any, result: Floats, name: str, unit: str) -> Any:  # noqa: ANN401 -- any kind
    if kind == "numpy":
        return result if result.ndim else result[()]
    if kind == "xarray":
        made = template.copy(data=result)
        made.attrs = {"units": unit}
        made.name = name
        return made
    if kind == "arrow":
        import pyarrow as pa  # noqa: PLC0415 -- only for its own objects

        return pa.array(result, mask=np.isnan(result))
    if kind == "polars":
        import polars as pl  # noqa: PLC0415 -- only for its own objects

        return pl.Series(name, result)
    import pandas as pd  # noqa: PLC0415 -- only for its own objects

    index = template if isinstance(template, pd.Index) else template.index
    return pd.Series(result, index=index if len(index) == len(result) else None, name=name)


def quantity(like: Any, values: Any, unit: str, *, is_difference: bool) -> Any:  # noqa: ANN401 -- pint is run-time
    """Return values as a quantity of the registry that another quantity belongs to."""
    registry = like._REGISTRY
    return registry.Quantity(values, registry.parse_units(units.pint_text(unit, is_difference=is_difference)))
