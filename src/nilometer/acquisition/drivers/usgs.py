"""Rivers, lakes and wells of the United States: the instantaneous values of the U.S. Geological Survey."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Literal

from pydantic import Field

from nilometer.acquisition.driver import Clock, DriverInfo
from nilometer.acquisition.formats.usgs import PARAMETERS
from nilometer.acquisition.links.web_service import WebService
from nilometer.acquisition.protocols.usgs import read_features, read_series
from nilometer.acquisition.public_network import DAY_US, Network, PublicNetwork, PublicOptions, Query, Station, iso
from nilometer.acquisition.rows import CLOCK_RESOLUTION_US

__all__ = ["DRIVER", "UsgsOptions", "make"]

WATER_SERVICES = "https://waterservices.usgs.gov/nwis"
OGC_API = "https://api.waterdata.usgs.gov/ogcapi/v0"
Site = Annotated[str, Field(pattern=r"^[A-Za-z0-9-]{1,40}$")]


class UsgsOptions(PublicOptions):
    """Settings of a USGS source; docs/drivers/usgs.md explains each."""

    service: Literal["waterservices", "ogcapi"] = "waterservices"
    base_url: Annotated[str, Field(pattern=r"^https?://")] = WATER_SERVICES
    sites: Annotated[tuple[Site, ...], Field(min_length=1, max_length=1000)]
    parameters: tuple[Annotated[str, Field(pattern=r"^\d{5}$")], ...] = ()
    api_key: str | None = None


def make(options: UsgsOptions, clock: Clock) -> PublicNetwork:
    """Return a source of USGS sites."""
    base = options.base_url.rstrip("/")
    if options.service == "ogcapi" and base == WATER_SERVICES:
        base = OGC_API
        options = options.model_copy(update={"base_url": OGC_API})
    queries = _water_services if options.service == "waterservices" else _ogc_api
    several = len(options.sites) > 1

    def station(site: str) -> Station:
        return Station(
            site,
            f"{site}/" if several else "",
            lambda since, until: queries(base, site, options.parameters, since, until),
            most_us=120 * DAY_US,
        )

    async def stations(_web: WebService) -> Sequence[Station]:
        return [station(site) for site in options.sites]

    headers = {"X-Api-Key": options.api_key} if options.api_key else None
    return PublicNetwork(options, clock, Network(stations, headers, {"<": -1, ">": 1}))


def _water_services(base: str, site: str, parameters: Sequence[str], since: int, until: int) -> Iterable[Query]:
    params = {"format": "json", "sites": site, "siteStatus": "all", "startDT": iso(since), "endDT": iso(until)}
    if parameters:
        params["parameterCd"] = ",".join(parameters)
    yield Query(f"{base}/iv/", params, read_series)


def _ogc_api(base: str, site: str, parameters: Sequence[str], since: int, until: int) -> Iterable[Query]:
    place = site if "-" in site else f"USGS-{site}"
    for parameter in parameters or ("",):
        params = {
            "f": "json",
            "monitoring_location_id": place,
            "time": f"{iso(since)}/{iso(until)}",
            "limit": "10000",
            "skipGeometry": "true",
        }
        yield Query(
            f"{base}/collections/continuous/items",
            params | ({"parameter_code": parameter} if parameter else {}),
            read_features,
        )


DRIVER = DriverInfo(
    name="usgs",
    title="USGS water data",
    protocol="usgs",
    options=UsgsOptions,
    make=make,
    makers=("U.S. Geological Survey",),
    observed_properties={parameter.quantity: parameter.unit for parameter in PARAMETERS.values()},
    manual="USGS Water Services, instantaneous values; api.waterdata.usgs.gov, collection continuous",
    revision="as documented by dataretrieval and recorded in 2019 and 2020; the OGC API as documented in 2025",
    maintainer="The nilometer developers",
    maturity="experimental",
    simulator="usgs",
    clock_resolution_us=CLOCK_RESOLUTION_US,
    mark_scheme=lambda _options: "usgs",
)
