"""A virtual USGS Water Services: one site whose provisional values are approved after some days."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

from nilometer import units
from nilometer.acquisition.driver import Clock
from nilometer.acquisition.formats.usgs import PARAMETERS
from nilometer.acquisition.protocols.telemetry import moment
from nilometer.acquisition.simulators.simulator import Fault, Feed, SimulatorInfo
from nilometer.acquisition.simulators.web_service import Asked, Moment, Told, VirtualService
from nilometer.model.properties import term

__all__ = ["SIMULATOR", "document", "make"]

MISSING = -999999.0


def make(
    _instrument: str | None,
    feed: Feed,
    clock: Clock,
    faults: Sequence[Fault] = (),
    *,
    site: str = "01646500",
    approved_after_days: float = 30.0,
    **link: Any,  # noqa: ANN401 -- as the link needs
) -> VirtualService:
    """Return a service of one site; `link` takes ``port``, ``host`` and ``step_s``."""
    answer = partial(_answer, site, lambda: clock() - int(approved_after_days * 86_400_000_000))
    return VirtualService(feed, clock, faults, answer, options={"sites": [site]}, path="/nwis", **link)


def _answer(site: str, approved: Callable[[], int], asked: Asked, moments: Callable[[int, int], list[Moment]]) -> Told:
    if asked.path != "/nwis/iv/" or asked.query.get("format") != "json":
        return Told(b"<html><body>HTTP Status 404</body></html>", "text/html", "404 Not Found")
    found = moments(moment(asked.query["startDT"]), moment(asked.query["endDT"]))
    wanted = set(filter(None, asked.query.get("parameterCd", "").split(","))) or set(PARAMETERS)
    sites = asked.query.get("sites", "").split(",")
    return Told(json.dumps(document(site if site in sites else "", wanted, found, approved())).encode())


def document(site: str, wanted: set[str], found: Sequence[Moment], approved: int) -> dict[str, Any]:
    """Return the answer of a site (empty: it has none): values older than `approved`, µs, are approved."""
    series = []
    for code, parameter in PARAMETERS.items() if site else ():
        scale, offset = units.affine(term(parameter.quantity).unit, parameter.unit)
        values = [
            {
                "value": "-999999" if math.isnan(reading.value) else f"{reading.value * scale + offset:.6g}",
                "qualifiers": ["A" if one.time < approved else "P"],
                "dateTime": datetime.fromtimestamp(one.time // 1_000_000, UTC).isoformat(timespec="milliseconds"),
            }
            for one in found
            if code in wanted and (reading := one.readings.get(parameter.quantity)) is not None
        ]
        if values:
            series.append(_series(site, code, parameter.unit, values))
    return {"name": "ns1:timeSeriesResponseType", "value": {"queryInfo": {}, "timeSeries": series}}


def _series(site: str, code: str, unit: str, values: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "sourceInfo": {"siteName": "VIRTUAL RIVER", "siteCode": [{"value": site, "agencyCode": "USGS"}]},
        "variable": {
            "variableCode": [{"value": code}],
            "variableName": f"{PARAMETERS[code].quantity}, {unit}",
            "unit": {"unitCode": unit},
            "noDataValue": MISSING,
            "options": {"option": [{"name": "Statistic", "optionCode": "00000"}]},
        },
        "values": [{"value": values, "method": [{"methodDescription": "", "methodID": 1}]}],
        "name": f"USGS:{site}:{code}:00000",
    }


SIMULATOR = SimulatorInfo(name="usgs", title="USGS Water Services", make=make)
