"""Figures of pairs with intervals that respect how much the pairs know of each other.

A block bootstrap gives how a statistic scatters; its width is scaled to the standard error of the slowest waves and to
Student's t of as few degrees of freedom as those are. What coverage that has was measured: docs/trials-validation.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.figure import Figure
from nilometer.trials.inference.claims import OF_CLUSTERS
from nilometer.trials.inference.dependence import autocorrelation, block_length, run_starts
from nilometer.trials.inference.long_run import FEWEST_CLUSTERS, LongRun, fitted, long_run
from nilometer.trials.inference.moments import QUANTILE, STATISTICS, Moments, moments_of, unit_of
from nilometer.trials.inference.resampling import resample
from nilometer.trials.inference.skewness import Shape, shape_of, skewness_of_mean
from nilometer.trials.pairing.pairs import Pairs
from nilometer.uncertainty.coverage import coverage_factor

__all__ = ["FEWEST_EFFECTIVE", "KINDS", "Sampled", "block_of", "figures", "sample"]

Floats = NDArray[np.float64]

KINDS = ("scaled", "basic", "percentile")
SCALES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "plain": (lambda x: x, lambda y: y),
    "log": (np.log, np.exp),
    "arcsine": (
        lambda x: np.arcsin(np.sqrt(np.clip(x, 0.0, 1.0))),
        lambda y: np.sin(np.clip(y, 0.0, math.pi / 2)) ** 2,
    ),
    "one": (lambda x: -np.log1p(-x), lambda y: -np.expm1(-y)),
}
_SCALE_OF = {
    "mean_absolute_difference": "log",
    "rmse": "log",
    "sd": "log",
    QUANTILE: "log",
    "concordance": "one",
    "class_agreement": "arcsine",
}
_OF_BOTH = frozenset({"slope", "intercept", "concordance"})
# Below, coverage was seen to fall short of what is said: a figure is shown, and decides nothing.
FEWEST_EFFECTIVE = 20.0
FEWEST_BEYOND = 5.0
_FEWEST_RESAMPLES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """Pairs with their resamples.

    Parameters
    ----------
    pairs : Pairs
        In order of time within clusters, measured ones only.
    moments : Moments
        Their columns.
    means : ndarray of float64, shape (resamples, columns)
        Of the resamples.
    quantiles : ndarray of float64, shape (resamples,)
        Of the absolute difference.
    length : float
        Of a block, in pairs.
    block_s : float
        The same in seconds of the pairs' median spacing.
    scheme : str
        ``stationary``, ``circular`` or ``clusters``.
    censored : int
        Pairs left out because a result was beyond what its instrument measures.
    """

    pairs: Pairs
    moments: Moments
    means: Floats
    quantiles: Floats
    length: float
    block_s: float
    scheme: str
    censored: int = 0

    def replicates(self, name: str) -> Floats:
        """Return the statistic in every resample; NaN where it does not exist there."""
        return self.quantiles if name == QUANTILE else self.moments.statistic(name, self.means)

    def spread(self, name: str) -> LongRun:
        """Return the standard error of the statistic's influence: of the share beyond it for the quantile."""
        influence = self.moments.columns @ self.moments.gradient(name)
        found = long_run(influence, self.pairs.time, self.pairs.cluster)
        if name == "drift" and self.scheme != "clusters":
            return fitted(found, self.moments.day, self.moments.stretch)
        if name == QUANTILE:
            # Few pairs are beyond it, in few spells: two independent ones are given no more than a degree of freedom.
            beyond = found.n_effective * (1.0 - self.moments.probability)
            return replace(found, degrees_of_freedom=min(found.degrees_of_freedom, max(beyond / 2.0, 2.0)))
        return found

    def interval(
        self, name: str, level: float, *, kind: str = "scaled", spread: LongRun | None = None
    ) -> tuple[float, float]:
        """Return the interval that each end of is beyond the truth in `level` of trials.

        Parameters
        ----------
        name : str
            Of the statistic.
        level : float
            One-sided: 0.025 for an interval of 95 %.
        kind : str
            ``scaled`` is what decisions rest on: the bootstrap's standard error, times that of the slowest waves over
            the bootstrap's of the same influence, times Student's t, on a scale on which the statistic scatters evenly
            (logarithm of what is above 0, of 1 − concordance; arcsine of a share), its ends moved for the skewness that
            is left. ``basic`` and ``percentile`` are the
            plain block bootstrap: too narrow where the memory is long for the record, there to compare.
        spread : LongRun, optional
            As `spread` returned it.

        Raises
        ------
        ValueError
            If the kind is none of these.
        """
        if kind not in KINDS:
            raise ValueError(f"kind = {kind!r} (allowed: {', '.join(KINDS)})")
        value = self.moments.value(name)
        drawn = self.replicates(name)
        drawn = drawn[np.isfinite(drawn)]
        if not math.isfinite(value) or not len(drawn):
            return math.nan, math.nan
        if kind != "scaled":
            low, high = (float(each) for each in np.quantile(drawn, [level, 1.0 - level]))
            return (low, high) if kind == "percentile" else (2.0 * value - high, 2.0 * value - low)
        there, back = SCALES[_SCALE_OF.get(name, "plain")]
        with np.errstate(divide="ignore", invalid="ignore"):
            moved = there(drawn)
            middle = float(there(np.float64(value)))
            found = spread or self.spread(name)
            gradient = self.moments.gradient(name)
            linear = (self.means - self.moments.means) @ gradient
            scatter = float(linear.std())
            if not math.isfinite(middle) or not scatter:
                return math.nan, math.nan
            ratio = found.se / scatter
            shape = Shape(shift=0.0, skewness=0.0)
            if name != QUANTILE and self.scheme != "clusters":
                # Twice the length: a third moment takes longer blocks than a second one.
                uneven = skewness_of_mean(self.moments.columns @ gradient, 2.0 * self.length)
                shape = shape_of(there(self.replicates(name)), middle, linear, uneven, ratio)
            below, above = shape.ends(coverage_factor(1.0 - 2.0 * level, found.degrees_of_freedom))
            se = ratio * float(moved[np.isfinite(moved)].std())
            low, high = float(back(middle - above * se)), float(back(middle - below * se))
            # Where little is known the scale's end is passed: no concordance is below -1.
            return (max(low, -1.0), high) if name == "concordance" else (low, high)

    def figure(self, name: str, *, probability: float = 0.95, kind: str = "scaled") -> Figure:
        """Return a statistic with its interval, and what has to be known beside it."""
        unit, value = unit_of(name, self.pairs.unit), self.moments.value(name)
        still = self._still() if name in _OF_BOTH else ""
        if not math.isfinite(value) or still:
            note = still or self._why_not(name)
            return Figure(name=name, value=math.nan, unit=unit, n=len(self.pairs), note=note)
        spread, method = self.spread(name), "cluster_bootstrap" if self.scheme == "clusters" else "block_bootstrap"
        low, high, known = math.nan, math.nan, spread.se > 0.0
        if known:
            low, high = self.interval(name, (1.0 - probability) / 2.0, kind=kind, spread=spread)
        elif name == "class_agreement" and self.spread("bias").se > 0.0:
            # No pair disagrees, or all do: the exact limit for as many independent pairs as the differences are worth.
            spread, method, known = self.spread("bias"), "binomial", True
            end = ((1.0 - probability) / 2.0) ** (1.0 / spread.n_effective)
            low, high = (end, 1.0) if value == 1.0 else (0.0, 1.0 - end)
        return Figure(
            name=name,
            value=value,
            unit=unit,
            interval=(low, high),
            probability=probability,
            n=len(self.pairs),
            n_effective=spread.n_effective,
            method=method,
            note="; ".join(self._notes(name, spread, known=known)),
        )

    def _notes(self, name: str, spread: LongRun, *, known: bool) -> Iterable[str]:
        count = len(np.unique(self.pairs.cluster))
        if not known:
            yield "it never changes over the pairs, so that its spread is not known"
        elif lacking := self.lack(name, spread):
            yield lacking
        if 1 < count < FEWEST_CLUSTERS:
            yield f"of these {count} clusters, not of others: that takes {FEWEST_CLUSTERS} or more"
        if self.censored:
            yield f"without {self.censored} pairs beyond what an instrument measures"

    def lack(self, name: str, spread: LongRun) -> str:
        """Return why a decision must not rest on the statistic's interval; empty where it may.

        It may be too uncertain itself; and an arm that never changes has a mean difference, narrow over a long record,
        which says nothing of how it follows the water: a stuck sensor would pass.
        """
        if still := self._still():
            return f"{still}: how it follows the water is not known"
        if self.scheme == "clusters":
            count = len(np.unique(self.pairs.cluster))
            if name in OF_CLUSTERS:
                return ""
            return f"of {count} clusters, of which no number was shown to be enough for this statistic"
        least = FEWEST_EFFECTIVE if name != QUANTILE else FEWEST_BEYOND / (1.0 - self.moments.probability)
        if spread.n_effective >= least:
            return ""
        return f"worth {math.floor(spread.n_effective)} independent pairs, and {least:.0f} are needed"

    def _still(self) -> str:
        """Return which arm never changes, so that there is neither line nor correlation between the two."""
        ours, theirs = (not np.ptp(each) > 0.0 for each in (self.pairs.candidate, self.pairs.reference))
        return "the reference never changes" if theirs else "the candidate never changes" if ours else ""

    def _why_not(self, name: str) -> str:
        return {
            "class_agreement": "no limits of classes are given",
            "excess_error": "no arbiter is given",
            "relative_bias": "the reference's mean is 0",
            "drift": "all pairs are of one time",
        }.get(name, "the reference never changes")


