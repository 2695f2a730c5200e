"""To an MQTT broker, QoS 1: every Observation once it is stored; a PUBACK moves the place from which it goes on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, Field, model_validator

from nilometer.acquisition.backoff import Backoff
from nilometer.acquisition.links.mqtt import Broker, MqttLink, open_mqtt
from nilometer.errors import LinkError
from nilometer.store import Catalog
from nilometer.uplink.periods import Grid
from nilometer.uplink.receiver import Desk, UplinkInfo, UplinkOptions, UplinkState
from nilometer.uplink.rows import Batch, Row, RowFeed

__all__ = ["UPLINK", "Mqtt", "MqttOptions"]

Seconds = Annotated[float, Field(gt=0)]
PAUSE_S = 1.0
TOPICS = {"json": "nilometer/{datastream}", "sensorthings": "v1.1/Datastreams({id})/Observations"}


class MqttOptions(UplinkOptions):
    """Settings of a broker that is published to; docs/uplinks.md explains each."""

    host: str
    port: Annotated[int, Field(ge=1, le=65535)] = 1883
    client_id: Annotated[str, Field(min_length=1)]
    username: str | None = None
    password: str | None = None
    version: Literal["3.1.1", "5"] = "3.1.1"
    format: Literal["json", "sensorthings"] = "json"
    topic: str | None = None
    retain: bool = False
    since: AwareDatetime | None = None
    authority: bool = False
    window: Annotated[int, Field(ge=1, le=10_000)] = 200
    answer_s: Seconds = 20.0
    keep_alive_s: Annotated[int, Field(ge=1, le=65535)] = 60
    connect_timeout_s: Seconds = 10.0
    reconnect_first_s: Seconds = 1.0
    reconnect_longest_s: Seconds = 60.0

    @model_validator(mode="after")
    def _known(self) -> Self:
        try:
            name = self.pattern.format(datastream="d", thing="t", property="p", id=1)
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError("topic may name {datastream}, {thing}, {property} and {id}") from error
        if "+" in name or "#" in name:
            raise ValueError("a topic that is published to has no + and no #")
        return self

    @property
    def pattern(self) -> str:
        """The topic, with names in braces."""
        return self.topic or TOPICS[self.format]


class Mqtt:
    """A broker; meets `Uplink`."""

    def __init__(self, options: MqttOptions, _things: tuple[str, ...]) -> None:
        self._options = options
        self._broker = Broker(
            host=options.host,
            port=options.port,
            client_id=options.client_id,
            version=5 if options.version == "5" else 4,
            clean=True,
            keep_alive_s=options.keep_alive_s,
            username=options.username,
            password=options.password,
            connect_timeout_s=options.connect_timeout_s,
        )

    def grids(self, _catalog: Catalog) -> Mapping[str, Grid]:
        """Return nothing: it sends rows."""
        return {}

    async def run(self, desk: Desk) -> None:
        """Publish until cancelled; see `Uplink.run`."""
        options = self._options
        since = None if options.since is None else int(options.since.timestamp() * 1e6)
        feed = RowFeed(desk, "mqtt", since=since, authority=options.authority)
        await desk.reading(feed.open)
        backoff = Backoff(options.reconnect_first_s, options.reconnect_longest_s)
        while True:
            try:
                await self._connected(desk, feed, backoff)
            except LinkError as error:
                feed.lost()
                desk.status.waiting = await desk.reading(feed.waiting)
                wait_s = backoff.next_s()
                desk.report(UplinkState.DISCONNECTED, f"{error}; trying again in {wait_s:.1f} s")
                await asyncio.sleep(wait_s)

    async def _connected(self, desk: Desk, feed: RowFeed, backoff: Backoff) -> None:
        link = await open_mqtt(self._broker)
        beating = asyncio.create_task(link.keep_alive())
        try:
            desk.report(UplinkState.LIVE, f"connected to {link.name}")
            while True:
                batch = await desk.reading(feed.next, self._options.window)
                if batch is None:
                    desk.status.waiting = 0
                    await link.receive(0.0)  # Nobody writes to us; what is heard is that the broker is there.
                    await self._idle(desk, link)
                    continue
                await self._publish(desk, link, batch)
                await desk.reading(feed.taken, batch)
                backoff.reset()
        finally:
            beating.cancel()
            await link.close()

    async def _idle(self, desk: Desk, link: MqttLink) -> None:
        """Wait for rows, and hear at once when the broker goes."""
        woken = asyncio.create_task(desk.pause(PAUSE_S))
        try:
            while not woken.done():
                await link.receive(0.1)
        finally:
            woken.cancel()

    async def _publish(self, desk: Desk, link: MqttLink, batch: Batch) -> None:
        """Publish rows, and return once the broker has each of them."""
        options, status = self._options, desk.status
        unanswered: set[int] = set()
        for row in batch.rows:
            topic = options.pattern.format(**_names(desk.catalog, row))
            payload = json.dumps(_payload(row, options.format, desk.catalog), ensure_ascii=False, allow_nan=False)
            unanswered.add(await link.publish(topic, payload.encode(), qos=1, retain=options.retain))
            status.sent += 1
            status.repeated += row.repeated
        until = asyncio.get_running_loop().time() + options.answer_s
        while unanswered:
            left_s = until - asyncio.get_running_loop().time()
            if left_s <= 0:
                raise LinkError(f"{len(unanswered)} messages were not acknowledged in time", link=link.name)
            if not link.acknowledged:
                await link.receive(min(left_s, 0.05))
            while link.acknowledged:
                number = link.acknowledged.popleft()
                status.answered += number in unanswered
                unanswered.discard(number)


def _names(catalog: Catalog, row: Row) -> dict[str, str | int]:
    datastream = row.datastream
    return {
        "datastream": datastream.key,
        "thing": catalog.thing(datastream.thing).key,
        "property": catalog.observed_property(datastream.observed_property).key,
        "id": datastream.id,
    }


def _payload(row: Row, kind: str, catalog: Catalog) -> dict[str, Any]:
    """Return an Observation; a receiver that keeps (id, commit) takes nothing twice."""
    time = iso(row.time) if not row.duration else f"{iso(row.time)}/{iso(row.time + row.duration)}"
    ours = {"id": row.id, "commit": row.commit, "origin": str(row.datastream.origin)}
    more: dict[str, Any] = {
        name: value
        for name, value in (
            ("uncertainty", row.uncertainty),
            ("mark", row.mark),
            ("censored", row.censored or None),
            ("repeated", row.repeated or None),
        )
        if value is not None
    }
    document: dict[str, Any] = {"phenomenonTime": time, "result": row.value}
    if row.result_time is not None:
        document["resultTime"] = iso(row.result_time)
    if kind == "sensorthings":
        quality = {} if row.quality is None else {"resultQuality": row.quality}
        return document | quality | {"parameters": {"nilometer": ours | more}}
    quality = {} if row.quality is None else {"quality": row.quality}
    return {"datastream": row.datastream.key, **document, "unit": row.unit, **quality, **ours, **more}


def iso(time: int) -> str:
    """Return µs since 1970 UTC as ISO 8601."""
    moment = datetime.fromtimestamp(time // 1_000_000, UTC).replace(microsecond=time % 1_000_000)
    spec = "seconds" if not moment.microsecond else "milliseconds" if not time % 1000 else "microseconds"
    return moment.isoformat(timespec=spec).replace("+00:00", "Z")


UPLINK = UplinkInfo(
    name="mqtt",
    title="MQTT broker",
    options=MqttOptions,
    make=Mqtt,
    manual="MQTT 3.1.1 (2014) and 5.0 (2019), OASIS; OGC SensorThings 1.1, 14.2",
    revision="2019-03-07",
    maintainer="The nilometer developers",
    maturity="usable",
)
