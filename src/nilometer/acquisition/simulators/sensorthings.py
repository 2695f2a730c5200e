"""A virtual SensorThings 1.1 server: one Thing with a Datastream a property, read page by page."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import quote

from nilometer.acquisition.driver import Clock
from nilometer.acquisition.protocols.telemetry import moment
from nilometer.acquisition.simulators.simulator import Fault, Feed, SimulatorInfo
from nilometer.acquisition.simulators.web_service import Asked, Moment, Told, VirtualService
from nilometer.model.properties import vocabulary

__all__ = ["SIMULATOR", "make"]

ROOT = "/FROST-Server/v1.1"
THING = 1
_OBSERVATIONS = re.compile(rf"{re.escape(ROOT)}/Datastreams\((\d+)\)/Observations")
_TIMES = re.compile(r"phenomenonTime ge (\S+) and phenomenonTime le (\S+)")


def make(
    _instrument: str | None,
    feed: Feed,
    clock: Clock,
    faults: Sequence[Fault] = (),
    *,
    page_size: int = 100,
    **link: Any,  # noqa: ANN401 -- as the link needs
) -> VirtualService:
    """Return a server; it gives at most `page_size` Observations at once, whatever is asked for."""
    keys = [key for key in feed.at(clock()) if key in vocabulary()]
    answer = partial(_answer, keys, page_size)
    return VirtualService(feed, clock, faults, answer, options={"things": [THING]}, path=ROOT, **link)


def _answer(keys: Sequence[str], page_size: int, asked: Asked, moments: Callable[[int, int], list[Moment]]) -> Told:
    if asked.path in {f"{ROOT}/Datastreams", f"{ROOT}/Things({THING})/Datastreams"}:
        return _json({"value": [_datastream(number, key) for number, key in enumerate(keys, 1)]})
    of_stream = _OBSERVATIONS.fullmatch(asked.path)
    times = _TIMES.fullmatch(asked.query.get("$filter", ""))
    if of_stream is None or times is None or not 1 <= int(of_stream[1]) <= len(keys):
        return Told(json.dumps({"code": 404, "message": "Nothing found."}).encode(), status="404 Not Found")
    found = moments(moment(times[1]), moment(times[2]))
    skip, key = int(asked.query.get("$skip", "0")), keys[int(of_stream[1]) - 1]
    most = min(page_size, int(asked.query.get("$top", "100")))
    document: dict[str, Any] = {"value": [_observation(key, one) for one in found[skip : skip + most]]}
    if len(found) > skip + most:
        rest = {**asked.query, "$skip": str(skip + most)}
        query = "&".join(f"{quote(name)}={quote(value)}" for name, value in rest.items())
        # As a server behind a proxy does that was not told its outer name.
        document["@iot.nextLink"] = f"http://frost.internal:8080{asked.path}?{query}"
    return _json(document)


def _datastream(number: int, key: str) -> dict[str, Any]:
    item = vocabulary()[key]
    return {
        "@iot.id": number,
        "name": item.name_en,
        "unitOfMeasurement": {"name": item.unit, "symbol": item.unit, "definition": ""},
        "ObservedProperty": {"name": item.key, "definition": f"http://example.org/{item.key}"},
        "Thing": {"@iot.id": THING, "name": "Virtual Thing"},
    }


def _observation(key: str, one: Moment) -> dict[str, Any]:
    value = one.readings[key].value if key in one.readings else math.nan
    stamp = datetime.fromtimestamp(one.time // 1_000_000, UTC).isoformat().replace("+00:00", "Z")
    return {"phenomenonTime": stamp, "resultTime": None, "result": None if math.isnan(value) else value}


def _json(document: dict[str, Any]) -> Told:
    return Told(json.dumps(document).encode())


SIMULATOR = SimulatorInfo(name="sensorthings", title="OGC SensorThings server", make=make)
