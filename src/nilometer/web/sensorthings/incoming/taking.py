"""From the other server's Things to everything that hangs on them; what came before is recognised by its mark."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nilometer.acquisition.protocols.sensorthings import Id
from nilometer.errors import LinkError, NilometerError, StoreError
from nilometer.web.sensorthings.incoming.documents import IMPORTED, document_of, mark_of
from nilometer.web.sensorthings.incoming.holder import Holder
from nilometer.web.sensorthings.incoming.origin import PAGE, Entity, Origin, id_of
from nilometer.web.sensorthings.incoming.report import Report
from nilometer.web.sensorthings.incoming.stream import Stream, Streams
from nilometer.web.sensorthings.schema import STREAMS, TYPES
from nilometer.web.times import parse_time

__all__ = ["Taking", "Wishes"]

_HISTORY = "Locations($select=id)"
_EXPAND = f"Locations,HistoricalLocations($expand={_HISTORY}),Datastreams"
_OF_STREAM = {"Datastream": "Sensor,ObservedProperty", "MultiDatastream": "Sensor,ObservedProperties"}
_FREE = ("Location", "Sensor", "ObservedProperty", "FeatureOfInterest")
_SET = {kind.name: kind.plural for kind in TYPES.values()}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is to come: a filter of Things, and from and to which phenomenon time (ISO 8601)."""

    things: str | None = None
    since: str | None = None
    until: str | None = None


