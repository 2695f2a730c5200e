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

from nilometer.qc.compiled import compiled, inlined
from nilometer.qc.flags import FAIL, MISSING, NOT_EVALUATED, PASS, SUSPECT

__all__ = ["ALL_PASSED", "HELD", "Rule", "roll_up", "roll_up_all", "roll_up_rows", "summarise", "told"]


class Rule(IntEnum):
    """How outcomes become one flag."""

    REQUIRED = 0
    IOOS_QC = 1


HELD = 1 << 10
"""Bit of a summary: a required test was not evaluated."""
ALL_PASSED = 1 << PASS
"""The summary of a row whose tests all passed."""
_REQUIRED_RULE = int(Rule.REQUIRED)
_UNJUDGED = (1 << NOT_EVALUATED) | (1 << MISSING)


@inlined
def told(flag: int, required: int) -> int:
    """Return the summary of one outcome: bit f for flag f, and `HELD`."""
    summary = 1 << flag
    return summary | HELD if required and summary & _UNJUDGED else summary


@inlined
def roll_up(summary: int, rule: int, present: bool) -> int:
    """Return the flag of one row from the summaries of its tests; `present` is false where there is no value."""
    if rule == _REQUIRED_RULE:
        if not present:
            return MISSING
        if summary & HELD:
            summary &= ~(1 << PASS)
    if summary & (1 << FAIL):
        return FAIL
    if summary & (1 << SUSPECT):
        return SUSPECT
    if summary & (1 << PASS):
        return PASS
    if rule == _REQUIRED_RULE or summary & (1 << NOT_EVALUATED):
        return NOT_EVALUATED
    return MISSING


@compiled
def summarise(summary: NDArray[np.uint32], flags: NDArray[np.uint8], required: int) -> None:
    """Add the outcomes of one test to the summaries of rows."""
    if required:
        for k in range(summary.size):
            summary[k] |= np.uint32(told(flags[k], 1))
    else:
        for k in range(summary.size):
            summary[k] |= np.uint32(1) << np.uint32(flags[k])


@compiled
def roll_up_rows(
    summaries: NDArray[np.uint32],
    result: NDArray[np.float64],
    rule: int,
    count: int,
    quality: NDArray[np.int8],
    spans: NDArray[np.uint8],
) -> None:
    """Roll up rows by their summaries; most have that of the one before."""
    rolled, flag, span = np.int64(-1), np.int64(NOT_EVALUATED), 0
    for k in range(summaries.size):
        present = result[k] - result[k] == 0.0
        summary = np.int64(summaries[k])
        if summary + summary + present != rolled:
            rolled = summary + summary + present
            flag, span = roll_up(summary, rule, present), 0 if summary == ALL_PASSED else count
        quality[k], spans[k] = flag, span


def roll_up_all(summaries: NDArray[np.int64], rule: int) -> NDArray[np.int8]:
    """Return the flags of rows that have a value from their summaries, outside compiled code."""
    return np.array([roll_up(int(summary), rule, True) for summary in summaries], np.int8)
