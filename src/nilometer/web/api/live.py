"""``GET /api/v1/live``: what is committed, as server-sent events; a slow client loses rows, never the server memory."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nilometer.errors import NotFound, RequestError
from nilometer.model import ObservationBatch, SampleKind, Settlements
from nilometer.pipeline import LiveRows, Pipeline, Subscription
from nilometer.web.api.describe import source_document
from nilometer.web.api.tables import json_columns
from nilometer.web.exchange import Exchange, encode_json
from nilometer.web.sensorthings.options import decode_query
from nilometer.web.sensorthings.quality import Evidence

__all__ = ["Live", "observations_event", "settled_event"]

HEARTBEAT_S = 15.0
LOOK_S = 1.0
"""How often the states of sources are looked at."""


@dataclass(slots=True)
class _Watch:
    """What one client was last told of the sources."""

    sources: dict[str, dict[str, Any]]


class Live:
    """The endpoint.

    Parameters
    ----------
    pipeline : Pipeline
        Subscribed to, once for each client.
    evidence : Evidence
        Which profile versions judged.
    """

    def __init__(self, pipeline: Pipeline, evidence: Evidence) -> None:
        self._pipeline, self._evidence = pipeline, evidence
        self._stopping = asyncio.Event()
        self.clients = 0

    def stop(self) -> None:
        """End every stream, so that the server can end; called in the loop's thread."""
        self._stopping.set()

    async def handle(self, exchange: Exchange) -> None:
        """Stream until the client hangs up or the server stops."""
        wanted = self._wanted(exchange.query)
        subscription = self._pipeline.subscribe(wanted)
        self.clients += 1
        ends = [asyncio.create_task(exchange.gone()), asyncio.create_task(self._stopping.wait())]
        try:
            await exchange.begin("text/event-stream", [("cache-control", "no-store"), ("x-accel-buffering", "no")])
            await exchange.piece(b"retry: 2000\n\n")
            await self._stream(exchange, subscription, ends)
            if self._stopping.is_set():
                await exchange.piece(b"", last=True)
        finally:
            self.clients -= 1
            self._pipeline.unsubscribe(subscription)
            for task in ends:
                task.cancel()

    def _wanted(self, query: bytes) -> list[int] | None:
        """Return the Datastreams asked for, by id or key; None: all."""
        wanted: list[int] = []
        given = False
        for name, text in decode_query(query):
            if name != "datastream":
                raise RequestError("unknown option (allowed: datastream)", place=name[:60])
            given = True
            wanted.extend(self._find(part.strip()) for part in text.split(",") if part.strip())
        return wanted if given else None

    def _find(self, text: str) -> int:
        catalog = self._pipeline.store.catalog
        if text.isascii() and text.isdigit() and len(text) < 10:
            return catalog.datastream(int(text)).id
        known = catalog.datastream_by_key(text)
        if known is None:
            raise NotFound(f"there is no Datastream {text[:100]!r}")
        return known.id

    async def _stream(self, exchange: Exchange, subscription: Subscription, ends: list[asyncio.Task[Any]]) -> None:
        watch = _Watch(self._sources())
        quiet = 0.0
        item: asyncio.Task[LiveRows] = asyncio.ensure_future(_next(subscription))
        try:
            while True:
                done, _ = await asyncio.wait({item, *ends}, timeout=LOOK_S, return_when=asyncio.FIRST_COMPLETED)
                if any(task in done for task in ends):
                    return
                pieces = list(self._of_sources(watch))
                if item in done:
                    try:
                        pieces.extend(self._of_rows(item.result(), subscription))
                    except StopAsyncIteration:
                        return
                    item = asyncio.ensure_future(_next(subscription))
                quiet = 0.0 if pieces else quiet + LOOK_S
                if quiet >= HEARTBEAT_S:
                    pieces.append(b": still here\n\n")
                    quiet = 0.0
                if pieces:
                    await exchange.piece(b"".join(pieces))
        finally:
            item.cancel()

    def _of_rows(self, live: LiveRows, subscription: Subscription) -> Iterator[bytes]:
        shed = subscription.take_shed()
        if shed:
            yield event("shed", {"rows": shed})
        rows = self._plain(live.rows)
        if len(rows):
            kinds = self._pipeline.store.catalog.sample_kinds()
            yield observations_event(rows, self._pipeline.clock(), kinds, self._evidence)
        if len(live.settled):
            yield settled_event(live.settled)

    def _plain(self, rows: ObservationBatch) -> ObservationBatch:
        """Leave out rows of MultiDatastreams: a chart has no place for arrays."""
        others = self._pipeline.store.catalog.streams.are_multi(rows.datastream)
        return rows.take(~others) if others.any() else rows

    def _sources(self) -> dict[str, dict[str, Any]]:
        return {status.name: source_document(status) for status in self._pipeline.sources()}

    def _of_sources(self, watch: _Watch) -> Iterator[bytes]:
        now = self._sources()
        for name, document in now.items():
            if _state(document) != _state(watch.sources.get(name)):
                yield event("source", document)
        watch.sources = now


def _state(document: dict[str, Any] | None) -> Any:  # noqa: ANN401 -- compared only
    return None if document is None else (document["state"], document["detail"], document["devices"])


async def _next(subscription: Subscription) -> LiveRows:
    return await anext(subscription)


def event(name: str, document: Any) -> bytes:  # noqa: ANN401 -- any JSON
    """Return one server-sent event; JSON has no line breaks of its own."""
    return b"event: " + name.encode() + b"\ndata: " + encode_json(document) + b"\n\n"


def observations_event(
    rows: ObservationBatch, now: int, sample_kinds: Mapping[int, SampleKind], evidence: Evidence
) -> bytes:
    """Return new rows, by Datastream, in time order within each, and the profile versions that judged them."""
    places = np.lexsort((rows.phenomenon_time, rows.datastream))
    ordered = rows.take(places)
    numbers, starts = np.unique(ordered.datastream, return_index=True)
    edges = [*starts.tolist(), len(ordered)]
    columns = {
        str(number): json_columns(ordered.take(slice(edges[at], edges[at + 1])), sample_kinds, evidence)
        for at, number in enumerate(numbers.tolist())
    }
    judged = {} if rows.provenance is None else evidence.profiles(np.unique(rows.provenance).tolist())
    return event("observations", {"now": now // 1000, "rows": columns, "profiles": judged})


def settled_event(settled: Settlements) -> bytes:
    """Return new flags of rows that were sent before, by Datastream."""
    owners = settled.id >> 32
    columns = {}
    for number in np.unique(owners).tolist():
        mine = np.flatnonzero(owners == number)
        columns[str(number)] = {
            "id": settled.id[mine].tolist(),
            "quality": settled.result_quality[mine].tolist(),
            "tests": settled.tests.take(mine).to_pylist(),
        }
    return event("settled", {"rows": columns})
