"""Whether two instruments give the water one class: what a standard makes of their results, pair by pair.

Near a limit the smallest error changes the class, and far from all of them a large one does not: the share of pairs
near a limit is told beside every number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.errors import ConfigError
from nilometer.model.entities import WaterBody
from nilometer.trials.figure import Figure
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.statistics.differences import lacking
from nilometer.uncertainty.coverage import coverage_factor
from nilometer.units import convert
from nilometer.verdict.item import Item, Rule
from nilometer.verdict.standard import Standard, find_standard

__all__ = ["ClassAgreement", "class_agreement", "class_edges", "classes_of", "typed_classes", "weighted_kappa"]

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

_GUARD = 1e-12
UNDECIDED = -1


@dataclass(frozen=True, slots=True)
class ClassAgreement:
    """Classes by the candidate and by the reference.

    Parameters
    ----------
    classes : tuple of str
        As the standard writes them, best first; the last: worse than the worst.
    confusion : ndarray of int64, shape (k, k)
        Pairs by class of the reference (rows) and of the candidate (columns).
    agreement : Figure
        ``class_agreement``: share of pairs of one class.
    kappa : Figure
        ``weighted_kappa``: agreement beyond chance, where two classes apart count more than one.
    off_by_one, off_by_more : int
        Pairs one class apart, and more.
    near : int
        Pairs whose reference lies near a limit.
    off_by_one_near_limit : Figure
        ``off_by_one_near_limit``: share of pairs one class apart that lie near a limit, where this means little.
    undecided : int
        Pairs with a censored result whose bound leaves the class open.
    """

    classes: tuple[str, ...]
    confusion: Counts
    agreement: Figure
    kappa: Figure
    off_by_one: int
    off_by_more: int
    near: int
    off_by_one_near_limit: Figure
    undecided: int

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {
            "classes": list(self.classes),
            "confusion": self.confusion.tolist(),
            "figures": [each.to_dict() for each in (self.agreement, self.kappa, self.off_by_one_near_limit)],
            "off_by_one": self.off_by_one,
            "off_by_more": self.off_by_more,
            "near": self.near,
            "undecided": self.undecided,
        }


def class_agreement(
    pairs: Pairs,
    standard: str | Standard,
    observed_property: str,
    water_body: WaterBody | str,
    *,
    near: float = 0.1,
    weights: str = "linear",
    probability: float = 0.95,
) -> ClassAgreement:
    """Return how two instruments agree on the class of single results.

    Parameters
    ----------
    pairs : Pairs
        Those with a censored result count where the bound decides the class.
    standard : str or Standard
        Such as ``GB 3838-2002``.
    observed_property : str
        Vocabulary key of the item.
    water_body : WaterBody or str
        The kind of water, whose limits hold.
    near : float
        Share of a limit within which a reference lies near it; where it states an expanded uncertainty (k = 2) that is
        larger, within that.
    weights : {"linear", "quadratic"}
        Of kappa.
    probability : float
        Of the intervals, for independent pairs.

    Returns
    -------
    ClassAgreement
        A second way into a class, such as by the saturation of oxygen, is not taken: pairs have one quantity.

    Raises
    ------
    ConfigError
        If the standard has no such item, or it cannot be read from a result.
    StandardNotApplicable
        If the standard was not made for this water.
    UnitError
        If the pairs' unit cannot become the item's.
    """
    found = find_standard(standard)
    item = _item(found, observed_property, WaterBody(water_body))
    return _agreement(pairs, item, (*found.classes, found.beyond.en), near, weights, probability)


def typed_classes(pairs: Pairs, edges: Sequence[float], *, probability: float = 0.95) -> ClassAgreement:
    """Return how two instruments agree on the class of single results, of classes between edges.

    Parameters
    ----------
    pairs : Pairs
        As of `class_agreement`.
    edges : sequence of float
        Rising, in the pairs' unit; a result on an edge is of the class below it.
    probability : float
        Of the intervals, for independent pairs.

    Returns
    -------
    ClassAgreement
        Classes are told by their edges, the lowest first.

    Examples
    --------
    >>> pairs = Pairs.of(range(3), [1.0, 2.0, 3.0], [1.0, 2.5, 3.0], "m")
    >>> found = typed_classes(pairs, [2.0])
    >>> found.classes, found.confusion.tolist()
    (('≤ 2', '> 2'), [[1, 0], [1, 1]])
    """
    limits = tuple(edges)
    item = Item(number=1, property="", unit=pairs.unit, rule=Rule.AT_MOST, classes=len(limits), limits=limits)
    told = [f"{edge:.6g}" for edge in limits]
    between = [f"> {low} to {high}" for low, high in pairwise(told)]
    return _agreement(pairs, item, (f"≤ {told[0]}", *between, f"> {told[-1]}"), 0.1, "linear", probability)


def class_edges(
    standard: str | Standard, observed_property: str, water_body: WaterBody | str, unit: str
) -> tuple[float, ...]:
    """Return the limits between classes of a standard's item, rising, such that a result on one is of its own class.

    A result that is the limit counts as the class below the edge: where limits are the least that is allowed the edge
    is just below the limit. Of an item that has a range, what lies below and what lies above are told apart.

    Raises
    ------
    ConfigError, StandardNotApplicable, UnitError
        As `class_agreement` does.

    Examples
    --------
    >>> [round(edge, 3) for edge in class_edges("GB 3838-2002", "dissolved_oxygen", "river", "mg L-1")]
    [2.0, 3.0, 5.0, 6.0, 7.5]
    """
    item = _item(find_standard(standard), observed_property, WaterBody(water_body))
    guard = -_GUARD if item.rule is Rule.AT_LEAST else _GUARD
    ends = [limit * (1.0 + guard) for limit in item.limits]
    for low, high in item.ranges or ((item.lower, item.upper),):
        ends += [end * (1.0 + side) for end, side in ((low, -_GUARD), (high, _GUARD)) if end is not None]
    return tuple(np.unique(convert(np.array(sorted(ends)), item.unit, unit)).tolist())


def _agreement(
    pairs: Pairs, item: Item, names: tuple[str, ...], near: float, weights: str, probability: float
) -> ClassAgreement:
    theirs, ours = (
        classes_of(item, convert(values, pairs.unit, item.unit), censored)
        for values, censored in (
            (pairs.reference, pairs.reference_censored),
            (pairs.candidate, pairs.candidate_censored),
        )
    )
    decided = (theirs != UNDECIDED) & (ours != UNDECIDED)
    k = len(names)
    confusion = np.zeros((k, k), np.int64)
    np.add.at(confusion, (theirs[decided], ours[decided]), 1)
    apart = np.abs(theirs - ours)[decided]
    is_near = _near(item, pairs, near)[decided]
    one = apart == 1
    n, off = len(apart), int(np.count_nonzero(one))
    undecided = len(pairs) - n
    note = f"{undecided} pairs with a censored result leave the class open" if undecided else ""
    if item.alternative is not None:
        more = f"the way by {item.alternative.property.replace('_', ' ')} is not taken"
        note = f"{note}; {more}" if note else more
    share = _share("class_agreement", int(np.count_nonzero(apart == 0)), n, probability, note)
    near_off = int(np.count_nonzero(one & is_near))
    return ClassAgreement(
        classes=names,
        confusion=confusion,
        agreement=share,
        kappa=weighted_kappa(confusion, weights=weights, probability=probability),
        off_by_one=off,
        off_by_more=int(np.count_nonzero(apart > 1)),
        near=int(np.count_nonzero(is_near)),
        off_by_one_near_limit=_share(
            "off_by_one_near_limit", near_off, off, probability, "" if off else "no pair is one class apart"
        ),
        undecided=undecided,
    )


def classes_of(item: Item, values: Floats, censored: NDArray[np.int8] | None = None) -> Counts:
    """Return the class of each value by one item: 0 the best, the number of classes beyond the worst, −1 where open.

    Parameters
    ----------
    item : Item
        Of a standard.
    values : ndarray of float64, shape (n,)
        In the item's unit.
    censored : ndarray of int8, shape (n,), optional
        −1: below the value, 1: above it. The class is open unless all that lies beyond the bound has that of the bound.

    Examples
    --------
    >>> item = Item(number=1, property="nh3n", unit="mg L-1", rule=Rule.AT_MOST, classes=2, limits=(0.5, 1.0))
    >>> classes_of(item, np.array([0.5, 0.7, 1.2, 0.3, 0.7]), np.array([0, 0, 0, -1, -1], np.int8)).tolist()
    [0, 1, 2, 0, -1]
    """
    found = _classes(item, values)
    if censored is not None and np.any(censored):
        if item.rule is Rule.WITHIN:
            return np.where(censored != 0, UNDECIDED, found)
        ends = _classes(item, np.array([-1e300, 1e300]))
        beyond = np.where(censored < 0, ends[0], ends[1])
        found = np.where((censored != 0) & (beyond != found), UNDECIDED, found)
    return found


def weighted_kappa(confusion: Counts, *, weights: str = "linear", probability: float = 0.95) -> Figure:
    """Return Cohen's weighted kappa of a table of pairs by two classes.

    Parameters
    ----------
    confusion : ndarray of int64, shape (k, k)
        Pairs.
    weights : {"linear", "quadratic"}
        How much disagreement counts by the classes between: 1 − |i − j|/(k − 1), or 1 less the square of that.
    probability : float
        Of the interval by the standard error for many independent pairs.

    Returns
    -------
    Figure
        ``weighted_kappa``, 1; NaN where all pairs are of one class, for then chance alone agrees.

    Raises
    ------
    ValueError
        If the weights are unknown, or the table is not square.

    References
    ----------
    Fleiss, Cohen and Everitt (1969), Psychol. Bull. 72, 323-327: kappa and its standard error.

    Examples
    --------
    >>> round(weighted_kappa(np.array([[20, 5], [10, 15]])).value, 3)
    0.4
    """
    if weights not in {"linear", "quadratic"}:
        raise ValueError(f"weights = {weights!r} (allowed: linear, quadratic)")
    k = len(confusion)
    if confusion.shape != (k, k) or k < 2:
        raise ValueError(f"a table of {confusion.shape}: kappa needs as many rows as columns, two or more")
    n = int(confusion.sum())
    if n < 2:
        return lacking("weighted_kappa", "1", n, "", least=2)
    apart = np.abs(np.subtract.outer(np.arange(k), np.arange(k))) / (k - 1)
    weight = 1.0 - (apart if weights == "linear" else apart**2)
    share = confusion / n
    rows, columns = share.sum(axis=1), share.sum(axis=0)
    seen, chance = float(np.sum(weight * share)), float(rows @ weight @ columns)
    if chance >= 1.0 - 1e-12:
        return lacking("weighted_kappa", "1", n, "all pairs are of one class: chance alone agrees")
    value = (seen - chance) / (1.0 - chance)
    means = (weight @ columns)[:, None] + (rows @ weight)[None, :]
    spread = float(np.sum(share * (weight - means * (1.0 - value)) ** 2)) - (value - chance * (1.0 - value)) ** 2
    half = coverage_factor(probability) * math.sqrt(max(spread, 0.0) / n) / (1.0 - chance)
    return Figure(
        name="weighted_kappa",
        value=value,
        unit="1",
        interval=(value - half, min(value + half, 1.0)),
        probability=probability,
        n=n,
        method="large_sample",
        note=f"{weights} weights",
    )


def _item(standard: Standard, observed_property: str, water_body: WaterBody) -> Item:
    items = {item.property: item for item in standard.items_for(water_body)}
    if observed_property not in items:
        raise ConfigError(
            "observed_property", seen=observed_property, allowed=items, reason=f"no item of {standard.name}"
        )
    item = items[observed_property]
    if item.rule is Rule.CHANGE:
        raise ConfigError(
            "observed_property",
            seen=observed_property,
            reason=f"{standard.name} limits its change, which no result shows",
        )
    return item


def _classes(item: Item, values: Floats) -> Counts:
    if item.rule is Rule.WITHIN:
        distinct, where = np.unique(values, return_inverse=True)
        each = [UNDECIDED if (one := item.class_index(float(value))) is None else one for value in distinct]
        return np.array(each, np.int64)[where]
    # Limits never get stricter towards the worst class: the class is the number of those that are missed.
    found = np.zeros(len(values), np.int64)
    for limit in item.limits:
        guard = abs(limit) * _GUARD
        if item.rule is Rule.AT_LEAST:
            found += values < limit - guard
        elif item.rule is Rule.MORE_THAN:
            found += values <= limit + guard
        else:
            found += values > limit + guard
    return found


def _near(item: Item, pairs: Pairs, near: float) -> NDArray[np.bool_]:
    ends = {end for pair in item.ranges for end in pair} | {item.lower, item.upper} | set(item.limits)
    limits = [limit for limit in ends if limit is not None]
    value = convert(pairs.reference, pairs.unit, item.unit)
    # An uncertainty takes the scale alone.
    scale = float(np.diff(convert([0.0, 1.0], pairs.unit, item.unit))[0])
    wide = np.nan_to_num(2.0 * pairs.reference_uncertainty * abs(scale), nan=0.0)
    found = np.zeros(len(value), np.bool_)
    for limit in limits:
        found |= np.abs(value - limit) <= np.maximum(near * abs(limit), wide)
    return found


def _share(name: str, part: int, n: int, probability: float, note: str) -> Figure:
    """Return a share with Wilson's interval (Wilson 1927, J. Am. Stat. Assoc. 22, 209-212)."""
    if not n:
        return lacking(name, "1", n, note or "there are no pairs")
    z, share = coverage_factor(probability), part / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return Figure(
        name=name,
        value=share,
        unit="1",
        interval=(max(middle - half, 0.0), min(middle + half, 1.0)),
        probability=probability,
        n=n,
        method="wilson",
        note=note,
    )
