"""A LoRaWAN device as a data file: how its payloads are laid out, what the fields mean, what its label must say.

A device file is TOML in `nilometer.acquisition.lorawan_devices` (or in a stranger's package of the entry-point group
``nilometer.lorawan_devices``, or anywhere, named by its path); ``docs/formats/lorawan.md`` describes it. A layout is
chosen by device, never guessed from the bytes: the same bytes mean one thing on a CTD10 and another on a CTD10B.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from nilometer.errors import ConfigError, UnitError
from nilometer.model.properties import vocabulary
from nilometer.plugins import DataFile, Found, data_files
from nilometer.units import canonical

__all__ = [
    "Group",
    "Item",
    "LorawanDevice",
    "PayloadField",
    "PortLayout",
    "check_parameters",
    "lorawan_device",
    "lorawan_devices",
]

Format = Literal["u8", "i8", "u16", "i16", "u24", "i24", "u32", "i32"]
Number = int | float


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PayloadField(_Part):
    """One value of a payload.

    ``value = (((raw & mask) >> shift) + add) / divide × multiply + offset``, then, with `span`, the share of the span
    between two parameters. `divide` and the two of `span` may name parameters of the device's label. `sentinel` maps
    raw numbers that stand for no value to the mark they leave, `below` does so for raw numbers under a least one;
    `doubtful_below` leaves such a value its mark and keeps it; `words` gives text for numbers. `at` is its byte offset
    in layouts of fixed places. `range` (in `unit`) and `accuracy` are the maker's claims.
    """

    key: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]*$")]
    name: str = ""
    unit: str | None = None
    observed_property: str | None = None
    format: Format = "u16"
    at: Annotated[int, Field(ge=0, le=255)] | None = None
    mask: Annotated[int, Field(gt=0)] | None = None
    shift: Annotated[int, Field(ge=0, le=31)] = 0
    add: int = 0
    divide: Number | str = 1
    multiply: Number = 1
    offset: Number = 0
    span: tuple[str, str] | None = None
    sentinel: dict[str, str] = Field(default_factory=dict)
    below: tuple[int, str] | None = None
    doubtful_below: tuple[int, str] | None = None
    words: dict[str, str] = Field(default_factory=dict)
    range: tuple[float, float] | None = None
    accuracy: str = ""

    @model_validator(mode="after")
    def _means_something(self) -> Self:
        if self.divide == 0 or self.multiply == 0:
            raise ValueError(f"{self.key}: divide and multiply of 0 leave nothing of the value")
        if self.range is not None and not self.range[0] < self.range[1]:
            raise ValueError(f"{self.key}: a range rises, and {list(self.range)} does not")
        if self.observed_property is not None and self.observed_property not in vocabulary():
            raise ValueError(f"{self.key}: {self.observed_property!r} is no observed property")
        if self.unit is not None:
            try:
                canonical(self.unit)
            except UnitError as error:
                raise ValueError(f"{self.key}: {error}") from error
        return self

    @property
    def size(self) -> int:
        """Return how many bytes it takes."""
        return int(self.format[1:]) // 8

    @cached_property
    def needs(self) -> tuple[str, ...]:
        """Return the parameters without which it has no value."""
        named = (self.divide,) if isinstance(self.divide, str) else ()
        return (*named, *(self.span or ()))


class Group(_Part):
    """A group of big-endian 16-bit words, present when its bit of the flags is set (layout ``decentlab``)."""

    words: Annotated[int, Field(ge=1, le=64)]
    field: tuple[PayloadField, ...]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        for field in self.field:
            if field.at is None or field.at + field.size > 2 * self.words:
                raise ValueError(f"{field.key}: `at` must lie in the group's {2 * self.words} bytes")
        return self


class Item(_Part):
    """Fields behind one pair of channel and type, little-endian (layout ``milesight``).

    `time`: they begin with a UNIX time (u32), at which they held. `alarm`: one byte follows that says why they were
    sent; its numbers to marks. Without fields, the item is known and passed over, `skip` bytes long.
    """

    channel: Annotated[int, Field(ge=0, le=255)]
    type: Annotated[int, Field(ge=0, le=255)]
    time: bool = False
    field: tuple[PayloadField, ...] = ()
    alarm: dict[str, str] = Field(default_factory=dict)
    skip: Annotated[int, Field(ge=0, le=255)] = 0

    @cached_property
    def size(self) -> int:
        """Return how many bytes follow its channel and type."""
        fields = sum(field.size for field in self.field)
        return (4 if self.time else 0) + fields + self.skip + (1 if self.alarm else 0)


class PortLayout(_Part):
    """Fields at fixed places, big-endian, of payloads on one port (layout ``fixed``).

    `length` narrows it to payloads of so many bytes, `match` to those whose byte `at`, masked and shifted, is `equals`;
    the first layout that fits is taken. `absent` names fields that this payload says have no value, and the mark.
    """

    port: Annotated[int, Field(ge=0, le=255)] = 2
    length: Annotated[int, Field(ge=0, le=255)] | None = None
    match: dict[Literal["at", "mask", "shift", "equals"], int] = Field(default_factory=dict)
    field: tuple[PayloadField, ...]
    absent: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _placed(self) -> Self:
        for field in self.field:
            if field.at is None and field.key not in self.absent:
                raise ValueError(f"{field.key}: `at` is missing")
        return self

    @cached_property
    def least(self) -> int:
        """Return how many bytes its fields need."""
        ends = [field.at + field.size for field in self.field if field.at is not None and field.key not in self.absent]
        return max(ends, default=0)


class Label(_Part):
    """A number that stands on the device's label and not in its payloads."""

    about: str
    unit: str | None = None


