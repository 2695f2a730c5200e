"""The payload of Sparkplug B: metrics with names or aliases, types, times and units; both ways.

Field numbers are those of ``sparkplug_b.proto`` (Eclipse Sparkplug 3.0): payload 1 timestamp, 2 metrics, 3 seq; metric
1 name, 2 alias, 3 timestamp, 4 datatype, 5 is_historical, 6 is_transient, 7 is_null, 9 properties, 10 … 15 the value.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

from nilometer.acquisition.protocols.protobuf import bytes_field, fields, fixed_field, varint_field
from nilometer.errors import FrameError

__all__ = ["DATA_TYPES", "Metric", "Payload", "decode_payload", "encode_payload", "number_of_metric"]

DATA_TYPES = {
    1: "Int8", 2: "Int16", 3: "Int32", 4: "Int64", 5: "UInt8", 6: "UInt16", 7: "UInt32", 8: "UInt64", 9: "Float",
    10: "Double", 11: "Boolean", 12: "String", 13: "DateTime", 14: "Text",
}  # fmt: skip
_SIGNED = {1: 8, 2: 16, 3: 32, 4: 64}
MOST_PROPERTIES = 64


@dataclass(slots=True)
class Metric:
    """One metric.

    `value` is a number, a text, or None; `time` ms since 1970 UTC; `data_type` 0 where the message does not say it.
    """

    name: str = ""
    alias: int | None = None
    time: int | None = None
    data_type: int = 0
    value: float | int | str | None = None
    is_historical: bool = False
    is_transient: bool = False
    is_null: bool = False
    properties: dict[str, float | int | str | None] = field(default_factory=dict)


@dataclass(slots=True)
class Payload:
    """A whole message: its time (ms since 1970 UTC), its sequence number, its metrics."""

    time: int | None = None
    seq: int | None = None
    metrics: list[Metric] = field(default_factory=list)


def decode_payload(data: bytes) -> Payload:
    """Return what a message holds; fields that are not known are passed over.

    Raises
    ------
    FrameError
        If the bytes are no such message.
    """
    payload = Payload()
    for number, kind, value in fields(data):
        if number == 1 and isinstance(value, int):
            payload.time = value
        elif number == 3 and isinstance(value, int):
            payload.seq = value
        elif number == 2 and kind == 2 and isinstance(value, bytes):
            payload.metrics.append(_metric(value))
    return payload


def _metric(data: bytes) -> Metric:
    metric = Metric()
    raw: tuple[int, int | bytes] | None = None
    for number, _, value in fields(data):
        if number == 1 and isinstance(value, bytes):
            metric.name = _text(value)
        elif number in {2, 3, 4, 5, 6, 7} and isinstance(value, int):
            _about(metric, number, value)
        elif number == 9 and isinstance(value, bytes):
            metric.properties = _properties(value)
        elif 10 <= number <= 15:
            raw = (number - 10, value)
    if raw is not None and not metric.is_null:
        metric.value = _value(*raw, metric.data_type)
    return metric


def _about(metric: Metric, number: int, value: int) -> None:
    match number:
        case 2:
            metric.alias = value
        case 3:
            metric.time = value
        case 4:
            metric.data_type = value
        case 5:
            metric.is_historical = bool(value)
        case 6:
            metric.is_transient = bool(value)
        case _:
            metric.is_null = bool(value)


def _properties(data: bytes) -> dict[str, float | int | str | None]:
    keys: list[str] = []
    values: list[float | int | str | None] = []
    for number, _, value in fields(data):
        if not isinstance(value, bytes):
            continue
        if number == 1:
            keys.append(_text(value))
        elif number == 2:
            values.append(_property(value))
    # A list that is longer than the other has no partner for its rest.
    return dict(list(zip(keys, values, strict=False))[:MOST_PROPERTIES])


def _property(data: bytes) -> float | int | str | None:
    kind = 0
    raw: tuple[int, int | bytes] | None = None
    for number, _, value in fields(data):
        if number == 1 and isinstance(value, int):
            kind = value
        elif number == 2 and value:
            return None
        elif 3 <= number <= 8:
            raw = (number - 3, value)
    return None if raw is None else _value(*raw, kind)


def _value(place: int, value: int | bytes, data_type: int) -> float | int | str | None:
    """Return the value of the n-th kind: int, long, float, double, boolean, text."""
    if place in {0, 1, 4} and isinstance(value, int):
        bits = _SIGNED.get(data_type)
        if bits is None:
            return value
        # Signed numbers stand in unsigned fields as their two's complement, of 32 or 64 bits.
        value &= (1 << bits) - 1
        return value - (1 << bits) if value >> (bits - 1) else value
    if place == 2 and isinstance(value, bytes) and len(value) == 4:
        return float(struct.unpack("<f", value)[0])
    if place == 3 and isinstance(value, bytes) and len(value) == 8:
        return float(struct.unpack("<d", value)[0])
    if place == 5 and isinstance(value, bytes):
        return _text(value)
    raise FrameError(f"metric: a value of type {DATA_TYPES.get(data_type, data_type)} in a field of another")


def _text(value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        raise FrameError("metric: a text that is no UTF-8", frame=value[:256]) from None


def encode_payload(time: int, seq: int | None, metrics: Sequence[Metric]) -> bytes:
    """Return a message; values are written by their data type (Double, Boolean, String, Int64 …)."""
    out = varint_field(1, time) + b"".join(bytes_field(2, _encode(metric)) for metric in metrics)
    return out if seq is None else out + varint_field(3, seq)


def _encode(metric: Metric) -> bytes:
    out = bytes_field(1, metric.name.encode()) if metric.name else b""
    for number, value in ((2, metric.alias), (3, metric.time), (4, metric.data_type or None)):
        out += b"" if value is None else varint_field(number, value)
    out += varint_field(5, 1) if metric.is_historical else b""
    if metric.is_null or metric.value is None:
        return out + varint_field(7, 1) + _encode_properties(metric)
    return out + _encode_properties(metric) + _encode_value(metric.data_type, metric.value)


def _encode_properties(metric: Metric) -> bytes:
    if not metric.properties:
        return b""
    keys = b"".join(bytes_field(1, key.encode()) for key in metric.properties)
    values = b""
    for value in metric.properties.values():
        if isinstance(value, int):
            values += bytes_field(2, varint_field(1, 3) + varint_field(3, value & 0xFFFF_FFFF))
        else:
            values += bytes_field(2, varint_field(1, 12) + bytes_field(8, str(value or "").encode()))
    return bytes_field(9, keys + values)


def _encode_value(data_type: int, value: float | str) -> bytes:
    if isinstance(value, str):
        return bytes_field(15, value.encode())
    if data_type == 9:
        return fixed_field(12, struct.pack("<f", value))
    if data_type == 10:
        return fixed_field(13, struct.pack("<d", value))
    if data_type == 11:
        return varint_field(14, int(bool(value)))
    if data_type in {4, 8, 13}:
        return varint_field(11, int(value))
    return varint_field(10, int(value) & 0xFFFF_FFFF)


def number_of_metric(metric: Metric) -> float:
    """Return the metric's number; NaN where it has none."""
    if isinstance(metric.value, int | float) and math.isfinite(metric.value):
        return float(metric.value)
    return math.nan
