"""Tide gauges and current meters of the United States: NOAA's CO-OPS Data API."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Self

from pydantic import Field, model_validator

from nilometer.acquisition.driver import Clock, DriverInfo
from nilometer.acquisition.links.web_service import WebService
from nilometer.acquisition.protocols.noaa_coops import PRODUCTS, read
from nilometer.acquisition.public_network import DAY_US, Network, PublicNetwork, PublicOptions, Query, Station
from nilometer.acquisition.rows import CLOCK_RESOLUTION_US

__all__ = ["DRIVER", "NoaaCoopsOptions", "make"]

SERVICE = "https://api.tidesandcurrents.noaa.gov/api/prod"


class NoaaCoopsOptions(PublicOptions):
    """Settings of a CO-OPS source; docs/drivers/noaa_coops.md explains each."""

    base_url: Annotated[str, Field(pattern=r"^https?://")] = SERVICE
    stations: Annotated[tuple[Annotated[str, Field(pattern=r"^\w{1,20}$")], ...], Field(min_length=1, max_length=500)]
    products: Annotated[tuple[str, ...], Field(min_length=1)] = ("water_level", "water_temperature")
    datum: Annotated[str, Field(pattern=r"^[A-Z0-9_]{2,10}$")] = "MLLW"
    bin: Annotated[int, Field(ge=1, le=200)] | None = None
    application: Annotated[str, Field(pattern=r"^[\w.-]{1,40}$")] = "nilometer"

    @model_validator(mode="after")
    def _known(self) -> Self:
        for product in self.products:
            if product not in PRODUCTS:
                raise ValueError(f"products: {product!r} is none of {', '.join(PRODUCTS)}")
        levels = [product for product in self.products if PRODUCTS[product].has_datum]
        if len(levels) > 1:
            raise ValueError(f"products: {' and '.join(levels)} are the same level; give each a source of its own")
        return self


def make(options: NoaaCoopsOptions, clock: Clock) -> PublicNetwork:
    """Return a source of CO-OPS stations."""
    several = len(options.stations) > 1
    most = min(PRODUCTS[product].days for product in options.products)

    async def stations(_web: WebService) -> Sequence[Station]:
        return [
            Station(name, f"{name}/" if several else "", partial(_queries, options, name), most_us=most * DAY_US)
            for name in options.stations
        ]

    return PublicNetwork(options, clock, Network(stations))


def _queries(options: NoaaCoopsOptions, station: str, since: int, until: int) -> Iterable[Query]:
    for product in options.products:
        params = {
            "station": station,
            "product": product,
            "begin_date": _minute(since),
            "end_date": _minute(until),
            "units": "metric",
            "time_zone": "gmt",
            "format": "json",
            "application": options.application,
        }
        if PRODUCTS[product].has_datum:
            params["datum"] = options.datum
        if product == "currents" and options.bin is not None:
            params["bin"] = str(options.bin)
        yield Query(f"{options.base_url.rstrip('/')}/datagetter", params, partial(read, product=product))


def _minute(time: int) -> str:
    return datetime.fromtimestamp(time // 1_000_000, UTC).strftime("%Y%m%d %H:%M")


DRIVER = DriverInfo(
    name="noaa_coops",
    title="NOAA tides and currents (CO-OPS)",
    protocol="noaa_coops",
    options=NoaaCoopsOptions,
    make=make,
    makers=("NOAA Center for Operational Oceanographic Products and Services",),
    observed_properties={
        field.observed_property: field.unit
        for product in PRODUCTS.values()
        for field in product.fields
        if field.observed_property is not None
    },
    manual="CO-OPS Data API and its response help",
    revision="as published in 2025",
    maintainer="The nilometer developers",
    maturity="experimental",
    simulator="noaa_coops",
    clock_resolution_us=CLOCK_RESOLUTION_US,
    mark_scheme=lambda _options: "noaa_coops",
)
