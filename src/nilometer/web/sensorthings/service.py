"""The SensorThings read side: a path is walked step by step, what it leads to is read, expanded and encoded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from nilometer.errors import NotFound, NotSupported, RequestError
from nilometer.store import Store
from nilometer.web.exchange import encode_json
from nilometer.web.sensorthings.encoding import Encoder
from nilometer.web.sensorthings.observations import Observations, Rows, Within
from nilometer.web.sensorthings.options import Expansion, Options, encode_query
from nilometer.web.sensorthings.paths import ResourcePath, Step
from nilometer.web.sensorthings.quality import Evidence
from nilometer.web.sensorthings.query.datastream_columns import DatastreamColumns
from nilometer.web.sensorthings.query.observed import quality_documents
from nilometer.web.sensorthings.records import Record, Records, window
from nilometer.web.sensorthings.schema import OBSERVATION, SETS, TYPES, EntityType, Relation

__all__ = ["CONFORMANCE", "Answer", "Service", "Target"]

_AS_OF = "as_of"
_REQUIREMENT = "http://www.opengis.net/spec/iot_sensing/1.1/req"
CONFORMANCE = tuple(
    f"{_REQUIREMENT}/{name}"
    for name in (
        "datamodel/thing",
        "datamodel/location",
        "datamodel/historical-location",
        "datamodel/datastream",
        "datamodel/sensor",
        "datamodel/observed-property",
        "datamodel/observation",
        "datamodel/feature-of-interest",
        "resource-path/resource-path-to-entities",
        "request-data/status-code",
        "request-data/query-status-code",
        "request-data/order",
        "request-data/expand",
        "request-data/select",
        "request-data/orderby",
        "request-data/top",
        "request-data/skip",
        "request-data/count",
        "request-data/filter",
        "request-data/built-in-filter-operations",
        "request-data/built-in-query-functions",
        "request-data/pagination",
        "create-update-delete/create-entity",
        "create-update-delete/link-to-existing-entities",
        "create-update-delete/deep-insert",
        "create-update-delete/deep-insert-status-code",
        "create-update-delete/update-entity",
        "create-update-delete/update-entity-put",
        "create-update-delete/update-entity-jsonpatch",
        "create-update-delete/delete-entity",
        "create-update-delete/historical-location-auto-creation",
        "create-update-delete/historical-location-manual-creation",
        "batch-request/batch-request",
    )
)
"""What works."""

CONFORMANCE_OF_MQTT = (
    f"{_REQUIREMENT}/create-observations-via-mqtt/observations-creation",
    f"{_REQUIREMENT}/receive-updates-via-mqtt/receive-updates",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a path leads: to the entity `number` of a type or to a set of them, perhaps that of a `parent`.

    `parent` is a type and an id, `property` what the path names of the entity, None: the entity itself.
    """

    kind: str
    number: int | None = None
    parent: tuple[str, int] | None = None
    property: str | None = None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a walk stands: an entity of a type, or a set, perhaps of a parent; `path` is the URL so far."""

    kind: EntityType
    path: str
    number: int | None = None
    parent: tuple[EntityType, Relation, int] | None = None
    record: Record | None = None
    row: pa.Table | None = None


class Service:
    """The read side over one store.

    Parameters
    ----------
    store : Store
        Its catalog and its Observations.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._evidence = Evidence(store.catalog)
        self.mqtt = ""
        """Where MQTT is listened to; nothing: nowhere."""

    def root(self, root: str) -> Answer:
        """Return the service root: the entity sets, and what is met of the standard."""
        sets = [{"name": kind.plural, "url": f"{root}/{kind.plural}"} for kind in TYPES.values()]
        settings: dict[str, Any] = {"conformance": list(CONFORMANCE)}
        if self.mqtt:
            settings["conformance"] += CONFORMANCE_OF_MQTT
            settings |= {name: {"endpoints": [self.mqtt]} for name in CONFORMANCE_OF_MQTT}
        return Answer(HTTPStatus.OK, encode_json({"value": sets, "serverSettings": settings}))

    def get(self, path: ResourcePath, options: Options, root: str, api: str) -> Answer:
        """Answer a GET.

        Parameters
        ----------
        path : ResourcePath
            At least one step.
        options : Options
            The query options.
        root, api : str
            URLs of the SensorThings service and of the native API.

        Raises
        ------
        NotFound, RequestError, NotSupported
            As the standard has it: 404, 400, 501.
        """
        with self._store.catalog.reading("read entities") as connection:
            return self._reading(connection, root, api, options).answer(path, options)

    def find_datastream(self, path: ResourcePath, root: str) -> int:
        """Return the Datastream of ``…/Datastreams(1)/Observations``, each step checked.

        Raises
        ------
        NotFound, RequestError
            If the path leads elsewhere or nowhere.
        """
        with self._store.catalog.reading("read entities") as connection:
            place, name = self._reading(connection, root, "", Options()).walk(path.steps)
        if name is not None or place.kind is not OBSERVATION or place.number is not None or place.parent is None:
            raise NotSupported("only Observations are created here", place="path")
        kind, _, number = place.parent
        if kind.name != "Datastream":
            raise RequestError("Observations are posted to a Datastream", place="path")
        return number

    def resolve(self, path: ResourcePath, root: str) -> Target:
        """Return where a path leads.

        Raises
        ------
        NotFound, RequestError
            If it leads nowhere.
        """
        with self._store.catalog.reading("read entities") as connection:
            place, name = self._reading(connection, root, "", Options()).walk(path.steps)
        parent = None if place.parent is None else (place.parent[0].name, place.parent[2])
        return Target(place.kind.name, place.number, parent, name)

    def told(
        self, ids: Sequence[int], wanted: Sequence[tuple[Target, Options]], root: str, api: str
    ) -> list[list[dict[str, Any]]]:
        """Return the documents of Observations for each of several sets of them, in the order of their ids.

        Parameters
        ----------
        ids : sequence of int
            Observations; those of check and standard samples are left out, as where a set is read.
        wanted : sequence of (Target, Options)
            Sets of Observations; of the options ``$select`` and ``$expand`` count.
        root, api : str
            As in `get`.
        """
        with self._store.catalog.reading("read entities") as connection:
            reading = self._reading(connection, root, api, Options())
            samples = [number for number, kind in self._store.catalog.sample_kinds().items() if kind]
            return reading.told(self._store.snapshot().by_id(sorted(ids)), wanted, samples)

    def _reading(self, connection: Connection, root: str, api: str, options: Options) -> _Reading:
        catalog, snapshot = self._store.catalog, self._store.snapshot(options.as_of)
        records = Records(connection, DatastreamColumns(snapshot, catalog))
        evidence = self._evidence.at(snapshot.commit)
        return _Reading(
            records,
            Observations(snapshot, records, catalog, quality_documents(evidence, api)),
            Encoder(root, api, catalog, snapshot, evidence),
            [(name, text) for name, text in options.texts if name == _AS_OF],
        )


