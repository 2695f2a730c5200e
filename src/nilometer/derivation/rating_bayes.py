"""The posterior of a segmented power law, given gaugings: how likely each curve is, and a sample of them.

The curve is ``ln Q = α + Σ b_k L_k(h)`` with ``L_1 = ln(min(h, s_2) - c_1)`` and, above the break s_k,
``L_k = ln((min(h, s_{k+1}) - c_k) / (s_k - c_k))``: power laws that meet at the breaks (Reitan and Petersen-Øverleir
2009). Given offsets c, breaks s and the scatter σ it is linear in α and b, whose Gaussian part of the posterior is
therefore integrated in closed form; what is left, 2 K numbers for K segments, is explored by differential evolution
Markov chains (ter Braak 2006; `rating_walk`) from a start that has searched the whole range of the breaks, for such
posteriors often have several modes.

It knows no units and reads no files; `rating_fit` does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from nilometer.derivation.rating_walk import LOG_HEAD, LOG_HEAD_SD, LOG_STEP, LOG_STEP_SD, likely, walk

__all__ = ["GOOD_RHAT", "Posterior", "Problem", "basis_of", "sample"]

Array = NDArray[np.float64]

GOOD_RHAT: Final = 1.1
_WALKERS_A_DIMENSION: Final = 10
_CHUNK: Final = 400
_SCALE_PRECISION: Final = 1e-4


@dataclass(frozen=True, slots=True)
class Problem:
    """Gaugings and what is known before them.

    Parameters
    ----------
    stage : ndarray of float64, shape (n,)
        Rising.
    log_discharge, variance : ndarray of float64, shape (n,)
        ln Q, and the variance of ln Q that the gaugings themselves have.
    weight : ndarray of float64, shape (n,)
        Of each gauging, 1 where it counts fully: its variance and the scatter are divided by it.
    segments : int
        How many.
    exponent, exponent_sd : ndarray of float64, shape (segments,)
        Gaussian prior of the exponents.
    break_at, break_sd : ndarray of float64, shape (segments - 1,)
        Gaussian prior of the breaks; NaN: anywhere between the gaugings.
    zero_flow, zero_flow_sd : float
        Gaussian prior of the first offset, the stage of zero flow; NaN: not known.
    fewest : int
        Gaugings that each segment must have.
    """

    stage: Array
    log_discharge: Array
    variance: Array
    weight: Array
    segments: int
    exponent: Array
    exponent_sd: Array
    break_at: Array
    break_sd: Array
    zero_flow: float
    zero_flow_sd: float
    fewest: int

    @property
    def range(self) -> float:
        """Difference between the highest and the lowest gauged stage."""
        return float(self.stage[-1] - self.stage[0])

    @property
    def dimensions(self) -> int:
        """Count of what is explored: an offset a segment, a break between two, the scatter."""
        return 2 * self.segments


@dataclass(frozen=True, slots=True)
class Posterior:
    """A sample of curves.

    Parameters
    ----------
    offset, exponent : ndarray of float64, shape (m, segments)
        c and b.
    start : ndarray of float64, shape (m, segments)
        Stage where each segment begins; -inf for the first.
    log_scale : ndarray of float64, shape (m,)
        α: ln Q at one unit of stage above the first offset.
    scatter : ndarray of float64, shape (m,)
        σ of ln Q.
    predicted : ndarray of float64, shape (n,)
        Expected log density of ln Q of each gauging if it were a new one, lppd - p (Watanabe 2010; Gelman et al. 2014).
    parameters_used : float
        The sum of p, the effective number of parameters.
    rhat : float
        The largest potential scale reduction between the two halves of the walkers (Gelman and Rubin 1992); near 1
        where the sample can be trusted.
    acceptance : float
        Share of proposals taken.
    """

    offset: Array
    exponent: Array
    start: Array
    log_scale: Array
    scatter: Array
    predicted: Array
    parameters_used: float
    rhat: float
    acceptance: float

    @property
    def waic(self) -> float:
        """The widely applicable information criterion of ln Q, minus twice the sum of `predicted`."""
        return -2.0 * float(self.predicted.sum())


def sample(problem: Problem, *, draws: int, steps: int, seed: int, most: int = 1) -> Posterior:
    """Return a sample of the curves that the gaugings allow.

    Parameters
    ----------
    problem : Problem
        Gaugings and priors.
    draws : int
        Curves to return.
    steps : int
        Steps of each walker; the first third is thrown away.
    seed : int
        The same seed gives the same sample.
    most : int
        So many times the steps at most, where the walkers do not agree.

    Returns
    -------
    Posterior
        The curves and how well they were found.
    """
    random = np.random.default_rng(seed)
    walkers = max(24, _WALKERS_A_DIMENSION * problem.dimensions)
    setting = _setting(problem)
    place, log = _start(problem, walkers, random)
    chain = np.empty((0, walkers, problem.dimensions))
    taken = 0
    while True:
        more = np.empty((steps, walkers, problem.dimensions))
        taken += walk(place, log, more, random, *setting)
        chain = np.concatenate([chain, more])
        kept = chain[len(chain) // 3 :]
        rhat = _rhat(kept)
        if rhat < GOOD_RHAT or len(chain) >= most * steps:
            break
    points = kept.reshape(-1, problem.dimensions)
    chosen = points[random.choice(len(points), draws, replace=len(points) < draws)]
    return _curves(problem, chosen, rhat, taken / (len(chain) * walkers), random)


def _setting(problem: Problem) -> tuple[Any, ...]:
    """Return the problem as the compiled walk takes it."""
    k = problem.segments
    precision = np.concatenate([[_SCALE_PRECISION], problem.exponent_sd**-2.0])
    mean = np.concatenate([[float(np.median(problem.log_discharge))], problem.exponent])
    known = np.full((k, 2), np.nan)
    known[0] = problem.zero_flow, problem.zero_flow_sd
    known[1:, 0], known[1:, 1] = problem.break_at, problem.break_sd
    return (
        problem.stage,
        problem.log_discharge,
        problem.variance,
        problem.weight,
        precision,
        mean,
        known,
        problem.fewest,
    )


def _unpacked(problem: Problem, place: Array) -> tuple[Array, Array, Array]:
    """Return offsets and starts, both (m, segments), and scatter (m,), of places (m, 2 segments)."""
    k = problem.segments
    start = np.full((len(place), k), -np.inf)
    start[:, 1:] = place[:, k : 2 * k - 1]
    foot = start.copy()
    foot[:, 0] = problem.stage[0]
    offset = foot - problem.range * np.exp(place[:, :k])
    return offset, start, np.exp(place[:, -1])


def basis_of(stage: Array, offset: Array, start: Array) -> Array:
    """Return 1 and L_k(h) of m curves at n stages, shape (m, n, segments + 1)."""
    m, k = offset.shape
    basis = np.ones((m, len(stage), k + 1))
    for i in range(k):
        h = stage[None, :]
        if i + 1 < k:
            h = np.minimum(h, start[:, i + 1, None])
        if i > 0:
            h = np.maximum(h, start[:, i, None])
            basis[:, :, i + 1] = np.log((h - offset[:, i, None]) / (start[:, i] - offset[:, i])[:, None])
        else:
            basis[:, :, 1] = np.log(np.maximum(h - offset[:, 0, None], 1e-300))
    return basis


def _conditional(problem: Problem, place: Array) -> tuple[Array, Array, Array, Array]:
    """Return mean and Cholesky factor of the precision of (α, b) at places, the basis, and the variances."""
    offset, start, scatter = _unpacked(problem, place)
    basis = basis_of(problem.stage, offset, start)
    variance = (scatter[:, None] ** 2 + problem.variance) / problem.weight
    *_, prior_precision, prior_mean, _, _ = _setting(problem)
    size = problem.segments + 1
    weighted = basis / variance[:, :, None]
    precision = np.swapaxes(weighted, 1, 2) @ basis
    precision[:, range(size), range(size)] += prior_precision
    right = np.swapaxes(weighted, 1, 2) @ problem.log_discharge + prior_precision * prior_mean
    mean = np.linalg.solve(precision, right[..., None])[..., 0]
    return mean, np.linalg.cholesky(precision).astype(np.float64, copy=False), basis, variance


def _start(problem: Problem, walkers: int, random: np.random.Generator) -> tuple[Array, Array]:
    """Return places for the walkers, and how likely they are: the likelier ones of many over the whole range."""
    k, many = problem.segments, 2000 * problem.segments
    place = np.empty((many, problem.dimensions))
    place[:, 0] = LOG_HEAD + LOG_HEAD_SD * random.standard_normal(many)
    if np.isfinite(problem.zero_flow):
        told = problem.zero_flow + problem.zero_flow_sd * random.standard_normal(many)
        place[:, 0] = np.log(np.maximum(problem.stage[0] - told, 1e-3 * problem.range) / problem.range)
    place[:, 1:k] = LOG_STEP + LOG_STEP_SD * random.standard_normal((many, k - 1))
    low, high = problem.stage[0], problem.stage[-1]
    breaks = low + (high - low) * random.random((many, k - 1)) ** 1.5
    known = np.isfinite(problem.break_at)
    normal = random.standard_normal((many, int(known.sum())))
    breaks[:, known] = problem.break_at[known] + problem.break_sd[known] * normal
    place[:, k : 2 * k - 1] = np.sort(breaks, axis=1)
    place[:, -1] = np.log(0.02) + 2.5 * random.random(many)
    setting = _setting(problem)
    log = likely(place, *setting)
    if not np.isfinite(log).any():
        raise ValueError(f"no curve of {k} segments has {problem.fewest} gaugings in each at the breaks that are told")
    chance = np.exp(0.5 * (log - log.max()))  # tempered: several modes keep some walkers each
    chance[~np.isfinite(log)] = 0.0
    chosen = random.choice(many, walkers, p=chance / chance.sum())
    jitter = 0.02 * random.standard_normal((walkers, problem.dimensions))
    jitter[:, k : 2 * k - 1] *= problem.range
    moved = place[chosen] + jitter
    fine = np.isfinite(likely(moved, *setting))
    place = np.where(fine[:, None], moved, place[chosen])
    return place, likely(place, *setting)


def _rhat(chain: Array) -> float:
    """Return the largest potential scale reduction over the parameters, of the halves of each walker's chain."""
    n = len(chain) // 2
    parts = np.concatenate([chain[:n], chain[n : 2 * n]], axis=1)
    within = parts.var(axis=0, ddof=1).mean(axis=0)
    between = n * parts.mean(axis=0).var(axis=0, ddof=1)
    return float(np.sqrt(((n - 1) / n * within + between / n) / within).max())


