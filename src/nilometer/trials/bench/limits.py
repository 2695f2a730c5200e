"""What a norm accepts of a bench test: numbers in data files, each with how sure it is."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from typing import Any

from nilometer.errors import ConfigError
from nilometer.trials.figure import Figure
from nilometer.units import convert

__all__ = ["BenchLimit", "Finding", "judge", "limits_of"]


class Finding(StrEnum):
    """What a limit says of a figure; a limit that nobody has verified never says plainly that it is met."""

    MET = "met"
    NOT_MET = "not_met"
    MET_UNVERIFIED = "met_unverified"
    NOT_MET_UNVERIFIED = "not_met_unverified"
    NO_LIMIT = "no_limit"
    NOT_DECIDED = "not_decided"
    NOT_MADE = "not_made"


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchLimit:
    """One limit.

    Parameters
    ----------
    test : str
        What it limits.
    at_most, at_least : float, optional
        Of the figure's size, or of the figure.
    classes : mapping of str to float, optional
        Names of classes and the most each allows; the narrowest that holds the figure is its class.
    unit : str
        CF text.
    below : float, optional
        It holds where the laboratory's mean is below this, in the procedure's unit.
    source, confidence, condition : str
        The norm, how sure the number is, and what it holds for.
    told : str
        What is shown in place of its numbers; empty: these.
    """

    test: str
    at_most: float | None = None
    at_least: float | None = None
    classes: dict[str, float] | None = None
    unit: str
    source: str
    confidence: str
    condition: str = ""
    below: float | None = None
    told: str = ""

    @property
    def is_verified(self) -> bool:
        """Whether the number was checked against the norm, or reports made by it."""
        return self.confidence.startswith("verified")

    def text(self) -> str:
        """Return its numbers as a reader knows them."""
        if self.told:
            return self.told
        bounds = [f"≤ {self.at_most:g}"] if self.at_most is not None else []
        bounds += [f"≥ {self.at_least:g}"] if self.at_least is not None else []
        bounds += [", ".join(f"{name}: {most:g}" for name, most in self.classes.items())] if self.classes else []
        return f"{' '.join(bounds)} {self.unit if self.unit != '1' else ''}".rstrip()

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {name: getattr(self, name) for name in self.__slots__} | {"is_verified": self.is_verified}


def limits_of(key: str) -> dict[str, BenchLimit]:
    """Return the limits of a norm, by test; tests that it does not limit, or whose number is not known, are absent.

    Raises
    ------
    ConfigError
        If there is no such file, or it has no bench limits.
    """
    files = _files()
    if key not in files:
        raise ConfigError("limits", seen=key, allowed=files)
    table = tomllib.loads(files[key].read_text(encoding="utf-8"))
    found = {}
    for row in table.get("limit", ()):
        row = {"source": table["source"], "confidence": table["confidence"], **row}  # noqa: PLW2901 -- completed
        found[row["test"]] = BenchLimit(**row)
    if "control_sample" in table:
        share = 100.0 * float(table["control_sample"]["relative"])
        found["control_sample"] = BenchLimit(
            test="control_sample", at_most=share, unit="%", source=table["source"], confidence=table["confidence"]
        )
    return found


def judge(figure: Figure, limit: BenchLimit | None) -> tuple[Finding, str]:
    """Return what a limit says of a figure, and what has to be said beside it.

    Notes
    -----
    The figure itself is held against the limit, as the norms do; where its interval reaches over the limit the note
    says so. A figure that is not there decides nothing, but for one whose interval alone keeps a least value, as that
    of hours without a failure may.
    """
    if not math.isfinite(figure.value):
        low = figure.interval[0]
        keeps = limit is not None and limit.at_least is not None and math.isfinite(low)
        if limit is not None and keeps and float(convert(low, figure.unit, limit.unit)) >= (limit.at_least or 0.0):
            return _finding(limit, is_met=True), figure.note
        has_bound = limit is None and any(map(math.isfinite, figure.interval))
        return Finding.NO_LIMIT if has_bound else Finding.NOT_DECIDED, figure.note
    if limit is None:
        return Finding.NO_LIMIT, ""
    ends = [figure.value, *figure.interval]
    value, low, high = (float(convert(end, figure.unit, limit.unit)) if math.isfinite(end) else end for end in ends)
    if limit.classes:
        holding = [name for name, most in sorted(limit.classes.items(), key=lambda one: one[1]) if abs(value) <= most]
        note = f"class {holding[0]}" if holding else f"no class: above {max(limit.classes.values()):g} {limit.unit}"
        return _finding(limit, is_met=bool(holding)), note
    size = abs(value)
    is_met = (limit.at_most is None or size <= limit.at_most) and (limit.at_least is None or value >= limit.at_least)
    bounds = [bound for bound in (limit.at_most, limit.at_least) if bound is not None]
    crosses = any(min(abs(low), abs(high)) < bound < max(abs(low), abs(high)) for bound in bounds)
    return _finding(limit, is_met=is_met), "its interval reaches over the limit" if crosses else ""


def _finding(limit: BenchLimit, *, is_met: bool) -> Finding:
    if limit.is_verified:
        return Finding.MET if is_met else Finding.NOT_MET
    return Finding.MET_UNVERIFIED if is_met else Finding.NOT_MET_UNVERIFIED


@cache
def _files() -> dict[str, Any]:
    folder = resources.files("nilometer.trials") / "limits"
    return {file.name.removesuffix(".toml"): file for file in folder.iterdir() if file.name.endswith(".toml")}
