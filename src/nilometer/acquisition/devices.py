"""The devices of one Modbus line as a user configures them, and the channels they offer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from nilometer.acquisition.driver import Channel, DriverOptions
from nilometer.acquisition.instrument import instrument
from nilometer.acquisition.register_map import RegisterMap
from nilometer.errors import ConfigError

__all__ = ["Device", "DeviceOptions", "LineOptions", "channels_of", "devices_of"]

Seconds = Annotated[float, Field(gt=0)]
UnitId = Annotated[int, Field(ge=0, le=255)]


class DeviceOptions(BaseModel):
    """One device of several on a line; what is left out comes from the line, then from the instrument file.

    `name` stands before its channels' keys (``upstream.ph``) and in reports; ``unit3`` by default.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    instrument: str
    unit_id: UnitId | None = None
    name: Annotated[str, Field(pattern=r"^[\w-]*$")] = ""
    poll_interval_s: Seconds | None = None
    timeout_s: Seconds | None = None
    retries: Annotated[int, Field(ge=0, le=10)] | None = None


class LineOptions(DriverOptions):
    """What every Modbus source can set: either one `instrument`, or `devices`.

    `poll_interval_s` is wall-clock time from poll to poll; `timeout_s` and `retries` are for each request. A device
    that stays silent is asked less and less often, at least every `silent_poll_s`. A link on which nothing answers
    for `reopen_s` is opened anew. `reconnect_first_s` and `reconnect_longest_s` bound the back-off.
    """

    instrument: str | None = None
    unit_id: UnitId | None = None
    devices: tuple[DeviceOptions, ...] = ()
    poll_interval_s: Seconds = 10.0
    timeout_s: Seconds | None = None
    retries: Annotated[int, Field(ge=0, le=10)] = 1
    silent_poll_s: Seconds = 30.0
    reopen_s: Seconds = 120.0
    reconnect_first_s: Seconds = 0.5
    reconnect_longest_s: Seconds = 30.0

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.instrument is None) == (not self.devices):
            raise ValueError("give either `instrument` or `devices`")
        if self.devices and self.unit_id is not None:
            raise ValueError("`unit_id` belongs to each of the `devices`")
        return self


@dataclass(slots=True)
class Device:
    """One device of a line: its address, its registers, its patience; `first_channel` is its place in the channels."""

    name: str
    prefix: str
    unit_id: int
    map: RegisterMap
    poll_interval_s: float
    timeout_s: float
    retries: int
    first_channel: int


def devices_of(options: LineOptions) -> list[Device]:
    """Return the devices that the options name.

    Parameters
    ----------
    options : LineOptions
        As configured.

    Raises
    ------
    ConfigError
        If an instrument is unknown or broken, or two devices share a name or an address.
    """
    single = DeviceOptions(instrument=options.instrument or "", unit_id=options.unit_id)
    devices: list[Device] = []
    place = 0
    for index, item in enumerate(options.devices or (single,)):
        model = instrument(item.instrument)
        unit_id = model.defaults.unit_id if item.unit_id is None else item.unit_id
        name = item.name or f"unit{unit_id}"
        for other in devices:
            if other.unit_id == unit_id or other.name == name:
                where = f"devices[{index}]"
                raise ConfigError(where, seen=f"{name}, unit_id {unit_id}", reason=f"{other.name} has it already")
        registers = RegisterMap(model)
        devices.append(
            Device(
                name=name,
                prefix=f"{name}." if options.devices else "",
                unit_id=unit_id,
                map=registers,
                poll_interval_s=item.poll_interval_s or options.poll_interval_s,
                timeout_s=item.timeout_s or options.timeout_s or model.defaults.timeout_s,
                retries=options.retries if item.retries is None else item.retries,
                first_channel=place,
            )
        )
        place += len(registers.polled)
    return devices


def channels_of(devices: Sequence[Device]) -> tuple[Channel, ...]:
    """Return the channels of all devices, in the order of their indices."""
    return tuple(
        Channel(device.prefix + channel.key, channel.observed_property, channel.unit, channel.name or channel.key)
        for device in devices
        for channel in device.map.polled
    )
