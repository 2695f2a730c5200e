"""Pairs of results: of one water, by two instruments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from nilometer.series import unpack

__all__ = ["Pairs", "check_size", "complete"]

Floats = NDArray[np.float64]

_LARGEST = 1e140  # squares of sums of so large results are still numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Pairs:
    """Results of a candidate and of its reference at the same times, in time order within a cluster.

    Parameters
    ----------
    time : ndarray of int64, shape (n,)
        µs since 1970 UTC: where the pair's interval begins.
    candidate, reference : ndarray of float64, shape (n,)
        In `unit`; never NaN.
    unit : str
        CF text, of both.
    candidate_uncertainty, reference_uncertainty : ndarray of float64, shape (n,)
        Standard (k = 1), in `unit`; NaN where unknown.
    candidate_censored, reference_censored : ndarray of int8, shape (n,)
        −1: below the limit given as result, 1: above it, 0: measured.
    conditions : mapping of str to ndarray of float64, shape (n,)
        What the water was like, by name of the condition, such as ``temperature``; NaN where not known.
    cluster : ndarray of int32, shape (n,)
        Which of `clusters`: pairs of one site and unit depend on each other.
    clusters : tuple of str
        Their names.
    interval : ndarray of int32, shape (n,)
        Number of the stretch between two cleanings or calibrations; −1 where none is declared.
    """

    time: NDArray[np.int64]
    candidate: Floats
    reference: Floats
    unit: str
    candidate_uncertainty: Floats
    reference_uncertainty: Floats
    candidate_censored: NDArray[np.int8]
    reference_censored: NDArray[np.int8]
    conditions: Mapping[str, Floats] = field(default_factory=dict)
    cluster: NDArray[np.int32]
    clusters: tuple[str, ...] = ("",)
    interval: NDArray[np.int32]

    @classmethod
    def of(cls, time: Any, candidate: Any, reference: Any, unit: str, **more: Any) -> Self:  # noqa: ANN401 -- any series
        """Return pairs of plain columns; what is not given is unknown, measured, and of one cluster.

        Parameters
        ----------
        time, candidate, reference : array_like, shape (n,)
            As the class has them.
        unit : str
            CF text.
        **more
            Any other field of the class.

        Raises
        ------
        ValueError
            If lengths differ, a result is missing, or all are too large or too small to be squared.

        Examples
        --------
        >>> len(Pairs.of([0, 60_000_000], [8.1, 8.2], [8.0, 8.2], "mg L-1"))
        2
        """
        n = len(time)
        given: dict[str, Any] = {
            "candidate_uncertainty": np.full(n, np.nan),
            "reference_uncertainty": np.full(n, np.nan),
            "candidate_censored": np.zeros(n, np.int8),
            "reference_censored": np.zeros(n, np.int8),
            "cluster": np.zeros(n, np.int32),
            "interval": np.full(n, -1, np.int32),
            **more,
        }
        one, other = np.array(candidate, np.float64), np.array(reference, np.float64)
        columns = [one, other, *(each for each in given.values() if isinstance(each, np.ndarray))]
        columns += list(given.get("conditions", {}).values())
        if any(len(column) != n for column in columns):
            raise ValueError(f"columns of {sorted({n, *map(len, columns)})} rows make no pairs: give as many of each")
        if not (np.isfinite(one).all() and np.isfinite(other).all()):
            raise ValueError("a result is missing: leave its pair out")
        check_size(one, other)
        return cls(time=np.array(time, np.int64), candidate=one, reference=other, unit=unit, **given)

    def __len__(self) -> int:
        return len(self.time)

    @property
    def difference(self) -> Floats:
        """Candidate minus reference."""
        return self.candidate - self.reference

    def take(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Self:
        """Return some of the pairs, by mask or index."""
        chosen = {
            part.name: getattr(self, part.name)[rows]
            for part in fields(self)
            if part.name not in {"unit", "conditions", "clusters"}
        }
        return replace(self, **chosen, conditions={name: each[rows] for name, each in self.conditions.items()})


def complete(x: Any, y: Any, *, least: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:  # noqa: ANN401 -- any series
    """Return the pairs of which both results are there.

    Parameters
    ----------
    x, y : series of n numbers
        As `nilometer.series.unpack` takes them.
    least : int
        How many complete pairs are needed.

    Raises
    ------
    ValueError
        If lengths differ, there are fewer pairs, or results are too large or too small to be squared.
    """
    first, second = unpack(x).values, unpack(y).values
    if len(first) != len(second):
        raise ValueError(f"{len(first)} and {len(second)} results make no pairs: give as many of both")
    there = np.isfinite(first) & np.isfinite(second)
    if np.count_nonzero(there) < least:
        raise ValueError(f"{np.count_nonzero(there)} complete pairs: {least} or more are needed")
    check_size(first[there], second[there])
    return first[there], second[there]


def check_size(*columns: NDArray[np.float64]) -> None:
    """Refuse results whose squares leave the range of numbers, on which every figure would be 0 or endless.

    Parameters
    ----------
    *columns : ndarray of float64
        Of one unit; NaN is passed over.

    Raises
    ------
    ValueError
        If the largest of them is beyond 1e140, or above 0 and below 1e-140.
    """
    largest = max((float(np.nanmax(np.abs(each), initial=0.0)) for each in columns), default=0.0)
    if largest > _LARGEST or 0.0 < largest < 1.0 / _LARGEST:
        raise ValueError(
            f"results up to {largest:.3g}: their squares cannot be told from 0 or from infinity; "
            "give them in another unit, or mend what wrote them"
        )
