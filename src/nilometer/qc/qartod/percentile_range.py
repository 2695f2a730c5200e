"""Percentile range: a value outside what most of the series is. Not one of QARTOD's; `ioos_qc` has it.

Percentiles of a series that still grows would change flags already given, so live the test needs them frozen (`span`,
as `nilometer profiles suggest` writes it). Without `span`, `nilometer.qc.check` takes them from the series it is given,
and a live row is NOT_EVALUATED.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.qc.qartod.definition import ABSENT, Definition, Kind, Parameter, Role

__all__ = ["PERCENTILE_RANGE", "span_of"]


def _numbers(parameters: Mapping[str, Any]) -> tuple[float, ...]:
    pad = parameters.get("pad", 0.0)
    low, high = parameters.get("span", (-ABSENT, ABSENT))
    return (low - pad, high + pad, -ABSENT, ABSENT)


def _fault(parameters: Mapping[str, Any]) -> str:
    low, high = parameters["low"], parameters["high"]
    return "" if low < high else f"low ({low:g}) must lie below high ({high:g})"


def _kind(parameters: Mapping[str, Any]) -> Kind:
    return Kind.PERCENTILE_RANGE if "span" in parameters else Kind.UNJUDGED


PERCENTILE_RANGE = Definition(
    name="percentile_range",
    kind=Kind.PERCENTILE_RANGE,
    clause="not QARTOD: ioos_qc percentile_range_test",
    sequence=False,
    timed=False,
    parameters={
        "low": Parameter(role=Role.PERCENT, meaning="the lower percentile", default=5.0),
        "high": Parameter(role=Role.PERCENT, meaning="the higher percentile", default=95.0),
        "pad": Parameter(role=Role.DIFFERENCE, meaning="how far outside is still good"),
        "span": Parameter(role=Role.SPAN, meaning="the two percentiles, frozen"),
    },
    numbers=_numbers,
    kind_of=_kind,
    fault=_fault,
)


def span_of(values: NDArray[np.float64], parameters: Mapping[str, Any]) -> tuple[float, float] | None:
    """Return the percentiles of a series, linearly interpolated; None where it has no value."""
    there = values[np.isfinite(values)]
    if not len(there):
        return None
    low, high = np.percentile(there, [parameters["low"], parameters["high"]]).tolist()
    return (low, high)
