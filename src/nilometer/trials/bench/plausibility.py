"""What makes the readings of a standard doubtful: another standard, another unit, a signal that does not follow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.bench.procedure import Procedure
from nilometer.trials.bench.segment import Outcome, Segment

__all__ = ["doubts"]

_FACTORS: Final = (1000.0, 100.0, 60.0, 10.0)
_CLOSE: Final = 0.1
_FAR: Final = 0.1  # of the range: standards further apart cannot be mistaken for each other by noise


def doubts(procedure: Procedure, segments: Sequence[Segment], segment: Segment) -> list[str]:
    """Return what speaks against the readings of a segment.

    Notes
    -----
    The readings are kept: the operator knows whether the standard was changed. Tests of such a segment say the doubt.
    """
    values = np.array([value for value in segment.values if np.isfinite(value)])
    if not len(values):
        return [] if not segment.values else ["every value is missing"]
    found = []
    earlier = [one for one in segments if one is not segment and one.outcome is not Outcome.SKIPPED and one.values]
    nominal = procedure.steps[segment.step].nominal(procedure.low, procedure.high)
    mean = float(np.mean(segment.readings)) if segment.readings and np.isfinite(segment.readings).all() else None
    before = earlier[-1] if earlier else None
    if before is not None and _is_stuck(procedure, before, segment, values):
        found.append("the signal is stuck: not a digit changed since the step before, which had another standard")
    if mean is None or nominal is None:
        return found
    found += [
        f"readings are {ratio:g} × the standard: is another unit meant than {procedure.unit}?"
        for factor in _FACTORS
        for ratio in (factor, 1.0 / factor)
        if nominal and abs(mean / (nominal * ratio) - 1.0) < _CLOSE and abs(mean - nominal) > _FAR * procedure.span
    ]
    others = {
        key: level
        for key, one in procedure.steps.items()
        if (level := one.nominal(procedure.low, procedure.high)) is not None
    }
    nearest = min(others, key=lambda key: abs(others[key] - mean))
    if abs(mean - nominal) > 2.0 * _FAR * procedure.span and abs(others[nearest] - mean) < _FAR * procedure.span:
        found.append(f"readings are those of step {nearest}: was the standard of {segment.step} given?")
    return found


def _is_stuck(procedure: Procedure, before: Segment, segment: Segment, values: NDArray[np.float64]) -> bool:
    levels = [procedure.steps[one.step].nominal(procedure.low, procedure.high) for one in (before, segment)]
    if levels[0] is None or levels[1] is None or abs(levels[0] - levels[1]) < _FAR * procedure.span / 2.0:
        return False
    return bool((values == before.values[-1]).all())
