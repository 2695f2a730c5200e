"""An instrument model as a data file: which registers it has, what they mean, and when to trust them.

An instrument file is TOML in `nilometer.acquisition.instruments` (or in a stranger's package of the same entry-point
group, or anywhere, named by its path); ``docs/formats/instrument.md`` describes it. Addresses are as sent on the wire,
counted from 0.
"""

from __future__ import annotations

import tomllib
import zoneinfo
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, Field, field_validator, model_validator

from nilometer.acquisition.instrument_file import About, AnyChannel, Part, parsed
from nilometer.acquisition.protocols.registers import Order, RegisterType, width
from nilometer.acquisition.sdi12_instrument import PARTS as SDI12_PARTS
from nilometer.acquisition.sdi12_instrument import Sdi12Instrument
from nilometer.errors import ConfigError
from nilometer.model.entities import SampleKind
from nilometer.plugins import DataFile, Found, data_files

__all__ = [
    "Block",
    "ChannelField",
    "Cycle",
    "Defaults",
    "Instrument",
    "Quality",
    "Register",
    "Sample",
    "State",
    "Step",
    "Time",
    "instrument",
    "instruments",
    "named",
    "sdi12_instrument",
]

Address = Annotated[int, Field(ge=0, le=0xFFFF)]
ReadFunction = Literal[1, 2, 3, 4]
MOST_REGISTERS = 125


class Defaults(Part):
    """How the device leaves its factory, and what its channels share."""

    unit_id: Annotated[int, Field(ge=0, le=255)] = 1
    baud: int = 9600
    data_bits: Literal[7, 8] = 8
    parity: Literal["N", "E", "O"] = "N"
    stop_bits: Literal[1, 2] = 1
    function: ReadFunction = 3
    order: Order = Order.ABCD
    timeout_s: Annotated[float, Field(gt=0)] = 1.0
    gap_s: Annotated[float, Field(ge=0)] = 0.0
    """The least time between two requests to it, s."""


class Register(Part):
    """Where a value stands and how it is laid out; 16-bit values take the default order only when they say so."""

    address: Address
    type: RegisterType = RegisterType.FLOAT32
    count: Annotated[int, Field(ge=1, le=MOST_REGISTERS)] | None = None
    function: ReadFunction | None = None
    order: Order | None = None
    mask: Annotated[int, Field(gt=0)] | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        fixed = width(self.type)
        if fixed is None and self.count is None:
            raise ValueError("a string needs its count of registers")
        if fixed is not None and self.count not in {None, fixed}:
            raise ValueError(f"{self.type} takes {fixed} registers, not {self.count}")
        if self.mask is not None and not self.type.value.startswith("uint"):
            raise ValueError("a mask needs an unsigned type")
        return self

    @property
    def registers(self) -> int:
        """Return how many registers it takes."""
        return self.count or width(self.type) or 1


class Quality(Register):
    """What the instrument says of a value, in a register of its own.

    A value listed in `good` counts, one in `doubtful` counts and carries its mark, any other takes the value away and
    leaves the mark; with ``otherwise = "doubtful"`` it counts too, for codes whose meaning is not published. One in
    `absent` says that nothing is connected there: no value at all. `marks` gives words for numbers, which are used as
    they are otherwise.
    """

    type: RegisterType = RegisterType.UINT16
    good: tuple[int, ...] = (0,)
    doubtful: tuple[int, ...] = ()
    absent: tuple[int, ...] = ()
    otherwise: Literal["missing", "doubtful"] = "missing"
    marks: dict[str, str] = Field(default_factory=dict)


class ChannelField(AnyChannel, Register):
    """One value of the instrument.

    `cycle` names the analyser's cycle that the value belongs to. A channel that is not `polled` is known to ``decode``
    and to the simulator, and is not acquired.
    """

    quality: tuple[Quality, ...] = ()
    cycle: str | None = None
    polled: bool = True

    @field_validator("quality", mode="before")
    @classmethod
    def _single(cls, value: object) -> object:
        return (value,) if isinstance(value, Mapping) else value


