"""Routes of events that somebody enters: maintenance, cleaning, check sample, calibration, and others."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from nilometer.web.api.entities import Moment
from nilometer.web.api.face import Face, answer
from nilometer.web.api.review_bodies import (
    EventBody,
    WithdrawBody,
    entered_document,
    event_document,
    event_order,
    parsed,
    step_document,
)
from nilometer.web.api.reviews import body_of
from nilometer.web.times import parse_moment

__all__ = ["event_routes"]


def event_routes(face: Face) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()
    _reading(routes, face)
    _writing(routes, face)
    return routes


def _reading(routes: APIRouter, face: Face) -> None:
    @routes.get("/events", summary="Events that somebody entered, newest first")
    def events(
        thing: str | None = None,
        kind: str | None = None,
        start: Moment = None,
        end: Moment = None,
        as_of: Moment = None,
        withdrawn: Annotated[bool, Query(description="also those that were withdrawn")] = False,  # noqa: FBT002 -- a query option
        limit: Annotated[int, Query(ge=1, le=10_000)] = 500,
    ) -> Response:
        store = face.pipeline.store
        moment = parse_moment(as_of, "as_of")
        found = store.catalog.ledger.events(
            None if thing is None else face.thing(thing).id,
            parse_moment(start, "start"),
            parse_moment(end, "end"),
            limit,
            kind=kind,
            as_of=None if moment is None else store.commit_at(moment),
            withdrawn=withdrawn,
            entered_only=True,
        )
        return answer({"events": [event_document(event, store.catalog) for event in found]})

    @routes.get("/events/{number}", summary="An event with all of its versions and what they did")
    def event(number: int) -> Response:
        catalog = face.pipeline.store.catalog
        versions = catalog.ledger.event_versions(number)
        mine = {one.id for one in versions}
        steps = [step_document(step, catalog) for step in catalog.reviews.steps() if step.event in mine]
        return answer(
            event_document(versions[-1], catalog)
            | {"versions": [event_document(one, catalog) for one in versions], "steps": steps}
        )


def _writing(routes: APIRouter, face: Face) -> None:
    @routes.post(
        "/events",
        summary="Enter an event; the rule of its kind is applied to the rows of its span",
        openapi_extra=body_of(EventBody),
    )
    async def enter(request: Request) -> Response:
        order = event_order(parsed(EventBody, await request.body()))
        return answer(entered_document(face.pipeline.store.catalog, await face.pipeline.note(order)))

    @routes.put("/events/{number}", summary="Enter a new version of an event", openapi_extra=body_of(EventBody))
    async def edit(number: int, request: Request) -> Response:
        order = event_order(parsed(EventBody, await request.body()))
        return answer(entered_document(face.pipeline.store.catalog, await face.pipeline.note(order, number)))

    @routes.post(
        "/events/{number}/withdraw",
        summary="Take an event back; its rule is undone",
        openapi_extra=body_of(WithdrawBody),
    )
    async def withdraw(number: int, request: Request) -> Response:
        body = parsed(WithdrawBody, await request.body())
        done = await face.pipeline.withdraw(number, by=body.by, note=body.note, force=body.force)
        return answer(entered_document(face.pipeline.store.catalog, done))
