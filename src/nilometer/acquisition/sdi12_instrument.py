"""An SDI-12 sensor as a data file: which measurements it makes, and what their values mean; units never travel.

``docs/formats/instrument.md`` describes the file.
"""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import BaseModel, Field, field_validator, model_validator

from nilometer.acquisition.instrument_file import About, AnyChannel, Part

__all__ = ["COMMAND", "PARTS", "Measurement", "Sdi12Channel", "Sdi12Defaults", "Sdi12Instrument", "family"]

COMMAND = r"^(?:[MC][1-9]?|R[0-9]|V|H[AB])$"
"""A measurement as it is named in files and options: without the C of a CRC, which the driver adds."""

CommandName = Annotated[str, Field(pattern=COMMAND)]


def family(name: str) -> str:
    """Return the name under which a measurement's channels stand: C, its concurrent form, has those of M.

    Examples
    --------
    >>> family("C1"), family("R0")
    ('M1', 'R0')
    """
    return "M" + name[1:] if name[0] == "C" else name


class Sdi12Defaults(Part):
    """How the sensor leaves its factory.

    `crc` says whether it knows check values (standard 1.3 and later; None: found out), `commands` what is measured when
    the configuration says nothing, `identification` a regular expression for the line behind the address of aI!,
    `version` included; a sensor that says something else is reported.
    """

    address: Annotated[str, Field(pattern=r"^[0-9A-Za-z]$")] = "0"
    commands: Annotated[tuple[CommandName, ...], Field(min_length=1)] = ("M",)
    crc: bool | None = None
    identification: str = ""


class Measurement(Part):
    """One measurement: how long and how many, for the virtual sensor, which also says what its lines hold."""

    command: CommandName = "M"
    seconds: Annotated[int, Field(ge=0, le=999)] = 0
    count: Annotated[int, Field(ge=1, le=999)] | None = None
    per_page: Annotated[int, Field(ge=1)] = 9
    decimals: Annotated[int, Field(ge=0, le=6)] = 3


class Sdi12Channel(AnyChannel):
    """One value of a measurement: the `position`-th, counted from 1, of each of `commands`.

    M stands for C too, its concurrent form. A channel that is not `polled` is known to ``decode`` and the virtual
    sensor, and is not acquired.
    """

    commands: Annotated[tuple[CommandName, ...], Field(min_length=1)] = ("M",)
    position: Annotated[int, Field(ge=1, le=999)]
    polled: bool = True

    @field_validator("sentinel")
    @classmethod
    def _numbers(cls, value: dict[str, str]) -> dict[str, str]:
        for text in value:
            try:
                float(text)
            except ValueError:
                raise ValueError(f"sentinel {text!r} is no number") from None
        return value


class Sdi12Instrument(About):
    """A model of SDI-12 sensor, as its file describes it."""

    protocol: Literal["sdi12"]
    defaults: Sdi12Defaults = Sdi12Defaults()
    measurement: tuple[Measurement, ...] = ()
    channel: Annotated[tuple[Sdi12Channel, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _whole(self) -> Self:
        keys = [channel.key for channel in self.channel]
        twice = {key for key in keys if keys.count(key) > 1}
        if twice:
            raise ValueError(f"channel keys must be unique: {', '.join(sorted(twice))}")
        places = [(family(name), channel.position) for channel in self.channel for name in channel.commands]
        shared = sorted({f"{name} {position}" for name, position in places if places.count((name, position)) > 1})
        if shared:
            raise ValueError(f"two channels stand at {', '.join(shared)}")
        try:
            re.compile(self.defaults.identification)
        except re.error as error:
            raise ValueError(f"identification is no regular expression: {error}") from None
        return self

    @property
    def channels(self) -> tuple[Sdi12Channel, ...]:
        """Return its channels."""
        return self.channel

    def at(self, name: str, position: int) -> Sdi12Channel | None:
        """Return the channel of one value of a measurement, or None where the file says nothing of it."""
        for channel in self.channel:
            if channel.position == position and family(name) in {family(own) for own in channel.commands}:
                return channel
        return None

    def knows(self, name: str) -> bool:
        """Return whether the file says anything of a measurement's values."""
        return any(family(name) == family(own) for channel in self.channel for own in channel.commands)

    def measurement_of(self, name: str) -> Measurement:
        """Return how long and how many a measurement is; the count is at least that of its channels."""
        own = next((item for item in self.measurement if family(item.command) == family(name)), Measurement())
        if own.count is not None:
            return own
        places = (c.position for c in self.channel if family(name) in {family(item) for item in c.commands})
        return own.model_copy(update={"count": max(places, default=0)})


PARTS: dict[str, type[BaseModel]] = {"defaults": Sdi12Defaults, "measurement": Measurement, "channel": Sdi12Channel}
