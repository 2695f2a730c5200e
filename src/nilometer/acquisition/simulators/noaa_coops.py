"""A virtual CO-OPS Data API: one tide gauge, preliminary, and verified after some days."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from nilometer import units
from nilometer.acquisition.driver import Clock
from nilometer.acquisition.protocols.noaa_coops import NO_DATA, PRODUCTS
from nilometer.acquisition.simulators.simulator import Fault, Feed, SimulatorInfo
from nilometer.acquisition.simulators.web_service import Asked, Moment, Told, VirtualService
from nilometer.model.properties import term

__all__ = ["SIMULATOR", "make"]


def make(
    _instrument: str | None,
    feed: Feed,
    clock: Clock,
    faults: Sequence[Fault] = (),
    *,
    station: str = "8454000",
    products: Sequence[str] = ("water_temperature", "conductivity", "salinity", "wind"),
    verified_after_days: float = 30.0,
    **link: Any,  # noqa: ANN401 -- as the link needs
) -> VirtualService:
    """Return a service of one station; `link` takes ``port``, ``host`` and ``step_s``."""
    answer = partial(_answer, station, lambda: clock() - int(verified_after_days * 86_400_000_000))
    options = {"stations": [station], "products": list(products)}
    return VirtualService(feed, clock, faults, answer, options=options, path="/api/prod", **link)


def _answer(
    station: str, verified: Callable[[], int], asked: Asked, moments: Callable[[int, int], list[Moment]]
) -> Told:
    query = asked.query
    if asked.path != "/api/prod/datagetter" or query.get("product") not in PRODUCTS or query.get("station") != station:
        return _error("Wrong Product or Station, please check the request", "400 Bad Request")
    product = PRODUCTS[query["product"]]
    if product.has_datum and "datum" not in query:
        return _error("The supplied Datum is invalid", "400 Bad Request")
    until = verified()
    rows = []
    for one in moments(_time(query["begin_date"]), _time(query["end_date"])):
        row: dict[str, str] = {}
        for field in product.fields:
            reading = one.readings.get(field.observed_property or "")
            if reading is not None:
                scale, offset = units.affine(term(field.observed_property or "").unit, field.unit)
                row[field.name] = "" if math.isnan(reading.value) else f"{reading.value * scale + offset:.3f}"
        if row:
            stamp = datetime.fromtimestamp(one.time // 1_000_000, UTC).strftime("%Y-%m-%d %H:%M")
            level = {"q": "v" if one.time < until else "p"} if product.has_datum else {}
            rows.append({"t": stamp, **row, "f": ",".join("0" * len(product.flags)), **level})
    if not rows:
        return _error(f"{NO_DATA}. This product may not be offered at this station at the requested time.")
    metadata = {"id": station, "name": "Virtual Harbour", "lat": "41.8071", "lon": "-71.4012"}
    return Told(json.dumps({"metadata": metadata, "data": rows}).encode())


def _error(message: str, status: str = "200 OK") -> Told:
    return Told(json.dumps({"error": {"message": message}}).encode(), status=status)


def _time(text: str) -> int:
    return int(datetime.strptime(text, "%Y%m%d %H:%M").replace(tzinfo=UTC).timestamp()) * 1_000_000


SIMULATOR = SimulatorInfo(name="noaa_coops", title="NOAA CO-OPS Data API", make=make)
