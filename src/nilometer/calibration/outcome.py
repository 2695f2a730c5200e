"""What a calibration record found: the deviation of every point from its standard, and whether it is accepted.

A deviation is reading minus assigned value, in the Datastream's unit. Its standard uncertainty is that of the standard
and of the mean of the readings, combined (JCGM 100:2008, 5.1.2, uncorrelated): u² = u_standard² + s²/n. It is told
beside the deviation and does not move the limit: the limit is a decision by simple acceptance (JCGM 106:2012, 8.2).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Compared", "Limit", "found"]


@dataclass(frozen=True, slots=True)
class Limit:
    """Largest accepted deviation: in the Datastream's unit, in percent of the assigned value; with both, the larger."""

    absolute: float | None = None
    percent: float | None = None

    @property
    def is_said(self) -> bool:
        """There is a limit."""
        return self.absolute is not None or self.percent is not None

    def accepts(self, deviation: float, assigned: float) -> bool | None:
        """Return whether a deviation is accepted; None: nothing can be said of it.

        Parameters
        ----------
        deviation, assigned : float
            In the Datastream's unit. Percent of 0 accept nothing.
        """
        if not self.is_said or math.isnan(deviation):
            return None
        allowed = [] if self.absolute is None else [self.absolute]
        if self.percent is not None:
            allowed.append(abs(assigned) * self.percent / 100)
        # The limit itself is accepted; a difference of two decimal numbers may stand a few ulps beyond it.
        most = max(allowed)
        return abs(deviation) <= most + 1e-12 * max(abs(assigned), most)


@dataclass(frozen=True, slots=True)
class Compared:
    """One point in the Datastream's unit: assigned value and its standard uncertainty, reading, spread of how many."""

    assigned: float
    reading: float
    uncertainty: float | None = None
    spread: float | None = None
    readings: int | None = None


def found(points: Sequence[Compared], limit: Limit) -> dict[str, Any]:
    """Return the deviations of points, JSON-ready, and whether all of them are accepted.

    Parameters
    ----------
    points : sequence of Compared
        At least one.
    limit : Limit
        What is accepted.

    Returns
    -------
    dict
        ``points`` (``deviation``, ``percent`` of the assigned value, ``uncertainty`` with k = 1, ``passed``),
        ``largest`` (the deviation of largest size) and ``passed``; None where nothing can be said.

    Examples
    --------
    >>> found([Compared(7.0, 7.08, 0.01)], Limit(0.1))["largest"]
    0.08
    """
    rows = [_row(point, limit) for point in points]
    known = [row["deviation"] for row in rows if row["deviation"] is not None]
    said = [row["passed"] for row in rows]
    return {
        "points": rows,
        "largest": max(known, key=abs, default=None),
        "passed": None if None in said or not said else all(said),
    }


def _row(point: Compared, limit: Limit) -> dict[str, Any]:
    deviation = _shorter(point.reading - point.assigned, max(abs(point.reading), abs(point.assigned)))
    known = not math.isnan(deviation)
    percent = 100 * deviation / abs(point.assigned) if known and point.assigned else None
    return {
        "deviation": deviation if known else None,
        "percent": None if percent is None else float(f"{percent:.6g}"),
        "uncertainty": _combined(point),
        "passed": limit.accepts(deviation, point.assigned),
    }


def _combined(point: Compared) -> float | None:
    parts = [] if point.uncertainty is None else [point.uncertainty]
    if point.spread is not None and point.readings:
        parts.append(point.spread / math.sqrt(point.readings))
    return float(f"{math.hypot(*parts):.6g}") if parts else None


def _shorter(difference: float, scale: float) -> float:
    """Return a difference without the digits that subtraction of decimal numbers leaves: 0.08, not 0.0800…07."""
    if math.isnan(difference) or scale == 0:
        return difference
    digits = 14 - math.floor(math.log10(scale))
    return round(difference, digits)
