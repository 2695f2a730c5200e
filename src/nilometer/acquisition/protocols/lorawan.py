"""Payloads of LoRaWAN devices, as their device files lay them out; see docs/formats/lorawan.md.

Three layouts::

    decentlab   │ version 2 │ device id 2 │ flags 2 │ group 0 … big-endian words; bit i: group i is there
    milesight   │ channel 1 │ type 1 │ value │ channel │ type │ value │ …          little-endian
    fixed       │ fields at fixed places, chosen by port, length and a mode byte    big-endian

The bytes carry no check of their own (the network's MIC has been verified and removed), so a payload is only known to
be good as far as its lengths fit. Nothing is guessed: the device is given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from nilometer.acquisition.decoding import BadFrame, DecodedValue, DecoderInfo
from nilometer.acquisition.lorawan_device import (
    Item,
    LorawanDevice,
    PayloadField,
    PortLayout,
    check_parameters,
    lorawan_device,
    lorawan_devices,
)
from nilometer.errors import ConfigError

__all__ = ["DECODER", "LONGEST_PAYLOAD", "LorawanDecoder", "PayloadDecoder", "decode_payload"]

LONGEST_PAYLOAD = 255
"""Bytes; LoRaWAN's frames carry at most 242 of an application, and no length field says more than 255."""
# What every Milesight device may say of itself: version, hardware, firmware, status, class, serial number, reset.
_DEVICE_FACTS = {0x01: 1, 0x09: 2, 0x0A: 2, 0x0B: 1, 0x0F: 1, 0x16: 8, 0xFE: 1, 0xFF: 2}


@dataclass(slots=True)
class _Reading:
    device: LorawanDevice
    parameters: Mapping[str, float]
    found: list[DecodedValue | BadFrame] = field(default_factory=list)

    def add(
        self, spec: PayloadField, data: bytes, order: str, *, flag: str | None = None, time: str | None = None
    ) -> None:
        raw = int.from_bytes(data, "little" if order == "little" else "big", signed=spec.format.startswith("i"))
        bits = int.from_bytes(data, "little" if order == "little" else "big")
        value, mark = self._value(spec, raw, bits)
        more: dict[str, Any] = {} if spec.observed_property is None else {"observed_property": spec.observed_property}
        if isinstance(value, str):
            more["number"] = raw if spec.mask is None else (bits & spec.mask) >> spec.shift
        self.found.append(
            DecodedValue(parameter=spec.key, value=value, unit=spec.unit, flag=mark or flag, time=time, more=more)
        )

    def absent(self, spec: PayloadField, mark: str) -> None:
        more = {} if spec.observed_property is None else {"observed_property": spec.observed_property}
        self.found.append(DecodedValue(parameter=spec.key, value=None, unit=spec.unit, flag=mark, more=more))

    def refuse(self, error: str, offset: int, payload: bytes) -> None:
        self.found.append(BadFrame(error=error, offset=offset, frame=payload))

    def _value(self, spec: PayloadField, raw: int, bits: int) -> tuple[float | str | None, str | None]:
        mark = spec.sentinel.get(str(bits)) or spec.sentinel.get(str(raw))
        if mark is not None:
            return None, mark
        if spec.mask is not None:
            raw = bits & spec.mask
        raw >>= spec.shift
        if spec.below is not None and raw < spec.below[0]:
            return None, spec.below[1]
        if spec.words:
            return spec.words.get(str(raw), str(raw)), None
        missing = [name for name in spec.needs if name not in self.parameters]
        if missing:
            return None, f"needs {', '.join(missing)} of the label"
        divide = self.parameters[spec.divide] if isinstance(spec.divide, str) else spec.divide
        value = (raw + spec.add) / divide * spec.multiply + spec.offset
        if spec.span is not None:
            low, high = (self.parameters[name] for name in spec.span)
            value = value * (high - low) + low
        doubtful = spec.doubtful_below is not None and raw < spec.doubtful_below[0]
        return float(value), spec.doubtful_below[1] if doubtful and spec.doubtful_below is not None else None


def decode_payload(
    device: LorawanDevice, payload: bytes, *, port: int | None = None, parameters: Mapping[str, float] | None = None
) -> list[DecodedValue | BadFrame]:
    """Return what a payload says; what cannot be read is a `BadFrame` behind the values that came before it.

    Parameters
    ----------
    device : LorawanDevice
        Whose payload it is.
    payload : bytes
        As the network hands it on, decrypted.
    port : int, optional
        The uplink's FPort; None: the device's first, where its layout depends on one.
    parameters : mapping of str to float
        What the device's label says. A value that needs one that is not given has none, and a flag that says so.
    """
    reading = _Reading(device, parameters or {})
    if len(payload) > LONGEST_PAYLOAD:
        reading.refuse(f"long: {len(payload)} bytes, more than {LONGEST_PAYLOAD}", 0, payload[:LONGEST_PAYLOAD])
    elif port is not None and device.ports and port not in device.ports:
        allowed = ", ".join(str(known) for known in device.ports)
        reading.refuse(f"port: {port} carries no measurements of {device.name} ({allowed} do)", 0, payload)
    elif device.layout == "decentlab":
        _decentlab(reading, payload)
    elif device.layout == "milesight":
        _milesight(reading, payload)
    else:
        _fixed(reading, payload, port)
    return reading.found


