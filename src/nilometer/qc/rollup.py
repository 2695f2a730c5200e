"""The roll-up: one flag for an observation from the outcomes of its tests.

The manuals prescribe none. Ours: the worst evaluated test; PASS only when every *required* test was evaluated, else
NOT_EVALUATED; MISSING when there is no value. So a record whose required tests were skipped never looks good, and a
spike verdict that is still open (not required) does not hold back PASS. `ioos_qc`'s rule (`qartod_compare`: fail,
suspect, good, unknown, missing, the first that occurs) is the option "ioos_qc".
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from nilometer.qc.flags import FAIL, MISSING, NOT_EVALUATED, PASS, SUSPECT, ZERO
from nilometer.qc.inlined import inlined
from nilometer.qc.layout import REQUIRED

__all__ = ["Rule", "roll_up"]


class Rule(IntEnum):
    """How outcomes become one flag."""

    REQUIRED = 0
    IOOS_QC = 1


_REQUIRED_RULE = int(Rule.REQUIRED)


@inlined
def roll_up(  # noqa: C901 -- one pass over the digits, then the order of the flags
    digits: NDArray[np.uint8],
    row: int,
    slots: NDArray[np.int64],
    start: int,
    count: int,
    rule: int,
    present: bool,  # noqa: FBT001 -- compiled code takes no keywords
) -> int:
    """Return the flag of one row from the digits of its tests; `present` is false where there is no value."""
    fails = suspects = passes = unknowns = held = 0
    for j in range(count):
        flag = int(digits[row, j]) - ZERO
        if flag == PASS:
            passes += 1
        elif flag == FAIL:
            fails += 1
        elif flag == SUSPECT:
            suspects += 1
        else:
            held += slots[start + j, REQUIRED]
            if flag == NOT_EVALUATED:
                unknowns += 1
    if rule == _REQUIRED_RULE:
        if not present:
            return MISSING
        unknowns = 1
        if held > 0:
            passes = 0
    if fails > 0:
        return FAIL
    if suspects > 0:
        return SUSPECT
    if passes > 0:
        return PASS
    return NOT_EVALUATED if unknowns > 0 else MISSING