def _curves(problem: Problem, place: Array, rhat: float, acceptance: float, random: np.random.Generator) -> Posterior:
    """Return curves at the places, α and b drawn from their conditional Gaussian, and their information criterion."""
    offset, start, scatter = _unpacked(problem, place)
    linear = np.empty((len(place), problem.segments + 1))
    fit = np.empty((len(place), len(problem.stage)))
    variance = np.empty_like(fit)
    for at in range(0, len(place), _CHUNK):
        part = slice(at, at + _CHUNK)
        mean, factor, basis, variance[part] = _conditional(problem, place[part])
        noise = random.standard_normal(mean.shape)
        linear[part] = mean + np.linalg.solve(np.swapaxes(factor, 1, 2), noise[..., None])[..., 0]
        linear[part, 1:] = np.maximum(linear[part, 1:], 0.01)  # more water never flows less
        fit[part] = (basis @ linear[part, :, None])[..., 0]
    log = -0.5 * (np.log(2.0 * np.pi * variance) + (problem.log_discharge - fit) ** 2 / variance)
    used = log.var(axis=0, ddof=1)
    top = log.max(axis=0)
    predicted = top + np.log(np.exp(log - top).mean(axis=0)) - used
    return Posterior(
        offset=offset, exponent=linear[:, 1:], start=start, log_scale=linear[:, 0], scatter=scatter,
        predicted=predicted, parameters_used=float(used.sum()), rhat=rhat, acceptance=acceptance,
    )  # fmt: skip
