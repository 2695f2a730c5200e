"""How sure a rating curve is at each stage: standard uncertainty and 95 % interval, in parts.

The *systematic* part is the curve's: it errs alike at every moment with that stage. The *random* part is what one value
differs from the curve by, and the stage's own uncertainty. Both are tabulated once over the stages between the limits,
from the curves of the sample, and read off by straight lines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from nilometer.derivation.rating import RatingCurve

__all__ = ["Band", "Discharge", "banded"]

_NODES: Final = 512
_NORMALS: Final = 8
_NORMAL_95: Final = 1.959963984540054
_BLOCK: Final = 32_768

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Discharge:
    """Discharge by a rating curve; every part is of the kind of series that the stage was.

    Parameters
    ----------
    value : series of float64, shape (n,)
        In the curve's unit; NaN beyond its limits.
    uncertainty : series of float64, shape (n,)
        Combined standard uncertainty (k = 1).
    lower, upper : series of float64, shape (n,)
        95 % interval.
    systematic : series of float64, shape (n,)
        Standard uncertainty of the curve itself, common to all values of one stage.
    random : series of float64, shape (n,)
        Standard uncertainty of one value about the curve, with that of its stage.
    extrapolated : series of bool, shape (n,)
        Whether the stage lies outside of the gauged range (and the value, if any, is a guess of the form).
    unit : str
        CF text.
    """

    value: Any
    uncertainty: Any
    lower: Any
    upper: Any
    systematic: Any
    random: Any
    extrapolated: Any
    unit: str

    @staticmethod
    def wrapped(
        columns: Mapping[str, Array], extrapolated: NDArray[np.bool_], rewrap: Callable[..., Any], unit: str
    ) -> Discharge:
        """Return plain columns as the kind of series that `rewrap` gives."""
        differences = ("uncertainty", "systematic", "random")
        told = rewrap(extrapolated, "extrapolated", "1")
        return Discharge(
            **{
                name: rewrap(numbers, name, unit, is_difference=name in differences)
                for name, numbers in columns.items()
            },
            extrapolated=getattr(told, "magnitude", told),
            unit=unit,
        )


@dataclass(frozen=True, slots=True)
class Band:
    """The curve between its limits.

    Parameters
    ----------
    stage : ndarray of float64, shape (nodes,)
        Evenly from the lower to the upper limit.
    value, systematic, scatter : ndarray of float64, shape (nodes,)
        Discharge, the curve's standard uncertainty, and that of one value about the curve.
    below, above : ndarray of float64, shape (nodes,)
        How far the 95 % interval reaches below and above the value.
    curves : ndarray of float64, shape (m, nodes)
        Discharge by every curve of the sample; m = 0 without one.
    """

    stage: Array
    value: Array
    systematic: Array
    scatter: Array
    below: Array
    above: Array
    curves: Array

    @staticmethod
    def of(curve: RatingCurve) -> Band:
        """Return the band of a curve."""
        stage = np.linspace(*curve.limits, _NODES)
        value = curve.flow(stage)
        if curve.sample is None:
            scatter = curve.scatter * value
            reach = np.exp(_NORMAL_95 * curve.scatter)
            return Band(stage, value, np.zeros(_NODES), scatter, value * (1.0 - 1.0 / reach), value * (reach - 1.0),
                        np.empty((0, _NODES)))  # fmt: skip
        curves = curve.sample.flow(stage)
        # Root mean square from the curve, not from the mean of the sample: a difference of the two is uncertainty too.
        systematic = np.sqrt(((curves - value) ** 2).mean(axis=0))
        scatter = value * np.sqrt(np.expm1(curve.sample.scatter**2).mean())
        lower, upper = _interval(curves, curve.sample.scatter)
        return Band(
            stage, value, systematic, scatter, np.maximum(value - lower, 0.0), np.maximum(upper - value, 0.0), curves
        )

    def places(self, stage: Array) -> tuple[NDArray[np.int64], Array]:
        """Return the node below each stage and the share of the way to the next; stages lie between the limits."""
        step = (self.stage[-1] - self.stage[0]) / (len(self.stage) - 1)
        way = (stage - self.stage[0]) / step
        node = np.clip(way.astype(np.int64), 0, len(self.stage) - 2)
        return node, way - node

    def own_uncertainty(self, stage: Array) -> Array:
        """Return the standard uncertainty of one value by the curve, exact stage; NaN outside of the limits."""
        own = np.hypot(self.systematic, self.scatter)
        return np.interp(stage, self.stage, own, left=np.nan, right=np.nan)


def _interval(curves: Array, scatter: Array) -> tuple[Array, Array]:
    """Return the 2.5 and 97.5 % quantiles of values about the curves, by evenly spread normals dealt to each curve."""
    m = len(curves)
    count = m * _NORMALS
    random = np.random.default_rng(0)
    normal = _standard_normals(count)[random.permutation(count)].reshape(_NORMALS, m)
    spread = np.exp(scatter * normal)
    lower, upper = np.empty(curves.shape[1]), np.empty(curves.shape[1])
    for at in range(0, curves.shape[1], 64):
        part = slice(at, at + 64)
        values = (spread[:, :, None] * curves[None, :, part]).reshape(count, -1)
        lower[part], upper[part] = np.quantile(values, [0.025, 0.975], axis=0)
    return lower, upper


def _standard_normals(count: int) -> Array:
    """Return quantiles of the standard normal at the middles of `count` equal shares."""
    from scipy.special import ndtri  # noqa: PLC0415 -- slow to import

    return np.asarray(ndtri((np.arange(count) + 0.5) / count), np.float64)


def banded(curve: RatingCurve, stage: Array, stage_uncertainty: Array, rewrap: Callable[..., Any]) -> Discharge:
    """Return the discharge of stages in the curve's unit, each (or all) with the standard uncertainty of the stage."""
    spread = np.broadcast_to(stage_uncertainty, stage.shape)
    band = curve.band
    columns = {name: np.full(len(stage), np.nan) for name in ("value", "systematic", "random", "lower", "upper")}
    for at in range(0, len(stage), _BLOCK):
        part = slice(at, at + _BLOCK)
        found = _block(curve, band, stage[part], spread[part])
        for name, numbers in found.items():
            columns[name][part] = numbers
    low, high = curve.gauged_range
    with np.errstate(invalid="ignore"):
        extrapolated = (stage < low) | (stage > high)
    columns["uncertainty"] = np.hypot(columns["systematic"], columns["random"])
    return Discharge.wrapped(columns, extrapolated, rewrap, curve.unit_discharge)


def _block(curve: RatingCurve, band: Band, stage: Array, spread: Array) -> dict[str, Array]:
    with np.errstate(invalid="ignore"):
        outside = ~((stage >= curve.limits[0]) & (stage <= curve.limits[1]))
    stage = np.where(outside, curve.limits[0], stage)
    node, share = band.places(stage)

    def read(table: Array) -> Array:
        return table[node] + share * (table[node + 1] - table[node])

    value, systematic, scatter = curve.flow(stage), read(band.systematic), read(band.scatter)
    below, above = read(band.below), read(band.above)
    random = scatter
    if (spread > 0).any():
        by_stage = curve.slope(stage) * spread
        random = np.hypot(scatter, by_stage)
        below, above = np.hypot(below, _NORMAL_95 * by_stage), np.hypot(above, _NORMAL_95 * by_stage)
    found = {
        "value": value, "systematic": systematic, "random": random,
        "lower": np.maximum(value - below, 0.0), "upper": value + above,
    }  # fmt: skip
    for numbers in found.values():
        numbers[outside] = np.nan
    return found
