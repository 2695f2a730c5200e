"""Several references of one water: as one, weighted by how little each errs, after it was asked whether they agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.figure import Figure
from nilometer.trials.pairing.arm import Arm
from nilometer.trials.pairing.matching import mutual_nearest
from nilometer.trials.pairing.pairs import Pairs, check_size
from nilometer.trials.statistics.differences import bias
from nilometer.trials.statistics.reference_error import ErrorVariance, three_cornered_hat

__all__ = ["Combination", "References", "combine", "meeting"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Combination:
    """How references became one.

    Parameters
    ----------
    names : tuple of str
        Of the references.
    weights : tuple of float
        Mean weight of each; they add up to 1.
    how : str
        ``stated``: by stated uncertainties; ``found``: by error variances of three instruments; ``equal``: by one
        variance of all, from their differences; ``alike``: with nothing to tell it by.
    n : int
        Times at which all have a result.
    left_out : tuple of int
        Results of each that have no partner.
    between : tuple of (str, str, Figure)
        ``bias`` of each pair of references: what they differ by, no weighting takes away.
    birge_ratio : float
        Root of χ² over its degrees of freedom about the weighted mean: 1 where they scatter as stated, above where
        their uncertainties are too small or they differ; NaN without stated uncertainties.
    note : str
        What a reader has to know.
    """

    names: tuple[str, ...]
    weights: tuple[float, ...]
    how: str
    n: int
    left_out: tuple[int, ...]
    between: tuple[tuple[str, str, Figure], ...]
    birge_ratio: float
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class References:
    """What several references are to a trial.

    Parameters
    ----------
    differences : tuple of (str, str, Figure)
        Of each two: their mean difference, with an interval that heeds dependence.
    combination : Combination or None
        How they became one; None: each is compared by itself.
    errors : dict of str to ErrorVariance
        Random error of each, found from three instruments, where the plan asks for it.
    notes : tuple of str
        What a reader has to know.
    """

    differences: tuple[tuple[str, str, Figure], ...] = ()
    combination: Combination | None = None
    errors: dict[str, ErrorVariance] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        one = self.combination
        return {
            "differences": [{"of": a, "beside": b, "figure": figure.to_dict()} for a, b, figure in self.differences],
            "combination": None
            if one is None
            else {
                "names": list(one.names),
                "weights": list(one.weights),
                "how": one.how,
                "n": one.n,
                "left_out": list(one.left_out),
                "birge_ratio": one.birge_ratio if np.isfinite(one.birge_ratio) else None,
                "note": one.note,
            },
            "errors": {
                name: asdict(each) | {"sd": each.sd if each.variance >= 0.0 else None}
                for name, each in self.errors.items()
            },
            "notes": list(self.notes),
        }


def meeting(references: Sequence[Arm], tolerance_us: int) -> list[Arm]:
    """Return the results of each at times of the first at which all have one.

    Parameters
    ----------
    references, tolerance_us
        As in `combine`.

    Raises
    ------
    UnitError
        If units are not of one dimension.
    ValueError
        If they never meet.
    """
    arms = _in_one_unit(references)
    return [arm.take(row) for arm, row in zip(arms, _common(arms, tolerance_us), strict=True)]


def combine(references: Sequence[Arm], tolerance_us: int, *, name: str = "references") -> tuple[Arm, Combination]:
    """Return several references as one.

    Parameters
    ----------
    references : sequence of Arm
        Two or more, in units of one dimension; what may not count was left out before. Censored results are not used.
    tolerance_us : int
        How far from the first one's times results of the others may lie.
    name : str
        Of the result.

    Returns
    -------
    Arm, Combination
        At the times of the first reference at which all have a result. Its uncertainty is of the weighted mean, widened
        by the Birge ratio where that is above 1.

    Raises
    ------
    UnitError
        If units are not of one dimension.
    ValueError
        If there are fewer than two references, they never meet, or results or uncertainties cannot be squared.

    References
    ----------
    Weights 1/u²; Birge (1932), Phys. Rev. 40, 207-227. Without stated uncertainties those of three are found after
    Grubbs (`three_cornered_hat`); of two, half the variance of their differences is each one's.

    Examples
    --------
    >>> time = np.arange(4)
    >>> one, other = (
    ...     Arm(time=time, values=np.full(4, value), unit="m", uncertainty=np.full(4, u), name=name)
    ...     for value, u, name in ((1.0, 0.1, "a"), (1.3, 0.2, "b"))
    ... )
    >>> both, how = combine([one, other], 0)
    >>> both.values[0].round(3).item(), [round(weight, 3) for weight in how.weights], round(how.birge_ratio, 3)
    (1.06, [0.8, 0.2], 1.342)
    """
    if len(references) < 2:
        raise ValueError(f"{len(references)} references: two or more are combined")
    arms = _in_one_unit(references)
    rows = _common(arms, tolerance_us)
    met = [arm.take(row) for arm, row in zip(arms, rows, strict=True)]
    values = np.array([arm.values for arm in met])
    check_size(values)
    for arm in met:
        if arm.uncertainty is not None:
            check_size(arm.uncertainty)
    spread, how, note = _uncertainties(met, values)
    weight = 1.0 / spread**2
    total = weight.sum(axis=0)
    mean = (weight * values).sum(axis=0) / total
    birge = math.nan
    if how == "stated":
        freedom = (len(met) - 1) * values.shape[1]
        birge = math.sqrt(float(np.sum(weight * (values - mean) ** 2)) / freedom)
        if birge > 1.0:
            note = (
                f"the references differ by more than they state (Birge ratio {birge:.2f}): the uncertainty is widened"
            )
    combined = replace(
        met[0],
        name=name,
        values=mean,
        flags=_worst([arm.flags for arm in met]),
        censored=None,
        # A comparison with NaN is false: without a Birge ratio nothing is widened.
        uncertainty=(math.nan if how == "alike" else birge if birge > 1.0 else 1.0) / np.sqrt(total),
        response_us=max(arm.response_us for arm in arms),
    )
    between = tuple(
        (met[i].name, met[j].name, bias(Pairs.of(met[0].time, values[i], values[j], met[0].unit)))
        for i, j in combinations(range(len(met)), 2)
    )
    return combined, Combination(
        names=tuple(arm.name for arm in arms),
        weights=tuple((weight / total).mean(axis=1).tolist()),
        how=how,
        n=values.shape[1],
        left_out=tuple(len(arm) - len(row) for arm, row in zip(arms, rows, strict=True)),
        between=between,
        birge_ratio=birge,
        note=note,
    )


def _in_one_unit(references: Sequence[Arm]) -> list[Arm]:
    arms = [arm.in_unit(references[0].unit) for arm in references]
    return [arm if arm.censored is None else arm.take(arm.censored == 0) for arm in arms]


def _worst(flags: Sequence[NDArray[np.uint8] | None]) -> NDArray[np.uint8] | None:
    """Return the worst flag of each time; None where none is flagged."""
    known = [each for each in flags if each is not None]
    return np.asarray(np.max(known, axis=0), np.uint8) if known else None


def _common(arms: Sequence[Arm], tolerance_us: int) -> list[NDArray[np.int64]]:
    """Return the rows of each arm at times of the first at which all have one."""
    kept = np.arange(len(arms[0]))
    others: list[NDArray[np.int64]] = []
    for arm in arms[1:]:
        first, second = mutual_nearest(arms[0].time[kept], arm.time, tolerance_us)
        others = [*(rows[first] for rows in others), second]
        kept = kept[first]
    if not len(kept):
        raise ValueError(
            f"{', '.join(arm.name for arm in arms)} never have results within {tolerance_us / 1e6:g} s of each other: "
            "align them first, or show each by itself"
        )
    return [kept, *others]


def _uncertainties(met: Sequence[Arm], values: Floats) -> tuple[Floats, str, str]:
    stated = [arm.uncertainty for arm in met]
    known = [each for each in stated if each is not None and bool(np.all(each > 0.0))]
    if len(known) == len(met):
        return np.array(known), "stated", ""
    n = values.shape[1]
    if len(met) == 3 and n >= 4:
        found = three_cornered_hat({str(place): row for place, row in enumerate(values)})
        if all(one.variance > 0.0 for one in found):
            sds = np.array([one.sd for one in found])
            return np.repeat(sds[:, None], n, axis=1), "found", "uncertainties are not stated: found from the three"
    # Equal errors: a pair of references differs with twice the variance of one.
    apart = [float(np.var(values[i] - values[j], ddof=1)) for i, j in combinations(range(len(met)), 2)] if n > 1 else []
    each = math.sqrt(float(np.mean(apart)) / 2.0) if apart and np.mean(apart) > 0.0 else math.nan
    told = "uncertainties are not stated: all references weigh alike"
    if math.isnan(each):
        return np.ones_like(values), "alike", f"{told}, and how much they err cannot be told"
    return np.full_like(values, each), "equal", told
