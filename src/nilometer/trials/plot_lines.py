"""The lines that are drawn through the pairs of a comparison: sloping limits, regression with its band, drift."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.figure import plain
from nilometer.trials.inference.intervals import sample
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.result import Comparison
from nilometer.trials.statistics.differences import measured
from nilometer.trials.statistics.drift import DAY_US, drift
from nilometer.trials.statistics.proportional import sloping_limits

__all__ = ["drift_lines", "regression_lines", "sloping_lines"]

Floats = NDArray[np.float64]

_LINES = ("", "weighted_", "passing_bablok_")
_PLACES = 21
_RESAMPLES = 1000


def sloping_lines(pairs: Pairs) -> dict[str, list[float | None]] | None:
    """Return limits of agreement that slope with the level, at both ends and the middle of what was met.

    Returns
    -------
    dict or None
        ``x`` (mean of a pair), ``lower``, ``bias``, ``upper``: null where the spread comes out below none; None where
        pairs have no such lines.
    """
    known, _note = measured(pairs)
    try:
        found = sloping_limits(known.candidate, known.reference, weighted=True)
    except ValueError:
        return None
    middle = (known.candidate + known.reference) / 2.0
    x = np.linspace(float(middle.min()), float(middle.max()), 3).tolist()
    lower, bias, upper = zip(*(found.at(each) for each in x), strict=True)
    return {"x": x, **{name: [plain(one) for one in ends] for name, ends in
                       (("lower", lower), ("bias", bias), ("upper", upper))}}  # fmt: skip


def regression_lines(comparison: Comparison) -> list[dict[str, Any]]:
    """Return the lines of candidate on reference that the figures have, Deming's with a band.

    Returns
    -------
    list of dict
        ``name`` (of the slope's figure), ``x``, ``y``, and ``low``, ``high``: the band in which the line lies at each
        x in 95 of 100 trials, null where there is none. Its shape is that of the line in block-bootstrap resamples, its
        width that of the wider of the intervals of slope and intercept, so that it heeds dependence as they do.
    """
    known, _note = measured(comparison.pairs)
    if len(known) < 3 or not np.ptp(known.reference) > 0.0:
        return []
    x = np.linspace(float(known.reference.min()), float(known.reference.max()), _PLACES)
    lines = []
    for prefix in _LINES:
        slope, intercept = (comparison.figure(f"{prefix}{name}") for name in ("slope", "intercept"))
        if slope is None or intercept is None or not math.isfinite(slope.value + intercept.value):
            continue
        y = intercept.value + slope.value * x
        half = _half_width(comparison, x) if not prefix else None
        lines.append(
            {
                "name": slope.name,
                "x": x.tolist(),
                "y": y.tolist(),
                "low": None if half is None else (y - half).tolist(),
                "high": None if half is None else (y + half).tolist(),
            }
        )
    return lines


def _half_width(comparison: Comparison, x: Floats) -> Floats | None:
    drawn = sample(comparison.pairs, resamples=_RESAMPLES)
    replicates = {name: drawn.replicates(name) for name in ("slope", "intercept")}
    wider = 0.0
    for name, values in replicates.items():
        figure, scatter = comparison.figure(name), float(np.nanstd(values))
        if figure is None or not scatter > 0.0:
            return None
        wider = max(wider, (figure.interval[1] - figure.interval[0]) / 2.0 / scatter)
    if not math.isfinite(wider):
        return None
    lines = replicates["intercept"][:, None] + replicates["slope"][:, None] * x
    return np.asarray(wider * np.nanstd(lines, axis=0))


def drift_lines(pairs: Pairs) -> list[dict[str, Any]]:
    """Return how differences move between cleanings: of each stretch Theil and Sen's slope through the median.

    Returns
    -------
    list of dict
        ``start``, ``end`` (ms since 1970 UTC), ``first``, ``last`` (of the line, in the unit of the pairs), ``slope``
        a day with its ``interval``, ``n``. Stretches of too few pairs have no line and are left out.
    """
    known, _note = measured(pairs)
    if not len(known):
        return []
    found = []
    for stretch in drift(known).intervals:
        slope = stretch.figure.value
        if not math.isfinite(slope):
            continue
        cluster = known.clusters.index(stretch.cluster)
        inside = known.take((known.cluster == cluster) & (known.interval == stretch.interval))
        days = (inside.time - stretch.start) / DAY_US
        level = float(np.median(inside.difference - slope * days))
        found.append(
            {
                "start": stretch.start // 1000,
                "end": stretch.end // 1000,
                "first": level,
                "last": level + slope * float(days.max()),
                "slope": slope,
                "interval": [plain(end) for end in stretch.figure.interval],
                "unit": stretch.figure.unit,
                "n": len(inside),
            }
        )
    return found
