"""QARTOD test 6, spike: a value that leaves its two neighbours.

It judges the point before the newest, so a row waits for its successor. "average" is the manual's: the distance from
the mean of both neighbours; one spike makes its neighbours deviate by half its height. "differential" is `ioos_qc`'s
second method: the smaller of the two steps, when they point in opposite directions; neighbours are not hit. A
neighbour that is missing, or beyond a gap, leaves the test unjudged.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from nilometer.qc.flags import FAIL, NOT_EVALUATED, PASS, SUSPECT
from nilometer.qc.inlined import inlined
from nilometer.qc.qartod.definition import ABSENT, Definition, Kind, Numbers, Parameter, Role, suspect_before_fail

__all__ = ["SPIKE", "judge_spike"]

_METHODS = ("average", "differential")


def _numbers(parameters: Mapping[str, Any]) -> Numbers:
    method = float(_METHODS.index(parameters["method"]))
    return (parameters.get("suspect", ABSENT), parameters.get("fail", ABSENT), method, 0.0)


SPIKE = Definition(
    name="spike",
    kind=Kind.SPIKE,
    clause="QARTOD test 6, spike on n-1 (THRSHLD_LOW, THRSHLD_HIGH)",
    sequence=True,
    timed=False,
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


@inlined
def judge_spike(before: float, x: float, after: float, suspect: float, fail: float, method: float) -> int:
    """Return the flag of `x` between its two neighbours; thresholds are exceeded when greater."""
    if method == 0.0:
        departure = abs(x - (before + after) / 2.0)
    else:
        rise, fall = x - before, after - x
        departure = 0.0 if rise * fall >= 0.0 else min(abs(rise), abs(fall))
    if not math.isfinite(departure):  # neighbours so large that their sum is not a number
        return NOT_EVALUATED
    if departure > fail:
        return FAIL
    if departure > suspect:
        return SUSPECT
    return PASS
