"""What the native API's routes share: the pipeline, what was looked up before, and how a Datastream is found."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from fastapi import Response

from nilometer.errors import NotFound
from nilometer.model import Datastream, Thing
from nilometer.pipeline import Pipeline, SourceStatus
from nilometer.pipeline.verdicts import verdict_of
from nilometer.store import Snapshot
from nilometer.web.api.describe import (
    datastream_document,
    latest_documents,
    sources_of,
    spark_documents,
    thing_document,
)
from nilometer.web.exchange import encode_json
from nilometer.web.sensorthings.quality import Evidence
from nilometer.web.times import parse_moment

__all__ = ["DAY_US", "Face", "Then", "answer"]

DAY_US = 86_400_000_000
VERDICT_KEPT_S = 10.0
RATE_OVER_S = 2.0


def answer(document: Any) -> Response:  # noqa: ANN401 -- any JSON
    """Return a JSON answer; NaN is null."""
    return Response(encode_json(document), media_type="application/json")


@dataclass(frozen=True, slots=True)
class Then:
    """What is asked: the rows, what their flags rest on, and the past moment (µs UTC; None: now)."""

    snapshot: Snapshot
    evidence: Evidence
    moment: int | None

    @property
    def ms(self) -> int | None:
        """The moment in ms."""
        return None if self.moment is None else self.moment // 1000


@dataclass(slots=True)
class Face:
    """The pipeline as the native API sees it."""

    pipeline: Pipeline
    evidence: Evidence
    _verdicts: dict[int, tuple[float, dict[str, Any] | None]] = field(default_factory=dict)
    _rate: tuple[float, int, float] = (0.0, 0, 0.0)

    def then(self, as_of: str | None) -> Then:
        """Return what was known at a moment as it was written, or what is known now."""
        moment = parse_moment(as_of, "as_of")
        snapshot = self.pipeline.store.snapshot(moment)
        return Then(snapshot, self.evidence.at(snapshot.commit), moment)

    def rate(self) -> float:
        """Return rows made durable a second, over the time since it was last asked for."""
        now, rows = time.monotonic(), self.pipeline.committed_rows
        then, before, rate = self._rate
        if now - then >= RATE_OVER_S:
            rate = (rows - before) / (now - then) if then else 0.0
            self._rate = (now, rows, rate)
        return rate

    def thing(self, name: str) -> Thing:
        """Return a Thing by id or key.

        Raises
        ------
        NotFound
            If there is none.
        """
        catalog = self.pipeline.store.catalog
        known = catalog.thing(int(name)) if _is_id(name) else catalog.thing_by_key(name)
        if known is None:
            raise NotFound(f"there is no Thing {name[:100]!r}")
        return known

    def datastream(self, name: str) -> Datastream:
        """Return a Datastream by id or key.

        Raises
        ------
        NotFound
            If there is none.
        """
        catalog = self.pipeline.store.catalog
        known = catalog.datastream(int(name)) if _is_id(name) else catalog.datastream_by_key(name)
        if known is None:
            raise NotFound(f"there is no Datastream {name[:100]!r}")
        return known

    def short(self, datastreams: Sequence[Datastream], then: Then, spark_s: float = 0.0) -> dict[int, dict[str, Any]]:
        """Return the short documents of Datastreams by id, with sparklines of the last `spark_s` seconds if any."""
        catalog = self.pipeline.store.catalog
        ids = [datastream.id for datastream in datastreams]
        latest = latest_documents(then.snapshot, ids, catalog.sample_kinds(), then.evidence)
        sparks = {}
        if spark_s > 0:
            now = self.pipeline.clock() if then.moment is None else then.moment
            sparks = spark_documents(then.snapshot, ids, now - int(spark_s * 1e6))
        return {
            item.id: datastream_document(
                item, catalog.observed_property(item.observed_property), latest.get(item.id), sparks.get(item.id)
            )
            for item in datastreams
        }

    def things(self, things: Sequence[Thing], then: Then, spark_s: float = 0.0) -> list[dict[str, Any]]:
        """Return the documents of Things with verdicts of the last day; of the past without how their sources are."""
        catalog, statuses = self.pipeline.store.catalog, self.pipeline.sources()
        by_thing: dict[int, list[Datastream]] = {thing.id: [] for thing in things}
        for datastream in catalog.datastreams():
            if datastream.thing in by_thing:
                by_thing[datastream.thing].append(datastream)
        short = self.short([item for mine in by_thing.values() for item in mine], then, spark_s)
        documents = []
        for thing in things:
            mine = by_thing[thing.id]
            fed = sources_of(thing, mine, statuses) if then.moment is None else None
            document = thing_document(thing, catalog, fed, [short[item.id] for item in mine])
            documents.append(document | {"verdict": self._verdict_of_day(thing, then)})
        return documents

    def _verdict_of_day(self, thing: Thing, then: Then) -> dict[str, Any] | None:
        if then.moment is None:
            return self.verdict_now(thing)
        return _in_short(self.verdict(thing, then.moment - DAY_US, then.moment, then))

    def verdict_now(self, thing: Thing) -> dict[str, Any] | None:
        """Return the verdict on the last day in short, at most some seconds old."""
        known = self._verdicts.get(thing.id)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        now = self.pipeline.clock()
        short = _in_short(self.verdict(thing, now - DAY_US, now))
        self._verdicts[thing.id] = (time.monotonic() + VERDICT_KEPT_S, short)
        return short

    def verdict(self, thing: Thing, start: int, end: int, then: Then | None = None) -> dict[str, Any]:
        """Return the whole verdict on a window, or what says that no standard applies."""
        verdict = verdict_of(self.pipeline.store, thing, start, end, None if then is None else then.snapshot)
        document = verdict if isinstance(verdict, dict) else verdict.to_document()
        return document | {"start": start // 1000, "end": end // 1000}

    def source_of(self, datastream: Datastream) -> SourceStatus | None:
        """Return the source that feeds a Datastream, if one does."""
        name = datastream.properties.get("nilometer", {}).get("source")
        return next((status for status in self.pipeline.sources() if status.name == name), None)


_LONG = frozenset(
    {"title", "method", "sources", "items", "missing_items", "reference_items", "notes", "without_suspect", "data"}
)


def _in_short(document: dict[str, Any]) -> dict[str, Any]:
    return {name: document[name] for name in document if name not in _LONG}


def _is_id(name: str) -> bool:
    return name.isascii() and name.isdigit() and len(name) < 16
