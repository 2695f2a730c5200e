"""The functions of the table, over columns."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from shapely.errors import GEOSException

from nilometer.web.sensorthings.answers.texts import filled, number_texts
from nilometer.web.sensorthings.query.columns import Column, Mask, missing
from nilometer.web.sensorthings.query.functions import Kind
from nilometer.web.sensorthings.query.geometry import MEASURES, TESTS, read_geojson, relate
from nilometer.web.sensorthings.query.temporal import DAY_US, FIRST_US, LAST_US, PARTS, read_interval
from nilometer.web.sensorthings.query.texts import WHITE, at_most

__all__ = ["LARGEST", "LEAST", "PREDICATES", "apply", "bounded", "seen_as"]

LARGEST, LEAST = 1e300, 1e-300
"""Arithmetic that leads beyond the largest gives null, what is nearer to 0 than the least is 0: in every database."""


def seen_as(column: Column, kind: Kind) -> Column:
    """Return a column as another kind; null where a value is none of it."""
    if column.kind is Kind.JSON:
        return _of_json(column, kind)
    if kind is Kind.INTERVAL and column.kind is Kind.DATE:
        starts = column.values * DAY_US
        return Column(kind, starts, column.valid, starts + DAY_US)
    if kind is Kind.INTERVAL:
        return Column(kind, column.values, column.valid, column.values)
    if column.kind is Kind.DATE:
        return Column(kind, column.values * DAY_US, column.valid)
    return Column(kind, column.values, column.valid)


def _of_json(column: Column, kind: Kind) -> Column:
    if kind in {Kind.TIME, Kind.INTERVAL}:
        return _times_of_json(column, kind)
    if kind is Kind.GEOMETRY:
        texts = [json.dumps(value) if isinstance(value, dict) else None for value in column.values]
        return Column(kind, *read_geojson(texts))
    read = _READERS[kind]
    found = missing(kind, len(column.values))
    for at in np.flatnonzero(column.valid):
        value = read(column.values[at])
        if value is not None:
            found.values[at], found.valid[at] = value, True
    return found


def _times_of_json(column: Column, kind: Kind) -> Column:
    starts, ends = np.zeros(len(column.values), np.int64), np.zeros(len(column.values), np.int64)
    valid = np.zeros(len(column.values), bool)
    for at in np.flatnonzero(column.valid):
        span = read_interval(column.values[at])
        if span is not None:
            (starts[at], ends[at]), valid[at] = span, True
    return Column(kind, starts, valid, ends if kind is Kind.INTERVAL else None)


def _number(value: Any) -> float | None:  # noqa: ANN401 -- any JSON
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= LARGEST else None


_READERS: dict[Kind, Callable[[Any], Any]] = {
    Kind.NUMBER: _number,
    Kind.TEXT: lambda value: value if isinstance(value, str) else None,
    Kind.BOOLEAN: lambda value: value if isinstance(value, bool) else None,
    Kind.DURATION: lambda _: None,
}


def apply(name: str, arguments: list[Column], kind: Kind) -> Column:
    """Return a function of columns; null where an argument is null or the answer is none."""
    valid = np.logical_and.reduce([one.valid for one in arguments])
    values = [one.values for one in arguments]
    if name in PARTS:
        return Column(kind, np.asarray(PARTS[name](values[0]), np.float64), valid)
    if name in _NUMBERS:
        with np.errstate(all="ignore"):
            return bounded(np.asarray(_NUMBERS[name](*values), np.float64), valid)
    if name in MEASURES:
        return _measured(name, arguments, valid)
    if name == "written":
        # As an answer writes them.
        return Column(kind, filled(number_texts(values[0]), "").to_numpy(zero_copy_only=False), valid)
    if name in _TIMES:
        return _TIMES[name](arguments, valid, kind)
    return _texts(name, values, valid, kind)


def bounded(numbers: NDArray[np.float64], valid: Mask) -> Column:
    """Return numbers without those that arithmetic led too far."""
    with np.errstate(invalid="ignore"):
        reached = np.abs(numbers) <= LARGEST
        near = np.abs(numbers) < LEAST
    return Column(Kind.NUMBER, np.where(reached & ~near, numbers, 0.0), valid & reached)


def _round(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Round halves away from 0, as OData has it."""
    return np.copysign(np.floor(np.abs(x) + 0.5), x)


