"""Which topic is read how: the settings of a subscription, and the reader that they make."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable, Mapping
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from nilometer.acquisition.decoding import BadFrame, DecodedValue
from nilometer.acquisition.lorawan_device import LorawanDevice, check_parameters, lorawan_device
from nilometer.acquisition.protocols.json_mapping import JsonFormat, Mapped, matched_levels
from nilometer.acquisition.protocols.lorawan import decode_payload
from nilometer.acquisition.protocols.lpp import decode_lpp
from nilometer.acquisition.protocols.network_server import ChirpStackFormat, TheThingsStackFormat, take
from nilometer.acquisition.protocols.sensorthings_topics import SensorThingsFormat
from nilometer.acquisition.protocols.sparkplug import SparkplugFormat
from nilometer.acquisition.protocols.telemetry import Message
from nilometer.model.properties import vocabulary
from nilometer.units import canonical

__all__ = ["DeviceOptions", "Devices", "Read", "TopicOptions", "ValueOptions", "matches", "plain_filter", "reader"]

Read = Callable[[str, bytes, int], Message]
"""``read(topic, payload, arrival)``; raises `FrameError` for what cannot be read."""


class _Options(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ValueOptions(_Options):
    """One value of a free JSON message: its channel's key (default: its path), unit, property, numbers for none."""

    key: str = ""
    unit: str | None = None
    property: str | None = None
    missing: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.unit is not None:
            canonical(self.unit)
        if self.property is not None and self.property not in vocabulary():
            raise ValueError(f"property = {self.property!r} is no observed property (see docs/formats/files.md)")
        return self


class DeviceOptions(_Options):
    """What decodes the payloads of a LoRaWAN device: ``lpp``, or a device file's name and its label's numbers."""

    decoder: str
    parameters: dict[str, float] = {}

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.decoder == "lpp":
            if self.parameters:
                raise ValueError("lpp takes no parameters")
            return self
        device = lorawan_device(self.decoder)
        check_parameters(device, self.parameters)
        missing = [name for name in device.parameters if name not in self.parameters]
        if missing:
            raise ValueError(f"{device.name} needs the parameters {', '.join(missing)}, which stand on its label")
        return self


class TopicOptions(_Options):
    """One subscription."""

    topic: Annotated[str, Field(min_length=1, max_length=1000)]
    format: Literal["sensorthings", "sparkplug", "ttn", "chirpstack", "json", "payload"]
    qos: Literal[0, 1] = 1
    device: str = ""
    records: str = ""
    time: str = ""
    time_form: Literal["iso", "s", "ms", "us"] = "iso"
    time_zone: str | None = None
    values: dict[str, ValueOptions] = {}

    @field_validator("topic")
    @classmethod
    def _is_filter(cls, topic: str) -> str:
        levels = topic.split("/")
        if "\0" in topic or any("#" in level and level != "#" for level in levels) or "#" in levels[:-1]:
            raise ValueError(f"topic = {topic!r}: # stands alone, in the last place")
        if any("+" in level and level != "+" for level in levels):
            raise ValueError(f"topic = {topic!r}: + stands alone between slashes")
        return topic

    @model_validator(mode="after")
    def _fits(self) -> Self:
        mapping = self.device or self.records or self.time or self.values
        if self.format != "json" and mapping:
            raise ValueError(f"device, records, time and values belong to format = 'json', not to {self.format!r}")
        if self.time_zone is not None:
            try:
                zoneinfo.ZoneInfo(self.time_zone)
            except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"time_zone = {self.time_zone!r} is no IANA zone, such as Europe/Berlin") from error
        return self


class Devices:
    """The decoders of LoRaWAN devices: by device id or EUI, by profile or model at the server, or for all (``*``)."""

    def __init__(self, options: Mapping[str, DeviceOptions]) -> None:
        self._options = {name.lower(): item for name, item in options.items()}
        self._files: dict[str, LorawanDevice] = {
            item.decoder: lorawan_device(item.decoder) for item in options.values() if item.decoder != "lpp"
        }

    def decode(
        self, device: str, profile: str, payload: bytes, port: int | None
    ) -> list[DecodedValue | BadFrame] | None:
        """Return what a device's bytes say; None where nothing is configured for it."""
        for name in (device, profile, "*"):
            found = self._options.get(name.lower()) if name else None
            if found is not None:
                break
        else:
            return None
        if not payload:
            return []  # A frame of the network's own (MAC only).
        if found.decoder == "lpp":
            return decode_lpp(payload)
        return decode_payload(self._files[found.decoder], payload, port=port, parameters=found.parameters)


def reader(options: TopicOptions, devices: Devices) -> Read:
    """Return what reads the messages of a subscription."""
    match options.format:
        case "sensorthings":
            things = SensorThingsFormat()
            return lambda topic, payload, _arrival: things.read(topic, payload)
        case "sparkplug":
            return SparkplugFormat().read
        case "ttn":
            stack = TheThingsStackFormat(devices.decode)
            return lambda topic, payload, _arrival: stack.read(topic, payload)
        case "chirpstack":
            server = ChirpStackFormat(devices.decode)
            return lambda topic, payload, _arrival: server.read(topic, payload)
        case "payload":
            return lambda topic, payload, _arrival: _bare(options.topic, devices, topic, payload)
    free = JsonFormat(
        topic=plain_filter(options.topic),
        records=options.records,
        time=options.time,
        time_form=options.time_form,
        zone=zoneinfo.ZoneInfo(options.time_zone) if options.time_zone else None,
        device=options.device,
        values=tuple(
            Mapped(path, item.key or path, item.unit, item.property, item.missing)
            for path, item in options.values.items()
        ),
    )
    return lambda topic, payload, _arrival: free.read(topic, payload)


def _bare(pattern: str, devices: Devices, topic: str, payload: bytes) -> Message:
    device = "/".join(matched_levels(plain_filter(pattern), topic))
    message = Message(device)
    found = devices.decode(device, "", payload, None)
    if found is None:
        message.problems.append(f"{device or topic}: no decoder is configured")
    take(message, found or [])
    return message


def plain_filter(pattern: str) -> str:
    """Return a topic filter without the group of a shared subscription (``$share/group/``)."""
    return pattern.split("/", 2)[2] if pattern.startswith("$share/") and pattern.count("/") >= 2 else pattern


def matches(pattern: str, topic: str) -> bool:
    """Say whether a topic is under a filter (MQTT 5.0, 4.7).

    Examples
    --------
    >>> matches("v3/+/devices/#", "v3/app@ttn/devices/d1/up"), matches("+/x", "$SYS/x")
    (True, False)
    """
    wanted, levels = plain_filter(pattern).split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in {"+", "#"}:
        return False
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(levels) or level not in {"+", levels[place]}:
            return False
    return len(wanted) == len(levels)
