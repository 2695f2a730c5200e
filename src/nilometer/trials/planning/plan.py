"""``PLAN.toml``: what a trial is to show, with which instruments, for how long, and by which margins.

A plan is read and checked here; that it was frozen before the first datum is the business of `freezing`. It opens no
file of data.
"""

from __future__ import annotations

import hashlib
import json
import math
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

import numpy as np
from pydantic import Field, ValidationError, field_validator, model_validator

from nilometer.config import config_error
from nilometer.config_fields import Key
from nilometer.errors import ConfigError, NilometerError, UnitError
from nilometer.model.entities import WaterBody
from nilometer.trials.inference.endpoint import Kind, Margin, Origin
from nilometer.trials.inference.moments import has_arbitrary_zero, unit_of
from nilometer.trials.pairing.strata import TIDE
from nilometer.trials.planning.margins import MarginPlan, Quantity, check_norm, computed
from nilometer.trials.planning.sources import (
    ArmPlan,
    ConditionPlan,
    MaintenancePlan,
    Moment,
    Name,
    Positive,
    SamplePlan,
    Seconds,
    Section,
    SourcePlan,
    TidePlan,
    checked_unit,
    rising,
)
from nilometer.units import convert, same_dimension

__all__ = [
    "AlignmentPlan",
    "ArmPlan",
    "ConditionPlan",
    "EndpointPlan",
    "MaintenancePlan",
    "Plan",
    "ReferencesPlan",
    "SamplePlan",
    "SourcePlan",
    "StrataPlan",
    "TidePlan",
    "load_plan",
    "parse_plan",
]

LOGARITHMS = frozenset({"ph", "ph_total_scale"})
"""Quantities whose results are logarithms: ratios and shares of them mean nothing."""

_TYPED = 0.005  # how far a typed margin may be rounded from the computed one
Finite = Annotated[float, Field(allow_inf_nan=False)]


class AlignmentPlan(Section):
    """How results are paired.

    `by` time, or by order where rows pair one to one and no clock is common. `pairing`, `tolerance` and `least_share`
    are those of `nilometer.trials.pairing.alignment.Rules`. A clear offset of the candidate's clock is reported; it is
    taken out where `clock` is ``correct``, or where it is above `clock_tolerance`; with a `clock_search` of 0 the
    clocks are not compared. `response`: of two declared T90 the faster instrument is slowed down, or both stay as
    they are.
    `suspect` says whether SUSPECT results count; the other way is reported beside.
    """

    by: Literal["time", "order"] = "time"
    pairing: Literal["auto", "nearest", "mean"] = "auto"
    tolerance: Seconds | None = None
    least_share: Annotated[float, Field(gt=0, le=1)] = 0.75
    clock: Literal["report", "correct"] = "report"
    clock_tolerance: Seconds | None = None
    clock_search: Seconds = 15 * 3600.0
    response: Literal["match", "leave"] = "match"
    suspect: bool = True


class EndpointPlan(Section):
    """One claim: a statistic of the pairs, held against a margin whose origin is told.

    `margin` in `unit`, by default that of the statistic, or with ``relative = true`` a share of the reference's mean.
    With `margin_from` it is computed from what its `origin` names, and `reckoned` says how; one that is typed as well
    has to be the same within half a per cent.
    """

    LATER = frozenset({"margin_from", "reckoned"})

    name: Name
    statistic: Key
    margin: Positive = math.nan
    margin_from: MarginPlan | None = None
    reckoned: str = ""
    unit: str | None = None
    relative: bool = False
    origin: Origin = Origin.USER
    source: str = ""
    kind: Kind = Kind.NON_INFERIORITY
    alpha: Annotated[float, Field(ge=0.0001, lt=0.5)] = 0.025
    against: Literal["reference", "samples"] = "reference"
    condition: dict[str, tuple[Finite, Finite]] = Field(default_factory=dict)

    _checked_unit = field_validator("unit")(checked_unit)

    @field_validator("statistic")
    @classmethod
    def _known_statistic(cls, name: str) -> str:
        unit_of(name, "1")
        return name

    @model_validator(mode="after")
    def _has_an_arbiter(self) -> Self:
        if self.statistic == "excess_error" and self.against != "samples":
            raise ValueError('excess_error holds both against a laboratory: against = "samples", and a [[sample]]')
        return self

    def as_margin(self, unit: str) -> Margin:
        """Return the margin, in `unit` where it names none."""
        return Margin(
            value=self.margin,
            unit="1" if self.relative else self.unit or unit_of(self.statistic, unit),
            origin=self.origin,
            source="; ".join(text for text in (self.reckoned, self.source) if text),
            is_relative=self.relative,
        )


