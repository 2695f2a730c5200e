"""What a Modbus device says beside its registers: its name, its state, its queue."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from nilometer.acquisition.decoding import DecodedValue

__all__ = ["said_beside"]

_OBJECTS = (
    "vendor_name", "product_code", "revision", "vendor_url", "product_name", "model_name", "user_application_name",
)  # fmt: skip


def said_beside(pdu: bytes, more: Mapping[str, Any]) -> Iterator[DecodedValue]:
    """Yield what an answer of the functions 7, 11, 17, 24 and 43 says; nothing of any other, and of no request.

    Requests of these functions have another length than any of their answers, so a form tells them apart.

    References
    ----------
    MODBUS Application Protocol Specification V1.1b3 (2012), sections 6.7, 6.9, 6.13, 6.18 and 6.21.
    """
    data = pdu[1:]
    match pdu[0]:
        case 7 if len(data) == 1:
            yield DecodedValue(parameter="exception_status", value=data[0], more=more)
        case 11 if len(data) == 4:
            yield DecodedValue(parameter="event_count", value=int.from_bytes(data[2:]), more=more)
        case 17 if len(data) > 1 and len(data) == 1 + data[0]:
            yield DecodedValue(parameter="server_id", value=_text(data[1:]), more={**more, "hex": data[1:].hex()})
        case 24 if len(data) >= 4 and len(data) == 4 + 2 * int.from_bytes(data[2:4]):
            for place, at in enumerate(range(4, len(data), 2)):
                yield DecodedValue(parameter=f"fifo_+{place}", value=int.from_bytes(data[at : at + 2]), more=more)
        case 43 if len(data) >= 6 and data[0] == 14:
            yield from _identified(data, more)


def _identified(data: bytes, more: Mapping[str, Any]) -> Iterator[DecodedValue]:
    at = 6
    while at + 2 <= len(data):
        number, size = data[at], data[at + 1]
        name = _OBJECTS[number] if number < len(_OBJECTS) else f"object_{number}"
        yield DecodedValue(parameter=name, value=_text(data[at + 2 : at + 2 + size]), more=more)
        at += 2 + size


def _text(data: bytes) -> str:
    return "".join(chr(byte) for byte in data if 0x20 <= byte < 0x7F).strip()
