"""What a calibration record found: the deviation of every point from its standard, and whether all are accepted.

Deviations, limits and uncertainties are those of `nilometer.calibration.checks`. The uncertainty of a deviation is told
beside it and does not move the limit (simple acceptance, JCGM 106:2012, 8.2); it needs that of the standard, and the
spread of several readings.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from nilometer.calibration.checks import Limit, check

__all__ = ["Compared", "found", "limit_of_both"]


@dataclass(frozen=True, slots=True)
class Compared:
    """One point in the Datastream's unit: assigned value and its standard uncertainty, reading, spread of how many."""

    assigned: float
    reading: float
    uncertainty: float | None = None
    spread: float | None = None
    readings: int | None = None


def limit_of_both(absolute: float | None, percent: float | None) -> Limit | None:
    """Return the larger of two limits, of which either may be left out; None: there is none."""
    return None if absolute is None and percent is None else Limit(absolute or 0.0, percent or 0.0)


def found(points: Sequence[Compared], limit: Limit | None) -> dict[str, Any]:
    """Return the deviations of points, JSON-ready, and whether all of them are accepted.

    Parameters
    ----------
    points : sequence of Compared
        At least one.
    limit : Limit or None
        What is accepted, in the Datastream's unit and in percent of the assigned value.

    Returns
    -------
    dict
        ``points`` (``deviation``, ``percent`` of the assigned value, ``uncertainty`` with k = 1, ``passed``,
        ``certain``: the whole of U = 2u is on one side of the limit), ``largest`` (the deviation of largest size) and
        ``passed``; None where nothing can be said.

    Examples
    --------
    >>> found([Compared(7.0, 7.08, 0.01, 0.02, 4)], Limit(0.1))["points"]
    [{'deviation': 0.08, 'percent': 1.14286, 'uncertainty': 0.0141421, 'passed': True, 'certain': False}]
    """
    rows = [_row(point, limit) for point in points]
    known = [row["deviation"] for row in rows if row["deviation"] is not None]
    said = [row["passed"] for row in rows]
    return {
        "points": rows,
        "largest": max(known, key=abs, default=None),
        "passed": None if None in said or not said else all(said),
    }


def _row(point: Compared, limit: Limit | None) -> dict[str, Any]:
    spread = None if point.spread is None or not point.readings else point.spread / math.sqrt(point.readings)
    done = check(point.reading, point.assigned, limit, found_uncertainty=spread, standard_uncertainty=point.uncertainty)
    deviation = _shorter(done.deviation, max(abs(point.reading), abs(point.assigned)))
    if math.isnan(deviation):
        return {"deviation": None, "percent": None, "uncertainty": None, "passed": None, "certain": None}
    return {
        "deviation": deviation,
        "percent": _digits(done.percent),
        "uncertainty": _digits(done.uncertainty),
        "passed": None if math.isnan(done.limit) else abs(deviation) <= done.limit,
        "certain": done.is_certain,
    }


def _digits(value: float) -> float | None:
    return None if math.isnan(value) else float(f"{value:.6g}")


def _shorter(difference: float, scale: float) -> float:
    """Return a difference without the digits that subtraction of decimal numbers leaves: 0.08, not 0.0800…07."""
    if math.isnan(difference) or scale == 0:
        return difference
    return round(difference, 14 - math.floor(math.log10(scale)))
