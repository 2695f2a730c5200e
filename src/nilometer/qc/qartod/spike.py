"""QARTOD test 6, spike: a value that leaves its two neighbours.

It judges the point before the newest, so a row waits for its successor. "average" is the manual's: the distance from
the mean of both neighbours; one spike makes its neighbours deviate by half its height. "differential" is `ioos_qc`'s
second method: the smaller of the two steps, when they point in opposite directions; neighbours are not hit. A
neighbour that is missing, or beyond a gap, leaves the test unjudged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.qc.compiled import compiled
from nilometer.qc.flags import FAIL, NOT_EVALUATED, PASS, SUSPECT
from nilometer.qc.qartod.definition import ABSENT, Definition, Kind, Parameter, Role, Wants, suspect_before_fail

__all__ = ["SPIKE", "flag_spike"]

_METHODS = ("average", "differential")


def _numbers(parameters: Mapping[str, Any]) -> tuple[float, ...]:
    method = float(_METHODS.index(parameters["method"]))
    return (parameters.get("suspect", ABSENT), parameters.get("fail", ABSENT), method)


SPIKE = Definition(
    name="spike",
    kind=Kind.SPIKE,
    clause="QARTOD test 6, spike on n-1 (THRSHLD_LOW, THRSHLD_HIGH)",
    sequence=True,
    timed=False,
    wants=Wants.BEFORE,
    parameters={
        "suspect": Parameter(role=Role.DIFFERENCE, meaning="a greater departure is suspect"),
        "fail": Parameter(role=Role.DIFFERENCE, meaning="a greater departure fails"),
        "method": Parameter(
            role=Role.CHOICE, meaning="how the departure is measured", choices=_METHODS, default="average"
        ),
    },
    numbers=_numbers,
    fault=suspect_before_fail,
)


@compiled
def flag_spike(
    flags: NDArray[np.uint8],
    before: NDArray[np.float64],
    x: NDArray[np.float64],
    after: NDArray[np.float64],
    numbers: NDArray[np.float64],
) -> None:
    """Flag each `x` between its two neighbours; thresholds are exceeded when greater.

    Neighbours so large that their sum is not a number leave it unjudged.
    """
    suspect, fail = numbers[0], numbers[1]
    if numbers[2] == 0.0:
        for k in range(flags.size):
            departure = abs(x[k] - (before[k] + after[k]) / 2.0)
            flag = np.uint8(PASS)
            if departure > suspect:
                flag = np.uint8(SUSPECT)
            if departure > fail:
                flag = np.uint8(FAIL)
            flags[k] = flag if departure < np.inf else np.uint8(NOT_EVALUATED)
    else:
        for k in range(flags.size):
            rise, fall = x[k] - before[k], after[k] - x[k]
            departure = min(abs(rise), abs(fall))
            if rise * fall >= 0.0:
                departure = 0.0
            flag = np.uint8(PASS)
            if departure > suspect:
                flag = np.uint8(SUSPECT)
            if departure > fail:
                flag = np.uint8(FAIL)
            flags[k] = flag if departure < np.inf else np.uint8(NOT_EVALUATED)
