"""The SensorThings read side: a path is walked step by step, what it leads to is read, expanded and encoded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from itertools import islice
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import Connection

from nilometer import __version__
from nilometer.errors import NilometerError, NotSupported, RequestError
from nilometer.model.schemas import OBSERVATION as OBSERVATION_SCHEMA
from nilometer.store import Snapshot, Store
from nilometer.web.exchange import encode_json
from nilometer.web.sensorthings.answers import paging
from nilometer.web.sensorthings.answers.entity_answers import format_entities
from nilometer.web.sensorthings.answers.limits import HEAVY_ROWS, Gate
from nilometer.web.sensorthings.answers.observation_answers import answer_rows, top_of
from nilometer.web.sensorthings.answers.observation_texts import ObservationTexts, raw_objects
from nilometer.web.sensorthings.answers.repeating import repeated
from nilometer.web.sensorthings.answers.sending import Pieces
from nilometer.web.sensorthings.answers.texts import json_text
from nilometer.web.sensorthings.conformance import CONFORMANCE, CONFORMANCE_OF_MQTT
from nilometer.web.sensorthings.encoding import Encoder
from nilometer.web.sensorthings.expanding import check_expansions, check_select, relation_of
from nilometer.web.sensorthings.members import value_at
from nilometer.web.sensorthings.observations import Observations, Within
from nilometer.web.sensorthings.observed_area import ObservedAreas
from nilometer.web.sensorthings.options import Expansion, Options, encode_query
from nilometer.web.sensorthings.paths import ResourcePath, Step
from nilometer.web.sensorthings.quality import Evidence
from nilometer.web.sensorthings.query.datastream_columns import DatastreamColumns
from nilometer.web.sensorthings.query.observed import quality_documents
from nilometer.web.sensorthings.records import Record, Records, by_id, window
from nilometer.web.sensorthings.resolution import Place, Walk
from nilometer.web.sensorthings.schema import OBSERVATION, STREAMS, TYPES, EntityType, Relation

__all__ = ["Answer", "Service", "Target"]

_AS_OF = "as_of"


@dataclass(frozen=True, slots=True)
class Answer:
    """What to send."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a path leads: to the entity `number` of a type or to a set of them, perhaps that of a `parent`.

    `parent` is a type and an id, `property` what the path names of the entity, with members, None: the entity itself.
    """

    kind: str
    number: int | None = None
    parent: tuple[str, int] | None = None
    property: str | None = None


class Service:
    """The read side over one store.

    Parameters
    ----------
    store : Store
        Its catalog and its Observations.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._evidence, self._areas = Evidence(store.catalog), ObservedAreas(store.catalog)
        self.gate = Gate()
        self.mqtt: Callable[[str], list[str]] | None = None
        """Where MQTT is spoken, for who reached the service at a root; None: nowhere."""

    def root(self, root: str) -> Answer:
        """Return the service root: the entity sets, and what is met of the standard."""
        sets = [{"name": kind.plural, "url": f"{root}/{kind.plural}"} for kind in TYPES.values()]
        settings: dict[str, Any] = {"conformance": list(CONFORMANCE), "nilometer": {"version": __version__}}
        if self.mqtt is not None:
            settings["conformance"] += CONFORMANCE_OF_MQTT
            settings |= {name: {"endpoints": self.mqtt(root)} for name in CONFORMANCE_OF_MQTT}
        return Answer(HTTPStatus.OK, encode_json({"value": sets, "serverSettings": settings}))

    def get(self, path: ResourcePath, options: Options, root: str, api: str) -> Answer | Pieces:
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
        Overloaded
            If it takes too long, or too many others ask for much.
        """
        with self._store.catalog.reading("read entities") as connection:
            return self._reading(connection, root, api, options).answer(path, options)

    def find_owner(self, path: ResourcePath, root: str) -> tuple[str, int]:
        """Return what the Observations of ``…/Datastreams(1)/Observations`` belong to, each step checked: type and id.

        Raises
        ------
        NotFound, RequestError
            If the path leads elsewhere or nowhere.
        """
        target = self.resolve(path, root)
        is_set = target.kind == OBSERVATION.name and target.number is None and target.property is None
        if not is_set or target.parent is None:
            raise NotSupported("only Observations are created here", place="path")
        return target.parent

    def resolve(self, path: ResourcePath, root: str) -> Target:
        """Return where a path leads.

        Raises
        ------
        NotFound, RequestError
            If it leads nowhere.
        """
        with self._store.catalog.reading("read entities") as connection:
            place, names = self._reading(connection, root, "", Options()).walk(path.steps)
        parent = None if place.parent is None else (place.parent[0].name, place.parent[2])
        return Target(place.kind.name, place.number, parent, "/".join(names) or None)

    def told(
        self, ids: Sequence[int], wanted: Sequence[tuple[Target, Options]], root: str, api: str
    ) -> list[list[bytes] | NilometerError]:
        """Return Observations as JSON for each of several sets of them, in the order of their ids, or what is wrong.

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
            samples = list(self._store.catalog.sample_kinds())
            return reading.told(self._store.snapshot().by_id(sorted(ids)), wanted, samples)

    def _reading(
        self, connection: Connection, root: str, api: str, options: Options, snapshot: Snapshot | None = None
    ) -> _Reading:
        catalog = self._store.catalog
        seen = self._store.snapshot(options.as_of) if snapshot is None else snapshot
        if isinstance(options.skiptoken, paging.Place):
            seen = seen.at_sequence(options.skiptoken.commit)

        @contextmanager
        def again() -> Iterator[_Reading]:
            with catalog.reading("read entities") as other:
                yield self._reading(other, root, api, options, seen)

        records, evidence = Records(connection, DatastreamColumns(seen, self._areas)), self._evidence.at(seen.commit)
        return _Reading(
            records,
            Observations(seen, records, catalog, self.gate, quality_documents(evidence, api)),
            Encoder(root, seen, self._areas),
            ObservationTexts(root, api, evidence, catalog.streams.are_multi, ids_as_text=options.ids_as_text),
            [(name, text) for name, text in options.texts if name == _AS_OF],
            again,
            self.gate,
        )