class LorawanDevice(_Part):
    """A model of device, as its file describes it."""

    name: str
    title: str
    maker: str
    models: tuple[str, ...]
    document: str
    evidence: str
    claims: str = ""
    notes: str = ""
    layout: Literal["decentlab", "milesight", "fixed"]
    ports: tuple[int, ...] = ()
    parameters: dict[str, Label] = Field(default_factory=dict)
    group: tuple[Group, ...] = ()
    item: tuple[Item, ...] = ()
    payload: tuple[PortLayout, ...] = ()

    @model_validator(mode="after")
    def _whole(self) -> Self:
        parts = {"decentlab": self.group, "milesight": self.item, "fixed": self.payload}[self.layout]
        if not parts:
            raise ValueError(f"layout {self.layout!r} has no parts")
        for field in self.fields:
            unknown = [name for name in field.needs if name not in self.parameters]
            if unknown:
                raise ValueError(f"{field.key}: no parameter {', '.join(unknown)}")
        return self

    @cached_property
    def fields(self) -> tuple[PayloadField, ...]:
        """Return all fields there are, in the file's order."""
        parts: tuple[Group | Item | PortLayout, ...] = (*self.group, *self.item, *self.payload)
        return tuple(field for part in parts for field in part.field)

    @cached_property
    def by_place(self) -> dict[tuple[int, int], Item]:
        """Return the items by channel and type."""
        return {(item.channel, item.type): item for item in self.item}


def _parse(file: DataFile) -> LorawanDevice:
    try:
        return LorawanDevice.model_validate({**file.content, "name": file.name})
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "device"
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigError(place, file=file.file, reason=reason) from error


def lorawan_devices() -> Found[LorawanDevice]:
    """Return every device that is installed, by name; a broken file is named in `broken`."""
    return data_files("nilometer.lorawan_devices", _parse)


def lorawan_device(name: str) -> LorawanDevice:
    """Return one device.

    Parameters
    ----------
    name : str
        The name of an installed one (``milesight_em500_swl``), its maker and model (``Milesight EM500-SWL``), its model
        alone, or the path of a TOML file (ending in ``.toml``).

    Raises
    ------
    ConfigError
        If there is none of that name (the near names are given), or its file cannot be used.
    """
    if name.endswith(".toml"):
        path = Path(name)
        try:
            content = tomllib.loads(path.read_text(encoding="utf-8"))
        except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError("device", seen=name, file=path, reason=str(error)) from error
        return _parse(DataFile(path.stem, name, content))
    found = lorawan_devices()
    wanted = _plain(name)
    for device in found.items.values():
        if wanted in _names(device):
            return device
    return found[name]


def _names(device: LorawanDevice) -> set[str]:
    models = {_plain(model) for model in device.models}
    return {_plain(device.name), *models, *(_plain(device.maker) + model for model in models)}


def _plain(name: str) -> str:
    return re.sub(r"\(.*?\)|[^a-z0-9]", "", name.lower())


def check_parameters(device: LorawanDevice, given: Mapping[str, float], at: str = "parameters") -> None:
    """Refuse parameters that a device does not have.

    Raises
    ------
    ConfigError
        Naming the first one, and those it has.
    """
    for name in given:
        if name not in device.parameters:
            raise ConfigError(at, seen=name, allowed=device.parameters, reason=f"{device.name} has no such parameter")
