"""The sensors of one SDI-12 bus as a user configures them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nilometer.acquisition.driver import Channel, DriverOptions
from nilometer.acquisition.instrument import sdi12_instrument
from nilometer.acquisition.sdi12_instrument import COMMAND, Sdi12Channel, Sdi12Instrument
from nilometer.errors import ConfigError

__all__ = ["BusOptions", "Sensor", "SensorOptions", "sensors_of"]

Seconds = Annotated[float, Field(gt=0)]
Address = Annotated[str, Field(pattern=r"^[0-9A-Za-z]$")]
CommandName = Annotated[str, Field(pattern=COMMAND)]
Setup = Annotated[str, Field(pattern=r"^[ -~]{1,250}$")]


class SensorOptions(BaseModel):
    """One sensor of several on a bus; what is left out comes from the bus, then from the instrument file.

    `name` stands before its channels' keys (``upper.level``) and in reports; ``sensor0`` by default. `setup` are
    commands without address and ``!`` that are sent before the first measurement, and again after silence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    instrument: str | None = None
    address: Address | None = None
    commands: Annotated[tuple[CommandName, ...], Field(min_length=1)] | None = None
    channels: tuple[Sdi12Channel, ...] = ()
    crc: bool | None = None
    setup: tuple[Setup, ...] = ()
    name: Annotated[str, Field(pattern=r"^[\w-]*$")] = ""
    poll_interval_s: Seconds | None = None


class BusOptions(DriverOptions):
    """What every SDI-12 source can set: one sensor in its own words, or several `sensors`.

    `poll_interval_s` is wall-clock time from measurement to measurement. A sensor that stays silent is asked less and
    less often, at least every `silent_poll_s`. A link on which nothing answers for `reopen_s` is opened anew.
    """

    instrument: str | None = None
    address: Address | None = None
    commands: Annotated[tuple[CommandName, ...], Field(min_length=1)] | None = None
    channels: tuple[Sdi12Channel, ...] = ()
    crc: bool | None = None
    setup: tuple[Setup, ...] = ()
    sensors: tuple[SensorOptions, ...] = ()
    identify: bool = True
    poll_interval_s: Seconds = 60.0
    timeout_s: Seconds | None = None
    retries: Annotated[int, Field(ge=0, le=10)] = 2
    silent_poll_s: Seconds = 60.0
    reopen_s: Seconds = 300.0
    reconnect_first_s: Seconds = 0.5
    reconnect_longest_s: Seconds = 30.0

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        single = (self.instrument, self.address, self.commands, self.channels, self.setup)
        if self.sensors and any(single):
            raise ValueError("`instrument`, `address`, `commands`, `channels` and `setup` belong to each of `sensors`")
        if not self.sensors and not any(single):
            raise ValueError("say who is on the bus: `instrument`, `address`, or several `sensors`")
        return self


@dataclass(slots=True)
class Sensor:
    """One sensor: its address, what it measures, what its values mean; `crc` is found out where it is None."""

    name: str
    prefix: str
    address: str
    commands: tuple[str, ...]
    crc: bool | None
    setup: tuple[str, ...]
    poll_interval_s: float
    instrument: Sdi12Instrument | None = None
    identification: str = ""

    def channel(self, name: str, position: int) -> tuple[str, Channel, Sdi12Channel | None] | None:
        """Return key, channel and meaning of one value of a measurement; None where it is not to be acquired.

        Where nothing is said of a measurement's values, they are given with their place for a name.
        """
        if self.instrument is not None and self.instrument.knows(name):
            own = self.instrument.at(name, position)
            if own is None or not own.polled:
                return None
            key = self.prefix + own.key
            return key, Channel(key, own.observed_property, own.unit, own.name or own.key), own
        key = f"{self.prefix}{name}.{position}"
        return key, Channel(key, name=f"value {position} of {name}"), None

    @property
    def expected(self) -> list[Channel]:
        """Return the channels that are known before anything was measured."""
        if self.instrument is None:
            return []
        found = []
        for name in self.commands:
            for channel in sorted(self.instrument.channels, key=lambda item: item.position):
                known = self.channel(name, channel.position)
                if known is not None and known[2] is channel:
                    found.append(known[1])
        return found


def sensors_of(options: BusOptions) -> list[Sensor]:
    """Return the sensors that the options name.

    Raises
    ------
    ConfigError
        If an instrument is unknown or broken, or two sensors share a name or an address.
    """
    single = SensorOptions(
        instrument=options.instrument,
        address=options.address,
        commands=options.commands,
        channels=options.channels,
        crc=options.crc,
        setup=options.setup,
    )
    sensors: list[Sensor] = []
    for index, item in enumerate(options.sensors or (single,)):
        made = _sensor(item, options)
        for other in sensors:
            if other.address == made.address or other.name == made.name:
                seen = f"{made.name}, address {made.address}"
                raise ConfigError(f"sensors[{index}]", seen=seen, reason=f"{other.name} has it already")
        sensors.append(made)
    return sensors


def _sensor(item: SensorOptions, options: BusOptions) -> Sensor:
    model = None if item.instrument is None else sdi12_instrument(item.instrument)
    if item.channels:
        model = _with_channels(model, item.channels)
    address = item.address or (model.defaults.address if model is not None else "0")
    name = item.name or f"sensor{address}"
    known = model.defaults.crc if model is not None else None
    crc = item.crc if item.crc is not None else options.crc
    return Sensor(
        name=name,
        prefix=f"{name}." if options.sensors else "",
        address=address,
        commands=item.commands or (model.defaults.commands if model is not None else ("M",)),
        crc=known if crc is None else crc,
        setup=item.setup,
        poll_interval_s=item.poll_interval_s or options.poll_interval_s,
        instrument=model,
        identification="" if model is None else model.defaults.identification,
    )


def _with_channels(model: Sdi12Instrument | None, channels: Sequence[Sdi12Channel]) -> Sdi12Instrument:
    """Return an instrument whose values the configuration names; it has the last word where both do."""
    if model is None:
        commands = tuple(dict.fromkeys(name for channel in channels for name in channel.commands))
        return sdi12_instrument(
            {
                "name": "configured",
                "title": "SDI-12 sensor",
                "maker": "",
                "protocol": "sdi12",
                "document": "configuration",
                "evidence": "configuration",
                "defaults": {"commands": list(commands)},
                "channel": [channel.model_dump() for channel in channels],
            }
        )
    said = {channel.key for channel in channels}
    places = {(name, channel.position) for channel in channels for name in channel.commands}
    kept = [
        channel
        for channel in model.channels
        if channel.key not in said and not any((name, channel.position) in places for name in channel.commands)
    ]
    return model.model_copy(update={"channel": (*channels, *kept)})
