"""A margin that its origin gives: a class of a standard, a permit, a band of HJ 355, or what the reference errs.

It is computed when a plan is read, so that the number is frozen with the plan, and how it came about is told.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np

from nilometer.errors import ConfigError
from nilometer.model.entities import WaterBody
from nilometer.trials.inference.endpoint import Origin
from nilometer.trials.planning.sources import ArmPlan, Name, Positive, Section
from nilometer.units import affine, convert, symbol
from nilometer.verdict.item import Item, Rule
from nilometer.verdict.standard import find_standard

__all__ = ["Computed", "MarginPlan", "Quantity", "check_norm", "computed"]


class MarginPlan(Section):
    """What a margin is computed from: `share` of what the claim's origin names.

    ``class_width``: the width of class `of_class` of the trial's standard. ``permit``: the `limit`, in the unit of the
    trial, or that of class `of_class`. ``hj355``: the band of `norm` where the laboratory's mean is `at`.
    ``reference_uncertainty``: the smallest stated standard uncertainty of a reference, of relative ones where its
    result is `at`.
    """

    share: Positive
    of_class: Name | None = None
    limit: Positive | None = None
    at: Positive | None = None
    norm: Name = "hj355-2019"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quantity:
    """What is measured: property, unit of the trial, and whose classes hold."""

    property: str
    unit: str
    standard: str | None
    water_body: WaterBody


@dataclass(frozen=True, slots=True, kw_only=True)
class Computed:
    """A margin in the unit of the trial, and the sentence that says how it came about."""

    value: float
    told: str


def computed(told: MarginPlan, origin: Origin, quantity: Quantity, references: Sequence[ArmPlan]) -> Computed:
    """Return the margin that an origin gives.

    Parameters
    ----------
    told : MarginPlan
        What it is computed from.
    origin : Origin
        Where it comes from: any but the user.
    quantity : Quantity
        What is measured.
    references : sequence of ArmPlan
        Of the plan.

    Returns
    -------
    Computed
        In the unit of the trial.

    Raises
    ------
    ConfigError, UnitError, StandardNotApplicable
        If there is no such norm, standard or item.
    ValueError
        If the origin does not give one: what it lacks.
    """
    whole, what = {
        Origin.CLASS_WIDTH: _class_width,
        Origin.PERMIT: _permit,
        Origin.HJ355: _band,
        Origin.REFERENCE_UNCERTAINTY: _uncertainty,
        Origin.USER: _of_user,
    }[origin](told, quantity, references)
    value = float(f"{told.share * whole:.6g}")
    unit = symbol(quantity.unit) if quantity.unit != "1" else ""
    return Computed(value=value, told=f"{what}: {told.share:g} × {whole:.6g} = {value:g} {unit}".rstrip())


Found = tuple[float, str]


def _of_user(_told: MarginPlan, _quantity: Quantity, _references: Sequence[ArmPlan]) -> Found:
    raise ValueError("a margin of the user's is typed: name the origin it is computed from, or leave `margin_from` out")


def _class_width(told: MarginPlan, quantity: Quantity, _references: Sequence[ArmPlan]) -> Found:
    item, index, name = _class(told, quantity)
    if index == 0 and item.rule is not Rule.AT_MOST:
        raise ValueError(f"{name} is open: it has no width")
    ends = (0.0 if index == 0 else item.limits[index - 1], item.limits[index])
    low, high = sorted(convert(np.array(ends), item.unit, quantity.unit).tolist())
    if not high > low:
        raise ValueError(f"{name} has no width: its limit is that of the class before")
    return high - low, f"width of {name}, {low:.6g} to {high:.6g}"


def _permit(told: MarginPlan, quantity: Quantity, _references: Sequence[ArmPlan]) -> Found:
    if (told.limit is None) == (told.of_class is None):
        raise ValueError("a permit's margin is a share of its `limit`, or of the limit of class `of_class`")
    if told.limit is not None:
        return told.limit, "permitted limit"
    item, index, name = _class(told, quantity)
    return float(convert(np.array([item.limits[index]]), item.unit, quantity.unit)[0]), f"limit of {name}"


def _class(told: MarginPlan, quantity: Quantity) -> tuple[Item, int, str]:
    if quantity.standard is None or told.of_class is None:
        raise ValueError("a class is named by trial.standard and `of_class`")
    standard = find_standard(quantity.standard)
    items = {item.property: item for item in standard.items_for(quantity.water_body)}
    if quantity.property not in items or not items[quantity.property].limits:
        raise ValueError(f"{standard.name} has no limits by class of {quantity.property}")
    index = standard.class_index(told.of_class)
    return items[quantity.property], index, f"class {told.of_class} of {standard.name}"


def check_norm(key: str, quantity: Quantity) -> None:
    """Refuse a norm that cannot speak of a quantity beside laboratory samples.

    Raises
    ------
    ConfigError
        If there is no such norm, or it has no band for the property.
    UnitError
        If the trial's unit cannot become that of the band.
    """
    affine(quantity.unit, str(_bands(_norm(key), quantity)[0]["unit"]))


def _bands(table: dict[str, Any], quantity: Quantity) -> list[dict[str, Any]]:
    bands: list[dict[str, Any]] | None = table["comparison"].get(quantity.property)
    if bands is None:
        raise ConfigError("trial.property", seen=quantity.property, allowed=table["comparison"])
    return bands


def _band(told: MarginPlan, quantity: Quantity, _references: Sequence[ArmPlan]) -> Found:
    table = _norm(told.norm)
    bands = _bands(table, quantity)
    unit = str(bands[0]["unit"])
    at = math.nan if told.at is None else float(convert(np.array([told.at]), quantity.unit, unit)[0])
    if told.at is None and (len(bands) > 1 or "relative" in bands[0]):
        raise ValueError(f"{table['name']} has bands by the laboratory's mean: say by `at` where")
    band = next(one for one in bands if not at >= one.get("below", math.inf))
    if "absolute" in band:
        # Of a difference: a zero that lies elsewhere does not count.
        ends = convert(np.array([0.0, float(band["absolute"])]), unit, quantity.unit)
        return float(ends[1] - ends[0]), f"band of {table['source']}"
    relative, level = float(band["relative"]), told.at or math.nan
    return relative * level, f"band of {table['source']}, {relative:g} of {level:g}"


def _norm(key: str) -> dict[str, Any]:
    folder = resources.files("nilometer.trials") / "limits"
    known = {file.name.removesuffix(".toml"): file for file in folder.iterdir() if file.name.endswith(".toml")}
    table = tomllib.loads(known[key].read_text(encoding="utf-8")) if key in known else {}
    if "comparison" not in table:
        raise ConfigError("norm", seen=key, allowed="a norm with bands beside the laboratory, such as hj355-2019")
    return table


def _uncertainty(told: MarginPlan, _quantity: Quantity, references: Sequence[ArmPlan]) -> Found:
    found: list[Found] = []
    for arm in references:
        if arm.uncertainty is None and arm.relative_uncertainty is None:
            raise ValueError(f"{arm.name} states no uncertainty, of which the margin would be a share")
        if arm.relative_uncertainty is not None and told.at is None:
            raise ValueError(f"{arm.name} states a relative uncertainty: say by `at` at which result")
        part = (arm.relative_uncertainty or 0.0) * (told.at or 0.0)
        found.append((math.hypot(arm.uncertainty or 0.0, part), f"standard uncertainty of {arm.name}"))
    smallest = min(found)
    if not smallest[0] > 0.0:
        raise ValueError(f"the {smallest[1]} is stated as 0: no margin is a share of it")
    return smallest
