"""Discharge by an index velocity: a meter looks at part of the section, a rating makes the section's mean of it.

Where a rating of the stage does not do (tide, backwater), the area comes from the stage and the mean velocity from the
index velocity, by a regression on gaugings: straight, in two straight parts that meet, or with the stage. Beyond the
gauged range of the index there is no value unless the limits are widened.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer.derivation.function import Input
from nilometer.derivation.operands import unpacked
from nilometer.derivation.rating_band import Discharge
from nilometer.errors import CalibrationError

__all__ = ["IndexRating", "StageArea", "fit_index"]

Array = NDArray[np.float64]
Form = Literal["linear", "two-part", "with-stage"]

_NORMAL_95: Final = 1.959963984540054
_FEWEST: Final = 3


@dataclass(frozen=True, slots=True)
class StageArea:
    """Wetted area of a standard section by stage.

    Parameters
    ----------
    distance, elevation : ndarray of float64, shape (n,)
        The section's profile, m, from bank to bank; elevation in the datum of the stage. Straight between the points.
    relative_uncertainty : float
        Standard uncertainty of the area, as a share of it.
    """

    distance: Array
    elevation: Array
    relative_uncertainty: float = 0.0

    def __post_init__(self) -> None:
        if self.distance.shape != self.elevation.shape or self.distance.ndim != 1 or len(self.distance) < 2:
            raise CalibrationError("stage-area: a profile is two distances or more, with an elevation each")
        if (np.diff(self.distance) < 0).any():
            raise CalibrationError("stage-area: the distances of a profile must not turn back")
        if not (
            np.isfinite(self.distance).all() and np.isfinite(self.elevation).all() and self.relative_uncertainty >= 0
        ):
            raise CalibrationError("stage-area: a profile is of numbers, and an uncertainty from 0")

    @property
    def top(self) -> float:
        """The stage above which the profile ends: that of the lower bank."""
        return float(min(self.elevation[0], self.elevation[-1]))

    def area(self, stage: ArrayLike) -> Array:
        """Return the area below a stage, m2; NaN above the lower bank.

        Parameters
        ----------
        stage : array_like, shape (n,)
            m.

        Examples
        --------
        >>> section = StageArea(np.array([0.0, 2.0, 8.0, 10.0]), np.array([4.0, 0.0, 0.0, 4.0]))
        >>> section.area([0.0, 2.0, 4.0]).tolist()
        [0.0, 14.0, 32.0]
        """
        h = np.asarray(stage, np.float64)
        # The area is a quadratic of the stage between the elevations of the profile: sum over its slices, each a
        # trapezium that the water cuts.
        total = np.zeros(h.shape)
        for k in range(len(self.distance) - 1):
            low, high = sorted((self.elevation[k], self.elevation[k + 1]))
            run = self.distance[k + 1] - self.distance[k]
            depth = np.clip(h - low, 0.0, high - low)
            slope = run / (high - low) if high > low else 0.0
            total += slope * depth**2 / 2.0 + run * np.maximum(h - high, 0.0)
        return np.where(h <= self.top, total, np.nan)

    def width(self, stage: ArrayLike) -> Array:
        """Return the width of the water's surface, dA/dh, m; NaN above the lower bank."""
        h = np.asarray(stage, np.float64)
        total = np.zeros(h.shape)
        for k in range(len(self.distance) - 1):
            low, high = sorted((self.elevation[k], self.elevation[k + 1]))
            run = self.distance[k + 1] - self.distance[k]
            share = np.clip((h - low) / (high - low), 0.0, 1.0) if high > low else np.where(h > low, 1.0, 0.0)
            total += run * share
        return np.where(h <= self.top, total, np.nan)


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRating:
    """Mean velocity of a section from an index velocity.

    Parameters
    ----------
    form : {"linear", "two-part", "with-stage"}
        V = a + b x; V = a + b x + c max(x - x0, 0); V = a + b x + c x h.
    coefficients : ndarray of float64, shape (p,)
        a, b and c.
    covariance : ndarray of float64, shape (p, p)
        Theirs.
    scatter : float
        Standard deviation of one mean velocity about the rating, m s-1.
    limits, gauged_range : (float, float)
        Of the index velocity, m s-1.
    bend : float
        x0 of a two-part rating; NaN otherwise.
    r_squared : float
        Share of the variance of the gauged velocities that the rating explains.
    """

    form: Form
    coefficients: Array
    covariance: Array
    scatter: float
    limits: tuple[float, float]
    gauged_range: tuple[float, float]
    bend: float
    r_squared: float

    def with_limits(self, low: float, high: float) -> IndexRating:
        """Return the rating with other limits, within which it is applied."""
        if not (low <= self.gauged_range[0] and self.gauged_range[1] <= high):
            raise CalibrationError(
                f"index rating: limits {[low, high]} must contain the gauged range {list(self.gauged_range)}"
            )
        return replace(self, limits=(low, high))

    def mean_velocity(self, index_velocity: ArrayLike, stage: ArrayLike = np.nan) -> tuple[Array, Array]:
        """Return mean velocities and the standard uncertainty of the rating itself at each, m s-1.

        Parameters
        ----------
        index_velocity : array_like, shape (n,)
            m s-1; NaN beyond the limits.
        stage : array_like, shape (n,)
            m; needed by a rating with the stage.
        """
        x, h = np.broadcast_arrays(np.asarray(index_velocity, np.float64), np.asarray(stage, np.float64))
        terms = _terms(self.form, x, h, self.bend)
        velocity = terms @ self.coefficients
        spread = np.sqrt(np.maximum(((terms @ self.covariance) * terms).sum(axis=-1), 0.0))
        with np.errstate(invalid="ignore"):
            outside = ~((x >= self.limits[0]) & (x <= self.limits[1]))
        velocity[outside] = np.nan
        spread[outside] = np.nan
        return velocity, spread

    def discharge(
        self,
        index_velocity: Any,  # noqa: ANN401 -- any kind of series
        stage: Any,  # noqa: ANN401 -- any kind of series
        section: StageArea,
        *,
        index_uncertainty: float = 0.0,
        stage_uncertainty: float = 0.0,
    ) -> Discharge:
        """Return the discharge with its uncertainty, as the kind of series that came in.

        Parameters
        ----------
        index_velocity : array_like or series, shape (n,)
            m s-1, or with a unit of its own.
        stage : array_like or series, shape (n,)
            m, or with a unit of its own.
        section : StageArea
            Of the section that the rating was made for.
        index_uncertainty, stage_uncertainty : float
            Standard uncertainties of one index velocity (m s-1) and one stage (m).

        Returns
        -------
        Discharge
            In m3 s-1; the interval is a normal one, as velocities may be of either sign. The systematic part is that of
            the rating and of the area.

        Raises
        ------
        UnitError
            If a series has a unit of another dimension.
        """
        known = {"index_velocity": Input("m s-1"), "stage": Input("m")}
        part = unpacked(known, [index_velocity, stage])
        x, h = (np.broadcast_to(column, part.size) for column in part.values)
        velocity, own = self.mean_velocity(x, h)
        area = section.area(h)
        value = velocity * area
        slope = self._slope(x, h)
        systematic = np.hypot(area * own, value * section.relative_uncertainty)
        by_stage = (velocity * section.width(h) + area * self._stage_slope(x)) * stage_uncertainty
        random = np.sqrt((area * self.scatter) ** 2 + (area * slope * index_uncertainty) ** 2 + by_stage**2)
        total = np.hypot(systematic, random)
        with np.errstate(invalid="ignore"):
            extrapolated = (x < self.gauged_range[0]) | (x > self.gauged_range[1])
        reach = _NORMAL_95 * total
        columns = {"value": value, "uncertainty": total, "lower": value - reach, "upper": value + reach}
        columns |= {"systematic": systematic, "random": random}
        return Discharge.wrapped(columns, extrapolated, part.rewrap, "m3 s-1")

    def _slope(self, x: Array, h: Array) -> Array:
        """Return dV/dx."""
        steady = np.full(x.shape, self.coefficients[1])
        if self.form == "two-part":
            return steady + np.where(x > self.bend, self.coefficients[2], 0.0)
        return steady + self.coefficients[2] * h if self.form == "with-stage" else steady

    def _stage_slope(self, x: Array) -> Array:
        """Return dV/dh."""
        return self.coefficients[2] * x if self.form == "with-stage" else np.zeros(x.shape)