class _Reading:
    """One GET; `then` is its option ``as_of``, which next links inside expansions carry on.

    `again` opens the same reading over another connection: what is sent in pieces outlives the first.
    """

    def __init__(
        self,
        records: Records,
        observations: Observations,
        encoder: Encoder,
        texts: ObservationTexts,
        then: Sequence[tuple[str, str]],
        again: Callable[[], AbstractContextManager[_Reading]],
        gate: Gate,
    ) -> None:
        self._records, self._observations, self._encoder, self._then = records, observations, encoder, tuple(then)
        self._texts, self._again, self._gate = texts, again, gate

    def answer(self, path: ResourcePath, options: Options) -> Answer | Pieces:
        place, names = self.walk(path.steps)
        if names:
            return self._property(place, names, path.ending, options)
        if path.ending == "$value":
            raise RequestError("$value follows a property", place="path")
        if path.ending == "$ref":
            options = self._links_only(options)
            place = replace(place, path=f"{place.path}/$ref")
        check_expansions(place.kind, options)
        if place.number is not None:
            return self._entity(place, options)
        return self._set(place, options)

    def told(
        self, rows: pa.Table, wanted: Sequence[tuple[Target, Options]], samples: Sequence[int]
    ) -> list[list[bytes] | NilometerError]:
        """Return those rows that belong to each set, as JSON; what is wrong with one set is no fault of the others."""
        water = rows.filter(pc.invert(pc.is_in(rows["feature"], pa.array(samples, rows["feature"].type))))
        documents: list[list[bytes] | NilometerError] = []
        for target, options in wanted:
            mine = water
            if target.parent is not None and target.parent[0] in STREAMS:
                mine = water.filter(pc.equal(water["datastream"], target.parent[1]))
            elif target.parent is not None:
                mine = rows.filter(pc.equal(rows["feature"], target.parent[1]))
            try:
                texts = self._objects(mine, options).to_pylist() if len(mine) else []
            except NilometerError as error:
                documents.append(error)
                continue
            documents.append([text.encode() for text in texts])
        return documents

    def walk(self, steps: Sequence[Step]) -> tuple[Place, tuple[str, ...]]:
        """Follow a path; return where it ends, and the property it names there with the members below, if it does."""
        return Walk(self._records, self._observations).walk(steps)

    def _property(self, place: Place, names: Sequence[str], ending: str, options: Options) -> Answer:
        for given, _ in options.texts:
            if given != _AS_OF:
                raise RequestError("a property takes no options but as_of", place=given)
        if ending == "$ref":
            raise RequestError("$ref follows entities", place="path")
        name, *members = names
        plain = "@iot.id" if name == "id" else name
        value = self._documents(place, Options(select=(name,)))[0].get(plain)
        value = value_at(value, members, f"{place.path}/{name}")
        if value is None:
            return Answer(HTTPStatus.NO_CONTENT)
        if ending == "$value":
            if isinstance(value, str):
                return Answer(HTTPStatus.OK, value.encode(), "text/plain; charset=utf-8")
            bare = not isinstance(value, dict | list)
            return Answer(HTTPStatus.OK, encode_json(value), "text/plain" if bare else "application/json")
        return Answer(HTTPStatus.OK, encode_json({names[-1]: value}))

    def _links_only(self, options: Options) -> Options:
        for name, _ in options.texts:
            if name in {"$select", "$expand"}:
                raise RequestError(f"{name} does not go with $ref", place=name)
        return replace(options, select=("@iot.selfLink",))

    def _entity(self, place: Place, options: Options) -> Answer:
        for name, _ in options.texts:
            if name in {"$filter", "$count", "$orderby", "$skip", "$skiptoken", "$top"}:
                raise RequestError(f"{name} goes with a set, and {place.path} is one entity", place=name)
        documents = self._documents(place, options)
        if options.result_format:
            return Answer(HTTPStatus.OK, *format_entities(place.kind, documents, options))
        return Answer(HTTPStatus.OK, encode_json(documents[0]))

    def _documents(self, place: Place, options: Options) -> list[dict[str, Any]]:
        if place.row is not None:
            return self._rows(place.row, options)
        return self._entities(place.kind, [place.record or {}], options)

    def _set(self, place: Place, options: Options) -> Answer | Pieces:
        if place.kind is OBSERVATION:
            return self._observation_set(place, options)
        page = (
            self._records.page(place.kind, options)
            if place.parent is None
            else self._records.related(place.parent[0], place.parent[1], [place.parent[2]], options)[place.parent[2]]
        )
        documents, link = self._entities(place.kind, page.records, options), None
        if page.more and options.top != 0:
            link = self._next_link(place.path, self._next_entities(options, page.records))
        if options.result_format:
            return Answer(HTTPStatus.OK, *format_entities(place.kind, documents, options, page.count, link))
        answer: dict[str, Any] = {}
        if page.count is not None:
            answer["@iot.count"] = page.count
        if link is not None:
            answer["@iot.nextLink"] = link
        answer["value"] = documents
        return Answer(HTTPStatus.OK, encode_json(answer))

    def _observation_set(self, place: Place, options: Options) -> Answer | Pieces:
        check_select(OBSERVATION, options)

        def objects(table: pa.Table) -> Any:  # noqa: ANN401 -- pyarrow has no types
            with self._again() as reading:
                return reading._objects(table, options)

        def expanded(table: pa.Table, expansion: Expansion) -> list[Any]:
            with self._again() as reading:
                return reading._one_of_each(table, expansion)

        def link(token: str) -> str:
            return self._next_link(place.path, self._next_query(options, token))

        rows = self._observations.page(self._within(place), options, top=top_of(options))
        made = answer_rows(rows, self._texts, options, self._encoder.root, objects, expanded, link)
        if isinstance(made, Pieces):
            made.pieces = self._gate.pass_through(made.pieces) if (rows.most or 0) > HEAVY_ROWS else made.pieces
            return made
        return Answer(HTTPStatus.OK, *made)

    def _within(self, place: Place) -> Within:
        if place.parent is None:
            return Within()
        kind, _, number = place.parent
        return self._within_one(kind, number)

    def _within_one(self, kind: EntityType, number: int) -> Within:
        return Within(frozenset({number})) if kind.name in STREAMS else self._observations.of_feature(number)

    def _next_query(self, options: Options, token: str | None = None) -> str:
        skip, top = window(options)
        pairs = [(name, text) for name, text in options.texts if name not in {"$skip", "$skiptoken", _AS_OF}]
        on = ("$skip", str(skip + top)) if token is None else ("$skiptoken", token)
        return encode_query([*pairs, *self._then, on])

    def _next_entities(self, options: Options, shown: Sequence[Record]) -> str:
        """Return where a page goes on: behind the last id, or after so many where they come in another order."""
        if by_id(options) is None or not shown:
            return self._next_query(options)
        return self._next_query(options, paging.write_token(paging.LastId(shown[-1]["id"])))

    def _next_link(self, path: str, query: str) -> str:
        return f"{self._encoder.root}/{path}?{query}"

    def _entities(self, kind: EntityType, records: list[Record], options: Options) -> list[dict[str, Any]]:
        check_select(kind, options)
        if options.select == ("@iot.selfLink",):
            return [{"@iot.selfLink": self._encoder.link(kind, record["id"])} for record in records]
        documents = self._encoder.entities(kind, records, options)
        for expansion in options.expand:
            relation = relation_of(kind, expansion)
            if relation.many:
                self._expand_many(kind, relation, [record["id"] for record in records], documents, expansion)
            else:
                own = [record[relation.through.own] for record in records]
                for document, one in zip(documents, self._related(relation, own, expansion), strict=True):
                    document[relation.name] = one
        return documents

    def _rows(self, table: pa.Table, options: Options) -> list[dict[str, Any]]:
        return [msgspec.json.decode(text) for text in self._objects(table, options).to_pylist()]

    def _objects(self, table: pa.Table, options: Options) -> Any:  # noqa: ANN401 -- pyarrow has no types
        """Return Observations as a column of JSON objects."""
        check_select(OBSERVATION, options)
        expanded = {}
        for expansion in options.expand:
            relation = relation_of(OBSERVATION, expansion)
            _, first, place = np.unique(table[relation.through.own].to_numpy(), return_index=True, return_inverse=True)
            documents = self._one_of_each(table.take(pa.array(first)), expansion)
            again = np.bincount(place.reshape(-1), minlength=len(documents)) - 1
            self._records.take(repeated(documents, again.tolist(), expansion.options))
            texts = pa.array([json_text(document) for document in documents], pa.string())
            expanded[relation.name] = texts.take(pa.array(place.reshape(-1)))
        return self._texts.objects(table, options.select, expanded)

    def _one_of_each(self, table: pa.Table, expansion: Expansion) -> list[Any]:
        """Return for each row the document of the entity that an expansion leads to."""
        relation = relation_of(OBSERVATION, expansion)
        return self._related(relation, table[relation.through.own].to_pylist(), expansion)

    def _related(self, relation: Relation, own: list[int], expansion: Expansion) -> list[Any]:
        """Return the documents that a relation to one leads to, for each of some ids."""
        target = TYPES[relation.target]
        found = self._records.by_id(target, sorted(set(own)))
        made = self._entities(target, list(found.values()), expansion.options)
        by_id = dict(zip(found, made, strict=True))
        times = Counter(own)
        self._records.take(repeated(made, [times[number] - 1 for number in found], expansion.options))
        return [by_id.get(number) for number in own]

    def _expand_many(
        self,
        kind: EntityType,
        relation: Relation,
        parents: list[int],
        documents: list[dict[str, Any]],
        expansion: Expansion,
    ) -> None:
        target, options = TYPES[relation.target], expansion.options
        pages: dict[int, tuple[list[Any], int | None, str | None]] = {}
        if target is OBSERVATION:
            pages = self._observations_of(kind, parents, options)
        else:
            found = self._records.related(kind, relation, parents, options)
            everything = self._entities(target, [record for page in found.values() for record in page.records], options)
            start = 0
            for parent, page in found.items():
                on = self._next_entities(options, page.records) if page.more and options.top != 0 else None
                pages[parent] = (everything[start : start + len(page.records)], page.count, on)
                start += len(page.records)
        for parent, times in Counter(parents).items():
            items = pages[parent][0]
            self._records.take(repeated(items, [times - 1] * len(items), options))
        for document, parent in zip(documents, parents, strict=True):
            items, count, following = pages[parent]
            document[relation.name] = items
            if count is not None:
                document[f"{relation.name}@iot.count"] = count
            if following is not None:
                path = f"{kind.plural}({parent})/{relation.name}"
                document[f"{relation.name}@iot.nextLink"] = self._next_link(path, following)

    def _observations_of(
        self, kind: EntityType, parents: list[int], options: Options
    ) -> dict[int, tuple[list[Any], int | None, str | None]]:
        if kind.name in STREAMS and _asks_newest(options):
            newest = self._observations.newest(parents)
            raws = raw_objects(self._objects(newest, options))
            made = dict(zip(newest["datastream"].to_pylist(), raws, strict=True))
            none: tuple[list[Any], None, str | None] = ([], None, None)
            first = self._next_query(options)
            return {
                parent: ([made[parent]], None, first if self._observations.has_several(parent) else None)
                if parent in made
                else none
                for parent in parents
            }
        tables, told = [OBSERVATION_SCHEMA.empty_table()], []
        for parent in dict.fromkeys(parents):
            rows = self._observations.page(self._within_one(kind, parent), options, top=top_of(options, inside=True))
            tables.append(rows.table(OBSERVATION_SCHEMA).select(OBSERVATION_SCHEMA.names))
            self._records.take(len(tables[-1]))
            following = None if rows.following is None else self._next_query(options, rows.following)
            told.append((parent, rows.count, following))
        # Written as one: texts of a row by itself cost what those of a thousand do.
        each = iter(raw_objects(self._objects(pa.concat_tables(tables), options)))
        return {
            parent: (list(islice(each, len(table))), count, following)
            for table, (parent, count, following) in zip(tables[1:], told, strict=True)
        }


def _asks_newest(options: Options) -> bool:
    """Say whether just the newest Observation is asked for, which is always at hand."""
    if options.top != 1 or options.skip or options.filter or options.count or options.samples != "water":
        return False
    by = options.orderby[0] if len(options.orderby) == 1 else None
    return by is not None and by.descending and getattr(by.by, "names", ()) == ("phenomenonTime",)
