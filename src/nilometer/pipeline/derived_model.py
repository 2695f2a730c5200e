"""What a derived Datastream is made of: rows of its inputs, its definition, and the rows it gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from nilometer.derivation.function import Function

__all__ = ["Definition", "DerivedRows", "Floats", "Operand", "Rows", "Times", "Uses", "among", "rising", "united"]

Floats = NDArray[np.float64]
Times = NDArray[np.int64]


def rising(times: Times) -> bool:
    """Say whether each of some times, or ids, is later than the one before it."""
    return len(times) < 2 or bool((times[1:] > times[:-1]).all())


def among(times: Times, known: Times) -> NDArray[np.bool_]:
    """Say which times are among some that do not fall."""
    if not len(known):
        return np.zeros(len(times), np.bool_)
    if np.array_equal(times, known):
        return np.ones(len(times), np.bool_)
    place = np.searchsorted(known, times)
    place[place == len(known)] = 0
    there: NDArray[np.bool_] = known[place] == times
    return there


def united(parts: Sequence[Times]) -> Times:
    """Return the times of all parts, each of which rises, once and rising."""
    full: list[Times] = []
    for part in parts:
        if len(part) and not (full and np.array_equal(full[0], part)):
            full.append(part)
    if len(full) < 2:
        return full[0] if full else np.empty(0, np.int64)
    return np.unique(np.concatenate(full))


@dataclass(slots=True)
class Rows:
    """Finished rows of one Datastream, of the water alone, sorted by time and then by id.

    Parameters
    ----------
    time : ndarray of int64, shape (n,)
        phenomenon_time, µs since 1970 UTC. An interval counts by its start.
    id : ndarray of int64, shape (n,)
        Ids.
    result, uncertainty : ndarray of float64, shape (n,)
        In the unit of the Datastream, as they are stored; NaN: none, not known.
    quality : ndarray of int8, shape (n,)
        QartodFlag.
    censored : ndarray of int8, shape (n,)
        Other than 0: the result is the limit of what could be measured, and no value.
    duration : ndarray of int64, shape (n,)
        µs.
    feature : ndarray of int32, shape (n,)
        FeaturesOfInterest.
    depth, latitude, longitude : ndarray of float64, shape (n,)
        NaN where they do not vary.
    said : ndarray of int8, shape (n,)
        Of rows that were derived themselves: what their inputs were flagged; else 0.
    reviewed : ndarray of bool, shape (n,)
        Whether a manual review made the row.
    """

    time: Times
    id: Times
    result: Floats
    uncertainty: Floats
    quality: NDArray[np.int8]
    censored: NDArray[np.int8]
    duration: Times
    feature: NDArray[np.int32]
    depth: Floats
    latitude: Floats
    longitude: Floats
    said: NDArray[np.int8]
    reviewed: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.time)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_] | slice) -> Rows:
        """Return the rows named by indices, a mask or a slice."""
        return Rows(*[column[rows] for column in _columns(self)])

    @staticmethod
    def concat(parts: Sequence[Rows]) -> Rows:
        """Return the rows of all parts, one behind the other."""
        return Rows(*[np.concatenate(columns) for columns in zip(*map(_columns, parts), strict=True)])

    @staticmethod
    def none() -> Rows:
        """Return no rows."""
        kinds = ("i8", "i8", "f8", "f8", "i1", "i1", "i8", "i4", "f8", "f8", "f8", "i1", "?")
        return Rows(*(np.empty(0, kind) for kind in kinds))

    def sorted(self) -> Rows:
        """Return the rows by time and id."""
        if rising(self.time):
            return self
        return self.take(np.lexsort((self.id, self.time)))


_columns = attrgetter(*(item.name for item in fields(Rows)))


class Uses(Protocol):
    """Whoever takes rows of others, and of which flags."""

    @property
    def used(self) -> frozenset[int]:
        """Flags of rows that are used; rows with others are as if they were not there."""


@dataclass(frozen=True, slots=True)
class Operand:
    """Where one input of the function comes from.

    Parameters
    ----------
    name : str
        Of the function's input.
    datastream : int, optional
        Its Datastream; None: it is a constant.
    scale, offset : float
        ``scale · result + offset`` is in the function's unit.
    align : {"nearest", "previous", "linear"}
        How it is taken at a time.
    tolerance : int
        µs: rows farther away are not taken.
    value, uncertainty : float
        Of a constant, in the function's unit.
    stand_in : tuple of float, optional
        Value and uncertainty that are taken where the input is missing; the row is SUSPECT then.
    """

    name: str
    datastream: int | None = None
    scale: float = 1.0
    offset: float = 0.0
    align: str = "nearest"
    tolerance: int = 0
    value: float = 0.0
    uncertainty: float = 0.0
    stand_in: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Definition:
    """A derived Datastream, with everything looked up.

    Parameters
    ----------
    datastream : int
        Whose rows these are.
    function : Function
        The equation.
    operands : tuple of Operand
        One an input of the function, in its order.
    clock : int
        The place of the operand that sets the times.
    deadline : int, optional
        µs after which a row no longer waits for its inputs; None: it waits for ever.
    used : frozenset of int
        Flags of input rows that are used; rows with others are as if they were not there.
    skips : bool
        Whether a time without an input gets no row; false: it gets one that says MISSING.
    correlation : ndarray of float64, shape (k, k), optional
        Of the operands.
    scale, offset : float
        From the function's unit to the Datastream's.
    number : int
        The catalog's row of the definition.
    """

    datastream: int
    function: Function
    operands: tuple[Operand, ...]
    clock: int
    deadline: int | None
    used: frozenset[int]
    skips: bool = False
    correlation: Floats | None = None
    scale: float = 1.0
    offset: float = 0.0
    number: int = 0

    @property
    def clock_datastream(self) -> int:
        """The Datastream that sets the times."""
        datastream = self.operands[self.clock].datastream
        assert datastream is not None  # noqa: S101 -- a constant has no times, and is refused as a clock
        return datastream

    @property
    def datastreams(self) -> frozenset[int]:
        """The Datastreams of all inputs."""
        return frozenset(one.datastream for one in self.operands if one.datastream is not None)


@dataclass(slots=True)
class DerivedRows:
    """What `rows_of` gives: columns of an ObservationBatch, sorted by time.

    Parameters
    ----------
    time, duration, feature, depth, latitude, longitude
        As the clock's rows have them.
    result, uncertainty : ndarray of float64, shape (n,)
        In the Datastream's unit, rounded as after a calibration; NaN: none, not known.
    said : ndarray of int8, shape (n,)
        The worst flag of the inputs that were used; MISSING where one is.
    """

    time: Times
    duration: Times
    feature: NDArray[np.int32]
    depth: Floats
    latitude: Floats
    longitude: Floats
    result: Floats
    uncertainty: Floats
    said: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.time)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> DerivedRows:
        """Return the rows named by indices or a mask."""
        return DerivedRows(*[column[rows] for column in _made(self)])

    @staticmethod
    def concat(parts: Sequence[DerivedRows]) -> DerivedRows:
        """Return the rows of all parts, one behind the other."""
        if len(parts) == 1:
            return parts[0]
        return DerivedRows(*[np.concatenate(columns) for columns in zip(*map(_made, parts), strict=True)])


_made = attrgetter(*(item.name for item in fields(DerivedRows)))
