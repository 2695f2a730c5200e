"""Answers of NOAA's tides and currents service (CO-OPS Data API, ``datagetter`` with ``format=json``).

::

    {"metadata": {"id": "8454000", "name": "Providence", "lat": "41.8071", "lon": "-71.4012"},
     "data": [{"t": "2026-01-01 00:00", "v": "0.437", "s": "0.003", "f": "0,0,0,0", "q": "p"}, ...]}

Times are of the zone that was asked for (we ask for GMT), units those of ``units=metric``. Fields and flags as the
service's own response help names them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from nilometer.acquisition.decoding import DecoderInfo
from nilometer.acquisition.protocols.telemetry import Said, number_of, part
from nilometer.acquisition.protocols.web_answer import DocumentDecoder, Page, document_of, items, text
from nilometer.errors import FrameError

__all__ = ["DECODER", "NO_DATA", "PRODUCTS", "Product", "read"]

NO_DATA = "No data was found"
"""How the service says that a station has nothing of a product in a span; it is no error of ours."""


class Field(NamedTuple):
    """One value of a row: its name there, its channel's key, property and unit."""

    name: str
    key: str
    observed_property: str | None
    unit: str


class Product(NamedTuple):
    """What a product's rows hold, what the letters of its flags are, and how many days one question may ask for."""

    fields: tuple[Field, ...]
    flags: str = ""
    flags_verified: str = ""
    has_datum: bool = False
    days: int = 30


def _one(key: str, observed_property: str | None, unit: str, flags: str = "XNR") -> Product:
    return Product((Field("v", key, observed_property, unit),), flags)


_LEVEL = (
    Field("v", "water_level", "water_level", "m"),
    Field("s", "water_level.sigma", None, "m"),
)
PRODUCTS: Mapping[str, Product] = {
    # O counts samples; verified levels have I (inferred) in its place and T for L.
    "water_level": Product(_LEVEL, "OFRL", "IFRT", has_datum=True),
    "one_minute_water_level": Product(_LEVEL[:1], has_datum=True, days=4),
    "hourly_height": Product(_LEVEL, "IL", "IL", has_datum=True, days=365),
    "water_temperature": _one("water_temperature", "water_temperature", "degree_Celsius"),
    "conductivity": _one("conductivity", "conductivity", "mS cm-1"),
    "salinity": _one("salinity", "salinity", "1"),
    "air_temperature": _one("air_temperature", "air_temperature", "degree_Celsius"),
    "air_pressure": _one("air_pressure", "air_pressure", "mbar"),
    "humidity": _one("relative_humidity", "relative_humidity", "%"),
    "visibility": _one("visibility", None, "km"),
    "wind": Product(
        (
            Field("s", "wind_speed", "wind_speed", "m s-1"),
            Field("d", "wind_direction", "wind_direction", "degree"),
            Field("g", "wind_gust", "wind_gust", "m s-1"),
        ),
        "XR",
    ),
    "currents": Product(
        (
            Field("s", "flow_velocity", "flow_velocity", "cm s-1"),
            Field("d", "current_direction", "current_direction", "degree"),
        )
    ),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_US = timedelta(microseconds=1)


def read(body: bytes, product: str) -> Page:
    """Return what an answer says of a product; empty where the station has none of it.

    Raises
    ------
    FrameError
        If it is no answer of the service, or an error that it names.
    """
    document = document_of(body)
    said = text(part(document, "error"), "message")
    if said:
        if NO_DATA in said:
            return Page()
        raise FrameError(f"error: {said.strip()}", frame=body[:256])
    if not isinstance(document, dict) or not isinstance(document.get("data"), list):
        raise FrameError("data: there is none, so this is no answer of CO-OPS", frame=body[:256])
    page = Page()
    for row in items(document, "data"):
        _take(page, row, product)
    return page


def _take(page: Page, row: Any, product: str) -> None:  # noqa: ANN401 -- whatever JSON holds
    try:
        time = _time(text(row, "t"))
    except FrameError as error:
        page.complain(f"{product}: {error}")
        return
    mark, extra = _mark(text(row, "q"), text(row, "f"), product)
    bin_number = text(row, "b")
    for field in PRODUCTS[product].fields:
        word = text(row, field.name)
        key = f"{field.key}.bin{bin_number}" if bin_number.isdecimal() else field.key
        number = number_of(word)
        if not word and field.name != "v":
            continue
        if word and math.isnan(number):
            page.complain(f"{key}: {word!r} is no number")
        page.values.append(Said(key, number, field.unit, field.observed_property, time, mark=mark, extra=extra))


def _time(word: str) -> int:
    try:
        # Of all the forms of ISO 8601 the service has this one.
        if len(word) == 16 and word[10] == " ":
            return (datetime.fromisoformat(word).replace(tzinfo=UTC) - _EPOCH) // _US
    except (ValueError, OverflowError):
        pass
    raise FrameError(f"t: {word!r} is no time such as 2026-01-01 00:06")


@lru_cache(maxsize=1024)
def _mark(level: str, flags: str, name: str) -> tuple[str | None, str | None]:
    """Return the letters of the flags that are raised behind p or v, and the field itself where one is."""
    product = PRODUCTS[name]
    letters = product.flags_verified if level == "v" and product.flags_verified else product.flags
    digits = [digit.strip() for digit in flags.split(",")] if flags else []
    if len(digits) > len(letters):
        raised = [digit for digit in digits if digit not in {"", "0"}]
    else:
        raised = [letter for letter, digit in zip(letters, digits, strict=False) if digit not in {"", "0"}]
    extra = json.dumps({"f": flags}) if raised else None
    return " ".join([level, *raised]).strip() or None, extra


def _read_any(body: bytes) -> Page:
    """Return what an answer to an unknown question says: rows name their product by the fields they have."""
    rows = items(document_of(body), "data")
    first = rows[0] if rows and isinstance(rows[0], dict) else {}
    product = "currents" if "b" in first else "wind" if "dr" in first else "water_level"
    page = read(body, product)
    if product == "water_level" and "q" not in first:
        # Other products of one value look alike, and the answer does not say which it is.
        page.values = [said._replace(key="value", unit=None, observed_property=None) for said in page.values]
    return page


DECODER = DecoderInfo(name="noaa_coops", title="NOAA CO-OPS Data API", make=lambda _: DocumentDecoder(_read_any))
