"""A comparison in one call, of series that are at hand: what a notebook starts with, before there is a plan."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nilometer.trials.comparison import meaningless, one_of_each
from nilometer.trials.grading import grade
from nilometer.trials.inference.deciding import Sampling, decide
from nilometer.trials.inference.endpoint import Endpoint, Kind, Margin
from nilometer.trials.inference.intervals import figures
from nilometer.trials.inference.moments import unit_of
from nilometer.trials.pairing.alignment import Rules, align, with_condition
from nilometer.trials.pairing.arm import Arm
from nilometer.trials.result import Comparison
from nilometer.trials.statistics.figures import classical_figures

__all__ = ["compare"]


def compare(
    candidate: Any,  # noqa: ANN401 -- any library's series
    reference: Any,  # noqa: ANN401 -- any library's series
    *,
    margin: float,
    unit: str,
    time: Any = None,  # noqa: ANN401 -- any library's times
    reference_time: Any = None,  # noqa: ANN401 -- any library's times
    statistic: str = "bias",
    kind: Kind | str = Kind.NON_INFERIORITY,
    is_relative: bool = False,
    alpha: float = 0.025,
    conditions: Mapping[str, Arm] | None = None,
    rules: Rules | None = None,
    resamples: int = 10_000,
) -> Comparison:
    """Compare a candidate with a reference, and say whether it is within a margin.

    A margin that is chosen with the data in sight proves nothing: this explores. What is to convince others starts
    with a plan that is frozen before the first datum (docs/trials.md).

    Parameters
    ----------
    candidate, reference : array_like, pandas.Series, polars.Series, xarray.DataArray, pyarrow.Array or Arm, shape (n,)
        Results; an `Arm` brings its own unit, flags, uncertainty and response time.
    margin : float
        In the unit of the statistic, or a share of the reference's mean where `is_relative`.
    unit : str
        Of both series; a drift's margin is in it per day, a share's in 1.
    time, reference_time : array_like, optional
        Times, where the series do not bring them; one of both serves both.
    statistic : str
        What is held against the margin: a name of `nilometer.trials.inference.moments.STATISTICS`.
    kind : {"non_inferiority", "equivalence"}
        What is to be shown.
    is_relative : bool
        Whether the margin is a share.
    alpha : float
        One-sided.
    conditions : mapping of str to Arm, optional
        What the water was like; the answer names the range of each that was met.
    rules : Rules, optional
        How results are paired.
    resamples : int
        Of the bootstrap.

    Returns
    -------
    Comparison
        With `decisions`, `figures`, `grade` and the account of `alignment`.

    Raises
    ------
    UnitError
        If units are not of one dimension, or a margin is a share of a scale whose zero is arbitrary.
    ConfigError
        If there is no such statistic.
    ValueError
        If there are no times, times run back, or nothing can be paired.

    Examples
    --------
    >>> import numpy as np
    >>> times = np.arange(2000) * 600_000_000
    >>> water = 8.0 + np.sin(times / 1.4e10)
    >>> new = water + np.random.default_rng(1).normal(0.02, 0.05, 2000)
    >>> found = compare(new, water, margin=0.1, unit="mg L-1", time=times)
    >>> str(found.grade.outcome), found.figure("bias").n
    ('non_inferior', 2000)
    """
    ours = candidate if isinstance(candidate, Arm) else Arm.of(candidate, unit, time, name="candidate")
    other_time = time if reference_time is None else reference_time
    theirs = reference if isinstance(reference, Arm) else Arm.of(reference, unit, other_time, name="reference")
    pairs, alignment = align(ours.in_unit(unit), theirs.in_unit(unit), rules)
    for name, condition in (conditions or {}).items():
        pairs = with_condition(pairs, name, condition, max(condition.step_us, alignment.interval_us) // 2)
    told = Margin(value=margin, unit="1" if is_relative else unit_of(statistic, unit), is_relative=is_relative)
    endpoint = Endpoint(name="agreement", statistic=statistic, margin=told, kind=Kind(kind), alpha=alpha)
    how = Sampling(resamples=resamples)
    decisions = decide(pairs, [endpoint], sampling=how)
    made = [*figures(how.of(pairs)), *classical_figures(pairs, alignment=alignment)]
    units = {"range": pairs.unit} | {name: one.unit for name, one in (conditions or {}).items()}
    return Comparison(
        candidate=ours.name,
        reference=theirs.name,
        pairs=pairs,
        alignment=alignment,
        figures=one_of_each(made, meaningless(pairs.unit)),
        decisions=tuple(decisions),
        grade=grade(pairs, decisions, (), units),
    )
