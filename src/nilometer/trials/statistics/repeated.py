"""Limits of agreement where a unit, a site or a sample was measured more than once.

Pooling such results as if each were of a water of its own makes limits too narrow and far too sure.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.series import unpack
from nilometer.trials.pairing.pairs import complete
from nilometer.uncertainty.coverage import coverage_factor

__all__ = ["RepeatedAgreement", "limits_of_replicates", "repeatability", "repeated_limits"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RepeatedAgreement:
    """Limits for single results of two instruments that measured several units several times.

    Parameters
    ----------
    n, units : int
        Results or pairs, and units.
    mean : float
        Difference.
    within_sd, between_sd : float
        Of the difference: within a unit, and between units; 0 where the latter cannot be told from none.
    sd : float
        Of one difference of any unit: both together.
    limits : (float, float)
        mean ± k·sd.
    mean_interval, lower_interval, upper_interval : (float, float)
        Confidence intervals by the jackknife over units; NaN for fewer than three units.
    """

    n: int
    units: int
    mean: float
    within_sd: float
    between_sd: float
    sd: float
    limits: tuple[float, float]
    mean_interval: tuple[float, float]
    lower_interval: tuple[float, float]
    upper_interval: tuple[float, float]


def repeated_limits(
    candidate: Any,  # noqa: ANN401 -- any series
    reference: Any,  # noqa: ANN401 -- any series
    unit: Sequence[Any] | NDArray[Any],
    *,
    k: float = 1.96,
    probability: float = 0.95,
) -> RepeatedAgreement:
    """Return limits of pairs of which several belong to one unit, while the water changes from pair to pair.

    Parameters
    ----------
    candidate, reference : series of n numbers
        Each pair of one moment; pairs with a missing result are left out.
    unit : sequence, shape (n,)
        Which unit, site or sample each pair belongs to.
    k, probability : float
        As in `nilometer.trials.statistics.agreement.limits_of_agreement`.

    Raises
    ------
    ValueError
        If there are fewer than three complete pairs, fewer than two units, or no unit has two pairs.

    References
    ----------
    Bland and Altman (2007), J. Biopharm. Stat. 17, 571-582: one-way analysis of variance of the differences; of units
    with unequal numbers mᵢ the divisor ((Σm)² − Σm²)/((u − 1)Σm).

    Examples
    --------
    >>> found = repeated_limits([1.0, 1.2, 3.0, 3.2], [1.1, 1.1, 2.7, 2.7], ["a", "a", "b", "b"])
    >>> round(found.mean, 3), round(found.within_sd, 4), round(found.between_sd, 4)
    (0.2, 0.1414, 0.2646)
    """
    name = np.unique(np.asarray(unit), return_inverse=True)[1]
    difference = unpack(candidate).values - unpack(reference).values
    if len(name) != len(difference):
        raise ValueError(f"{len(difference)} pairs and {len(name)} names of units: give one a pair")
    complete(candidate, reference, least=3)
    there = np.isfinite(difference)
    difference, name = difference[there], np.unique(name[there], return_inverse=True)[1]
    parts = [difference[name == one] for one in range(int(name.max()) + 1)]

    if len(parts) < 2:
        raise ValueError("all pairs are of one unit: its limits are those of nilometer.trials.statistics.agreement")
    if len(difference) == len(parts):
        raise ValueError("no unit has two pairs: what varies within one cannot be told")
    return _agreement(parts, _components, k, probability)


def limits_of_replicates(
    candidate: Sequence[Any], reference: Sequence[Any], *, k: float = 1.96, probability: float = 0.95
) -> RepeatedAgreement:
    """Return limits of single results where both instruments measured each unit more than once, and it held still.

    Parameters
    ----------
    candidate, reference : sequence of sequences of float
        Replicates of each unit; their numbers may differ.
    k, probability : float
        As in `repeated_limits`.

    Raises
    ------
    ValueError
        If units do not pair, or there are fewer than three, or one instrument never measured any unit twice.

    References
    ----------
    Bland and Altman (2007), J. Biopharm. Stat. 17, 571-582: variance of the differences of means, plus for each
    instrument (1 − mean of 1/m) of its variance within units; of two replicates each that of the paper of 1986.
    """
    if len(candidate) != len(reference) or len(candidate) < 3:
        raise ValueError(f"{len(candidate)} and {len(reference)} units: give as many of both, three or more")
    units = [
        (np.asarray(ours, np.float64), np.asarray(theirs, np.float64))
        for ours, theirs in zip(candidate, reference, strict=True)
    ]
    for side in (0, 1):
        if all(len(unit[side]) < 2 for unit in units):
            raise ValueError(f"the {('candidate', 'reference')[side]} measured no unit twice: its scatter is not known")
    return _agreement(units, _of_replicates, k, probability)


def repeatability(replicates: Sequence[Any]) -> tuple[float, float]:
    """Return the repeatability standard deviation of one instrument, and its repeatability coefficient of 1986.

    Parameters
    ----------
    replicates : sequence of sequences of float
        Two readings or more of each unit.

    Returns
    -------
    float
        √ of the mean variance within units.
    float
        2·√2 times that: of two readings of one unit, 95 % differ by less. (Later editions say 1.96 for 2.)

    Raises
    ------
    ValueError
        If no unit has two readings.

    References
    ----------
    Bland and Altman (1986), Lancet 327, 307-310: twice the standard deviation of differences of repeats about zero.

    Examples
    --------
    >>> [round(part, 4) for part in repeatability([[1.0, 1.2], [3.0, 2.8]])]
    [0.1414, 0.4]
    """
    parts = [part for part in (np.asarray(one, np.float64) for one in replicates) if len(part) > 1]
    if not parts:
        raise ValueError("no unit has two readings: give replicates")
    sd = math.sqrt(_within(parts))
    return sd, 2.0 * math.sqrt(2.0) * sd


def _within(parts: Sequence[Floats]) -> float:
    freedom = sum(len(part) - 1 for part in parts)
    return float(sum(np.sum((part - part.mean()) ** 2) for part in parts)) / freedom if freedom else math.nan


def _components(parts: Sequence[Floats]) -> tuple[float, float, float]:
    """Return mean, variance within and variance between of differences by unit."""
    sizes = np.array([len(part) for part in parts], np.float64)
    total, u = float(sizes.sum()), len(parts)
    mean = float(sum(part.sum() for part in parts)) / total
    within = _within(parts)
    between = sum(len(part) * (float(part.mean()) - mean) ** 2 for part in parts) / (u - 1)
    divisor = (total**2 - float(np.sum(sizes**2))) / ((u - 1) * total)
    return mean, within, max((between - within) / divisor, 0.0)


def _of_replicates(units: Sequence[tuple[Floats, Floats]]) -> tuple[float, float, float]:
    """Return mean, variance within and variance between of a single difference, from replicates."""
    means = np.array([float(ours.mean() - theirs.mean()) for ours, theirs in units])
    within = added = 0.0
    for side in (0, 1):
        parts = [unit[side] for unit in units]
        own = _within([part for part in parts if len(part) > 1])
        within += own
        added += own * (1.0 - float(np.mean([1.0 / len(part) for part in parts])))
    whole = float(means.var(ddof=1)) + added
    # Where both measured each unit as often, the mean is that of all results, as the paper has it.
    sizes = [len(ours) if len(ours) == len(theirs) else 0 for ours, theirs in units]
    weight = np.array(sizes, np.float64) if all(sizes) else np.ones(len(units))
    return float(np.average(means, weights=weight)), within, max(whole - within, 0.0)


def _agreement(units: Any, found: Any, k: float, probability: float) -> RepeatedAgreement:  # noqa: ANN401 -- either kind
    mean, within, between = found(units)
    if not math.isfinite(within):
        raise ValueError("no unit has two pairs: what varies within one cannot be told")
    sd = math.sqrt(within + between)
    limits = (mean - k * sd, mean + k * sd)
    u, ends = len(units), [(math.nan, math.nan)] * 3
    if u >= 3:
        ends = _intervals(units, found, (mean, sd), k, probability)
    n = sum(len(unit) if isinstance(unit, np.ndarray) else len(unit[0]) + len(unit[1]) for unit in units)
    return RepeatedAgreement(n, u, mean, math.sqrt(within), math.sqrt(between), sd, limits, ends[0], ends[1], ends[2])


def _intervals(
    units: Any,  # noqa: ANN401 -- of either kind
    found: Any,  # noqa: ANN401 -- what makes components of them
    whole: tuple[float, float],
    k: float,
    probability: float,
) -> list[tuple[float, float]]:
    """Return intervals of the mean and of both limits, leaving one unit out at a time.

    The mean and the logarithm of the variance scatter evenly; the limits' ends are put together from theirs (Zou 2013,
    Stat. Methods Med. Res. 22, 630-642: recovered variances).
    """
    u, (mean, sd) = len(units), whole
    parts = [found(units[:one] + units[one + 1 :]) for one in range(u)]
    means = np.array([part[0] for part in parts])
    variances = np.array([part[1] + part[2] for part in parts])
    t = coverage_factor(probability, u - 1)
    reach = t * _jackknife(means)
    ends = [(mean - reach, mean + reach)]
    if not sd or not np.all(variances > 0.0):
        return [*ends, (math.nan, math.nan), (math.nan, math.nan)]
    growth = math.exp(t * _jackknife(np.log(variances)) / 2.0)
    narrow, wide = k * (sd - sd / growth), k * (sd * growth - sd)
    near, far = math.hypot(reach, narrow), math.hypot(reach, wide)
    low, high = mean - k * sd, mean + k * sd
    return [*ends, (low - far, low + near), (high - near, high + far)]


def _jackknife(left: Floats) -> float:
    n = len(left)
    return math.sqrt((n - 1) / n * float(np.sum((left - left.mean()) ** 2)))
