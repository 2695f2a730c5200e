"""QARTOD test 7, rate of change: a value that moved too fast from the last value there was.

Two forms, alone or together. With fixed thresholds, the alternative the manuals allow, the change is divided by the
time it took, so that an uneven series is judged the same way. By deviation (N_DEV, TIM_DEV) the change is compared
with N_DEV standard deviations of the values of the time TIM_DEV before it, plus an allowance where one is given; the
SD is that of the population, judged once `least` values are there. A missing value in between is no value: the change
runs from the last one. The first value of a record has no rate. The window of the SD goes on over gaps: it is a
statistic of the last hours, whatever is missing in them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.qc.compiled import compiled
from nilometer.qc.flags import FAIL, MISSING, NOT_EVALUATED, PASS, SUSPECT
from nilometer.qc.layout import IN_ORDER, LINKED, PRESENT, Memory
from nilometer.qc.qartod.definition import ABSENT, Definition, Kind, Parameter, Role, Wants, microseconds
from nilometer.qc.window import POINTS, slide, width_of

__all__ = ["RATE_OF_CHANGE", "flag_rate_of_change", "flag_rate_of_deviation"]


def _numbers(parameters: Mapping[str, Any]) -> tuple[float, ...]:
    per = parameters["per"]
    tim_dev = microseconds(parameters.get("tim_dev", 0.0))
    return (
        parameters.get("suspect", ABSENT) / per,
        parameters.get("fail", ABSENT) / per,
        parameters.get("n_dev", 0.0),
        tim_dev,
        float(parameters.get("least", 10)),
        parameters.get("allowance", 0.0),
        width_of(tim_dev, parameters.get("points", POINTS)),
    )


def _kind(parameters: Mapping[str, Any]) -> Kind:
    return Kind.RATE_OF_DEVIATION if "n_dev" in parameters else Kind.RATE_OF_CHANGE


def _fault(parameters: Mapping[str, Any]) -> str:
    if ("n_dev" in parameters) != ("tim_dev" in parameters):
        return "give n_dev and tim_dev together"
    suspect, fail = parameters.get("suspect"), parameters.get("fail")
    if suspect is None and fail is None and "n_dev" not in parameters:
        return "give suspect, fail or both, or n_dev and tim_dev"
    if suspect is not None and fail is not None and suspect > fail:
        return f"suspect ({suspect:g}) must not lie beyond fail ({fail:g})"
    return ""


RATE_OF_CHANGE = Definition(
    name="rate_of_change",
    kind=Kind.RATE_OF_CHANGE,
    clause="QARTOD test 7, rate of change (N_DEV, TIM_DEV, or a fixed threshold)",
    sequence=True,
    timed=True,
    wants=Wants.TIME,
    parameters={
        "suspect": Parameter(role=Role.DIFFERENCE, meaning="a greater change in the time `per` is suspect"),
        "fail": Parameter(role=Role.DIFFERENCE, meaning="a greater change in the time `per` fails"),
        "per": Parameter(role=Role.DURATION, meaning="the time the thresholds are given for", default=1.0),
        "n_dev": Parameter(role=Role.FACTOR, meaning="a change of more standard deviations is suspect"),
        "tim_dev": Parameter(role=Role.DURATION, meaning="the time before, whose standard deviation counts"),
        "allowance": Parameter(role=Role.DIFFERENCE, meaning="a change that is allowed beside the deviations"),
        "least": Parameter(role=Role.COUNT, meaning="values that make a standard deviation; 10"),
        "points": Parameter(role=Role.COUNT, meaning="parts the time before is remembered in, at most; 128"),
    },
    numbers=_numbers,
    kind_of=_kind,
    fault=_fault,
)

_JUDGED = PRESENT | IN_ORDER | LINKED
_STRETCH = 512


@compiled
def flag_rate_of_change(
    flags: NDArray[np.uint8],
    x: NDArray[np.float64],
    last: NDArray[np.float64],
    t: NDArray[np.int64],
    last_t: NDArray[np.int64],
    status: NDArray[np.uint8],
    numbers: NDArray[np.float64],
) -> None:
    """Flag changes in the time (µs) they took; thresholds per second, exceeded when greater."""
    suspect, fail = numbers[0], numbers[1]
    # Most stretches hold no change near a threshold: a product shows that sooner than the quotient, which decides.
    surely = min(suspect, fail) * 1e-6 * (1.0 - 1e-12)
    for begin in range(0, flags.size, _STRETCH):
        end = min(begin + _STRETCH, flags.size)
        _flag_stretch(
            flags[begin:end], x[begin:end], last[begin:end], t[begin:end], last_t[begin:end], status[begin:end],
            suspect, fail, surely,
        )  # fmt: skip


@compiled
def _flag_stretch(
    flags: NDArray[np.uint8],
    x: NDArray[np.float64],
    last: NDArray[np.float64],
    t: NDArray[np.int64],
    last_t: NDArray[np.int64],
    status: NDArray[np.uint8],
    suspect: float,
    fail: float,
    surely: float,
) -> None:
    doubtful = 0
    for k in range(flags.size):
        doubtful += not (abs(x[k] - last[k]) < surely * (t[k] - last_t[k]))
        flags[k] = np.uint8(PASS)
    if doubtful == 0:  # a row that cannot be judged has no change below a threshold
        return
    for k in range(flags.size):
        rate = abs((x[k] - last[k]) / ((t[k] - last_t[k]) / 1e6))
        flag = np.uint8(PASS)
        if rate > suspect:
            flag = np.uint8(SUSPECT)
        if rate > fail:
            flag = np.uint8(FAIL)
        if status[k] & _JUDGED != _JUDGED:
            flag = np.uint8(NOT_EVALUATED)
        flags[k] = flag if status[k] & PRESENT else np.uint8(MISSING)


@compiled
def flag_rate_of_deviation(
    flags: NDArray[np.uint8],
    x: NDArray[np.float64],
    last: NDArray[np.float64],
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
    """Flag changes against the deviation of what went before, and against the fixed thresholds where there are some.

    The last three arguments are room for `slide`.
    """
    suspect, fail, factor, tim_dev = numbers[0], numbers[1], numbers[2] * numbers[2], np.int64(numbers[3])
    least, allowance, width = numbers[4], numbers[5], np.int64(numbers[6])
    slide(
        count, spread, since, x, t, status, base, kept,
        memory.words, memory.values, memory.pool, memory.pool_values, memory.used,
        tim_dev, width, 0, False, True, last_t if numbers[7] != 0.0 else last_t[:0],
    )  # fmt: skip
    unjudged = np.uint8(NOT_EVALUATED) if suspect == np.inf and fail == np.inf else np.uint8(PASS)
    for k in range(flags.size):
        change = abs(x[k] - last[k])
        rate = change / ((t[k] - last_t[k]) / 1e6)
        beyond = max(change - allowance, 0.0) * count[k]
        flag = unjudged
        if count[k] >= least:
            flag = np.uint8(SUSPECT) if beyond * beyond > factor * spread[k] else np.uint8(PASS)
        if rate > suspect:
            flag = np.uint8(SUSPECT)
        if rate > fail:
            flag = np.uint8(FAIL)
        if status[k] & _JUDGED != _JUDGED:
            flag = np.uint8(NOT_EVALUATED)
        flags[k] = flag if status[k] & PRESENT else np.uint8(MISSING)
