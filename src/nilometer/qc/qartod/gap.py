"""QARTOD test 1, timing/gap: the step from the row before is too long.

The manuals flag nothing but absence: a record that has not come within TIM_INC is MISSING (9). Absence is a state of
the Datastream here, for no kernel reads the clock. What the kernel can judge is the row that ends the silence: it
follows a hole, so no test can say how it was reached. `ioos_qc.qartod.time_gap_test` gives that row FAIL; a good
value would leave the means for its neighbours' absence, so our profiles give it SUSPECT ("of high interest") and keep
`fail` for those who want it. A gap also starts every other sequence test anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.qc.compiled import compiled
from nilometer.qc.flags import FAIL, NOT_EVALUATED, PASS, SUSPECT
from nilometer.qc.layout import IN_ORDER, STEPPED
from nilometer.qc.qartod.definition import (
    ABSENT,
    Definition,
    Kind,
    Parameter,
    Role,
    Wants,
    microseconds,
    suspect_before_fail,
)

__all__ = ["GAP", "flag_gap"]


def _numbers(parameters: Mapping[str, Any]) -> tuple[float, ...]:
    return tuple(microseconds(parameters.get(key, ABSENT)) for key in ("suspect", "fail"))


GAP = Definition(
    name="gap",
    kind=Kind.GAP,
    clause="QARTOD test 1, timing/gap (TIM_INC)",
    sequence=True,
    timed=True,
    wants=Wants.TIME | Wants.STEP,
    parameters={
        "suspect": Parameter(role=Role.DURATION, meaning="a longer step from the row before is suspect"),
        "fail": Parameter(role=Role.DURATION, meaning="a longer step from the row before fails"),
    },
    numbers=_numbers,
    fault=suspect_before_fail,
)


_STEPS = IN_ORDER | STEPPED


@compiled
def flag_gap(
    flags: NDArray[np.uint8], step: NDArray[np.int64], status: NDArray[np.uint8], numbers: NDArray[np.float64]
) -> None:
    """Flag rows that came `step` µs after the one before; thresholds in µs, exceeded when greater."""
    suspect, fail = numbers[0], numbers[1]
    for k in range(flags.size):
        flag = np.uint8(PASS)
        if step[k] > suspect:
            flag = np.uint8(SUSPECT)
        if step[k] > fail:
            flag = np.uint8(FAIL)
        flags[k] = flag if status[k] & _STEPS == _STEPS else np.uint8(NOT_EVALUATED)