class Taking:
    """One run.

    Parameters
    ----------
    origin : Origin
        The other server.
    holder : Holder, optional
        The folder; None: there is none yet, as in a dry run.
    wishes : Wishes
        What is to come.
    dry : bool
        Make nothing.
    told : callable
        Hears of progress.
    """

    def __init__(
        self, origin: Origin, holder: Holder | None, wishes: Wishes, *, dry: bool, told: Callable[[str], None]
    ) -> None:
        self._origin, self._holder, self._wishes, self._told = origin, holder, wishes, told
        self.report = Report(origin.url, dry)
        self._here: dict[str, dict[Id, int]] = {kind: {} for kind in (*_FREE, "Thing", "Datastream", "MultiDatastream")}
        self._kept: dict[int, dict[str, Any]] = {}
        self._seen: dict[str, set[Id]] = {kind: set() for kind in self._here}
        self._streams = Streams(origin, holder, self.report, self.feature, wishes.since, wishes.until)

    async def run(self) -> Report:
        """Take everything, and return the account.

        Raises
        ------
        LinkError
            If the other server fails for good; what came stays, and the next run goes on there.
        StoreError
            If the folder takes nothing more.
        """
        sets = await self._origin.sets()
        await self._recall()
        expand = _EXPAND + (",MultiDatastreams" if "MultiDatastreams" in sets else "")
        params = {"$expand": expand, "$top": str(PAGE), "$orderby": "id asc"}
        if self._wishes.things:
            params["$filter"] = self._wishes.things
        async for thing in self._origin.walk("Things", params):
            await self._thing(thing)
            self._told(f"Things {len(self._seen['Thing']):,}: {self.report.line()}")
        if not self._wishes.things:
            for kind in _FREE:
                async for entity in self._origin.walk(_SET[kind], {"$top": str(PAGE), "$orderby": "id asc"}):
                    await self._entity(kind, entity)
        for path in sorted(self._origin.unordered):
            self.report.note(path, "there", "they come in no order by id, so a page may have missed one")
        return self.report

    async def feature(self, number: Id | None) -> int | None:
        """Return a FeatureOfInterest here; None: its Observation names none.

        Raises
        ------
        NilometerError
            If it cannot be made.
        """
        if number is None:
            return None
        if number not in self._here["FeatureOfInterest"]:
            path = self._origin.path("FeaturesOfInterest", number, "").rstrip("/")
            await self._entity("FeatureOfInterest", await self._origin.get(f"{self._origin.url}/{path}"))
        return self._here["FeatureOfInterest"].get(number)

    async def _recall(self) -> None:
        """Learn what came before."""
        for kind in self._here if self._holder is not None else ():
            # Of all but Datastreams the mark alone is looked at.
            wanted = "properties" if kind == "Datastream" else f"properties/nilometer/{IMPORTED}"
            async for entity in self._local(_SET[kind], wanted):
                mark = mark_of(entity, self._origin.url)
                if mark is not None:
                    self._here[kind][mark["id"]] = entity["@iot.id"]
                    if kind in STREAMS:
                        self._kept[entity["@iot.id"]] = entity["properties"]

    async def _local(self, path: str, wanted: str) -> AsyncIterator[Entity]:
        assert self._holder is not None  # noqa: S101 -- asked by `_recall` only
        async for entity in self._holder.walk(path, {"$select": f"id,{wanted}", "$top": "1000"}):
            yield entity

    async def _entity(self, kind: str, entity: Entity, links: Mapping[str, Any] | None = None) -> int | None:
        """Return an entity here, made if it is new; None: it cannot be, or the run is dry."""
        number = id_of(entity)
        is_first = number not in self._seen[kind]
        self._seen[kind].add(number)
        known = self._here[kind].get(number)
        if known is not None or not is_first:
            self.report.known[kind] += is_first
            return known
        document, left = document_of(kind, entity, self._origin.url, number)
        for reason in left:
            self.report.note(kind, repr(number), f"not taken: {reason}")
        if self._holder is None or self.report.dry:
            self.report.new[kind] += 1
            return None
        try:
            made = await self._made(kind, document | dict(links or {}), number)
        except (LinkError, StoreError):
            raise
        except NilometerError as error:
            self.report.leave(kind, repr(number), _line(error))
            return None
        self.report.new[kind] += 1
        self._here[kind][number] = made
        if kind in STREAMS:
            self._kept[made] = document["properties"]
        return made

    async def _made(self, kind: str, document: dict[str, Any], there: Id) -> int:
        """Make an entity; what it says for this platform and cannot be here is left out, and told."""
        assert self._holder is not None  # noqa: S101 -- asked for entities that are made
        while True:
            try:
                return await self._holder.make(_SET[kind], document)
            except NilometerError as error:
                ours = document.get("properties", {}).get("nilometer", {})
                place = str(getattr(error, "place", "") or error)
                refused = next((name for name in ours if f"properties.nilometer.{name}" in f"{place} {error}"), None)
                if refused in {None, "imported"}:
                    raise
                self.report.note(kind, repr(there), f"not taken: {_line(error)}")
                del ours[refused]

    async def _thing(self, thing: Entity) -> None:
        there = id_of(thing)
        places = [(id_of(one), one) async for one in self._origin.related("Things", thing, "Locations")]
        locations = {number: await self._entity("Location", one) for number, one in places}
        number = await self._entity("Thing", thing)
        history = [one async for one in self._origin.related("Things", thing, "HistoricalLocations", _HISTORY)]
        await self._stand(number, there, [one for one in locations.values() if one is not None], history)
        async for stream in self._origin.related("Things", thing, "Datastreams"):
            await self._stream("Datastream", stream, number, there)
        async for stream in self._origin.related("Things", thing, "MultiDatastreams"):
            await self._stream("MultiDatastream", stream, number, there)

    async def _stand(self, thing: int | None, there: Id, now: list[int], history: list[Entity]) -> None:
        """Let a Thing stand where it stood, in the order of time."""
        past = [(parse_time(one["time"]), one) for one in history]
        wanted: list[tuple[int, str, list[int]]] = []
        for moment, one in sorted(past, key=lambda pair: pair[0]):
            ids = [id_of(place) async for place in self._origin.related("HistoricalLocations", one, "Locations")]
            wanted.append((moment, one["time"], sorted(await self._places(ids))))
        if self._holder is None or self.report.dry or thing is None:
            self.report.new["HistoricalLocation"] += len(wanted) if thing is None else 0
            return
        own = {"$expand": "Locations($select=id)", "$top": "1000"}
        walk = self._holder.walk(f"Things({thing})/HistoricalLocations", own)
        known = [(parse_time(one["time"]), sorted(p["@iot.id"] for p in one["Locations"])) async for one in walk]
        for moment, time, places in wanted:
            if (moment, places) in known:
                known.remove((moment, places))
                self.report.known["HistoricalLocation"] += 1
                continue
            if not places:
                self.report.leave("HistoricalLocation", f"of Thing {there!r} at {time}", "it names no Location")
                continue
            body = {"time": time, "Thing": {"@iot.id": thing}, "Locations": [{"@iot.id": one} for one in places]}
            await self._holder.make("HistoricalLocations", body)
            self.report.new["HistoricalLocation"] += 1
        stands = self._holder.walk(f"Things({thing})/Locations", {"$select": "id"})
        if now and sorted(now) != sorted([one["@iot.id"] async for one in stands]):
            await self._holder.change(f"Things({thing})", {"Locations": [{"@iot.id": one} for one in now]})
            self.report.note(
                "Thing", repr(there), "its Locations are of no HistoricalLocation; it stands there from today"
            )

    async def _places(self, ids: list[Id]) -> list[int]:
        found = []
        for number in ids:
            here = self._here["Location"].get(number)
            if here is None and number not in self._seen["Location"]:
                path = self._origin.path("Locations", number, "").rstrip("/")
                here = await self._entity("Location", await self._origin.get(f"{self._origin.url}/{path}"))
            found += [] if here is None else [here]
        return found

    async def _stream(self, kind: str, stream: Entity, thing: int | None, of: Id) -> None:
        there = id_of(stream)
        was_there = there in self._here[kind]
        number = await self._entity(kind, stream) if was_there else await self._new_stream(kind, there, thing, of)
        if number is None and not (self._holder is None or self.report.dry):
            return
        kept = self._kept.get(number, {}) if number is not None else {}
        await self._streams.take(Stream(kind, there, number, kept, is_new=not was_there))
        self._told(self.report.line())

    async def _new_stream(self, kind: str, there: Id, thing: int | None, of: Id) -> int | None:
        """Make a Datastream or MultiDatastream with what it hangs on.

        It is asked for by itself: in a list some servers expand the first one's Sensor and ObservedProperty of all.
        """
        path = self._origin.path(_SET[kind], there, "").rstrip("/")
        stream = await self._origin.get(f"{self._origin.url}/{path}", {"$expand": _OF_STREAM[kind]})
        links: dict[str, int | None] = {"Thing": thing}
        links["Sensor"] = await self._entity("Sensor", stream.get("Sensor") or {})
        made: dict[str, Any] = {}
        if kind == "Datastream":
            links["ObservedProperty"] = await self._entity("ObservedProperty", stream.get("ObservedProperty") or {})
        else:
            # Each value of a result is of the property in its place.
            walk = self._origin.related("MultiDatastreams", stream, "ObservedProperties", order="")
            observed = [await self._entity("ObservedProperty", one) async for one in walk]
            links["ObservedProperty"] = None if None in observed else 0
            made["ObservedProperties"] = [{"@iot.id": one} for one in observed]
        missing = [name for name, one in links.items() if one is None]
        if missing and self._holder is not None and not self.report.dry:
            self.report.leave(kind, f"{there!r} of Thing {of!r}", f"its {missing[0]} was not taken")
            return None
        made |= {name: {"@iot.id": one} for name, one in links.items() if one != 0}
        return await self._entity(kind, stream, made)


def _line(error: NilometerError) -> str:
    """Return why something was refused, in a line."""
    return " ".join(str(error).split())[:300]
