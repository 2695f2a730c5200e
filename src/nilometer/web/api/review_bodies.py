"""What is sent to review and to note events: bodies as they are written, orders as the pipeline takes them.

The command line sends the same bodies, to a server or to a pipeline of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from nilometer.errors import RequestError
from nilometer.model import Datastream, Thing
from nilometer.pipeline.event_book import EventOrder
from nilometer.pipeline.review_orders import Entered, Order
from nilometer.review import ACTIONS, FOREVER
from nilometer.store import Catalog, Event, ReviewStep
from nilometer.web.times import parse_moment

__all__ = [
    "Body",
    "EventBody",
    "Moment",
    "ReviewBody",
    "UndoBody",
    "WithdrawBody",
    "entered_document",
    "event_document",
    "event_order",
    "parsed",
    "review_order",
    "step_document",
]

Moment = str | int | float
_TIME = "ISO 8601 with an offset, or milliseconds since 1970 UTC"


class Body(BaseModel):
    """What every body has in common: nothing unknown, no NaN."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class ReviewBody(Body):
    """One step: what every action needs, and beside it what the action is told."""

    action: str = Field(description=f"{', '.join(ACTIONS)}, sign_off")
    datastreams: list[str | int] = Field(description="keys or ids")
    start: Moment | None = Field(None, description=f"inclusive; {_TIME}")
    end: Moment | None = Field(None, description=f"exclusive; {_TIME}")
    by: str = Field(description="who does it")
    reason: str = Field(description="a code, as GET /reviews/settings lists them")
    comment: str = ""
    force: bool = Field(default=False, description="also where somebody has signed")
    observations: list[int] | None = Field(None, description="only these Observations, by id")
    where: dict[str, Any] | None = Field(None, description="flag, above, below, equals, missing: all must hold")
    flag: str | None = Field(None, description="pass, not_evaluated, suspect, fail, missing")
    worse: bool | None = Field(None, description="flag: only where that makes it worse")
    offset: float | None = Field(None, description="offset: what is added")
    gap: float | None = Field(None, description="drift: standard minus reading at the end of the span")
    gap_percent: float | None = Field(None, description="drift: the same in percent of the reading")
    points: list[tuple[Moment, float]] | None = Field(None, description="drift: the gap at several times")
    standards: list[list[float]] | None = Field(None, description="drift: [[low, read], [high, read]]")
    uncertainty: float | None = Field(None, description="of what is added, k = 1")
    greatest_gap: str | float | None = Field(None, description='interpolate: such as "2 h", or seconds')
    shift: str | float | None = Field(None, description='retime: such as "-1 h", or seconds')
    shift_end: str | float | None = Field(None, description="retime: the shift at the end of the span")
    level: str | None = Field(None, description="sign_off: the level")


class UndoBody(Body):
    """Who undoes a step, and why."""

    by: str
    reason: str = "mistake"
    comment: str = ""
    force: bool = False


class EventBody(Body):
    """An event: what happened to a Thing, or to some of its Datastreams, when, and who says so."""

    kind: str = Field(description="maintenance, cleaning, check_sample, calibration, or one of the configuration")
    thing: str | int | None = Field(None, description="key or id; or datastreams")
    datastreams: list[str | int] = []
    start: Moment = Field(description=f"inclusive; {_TIME}")
    end: Moment | None = Field(None, description=f"exclusive; {_TIME}; absent: it goes on")
    by: str
    note: str = ""
    detail: dict[str, Any] = {}
    force: bool = False


class WithdrawBody(Body):
    """Who takes an event back."""

    by: str
    note: str = ""
    force: bool = False


_COMMON = frozenset({"action", "datastreams", "start", "end", "by", "reason", "comment", "force"})


