"""``/v1.1``: requests to the read side and to the creation of Observations."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from nilometer.errors import MethodNotAllowed, NotFound, RequestError, WrongMediaType
from nilometer.pipeline import Pipeline
from nilometer.web.exchange import Exchange
from nilometer.web.sensorthings.answers.sending import Pieces, send
from nilometer.web.sensorthings.changes.batch import Batch
from nilometer.web.sensorthings.changes.bodies import read_json
from nilometer.web.sensorthings.changes.change_set import ChangeSet
from nilometer.web.sensorthings.changes.changes import Changes, given_of
from nilometer.web.sensorthings.changes.chosen import ids_of
from nilometer.web.sensorthings.changes.data_arrays import MOST_BYTES as DATA_ARRAY_BYTES
from nilometer.web.sensorthings.changes.data_arrays import DataArrays
from nilometer.web.sensorthings.creation import Creation
from nilometer.web.sensorthings.options import decode_query, parse_options
from nilometer.web.sensorthings.paths import ResourcePath, parse_path
from nilometer.web.sensorthings.schema import OBSERVATION, STREAMS, TYPES, EntityType
from nilometer.web.sensorthings.service import Answer, Service, Target

__all__ = ["ROOT", "SensorThings"]

ROOT = "/v1.1"
_KEEPS_32_BITS = "QGIS/"
"""How a client names itself that keeps 32 bits of a number: of Observations with the same it would show one."""
_ALLOWED = [("allow", "GET, HEAD, POST, PUT, PATCH, DELETE")]
MOST_BYTES_OF_ENTITIES = 16 << 20
"""Of the body of one entity with what comes with it."""


class SensorThings:
    """The plain ASGI side of SensorThings.

    Parameters
    ----------
    pipeline : Pipeline
        Its store is read, and it takes new Observations.
    """

    def __init__(self, pipeline: Pipeline) -> None:
        self.service = Service(pipeline.store)
        self.changes = Changes(pipeline)
        self.creation = Creation(pipeline, self.changes)
        self._data_arrays = DataArrays(pipeline)
        self._store = pipeline.store
        self._deletes_by_filter = pipeline.config.server.delete_by_filter
        self._batch = Batch(self.handle, ChangeSet(pipeline, self.changes))

    async def handle(self, exchange: Exchange, path: bytes) -> None:
        """Answer one request.

        Parameters
        ----------
        exchange : Exchange
            The request.
        path : bytes
            What follows ``/v1.1``, percent-encoded.
        """
        root = exchange.root + ROOT
        path = path.strip(b"/")
        if exchange.method in {"GET", "HEAD"}:
            is_short = _KEEPS_32_BITS in exchange.header(b"user-agent")
            api = f"{exchange.root}/api/v1"
            answer = await asyncio.to_thread(self._get, path, exchange.query, root, api, ids_as_text=is_short)
            if isinstance(answer, Pieces):
                await send(exchange, answer)
            else:
                await exchange.answer(answer.status, answer.body, answer.media_type)
        elif exchange.method == "POST":
            await self._post(exchange, path, root)
        elif exchange.method in {"PUT", "PATCH", "DELETE"}:
            await self._change(exchange, path, root)
        else:
            status = HTTPStatus.NO_CONTENT if exchange.method == "OPTIONS" else HTTPStatus.METHOD_NOT_ALLOWED
            await exchange.answer(status, headers=_ALLOWED)

    def _get(self, path: bytes, query: bytes, root: str, api: str, *, ids_as_text: bool = False) -> Answer | Pieces:
        options = replace(parse_options(decode_query(query)), ids_as_text=ids_as_text)
        if not path:
            return self.service.root(root)
        return self.service.get(parse_path(path), options, root, api)

    def _get_one(self, kind: EntityType, number: int, root: str, api: str) -> Answer:
        answer = self._get(f"{kind.plural}({number})".encode(), b"", root, api)
        assert isinstance(answer, Answer)  # noqa: S101 -- one entity never comes in pieces
        return answer

    async def _post(self, exchange: Exchange, path: bytes, root: str) -> None:
        if path == b"Observations":
            await self.creation.create(exchange, root, None)
            return
        if path in {b"$batch", b"%24batch"}:
            await self._batch.answer(exchange, root)
            return
        if path == b"CreateObservations":
            await self._create_many(exchange, root)
            return
        stream = self.creation.stream_of(path)
        if stream is not None:
            await self.creation.create(exchange, root, stream)
            return
        parsed = parse_path(path)
        if parsed.ending == "$value":
            raise RequestError("nothing is posted to a value", place="path")
        target = await asyncio.to_thread(self.service.resolve, parsed, root)
        kind = TYPES[target.kind]
        if target.property is not None or (target.number is not None and parsed.ending != "$ref"):
            raise MethodNotAllowed(
                "POST makes an entity in a set; an entity is changed by PATCH or PUT",
                place="method",
                allowed=_methods(target),
            )
        if kind is OBSERVATION and target.parent is not None and target.parent[0] in STREAMS and not parsed.ending:
            await self.creation.create(exchange, root, target.parent[1])
            return
        if exchange.media_type not in {"application/json", ""}:
            raise WrongMediaType(f"content-type {exchange.media_type[:60]!r} is not read (allowed: application/json)")
        document = await asyncio.to_thread(read_json, await exchange.body(MOST_BYTES_OF_ENTITIES))
        if parsed.ending == "$ref" or (target.parent is not None and _is_link(document)):
            await self._link(exchange, parsed, root, document)
            return
        number = await self.changes.create(kind, document, given_of(target.parent, kind))
        await self._made(exchange, kind, number, root)

    async def _create_many(self, exchange: Exchange, root: str) -> None:
        if exchange.media_type not in {"application/json", ""}:
            raise WrongMediaType(f"content-type {exchange.media_type[:60]!r} is not read (allowed: application/json)")
        body = await exchange.body(DATA_ARRAY_BYTES, self._data_arrays.budget)
        try:
            answer = await self._data_arrays.create(body, root)
        finally:
            self._data_arrays.budget.release(len(body))
        await exchange.answer(HTTPStatus.CREATED, answer)

    async def _made(self, exchange: Exchange, kind: EntityType, number: int, root: str) -> None:
        link = f"{root}/{kind.plural}({number})"
        made = await asyncio.to_thread(self._get_one, kind, number, root, f"{exchange.root}/api/v1")
        await exchange.answer(HTTPStatus.CREATED, made.body, headers=[("location", link)])

    async def _change(self, exchange: Exchange, path: bytes, root: str) -> None:
        parsed = parse_path(path)
        if parsed.ending == "$ref":
            document = None
            if exchange.method != "DELETE":
                document = await asyncio.to_thread(read_json, await exchange.body(MOST_BYTES_OF_ENTITIES))
            await self._link(exchange, parsed, root, document)
            return
        target = await asyncio.to_thread(self.service.resolve, parsed, root)
        if exchange.method == "DELETE" and _is_set_of_observations(target) and b"filter" in exchange.query:
            await self._delete_chosen(exchange, target.parent)
            return
        if target.number is None or target.property is not None or parsed.ending:
            raise MethodNotAllowed(
                f"{exchange.method} goes to one entity: {target.kind}s are changed by id",
                place="method",
                allowed=_methods(target),
            )
        kind = TYPES[target.kind]
        if exchange.method == "DELETE":
            await self.changes.delete(kind, target.number)
            await exchange.answer(HTTPStatus.OK)
            return
        body = await exchange.body(MOST_BYTES_OF_ENTITIES)
        api = f"{exchange.root}/api/v1"
        await self.changes.update(
            kind,
            target.number,
            body,
            method=exchange.method,
            media_type=exchange.media_type,
            document=lambda kind, number: self._document(kind, number, root, api),
        )
        answer = await asyncio.to_thread(self._get_one, kind, target.number, root, api)
        await exchange.answer(answer.status, answer.body, answer.media_type)

    async def _delete_chosen(self, exchange: Exchange, parent: tuple[str, int] | None) -> None:
        """Delete the Observations that a filter chooses, all in one commit: an extension, off unless configured."""
        if not self._deletes_by_filter:
            raise MethodNotAllowed(
                "deleting by a filter is off; server.delete_by_filter = true allows it",
                place="method",
                allowed="GET, HEAD, POST",
            )
        options = parse_options(decode_query(exchange.query))
        others = [name for name, _ in options.texts if name not in {"$filter", "samples"}]
        if others or options.filter is None:
            raise RequestError("only $filter and samples go with DELETE", place=others[0] if others else "$filter")
        ids = await asyncio.to_thread(ids_of, self._store, self.service.gate, parent, options)
        comment = f"DELETE {exchange.path}?{exchange.query.decode('latin-1')}"
        deleted = await self.changes.delete_observations(ids, comment[:1000])
        await exchange.answer_json({"deleted": deleted})

    def _document(self, kind: EntityType, number: int, root: str, api: str) -> dict[str, Any]:
        document: dict[str, Any] = read_json(self._get_one(kind, number, root, api).body)
        own = {name: value for name, value in document.items() if name in kind.properties}
        # Who adds the first of the properties need not add their object before.
        return {"properties": {}, **own} if "properties" in kind.properties else own

    async def _link(self, exchange: Exchange, path: ResourcePath, root: str, document: object) -> None:
        """Answer ``…/$ref``: the step before names a relation, with an id where a link of many is taken away."""
        if len(path.steps) < 2:
            raise RequestError("$ref follows a relation of an entity", place="path")
        *before, last = path.steps
        if last.error is not None:
            raise last.error
        source = await asyncio.to_thread(self.service.resolve, ResourcePath(tuple(before)), root)
        kind = TYPES[source.kind]
        relation = kind.relations.get(last.name)
        if relation is None or source.number is None:
            raise NotFound(f"{source.kind} has no relation {last.name!r}")
        if exchange.method == "DELETE":
            number = last.id if last.id is not None else _named(exchange.query)
            if number is None:
                raise RequestError("say which link goes: …/Locations(1)/$ref", place="path")
            await self.changes.unlink(kind, source.number, relation, number)
        elif last.id is not None or (exchange.method == "POST") != relation.many:
            allowed = f"GET, HEAD, {'POST' if relation.many else 'PUT'}, DELETE"
            raise MethodNotAllowed("a link to many is posted, a link to one is PUT", place="method", allowed=allowed)
        else:
            await self.changes.link(kind, source.number, relation, _as_link(document))
        await exchange.answer(HTTPStatus.NO_CONTENT)


def _methods(target: Target) -> str:
    """Return which methods go where a path leads."""
    if target.property is not None:
        return "GET, HEAD"
    return "GET, HEAD, POST" if target.number is None else "GET, HEAD, PUT, PATCH, DELETE"


def _is_set_of_observations(target: Target) -> bool:
    return TYPES[target.kind] is OBSERVATION and target.number is None


def _is_link(document: object) -> bool:
    return isinstance(document, dict) and "@iot.id" in document and all(name.startswith("@iot.") for name in document)


def _as_link(document: object) -> object:
    """Return a reference of OData, ``{"@odata.id": "…/Locations(1)"}``, as a link; others as they are."""
    if isinstance(document, dict):
        for name in ("@odata.id", "@iot.selfLink", "url"):
            found = _ENDS_IN_ID.search(str(document.get(name, "")))
            if found and "@iot.id" not in document:
                return {"@iot.id": int(found[1])}
    return document


def _named(query: bytes) -> int | None:
    """Return the id of ``$id=…/Locations(1)``."""
    for name, value in decode_query(query):
        found = _ENDS_IN_ID.search(value)
        if name == "$id" and found:
            return int(found[1])
    return None


_ENDS_IN_ID = re.compile(r"\((\d{1,18})\)$")
