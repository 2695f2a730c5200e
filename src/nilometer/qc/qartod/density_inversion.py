"""QARTOD test 13, density inversion: water that would not stay where it was measured.

Down a cast potential density increases with pressure. Where it drops by more than DT from one depth to the next below,
both points of the pair are flagged: so a row waits for its successor, as for the spike test. The series is (potential)
density of a Datastream whose profile runs along the depth; `nilometer.derivation` makes it from temperature, salinity
and pressure. A missing value between two others leaves them unjudged against each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.qc.compiled import compiled
from nilometer.qc.flags import FAIL, MISSING, NOT_EVALUATED, PASS, SUSPECT
from nilometer.qc.layout import IN_ORDER, LINKED, PRESENT
from nilometer.qc.qartod.definition import ABSENT, Definition, Kind, Parameter, Role, Wants, suspect_before_fail

__all__ = ["DENSITY_INVERSION", "flag_density_inversion"]


def _numbers(parameters: Mapping[str, Any]) -> tuple[float, ...]:
    return (parameters.get("suspect", ABSENT), parameters.get("fail", ABSENT))


DENSITY_INVERSION = Definition(
    name="density_inversion",
    kind=Kind.DENSITY_INVERSION,
    clause="QARTOD test 13 (temperature/salinity), density inversion (DT)",
    sequence=True,
    timed=True,
    wants=Wants.DEPTH,
    parameters={
        "suspect": Parameter(role=Role.DIFFERENCE, meaning="a greater drop with depth is suspect"),
        "fail": Parameter(role=Role.DIFFERENCE, meaning="a greater drop with depth fails"),
    },
    numbers=_numbers,
    fault=suspect_before_fail,
)

_JUDGED = PRESENT | IN_ORDER | LINKED


@compiled
def flag_density_inversion(
    flags: NDArray[np.uint8],
    x: NDArray[np.float64],
    last: NDArray[np.float64],
    way: NDArray[np.int64],
    status: NDArray[np.uint8],
    numbers: NDArray[np.float64],
) -> None:
    """Flag pairs of densities on their lower or later row; `way` is 1 down the cast, -1 up, 0 unknown."""
    suspect, fail = numbers[0], numbers[1]
    for k in range(flags.size):
        drop = (last[k] - x[k]) * way[k]
        flag = np.uint8(FAIL) if drop > fail else (np.uint8(SUSPECT) if drop > suspect else np.uint8(PASS))
        if status[k] & _JUDGED != _JUDGED or way[k] == 0:
            flag = np.uint8(NOT_EVALUATED)
        flags[k] = flag if status[k] & PRESENT else np.uint8(MISSING)
