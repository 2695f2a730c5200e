"""Uplinks as LoRaWAN network servers publish them: The Things Stack v3 (and the old v2), ChirpStack v4.

::

    v3/{application}@{tenant}/devices/{device}/up     {"end_device_ids": …, "uplink_message": {"f_port", "f_cnt", …}}
    application/{id}/device/{dev eui}/event/up        {"deviceInfo": …, "fPort", "fCnt", "data", "object", "rxInfo", …}

Both leave out what is empty, 0 or false: a counter that is missing is 0. The bytes are base64. Several gateways hear
one uplink; the server makes one message of it, whose receive time is the server's: few gateways have a clock to trust.
"""

from __future__ import annotations

import base64
import binascii
import math
from collections.abc import Callable, Mapping
from typing import Any

from nilometer.acquisition.decoding import BadFrame, DecodedValue
from nilometer.acquisition.protocols.telemetry import Message, Said, json_of, moment, number_of, part, text_or
from nilometer.errors import FrameError

__all__ = ["ChirpStackFormat", "TheThingsStackFormat", "Uplink", "leaves", "said_of", "take"]

Decode = Callable[[str, str, bytes, int], "list[DecodedValue | BadFrame] | None"]
"""``decode(device, profile, payload, port)``: what the bytes say; None where no decoder is configured for it."""

MOST_FIELDS = 200
_EVENTS = frozenset({"up"})


class Uplink:
    """What both servers' messages have in common: bytes or decoded fields become values."""

    def __init__(self, decode: Decode) -> None:
        self._decode = decode

    def message(
        self,
        *,
        device: str,
        profile: str,
        payload: str,
        port: int,
        counter: int,
        fields: Mapping[str, Any],
        received: str | None,
        warnings: object = None,
    ) -> Message:
        """Return an uplink's values: by our decoder where one is configured, else the server's decoded fields."""
        if not device:
            raise FrameError("uplink: it names no device")
        message = Message(device=device, counter=counter, received=moment(received) if received else None)
        try:
            data = base64.b64decode(payload, validate=True)
        except (binascii.Error, ValueError):
            raise FrameError(f"base64: the payload of {device} is none") from None
        found = self._decode(device, profile, data, port)
        if found is not None:
            take(message, found)
        elif fields:
            for key, value in leaves(fields):
                message.values.append(Said(key, value))
        elif data:
            message.problems.append(f"{device}: no decoder is configured, and the server decoded nothing (port {port})")
        if isinstance(warnings, list) and warnings:
            message.problems.append(f"{device}: the server's decoder says {text_or(warnings[0], '?')}")
        return message


class TheThingsStackFormat(Uplink):
    """The Things Stack v3, and what is left of v2."""

    def read(self, topic: str, payload: bytes) -> Message:
        """Return what an uplink says; joins, downlinks and the like say nothing.

        Raises
        ------
        FrameError
            If the message is not of that form.
        """
        body = json_of(payload)
        if not isinstance(body, Mapping):
            raise FrameError("uplink: no JSON object")
        if "payload_raw" in body or "dev_id" in body:
            return self._version_2(body)
        up = part(body, "uplink_message")
        if not up:
            if topic.rsplit("/", 1)[-1] == "up":
                raise FrameError("uplink: no `uplink_message`")
            return Message()
        ids = part(body, "end_device_ids")
        return self.message(
            device=text_or(ids.get("device_id")) or text_or(ids.get("dev_eui")),
            profile=text_or(part(up, "version_ids").get("model_id")),
            payload=_text(up.get("frm_payload", "")),
            port=_count(up, "f_port"),
            counter=_count(up, "f_cnt"),
            fields=part(up, "decoded_payload"),
            received=text_or(up.get("received_at")) or text_or(body.get("received_at")) or None,
            warnings=up.get("decoded_payload_warnings"),
        )

    def _version_2(self, body: Mapping[str, Any]) -> Message:
        return self.message(
            device=text_or(body.get("dev_id")) or text_or(body.get("hardware_serial")),
            profile="",
            payload=_text(body.get("payload_raw", "")),
            port=_count(body, "port"),
            counter=_count(body, "counter"),
            fields=part(body, "payload_fields"),
            received=text_or(part(body, "metadata").get("time")) or None,
        )


class ChirpStackFormat(Uplink):
    """ChirpStack v4, JSON encoding."""

    def read(self, topic: str, payload: bytes) -> Message:
        """Return what an uplink says; other events say nothing.

        Raises
        ------
        FrameError
            If the message is not of that form, or of version 3, whose identities are written otherwise.
        """
        if topic.rsplit("/", 1)[-1] not in _EVENTS:
            return Message()
        body = json_of(payload)
        if not isinstance(body, Mapping):
            raise FrameError("uplink: no JSON object")
        info = part(body, "deviceInfo")
        if not info and ("devEUI" in body or "applicationID" in body):
            raise FrameError("uplink: of ChirpStack v3; only v4 is read")
        return self.message(
            device=text_or(info.get("devEui")) or text_or(info.get("deviceName")),
            profile=text_or(info.get("deviceProfileName")),
            payload=_text(body.get("data", "")),
            port=_count(body, "fPort"),
            counter=_count(body, "fCnt"),
            fields=part(body, "object"),
            received=text_or(body.get("time")) or None,
        )


def said_of(item: DecodedValue) -> Said:
    """Return a decoded value of a payload as one of a message.

    The key of a value of Cayenne LPP is its channel and type (``3.temperature``): one channel may carry several.
    """
    key = item.parameter
    if "type" in item.more:
        channel, _, axis = key.partition(":")
        key = (
            f"{channel}.{axis or item.more['type']}"
            if item.more["type"] == "position"
            else (f"{channel}.{item.more['type']}{'_' + axis if axis else ''}")
        )
    value, observed = item.value, item.more.get("observed_property")
    if isinstance(value, str):
        # The number that the word stands for, and the word as its mark.
        return Said(key, number_of(item.more.get("number")), item.unit, observed, mark=value)
    time = moment(item.time) if item.time else None
    return Said(key, math.nan if value is None else value, item.unit, observed, time, mark=item.flag)


def leaves(fields: Mapping[str, Any], *, most: int = MOST_FIELDS) -> list[tuple[str, float]]:
    """Return the numbers of nested objects with their dotted paths, at most `most`; lists count from 0."""
    found: list[tuple[str, float]] = []
    waiting: list[tuple[str, Any]] = [("", fields)]
    while waiting and len(found) < most:
        path, value = waiting.pop()
        if isinstance(value, Mapping):
            waiting += reversed([(f"{path}.{key}" if path else str(key), item) for key, item in value.items()])
        elif isinstance(value, list):
            waiting += reversed([(f"{path}.{place}", item) for place, item in enumerate(value[:most])])
        elif isinstance(value, bool | int | float) and len(path) <= 200:
            found.append((path, number_of(value)))
    return found


def take(message: Message, found: list[DecodedValue | BadFrame]) -> None:
    """Add what a device's bytes say to a message; what identifies the device is no observation."""
    for item in found:
        if isinstance(item, BadFrame):
            message.problems.append(f"{message.device}: {item.error}")
        elif not item.more.get("is_identity"):
            message.values.append(said_of(item))


def _count(body: Mapping[str, Any], name: str) -> int:
    value = body.get(name, 0)
    if not isinstance(value, int) or not 0 <= value < 2**32:
        raise FrameError(f"uplink: {name} = {str(value)[:32]!r} is no count")
    return value


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise FrameError("base64: the payload is no text")
    return value
