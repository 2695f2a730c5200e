"""``[[derived]]``: Datastreams that are computed from others."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo, field_validator

from nilometer.config_fields import Key, Length, Seconds
from nilometer.errors import ConfigError

__all__ = ["DefinitionConfig", "DerivedConfig", "InputConfig", "StandInConfig", "definition_of"]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class StandInConfig(_Section):
    """A value that is taken where there is none, in the unit of the function; `uncertainty` is standard (k = 1)."""

    value: float
    uncertainty: float = Field(0.0, ge=0)


class InputConfig(_Section):
    """One input of a derived Datastream: a `datastream`, or a constant `value` in `unit` (default: the function's).

    `align` and `tolerance` say which row is taken at a time, by default as the derived Datastream says;
    `when_missing` is taken where there is none, and makes the row SUSPECT.
    """

    datastream: Key | None = None
    align: Literal["nearest", "previous", "linear"] | None = None
    tolerance: Seconds | None = None
    value: float | None = None
    uncertainty: float = Field(0.0, ge=0)
    unit: str | None = None
    when_missing: StandInConfig | None = None

    @field_validator("value")
    @classmethod
    def _one_of_both(cls, value: float | None, info: ValidationInfo) -> float | None:
        if (value is None) == (info.data.get("datastream") is None):
            raise ConfigError("value", seen=value, allowed="either a `datastream` or a `value`")
        return value


def _bare_input(given: object) -> object:
    """Return an input that is written as a key, or as a number, as a table."""
    if isinstance(given, str):
        return {"datastream": given, "value": None}
    if isinstance(given, int | float) and not isinstance(given, bool):
        return {"value": given}
    return {"value": None, **given} if isinstance(given, dict) else given


class DefinitionConfig(_Section):
    """How a derived Datastream is made of others; see docs/derived.md."""

    function: str
    parameters: dict[str, Any] = {}
    inputs: dict[str, Annotated[InputConfig, BeforeValidator(_bare_input)]]
    clock: str | None = None
    align: Literal["nearest", "previous", "linear"] = "nearest"
    tolerance: Seconds = 0.0
    deadline: Seconds = 3600.0
    when_late: Literal["missing", "wait"] = "missing"
    when_missing: Literal["missing", "skip"] = "missing"
    when_flagged: tuple[Literal["pass", "not_evaluated", "suspect", "fail"], ...] = ("pass", "not_evaluated", "suspect")
    correlation: tuple[tuple[str, str, Annotated[float, Field(ge=-1, le=1)]], ...] = ()


class DerivedConfig(DefinitionConfig):
    """A Datastream that is computed from others; all that is not its definition is as in `DatastreamConfig`."""

    key: Key
    thing: Key
    property: str
    name: str | None = None
    unit: str | None = None
    profile: str | None = None
    qc: dict[str, Any] = {}
    retention: Length | None = None
    retention_signed: bool = False


def definition_of(config: DerivedConfig) -> DefinitionConfig:
    """Return how a derived Datastream is made, without what else it is."""
    own = config.model_fields_set & DefinitionConfig.model_fields.keys()
    return DefinitionConfig.model_construct(own, **{name: getattr(config, name) for name in own})
