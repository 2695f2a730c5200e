"""How long a trial has to be: days, references and grab samples for a wanted power, from pilot pairs.

A pilot gives what one pair scatters and what it is worth beside its neighbours; the margin and the difference that is
expected give how many independent pairs it takes. A pilot short for its memory gives a rough answer, and says so.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.inference.deciding import IDEAL, distance_of
from nilometer.trials.inference.endpoint import Endpoint, Kind
from nilometer.trials.inference.intervals import FEWEST_EFFECTIVE
from nilometer.trials.inference.long_run import FEWEST_WAVES, long_run, waves_of
from nilometer.trials.inference.moments import moments_of
from nilometer.trials.pairing.pairs import Pairs
from nilometer.uncertainty.coverage import coverage_factor

__all__ = ["Sizing", "power_of", "sample_size", "size_of_trial"]

DAY_US = 86_400e6
Floats = NDArray[np.float64]
# Variance of the logarithm of a worth as found, times the worth, of many pairs; and what few that remember lessen it
# by, as a worth: of AR(1) records of 20 to 400 effective pairs, drawn. These are found worth more, by their mean.
_SCATTER = 7.0
_FEW = 45.0
_MORE = 3.0
_WORTHS = 24
_SPREADS = 48
# How often the slowest quarter of the waves is taken for rising where it is level.
_RISING = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizing:
    """What a trial needs.

    Parameters
    ----------
    effective : float
        Independent pairs.
    pairs : int
        Pairs at the pilot's spacing.
    days : float
        Of that spacing without gaps.
    grab_samples : int
        Independent pairs with an arbiter of `arbiter_uncertainty` instead: taken no closer than `apart_s`.
    apart_s : float
        Time after which two pairs are worth two.
    by_references : mapping of int to float
        Days with the mean of so many references; empty unless the reference's own noise is known.
    sd : float
        Of what one pair says of the statistic.
    difference : float
        Of the statistic from its ideal, as expected.
    margin : float
        In the statistic's unit.
    power, alpha : float
        As asked.
    note : str
        What a reader has to know beside it.
    """

    effective: float
    pairs: int
    days: float
    grab_samples: int
    apart_s: float
    by_references: dict[int, float]
    sd: float
    difference: float
    margin: float
    power: float
    alpha: float
    note: str


def sample_size(
    sd: float,
    margin: float,
    *,
    difference: float = 0.0,
    alpha: float = 0.025,
    power: float = 0.8,
    two_sided: bool = False,
    memory: float | None = None,
) -> float:
    """Return how many independent pairs show that a mean is within a margin.

    Parameters
    ----------
    sd : float
        Of one pair.
    margin : float
        Above `difference`.
    difference : float
        The true mean, 0 or more.
    alpha : float
        One-sided.
    power : float
        Chance to show it, 0 to 1.
    two_sided : bool
        Whether both sides have to be shown: with a difference of 0 each may fail.
    memory : float, optional
        How many pairs are worth one; given, the size is that of `power_of`, which knows how uncertain spread and worth
        of a record are, instead of the published one for a known spread.

    Returns
    -------
    float
        Not rounded.

    Raises
    ------
    ValueError
        If the margin is not beyond the difference, or a share is not between 0 and 1.

    References
    ----------
    n = (z₁₋α + z₁₋β)²·s²/(D − δ)²; Schuirmann's two tests at δ = 0 with z₁₋β/₂ (Julious (2004), Statistics in Medicine
    23, 1921-1986).

    Examples
    --------
    >>> round(sample_size(1.0, 1.0), 3), round(sample_size(1.0, 1.0, power=0.9), 3)
    (7.849, 10.507)
    """
    if not 0.0 <= difference < margin:
        raise ValueError(
            f"a difference of {difference:.4g} is expected: only one below the margin of {margin:.4g} can be shown"
        )
    for name, share in (("alpha", alpha), ("power", power)):
        if not 0.0 < share < 1.0:
            raise ValueError(f"{name} = {share!r} (allowed: above 0, below 1)")
    miss = (1.0 - power) / 2.0 if two_sided and difference == 0.0 else 1.0 - power
    known = (sd * (_quantile(1.0 - alpha, math.inf) + _quantile(1.0 - miss, math.inf)) / (margin - difference)) ** 2
    if memory is None or not known:
        return known

    def suffices(n: float) -> bool:
        found = power_of(n, sd, margin, difference=difference, alpha=alpha, two_sided=two_sided, memory=memory)
        return found >= power - 1e-9

    low = high = known
    while not suffices(high):
        low, high = high, 2.0 * high
    while high - low > 1e-6 * high:
        middle = (low + high) / 2.0
        low, high = (low, middle) if suffices(middle) else (middle, high)
    return high


def power_of(
    effective: float,
    sd: float,
    margin: float,
    *,
    difference: float = 0.0,
    alpha: float = 0.025,
    two_sided: bool = False,
    memory: float = math.inf,
) -> float:
    """Return the chance to show that a mean is within a margin with so many independent pairs.

    Parameters
    ----------
    effective : float
        Independent pairs.
    sd, margin, difference, alpha, two_sided
        As in `sample_size`.
    memory : float
        How many pairs are worth one; 1: independent.

    Notes
    -----
    A record finds for itself what its pairs are worth, so how many waves its spread rests on; where it finds fewer than
    20 effective pairs nothing is decided. The chance is the mean over the worths it may find, and over the spreads it
    may find with each. Both sides are failed together where the spread found is large, so their chances do not add up.

    References
    ----------
    Phillips (1990), J. Pharmacokinetics and Biopharmaceutics 18, 137-144: power of two one-sided tests. Scatter of a
    worth: Madras and Sokal (1988), J. Statistical Physics 50, 109-186, appendix C.

    Examples
    --------
    >>> round(power_of(1000.0, 1.0, 0.1), 2)
    0.81
    """
    from scipy.special import ndtri  # noqa: PLC0415 -- slow to import

    places = np.asarray(ndtri(_midpoints(_WORTHS)))
    # Independent pairs are found worth all or less, and less by as much as many are.
    remembers = min(2.0 * (memory - 1.0), 1.0)
    scatter = math.sqrt(_SCATTER / (effective + remembers * _FEW))
    worths = effective * np.exp(remembers * _MORE / effective + scatter * places)
    worths = np.minimum(worths, effective * memory)
    shares: dict[int, float] = {}
    for worth in worths[worths >= FEWEST_EFFECTIVE]:
        waves = waves_of(float(worth), effective * memory / float(worth))
        slow = max(waves // 4, FEWEST_WAVES)
        rising = _RISING if waves > slow else 0.0
        for freedom, share in ((waves, 1.0 - rising), (slow, rising)):
            shares[freedom] = shares.get(freedom, 0.0) + share / _WORTHS
    root = math.sqrt(effective) / sd
    sides = ((margin - difference) * root, (margin + difference) * root if two_sided else math.inf)
    return math.fsum(share * _within(sides, alpha, freedom) for freedom, share in shares.items())


def _within(sides: tuple[float, float], alpha: float, freedom: int) -> float:
    """Return the chance that an interval keeps both margins, these in standard errors from the mean."""
    from scipy.special import gammaincinv, ndtr  # noqa: PLC0415 -- slow to import

    found = np.sqrt(gammaincinv(freedom / 2.0, _midpoints(_SPREADS)) * 2.0 / freedom)
    half = _quantile(1.0 - alpha, freedom) * found
    chance = ndtr(sides[0] - half) - ndtr(half - sides[1])
    return float(np.mean(np.maximum(chance, 0.0)))


def _midpoints(count: int) -> Floats:
    return (np.arange(count) + 0.5) / count


def size_of_trial(
    pilot: Pairs,
    endpoint: Endpoint,
    margin: float,
    *,
    power: float = 0.8,
    difference: float | None = None,
    arbiter_uncertainty: float = 0.0,
) -> Sizing:
    """Return what a trial of an endpoint needs, from pairs of a pilot.

    Parameters
    ----------
    pilot : Pairs
        Two or more; better some weeks.
    endpoint : Endpoint
        The claim; its statistic is any but the quantile and what needs classes or an arbiter.
    margin : float
        In the statistic's unit: `deciding.margin_of`.
    power : float
        Wanted, 0 to 1.
    difference : float, optional
        How far from its ideal the statistic is expected; default: as the pilot has it.
    arbiter_uncertainty : float
        Standard, of one grab sample, in the pairs' unit.

    Raises
    ------
    ValueError
        If the pilot does not show the statistic, or what is expected is not within the margin.
    """
    moments = moments_of(pilot)
    value = moments.value(endpoint.statistic)
    if not math.isfinite(value):
        raise ValueError(f"the pilot does not show {endpoint.statistic}: give pairs that do")
    influence = moments.columns @ moments.gradient(endpoint.statistic)
    spread = long_run(influence, pilot.time, pilot.cluster)
    sd = float(influence.std(ddof=1))
    off = abs(distance_of(endpoint.statistic, value)) if difference is None else difference
    two_sided = endpoint.statistic in IDEAL or endpoint.kind is Kind.EQUIVALENCE
    n = len(pilot)
    # The pairs' worth from the spread itself where that is worse than what the correlations say.
    worth = min(spread.n_effective, sd**2 / spread.se**2 if spread.se else float(n))
    memory = n / max(worth, 1.0)
    near = np.diff(pilot.time)[np.diff(pilot.cluster) == 0]
    near = near[near > 0]
    if not len(near):
        raise ValueError("the pilot's pairs are all of one time: give some that follow each other")
    step = float(np.median(near))

    def least(scatter: float, worth_one: float) -> float:
        n = sample_size(
            scatter,
            margin,
            difference=off,
            alpha=endpoint.alpha,
            power=power,
            two_sided=two_sided,
            memory=worth_one,
        )
        return max(n, FEWEST_EFFECTIVE)

    needed, alone = least(sd, memory), least(math.hypot(sd, arbiter_uncertainty), 1.0)
    by_references = {}
    own = float(np.mean(pilot.reference_uncertainty**2))
    if endpoint.statistic in {"bias", "relative_bias"} and 0.0 < own < sd**2:
        for count in (1, 2, 3, 4):
            by_references[count] = least(math.sqrt(sd**2 - own + own / count), memory) * memory * step / DAY_US
    note = ""
    if worth < FEWEST_EFFECTIVE:
        note = f"the pilot is worth {worth:.0f} independent pairs, fewer than {FEWEST_EFFECTIVE:.0f}: a rough answer"
    return Sizing(
        effective=needed,
        pairs=math.ceil(needed * memory),
        days=needed * memory * step / DAY_US,
        grab_samples=math.ceil(alone),
        apart_s=memory * step / 1e6,
        by_references=by_references,
        sd=sd,
        difference=off,
        margin=margin,
        power=power,
        alpha=endpoint.alpha,
        note=note,
    )


def _quantile(share: float, freedom: float) -> float:
    return math.copysign(coverage_factor(abs(2.0 * share - 1.0), freedom), share - 0.5) if share != 0.5 else 0.0
