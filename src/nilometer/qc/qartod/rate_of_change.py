"""QARTOD test 7, rate of change: a value that moved too fast from the last value there was.

With a fixed threshold, the alternative the manuals allow to N_DEV standard deviations over TIM_DEV. The manual's form
is for series sampled evenly; here the change is divided by the time it took, so an uneven series is judged the same
way. A missing value in between is no value: the rate runs from the last one. The first value of a record has no rate.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nilometer.qc.flags import FAIL, PASS, SUSPECT
from nilometer.qc.inlined import inlined
from nilometer.qc.qartod.definition import ABSENT, Definition, Kind, Numbers, Parameter, Role, suspect_before_fail

__all__ = ["RATE_OF_CHANGE", "judge_rate_of_change"]


def _numbers(parameters: Mapping[str, Any]) -> Numbers:
    per = parameters["per"]
    return (parameters.get("suspect", ABSENT) / per, parameters.get("fail", ABSENT) / per, 0.0, 0.0)


RATE_OF_CHANGE = Definition(
    name="rate_of_change",
    kind=Kind.RATE_OF_CHANGE,
    clause="QARTOD test 7, rate of change (fixed threshold)",
    sequence=True,
    timed=True,
    parameters={
        "suspect": Parameter(role=Role.DIFFERENCE, meaning="a greater change in the time `per` is suspect"),
        "fail": Parameter(role=Role.DIFFERENCE, meaning="a greater change in the time `per` fails"),
        "per": Parameter(role=Role.DURATION, meaning="the time the thresholds are given for", default=1.0),
    },
    numbers=_numbers,
    fault=suspect_before_fail,
)


@inlined
def judge_rate_of_change(last: float, x: float, elapsed: int, suspect: float, fail: float) -> int:
    """Return the flag of `x`, `elapsed` µs (above 0) after `last`; thresholds per second, exceeded when greater."""
    rate = abs((x - last) / (elapsed / 1e6))
    if rate > fail:
        return FAIL
    if rate > suspect:
        return SUSPECT
    return PASS
