"""HJ 212, the sending side: a station to one platform; each receiver has its own edition, MN, codes and rules.

Periods (minute, hour, day) are owed one by one and never skipped; real-time data are the present, and what of them was
missed while nobody listened stays missed. The rules are in docs/uplinks.md.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from nilometer.errors import ConfigError
from nilometer.model import Thing
from nilometer.store import Catalog
from nilometer.uplink.hj212_codes import CodeConfig
from nilometer.uplink.hj212_station import Station
from nilometer.uplink.periods import Grid
from nilometer.uplink.receiver import Desk, UplinkInfo, UplinkOptions

__all__ = ["UPLINK", "Hj212", "Hj212Options"]

CHINA = "Asia/Shanghai"
Seconds = Annotated[float, Field(gt=0)]


class Hj212Options(UplinkOptions):
    """Settings of a platform that is sent to; docs/uplinks.md explains each."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)]
    device: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^;,&#\s]+$")]
    password: Annotated[str, Field(max_length=64, pattern=r"^[^;,&#\s]*$")] = "123456"  # noqa: S105 -- the one of the standard's examples
    system: Annotated[str, Field(pattern=r"^[0-9A-Z][0-9]$")] = "21"
    edition: Literal["2005", "2017", "2025"] = "2017"
    time_zone: str | None = None
    since: AwareDatetime | None = None
    real_time_s: Annotated[int, Field(ge=1, le=3600)] | None = 60
    minute_min: Literal[1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30] | None = 10
    hours: bool = True
    days: bool = True
    delay_s: Annotated[float, Field(ge=0, le=86_400)] = 60.0
    answers: bool = True
    over_time_s: Annotated[float, Field(gt=0, le=99)] = 10.0
    retries: Annotated[int, Field(ge=0, le=99)] = 3
    late: Literal["mark", "send"] = "mark"
    counting: tuple[str, ...] = ("N",)
    unmarked: Annotated[str, Field(pattern=r"^[A-Za-z0-9]?$")] = "N"
    below_limit: Literal["refuse", "limit"] = "refuse"
    codes: dict[str, CodeConfig] = Field(default_factory=dict)
    set_time: Literal["refuse", "acknowledge"] = "refuse"
    login: Annotated[str, Field(pattern=r"^[0-9]{4}$")] | None = None
    heartbeat: Annotated[str, Field(pattern=r"^[0-9]{4}$")] = "9015"
    heartbeat_s: Seconds | None = None
    announce_start: bool = False
    connect_timeout_s: Seconds = 10.0
    reconnect_first_s: Seconds = 1.0
    reconnect_longest_s: Seconds = 60.0

    def datastream_keys(self) -> frozenset[str]:
        """Return the Datastreams that these settings name."""
        return frozenset(one.datastream for one in self.codes.values() if one.datastream is not None)

    @model_validator(mode="after")
    def _known(self) -> Self:
        if self.time_zone is not None:
            try:
                zoneinfo.ZoneInfo(self.time_zone)
            except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
                raise ValueError(f"time_zone = {self.time_zone!r} is no IANA zone, such as Asia/Shanghai") from error
        if not (self.real_time_s or self.minute_min or self.hours or self.days):
            raise ValueError("nothing is to be sent: set `real_time_s`, `minute_min`, `hours` or `days`")
        return self

    def zone(self, thing: Thing | None) -> zoneinfo.ZoneInfo:
        """Return the zone of the times on the wire: the Thing's, unless another is configured."""
        return zoneinfo.ZoneInfo(self.time_zone or (thing.time_zone if thing is not None else CHINA))

    def grids(self, zone: zoneinfo.ZoneInfo) -> dict[str, Grid]:
        """Return the kinds of periods that are sent."""
        grids = {} if self.minute_min is None else {"minute": Grid(zone, self.minute_min * 60_000_000)}
        if self.hours:
            grids["hour"] = Grid(zone, 3_600_000_000)
        if self.days:
            grids["day"] = Grid(zone)
        return grids


class Hj212:
    """A platform; meets `Uplink`.

    Raises
    ------
    ConfigError
        If it is not for one Thing: an MN is one station's.
    """

    def __init__(self, options: Hj212Options, things: tuple[str, ...]) -> None:
        if len(things) != 1:
            raise ConfigError("things", seen=list(things), allowed="one Thing: an MN is one station's")
        self._options, self._thing = options, things[0]

    def grids(self, catalog: Catalog) -> Mapping[str, Grid]:
        """Return minutes, hours and days as they are configured, in the station's zone."""
        return self._options.grids(self._options.zone(catalog.thing_by_key(self._thing)))

    async def run(self, desk: Desk) -> None:
        """Send until cancelled; see `Uplink.run`."""
        await Station(self._options, self._thing, desk).run()


UPLINK = UplinkInfo(
    name="hj212",
    title="HJ 212 platform (China)",
    options=Hj212Options,
    make=Hj212,
    manual="HJ/T 212-2005, HJ 212-2017; HJ 212-2025 as public code shows it",
    revision="2017-05-01",
    maintainer="The nilometer developers",
    maturity="usable",
)
