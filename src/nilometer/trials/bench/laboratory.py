"""Readings of actual water beside the laboratory's results of the same samples, judged by a norm of the field."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nilometer.errors import NilometerError
from nilometer.trials.bench.limits import BenchLimit
from nilometer.trials.bench.procedure import Procedure
from nilometer.trials.bench.statistics import PERCENT, too_few
from nilometer.trials.figure import Figure
from nilometer.trials.statistics.field_comparison import Comparison, compare_with_laboratory
from nilometer.units import symbol

__all__ = ["figures_of", "judged", "largest_difference", "limit_of"]


def judged(readings: Sequence[float], laboratory: Sequence[float], procedure: Procedure, norm: str) -> Comparison | str:
    """Return a norm's verdict on pairs, or why there is none.

    Parameters
    ----------
    readings, laboratory : sequence of n float
        In time order, of the same samples, in the procedure's unit; pairs without a reading are left out.
    procedure : Procedure
        Whose observed property says which band.
    norm : str
        Which table; empty: that of the procedure's limits.

    Raises
    ------
    ConfigError
        If the norm has no band for the property.
    """
    if len(readings) != len(laboratory):
        return f"the laboratory gave {len(laboratory)} values for {len(readings)} readings of one sample"
    pairs = [(ours, theirs) for ours, theirs in zip(readings, laboratory, strict=True) if math.isfinite(ours + theirs)]
    if any(theirs < 0.0 for _, theirs in pairs):
        return "a laboratory's result of 0 or below"
    try:
        return compare_with_laboratory(
            [ours for ours, _ in pairs],
            [theirs for _, theirs in pairs],
            procedure.observed_property,
            norm or procedure.limits,
        )
    except ZeroDivisionError:
        return "a laboratory's result of 0 or below"
    except ValueError as error:
        if isinstance(error, NilometerError):
            raise
        return f"{len(pairs)} pairs: 3 or more are needed"


def figures_of(found: Comparison | str, unit: str) -> list[Figure]:
    """Return how many pairs lie within the band, the largest error and their mean, in % or in the unit."""
    if isinstance(found, str):
        return [Figure(name="pairs_within", value=math.nan, unit="1", note=found)]
    scale, unit = (100.0, PERCENT) if found.is_relative else (1.0, unit)
    errors = scale * np.array(found.errors)
    n = len(errors)
    largest, mean = float(errors[np.argmax(np.abs(errors))]), float(errors.mean())
    return [
        Figure(name="pairs_within", value=float(sum(found.within)), unit="1", n=n, method="count"),
        Figure(name="largest_error", value=largest, unit=unit, n=n, method="largest_deviation"),
        Figure(name="mean_error", value=mean, unit=unit, n=n, method="mean"),
    ]


def limit_of(found: Comparison | str, procedure: Procedure, test: str) -> BenchLimit:
    """Return how many pairs a norm wants within which band; where it cannot say, that it wants some."""
    if isinstance(found, str):
        told = "pairs within the band of the laboratory's mean"
        return BenchLimit(test=test, unit="1", source=procedure.source, confidence="verified", told=told)
    unit = "" if procedure.unit == "1" else f" {symbol(procedure.unit)}"
    band = f"{100.0 * found.limit:g} %" if found.is_relative else f"{found.limit:g}{unit}"
    return BenchLimit(
        test=test,
        at_least=float(found.needed),
        unit="1",
        source=found.norm,
        confidence="verified",
        told=f"{found.needed} of {len(found.errors)} pairs within ± {band}",
    )


def largest_difference(readings: Sequence[float], laboratory: Sequence[float], unit: str, *, least: int = 3) -> Figure:
    """Return the largest difference of readings from those of a reference taken at the same time, its sign kept.

    References
    ----------
    HJ 355-2019, Table 1: water level, six pairs.

    Examples
    --------
    >>> round(largest_difference([1.004, 1.5, 1.991], [1.0, 1.5, 2.0], "m").value, 6)
    -0.009
    """
    name = "largest_difference"
    if len(readings) != len(laboratory):
        note = f"the laboratory gave {len(laboratory)} values for {len(readings)} readings of one sample"
        return Figure(name=name, value=math.nan, unit=unit, note=note)
    apart = np.array(readings, np.float64) - np.array(laboratory, np.float64)
    apart = apart[np.isfinite(apart)]
    if len(apart) < least:
        return too_few(name, unit, len(apart), least, "pairs")
    value = float(apart[np.argmax(np.abs(apart))])
    return Figure(name=name, value=value, unit=unit, n=len(apart), method="largest_deviation")
