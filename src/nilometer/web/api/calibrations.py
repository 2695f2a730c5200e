"""Routes of calibration records and standard solutions: enter, correct, withdraw, read as of a moment, what is due."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from nilometer.model import Datastream
from nilometer.web.api.calibration_bodies import (
    RecordBody,
    StandardBody,
    WithdrawalBody,
    due_documents,
    record_document,
    record_documents,
    record_order,
    recorded_document,
    standard_document,
    standard_order,
)
from nilometer.web.api.entities import Moment
from nilometer.web.api.face import Face, answer
from nilometer.web.api.review_bodies import parsed
from nilometer.web.api.reviews import body_of
from nilometer.web.times import parse_moment

__all__ = ["calibration_routes"]

Withdrawn = Annotated[bool, Query(description="also those that were withdrawn")]


def calibration_routes(face: Face) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    _reading(routes, face)
    _writing(routes, face)
    _of_standards(routes, face)
    return routes


def _named(face: Face, datastream: str | None, thing: str | None) -> list[Datastream] | None:
    if datastream is not None:
        return [face.datastream(datastream)]
    if thing is None:
        return None
    number = face.thing(thing).id
    return [one for one in face.pipeline.store.catalog.datastreams() if one.thing == number]


def _reading(routes: APIRouter, face: Face) -> None:
    @routes.get("/calibration-records", summary="What was done to instruments and found, newest first")
    def records(
        datastream: str | None = None,
        thing: str | None = None,
        kind: Annotated[str | None, Query(description="zero, span, check, verification, adjustment")] = None,
        as_of: Moment = None,
        withdrawn: Withdrawn = False,  # noqa: FBT002 -- a query option
        limit: Annotated[int, Query(ge=1, le=100_000)] = 1000,
    ) -> Response:
        moment = parse_moment(as_of, "as_of")
        found = record_documents(
            face.pipeline,
            _named(face, datastream, thing),
            kind=kind,
            as_of=moment,
            withdrawn=withdrawn,
            limit=limit,
        )
        return answer({"records": found, "as_of": None if moment is None else moment // 1000})

    @routes.get("/calibration-records/due", summary="How calibrations stand: due dates, overdue ones first")
    def due(datastream: str | None = None, thing: str | None = None, as_of: Moment = None) -> Response:
        wanted = _named(face, datastream, thing)
        if wanted is None:
            wanted = face.pipeline.store.catalog.datastreams()
        moment = parse_moment(as_of, "as_of")
        now = face.pipeline.clock() if moment is None else moment
        return answer({"now": now // 1000, "calibrations": due_documents(face.pipeline, wanted, moment)})

    @routes.get("/calibration-records/{number}", summary="A calibration record with all of its versions")
    def record(number: int) -> Response:
        catalog = face.pipeline.store.catalog
        versions = [record_document(one, catalog) for one in catalog.calibration_records.record_versions(number)]
        return answer(versions[-1] | {"versions": versions})


def _writing(routes: APIRouter, face: Face) -> None:
    @routes.post(
        "/calibration-records",
        summary="Enter a calibration record; what it puts into force holds for the rows that come next",
        openapi_extra=body_of(RecordBody),
    )
    async def enter(request: Request) -> Response:
        order = record_order(parsed(RecordBody, await request.body()))
        return answer(recorded_document(await face.pipeline.calibrations.enter(order), face.pipeline.store.catalog))

    @routes.put(
        "/calibration-records/{number}",
        summary="Correct a calibration record: a new version, all of it said again",
        openapi_extra=body_of(RecordBody),
    )
    async def correct(number: int, request: Request) -> Response:
        order = record_order(parsed(RecordBody, await request.body()))
        done = await face.pipeline.calibrations.enter(order, number)
        return answer(recorded_document(done, face.pipeline.store.catalog))

    @routes.post(
        "/calibration-records/{number}/withdraw",
        summary="Take a calibration record back, and what it put into force",
        openapi_extra=body_of(WithdrawalBody),
    )
    async def withdraw(number: int, request: Request) -> Response:
        body = parsed(WithdrawalBody, await request.body())
        done = await face.pipeline.calibrations.withdraw(number, by=body.by, comment=body.comment)
        return answer(recorded_document(done, face.pipeline.store.catalog))


def _of_standards(routes: APIRouter, face: Face) -> None:
    @routes.get("/standard-solutions", summary="Standard solutions by key")
    def standards(
        as_of: Moment = None,
        withdrawn: Withdrawn = False,  # noqa: FBT002 -- a query option
    ) -> Response:
        store, moment = face.pipeline.store, parse_moment(as_of, "as_of")
        commit = None if moment is None else store.commit_at(moment)
        found = store.catalog.calibration_records.standards(commit, withdrawn=withdrawn)
        return answer({"standards": [standard_document(one) for one in found]})

    @routes.post("/standard-solutions", summary="Enter a standard solution", openapi_extra=body_of(StandardBody))
    async def enter(request: Request) -> Response:
        order = standard_order(parsed(StandardBody, await request.body()))
        return answer(standard_document(await face.pipeline.calibrations.enter_standard(order)))

    @routes.put(
        "/standard-solutions/{number}",
        summary="Correct a standard solution: a new version; records keep the one that they used",
        openapi_extra=body_of(StandardBody),
    )
    async def correct(number: int, request: Request) -> Response:
        order = standard_order(parsed(StandardBody, await request.body()))
        return answer(standard_document(await face.pipeline.calibrations.enter_standard(order, number)))

    @routes.post(
        "/standard-solutions/{number}/withdraw",
        summary="Take a standard solution back; records that used it stay",
        openapi_extra=body_of(WithdrawalBody),
    )
    async def withdraw(number: int, request: Request) -> Response:
        body = parsed(WithdrawalBody, await request.body())
        gone = await face.pipeline.calibrations.withdraw_standard(number, by=body.by, comment=body.comment)
        return answer(standard_document(gone))

    @routes.get("/standard-solutions/{name:path}", summary="A standard solution by id or key, with all of its versions")
    def standard(name: str) -> Response:
        ledger = face.pipeline.store.catalog.calibration_records
        number = int(name) if name.isascii() and name.isdigit() and len(name) < 10 else ledger.standard(name).root
        versions = [standard_document(one) for one in ledger.standard_versions(number)]
        return answer(versions[-1] | {"versions": versions})