def _decentlab(reading: _Reading, payload: bytes) -> None:
    if len(payload) < 5:
        reading.refuse("truncated: shorter than its header of 5 bytes", 0, payload)
        return
    if payload[0] != 2:
        reading.refuse(f"protocol_version: {payload[0]}, not 2", 0, payload)
        return
    number = int.from_bytes(payload[1:3])
    flags = int.from_bytes(payload[3:5])
    unknown = flags >> len(reading.device.group)
    if unknown:
        reading.refuse(f"unknown_group: flags {flags:#06x} name more groups than the device has", 3, payload)
        return
    at = 5
    for bit, group in enumerate(reading.device.group):
        if not flags >> bit & 1:
            continue
        end = at + 2 * group.words
        if end > len(payload):
            reading.refuse("truncated: a group that the flags name is not whole", at, payload)
            return
        for spec in group.field:
            start = at + (spec.at or 0)
            reading.add(spec, payload[start : start + spec.size], "big")
        at = end
    if at < len(payload):
        reading.refuse(f"length: {len(payload) - at} bytes more than the flags name", at, payload)
    reading.found.append(DecodedValue(parameter="device_id", value=number, more={"is_identity": True}))


def _milesight(reading: _Reading, payload: bytes) -> None:
    at = 0
    while at < len(payload):
        if at + 2 > len(payload):
            reading.refuse("truncated: a channel without its type", at, payload)
            return
        channel, kind = payload[at], payload[at + 1]
        item = reading.device.by_place.get((channel, kind))
        size = item.size if item is not None else _DEVICE_FACTS.get(kind) if channel == 0xFF else None
        if size is None:
            # Its length is unknown, and with it where the next one begins.
            reading.refuse(f"unknown_type: {channel:#04x} {kind:#04x}", at, payload)
            return
        data = payload[at + 2 : at + 2 + size]
        if len(data) < size:
            reading.refuse(f"truncated: {channel:#04x} {kind:#04x} takes {size} bytes", at, payload)
            return
        if item is not None:
            _item(reading, item, data)
        at += 2 + size


def _item(reading: _Reading, item: Item, data: bytes) -> None:
    at, time = 0, None
    if item.time:
        time = datetime.fromtimestamp(int.from_bytes(data[:4], "little"), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        at = 4
    flag = item.alarm.get(str(data[-1]), f"alarm {data[-1]}" if data[-1] else None) if item.alarm else None
    for spec in item.field:
        reading.add(spec, data[at : at + spec.size], "little", flag=flag or None, time=time)
        at += spec.size


def _fixed(reading: _Reading, payload: bytes, port: int | None) -> None:
    layouts = [layout for layout in reading.device.payload if port is None or layout.port == port]
    for layout in layouts:
        if layout.length not in {None, len(payload)} or not _matches(layout, payload):
            continue
        if len(payload) < layout.least:
            continue
        for spec in layout.field:
            if spec.key in layout.absent:
                reading.absent(spec, layout.absent[spec.key])
            elif spec.at is not None:
                reading.add(spec, payload[spec.at : spec.at + spec.size], "big")
        return
    if layouts and len(payload) < min(layout.least for layout in layouts):
        reading.refuse(f"truncated: {len(payload)} bytes are fewer than any of its payloads has", 0, payload)
    else:
        reading.refuse(
            f"unknown_payload: {len(payload)} bytes, of no layout that {reading.device.name} has", 0, payload
        )


def _matches(layout: PortLayout, payload: bytes) -> bool:
    if not layout.match:
        return True
    at = layout.match.get("at", 0)
    if at >= len(payload):
        return False
    return (payload[at] & layout.match.get("mask", 0xFF)) >> layout.match.get("shift", 0) == layout.match["equals"]


class PayloadDecoder:
    """One payload, whole at the end of its bytes, for the wire has no frame around it; meets `Decoder`."""

    def __init__(self) -> None:
        self._bytes = b""

    def feed(self, data: bytes) -> Iterator[DecodedValue | BadFrame]:
        """Keep bytes; nothing is whole before the end."""
        # One byte too many is kept, so that the end can tell.
        self._bytes = (self._bytes + data[: LONGEST_PAYLOAD + 1])[: LONGEST_PAYLOAD + 1]
        return iter(())

    def close(self) -> Iterator[DecodedValue | BadFrame]:
        """Return what the payload says."""
        return iter(self.decode(self._bytes))

    def decode(self, payload: bytes) -> list[DecodedValue | BadFrame]:
        """Return what a payload says."""
        raise NotImplementedError


class LorawanDecoder(PayloadDecoder):
    """Payloads of one device; meets `Decoder`.

    Parameters
    ----------
    instrument : str
        A device, and after a colon what goes with it: ``decentlab_dl_pr26:Pmin=0,Pmax=3``, ``port=2``.

    Raises
    ------
    ConfigError
        If the device is unknown, or what goes with it is not a number of its own.
    """

    def __init__(self, instrument: str | None) -> None:
        super().__init__()
        name, _, rest = (instrument or "").partition(":")
        if not name:
            raise ConfigError(
                "--instrument", allowed=lorawan_devices().items, reason="the bytes do not name their device"
            )
        self._device = lorawan_device(name)
        self._port: int | None = None
        self._parameters: dict[str, float] = {}
        for part in filter(None, (text.strip() for text in rest.split(","))):
            key, _, text = part.partition("=")
            try:
                number = float(text)
            except ValueError:
                raise ConfigError("--instrument", seen=part, allowed="NAME:KEY=NUMBER,…") from None
            if key == "port":
                self._port = int(number)
            else:
                self._parameters[key] = number
        check_parameters(self._device, self._parameters, "--instrument")

    def decode(self, payload: bytes) -> list[DecodedValue | BadFrame]:
        """Return what a payload says."""
        return decode_payload(self._device, payload, port=self._port, parameters=self._parameters)


DECODER = DecoderInfo(
    name="lorawan",
    title="A payload of a LoRaWAN device (--instrument NAME:KEY=NUMBER,…)",
    make=LorawanDecoder,
)
