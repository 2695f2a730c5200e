"""Vertical datums by name, and where the zero of a gauge lay: elevation = level + zero, by the levelling that held.

A level is told over a gauge's zero; a levelling from a benchmark says how high that zero is over a datum, and holds
until the next one. Nothing here knows how far two datums are apart: that is told for a place, with a source and a
date, or a conversion is refused.
"""

from __future__ import annotations

import importlib.resources
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nilometer.errors import ConfigError

__all__ = ["ALWAYS", "DatumOffset", "GaugeZero", "Levelling", "VerticalDatum", "conversion", "datum", "datums"]

ALWAYS: Final = int(np.iinfo(np.int64).min)
"""`valid_from` of what holds from the beginning."""


@dataclass(frozen=True, slots=True)
class VerticalDatum:
    """A level that heights are counted from.

    Parameters
    ----------
    key : str
        As in configurations: ``nap``, ``h85``, ``navd88``.
    name, name_zh, where : str
        For people.
    is_local : bool
        Whether it is of one port or gauge, so that two of them are never one.
    aliases : tuple of str
        Other spellings that are understood.
    """

    key: str
    name: str
    name_zh: str = ""
    where: str = ""
    is_local: bool = False
    aliases: tuple[str, ...] = field(default=(), compare=False)


@cache
def datums() -> dict[str, VerticalDatum]:
    """Return every datum by key."""
    text = importlib.resources.files("nilometer.derivation").joinpath("datums.toml").read_text(encoding="utf-8")
    return {
        key: VerticalDatum(
            key, told["name"], told["name_zh"], told["where"], told.get("is_local", False), (*told["aliases"],)
        )
        for key, told in tomllib.loads(text).items()
    }


def datum(name: str) -> VerticalDatum:
    """Return a datum by its key, its name or another spelling.

    Raises
    ------
    ConfigError
        If there is none.

    Examples
    --------
    >>> datum("1985国家高程基准").key, datum("NAVD 88").key
    ('h85', 'navd88')
    """
    wanted = name.casefold().strip()
    for one in datums().values():
        if wanted in (spelling.casefold() for spelling in (one.key, one.name, one.name_zh, *one.aliases)):
            return one
    raise ConfigError("datum", seen=name, allowed=datums())


@dataclass(frozen=True, slots=True)
class DatumOffset:
    """How far two datums are apart at a place: height over `target` = height over `source` + `offset`.

    Parameters
    ----------
    source, target : str
        Names of datums.
    offset : float
        m.
    uncertainty : float
        Standard, m; NaN: not known.
    reference : str
        Who says so: a certificate, a geodetic service and its date. Needed.

    Raises
    ------
    ConfigError
        If a datum is unknown, they are the same, or no source is told.
    """

    source: str
    target: str
    offset: float
    uncertainty: float = float("nan")
    reference: str = ""

    def __post_init__(self) -> None:
        if datum(self.source) == datum(self.target):
            raise ConfigError("target", seen=self.target, allowed=f"another datum than {self.source}")
        if not np.isfinite(self.offset):
            raise ConfigError("offset", seen=self.offset, allowed="a number of metres")
        if not self.reference.strip():
            raise ConfigError("reference", seen=self.reference, allowed="who says so, and when")


def conversion(source: str, target: str, offsets: Iterable[DatumOffset] = ()) -> tuple[float, float]:
    """Return what to add to a height over one datum to get that over another, and its standard uncertainty.

    Parameters
    ----------
    source, target : str
        Names of datums.
    offsets : iterable of DatumOffset
        What is known at the place; also used backwards, and one after another.

    Returns
    -------
    offset, uncertainty : float
        m; uncertainties of several steps add as squares. 0 and 0 between a datum and itself.

    Raises
    ------
    ConfigError
        If no offset leads from one to the other: none is guessed.

    Examples
    --------
    >>> known = [DatumOffset("wusong", "h85", -1.9, 0.01, "levelling of the port, 2019")]
    >>> conversion("h85", "wusong", known)
    (1.9, 0.01)
    """
    begin, end = datum(source).key, datum(target).key
    known = list(offsets)
    steps = [(datum(one.source).key, datum(one.target).key, one.offset, one.uncertainty) for one in known]
    steps += [(b, a, -offset, u) for a, b, offset, u in steps]
    reached = {begin: (0.0, 0.0)}
    waiting = [begin]
    while waiting:
        here = waiting.pop(0)  # nearest first: the fewest steps
        for a, b, offset, u in steps:
            if a == here and b not in reached:
                total, variance = reached[here]
                reached[b] = (total + offset, variance + u * u)
                waiting.append(b)
    if end not in reached:
        said = [f"{one.source} to {one.target}" for one in known] or ["no offset is told at all"]
        raise ConfigError(
            "datum", seen=f"{source} to {target}", allowed=said, reason="offsets between datums are never guessed"
        )
    total, variance = reached[end]
    return total, float(np.sqrt(variance))


