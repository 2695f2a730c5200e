"""Buoys of the world's seas: the real-time files of NOAA's National Data Buoy Center."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Annotated, Literal

from pydantic import Field

from nilometer.acquisition.driver import Clock, DriverInfo
from nilometer.acquisition.links.web_service import WebService
from nilometer.acquisition.protocols.ndbc import PROPERTIES, read
from nilometer.acquisition.public_network import Network, PublicNetwork, PublicOptions, Query, Station
from nilometer.acquisition.rows import CLOCK_RESOLUTION_US
from nilometer.model.properties import vocabulary

__all__ = ["DRIVER", "NdbcOptions", "make"]

SERVICE = "https://www.ndbc.noaa.gov/data/realtime2"


class NdbcOptions(PublicOptions):
    """Settings of an NDBC source; docs/drivers/ndbc.md explains each."""

    base_url: Annotated[str, Field(pattern=r"^https?://")] = SERVICE
    stations: Annotated[tuple[Annotated[str, Field(pattern=r"^\w{1,12}$")], ...], Field(min_length=1, max_length=500)]
    files: Annotated[tuple[Literal["txt", "ocean", "spec", "rain"], ...], Field(min_length=1)] = ("txt",)
    history_days: Annotated[float, Field(ge=0, le=45)] = 7.0


def make(options: NdbcOptions, clock: Clock) -> PublicNetwork:
    """Return a source of NDBC stations."""
    several = len(options.stations) > 1

    async def stations(_web: WebService) -> Sequence[Station]:
        return [
            Station(name, f"{name}/" if several else "", partial(_queries, options, name)) for name in options.stations
        ]

    return PublicNetwork(options, clock, Network(stations))


def _queries(options: NdbcOptions, station: str, _since: int, _until: int) -> Iterable[Query]:
    for suffix in options.files:
        # The file is what it is, 45 days of it: it is asked for only where it changed.
        address = f"{options.base_url.rstrip('/')}/{station.upper()}.{suffix}"
        yield Query(address, {}, read, if_changed=True)


DRIVER = DriverInfo(
    name="ndbc",
    title="NOAA buoys (NDBC)",
    protocol="ndbc",
    options=NdbcOptions,
    make=make,
    makers=("NOAA National Data Buoy Center",),
    observed_properties={key: vocabulary()[key].unit for key in sorted(set(PROPERTIES.values()))},
    manual="NDBC Web Data Guide; Measurement Descriptions and Units",
    revision="October 2015; as published in 2025",
    maintainer="The nilometer developers",
    maturity="experimental",
    simulator="ndbc",
    clock_resolution_us=CLOCK_RESOLUTION_US,
)
