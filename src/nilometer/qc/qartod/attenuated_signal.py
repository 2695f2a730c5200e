"""QARTOD test 10, attenuated signal: the series varies less than it should over TST_TIM.

A sensor that fouls, or whose housing clogs, loses amplitude before it goes flat. Judged is the standard deviation (of
the population) or the range of the values of the last TST_TIM, the newest included and a value that old not. A window
that the record does not fill yet is not judged, unless `least` says how many values are enough. The manual for pH
prints the two thresholds the wrong way round: the lower one is the failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.qc.compiled import compiled
from nilometer.qc.flags import FAIL, MISSING, NOT_EVALUATED, PASS, SUSPECT
from nilometer.qc.layout import IN_ORDER, PRESENT, Memory
from nilometer.qc.qartod.definition import Definition, Kind, Parameter, Role, Wants, microseconds
from nilometer.qc.window import POINTS, slide, width_of

__all__ = ["ATTENUATED_SIGNAL", "flag_attenuated_signal"]

_MEASURES = ("sd", "range")


def _numbers(parameters: Mapping[str, Any]) -> tuple[float, ...]:
    period = microseconds(parameters["over"])
    is_range = parameters["measure"] == "range"
    least = parameters.get("least")
    thresholds = (parameters.get("suspect", 0.0), parameters.get("fail", 0.0))
    return (
        *(number if is_range else number * number for number in thresholds),
        period,
        width_of(period, parameters.get("points", POINTS)),
        least if least is not None else 2.0,
        0.0 if least is not None else period,
        float(is_range),
    )


def _fault(parameters: Mapping[str, Any]) -> str:
    suspect, fail = parameters.get("suspect"), parameters.get("fail")
    if suspect is None and fail is None:
        return "give suspect, fail or both"
    if "over" not in parameters:
        return "give over: the time whose variation is judged"
    if suspect is not None and fail is not None and fail > suspect:
        return f"fail ({fail:g}) must not lie above suspect ({suspect:g}): less variation is worse"
    return ""


ATTENUATED_SIGNAL = Definition(
    name="attenuated_signal",
    kind=Kind.ATTENUATED_SIGNAL,
    clause="QARTOD test 10, attenuated signal (MIN_VAR_WARN, MIN_VAR_FAIL, TST_TIM)",
    sequence=True,
    timed=True,
    wants=Wants.TIME | Wants.WINDOW,
    parameters={
        "suspect": Parameter(role=Role.DIFFERENCE, meaning="a smaller variation is suspect"),
        "fail": Parameter(role=Role.DIFFERENCE, meaning="a smaller variation fails"),
        "over": Parameter(role=Role.DURATION, meaning="the time whose variation is judged"),
        "measure": Parameter(role=Role.CHOICE, meaning="what varies", choices=_MEASURES, default="sd"),
        "least": Parameter(role=Role.COUNT, meaning="values that are enough, however short the record"),
        "points": Parameter(role=Role.COUNT, meaning="parts the time is remembered in, at most; 128"),
    },
    numbers=_numbers,
    fault=_fault,
)


_COUNTS = PRESENT | IN_ORDER


@compiled
def flag_attenuated_signal(
    flags: NDArray[np.uint8],
    x: NDArray[np.float64],
    t: NDArray[np.int64],
    last_t: NDArray[np.int64],
    status: NDArray[np.uint8],
    base: NDArray[np.int64],
    kept: int,
    memory: Memory,
    numbers: NDArray[np.float64],
    count: NDArray[np.float64],
    spread: NDArray[np.float64],
    since: NDArray[np.int64],
) -> None:
    """Flag values by the variation of the window that ends in them; the last three arguments are room for `slide`."""
    suspect, fail, period, width = numbers[0], numbers[1], np.int64(numbers[2]), np.int64(numbers[3])
    least, reach, extremes = numbers[4], np.int64(numbers[5]), numbers[6] != 0.0
    slide(
        count, spread, since, x, t, status, base, kept,
        memory.words, memory.values, memory.pool, memory.pool_values, memory.used,
        period, width, reach, extremes, False, last_t if numbers[7] != 0.0 else last_t[:0],
    )  # fmt: skip
    for k in range(flags.size):
        scale = 1.0 if extremes else count[k] * count[k]
        flag = np.uint8(PASS)
        if spread[k] < suspect * scale:
            flag = np.uint8(SUSPECT)
        if spread[k] < fail * scale:
            flag = np.uint8(FAIL)
        if (count[k] < least) | (t[k] - since[k] < reach) | (status[k] & _COUNTS != _COUNTS):
            flag = np.uint8(NOT_EVALUATED)
        flags[k] = flag if status[k] & PRESENT else np.uint8(MISSING)
