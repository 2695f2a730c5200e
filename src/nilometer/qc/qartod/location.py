"""QARTOD test 3, location: a place that cannot be, or from which the instrument has moved too far.

A latitude beyond 90° or a longitude beyond 180° fails, as does a place outside `bounds`. A displacement beyond
RANGEMAX, from the place where the instrument belongs or, where none is given, from its position before, is suspect.
Without a position the test is MISSING; with half of one it fails.

Distances are great circles on a sphere of 6371 km (haversine), as the manuals' reference code has them: 0.5 % at most
from those on the ellipsoid.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.qc.compiled import compiled, inlined
from nilometer.qc.flags import FAIL, MISSING, PASS, SUSPECT
from nilometer.qc.layout import IN_ORDER, Memory
from nilometer.qc.qartod.definition import ABSENT, Definition, Kind, Parameter, Role, Wants

__all__ = ["LOCATION", "flag_location"]

_EARTH_M = 6_371_000.0


def _numbers(parameters: Mapping[str, Any]) -> tuple[float, ...]:
    place = parameters.get("place", (math.nan, math.nan))
    return (parameters.get("displacement", ABSENT), *place, *parameters.get("bounds", (-180.0, -90.0, 180.0, 90.0)))


def _fault(parameters: Mapping[str, Any]) -> str:
    if "place" in parameters and "displacement" not in parameters:
        return "give displacement: how far from place is still good"
    return ""


LOCATION = Definition(
    name="location",
    kind=Kind.LOCATION,
    clause="QARTOD test 3, location (RANGEMAX)",
    sequence=False,
    timed=False,
    wants=Wants.PLACE,
    parameters={
        "displacement": Parameter(role=Role.DISTANCE, meaning="a greater distance is suspect"),
        "place": Parameter(role=Role.PLACE, meaning="where it belongs; else the position before counts"),
        "bounds": Parameter(role=Role.BOUNDS, meaning="outside fails; west may lie east of east"),
    },
    numbers=_numbers,
    fault=_fault,
)


@inlined
def _distance(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    north, south = math.radians(latitude), math.radians(other_latitude)
    rise = math.sin((south - north) / 2.0)
    turn = math.sin(math.radians(other_longitude - longitude) / 2.0)
    chord = rise * rise + math.cos(north) * math.cos(south) * turn * turn
    return 2.0 * _EARTH_M * math.atan2(math.sqrt(chord), math.sqrt(max(1.0 - chord, 0.0)))


@inlined
def _is_outside(latitude: float, longitude: float, numbers: NDArray[np.float64]) -> bool:
    west, south, east, north = numbers[3], numbers[4], numbers[5], numbers[6]
    if latitude < south or latitude > north:
        return True
    if west <= east:
        return bool(longitude < west or longitude > east)
    return bool(longitude < west and longitude > east)


@compiled
def flag_location(
    flags: NDArray[np.uint8],
    row: NDArray[np.int64],
    latitudes: NDArray[np.float64],
    longitudes: NDArray[np.float64],
    status: NDArray[np.uint8],
    base: NDArray[np.int64],
    kept: int,
    memory: Memory,
    numbers: NDArray[np.float64],
) -> None:
    """Flag positions, degrees; the newest is kept."""
    values = memory.values
    for k in range(flags.size):
        latitude = latitudes[row[k]] if latitudes.size else np.nan
        longitude = longitudes[row[k]] if longitudes.size else np.nan
        there = math.isfinite(latitude) and math.isfinite(longitude)
        if not there:
            flags[k] = FAIL if math.isfinite(latitude) or math.isfinite(longitude) else MISSING
            continue
        flag = PASS
        if abs(latitude) > 90.0 or abs(longitude) > 180.0 or _is_outside(latitude, longitude, numbers):
            flag = FAIL
        kept_at = base[k] + kept
        in_order = status[k] & IN_ORDER != 0
        from_latitude, from_longitude = numbers[1], numbers[2]
        if math.isnan(from_latitude) and in_order:
            from_latitude, from_longitude = values[kept_at], values[kept_at + 1]
        if flag == PASS and not math.isnan(from_latitude):
            if _distance(from_latitude, from_longitude, latitude, longitude) > numbers[0]:
                flag = SUSPECT
        if in_order and abs(latitude) <= 90.0 and abs(longitude) <= 180.0:
            values[kept_at], values[kept_at + 1] = latitude, longitude
        flags[k] = flag
