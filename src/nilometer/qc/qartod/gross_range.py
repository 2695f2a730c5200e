"""QARTOD test 4, gross range: outside what the sensor can give, or outside what the operator expects.

Both ends of a span are good.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.qc.compiled import compiled
from nilometer.qc.flags import FAIL, MISSING, PASS, SUSPECT
from nilometer.qc.layout import PRESENT
from nilometer.qc.qartod.definition import ABSENT, Definition, Kind, Parameter, Role

__all__ = ["GROSS_RANGE", "flag_gross_range"]


def _numbers(parameters: Mapping[str, Any]) -> tuple[float, ...]:
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


@compiled
def flag_gross_range(
    flags: NDArray[np.uint8], x: NDArray[np.float64], status: NDArray[np.uint8], numbers: NDArray[np.float64]
) -> None:
    """Flag values against the operator's and the sensor's span."""
    suspect_low, suspect_high, fail_low, fail_high = numbers[0], numbers[1], numbers[2], numbers[3]
    for k in range(flags.size):
        value = x[k]
        flag = np.uint8(PASS)
        if (value < suspect_low) | (value > suspect_high):
            flag = np.uint8(SUSPECT)
        if (value < fail_low) | (value > fail_high):
            flag = np.uint8(FAIL)
        flags[k] = flag if status[k] & PRESENT else np.uint8(MISSING)
