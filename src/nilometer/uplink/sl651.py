"""SL 651-2014, the sending side: a hydrological station to one centre; each receiver has its own address and rules.

Reports (32H) are owed one by one, period by period, and never skipped; each says the newest value of every element in
its period. The rules are in docs/uplinks.md.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from nilometer.errors import ConfigError
from nilometer.model import Thing
from nilometer.store import Catalog
from nilometer.uplink.periods import Grid
from nilometer.uplink.receiver import Desk, UplinkInfo, UplinkOptions
from nilometer.uplink.sl651_content import ElementConfig
from nilometer.uplink.sl651_station import Station

__all__ = ["UPLINK", "Sl651", "Sl651Options"]

Seconds = Annotated[float, Field(gt=0)]
CHINA = "Asia/Shanghai"


class Sl651Options(UplinkOptions):
    """Settings of a centre that is reported to; docs/uplinks.md explains each."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    station: Annotated[str, Field(pattern="^[0-9A-Fa-f]{10}$")]
    centre: Annotated[int, Field(ge=1, le=255)] = 1
    password: Annotated[str, Field(pattern="^[0-9A-Fa-f]{4}$")] = "1234"  # noqa: S105 -- the one of every published example
    kind: Annotated[str, Field(pattern="^[A-Z]$")] = "H"
    coding: Literal["hex", "ascii"] = "hex"
    time_zone: str | None = None
    since: AwareDatetime | None = None
    report_min: Literal[1, 2, 3, 5, 6, 10, 12, 15, 20, 30, 60, 120, 180, 240, 360, 480, 720, 1440] = 60
    delay_s: Annotated[float, Field(ge=0, le=86_400)] = 10.0
    confirmed: bool = True
    over_time_s: Annotated[float, Field(gt=0, le=600)] = 10.0
    retries: Annotated[int, Field(ge=0, le=99)] = 2
    most_bytes: Annotated[int, Field(ge=50, le=4000)] = 220
    late: Literal["mark", "send"] = "mark"
    good_marks: tuple[str, ...] = ("N",)
    elements: dict[str, ElementConfig] = Field(default_factory=dict)
    heartbeat_s: Seconds | None = 40.0
    connect_timeout_s: Seconds = 10.0
    reconnect_first_s: Seconds = 1.0
    reconnect_longest_s: Seconds = 60.0

    def datastream_keys(self) -> frozenset[str]:
        """Return the Datastreams that these settings name."""
        return frozenset(one.datastream for one in self.elements.values() if one.datastream is not None)

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.time_zone is not None:
            try:
                zoneinfo.ZoneInfo(self.time_zone)
            except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"time_zone = {self.time_zone!r} is no IANA zone, such as Asia/Shanghai") from error
        return self

    def zone(self, thing: Thing | None) -> zoneinfo.ZoneInfo:
        """Return the zone of the times on the wire: the Thing's, unless another is configured."""
        return zoneinfo.ZoneInfo(self.time_zone or (thing.time_zone if thing is not None else CHINA))

    def grids(self, zone: zoneinfo.ZoneInfo) -> dict[str, Grid]:
        """Return the one kind of period that is reported."""
        return {"report": Grid(zone, self.report_min * 60_000_000)}


class Sl651:
    """A centre; meets `Uplink`.

    Raises
    ------
    ConfigError
        If it is not for one Thing: an address is one station's.
    """

    def __init__(self, options: Sl651Options, things: tuple[str, ...]) -> None:
        if len(things) != 1:
            raise ConfigError("things", seen=list(things), allowed="one Thing: an address is one station's")
        self._options, self._thing = options, things[0]

    def grids(self, catalog: Catalog) -> Mapping[str, Grid]:
        """Return the reports as they are configured, in the station's zone."""
        return self._options.grids(self._options.zone(catalog.thing_by_key(self._thing)))

    async def run(self, desk: Desk) -> None:
        """Report until cancelled; see `Uplink.run`."""
        await Station(self._options, self._thing, desk).run()


UPLINK = UplinkInfo(
    name="sl651",
    title="SL 651 centre (China)",
    options=Sl651Options,
    make=Sl651,
    manual="SL 651-2014, 水文监测数据通信规约",
    revision="2014-04-17",
    maintainer="The nilometer developers",
    maturity="experimental",
)
