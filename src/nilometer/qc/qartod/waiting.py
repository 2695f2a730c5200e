"""The tests of several Datastreams: multi-variate (9), neighbor (11) and the TS curve (12).

They wait until the other Datastream has a value at the same time, or has passed by, or their deadline is over; so the
kernel of single series leaves them NOT_EVALUATED and `nilometer.qc.joint` settles them. Here stands what a profile may
ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nilometer.qc.qartod.definition import Definition, Kind, Parameter, Role

__all__ = ["MULTI_VARIATE", "NEIGHBOR", "TS_CURVE"]

_OTHER = {
    "other": Parameter(role=Role.NAME, meaning="the other Datastream"),
    "within": Parameter(role=Role.DURATION, meaning="times that differ by no more are the same", default=1.0),
    "deadline": Parameter(role=Role.DURATION, meaning="how long the other is waited for", default=3600.0),
}
_CHANGE = {
    "n_dev": Parameter(role=Role.FACTOR, meaning="standard deviations this series must have moved by"),
    "other_n_dev": Parameter(role=Role.FACTOR, meaning="standard deviations that count as a move of the other"),
    "tim_dev": Parameter(role=Role.DURATION, meaning="the time before, whose standard deviations count"),
    "least": Parameter(role=Role.COUNT, meaning="values that make a standard deviation", default=10),
}


def _numbers(_: Mapping[str, Any]) -> tuple[float, ...]:
    return ()


def _wait_fault(parameters: Mapping[str, Any]) -> str:
    within, deadline = parameters["within"], parameters["deadline"]
    return "" if deadline >= 2 * within else f"deadline ({deadline:g} s) must be at least twice within ({within:g} s)"


def _change_fault(parameters: Mapping[str, Any]) -> str:
    missing = [name for name in ("other", "n_dev", "other_n_dev", "tim_dev") if name not in parameters]
    return f"give {', '.join(missing)}" if missing else _wait_fault(parameters)


def _neighbor_fault(parameters: Mapping[str, Any]) -> str:
    if "other" not in parameters:
        return "give other: the Datastream of the neighbor"
    if "n_dev" in parameters:
        return _change_fault(parameters)
    suspect, fail = parameters.get("suspect"), parameters.get("fail")
    if suspect is None and fail is None:
        return "give suspect, fail or both, or n_dev, other_n_dev and tim_dev"
    if suspect is not None and fail is not None and suspect > fail:
        return f"suspect ({suspect:g}) must not lie beyond fail ({fail:g})"
    return _wait_fault(parameters)


def _curve_fault(parameters: Mapping[str, Any]) -> str:
    missing = [name for name in ("other", "curve") if name not in parameters]
    return f"give {', '.join(missing)}" if missing else _wait_fault(parameters)


MULTI_VARIATE = Definition(
    name="multi_variate",
    kind=Kind.WAITING,
    clause="QARTOD test 9, multi-variate (N_DEV of both, TIM_DEV)",
    sequence=True,
    timed=True,
    parameters=_OTHER | _CHANGE,
    numbers=_numbers,
    fault=_change_fault,
)

NEIGHBOR = Definition(
    name="neighbor",
    kind=Kind.WAITING,
    clause="QARTOD test 11, neighbor (difference of water levels, or change without a change there)",
    sequence=True,
    timed=True,
    parameters=_OTHER
    | {
        "suspect": Parameter(role=Role.DIFFERENCE, meaning="a greater difference is suspect"),
        "fail": Parameter(role=Role.DIFFERENCE, meaning="a greater difference fails"),
    }
    | _CHANGE,
    numbers=_numbers,
    fault=_neighbor_fault,
)

TS_CURVE = Definition(
    name="ts_curve",
    kind=Kind.WAITING,
    clause="QARTOD test 12 (temperature/salinity), TS curve/space",
    sequence=True,
    timed=True,
    parameters=_OTHER
    | {"curve": Parameter(role=Role.CURVE, meaning="what is usual at each value of the other, interpolated")},
    numbers=_numbers,
    fault=_curve_fault,
)