class _Reading:
    """One GET; `then` is its option ``as_of``, which next links inside expansions carry on."""

    def __init__(
        self, records: Records, observations: Observations, encoder: Encoder, then: Sequence[tuple[str, str]]
    ) -> None:
        self._records, self._observations, self._encoder, self._then = records, observations, encoder, tuple(then)

    def answer(self, path: ResourcePath, options: Options) -> Answer:
        place, name = self.walk(path.steps)
        if name is not None:
            return self._property(place, name, path.ending, options)
        if path.ending == "$value":
            raise RequestError("$value follows a property", place="path")
        if path.ending == "$ref":
            options = self._links_only(options)
        if place.number is not None:
            return self._entity(place, options)
        return self._set(place, options)

    def told(
        self, rows: pa.Table, wanted: Sequence[tuple[Target, Options]], samples: Sequence[int]
    ) -> list[list[dict[str, Any]]]:
        """Return the documents of those rows that belong to each set."""
        water = rows.filter(pc.invert(pc.is_in(rows["feature"], pa.array(samples, rows["feature"].type))))
        documents = []
        for target, options in wanted:
            mine = water
            if target.parent is not None and target.parent[0] == "Datastream":
                mine = water.filter(pc.equal(water["datastream"], target.parent[1]))
            elif target.parent is not None:
                mine = rows.filter(pc.equal(rows["feature"], target.parent[1]))
            documents.append(self._rows(mine, options) if len(mine) else [])
        return documents

    def walk(self, steps: Sequence[Step]) -> tuple[_Place, str | None]:
        """Follow a path; return where it ends, and the property it names there, if it does."""
        first = steps[0]
        kind = SETS.get(first.name)
        if kind is None:
            raise NotFound(f"there is no entity set {first.name!r} (known: {', '.join(SETS)})")
        place = self._enter(_Place(kind, first.name), first)
        for at, step in enumerate(steps[1:], 2):
            if place.number is None:
                raise NotFound(f"{place.path} is a set; give an id before {step.name!r}")
            if step.name in place.kind.relations:
                place = self._follow(place, place.kind.relations[step.name], step)
            elif (step.name in place.kind.properties or step.name in {"id", "@iot.id"}) and step.id is None:
                if at != len(steps):
                    raise NotFound(f"nothing follows the property {step.name!r}")
                return place, step.name
            else:
                raise NotFound(str(place.kind.unknown(step.name, "")))
        return place, None

    def _enter(self, place: _Place, step: Step) -> _Place:
        """Take the entity a step names, and make sure that it is there."""
        if step.id is None:
            return place
        here = f"{place.kind.plural}({step.id})"
        missing = NotFound(f"there is no {here}" + (f" in {place.path}" if place.parent else ""))
        if place.kind is OBSERVATION:
            row = self._observations.one(step.id)
            if row is None or not self._is_within(row, place.parent):
                raise missing
            return _Place(OBSERVATION, here, step.id, row=row)
        if place.parent is not None and not self._records.holds(*place.parent, step.id):
            raise missing
        record = self._records.by_id(place.kind, [step.id]).get(step.id)
        if record is None:
            raise missing
        return _Place(place.kind, here, step.id, record=record)

    @staticmethod
    def _is_within(row: pa.Table, parent: tuple[EntityType, Relation, int] | None) -> bool:
        return parent is None or row[parent[1].through.other][0].as_py() == parent[2]

    def _follow(self, place: _Place, relation: Relation, step: Step) -> _Place:
        target = TYPES[relation.target]
        number = place.number or 0
        if relation.many:
            inside = _Place(target, f"{place.path}/{relation.name}", parent=(place.kind, relation, number))
            return self._enter(inside, step)
        if step.id is not None:
            raise RequestError(f"{relation.name} is one entity; it takes no id", place="path")
        if place.row is not None:
            own = place.row[relation.through.own][0].as_py()
        else:
            own = (place.record or {})[relation.through.own]
        record = self._records.by_id(target, [own]).get(own)
        if record is None:
            raise NotFound(f"{place.path} has no {relation.name}")
        return _Place(target, f"{target.plural}({own})", own, record=record)

    def _property(self, place: _Place, name: str, ending: str, options: Options) -> Answer:
        for given, _ in options.texts:
            if given != _AS_OF:
                raise RequestError("a property takes no options but as_of", place=given)
        if ending == "$ref":
            raise RequestError("$ref follows entities", place="path")
        plain = "@iot.id" if name == "id" else name
        value = self._documents(place, Options(select=(name,)))[0].get(plain)
        if value is None:
            return Answer(HTTPStatus.NO_CONTENT)
        if ending == "$value":
            if isinstance(value, str):
                return Answer(HTTPStatus.OK, value.encode(), "text/plain; charset=utf-8")
            bare = not isinstance(value, dict | list)
            return Answer(HTTPStatus.OK, encode_json(value), "text/plain" if bare else "application/json")
        return Answer(HTTPStatus.OK, encode_json({name: value}))

    def _links_only(self, options: Options) -> Options:
        for name, _ in options.texts:
            if name in {"$select", "$expand"}:
                raise RequestError(f"{name} does not go with $ref", place=name)
        return replace(options, select=("@iot.selfLink",))

    def _entity(self, place: _Place, options: Options) -> Answer:
        for name, _ in options.texts:
            if name in {"$filter", "$count", "$orderby", "$skip", "$top"}:
                raise RequestError(f"{name} goes with a set, and {place.path} is one entity", place=name)
        return Answer(HTTPStatus.OK, encode_json(self._documents(place, options)[0]))

    def _documents(self, place: _Place, options: Options) -> list[dict[str, Any]]:
        if place.row is not None:
            return self._rows(place.row, options)
        return self._entities(place.kind, [place.record or {}], options)

    def _set(self, place: _Place, options: Options) -> Answer:
        if place.kind is OBSERVATION:
            rows = self._observations.page(self._within(place), options)
            documents, count, more = self._rows(rows.table, options), rows.count, rows.more
        else:
            page = (
                self._records.page(place.kind, options)
                if place.parent is None
                else self._records.related(place.parent[0], place.parent[1], [place.parent[2]], options)[
                    place.parent[2]
                ]
            )
            documents, count, more = self._entities(place.kind, page.records, options), page.count, page.more
        answer: dict[str, Any] = {}
        if count is not None:
            answer["@iot.count"] = count
        if more:
            answer["@iot.nextLink"] = self._next_link(place.path, self._next_query(options))
        answer["value"] = documents
        return Answer(HTTPStatus.OK, encode_json(answer))

    def _within(self, place: _Place) -> Within:
        if place.parent is None:
            return Within()
        kind, _, number = place.parent
        return self._within_one(kind, number)

    def _within_one(self, kind: EntityType, number: int) -> Within:
        return Within(frozenset({number})) if kind.name == "Datastream" else self._observations.of_feature(number)

    def _next_query(self, options: Options) -> str:
        skip, top = window(options)
        pairs = [(name, text) for name, text in options.texts if name not in {"$skip", _AS_OF}]
        return encode_query([*pairs, *self._then, ("$skip", str(skip + top))])

    def _next_link(self, path: str, query: str) -> str:
        return f"{self._encoder.root}/{path}?{query}"

    def _entities(self, kind: EntityType, records: list[Record], options: Options) -> list[dict[str, Any]]:
        _check_select(kind, options)
        if options.select == ("@iot.selfLink",):
            return [{"@iot.selfLink": self._encoder.link(kind, record["id"])} for record in records]
        documents = self._encoder.entities(kind, records, options)
        for expansion in options.expand:
            relation = _relation(kind, expansion)
            if relation.many:
                self._expand_many(kind, relation, [record["id"] for record in records], documents, expansion)
            else:
                self._expand_one(relation, [record[relation.through.own] for record in records], documents, expansion)
        return documents

    def _rows(self, table: pa.Table, options: Options) -> list[dict[str, Any]]:
        _check_select(OBSERVATION, options)
        if options.select == ("@iot.selfLink",):
            return [{"@iot.selfLink": self._encoder.link(OBSERVATION, n)} for n in table["id"].to_pylist()]
        documents = self._encoder.observations(table, options)
        for expansion in options.expand:
            relation = _relation(OBSERVATION, expansion)
            self._expand_one(relation, table[relation.through.own].to_pylist(), documents, expansion)
        return documents

    def _expand_one(
        self, relation: Relation, own: list[int], documents: list[dict[str, Any]], expansion: Expansion
    ) -> None:
        target = TYPES[relation.target]
        found = self._records.by_id(target, sorted(set(own)))
        made = self._entities(target, list(found.values()), expansion.options)
        by_id = dict(zip(found, made, strict=True))
        for document, number in zip(documents, own, strict=True):
            document[relation.name] = by_id.get(number)

    def _expand_many(
        self,
        kind: EntityType,
        relation: Relation,
        parents: list[int],
        documents: list[dict[str, Any]],
        expansion: Expansion,
    ) -> None:
        target, options = TYPES[relation.target], expansion.options
        pages: dict[int, tuple[list[dict[str, Any]], int | None, bool]] = {}
        if target is OBSERVATION:
            pages = self._observations_of(kind, parents, options)
        else:
            found = self._records.related(kind, relation, parents, options)
            everything = self._entities(target, [record for page in found.values() for record in page.records], options)
            start = 0
            for parent, page in found.items():
                pages[parent] = (everything[start : start + len(page.records)], page.count, page.more)
                start += len(page.records)
        following = self._next_query(options)
        for document, parent in zip(documents, parents, strict=True):
            items, count, more = pages[parent]
            document[relation.name] = items
            if count is not None:
                document[f"{relation.name}@iot.count"] = count
            if more:
                path = f"{kind.plural}({parent})/{relation.name}"
                document[f"{relation.name}@iot.nextLink"] = self._next_link(path, following)

    def _observations_of(
        self, kind: EntityType, parents: list[int], options: Options
    ) -> dict[int, tuple[list[dict[str, Any]], int | None, bool]]:
        if kind.name == "Datastream" and _asks_newest(options):
            newest = self._observations.newest(parents)
            made = dict(zip(newest["datastream"].to_pylist(), self._rows(newest, options), strict=True))
            none: tuple[list[dict[str, Any]], None, bool] = ([], None, False)
            return {
                parent: ([made[parent]], None, self._observations.has_several(parent)) if parent in made else none
                for parent in parents
            }
        found: dict[int, Rows] = {
            parent: self._observations.page(self._within_one(kind, parent), options) for parent in parents
        }
        return {parent: (self._rows(rows.table, options), rows.count, rows.more) for parent, rows in found.items()}


def _asks_newest(options: Options) -> bool:
    """Say whether just the newest Observation is asked for, which is always at hand."""
    if options.top != 1 or options.skip or options.filter or options.count or options.samples != "water":
        return False
    by = options.orderby[0] if len(options.orderby) == 1 else None
    return by is not None and by.descending and getattr(by.by, "names", ()) == ("phenomenonTime",)


def _relation(kind: EntityType, expansion: Expansion) -> Relation:
    relation = kind.relations.get(expansion.relation)
    if relation is None:
        known = ", ".join(kind.relations)
        raise RequestError(
            f"{kind.name} has no relation {expansion.relation[:60]!r} (known: {known})", place=expansion.at
        )
    return relation


def _check_select(kind: EntityType, options: Options) -> None:
    for name in options.select:
        if name not in {"id", "@iot.id", "@iot.selfLink"} and name not in kind.properties | kind.relations:
            raise kind.unknown(name, "$select")
