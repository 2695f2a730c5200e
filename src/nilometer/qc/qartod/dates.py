"""Two tests of time that are not QARTOD's own: an impossible date, and data that were long on their way.

An impossible date lies before or after what can be (the instrument's deployment, say), or in the future of its own
reception. Such a row gets the point tests only and moves no state: a clock that jumps ahead for one row does not make
all that follow late. Data reception compares phenomenon time and reception, the manuals' "received within TIM_INC" as
far as a row that did come can show it. No kernel reads a clock: the time of reception comes with the rows, and where
it is not known these parts are not judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.model.batch import NO_TIME
from nilometer.qc.compiled import compiled
from nilometer.qc.flags import FAIL, NOT_EVALUATED, PASS, SUSPECT
from nilometer.qc.qartod.definition import (
    ABSENT,
    Definition,
    Kind,
    Parameter,
    Role,
    Wants,
    microseconds,
    moment,
    suspect_before_fail,
)

__all__ = ["DATA_RECEPTION", "IMPOSSIBLE_DATE", "flag_data_reception", "flag_impossible_date"]


def _date_numbers(parameters: Mapping[str, Any]) -> tuple[float, ...]:
    earliest, latest = parameters.get("earliest"), parameters.get("latest")
    return (
        -ABSENT if earliest is None else float(moment(earliest)),
        ABSENT if latest is None else float(moment(latest)),
        microseconds(parameters["future"]),
    )


def _date_fault(parameters: Mapping[str, Any]) -> str:
    earliest, latest = parameters.get("earliest"), parameters.get("latest")
    if earliest is not None and latest is not None and moment(earliest) > moment(latest):
        return f"earliest ({earliest}) must not lie after latest ({latest})"
    return ""


IMPOSSIBLE_DATE = Definition(
    name="impossible_date",
    kind=Kind.IMPOSSIBLE_DATE,
    clause="not QARTOD: ioos_qc impossible_date_test, Argo real-time test 2",
    sequence=False,
    timed=True,
    wants=Wants.TIME | Wants.RECEIVED,
    parameters={
        "earliest": Parameter(role=Role.MOMENT, meaning="an earlier row fails"),
        "latest": Parameter(role=Role.MOMENT, meaning="a later row fails"),
        "future": Parameter(role=Role.DURATION, meaning="a row dated so long after its reception fails", default=60.0),
    },
    numbers=_date_numbers,
    fault=_date_fault,
)


def _reception_numbers(parameters: Mapping[str, Any]) -> tuple[float, ...]:
    return tuple(microseconds(parameters.get(key, ABSENT)) for key in ("suspect", "fail"))


DATA_RECEPTION = Definition(
    name="data_reception",
    kind=Kind.DATA_RECEPTION,
    clause="not QARTOD: ioos_qc data_reception_test, after QARTOD test 1 (TIM_INC)",
    sequence=False,
    timed=True,
    wants=Wants.TIME | Wants.RECEIVED,
    parameters={
        "suspect": Parameter(role=Role.DURATION, meaning="a longer way is suspect"),
        "fail": Parameter(role=Role.DURATION, meaning="a longer way fails"),
    },
    numbers=_reception_numbers,
    fault=suspect_before_fail,
)


@compiled
def flag_impossible_date(
    flags: NDArray[np.uint8],
    row: NDArray[np.int64],
    time: NDArray[np.int64],
    received: int,
    numbers: NDArray[np.float64],
) -> None:
    """Flag times, µs; `received` is NO_TIME where it is not known."""
    earliest, latest, future = numbers[0], numbers[1], numbers[2]
    for k in range(flags.size):
        t = time[row[k]]
        is_early, is_late = t < earliest, t > latest
        is_future = received != NO_TIME and t - received > future
        flags[k] = np.uint8(FAIL) if is_early or is_late or is_future else np.uint8(PASS)
        if t == NO_TIME:
            flags[k] = np.uint8(NOT_EVALUATED)


@compiled
def flag_data_reception(
    flags: NDArray[np.uint8],
    row: NDArray[np.int64],
    time: NDArray[np.int64],
    received: int,
    numbers: NDArray[np.float64],
) -> None:
    """Flag how long rows were on their way, µs, exceeded when greater."""
    suspect, fail = numbers[0], numbers[1]
    for k in range(flags.size):
        flag = np.uint8(NOT_EVALUATED)
        if received != NO_TIME and time[row[k]] != NO_TIME:
            way = received - time[row[k]]
            flag = np.uint8(FAIL) if way > fail else (np.uint8(SUSPECT) if way > suspect else np.uint8(PASS))
        flags[k] = flag
