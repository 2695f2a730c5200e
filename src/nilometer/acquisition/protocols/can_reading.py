"""One value out of frames of a CAN bus, whatever the layer above it: DBC signal, J1939, NMEA 2000, OBD-II."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from nilometer.acquisition.decoding import DecodedValue

__all__ = ["ERROR", "MISSING", "NOT_AVAILABLE", "RESERVED", "CanReading", "decoded"]

MISSING = "missing"
NOT_AVAILABLE = "not available"
ERROR = "error"
RESERVED = "reserved"


class CanReading(NamedTuple):
    """One value.

    `key` names its channel: ``130312.1.sea.temperature``, ``EEC1.engine_speed``; `mark` is what the sender says of a
    value that is none (`NOT_AVAILABLE`, `ERROR`, `RESERVED`) or the name that a database gives to a code.
    """

    key: str
    parameter: str
    value: float | str | None
    unit: str | None
    mark: str | None = None
    observed_property: str | None = None


def decoded(reading: CanReading, time: str | None, more: Mapping[str, Any]) -> DecodedValue:
    """Return a reading as ``nilometer decode`` prints it: without a value its flag is ``missing``, the code beside."""
    told = dict(more) | {"key": reading.key}
    if reading.value is None:
        return DecodedValue(
            parameter=reading.parameter,
            value=None,
            unit=reading.unit,
            flag=MISSING,
            time=time,
            more=told | {"code": reading.mark},
        )
    if reading.mark is not None:
        told["meaning"] = reading.mark
    return DecodedValue(parameter=reading.parameter, value=reading.value, unit=reading.unit, time=time, more=told)
