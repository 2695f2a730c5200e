"""Pairs of several units or sites as one set, in which each is a cluster: pairs of one depend on each other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from nilometer.trials.pairing.pairs import Pairs
from nilometer.units import affine, convert

__all__ = ["pool"]


def pool(parts: Mapping[str, Pairs]) -> Pairs:
    """Return pairs of several units or sites as one set.

    Parameters
    ----------
    parts : mapping of str to Pairs
        By the name that the cluster gets, each of one cluster; in units of one dimension.

    Returns
    -------
    Pairs
        In the unit of the first, one part after the other. A condition that only some know is NaN in the others.

    Raises
    ------
    ValueError
        If there is no part, or one has several clusters already.
    UnitError
        If units are not of one dimension.

    Examples
    --------
    >>> one = Pairs.of([0, 1], [1.0, 2.0], [1.0, 2.0], "mg L-1")
    >>> both = pool({"a": one, "b": Pairs.of([0], [3000.0], [3100.0], "ug L-1")})
    >>> both.candidate.tolist(), both.cluster.tolist(), both.clusters
    ([1.0, 2.0, 3.0], [0, 0, 1], ('a', 'b'))
    """
    if not parts:
        raise ValueError("there are no pairs to pool")
    for name, part in parts.items():
        if len(np.unique(part.cluster)) > 1:
            raise ValueError(f"the pairs of {name} are of {len(part.clusters)} clusters already: give each by itself")
    each = list(parts.values())
    unit = each[0].unit
    scales = [abs(affine(part.unit, unit)[0]) for part in each]

    def joined(key: str) -> Any:  # noqa: ANN401 -- an array of the field's kind
        return np.concatenate([getattr(part, key) for part in each])

    names = list(dict.fromkeys(name for part in each for name in part.conditions))
    return Pairs.of(
        joined("time"),
        np.concatenate([convert(part.candidate, part.unit, unit) for part in each]),
        np.concatenate([convert(part.reference, part.unit, unit) for part in each]),
        unit,
        **{
            key: np.concatenate([getattr(part, key) * scale for part, scale in zip(each, scales, strict=True)])
            for key in ("candidate_uncertainty", "reference_uncertainty")
        },
        candidate_censored=joined("candidate_censored"),
        reference_censored=joined("reference_censored"),
        conditions={
            name: np.concatenate([part.conditions.get(name, np.full(len(part), np.nan)) for part in each])
            for name in names
        },
        cluster=np.repeat(np.arange(len(each), dtype=np.int32), [len(part) for part in each]),
        clusters=tuple(parts),
        interval=joined("interval"),
    )
