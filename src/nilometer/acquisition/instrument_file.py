"""What every instrument file says, whatever its protocol, and how one is read: a bad one says what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from nilometer.errors import ConfigError
from nilometer.plugins import DataFile

__all__ = ["About", "AnyChannel", "Part", "parsed"]


class Part(BaseModel):
    """A table of an instrument file: no key that is not known."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class AnyChannel(Part):
    """What a channel of any protocol says: ``result = raw × scale + offset`` in `unit`.

    `sentinel` maps numbers that stand for no value (as text; ``nan``, ``inf`` and ``-inf`` too) to the mark they leave.
    `range` is what it can measure by its maker, in `unit`, and `accuracy` what the maker claims, in the maker's words.
    """

    key: Annotated[str, Field(min_length=1, pattern=r"^[A-Za-z][A-Za-z0-9_.-]*$")]
    name: str = ""
    unit: str | None = None
    observed_property: str | None = None
    scale: float = 1.0
    offset: float = 0.0
    sentinel: dict[str, str] = Field(default_factory=dict)
    range: tuple[float, float] | None = None
    accuracy: str = ""

    @field_validator("range")
    @classmethod
    def _rises(cls, value: tuple[float, float] | None) -> tuple[float, float] | None:
        if value is not None and not value[0] < value[1]:
            raise ValueError(f"a range rises, and {list(value)} does not")
        return value

    @field_validator("sentinel", mode="before")
    @classmethod
    def _listed(cls, value: object) -> object:
        return {f"{item:g}": f"{item:g}" for item in value} if isinstance(value, list) else value

    @field_validator("scale")
    @classmethod
    def _turns_back(cls, value: float) -> float:
        if value == 0:
            raise ValueError("a scale of 0 leaves nothing of the value")
        return value


class About(Part):
    """Whose instrument it is, and what supports what its file says; each protocol's class adds its own tables."""

    name: str
    title: str
    maker: str
    models: tuple[str, ...] = ()
    protocol: str
    document: str
    revision: str = ""
    evidence: str
    claims: str = ""
    """Where ranges and accuracies come from, if not from `document`."""
    notes: str = ""

    @property
    def channels(self) -> tuple[AnyChannel, ...]:
        """Return its channels."""
        raise NotImplementedError


Model = TypeVar("Model", bound=About)


def parsed(model: type[Model], parts: Mapping[str, type[BaseModel]], file: DataFile) -> Model:
    """Return the instrument that a file describes.

    Parameters
    ----------
    model : type of About
        The class of its protocol.
    parts : mapping of str to type
        Table names to their classes, whose keys are offered where one is misspelt.
    file : DataFile
        The content.

    Raises
    ------
    ConfigError
        If the file cannot be used, naming the place.
    """
    try:
        return model.model_validate({**file.content, "name": file.name})
    except ValidationError as error:
        # A misspelt key is both unknown and missing; the unknown one is what its writer looks for.
        first = min(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
        place = ".".join(str(part) for part in first["loc"]) or "instrument"
        allowed: Any = ()
        if first["type"] == "extra_forbidden":
            owner = next((parts[str(part)] for part in reversed(first["loc"][:-1]) if part in parts), model)
            allowed = list(owner.model_fields)
            seen: object = first["loc"][-1]
            raise ConfigError(place, seen=seen, allowed=allowed, file=file.file, reason="unknown setting") from error
        seen = None if first["type"] == "missing" else first["input"]
        seen = None if isinstance(seen, dict) else seen
        raise ConfigError(
            place, seen=seen, file=file.file, reason=first["msg"].removeprefix("Value error, ")
        ) from error