class Block(Part):
    """Registers that are read in one request of exactly this size; `exact`: the device refuses any part of them."""

    address: Address
    count: Annotated[int, Field(ge=1, le=MOST_REGISTERS)]
    function: ReadFunction | None = None
    exact: bool = False


class Step(Part):
    """One request that starts a measurement; ``raw`` is a whole message (function and data, hexadecimal) of any shape.

    `count` may be 0: illegal, and what some devices want. `wait_s` is the time until the values are good. `each` says
    whether it is sent once on a connection (and after silence), or before every poll.
    """

    function: Literal[3, 4, 5, 6, 15, 16] = 3
    address: Address = 0
    count: Annotated[int, Field(ge=0, le=MOST_REGISTERS)] | None = None
    values: tuple[Address, ...] = ()
    raw: Annotated[str, Field(pattern=r"^([0-9A-Fa-f]{2} ?)+$")] | None = None
    wait_s: Annotated[float, Field(ge=0)] = 0.0
    each: Literal["connection", "poll"] = "connection"

    @property
    def message(self) -> bytes:
        """Return the request, function code first."""
        if self.raw is not None:
            return bytes.fromhex(self.raw)
        head = self.function.to_bytes(1) + self.address.to_bytes(2)
        if self.function in {15, 16}:
            count = len(self.values) if self.count is None else self.count
            data = b"".join(word.to_bytes(2) for word in self.values)
            return head + count.to_bytes(2) + len(data).to_bytes(1) + data
        return head + (self.values[0] if self.values else self.count or 0).to_bytes(2)


class Time(Register):
    """A time that the instrument keeps.

    A count since 1970 UTC (``s``, ``ms``, ``us``), or its own clock, which `zone` names: ``calendar`` is six registers
    (year, month, day, hour, minute, second; a year below 100 is of this century), ``bcd`` three of two BCD digits a
    byte (YYMM DDhh mmss).
    """

    type: RegisterType = RegisterType.UINT32
    unit: Literal["s", "ms", "us", "calendar", "bcd"] = "s"
    zone: str | None = None

    @model_validator(mode="after")
    def _has_its_zone(self) -> Self:
        if (self.zone is not None) != (self.unit in _CALENDAR_REGISTERS):
            raise ValueError("`zone` goes with a clock: unit = 'calendar' or 'bcd'")
        if self.zone is not None:
            try:
                zoneinfo.ZoneInfo(self.zone)
            except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"zone = {self.zone!r} is no IANA zone, such as Asia/Shanghai") from error
        return self

    @property
    def registers(self) -> int:
        """Return how many registers it takes."""
        return _CALENDAR_REGISTERS.get(self.unit) or super().registers

    @property
    def scale_us(self) -> int:
        """Return the µs of one count."""
        return {"s": 1_000_000, "ms": 1000}.get(self.unit, 1)


_CALENDAR_REGISTERS: Mapping[str, int] = {"calendar": 6, "bcd": 3}


class State(Register):
    """Where an analyser stands in its cycle: the result is that of the sample time while its number is in `done`.

    With `running` the simulator shows that number, and the new sample time, while it analyses.
    """

    type: RegisterType = RegisterType.UINT16
    done: Annotated[tuple[int, ...], Field(min_length=1)]
    running: int | None = None


class Sample(Register):
    """What the instrument measured: its numbers, as text, to kinds of sample (``water``, ``check``, ``blank`` …)."""

    type: RegisterType = RegisterType.UINT16
    kinds: dict[str, str] = Field(default_factory=lambda: {str(kind.value): kind.name.lower() for kind in SampleKind})

    @field_validator("kinds")
    @classmethod
    def _known(cls, value: dict[str, str]) -> dict[str, str]:
        for kind in value.values():
            if kind.upper() not in SampleKind.__members__:
                known = ", ".join(item.name.lower() for item in SampleKind)
                raise ValueError(f"{kind!r} is no kind of sample ({known})")
        return value


