"""All figures of pairs by name, and the classical interval of each: the one list of what they are called.

The intervals are for independent pairs. Those that heed how results of one water depend on each other, and what is
decided, are in `nilometer.trials.inference`; names they share mean one statistic.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import ConfigError
from nilometer.trials.figure import Figure
from nilometer.trials.inference.dependence import autocorrelation, effective_size
from nilometer.trials.pairing.alignment import Alignment
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.statistics import differences
from nilometer.trials.statistics.agreement import Agreement, concordance, limits_of_agreement
from nilometer.trials.statistics.differences import lacking, measured
from nilometer.trials.statistics.drift import drift
from nilometer.trials.statistics.linearity import cusum_linearity
from nilometer.trials.statistics.proportional import RatioLimits, SlopingLimits, ratio_limits, sloping_limits
from nilometer.trials.statistics.reference_error import stated_ratio
from nilometer.trials.statistics.regression import Line, deming, passing_bablok
from nilometer.trials.statistics.repeated import RepeatedAgreement, repeated_limits
from nilometer.trials.statistics.weighted_deming import jackknifed_deming, weighted_deming
from nilometer.trials.steps import step
from nilometer.uncertainty.coverage import coverage_factor

__all__ = ["NAMES", "STATISTICS", "classical_figures", "response_lag"]

Floats = NDArray[np.float64]

_NEARLY_ALL = 0.8
"""Share of the pairs that independent ones come to by chance at least, mostly."""
Statistic = Callable[[Floats, Floats], float]

NAMES: dict[str, str] = {
    "bias": "mean of candidate minus reference",
    "relative_bias": "bias over the reference's mean",
    "mean_absolute_difference": "mean of the absolute differences",
    "rmse": "root mean square of the differences",
    "lower_limit": "lower limit of agreement: bias less 1.96 standard deviations of the differences",
    "upper_limit": "upper limit of agreement",
    "lower_ratio_limit": "lower limit of candidate over reference, by logarithms",
    "upper_ratio_limit": "upper limit of candidate over reference",
    "bias_slope": "slope of the difference over the mean of a pair: 0 where the bias is constant",
    "spread_slope": "slope of the differences' standard deviation over the mean of a pair: 0 where limits are constant",
    "concordance": "Lin's concordance correlation",
    "slope": "slope of Deming's line, error in both arms",
    "intercept": "intercept of Deming's line",
    "weighted_slope": "slope of Deming's line for errors in proportion to the value",
    "weighted_intercept": "its intercept",
    "passing_bablok_slope": "slope of Passing and Bablok's line",
    "passing_bablok_intercept": "its intercept",
    "linearity": "p of the cusum test beside Passing and Bablok's line: a small one speaks against a line",
    "theil_sen_drift": "median slope of the difference over time, within intervals between cleanings, a day",
    "response_lag": "by how much the candidate follows later than the reference, s",
    "data_yield": "valid results over those due",
    "uptime": "results over those due",
    "class_agreement": "share of pairs of one class of a standard",
    "weighted_kappa": "agreement of classes beyond chance, by their distance",
    "off_by_one_near_limit": "share of pairs one class apart that lie near a limit",
    "excess_error": "mean of the candidate's error less the reference's, without signs, against the laboratory",
    "excess_mean_square": "the same of their squares: the laboratory's own error cancels",
    "candidate_error": "mean of candidate minus laboratory",
    "reference_error": "mean of reference minus laboratory",
    "candidate_error_rms": "root mean square of candidate minus laboratory, less the laboratory's uncertainty",
    "reference_error_rms": "the same of the reference",
    "score_share": "share of samples whose error is within twice the combined uncertainty",
    "within_sd": "standard deviation of results within a unit",
    "unit_sd": "standard deviation between units of a lot",
    "lot_sd": "standard deviation between lots",
}
"""What each figure is. Those from `data_yield` on are of `availability`, `water_class`, `samples` and `lots`."""

STATISTICS: dict[str, Statistic] = {
    "bias": differences.bias_of,
    "relative_bias": differences.relative_bias_of,
    "mean_absolute_difference": differences.mean_absolute_difference_of,
    "rmse": differences.rmse_of,
    "lower_limit": lambda c, r: limits_of_agreement(c, r).limits[0],
    "upper_limit": lambda c, r: limits_of_agreement(c, r).limits[1],
    "lower_ratio_limit": lambda c, r: ratio_limits(c, r).limits[0],
    "upper_ratio_limit": lambda c, r: ratio_limits(c, r).limits[1],
    "bias_slope": lambda c, r: sloping_limits(c, r, weighted=True).slope,
    "spread_slope": lambda c, r: sloping_limits(c, r, weighted=True).spread_slope,
    "concordance": lambda c, r: concordance(c, r)[0],
    "slope": lambda c, r: deming(r, c).slope,
    "intercept": lambda c, r: deming(r, c).intercept,
    "weighted_slope": lambda c, r: weighted_deming(r, c).slope,
    "weighted_intercept": lambda c, r: weighted_deming(r, c).intercept,
    "passing_bablok_slope": lambda c, r: passing_bablok(r, c).slope,
    "passing_bablok_intercept": lambda c, r: passing_bablok(r, c).intercept,
}
"""Candidate and reference to a number: what a resampling of pairs forms again and again."""


def classical_figures(
    pairs: Pairs,
    names: Iterable[str] | None = None,
    *,
    ratio: float | None = None,
    alignment: Alignment | None = None,
    probability: float = 0.95,
) -> tuple[Figure, ...]:
    """Return figures of pairs with classical intervals.

    Parameters
    ----------
    pairs : Pairs
        Censored ones are left out, and each figure says how many. Limits of agreement of several clusters are those of
        repeated measurements, with units as what is independent.
    names : iterable of str, optional
        Of `NAMES`; without them all that pairs have.
    ratio : float, optional
        Variance of the candidate's errors over the reference's; default: as both state them, else 1, which is said.
    alignment : Alignment, optional
        Has the response lag.
    probability : float
        Of the intervals.

    Returns
    -------
    tuple of Figure
        In the order of `NAMES`. Where a figure cannot be, its value is NaN and its note says why. Where pairs depend on
        each other, each says how many independent ones they are worth: its interval is then too narrow.

    Raises
    ------
    ConfigError
        If there is no such figure.

    Examples
    --------
    >>> pairs = Pairs.of(range(5), [1.1, 2.2, 3.0, 4.1, 5.1], [1.0, 2.0, 3.0, 4.0, 5.0], "mg L-1")
    >>> [(one.name, round(one.value, 3)) for one in classical_figures(pairs, ["slope", "bias"])]
    [('bias', 0.1), ('slope', 0.991)]
    """
    made = _Making(pairs, ratio, probability)
    wanted = list(made.ways) if names is None else list(names)
    for name in wanted:
        if name not in made.ways and not (name == "response_lag" and alignment is not None):
            raise ConfigError("figure", seen=name, allowed=[*made.ways, *(["response_lag"] if alignment else [])])
    found = {name: made.told(made.figure(name)) for name in wanted if name != "response_lag"}
    if alignment is not None and (names is None or "response_lag" in wanted):
        found["response_lag"] = response_lag(alignment, probability=probability)
    return tuple(found[name] for name in NAMES if name in found)


def response_lag(alignment: Alignment, *, probability: float = 0.95) -> Figure:
    """Return by how much the candidate follows later than the reference: what is left between their times.

    Parameters
    ----------
    alignment : Alignment
        Of the pairs. A clock that runs ahead looks like an instrument that follows late: the lag is the instrument's
        only where the clocks are known to agree.
    probability : float
        Of the interval, from parts of the record.

    Returns
    -------
    Figure
        ``response_lag``, s; NaN where no shift stands out.
    """
    clock = alignment.clock
    if not clock.is_clear:
        return lacking("response_lag", "s", alignment.pairs, clock.note or "no shift of the two series stands out")
    value = (clock.offset_us - alignment.clock_correction_us) / 1e6
    half = coverage_factor(probability, 7) * clock.uncertainty_us / 1e6
    notes = ["an offset of the clocks is in it"]
    if alignment.filtered:
        notes.append(f"after the {alignment.filtered} was slowed down")
    if alignment.clock_correction_us:
        notes.append("after the clock was corrected")
    return Figure(
        name="response_lag",
        value=value,
        unit="s",
        interval=(value - half, value + half),
        probability=probability,
        n=alignment.pairs,
        method="parts",
        note="; ".join(notes),
    )


class _Making:
    """The figures of one set of pairs; what several share is computed once."""

    def __init__(self, pairs: Pairs, ratio: float | None, probability: float) -> None:
        self.pairs, self.probability = pairs, probability
        self.plain, self.note = measured(pairs)
        stated = stated_ratio(pairs)
        self.ratio = ratio if ratio is not None else stated if math.isfinite(stated) else 1.0
        is_known = ratio is not None or math.isfinite(stated)
        self.line_note = self._noted("" if is_known else "both arms are taken to err alike: no uncertainty is stated")
        self.ways: dict[str, Callable[[str], Figure]] = {
            "bias": lambda _: differences.bias(pairs, probability=probability),
            "relative_bias": lambda _: differences.relative_bias(pairs, probability=probability),
            "mean_absolute_difference": lambda _: differences.mean_absolute_difference(pairs, probability=probability),
            "rmse": lambda _: differences.rmse(pairs, probability=probability),
            "lower_limit": self._limit,
            "upper_limit": self._limit,
            "lower_ratio_limit": self._limit,
            "upper_ratio_limit": self._limit,
            "bias_slope": self._sloping,
            "spread_slope": self._sloping,
            "concordance": self._concordance,
            "slope": lambda name: self._of_line(name, self._deming, "jackknife"),
            "intercept": lambda name: self._of_line(name, self._deming, "jackknife"),
            "weighted_slope": lambda name: self._of_line(name, self._weighted, "jackknife"),
            "weighted_intercept": lambda name: self._of_line(name, self._weighted, "jackknife"),
            "passing_bablok_slope": lambda name: self._of_line(name, self._ranks, "rank"),
            "passing_bablok_intercept": lambda name: self._of_line(name, self._ranks, "rank"),
            "linearity": self._linearity,
            "theil_sen_drift": lambda _: drift(pairs, probability=probability).pooled,
        }

    def figure(self, name: str) -> Figure:
        step("figures", about=name)
        try:
            return self.ways[name](name)
        except ValueError as error:
            # Data that do not allow a figure are an answer of their own: its reason stands where the number would.
            return lacking(name, self._unit(name), len(self.plain), str(error))

    def told(self, figure: Figure) -> Figure:
        """Return a figure with what its pairs are worth, and a word where its interval takes them for more."""
        if not math.isfinite(figure.interval[0]) or not math.isfinite(self._worth):
            return figure
        note = figure.note
        if self._worth < _NEARLY_ALL * len(self.plain):
            more = f"the interval is for independent pairs, and these are worth {self._worth:.0f}"
            note = f"{note}; {more}" if note else more
        return replace(figure, n_effective=self._worth, note=note)

    @cached_property
    def _worth(self) -> float:
        plain = self.plain
        try:
            return effective_size(autocorrelation(plain.difference, plain.time, plain.cluster))
        except ValueError:
            return math.nan  # too few, or they never change

    def _unit(self, name: str) -> str:
        return self.pairs.unit if name.endswith(("r_limit", "intercept")) else "1"

    def _noted(self, more: str) -> str:
        return "; ".join(part for part in (self.note, more) if part)

    def _made(self, name: str, value: float, ends: tuple[float, float], method: str, note: str | None = None) -> Figure:
        return Figure(
            name=name,
            value=value,
            unit=self._unit(name),
            interval=ends,
            probability=self.probability,
            n=len(self.plain),
            method=method,
            note=self.note if note is None else note,
        )

    @cached_property
    def _agreement(self) -> Agreement:
        return limits_of_agreement(self.plain.candidate, self.plain.reference, probability=self.probability)

    @cached_property
    def _ratios(self) -> RatioLimits:
        return ratio_limits(self.plain.candidate, self.plain.reference, probability=self.probability)

    def _limit(self, name: str) -> Figure:
        if "ratio" not in name and len(np.unique(self.plain.cluster)) > 1:
            return self._repeated_limit(name)
        found = self._ratios if "ratio" in name else self._agreement
        if name.startswith("lower"):
            return self._made(name, found.limits[0], found.lower_interval, "student_t")
        return self._made(name, found.limits[1], found.upper_interval, "student_t")

    @cached_property
    def _repeated(self) -> RepeatedAgreement:
        plain = self.plain
        return repeated_limits(plain.candidate, plain.reference, plain.cluster, probability=self.probability)

    def _repeated_limit(self, name: str) -> Figure:
        """Return a limit for several units: the variance within one and that between, not the pooled one."""
        found = self._repeated
        note = self._noted(f"of {found.units} units: {found.within_sd:.3g} within one, {found.between_sd:.3g} between")
        if name.startswith("lower"):
            return self._made(name, found.limits[0], found.lower_interval, "jackknife", note)
        return self._made(name, found.limits[1], found.upper_interval, "jackknife", note)

    @cached_property
    def _lines(self) -> SlopingLimits:
        self._refuse_still()
        plain = self.plain
        return sloping_limits(plain.candidate, plain.reference, probability=self.probability, weighted=True)

    def _refuse_still(self) -> None:
        """Refuse a line of an arm that never changes: against the mean of both it would slope by ± 2."""
        for arm, values in (("reference", self.plain.reference), ("candidate", self.plain.candidate)):
            if len(values) > 1 and not np.ptp(values) > 0.0:
                raise ValueError(f"the {arm} never changes")

    def _sloping(self, name: str) -> Figure:
        if name == "bias_slope":
            return self._made(name, self._lines.slope, self._lines.slope_interval, "robust")
        return self._made(name, self._lines.spread_slope, self._lines.spread_slope_interval, "robust")

    def _concordance(self, name: str) -> Figure:
        value, ends = concordance(self.plain.candidate, self.plain.reference, probability=self.probability)
        return self._made(
            name,
            value,
            ends,
            "fisher_z",
            self._noted("hangs on the range of the results: not to be compared across sites"),
        )

    @cached_property
    def _deming(self) -> Line:
        plain = self.plain
        return jackknifed_deming(plain.reference, plain.candidate, ratio=self.ratio, probability=self.probability)

    @cached_property
    def _weighted(self) -> Line:
        plain = self.plain
        return weighted_deming(plain.reference, plain.candidate, ratio=self.ratio, probability=self.probability)

    @cached_property
    def _ranks(self) -> Line:
        self._refuse_still()
        return passing_bablok(self.plain.reference, self.plain.candidate, probability=self.probability)

    def _of_line(self, name: str, line: Line, method: str) -> Figure:
        if not math.isfinite(line.slope):
            raise ValueError("candidate and reference do not rise together: there is no line")
        note = self.note if method == "rank" else self.line_note
        if name.endswith("intercept"):
            return self._made(name, line.intercept, line.intercept_interval, method, note)
        return self._made(name, line.slope, line.slope_interval, method, note)

    def _linearity(self, name: str) -> Figure:
        found = cusum_linearity(self.plain.reference, self.plain.candidate, self._ranks)
        told = "" if found.is_linear else "the relation is no line: slopes and intercepts describe it poorly"
        return self._made(name, found.p_value, (math.nan, math.nan), "cusum", self._noted(told))
