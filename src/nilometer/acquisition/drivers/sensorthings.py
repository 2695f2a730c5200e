"""Any OGC SensorThings 1.1 server: its Datastreams by id, by Thing or by a filter, read page by page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import partial
from typing import Annotated, Self

from pydantic import Field, model_validator

from nilometer.acquisition.driver import Clock, DriverInfo
from nilometer.acquisition.links.web_service import WebService
from nilometer.acquisition.protocols.sensorthings import Id, Stream, read_observations, read_streams, written_id
from nilometer.acquisition.public_network import (
    Network,
    PublicNetwork,
    PublicOptions,
    Query,
    Station,
    iso,
    next_address,
)
from nilometer.acquisition.rows import CLOCK_RESOLUTION_US
from nilometer.errors import FrameError

__all__ = ["DRIVER", "SensorthingsOptions", "make"]

MOST_STREAMS = 1000


class SensorthingsOptions(PublicOptions):
    """Settings of a SensorThings source; docs/drivers/sensorthings.md explains each."""

    datastreams: tuple[Id, ...] = ()
    things: tuple[Id, ...] = ()
    filter: str | None = None
    page_size: Annotated[int, Field(ge=1, le=10_000)] = 1000
    token: str | None = None
    mark_scheme: str | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if not (self.datastreams or self.things or self.filter):
            raise ValueError("name `datastreams` or `things` by their ids, or give a `filter` on Datastreams")
        return self


def make(options: SensorthingsOptions, clock: Clock) -> PublicNetwork:
    """Return a source of a server's Datastreams."""
    headers = {"Authorization": f"Bearer {options.token}"} if options.token else None
    return PublicNetwork(options, clock, Network(partial(_stations, options), headers))


async def _stations(options: SensorthingsOptions, web: WebService) -> Sequence[Station]:
    streams: dict[str, Stream] = {}
    for first, question in _catalog(options):
        url, params, asked = first, question, set[str]()
        while url not in asked:
            asked.add(url)
            answer = await web.get(url, params or None)
            found, following = read_streams(answer.body) if answer is not None else ([], "")
            streams |= {stream.key: stream for stream in found}
            if len(streams) > MOST_STREAMS:
                raise FrameError(f"more than {MOST_STREAMS} Datastreams fit; narrow the filter")
            if answer is None or not found or not following:
                break
            url, params = next_address(following, answer.url, first), {}
    if not streams:
        raise FrameError("no Datastream fits `datastreams`, `things` and `filter`")
    return [_station(options, stream) for stream in streams.values()]


def _catalog(options: SensorthingsOptions) -> Iterable[tuple[str, dict[str, str]]]:
    base = options.base_url.rstrip("/")
    question = {"$expand": "Thing,ObservedProperty", "$top": "100"}
    if options.datastreams:
        chosen = " or ".join(f"id eq {written_id(one)}" for one in options.datastreams)
        yield f"{base}/Datastreams", question | {"$filter": chosen}
    for thing in options.things:
        yield f"{base}/Things({written_id(thing)})/Datastreams", question
    if options.filter:
        yield f"{base}/Datastreams", question | {"$filter": options.filter}


def _station(options: SensorthingsOptions, stream: Stream) -> Station:
    address = f"{options.base_url.rstrip('/')}/Datastreams({written_id(stream.id)})/Observations"

    def queries(since: int, until: int) -> Iterable[Query]:
        params = {
            "$filter": f"phenomenonTime ge {iso(since)} and phenomenonTime le {iso(until)}",
            "$orderby": "phenomenonTime asc",
            "$top": str(options.page_size),
        }
        yield Query(address, params, partial(read_observations, stream=stream))

    return Station(stream.key, "", queries, only=stream.key, title=stream.name, note=stream.note)


DRIVER = DriverInfo(
    name="sensorthings",
    title="OGC SensorThings server",
    protocol="sensorthings",
    options=SensorthingsOptions,
    make=make,
    makers=("FROST", "and whoever serves OGC SensorThings 1.1"),
    manual="OGC SensorThings API Part 1: Sensing",
    revision="1.1 (18-088)",
    maintainer="The nilometer developers",
    maturity="experimental",
    simulator="sensorthings",
    clock_resolution_us=CLOCK_RESOLUTION_US,
    mark_scheme=lambda options: options.mark_scheme,
)