@dataclass(frozen=True, slots=True)
class Levelling:
    """One levelling of a gauge's zero from a benchmark.

    Parameters
    ----------
    zero : float
        Height of the gauge's zero over the datum, m.
    valid_from : int
        µs since 1970 UTC from when it holds: not the day of the levelling, but when the gauge came to be there.
    datum : str
        Name of the vertical datum.
    uncertainty : float
        Standard, m; NaN: not known.
    benchmark : str
        Which one, with its own height where that is known.
    """

    zero: float
    valid_from: int = ALWAYS
    datum: str = "gauge_zero"
    uncertainty: float = float("nan")
    benchmark: str = ""


class GaugeZero:
    """The history of a gauge's zero.

    Parameters
    ----------
    levellings : sequence of Levelling
        In any order, all of one datum.
    offsets : sequence of DatumOffset, optional
        Between datums at the place.

    Raises
    ------
    ConfigError
        If there is none, two hold from one moment, or the datums differ.

    Examples
    --------
    >>> gauge = GaugeZero([Levelling(10.0, datum="nap"), Levelling(9.98, 1000, "nap", 0.003)])
    >>> gauge.elevation([0, 2000], [1.0, 1.0]).tolist()
    [11.0, 10.98]
    """

    def __init__(self, levellings: Sequence[Levelling], offsets: Sequence[DatumOffset] = ()) -> None:
        rows = sorted(levellings, key=lambda one: one.valid_from)
        if not rows:
            raise ConfigError("levellings", seen=[], allowed="at least one levelling of the gauge's zero")
        keys = {datum(one.datum).key for one in rows}
        if len(keys) > 1:
            raise ConfigError("datum", seen=", ".join(sorted(keys)), allowed="one datum for all levellings of a gauge")
        for one, other in pairwise(rows):
            if one.valid_from == other.valid_from:
                raise ConfigError("valid_from", seen=one.valid_from, allowed="another moment for each levelling")
        self.levellings = tuple(rows)
        self.datum = datum(rows[0].datum)
        self.offsets = tuple(offsets)
        self._dates = np.array([one.valid_from for one in rows], np.int64)
        self._zeros = np.array([one.zero for one in rows])
        self._spreads = np.array([one.uncertainty for one in rows])

    def zero(self, time: ArrayLike, over: str = "") -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the height of the zero and its standard uncertainty.

        Parameters
        ----------
        time : array_like of int64, shape (n,)
            µs since 1970 UTC.
        over : str
            Name of a datum; left out: that of the levellings.

        Returns
        -------
        zero, uncertainty : ndarray of float64, shape (n,)
            m. NaN before the first levelling holds.

        Raises
        ------
        ConfigError
            If no offset leads to that datum.
        """
        shift, spread = conversion(self.datum.key, over or self.datum.key, self.offsets)
        row = np.searchsorted(self._dates, np.asarray(time, np.int64), side="right") - 1
        held = row >= 0
        zeros = np.where(held, self._zeros[row] + shift, np.nan)
        return zeros, np.where(held, np.hypot(self._spreads[row], spread), np.nan)

    def elevation(self, time: ArrayLike, level: ArrayLike, over: str = "") -> NDArray[np.float64]:
        """Return elevations over a datum of levels over the gauge's zero.

        Parameters
        ----------
        time, over
            As in `zero`.
        level : array_like, shape (n,)
            m.

        Returns
        -------
        ndarray of float64, shape (n,)
            m. NaN where a level is, and before the first levelling holds.

        Raises
        ------
        ConfigError
            If no offset leads to that datum.
        """
        return np.asarray(np.asarray(level, np.float64) + self.zero(time, over)[0])

    def shifts(self) -> list[tuple[int, float]]:
        """Return when the zero moved, and by how much: an elevation that was told before steps back by as much."""
        return [(two.valid_from, two.zero - one.zero) for one, two in pairwise(self.levellings)]
