"""Shifts: what is added to the observed stage while weeds, ice, fill or scour hold a section off its rating curve.

A shift is known from gaugings (`rating_check` tells the one that each would need). It is a number or, as a *shift
curve*, depends on the stage: straight lines between its points, and the end values beyond them. From one shift to the
next it jumps, or it goes over in a straight line since a moment (*ramp*).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.derivation.rating import ALWAYS, moment, moment_text
from nilometer.errors import CalibrationError

__all__ = ["Shift", "shifts_at"]

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One shift, from its moment until the next one's.

    Parameters
    ----------
    valid_from : int
        µs since 1970 UTC, inclusive.
    points : tuple of (float, float)
        Stage and shift, by rising stage, in the unit of the curve's stage; one point: the same shift at every stage.
    ramp_from : int, optional
        Moment since which the shift before goes over into this one; None: it jumps at `valid_from`.

    Raises
    ------
    CalibrationError
        If it cannot be applied as given.
    """

    valid_from: int
    points: tuple[tuple[float, float], ...]
    ramp_from: int | None = None

    def __post_init__(self) -> None:
        table = np.array(self.points, np.float64)
        if table.ndim != 2 or table.shape[1] != 2 or not np.isfinite(table).all():
            raise CalibrationError(f"shift: points = {list(self.points)} (allowed: pairs of stage and shift)")
        if (np.diff(table[:, 0]) <= 0).any():
            raise CalibrationError(f"shift: the stages {table[:, 0].tolist()} must rise")
        if (np.diff(table.sum(axis=1)) <= 0).any():
            raise CalibrationError("shift: a higher stage must stay the higher one after the shift")
        if self.ramp_from is not None and not self.ramp_from < self.valid_from:
            raise CalibrationError("shift: a ramp begins before the moment since when the shift holds")

    def at(self, stage: Array) -> Array:
        """Return the shift at observed stages."""
        table = np.array(self.points, np.float64)
        return np.interp(stage, table[:, 0], table[:, 1])

    @staticmethod
    def from_document(document: Mapping[str, Any]) -> Shift:
        """Return the shift of a table ``valid_from``, and ``shift`` or ``points``, and ``ramp_from``.

        Raises
        ------
        CalibrationError
            If a key is unknown, lacking or not understood.
        """
        unknown = sorted(set(document) - {"valid_from", "shift", "points", "ramp_from"})
        if unknown:
            raise CalibrationError(f"shift: unknown key {unknown[0]} (known: valid_from, shift, points, ramp_from)")
        try:
            points = document.get("points")
            pairs = [(0.0, float(document["shift"]))] if points is None else [(float(h), float(s)) for h, s in points]
            ramp = document.get("ramp_from")
            return Shift(
                valid_from=moment(document["valid_from"]),
                points=tuple(pairs),
                ramp_from=None if ramp is None else moment(ramp),
            )
        except KeyError as error:
            raise CalibrationError(f"shift: {error.args[0]} is lacking") from None
        except (TypeError, ValueError) as error:
            raise CalibrationError(f"shift: not understood: {error}") from error

    def to_document(self) -> dict[str, Any]:
        """Return the shift as a table, from which `from_document` makes the same one."""
        document: dict[str, Any] = {} if self.valid_from == ALWAYS else {"valid_from": moment_text(self.valid_from)}
        if len(self.points) == 1:
            document["shift"] = self.points[0][1]
        else:
            document["points"] = [list(pair) for pair in self.points]
        if self.ramp_from is not None:
            document["ramp_from"] = moment_text(self.ramp_from)
        return document


def shifts_at(shifts: Sequence[Shift], stage: Array, times: NDArray[np.int64]) -> Array:
    """Return what is added to each observed stage; 0 before the first shift.

    Parameters
    ----------
    shifts : sequence of Shift
        By rising `valid_from`.
    stage : ndarray of float64, shape (n,)
        Observed, in the unit of the shifts.
    times : ndarray of int64, shape (n,)
        µs since 1970 UTC.

    Examples
    --------
    >>> two = [Shift(valid_from=0, points=((0.0, 0.1),)), Shift(valid_from=100, points=((0.0, 0.3),), ramp_from=50)]
    >>> shifts_at(two, np.ones(5), np.array([-1, 0, 50, 75, 200])).round(3).tolist()
    [0.0, 0.1, 0.1, 0.2, 0.3]
    """
    total = np.zeros(len(stage))
    for k, shift in enumerate(shifts):
        own = shift.at(stage)
        if shift.ramp_from is not None:
            # A ramp goes over from what held before it; a ramp never begins before the shift that it starts from.
            begin = max(shift.ramp_from, shifts[k - 1].valid_from) if k else shift.ramp_from
            share = (times - begin) / (shift.valid_from - begin)
            rising = (times > begin) & (times < shift.valid_from)
            total = np.where(rising, total + share * (own - total), total)
        total = np.where(times >= shift.valid_from, own, total)
    return total
