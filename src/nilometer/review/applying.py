"""Apply an ordered history of steps to automatic rows: the rule that makes a review replayable.

The same rows and the same steps give the same rows, value for value, whenever and in whatever pieces it is done, as
long as a piece brings the neighbours that an interpolation needs. Rows that are not the water are never touched by a
span; a value that cannot be corrected (censored, or no number) keeps what it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from nilometer.calibration.drift_line import drift_line, elapsed, short
from nilometer.model import QartodFlag
from nilometer.review.arithmetic import between, moved
from nilometer.review.steps import (
    FLAGS,
    Condition,
    Delete,
    Drift,
    Flag,
    Interpolate,
    Offset,
    Retime,
    Step,
)

__all__ = ["Applied", "Rows", "apply", "selected"]


@dataclass(slots=True)
class Rows:
    """Rows of one Datastream, as columns.

    Parameters
    ----------
    id : ndarray of int64, shape (n,)
        What `observations` of a step speak of.
    time : ndarray of int64, shape (n,)
        Start, µs since 1970 UTC, in any order.
    result, uncertainty : ndarray of float64, shape (n,)
        NaN: absent, not known.
    quality : ndarray of int8, shape (n,)
        QartodFlag.
    numeric : ndarray of bool, shape (n,)
        The result may be corrected: it is neither censored nor a text.
    water : ndarray of bool, shape (n,)
        The row speaks of the water.
    place : ndarray of int64, shape (n,)
        Rows of another place (another depth of a cast) are no neighbours.
    """

    id: NDArray[np.int64]
    time: NDArray[np.int64]
    result: NDArray[np.float64]
    uncertainty: NDArray[np.float64]
    quality: NDArray[np.int8]
    numeric: NDArray[np.bool_]
    water: NDArray[np.bool_]
    place: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.time)

    def copy(self) -> Rows:
        """Return rows whose columns that steps write are their own."""
        return replace(
            self,
            time=self.time.copy(),
            result=self.result.copy(),
            uncertainty=self.uncertainty.copy(),
            quality=self.quality.copy(),
        )


@dataclass(frozen=True, slots=True)
class Applied:
    """Rows after all steps, and which steps made each of them.

    Parameters
    ----------
    rows : Rows
        In the order in which they came.
    code : ndarray of int32, shape (n,)
        Index into `made_by`; 0: no step touched the row.
    made_by : list of tuple of int
        Ids of steps, ascending.
    """

    rows: Rows
    code: NDArray[np.int32]
    made_by: list[tuple[int, ...]]


def apply(rows: Rows, steps: Sequence[Step]) -> Applied:
    """Return rows as the steps leave them, one step after the other; the rows given stay as they are.

    Parameters
    ----------
    rows : Rows
        As calibration and qc left them.
    steps : sequence of Step
        In the order of the history.

    Returns
    -------
    Applied
        New rows, and the steps behind each.
    """
    now = rows.copy()
    code = np.zeros(len(rows), np.int32)
    made_by: list[tuple[int, ...]] = [()]
    for step in steps:
        touched = _ACTS[type(step.what)](now, step, selected(now, step))
        if len(touched):
            _note(code, made_by, touched, step.id)
    return Applied(now, code, made_by)


def selected(rows: Rows, step: Step) -> NDArray[np.int64]:
    """Return the rows that a step speaks of."""
    mask = (rows.time >= step.start) & (rows.time < step.end)
    what = step.what
    if isinstance(what, Retime):
        return np.flatnonzero(mask)
    if what.observations is not None:
        mask &= np.isin(rows.id, np.array(what.observations, np.int64))
    else:
        mask &= rows.water
    if what.where is not None:
        mask &= _holds(rows, what.where)
    elif isinstance(what, Interpolate):
        mask &= _is_bad(rows)
    return np.flatnonzero(mask)


def _note(code: NDArray[np.int32], made_by: list[tuple[int, ...]], touched: NDArray[np.int64], step: int) -> None:
    for old in np.unique(code[touched]):
        made_by.append((*made_by[old], step))
        code[touched[code[touched] == old]] = len(made_by) - 1


def _holds(rows: Rows, where: Condition) -> NDArray[np.bool_]:
    mask = np.ones(len(rows), bool)
    if where.flag is not None:
        mask &= np.isin(rows.quality, [int(FLAGS[name]) for name in where.flag])
    if where.above is not None:
        mask &= rows.result > where.above
    if where.below is not None:
        mask &= rows.result < where.below
    if where.equals is not None:
        mask &= rows.result == where.equals
    if where.missing is not None:
        mask &= np.isnan(rows.result) == where.missing
    return mask


def _is_bad(rows: Rows) -> NDArray[np.bool_]:
    bad: NDArray[np.bool_] = np.isin(rows.quality, (int(QartodFlag.FAIL), int(QartodFlag.MISSING)))
    bad |= np.isnan(rows.result)
    return bad


def _flag(rows: Rows, step: Step, which: NDArray[np.int64]) -> NDArray[np.int64]:
    what = step.what
    assert isinstance(what, Flag)  # noqa: S101 -- the table below sees to it
    flag = int(FLAGS[what.flag])
    if what.worse:
        which = which[rows.quality[which] < flag]
    rows.quality[which] = flag
    return which


def _offset(rows: Rows, step: Step, which: NDArray[np.int64]) -> NDArray[np.int64]:
    what = step.what
    assert isinstance(what, Offset)  # noqa: S101 -- the table below sees to it
    which = _correctable(rows, which)
    return _correct(rows, which, rows.result[which] + what.offset, what.uncertainty, what.flag)


def _drift(rows: Rows, step: Step, which: NDArray[np.int64]) -> NDArray[np.int64]:
    what = step.what
    assert isinstance(what, Drift)  # noqa: S101 -- the table below sees to it
    which = _correctable(rows, which)
    time = rows.time[which]
    scale, shift = drift_line(
        time,
        step.start,
        step.end,
        gap=what.gap,
        gap_percent=what.gap_percent,
        points=what.points,
        standards=what.standards,
        shape=what.shape,
    )
    uncertainty: NDArray[np.float64] | float | None = what.uncertainty
    if what.start_uncertainty is not None:
        share = np.ones(len(which)) if what.shape == "step" else elapsed(time, step.start, step.end)
        uncertainty = np.hypot((1.0 - share) * what.start_uncertainty, share * (what.uncertainty or 0.0))
    return _correct(rows, which, scale * rows.result[which] + shift, uncertainty, what.flag)


def _delete(rows: Rows, step: Step, which: NDArray[np.int64]) -> NDArray[np.int64]:
    assert isinstance(step.what, Delete)  # noqa: S101 -- the table below sees to it
    rows.result[which] = np.nan
    rows.uncertainty[which] = np.nan
    rows.quality[which] = int(QartodFlag.MISSING)
    return which


def _interpolate(rows: Rows, step: Step, which: NDArray[np.int64]) -> NDArray[np.int64]:
    what = step.what
    assert isinstance(what, Interpolate)  # noqa: S101 -- the table below sees to it
    which = which[rows.numeric[which]]
    wanted = np.zeros(len(rows), bool)
    wanted[which] = True
    good = ~wanted & rows.water & rows.numeric & ~_is_bad(rows)
    filled: list[NDArray[np.int64]] = []
    for place in np.unique(rows.place[which]):
        here = np.flatnonzero(rows.place == place)
        here = here[np.argsort(rows.time[here], kind="stable")]
        values = between(rows.time[here], rows.result[here], good[here], wanted[here], what.greatest_gap)
        holes = here[wanted[here]]
        known = ~np.isnan(values)
        rows.result[holes[known]] = short(values[known])
        filled.append(holes[known])
    touched = np.concatenate(filled) if filled else np.empty(0, np.int64)
    rows.uncertainty[touched] = np.nan
    rows.quality[touched] = int(FLAGS[what.flag])
    return touched


def _retime(rows: Rows, step: Step, which: NDArray[np.int64]) -> NDArray[np.int64]:
    what = step.what
    assert isinstance(what, Retime)  # noqa: S101 -- the table below sees to it
    rows.time[which] = moved(rows.time[which], step.start, step.end, what.shift, what.shift_end)
    return which


def _correctable(rows: Rows, which: NDArray[np.int64]) -> NDArray[np.int64]:
    return which[rows.numeric[which] & ~np.isnan(rows.result[which])]


def _correct(
    rows: Rows,
    which: NDArray[np.int64],
    values: NDArray[np.float64],
    uncertainty: NDArray[np.float64] | float | None,
    flag: str | None,
) -> NDArray[np.int64]:
    rows.result[which] = short(values)
    if uncertainty is not None:
        rows.uncertainty[which] = np.hypot(rows.uncertainty[which], uncertainty)
    if flag is not None:
        rows.quality[which] = int(FLAGS[flag])
    return which


_ACTS = {
    Flag: _flag,
    Offset: _offset,
    Drift: _drift,
    Delete: _delete,
    Interpolate: _interpolate,
    Retime: _retime,
}
