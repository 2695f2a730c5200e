"""What a virtual publisher says: uplinks of network servers, SensorThings Observations, Sparkplug B, free JSON."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from nilometer.acquisition.protocols.lpp import encode_lpp
from nilometer.acquisition.protocols.sparkplug_payload import Metric, encode_payload
from nilometer.acquisition.simulators.simulator import Reading
from nilometer.errors import ConfigError
from nilometer.model.properties import vocabulary

__all__ = ["FORMATS", "Messages"]

FORMATS = ("ttn", "chirpstack", "sensorthings", "sparkplug", "json")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Messages:
    """Messages of one virtual device.

    Parameters
    ----------
    form : str
        One of `FORMATS`.
    device : str
        Its name.

    Raises
    ------
    ConfigError
        If there is no such format.
    """

    def __init__(self, form: str, device: str) -> None:
        if form not in FORMATS:
            raise ConfigError("format", seen=form, allowed=FORMATS)
        self._form, self._device = form, device
        self._aliases: dict[str, int] = {}
        self._seq = 0
        self.counter = 0
        self.is_born = False

    @property
    def topics(self) -> list[dict[str, Any]]:
        """Return the subscription that hears it, as the driver's option."""
        topic = {
            "ttn": "v3/nilometer@ttn/devices/+/up",
            "chirpstack": "application/+/device/+/event/up",
            "sensorthings": "v1.1/+/Observations",
            "sparkplug": f"spBv1.0/nilometer/+/{self._device}",
            "json": "nilometer/+/data",
        }[self._form]
        free = {"time": "time"} if self._form == "json" else {}
        return [{"topic": topic, "format": self._form, **free}]

    @property
    def command_topic(self) -> str | None:
        """Return where it listens for commands, None where it does not."""
        return f"spBv1.0/nilometer/NCMD/{self._device}" if self._form == "sparkplug" else None

    @property
    def will(self) -> tuple[str, bytes] | None:
        """Return what the broker says when it is gone."""
        if self._form != "sparkplug":
            return None
        death = Metric(name="bdSeq", data_type=8, value=0)
        return f"spBv1.0/nilometer/NDEATH/{self._device}", encode_payload(0, None, [death])

    def at(self, time: int, readings: Mapping[str, Reading]) -> list[tuple[str, bytes]]:
        """Return topics and payloads for readings at a time (µs since 1970 UTC)."""
        numbers = {key: reading.value for key, reading in readings.items() if not math.isnan(reading.value)}
        match self._form:
            case "ttn":
                return [self._ttn(time, numbers)]
            case "chirpstack":
                return [self._chirpstack(time, numbers)]
            case "sensorthings":
                return [self._observation(time, key, reading) for key, reading in readings.items()]
            case "sparkplug":
                return self._sparkplug(time, readings)
        body = {"time": _iso(time), **numbers}
        return [(f"nilometer/{self._device}/data", json.dumps(body).encode())]

    def _next(self) -> int:
        self.counter += 1
        return self.counter

    def _ttn(self, time: int, numbers: Mapping[str, float]) -> tuple[str, bytes]:
        up = {"f_port": 1, "f_cnt": self._next(), "frm_payload": _lpp(numbers), "decoded_payload": dict(numbers)}
        up["received_at"] = _iso(time)
        up["rx_metadata"] = [{"gateway_ids": {"gateway_id": name}, "rssi": -80} for name in ("near", "far")]
        ids = {"device_id": self._device, "application_ids": {"application_id": "nilometer"}}
        body = {"end_device_ids": ids, "received_at": _iso(time), "uplink_message": up}
        return f"v3/nilometer@ttn/devices/{self._device}/up", json.dumps(body).encode()

    def _chirpstack(self, time: int, numbers: Mapping[str, float]) -> tuple[str, bytes]:
        info = {"devEui": self._device, "deviceName": self._device, "deviceProfileName": "virtual"}
        body = {"time": _iso(time), "deviceInfo": info, "fCnt": self._next(), "fPort": 1}
        body |= {"data": _lpp(numbers), "object": dict(numbers)}
        return f"application/0/device/{self._device}/event/up", json.dumps(body).encode()

    def _observation(self, time: int, key: str, reading: Reading) -> tuple[str, bytes]:
        value = None if math.isnan(reading.value) else reading.value
        body = {"phenomenonTime": _iso(reading.time or time), "result": value}
        return f"v1.1/Datastreams('{key}')/Observations", json.dumps(body).encode()

    def _sparkplug(self, time: int, readings: Mapping[str, Reading]) -> list[tuple[str, bytes]]:
        said: list[tuple[str, bytes]] = []
        place = f"nilometer/{{}}/{self._device}"
        birth = not self.is_born
        if birth:
            self.is_born, self._seq = True, 0
            self._aliases = {key: number for number, key in enumerate(sorted(readings), 1)}
        metrics: list[Metric] = [Metric(name="bdSeq", data_type=8, value=0)] if birth else []
        metrics = [*metrics, *(self._metric(time, key, reading, named=birth) for key, reading in readings.items())]
        kind = "NBIRTH" if birth else "NDATA"
        said.append((f"spBv1.0/{place.format(kind)}", encode_payload(time // 1000, self._seq, metrics)))
        self._seq = (self._seq + 1) % 256
        return said

    def _metric(self, time: int, key: str, reading: Reading, *, named: bool) -> Metric:
        is_null = math.isnan(reading.value)
        metric = Metric(alias=self._aliases.get(key), time=time // 1000, is_null=is_null)
        metric.value = None if is_null else reading.value
        metric.data_type = 10
        if named or metric.alias is None:
            metric.name = key
            term = vocabulary().get(key)
            if term is not None:
                metric.properties = {"engUnit": term.unit}
        return metric


def _lpp(numbers: Mapping[str, float]) -> str:
    values = [
        (channel, "analog_input", (value,))
        for channel, value in enumerate(numbers.values(), 1)
        if channel < 32 and -327.68 <= value <= 327.67
    ]
    return base64.b64encode(encode_lpp(values)).decode()


def _iso(time: int) -> str:
    return (_EPOCH + timedelta(microseconds=time)).isoformat().replace("+00:00", "Z")
