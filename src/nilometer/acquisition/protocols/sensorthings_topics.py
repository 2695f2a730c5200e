"""SensorThings over MQTT (OGC 18-088, clause 14): Observations that are published on a Datastream's topic.

::

    v1.1/Datastreams(5)/Observations        {"phenomenonTime": "…Z", "result": 8.4, "resultTime": "…", …}
    v1.1/Datastreams('abc')/Observations    ids may be texts
    v1.1/Observations                       {"Datastream": {"@iot.id": 5}, …}

The version may stand behind a prefix (``FROST/v1.1/…``). A channel's key is the Datastream's id; what it measures and
in which unit, the topic does not say: that is configured.
"""

from __future__ import annotations

import math
import re
from typing import Any

import msgspec

from nilometer.acquisition.protocols.telemetry import Message, Said, moment, number_of, span
from nilometer.errors import FrameError

__all__ = ["SensorThingsFormat"]

_TOPIC = re.compile(
    r"(?:.*/)?v1\.\d/(?:(?:Multi)?Datastreams\((?P<id>\d+|'[^']{1,200}')\)/)?Observations(?:\?.*)?", re.S
)
MOST_TOPICS = 10_000


class _Observation(msgspec.Struct):
    result: Any = msgspec.UNSET
    phenomenonTime: str | None = None  # noqa: N815 -- the standard's spelling
    resultTime: str | None = None  # noqa: N815
    resultQuality: Any = None  # noqa: N815
    parameters: dict[str, Any] | None = None
    Datastream: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Observation).decode


class SensorThingsFormat:
    """Reads Observations; keeps which topic is which Datastream."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}

    def read(self, topic: str, payload: bytes) -> Message:
        """Return what a message says.

        Raises
        ------
        FrameError
            If topic or body are not of that form, or a time is none.
        """
        try:
            body = _decode(payload)
        except (ValueError, RecursionError) as error:
            raise FrameError(f"observation: {error}", frame=payload[:256]) from None
        key = self._ids.get(topic)
        if key is None:
            key = self._key(topic, body)
        time, duration = (None, 0) if body.phenomenonTime is None else span(body.phenomenonTime)
        result_time = None if body.resultTime is None else moment(body.resultTime)
        mark = extra = None
        if body.resultQuality is not None:
            quality = body.resultQuality
            mark = quality if isinstance(quality, str) else msgspec.json.encode(quality).decode()
        if body.parameters:
            extra = msgspec.json.encode(body.parameters).decode()
        values = self._values(key, body.result)
        return Message("", [Said(k, v, None, None, time, duration, result_time, mark, extra) for k, v in values])

    def _values(self, key: str, result: object) -> list[tuple[str, float]]:
        if isinstance(result, float):
            return [(key, result)]
        if result is msgspec.UNSET:
            raise FrameError("observation: no `result`")
        if isinstance(result, list):  # A MultiDatastream's.
            if len(result) > 100:
                raise FrameError(f"observation: a result of {len(result)} values")
            return [(f"{key}.{place}", number_of(item)) for place, item in enumerate(result)]
        value = number_of(result)
        if math.isnan(value) and result is not None:
            raise FrameError(f"observation: result {str(result)[:64]!r} is no number")
        return [(key, value)]

    def _key(self, topic: str, body: _Observation) -> str:
        found = _TOPIC.fullmatch(topic)
        if found is None:
            raise FrameError(f"topic: {topic!r} takes no Observations")
        name = found["id"]
        if name is not None:
            if len(self._ids) >= MOST_TOPICS:
                self._ids.clear()
            key = self._ids[topic] = name.strip("'")
            return key
        name = (body.Datastream or {}).get("@iot.id")
        if not isinstance(name, int | str) or name == "":
            raise FrameError("observation: neither topic nor body name a Datastream")
        return str(name)[:200]
