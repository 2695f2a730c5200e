"""On-line results beside those of the laboratory, judged by a norm of the field (HJ 355)."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from nilometer.errors import ConfigError

__all__ = ["Comparison", "compare_with_laboratory", "judge_control_sample"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a norm says of the pairs of one comparison.

    Parameters
    ----------
    norm : str
        Its name.
    limit : float
        Of the error.
    is_relative : bool
        Whether errors and limit are shares of the laboratory's result, else in its unit.
    errors : tuple of float
        Of every pair, on-line minus laboratory, with their sign.
    within : tuple of bool
        Which of them lie within the limit.
    needed : int
        How many have to.
    """

    norm: str
    limit: float
    is_relative: bool
    errors: tuple[float, ...]
    within: tuple[bool, ...]
    needed: int

    @property
    def passes(self) -> bool:
        """Whether enough of them do."""
        return sum(self.within) >= self.needed


def compare_with_laboratory(
    online: Sequence[float], laboratory: Sequence[float], observed_property: str, norm: str = "hj355-2019"
) -> Comparison:
    """Judge on-line results beside the laboratory's, of the same actual water samples.

    Parameters
    ----------
    online, laboratory : sequence of float
        In the unit of the norm's table (mg L-1; pH: 1), above 0 where errors are relative.
    observed_property : str
        Vocabulary key, such as ``codcr``.
    norm : str
        Which table.

    Returns
    -------
    Comparison
        The band is that of the mean of the laboratory's results.

    Raises
    ------
    ConfigError
        If the norm has no band for the property.
    ValueError
        If there are too few pairs, or results do not pair.

    References
    ----------
    HJ 355-2019, Table 1: bands; of 3 pairs 2, of 4 pairs 3, of 5 and more at least 4 have to lie within.

    Examples
    --------
    >>> compare_with_laboratory([104.6, 90.0, 118.0], [123.0, 120.0, 121.0], "codcr").within
    (True, False, True)
    """
    table = _table(norm)
    bands = table["comparison"].get(observed_property)
    if bands is None:
        raise ConfigError("observed_property", seen=observed_property, allowed=table["comparison"])
    if len(online) != len(laboratory) or len(online) < table["least_pairs"]:
        least = table["least_pairs"]
        raise ValueError(f"{len(online)} and {len(laboratory)} results: {least} pairs or more are needed")
    mean = sum(laboratory) / len(laboratory)
    band = next(one for one in bands if mean < one.get("below", float("inf")))
    is_relative = "relative" in band
    limit = float(band["relative"] if is_relative else band["absolute"])
    errors = tuple(
        (ours - theirs) / theirs if is_relative else ours - theirs
        for ours, theirs in zip(online, laboratory, strict=True)
    )
    known = {int(pairs): int(needed) for pairs, needed in table["passes"].items()}
    needed = known[min(len(errors), max(known))]
    return Comparison(table["name"], limit, is_relative, errors, tuple(abs(e) <= limit for e in errors), needed)


def judge_control_sample(reading: float, standard: float, norm: str = "hj355-2019") -> tuple[float, bool]:
    """Return the relative error of a quality-control sample, and whether the norm accepts it.

    Raises
    ------
    ValueError
        If the standard's value is not above 0.

    Examples
    --------
    >>> judge_control_sample(22.0, 25.0)
    (-0.12, False)
    """
    if not standard > 0.0:
        raise ValueError(f"a standard of {standard!r}: its value has to be above 0")
    error = (reading - standard) / standard
    return error, abs(error) <= _table(norm)["control_sample"]["relative"]


@cache
def _table(norm: str) -> dict[str, Any]:
    folder = resources.files("nilometer.trials") / "limits"
    known = {file.name.removesuffix(".toml"): file for file in folder.iterdir() if file.name.endswith(".toml")}
    if norm not in known:
        raise ConfigError("norm", seen=norm, allowed=known)
    table = tomllib.loads(known[norm].read_text(encoding="utf-8"))
    if "comparison" not in table:
        raise ConfigError("norm", seen=norm, reason="it has no table for a comparison with the laboratory")
    return table
