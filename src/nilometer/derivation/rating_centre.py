"""The one curve that stands for a sample of them: of the same form, and nearest to their mean.

The mean of power laws with different breaks is none. The curve that is published should be one, and lie in the middle:
so the form is fitted to the mean of ln Q of the sample, by offsets and breaks (Nelder-Mead), the rest by least squares.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from nilometer.derivation.rating_bayes import Posterior, Problem, basis_of

__all__ = ["central"]

Array = NDArray[np.float64]

_NODES = 120
_WRONG = 1e30  # not infinite: the search takes differences


def central(problem: Problem, posterior: Posterior) -> tuple[Array, Array, Array, Array]:
    """Return start, offset, ln a and b of the central curve's segments.

    Parameters
    ----------
    problem : Problem
        The gaugings; the mean is compared over their stages.
    posterior : Posterior
        The sample.
    """
    from scipy.optimize import minimize  # noqa: PLC0415 -- slow to import

    k = problem.segments
    low, high = problem.stage[0], problem.stage[-1]
    # Half of the nodes by the gaugings, which are mostly low, half evenly.
    stage = np.sort(
        np.concatenate([np.quantile(problem.stage, np.linspace(0, 1, _NODES)), np.linspace(low, high, _NODES)])
    )
    few = slice(0, 500)
    bases = basis_of(stage, posterior.offset[few], posterior.start[few])
    linear = np.column_stack([posterior.log_scale[few], posterior.exponent[few]])
    curves = (bases @ linear[:, :, None])[..., 0]
    mean = curves.mean(axis=0)
    nearest = int(((curves - mean) ** 2).sum(axis=1).argmin())

    def placed(place: Array) -> tuple[Array, Array]:
        start = np.concatenate([[-np.inf], place[k:]])
        foot = np.concatenate([[low], place[k:]])
        return foot - np.exp(np.clip(place[:k], -40.0, 40.0)), start

    def solved(place: Array) -> tuple[float, Array]:
        offset, start = placed(place)
        if (np.diff(start[1:], prepend=low, append=high) <= 0).any():
            return _WRONG, linear[nearest]
        basis = basis_of(stage, offset[None], start[None])[0]
        solution = np.linalg.lstsq(basis, mean, rcond=None)[0]
        if (solution[1:] <= 0.05).any():
            return _WRONG, solution
        return float(((basis @ solution - mean) ** 2).sum()), solution

    foot = np.concatenate([[low], posterior.start[nearest, 1:]])
    first = np.concatenate([np.log(foot - posterior.offset[nearest]), posterior.start[nearest, 1:]])
    best = minimize(lambda place: solved(place)[0], first, method="Nelder-Mead",
                    options={"maxiter": 400 * k, "xatol": 1e-6, "fatol": 1e-12}).x  # fmt: skip
    error, solution = solved(best)
    if error >= _WRONG:
        best, solution = first, linear[nearest]
    offset, start = placed(best)
    log_scale = np.empty(k)
    log_scale[0] = solution[0]
    for i in range(1, k):
        below = log_scale[i - 1] + solution[i] * np.log(start[i] - offset[i - 1])
        log_scale[i] = below - solution[i + 1] * np.log(start[i] - offset[i])
    return start, offset, log_scale, solution[1:].copy()