class Cycle(Part):
    """An analyser's cycle: a value is new only when `start` changes.

    `start` is when the sample was taken (the phenomenon time), `completion` when the result existed; between them lies
    the duration. Where `state` says that it is not done, or `completion` lies before `start`, the values are those of
    an earlier cycle and are not taken. For the simulator, `nominal_s` is how long a cycle takes, `period_s` how often
    one begins.
    """

    name: str
    start: Time
    completion: Time | None = None
    state: State | None = None
    sample: Sample | None = None
    nominal_s: Annotated[float, Field(ge=0)] = 0.0
    period_s: Annotated[float, Field(gt=0)] = 14400.0


class Instrument(About):
    """A model of Modbus instrument, as its file describes it."""

    protocol: Literal["modbus"] = "modbus"
    defaults: Defaults = Defaults()
    start: tuple[Step, ...] = ()
    block: tuple[Block, ...] = ()
    cycle: tuple[Cycle, ...] = ()
    channel: Annotated[tuple[ChannelField, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        keys = [channel.key for channel in self.channel]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise ValueError(f"channel keys must be unique: {', '.join(sorted(twice))}")
        cycles = {cycle.name for cycle in self.cycle}
        for channel in self.channel:
            if channel.cycle is not None and channel.cycle not in cycles:
                raise ValueError(f"channel {channel.key}: no cycle named {channel.cycle!r} ({', '.join(cycles)})")
        return self

    @property
    def channels(self) -> tuple[ChannelField, ...]:
        """Return its channels."""
        return self.channel

    def function_of(self, part: Register | Block) -> int:
        """Return the function that reads it."""
        return part.function or self.defaults.function

    def order_of(self, part: Register) -> Order:
        """Return its order of words and bytes."""
        if part.order is not None:
            return part.order
        single = part.type is not RegisterType.STRING and part.registers == 1
        return Order.ABCD if single or part.type is RegisterType.STRING else self.defaults.order

    def cycle_named(self, name: str) -> Cycle:
        """Return one of its cycles."""
        return next(cycle for cycle in self.cycle if cycle.name == name)


Model = TypeVar("Model", bound=About)

_PARTS: dict[str, type[BaseModel]] = {
    "channel": ChannelField,
    "block": Block,
    "start": Step,
    "cycle": Cycle,
    "defaults": Defaults,
    "quality": Quality,
    "sample": Sample,
}


def _parse(file: DataFile) -> About:
    protocol = file.content.get("protocol", "modbus")
    if protocol == "modbus":
        return parsed(Instrument, _PARTS, file)
    if protocol == "sdi12":
        return parsed(Sdi12Instrument, SDI12_PARTS, file)
    raise ConfigError("protocol", seen=protocol, allowed=("modbus", "sdi12"), file=file.file)


def instruments() -> Found[About]:
    """Return every instrument that is installed, by name; a broken file is named in `broken`."""
    return data_files("nilometer.instruments", _parse)


def instrument(name: str | Path | Mapping[str, Any]) -> Instrument:
    """Return one Modbus instrument.

    Parameters
    ----------
    name : str, path or mapping
        The name of an installed one, the path of a TOML file (ending in ``.toml``), or the content of one.

    Raises
    ------
    ConfigError
        If there is none of that name (the near names are given), its file cannot be used, or it speaks no Modbus.
    """
    return _of(Instrument, "modbus", name)


def sdi12_instrument(name: str | Path | Mapping[str, Any]) -> Sdi12Instrument:
    """Return one SDI-12 instrument; see `instrument`."""
    return _of(Sdi12Instrument, "sdi12", name)


def _of(model: type[Model], protocol: str, name: str | Path | Mapping[str, Any]) -> Model:
    found = named(name)
    if isinstance(found, model):
        return found
    known = [key for key, item in instruments().items.items() if isinstance(item, model)]
    reason = f"it speaks {found.protocol}, not {protocol}"
    raise ConfigError("instrument", seen=found.name, allowed=known, reason=reason)


def named(name: str | Path | Mapping[str, Any]) -> About:
    """Return an instrument of whatever protocol; see `instrument`."""
    if isinstance(name, Mapping):
        return _parse(DataFile(str(name.get("name", "inline")), "<inline>", dict(name)))
    if not str(name).endswith(".toml"):
        return instruments()[str(name)]
    path = Path(name)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError("instrument", seen=str(name), file=path, reason=str(error)) from error
    return _parse(DataFile(path.stem, str(path), content))
