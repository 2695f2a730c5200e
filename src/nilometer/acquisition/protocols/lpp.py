"""Cayenne Low Power Payload: values that name their channel and their type.

::

    │ channel 1 │ type 1 │ value │ channel │ type │ value │ …     big-endian, two's complement

Types 0x00 to 0x88 follow github.com/myDevicesIoT/CayenneLPP (README); 0x64, 0x74 and 0x75 are of later libraries. A
type that is not known ends the decoding, for its length is not known either.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from nilometer.acquisition.decoding import BadFrame, DecodedValue, DecoderInfo
from nilometer.acquisition.protocols.lorawan import LONGEST_PAYLOAD, PayloadDecoder

__all__ = ["DECODER", "LppDecoder", "decode_lpp", "encode_lpp"]


class _Part(NamedTuple):
    """One number of a type: name behind the channel (none for a type of one), bytes, divisor, unit."""

    name: str
    size: int
    divisor: int
    unit: str | None


class _Type(NamedTuple):
    name: str
    signed: bool
    parts: tuple[_Part, ...]

    @property
    def size(self) -> int:
        return sum(part.size for part in self.parts)


def _one(name: str, size: int, divisor: int = 1, unit: str | None = None, *, signed: bool = False) -> _Type:
    return _Type(name, signed, (_Part("", size, divisor, unit),))


def _axes(name: str, divisor: int, unit: str) -> _Type:
    return _Type(name, signed=True, parts=tuple(_Part(axis, 2, divisor, unit) for axis in "xyz"))


TYPES: dict[int, _Type] = {
    0x00: _one("digital_input", 1),
    0x01: _one("digital_output", 1),
    0x02: _one("analog_input", 2, 100, signed=True),
    0x03: _one("analog_output", 2, 100, signed=True),
    0x64: _one("generic", 4),
    0x65: _one("illuminance", 2, 1, "lux"),
    0x66: _one("presence", 1),
    0x67: _one("temperature", 2, 10, "degC", signed=True),
    0x68: _one("humidity", 1, 2, "%"),
    0x71: _axes("acceleration", 1000, "g"),
    0x73: _one("pressure", 2, 10, "hPa"),
    0x74: _one("voltage", 2, 100, "V"),
    0x75: _one("current", 2, 1000, "A"),
    0x86: _axes("angular_velocity", 100, "deg/s"),
    0x88: _Type(
        "position",
        signed=True,
        parts=(
            _Part("latitude", 3, 10_000, "deg"),
            _Part("longitude", 3, 10_000, "deg"),
            _Part("altitude", 3, 100, "m"),
        ),
    ),
}
_BY_NAME = {kind.name: number for number, kind in TYPES.items()}


def decode_lpp(payload: bytes) -> list[DecodedValue | BadFrame]:
    """Return what a payload says, in its order; behind the last value a `BadFrame` where the rest cannot be read.

    Examples
    --------
    >>> [(item.parameter, item.value) for item in decode_lpp(bytes.fromhex("03670110056700FF"))]
    [('3', 27.2), ('5', 25.5)]
    """
    found: list[DecodedValue | BadFrame] = []
    if len(payload) > LONGEST_PAYLOAD:
        return [BadFrame(error=f"long: more than {LONGEST_PAYLOAD} bytes", offset=0, frame=payload[:LONGEST_PAYLOAD])]
    at = 0
    while at < len(payload):
        if at + 2 > len(payload):
            found.append(BadFrame(error="truncated: a channel without its type", offset=at, frame=payload))
            break
        channel, number = payload[at], payload[at + 1]
        kind = TYPES.get(number)
        if kind is None:
            found.append(BadFrame(error=f"unknown_type: {number:#04x} on channel {channel}", offset=at, frame=payload))
            break
        if at + 2 + kind.size > len(payload):
            found.append(BadFrame(error=f"truncated: {kind.name} takes {kind.size} bytes", offset=at, frame=payload))
            break
        at += 2
        for part in kind.parts:
            raw = int.from_bytes(payload[at : at + part.size], signed=kind.signed)
            name = f"{channel}:{part.name}" if part.name else str(channel)
            value = raw / part.divisor
            found.append(DecodedValue(parameter=name, value=value, unit=part.unit, more={"type": kind.name}))
            at += part.size
    return found


def encode_lpp(values: Iterable[tuple[int, str, Sequence[float]]]) -> bytes:
    """Return a payload of channel, type's name and numbers, such as ``[(3, "temperature", (27.2,))]``.

    Raises
    ------
    ValueError
        If a type is unknown, has another count of numbers, or a number does not fit.
    """
    payload = bytearray()
    for channel, name, numbers in values:
        if name not in _BY_NAME:
            raise ValueError(f"no type {name!r}; known are {', '.join(_BY_NAME)}")
        kind = TYPES[_BY_NAME[name]]
        payload += bytes([channel, _BY_NAME[name]])
        for part, number in zip(kind.parts, numbers, strict=True):
            try:
                payload += round(number * part.divisor).to_bytes(part.size, signed=kind.signed)
            except OverflowError as error:
                raise ValueError(f"{name} on channel {channel}: {number} does not fit {part.size} bytes") from error
    return bytes(payload)


class LppDecoder(PayloadDecoder):
    """One payload; meets `Decoder`."""

    def decode(self, payload: bytes) -> list[DecodedValue | BadFrame]:
        """Return what a payload says."""
        return decode_lpp(payload)


DECODER = DecoderInfo(name="lpp", title="Cayenne Low Power Payload", make=lambda _instrument: LppDecoder())
