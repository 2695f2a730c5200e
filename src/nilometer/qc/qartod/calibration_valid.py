"""Whether the calibration behind a value held when it was measured; not one of QARTOD's tests.

The spans of doubt come from the calibration records (`nilometer.calibration.validity`): the due date had passed, the
last verification failed, a standard had expired. They are parameters of the profile version that judged, so what was
known is kept with every row; the row's own time is compared, never a clock. A value in doubt is SUSPECT: the
instrument may be as good as ever, and nobody has shown it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.model.batch import NO_TIME
from nilometer.qc.compiled import compiled
from nilometer.qc.flags import MISSING, NOT_EVALUATED, PASS, SUSPECT
from nilometer.qc.layout import PRESENT
from nilometer.qc.qartod.definition import ABSENT, Definition, Kind, Parameter, Role, Rows, Wants, moment

__all__ = ["CALIBRATION_VALID", "flag_calibration_valid"]


def _numbers(parameters: Mapping[str, Any]) -> tuple[float, ...]:
    since = parameters.get("since")
    return (ABSENT if since is None else float(moment(since)),)


def _rows(parameters: Mapping[str, Any]) -> Rows:
    return tuple(
        (float(moment(span["from"])), float(moment(span["to"])) if "to" in span else ABSENT, *(8 * (0.0,)))
        for span in parameters.get("doubts", ())
    )


CALIBRATION_VALID = Definition(
    name="calibration_valid",
    kind=Kind.CALIBRATION_VALID,
    clause="not QARTOD: the calibration records of the Datastream (docs/calibration.md)",
    sequence=False,
    timed=True,
    wants=Wants.DATE,
    parameters={
        "since": Parameter(role=Role.MOMENT, meaning="from then on a row outside of doubts passes; absent: none does"),
        "doubts": Parameter(role=Role.DOUBTS, meaning="when the calibration did not hold: from, to, reason"),
    },
    numbers=_numbers,
    rows=_rows,
)


@compiled
def flag_calibration_valid(
    flags: NDArray[np.uint8],
    status: NDArray[np.uint8],
    row: NDArray[np.int64],
    time: NDArray[np.int64],
    numbers: NDArray[np.float64],
    doubts: NDArray[np.float64],
) -> None:
    """Flag times, µs; the answer is asked anew only where it may change."""
    since = numbers[0]
    begin, end, flag = np.inf, -np.inf, np.uint8(NOT_EVALUATED)
    for k in range(flags.size):
        t = time[row[k]]
        if t == NO_TIME:
            flags[k] = np.uint8(NOT_EVALUATED)
        else:
            if not begin <= t < end:
                begin, end = -np.inf, np.inf
                flag = np.uint8(PASS) if t >= since else np.uint8(NOT_EVALUATED)
                begin, end = _narrowed(begin, end, since, t)
                for m in range(doubts.shape[0]):
                    begin, end = _narrowed(begin, end, doubts[m, 0], t)
                    begin, end = _narrowed(begin, end, doubts[m, 1], t)
                    if doubts[m, 0] <= t < doubts[m, 1]:
                        flag = np.uint8(SUSPECT)
            flags[k] = flag
        if not status[k] & PRESENT:
            flags[k] = np.uint8(MISSING)


@compiled
def _narrowed(begin: float, end: float, edge: float, t: int) -> tuple[float, float]:
    """Return the stretch around `t` cut at an edge."""
    if edge <= t:
        return max(begin, edge), end
    return begin, min(end, edge)