def block_of(pairs: Pairs) -> tuple[float, float, int]:
    """Return automatic block lengths for pairs (stationary, circular), and the step of their times in µs.

    The longer of those for the difference and for its absolute value: what makes a sensor worse for days may leave the
    mean where it is.

    Raises
    ------
    ValueError
        If there are fewer than two pairs.
    """
    lengths, step = [], 1
    for column in (pairs.difference, np.abs(pairs.difference)):
        if np.ptp(column) > 0.0:
            found = autocorrelation(column, pairs.time, pairs.cluster)
            lengths.append(block_length(found))
            step = found.step_us
    if not lengths:
        if len(pairs) < 2:
            raise ValueError(f"{len(pairs)} pairs have no block length: two or more are needed")
        return 1.0, 1.0, 1
    return max(each[0] for each in lengths), max(each[1] for each in lengths), step


def sample(
    pairs: Pairs,
    *,
    resamples: int = 10_000,
    seed: int = 1,
    scheme: str = "stationary",
    length: float | None = None,
    stretch: float = 1.0,
    ratio: float | None = None,
    class_edges: Sequence[float] = (),
    arbiter: Floats | None = None,
) -> Sampled:
    """Return pairs with resamples of blocks, or of whole clusters where there are five or more.

    Parameters
    ----------
    pairs : Pairs
        In any order; censored ones are left out and counted.
    resamples : int
        How many.
    seed : int
        Of the draws: the same pairs, seed and numbers give the same resamples.
    scheme : str
        ``stationary`` or ``circular``.
    length : float, optional
        Of a block, in pairs; default: automatic.
    stretch : float
        What the length is multiplied by: ½ and 2 show how much hangs on it.
    ratio, class_edges, arbiter
        As in `moments.moments_of`; a pair without an arbiter (NaN) is left out.

    Raises
    ------
    ValueError
        If fewer than two measured pairs are left, or too few resamples are asked for.
    """
    if resamples < _FEWEST_RESAMPLES:
        raise ValueError(f"resamples = {resamples} (allowed: {_FEWEST_RESAMPLES} or more)")
    measured = (pairs.candidate_censored == 0) & (pairs.reference_censored == 0)
    there = measured if arbiter is None else measured & np.isfinite(arbiter)
    rows = np.flatnonzero(there)
    rows = rows[np.lexsort((pairs.time[rows], pairs.cluster[rows]))]
    if len(rows) < 2:
        bounds = int(len(pairs) - np.count_nonzero(measured))
        beyond = f" ({bounds} more have a result beyond what an instrument measures)" if bounds else ""
        raise ValueError(f"{len(rows)} measured pairs{beyond}: two or more are needed for a figure with an interval")
    kept = pairs.take(rows)
    moments = moments_of(kept, ratio=ratio, class_edges=class_edges, arbiter=None if arbiter is None else arbiter[rows])
    stationary, circular, step = block_of(kept)
    automatic = stationary if scheme == "stationary" else circular
    size = min(max((automatic if length is None else length) * stretch, 1.0), float(len(kept)))
    clusters = np.concatenate([np.flatnonzero(np.diff(kept.cluster, prepend=kept.cluster[0] - 1)), [len(kept)]])
    whole = len(clusters) - 1 >= FEWEST_CLUSTERS
    drawn = resample(
        moments.columns,
        run_starts(kept.time, kept.cluster, step_us=step, length=size),
        clusters,
        length=size,
        resamples=resamples,
        seed=seed,
        scheme=scheme,
        whole_clusters=whole,
        ranked=moments.absolute,
        probability=moments.probability,
    )
    return Sampled(
        pairs=kept,
        moments=moments,
        means=drawn.means,
        quantiles=drawn.quantiles,
        length=size,
        block_s=size * step / 1e6,
        scheme="clusters" if whole else scheme,
        censored=int(len(pairs) - np.count_nonzero(measured)),
    )


def figures(sampled: Sampled, names: Iterable[str] = tuple(STATISTICS), *, probability: float = 0.95) -> list[Figure]:
    """Return the figures of resampled pairs, in the order of their names."""
    return [sampled.figure(name, probability=probability) for name in names]
