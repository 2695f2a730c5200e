"""What a plan's data are: arms, samples, conditions, the tide and maintenance, each a series with its account."""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from nilometer.config_fields import Key, seconds_of
from nilometer.units import canonical

__all__ = [
    "ArmPlan",
    "ConditionPlan",
    "MaintenancePlan",
    "Moment",
    "Name",
    "Positive",
    "SamplePlan",
    "Seconds",
    "Section",
    "SourcePlan",
    "TidePlan",
    "Uncertainty",
    "checked_unit",
    "rising",
]

Name = Annotated[str, Field(min_length=1, max_length=120)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Uncertainty = Annotated[float, Field(ge=0, allow_inf_nan=False)]


def _moment(given: object) -> object:
    """Return a time as text of ISO 8601 or as TOML writes it; a zone is put to it by the plan."""
    if isinstance(given, str):
        return datetime.fromisoformat(given)
    return given


Moment = Annotated[datetime, BeforeValidator(_moment)]


def _seconds(given: object) -> float:
    """Return a length of time in s; a number is one already, as a plan that was read writes it."""
    if isinstance(given, (int, float)) and not isinstance(given, bool) and 0 <= given <= seconds_of("7 d"):
        return float(given)
    return seconds_of(given)


Seconds = Annotated[float, BeforeValidator(_seconds)]
"""A length of time, such as "90 min", or a number of seconds."""


def checked_unit(given: str | None) -> str | None:
    """Return a unit that is known."""
    if given is not None:
        canonical(given)
    return given


def rising(edges: tuple[float, ...]) -> tuple[float, ...]:
    """Return edges that are finite and rise."""
    if any(not abs(edge) < float("inf") for edge in edges) or any(left >= right for left, right in pairwise(edges)):
        raise ValueError("edges rise from the first to the last, and are finite")
    return edges


class Section(BaseModel):
    """A part of a plan. Keys of `LATER` came after plans had been frozen: unless they are said they are not hashed."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    LATER: ClassVar[frozenset[str]] = frozenset()

    @model_serializer(mode="wrap")
    def _without_unsaid(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document: dict[str, Any] = handler(self)
        fields = type(self).model_fields
        for key in self.LATER:
            if getattr(self, key) == fields[key].get_default(call_default_factory=True):
                document.pop(key, None)
        return document


class SourcePlan(Section):
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

    _checked_unit = field_validator("unit")(checked_unit)

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
    """Grab samples that a laboratory analysed: the arbiter of both arms.

    With a `norm`, such as ``hj355-2019``, its verdict on both is told beside what the trial decides.
    """

    LATER = frozenset({"norm"})

    name: Name = "laboratory"
    laboratory: str = ""
    method: str = ""
    uncertainty: Uncertainty | None = None
    relative_uncertainty: Uncertainty | None = None
    window: Seconds = 600.0
    norm: Key | None = None


class ConditionPlan(SourcePlan):
    """What the water was like; `edges` part it into strata."""

    edges: tuple[float, ...] = ()
    tolerance: Seconds | None = None

    _checked_edges = field_validator("edges")(rising)


class TidePlan(SourcePlan):
    """A water level near the arms, whose high waters make the condition ``tide_phase``: from one (0) to the next (1).

    High waters are those of the level itself, or of the harmonic tide fitted to it, which gaps do not harm. A water is
    high once the level has fallen from it by `least_range`, in the level's unit. `edges` part the phase into strata.
    """

    edges: tuple[float, ...] = ()
    by: Literal["observed", "harmonic"] = "observed"
    least_range: Positive | None = None

    @field_validator("edges")
    @classmethod
    def _are_phases(cls, edges: tuple[float, ...]) -> tuple[float, ...]:
        if any(not 0.0 < edge < 1.0 for edge in edges):
            raise ValueError("phases between 0 and 1, which are high waters")
        return rising(edges)


class MaintenancePlan(Section):
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