def fit_index(
    index_velocity: ArrayLike,
    mean_velocity: ArrayLike,
    *,
    stage: ArrayLike | None = None,
    form: Form = "linear",
    uncertainty: ArrayLike | None = None,
) -> IndexRating:
    """Return the rating of gauged mean velocities by index velocities, by (weighted) least squares.

    Parameters
    ----------
    index_velocity, mean_velocity : array_like, shape (n,)
        At the same times, m s-1; the mean is discharge over area.
    stage : array_like, shape (n,), optional
        m; needed by ``with-stage``.
    form : {"linear", "two-part", "with-stage"}
        As in `IndexRating`. The bend of two parts is where the residuals are least, three gaugings on each side.
    uncertainty : array_like, shape (n,), optional
        Standard uncertainties of the mean velocities, which weigh them.

    Returns
    -------
    IndexRating
        Its covariance is scaled by what the residuals say (with n - p degrees of freedom, one more for a bend).

    Raises
    ------
    CalibrationError
        If there are too few gaugings, or they do not go together.

    References
    ----------
    Levesque and Oberg (2012), Computing discharge using the index velocity method, U.S. Geol. Survey Techniques and
    Methods 3-A23: simple, compound and multiple linear ratings.

    Examples
    --------
    >>> x = np.array([0.1, 0.2, 0.4, 0.5, 0.8])
    >>> fit_index(x, 0.05 + 0.9 * x).coefficients.round(6).tolist()
    [0.05, 0.9]
    """
    x, v = (np.atleast_1d(np.asarray(column, np.float64)) for column in (index_velocity, mean_velocity))
    h = np.full(x.shape, np.nan) if stage is None else np.atleast_1d(np.asarray(stage, np.float64))
    if form not in {"linear", "two-part", "with-stage"}:
        raise CalibrationError(f"index rating: form = {form!r} (allowed: linear, two-part, with-stage)")
    if not x.shape == v.shape == h.shape or x.ndim != 1:
        raise CalibrationError(f"index rating: {x.size} index velocities, {v.size} mean velocities, {h.size} stages: "
                               "as many "
                               "of each are needed")  # fmt: skip
    needed = np.concatenate([x, v, h if form == "with-stage" else []])
    if not np.isfinite(needed).all():
        raise CalibrationError("index rating: a gauging lacks a number that this form needs")
    count = {"linear": 2, "two-part": 4, "with-stage": 3}[form]
    if len(np.unique(x)) < count + 2:
        raise CalibrationError(
            f"index rating: {len(np.unique(x))} gaugings are too few: {count + 2} at least for {form}"
        )
    weight = np.ones(len(x)) if uncertainty is None else 1.0 / np.asarray(uncertainty, np.float64)
    bend = _bend(x, v, h, weight) if form == "two-part" else np.nan
    coefficients, square, covariance = _solved(_terms(form, x, h, bend), v, weight)
    freedom = len(x) - count
    variance = square / freedom
    spread = float(((weight * (v - np.average(v, weights=weight**2))) ** 2).sum())
    ends = (float(x.min()), float(x.max()))
    return IndexRating(
        form=form, coefficients=coefficients, covariance=covariance * variance,
        scatter=float(np.sqrt(variance / np.mean(weight**2))), limits=ends, gauged_range=ends, bend=float(bend),
        r_squared=1.0 - square / spread if spread > 0 else 1.0,
    )  # fmt: skip


def _terms(form: str, x: Array, h: Array, bend: float) -> Array:
    columns = [np.ones(x.shape), x]
    if form == "two-part":
        columns.append(np.maximum(x - bend, 0.0))
    if form == "with-stage":
        columns.append(x * h)
    return np.stack(columns, axis=-1)


def _solved(terms: Array, v: Array, weight: Array) -> tuple[Array, float, Array]:
    """Return coefficients, the weighted sum of squares they leave, and the inverse of the normal matrix."""
    weighted = terms * weight[:, None]
    coefficients: Array = np.linalg.lstsq(weighted, v * weight, rcond=None)[0].astype(np.float64)
    square = float(((weighted @ coefficients - v * weight) ** 2).sum())
    return coefficients, square, np.linalg.pinv(weighted.T @ weighted).astype(np.float64)


def _bend(x: Array, v: Array, h: Array, weight: Array) -> float:
    """Return the bend that leaves least: searched between the third gauging from either end."""
    ordered = np.sort(x)
    places = np.linspace(ordered[_FEWEST - 1], ordered[-_FEWEST], 400)
    left = [_solved(_terms("two-part", x, h, place), v, weight)[1] for place in places]
    return float(places[int(np.argmin(left))])