class TrialSection(Section):
    """``[trial]``: the question, where and when.

    Classes of `standard` are compared, by the limits of its `water_body`, or those that `class_edges` part: a result on
    an edge is of the class below it. `range_edges` part the reference's own results into strata.
    """

    LATER = frozenset({"class_edges"})

    title: Name
    question: str = ""
    place: str = ""
    property: str
    unit: str
    start: Moment | None = None
    end: Moment | None = None
    time_zone: str = "UTC"
    server: str | None = None
    cleaning: str = ""
    standard: str | None = None
    water_body: WaterBody = WaterBody.RIVER
    responsible: str = ""
    range_edges: tuple[float, ...] = ()
    class_edges: tuple[float, ...] = ()

    _checked_unit = field_validator("unit")(checked_unit)
    _checked_edges = field_validator("range_edges", "class_edges")(rising)

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        try:
            ZoneInfo(zone)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("a zone of the IANA database, such as Asia/Shanghai") from error
        return zone

    @model_validator(mode="after")
    def _has_length(self) -> Self:
        if self.start is not None and self.end is not None and not self.start < self.end:
            raise ValueError(f"a trial from {self.start.isoformat()} to {self.end.isoformat()} has no length")
        if self.standard is not None and self.class_edges:
            raise ValueError("classes are of a `standard` or between `class_edges`: give one of both")
        return self


class ReferencesPlan(Section):
    """What several references are to the trial: each by itself, or combined to one.

    They are combined by their uncertainties if each pair of them agrees: the interval of its mean difference lies
    within ± `agree_within`, in the unit of the trial. If they do not, each is compared by itself, and that is said.
    With ``uncertainty = "estimated"`` their own random error is found from how three instruments differ (three
    references, or two and a candidate) and stands for what they state.
    """

    combine: bool = False
    name: Name = "references"
    agree_within: Positive | None = None
    tolerance: Seconds | None = None
    uncertainty: Literal["stated", "estimated"] = "stated"

    @model_validator(mode="after")
    def _says_how_far(self) -> Self:
        if self.combine and self.agree_within is None:
            raise ValueError("references are combined if they agree: say by `agree_within` how far they may differ")
        return self


