"""``PLAN.toml``: what a trial is to show, with which instruments, for how long, and by which margins.

A plan is read and checked here; that it was frozen before the first datum is the business of `freezing`. It opens no
file of data.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from zoneinfo import ZoneInfo

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, field_validator, model_validator

from nilometer.config import config_error
from nilometer.config_fields import Key, Seconds
from nilometer.errors import ConfigError, UnitError
from nilometer.model.entities import WaterBody
from nilometer.trials.inference.endpoint import Kind, Margin, Origin
from nilometer.trials.inference.moments import has_arbitrary_zero, unit_of
from nilometer.units import canonical, same_dimension

__all__ = [
    "AlignmentPlan",
    "ArmPlan",
    "ConditionPlan",
    "EndpointPlan",
    "MaintenancePlan",
    "Plan",
    "SamplePlan",
    "load_plan",
    "parse_plan",
]

LOGARITHMS = frozenset({"ph", "ph_total_scale"})
"""Quantities whose results are logarithms: ratios and shares of them mean nothing."""

Name = Annotated[str, Field(min_length=1, max_length=120)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Uncertainty = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _moment(given: object) -> object:
    """Return a time as text of ISO 8601 or as TOML writes it; a zone is put to it by the plan."""
    if isinstance(given, str):
        return datetime.fromisoformat(given)
    return given


Moment = Annotated[datetime, BeforeValidator(_moment)]


def _unit(given: str | None) -> str | None:
    if given is not None:
        canonical(given)
    return given


def _rising(edges: tuple[float, ...]) -> tuple[float, ...]:
    if any(left >= right for left, right in pairwise(edges)):
        raise ValueError("edges rise from the first to the last")
    return edges


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourcePlan(_Section):
    """Where a series comes from: a column of a file beside the plan, or a Datastream of a server.

    `where` keeps the rows of which columns have these texts (long tables); `missing` names what stands for no value.
    `time_zone` is that of times that carry none, by default what the file says, else the trial's. Results of a file
    are instants unless `stands_for` says of what length of time they are means, with stamps of its start or its end.
    """

    file: str | None = None
    column: str | None = None
    time: str | None = None
    time_zone: str | None = None
    format: str | None = None
    where: dict[str, str] = {}
    missing: tuple[str, ...] = ()
    day_first: bool | None = None
    datastream: Key | None = None
    unit: str | None = None
    stands_for: Seconds | None = None
    stamped: Literal["start", "end"] = "start"

    _checked_unit = field_validator("unit")(_unit)

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.file is None) == (self.datastream is None):
            raise ValueError("name either a `file` or a `datastream`")
        return self


class ArmPlan(SourcePlan):
    """A candidate or a reference.

    `uncertainty` is standard (k = 1), in the unit of the trial, `relative_uncertainty` a share of the result; `t90` how
    long it takes to follow a step; `every` at what interval results are due, of which the data yield is made; `profile`
    the qc profile that flags a file's values; `calibration` turns what the file has into the quantity; `certificate`
    is what the report says of it.
    """

    name: Name
    maker: str = ""
    model: str = ""
    serial: str = ""
    lot: str = ""
    site: str = ""
    certificate: str = ""
    uncertainty: Uncertainty | None = None
    relative_uncertainty: Uncertainty | None = None
    t90: Seconds | None = None
    every: Seconds | None = None
    profile: str | None = None
    calibration: dict[str, Any] | None = None


class SamplePlan(SourcePlan):
    """Grab samples that a laboratory analysed: the arbiter of both arms."""

    name: Name = "laboratory"
    laboratory: str = ""
    method: str = ""
    uncertainty: Uncertainty | None = None
    relative_uncertainty: Uncertainty | None = None
    window: Seconds = 600.0


class ConditionPlan(SourcePlan):
    """What the water was like; `edges` part it into strata."""

    edges: tuple[float, ...] = ()
    tolerance: Seconds | None = None

    _checked_edges = field_validator("edges")(_rising)


class MaintenancePlan(_Section):
    """A window in which neither arm counts: given here, or by a file with a column of starts and one of ends.

    A window of `kind` cleaning or calibration begins a new interval of drift.
    """

    start: Moment | None = None
    end: Moment | None = None
    file: str | None = None
    start_column: str = "start"
    end_column: str = "end"
    time_zone: str | None = None
    kind: Literal["cleaning", "calibration", "repair", "other"] = "cleaning"
    reason: str = ""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        given = self.start is not None and self.end is not None
        if given == (self.file is not None):
            raise ValueError("name either a `file` or both `start` and `end`")
        if self.start is not None and self.end is not None and not self.start < self.end:
            raise ValueError(f"a window from {self.start.isoformat()} to {self.end.isoformat()} has no length")
        return self


class AlignmentPlan(_Section):
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


class EndpointPlan(_Section):
    """One claim: a statistic of the pairs, held against a margin whose origin is told.

    `margin` in `unit`, by default that of the statistic, or with ``relative = true`` a share of the reference's mean.
    """

    name: Name
    statistic: Key
    margin: Positive
    unit: str | None = None
    relative: bool = False
    origin: Origin = Origin.USER
    source: str = ""
    kind: Kind = Kind.NON_INFERIORITY
    alpha: Annotated[float, Field(ge=0.0001, lt=0.5)] = 0.025
    against: Literal["reference", "samples"] = "reference"
    condition: dict[str, tuple[float, float]] = {}

    _checked_unit = field_validator("unit")(_unit)

    @field_validator("statistic")
    @classmethod
    def _known_statistic(cls, name: str) -> str:
        unit_of(name, "1")
        if name == "class_agreement":
            raise ValueError("a report shows it as a figure, and no plan decides on it: name another statistic")
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
            source=self.source,
            is_relative=self.relative,
        )


class TrialSection(_Section):
    """``[trial]``: the question, where and when.

    Classes of `standard` are compared, by the limits of its `water_body`; `range_edges` part the reference's own
    results into strata.
    """

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

    _checked_unit = field_validator("unit")(_unit)
    _checked_edges = field_validator("range_edges")(_rising)

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
        return self


class Plan(_Section):
    """A trial as it was planned."""

    trial: TrialSection
    candidate: tuple[ArmPlan, ...] = Field(min_length=1)
    reference: tuple[ArmPlan, ...] = Field(min_length=1)
    sample: tuple[SamplePlan, ...] = ()
    condition: dict[Key, ConditionPlan] = {}
    maintenance: tuple[MaintenancePlan, ...] = ()
    alignment: AlignmentPlan = AlignmentPlan()
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
        for one in self.endpoint:
            self._check_endpoint(one)
        return self

    def _check_endpoint(self, one: EndpointPlan) -> None:
        known = {*self.condition, "range"}
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