def _divided(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(b == 0, np.nan, a / b)


def _mod(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    ratio = _divided(a, b)
    return a - b * np.trunc(np.where(np.abs(ratio) <= LARGEST, ratio, np.nan))


_NUMBERS: dict[str, Callable[..., Any]] = {
    "add": np.add,
    "sub": np.subtract,
    "mul": np.multiply,
    "div": _divided,
    "mod": _mod,
    "neg": np.negative,
    "round": _round,
    "floor": np.floor,
    "ceiling": np.ceil,
}


def _within(kind: Kind, values: NDArray[np.int64], valid: Mask) -> Column:
    far = LAST_US - FIRST_US
    reached = np.abs(values) <= far if kind is Kind.DURATION else (values >= FIRST_US) & (values <= LAST_US)
    return Column(kind, values, valid & reached)


def _moved(arguments: list[Column], valid: Mask, kind: Kind, sign: int) -> Column:
    by = sign * arguments[1].values
    starts = _within(Kind.TIME, arguments[0].values + by, valid)
    if arguments[0].ends is None:
        return starts
    ends = _within(Kind.TIME, arguments[0].ends + by, starts.valid)
    return Column(kind, starts.values, ends.valid, ends.values)


def _scaled(arguments: list[Column], valid: Mask, *, up: bool) -> Column:
    durations, numbers = arguments[0].values.astype(np.float64), arguments[1].values
    with np.errstate(all="ignore"):
        made = durations * numbers if up else _divided(durations, numbers)
        reached = np.abs(made) <= LAST_US - FIRST_US
    return Column(Kind.DURATION, np.rint(np.where(reached, made, 0)).astype(np.int64), valid & reached)


def _ratio(arguments: list[Column], valid: Mask) -> Column:
    with np.errstate(all="ignore"):
        return bounded(_divided(arguments[0].values.astype(float), arguments[1].values.astype(float)), valid)


_TIMES: dict[str, Callable[[list[Column], Mask, Kind], Column]] = {
    "end": lambda columns, valid, kind: Column(kind, columns[0].span[1], valid),
    "date": lambda columns, valid, kind: Column(kind, columns[0].values // DAY_US, valid),
    "time": lambda columns, valid, kind: Column(kind, columns[0].values % DAY_US, valid),
    "later": lambda columns, valid, kind: _moved(columns, valid, kind, 1),
    "earlier": lambda columns, valid, kind: _moved(columns, valid, kind, -1),
    "since": lambda columns, valid, kind: _within(kind, columns[0].values - columns[1].values, valid),
    "longer": lambda columns, valid, kind: _within(kind, columns[0].values + columns[1].values, valid),
    "shorter": lambda columns, valid, kind: _within(kind, columns[0].values - columns[1].values, valid),
    "times": lambda columns, valid, _: _scaled(columns, valid, up=True),
    "parted": lambda columns, valid, _: _scaled(columns, valid, up=False),
    "ratio": lambda columns, valid, _: _ratio(columns, valid),
}


def _substring(text: str, start: float, length: float = at_most(np.inf)) -> str:
    first = at_most(start)
    return text[first : first + at_most(length)]


_TEXTS: dict[str, Callable[..., Any]] = {
    "length": len,
    "indexof": lambda hay, needle: hay.find(needle),
    "substring": _substring,
    "tolower": str.lower,
    "toupper": str.upper,
    "trim": lambda text: text.strip(WHITE),
    "concat": lambda left, right: left + right,
    "substringof": lambda needle, hay: needle in hay,
    "contains": lambda hay, needle: needle in hay,
    "startswith": str.startswith,
    "endswith": str.endswith,
}


def _texts(name: str, values: list[NDArray[Any]], valid: Mask, kind: Kind) -> Column:
    found = missing(kind, len(valid))
    function, wanted = _TEXTS[name], np.flatnonzero(valid)
    for at in wanted:
        found.values[at] = function(*(column[at] for column in values))
    return Column(kind, found.values, valid)


def _text_test(name: str, arguments: list[Column], valid: Mask) -> tuple[Mask, Mask]:
    return _texts(name, [one.values for one in arguments], valid, Kind.BOOLEAN).values, valid


def _each(function: Callable[..., Any], arguments: list[Column], valid: Mask, kind: Kind) -> Column:
    """Ask a function of all pairs of geometries at once; of each alone where it fails for one of them."""
    found, places = missing(kind, len(valid)), np.flatnonzero(valid)
    shapes = [one.values[places] for one in arguments]
    try:
        with np.errstate(invalid="ignore"):
            found.values[places] = function(*shapes)
    except (GEOSException, ValueError):
        known = valid.copy()
        for row, at in enumerate(places):
            try:
                found.values[at] = function(*(some[row : row + 1] for some in shapes))[0]
            except (GEOSException, ValueError):
                known[at] = False
        return Column(kind, found.values, known)
    return Column(kind, found.values, valid)


def _measured(name: str, arguments: list[Column], valid: Mask) -> Column:
    found = _each(MEASURES[name], arguments, valid, Kind.NUMBER)
    return bounded(found.values, found.valid & np.isfinite(found.values))


def _shape_test(name: str, arguments: list[Column], valid: Mask) -> tuple[Mask, Mask]:
    found = _each(TESTS[name], arguments, valid, Kind.BOOLEAN)
    return found.values, found.valid


def _related(_: str, arguments: list[Column], valid: Mask) -> tuple[Mask, Mask]:
    pattern = str(arguments[2].values[0]) if len(valid) else ""
    found = _each(
        lambda left, right: relate(left, right, pattern, "$filter"), arguments[:2], valid, Kind.BOOLEAN
    ) if pattern else missing(Kind.BOOLEAN, 0)  # fmt: skip
    return found.values, found.valid


PREDICATES: dict[str, Callable[[str, list[Column], Mask], tuple[Mask, Mask]]] = {
    **dict.fromkeys(("substringof", "contains", "startswith", "endswith"), _text_test),
    **dict.fromkeys(TESTS, _shape_test),
    "st_relate": _related,
}
"""Functions that give true or false, with where it is known."""
