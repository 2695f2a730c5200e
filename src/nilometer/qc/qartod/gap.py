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

from nilometer.qc.flags import FAIL, PASS, SUSPECT
from nilometer.qc.inlined import inlined
from nilometer.qc.qartod.definition import ABSENT, Definition, Kind, Numbers, Parameter, Role, suspect_before_fail

__all__ = ["GAP", "judge_gap"]


def _numbers(parameters: Mapping[str, Any]) -> Numbers:
    return (parameters.get("suspect", ABSENT) * 1e6, parameters.get("fail", ABSENT) * 1e6, 0.0, 0.0)


GAP = Definition(
    name="gap",
    kind=Kind.GAP,
    clause="QARTOD test 1, timing/gap (TIM_INC)",
    sequence=True,
    timed=True,
    parameters={
        "suspect": Parameter(role=Role.DURATION, meaning="a longer step from the row before is suspect"),
        "fail": Parameter(role=Role.DURATION, meaning="a longer step from the row before fails"),
    },
    numbers=_numbers,
    fault=suspect_before_fail,
)


@inlined
def judge_gap(step: int, suspect: float, fail: float) -> int:
    """Return the flag of a row that came `step` µs after the one before; thresholds in µs, exceeded when greater."""
    if step > fail:
        return FAIL
    if step > suspect:
        return SUSPECT
    return PASS
