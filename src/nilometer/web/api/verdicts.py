"""Routes of the native API about verdicts: over a window, and day by day in the Thing's zone."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Response

from nilometer.errors import RequestError
from nilometer.pipeline.verdicts import daily_verdicts
from nilometer.web.api.entities import Moment
from nilometer.web.api.face import DAY_US, Face, Then, answer
from nilometer.web.times import parse_moment

__all__ = ["verdict_routes"]

MOST_DAYS = 4_000
Window = Literal["hour", "4h", "day", "week", "month"]
_WINDOWS = {"hour": DAY_US // 24, "4h": DAY_US // 6, "day": DAY_US, "week": 7 * DAY_US, "month": 30 * DAY_US}


def verdict_routes(face: Face) -> APIRouter:
    """Return the routes."""
    routes = APIRouter()

    @routes.get("/things/{name:path}/verdict", summary="The class of a Thing's water over a window")
    def verdict(
        name: str, start: Moment = None, end: Moment = None, window: Window = "day", as_of: Moment = None
    ) -> Response:
        then = face.then(as_of)
        last = _last(face, then, end)
        first = parse_moment(start, "start")
        first = last - _WINDOWS[window] if first is None else first
        _check(first, last)
        return answer(face.verdict(face.thing(name), first, last, then))

    @routes.get("/things/{name:path}/verdicts", summary="The class of each day, in the Thing's time zone")
    def verdicts(
        name: str,
        start: Moment = None,
        end: Moment = None,
        by: Annotated[Literal["day"], Query()] = "day",
        as_of: Moment = None,
    ) -> Response:
        del by
        then = face.then(as_of)
        last = _last(face, then, end)
        first = parse_moment(start, "start")
        first = last - 30 * DAY_US if first is None else first
        _check(first, last)
        return answer(
            {
                "verdicts": [
                    {
                        "start": day_start // 1000,
                        "end": day_end // 1000,
                        "class": day.class_,
                        "met": day.met,
                        "limiting": [item.property for item in day.limiting],
                        "assessed": day.items_assessed,
                        "required": day.items_required,
                        "indicative": day.indicative,
                        "class_without_suspect": day.class_without_suspect,
                    }
                    for day_start, day_end, day in daily_verdicts(
                        face.pipeline.store, face.thing(name), first, last, then.snapshot
                    )
                ]
            }
        )

    return routes


def _last(face: Face, then: Then, end: str | None) -> int:
    """Return the end of the window: as it is given, or what was the present."""
    last = parse_moment(end, "end")
    if last is not None:
        return last
    return face.pipeline.clock() if then.moment is None else then.moment


def _check(start: int, end: int) -> None:
    if end <= start:
        raise RequestError("end lies before start", place="end")
    if end - start > MOST_DAYS * DAY_US:
        raise RequestError(f"more than {MOST_DAYS} days", place="start")
