"""To an OGC SensorThings server: Observations by CreateObservations (data arrays), or one POST each.

The place moves after 201. An answer that never came leaves open whether the rows are there: before they are sent again
the server is asked which of them it has, by the id and commit that each carries in ``parameters.nilometer``.

References
----------
OGC 18-088, SensorThings API Part 1: Sensing, version 1.1: 10.2 (create), 13.2 (data array extension).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import AwareDatetime, Field, field_validator

from nilometer.acquisition.backoff import Backoff
from nilometer.errors import LinkError
from nilometer.store import Catalog
from nilometer.uplink.http_peer import HttpAnswer, HttpPeer
from nilometer.uplink.mqtt import iso
from nilometer.uplink.periods import Grid
from nilometer.uplink.receiver import Desk, UplinkInfo, UplinkOptions, UplinkState
from nilometer.uplink.rows import Batch, Row, RowFeed

__all__ = ["UPLINK", "SensorThings", "SensorThingsOptions"]

Seconds = Annotated[float, Field(gt=0)]
PAUSE_S = 1.0
PAGES_MOST = 1000
_OFF_FOR_GOOD = frozenset({400, 404, 409, 413, 415, 422})
"""What a server says of one Observation that it will never take; anything else may pass."""
_NO_DATA_ARRAY = frozenset({404, 405, 501})
COMPONENTS = ("phenomenonTime", "result", "resultTime", "parameters")


class SensorThingsOptions(UplinkOptions):
    """Settings of a server that is posted to; docs/uplinks.md explains each."""

    url: str
    datastreams: Annotated[dict[str, int | str], Field(min_length=1)]
    token: str | None = None
    username: str | None = None
    password: str | None = None
    method: Literal["data_array", "post"] = "data_array"
    since: AwareDatetime | None = None
    authority: bool = False
    batch: Annotated[int, Field(ge=1, le=10_000)] = 500
    timeout_s: Seconds = 30.0
    retry_first_s: Seconds = 1.0
    retry_longest_s: Seconds = 300.0

    def datastream_keys(self) -> frozenset[str]:
        """Return the Datastreams that these settings name."""
        return frozenset(self.datastreams)

    @field_validator("url")
    @classmethod
    def _is_http(cls, url: str) -> str:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("the root of a SensorThings service, such as https://example.org/v1.1")
        return url


class SensorThings:
    """A server; meets `Uplink`."""

    def __init__(self, options: SensorThingsOptions, _things: tuple[str, ...]) -> None:
        self._options = options
        self._peer = HttpPeer(
            options.url,
            token=options.token,
            username=options.username,
            password=options.password,
            timeout_s=options.timeout_s,
        )
        self._by_data_array = options.method == "data_array"

    def grids(self, _catalog: Catalog) -> Mapping[str, Grid]:
        """Return nothing: it sends rows."""
        return {}

    async def run(self, desk: Desk) -> None:
        """Post until cancelled; see `Uplink.run`."""
        options = self._options
        since = None if options.since is None else int(options.since.timestamp() * 1e6)
        feed = RowFeed(desk, "sensorthings", since=since, authority=options.authority)
        await desk.reading(feed.open)
        backoff = Backoff(options.retry_first_s, options.retry_longest_s)
        try:
            while True:
                try:
                    await self._post(desk, feed)
                    backoff.reset()
                except LinkError as error:
                    feed.lost()
                    desk.status.waiting = await desk.reading(feed.waiting)
                    wait_s = backoff.next_s()
                    desk.report(UplinkState.DISCONNECTED, f"{error}; trying again in {wait_s:.1f} s")
                    await asyncio.sleep(wait_s)
        finally:
            self._peer.close()

    async def _post(self, desk: Desk, feed: RowFeed) -> None:
        batch = await desk.reading(feed.next, self._options.batch)
        if batch is None:
            desk.status.waiting = 0
            await desk.pause(PAUSE_S)
            return
        refused = await desk.reading(self._deliver, desk, batch)
        await desk.reading(feed.taken, batch)
        desk.report(UplinkState.LIVE, refused or self._absent(desk.catalog))

    def _absent(self, catalog: Catalog) -> str:
        """Say which of the Datastreams that the options name are not there."""
        absent = [key for key in self._options.datastreams if catalog.datastream_by_key(key) is None]
        if not absent:
            return ""
        return f"options.datastreams names {', '.join(absent)}: no such Datastream, it was deleted or has yet to come"

    def _deliver(self, desk: Desk, batch: Batch) -> str:
        """Have the server take a batch; return what it refused, in words."""
        by_remote: dict[int | str, list[Row]] = {}
        unmapped = 0
        for row in batch.rows:
            remote = self._options.datastreams.get(row.datastream.key)
            if remote is None:
                unmapped += 1
            else:
                by_remote.setdefault(remote, []).append(row)
        if unmapped:
            desk.status.refuse({"not_mapped": unmapped})
        said = ""
        for remote, rows in by_remote.items():
            missing = self._missing(remote, rows) if any(row.repeated for row in rows) else rows
            desk.status.sent += len(missing)
            desk.status.repeated += sum(row.repeated for row in missing)
            if missing:
                said = self._send(desk, remote, missing) or said
            desk.status.answered += len(missing)
        return said

    def _send(self, desk: Desk, remote: int | str, rows: list[Row]) -> str:
        if self._by_data_array:
            array = {
                "Datastream": {"@iot.id": remote},
                "components": list(COMPONENTS),
                "dataArray@iot.count": len(rows),
                "dataArray": [[_observation(row)[name] for name in COMPONENTS] for row in rows],
            }
            answer = self._peer.send("POST", "/CreateObservations", _json([array]))
            if answer.status == 201:
                return self._check_each(desk, answer, rows)
            if answer.status not in _NO_DATA_ARRAY:
                # One row may be what it does not take: each is sent alone, and the server says which.
                _raise_unless(answer, _OFF_FOR_GOOD, self._peer.url)
                return self._each(desk, remote, self._missing(remote, rows))
            self._by_data_array = False
        return self._each(desk, remote, rows)

    def _each(self, desk: Desk, remote: int | str, rows: Iterable[Row]) -> str:
        said = ""
        for row in rows:
            document = {name: value for name, value in _observation(row).items() if value is not None}
            answer = self._peer.send("POST", f"/Datastreams({_key(remote)})/Observations", _json(document))
            if answer.status != 201:
                _raise_unless(answer, _OFF_FOR_GOOD, self._peer.url)
                said = self._refused(desk, remote, row, f"HTTP {answer.status}: {_words(answer)}")
        return said

    def _check_each(self, desk: Desk, answer: HttpAnswer, rows: list[Row]) -> str:
        """Look for the rows that the server names as errors: it answers 201 all the same (13.2.2)."""
        try:
            links = json.loads(answer.body)
        except ValueError:
            return ""
        said = ""
        for row, link in zip(rows, links if isinstance(links, list) else [], strict=False):
            if isinstance(link, str) and link.casefold().startswith("error"):
                said = self._refused(desk, row.datastream.key, row, link)
        return said

    def _refused(self, desk: Desk, remote: int | str, row: Row, why: str) -> str:
        desk.status.refuse({"server": 1})
        return f"Datastream {remote} refuses the Observation of {iso(row.time)}: {why[:200]}"

    def _missing(self, remote: int | str, rows: list[Row]) -> list[Row]:
        """Return the rows that the server does not have; it is asked for the span of their times."""
        first, last = min(row.time for row in rows), max(row.time for row in rows)
        wanted = f"phenomenonTime ge {iso(first)} and phenomenonTime le {iso(last)}"
        path = f"/Datastreams({_key(remote)})/Observations?$filter={quote(wanted)}&$select=parameters&$top=1000"
        there: set[tuple[int, int]] = set()
        for _ in range(PAGES_MOST):
            answer = self._peer.send("GET", path)
            _raise_unless(answer, {200}, self._peer.url)
            try:
                page = json.loads(answer.body)
            except ValueError as error:
                raise LinkError("what answers there is no SensorThings service", link=self._peer.url) from error
            there |= set(_ours(page))
            following = page.get("@iot.nextLink") if isinstance(page, dict) else None
            if not isinstance(following, str):
                break
            path = following
        return [row for row in rows if (row.id, row.commit) not in there]


def _ours(page: Any) -> Iterable[tuple[int, int]]:  # noqa: ANN401 -- JSON
    """Yield id and commit of the Observations of a page that came from us."""
    found = page.get("value") if isinstance(page, dict) else None
    for one in found if isinstance(found, list) else []:
        parameters = one.get("parameters") if isinstance(one, dict) else None
        ours = parameters.get("nilometer") if isinstance(parameters, dict) else None
        if isinstance(ours, dict) and isinstance(ours.get("id"), int) and isinstance(ours.get("commit"), int):
            yield ours["id"], ours["commit"]


def _observation(row: Row) -> dict[str, Any]:
    time = iso(row.time) if not row.duration else f"{iso(row.time)}/{iso(row.time + row.duration)}"
    known = {
        "quality": row.quality,
        "uncertainty": row.uncertainty,
        "mark": row.mark,
        "censored": row.censored or None,
    }
    ours = {"id": row.id, "commit": row.commit, "origin": str(row.datastream.origin)}
    ours |= {name: value for name, value in known.items() if value is not None}
    result_time = iso(row.time + row.duration if row.result_time is None else row.result_time)
    return {
        "phenomenonTime": time,
        "result": row.value,
        "resultTime": result_time,
        "parameters": {"nilometer": ours},
    }


def _raise_unless(answer: HttpAnswer, fine: Iterable[int], url: str) -> None:
    if answer.status not in fine:
        hint = "; is the token right?" if answer.status in {401, 403} else ""
        raise LinkError(f"HTTP {answer.status}: {_words(answer)}{hint}", link=url)


def _words(answer: HttpAnswer) -> str:
    return " ".join(answer.body[:300].decode("utf-8", "replace").split())


def _key(remote: int | str) -> str:
    return str(remote) if isinstance(remote, int) else quote("'" + remote.replace("'", "''") + "'")


def _json(document: Any) -> bytes:  # noqa: ANN401 -- any JSON
    return json.dumps(document, ensure_ascii=False, allow_nan=False).encode()


UPLINK = UplinkInfo(
    name="sensorthings",
    title="OGC SensorThings server",
    options=SensorThingsOptions,
    make=SensorThings,
    manual="OGC 18-088, SensorThings API Part 1: Sensing 1.1",
    revision="2021-08-04",
    maintainer="The nilometer developers",
    maturity="usable",
)