def parsed(model: type[BaseModel], content: bytes | Mapping[str, Any]) -> Any:  # noqa: ANN401 -- the model
    """Return a body, or say where it is wrong.

    Raises
    ------
    RequestError
        With the place.
    """
    try:
        document = msgspec.json.decode(content) if isinstance(content, bytes) else dict(content)
        return model.model_validate(document)
    except ValidationError as error:
        first = min(error.errors(), key=lambda item: item["type"] != "extra_forbidden")
        place = "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in first["loc"])
        if first["type"] == "extra_forbidden":
            raise RequestError(f"unknown member (allowed: {', '.join(model.model_fields)})", place=place) from error
        raise RequestError(first["msg"][0].lower() + first["msg"][1:], place=place) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise RequestError(f"this is no JSON: {error}", place="$") from error


def review_order(body: ReviewBody) -> Order:
    """Return the order of a body."""
    said = {name: value for name, value in body.model_dump(exclude_none=True).items() if name not in _COMMON}
    if "points" in said:
        said["points"] = [[_moment(time, "$.points"), gap] for time, gap in said["points"]]
    return Order(
        action=body.action,
        datastreams=body.datastreams,
        start=_moment(body.start, "$.start"),
        end=_moment(body.end, "$.end"),
        parameters=said,
        by=body.by,
        reason=body.reason,
        comment=body.comment,
        force=body.force,
    )


def event_order(body: EventBody) -> EventOrder:
    """Return the order of a body."""
    start = _moment(body.start, "$.start")
    if start is None:
        raise RequestError("an event needs its start", place="$.start")
    return EventOrder(
        kind=body.kind,
        thing=body.thing,
        datastreams=body.datastreams,
        start=start,
        end=_moment(body.end, "$.end"),
        by=body.by,
        note=body.note,
        detail=body.detail,
        force=body.force,
    )


def entered_document(catalog: Catalog, done: Entered) -> dict[str, Any]:
    """Return what became of an order."""
    document: dict[str, Any] = {
        "steps": [step_document(step, catalog) for step in done.steps],
        "rows": done.rows,
        "commit": done.sequence,
    }
    if done.event is not None:
        document["event"] = event_document(done.event, catalog)
    return document


def step_document(step: ReviewStep, catalog: Catalog) -> dict[str, Any]:
    """Return a step as it is told; times in ms since 1970 UTC."""
    return {
        "id": step.id,
        "action": step.action,
        **_scope(step, catalog),
        "start": step.start // 1000,
        "end": None if step.end == FOREVER else step.end // 1000,
        "parameters": _told(step),
        "by": step.actor,
        "reason": step.reason,
        "comment": step.comment,
        "at": step.time // 1000,
        "event": step.event,
        "undoes": step.undoes,
        "undone_by": catalog.reviews.undone_by(step.id),
        "rows": step.rows,
        "commit": step.sequence,
        "applied": step.is_applied,
    }


def event_document(event: Event, catalog: Catalog) -> dict[str, Any]:
    """Return an event as it is told; `id` stays through all of its versions."""
    numbers = event.datastreams or (() if event.datastream is None else (event.datastream,))
    thing: Thing | None = None if event.thing is None else catalog.thing(event.thing)
    return {
        "id": event.root,
        "version": event.id,
        "kind": event.kind,
        "thing": None if thing is None else thing.key,
        "datastreams": [catalog.datastream(number).key for number in numbers],
        "start": event.time // 1000,
        "end": None if event.end is None else event.end // 1000,
        "by": event.actor,
        "note": event.note,
        "detail": event.detail,
        "at": None if event.entered is None else event.entered // 1000,
        "commit": event.sequence,
        "withdrawn": bool(event.withdrawn),
    }


def _scope(step: ReviewStep, catalog: Catalog) -> dict[str, Any]:
    if "datastreams" in step.scope:
        known: list[Datastream] = [catalog.datastream(number) for number in step.scope["datastreams"]]
        return {"datastreams": [one.key for one in known], "thing": None, "properties": []}
    thing = catalog.thing(step.scope["thing"])
    return {"datastreams": [], "thing": thing.key, "properties": list(step.scope.get("properties", ()))}


def _told(step: ReviewStep) -> dict[str, Any]:
    told = dict(step.parameters)
    if "points" in told:
        told["points"] = [[time // 1000, gap] for time, gap in told["points"]]
    return told


def _moment(time: Moment | None, place: str) -> int | None:
    return None if time is None else parse_moment(str(time), place)
