"""Fit a rating curve to gaugings: how many segments, which curve, and how sure it is.

The posterior of every number of segments is sampled (`rating_bayes`), the number is chosen by its information
criterion, and the curve that is reported is the one of that form which is nearest to the posterior mean of ln Q.
Nothing is dropped: a gauging that fits badly is told, and weighs less only where ``robust`` is asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer.derivation.rating import ALWAYS, RatingCurve
from nilometer.derivation.rating_bayes import GOOD_RHAT, Posterior, Problem, sample
from nilometer.derivation.rating_centre import central
from nilometer.derivation.rating_kernel import flow
from nilometer.derivation.rating_sample import Sample
from nilometer.errors import CalibrationError

__all__ = ["CONTROLS", "Control", "RatingFit", "fit"]

Array = NDArray[np.float64]

MOST_SEGMENTS: Final = 3
FEWEST_GAUGINGS: Final = 4
_STEPS: Final = 1500
_ROUNDS: Final = 4
_MOST: Final = 4
_SMALL_GAIN: Final = 4.0
_FREEDOM: Final = 4.0
"""Degrees of freedom of the Student distribution by which a robust fit weighs."""


@dataclass(frozen=True, slots=True)
class Control:
    """What governs the flow in a segment, as a prior of its exponent.

    Parameters
    ----------
    exponent, uncertainty : float
        Of the power law, and its standard uncertainty before any gauging.
    """

    exponent: float
    uncertainty: float

    def __post_init__(self) -> None:
        if not (0 < self.exponent < math.inf and 0 < self.uncertainty < math.inf):
            raise CalibrationError(
                f"a control of exponent {self.exponent} ± {self.uncertainty}: both are numbers above 0",
                sensor="", certificate="",
            )  # fmt: skip


CONTROLS: Final[Mapping[str, Control]] = {
    "any": Control(1.835, 0.426),
    "section": Control(1.5, 0.1),
    "channel": Control(5.0 / 3.0, 0.1),
    "v_notch": Control(2.5, 0.1),
}
"""Named controls. Exponents: a horizontal crest 3/2, a wide channel by Manning's equation 5/3, a triangular notch 5/2;
the 0.1 is ours. `any`: the prior of the R package bdrc (Hrafnkelsson et al. 2022), which covers all of them."""


@dataclass(frozen=True, slots=True)
class RatingFit:
    """A fitted curve and what speaks for it.

    Parameters
    ----------
    curve : RatingCurve
        With the sample of curves that its uncertainty is made of.
    posterior : Posterior
        Of the chosen number of segments.
    waic : dict of int to float
        Information criterion by number of segments, of ln Q; lower is better.
    stage, discharge, relative_uncertainty, weight : ndarray of float64, shape (n,)
        The gaugings in the curve's units by rising stage, the standard uncertainty of their ln Q (0: not given), and
        what each weighed (1: fully).
    order : ndarray of int64, shape (n,)
        Which gauging, as given, each of them is.
    warnings : tuple of str
        What a hydrologist should look at.
    """

    curve: RatingCurve
    posterior: Posterior
    waic: Mapping[int, float]
    stage: Array
    discharge: Array
    relative_uncertainty: Array
    weight: Array
    order: NDArray[np.int64]
    warnings: tuple[str, ...]

    def parameters(self) -> list[dict[str, Any]]:
        """Return each parameter with its posterior median and 95 % interval, one a row."""
        rows = [_row("scatter", 0, self.posterior.scatter, self.curve.scatter)]
        scale = np.exp(_log_scales(self.posterior))
        for k in range(self.posterior.offset.shape[1]):
            if k:
                rows.append(_row("from", k + 1, self.posterior.start[:, k], self.curve.start[k]))
            rows.append(_row("offset", k + 1, self.posterior.offset[:, k], self.curve.offset[k]))
            rows.append(_row("scale", k + 1, scale[:, k], self.curve.scale[k]))
            rows.append(_row("exponent", k + 1, self.posterior.exponent[:, k], self.curve.exponent[k]))
        return rows


def _row(name: str, segment: int, values: Array, of_curve: float) -> dict[str, Any]:
    low, middle, high = np.quantile(values, [0.025, 0.5, 0.975])
    return {
        "parameter": name, "segment": segment, "curve": float(of_curve), "median": float(middle),
        "lower": float(low), "upper": float(high),
    }  # fmt: skip


def fit(
    stage: ArrayLike,
    discharge: ArrayLike,
    discharge_uncertainty: ArrayLike | None = None,
    *,
    stage_uncertainty: ArrayLike = 0.0,
    segments: int | None = None,
    controls: Sequence[str | Control] | str | Control = "any",
    breaks: Sequence[tuple[float, float] | None] | None = None,
    zero_flow: tuple[float, float] | None = None,
    limits: tuple[float, float] | None = None,
    robust: bool = False,
    unit_stage: str = "m",
    unit_discharge: str = "m3 s-1",
    station: str = "",
    valid_from: int = ALWAYS,
    sample_size: int = 500,
    seed: int = 1,
) -> RatingFit:
    """Return the rating curve of gaugings, with its uncertainty.

    Parameters
    ----------
    stage, discharge : array_like, shape (n,)
        Of the gaugings, in `unit_stage` and `unit_discharge`; the discharge is above 0.
    discharge_uncertainty : array_like, shape (n,), optional
        Standard uncertainty (k = 1) of each discharge, in `unit_discharge`; NaN: not known, taken as the median of the
        others. Without any, what the gaugings err by is part of the curve's scatter.
    stage_uncertainty : float or array_like, shape (n,)
        Standard uncertainty of the gaugings' stages, in `unit_stage`.
    segments : int, optional
        How many power laws; None: as many, up to three, as the information criterion asks for.
    controls : str, Control, or a sequence of them
        What governs the flow, for all segments or for each (then `segments` is their count): ``any``, ``section``,
        ``channel``, ``v_notch``.
    breaks : sequence of (float, float) or None, optional
        Stage and standard uncertainty of each break, where it is known; None: anywhere.
    zero_flow : (float, float), optional
        Stage of zero flow and its standard uncertainty, where it was surveyed.
    limits : (float, float), optional
        Stages up to which the curve may be extrapolated; default: the gauged range.
    robust : bool
        Weigh gaugings as of a Student distribution of 4 degrees of freedom, so that a wild one does not draw the curve.
    unit_stage, unit_discharge, station, valid_from
        As in `RatingCurve`.
    sample_size : int
        Curves that are kept for the uncertainty.
    seed : int
        The same seed gives the same curve.

    Returns
    -------
    RatingFit
        The curve, what it was chosen from, and what to look at.

    Raises
    ------
    CalibrationError
        If there are too few gaugings, or one of them is no gauging, or the wishes contradict each other.

    References
    ----------
    Reitan and Petersen-Øverleir (2009), Stoch. Environ. Res. Risk Assess. 23, 351-365 (segments); Le Coz et al. (2014),
    J. Hydrol. 509, 573-587 (priors from controls, gaugings' uncertainties); Watanabe (2010), J. Mach. Learn. Res. 11.

    Examples
    --------
    >>> stage = np.linspace(1.2, 3.0, 12)
    >>> made = fit(stage, 4.0 * (stage - 1.0) ** 1.6, segments=1)
    >>> (made.curve([1.3, 2.9]) / (4.0 * np.array([0.3, 1.9]) ** 1.6)).round(2).tolist()
    [1.0, 1.0]
    """
    if sample_size < 1:
        raise _refusal(station, f"a sample of {sample_size} curves (allowed: from 1; 100 tell an uncertainty to 7 %)")
    problem, order = _problem(stage, discharge, discharge_uncertainty, station)
    wishes = _Wishes.of(segments, controls, breaks, zero_flow, station)
    found: dict[int, tuple[Problem, Posterior]] = {}
    for count in wishes.counts(len(problem.stage)):
        shaped = wishes.shape(problem, count)
        shaped = _weighed(shaped, _broadcast(stage_uncertainty, order, station), robust=robust, seed=seed)
        try:
            found[count] = shaped, sample(shaped, draws=max(2000, sample_size), steps=_STEPS, seed=seed, most=_MOST)
        except ValueError as error:
            raise _refusal(station, str(error)) from error
    best = _chosen({count: posterior for count, (_, posterior) in found.items()})
    shaped, posterior = found[best]
    start, offset, log_scale, exponent = central(shaped, posterior)
    gauged = (float(shaped.stage[0]), float(shaped.stage[-1]))
    curve = RatingCurve(
        start=start, offset=offset, scale=np.exp(log_scale), exponent=exponent, gauged_range=gauged,
        limits=gauged if limits is None else (float(limits[0]), float(limits[1])),
        scatter=float(np.sqrt(np.mean(posterior.scatter**2))), sample=_kept(posterior, sample_size),
        station=station, valid_from=valid_from, unit_stage=unit_stage, unit_discharge=unit_discharge,
    )  # fmt: skip
    made = RatingFit(
        curve=curve, posterior=posterior, waic={count: one.waic for count, (_, one) in found.items()},
        stage=shaped.stage, discharge=np.exp(shaped.log_discharge), relative_uncertainty=np.sqrt(problem.variance),
        weight=shaped.weight, order=order, warnings=(),
    )  # fmt: skip
    return replace(made, warnings=tuple(_warnings(made, wishes)))


def _problem(
    stage: ArrayLike, discharge: ArrayLike, discharge_uncertainty: ArrayLike | None, station: str
) -> tuple[Problem, NDArray[np.int64]]:
    h, q = (np.atleast_1d(np.asarray(column, np.float64)) for column in (stage, discharge))
    if h.shape != q.shape or h.ndim != 1:
        raise _refusal(station, f"{h.shape} stages and {q.shape} discharges: one of each a gauging is needed")
    wrong = np.flatnonzero(~(np.isfinite(h) & np.isfinite(q) & (q > 0)))
    if len(wrong):
        raise _refusal(
            station, f"gauging {wrong[0] + 1} has stage {h[wrong[0]]:g} and discharge {q[wrong[0]]:g}: both must be "
            "numbers, and the discharge above 0 (a stage of zero flow is told by zero_flow)",
        )  # fmt: skip
    if len(np.unique(h)) < FEWEST_GAUGINGS + 1:
        raise _refusal(
            station, f"{len(np.unique(h))} gauged stages are too few: {FEWEST_GAUGINGS + 1} at least are needed"
        )
    if not np.ptp(np.log(q)) > 0 or not np.corrcoef(h, np.log(q))[0, 1] > 0:
        raise _refusal(station, "the discharge does not rise with the stage: are the columns the right ones?")
    relative = np.zeros(len(h))
    if discharge_uncertainty is not None:
        relative = np.broadcast_to(np.asarray(discharge_uncertainty, np.float64), q.shape) / q
        if (relative < 0).any() or np.isinf(relative).any():
            raise _refusal(station, "the uncertainty of a discharge is a number from 0, or NaN where it is not known")
        usual = np.nanmedian(relative) if np.isfinite(relative).any() else 0.0
        relative = np.where(np.isnan(relative), usual, relative)
    order = np.argsort(h, kind="stable")
    none = np.empty(0)
    problem = Problem(
        h[order], np.log(q[order]), relative[order] ** 2, np.ones(len(h)), 1, none, none, none, none, np.nan, np.nan,
        FEWEST_GAUGINGS,
    )  # fmt: skip
    return problem, order


def _refusal(station: str, message: str) -> CalibrationError:
    return CalibrationError(f"rating curve: {message}", sensor=station, certificate="")


def _broadcast(given: ArrayLike, order: NDArray[np.int64], station: str) -> Array:
    spread = np.asarray(given, np.float64)
    if spread.ndim and spread.shape != order.shape:
        raise _refusal(station, f"{spread.size} uncertainties of {len(order)} stages: give one, or as many")
    if not (spread >= 0).all():
        raise _refusal(station, "the uncertainty of a stage is a number from 0")
    return np.broadcast_to(spread, order.shape)[order]


@dataclass(frozen=True, slots=True)
class _Wishes:
    """What was asked for, checked against itself."""

    segments: int | None
    controls: tuple[Control, ...]
    breaks: tuple[tuple[float, float] | None, ...] | None
    zero_flow: tuple[float, float] | None
    station: str

    @staticmethod
    def of(
        segments: int | None,
        controls: Sequence[str | Control] | str | Control,
        breaks: Sequence[tuple[float, float] | None] | None,
        zero_flow: tuple[float, float] | None,
        station: str,
    ) -> _Wishes:
        several = not isinstance(controls, str | Control)
        named = tuple(controls) if not isinstance(controls, str | Control) else (controls,)
        for control in named:
            if isinstance(control, str) and control not in CONTROLS:
                raise _refusal(station, f"control {control!r} is unknown (known: {', '.join(CONTROLS)})")
        priors = tuple(CONTROLS[control] if isinstance(control, str) else control for control in named)
        counts = {
            "segments": segments,
            "controls": len(priors) if several else None,
            "breaks": None if breaks is None else len(breaks) + 1,
        }
        told = {name: count for name, count in counts.items() if count is not None}
        if len(set(told.values())) > 1:
            raise _refusal(station, f"the wishes are of different segments: {told}")
        count = next(iter(told.values()), None)
        if count is not None and not 1 <= count <= 8:
            raise _refusal(station, f"{count} segments (allowed: 1 to 8)")
        pairs = [pair for pair in (zero_flow, *(breaks or ())) if pair is not None]
        if any(not (math.isfinite(at) and 0 < spread < math.inf) for at, spread in pairs):
            raise _refusal(station, "a stage that is known is given with its standard uncertainty, a number above 0")
        return _Wishes(count, priors, None if breaks is None else tuple(breaks), zero_flow, station)

    def counts(self, gaugings: int) -> list[int]:
        """Return the numbers of segments to try."""
        if self.segments is None:
            return [count for count in range(1, MOST_SEGMENTS + 1) if count == 1 or count * 5 <= gaugings]
        if gaugings < FEWEST_GAUGINGS * self.segments + 1:
            reason = f"{gaugings} gaugings are too few for {self.segments} segments: each needs {FEWEST_GAUGINGS}"
            raise _refusal(self.station, reason)
        return [self.segments]

    def shape(self, problem: Problem, count: int) -> Problem:
        """Return the gaugings as the problem of so many segments."""
        priors = self.controls if len(self.controls) == count else self.controls[:1] * count
        told = self.breaks or (None,) * (count - 1)
        unknown = (math.nan, math.nan)
        breaks = np.array([pair or unknown for pair in told], np.float64).reshape(count - 1, 2)
        at, spread = self.zero_flow or unknown
        return replace(
            problem, segments=count, exponent=np.array([prior.exponent for prior in priors]),
            exponent_sd=np.array([prior.uncertainty for prior in priors]), break_at=breaks[:, 0], break_sd=breaks[:, 1],
            zero_flow=at, zero_flow_sd=spread,
        )  # fmt: skip


def _weighed(problem: Problem, stage_uncertainty: Array, *, robust: bool, seed: int) -> Problem:
    """Return the problem with the stages' uncertainties in its variances, and a robust fit's weights."""
    if not robust and not stage_uncertainty.any():
        return problem
    shaped = problem
    for _ in range(_ROUNDS):
        posterior = sample(shaped, draws=200, steps=300, seed=seed)
        start, offset, log_scale, exponent = central(shaped, posterior)
        at = np.searchsorted(start[1:], problem.stage, side="right")
        slope = exponent[at] / (problem.stage - offset[at])  # d ln Q / dh
        variance = problem.variance + (slope * stage_uncertainty) ** 2
        weight = problem.weight
        if robust:
            scatter = float(np.median(posterior.scatter))
            residual = problem.log_discharge - np.log(flow(problem.stage, start, offset, log_scale, exponent))
            weight = (_FREEDOM + 1.0) / (_FREEDOM + residual**2 / (scatter**2 + variance))
            weight = np.minimum(weight, 1.0)
        shaped = replace(problem, variance=variance, weight=weight)
    return shaped


def _chosen(found: Mapping[int, Posterior]) -> int:
    """Return the fewest segments that no other number beats by more than chance.

    That is by more than the standard error of the difference in expected log density (Vehtari et al. 2017), and by more
    than 4: of smaller differences, and fewer than a hundred gaugings, the standard error is no measure (Sivula et al.
    2020).
    """
    best = min(found, key=lambda count: found[count].waic)
    for count in sorted(found):
        gain = found[best].predicted - found[count].predicted
        error = float(np.sqrt(len(gain)) * gain.std())
        if float(gain.sum()) <= max(error, _SMALL_GAIN):
            return count
    return best


def _log_scales(posterior: Posterior) -> Array:
    """Return ln a of each segment of every curve, from α and that segments meet at the breaks."""
    scales = [posterior.log_scale]
    for k in range(1, posterior.offset.shape[1]):
        edge = posterior.start[:, k]
        below = scales[-1] + posterior.exponent[:, k - 1] * np.log(edge - posterior.offset[:, k - 1])
        scales.append(below - posterior.exponent[:, k] * np.log(edge - posterior.offset[:, k]))
    return np.stack(scales, axis=1)


def _kept(posterior: Posterior, size: int) -> Sample:
    some = slice(0, size)
    start, offset, log_scale, exponent = (
        np.ascontiguousarray(column[some])
        for column in (posterior.start, posterior.offset, _log_scales(posterior), posterior.exponent)
    )
    return Sample(start, offset, log_scale, exponent, posterior.scatter[some].copy())


def _warnings(made: RatingFit, wishes: _Wishes) -> list[str]:
    told = []
    if made.posterior.rhat > GOOD_RHAT:
        told.append(
            f"the sample of curves has not settled (R-hat {made.posterior.rhat:.2f}, good: below {GOOD_RHAT}): "
            "take fewer segments, or tell breaks or zero flow"
        )
    edges = np.concatenate([[-np.inf], made.curve.start[1:], [np.inf]])
    for k, count in enumerate(np.histogram(made.stage, edges)[0]):
        if count < FEWEST_GAUGINGS:
            told.append(f"segment {k + 1} rests on {count} gaugings")
    told += [
        f"segment {k + 1} has the exponent {exponent:.2f}: no usual control has one below 1; look at its "
        "gaugings, or tell the controls"
        for k, exponent in enumerate(made.curve.exponent)
        if exponent < 1.0
    ]
    if wishes.segments is None and len(made.waic) > 1 and made.curve.start.size == max(made.waic):
        told.append(f"the most segments that were tried, {max(made.waic)}, fit best: look at the residuals")
    told += [
        f"gauging {made.order[n] + 1} (stage {made.stage[n]:g}) weighed {made.weight[n]:.2f} only"
        for n in np.flatnonzero(made.weight < 0.5)
    ]
    return told
