"""Units of one kind and the lots they were made in: what of the differences is the result's, the unit's, the lot's.

A trial of one unit says nothing of the next from the line.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nilometer.trials.figure import Figure, plain
from nilometer.trials.pairing.pairs import Pairs
from nilometer.trials.statistics.differences import lacking, measured
from nilometer.uncertainty.coverage import coverage_factor

__all__ = ["Components", "Row", "components", "unit_table"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Row:
    """One unit, or one lot, in a table.

    Parameters
    ----------
    name, lot : str
        Of the unit and of its lot; of a lot both are its name.
    n : int
        Results.
    mean, sd : float
        Of its differences from the reference.
    interval : (float, float)
        Of the mean, for independent results.
    apart : float
        Its mean less the mean of all units (of all lots).
    """

    name: str
    lot: str
    n: int
    mean: float
    sd: float
    interval: tuple[float, float]
    apart: float

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON, what is NaN as null."""
        numbers = {"mean": plain(self.mean), "sd": plain(self.sd), "apart": plain(self.apart)}
        ends = [plain(end) for end in self.interval]
        return {"name": self.name, "lot": self.lot, "n": self.n, **numbers, "interval": ends}


@dataclass(frozen=True, slots=True)
class Components:
    """Where differences come from.

    Parameters
    ----------
    within, unit, lot : Figure
        ``within_sd``, ``unit_sd``, ``lot_sd``: standard deviations of results within a unit, of units within a lot, of
        lots. NaN where there is one lot (unit) or variance came out below 0, which its note tells.
    variances : tuple of (float, float, float)
        The estimates as they came out, not cut off at 0.
    total : float
        Standard deviation of one result of any unit of any lot.
    units, lots : tuple of Row
        The tables.
    """

    within: Figure
    unit: Figure
    lot: Figure
    variances: tuple[float, float, float]
    total: float
    units: tuple[Row, ...]
    lots: tuple[Row, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON, what is NaN as null."""
        return {
            "within": self.within.to_dict(),
            "unit": self.unit.to_dict(),
            "lot": self.lot.to_dict(),
            "variances": [plain(each) for each in self.variances],
            "total": plain(self.total),
            "units": [row.to_dict() for row in self.units],
            "lots": [row.to_dict() for row in self.lots],
        }


def components(
    difference: Floats,
    unit: Any,  # noqa: ANN401 -- names of any kind
    lot: Any = None,  # noqa: ANN401 -- names of any kind
    *,
    unit_text: str = "1",
    probability: float = 0.95,
) -> Components:
    """Return the variance components of units within lots, of as many results of each as there are.

    Parameters
    ----------
    difference : ndarray of float64, shape (n,)
        Candidate minus reference. Results of one unit are taken as independent: of a series give means of days or of
        cleanings, for ten-minute results know of each other and would make units look more different than they are.
    unit : sequence, shape (n,)
        Which unit each is of; names are of all lots, not of one.
    lot : sequence, shape (n,), optional
        Which lot; without it all units are of one.
    unit_text : str
        Unit of measurement of the differences.
    probability : float
        Of the intervals.

    Returns
    -------
    Components
        With tables of units and lots.

    Raises
    ------
    ValueError
        If lengths differ, there are fewer than two units, no unit has two results, or a unit is of two lots.

    References
    ----------
    Analysis of variance of the nested classification with unequal numbers (Henderson's method 1): Searle, Casella and
    McCulloch (1992), Variance Components. Intervals of units and lots after Williams (1962) and Tukey (1951), wide
    rather than narrow; of results by χ².

    Examples
    --------
    >>> found = components(np.array([1.0, 1.2, 2.0, 2.2, 5.0, 5.2, 6.0, 6.2]), list("aabbccdd"), list("xxxxyyyy"))
    >>> [round(variance, 3) for variance in found.variances]
    [0.02, 0.49, 7.75]
    """
    values = np.asarray(difference, np.float64)
    names, member = np.unique(np.asarray(unit).astype(str), return_inverse=True)
    lots, batch = np.unique(np.asarray([""] * len(values) if lot is None else lot).astype(str), return_inverse=True)
    if not len(values) == len(member) == len(batch):
        raise ValueError(f"{len(values)} differences, {len(member)} units and {len(batch)} lots: give one of each")
    if len(names) < 2 or len(values) == len(names):
        raise ValueError(f"{len(values)} results of {len(names)} units: two units, and two results of one, are needed")
    home = np.zeros(len(names), np.int64)
    home[member] = batch
    if np.any(home[member] != batch):
        raise ValueError(f"unit {names[member[np.argmax(home[member] != batch)]]!r} is of two lots: name units apart")
    n_unit, n_lot = np.bincount(member).astype(np.float64), np.bincount(batch).astype(np.float64)
    mean_unit, mean_lot = np.bincount(member, values) / n_unit, np.bincount(batch, values) / n_lot
    freedom = len(lots) - 1, len(names) - len(lots), len(values) - len(names)
    squares = (
        float(np.sum(n_lot * (mean_lot - values.mean()) ** 2)),
        float(np.sum(n_unit * (mean_unit - mean_lot[home]) ** 2)),
        float(np.sum((values - mean_unit[member]) ** 2)),
    )
    mean_squares = tuple(part / free if free else math.nan for part, free in zip(squares, freedom, strict=True))
    inner = float(np.sum(np.bincount(home, n_unit**2) / n_lot))
    total = float(len(values))
    k_unit = (total - inner) / freedom[1] if freedom[1] else math.nan
    within = mean_squares[2]
    between = (mean_squares[1] - within) / k_unit
    above, k_lot, k_across = math.nan, math.nan, math.nan
    if freedom[0]:
        k_lot = (total - float(np.sum(n_lot**2)) / total) / freedom[0]
        k_across = (inner - float(np.sum(n_unit**2)) / total) / freedom[0]
        below = 0.0 if math.isnan(between) else between
        above = (mean_squares[0] - within - k_across * below) / k_lot
    count = len(values)
    figures = (
        _figure("within_sd", within, _of_results(squares[2], freedom[2], probability), unit_text, count, probability),
        _figure(
            "unit_sd",
            between,
            _of_level(mean_squares[1:], freedom[1:], k_unit, probability),
            unit_text,
            len(names),
            probability,
            "every lot has one unit: units and lots cannot be told apart",
        ),
        _figure(
            "lot_sd",
            above,
            _of_level(mean_squares[:2], freedom[:2], k_lot, probability),
            unit_text,
            len(lots),
            probability,
            "there is one lot",
        ),
    )
    parts = [part for part in (within, between, above) if not math.isnan(part)]
    return Components(
        *figures,
        variances=(within, between, above),
        total=math.sqrt(sum(max(part, 0.0) for part in parts)),
        units=_rows(values, member, names, lots[home], probability),
        lots=_rows(values, batch, lots, lots, probability) if len(lots) > 1 else (),
    )


def unit_table(
    pairs: Mapping[str, Pairs], lots: Mapping[str, str] | None = None, *, block_us: int = 0, probability: float = 0.95
) -> Components:
    """Return the components of several units that stood beside the reference, from their pairs.

    Parameters
    ----------
    pairs : mapping of str to Pairs
        By unit, in one unit of measurement; censored pairs are left out.
    lots : mapping of str to str, optional
        Lot of each unit.
    block_us : int
        Differences are averaged over blocks of this length before: a day or more, so that they hardly know of each
        other; 0: they are taken as they are.
    probability : float
        Of the intervals.

    Raises
    ------
    ValueError
        As `components` does, or if pairs are in several units of measurement, or a unit has no lot.
    """
    texts = {each.unit for each in pairs.values()}
    if len(texts) != 1:
        raise ValueError(f"pairs are in {', '.join(sorted(texts))}: bring them to one unit first")
    missing = [name for name in pairs if lots is not None and name not in lots]
    if missing:
        raise ValueError(f"no lot is named for {', '.join(missing)}")
    columns, names = [], []
    for name, each in pairs.items():
        whole, _ = measured(each)
        column = whole.difference
        if block_us and len(whole):
            block = np.unique(whole.time // block_us, return_inverse=True)[1]
            column = np.bincount(block, column) / np.bincount(block)
        columns.append(column)
        names += [name] * len(column)
    batch = None if lots is None else [lots[name] for name in names]
    return components(np.concatenate(columns), names, batch, unit_text=texts.pop(), probability=probability)


def _rows(
    values: Floats, member: NDArray[np.int64], names: NDArray[np.str_], lots: NDArray[np.str_], probability: float
) -> tuple[Row, ...]:
    parts = [values[member == one] for one in range(len(names))]
    middle = float(np.mean([part.mean() for part in parts]))
    rows = []
    for name, lot, part in zip(names, lots, parts, strict=True):
        n, mean = len(part), float(part.mean())
        sd = float(part.std(ddof=1)) if n > 1 else math.nan
        half = coverage_factor(probability, n - 1) * sd / math.sqrt(n) if n > 1 else math.nan
        rows.append(Row(str(name), str(lot), n, mean, sd, (mean - half, mean + half), mean - middle))
    return tuple(rows)


def _figure(
    name: str,
    variance: float,
    ends: tuple[float, float],
    unit: str,
    n: int,
    probability: float,
    why: str = "",
) -> Figure:
    if math.isnan(variance):
        return lacking(name, unit, n, why)
    note = "" if variance >= 0.0 else f"the variance came out below 0 ({variance:.3g}): it cannot be told from none"
    return Figure(
        name=name,
        value=math.sqrt(max(variance, 0.0)),
        unit=unit,
        interval=(math.sqrt(max(ends[0], 0.0)), math.sqrt(max(ends[1], 0.0))),
        probability=probability,
        n=n,
        method="anova",
        note=note,
    )


def _of_results(square: float, freedom: int, probability: float) -> tuple[float, float]:
    from scipy.special import chdtri  # noqa: PLC0415 -- slow to import

    tail = (1.0 - probability) / 2.0
    return square / float(chdtri(freedom, tail)), square / float(chdtri(freedom, 1.0 - tail))


def _of_level(
    mean_squares: tuple[float, ...], freedom: tuple[int, ...], k: float, probability: float
) -> tuple[float, float]:
    """Return the interval of a component, of its mean square and that of the level below."""
    from scipy.special import chdtri, fdtri  # noqa: PLC0415 -- slow to import

    if not freedom[0] or not freedom[1] or math.isnan(k):
        return math.nan, math.nan
    tail = (1.0 - probability) / 2.0
    ends = []
    for share in (1.0 - tail, tail):
        chi, f = float(chdtri(freedom[0], 1.0 - share)), float(fdtri(freedom[0], freedom[1], share))
        ends.append(freedom[0] * (mean_squares[0] - f * mean_squares[1]) / (k * chi))
    return ends[0], ends[1]