class StrataPlan(Section):
    """How parts of the water are asked for by themselves.

    `share` of each claim's alpha is kept for the declared strata: where the claims do not hold over all water, the
    answer may then be that they hold in some of them alone. All water has the rest.
    """

    share: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Plan(Section):
    """A trial as it was planned."""

    LATER = frozenset({"references", "strata", "tide"})

    trial: TrialSection
    candidate: tuple[ArmPlan, ...] = Field(min_length=1)
    reference: tuple[ArmPlan, ...] = Field(min_length=1)
    sample: tuple[SamplePlan, ...] = ()
    condition: dict[Key, ConditionPlan] = Field(default_factory=dict)
    maintenance: tuple[MaintenancePlan, ...] = ()
    alignment: AlignmentPlan = AlignmentPlan()
    references: ReferencesPlan = ReferencesPlan()
    strata: StrataPlan = StrataPlan()
    tide: TidePlan | None = None
    endpoint: tuple[EndpointPlan, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        arms = [arm.name for arm in (*self.candidate, *self.reference)]
        for name in arms:
            if arms.count(name) > 1:
                raise ValueError(f"two instruments are called {name!r}: give each a name of its own")
        names = [one.name for one in self.endpoint]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two endpoints are called {name!r}: give each a name of its own")
        self._references_fit()
        self._norms_fit()
        # Within its own validation a plan is not yet frozen: what it computes becomes a part of it, and of its hash.
        object.__setattr__(self, "endpoint", tuple(self._with_margin(one) for one in self.endpoint))
        for one in self.endpoint:
            self._fits(one)
        return self

    def _with_margin(self, one: EndpointPlan) -> EndpointPlan:
        """Return a claim with the margin that its origin gives, where it asks for one."""
        if one.margin_from is None:
            if math.isnan(one.margin):
                raise ValueError(f"endpoint {one.name!r}: give a `margin`, or `margin_from` of which it is computed")
            return one.model_copy(update={"reckoned": ""})
        if one.relative or unit_of(one.statistic, self.trial.unit) != self.trial.unit:
            raise ValueError(
                f"endpoint {one.name!r}: what is computed is in {self.trial.unit}, and no margin of {one.statistic}"
                f"{' that is relative' if one.relative else ''}: type that one"
            )
        try:
            found = computed(one.margin_from, one.origin, self._quantity(), self.reference)
        except (ValueError, NilometerError) as error:
            raise ValueError(f"endpoint {one.name!r}: {error}") from error
        if not math.isnan(one.margin):
            ends = convert(np.array([0.0, one.margin]), one.unit or self.trial.unit, self.trial.unit)
            typed = float(ends[1] - ends[0])
            if not math.isclose(typed, found.value, rel_tol=_TYPED):
                raise ValueError(
                    f"endpoint {one.name!r}: the margin is typed as {typed:g} {self.trial.unit}, and its origin gives "
                    f"another ({found.told}): leave one of both out"
                )
        return one.model_copy(update={"margin": found.value, "unit": self.trial.unit, "reckoned": found.told})

    def _quantity(self) -> Quantity:
        return Quantity(
            property=self.trial.property,
            unit=self.trial.unit,
            standard=self.trial.standard,
            water_body=self.trial.water_body,
        )

    def _norms_fit(self) -> None:
        """Refuse a norm that has nothing to say of these samples: now, and not after all is computed."""
        for one in self.sample:
            if one.norm is not None:
                try:
                    check_norm(one.norm, self._quantity())
                except (ValueError, NilometerError) as error:
                    raise ValueError(f"sample {one.name!r}: norm {one.norm!r}: {error}") from error

    def _references_fit(self) -> None:
        if self.tide is not None and (TIDE in self.condition or self.alignment.by == "order"):
            raise ValueError(f"a `tide` makes the condition {TIDE!r}, of rows that have times: take one of both out")
        if self.references.combine and (len(self.reference) < 2 or self.alignment.by == "order"):
            raise ValueError("`references.combine` asks for two [[reference]] or more whose rows have times")
        if self.references.uncertainty == "estimated" and (len(self.reference) < 2 or self.alignment.by == "order"):
            raise ValueError("an estimated uncertainty asks for two [[reference]] or more whose rows have times")

    def _fits(self, one: EndpointPlan) -> None:
        """Refuse a claim that cannot be meant of these data."""
        known = {*self.condition, "range"} | ({TIDE} if self.tide is not None else set())
        due = unit_of(one.statistic, self.trial.unit)
        if not one.relative and one.unit is not None and not same_dimension(one.unit, due):
            raise UnitError(
                f"endpoint {one.name!r}: a margin in {one.unit} for {one.statistic}, which is in {due}: "
                "give it in a unit of that dimension"
            )
        if (one.relative or one.statistic == "relative_bias") and _has_arbitrary_zero(self.trial):
            raise ValueError(
                f"endpoint {one.name!r}: a share of {self.trial.property} in {self.trial.unit}, whose zero is "
                "arbitrary, says nothing: give the margin in a unit, of a statistic such as bias"
            )
        if (one.relative or one.statistic == "relative_bias") and not one.margin < 1.0:
            raise ValueError(f"endpoint {one.name!r}: margin = {one.margin:g} of the result itself: 0.05 is 5 %")
        for condition in one.condition:
            if condition not in known:
                raise ValueError(f"endpoint {one.name!r}: condition {condition!r} (known: {', '.join(sorted(known))})")
        if one.statistic == "class_agreement" and not (self.trial.standard or self.trial.class_edges):
            raise ValueError(f"endpoint {one.name!r}: name the classes by trial.standard or trial.class_edges")
        if one.against == "samples" and not self.sample:
            raise ValueError(f"endpoint {one.name!r} is against samples, and the plan has no [[sample]]")

    def time(self, moment: datetime | None) -> int | None:
        """Return a time of the plan in µs since 1970 UTC; one without a zone is of the trial's."""
        if moment is None:
            return None
        aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=ZoneInfo(self.trial.time_zone))
        return round(aware.astimezone(UTC).timestamp() * 1_000_000)

    def canonical(self) -> str:
        """Return the plan as the text that is hashed: JSON with sorted keys, so that layout and comments are free."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, ensure_ascii=False, separators=(",", ":"))

    def hash(self) -> str:
        """Return the SHA-256 of `canonical`, in hexadecimal digits."""
        return hashlib.sha256(self.canonical().encode()).hexdigest()


def _has_arbitrary_zero(trial: TrialSection) -> bool:
    """Return whether a share of a result would hang on where the scale begins: °C, or pH, which is a logarithm."""
    return trial.property in LOGARITHMS or has_arbitrary_zero(trial.unit)


def parse_plan(document: dict[str, Any], *, source: str | None = None) -> Plan:
    """Check a plan.

    Parameters
    ----------
    document : dict
        As read from TOML or JSON.
    source : str, optional
        The file it is from, for messages.

    Raises
    ------
    ConfigError
        With the first thing that is wrong, where, and what is allowed.
    """
    file = None if source is None else Path(source)
    try:
        return Plan.model_validate(document)
    except ValidationError as error:
        raise config_error(error, Plan, file=file) from None


def load_plan(path: str | Path) -> Plan:
    """Read a plan from its file: TOML, or JSON where its name ends so.

    Raises
    ------
    ConfigError
        If it cannot be read, is no TOML, or no plan.
    """
    file = Path(path)
    form = "JSON" if file.suffix == ".json" else "TOML"
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(
            "plan", seen=str(file), reason="there is no such file", allowed="nilometer trial new writes one to fill in"
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text of UTF-8"
        raise ConfigError(
            "plan", seen=str(file), reason=why[:1].lower() + why[1:], allowed=f"a file of {form}"
        ) from error
    try:
        document = json.loads(text) if form == "JSON" else tomllib.loads(text)
    except (tomllib.TOMLDecodeError, json.JSONDecodeError) as error:
        raise ConfigError("plan", seen=str(file), reason=f"it is no {form}: {error}") from error
    if not isinstance(document, dict):
        raise ConfigError("plan", seen=str(file), allowed="an object with trial, candidate, reference, endpoint")
    return parse_plan(document, source=str(file))
