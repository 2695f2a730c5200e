"""QARTOD test 4, gross range: outside what the sensor can give, or outside what the operator expects.

Both ends of a span are good. Missing values are the kernel's business, before any test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nilometer.qc.flags import FAIL, PASS, SUSPECT
from nilometer.qc.inlined import inlined
from nilometer.qc.qartod.definition import ABSENT, Definition, Kind, Numbers, Parameter, Role

__all__ = ["GROSS_RANGE", "judge_gross_range"]


def _numbers(parameters: Mapping[str, Any]) -> Numbers:
    everything = (-ABSENT, ABSENT)
    return (*parameters.get("suspect", everything), *parameters.get("fail", everything))


def _fault(parameters: Mapping[str, Any]) -> str:
    suspect, fail = parameters.get("suspect"), parameters.get("fail")
    if suspect is None and fail is None:
        return "give suspect, fail or both"
    if suspect is not None and fail is not None and (suspect[0] < fail[0] or suspect[1] > fail[1]):
        return f"suspect {list(suspect)} must lie inside fail {list(fail)}"
    return ""


GROSS_RANGE = Definition(
    name="gross_range",
    kind=Kind.GROSS_RANGE,
    clause="QARTOD test 4, gross range (SENSOR_MIN, SENSOR_MAX, USER_MIN, USER_MAX)",
    sequence=False,
    timed=False,
    parameters={
        "suspect": Parameter(role=Role.SPAN, meaning="the span the operator expects"),
        "fail": Parameter(role=Role.SPAN, meaning="the span the sensor can measure"),
    },
    numbers=_numbers,
    fault=_fault,
)


@inlined
def judge_gross_range(x: float, suspect_low: float, suspect_high: float, fail_low: float, fail_high: float) -> int:
    """Return the flag of a value against the operator's and the sensor's span."""
    if x < fail_low or x > fail_high:
        return FAIL
    if x < suspect_low or x > suspect_high:
        return SUSPECT
    return PASS
