"""Routes of the native API about Things, Datastreams, sources and what judged them."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response
from sqlalchemy import select

from nilometer import __version__
from nilometer.config import parse
from nilometer.errors import NotFound, RequestError
from nilometer.model import NO_TIME, Datastream, Origin
from nilometer.qc.qartod import DEFINITIONS
from nilometer.store import tables
from nilometer.store.row_ids import row_id
from nilometer.web.api.derived_documents import declared_document
from nilometer.web.api.describe import sensor_document, source_document
from nilometer.web.api.face import Face, Then, answer
from nilometer.web.api.uplinks import uplink_document
from nilometer.web.sensorthings.quality import names_of_tests
from nilometer.web.times import parse_moment

__all__ = ["entity_routes"]

Moment = Annotated[str | None, Query(description="ISO 8601 with an offset, or milliseconds since 1970 UTC")]
_TITLES = {
    "gap": ("Gap", "数据间断"),
    "gross_range": ("Gross range", "量程范围"),
    "spike": ("Spike", "尖峰"),
    "rate_of_change": ("Rate of change", "变化率"),
    "flat_line": ("Flat line", "恒值"),
    "mark": ("Instrument mark", "数据标记"),
    "calibration_valid": ("Calibration valid", "校准有效期"),
    "inputs": ("Inputs", "输入数据标识"),
}


def entity_routes(face: Face) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    _of_server(routes, face)
    _of_things(routes, face)
    _of_datastreams(routes, face)
    return routes


def _of_server(routes: APIRouter, face: Face) -> None:
    @routes.get("/status", summary="The server: its time, its counts")
    def status() -> Response:
        pipeline = face.pipeline
        catalog = pipeline.store.catalog
        seal_error, compaction_error = pipeline.store.errors
        return answer(
            {
                "name": "nilometer",
                "version": __version__,
                "now": pipeline.clock() // 1000,
                "speed": getattr(pipeline.clock, "speed", 1.0),
                "started": pipeline.started // 1000,
                "things": len(catalog.things()),
                "datastreams": len(catalog.datastreams()),
                "observations": pipeline.store.snapshot().count(water_only=False),
                "rate_per_s": round(face.rate(), 1),
                "queued": pipeline.queued,
                "shed": pipeline.shed,
                "refusing": None if pipeline.refusing is None else str(pipeline.refusing),
                "seal_error": seal_error,
                "compaction_error": compaction_error,
                "damage": list(pipeline.store.damage),
                "uplinks": [uplink_document(status) for status in pipeline.uplinks.statuses()],
                "demo": bool(getattr(pipeline.clock, "is_demo", False)),
            }
        )

    @routes.get("/sources", summary="Every source and how it is doing")
    def sources() -> Response:
        return answer({"sources": [source_document(status) for status in face.pipeline.sources()]})

    @routes.get("/profiles/{number}", summary="A QC profile exactly as it judged")
    def profile(number: int) -> Response:
        row = face.pipeline.store.catalog.profile_version_row(number)
        return answer({"id": row.id, "name": row.name, "version": row.version, "document": row.document})

    @routes.get("/calibrations/{number}", summary="A calibration")
    def calibration(number: int) -> Response:
        table = tables.calibrations
        with face.pipeline.store.catalog.reading("read a calibration") as connection:
            row = connection.execute(select(table).where(table.c.id == row_id(number))).one_or_none()
        if row is None:
            raise NotFound(f"there is no calibration {number}")
        return answer(_calibration(row) | {"datastream": row.datastream})


def _of_things(routes: APIRouter, face: Face) -> None:
    @routes.get("/things", summary="Every Thing with its Datastreams, latest values and verdict")
    def things(
        spark: Annotated[float, Query(ge=0, le=1e9, description="seconds of sparkline; 0: none")] = 0,
        as_of: Moment = None,
    ) -> Response:
        return answer({"things": face.things(face.pipeline.store.catalog.things(), face.then(as_of), spark)})

    @routes.get("/things/{name:path}/events", summary="What happened to a Thing, newest first")
    def events(
        name: str,
        start: Moment = None,
        end: Moment = None,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 500,
    ) -> Response:
        found = face.pipeline.store.catalog.events(
            face.thing(name).id, parse_moment(start, "start"), parse_moment(end, "end"), limit
        )
        return answer(
            {
                "events": [
                    {
                        "id": event.id,
                        "time": event.time // 1000,
                        "kind": event.kind,
                        "datastream": event.datastream,
                        "detail": event.detail,
                    }
                    for event in found
                ]
            }
        )

    @routes.get("/things/{name:path}", summary="A Thing by id or key")
    def thing(
        name: str,
        spark: Annotated[float, Query(ge=0, le=1e9, description="seconds of sparkline; 0: none")] = 0,
        as_of: Moment = None,
    ) -> Response:
        known = face.thing(name)
        catalog = face.pipeline.store.catalog
        sensors = {item.sensor for item in catalog.datastreams() if item.thing == known.id}
        document = face.things([known], face.then(as_of), spark)[0]
        return answer(document | {"sensors": [sensor_document(catalog.sensor(number)) for number in sorted(sensors)]})


def _of_datastreams(routes: APIRouter, face: Face) -> None:
    @routes.get("/datastreams", summary="Datastreams, all or by key or Thing")
    def datastreams(key: str | None = None, thing: str | None = None, as_of: Moment = None) -> Response:
        catalog = face.pipeline.store.catalog
        found = catalog.datastreams()
        if key is not None:
            found = [item for item in found if item.key == key]
        if thing is not None:
            wanted = face.thing(thing).id
            found = [item for item in found if item.thing == wanted]
        short = face.short(found, face.then(as_of))
        return answer({"datastreams": [short[item.id] for item in found]})

    @routes.post("/datastreams", summary="Make Things and Datastreams, written as in nilometer.toml")
    async def configure(request: Request) -> Response:
        content = await _json_object(request)
        for name in content:
            if name not in {"thing", "datastream"}:
                raise RequestError("unknown member (allowed: thing, datastream)", place=f"$.{name[:60]}")
        known = [{"key": item.key, "name": item.name} for item in face.pipeline.store.catalog.things()]
        given = content.get("thing", [])
        named = {item.get("key") for item in given if isinstance(item, dict)} if isinstance(given, list) else set()
        config = parse({**content, "thing": [*given, *(item for item in known if item["key"] not in named)]})
        wanted = [item for item in config.things if item.key in named]
        made = await face.pipeline.configure(wanted, config.datastreams)
        return answer({"datastreams": [{"id": item.id, "key": item.key} for item in made]})

    @routes.get("/datastreams/{name:path}", summary="A Datastream by id or key, with what judges it")
    def datastream(name: str, as_of: Moment = None) -> Response:
        return answer(_datastream(face, face.datastream(name), face.then(as_of)))


async def _json_object(request: Request) -> dict[str, Any]:
    body = await request.body()
    try:
        content: dict[str, Any] = msgspec.json.decode(body, type=dict)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"this is no JSON object: {error}", place="$") from error
    return content


def _calibration(row: Any) -> dict[str, Any]:  # noqa: ANN401 -- CalibrationRow
    document = row.document
    return {
        "id": row.id,
        "valid_from": None if row.valid_from == NO_TIME else row.valid_from // 1000,
        "kind": document.get("kind"),
        "certificate": document.get("certificate"),
        "document": document,
    }


def _datastream(face: Face, item: Datastream, then: Then) -> dict[str, Any]:
    catalog, snapshot = face.pipeline.store.catalog, then.snapshot
    thing = catalog.thing(item.thing)
    source = face.source_of(item) if then.moment is None else None
    extent = snapshot.extent(item.id)
    ours = item.properties.get("nilometer", {})
    short = face.short([item], then)[item.id]
    in_force = {row.id for row in catalog.calibrations_in_force(item.id)}
    return short | {
        "description": item.description,
        "thing": {"id": thing.id, "key": thing.key, "name": thing.name},
        "sensor": sensor_document(catalog.sensor(item.sensor)),
        "source": None if source is None else source_document(source),
        "channel": ours.get("channel"),
        "raw_unit": ours.get("raw_unit"),
        "extent": None if extent is None else [extent[0] // 1000, extent[1] // 1000],
        "count": snapshot.count([item.id]),
        "profile_detail": _profile_detail(face, _profile_version(face, item, then, short)),
        "derived": _derived(face, item) if then.moment is None else None,
        "calibrations": [_calibration(row) | {"in_force": row.id in in_force} for row in catalog.calibrations(item.id)],
        "clock_resolution_us": item.clock_resolution_us,
        "mark_scheme": item.mark_scheme,
        "identity": item.identity,
        "properties": item.properties,
    }


def _profile_version(face: Face, item: Datastream, then: Then, short: dict[str, Any]) -> int | None:
    """Return the version of the profile that judges the Datastream; of the past, that of the newest row."""
    if then.moment is not None:
        judged: int | None = None if short["latest"] is None else short["latest"]["profile"]
        return judged
    return face.pipeline.profile_version(item.id)


def _derived(face: Face, item: Datastream) -> dict[str, Any] | None:
    if item.origin is not Origin.DERIVED:
        return None
    return next((declared_document(one) for one in face.pipeline.derived.all() if one.datastream.id == item.id), None)


def _profile_detail(face: Face, number: int | None) -> dict[str, Any] | None:
    if number is None:
        return None
    row = face.pipeline.store.catalog.profile_version_row(number)
    required = row.document.get("required", ())
    tests = row.document.get("tests", {})
    in_slots = {name: tests[name] for name in names_of_tests(row.document)}
    return {
        "id": row.id,
        "name": row.name,
        "version": row.version,
        "unit": row.document.get("unit", ""),
        "tests": [
            _test(slot, name, dict(parameters), required) for slot, (name, parameters) in enumerate(in_slots.items())
        ],
    }


def _test(slot: int, name: str, parameters: dict[str, Any], required: Any) -> dict[str, Any]:  # noqa: ANN401 -- names
    kind = str(parameters.pop("test", name))
    english, chinese = _TITLES.get(kind, (name, name))
    definition = DEFINITIONS.get(kind)
    return {
        "name": name,
        "test": kind,
        "slot": slot,
        "required": name in required,
        "title": {"en": english, "zh": chinese},
        "clause": "" if definition is None else definition.clause,
        "parameters": parameters,
    }
